/* SPDX-License-Identifier: BSD-3-Clause
 * Interrupts, the same on every host: NVIC on Cortex-M, PLIC on RV32. Numbers are IMNPU_IRQ_* of the machine. */
#ifndef IMNPU_INTERRUPT_H
#define IMNPU_INTERRUPT_H

#include <stdint.h>

/** Interrupt numbers are 0 .. IMNPU_INTERRUPTS - 1. */
#define IMNPU_INTERRUPTS 32
/** The most urgent priority; every interrupt has it at first. */
#define IMNPU_PRIORITY_HIGHEST 0
/** The least urgent priority. */
#define IMNPU_PRIORITY_LOWEST 6

/** A function that serves an interrupt. It must make the device release its line.
 *
 * @param context  what was given to imnpu_interrupt_handler_set()
 */
typedef void (*imnpu_interrupt_handler)(void *context);

/** Says who serves an interrupt; takes the place of an earlier handler.
 *
 * @param number   IMNPU_IRQ_*
 * @param handler  0: nobody; an interrupt without handler ends the run as a fault does
 * @param context  passed to the handler
 * @retval IMNPU_OK          registered
 * @retval IMNPU_E_ARGUMENT  no such interrupt
 */
int imnpu_interrupt_handler_set(int number, imnpu_interrupt_handler handler, void *context);

/** Lets an interrupt reach the host.
 *
 * @param number  IMNPU_IRQ_*
 * @retval IMNPU_OK          enabled
 * @retval IMNPU_E_ARGUMENT  no such interrupt
 */
int imnpu_interrupt_enable(int number);

/** Keeps an interrupt from the host; a device that asserts it stays pending.
 *
 * @param number  IMNPU_IRQ_*
 * @retval IMNPU_OK          disabled
 * @retval IMNPU_E_ARGUMENT  no such interrupt
 */
int imnpu_interrupt_disable(int number);

/** Says how urgent an interrupt is. Of several pending ones the most urgent is served first. On Cortex-M a more
 * urgent one also interrupts the handler of a less urgent one; on RV32 handlers run to their end.
 *
 * @param number    IMNPU_IRQ_*
 * @param priority  IMNPU_PRIORITY_HIGHEST (0) .. IMNPU_PRIORITY_LOWEST
 * @retval IMNPU_OK          set
 * @retval IMNPU_E_ARGUMENT  no such interrupt or priority
 */
int imnpu_interrupt_priority_set(int number, int priority);

/** Stops all interrupts.
 *
 * @return the state before, for imnpu_interrupts_restore()
 */
uint32_t imnpu_interrupts_disable(void);

/** Brings back the state before imnpu_interrupts_disable(); calls nest.
 *
 * @param state  what imnpu_interrupts_disable() returned
 */
void imnpu_interrupts_restore(uint32_t state);

/** Allows interrupts: those that imnpu_interrupt_enable() has named. They are allowed when main() starts. */
void imnpu_interrupts_enable(void);

/** Sleeps until an interrupt is pending, also while all interrupts are stopped.
 *
 * To wait for something that a handler changes without missing it, stop interrupts around test and sleep:
 *
 *     uint32_t state = imnpu_interrupts_disable();
 *     while (!done) {
 *         imnpu_wait_for_interrupt();
 *         imnpu_interrupts_restore(state);
 *         state = imnpu_interrupts_disable();
 *     }
 *     imnpu_interrupts_restore(state);
 */
void imnpu_wait_for_interrupt(void);

#endif
