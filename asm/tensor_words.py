"""Tensors as the words of an instruction describe them, and what must hold for each of them."""

from __future__ import annotations

from dataclasses import dataclass

from asm.parameters import TENSOR
from asm.rules import Cause, ElementFormat, RuleError


@dataclass(frozen=True, slots=True)
class TensorWords:
    """A tensor without its address.

    Attributes:
        format: of its elements.
        compressed: whether each row is a bit mask followed by the elements that are not 0.
        height, width, channels: its shape.
        line_bytes: from one row to the next.
        pixel_bits: from one pixel to the next.
    """

    format: ElementFormat
    compressed: bool
    height: int
    width: int
    channels: int
    line_bytes: int
    pixel_bits: int

    @classmethod
    def of_words(cls, words: list[dict[str, int]]) -> TensorWords:
        """From unpacked words; raises `RuleError` if there is no such format."""
        fields = {name: value for word in words for name, value in word.items()}
        return cls(
            element_format(fields["format"]),
            bool(fields["compressed"]),
            fields["height"],
            fields["width"],
            fields["channels"],
            fields["bytes"],
            fields["bits"],
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def shape(self) -> str:
        """Height, width and channels, as they are written."""
        return f"{self.height} x {self.width} x {self.channels}"

    @property
    def run_bits(self) -> int:
        """Bits of the elements of a pixel."""
        return self.channels * self.format.bits

    @property
    def row_bytes(self) -> int:
        """Bytes from the first to the last one of a row; a compressed one, at most."""
        if self.compressed:
            return -(-self.width * self.channels // 8) + -(-self.width * self.run_bits // 8)
        return -(-((self.width - 1) * self.pixel_bits + self.run_bits) // 8)

    def check(self, name: str) -> None:
        """Raises `RuleError` unless shape and strides can be those of a tensor, called ``name``."""
        if min(self.height, self.width, self.channels) < 1:
            raise RuleError(Cause.shape_mismatch, f"the {name} must be at least 1 x 1 x 1, not {self.shape}")
        if self.pixel_bits % self.format.bits:
            raise RuleError(
                Cause.bad_field,
                f"the {name}'s pixel stride must be a multiple of {self.format.bits} bits, not {self.pixel_bits}",
            )
        if self.compressed and self.pixel_bits != self.run_bits:
            raise RuleError(
                Cause.bad_field,
                f"the {name} is compressed: its pixel stride must be {self.run_bits} bits, not {self.pixel_bits}",
            )
        if self.compressed and self.height > 1 and self.line_bytes < self.row_bytes:
            raise RuleError(
                Cause.shape_mismatch,
                f"the {name} is compressed: its line stride must be at least {self.row_bytes} bytes, for a row "
                f"without zeros, not {self.line_bytes}",
            )

    def check_writable(self, name: str) -> None:
        """Raises `RuleError` if two of its elements share bits."""
        if self.width > 1 and self.pixel_bits < self.run_bits:
            raise RuleError(
                Cause.shape_mismatch,
                f"the {name}'s pixels overlap: the pixel stride must be at least {self.run_bits} bits, "
                f"not {self.pixel_bits}",
            )
        if self.height > 1 and self.line_bytes < self.row_bytes:
            raise RuleError(
                Cause.shape_mismatch,
                f"the {name}'s rows overlap: the line stride must be at least {self.row_bytes} bytes, "
                f"not {self.line_bytes}",
            )


def tensors_of_words(words: list[dict[str, int]], *names: str) -> list[TensorWords]:
    """The tensors of an instruction, called ``names`` in messages; raises `RuleError`."""
    size = len(TENSOR)
    tensors = []
    for index, name in enumerate(names):
        tensors.append(TensorWords.of_words(words[index * size : (index + 1) * size]))
        tensors[-1].check(name)
    return tensors


def element_format(number: int) -> ElementFormat:
    """The format with this number; raises `RuleError` if there is none."""
    try:
        return ElementFormat(number)
    except ValueError:
        raise RuleError(Cause.bad_field, f"{number} is not an element format") from None
