"""Parameters of the cluster's commands: registers of the cluster, and payload words of instructions alike.

*Inaccuracies*: the registers of the real chips are not public; these are our own.
"""

from __future__ import annotations

from enum import IntEnum

from asm.bits import Field, Layout
from asm.rules import ElementFormat


class Topology(Layout):
    """How the tiles are wired: `stripes` copies of `parallel` chains of `chain` tiles."""

    chain = Field(0, 4, "Tiles that add up one kernel.", reset=1)
    parallel = Field(4, 4, "Chains that hold different kernels.", reset=1)
    stripes = Field(8, 4, "Copies that work on different rows of the output.", reset=1)
    interleave = Field(12, 1, "0: a stripe works on consecutive rows (striping), 1: on every n-th row (striding).")


class TileMode(Layout):
    """Which tiles are in compute mode; the others are plain memory."""

    compute = Field(0, 8, "One bit a tile: 1 compute mode, 0 memory mode.")


class KernelShape(Layout):
    """Height, width and step of a kernel."""

    height = Field(0, 8, "Rows of the kernel.", reset=1)
    width = Field(8, 8, "Columns of the kernel.", reset=1)
    stride_y = Field(16, 4, "Rows of the input between two rows of the output.", reset=1)
    stride_x = Field(20, 4, "Columns of the input between two columns of the output.", reset=1)


class KernelFormat(Layout):
    """What the tiles multiply."""

    weights = Field(0, 4, "Format of the weights in the tiles.", values=ElementFormat)
    features = Field(4, 4, "Format of the features.", values=ElementFormat)
    depthwise = Field(8, 1, "1: kernel k convolves channel k alone, and has one channel.")
    sparse = Field(9, 1, "1: of every four weights two are stored, with their places (2:4 structured sparsity).")
    channels = Field(16, 16, "Channels of the kernel, over the whole chain.", reset=1)


class Padding(Layout):
    """Zeros that the feature stream adds around the input."""

    top = Field(0, 8, "Rows above.")
    bottom = Field(8, 8, "Rows below.")
    left = Field(16, 8, "Columns to the left.")
    right = Field(24, 8, "Columns to the right.")


class Address(Layout):
    """A byte address."""

    address = Field(0, 32, "Byte address.")


class LoadCount(Layout):
    """How many kernels one load brings, and how."""

    kernels = Field(0, 16, "1 .. 32 x parallel.")
    compressed = Field(16, 1, "1: the kernels are compressed in memory (bit mask), decompressed on the way.")
    overlap = Field(17, 1, "1: the load hides behind the convolution before it.")
    clusters = Field(24, 8, "One bit a cluster that gets the same kernels (broadcast); 0: this one alone.")


class TensorFormat(Layout):
    """Elements of a tensor and how many channels a pixel has."""

    format = Field(0, 4, "Element format.", values=ElementFormat)
    compressed = Field(4, 1, "1: every row is a bit mask followed by its elements that are not 0.")
    channels = Field(16, 16, "Channels that are streamed (a slice of the pixel may be).")


class TensorShape(Layout):
    """Rows and columns of a tensor."""

    height = Field(0, 16, "Rows.")
    width = Field(16, 16, "Columns.")


class LineStride(Layout):
    """Step from row to row."""

    bytes = Field(0, 32, "Bytes from one row to the next.")


class PixelStride(Layout):
    """Step from pixel to pixel."""

    bits = Field(0, 32, "Bits from one pixel to the next; a multiple of the element's bits.")


TENSOR: tuple[type[Layout], ...] = (Address, TensorFormat, TensorShape, LineStride, PixelStride)
"""Five words describe a tensor in memory: height x width x channels, channels innermost."""


class ActivationControl(Layout):
    """What happens to a psum on its way out."""

    bypass = Field(0, 1, "1: psums leave as they are (32 bit).", reset=1)
    relu = Field(1, 1, "1: values below the output offset become the output offset.")
    lookup = Field(2, 1, "1: the clamped value's lower byte selects the output from the look-up table.")


class ClampLow(Layout):
    """Lower bound of the output, signed."""

    value = Field(0, 32, "Two's complement.", reset=0x8000_0000)


class ClampHigh(Layout):
    """Upper bound of the output, signed."""

    value = Field(0, 32, "Two's complement.", reset=0x7FFF_FFFF)


class Count(Layout):
    """A number of iterations."""

    count = Field(0, 32, "How many times.")


class SourceStride(Layout):
    """Step of a copy loop in the source."""

    bytes = Field(0, 32, "Bytes, two's complement.")


class DestinationStride(Layout):
    """Step of a copy loop in the destination."""

    bytes = Field(0, 32, "Bytes, two's complement.")


class CopyBytes(Layout):
    """Contiguous bytes that the innermost step of a copy moves."""

    bytes = Field(0, 32, "Bytes.")


class WrapBytes(Layout):
    """A circular buffer: addresses of a copy wrap around."""

    bytes = Field(0, 32, "Bytes of the buffer, which begins at the copy's address; 0: it does not wrap.")


class PoolingMode(IntEnum):
    """What a pooling window makes of its values."""

    none = 0
    max = 1
    average = 2


class Pooling(Layout):
    """Pooling behind the activation. Windows that stick out at the bottom or right use what is there."""

    mode = Field(0, 2, "What a window makes of its values.", values=PoolingMode)
    height = Field(4, 4, "Rows of a window.", reset=1)
    width = Field(8, 4, "Columns of a window.", reset=1)
    stride_y = Field(12, 4, "Rows from window to window.", reset=1)
    stride_x = Field(16, 4, "Columns from window to window.", reset=1)


class Partition(Layout):
    """Which part of the whole result one convolution makes, and how its input arrives."""

    first_row = Field(0, 16, "First row of the result (behind pooling) that goes to the output tensor.")
    unshared = Field(16, 1, "1: the whole input passes over one 64-bit stream, which begins with the load before.")
    clusters = Field(24, 8, "One bit a cluster that takes its features from the same stream; 0: this one alone.")


class OperandScale(Layout):
    """Factors of the two inputs of `sum`, signed."""

    first = Field(0, 16, "Factor of the first input, two's complement.", reset=1)
    second = Field(16, 16, "Factor of the second input, two's complement.", reset=1)


COPY_LOOPS = 4
"""Nested loops of the tensor DMA; unused ones have count 1."""


class CommandCode(IntEnum):
    """What a write to the cluster's COMMAND register starts."""

    load = 1
    convolve = 2
    copy = 3
    fill = 4
    accumulate = 5
    sum = 6
    product = 7
