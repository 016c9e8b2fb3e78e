/* SPDX-License-Identifier: BSD-3-Clause */
#include "wait.h"

#include <imnpu/alarm.h>
#include <imnpu/interrupt.h>
#include <imnpu/memory.h>
#include <imnpu/status.h>

int imnpu_wait_until(imnpu_ask ask, void *device, uint64_t timeout)
{
    const int limited = timeout != IMNPU_FOREVER;
    if (limited) {
        imnpu_alarm_start(timeout);
    }
    /* Interrupts are stopped between asking and sleeping: one that comes in between ends the sleep at once. */
    uint32_t state = imnpu_interrupts_disable();
    int result = ask(device);
    while (result == IMNPU_RUNNING) {
        if (limited && imnpu_alarm_expired()) {
            result = IMNPU_E_TIMEOUT;
            break;
        }
        imnpu_wait_for_interrupt();
        imnpu_interrupts_restore(state); /* handlers run here */
        state = imnpu_interrupts_disable();
        result = ask(device);
    }
    imnpu_interrupts_restore(state);
    if (limited) {
        imnpu_alarm_stop();
    }
    imnpu_memory_barrier();
    return result;
}
