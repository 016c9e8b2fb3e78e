"""Lines, functions and inlined calls, for every compiler, against addr2line and readelf."""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from sdk.debug_info import DebugInfo, DebugInfoError
from sdk.dwarf import LineTable, Place, Row
from tests.sdk.compiling import PROGRAMS, VARIANTS, compile_program

CALLS = (PROGRAMS / "calls.c").read_text().splitlines()


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def info(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DebugInfo:
    return DebugInfo(compile_program(request.param, tmp_path_factory.mktemp("program")))


def line_of(text: str) -> int:
    """Number of the only line of calls.c with that text."""
    (number,) = [index for index, line in enumerate(CALLS, 1) if text in line]
    return number


def code_addresses(info: DebugInfo) -> list[int]:
    """Every halfword of the host's code and of the accelerator program."""
    text, program = info.elf.get_section_by_name(".text"), info.symbols["three"]
    low = text["sh_addr"]
    return [*range(low, low + text["sh_size"], 2), *range(program.address, program.address + program.size + 4, 4)]


def addr2line(elf: Path, addresses: list[int]) -> list[list[tuple[str, Place | None]]]:
    """Function and place of each address, inlined ones first, as addr2line says."""
    tool = shutil.which("llvm-addr2line") or shutil.which("addr2line")
    if tool is None:
        pytest.skip("addr2line is missing: apt install llvm or binutils")
    text = "\n".join(f"0x{address:x}" for address in addresses)
    command = [tool, "-e", str(elf), "-f", "-i", "-a"]
    # LLVM's reader complains about address range tables of GCC, which it does not need.
    output = subprocess.run(
        command, input=text, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    found: list[list[tuple[str, Place | None]]] = []
    lines = output.stdout.splitlines()
    while lines:
        head = lines.pop(0)
        if re.fullmatch(r"0x[0-9a-f]+", head):
            found.append([])
            continue
        path, _, number = lines.pop(0).split(" (")[0].rpartition(":")
        known = number.isdigit() and number != "0" and path != "??"
        found[-1].append((head, Place(posixpath.normpath(path), int(number)) if known else None))
    return found


def test_every_address_has_the_line_that_addr2line_gives(info: DebugInfo) -> None:
    addresses = code_addresses(info)
    expected = [answer[0][1] for answer in addr2line(info.path, addresses)]
    assert len(expected) == len(addresses) > 50
    assert [info.lines.at(address) for address in addresses] == expected


def test_inlined_calls_are_those_of_addr2line(info: DebugInfo) -> None:
    addresses = [address for address in code_addresses(info) if info.functions.at(address)]
    expected = addr2line(info.path, addresses)
    assert any(len(answer) == 2 and answer[0][0] == "twice" for answer in expected)
    for address, answer in zip(addresses, expected, strict=True):
        scopes = info.scopes(address)
        # On RISC-V, LLVM's tool takes local labels for functions.
        names = [name if not name.startswith(".L") else scopes[-1].function for name, _ in answer]
        assert [scope.function for scope in scopes] == names, hex(address)
        assert [scope.place for scope in scopes] == [place for _, place in answer], hex(address)
        assert [scope.inlined for scope in scopes] == [True] * (len(answer) - 1) + [False]


def test_functions_have_the_extents_of_the_symbol_table(info: DebugInfo) -> None:
    with info.path.open("rb") as stream:
        symbols = {symbol.name: symbol for symbol in ELFFile(stream).get_section_by_name(".symtab").iter_symbols()}
    assert "removed_by_the_linker" not in symbols
    assert info.functions.named("removed_by_the_linker") is None
    for name in ("_start", "main", "middle", "leaf"):
        function, symbol = info.functions.named(name), symbols[name]
        assert function is not None
        assert (function.low, function.high - function.low) == (symbol["st_value"] & ~1, symbol["st_size"])
        assert info.functions.at(function.high - 1) is function


def test_a_line_has_the_addresses_that_are_its(info: DebugInfo) -> None:
    line = line_of("sum += leaf(index, count)")
    (address,) = info.breakpoint_addresses("calls.c", line)
    function = info.functions.named("middle")
    assert function is not None
    assert address in function
    assert any(row.place == Place("calls.c", line) and row.address == address for row in info.lines.rows)
    assert not [row for row in info.lines.rows if row.place == Place("calls.c", line) and row.address < address]
    assert info.breakpoint_addresses("calls.c", line_of("return value + 4")) == []


def test_accelerator_lines_are_found_like_c_lines(info: DebugInfo) -> None:
    start = info.symbols["three"].address
    # A header of 16 bytes; `set` and `add` have 8 bytes, `halt` has 4.
    assert [info.lines.at(start + offset) for offset in (0, 16, 24, 32)] == [
        None,
        Place("halt.imn", 4),
        Place("halt.imn", 5),
        Place("halt.imn", 6),
    ]
    assert info.breakpoint_addresses("halt.imn", 6) == [start + 32]
    assert info.lines.lines("halt.imn") == [4, 5, 6]
    assert info.label(start + 24) == "three+0x18"


def test_sources_are_found_from_the_directory_of_the_elf(info: DebugInfo, tmp_path: Path) -> None:
    (tmp_path / "calls.c").write_text("first\nsecond\n")
    elf = tmp_path / "build" / "st18" / "program.elf"
    elf.parent.mkdir(parents=True)
    shutil.copy(info.path, elf)
    sources = DebugInfo(elf).sources
    assert sources.find("calls.c") == tmp_path / "calls.c"
    assert [sources.line("calls.c", number) for number in (0, 1, 2, 3)] == [None, "first", "second", None]
    assert sources.lines("nowhere.c") == []
    assert sources.find("firmware/startup/rv32/link.ld") is not None


def test_a_path_matches_by_whole_names() -> None:
    places = [Place("src/main.c", 1), Place("lib/main.c", 1), Place("src/domain.c", 1)]
    rows = [Row(4 * index, place, is_statement=True) for index, place in enumerate(places)]
    table = LineTable([[*rows, Row(12, None)]])
    assert table.match("main.c") == ["lib/main.c", "src/main.c"]
    assert table.match("lib/main.c") == ["lib/main.c"]
    assert table.match("ain.c") == []


def test_a_stripped_program_has_no_lines(info: DebugInfo, tmp_path: Path) -> None:
    strip = shutil.which("llvm-strip")
    if strip is None:
        pytest.skip("llvm-strip is missing: apt install llvm")
    elf = tmp_path / "stripped.elf"
    subprocess.run([strip, "--strip-debug", str(info.path), "-o", str(elf)], check=True)
    stripped = DebugInfo(elf)
    main = info.functions.named("main")
    assert main is not None
    assert stripped.lines.rows == []
    assert [(scope.function, scope.place) for scope in stripped.scopes(main.low + 2)] == [("main", None)]


def test_damaged_debug_information_is_one_message(tmp_path: Path, info: DebugInfo) -> None:
    data = bytearray(info.path.read_bytes())
    section = info.elf.get_section_by_name(".debug_line")
    data[section["sh_offset"] + 4 : section["sh_offset"] + 40] = b"\xff" * 36
    elf = tmp_path / "damaged.elf"
    elf.write_bytes(data)
    with pytest.raises(DebugInfoError, match=r"damaged\.elf: its debug information is damaged .*; build it again"):
        _ = DebugInfo(elf).lines


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no firmware")
    with pytest.raises(DebugInfoError, match=r"notes\.txt: not an ELF file that can be read"):
        DebugInfo(text)
    with pytest.raises(DebugInfoError, match=r"missing\.elf: No such file or directory"):
        DebugInfo(tmp_path / "missing.elf")
