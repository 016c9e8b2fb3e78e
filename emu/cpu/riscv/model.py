"""The Unicorn instance behind an RV32IMC hart, made through Unicorn's public interface only."""

from __future__ import annotations

import struct

from unicorn import Uc, riscv_const, unicorn_const

ATOMIC = 1
"""misa's bit of the A extension."""
USER_MODE, SUPERVISOR_MODE = 0, 1
TRAP_VIRTUAL_MEMORY = 1 << 20
"""mstatus.TVM: sfence.vma traps in S-mode."""


class ModelError(Exception):
    """This version of Unicorn does not have the layout that the model relies on."""


def make_unicorn() -> Uc:
    """An RV32IMC core in U-mode.

    Unicorn's hart is never in M-mode: in U-mode every access to a control register and every privileged
    instruction traps, so that `riscv.hook` or `RiscV` carries them out and none of Unicorn's own ones, which know
    neither our clock nor our interrupts, is ever seen. The same holds in S-mode, which the core does not have, but
    for which Unicorn's TLB has entries of their own: with memory protection, firmware in M-mode executes there.
    Privilege modes of the firmware are `PrivilegedState.privilege`.

    Raises:
        ModelError: A cannot be switched off.
    """
    uc = Uc(unicorn_const.UC_ARCH_RISCV, unicorn_const.UC_MODE_RISCV32)
    uc.ctl_set_cpu_model(riscv_const.UC_CPU_RISCV32_SIFIVE_E31)
    _remove_atomics(uc)
    uc.reg_write(riscv_const.UC_RISCV_REG_MSTATUS, TRAP_VIRTUAL_MEMORY)
    uc.reg_write(riscv_const.UC_RISCV_REG_PRIV, USER_MODE)
    return uc


def _remove_atomics(uc: Uc) -> None:
    """Clear bit A of misa. A register write cannot; misa stands twice in a row (value, mask) in a saved context."""
    misa = uc.reg_read(riscv_const.UC_RISCV_REG_MISA)
    context = uc.context_save()
    content, *rest = context.__getstate__()
    old, new = struct.pack("<2I", misa, misa), struct.pack("<2I", misa & ~ATOMIC, misa & ~ATOMIC)
    if content.count(old) != 1:
        raise ModelError(f"misa 0x{misa:08x} was not found once in the saved context: use the pinned unicorn version")
    context.__setstate__((content.replace(old, new), *rest))
    uc.context_restore(context)
    if uc.reg_read(riscv_const.UC_RISCV_REG_MISA) & ATOMIC:
        raise ModelError("the A extension cannot be switched off: use the pinned unicorn version")
