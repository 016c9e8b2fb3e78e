"""The small libc against the C library of this computer."""

from __future__ import annotations

import ctypes
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.firmware.boards import BOARDS, Ran, run_here, run_on_qemu

LIBC = ctypes.CDLL(None)
LIBC.strtol.restype = ctypes.c_long
LONG_MIN, LONG_MAX = -(1 << 31), (1 << 31) - 1
"""Of the 32-bit hosts."""
BACKENDS: dict[str, Callable[..., Ran]] = {"qemu": run_on_qemu, "emulator": run_here}

PROLOGUE = """\
#pragma GCC diagnostic ignored "-Wformat"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <imnpu/semihosting.h>
static char text[2048];
static void line(void) { imnpu_semihosting_write(text); imnpu_semihosting_write("\\n"); }
#define SHOW(...) (snprintf(text, sizeof text, __VA_ARGS__), line())
"""


@dataclass(frozen=True)
class Argument:
    """An argument of printf: as C source and for this computer's libc."""

    source: str
    value: object


def integer(value: int, length: str) -> Argument:
    if length == "ll":
        return Argument(f"(long long)0x{value & (1 << 64) - 1:x}ULL", ctypes.c_longlong(value))
    if length == "l":
        return Argument(f"(long)0x{value & (1 << 32) - 1:x}UL", ctypes.c_long(value))
    return Argument(f"(int)0x{value & (1 << 32) - 1:x}U", ctypes.c_int(value))


def text(value: str) -> Argument:
    return Argument(f'"{value}"', ctypes.c_char_p(value.encode()))


def double(value: float) -> Argument:
    return Argument("(1.0 / 0.0)" if value == float("inf") else value.hex(), ctypes.c_double(value))


def random_cases(count: int) -> list[tuple[str, Argument]]:
    """Formats of one conversion, with arguments that all fit `long` of 32 bits where they are `long`."""
    choose = random.Random(18)
    cases = []
    for _ in range(count):
        kind = choose.choice("dduxXosscffff")
        flags = "".join(flag for flag in "-0+ #" if choose.random() < 0.25)
        width = choose.choice(["", "1", "7", "15"])
        precision = choose.choice(["", "", ".0", ".1", ".3", ".12"])
        if kind in "duxXo":
            length = choose.choice(["", "hh", "h", "l", "ll"])
            bits = choose.choice([1, 8, 20, 31]) if length != "ll" else choose.choice([4, 33, 63])
            value = choose.getrandbits(bits) * (choose.choice([1, -1]) if kind == "d" else 1)
            argument = integer(value, length)
            flags = flags.replace("#", "") if kind in "du" else flags
            flags = flags.replace("+", "").replace(" ", "") if kind != "d" else flags
        elif kind == "f":
            length = ""
            scale = choose.choice([1e-9, 1e-3, 1.0, 1e6, 1e30])
            argument = double(choose.choice([choose.uniform(-1, 1) * scale, choose.randrange(-8, 8) / 8]))
        else:
            length, flags = "", flags.replace("0", "").replace("#", "").replace("+", "").replace(" ", "")
            precision = "" if kind == "c" else precision
            argument = integer(ord("x"), "") if kind == "c" else text("imnpu"[: choose.randrange(6)])
        cases.append((f"%{flags}{width}{precision}{length}{kind}", argument))
    return cases


FIXED_CASES = [
    ("%d", integer(LONG_MIN, "")), ("%u", integer(-1, "")), ("%lld", integer(-(1 << 63), "ll")),
    ("%llu", integer(-1, "ll")), ("%llx", integer(-1, "ll")), ("%.0d", integer(0, "")), ("%#x", integer(0, "")),
    ("%p", Argument("(void *)0xbeef", ctypes.c_void_p(0xBEEF))), ("%5%|%d", integer(1, "")),
    ("%f", double(1.7976931348623157e308)), ("%.1074f", double(5e-324)), ("%.0f", double(0.5)),
    ("%.0f", double(1.5)), ("%.0f", double(2.5)), ("%.2f", double(0.125)), ("%.3f", double(9.9996)),
    ("%.1f", double(99.95)), ("%.0f", double(9.5)), ("%08.2f", double(float("inf"))), ("%-8f|", double(-0.0)),
    ("%f", double(4294967295.5)), ("%.20f", double(0.1)),
]  # fmt: skip


def host_snprintf(form: str, argument: Argument) -> str:
    buffer = ctypes.create_string_buffer(2048)
    LIBC.snprintf(buffer, ctypes.c_size_t(len(buffer)), form.encode(), argument.value)
    return buffer.value.decode()


def program(folder: Path, body: str) -> Path:
    source = folder / "main.c"
    source.write_text(f"{PROLOGUE}int main(void) {{\n{body}\nreturn 0; }}\n")
    return source


