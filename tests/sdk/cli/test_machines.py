"""`imnpu machines`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emu.machines import ALL, machine_map
from sdk.cli.main import main


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["machines", *arguments]) == 0
    return capsys.readouterr().out


def cells(text: str) -> set[tuple[str, ...]]:
    return {tuple(cell.strip() for cell in line.split("│")[1:-1]) for line in text.splitlines() if "│" in line}


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row[:4] for row in cells(shown(capsys))}
    assert rows == {
        ("st18", "cortex-m4f", "600 MHz", "8"),
        ("st18-rv32", "rv32imc", "600 MHz", "8"),
        ("mps2-an385", "cortex-m3", "25 MHz", "0"),
        ("mps2-an386", "cortex-m4f", "25 MHz", "0"),
        ("mps2-an500", "cortex-m7", "25 MHz", "0"),
        ("mps2-an505", "cortex-m33", "20 MHz", "0"),
        ("microbit", "cortex-m0", "16 MHz", "0"),
        ("virt", "rv32imc", "1000 MHz", "0"),
    }


@pytest.mark.parametrize("name", ALL)
def test_one_machine_has_everything(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = cells(shown(capsys, name))
    machine = machine_map(name)
    for region in machine.memories:
        key = (f"0x{region.base:08x}", f"0x{region.base + region.size - 1:08x}", region.name, region.access)
        assert key in {row[:4] for row in rows}
    for item in machine.peripherals:
        interrupt = "" if item.interrupt is None else str(item.interrupt)
        assert (f"0x{item.base:08x}", item.name, interrupt) in {(row[0], row[2], row[4]) for row in rows}
        for register in item.device.registers:
            text = f"{register.name}[{register.count}]" if register.count > 1 else register.name
            assert (f"0x{register.offset:03x}", text, f"0x{register.reset:08x}") in {
                (row[0], row[1], row[4]) for row in rows
            }


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    machine = json.loads(shown(capsys, "st18", "--json", "--clusters", "2"))
    assert (machine["name"], machine["clock_hz"], machine["clusters"]) == ("st18", 600_000_000, 2)
    assert {"name": "sram", "base": 0x2000_0000, "size": 0x4_0000, "access": "rwx"}.items() <= (
        machine["memories"][1].items()
    )
    uart, *_, last = machine["peripherals"]
    assert (uart["name"], uart["base"], uart["interrupt"], last["name"]) == ("uart0", 0x4000_0000, 0, "cluster1")
    status = uart["registers"][1]
    assert (status["name"], status["offsets"], status["reset"]) == ("STATUS", [4], 1)
    assert [(f["name"], f["low"], f["width"], f["access"]) for f in status["fields"]] == [
        ("TX_READY", 0, 1, "read-only"),
        ("RX_READY", 1, 1, "read-only"),
    ]
    assert [item["name"] for item in json.loads(shown(capsys, "--json"))] == list(ALL)


def test_a_typo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machines", "st81"]) == 1
    assert capsys.readouterr().err == (
        "imnpu: there is no machine 'st81': did you mean 'st18'? "
        "known machines: st18, st18-rv32, mps2-an385, mps2-an386, mps2-an500, mps2-an505, microbit, virt\n"
    )


def test_too_many_clusters(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["machines", "st18", "--clusters", "9"])
    assert end.value.code == 2
    assert "argument --clusters: must be a whole number, 1..8, not '9'" in capsys.readouterr().err


def test_a_machine_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "board.py"
    file.write_text(
        "from dataclasses import replace\nfrom emu.machines import machine_map\n"
        "MACHINE = replace(machine_map('virt'), name='mine', clock_hz=70_000_000)\n"
    )
    machine = json.loads(shown(capsys, str(file), "--json"))
    assert (machine["name"], machine["clock_hz"], machine["host"]) == ("mine", 70_000_000, "rv32imc")
