/* SPDX-License-Identifier: BSD-3-Clause
 * Registered handlers, shared by the two interrupt controllers. */
#ifndef SRC_INTERRUPT_TABLE_H
#define SRC_INTERRUPT_TABLE_H

/* Calls the handler of an interrupt; without one the run ends as by a fault. */
void imnpu_interrupt_call(int number);

/* Called from the vector table: finds which interrupt it is. */
void imnpu_interrupt_dispatch(void);

/* Whether there is an interrupt of this number. */
static inline int imnpu_interrupt_valid(int number)
{
    return number >= 0 && number < IMNPU_INTERRUPTS;
}

#endif
