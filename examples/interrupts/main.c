/* SPDX-License-Identifier: BSD-3-Clause
 * Sleeps between the ticks of a timer: the handler counts, main() wakes up and prints. */
#include <stdio.h>

#include <imnpu/imnpu.h>

#define TICKS_PER_SECOND 1000
#define LAST_TICK 5

static volatile int ticks;

static void count_tick(void *context)
{
    (void)context;
    ++ticks;
}

/* Sleeps until there are more ticks than `seen`. Interrupts are stopped between the test and the sleep, so that a
 * tick in between is not missed: it ends the sleep at once. */
static int wait_for_tick(int seen)
{
    uint32_t state = imnpu_interrupts_disable();
    while (ticks == seen) {
        imnpu_wait_for_interrupt();
        imnpu_interrupts_restore(state);
        state = imnpu_interrupts_disable();
    }
    imnpu_interrupts_restore(state);
    return ticks;
}

int main(void)
{
    IMNPU_CHECK(imnpu_timer_start(IMNPU_CLOCK_HZ / TICKS_PER_SECOND, 1, count_tick, 0));
    int seen = 0;
    while (seen < LAST_TICK) {
        seen = wait_for_tick(seen);
        printf("tick %d\n", seen);
    }
    imnpu_timer_stop();
    return 0;
}
