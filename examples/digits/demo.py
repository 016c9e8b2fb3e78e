# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration: builds the example for both hosts, runs 360 images through each, shows and checks the result.

Run it with ``imnpu demo``. What the firmware prints is compared with ``reference.py``, image by image.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import reference
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from emu.machines import machine_map
from sdk.build import BuildOptions, build
from sdk.layers import Layer, layers
from sdk.loader import load_elf
from sdk.project import open_project
from sdk.runner import Outcome, Runner, RunResult

FOLDER = Path(__file__).resolve().parent
MACHINES = ("st18", "st18-rv32")
LINE = re.compile(r"digit (\d+): (\d) logits((?: -?\d+){10})")
SLICE_CYCLES = 500_000
"""Cycles between two updates of the progress bar."""
SHADES = " ░▒▓█"
SHOWN = 4
"""Digits that are drawn."""


@dataclass(frozen=True)
class MachineRun:
    """One machine's run: what the firmware said and what it cost."""

    result: RunResult
    predictions: list[int]
    logits: np.ndarray
    layers: list[Layer]


def run(machine: str, elf: Path, progress: Progress, images: int) -> MachineRun:
    """Run the firmware over all images of the stream."""
    image = load_elf(elf)
    runner = Runner(image, machine_map(machine), stream=(FOLDER / "images.bin").read_bytes())
    task = progress.add_task(machine, total=images)
    while True:
        result = runner.run(SLICE_CYCLES)
        progress.update(task, completed=result.uart.count(b"digit "))
        if result.outcome is not Outcome.LIMIT:
            break
    lines = LINE.findall(result.uart.decode())
    if result.exit_code != 0 or [int(number) for number, _, _ in lines] != list(range(images)):
        sys.exit(f"{machine}: the firmware did not come to its end: {result.outcome.value}\n{result.uart.decode()}")
    return MachineRun(
        result,
        predictions=[int(prediction) for _, prediction, _ in lines],
        logits=np.array([[int(value) for value in values.split()] for _, _, values in lines]),
        layers=layers(result.commands, image),
    )


def cycles_per_image(one: MachineRun, images: int) -> float:
    """Cycles of the cluster for one image, as its counters say: commands and control instructions."""
    counters = one.result.counters[0]
    return (counters.busy_cycles + counters.control_cycles) / images


def energy_per_image(one: MachineRun, images: int) -> float:
    """Energy of the cluster for one image in nJ, as its counters say."""
    return one.result.counters[0].energy_fj / images / 1e6


