/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/interrupt.h>
#include <imnpu/machine.h>
#include <imnpu/memory.h>
#include <imnpu/status.h>
#include <imnpu/stream.h>

#include "wait.h"

#define FINISHED (STREAM_STATUS_DONE_Msk | STREAM_STATUS_END_Msk | STREAM_STATUS_ERROR_Msk)

static volatile uint32_t events; /* bits of STATUS since the last start */
static int started;

/* Moves how the transfer ended from the device to memory, which releases its line. */
static void collect(void *context)
{
    (void)context;
    const uint32_t status = STREAM0->STATUS & FINISHED;
    STREAM0->STATUS = status;
    events |= status;
}

static int ask_end(void *context)
{
    collect(context);
    if (events & STREAM_STATUS_ERROR_Msk) {
        return IMNPU_E_STREAM;
    }
    if (events & STREAM_STATUS_END_Msk) {
        return IMNPU_E_END_OF_DATA;
    }
    return events & STREAM_STATUS_DONE_Msk ? IMNPU_OK : IMNPU_RUNNING;
}

int imnpu_stream_start(void *buffer, size_t bytes)
{
    if (bytes == 0) {
        return IMNPU_E_ARGUMENT;
    }
    if (STREAM0->STATUS & STREAM_STATUS_BUSY_Msk) {
        return IMNPU_E_BUSY;
    }
    if (!started) {
        imnpu_interrupt_handler_set(IMNPU_IRQ_STREAM0, collect, 0);
        imnpu_interrupt_enable(IMNPU_IRQ_STREAM0);
        started = 1;
    }
    events = 0;
    STREAM0->ADDRESS = imnpu_address(buffer);
    STREAM0->LENGTH = (uint32_t)bytes;
    imnpu_memory_barrier();
    STREAM0->CONTROL = STREAM_CONTROL_START_Msk | STREAM_CONTROL_INTERRUPT_Msk;
    return IMNPU_OK;
}

int imnpu_stream_wait(uint64_t timeout)
{
    return started ? imnpu_wait_until(ask_end, 0, timeout) : IMNPU_E_IDLE;
}

uint32_t imnpu_stream_frames(void)
{
    return STREAM0->FRAMES;
}

uint32_t imnpu_stream_available(void)
{
    return STREAM0->AVAILABLE;
}
