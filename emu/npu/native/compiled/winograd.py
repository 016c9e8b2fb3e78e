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

from emu.npu.native.compiled.products import Window, accumulation
from emu.npu.native.compiled.vectors import (
    BLOCK,
    GROUP_BYTES,
    INT32,
    INT64,
    LANES,
    OPTIONS,
    VECTOR,
    broadcast,
    load,
    unwrap,
)

OFFSET = 64
POSITIONS = 16
SIDE = 4
"""Rows and columns of positions."""
TILES = 28
"""Tiles that are transformed together; their psums are a chunk of the output."""
VECTOR_BYTES = 32
"""Features that are transformed together: stores of more are not faster."""
VECTOR_GROUPS = VECTOR_BYTES // GROUP_BYTES
FEW_TILES = 3 if LANES == 16 else 1
"""Tiles that are multiplied together at the positions of a row: their sums, two vectors each, stay in registers."""
HALF_SUMS = 2 * SIDE
"""Sums of a tile after the first half of their transformation: by rows of positions, columns of pixels."""


class Room(NamedTuple):
    """Memory for what is between; empty where nothing is transformed.

    Attributes:
        features: uint8 or int16, (vectors of channels, `POSITIONS`, `TILES`, numbers in `VECTOR_BYTES`), flat: in this
            order distances from tile to tile and from position to position are constants.
        sums: int32, (`TILES`, `HALF_SUMS`, `BLOCK`), flat.
    """

    features: NDArray[Any]
    sums: NDArray[Any]


