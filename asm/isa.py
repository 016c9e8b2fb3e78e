"""The accelerator's instruction set: the only definition of it.

An instruction is a header word and a fixed number of payload words:

    31      24 23      16 15               0
    [ opcode ][ payload  ][ immediate       ]   header: `payload` counts the words that follow

Payload words have the layout of the cluster's registers, see `asm.parameters`. The sequencer executes an instruction
by writing them there and starting the command that the instruction names, so these layouts serve the assembler, the
disassembler, the sequencer and the cluster alike.

An address in a payload may be relative to one of the sequencer's 16 registers: the immediate then names
that register (`ABSOLUTE` means none), and the sequencer adds its value.

A program is a blob: `MAGIC`, `VERSION`, its length in bytes (header included), a reserved zero word, code.

*Inaccuracies*: the instruction set of the real chips is not public; this one is our own.
"""

from __future__ import annotations

from typing import ClassVar

from asm.bits import Field, Layout
from asm.parameters import (
    COPY_LOOPS,
    TENSOR,
    ActivationControl,
    Address,
    ClampHigh,
    ClampLow,
    CommandCode,
    CopyBytes,
    Count,
    DestinationStride,
    KernelFormat,
    KernelShape,
    LoadCount,
    OperandScale,
    Padding,
    Partition,
    Pooling,
    SourceStride,
    TileMode,
    Topology,
    WrapBytes,
)

MAGIC = 0x504E_4D49
"""`IMNP` in little-endian bytes."""
VERSION = 0x0001_0000
"""Major version in the upper half: a sequencer refuses another one. Minor in the lower half."""
HEADER_BYTES = 16
"""Bytes of the blob's header: magic, version, length, reserved."""
REGISTERS = 16
"""Registers of the sequencer, r0..r15; the host writes them as arguments."""
ABSOLUTE = 16
"""Base register number that means: the address is absolute."""
EVENTS = 32
"""Event flags of a cluster."""


class Header(Layout):
    """First word of every instruction."""

    opcode = Field(24, 8, "Which instruction.")
    payload = Field(16, 8, "Payload words that follow.")
    immediate = Field(0, 16, "Meaning depends on the instruction.")


class NoImmediate(Layout):
    """An unused immediate."""


class InterruptImmediate(Layout):
    """Immediate of `interrupt`."""

    code = Field(0, 8, "Number that the host reads from PROGRAM_CODE.")


class LoopImmediate(Layout):
    """Immediate of `loop`."""

    register = Field(0, 4, "Register that holds the count.")
    by_register = Field(4, 1, "1: the count comes from the register, 0: from the payload.")


class RegisterImmediate(Layout):
    """Immediate of `set`, `add`, `jumpnz`."""

    destination = Field(0, 4, "Register that is written (`jumpnz`: tested).")
    source = Field(4, 4, "Register that is read (`add`).")


class EventImmediate(Layout):
    """Immediate of `wait`, `signal` and `barrier`."""

    event = Field(0, 5, "Event flag, 0..31.")
    clusters = Field(8, 8, "`signal`: one bit a cluster that gets the event; `barrier`: that takes part.")


class BaseImmediate(Layout):
    """Immediate of instructions with addresses: base registers, `ABSOLUTE` for none."""

    first = Field(0, 5, "Base of the first address.")
    second = Field(5, 5, "Base of the second address.")
    third = Field(10, 5, "Base of the third address.")


class Offset(Layout):
    """A place in the program."""

    offset = Field(0, 32, "Bytes from the start of the blob.")


class Immediate32(Layout):
    """A 32-bit operand."""

    value = Field(0, 32, "Two's complement; may be an address.")


INSTRUCTIONS: dict[int, type[Instruction]] = {}
"""Every instruction by its opcode."""
MNEMONICS: dict[str, type[Instruction]] = {}
"""Every instruction by its name in the assembly language."""


