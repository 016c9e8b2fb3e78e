/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/interrupt.h>
#include <imnpu/status.h>

#include <stdlib.h>

#include "interrupt_table.h"

static struct {
    imnpu_interrupt_handler handler;
    void *context;
} handlers[IMNPU_INTERRUPTS];

int imnpu_interrupt_handler_set(int number, imnpu_interrupt_handler handler, void *context)
{
    if (!imnpu_interrupt_valid(number)) {
        return IMNPU_E_ARGUMENT;
    }
    const uint32_t state = imnpu_interrupts_disable();
    handlers[number].handler = handler;
    handlers[number].context = context;
    imnpu_interrupts_restore(state);
    return IMNPU_OK;
}

void imnpu_interrupt_call(int number)
{
    if (!imnpu_interrupt_valid(number) || !handlers[number].handler) {
        abort();
    }
    handlers[number].handler(handlers[number].context);
}
