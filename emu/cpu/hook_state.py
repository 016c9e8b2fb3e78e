"""Layout of the array that the engine's Python side and its native hooks share.

One array of 64-bit integers a core. A slot holds a number, a flag or the address of something. The hooks get
the array's address as their user data, so that they are compiled once and embed no address.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

from emu.cpu import encoding


class Slot(IntEnum):
    """What is where in the array."""

    CLOCK = 0
    """Address of `emu.clock.Clock.state`."""
    INSTRUCTIONS = 1
    """Instructions retired since reset; a block is counted when it starts."""
    BLOCK_PC = 2
    """The block that executes or executed last: its address,"""
    BLOCK_SIZE = 3
    """its size in bytes (0: none since the last stop),"""
    BLOCK_COUNT = 4
    """and its number of instructions."""
    REQUEST = 5
    """A `Request`, read at every block."""
    STOPPED = 6
    """A `Stopped`: why the block hook stopped."""
    TRAP = 7
    """Number that Unicorn's interrupt hook got, `NO_TRAP` if none."""
    FAULT_ACCESS = 8
    """`Right` that was missing for a memory access, 0 if there was no fault."""
    FAULT_ADDRESS = 9
    """Address of that access."""
    TABLE = 10
    """Address of the block table: ``TABLE_ENTRIES`` pairs of words, see `block_hook`."""
    REGIONS = 11
    """Address of (base, size, host address) triples of the memories that code may lie in."""
    REGION_COUNT = 12
    """How many triples."""
    PAGES = 13
    """Address of the rights of every `PAGE` of the 4 GiB address space: one byte of `Right` each."""
    STOP_FUNCTION = 14
    """Address of uc_emu_stop."""
    READ_FUNCTION = 15
    """Address of uc_reg_read."""
    WRITE_FUNCTION = 16
    """Address of uc_reg_write."""
    IT_REGISTER = 17
    """Unicorn's number of the register with Thumb's IT bits, 0 if there is none."""
    SCRATCH = 18
    """Room for one register value."""
    SITES = 19
    """Kinds of instruction (`Site`) before whose block the hook stops."""
    HOLE = 20
    """Where illegal accesses are mapped to, so that Unicorn reports them: the first address,"""
    HOLE_SIZE = 21
    """and the number of bytes, a power of two."""
    ILLEGAL_PAGE = 22
    """The bits of the newest illegal address that `HOLE_SIZE` does not keep."""
    RARE_FUNCTION = 23
    """Address of the block hook's part for everything but counting a known block."""
    CODE_MASK = 24
    """Address of `Protection.pages` for instruction fetches, 0: all is allowed,"""
    CODE_SPANS = 25
    """address of its `Protection.code`,"""
    CODE_SPAN_COUNT = 26
    """and how many pairs that has."""
    DATA_MASK = 27
    """Address of `Protection.pages` for loads and stores, 0: all is allowed,"""
    PARTS = 28
    """address of the first addresses of its part pages,"""
    PART_COUNT = 29
    """and how many there are."""
    WINDOW = 30
    """Where part pages are mapped to, one after the other in the order of `PARTS`, so that loads and stores are checked
    one by one: the first address,"""
    WINDOW_PAGE = 31
    """and bytes of such a page."""
    PROMOTIONS = 32
    """How often a page became `Right.EXECUTE` that was `Right.MAY_EXECUTE`."""
    WATCH_COUNT = 33
    """How many registers `Request.WATCH` compares, at most `WATCHED`."""
    REST = 34
    """Cycles of the block that was not begun, because the deadline of an exact clock is inside it."""
    COSTS = 35
    """Address of the table of `emu.cpu.timing.lookup`; 0: every instruction takes one cycle."""
    NEXT = 36
    """Address behind the newest block, `NOWHERE` if the CPU cannot go on there without a jump."""
    TAKEN = 37
    """Cycles that are added if the CPU does not go on at `NEXT`."""
    PASSES = 38
    """How often the same block that may repeat has begun without another one in between,"""
    POLL_TIME = 39
    """when it began last, if it may poll,"""
    UNSTEADY = 40
    """and whether since then a device was read that may give something else the next time."""
    WALK = 41
    """Address of the array of `emu.cpu.copying.walk`."""
    MOVES_FUNCTION = 42
    """Address of what carries out rounds of a block that copies or fills memory."""
    OBSERVED = 43
    """Not 0 while loads and stores are watched: all are made one by one."""
    WATCH = 44
    """Their (Unicorn number, remembered value) pairs."""
    EXCEPTIONS = WATCH + 2 * 3
    """Address of what Cortex-M exceptions need, see `emu.cpu.arm.exception_state`."""
    FEATURES = EXCEPTIONS + 1
    """Address of Unicorn's word with `MAIN_EXTENSION`, 0: it is not used; see `emu.cpu.arm.alignment`."""
    UNCHECKED = FEATURES + 1
    """Address of a block that was translated while the bit was set; else `NOWHERE`."""
    TAKE_FUNCTION = UNCHECKED + 1
    """Address of `exception_hook.take_pending` or `riscv.hook.take`."""
    HART = TAKE_FUNCTION + 1
    """Address of the privileged state of an RV32 hart, see `emu.cpu.riscv.state`."""
    TRAP_FUNCTION = HART + 1
    """Address of the UC_HOOK_INTR callback for what the native one leaves over."""
    CONTROL_FUNCTION = TRAP_FUNCTION + 1
    """Address of uc_ctl."""
    WRITE_BATCH_FUNCTION = CONTROL_FUNCTION + 1
    """Address of uc_reg_write_batch, and for it: a register's number"""
    BATCH_NUMBER = WRITE_BATCH_FUNCTION + 1
    BATCH_PLACE = BATCH_NUMBER + 1
    """and the address of its value."""


