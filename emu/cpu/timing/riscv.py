"""Instruction timing of RV32IMC cores with two and with four pipeline stages.

Sources: *Ibex Reference Guide*, "Pipeline Details", for its default configuration (two stages, fast multi-cycle
multiplier, no branch target ALU): a table of stalls, to which one cycle is added. *CV32E40P User Manual* (the core
that was RI5CY), "Pipeline Details": a table of cycles, and hazards.

Where they leave a choice: division takes the longest time, 37 stalls on Ibex and 35 cycles on CV32E40P, which needs
as few as 3 for large divisors. Atomic instructions, which neither has, cost as a load and a store. Instructions that
are not in the table take one cycle.
"""

from __future__ import annotations

from emu.cpu.timing.model import CycleModel, parse_rows

# The columns of cycles are two-stage | four-stage.
TABLE = """
.... .... .... .... .... tttt t011 0111 | lui                          |      | 1   | 1
.... .... .... .... .... tttt t001 0111 | auipc                        |      | 1   | 1
.... .... .... .... .... tttt t110 1111 | jal                          |      | 1/2 | 1/2
.... .... .... nnnn n000 tttt t110 0111 | jalr                         | jump | 1/2 | 1/2
.... ...m mmmm nnnn n... .... .110 0011 | beq, bne, blt, bge, ..       |      | 1/3 | 1/3
.... .... .... nnnn n... tttt t000 0011 | lb, lh, lw, lbu, lhu         | load | 2   | 1
.... ...m mmmm nnnn n... .... .010 0011 | sb, sh, sw                   |      | 2   | 1
.... .... .... nnnn n... tttt t001 0011 | addi, slti, xori, slli, ..   |      | 1   | 1
0000 001m mmmm nnnn n000 tttt t011 0011 | mul                          |      | 3   | 1
0000 001m mmmm nnnn n001 tttt t011 0011 | mulh                         |      | 4   | 5
0000 001m mmmm nnnn n01. tttt t011 0011 | mulhsu, mulhu                |      | 4   | 5
0000 001m mmmm nnnn n1.. tttt t011 0011 | div, divu, rem, remu         |      | 38  | 35
.... ...m mmmm nnnn n... tttt t011 0011 | add, sub, sll, xor, ..       |      | 1   | 1
.... ...m mmmm nnnn n... tttt t010 1111 | lr, sc, amoadd, ..           |      | 4   | 2
.... .... .... .... .001 .... .000 1111 | fence.i                      |      | 2   | 2
0011 0000 0010 0000 0000 0000 0111 0011 | mret                         |      | 2   | 2
0011 0000 0000 nnnn n... tttt t111 0011 | csr mstatus                  |      | 1   | 4
0011 0000 0101 nnnn n... tttt t111 0011 | csr mtvec                    |      | 1   | 4
0011 0100 0001 nnnn n... tttt t111 0011 | csr mepc                     |      | 1   | 4
0011 0100 0010 nnnn n... tttt t111 0011 | csr mcause                   |      | 1   | 4
0011 001. .... nnnn n... tttt t111 0011 | csr mcountinhibit, mhpmevent |      | 1   | 4
1011 .00. .... nnnn n... tttt t111 0011 | csr mcycle, minstret, mhpm.. |      | 1   | 4
.... .... .... .... .000 .... .111 0011 | ecall, ebreak, wfi           |      | 1   | 1
.... .... .... nnnn n0.. tttt t111 0011 | csrrw, csrrs, csrrc          |      | 1   | 1
.... .... .... .... .1.. tttt t111 0011 | csrrwi, csrrsi, csrrci       |      | 1   | 1
000. .... ...T TT00                     | c.addi4spn                   |      | 1   | 1
010. ..NN N..T TT00                     | c.lw                         | load | 2   | 1
110. ..NN N..M MM00                     | c.sw                         |      | 2   | 1
000. bbbb b... ..01                     | c.addi                       |      | 1   | 1
.01. .... .... ..01                     | c.jal, c.j                   |      | 1/2 | 1/2
01.. tttt t... ..01                     | c.li, c.lui, c.addi16sp      |      | 1   | 1
100. 11BB B..M MM01                     | c.sub, c.xor, c.or, c.and    |      | 1   | 1
100. ..BB B... ..01                     | c.srli, c.srai, c.andi       |      | 1   | 1
11.. ..NN N... ..01                     | c.beqz, c.bnez               |      | 1/3 | 1/3
000. bbbb b... ..10                     | c.slli                       |      | 1   | 1
010. tttt t... ..10                     | c.lwsp                       | load | 2   | 1
1001 0000 0000 0010                     | c.ebreak                     |      | 1   | 1
100. nnnn n000 0010                     | c.jr, c.jalr                 | jump | 1/2 | 1/2
1000 tttt tmmm mm10                     | c.mv                         |      | 1   | 1
1001 bbbb bmmm mm10                     | c.add                        |      | 1   | 1
110. .... .mmm mm10                     | c.swsp                       |      | 2   | 1
"""

ZERO = 0
TWO_STAGE = CycleModel(
    "two-stage",
    "A hart like Ibex in its default configuration. *Inaccuracies*: memory always answers in the next cycle; division "
    "by 0 takes as long as others; a misaligned access costs no more than an aligned one.",
    parse_rows(TABLE, 0),
    ignored_register=ZERO,
)
FOUR_STAGE = CycleModel(
    "four-stage",
    "A hart like CV32E40P. *Inaccuracies*: memory always answers in the next cycle; the longest division; a jump to a "
    "32-bit instruction that is not aligned to a word, and a misaligned access, cost no more than others.",
    parse_rows(TABLE, 1),
    load_use=1,
    jump_use=1,
    ignored_register=ZERO,
)
