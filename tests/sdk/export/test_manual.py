"""The register manual names everything, in well-formed tables."""

from __future__ import annotations

import pytest

from emu.machines import NAMES, machine_map
from sdk.export.manual import manual


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_everything_is_listed(name: str) -> None:
    machine = machine_map(name)
    rows = {tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in manual(machine).splitlines()}
    starts = {row[:2] for row in rows if len(row) >= 2}
    for region in machine.memories:
        assert (f"`0x{region.base:08x}`", f"`0x{region.base + region.size - 1:08x}`") in starts
    for item in machine.peripherals:
        assert (f"`0x{item.base:08x}`", f"`0x{item.base + item.device.size - 1:08x}`") in starts
        if item.interrupt is not None:
            assert (str(item.interrupt), item.name) in rows
        for register in item.device.registers:
            suffix = f"[{register.count}]" if register.count > 1 else ""
            assert any(row[1:2] == (register.name + suffix,) for row in rows)
            for field in register.layout.fields.values():
                if field.width < 32:
                    assert any((row[0], row[2:3]) == (register.name, (field.name,)) for row in rows if row)


def test_every_table_has_rows_of_one_length(name: str) -> None:
    width = None
    for line in manual(machine_map(name)).splitlines():
        if not line.startswith("|"):
            width = None
            continue
        columns = line.replace("\\|", "").count("|")
        assert width in (None, columns), line
        width = columns
