/* SPDX-License-Identifier: BSD-3-Clause
 * The alarm on SysTick. It counts at most 2^24 cycles, so that a long alarm is made of several rounds. */
#include <imnpu/alarm.h>
#include <imnpu/interrupt.h>

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010UL)
#define SYSTICK_LOAD (*(volatile uint32_t *)0xE000E014UL)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018UL)
#define INTERRUPT_CONTROL (*(volatile uint32_t *)0xE000ED04UL)

#define SYSTICK_ENABLE (1UL << 0)
#define SYSTICK_INTERRUPT (1UL << 1)
#define SYSTICK_PROCESSOR_CLOCK (1UL << 2)
#define SYSTICK_COUNTED (1UL << 16)
#define CLEAR_PENDING_SYSTICK (1UL << 25)
#define LONGEST_ROUND (1UL << 24)

static uint64_t cycles_left;

static void stop(void)
{
    SYSTICK_CONTROL = 0;
    INTERRUPT_CONTROL = CLEAR_PENDING_SYSTICK;
}

/* The interrupt only wakes the host; imnpu_alarm_expired() sees the end of the round in SYSTICK_COUNTED. */
void SysTick_Handler(void);
__attribute__((weak)) void SysTick_Handler(void)
{
}

static void start_round(void)
{
    const uint32_t round = cycles_left < LONGEST_ROUND ? (uint32_t)cycles_left : LONGEST_ROUND;
    cycles_left -= round;
    SYSTICK_LOAD = round - 1;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = SYSTICK_ENABLE | SYSTICK_INTERRUPT | SYSTICK_PROCESSOR_CLOCK;
}

void imnpu_alarm_start(uint64_t cycles)
{
    stop();
    if (cycles != IMNPU_FOREVER) {
        cycles_left = cycles < 2 ? 2 : cycles; /* a LOAD of 0 would never count */
        start_round();
    }
}

int imnpu_alarm_expired(void)
{
    if (!(SYSTICK_CONTROL & SYSTICK_COUNTED)) {
        return 0;
    }
    stop();
    if (cycles_left == 0) {
        return 1;
    }
    start_round();
    return 0;
}

void imnpu_alarm_stop(void)
{
    stop();
}
