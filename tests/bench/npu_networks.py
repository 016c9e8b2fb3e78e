"""How fast whole emulated inferences are: firmware start to result, over onnxruntime's float32 layers.

    python -m tests.bench.npu_networks [repetitions]

Needs the extra `bench` (`make bench` installs it). The firmware of `imnpu report` runs on one cluster in `published`
timing with all counters on; the machine is reset between inferences, so everything is executed anew, but unpacked
kernels may still be known. One thread each; the candidates take turns, and ratios are those of the medians of
processor time. onnxruntime runs convolution, ReLU and pooling of the same shapes. Beside that stands what the
network's multiply-accumulates alone would take at the speed of a large float32 matrix product.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from threadpoolctl import threadpool_limits

from emu.machines import machine_map
from sdk import paths
from sdk.build import BuildOptions, build
from sdk.loader import load_elf
from sdk.networks.firmware import write_firmware
from sdk.networks.network_file import load_network
from sdk.networks.parameters import make_parameters
from sdk.networks.plan import plan_network
from sdk.project import open_project
from sdk.runner import Runner
from tests.bench import npu_kernels
from tests.bench.machine import facts

MATRIX = 1024
"""Rows and columns of the matrices whose product is the measure of this computer."""
FOLDERS = {"VGG16-style": "vgg16", "tiny-YOLO2-style": "yolo2_tiny"}


class Emulated:
    """A machine with the firmware of a network in it; the project is written into ``folder``."""

    def __init__(self, title: str, folder: Path) -> None:
        plan = plan_network(load_network(paths.examples() / FOLDERS[title]), clusters=1)
        firmware = write_firmware(plan, make_parameters(plan.network), folder)
        elf = build(open_project(firmware.folder), BuildOptions("st18")).elf
        self.runner = Runner(load_elf(elf), machine_map("st18"), stream=firmware.stream)
        self._before = 0

    def infer(self) -> None:
        """One inference from reset, which rewinds the input stream, to the end of the firmware."""
        self._before = self.runner.clusters[0].counters.busy_cycles
        self.runner.machine.reset()
        result = self.runner.run()
        if result.exit_code != 0:
            raise SystemExit(f"the firmware did not come to its end: {result.outcome.value}")

    @property
    def chip_ms(self) -> float:
        """What the newest inference takes on the chip, by its clusters' counters, in milliseconds."""
        cycles = self.runner.clusters[0].counters.busy_cycles - self._before
        return cycles / self.runner.machine.clock.hertz * 1e3


def sgemm_macs(repetitions: int) -> float:
    """Multiply-accumulates that one thread does in a millisecond in a product of float32 matrices; the median."""
    left, right = np.random.default_rng(0).random((2, MATRIX, MATRIX), np.float32)
    times = []
    for _ in range(repetitions + 1):
        start = time.process_time_ns()
        np.matmul(left, right)
        times.append((time.process_time_ns() - start) / 1e6)
    return MATRIX**3 / statistics.median(times[1:])


def measure(title: str, repetitions: int, sgemm: float) -> None:
    """Prints the ratios of one network; ``sgemm`` is what `sgemm_macs` gave."""
    layers = npu_kernels.NETWORKS[title]
    reference = npu_kernels.onnx_model(layers, npu_kernels.network_weights(layers))
    image = np.ascontiguousarray(npu_kernels.first_image(layers).transpose(2, 0, 1)[None], np.float32)
    with TemporaryDirectory() as folder:
        machine = Emulated(title, Path(folder))
        start = time.process_time_ns()
        machine.infer()
        first = (time.process_time_ns() - start) / 1e6
        candidates = {"onnxruntime": lambda: reference(image), "emulated": machine.infer}
        times = npu_kernels.medians(candidates, repetitions)
    print(
        f"{title}: onnxruntime float32 {times['onnxruntime']:.1f} ms; emulated {times['emulated']:.1f} ms, ratio "
        f"{times['emulated'] / times['onnxruntime']:.2f}; the chip takes {machine.chip_ms:.2f} ms, "
        f"simulated over real time {times['emulated'] / machine.chip_ms:.1f}"
    )
    at_peak = sum(layer.macs for layer in layers) / sgemm
    print(
        f"  first inference {first:.0f} ms; at the speed of sgemm ({sgemm / 1e6:.0f} GMAC/s) the sums alone take "
        f"{at_peak:.1f} ms, emulated over that {times['emulated'] / at_peak:.2f}"
    )


def main(repetitions: int = 11) -> None:
    """Measures all networks."""
    print(facts())
    with threadpool_limits(1):
        sgemm = sgemm_macs(repetitions)
        for title in FOLDERS:
            measure(title, repetitions, sgemm)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB, onnxruntime included")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
