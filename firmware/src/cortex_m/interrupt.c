/* SPDX-License-Identifier: BSD-3-Clause
 * The NVIC. */
#include <imnpu/interrupt.h>
#include <imnpu/status.h>

#include "../interrupt_table.h"

#define NVIC_ENABLE (*(volatile uint32_t *)0xE000E100UL)
#define NVIC_DISABLE (*(volatile uint32_t *)0xE000E180UL)
#define NVIC_PRIORITY ((volatile uint8_t *)0xE000E400UL)
/* Three bits of priority are implemented, at the top of the byte. */
#define PRIORITY_SHIFT 5
#define FIRST_EXTERNAL 16

int imnpu_interrupt_enable(int number)
{
    if (!imnpu_interrupt_valid(number)) {
        return IMNPU_E_ARGUMENT;
    }
    NVIC_ENABLE = 1UL << number;
    return IMNPU_OK;
}

int imnpu_interrupt_disable(int number)
{
    if (!imnpu_interrupt_valid(number)) {
        return IMNPU_E_ARGUMENT;
    }
    NVIC_DISABLE = 1UL << number;
    __asm volatile("dsb\n isb" ::: "memory");
    return IMNPU_OK;
}

int imnpu_interrupt_priority_set(int number, int priority)
{
    if (!imnpu_interrupt_valid(number) || priority < IMNPU_PRIORITY_HIGHEST || priority > IMNPU_PRIORITY_LOWEST) {
        return IMNPU_E_ARGUMENT;
    }
    NVIC_PRIORITY[number] = (uint8_t)(priority << PRIORITY_SHIFT);
    return IMNPU_OK;
}

uint32_t imnpu_interrupts_disable(void)
{
    uint32_t state;
    __asm volatile("mrs %0, primask\n cpsid i" : "=r"(state)::"memory");
    return state;
}

void imnpu_interrupts_restore(uint32_t state)
{
    __asm volatile("msr primask, %0\n isb" ::"r"(state) : "memory");
}

void imnpu_interrupts_enable(void)
{
    __asm volatile("cpsie i\n isb" ::: "memory");
}

void imnpu_wait_for_interrupt(void)
{
    __asm volatile("dsb\n wfi\n isb" ::: "memory");
}

void imnpu_interrupt_dispatch(void)
{
    uint32_t exception;
    __asm volatile("mrs %0, ipsr" : "=r"(exception));
    imnpu_interrupt_call((int)exception - FIRST_EXTERNAL);
}
