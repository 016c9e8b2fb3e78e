"""The published figures of the chip, read from their one file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("chip_published.toml")


@dataclass(frozen=True, slots=True)
class Point:
    """A published figure.

    Attributes:
        last_digit: what one step of the last digit that was printed is worth.
        at: the conditions as far as they are stated.
        source: where it was published.
    """

    value: float
    last_digit: float
    unit: str
    at: str
    source: str

    @property
    def low(self) -> float:
        """Smallest number that rounds to the figure."""
        return self.value - self.last_digit / 2

    @property
    def high(self) -> float:
        """Largest number that rounds to the figure."""
        return self.value + self.last_digit / 2


@dataclass(frozen=True, slots=True)
class Scene:
    """What the chip does in a part of the published use case.

    Attributes:
        network_size: work of an inference, in inferences of the small network.
    """

    clusters: int
    clock_khz: int
    body_bias_mv: int
    inferences_per_second: int
    network_size: int


@dataclass(frozen=True)
class Published:
    """All of it: figures by name, scenes of the use case by name, sources by name."""

    points: dict[str, Point]
    scenes: dict[str, Scene]
    sources: dict[str, str]

    def __getitem__(self, name: str) -> Point:
        return self.points[name]


@cache
def published() -> Published:
    """The figures that come with this package."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Published(
        {name: Point(**entry) for name, entry in table["points"].items()},
        {name: Scene(**entry) for name, entry in table["use_case"].items()},
        table["sources"],
    )
