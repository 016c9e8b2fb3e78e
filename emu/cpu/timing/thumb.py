"""Instruction timing of the Cortex-M cores.

Sources: *Cortex-M0 Technical Reference Manual* (DDI 0432), table 3-1; *Cortex-M3* (DDI 0337), table 3-1 and
"Load/store timings"; *Cortex-M4* (100166), tables 3-1 and 7-1 (floating point) and "Load/store timings". Arm
publishes none for Cortex-M7 and Cortex-M33: their columns are approximations, see `CORTEX_M7` and `CORTEX_M33`.

Where a manual leaves a choice: P, the refill of the pipeline (1..3 on M3 and M4), is 1 where the instruction itself
says the target (B, BL, CBZ, ISB) and 3 where the target comes from a register or from memory, as "Load/store
timings" has it for LDR PC and TBB. Of a range that depends on operands (division 2..12, long multiplication on M3) or
on the register (MRS, MSR, CPS 1..2) the largest is taken. The multiplier of M0 is the fast one. Instructions that
are not in the table take one cycle.
"""

from __future__ import annotations

from emu.cpu.timing.model import CycleModel, parse_rows

# The columns of cycles are M0 | M3 | M4 | M7 | M33.
TABLE = """
0100 0100 1... .111                     | ADD PC, Rm             |              | 1/3   | 1/4   | 1/4   | 1/1   | 1/3
0100 0110 1... .111                     | MOV PC, Rm             |              | 1/3   | 1/4   | 1/4   | 1/1   | 1/3
0100 0111 .... ....                     | BX, BLX Rm             |              | 1/3   | 1/4   | 1/4   | 1/1   | 1/3
0100 1ttt .... ....                     | LDR Rt, [PC, #]        | literal      | 2     | 2     | 2     | 1     | 1
0101 000m mmnn n...                     | STR Rt, [Rn, Rm]       | follows      | 2     | 2     | 2     | 1     | 1
0101 001m mmnn n...                     | STRH Rt, [Rn, Rm]      | follows      | 2     | 2     | 2     | 1     | 1
0101 010m mmnn n...                     | STRB Rt, [Rn, Rm]      | follows      | 2     | 2     | 2     | 1     | 1
0101 ...m mmnn nttt                     | LDR.. Rt, [Rn, Rm]     | load follows | 2     | 2     | 2     | 1     | 1
0110 0... ..nn n...                     | STR Rt, [Rn, #]        |              | 2     | 1     | 1     | 1     | 1
0110 1... ..nn nttt                     | LDR Rt, [Rn, #]        | load follows | 2     | 2     | 2     | 1     | 1
0111 0... ..nn n...                     | STRB Rt, [Rn, #]       |              | 2     | 1     | 1     | 1     | 1
0111 1... ..nn nttt                     | LDRB Rt, [Rn, #]       | load follows | 2     | 2     | 2     | 1     | 1
1000 0... ..nn n...                     | STRH Rt, [Rn, #]       |              | 2     | 1     | 1     | 1     | 1
1000 1... ..nn nttt                     | LDRH Rt, [Rn, #]       | load follows | 2     | 2     | 2     | 1     | 1
1001 0... .... ....                     | STR Rt, [SP, #]        |              | 2     | 1     | 1     | 1     | 1
1001 1ttt .... ....                     | LDR Rt, [SP, #]        | load follows | 2     | 2     | 2     | 1     | 1
1011 .0.1 .... ....                     | CBZ, CBNZ              |              | -     | 1/2   | 1/2   | 1/1   | 1/2
1011 010r rrrr rrrr                     | PUSH                   |              | 1+N   | 1+N   | 1+N   | 1+N   | N
1011 0110 011. ....                     | CPS                    |              | 1     | 2     | 2     | 1     | 1
1011 1100 rrrr rrrr                     | POP                    |              | 1+N   | 1+N   | 1+N   | 1+N   | N
1011 1101 rrrr rrrr                     | POP with PC            |              | 1/5+N | 1/5+N | 1/5+N | 1/2+N | 1/3+N
1011 1111 001. 0000                     | WFE, WFI               |              | 2     | 1     | 1     | 1     | 1
1100 0nnn rrrr rrrr                     | STM                    |              | 1+N   | 1+N   | 1+N   | 1+N   | N
1100 1nnn rrrr rrrr                     | LDM                    |              | 1+N   | 1+N   | 1+N   | 1+N   | N
1101 111. .... ....                     | UDF, SVC               |              | 1     | 1     | 1     | 1     | 1
1101 .... .... ....                     | B<cond>                |              | 1/3   | 1/2   | 1/2   | 1/1   | 1/2
1110 0... .... ....                     | B                      |              | 1/3   | 1/2   | 1/2   | 1/1   | 1/2
1111 0... .... .... 11.1 .... .... .... | BL                     |              | 1/4   | 1/2   | 1/2   | 1/1   | 1/2
1111 0... .... .... 10.1 .... .... .... | B.W                    |              | -     | 1/2   | 1/2   | 1/1   | 1/2
1111 0011 100. .... 10.0 .... .... .... | MSR                    |              | 4     | 2     | 2     | 1     | 1
1111 0011 111. .... 10.0 .... .... .... | MRS                    |              | 4     | 2     | 2     | 1     | 1
1111 0011 1011 .... 10.0 .... 0110 .... | ISB                    |              | 4     | 2     | 2     | 1     | 2
1111 0011 1011 .... 10.0 .... 010. .... | DSB, DMB               |              | 4     | 1     | 1     | 1     | 1
1111 0.11 1... .... 10.0 .... .... .... | hints, CLREX, UDF.W    |              | -     | 1     | 1     | 1     | 1
1111 0... .... .... 10.0 .... .... .... | B<cond>.W              |              | -     | 1/2   | 1/2   | 1/1   | 1/2
1110 1000 1101 .... 1111 0000 000. .... | TBB, TBH               |              | -     | 1/6   | 1/6   | 1/3   | 1/4
1110 1000 0101 nnnn tttt .... .... .... | LDREX                  | load follows | -     | 2     | 2     | 1     | 1
1110 1000 1101 nnnn tttt .... .... .... | LDREXB, LDREXH, LDA..  | load follows | -     | 2     | 2     | 1     | 1
1110 1000 0100 nnnn .... .... .... .... | STREX                  | follows      | -     | 2     | 2     | 1     | 1
1110 1000 1100 nnnn .... .... .... .... | STREXB, STREXH, STL..  | follows      | -     | 2     | 2     | 1     | 1
1110 100. .1.. .... .... .... .... .... | LDRD, STRD             |              | -     | 3     | 3     | 2     | 2
1110 100. .0.1 .... 1rrr rrrr rrrr rrrr | LDM.W, POP.W with PC   |              | -     | 1/5+N | 1/5+N | 1/2+N | 1/3+N
1110 100. .0.. .... 0rrr rrrr rrrr rrrr | LDM.W, STM.W, PUSH.W   |              | -     | 1+N   | 1+N   | 1+N   | N
1111 1000 .101 .... 1111 .... .... .... | LDR PC                 |              | -     | 1/5   | 1/5   | 1/2   | 1/4
1111 100. .0.1 .... 1111 .... .... .... | PLD, PLI               |              | -     | 1     | 1     | 1     | 1
1111 100. ...1 1111 tttt .... .... .... | LDR.. Rt, [PC, #]      | literal      | -     | 2     | 2     | 1     | 1
1111 100. 0..1 nnnn tttt 0... ..mm mm.. | LDR.. Rt, [Rn, Rm]     | load follows | -     | 2     | 2     | 1     | 1
1111 100. 0..1 .... .... 1..1 .... .... | LDR.. with base update |              | -     | 2     | 2     | 1     | 1
1111 100. ...1 nnnn tttt .... .... .... | LDR.. Rt, [Rn, #]      | load follows | -     | 2     | 2     | 1     | 1
1111 1000 0..0 nnnn .... 0... ..mm mm.. | STR.. Rt, [Rn, Rm]     | follows      | -     | 2     | 2     | 1     | 1
1111 1011 0000 .... 1111 .... 0000 .... | MUL                    |              | -     | 1     | 1     | 1     | 1
1111 1011 0000 .... .... .... 000. .... | MLA, MLS               |              | -     | 2     | 1     | 1     | 1
1111 1011 10.0 .... .... .... 0000 .... | SMULL, UMULL           |              | -     | 5     | 1     | 1     | 1
1111 1011 11.0 .... .... .... 0000 .... | SMLAL, UMLAL           |              | -     | 7     | 1     | 1     | 1
1111 1011 10.1 .... .... .... 1111 .... | SDIV, UDIV             |              | -     | 12    | 12    | 12    | 12
1110 1110 000. .... .... 1010 .001 .... | VMOV of a register     |              | -     | -     | 2     | 1     | 1
1110 1100 010. .... .... 101. 00.1 .... | VMOV of two registers  |              | -     | -     | 2     | 2     | 2
1110 1101 ..0. .... .... 1010 .... .... | VLDR, VSTR, 32 bits    |              | -     | -     | 2     | 1     | 1
1110 1101 ..0. .... .... 1011 .... .... | VLDR, VSTR, 64 bits    |              | -     | -     | 3     | 2     | 2
1110 110. .... .... .... 101. cccc cccc | VLDM, VSTM, VPUSH, ..  |              | -     | -     | 1+N   | 1+N   | N
1110 1110 1.00 .... .... 101. .0.0 .... | VDIV                   |              | -     | -     | 14    | 16    | 14
1110 1110 1.11 0001 .... 101. 11.0 .... | VSQRT                  |              | -     | -     | 14    | 14    | 14
1110 1110 0.0. .... .... 101. ...0 .... | VMLA, VMLS, VNML.      |              | -     | -     | 3     | 1     | 1
1110 1110 1.01 .... .... 101. ...0 .... | VFNMA, VFNMS           |              | -     | -     | 3     | 1     | 1
1110 1110 1.10 .... .... 101. ...0 .... | VFMA, VFMS             |              | -     | -     | 3     | 1     | 1
"""

