/* SPDX-License-Identifier: BSD-3-Clause
 * Reset and trap table of RV32 hosts. mtvec is in vectored mode: an exception enters at entry 0, the interrupt
 * with cause n at entry n. The handlers are weak: define a
 * function of the same name, with the attribute interrupt("machine"), to take the place of one. */

    .section .text.start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, __stack_top
    la t0, trap_table
    ori t0, t0, 1
    csrw mtvec, t0
    mv s0, zero
    call imnpu_start
    .size _start, . - _start

    /* Entries are one uncompressed instruction each. */
    .balign 64
    .option push
    .option norvc
    .globl trap_table
    .type trap_table, @function
trap_table:
    j Exception_Handler
    j Unexpected_Interrupt_Handler
    j Unexpected_Interrupt_Handler
    j Software_Handler
    j Unexpected_Interrupt_Handler
    j Unexpected_Interrupt_Handler
    j Unexpected_Interrupt_Handler
    j MachineTimer_Handler
    j Unexpected_Interrupt_Handler
    j Unexpected_Interrupt_Handler
    j Unexpected_Interrupt_Handler
    j External_Handler
    .size trap_table, . - trap_table
    .option pop

    /* Ends the run with the reason "run-time error". It uses no stack and only a0 and a1: the emulator reports
     * the fault, and everything else must still be as the fault left it. */
    .section .text.Default_Handler, "ax", @progbits
    .globl Default_Handler
    .type Default_Handler, @function
Default_Handler:
    li a0, 0x20
    la a1, imnpu_runtime_error
    .balign 16
    .option push
    .option norvc
    slli x0, x0, 0x1f
    ebreak
    srai x0, x0, 7
    .option pop
    j .
    .size Default_Handler, . - Default_Handler

    .weak Exception_Handler
    .set Exception_Handler, Default_Handler
    .weak Unexpected_Interrupt_Handler
    .set Unexpected_Interrupt_Handler, Default_Handler
    .weak Software_Handler
    .set Software_Handler, Default_Handler
