"""The examples of docs/assembly.md assemble."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import asm
from asm import disassemble
from asm.resolve import FORMATS, RESERVED

PAGE = (Path(__file__).parents[2] / "docs" / "assembly.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```imn\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 9


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_assembles_and_round_trips(example: str) -> None:
    program = asm.assemble(example)
    blob = program.blob(dict.fromkeys(program.externs, 0x3000_0000))
    assert asm.assemble(disassemble.source(blob)).blob() == blob


def test_the_error_example_is_what_the_assembler_says() -> None:
    text = EXAMPLES[0].replace("conv hidden", "conv hiden")
    with pytest.raises(asm.errors.AssemblyErrors) as caught:
        asm.assemble(text, "first_layer.imn")
    assert str(caught.value) in PAGE


def test_every_format_and_instruction_is_documented() -> None:
    from asm.isa import MNEMONICS

    words = set(re.findall(r"\w+", PAGE))
    assert set(MNEMONICS) <= words
    assert set(FORMATS) <= words
    assert {word for word in RESERVED if not re.fullmatch(r"r\d+", word)} <= words