CORTEX_M0 = CycleModel(
    "cortex-m0",
    "Cortex-M0, from its manual. *Inaccuracies*: none known without wait states on the bus.",
    parse_rows(TABLE, 0),
)
CORTEX_M3 = CycleModel(
    "cortex-m3",
    "Cortex-M3, from its manual. *Inaccuracies*: the choices above; no stall of a load or store whose address was "
    "computed just before it, no penalty for unaligned data, no folding of IT; an instruction in an IT block that is "
    "not executed costs what it costs when it is, unless it is a jump.",
    parse_rows(TABLE, 1),
    pipelined=1,
)
CORTEX_M4 = CycleModel(
    "cortex-m4",
    "Cortex-M4, from its manual. *Inaccuracies*: as Cortex-M3; floating-point results are there when they are needed.",
    parse_rows(TABLE, 2),
    pipelined=1,
)
CORTEX_M7 = CycleModel(
    "cortex-m7",
    "Cortex-M7, an approximation: Arm publishes no instruction timing. One instruction a cycle, caches always hit, "
    "branches are always predicted, division as on Cortex-M4, VDIV and VSQRT as others measured them. *Inaccuracies*: "
    "silicon issues two instructions a cycle where it can, and loses up to 8 cycles when it predicts a branch wrongly; "
    "straight code may be up to twice as fast there.",
    parse_rows(TABLE, 3),
)
CORTEX_M33 = CycleModel(
    "cortex-m33",
    "Cortex-M33, an approximation: Arm publishes no instruction timing. Loads and stores take a cycle, or one for each "
    "register, a taken branch 2, as others measured them; divisions as on Cortex-M4. *Inaccuracies*: silicon issues "
    "some pairs of 16-bit instructions together, and an instruction right behind a load of its operand waits a cycle.",
    parse_rows(TABLE, 4),
)
