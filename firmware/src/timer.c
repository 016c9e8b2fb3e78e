/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/machine.h>
#include <imnpu/status.h>
#include <imnpu/timer.h>

static imnpu_interrupt_handler expired;

static void serve_interrupt(void *context)
{
    /* An expiry that was pending when the timer was stopped is none of the new start. */
    if (TIMER0->STATUS & TIMER_STATUS_EXPIRED_Msk) {
        TIMER0->STATUS = TIMER_STATUS_EXPIRED_Msk;
        expired(context);
    }
}

int imnpu_timer_start(uint32_t cycles, int periodic, imnpu_interrupt_handler handler, void *context)
{
    if (cycles == 0 || !handler) {
        return IMNPU_E_ARGUMENT;
    }
    imnpu_timer_stop();
    expired = handler;
    imnpu_interrupt_handler_set(IMNPU_IRQ_TIMER0, serve_interrupt, context);
    imnpu_interrupt_enable(IMNPU_IRQ_TIMER0);
    TIMER0->LOAD = cycles;
    const uint32_t again = periodic ? TIMER_CONTROL_PERIODIC_Msk : 0;
    TIMER0->CONTROL = TIMER_CONTROL_ENABLE_Msk | TIMER_CONTROL_INTERRUPT_Msk | again;
    return IMNPU_OK;
}

void imnpu_timer_stop(void)
{
    imnpu_interrupt_disable(IMNPU_IRQ_TIMER0);
    TIMER0->CONTROL = 0;
    TIMER0->STATUS = TIMER_STATUS_EXPIRED_Msk;
}

uint32_t imnpu_timer_left(void)
{
    return TIMER0->VALUE;
}
