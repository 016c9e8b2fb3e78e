"""The driver library on our machines: results and errors as its headers promise them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sdk import paths
from tests.firmware.boards import BOARDS, run_here

HERE = Path(__file__).parent


@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("machine", BOARDS)
def test_driver(machine: str, toolchain: str, tmp_path: Path) -> None:
    ran = run_here(machine, HERE / "driver.c", tmp_path, toolchain, stream=b"abcdef", uart_input=b"ok")
    assert re.fullmatch(r"\d{3} checks, 0 failures\n", ran.uart), ran.uart
    assert ran.code == 0


def test_a_wrong_expectation_is_noticed(tmp_path: Path) -> None:
    text = (HERE / "driver.c").read_text()
    wrong = tmp_path / "driver.c"
    wrong.write_text(text.replace("EXPECT(imnpu_init(), IMNPU_OK)", "EXPECT(imnpu_init(), IMNPU_RUNNING)"))
    ran = run_here("st18", wrong, tmp_path, stream=b"abcdef", uart_input=b"ok")
    assert "imnpu_init() is 0, not 1" in ran.uart
    assert ran.code == 1


@pytest.mark.parametrize("machine", BOARDS)
def test_check_says_what_failed_and_ends_the_run(machine: str, tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    source.write_text("""\
#include <imnpu/imnpu.h>
int main(void)
{
    IMNPU_CHECK(imnpu_init());
    const int cluster = IMNPU_CHECK(imnpu_cluster_claim());
    IMNPU_CHECK(imnpu_copy_start(cluster, (void *)0x30000000, (const void *)0x70000000, 4, 0, 0));
    IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));
    return 0;
}
""")
    ran = run_here(machine, source, tmp_path)
    assert ran.code == 1
    assert ran.uart.splitlines() == [
        "main.c:7: imnpu_wait(cluster, IMNPU_FOREVER): the cluster stopped with an error",
        "cluster 0: an address is not memory, or may not be written (program at 0x00000000, "
        "address or word 0x70000000)",
    ]


def test_status_texts_and_error_numbers_are_complete() -> None:
    header = (paths.firmware() / "include" / "imnpu" / "status.h").read_text()
    source = (paths.firmware() / "src" / "status.c").read_text()
    names = re.findall(r"(IMNPU_E_\w+) =", header)
    assert len(names) > 10
    assert [name for name in names if f"[-{name}]" not in source] == []


def test_every_function_says_what_it_returns() -> None:
    """Each prototype has a comment with its parameters and results."""
    for header in sorted((paths.firmware() / "include" / "imnpu").glob("*.h")):
        text = header.read_text()
        for match in re.finditer(r"^(?:_Noreturn )?(\w[\w *]*?)(imnpu_\w+)\(([^;{]*)\);", text, re.MULTILINE):
            before = text[: match.start()].rstrip()
            assert before.endswith("*/"), f"{header.name}: {match[2]} has no comment"
            comment = before[before.rindex("/**") :]
            for parameter in re.findall(r"(\w+)(?=,|$)", match[3]):
                if parameter != "void":
                    assert re.search(rf"@param {parameter}\b", comment), f"{header.name}: {match[2]}({parameter})"
            if match[1].strip() != "void":
                assert re.search(r"@return|@retval", comment), f"{header.name}: {match[2]} returns something"
