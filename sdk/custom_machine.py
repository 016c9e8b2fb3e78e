"""Machines that users describe in a Python file of their own."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

from emu.machines import MAX_CLUSTERS, TIMINGS, UnknownMachineError, machine_map

if TYPE_CHECKING:
    from emu.machine import MachineMap

VARIABLE = "MACHINE"


def find_machine(name: str, clusters: int = MAX_CLUSTERS, timing: str = TIMINGS[0]) -> MachineMap:
    """The machine of a name, or the one that a Python file describes if the name ends with ``.py``.

    ``clusters`` and ``timing`` are for machines by name; a file says itself what its machine has.

    Raises:
        UnknownMachineError: there is no such machine, or the file does not describe one.
    """
    return load_machine(Path(name)) if name.endswith(".py") else machine_map(name, clusters, timing)


def load_machine(path: Path) -> MachineMap:
    """Execute a Python file, and give the `MachineMap` that it calls MACHINE.

    Raises:
        UnknownMachineError: the file cannot be read or executed, has no such variable, or the map makes no machine.
    """
    from emu.devices.serial_port import SerialPort
    from emu.machine import Machine, MachineMap

    try:
        variables = runpy.run_path(str(path))
    except OSError as error:
        raise UnknownMachineError(f"{path}: cannot be read: {error.strerror}") from None
    except Exception as error:  # the file is a program: it raises whatever it raises
        raise UnknownMachineError(f"{path}: {type(error).__name__}: {error}") from error
    found = variables.get(VARIABLE)
    if not isinstance(found, MachineMap):
        what = f"is a {type(found).__name__}" if VARIABLE in variables else "is missing"
        raise UnknownMachineError(f"{path}: {VARIABLE} {what}: it must be an emu.machine.MachineMap")
    try:
        machine = Machine(found)
    except Exception as error:  # its devices are programs, too
        raise UnknownMachineError(f"{path}: {VARIABLE} makes no machine: {type(error).__name__}: {error}") from error
    if not isinstance(machine.devices.get("uart0"), SerialPort):
        raise UnknownMachineError(f"{path}: {VARIABLE} needs a peripheral uart0 that is a serial port")
    return found