WATCHED = 3
SLOTS = Slot.BATCH_PLACE + 1
NO_TRAP = -1
NOWHERE = -1
TABLE_ENTRIES = 1 << 16
TAG_MASK, FLAG_SHIFT = (1 << 43) - 1, 43
"""Of an entry of the block table: address and size << 31 of the block, both even; the first bit of its `Site`s."""
PAGE_BITS = 10
"""Unicorn's smallest page is 1 KiB (Arm)."""
PAGES_OF_MEMORY = 4
"""Pages in one of `emu.memory.PAGE` bytes, which is RV32's page in Unicorn: they have the same rights."""
IT_BITS, THUMB_BIT = 0x0600_FC00, 0x0100_0000
"""Bits of Arm's EPSR."""
HOLE = 1 << 32
"""Arm has room above the 4 GiB for a hole of 4 GiB."""
WINDOW = 1 << 33
"""And for the window of the part pages."""
WINDOW_PAGES = 64
"""Part pages that a `Protection` may have."""
NARROW_HOLE, NARROW_HOLE_SIZE = 0xFFFF_F000, 0x1000
"""RV32's physical addresses have 32 bits in Unicorn: one page must do, and nothing may be mapped there."""


class Request(IntFlag):
    """What the block hook shall do besides counting."""

    NONE = 0
    STOP = 1
    STEP = 2
    """Let one block pass, then stop."""
    WATCH = 4
    """Stop when a watched register has changed: an interrupt is pending and firmware may unmask it."""
    CHECK = 8
    """Take a pending exception of a Cortex-M, or interrupt of an RV32 hart, as soon as it preempts what runs."""
    ALIGN = 16
    """Check alignment again: the block before had `Site.MASKS`."""


class Stopped(IntEnum):
    """Why the block hook stopped."""

    NO = 0
    DEADLINE = 1
    REQUEST = 2
    SITE = 3
    WATCH = 4
    FETCH = 5
    EXCEPTION = 6


REPEATS = 1 << 10
"""Flag in the block table, besides those of `Site`: rounds of the block may be skipped, see `emu.cpu.skipping`."""
MAIN_EXTENSION = 1 << 38
"""Bit of Unicorn's features of a core: without it, unaligned accesses are translated so that they trap."""
PASSES_BEFORE_SKIPPING = 2
"""Rounds that are executed before others are skipped: the first may have come from elsewhere, at other cost."""


class Right(IntFlag):
    """What may be done with a page; READ, WRITE, EXECUTE are Unicorn's numbers."""

    READ = 1
    WRITE = 2
    EXECUTE = 4
    MAY_EXECUTE = 8
    """Writable page that nothing was fetched from yet: without EXECUTE, stores stay on Unicorn's fast path."""
    PART = 16
    """Only in `Protection.pages`: some bytes of the page have other rights than others."""


class Site(IntFlag):
    """Kinds of instruction that Unicorn executes or ignores, but that must trap in some states of the core."""

    FLOATING_POINT = encoding.FLOATING_POINT
    DIVIDE = encoding.DIVIDE
    ATTENTION = encoding.ATTENTION
    """SEV, and loads and stores with the rights of unprivileged code: always looked at."""
    LOAD_EXCLUSIVE = encoding.LOAD_EXCLUSIVE
    """An exception has cleared the exclusive monitor: this sets it again, so that both sites are removed;"""
    STORE_EXCLUSIVE = encoding.STORE_EXCLUSIVE
    """and this fails, if no LOAD_EXCLUSIVE comes first."""
    STACK_LIMIT = encoding.STACK_LIMIT
    """MSR MSPLIM and PSPLIM, and of their Non-secure aliases."""
    CHANGE_STATE = encoding.CHANGE_STATE
    """BXNS and BLXNS."""
    NOT_BASELINE = encoding.NOT_BASELINE
    """CBZ, CBNZ and IT, which ARMv6-M does not have."""
    MASKS = encoding.MASKS
    """Writes of BASEPRI, FAULTMASK and CONTROL, which end their blocks; see `emu.cpu.arm.alignment`."""
    LEVEL = encoding.LEVEL
    """Those of FAULTMASK and CONTROL: other rights may apply behind them."""
    USER_COUNTER = encoding.USER_COUNTER
    IGNORED = encoding.IGNORED


EXCLUSIVE = Site.LOAD_EXCLUSIVE | Site.STORE_EXCLUSIVE
"""The two sites while the exclusive monitor is clear."""
