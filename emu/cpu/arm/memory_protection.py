"""Keeps what the engine allows to a Cortex-M's code up to date, and checks what the core itself accesses."""

from __future__ import annotations

from emu.cpu.arm.memory_map import DEFAULT_MAP, ProtectionRule
from emu.cpu.arm.nvic import Nvic
from emu.cpu.arm.registers import ArmRegisters
from emu.cpu.arm.system_control import SystemControl
from emu.cpu.engine import Engine
from emu.cpu.halt import ACCESS_WORD
from emu.cpu.hook_state import PAGE_BITS, Right
from emu.cpu.protection import Protection

PAGE = 1 << PAGE_BITS
KEPT = 256
"""Protections that are kept: an operating system switches between few sets of regions."""


class ProtectionError(Exception):
    """The MPU refuses an access of the core itself; the text says which rule."""


class MemoryProtection:
    """Chooses between the rights of privileged and unprivileged code, with the MPU and without.

    Attributes:
        enabled: the MPU works: `follow` must be called when privilege or priority may have changed.
        stale: `refresh` must be called before the next run.
        levels: what the MPU allows to privileged (True) and unprivileged software, empty while it does not work.
        always: that counts at negative priority, too.
    """

    def __init__(self, engine: Engine, registers: ArmRegisters, nvic: Nvic, control: SystemControl) -> None:
        self._engine, self._registers, self._nvic, self._control = engine, registers, nvic, control
        self._regions = engine.bus.regions
        self._default = self._make_default()
        self._kept: dict[tuple[ProtectionRule, bool], Protection] = {}
        self.levels: dict[bool, Protection] = {}
        self.always = False
        self.enabled, self.stale = False, True

    def _make_default(self) -> Protection | None:
        """The default memory map, None if no memory lies where it forbids to execute."""
        default = Protection(DEFAULT_MAP, self._regions, PAGE)
        for memory in self._engine.bus.memories:
            span = default.span_at(memory.base)
            if memory.executable and not (span.rights & Right.EXECUTE and memory.base + memory.size <= span.high):
                return default
        return None

    def refresh(self) -> None:
        """The registers of the MPU have changed."""
        rule = self._control.protection
        self.enabled, self.stale = rule is not None, False
        self.levels = {}
        if rule is not None:
            self.levels = {level: self._made(rule, level) for level in (True, False)}
            self.always = rule.always
        self._choose()
        self._engine.know(*self.levels.values())

    def follow(self) -> None:
        """Privilege or priority of what runs may have changed."""
        if self.enabled:
            self._choose()

    def _choose(self) -> None:
        protection = self.of(privileged=self._registers.privileged)
        self._engine.protect(protection, protection)

    def of(self, *, privileged: bool) -> Protection | None:
        """What software on a level may do now, None: everything."""
        if not self.enabled:
            return self._default
        if not self.always and self._nvic.execution_priority(*self._registers.masks()) < 0:
            return self._default
        return self.levels[privileged]

    def _made(self, rule: ProtectionRule, privileged: bool) -> Protection:
        key = rule, privileged
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = Protection(rule.spans(privileged), self._regions, PAGE)
        return self._kept[key]

    def refused(self, address: int, count: int, access: Right, *, privileged: bool) -> int | None:
        """The first of these bytes that must not be accessed, None if all may be."""
        protection, end = self.of(privileged=privileged), address + count
        while protection is not None and address < end:
            span = protection.span_at(address)
            if not span.rights & access:
                return address
            address = span.high
        return None

    def rule_at(self, address: int, access: Right, *, privileged: bool) -> str:
        """What refuses an access, for people."""
        protection = self.of(privileged=privileged)
        assert protection is not None, "something refuses the access"
        return f"{ACCESS_WORD[access]} at 0x{address:08x}: {protection.span_at(address).rule}"

    def check(self, address: int, count: int, access: Right, *, privileged: bool) -> None:
        """Raise `ProtectionError` if not all bytes may be accessed."""
        refused = self.refused(address, count, access, privileged=privileged) if self.enabled else None
        if refused is not None:
            raise ProtectionError(self.rule_at(refused, access, privileged=privileged))
