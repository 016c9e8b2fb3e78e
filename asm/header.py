"""A program as a C header, for projects that do not link an object."""

from __future__ import annotations

import re

from asm.objects import ALIGNMENT
from asm.program import Program

WORDS_PER_LINE = 4


def c_header(program: Program) -> str:
    """C source: the blob as an array of words, its externs, and the offsets of its labels.

    Addresses of externs are constants that the linker fills in; they are declared as arrays of bytes, so that
    a file which includes the header cannot declare them as something else.
    """
    macro = program.name.upper()
    source = re.sub(r"[^\x20-\x7e]|[*/\\](?=[*/\\])", "_", program.path.rsplit("/", 1)[-1])
    lines = [
        f"/* Accelerator program {program.name}, made by imnpu asm from {source}. */",
        f"#ifndef {macro}_H",
        f"#define {macro}_H",
        "",
        "#include <stdint.h>",
        "",
    ]
    if program.externs:
        lines += [f"extern const uint8_t {name}[];" for name in program.externs] + [""]
    if program.labels:
        lines.append("/* Bytes from the start of the program to each label. */")
        lines += [f"#define {macro}_LABEL_{label} {offset}u" for label, offset in program.labels.items()]
        lines.append("")
    lines.append(
        f"static const uint32_t {program.name}[{len(program.words)}] __attribute__((aligned({ALIGNMENT}))) = {{"
    )
    words = _words(program)
    for first in range(0, len(words), WORDS_PER_LINE):
        lines.append(f"    {', '.join(words[first : first + WORDS_PER_LINE])},")
    lines += ["};", "", f"#endif /* {macro}_H */"]
    return "\n".join(lines) + "\n"


def _words(program: Program) -> list[str]:
    words = [f"0x{word:08x}u" for word in program.words]
    for relocation in program.relocations:
        address = relocation.symbol
        if relocation.addend:
            address = f"({address} {'-' if relocation.addend < 0 else '+'} {abs(relocation.addend)})"
        words[relocation.offset // 4] = f"(uint32_t){address}"
    return words
