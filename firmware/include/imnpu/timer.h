/* SPDX-License-Identifier: BSD-3-Clause
 * The timer of the machine. It is the application's: the library's timeouts do not use it. */
#ifndef IMNPU_TIMER_H
#define IMNPU_TIMER_H

#include <stdint.h>

#include <imnpu/interrupt.h>

/** Starts the timer; takes the place of an earlier start.
 *
 * @param cycles    clock cycles until it expires, not 0
 * @param periodic  0: once; else again and again
 * @param handler   called by interrupt at every expiry
 * @param context   passed to the handler
 * @retval IMNPU_OK          started
 * @retval IMNPU_E_ARGUMENT  `cycles` is 0, or there is no handler
 */
int imnpu_timer_start(uint32_t cycles, int periodic, imnpu_interrupt_handler handler, void *context);

/** Stops the timer; the handler is not called any more. */
void imnpu_timer_stop(void);

/** Reads the timer.
 *
 * @return clock cycles until it expires, 0 when it is off
 */
uint32_t imnpu_timer_left(void);

#endif
