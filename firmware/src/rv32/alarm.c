/* SPDX-License-Identifier: BSD-3-Clause
 * The alarm on the machine timer of the CLINT. */
#include <imnpu/alarm.h>
#include <imnpu/machine.h>

#define MTIMECMP ((volatile uint32_t *)0x02004000UL)
#define MTIME ((volatile uint32_t *)0x0200BFF8UL)
#define MTIME_HZ 10000000UL
#define CYCLES_PER_TICK (IMNPU_CLOCK_HZ / MTIME_HZ)
#define MIE_TIMER (1UL << 7)

static uint64_t end = IMNPU_FOREVER;

static uint64_t now(void)
{
    uint32_t high, low;
    do {
        high = MTIME[1];
        low = MTIME[0];
    } while (high != MTIME[1]);
    return (uint64_t)high << 32 | low;
}

/* The comparator must not be below the time between the two writes. */
static void compare_with(uint64_t time)
{
    MTIMECMP[1] = UINT32_MAX;
    MTIMECMP[0] = (uint32_t)time;
    MTIMECMP[1] = (uint32_t)(time >> 32);
}

void imnpu_alarm_start(uint64_t cycles)
{
    imnpu_alarm_stop();
    if (cycles != IMNPU_FOREVER) {
        end = now() + cycles / CYCLES_PER_TICK + 1;
        compare_with(end);
        __asm volatile("csrs mie, %0" ::"r"(MIE_TIMER) : "memory");
    }
}

int imnpu_alarm_expired(void)
{
    return end != IMNPU_FOREVER && now() >= end;
}

void imnpu_alarm_stop(void)
{
    __asm volatile("csrc mie, %0" ::"r"(MIE_TIMER) : "memory");
    end = IMNPU_FOREVER;
    compare_with(end);
}

/* Only wakes the host: no alarm, no second interrupt; imnpu_alarm_expired() looks at the time. */
void MachineTimer_Handler(void);
__attribute__((weak, interrupt("machine"))) void MachineTimer_Handler(void)
{
    compare_with(IMNPU_FOREVER);
}
