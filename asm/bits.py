"""Named bit fields of a 32-bit word: shared by instructions and device registers."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, ClassVar

WORD_BITS = 32


class Field:
    """Bits ``low .. low + width - 1`` of a word, with a meaning.

    Args:
        low: lowest bit, 0..31.
        width: number of bits, 1..32.
        doc: what the field means, one or two sentences.
        values: the named values, where the field is an enumeration.
        reset: value after reset.
    """

    name: str = ""

    def __init__(
        self,
        low: int,
        width: int = 1,
        doc: str = "",
        *,
        values: type[IntEnum] | None = None,
        reset: int = 0,
    ) -> None:
        if low < 0 or width < 1 or low + width > WORD_BITS:
            raise ValueError(f"a field must lie in bits 0..31, not {low}..{low + width - 1}")
        self.low, self.width, self.doc, self.values, self.reset = low, width, doc, values, reset

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def limit(self) -> int:
        """The largest value that fits."""
        return (1 << self.width) - 1

    @property
    def mask(self) -> int:
        """The field's bits within the word."""
        return self.limit << self.low

    def extract(self, word: int) -> int:
        """The field's value in ``word``."""
        return (word >> self.low) & self.limit

    def insert(self, word: int, value: int) -> int:
        """``word`` with the field set to ``value``.

        Raises:
            ValueError: the value does not fit.
        """
        if not 0 <= value <= self.limit:
            raise ValueError(f"{self.name} must be 0..{self.limit}, not {value}")
        return (word & ~self.mask) | (value << self.low)


class Layout:
    """The fields of one 32-bit word. Subclass it and declare `Field` attributes."""

    fields: ClassVar[dict[str, Field]] = {}
    _mask: ClassVar[int] = 0
    _places: ClassVar[tuple[tuple[str, int, int], ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.fields = {name: item for name, item in vars(cls).items() if isinstance(item, Field)}
        used = 0
        for field in cls.fields.values():
            if used & field.mask:
                raise ValueError(f"{cls.__name__}.{field.name} overlaps another field")
            used |= field.mask
        cls._mask = used
        cls._places = tuple((name, field.low, field.limit) for name, field in cls.fields.items())

    @classmethod
    def mask(cls) -> int:
        """All bits that belong to a field; the others are reserved."""
        return cls._mask

    @classmethod
    def pack(cls, **values: int) -> int:
        """The word with the named fields set, the others 0.

        Raises:
            ValueError: a value does not fit its field.
            KeyError: there is no such field.
        """
        word = 0
        for name, value in values.items():
            word = cls.fields[name].insert(word, value)
        return word

    @classmethod
    def unpack(cls, word: int) -> dict[str, int]:
        """Every field's value, by name."""
        return {name: (word >> low) & limit for name, low, limit in cls._places}
