"""What the processor can do, as far as the compiled arithmetic cares. Importing this imports numba."""

from __future__ import annotations

from numba.core.registry import cpu_target


def _features() -> frozenset[str]:
    """Names of the instruction sets that numba compiles for: those of the host, unless its settings say otherwise."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


FEATURES = _features()
LANES = 16 if "avx512bw" in FEATURES else 8
"""32-bit numbers in a vector."""
PIXELS = 14 if LANES == 16 else 6
"""Pixels that are computed together: two vectors of psums each, and all psums fit the registers."""
HAS_VNNI = "avx512vnni" in FEATURES if LANES == 16 else "avxvnni" in FEATURES
