"""Random scripts of actions that have to do with exceptions, for `programs/scenarios.c`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

END, LEAVE, STORE, LOAD, STORE_BYTE, LOAD_BYTE, SPECIAL, WRONG, CALL, RETURN, FRAME, STACK, BAD_STACK, EAGER = range(14)
"""Operations, as in the firmware."""
BASELINE_SPECIALS = ("primask", "psr", "mask", "unmask", "hints")
MAINLINE_SPECIALS = (*BASELINE_SPECIALS, "basepri", "basepri_max", "faultmask", "mask_faults", "unmask_faults")
BASELINE_WRONGS = (
    "store", "store_byte", "load", "load_byte", "undefined", "branch", "break_point", "wide", "load_multiple",
)  # fmt: skip
MAINLINE_WRONGS = (
    *BASELINE_WRONGS, "divide", "divide_signed", "coprocessor", "coprocessor_data", "load_pair", "store_pair",
    "load_user", "store_user", "load_exclusive", "store_exclusive", "clear_exclusive", "jump_indirect", "skipped",
    "call_in_block", "table_branch", "hyper",
)  # fmt: skip
FLOAT_WRONGS = (
    *MAINLINE_WRONGS, "set_floats", "add_floats", "set_rounding", "get_s0", "get_s15", "get_s16", "get_rounding",
)  # fmt: skip
"""What the firmware has in `specials` and `wrongs`."""
NOWHERE = 0x7000_0000
INTERRUPTS = 6
SHPR = (0xE000_ED18, 0xE000_ED1C, 0xE000_ED20)
PRIORITY_MASKS = {SHPR[0]: 0x00FF_FFFF}
BASELINE_PRIORITY_MASKS = {SHPR[2]: 0xFFFF_0000}
"""QEMU's M33 has the priority of SecureFault, and its M0 that of the debug monitor."""
MPU_RNR, CODE_V8 = 0xE000_ED98, 0x1000_0000
READ_ONLY, FULL_ACCESS = 3 << 1, 1 << 1
"""Access permissions of ARMv8-M's RBAR."""
LEAST_ACTIONS, MOST_ACTIONS = 20, 60


@dataclass(frozen=True)
class Core:
    """A board for scenarios.

    Attributes:
        machine: the board's name.
        architecture: 6, 7, 8: ARMv6-M and so on.
        floats: it has a floating-point unit.
        script, work: addresses of the script and of the memory that it knows.
        defines: of the firmware.
    """

    machine: str
    architecture: int = 7
    floats: bool = False
    script: int = 0x2001_0000
    work: int = 0x2000_F000
    defines: tuple[str, ...] = ("MEMORY=0x20000000", "MEMORY_SIZE=0x20000", "OUTPUT_SIZE=8192", "STACK_WORDS=2048")

    @property
    def specials(self) -> Sequence[str]:
        """What the firmware can do to special registers."""
        return BASELINE_SPECIALS if self.architecture == 6 else MAINLINE_SPECIALS

    @property
    def wrongs(self) -> Sequence[str]:
        """What the firmware can do wrong."""
        if self.architecture == 6:
            return BASELINE_WRONGS
        return FLOAT_WRONGS if self.floats else MAINLINE_WRONGS


CORES = {
    "m3": Core("mps2-an385"),
    "m4f": Core("mps2-an386", floats=True),
    "m7": Core("mps2-an500", floats=True),
    "m33": Core(
        "mps2-an505", 8, floats=True, script=0x3801_0000, work=0x3800_F000,
        defines=("MEMORY=0x38000000", "MEMORY_SIZE=0x20000", "OUTPUT_SIZE=8192", "STACK_WORDS=2048"),
    ),
    "m0": Core(
        "microbit", 6, script=0x2_0000, work=0x2000_3000,
        defines=("MEMORY=0x20000000", "MEMORY_SIZE=0x4000", "OUTPUT_SIZE=2048", "STACK_WORDS=1024"),
    ),
}  # fmt: skip

Action = tuple[int, int, int, int]
"""Operation, detail, first, second."""


