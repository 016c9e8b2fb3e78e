"""The SVD file: valid against the schema, and saying what the declarations say to an independent reader."""

from __future__ import annotations

from pathlib import Path

import cmsis_svd
import pytest
from cmsis_svd.parser import SVDParser
from lxml import etree

from emu.cpu.arm.cortex_m import CortexM
from emu.machine import Machine
from emu.machines import NAMES, machine_map
from emu.registers import Access
from sdk.export.svd import svd

SCHEMA = Path(cmsis_svd.__file__).parent / "schemas" / "CMSIS-SVD_1_3_11.xsd"
ACCESS = {Access.RW: "read-write", Access.W1C: "read-write", Access.RO: "read-only", Access.WO: "write-only"}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_validates(name: str) -> None:
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    schema.assertValid(etree.fromstring(svd(machine_map(name)).encode()))


def test_another_reader_finds_all_registers_and_fields(name: str, tmp_path: Path) -> None:
    machine = machine_map(name)
    path = tmp_path / "machine.svd"
    path.write_text(svd(machine))
    device = SVDParser.for_xml_file(str(path)).get_device()
    found = {peripheral.name: peripheral for peripheral in device.get_peripherals()}
    assert set(found) == {item.name.upper() for item in machine.peripherals}
    for item in machine.peripherals:
        peripheral = found[item.name.upper()]
        assert peripheral.base_address == item.base
        interrupts = [interrupt.value for interrupt in peripheral.interrupts or []]
        assert interrupts == ([] if item.interrupt is None else [item.interrupt])
        offsets = {register.address_offset: register for register in peripheral.get_registers()}
        assert set(offsets) == {offset for register in item.device.registers for offset in register.offsets()}
        for register in item.device.registers:
            for offset in register.offsets():
                seen = offsets[offset]
                assert seen.reset_value == register.reset
                fields = {field.bit_offset: field for field in seen.get_fields()}
                assert set(fields) == {field.low for field in register.layout.fields.values()}
                for field in register.layout.fields.values():
                    other = fields[field.low]
                    assert other.bit_width == field.width
                    assert other.access.value == ACCESS[register.field_access(field)]


def test_the_core_has_the_priority_bits_that_the_file_tells() -> None:
    machine = machine_map("st18", 1)
    bits = int(etree.fromstring(svd(machine).encode()).findtext("cpu/nvicPrioBits", ""))
    core = Machine(machine).core
    assert isinstance(core, CortexM)
    core.system_control.write(0x400, 1, 0xFF)
    assert core.system_control.read(0x400, 1).bit_count() == bits


def test_equal_devices_are_derived(name: str) -> None:
    root = etree.fromstring(svd(machine_map(name)).encode())
    derived = {element.findtext("name"): element.get("derivedFrom") for element in root.iter("peripheral")}
    assert [other for name, other in derived.items() if name.startswith("CLUSTER")] == [None] + ["CLUSTER0"] * 7
    assert derived["UART0"] is None
