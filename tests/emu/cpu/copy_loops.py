"""Random loops of one block that copy or fill memory, in assembly, with what compilers and libraries do in them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ROOM = 0x2000
"""Bytes around which a loop copies."""
ARM_DATA, RISCV_DATA = ("r3", "r4", "r6", "r8"), ("a3", "a4", "t3", "s4")


@dataclass(frozen=True)
class Shape:
    """What a loop does.

    Attributes:
        size: bytes of a load or store.
        units: of them in a round.
        rounds: how often.
        down: towards lower addresses.
        fill: stores the same again and again.
        target, source: first addresses, as offsets.
    """

    size: int
    units: int
    rounds: int
    down: bool
    fill: bool
    target: int
    source: int

    @property
    def width(self) -> int:
        """Bytes a round."""
        return self.size * self.units

    @property
    def span(self) -> int:
        """From a round to the next one."""
        return -self.width if self.down else self.width


def random_shape(chance: random.Random) -> Shape:
    """Often aligned, often without overlap."""
    size, units = chance.choice((1, 2, 4, 4)), chance.randrange(1, 5)
    rounds = chance.choice(
        (1, chance.randrange(2, 40), *(chance.randrange(40, ROOM // (size * units)) for _ in range(3)))
    )
    target, source = (chance.randrange(ROOM) & -size for _ in range(2))
    if chance.random() < 0.3:
        source = target + chance.choice((-1, 1)) * size * chance.randrange(0, 3 * units)
    if chance.random() < 0.1:
        target += 1
    if chance.random() < 0.1:
        source += 1
    return Shape(size, units, rounds, chance.random() < 0.3, chance.random() < 0.3, target + ROOM, source + ROOM)


def arm_loop(chance: random.Random, data: int) -> str:
    """A loop of Thumb code; r0 is the target, r1 the source, r2 what ends the loop."""
    shape = random_shape(chance)
    suffix = {1: "b", 2: "h", 4: ""}[shape.size]
    used = ARM_DATA[: shape.units]
    body: list[str] = []
    aligned = (shape.target | shape.source) & 3 == 0 and shape.size == 4
    form = chance.choice(("offset", "post", "pre", "index", *(("many", "pair") if aligned else ())))
    start = [
        f"ldr r0, ={data + shape.target:#x}",
        f"ldr r1, ={data + shape.source:#x}",
        *(f"ldr {register}, ={chance.getrandbits(32):#x}" for register in ARM_DATA),
    ]
    moves = [("str", 0)] if shape.fill else [("ldr", 1), ("str", 0)]
    if form == "many" and not shape.down:
        many = "{" + ", ".join(used) + "}"
        body += [f"{what.replace('r', 'm')} r{base}!, {many}" for what, base in moves]
    elif form == "pair":
        shape = Shape(4, 2, min(shape.rounds, ROOM // 8), shape.down, shape.fill, shape.target, shape.source)
        body += [f"{what}d r3, r4, [r{base}], #{shape.span}" for what, base in moves]
    elif form == "index":
        shape = Shape(shape.size, 1, shape.rounds, shape.down, shape.fill, shape.target, shape.source)
        start.append("movs r5, #0")
        body += [f"{what}{suffix} r3, [r{base}, r5]" for what, base in moves]
        body.append(f"{'subs' if shape.down else 'adds'} r5, #{shape.size}")
    elif form == "offset":
        for what, base in moves:
            body += [f"{what}{suffix} {name}, [r{base}, #{index * shape.size}]" for index, name in enumerate(used)]
        advance = ("sub" if shape.down else "add") + chance.choice(("s", ".w"))
        body += [f"{advance} r{base}, r{base}, #{shape.width}" for _, base in moves]
    else:
        step = -shape.size if shape.down else shape.size
        order = moves * shape.units
        names = [register for register in used for _ in moves]
        where = "[r{base}, #{step}]!" if form == "pre" else "[r{base}], #{step}"
        body += [
            f"{what}{suffix} {name}, " + where.format(base=base, step=step)
            for (what, base), name in zip(order, names, strict=True)
        ]
    body += chance.sample(
        ["mov r9, r3", "add.w r10, r0, #4", "lsrs r7, r2, #1", "nop", "add r12, r0, r1, lsl #2", "mul r7, r2, r2",
         "movw r7, #1234", "movt r7, #7", "ldr r7, [r1]"],
        chance.choice((0, 0, 0, 1, 2)),
    )  # fmt: skip
    if form == "index" and chance.random() < 0.5:
        start.append(f"ldr r2, ={shape.rounds * shape.span & 0xFFFF_FFFF:#x}")
        end = ["cmp r5, r2", "bne 1b"]
    else:
        end = arm_end(chance, start, shape)
    if chance.random() < 0.3:
        end[0:0], body = body, []
    return "\n".join([*start, "1:", *body, *end])


def arm_end(chance: random.Random, start: list[str], shape: Shape) -> list[str]:
    """The end of a loop that counts in r2."""
    rounds = shape.rounds
    kind = chance.randrange(6)
    if kind == 0:
        start.append(f"ldr r2, ={rounds}")
        return ["subs r2, #1", "bne 1b"]
    if kind == 1:
        start.append(f"ldr r2, ={rounds * shape.width + chance.randrange(shape.width)}")
        return [f"subs r2, #{shape.width}", f"cmp r2, #{shape.width}", chance.choice(("bhs.w 1b", "bge 1b"))]
    if kind == 2:
        start.append(f"ldr r2, ={rounds * shape.width}")
        return [f"subs r2, #{shape.width}", chance.choice(("bhi 1b", "bgt 1b"))]
    if kind == 3:
        start.append(f"ldr r2, ={rounds - 1}")
        return ["subs r2, #1", "bpl 1b"]
    if kind == 4:
        start += [f"ldr r2, ={-rounds & 0xFFFF_FFFF:#x}"]
        return ["adds r2, #1", chance.choice(("bne 1b", "bmi 1b"))]
    start += ["movs r2, #0", f"ldr r11, ={rounds}"]
    return ["adds r2, #1", "cmp r2, r11", chance.choice(("blo 1b", "blt.w 1b", "bne 1b"))]


def riscv_loop(chance: random.Random, data: int) -> str:
    """A loop of RV32IMC code; a0 is the target, a1 the source, a2 what ends the loop."""
    shape = random_shape(chance)
    suffix = {1: "b", 2: "h", 4: "w"}[shape.size]
    used: Sequence[str] = RISCV_DATA[: shape.units]
    start = [
        f"li a0, {data + shape.target:#x}",
        f"li a1, {data + shape.source:#x}",
        *(f"li {register}, {chance.getrandbits(32):#x}" for register in RISCV_DATA),
    ]
    load = f"l{suffix}" + ("u" if shape.size < 4 and chance.random() < 0.5 else "")
    loads = [] if shape.fill else [f"{load} {name}, {index * shape.size}(a1)" for index, name in enumerate(used)]
    if shape.fill and chance.random() < 0.3:
        used = ["zero"] * shape.units
    stores = [f"s{suffix} {name}, {index * shape.size}(a0)" for index, name in enumerate(used)]
    body = [*loads, *stores]
    if chance.random() < 0.5 and loads:
        body = [line for pair in zip(loads, stores, strict=True) for line in pair]
    advance = [f"addi a0, a0, {shape.span}", f"addi a1, a1, {shape.span}"]
    if chance.random() < 0.3:
        # The addresses are sums of an index and registers that stay.
        start += ["mv s2, a0", "mv s3, a1", "li t1, 0"]
        body = ["add a0, s2, t1", "add a1, s3, t1", *body, f"addi t1, t1, {shape.span}"]
        advance = []
    body += advance
    body += chance.sample(
        ["mv t4, a3", "addi t5, a0, 4", "srli t6, a2, 1", "nop", "slli t4, a1, 2", "mul t5, a2, a2", "lui t6, 7",
         "sub t4, a1, a0", "lw t5, 0(a1)"],
        chance.choice((0, 0, 0, 1, 2)),
    )  # fmt: skip
    end = riscv_end(chance, start, shape.rounds)
    return "\n".join([*start, "1:", *body, *end])


def riscv_end(chance: random.Random, start: list[str], rounds: int) -> list[str]:
    """The end of a loop that counts in a2."""
    kind = chance.randrange(5)
    if kind == 0:
        start.append(f"li a2, {rounds}")
        return ["addi a2, a2, -1", "bnez a2, 1b"]
    if kind == 1:
        start.append(f"li a2, {rounds - 1}")
        return ["addi a2, a2, -1", "bgez a2, 1b"]
    if kind == 2:
        start += ["li a2, 0", f"li s5, {32 * rounds}"]
        return ["addi a2, a2, 32", chance.choice(("bltu a2, s5, 1b", "blt a2, s5, 1b", "bne a2, s5, 1b"))]
    if kind == 3:
        # The comparison lags a round behind, and its number is shifted.
        start += ["li a2, 0", f"li s5, {rounds - 1}"]
        return ["srli s6, a2, 5", "addi a2, a2, 32", "bltu s6, s5, 1b"]
    start += [f"li a2, {2 * rounds}", "li s5, 2"]
    return ["addi a2, a2, -2", "bgeu a2, s5, 1b"]
