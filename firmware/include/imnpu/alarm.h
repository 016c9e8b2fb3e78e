/* SPDX-License-Identifier: BSD-3-Clause
 * One alarm of the host: SysTick on Cortex-M, the machine timer on RV32. It ends imnpu_wait_for_interrupt().
 * The library's functions with a timeout use it; no handler is called, interrupts may be stopped. */
#ifndef IMNPU_ALARM_H
#define IMNPU_ALARM_H

#include <stdint.h>

/** A timeout that never comes. */
#define IMNPU_FOREVER UINT64_MAX

/** Starts the alarm; takes the place of one that is running.
 *
 * On RV32 the timer ticks at 10 MHz: the alarm comes up to one tick late.
 *
 * @param cycles  clock cycles of the machine from now; IMNPU_FOREVER: no alarm
 */
void imnpu_alarm_start(uint64_t cycles);

/** Whether the time is over. Call it after every imnpu_wait_for_interrupt(): long alarms need it to go on.
 *
 * @return 1 when the time is over, else 0
 */
int imnpu_alarm_expired(void);

/** Stops the alarm. */
void imnpu_alarm_stop(void);

#endif
