"""Convolutions of 3 x 3 kernels at stride 1 with 16 instead of 36 multiplications for 2 x 2 pixels.

This is Winograd's F(2 x 2, 3 x 3). A *tile* is 4 x 4 features and makes 2 x 2 psums Y = A'((G g G')(B' d B))A, with

         1  0  0            1  0 -1  0
    G = .5 .5 .5       B' = 0  1  1  0       A' = 1  1  1  0
        .5 -.5 .5           0 -1  1  0            0  1 -1 -1
         0  0  1            0  1  0 -1

All of it is exact in integers: kernels are transformed by 2G, so that the sums are four times the psums. At each of
the 16 *positions* of a tile transformed features are multiplied by transformed kernels and summed over the channels.
Unsigned bytes hold transformed features with `OFFSET` added; psums start from what that contributes. Whoever calls
checks the ranges, see `emu.npu.native.winograd`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from emu.npu.native.compiled.products import Window, block_sums
from emu.npu.native.compiled.vectors import BLOCK, GROUP_BYTES, INT64, LANES, OPTIONS, PIXELS, VECTOR, load, unwrap

OFFSET = 64
POSITIONS = 16
TILES = 28
"""Tiles that are transformed together; their psums are a chunk of the output."""
VECTOR_BYTES = 32
"""Features that are transformed together: stores of more are not faster."""
PRODUCTS_PITCH = (TILES + PIXELS) * BLOCK
"""Sums from one position to the next."""


class Room(NamedTuple):
    """Memory for what is between; empty where nothing is transformed.

    Attributes:
        features: uint8 or int16, `POSITIONS` x `TILES` x `transformed_pitch`.
        sums: int32, `POSITIONS` x `PRODUCTS_PITCH`.
    """

    features: NDArray[Any]
    sums: NDArray[Any]


@intrinsic
def transform_features(
    context: Any, target: Any, first: Any, pitch: Any, source: Any, start: Any, line: Any, step: Any, vectors: Any,
    tiles: Any,
) -> Any:  # fmt: skip
    """B' d B of some tiles beside each other.

    Args of the compiled call:
        target: uint8 or int16, written from ``first`` on: the positions are ``pitch`` apart, the tiles follow each
            other.
        source: of the same type, from ``start`` on; ``line`` to the next row, ``step`` to the next column.
        vectors: `VECTOR_BYTES` of channels each.
    """
    signature = types.void(target, first, pitch, source, start, line, step, vectors, tiles)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, first, pitch, source, start, line, step, vectors, tiles = unwrap(
            context, builder, signature.args, arguments
        )
        element = source.type.pointee
        vector = ir.VectorType(element, VECTOR_BYTES * 8 // element.width)
        offset = ir.Constant(vector, [OFFSET if element.width == 8 else 0] * vector.count)

        def at(base: Any, *places: Any) -> Any:
            for place in places:
                base = builder.gep(base, [place])
            return builder.bitcast(base, vector.as_pointer())

        def times(value: Any, factor: int) -> Any:
            return builder.mul(value, ir.Constant(INT64, factor))

        with cgutils.for_range(builder, tiles) as number, cgutils.for_range(builder, vectors) as part:
            channel = times(part.index, vector.count)
            window = builder.gep(source, [builder.add(start, builder.mul(number.index, times(step, 2)))])
            place = builder.add(first, times(builder.mul(number.index, vectors), vector.count))
            transformed = builder.gep(target, [place])
            tile = [
                [
                    builder.load(at(window, channel, times(line, row), times(step, column)), align=1)
                    for column in range(4)
                ]
                for row in range(4)
            ]
            columns = [_differences(builder, [row[column] for row in tile]) for column in range(4)]
            for row in range(4):
                made = _differences(builder, [column[row] for column in columns])
                for column, value in enumerate(made):
                    place = at(transformed, channel, times(pitch, 4 * row + column))
                    builder.store(builder.add(value, offset), place, align=1)

    return signature, generate


def _differences(builder: Any, four: list[Any]) -> list[Any]:
    """B' of four values."""
    return [
        builder.sub(four[0], four[2]),
        builder.add(four[1], four[2]),
        builder.sub(four[2], four[1]),
        builder.sub(four[1], four[3]),
    ]