def figures(one: MachineRun, labels: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    """The figures of a machine, the same in every run."""
    images = len(labels)
    correct = int(np.sum(np.array(one.predictions) == labels))
    return {
        "images": images,
        "correct": correct,
        "accuracy": correct / images,
        "mismatches_vs_reference": int(np.any(one.logits != expected, axis=1).sum()),
        "cycles_per_inference": cycles_per_image(one, images),
        "energy_nj_per_inference": energy_per_image(one, images),
        "host_instructions_per_inference": one.result.instructions / images,
        "machine_cycles_per_inference": one.result.cycles / images,
        "npu_commands": len(one.result.commands),
        "layers": {
            layer.name: {
                "load_cycles": layer.load_cycles / images,
                "work_cycles": layer.work_cycles / images,
                "control_cycles": layer.control_cycles / images,
                "utilisation": layer.utilisation,
                "energy_nj": layer.energy_fj / images / 1e6,
            }
            for layer in one.layers
        },
    }


def draw(image: np.ndarray, prediction: int, label: int) -> Panel:
    """One digit in the terminal, two characters a pixel."""
    shades = (image.astype(int) * (len(SHADES) - 1) + 7) // reference.FEATURE_MAX
    rows = "\n".join("".join(2 * SHADES[shade] for shade in row) for row in shades)
    right = prediction == label
    caption = Text(f"read {prediction}, is {label}", style="green" if right else "bold red")
    return Panel(Group(Text(rows), caption), width=18, padding=0, border_style="dim" if right else "red")


def layer_table(one: MachineRun, images: int) -> Table:
    """Cost of each layer, for one image."""
    hertz = one.result.machine.clock_hz
    table = Table(title=f"Per layer and image, one cluster at {hertz / 1e6:.0f} MHz", title_justify="left")
    table.add_column("layer")
    for name in ("load", "work", "cycles", "use", "nJ", "us"):
        table.add_column(name, justify="right")
    for layer in one.layers:
        cycles = layer.cycles / images
        table.add_row(
            layer.name, f"{layer.load_cycles / images:.0f}", f"{layer.work_cycles / images:.0f}", f"{cycles:.0f}",
            f"{100 * layer.utilisation:.1f} %", f"{layer.energy_fj / images / 1e6:.1f}", f"{cycles / hertz * 1e6:.2f}",
        )  # fmt: skip
    total, energy = cycles_per_image(one, images), energy_per_image(one, images)
    table.add_section()
    table.add_row("program", "", "", f"{total:.0f}", "", f"{energy:.1f}", f"{total / hertz * 1e6:.2f}")
    return table


def machine_table(report: dict[str, Any], wall: dict[str, Any]) -> Table:
    """Both machines side by side."""
    table = Table(title="Both hosts run the same program", title_justify="left")
    table.add_column("")
    for machine in MACHINES:
        table.add_column(machine, justify="right")
    rows = {
        "correct": lambda name: f"{report[name]['correct']} of {report[name]['images']}",
        "accuracy": lambda name: f"{100 * report[name]['accuracy']:.1f} %",
        "images that differ from the reference": lambda name: str(report[name]["mismatches_vs_reference"]),
        "NPU cycles an image": lambda name: f"{report[name]['cycles_per_inference']:.0f}",
        "NPU energy an image": lambda name: f"{report[name]['energy_nj_per_inference']:.1f} nJ",
        "host instructions an image": lambda name: f"{report[name]['host_instructions_per_inference']:.0f}",
        "emulation": lambda name: f"{wall[name]['seconds']:.2f} s",
        "emulated host": lambda name: f"{wall[name]['host_mips']:.1f} MIPS",
        "NPU commands": lambda name: f"{wall[name]['npu_commands_per_second']:.0f} a second",
    }
    for title, value in rows.items():
        table.add_row(title, *(value(name) for name in MACHINES))
    return table


def main(output: Path, console: Console | None = None) -> int:
    """Build, run, show, and write ``report.json`` into ``output``; returns 0 if everything is as it must be."""
    console = console or Console(highlight=False)
    started = time.perf_counter()
    images, labels = reference.load_images(FOLDER), reference.load_labels(FOLDER)
    output.mkdir(parents=True, exist_ok=True)
    project = open_project(FOLDER)
    elves: dict[str, Path] = {}
    with console.status("building the firmware for both hosts"):
        for machine in MACHINES:
            options = BuildOptions(machine, output=output / machine / "digits.elf")
            elves[machine] = build(project, options).elf
    console.print(f"built {', '.join(os.path.relpath(elf) for elf in elves.values())}", soft_wrap=True)

    runs: dict[str, MachineRun] = {}
    bar = (TextColumn("{task.description:9}"), BarColumn(), MofNCompleteColumn(), TextColumn("images"))
    with Progress(*bar, TimeElapsedColumn(), console=console) as progress:
        for machine in MACHINES:
            runs[machine] = run(machine, elves[machine], progress, len(images))

    expected = reference.logits(images)
    report = {machine: figures(runs[machine], labels, expected) for machine in MACHINES}
    wall = {
        machine: {
            "seconds": one.result.wall_seconds,
            "host_mips": one.result.host_mips,
            "npu_commands_per_second": len(one.result.commands) / one.result.wall_seconds,
        }
        for machine, one in runs.items()
    }
    first = runs[MACHINES[0]]
    wrong = [index for index in range(len(labels)) if first.predictions[index] != labels[index]]
    chosen = [*range(SHOWN - min(len(wrong), 1)), *wrong[:1]]
    console.print(Columns([draw(images[i], first.predictions[i], int(labels[i])) for i in chosen]))
    console.print(layer_table(first, len(images)))
    console.print(machine_table(report, wall))

    total = {"seconds": time.perf_counter() - started, "computer": f"{platform.machine()} {platform.system()}"}
    path = output / "report.json"
    path.write_text(json.dumps({"machines": report, "wall_clock": {**wall, "total": total}}, indent=2) + "\n")
    console.print(f"report: {path}", soft_wrap=True)
    return check(report, runs, console)


def check(report: dict[str, Any], runs: dict[str, MachineRun], console: Console) -> int:
    """What must hold; returns 1 and says what does not."""
    one, other = (runs[machine] for machine in MACHINES)
    complaints = []
    if one.predictions != other.predictions:
        complaints.append("the two hosts do not agree on the predictions")
    if report[MACHINES[0]]["cycles_per_inference"] != report[MACHINES[1]]["cycles_per_inference"]:
        complaints.append("the two hosts do not agree on the NPU's cycles")
    for machine, found in report.items():
        if found["mismatches_vs_reference"]:
            complaints.append(f"{machine}: {found['mismatches_vs_reference']} images differ from the reference")
    for complaint in complaints:
        console.print(f"[bold red]{complaint}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")))
