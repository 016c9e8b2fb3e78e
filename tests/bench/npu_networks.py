"""How fast whole emulated inferences are: firmware start to result, over onnxruntime's float32 layers.

    python -m tests.bench.npu_networks [repetitions]

Needs the extra `bench` (`make bench` installs it). The firmware of `imnpu report` runs on one cluster in `published`
timing with all counters on; the machine is reset between inferences, so everything is executed anew, but unpacked
kernels may still be known. One thread each; the candidates take turns, and ratios are those of the medians of
processor time. onnxruntime runs convolution, ReLU and pooling of the same shapes.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from emu.machines import machine_map
from sdk import paths
from sdk.build import BuildOptions, build
from sdk.loader import load_elf
from sdk.networks.firmware import write_firmware
from sdk.networks.network import load_network
from sdk.networks.parameters import make_parameters
from sdk.networks.plan import plan_network
from sdk.project import open_project
from sdk.runner import Runner
from tests.bench import npu_kernels
from tests.bench.machine import facts

FOLDERS = {"VGG16-style": "vgg16", "tiny-YOLO2-style": "yolo2_tiny"}


class Emulated:
    """A machine with the firmware of a network in it; the project is written into ``folder``."""

    def __init__(self, title: str, folder: Path) -> None:
        plan = plan_network(load_network(paths.examples() / FOLDERS[title]), clusters=1)
        firmware = write_firmware(plan, make_parameters(plan.network), folder)
        elf = build(open_project(firmware.folder), BuildOptions("st18")).elf
        self.stream = firmware.stream
        self.runner = Runner(load_elf(elf), machine_map("st18"))
        self._before = 0

    def infer(self) -> None:
        """One inference from reset to the end of the firmware."""
        self._before = self.runner.clusters[0].counters.busy_cycles
        self.runner.machine.reset()
        self.runner.input_stream.feed(self.stream)
        result = self.runner.run()
        if result.exit_code != 0:
            raise SystemExit(f"the firmware did not come to its end: {result.outcome.value}")

    @property
    def chip_ms(self) -> float:
        """What the newest inference takes on the chip, by its clusters' counters, in milliseconds."""
        cycles = self.runner.clusters[0].counters.busy_cycles - self._before
        return cycles / self.runner.machine.clock.hertz * 1e3


def measure(title: str, repetitions: int) -> None:
    """Prints the ratio of one network."""
    layers = npu_kernels.NETWORKS[title]
    reference = npu_kernels.onnx_model(layers, npu_kernels.network_weights(layers))
    image = np.ascontiguousarray(npu_kernels.first_image(layers).transpose(2, 0, 1)[None], np.float32)
    with TemporaryDirectory() as folder:
        machine = Emulated(title, Path(folder))
        candidates = {"onnxruntime": lambda: reference(image), "emulated": machine.infer}
        times = npu_kernels.medians(candidates, repetitions)
    print(
        f"{title}: onnxruntime float32 {times['onnxruntime']:.1f} ms; emulated {times['emulated']:.1f} ms, ratio "
        f"{times['emulated'] / times['onnxruntime']:.2f}; the chip takes {machine.chip_ms:.2f} ms, "
        f"simulated over real time {times['emulated'] / machine.chip_ms:.1f}"
    )


def main(repetitions: int = 11) -> None:
    """Measures all networks."""
    print(facts())
    for title in FOLDERS:
        measure(title, repetitions)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB, onnxruntime included")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
