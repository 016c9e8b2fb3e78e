"""How long `imnpu run` takes from the start of the process to the first byte of the example `hello`.

    python -m tests.bench.start

Wall-clock time with warm caches: object code of the hooks, Python's bytecode. Below it, what the processor does in that
time, part by part.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from sdk import paths
from sdk.build import BuildOptions, build
from sdk.project import open_project

REPETITIONS = 7
GOAL = 0.6
"""Seconds."""
PARTS = {
    "Python": "pass",
    "NumPy": "import numpy",
    "Unicorn": "import unicorn",
    "llvmlite and the native hooks": "from emu.cpu.native import hook_addresses; hook_addresses()",
    "other modules": "import emu.cpu.arm.cortex_m, sdk.cli.run, sdk.custom_machine, sdk.firmware_formats, sdk.runner",
    "machine and firmware": "from sdk.cli.main import main; main(['run', '--quiet', firmware])",
}
"""What a start consists of, in its order."""
PART_TIMES = f"""
import os, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = "1"
firmware, times = sys.argv[1], [0.0]
for code in {list(PARTS.values())!r}:
    exec(code)
    times.append(time.process_time())
print([end - start for start, end in zip(times, times[1:])], file=sys.stderr)
"""


def measure_start() -> None:
    """Prints the median, and the medians of the parts."""
    with TemporaryDirectory() as name:
        project = Path(name) / "hello"
        shutil.copytree(paths.examples() / "hello", project, ignore=shutil.ignore_patterns("build"))
        elf = build(open_project(project), BuildOptions("st18")).elf
        # The first one of each fills the caches.
        seconds = [first_byte(elf) for _ in range(REPETITIONS + 1)][1:]
        parts = [part_times(elf) for _ in range(REPETITIONS + 1)][1:]
    print(f"process start to the first byte of hello: {statistics.median(seconds):.2f} s (to reach: {GOAL:.2f} s)")
    for title, times in zip(PARTS, zip(*parts, strict=True), strict=True):
        print(f"  {title:30} {statistics.median(times) * 1e3:5.0f} ms of processor time")


def _environment() -> dict[str, str]:
    """That of this process, but bytecode may be written: without it caches are never warm."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def first_byte(elf: Path) -> float:
    """Wall-clock seconds until `imnpu run` prints something."""
    command = [sys.executable, "-m", "sdk.cli.main", "run", "--quiet", str(elf)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=_environment()) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.perf_counter() - start
        process.stdout.read()
    return seconds


def part_times(elf: Path) -> list[float]:
    """Seconds of processor time that each of `PARTS` takes."""
    command = [sys.executable, "-c", PART_TIMES, str(elf)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    times: list[float] = json.loads(done.stderr)
    return times


if __name__ == "__main__":
    measure_start()
