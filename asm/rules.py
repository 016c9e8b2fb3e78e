"""What the hardware allows: the rules that the assembler checks early and the cluster checks again.

Every rule is a pure function that raises `RuleError`, whose `cause` is the number that the cluster
puts into its ERROR_CAUSE register.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import pairwise

TILES = 8
"""Tiles of a cluster."""
KERNEL_ROWS = 32
"""Kernels that one tile holds, one a row."""
ROW_BITS = 1024
"""Weight bits in a row of a tile."""
LOAD_BYTES = 8
"""Width of the kernel port: a kernel slice in memory is padded to whole 64-bit words."""
LOOP_DEPTH = 4
"""How deep hardware loops nest."""


PSUM_BITS = 32
"""Bits of a psum lane."""


class ElementFormat(IntEnum):
    """How one element of a tensor is stored.

    `s1` is +-1 (a set bit is +1), the others two's complement. `psum64` is a psum that has a 64-bit beat for
    itself (*unpacked*): the lower 32 bits are the number, the upper ones its sign.
    """

    u1 = 0
    s1 = 1
    u2 = 2
    s2 = 3
    u4 = 4
    s4 = 5
    u8 = 6
    s8 = 7
    s32 = 8
    psum64 = 9

    @property
    def bits(self) -> int:
        """Bits of one element."""
        return _BITS[self]

    @property
    def value_bits(self) -> int:
        """Bits of an element that count: a `psum64` is a number of 32 bits."""
        return min(self.bits, PSUM_BITS)

    @property
    def signed(self) -> bool:
        """Whether negative values exist."""
        return self >= ElementFormat.s32 or bool(self & 1)

    @property
    def low(self) -> int:
        """Smallest value."""
        if self is ElementFormat.s1:
            return -1
        return -(1 << (self.value_bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value."""
        if self is ElementFormat.s1:
            return 1
        return (1 << (self.value_bits - 1)) - 1 if self.signed else (1 << self.bits) - 1


_BITS = (1, 1, 2, 2, 4, 4, 8, 8, 32, 64)
"""Bits of an element, by format."""


ARRAY_FORMATS = (
    ElementFormat.u1, ElementFormat.s1, ElementFormat.u2,
    ElementFormat.s2, ElementFormat.u4, ElementFormat.s4, ElementFormat.u8, ElementFormat.s8,
)  # fmt: skip
"""Formats that the tiles multiply; 8 bits in two passes of a nibble each."""
ARRAY_NAMES = "u1, s1, u2, s2, u4, s4, u8 or s8"
"""The same for people."""
NIBBLE_BITS = 4
"""Widest operand that the array multiplies in one pass."""
SPARSE_GROUP, SPARSE_STORED, PLACE_BITS = 4, 2, 2
"""Of so many weights so many are stored, each with its place in the group."""


def array_bits(weights: ElementFormat, features: ElementFormat) -> int:
    """Bits that the array multiplies in one pass: those of the wider operand, at most a nibble."""
    return max(min(weights.bits, NIBBLE_BITS), min(features.bits, NIBBLE_BITS))


