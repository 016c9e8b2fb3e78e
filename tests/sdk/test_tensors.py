"""Packing of tensors, kernels and tables, against the plain-integer reference and cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asm.rules import ARRAY_FORMATS, ElementFormat, RuleError
from sdk import tensors
from sdk.tensors import Integers, TensorError
from tests.reference import integer, layers

FORMATS = st.sampled_from(list(ElementFormat))
SIZE = st.integers(1, 6)


def draw_integers(data: st.DataObject, shape: tuple[int, ...], element: ElementFormat) -> Integers:
    """Integers that a format holds, its limits among them more often than chance has it."""
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    if element is ElementFormat.s1:
        return generator.choice([-1, 1], shape)
    values = generator.integers(element.low, element.high, shape, endpoint=True)
    extremes = generator.choice([element.low, element.high], shape)
    return np.where(generator.random(shape) < 0.2, extremes, values)


@settings(deadline=None)
@given(st.data(), FORMATS, st.integers(0, 40))
def test_elements(data: st.DataObject, element: ElementFormat, count: int) -> None:
    values = draw_integers(data, (count,), element)
    packed = tensors.pack_elements(values, element)
    assert packed.tobytes() == integer.pack(values, element.name)
    assert tensors.unpack_elements(packed, count, element).tolist() == values.tolist()


@settings(deadline=None)
@given(st.data(), FORMATS, SIZE, SIZE, SIZE)
def test_tensors(data: st.DataObject, element: ElementFormat, height: int, width: int, channels: int) -> None:
    tensor = draw_integers(data, (height, width, channels), element)
    packed = tensors.pack_tensor(tensor, element)
    assert packed.tobytes() == integer.pack_tensor(tensor, element.name)
    assert len(packed) == height
    unpacked = tensors.unpack_tensor(packed.tobytes(), (height, width, channels), element)
    assert unpacked.tolist() == tensor.tolist()


@settings(deadline=None)
@given(st.data(), st.sampled_from(ARRAY_FORMATS), st.integers(1, 70), st.integers(1, 3), st.integers(1, 3))
def test_kernels(data: st.DataObject, element: ElementFormat, kernels: int, height: int, width: int) -> None:
    channels = data.draw(st.integers(1, 20))
    chain = data.draw(st.integers(1, min(8, channels)))
    weights = draw_integers(data, (kernels, height, width, channels), element)
    packed = tensors.pack_kernels(weights, element, chain)
    assert packed == integer.pack_kernels(weights, element.name, chain)
    unpacked = tensors.unpack_kernels(packed, (kernels, height, width, channels), element, chain)
    assert unpacked.tolist() == weights.tolist()


@settings(deadline=None)
@given(st.data(), st.sampled_from(ARRAY_FORMATS), st.integers(1, 40), st.integers(1, 3), st.integers(1, 3))
def test_sparse_kernels(data: st.DataObject, element: ElementFormat, kernels: int, height: int, width: int) -> None:
    assume(element is not ElementFormat.s1)
    channels = data.draw(st.integers(1, 20))
    chain = data.draw(st.integers(1, min(8, channels)))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    weights = layers.make_sparse(draw_integers(data, (kernels, height, width, channels), element), chain, generator)
    packed = tensors.pack_kernels(weights, element, chain, sparse=True)
    assert packed == layers.pack_sparse_kernels(weights, element.name, chain)
    unpacked = tensors.unpack_kernels(packed, (kernels, height, width, channels), element, chain, sparse=True)
    assert unpacked.tolist() == weights.tolist()


@settings(deadline=None)
@given(st.data(), st.sampled_from(ARRAY_FORMATS), st.integers(1, 40), st.integers(1, 3), st.integers(1, 3))
def test_compressed_kernels(data: st.DataObject, element: ElementFormat, kernels: int, height: int, width: int) -> None:
    channels = data.draw(st.integers(1, 20))
    chain = data.draw(st.integers(1, min(8, channels)))
    weights = draw_integers(data, (kernels, height, width, channels), element)
    packed = tensors.compress_kernels(weights, element, chain)
    assert packed == layers.compress_kernels(weights, element.name, chain)


@settings(deadline=None)
@given(st.data(), FORMATS, SIZE, SIZE, SIZE)
def test_compressed_tensors(
    data: st.DataObject, element: ElementFormat, height: int, width: int, channels: int
) -> None:
    tensor = draw_integers(data, (height, width, channels), element)
    if element is not ElementFormat.s1:
        tensor[np.random.default_rng(height).random(tensor.shape) < 0.5] = 0
    packed = tensors.compress_tensor(tensor, element)
    for row, elements in zip(packed, tensor, strict=True):
        run = layers.compress_run(elements.reshape(-1).tolist(), element.name)
        assert row.tobytes() == run.ljust(packed.shape[1], b"\0")
    assert tensors.decompress_tensor(packed, tensor.shape, element).tolist() == tensor.tolist()


def test_kernels_that_are_not_sparse_are_named() -> None:
    weights = np.zeros((3, 1, 3, 4), np.int8)
    weights[2, 0, 1] = (1, 0, 1, 1)
    with pytest.raises(TensorError) as caught:
        tensors.pack_kernels(weights, ElementFormat.s4, sparse=True)
    assert str(caught.value) == (
        "weights[2] is not sparse: of its weights 4..7 in tile 0 of the chain more than 2 are not 0"
    )


def test_compressed_tensors_of_another_size_are_refused() -> None:
    with pytest.raises(TensorError, match="a compressed 2 x 3 x 1 tensor of u4 takes 6 bytes, not 5"):
        tensors.decompress_tensor(bytes(5), (2, 3, 1), ElementFormat.u4)


def test_the_last_tile_of_a_chain_may_get_no_channels() -> None:
    weights = np.arange(1, 6).reshape(1, 1, 1, 5)
    packed = tensors.pack_kernels(weights, ElementFormat.u4, chain=4)
    assert [packed[first] for first in range(0, len(packed), 8)] == [0x21, 0x43, 0x05, 0]
    assert tensors.unpack_kernels(packed, (1, 1, 1, 5), ElementFormat.u4, 4).tolist() == weights.tolist()


@settings(deadline=None)
@given(st.data(), st.integers(0, 40))
def test_requantisation_tables(data: st.DataObject, kernels: int) -> None:
    word = st.integers(-(2**31), 2**31 - 1)
    rows = [
        (data.draw(word), data.draw(st.integers(0, 2**31 - 1)), data.draw(st.integers(0, 62)), data.draw(word))
        for _ in range(kernels)
    ]
    table = np.array(rows, np.int64).reshape(kernels, 4)
    packed = tensors.pack_requant(table)
    assert packed == b"".join(entry.to_bytes(4, "little", signed=True) for row in rows for entry in row)
    assert tensors.unpack_requant(packed).tolist() == table.tolist()


@pytest.mark.parametrize(
    ("element", "value", "holds"),
    [
        (ElementFormat.u1, 2, "u1 holds 0..1"),
        (ElementFormat.s1, 0, "s1 holds -1 and 1"),
        (ElementFormat.s1, 2, "s1 holds -1 and 1"),
        (ElementFormat.u2, -1, "u2 holds 0..3"),
        (ElementFormat.s2, 2, "s2 holds -2..1"),
        (ElementFormat.u4, 16, "u4 holds 0..15"),
        (ElementFormat.s4, 8, "s4 holds -8..7"),
        (ElementFormat.u8, 256, "u8 holds 0..255"),
        (ElementFormat.s8, -129, "s8 holds -128..127"),
        (ElementFormat.s32, 2**31, "s32 holds -2147483648..2147483647"),
    ],
)
def test_the_element_out_of_range_is_named(element: ElementFormat, value: int, holds: str) -> None:
    values = np.ones((2, 3), np.int64)
    values[1, 2] = value
    with pytest.raises(TensorError) as caught:
        tensors.pack_elements(values, element, "features")
    assert str(caught.value) == f"features[1, 2] is {value}; {holds}"


def test_the_weight_out_of_range_is_named() -> None:
    weights = np.zeros((4, 3, 3, 1), np.int8)
    weights[3, 0, 1, 0] = 9
    with pytest.raises(TensorError) as caught:
        tensors.pack_kernels(weights, ElementFormat.s4, name="conv1_weights")
    assert str(caught.value) == "conv1_weights[3, 0, 1, 0] is 9; s4 holds -8..7"


def test_values_of_unsigned_arrays_are_checked_too() -> None:
    with pytest.raises(TensorError, match=r"values\[0\] is 200; s4 holds -8\.\.7"):
        tensors.pack_elements(np.array([200], np.uint8), ElementFormat.s4)


def test_floats_are_refused() -> None:
    with pytest.raises(TensorError, match="image must hold integers, not float64"):
        tensors.pack_tensor(np.zeros((1, 1, 1)), ElementFormat.u4, "image")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (0, 2**31, "table[1, 0] is 2147483648; s32 holds -2147483648..2147483647"),
        (1, -1, "table[1, 1] is -1; a multiplier must not be negative"),
        (2, 63, "table[1, 2] is 63; a shift must be 0..62"),
        (2, -1, "table[1, 2] is -1; a shift must be 0..62"),
    ],
)
def test_bad_table_entries_are_named(column: int, value: int, text: str) -> None:
    table = np.zeros((2, 4), np.int64)
    table[1, column] = value
    with pytest.raises(TensorError) as caught:
        tensors.pack_requant(table, "table")
    assert str(caught.value) == text


def test_wrong_shapes_are_refused() -> None:
    image = np.zeros((8, 8), np.uint8)
    with pytest.raises(TensorError) as caught:
        tensors.pack_tensor(image, ElementFormat.u4, "image")
    assert str(caught.value) == "image must have 3 axes (height, width, channels), not the shape (8, 8)"
    with pytest.raises(TensorError, match=r"weights must have 4 axes \(kernels, height, width, channels\)"):
        tensors.pack_kernels(image, ElementFormat.u4)
    with pytest.raises(TensorError) as caught:
        tensors.pack_requant(np.zeros((16, 3), np.int32))
    assert str(caught.value) == "requant must have the columns bias, multiplier, shift, offset, not 3 columns"


def test_wrong_numbers_of_bytes_are_refused() -> None:
    with pytest.raises(TensorError, match="9 elements of u1 take 2 bytes, not 1"):
        tensors.unpack_elements(b"\0", 9, ElementFormat.u1)
    with pytest.raises(TensorError, match="a 2 x 3 x 1 tensor of u4 takes 4 bytes, not 3"):
        tensors.unpack_tensor(bytes(3), (2, 3, 1), ElementFormat.u4)
    with pytest.raises(TensorError, match="3 kernels of 16 bytes take 48 bytes, not 47"):
        tensors.unpack_kernels(bytes(47), (3, 1, 1, 2), ElementFormat.u4, chain=2)
    with pytest.raises(TensorError, match="has 16 bytes a kernel; 17 bytes are not whole rows"):
        tensors.unpack_requant(bytes(17))


def test_kernels_that_fit_no_tile_are_refused_by_the_rules() -> None:
    with pytest.raises(RuleError, match="a row has 1024"):
        tensors.pack_kernels(np.zeros((10, 4, 4, 64), np.int8), ElementFormat.s4)
    assert len(tensors.pack_kernels(np.zeros((10, 4, 4, 64), np.int8), ElementFormat.s4, chain=4)) == 10 * 4 * 128
