/* SPDX-License-Identifier: BSD-3-Clause
 * The PLIC, context 0 (machine mode of hart 0). Interrupt n is source n + 1, because source 0 means "none". */
#include <imnpu/interrupt.h>
#include <imnpu/status.h>

#include "../interrupt_table.h"

#define PLIC_PRIORITY ((volatile uint32_t *)0x0C000000UL)
#define PLIC_ENABLE ((volatile uint32_t *)0x0C002000UL)
#define PLIC_CLAIM (*(volatile uint32_t *)0x0C200004UL)
/* The PLIC's priority 0 means "never", 7 is the most urgent. */
#define PLIC_HIGHEST 7

#define MSTATUS_MIE (1UL << 3)
#define MIE_EXTERNAL (1UL << 11)

static uint8_t priorities[IMNPU_INTERRUPTS]; /* as imnpu_interrupt_priority_set() has them */
static uint32_t enabled;

static uint32_t source_of(int number)
{
    return (uint32_t)number + 1;
}

/* An interrupt is disabled by the PLIC's priority 0. Its enable bit stays set: the PLIC ignores the completion of a
 * source whose bit is clear, so that a handler which disables its own interrupt would never be called again. */
static void update(int number)
{
    const uint32_t priority = PLIC_HIGHEST - (uint32_t)priorities[number];
    PLIC_PRIORITY[source_of(number)] = enabled >> number & 1 ? priority : 0;
}

int imnpu_interrupt_enable(int number)
{
    if (!imnpu_interrupt_valid(number)) {
        return IMNPU_E_ARGUMENT;
    }
    const uint32_t source = source_of(number);
    const uint32_t state = imnpu_interrupts_disable();
    enabled |= 1UL << number;
    update(number);
    PLIC_ENABLE[source / 32] |= 1UL << source % 32;
    __asm volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL) : "memory");
    imnpu_interrupts_restore(state);
    return IMNPU_OK;
}

int imnpu_interrupt_disable(int number)
{
    if (!imnpu_interrupt_valid(number)) {
        return IMNPU_E_ARGUMENT;
    }
    const uint32_t state = imnpu_interrupts_disable();
    enabled &= ~(1UL << number);
    update(number);
    imnpu_interrupts_restore(state);
    return IMNPU_OK;
}

int imnpu_interrupt_priority_set(int number, int priority)
{
    if (!imnpu_interrupt_valid(number) || priority < IMNPU_PRIORITY_HIGHEST || priority > IMNPU_PRIORITY_LOWEST) {
        return IMNPU_E_ARGUMENT;
    }
    const uint32_t state = imnpu_interrupts_disable();
    priorities[number] = (uint8_t)priority;
    update(number);
    imnpu_interrupts_restore(state);
    return IMNPU_OK;
}

uint32_t imnpu_interrupts_disable(void)
{
    uint32_t status;
    __asm volatile("csrrc %0, mstatus, %1" : "=r"(status) : "r"(MSTATUS_MIE) : "memory");
    return status & MSTATUS_MIE;
}

void imnpu_interrupts_restore(uint32_t state)
{
    __asm volatile("csrs mstatus, %0" ::"r"(state) : "memory");
}

void imnpu_interrupts_enable(void)
{
    imnpu_interrupts_restore(MSTATUS_MIE);
}

void imnpu_wait_for_interrupt(void)
{
    __asm volatile("fence\n wfi" ::: "memory");
}

void imnpu_interrupt_dispatch(void)
{
    for (uint32_t source = PLIC_CLAIM; source != 0; source = PLIC_CLAIM) {
        imnpu_interrupt_call((int)source - 1);
        PLIC_CLAIM = source;
    }
}
