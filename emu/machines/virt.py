"""`virt`: an RV32IMC board with the addresses of the generic RISC-V machine that emulators share.

*Inaccuracies*: one hart, M- and U-mode, no F or D extension and no S-mode, of which only satp is there: it stays 0, so
that firmware for bigger harts can switch off the address translation that is not there. The PLIC has sources 1..31 and
one context; of the other devices only those listed exist: no flash, no virtio, no PCIe, no real-time clock. No device
tree is passed: a0 and a1 are 0 at reset. One instruction a nanosecond.
"""

from __future__ import annotations

from emu.devices.clint import Clint
from emu.devices.ns16550 import Ns16550
from emu.devices.plic import Plic
from emu.devices.test_finisher import TestFinisher
from emu.machine import MachineMap, MemoryRegion, Peripheral

MIB = 1 << 20
CLOCK_HZ = 1_000_000_000
RAM = 0x8000_0000
UART_SOURCE = 10


def machine_map(name: str) -> MachineMap:
    """The map of ``virt``."""
    return MachineMap(
        name=name,
        title="generic RISC-V board",
        host="rv32imc",
        host_options={"atomics": True, "satp": True},
        clock_hz=CLOCK_HZ,
        reset_address=RAM,
        memories=(MemoryRegion("ram", RAM, 128 * MIB, "rwx", "Everything; the host starts here."),),
        peripherals=(
            Peripheral("finisher", 0x0010_0000, TestFinisher, "Ends the run with an exit code."),
            Peripheral("clint", 0x0200_0000, Clint, "Timer and software interrupt of the hart."),
            Peripheral("plic", 0x0C00_0000, Plic, "Interrupt controller; its source n + 1 is interrupt n."),
            Peripheral(
                "uart0", 0x1000_0000, Ns16550, f"Serial port: PLIC source {UART_SOURCE}.", interrupt=UART_SOURCE - 1
            ),
        ),
        clusters=0,
        doc=(__doc__ or "").strip(),
    )
