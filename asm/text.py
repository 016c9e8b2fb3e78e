"""From an instruction to its text: one function for each class of `asm.isa`, the reverse of `asm.encode`."""

from __future__ import annotations

from collections.abc import Callable

from asm import isa, syntax
from asm.encode import encode, encode_loop
from asm.errors import Reporter, SourceError
from asm.parse import parse
from asm.resolve import Scope
from asm.rules import ElementFormat
from asm.state import ClusterState


class Words:
    """An instruction with its fields unpacked, and the labels that it may jump to by offset."""

    def __init__(self, instruction: isa.Instruction, labels: dict[int, str]) -> None:
        self.labels = labels
        self.immediate = instruction.immediate.unpack(instruction.immediate_word)
        self.payload = [
            layout.unpack(word) for layout, word in zip(instruction.payload, instruction.words, strict=True)
        ]

    def place(self, index: int, base: str) -> str:
        """The address in payload word ``index``, relative to the register in the immediate's field ``base``."""
        address, register = self.payload[index]["address"], self.immediate[base]
        if register == isa.ABSOLUTE:
            return f"at 0x{address:08x}"
        return f"at r{register} + 0x{address:x}" if address else f"at r{register}"

    def tensor(self, index: int, base: str) -> str:
        """The tensor in the words from ``index`` on."""
        fields = {name: value for word in self.payload[index : index + len(isa.TENSOR)] for name, value in word.items()}
        shape = f"{fields['height']}, {fields['width']}, {fields['channels']}"
        return (
            f"tensor({ElementFormat(fields['format']).name}[{shape}] {self.place(index, base)}, "
            f"line={fields['bytes']}, pixel={fields['bits']})"
        )


Printer = Callable[[Words], str]
PRINTERS: dict[type[isa.Instruction], Printer] = {}


def _prints(kind: type[isa.Instruction]) -> Callable[[Printer], Printer]:
    def register(printer: Printer) -> Printer:
        PRINTERS[kind] = printer
        return printer

    return register


def text(instruction: isa.Instruction, labels: dict[int, str]) -> str:
    """Text that encodes to ``instruction``, "" if there is none.

    The text is encoded again to make sure: it does not show every field.
    """
    if type(instruction) not in PRINTERS:
        return ""
    try:
        written = PRINTERS[type(instruction)](Words(instruction, labels))
        encoded = _encoded(written, instruction, labels)
    except (KeyError, ValueError, SourceError):
        return ""
    return written if encoded.encode() == instruction.encode() else ""


def _encoded(written: str, instruction: isa.Instruction, labels: dict[int, str]) -> isa.Instruction:
    scope = Scope(labels={name: offset for offset, name in labels.items()})
    reporter = Reporter("", [written])
    (statement,) = parse(reporter)
    if isinstance(statement, syntax.LoopOpen):
        end = instruction.words[isa.Loop.payload.index(isa.Offset)]
        return encode_loop(statement, end, scope).instruction
    assert isinstance(statement, syntax.Operation)
    return encode(statement, scope, ClusterState()).instruction


def _signed(number: int) -> int:
    """A 32-bit word as two's complement."""
    return number - (1 << 32) if number >> 31 else number


# ---- control


@_prints(isa.Nop)
def _nop(words: Words) -> str:
    return "nop"


@_prints(isa.Halt)
def _halt(words: Words) -> str:
    return "halt"


@_prints(isa.Interrupt)
def _interrupt(words: Words) -> str:
    return f"interrupt {words.immediate['code']}"


@_prints(isa.Jump)
def _jump(words: Words) -> str:
    return f"jump {words.labels[words.payload[0]['offset']]}"


@_prints(isa.JumpNZ)
def _jumpnz(words: Words) -> str:
    return f"jumpnz r{words.immediate['destination']}, {words.labels[words.payload[0]['offset']]}"


@_prints(isa.Loop)
def _loop(words: Words) -> str:
    if words.immediate["by_register"]:
        return f"loop r{words.immediate['register']} {{"
    return f"loop {words.payload[0]['count']} {{"


@_prints(isa.Set)
def _set(words: Words) -> str:
    return f"set r{words.immediate['destination']}, 0x{words.payload[0]['value']:x}"


@_prints(isa.Add)
def _add(words: Words) -> str:
    number = _signed(words.payload[0]["value"])
    return f"add r{words.immediate['destination']}, r{words.immediate['source']}, {number}"


@_prints(isa.Wait)
def _wait(words: Words) -> str:
    return f"wait {words.immediate['event']}"


@_prints(isa.Signal)
def _signal(words: Words) -> str:
    return f"signal {words.immediate['event']}, clusters=0x{words.immediate['clusters']:02x}"


# ---- set-up


@_prints(isa.SetTopology)
def _topology(words: Words) -> str:
    (fields,) = words.payload
    sizes = ", ".join(f"{name}={fields[name]}" for name in ("chain", "parallel", "stripes"))
    return f"topology {sizes}" + (", interleave" if fields["interleave"] else "")


@_prints(isa.SetMode)
def _mode(words: Words) -> str:
    return f"mode compute 0x{words.payload[0]['compute']:02x}"


@_prints(isa.SetKernel)
def _kernel(words: Words) -> str:
    shape, formats, padding = words.payload
    weights, features = ElementFormat(formats["weights"]), ElementFormat(formats["features"])
    sides = ", ".join(str(size) for size in padding.values())
    return (
        f"kernel {weights.name}[{shape['height']}, {shape['width']}, {formats['channels']}], "
        f"features={features.name}, stride=({shape['stride_y']}, {shape['stride_x']}), pad=({sides})"
    )


@_prints(isa.SetActivation)
def _activation(words: Words) -> str:
    control, _, low, high = words.payload
    flags = "".join(f", {name}" for name in ("bypass", "relu") if control[name])
    clamp = f"{_signed(low['value'])}..{_signed(high['value'])}"
    return f"activation {words.place(1, 'first')}{flags}, clamp={clamp}"


# ---- commands


@_prints(isa.Load)
def _load(words: Words) -> str:
    return f"load {words.place(0, 'first')}, count={words.payload[1]['kernels']}"


@_prints(isa.Conv)
def _conv(words: Words) -> str:
    return f"conv {words.tensor(len(isa.TENSOR), 'second')}, {words.tensor(0, 'first')}"


@_prints(isa.Copy)
def _copy(words: Words) -> str:
    size, *steps = words.payload[2:]
    loops = []
    for index in range(0, len(steps), 3):
        count, source, target = steps[index : index + 3]
        loops.append((count["count"], _signed(source["bytes"]), _signed(target["bytes"])))
    while loops and loops[-1] == (1, 0, 0):
        loops.pop()
    repeats = "".join(f", repeat=({count}, {source}, {target})" for count, source, target in loops)
    return f"copy {words.place(1, 'second')}, {words.place(0, 'first')}, bytes={size['bytes']}{repeats}"