@intrinsic(prefer_literal=True)
def transform_sums(
    context: Any, vectors: Any, target: Any, first: Any, columns: Any, below: Any, sums: Any, start: Any, pitch: Any
) -> Any:
    """A' m A / 4 of a row of tiles: the psums of ``columns`` pixels by ``vectors`` x `LANES` kernels, a literal.

    Args of the compiled call:
        target: int32, written: (pixels, BLOCK), from pixel ``first`` on; a row has ``columns``.
        below: 1 if there is a second row of pixels, else 0.
        sums: int32: (tiles, BLOCK), from tile ``start`` on; the positions are ``pitch`` apart.
    """
    signature = types.void(vectors, target, first, columns, below, sums, start, pitch)
    width = vectors.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, first, columns, below, sums, start, pitch = unwrap(context, builder, signature.args[1:], arguments[1:])
        zero, one, block = (ir.Constant(INT64, value) for value in (0, 1, BLOCK))
        below = builder.mul(builder.mul(below, columns), block)
        last = builder.sub(columns, one)
        with cgutils.for_range(builder, builder.lshr(builder.add(columns, one), one)) as tile:
            column = builder.shl(tile.index, one)
            right = builder.select(builder.icmp_signed("<", column, last), block, zero)
            pixels = builder.gep(target, [builder.mul(builder.add(first, column), block)])
            # A pixel that does not exist is written to the place of one that does, which is written after it.
            places = zero, right, below, builder.add(right, below)
            for vector in range(width):
                lane = ir.Constant(INT64, vector * LANES)
                psums = _tile_psums(builder, sums, builder.add(start, tile.index), lane, pitch)
                for place, psum in reversed(list(zip(places, psums, strict=True))):
                    pixel = builder.gep(pixels, [builder.add(place, lane)])
                    builder.store(psum, builder.bitcast(pixel, VECTOR.as_pointer()), align=4)

    return signature, generate


@intrinsic(prefer_literal=True)
def pool_sums(
    context: Any, vectors: Any, target: Any, first: Any, columns: Any, below: Any, sums: Any, start: Any, pitch: Any
) -> Any:
    """The largest psum of each tile in a row of them.

    Args of the compiled call:
        target: int32, written: (tiles, BLOCK), from ``first`` on; other arguments as of `transform_sums`.
    """
    signature = types.void(vectors, target, first, columns, below, sums, start, pitch)
    width = vectors.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, first, columns, below, sums, start, pitch = unwrap(context, builder, signature.args[1:], arguments[1:])
        zero, one, block = (ir.Constant(INT64, value) for value in (0, 1, BLOCK))
        has_row, last = builder.icmp_signed(">", below, zero), builder.sub(columns, one)
        with cgutils.for_range(builder, builder.lshr(builder.add(columns, one), one)) as tile:
            has_column = builder.icmp_signed("<", builder.shl(tile.index, one), last)
            has_corner = builder.and_(has_row, has_column)
            place = builder.gep(target, [builder.mul(builder.add(first, tile.index), block)])
            for vector in range(width):
                lane = ir.Constant(INT64, vector * LANES)
                psums = _tile_psums(builder, sums, builder.add(start, tile.index), lane, pitch)
                largest = psums[0]
                for exists, psum in zip((has_column, has_row, has_corner), psums[1:], strict=True):
                    other = builder.select(exists, psum, psums[0])
                    largest = builder.select(builder.icmp_signed(">", largest, other), largest, other)
                pixel = builder.gep(place, [lane])
                builder.store(largest, builder.bitcast(pixel, VECTOR.as_pointer()), align=4)

    return signature, generate


