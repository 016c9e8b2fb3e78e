"""What a measurement ran on."""

from __future__ import annotations

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
    blas = os.environ.get("OPENBLAS_CORETYPE", "chosen by the processor")
    return (
        f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, NumPy {np.__version__}; BLAS core {blas}"
    )
