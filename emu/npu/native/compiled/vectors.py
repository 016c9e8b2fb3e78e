"""Vectors of this processor, and what intrinsics need to handle them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target


def _target_features() -> frozenset[str]:
    """Instruction sets that numba compiles for: those of the host, unless numba's settings say otherwise."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


FEATURES = _target_features()
LANES = 16 if "avx512bw" in FEATURES else 8
"""32-bit numbers in a vector."""
HAS_VNNI = ("avx512vnni" if LANES == 16 else "avxvnni") in FEATURES
PIXELS = 14 if LANES == 16 else 6
"""Pixels that are multiplied together: their psums, two vectors each, fill most of the registers."""
FEW_PIXELS = PIXELS // 2
BLOCK = 2 * LANES
"""Kernels that are multiplied together."""
CHUNK_COLUMNS = 56
CHUNK_PIXELS = 112
"""Psums of a chunk of the output stay in the first-level cache: 14 KiB."""
INT32, INT64 = ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(INT32, LANES)
GROUP_BYTES = 4
OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
"""Of every compiled function."""


def unwrap(context: Any, builder: Any, kinds: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Pointers to the first elements of arrays, integers with 64 bits."""
    return [
        context.make_array(kind)(context, builder, argument).data
        if isinstance(kind, types.Array)
        else context.cast(builder, argument, kind, types.int64)
        for kind, argument in zip(kinds, arguments, strict=True)
    ]


def load(builder: Any, pointer: Any) -> Any:
    """`LANES` elements from an address of any alignment."""
    vector = ir.VectorType(pointer.type.pointee, LANES)
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)


def broadcast(builder: Any, value: Any) -> Any:
    """A 32-bit value in all lanes."""
    return spread(builder, value, LANES)


def spread(builder: Any, value: Any, count: int) -> Any:
    """A value ``count`` times."""
    undefined = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(INT32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(INT32, count), [0] * count))