def mac_bits(weights: ElementFormat, features: ElementFormat) -> int:
    """Bits of a tile's row that one multiply-accumulate takes, over all passes of nibbles."""
    passes = -(-weights.bits // NIBBLE_BITS) * -(-features.bits // NIBBLE_BITS)
    return array_bits(weights, features) * passes


class Cause(IntEnum):
    """Why a cluster stopped with an error."""

    none = 0
    bad_magic = 1
    bad_version = 2
    truncated = 3
    bad_instruction = 4
    bad_field = 5
    illegal_topology = 6
    kernel_too_large = 7
    tile_mode = 8
    shape_mismatch = 9
    bus_error = 10
    misaligned = 11
    loop_depth = 12
    ran_past_end = 13
    aborted = 14
    busy = 15
    kernels_not_loaded = 16
    deadlock = 17
    voltage_too_low = 18
    bad_encoding = 19


CAUSE_TEXT: dict[Cause, str] = {
    Cause.none: "no error",
    Cause.bad_magic: "the program does not start with the magic word",
    Cause.bad_version: "the program is for another version of the instruction set",
    Cause.truncated: "the program is shorter than its header says",
    Cause.bad_instruction: "there is no such instruction",
    Cause.bad_field: "a field has a value that is not allowed",
    Cause.illegal_topology: "the tiles cannot be wired like that",
    Cause.kernel_too_large: "the kernel does not fit into its chain of tiles",
    Cause.tile_mode: "a tile is in the wrong mode for this",
    Cause.shape_mismatch: "the shapes of input, kernel and output do not fit together",
    Cause.bus_error: "an address is not memory, or may not be written",
    Cause.misaligned: "an address is not aligned as it must be",
    Cause.loop_depth: "hardware loops are nested too deep",
    Cause.ran_past_end: "the program counter left the program",
    Cause.aborted: "the host stopped the program",
    Cause.busy: "a command was started while another one was running",
    Cause.kernels_not_loaded: "the tiles hold no kernels for this",
    Cause.deadlock: "programs wait for what is never going to happen",
    Cause.voltage_too_low: "the clock is too fast for the voltage and the body bias",
    Cause.bad_encoding: "compressed data are not what they must be",
}


class RuleError(Exception):
    """A rule of the hardware is broken: `cause` for the machine, the text for people."""

    def __init__(self, cause: Cause, text: str) -> None:
        super().__init__(text)
        self.cause = cause


def check_topology(chain: int, parallel: int, stripes: int) -> None:
    """Tiles are wired as ``stripes`` copies of ``parallel`` chains of ``chain`` tiles: at most 8 in all.

    Raises:
        RuleError: a number is 0, or there are not that many tiles.
    """
    for name, value in (("chain", chain), ("parallel", parallel), ("stripes", stripes)):
        if not 1 <= value <= TILES:
            raise RuleError(Cause.illegal_topology, f"{name} must be 1..{TILES}, not {value}")
    tiles = chain * parallel * stripes
    if tiles > TILES:
        raise RuleError(
            Cause.illegal_topology,
            f"chain {chain} x parallel {parallel} x stripes {stripes} needs {tiles} tiles; a cluster has {TILES}",
        )


def slice_channels(channels: int, chain: int) -> int:
    """Channels that one tile of a chain filters out of the feature stream (the last may get fewer)."""
    return -(-channels // chain)


@dataclass(frozen=True)
class KernelGeometry:
    """A kernel as the tiles see it: ``height x width x channels`` weights, its channels split over a chain.

    ``depthwise``: each kernel has one channel of its own. ``sparse``: of every four weights of a slice, in the order
    in which they are packed, two are stored.
    """

    height: int
    width: int
    channels: int
    weights: ElementFormat
    chain: int = 1
    depthwise: bool = False
    sparse: bool = False

    @property
    def slice_weights(self) -> tuple[int, ...]:
        """Weights of one kernel in each tile of the chain."""
        return _slice_weights(self.height * self.width, self.channels, self.chain)

    def stored_weights(self, weights: int) -> int:
        """Weights that are stored of so many in a slice."""
        return -(-weights // SPARSE_GROUP) * SPARSE_STORED if self.sparse else weights

    def stored_bits(self, weights: int) -> int:
        """Bits of a row that so many weights in a slice take."""
        return self.stored_weights(weights) * (self.weights.bits + (PLACE_BITS if self.sparse else 0))

    @property
    def kernel_weights(self) -> int:
        """Weights of one kernel that are stored, over the whole chain."""
        return sum(map(self.stored_weights, self.slice_weights))

    @property
    def kernel_bits(self) -> int:
        """Bits of rows that one kernel takes, over the whole chain."""
        return sum(map(self.stored_bits, self.slice_weights))

    @property
    def slice_bits(self) -> int:
        """Bits of one kernel in one tile of the chain (the widest slice)."""
        return self.stored_bits(self.slice_weights[0])

    @cached_property
    def slice_bytes(self) -> int:
        """Bytes of one slice in memory, padded to the 64-bit kernel port."""
        return -(-self.slice_bits // (8 * LOAD_BYTES)) * LOAD_BYTES

    @property
    def kernel_bytes(self) -> int:
        """Bytes of one kernel in memory: the slices of all tiles of the chain."""
        return self.slice_bytes * self.chain

    def check(self) -> None:
        """Raises `RuleError` when the kernel does not fit a chain of this length."""
        if min(self.height, self.width, self.channels) < 1:
            raise RuleError(
                Cause.bad_field,
                f"a kernel must be at least 1 x 1 x 1, not {self.height} x {self.width} x {self.channels}",
            )
        if self.weights not in ARRAY_FORMATS:
            raise RuleError(Cause.bad_field, f"weights must be {ARRAY_NAMES}, not {self.weights.name}")
        if self.depthwise and (self.channels, self.chain) != (1, 1):
            raise RuleError(
                Cause.bad_field,
                f"depthwise kernels have 1 channel and a chain of 1 tile, not {self.channels} and {self.chain}",
            )
        if self.sparse and self.weights is ElementFormat.s1:
            raise RuleError(Cause.bad_field, "sparse weights cannot be s1: it has no 0")
        if self.chain > self.channels:
            raise RuleError(
                Cause.illegal_topology,
                f"a chain of {self.chain} tiles needs at least {self.chain} channels, the kernel has {self.channels}",
            )
        if self.slice_bits > ROW_BITS:
            raise RuleError(
                Cause.kernel_too_large,
                f"a {self.height} x {self.width} x {self.channels} kernel of {self.weights.name} over a chain of "
                f"{self.chain} needs {self.slice_bits} bits a tile; a row has {ROW_BITS} (a longer chain would help)",
            )


@lru_cache
def _slice_weights(area: int, channels: int, chain: int) -> tuple[int, ...]:
    step = slice_channels(channels, chain)
    edges = [min(place * step, channels) for place in range(chain + 1)]
    return tuple(area * (last - first) for first, last in pairwise(edges))


def output_size(size: int, before: int, after: int, kernel: int, stride: int) -> int:
    """Rows (or columns) that a convolution makes of ``size`` rows with padding and stride."""
    return (size + before + after - kernel) // stride + 1


def window_counts(size: int, window: int, stride: int) -> tuple[int, int]:
    """Pooling windows that lie inside of ``size`` rows, and with those that stick out but still hold something."""
    inside = max(size - window, -stride) // stride + 1
    with_values = -(-size // stride)
    return inside, min(max(-(-(size - window) // stride), 0) + 1, with_values)


def check_kernel_fits(what: str, padded: int, kernel: int, stride: int) -> None:
    """Raises `RuleError` unless a kernel's ``what`` (height, width) finds a place in the padded input's."""
    if stride < 1:
        raise RuleError(Cause.bad_field, f"stride must be at least 1, not {stride}")
    if padded < kernel:
        raise RuleError(
            Cause.shape_mismatch, f"the kernel's {what} {kernel} is larger than the padded input's {what} {padded}"
        )


def check_output(what: str, declared: int, size: int, before: int, after: int, kernel: int, stride: int) -> None:
    """Raises `RuleError` unless the output's ``what`` (height, width) is what the convolution makes."""
    check_kernel_fits(what, size + before + after, kernel, stride)
    made = output_size(size, before, after, kernel, stride)
    if made != declared:
        raise RuleError(
            Cause.shape_mismatch,
            f"the output's {what} must be {made} (input {size}, padding {before}+{after}, kernel {kernel}, "
            f"stride {stride}), not {declared}",
        )
