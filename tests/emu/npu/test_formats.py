"""Packing of elements over the last axis, against the plain-integer reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asm.rules import ElementFormat
from emu.npu import formats
from tests.reference import integer

ALL_FORMATS = pytest.mark.parametrize("element", list(ElementFormat), ids=lambda element: element.name)


@ALL_FORMATS
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_every_run_of_bytes_unpacks_as_the_reference(element: ElementFormat, data: st.DataObject) -> None:
    runs, count, spare = (data.draw(st.integers(0, 20)) for _ in range(3))
    length = formats.packed_bytes(count, element)
    assert length == len(integer.pack([1] * count, element.name))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    memory = generator.integers(0, 256, (2, runs, length + spare), np.uint8)
    unpacked = formats.unpack(memory, count, element)
    assert unpacked.shape == (2, runs, count)
    assert unpacked.dtype == formats.element_dtype(element)
    for place in np.ndindex(2, runs):
        assert unpacked[place].tolist() == integer.unpack(memory[place].tobytes(), count, element.name)
        assert formats.pack(unpacked, element)[place].tobytes() == integer.pack(unpacked[place], element.name)


@ALL_FORMATS
def test_the_type_and_the_order_of_values_do_not_matter(element: ElementFormat) -> None:
    values = np.array([[element.low, element.high, 1], [element.high, element.low, 1]] * 3)
    for dtype in (formats.element_dtype(element), np.int32, np.int64):
        packed = formats.pack(values.astype(dtype)[::2, ::-1], element)
        assert [run.tobytes() for run in packed] == [integer.pack(run[::-1], element.name) for run in values[::2]]


@ALL_FORMATS
def test_results_share_no_memory(element: ElementFormat) -> None:
    memory = np.zeros(16, np.uint8)
    unpacked = formats.unpack(memory, 2, element)
    before = unpacked.tolist()
    packed = formats.pack(unpacked, element)
    memory[:] = 255
    unpacked[:] = 1
    assert before == integer.unpack(bytes(16), 2, element.name)
    assert packed.tobytes() == integer.pack(before, element.name)


@ALL_FORMATS
def test_out_of_range_values_do_not_touch_their_neighbours(element: ElementFormat) -> None:
    values = np.array([1, element.high + 1, 1, element.low - 1, 1])
    elements = formats.unpack(formats.pack(values, element), 5, element)
    assert elements[::2].tolist() == [1, 1, 1]
