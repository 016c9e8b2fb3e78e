"""``imnpu machines``: what there is, and what is where in it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from sdk.machine_options import add_clusters_option

if TYPE_CHECKING:
    from rich.console import Console

    from emu.machine import MachineMap
    from emu.registers import Register
    from sdk.export.layout import Block

EXAMPLES = """\
examples:
  imnpu machines                    the machines
  imnpu machines st18 | less        memory map, interrupts and registers of one
  imnpu machines st18 --json        the same for programs
  imnpu machines board.py           a machine of your own
"""
PLAIN_WIDTH = 120
"""Columns of the tables where stdout is not a terminal."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.description = "List the machines, or show one: memory map, interrupts, registers."
    parser.epilog = EXAMPLES
    parser.add_argument(
        "name",
        nargs="?",
        metavar="MACHINE",
        help="the machine to show, or a Python file that describes one (default: list all)",
    )
    add_clusters_option(parser)
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of tables")


def main(args: argparse.Namespace) -> int:
    """Prints; returns the exit code."""
    from emu.machines import ALL
    from sdk.custom_machine import find_machine

    names = ALL if args.name is None else (args.name,)
    machines = [find_machine(name, args.clusters) for name in names]
    if args.json:
        described = [describe(machine) for machine in machines]
        print(json.dumps(described if args.name is None else described[0], indent=2))
        return 0
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    if args.name is None:
        _list(console, machines)
    else:
        _show(console, machines[0])
    return 0


def describe(machine: MachineMap) -> dict[str, Any]:
    """The machine as plain data."""
    return {
        "name": machine.name,
        "title": machine.title,
        "host": machine.host,
        "clock_hz": machine.clock_hz,
        "reset_address": machine.reset_address,
        "clusters": machine.clusters,
        "memories": [
            {"name": item.name, "base": item.base, "size": item.size, "access": item.access, "doc": item.doc}
            for item in machine.memories
        ],
        "peripherals": [
            {
                "name": item.name,
                "base": item.base,
                "size": item.device.size,
                "interrupt": item.interrupt,
                "doc": item.doc,
                "registers": [_describe_register(register) for register in item.device.registers],
            }
            for item in machine.peripherals
        ],
    }


def _describe_register(register: Register) -> dict[str, Any]:
    from sdk.export.layout import text

    return {
        "name": register.name,
        "offsets": list(register.offsets()),
        "reset": register.reset,
        "doc": text(register.doc),
        "fields": [
            {
                "name": field.name,
                "low": field.low,
                "width": field.width,
                "access": register.field_access(field).value,
                "doc": text(field.doc),
                "values": {value.name: value.value for value in field.values or ()},
            }
            for field in register.layout.fields.values()
        ],
    }


def _list(console: Console, machines: list[MachineMap]) -> None:
    from rich.table import Table

    table = Table()
    for title in ("machine", "host", "clock", "clusters", "what"):
        table.add_column(title)
    for machine in machines:
        clock = f"{machine.clock_hz / 1e6:g} MHz"
        table.add_row(machine.name, machine.host, clock, str(machine.clusters), machine.title)
    console.print(table)
    console.print(f"imnpu machines {machines[0].name} shows its memory map, interrupts and registers")


def _show(console: Console, machine: MachineMap) -> None:
    from sdk.export.layout import blocks
    from sdk.export.manual import interrupt_text

    console.print(f"[bold]{machine.name}[/]: {machine.title}, {machine.clock_hz / 1e6:g} MHz")
    _memory_map(console, machine)
    console.print(interrupt_text(machine))
    for block in blocks(machine):
        _registers(console, block)


def _memory_map(console: Console, machine: MachineMap) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="memory map and interrupts", title_justify="left")
    for title in ("from", "to", "name", "access", "interrupt", "what"):
        table.add_column(title)
    rows = [(item.base, item.size, item.name, item.access, "", item.doc) for item in machine.memories]
    for item in machine.peripherals:
        interrupt = "" if item.interrupt is None else str(item.interrupt)
        rows.append((item.base, item.device.size, item.name, "registers", interrupt, item.doc))
        if item.also_at is not None:
            rows.append((item.also_at, item.device.size, item.name, "registers", interrupt, "The same registers."))
    for base, size, name, access, interrupt, doc in sorted(rows):
        table.add_row(f"0x{base:08x}", f"0x{base + size - 1:08x}", name, access, interrupt, escape(doc))
    console.print(table)


def _registers(console: Console, block: Block) -> None:
    from rich.markup import escape
    from rich.table import Table

    from sdk.export.layout import is_plain, text
    from sdk.export.manual import ACCESS, bits, field_text, register_access

    where = ", ".join(f"{item.name} 0x{item.base:08x}" for item in block.instances)
    table = Table(title=f"{block.name}: {where}", title_justify="left")
    for title in ("offset", "register", "bits", "access", "reset", "what"):
        table.add_column(title)
    for register in block.device.registers:
        name = f"{register.name}[{register.count}]" if register.count > 1 else register.name
        access, reset = register_access(register), f"0x{register.reset:08x}"
        table.add_row(
            f"0x{register.offset:03x}", f"[bold]{escape(name)}[/]", "", access, reset, escape(text(register.doc))
        )
        if is_plain(register):
            continue
        for field in register.layout.fields.values():
            kind = ACCESS[register.field_access(field)]
            table.add_row("", f"  {field.name}", bits(field), kind, "", escape(field_text(field)))
    console.print(table)
