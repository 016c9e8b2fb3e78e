/* SPDX-License-Identifier: BSD-3-Clause */
/* The target of riscv-arch-test: a test prints its signature, a word a line, through the 16550 of `virt`, and ends. */
#ifndef MODEL_TEST_H
#define MODEL_TEST_H

#define RVMODEL_BOOT
#define RVMODEL_DATA_BEGIN .align 4; .global begin_signature; begin_signature:
#define RVMODEL_DATA_END .align 4; .global end_signature; end_signature:

#define RVMODEL_HALT                                                                                                   \
    la s0, begin_signature;                                                                                            \
    la s1, end_signature;                                                                                              \
    li s2, 0x10000000;                                                                                                 \
    j 5f;                                                                                                              \
1:  lw a0, 0(s0);                                                                                                      \
    li s3, 28;                                                                                                         \
2:  srl a1, a0, s3;                                                                                                    \
    andi a1, a1, 15;                                                                                                   \
    addi a1, a1, 0x30;                                                                                                 \
    li a2, 0x3a;                                                                                                       \
    blt a1, a2, 3f;                                                                                                    \
    addi a1, a1, 0x27;                                                                                                 \
3:  lbu a2, 5(s2);                                                                                                     \
    andi a2, a2, 0x20;                                                                                                 \
    beqz a2, 3b;                                                                                                       \
    sb a1, 0(s2);                                                                                                      \
    addi s3, s3, -4;                                                                                                   \
    bgez s3, 2b;                                                                                                       \
4:  lbu a2, 5(s2);                                                                                                     \
    andi a2, a2, 0x20;                                                                                                 \
    beqz a2, 4b;                                                                                                       \
    li a1, 10;                                                                                                         \
    sb a1, 0(s2);                                                                                                      \
    addi s0, s0, 4;                                                                                                    \
5:  bltu s0, s1, 1b;                                                                                                   \
    li a0, 0x00100000;                                                                                                 \
    li a1, 0x5555;                                                                                                     \
    sw a1, 0(a0);                                                                                                      \
6:  j 6b;

#define RVMODEL_IO_INIT
#define RVMODEL_IO_WRITE_STR(register, string)
#define RVMODEL_IO_CHECK()
#define RVMODEL_IO_ASSERT_GPR_EQ(scratch, register, value)
#define RVMODEL_SET_MSW_INT
#define RVMODEL_CLEAR_MSW_INT
#define RVMODEL_CLEAR_MTIMER_INT
#define RVMODEL_CLEAR_MEXT_INT

#endif