def _tile_psums(builder: Any, sums: Any, tile: Any, lane: Any, pitch: Any) -> list[Any]:
    """A' m A / 4 of a tile for the kernels of one vector, row by row."""
    first = builder.gep(sums, [builder.add(builder.mul(tile, ir.Constant(INT64, BLOCK)), lane)])
    made = [
        load(builder, builder.gep(first, [builder.mul(pitch, ir.Constant(INT64, position))]))
        for position in range(POSITIONS)
    ]
    columns = [_sums(builder, made[column::4]) for column in range(4)]
    rows = [_sums(builder, [column[half] for column in columns]) for half in range(2)]
    return [builder.ashr(value, ir.Constant(VECTOR, [2] * LANES)) for row in rows for value in row]


def _sums(builder: Any, four: list[Any]) -> list[Any]:
    """A' of four values."""
    middle, difference = builder.add(four[1], four[2]), builder.sub(four[1], four[2])
    return [builder.add(four[0], middle), builder.sub(difference, four[3])]


@njit(**OPTIONS)
def transformed_pitch(channels: int, element_bytes: int) -> int:
    """Elements from one transformed tile to the next: whole vectors."""
    return -(-channels * element_bytes // VECTOR_BYTES) * (VECTOR_BYTES // element_bytes)


@njit(**OPTIONS)
def transform_chunk(room: Room, features: Any, top: int, rows: int, left: int, columns: int, window: Window) -> None:
    """Transform the features that some pixels need."""
    channels = window.step_x
    pitch = transformed_pitch(channels, features.itemsize)
    vectors = pitch * features.itemsize // VECTOR_BYTES
    across = (columns + 1) // 2
    for row in range((rows + 1) // 2):
        start = (top + 2 * row) * window.step_y + left * channels
        place = row * across * pitch
        transform_features(
            room.features, place, TILES * pitch, features, start, window.line, channels, vectors, across
        )  # fmt: skip


@njit(**OPTIONS)
def tile_psums(
    psums: Any, room: Room, places: Any, weights: Any, initial: Any, rows: int, columns: int, window: Window,
    kernel: int, kernels: int, pooled: bool,
) -> None:  # fmt: skip
    """Psums of a transformed chunk for one block of kernels.

    Args:
        psums: int32, written: (rows * columns, BLOCK), or (tiles, BLOCK) of those that are pooled.
        places: of the tiles in the transformed features of a position.
        weights: of the block, `POSITIONS` x (groups, kernels of the block, elements of a group).
        initial: int32, what sums start from, (`POSITIONS`, whole blocks), flat.
        kernel, kernels: the first of the block, and how many of the block are wanted.
    """
    element_bytes = room.features.itemsize
    pitch = transformed_pitch(window.step_x, element_bytes)
    group = GROUP_BYTES // element_bytes
    groups = -(-window.step_x // group)
    across = (columns + 1) // 2
    tiles = (rows + 1) // 2 * across
    one_row = Window(1, groups, 0, 0, 0)
    all_kernels = len(initial) // POSITIONS
    lanes = BLOCK if kernels > LANES else LANES
    for position in range(POSITIONS):
        block_sums(
            room.sums[position * PRODUCTS_PITCH :], room.features[position * TILES * pitch :],
            weights[position * groups * lanes * group :], places, tiles, one_row,
            initial[position * all_kernels + kernel :], kernels,
        )  # fmt: skip
    for row in range(0, rows, 2):
        first, tile, below = row * columns, row // 2 * across, min(rows - 1 - row, 1)
        if pooled and lanes > LANES:
            pool_sums(2, psums, tile, columns, below, room.sums, tile, PRODUCTS_PITCH)
        elif pooled:
            pool_sums(1, psums, tile, columns, below, room.sums, tile, PRODUCTS_PITCH)
        elif lanes > LANES:
            transform_sums(2, psums, first, columns, below, room.sums, tile, PRODUCTS_PITCH)
        else:
            transform_sums(1, psums, first, columns, below, room.sums, tile, PRODUCTS_PITCH)
