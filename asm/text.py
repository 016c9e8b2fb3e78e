"""From an instruction to its text: one function for each class of `asm.isa`, the reverse of `asm.encode`."""

from __future__ import annotations

from collections.abc import Callable

from asm import isa, parameters, syntax
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
        fields = {
            name: value for word in self.payload[index : index + len(parameters.TENSOR)] for name, value in word.items()
        }
        shape = f"{fields['height']}, {fields['width']}, {fields['channels']}"
        compressed = " compressed" if fields["compressed"] else ""
        return (
            f"tensor({ElementFormat(fields['format']).name}[{shape}]{compressed} {self.place(index, base)}, "
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
    if not isinstance(statement, syntax.Operation):
        raise ValueError(f"{written} is no instruction")
    return encode(statement, scope, ClusterState()).instruction


def _signed(number: int, bits: int = 32) -> int:
    """A word of so many bits as two's complement."""
    return number - (1 << bits) if number >> (bits - 1) else number


def _flags(fields: dict[str, int], *names: str) -> str:
    """The names of the fields that are set, as operands."""
    return "".join(f", {name}" for name in names if fields[name])


def _clusters(fields: dict[str, int]) -> str:
    """The set of clusters as an operand, nothing if it is empty."""
    return f", clusters=0x{fields['clusters']:02x}" if fields["clusters"] else ""


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


@_prints(isa.Barrier)
def _barrier(words: Words) -> str:
    return f"barrier {words.immediate['event']}, clusters=0x{words.immediate['clusters']:02x}"


@_prints(isa.KeepCounters)
def _counters(words: Words) -> str:
    return f"counters {words.place(0, 'first')}"


# ---- set-up


@_prints(isa.SetTopology)
def _topology(words: Words) -> str:
    (fields,) = words.payload
    sizes = ", ".join(f"{name}={fields[name]}" for name in ("chain", "parallel", "stripes"))
    return f"topology {sizes}{_flags(fields, 'interleave')}"


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
        f"{_flags(formats, 'depthwise', 'sparse')}"
    )


@_prints(isa.SetActivation)
def _activation(words: Words) -> str:
    control, _, low, high = words.payload
    clamp = f"{_signed(low['value'])}..{_signed(high['value'])}"
    return f"activation {words.place(1, 'first')}{_flags(control, *control)}, clamp={clamp}"


@_prints(isa.SetLookup)
def _lookup(words: Words) -> str:
    return f"lookup {words.place(0, 'first')}"


@_prints(isa.SetPooling)
def _pool(words: Words) -> str:
    (fields,) = words.payload
    mode = parameters.PoolingMode(fields["mode"])
    if mode is parameters.PoolingMode.none:
        return "pool none"
    window = f"{fields['height']}x{fields['width']}"
    return f"pool {mode.name} {window}, stride=({fields['stride_y']}, {fields['stride_x']})"


@_prints(isa.SetPartition)
def _partition(words: Words) -> str:
    (fields,) = words.payload
    if not any(fields.values()):
        return "partition none"
    return f"partition first={fields['first_row']}{_flags(fields, 'unshared')}{_clusters(fields)}"


@_prints(isa.SetWrap)
def _wrap(words: Words) -> str:
    source, destination = (word["bytes"] for word in words.payload)
    return f"wrap source={source}, destination={destination}" if source or destination else "wrap none"


@_prints(isa.SetScale)
def _scale(words: Words) -> str:
    (fields,) = words.payload
    return f"scale {_signed(fields['first'], 16)}, {_signed(fields['second'], 16)}"


# ---- commands


@_prints(isa.Load)
def _load(words: Words) -> str:
    how = words.payload[1]
    flags = _flags(how, "compressed", "overlap")
    return f"load {words.place(0, 'first')}, count={how['kernels']}{flags}{_clusters(how)}"


@_prints(isa.Conv)
def _conv(words: Words) -> str:
    return _on_tensors("conv", words)


@_prints(isa.Accumulate)
def _accumulate(words: Words) -> str:
    return _on_tensors("accumulate", words)


@_prints(isa.Sum)
def _sum(words: Words) -> str:
    return _on_tensors("sum", words)


@_prints(isa.Product)
def _product(words: Words) -> str:
    return _on_tensors("product", words)


def _on_tensors(mnemonic: str, words: Words) -> str:
    """An instruction with an input, an output, and perhaps another input, which are written output first."""
    size = len(parameters.TENSOR)
    source, target, *others = (
        words.tensor(index * size, base)
        for index, base in zip(range(len(words.payload) // size), isa.BaseImmediate.fields, strict=False)
    )
    return f"{mnemonic} {', '.join((target, source, *others))}"


@_prints(isa.Copy)
def _copy(words: Words) -> str:
    size, loops = _loops(words)
    repeats = "".join(f", repeat=({count}, {source}, {target})" for count, source, target in loops)
    return f"copy {words.place(1, 'second')}, {words.place(0, 'first')}, bytes={size}{repeats}"


@_prints(isa.Fill)
def _fill(words: Words) -> str:
    size, loops = _loops(words)
    repeats = "".join(f", repeat=({count}, {target})" for count, _, target in loops)
    return f"fill {words.place(1, 'first')}, 0x{words.payload[0]['value']:02x}, bytes={size}{repeats}"


def _loops(words: Words) -> tuple[int, list[tuple[int, int, int]]]:
    """Contiguous bytes and loops (count, source step, destination step) of a copy or fill, without unused ones."""
    size, *steps = words.payload[2:]
    loops = []
    for index in range(0, len(steps), 3):
        count, source, target = steps[index : index + 3]
        loops.append((count["count"], _signed(source["bytes"]), _signed(target["bytes"])))
    while loops and loops[-1] == (1, 0, 0):
        loops.pop()
    return size["bytes"], loops
