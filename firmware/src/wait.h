/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SRC_WAIT_H
#define SRC_WAIT_H

#include <stdint.h>

/* Asks a device whether its work has ended: IMNPU_RUNNING, or the result. Called with interrupts stopped. */
typedef int (*imnpu_ask)(void *device);

/* Sleeps until the work has ended or the time is over; returns the result, or IMNPU_E_TIMEOUT. The device must
 * interrupt the host when its work ends. Works with interrupts stopped, too. */
int imnpu_wait_until(imnpu_ask ask, void *device, uint64_t timeout);

#endif
