"""Speed, measured side by side in one run: ``python -m tests.bench [PART ...]``, or ``make bench``.

Every part prints the machine that it ran on. A time says little by itself; what counts are the ratios.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.bench import cpu, limits, npu_kernels, npu_networks

PARTS: dict[str, Callable[[], None]] = {
    "npu-kernels": npu_kernels.main,
    "npu": npu_networks.main,
    "cpu": cpu.main,
    "limits": limits.main,
}


def main(names: list[str]) -> int:
    """Run the parts of these names, all of them if there are none; returns the exit code."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"there is no part {unknown[0]!r}; parts: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for name in names or PARTS:
        print(f"== {name}")
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