@pytest.fixture(params=[(machine, backend) for machine in BOARDS for backend in BACKENDS], ids="-".join)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., list[str]]:
    """Runs statements of C; returns the lines that they show."""
    machine, backend = request.param

    def run_body(body: str, toolchain: str = "zig") -> list[str]:
        ran = BACKENDS[backend](machine, program(tmp_path, body), tmp_path, toolchain)
        assert ran.code == 0, ran.console
        return ran.console.splitlines()

    return run_body


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
def test_snprintf_writes_what_the_host_s_does(run: Callable[..., list[str]], toolchain: str) -> None:
    cases = FIXED_CASES + random_cases(400)
    body = "\n".join(f'SHOW("{form}", {argument.source});' for form, argument in cases)
    lines = run(body, toolchain)
    assert len(lines) == len(cases)
    wrong = [
        (form, argument.source, got, expected)
        for (form, argument), got in zip(cases, lines, strict=True)
        if got != (expected := host_snprintf(form, argument))
    ]
    assert not wrong


def test_snprintf_cuts_and_returns_the_whole_length(run: Callable[..., list[str]]) -> None:
    body = """\
char small[4] = "###";
int whole = snprintf(small, sizeof small, "%d", 123456);
SHOW("%s %d", small, whole);
SHOW("%d %d", snprintf(0, 0, "%s", "hello"), snprintf(small, 1, "x"));
SHOW("[%s]", small);
SHOW("%*d|%-*d|%.*s", 5, 1, 3, 2, 2, "abc");
SHOW("%s", (char *)0);"""
    assert run(body) == ["123 6", "5 1", "[]", "    1|2  |ab", "(null)"]


def test_memory_functions_at_every_alignment(run: Callable[..., list[str]]) -> None:
    pattern, digits = string.ascii_letters.encode(), (string.digits + string.ascii_letters).encode()
    counts = (0, 1, 3, 4, 5, 8, 11, 20, 32, 37)
    moves = [(to, start, count) for to in range(5) for start in range(5) for count in counts]
    table = ", ".join(f"{{{to}, {start}, {count}}}" for to, start, count in moves)
    body = f"""\
static const unsigned char moves[][3] = {{{table}}};
for (unsigned i = 0; i < sizeof moves / 3; ++i) {{
    char buffer[53] = "{pattern.decode()}", other[53] = "{pattern.decode().swapcase()}";
    memmove(buffer + moves[i][0], buffer + moves[i][1], moves[i][2]);
    memcpy(other + moves[i][0], "{digits.decode()}" + moves[i][1], moves[i][2]);
    char filled[53] = "{pattern.decode()}";
    memset(filled + moves[i][0], '*', moves[i][2]);
    SHOW("%s %s %s %d", buffer, other, filled, memcmp(buffer, filled, 52) < 0);
}}"""
    expected = []
    for to, start, count in moves:
        moved, other, filled = bytearray(pattern), bytearray(pattern.swapcase()), bytearray(pattern)
        moved[to : to + count] = pattern[start : start + count]
        other[to : to + count] = digits[start : start + count]
        filled[to : to + count] = b"*" * count
        expected.append(f"{moved.decode()} {other.decode()} {filled.decode()} {int(moved < filled)}")
    assert run(body) == expected


def test_strings(run: Callable[..., list[str]]) -> None:
    body = """\
char padded[8] = "1234567";
strncpy(padded, "ab", 5);
SHOW("%s %c %d", padded, padded[5], padded[4]);
SHOW("%u %u", (unsigned)strlen("four"), (unsigned)strnlen("four", 2));
SHOW("%d %d %d", strcmp("a", "b") < 0, strcmp("\\xff", "a") > 0, strcmp("a", "a"));
SHOW("%d %d", strncmp("abc", "abd", 2), strncmp("abc", "abd", 3) < 0);
SHOW("%s %s %d", strchr("a-b-c", '-'), strrchr("a-b-c", '-'), strchr("abc", 'x') == 0);
SHOW("%s %d %s", strstr("needle in hay", "in"), strstr("abc", "d") == 0, strstr("abc", ""));
SHOW("%d", *strchr("abc", 0) == 0);"""
    assert run(body) == ["ab 6 0", "4 2", "1 1 0", "0 1", "-b-c -c 1", "in hay 1 abc", "1"]


def test_strtol_reads_what_the_host_s_does(run: Callable[..., list[str]]) -> None:
    texts = ["0", "42", "  -17rest", "+5", "0x1fz", "0X", "0x", "077", "08", "zz", "", "-", "2147483647", "2147483648",
             "-2147483648", "-2147483649", "99999999999999999999", "z"]  # fmt: skip
    cases = [(item, base) for item in texts for base in (0, 10, 16, 36)]
    body = "char *end;\n" + "\n".join(
        f'{{ const char *t = "{item}"; long v = strtol(t, &end, {base}); SHOW("%ld %d", v, (int)(end - t)); }}'
        for item, base in cases
    )
    expected = []
    for item, base in cases:
        buffer, end = ctypes.create_string_buffer(item.encode()), ctypes.c_void_p()
        value = LIBC.strtol(buffer, ctypes.byref(end), base)
        consumed = (end.value or 0) - ctypes.addressof(buffer)
        expected.append(f"{min(max(value, LONG_MIN), LONG_MAX)} {consumed}")
    assert run(body) == expected