@intrinsic
def transform_features(
    context: Any, target: Any, tile: Any, source: Any, start: Any, line: Any, step: Any, vectors: Any, tiles: Any
) -> Any:
    """B' d B of some tiles beside each other.

    Args of the compiled call:
        target: uint8 or int16, as in `Room`, written from ``tile`` on.
        source: of the same type, from ``start`` on; ``line`` to the next row, ``step`` to the next column.
        vectors: `VECTOR_BYTES` of channels each.
    """
    signature = types.void(target, tile, source, start, line, step, vectors, tiles)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, tile, source, start, line, step, vectors, tiles = unwrap(context, builder, signature.args, arguments)
        element = source.type.pointee
        vector = ir.VectorType(element, VECTOR_BYTES * 8 // element.width)
        offset = ir.Constant(vector, [OFFSET if element.width == 8 else 0] * vector.count)
        target = builder.bitcast(target, vector.as_pointer())

        def times(value: Any, factor: int) -> Any:
            return builder.mul(value, ir.Constant(INT64, factor))

        with cgutils.for_range(builder, vectors) as part, cgutils.for_range(builder, tiles) as number:
            window = builder.add(start, builder.mul(number.index, times(step, 2)))
            window = builder.gep(source, [builder.add(window, times(part.index, vector.count))])
            place = builder.add(times(part.index, POSITIONS * TILES), builder.add(tile, number.index))
            transformed = builder.gep(target, [place])
            features = [
                [
                    builder.load(builder.bitcast(builder.gep(above, [times(step, column)]), target.type), align=1)
                    for column in range(SIDE)
                ]
                for above in (builder.gep(window, [times(line, row)]) for row in range(SIDE))
            ]
            columns = [_differences(builder, [row[column] for row in features]) for column in range(SIDE)]
            for row in range(SIDE):
                made = _differences(builder, [column[row] for column in columns])
                for column, value in enumerate(made):
                    place = ir.Constant(INT64, (SIDE * row + column) * TILES)
                    builder.store(builder.add(value, offset), builder.gep(transformed, [place]), align=1)

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
def multiply_row(
    context: Any, tiles: Any, vectors: Any, sums: Any, tile: Any, row: Any, features: Any, weights: Any, groups: Any,
    initial: Any, kernels: Any,
) -> Any:  # fmt: skip
    """Sums over the channels at the positions of one row, m A, of ``tiles`` x ``vectors`` x `LANES`, both literals.

    Args of the compiled call:
        sums: int32, as in `Room`, written from ``tile`` on, those of ``row``.
        features: as in `Room`, multiplied from ``tile`` on.
        weights: int8 or int16, (`POSITIONS`, groups, vectors * LANES, elements of a group).
        groups: of the channels.
        initial: int32, what sums start from; the positions are ``kernels`` apart.
    """
    signature = types.void(tiles, vectors, sums, tile, row, features, weights, groups, initial, kernels)
    count, width = tiles.literal_value, vectors.literal_value
    accumulate = accumulation(features.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        sums, tile, row, features, weights, groups, initial, kernels = unwrap(
            context, builder, signature.args[2:], arguments[2:]
        )

        def constant(value: int) -> Any:
            return ir.Constant(INT64, value)

        def plus(pointer: Any, *steps: Any) -> Any:
            for step in steps:
                pointer = builder.gep(pointer, [step])
            return pointer

        first = builder.mul(row, constant(SIDE))
        group_step = constant(width * LANES)
        position_step = builder.mul(groups, group_step)
        weights = builder.bitcast(weights, INT32.as_pointer())
        weights = plus(weights, builder.mul(first, position_step))
        features = builder.bitcast(features, INT32.as_pointer())
        features = plus(
            features, builder.mul(first, constant(TILES * VECTOR_GROUPS)), builder.mul(tile, constant(VECTOR_GROUPS))
        )
        initial = plus(initial, builder.mul(first, kernels))

        made = [
            [[cgutils.alloca_once(builder, VECTOR) for _ in range(width)] for _ in range(count)] for _ in range(SIDE)
        ]
        for column in range(SIDE):
            for vector in range(width):
                start = load(builder, plus(initial, builder.mul(kernels, constant(column)), constant(vector * LANES)))
                for number in range(count):
                    builder.store(start, made[column][number][vector])
        parts = builder.udiv(builder.add(groups, constant(VECTOR_GROUPS - 1)), constant(VECTOR_GROUPS))
        with cgutils.for_range(builder, parts) as part:
            before = builder.mul(part.index, constant(VECTOR_GROUPS))
            left = builder.sub(groups, before)
            left = builder.select(
                builder.icmp_signed("<", left, constant(VECTOR_GROUPS)), left, constant(VECTOR_GROUPS)
            )
            of_part = plus(features, builder.mul(part.index, constant(POSITIONS * TILES * VECTOR_GROUPS)))
            with cgutils.for_range(builder, left) as group:
                step = builder.mul(builder.add(before, group.index), group_step)
                for column in range(SIDE):
                    lanes = plus(weights, builder.mul(position_step, constant(column)), step)
                    factors = [load(builder, plus(lanes, constant(vector * LANES))) for vector in range(width)]
                    for number in range(count):
                        place = constant((column * TILES + number) * VECTOR_GROUPS)
                        feature = broadcast(builder, builder.load(plus(of_part, group.index, place), align=1))
                        for total, factor in zip(made[column][number], factors, strict=True):
                            builder.store(accumulate(builder, builder.load(total), feature, factor), total)
        target = plus(sums, builder.mul(tile, constant(HALF_SUMS * BLOCK)), builder.mul(row, constant(2 * BLOCK)))
        for number in range(count):
            for vector in range(width):
                halves = _sums(builder, [builder.load(made[column][number][vector]) for column in range(SIDE)])
                for half, value in enumerate(halves):
                    place = plus(target, constant((number * HALF_SUMS + half) * BLOCK + vector * LANES))
                    builder.store(value, builder.bitcast(place, VECTOR.as_pointer()), align=4)

    return signature, generate


@intrinsic(prefer_literal=True)
def transform_sums(
    context: Any, vectors: Any, target: Any, first: Any, columns: Any, below: Any, sums: Any, start: Any
) -> Any:
    """A' m A / 4 of a row of tiles: the psums of ``columns`` pixels by ``vectors`` x `LANES` kernels, a literal.

    Args of the compiled call:
        target: int32, written: (pixels, BLOCK), from pixel ``first`` on; a row has ``columns``.
        below: 1 if there is a second row of pixels, else 0.
        sums: int32, as in `Room`, from tile ``start`` on.
    """
    signature = types.void(vectors, target, first, columns, below, sums, start)
    width = vectors.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, first, columns, below, sums, start = unwrap(context, builder, signature.args[1:], arguments[1:])
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
                psums = _tile_psums(builder, sums, builder.add(start, tile.index), lane)
                for place, psum in reversed(list(zip(places, psums, strict=True))):
                    pixel = builder.gep(pixels, [builder.add(place, lane)])
                    builder.store(psum, builder.bitcast(pixel, VECTOR.as_pointer()), align=4)

    return signature, generate


@intrinsic(prefer_literal=True)
def pool_sums(
    context: Any, vectors: Any, target: Any, first: Any, columns: Any, below: Any, sums: Any, start: Any
) -> Any:
    """The largest psum of each tile in a row of them.

    Args of the compiled call:
        target: int32, written: (tiles, BLOCK), from ``first`` on; other arguments as of `transform_sums`.
    """
    signature = types.void(vectors, target, first, columns, below, sums, start)
    width = vectors.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        target, first, columns, below, sums, start = unwrap(context, builder, signature.args[1:], arguments[1:])
        zero, one, block = (ir.Constant(INT64, value) for value in (0, 1, BLOCK))
        has_row, last = builder.icmp_signed(">", below, zero), builder.sub(columns, one)
        with cgutils.for_range(builder, builder.lshr(builder.add(columns, one), one)) as tile:
            has_column = builder.icmp_signed("<", builder.shl(tile.index, one), last)
            has_corner = builder.and_(has_row, has_column)
            place = builder.gep(target, [builder.mul(builder.add(first, tile.index), block)])
            for vector in range(width):
                lane = ir.Constant(INT64, vector * LANES)
                psums = _tile_psums(builder, sums, builder.add(start, tile.index), lane)
                largest = psums[0]
                for exists, psum in zip((has_column, has_row, has_corner), psums[1:], strict=True):
                    other = builder.select(exists, psum, psums[0])
                    largest = builder.select(builder.icmp_signed(">", largest, other), largest, other)
                pixel = builder.gep(place, [lane])
                builder.store(largest, builder.bitcast(pixel, VECTOR.as_pointer()), align=4)

    return signature, generate


def _tile_psums(builder: Any, sums: Any, tile: Any, lane: Any) -> list[Any]:
    """A' m A / 4 of a tile for the kernels of one vector, row by row."""
    first = builder.gep(sums, [builder.add(builder.mul(tile, ir.Constant(INT64, HALF_SUMS * BLOCK)), lane)])
    made = [load(builder, builder.gep(first, [ir.Constant(INT64, number * BLOCK)])) for number in range(HALF_SUMS)]
    columns = [_sums(builder, made[column::2]) for column in range(2)]
    return [builder.ashr(column[row], ir.Constant(VECTOR, [2] * LANES)) for row in range(2) for column in columns]


def _sums(builder: Any, four: list[Any]) -> list[Any]:
    """A' of four values."""
    middle, difference = builder.add(four[1], four[2]), builder.sub(four[1], four[2])
    return [builder.add(four[0], middle), builder.sub(difference, four[3])]


@njit(**OPTIONS)
def channel_vectors(channels: int, element_bytes: int) -> int:
    """Vectors that hold the channels of a pixel."""
    return -(-channels * element_bytes // VECTOR_BYTES)


@njit(**OPTIONS)
def transform_chunk(room: Room, features: Any, top: int, rows: int, left: int, columns: int, window: Window) -> None:
    """Transform the features that some pixels need."""
    channels = window.step_x
    vectors = channel_vectors(channels, features.itemsize)
    across = (columns + 1) // 2
    for row in range((rows + 1) // 2):
        start = (top + 2 * row) * window.step_y + left * channels
        transform_features(room.features, row * across, features, start, window.line, channels, vectors, across)


@njit(**OPTIONS)
def multiply_rows(room: Room, weights: Any, initial: Any, tiles: int, groups: int, kernel: int, kernels: int) -> None:
    """Half-transformed sums of a transformed chunk for one block of kernels; arguments as of `tile_psums`."""
    features, sums, pitch = room.features, room.sums, len(initial) // POSITIONS
    start = initial[kernel:]
    for row in range(SIDE):
        for tile in range(0, tiles - FEW_TILES + 1, FEW_TILES):
            if kernels > LANES:
                multiply_row(FEW_TILES, 2, sums, tile, row, features, weights, groups, start, pitch)
            else:
                multiply_row(FEW_TILES, 1, sums, tile, row, features, weights, groups, start, pitch)
        for tile in range(tiles - tiles % FEW_TILES, tiles):
            if kernels > LANES:
                multiply_row(1, 2, sums, tile, row, features, weights, groups, start, pitch)
            else:
                multiply_row(1, 1, sums, tile, row, features, weights, groups, start, pitch)


@njit(**OPTIONS)
def tile_psums(
    psums: Any, room: Room, weights: Any, initial: Any, rows: int, columns: int, groups: int, kernel: int,
    kernels: int, pooled: bool,
) -> None:  # fmt: skip
    """Psums of a transformed chunk for one block of kernels.

    Args:
        psums: int32, written: (rows * columns, BLOCK), or (tiles, BLOCK) of those that are pooled.
        weights: of the block, `POSITIONS` x (groups, kernels of the block, elements of a group).
        initial: int32, what sums start from, (`POSITIONS`, whole blocks), flat.
        groups: of the channels.
        kernel, kernels: the first of the block, and how many of the block are wanted.
    """
    across = (columns + 1) // 2
    multiply_rows(room, weights, initial, (rows + 1) // 2 * across, groups, kernel, kernels)
    for row in range(0, rows, 2):
        first, tile, below = row * columns, row // 2 * across, min(rows - 1 - row, 1)
        if pooled and kernels > LANES:
            pool_sums(2, psums, tile, columns, below, room.sums, tile)
        elif pooled:
            pool_sums(1, psums, tile, columns, below, room.sums, tile)
        elif kernels > LANES:
            transform_sums(2, psums, first, columns, below, room.sums, tile)
        else:
            transform_sums(1, psums, first, columns, below, room.sums, tile)
