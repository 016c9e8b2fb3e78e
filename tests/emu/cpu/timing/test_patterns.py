"""Which row fits which instruction: capstone decodes, and says by mnemonic and operands what the row must have said."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import capstone
import pytest

from emu.cpu.encoding import thumb_word
from emu.cpu.timing.costs import CORE, find_model
from emu.cpu.timing.lookup import CYCLES_MASK, TAKEN_SHIFT, instruction_costs
from emu.cpu.timing.model import FlashTiming

WIDE_SAMPLES = 20_000
CONDITIONS = "eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"
REGISTER = r"(?:r\d+|sp|lr|pc|ip|fp|sb|sl)"
NOT_OF_ARMV7M = re.compile(
    r"bl?xns|tta?t?|lda.*|stl.*|v(?!push|pop).*|[fm].*|mrs?eq|msreq|.*(?<!f32)(?<!f64)\.(f|i|s|u)?(8|16)"
)
NOT_OF_THE_M0 = re.compile(r"cbn?z|.*\.w|it.*")


def registers_in(operands: str) -> list[str]:
    return re.findall(r"\w+", operands[operands.index("{") :])


def by_manual(host: str, mnemonic: str, operands: str) -> tuple[int, int]:
    """Cycles if no jump is taken, and if one is, by the tables of the Cortex-M0 and M3."""
    small = host == "cortex-m0"
    name = mnemonic.partition(".")[0]
    if re.fullmatch(f"b({CONDITIONS})?", name):
        return (1, 3) if small else (1, 2)
    if name in ("bx", "blx") or (name in ("mov", "add") and operands.startswith("pc,")):
        return (1, 3) if small else (1, 4)
    if name in ("ldm", "ldmdb", "pop", "push", "stm", "stmdb"):
        loaded = registers_in(operands)
        if "pc" in loaded:
            return (1, 4 + len(loaded))
        return (1 + len(loaded),) * 2
    if re.fullmatch(r"(ldr|str)(b|h|sb|sh|d|ex|exb|exh)?t?", name):
        return by_manual_in_memory(small, name, operands)
    if small:
        fixed = {"bl": (1, 4), "mrs": 4, "msr": 4, "isb": 4, "dsb": 4, "dmb": 4, "wfi": 2, "wfe": 2}
    else:
        fixed = {"bl": (1, 2), "cbz": (1, 2), "cbnz": (1, 2), "tbb": (1, 6), "tbh": (1, 6), "mrs": 2, "msr": 2}
        fixed |= {"isb": 2, "cpsie": 2, "cpsid": 2, "mla": 2, "mls": 2, "umull": 5, "smull": 5, "umlal": 7, "smlal": 7}
        fixed |= {"sdiv": 12, "udiv": 12}
    cycles = fixed.get(name, 1)
    return cycles if isinstance(cycles, tuple) else (cycles, cycles)


def by_manual_in_memory(small: bool, name: str, operands: str) -> tuple[int, int]:
    """The same of single loads and stores."""
    if name in ("ldrd", "strd"):
        return 3, 3
    if operands.startswith("pc,"):
        return 1, 5
    with_register = re.search(rf"\[\w+, {REGISTER}", operands) is not None
    if name.startswith("ldr") or "ex" in name or small or with_register:
        return 2, 2
    return 1, 1


def codes() -> Iterator[bytes]:
    """All narrow instructions, and some wide ones."""
    for half in range(0xE800):
        yield half.to_bytes(2, "little")
    generator = random.Random(7)
    for _ in range(WIDE_SAMPLES):
        yield generator.randrange(0xE800, 0x1_0000).to_bytes(2, "little") + generator.randbytes(2)


def unpredictable(name: str, operands: str) -> bool:
    """Whether the PC is used by what must not use it."""
    return operands.startswith("pc,") and name not in ("mov", "add", "ldr", "ldr.w")


@pytest.mark.parametrize("host", ["cortex-m0", "cortex-m3"])
def test_rows_fit_the_instructions_that_they_name(host: str) -> None:
    table = find_model(host, CORE).table(FlashTiming(), 0, 0).tolist()
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    wrong, checked = [], 0
    for code in codes():
        found = next(decoder.disasm(code, 0x1000), None)
        if found is None or found.size != len(code) or NOT_OF_ARMV7M.fullmatch(found.mnemonic):
            continue
        name, operands = found.mnemonic, found.op_str
        if unpredictable(name, operands):
            continue
        if host == "cortex-m0" and (NOT_OF_THE_M0.fullmatch(name) or (len(code) == 4 and name != "bl")):
            continue
        packed = instruction_costs(table, 0x1000, len(code), thumb_word(*code.ljust(4, b"\0")), 0)
        cycles = packed & CYCLES_MASK
        checked += 1
        if (cycles, cycles + (packed >> TAKEN_SHIFT)) != by_manual(host, name, operands):
            wrong.append(f"{code.hex()} {name} {operands}: {cycles}, {cycles + (packed >> TAKEN_SHIFT)}")
    assert checked > 50_000
    assert not wrong[:20]