class Writer:
    """Writes one scenario."""

    def __init__(self, core: Core, seed: str) -> None:
        self._core, self._random = core, Random(seed)
        self._actions: list[Action] = []
        self._protected = False

    def actions(self) -> list[Action]:
        """A whole scenario."""
        random = self._random
        self._add(EAGER, (random.random() < 0.2) + 2 * (random.random() < 0.04))
        self._begin()
        kinds = self._kinds()
        chosen = random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds], k=self._length())
        for write in chosen:
            write()
        self._add(END)
        return self._actions

    def _length(self) -> int:
        return self._random.randint(LEAST_ACTIONS, MOST_ACTIONS)

    def _add(self, operation: int, detail: int = 0, first: int = 0, second: int = 0) -> None:
        self._actions.append((operation, int(detail), first & 0xFFFF_FFFF, second & 0xFFFF_FFFF))

    def _store(self, address: int, value: int) -> None:
        self._add(STORE, 0, address, value)

    def _special(self, name: str, value: int = 0) -> None:
        self._add(SPECIAL, self._core.specials.index(name), value)

    def _wrong(self, name: str, first: int = 0, second: int = 0) -> None:
        self._add(WRONG, self._core.wrongs.index(name), first, second)

    @property
    def _mainline(self) -> bool:
        return self._core.architecture > 6

    def _begin(self) -> None:
        """Enable interrupts, give everything a priority."""
        random = self._random
        self._store(0xE000_E100, random.getrandbits(INTERRUPTS) | random.getrandbits(INTERRUPTS))
        for word in self._priority_words:
            self._set_priorities(word)
        if self._mainline and random.random() < 0.7:
            self._store(0xE000_ED24, random.choice((7, 7, 7, 1, 2, 4, 5, 6)) << 16)
        if self._core.floats and random.random() < 0.7:
            self._store(0xE000_ED88, 0xF << 20)
        if self._mainline and random.random() < 0.3:
            self._protect()

    def _protect(self) -> None:
        """Switch the MPU on: everything is allowed, with or without the MPU at negative priorities.

        Regions of ARMv8-M must not overlap: those of all memory leave out `_window`.
        """
        self._protected = True
        if self._core.architecture == 8:
            low, high = self._window
            self._store(0xE000_EDC0, 0x44)
            self._place(0, (CODE_V8, CODE_V8 + 0x10_0000), READ_ONLY)
            self._place(1, (low & -0x10_0000, low), FULL_ACCESS)
            self._place(2, (high, (low & -0x10_0000) + 0x10_0000), FULL_ACCESS)
        else:
            self._store(MPU_RNR, 0)
            self._store(0xE000_EDA0, 3 << 24 | 31 << 1 | 1)
        self._store(0xE000_ED94, self._random.choice((5, 7)))

    @property
    def _window(self) -> tuple[int, int]:
        """First address and end of the words whose protection changes."""
        return self._core.work + 0x200, self._core.work + 0x3E0

    def _place(self, number: int, bounds: tuple[int, int], permission: int, *, enabled: bool = True) -> None:
        """A region of ARMv8-M, by RNR or, in the group of four that RNR has chosen last, by its alias."""
        alias = 0
        if self._random.random() < 0.5:
            self._store(MPU_RNR, number & ~3)
            alias = 8 * (number & 3)
        else:
            self._store(MPU_RNR, number)
        self._store(0xE000_ED9C + alias, bounds[0] | permission)
        self._store(0xE000_EDA0 + alias, bounds[1] - 32 | enabled)

    @property
    def _priority_words(self) -> list[int]:
        """Addresses of priority registers."""
        return [*range(0xE000_E400, 0xE000_E400 + INTERRUPTS, 4), *(SHPR if self._mainline else SHPR[1:])]

    def _set_priorities(self, address: int) -> None:
        """Four priority bytes: few values, so that some are equal."""
        levels = (0x00, 0x40, 0x80, 0xC0) if self._random.random() < 0.5 else (0x20, 0x30, 0x40, 0x60, 0x70, 0xE0)
        masks = PRIORITY_MASKS if self._mainline else BASELINE_PRIORITY_MASKS
        priorities = sum(self._random.choice(levels) << 8 * lane for lane in range(4))
        self._store(address, priorities & masks.get(address, 0xFFFF_FFFF))

    def _kinds(self) -> list[tuple[Callable[[], None], int]]:
        """What to write, and how often."""
        kinds = [
            (self._leave, 30),
            (self._pend, 30),
            (self._clear_pending, 4),
            (self._enable, 6),
            (self._urgency, 6),
            (self._pend_system, 12),
            (self._call, 12),
            (self._mask, 12),
            (self._fault, 16),
            (self._stack, 6),
            (self._bad_stack, 4),
            (self._frame, 4),
            (self._flags, 3),
            (self._look, 4),
            (self._private, 3),
        ]
        if self._mainline:
            kinds += [
                (self._group, 3),
                (self._by_hand, 4),
                (self._configuration, 6),
                (self._clear_status, 4),
                (self._enable_faults, 4),
                (self._bad_return, 4),
                (self._exclusive, 6),
                (self._in_thread, 3),
                (self._block, 4),
                (self._move_vectors, 2),
            ]
            kinds += [(self._region, 6), (self._access, 10)]
        if self._core.floats:
            kinds += [(self._floats, 25), (self._float_settings, 6)]
        return kinds

    def _leave(self) -> None:
        self._add(LEAVE)

    def _some(self) -> int:
        """A set of a few interrupts."""
        bits = 0
        for _ in range(self._random.choice((1, 1, 2, 3))):
            bits |= 1 << self._random.randrange(INTERRUPTS)
        return bits

    def _pend(self) -> None:
        if self._mainline and self._random.random() < 0.2:
            self._store(0xE000_EF00, self._random.randrange(INTERRUPTS))
        else:
            self._store(0xE000_E200, self._some())

    def _clear_pending(self) -> None:
        self._store(0xE000_E280, self._some())

    def _enable(self) -> None:
        self._store(self._random.choice((0xE000_E100, 0xE000_E100, 0xE000_E180)), self._some())

    def _urgency(self) -> None:
        random = self._random
        if self._mainline and random.random() < 0.5:
            self._add(STORE_BYTE, 0, 0xE000_E400 + random.randrange(INTERRUPTS), random.randrange(256))
        else:
            self._set_priorities(random.choice(self._priority_words))

    def _pend_system(self) -> None:
        bits = (1 << 28, 1 << 28, 1 << 26, 1 << 26, 1 << 27, 1 << 25, 1 << 28 | 1 << 26, 1 << 31)
        self._store(0xE000_ED04, self._random.choice(bits))

    def _call(self) -> None:
        self._add(CALL, self._random.random() < 0.3, self._random.getrandbits(16), self._random.getrandbits(8))

    def _mask(self) -> None:
        random = self._random
        name = random.choice([name for name in self._core.specials if name not in ("psr", "hints", "faultmask")])
        if name in ("basepri", "basepri_max"):
            self._special(name, random.choice((0, 0, 0x20, 0x40, 0x55, 0x80, 0xC0, 0xFF, 0x08, 0x140)))
        elif name == "mask_faults":
            self._special(name)
            for write in random.choices((self._pend, self._pend_system, self._leave), k=2):
                write()
            self._special("unmask_faults")
        else:
            self._special(name, random.getrandbits(1))

    def _flags(self) -> None:
        self._special("psr", self._random.getrandbits(5) << 27 | self._random.getrandbits(27))
        self._special("hints")

    def _fault(self) -> None:
        random = self._random
        names = ["undefined", "wide", "branch", "load", "store", "load_byte", "store_byte", "load_multiple"]
        if self._mainline:
            names += ["divide", "divide_signed", "coprocessor", "coprocessor_data", "jump_indirect", "table_branch"]
            names += ["hyper", "load_user", "store_user", "load_pair", "store_pair", "skipped"]
        name = random.choice(names)
        address = NOWHERE + random.randrange(0, 0x1000, 4)
        if name in ("load_user", "store_user") and random.random() < 0.5:
            address = random.choice((0xE000_ED04, 0xE000_E200, self._core.work + 0x210))
        if name == "branch":
            address = self._target()
        if name == "jump_indirect":
            self._store(self._core.work + 0x204, self._target())
            address = self._core.work + 0x204
        if name in ("divide", "divide_signed"):
            self._wrong(name, random.getrandbits(32), random.getrandbits(32))
        else:
            self._wrong(name, address, random.choice((0, 4, 7)))

    def _target(self) -> int:
        """Where no code is, or an address without the Thumb bit.

        QEMU's M0 executes devices, and so do the others where the MPU allows it.
        """
        nowhere = NOWHERE + self._random.randrange(1, 0x1000, 4)
        devices = (0x4000_0001, 0xA000_0001, 0xE000_0001) if self._mainline and not self._protected else ()
        return self._random.choice((nowhere, nowhere, *devices, self._core.work + 0x200))

    def _stack(self) -> None:
        self._add(STACK, 0, self._random.choice((0, 0, 2, 2, 2, 1, 3)))

    def _bad_stack(self) -> None:
        random = self._random
        self._add(STACK, 0, 2)
        pointer = random.choice((NOWHERE, NOWHERE, NOWHERE + 4, self._core.work + 0x1F0, self._core.work + 0x1F4))
        self._add(BAD_STACK, random.getrandbits(1), pointer, self._some())

    def _frame(self) -> None:
        random = self._random
        kind = random.choice((0, 1, 1, 2) if self._mainline else (0, 1, 1))
        self._add(FRAME, kind, 0, {1: random.getrandbits(5), 2: random.choice((0, 3, 11, 17))}.get(kind, 0))
        operation, detail, _, first = self._actions.pop()
        self._add(operation, detail, first)
        if random.random() < 0.8:
            self._leave()

    def _look(self) -> None:
        places = [*self._priority_words, 0xE000_E180, 0xE000_E280]
        if self._mainline:
            places += [0xE000_ED08, 0xE000_ED0C]
        self._add(LOAD, 0, self._random.choice(places))

    def _private(self) -> None:
        """Lets the thread try what only privileged software may."""
        self._add(STACK, 0, self._random.choice((1, 3)))
        for write in self._random.choices((self._look, self._pend, self._mask, self._stack, self._fault), k=3):
            write()

    def _group(self) -> None:
        self._store(0xE000_ED0C, 0x05FA_0000 | self._random.randrange(8) << 8)

    def _by_hand(self) -> None:
        """Active and pending bits of SHCSR."""
        random = self._random
        enabled = random.randrange(8) << 16
        bits = random.choice((1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 7, 1 << 10, 1 << 11, 1 << 0, 1 << 1, 1 << 3))
        self._store(0xE000_ED24, enabled | bits)
        if random.random() < 0.6:
            self._store(0xE000_ED24, enabled)

    def _configuration(self) -> None:
        """CCR: NONBASETHRDENA, USERSETMPEND, DIV_0_TRP, STKALIGN, which QEMU does not force for floats."""
        bits = sum(bit for bit in (1, 2, 1 << 4, 1 << 9) if self._random.random() < 0.5)
        self._store(0xE000_ED14, bits | self._core.floats << 9)

    def _clear_status(self) -> None:
        self._store(self._random.choice((0xE000_ED28, 0xE000_ED2C)), 0xFFFF_FFFF)

    def _enable_faults(self) -> None:
        self._store(0xE000_ED24, self._random.randrange(8) << 16)

    def _bad_return(self) -> None:
        values = (0xFFFF_FFF3, 0xFFFF_FFF7, 0xFFFF_FFFB, 0xFFFF_FFFF, 0xFFFF_FFF1, 0xFFFF_FFF9)
        self._add(RETURN, 0, self._random.choice(values))
        self._leave()

    def _exclusive(self) -> None:
        random = self._random
        address = self._core.work + 0x200 + 4 * random.randrange(2)
        self._wrong("load_exclusive", address)
        for write in random.choices(
            (self._pend, self._call, self._leave, self._flags, self._fault), k=random.randrange(3)
        ):
            write()
        self._wrong("store_exclusive", address, random.getrandbits(8))

    def _in_thread(self) -> None:
        """A handler goes on in thread mode for a while."""
        self._store(0xE000_ED14, 1 << 9 | 1)
        self._add(CALL)
        self._add(FRAME, 3, 0xFFFF_FFF9)
        self._leave()

    def _block(self) -> None:
        number = self._random.getrandbits(8)
        self._wrong("call_in_block", number, number + self._random.getrandbits(1))

    def _move_vectors(self) -> None:
        base = CODE_V8 if self._core.architecture == 8 else 0
        self._store(0xE000_ED08, self._random.choice((base, self._core.work)))

    def _region(self) -> None:
        """A region of the MPU in the words that scripts know."""
        random = self._random
        if self._core.architecture == 8:
            low, high = self._window
            begin = random.randrange(low, high, 32)
            end = min(begin + 32 * random.choice((0, 1, 1, 2, 3, 5)), high)
            self._place(random.randrange(3, 9), (begin, end), random.randrange(8), enabled=random.random() < 0.9)
            return
        size = random.choice((4, 4, 5, 6, 7))
        place = self._core.work + 0x200 + random.randrange(0, 0x200, 2 << size)
        self._store(MPU_RNR, random.randrange(1, 4))
        self._store(0xE000_ED9C, place)
        self._store(0xE000_EDA0, random.choice((0, 1, 2, 3, 5, 6)) << 24 | size << 1 | (random.random() < 0.9))

    def _access(self) -> None:
        name = self._random.choice(("load", "store", "load_byte", "store_byte", "load_user", "store_user"))
        self._wrong(name, self._core.work + 0x200 + self._random.randrange(0, 0x1F0, 4), self._random.getrandbits(8))

    def _floats(self) -> None:
        random = self._random
        name = random.choice(("set_floats", "set_floats", "add_floats", "get_s0", "get_s15", "get_s16", "get_rounding"))
        if random.random() < 0.1:
            self._wrong("set_rounding", random.choice((0x0, 0x0100_0000, 0x0200_0000, 0xF000_0000, 0x00C0_0000)))
        else:
            self._wrong(name, 0x3F80_0000 + random.getrandbits(16), random.getrandbits(32))

    def _float_settings(self) -> None:
        """FPCCR, FPDSCR, CPACR, FPCAR."""
        address, values = self._random.choice(
            (
                (0xE000_EF34, (0xC000_0000, 0x8000_0000)),
                (0xE000_EF38, (NOWHERE, NOWHERE)),
                (0xE000_EF3C, (0, 0x0100_0000, 0x0300_0000)),
                (0xE000_ED88, (0, 0xF << 20, 0xF << 20, 0x5 << 20)),
            )
        )
        self._store(address, self._random.choice(values))
