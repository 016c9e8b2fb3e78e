"""Constants and expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asm
from asm.errors import AssemblyErrors


def value_of(expression: str) -> int:
    """The word that `words` makes of an expression."""
    return asm.assemble(f"words {expression}").words[4]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("12", 12),
        ("0xff_00", 0xFF00),
        ("0b1010_0101", 0xA5),
        ("0o17", 15),
        ("1_000", 1000),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("7 - 2 - 1", 4),
        ("-7 / 2 + 4", 0),
        ("7 % 4", 3),
        ("1 << 4 + 1", 32),
        ("0x100 >> 4", 16),
        ("6 & 3 | 8 ^ 1", 11),
        ("~0 & 0xff", 255),
        ("--5", 5),
        ("-1", 0xFFFF_FFFF),
        ("0xffff_ffff", 0xFFFF_FFFF),
        ("-0x8000_0000", 0x8000_0000),
    ],
)
def test_value(expression: str, expected: int) -> None:
    assert value_of(expression) == expected


LEAVES = st.integers(0, 1000).map(str)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "&", "|", "^"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"~{text}"),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_operators_bind_as_in_python(expression: str) -> None:
    """Python has the same precedences for these operators."""
    expected = eval(expression)
    assert value_of(f"({expression}) & 0xffffffff") == expected & 0xFFFF_FFFF


def test_constants_may_use_earlier_ones() -> None:
    assert asm.assemble("const A = 3\nconst B = A * 2 ; six\n words B # really").words[4] == 6


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 / 0", "division by zero"),
        ("1 % (2 - 2)", "division by zero"),
        ("1 << 64", "a shift must be 0..63, not 64"),
        ("1 >> -1", "a shift must be 0..63, not -1"),
        ("1 << 63 << 2", "the value is too large: expressions have 64 bits"),
        ("0x1_0000_0000", "value must be -2147483648..4294967295, not 4294967296"),
        ("12abc", "12abc is not a number"),
        ("010", "010 is not a number"),
        ("missing", "missing is not declared"),
        ("u4", "u4 is a format, not a number"),
        ("r16", "there is no register r16; they are r0..r15"),
        ("r1", "a word is a number or an address, not a register"),
        ("r1 * 2", "to a register or an address only a number can be added"),
        ("extern a + extern b", "to a register or an address only a number can be added"),
        ("-extern a", "a number is needed here, not an address"),
        ("-r3", "a number is needed here, not a register"),
        ("1" + "+1" * 200, "a line may have at most 150 operators and brackets, not 200"),
    ],
)
def test_error(expression: str, message: str) -> None:
    with pytest.raises(AssemblyErrors) as caught:
        value_of(expression)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == message


def test_the_deepest_expression_that_is_allowed() -> None:
    assert value_of("(" * 75 + "-" * 74 + "5" + ")" * 75) == 5


def test_a_constant_is_declared_above_its_use() -> None:
    with pytest.raises(AssemblyErrors) as caught:
        asm.assemble("const A = B\nconst B = 1")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "B is declared on line 2, further down"
    assert diagnostic.hint == "declare constants before they are used"