class Instruction:
    """Base of all instructions; a subclass names opcode, immediate and payload, and documents itself.

    Attributes of a subclass:
        opcode: first byte of the header.
        immediate: layout of the header's lower half.
        payload: layouts of the words that follow.
        register: name of the cluster's first register that the payload is written to, "" for none;
            the words go to consecutive registers.
        command: what starts when the registers are written.
        addresses: indices of the payload words that are addresses, in the order of the base registers.

    An object of the class is one instruction with its words: ``immediate_word`` (16 bit) and ``words``.
    """

    mnemonic: ClassVar[str]
    opcode: ClassVar[int]
    immediate: ClassVar[type[Layout]] = NoImmediate
    payload: ClassVar[tuple[type[Layout], ...]] = ()
    register: ClassVar[str] = ""
    command: ClassVar[CommandCode | None] = None
    addresses: ClassVar[tuple[int, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.mnemonic = vars(cls).get("mnemonic", cls.__name__.lower())
        if cls.opcode in INSTRUCTIONS:
            raise ValueError(f"opcode 0x{cls.opcode:02x} is taken by {INSTRUCTIONS[cls.opcode].mnemonic}")
        INSTRUCTIONS[cls.opcode] = MNEMONICS[cls.mnemonic] = cls

    def __init__(self, immediate_word: int = 0, words: tuple[int, ...] = ()) -> None:
        if len(words) != len(self.payload):
            raise ValueError(f"{self.mnemonic} has {len(self.payload)} payload words, not {len(words)}")
        self.immediate_word, self.words = immediate_word, words

    @property
    def size(self) -> int:
        """Bytes of the whole instruction."""
        return 4 * (1 + len(self.payload))

    def encode(self) -> list[int]:
        """Header and payload as 32-bit words."""
        header = Header.pack(opcode=self.opcode, payload=len(self.payload), immediate=self.immediate_word)
        return [header, *self.words]


def instruction_class(header: int) -> type[Instruction]:
    """The class of the instruction that starts with the word ``header``.

    Raises:
        ValueError: unknown opcode, wrong number of payload words, or reserved immediate bits set.
    """
    fields = Header.unpack(header)
    kind = INSTRUCTIONS.get(fields["opcode"])
    if kind is None:
        raise ValueError(f"0x{fields['opcode']:02x} is not an opcode")
    if fields["payload"] != len(kind.payload):
        raise ValueError(f"{kind.mnemonic} has {len(kind.payload)} payload words, the header says {fields['payload']}")
    reserved = fields["immediate"] & ~kind.immediate.mask()
    if reserved:
        raise ValueError(f"{kind.mnemonic} has reserved bits set: 0x{reserved:04x}")
    return kind


# ---- control


class Nop(Instruction):
    """Does nothing for a cycle."""

    opcode = 0x00


class Halt(Instruction):
    """Ends the program and raises the *done* interrupt."""

    opcode = 0x01


class Interrupt(Instruction):
    """Raises the *program* interrupt with a code for the host, and goes on."""

    opcode = 0x02
    immediate = InterruptImmediate


class Jump(Instruction):
    """Goes on at a label."""

    opcode = 0x03
    payload = (Offset,)


class JumpNZ(Instruction):
    """Goes on at a label if a register is not 0."""

    opcode = 0x04
    immediate = RegisterImmediate
    payload = (Offset,)


class Loop(Instruction):
    """Repeats what follows, up to an end, a number of times (0 skips it). Loops nest four deep."""

    opcode = 0x05
    immediate = LoopImmediate
    payload = (Count, Offset)


class Set(Instruction):
    """Puts a constant or an address into a register."""

    opcode = 0x06
    immediate = RegisterImmediate
    payload = (Immediate32,)


class Add(Instruction):
    """Adds a constant to a register, into a register; wraps at 32 bits."""

    opcode = 0x07
    immediate = RegisterImmediate
    payload = (Immediate32,)


class Wait(Instruction):
    """Waits until an event flag is set, and clears it."""

    opcode = 0x08
    immediate = EventImmediate


class Signal(Instruction):
    """Sets an event flag in every cluster of a set."""

    opcode = 0x09
    immediate = EventImmediate


class Barrier(Instruction):
    """Waits until every cluster of a set has come to its `barrier` of the same set."""

    opcode = 0x0A
    immediate = EventImmediate


class KeepCounters(Instruction):
    """Writes the cluster's counters into memory, in the order of the driver library's `imnpu_counters`."""

    mnemonic = "counters"
    opcode = 0x0B
    immediate = BaseImmediate
    payload = (Address,)
    addresses = (0,)


# ---- set-up: the payload goes to registers


class SetTopology(Instruction):
    """Wires the tiles. Forgets which kernels are loaded."""

    mnemonic = "topology"
    opcode = 0x10
    payload = (Topology,)
    register = "TOPOLOGY"


class SetMode(Instruction):
    """Puts tiles into compute or memory mode."""

    mnemonic = "mode"
    opcode = 0x11
    payload = (TileMode,)
    register = "TILE_MODE"


class SetKernel(Instruction):
    """Says what the kernels look like and how they step over the input. Forgets which kernels are loaded."""

    mnemonic = "kernel"
    opcode = 0x12
    payload = (KernelShape, KernelFormat, Padding)
    register = "KERNEL_SHAPE"


class SetActivation(Instruction):
    """Says what happens to psums: a table of bias, multiplier, shift and offset per kernel, ReLU, clamp."""

    mnemonic = "activation"
    opcode = 0x13
    immediate = BaseImmediate
    payload = (ActivationControl, Address, ClampLow, ClampHigh)
    register = "ACTIVATION_CONTROL"
    addresses = (1,)


class SetPooling(Instruction):
    """Says how results are pooled; stays until it is set again."""

    mnemonic = "pool"
    opcode = 0x14
    payload = (Pooling,)
    register = "POOLING"


class SetPartition(Instruction):
    """Says which part of a result the following convolutions make; stays until it is set again."""

    mnemonic = "partition"
    opcode = 0x15
    payload = (Partition,)
    register = "PARTITION"


class SetLookup(Instruction):
    """Says where the 256 bytes of the activation's look-up table are."""

    mnemonic = "lookup"
    opcode = 0x16
    immediate = BaseImmediate
    payload = (Address,)
    register = "LOOKUP_TABLE"
    addresses = (0,)


class SetWrap(Instruction):
    """Makes source or destination of the following copies a circular buffer; stays until it is set again."""

    mnemonic = "wrap"
    opcode = 0x17
    payload = (WrapBytes, WrapBytes)
    register = "COPY_SOURCE_WRAP"


class SetScale(Instruction):
    """Says by what `sum` multiplies its inputs; stays until it is set again."""

    mnemonic = "scale"
    opcode = 0x18
    payload = (OperandScale,)
    register = "OPERAND_SCALE"


# ---- commands: the payload goes to registers, then a command starts


class Load(Instruction):
    """Loads kernels into the tiles, the same ones into every stripe."""

    opcode = 0x20
    immediate = BaseImmediate
    payload = (Address, LoadCount)
    register = "LOAD_ADDRESS"
    command = CommandCode.load
    addresses = (0,)


class Conv(Instruction):
    """Convolves an input tensor with the loaded kernels, through the activation, into an output tensor."""

    opcode = 0x21
    immediate = BaseImmediate
    payload = (*TENSOR, *TENSOR)
    register = "INPUT_ADDRESS"
    command = CommandCode.convolve
    addresses = (0, len(TENSOR))


class Copy(Instruction):
    """Copies memory to memory with four nested loops."""

    opcode = 0x22
    immediate = BaseImmediate
    payload = (Address, Address, CopyBytes, *((Count, SourceStride, DestinationStride) * COPY_LOOPS))
    register = "COPY_SOURCE"
    command = CommandCode.copy
    addresses = (0, 1)


class Fill(Instruction):
    """Fills memory with a byte, with the loops of a copy: halos and padding."""

    opcode = 0x23
    immediate = BaseImmediate
    payload = (Immediate32, Address, CopyBytes, *((Count, SourceStride, DestinationStride) * COPY_LOOPS))
    register = "COPY_SOURCE"
    command = CommandCode.fill
    addresses = (1,)


class Accumulate(Instruction):
    """Like `conv`, with psums that start from a third tensor (s32 packed, psum64 unpacked) instead of 0."""

    opcode = 0x24
    immediate = BaseImmediate
    payload = (*TENSOR, *TENSOR, *TENSOR)
    register = "INPUT_ADDRESS"
    command = CommandCode.accumulate
    addresses = (0, len(TENSOR), 2 * len(TENSOR))


class Sum(Instruction):
    """Adds two tensors, element by element, through activation and pooling into an output tensor."""

    opcode = 0x25
    immediate = BaseImmediate
    payload = (*TENSOR, *TENSOR, *TENSOR)
    register = "INPUT_ADDRESS"
    command = CommandCode.sum
    addresses = (0, len(TENSOR), 2 * len(TENSOR))


class Product(Instruction):
    """Multiplies two tensors, element by element, through activation and pooling into an output tensor."""

    opcode = 0x26
    immediate = BaseImmediate
    payload = (*TENSOR, *TENSOR, *TENSOR)
    register = "INPUT_ADDRESS"
    command = CommandCode.product
    addresses = (0, len(TENSOR), 2 * len(TENSOR))
