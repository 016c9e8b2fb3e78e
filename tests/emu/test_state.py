"""What objects give as their state and take back, and its canonical bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import ClassVar

import numpy as np
import pytest

from emu.snapshot import decode, encode
from emu.state import Saved, State, plain, rebuilt


class Colour(Enum):
    RED, BLUE = "red", "blue"


class Number(IntEnum):
    ONE, TWO = 1, 2


@dataclass(frozen=True)
class Point:
    x: int
    y: int


@dataclass(frozen=True)
class Line:
    ends: tuple[Point, ...]
    colour: Colour = Colour.RED


@dataclass
class Totals:
    count: int = 0
    last: Point = field(default_factory=lambda: Point(0, 0))


class Wheel(Saved):
    saved: ClassVar[tuple[str, ...]] = ("angle",)

    def __init__(self, angle: int = 0) -> None:
        self.angle = angle


class Car(Wheel):
    saved = (
        *("colour", "number", "pair", "queue", "flags", "table", "array", "totals", "line", "spare", "wheels", "named"),
        *("lines", "point"),
    )
    saved_types: ClassVar = {"lines": list[Line], "point": Line | Point | None}

    def __init__(self) -> None:
        super().__init__()
        self.colour, self.number, self.pair = Colour.RED, Number.ONE, (1, 2)
        self.queue, self.flags, self.table = deque([1]), {3, 1}, {2: 3}
        self.array = np.zeros((2, 2), np.int16)
        self.totals, self.line = Totals(), Line((Point(0, 0),))
        self.spare, self.wheels, self.named = Wheel(), [Wheel(), Wheel()], {Colour.RED: Wheel()}
        self.lines: list[Line] = []
        self.point: Line | Point | None = None

    def drive(self) -> None:
        self.angle, self.colour, self.number, self.pair = 90, Colour.BLUE, Number.TWO, (3, 4)
        self.queue.extend([5, 6])
        self.flags.add(2)
        self.table[1] = 7
        self.array += np.array([[1, -2], [3, 4]], np.int16)
        self.totals.count, self.totals.last = 5, Point(1, 2)
        self.line = Line((Point(1, 1), Point(2, 2)), Colour.BLUE)
        self.spare.angle, self.wheels[1].angle, self.named[Colour.RED].angle = 1, 2, 3
        self.lines = [Line((Point(7, 8),))]
        self.point = Point(4, 4)


def test_every_kind_of_attribute_comes_back_as_it_was() -> None:
    driven, fresh = Car(), Car()
    driven.drive()
    totals, array = fresh.totals, fresh.array
    fresh.set_state(decode(encode(driven.get_state())))
    for name in ("angle", "colour", "number", "pair", "queue", "flags", "table", "totals", "line", "lines", "point"):
        ours, theirs = getattr(fresh, name), getattr(driven, name)
        assert (ours, type(ours)) == (theirs, type(theirs))
    assert fresh.array.tolist() == [[1, -2], [3, 4]]
    assert [fresh.spare.angle, fresh.wheels[1].angle, fresh.named[Colour.RED].angle] == [1, 2, 3]
    assert fresh.totals is totals
    assert fresh.array is array


def test_a_state_is_a_copy() -> None:
    car = Car()
    before = encode(state := car.get_state())
    car.drive()
    assert encode(state) == before != encode(car.get_state())


def test_what_is_not_plain_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^a function is not plain data: a snapshot cannot keep it$"):
        plain(test_what_is_not_plain_is_refused)
    with pytest.raises(TypeError, match=r"^a object is not plain data$"):
        encode([object()])


def test_a_value_that_does_not_tell_its_type_is_refused() -> None:
    class Vague(Saved):
        saved = ("lines",)
        lines: ClassVar[list[Line]] = []

    with pytest.raises(TypeError, match=r"^a list does not tell what its state means: say it in saved_types$"):
        Vague().set_state({"lines": [plain(Line(()))]})
    with pytest.raises(TypeError, match="has this state"):
        rebuilt(Line | None, {"x": 1})


# The bytes of the second column follow from the table in emu/snapshot.py.
BYTES: list[tuple[State, bytes]] = [
    (None, b"n"),
    ([True, False], b"ltf;"),
    (-12, b"i-12;"),
    (1.5, b"r0x1.8000000000000p+0;"),
    (b"a;c", b"b3:a;c"),
    ("\u00b5", b"s2:\xc2\xb5"),
    ({"b": 1, "a": {}}, b"ds1:ad;s1:bi1;;"),
    ({2: [], -1: 0}, b"di-1;i0;i2;l;;"),
]


@pytest.mark.parametrize(("state", "data"), BYTES)
def test_canonical_bytes(state: State, data: bytes) -> None:
    assert encode(state) == data
    assert decode(data) == state
    assert type(decode(data)) is type(state)


@pytest.mark.parametrize("data", [b"", b"x", b"i1", b"li1;", b"d", b"nn", b"b3"])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(data)
