"""What a measurement ran on."""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path

import numpy as np


def facts() -> str:
    """Processor, cores, BLAS core and versions, on one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return (
        f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, NumPy {np.__version__}; "
        f"BLAS core {_blas_core()}"
    )


def _blas_core() -> str:
    """The kernel set that NumPy's BLAS has chosen."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return "unknown (threadpoolctl tells it: make bench installs it)"
    from threadpoolctl import threadpool_info

    return ", ".join(
        str(pool.get("architecture", "unknown")) for pool in threadpool_info() if pool["user_api"] == "blas"
    )
