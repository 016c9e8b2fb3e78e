"""From a blob back to text that assembles to the same blob.

An instruction that has no readable form (a field with a value that means nothing) is shown as `words`; one
that breaks a rule of the hardware is shown as `unchecked`.
"""

from __future__ import annotations

from dataclasses import dataclass

from asm import isa
from asm.decode import check_header, decode
from asm.listing import rows
from asm.rules import RuleError
from asm.state import ClusterState
from asm.text import text


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction of a blob.

    Attributes:
        offset: in bytes from the blob's start.
        words: header and payload.
        text: in the assembly language.
        label: name of the label in front of it, "" for none.
        depth: hardware loops around it.
        closes: loops that end right before it.
        opens: whether it opens a loop.
    """

    offset: int
    words: tuple[int, ...]
    text: str
    label: str
    depth: int
    closes: int
    opens: bool


def disassemble(blob: bytes) -> list[Line]:
    """The lines of ``blob``; bytes behind the length that its header says are ignored.

    Raises:
        BlobError: wrong magic, another version, cut short, unknown opcode, reserved bits set.
    """
    instructions = decode(blob)
    size = check_header(blob)
    labels = _labels(instructions, size)
    starts = {offset for offset, _ in instructions} | {size}
    state = ClusterState()
    ends: list[int] = []
    lines = []
    for offset, instruction in instructions:
        closes = _close(ends, offset, state)
        depth = len(ends)
        written = text(instruction, labels)
        opens = False
        if isinstance(instruction, isa.Loop) and written:
            end = instruction.words[isa.Loop.payload.index(isa.Offset)]
            opens = end in starts and offset + instruction.size <= end <= min([*ends, size])
            if opens:
                ends.append(end)
            else:
                written = ""
        written = _with_rules(written, instruction, offset, state)
        words = tuple(instruction.encode())
        lines.append(Line(offset, words, written, labels.get(offset, ""), depth, closes, opens))
    return lines


def listing(blob: bytes) -> str:
    """Offset, words and text of each instruction of ``blob``.

    Raises:
        BlobError: see `disassemble`.
    """
    out = []
    for line in disassemble(blob):
        label = f"{line.label}: " if line.label else ""
        out += rows(line.offset, line.words, "    " * line.depth + label + line.text)
    return "".join(f"{row}\n" for row in out)


def source(blob: bytes) -> str:
    """Source text that assembles to ``blob``.

    Raises:
        BlobError: see `disassemble`.
    """
    out = []
    depth = 0
    for line in disassemble(blob):
        out += _closing(depth, line.closes)
        if line.label:
            out.append(f"{line.label}:")
        out.append(_indent(line.depth) + line.text)
        depth = line.depth + line.opens
    out += _closing(depth, depth)
    size = check_header(blob)
    end_label = _labels(decode(blob), size).get(size)
    if end_label:
        out.append(f"{end_label}:")
    return "".join(f"{line}\n" for line in out)


def _labels(instructions: list[tuple[int, isa.Instruction]], size: int) -> dict[int, str]:
    """A name for each place that is jumped to, by offset."""
    starts = {offset for offset, _ in instructions} | {size}
    targets = {item.words[0] for _, item in instructions if isinstance(item, isa.Jump | isa.JumpNZ)}
    return {target: f"at_{target:x}" for target in sorted(targets & starts)}


def _close(ends: list[int], offset: int, state: ClusterState) -> int:
    """Ends the loops that end at ``offset``; returns how many."""
    closes = 0
    while ends and ends[-1] == offset:
        ends.pop()
        state.end_loop()
        closes += 1
    return closes


def _with_rules(written: str, instruction: isa.Instruction, offset: int, state: ClusterState) -> str:
    """``written``, marked when a rule is broken; `words` when there is no text."""
    if not written:
        state.forget()
        return "words " + ", ".join(f"0x{word:08x}" for word in instruction.encode())
    try:
        state.apply(instruction, offset)
    except RuleError:
        return f"unchecked {written}"
    return written


def _closing(depth: int, count: int) -> list[str]:
    """Closing braces of the ``count`` innermost of ``depth`` loops."""
    return [_indent(depth - number) + "}" for number in range(1, count + 1)]


def _indent(depth: int) -> str:
    return "    " * (depth + 1)
