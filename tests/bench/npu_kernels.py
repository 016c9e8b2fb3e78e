"""How fast the compiled arithmetic is: processor time of whole networks over that of onnxruntime's float32 layers.

    python -m tests.bench.npu_kernels [repetitions]

Needs the extra `bench` (`make bench` installs it). One thread; every repetition runs all candidates one after the
other, and the ratio is that of the medians. Features and weights have 4 bits, each layer is requantised to 4 bits
and, where the network pools, pooled. The networks have the shapes of a VGG16-style and of a tiny-YOLO2-style
classifier.

The generic way profits from VNNI too, by another instruction. To see it without, set NUMBA_CPU_NAME=x86-64-v3 and
NUMBA_CPU_FEATURES to those of the processor less avx512vnni.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from emu.npu.native import compiled
from emu.npu.native import convolution as native
from emu.npu.native.layout import Way
from emu.npu.native.requantisation import prepare_requantisation


@dataclass(frozen=True)
class Layer:
    """A convolution with kernels of ``size`` x ``size`` on a square image; the image keeps its size."""

    name: str
    channels: int
    side: int
    kernels: int
    size: int = 3
    pooled: bool = False

    @property
    def macs(self) -> int:
        """Products of the layer."""
        return self.channels * self.side**2 * self.kernels * self.size**2


VGG16 = (
    Layer("C1_1", 3, 112, 32),
    Layer("C1_2", 32, 112, 64, pooled=True),
    Layer("C2_1", 64, 56, 64),
    Layer("C2_2", 64, 56, 112, pooled=True),
    Layer("C3_1", 112, 28, 112),
    Layer("C3_2", 112, 28, 112),
    Layer("C3_3", 112, 28, 224, pooled=True),
    Layer("C4_1", 224, 14, 224),
    Layer("C4_2", 224, 14, 224),
    Layer("C4_3", 224, 14, 224, pooled=True),
    Layer("C5_1", 224, 7, 224),
    Layer("C5_2", 224, 7, 224),
    Layer("C5_3", 224, 7, 224),
)
TINY_YOLO2 = (
    Layer("C1", 3, 416, 16, pooled=True),
    Layer("C2", 16, 208, 32, pooled=True),
    Layer("C3", 32, 104, 64, pooled=True),
    Layer("C4", 64, 52, 112, pooled=True),
    Layer("C5", 112, 26, 224, pooled=True),
    Layer("C6", 224, 13, 224, pooled=True),
    Layer("C7", 224, 7, 224),
    Layer("C8", 224, 7, 512),
    Layer("C9", 512, 7, 30, size=1),
)
NETWORKS = {"VGG16-style": VGG16, "tiny-YOLO2-style": TINY_YOLO2}
Step = Callable[[Any], Any]


def network_weights(layers: Sequence[Layer]) -> list[NDArray[np.int8]]:
    """Random kernels of 4 bits, half of them 0."""
    generator = np.random.default_rng(2023)
    shapes = [(layer.kernels, layer.size, layer.size, layer.channels) for layer in layers]
    return [(generator.integers(-8, 8, shape) * generator.integers(0, 2, shape)).astype(np.int8) for shape in shapes]


def native_steps(layers: Sequence[Layer], weights: Sequence[NDArray[np.int8]], way: Way) -> list[Step]:
    """The layers as compiled convolutions."""
    image = first_image(layers)
    steps: list[Step] = []
    for layer, kernels in zip(layers, weights, strict=True):
        prepared = native.prepare(kernels, way)
        padding = (layer.size // 2,) * 4
        psums = native.convolve(image, prepared, padding=padding)
        requantisation = prepare_requantisation(calibrated_table(psums), 0, 15)

        step = partial(
            native.convolve_requantise,
            kernels=prepared,
            requantisation=requantisation,
            padding=padding,
            pooled=layer.pooled,
        )
        steps.append(step)
        image = step(image)
    return steps


def calibrated_table(psums: NDArray[np.int32]) -> NDArray[np.int32]:
    """Multipliers of 15 bits that map two standard deviations above the mean to 15."""
    deviation = psums.std(axis=(0, 1)) + 1
    scale = 5 / deviation
    shift = np.full(len(scale), 14 - int(np.floor(np.log2(scale.max()))), np.int64)
    multiplier = np.round(scale * 2.0**shift)
    return np.stack([-psums.mean(axis=(0, 1)), multiplier, shift, np.full(len(scale), 5)], axis=1).astype(np.int32)


def onnx_steps(layers: Sequence[Layer], weights: Sequence[NDArray[np.int8]]) -> list[Step]:
    """The layers as Conv, Relu (and MaxPool) in float32, one model each."""
    return [onnx_model([layer], [kernels]) for layer, kernels in zip(layers, weights, strict=True)]


def onnx_model(layers: Sequence[Layer], weights: Sequence[NDArray[np.int8]]) -> Step:
    """Some layers as one model of onnxruntime, run on one thread."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, name = [], [], "image"
    for layer, kernels in zip(layers, weights, strict=True):
        constant = np.ascontiguousarray(kernels.transpose(0, 3, 1, 2), np.float32)
        constants.append(numpy_helper.from_array(constant, f"{layer.name}_weights"))
        constants.append(numpy_helper.from_array(np.zeros(layer.kernels, np.float32), f"{layer.name}_bias"))
        inputs = [name, f"{layer.name}_weights", f"{layer.name}_bias"]
        nodes.append(helper.make_node("Conv", inputs, [f"{layer.name}_sum"], pads=[layer.size // 2] * 4))
        nodes.append(helper.make_node("Relu", [f"{layer.name}_sum"], [f"{layer.name}_out"]))
        name = f"{layer.name}_out"
        if layer.pooled:
            pooling = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
            nodes.append(helper.make_node("MaxPool", [name], [f"{layer.name}_pooled"], **pooling))
            name = f"{layer.name}_pooled"
    side = layers[0].side
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, layers[0].channels, side, side])
    result = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(nodes, "network", [image], [result], constants),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda features: session.run(None, {"image": features})[0]


def first_image(layers: Sequence[Layer]) -> NDArray[np.uint8]:
    """A random image of 4 bits."""
    side = layers[0].side
    return np.random.default_rng(18).integers(0, 16, (side, side, layers[0].channels)).astype(np.uint8)


def chain(steps: Sequence[Step], image: Any) -> list[Any]:
    """The image and what each step gives."""
    images = [image]
    for step in steps:
        images.append(step(images[-1]))
    return images


def medians(candidates: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, float]:
    """Median processor time of each candidate, in milliseconds; the candidates take turns."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for candidate in candidates.values():
        candidate()
    for _ in range(repetitions):
        for name, candidate in candidates.items():
            start = time.process_time_ns()
            candidate()
            times[name].append((time.process_time_ns() - start) / 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(title: str, layers: Sequence[Layer], repetitions: int) -> None:
    """Prints the ratios of one network, whole and by layer."""
    weights = network_weights(layers)
    image = first_image(layers)
    channels_first = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    ways = {way.name: native_steps(layers, weights, way) for way in native.ways()}
    whole = onnx_model(layers, weights)
    candidates: dict[str, Callable[[], Any]] = {"onnxruntime": lambda: whole(channels_first)}
    candidates |= {name: partial(chain, steps, image) for name, steps in ways.items()}
    times = medians(candidates, repetitions)
    print(f"{title}: onnxruntime float32 {times['onnxruntime']:.1f} ms")
    for name in ways:
        print(f"  {name}: {times[name]:.2f} ms, ratio {times[name] / times['onnxruntime']:.3f}")
    measure_layers(layers, onnx_steps(layers, weights), channels_first, ways, image, repetitions)


def measure_layers(
    layers: Sequence[Layer],
    floats: Sequence[Step],
    channels_first: Any,
    ways: dict[str, list[Step]],
    image: Any,
    repetitions: int,
) -> None:
    """Prints the ratio of each layer, on the inputs that it has in the network."""
    images = {name: chain(steps, image) for name, steps in ways.items()}
    float_images = chain(floats, channels_first)
    for index, layer in enumerate(layers):
        candidates: dict[str, Callable[[], Any]] = {"onnxruntime": partial(floats[index], float_images[index])}
        candidates |= {name: partial(steps[index], images[name][index]) for name, steps in ways.items()}
        times = medians(candidates, repetitions)
        figures = "; ".join(
            f"{name} {times[name]:.3f} ms, ratio {times[name] / times['onnxruntime']:.2f}, "
            f"{layer.macs / times[name] / 1e6:.0f} GMAC/s"
            for name in ways
        )
        print(f"  {layer.name:5} {layer.macs / 1e6:6.1f} MMAC  {figures}")


def main(repetitions: int = 21) -> None:
    """Measures all networks."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise SystemExit(f"{error.name} is missing: pip install -e .[bench]") from error
    ways = ", ".join(way.name for way in native.ways())
    versions = f"onnxruntime {onnxruntime.__version__}, numba {numba.__version__}"
    print(f"vectors of {compiled.LANES} x 32 bits; ways: {ways}; {versions}; one thread each")
    for title, layers in NETWORKS.items():
        measure(title, layers, repetitions)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
