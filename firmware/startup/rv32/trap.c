/* SPDX-License-Identifier: BSD-3-Clause
 * The C side of start-up and traps of RV32 hosts. */
#include <imnpu/interrupt.h>

#include "../memory_init.h"

extern int main(void);
extern void imnpu_interrupt_dispatch(void);
_Noreturn void imnpu_exit(int code);
_Noreturn void imnpu_start(void);
void External_Handler(void);

/* Fills memory, runs main() and ends the run with what it returns. Comes from _start. */
_Noreturn void imnpu_start(void)
{
    imnpu_memory_init();
    imnpu_interrupts_enable(); /* as on Cortex-M after reset */
    imnpu_exit(main());
}

/* Interrupts of the machine's devices, all through the PLIC. Weak: define a function of this name, with the same
 * attribute "interrupt", to take its place. */
__attribute__((weak, interrupt("machine"))) void External_Handler(void)
{
    imnpu_interrupt_dispatch();
}
