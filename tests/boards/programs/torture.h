/* SPDX-License-Identifier: BSD-3-Clause */
/* What programs that torture a Cortex-M share: system registers, output by semihosting. */
#ifndef TORTURE_H
#define TORTURE_H
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define BYTE(address) (*(volatile uint8_t *)(address))
#define STCSR REGISTER(0xE000E010)
#define STRVR REGISTER(0xE000E014)
#define STCVR REGISTER(0xE000E018)
#define ISER REGISTER(0xE000E100)
#define ICER REGISTER(0xE000E180)
#define ISPR REGISTER(0xE000E200)
#define ICPR REGISTER(0xE000E280)
#define IABR REGISTER(0xE000E300)
#define IPR(n) BYTE(0xE000E400 + (n))
#define IPR_WORD(n) REGISTER(0xE000E400 + 4 * (n))
#define ICSR REGISTER(0xE000ED04)
#define VTOR REGISTER(0xE000ED08)
#define AIRCR REGISTER(0xE000ED0C)
#define SCR REGISTER(0xE000ED10)
#define CCR REGISTER(0xE000ED14)
#define SHPR(n) BYTE(0xE000ED14 + (n))
#define SHPR_WORD(n) REGISTER(0xE000ED18 + 4 * (n))
#define SHCSR REGISTER(0xE000ED24)
#define CFSR REGISTER(0xE000ED28)
#define HFSR REGISTER(0xE000ED2C)
#define MMFAR REGISTER(0xE000ED34)
#define BFAR REGISTER(0xE000ED38)
#define CPACR REGISTER(0xE000ED88)
#define STIR REGISTER(0xE000EF00)

#define PEND_SV (1u << 28)
#ifndef STACK_TOP
#define STACK_TOP 0x20004000u
#endif
#define READ(name) ({ uint32_t value; __asm volatile("mrs %0, " name : "=r"(value)); value; })
#define WRITE(name, value) __asm volatile("msr " name ", %0\n isb" ::"r"((uint32_t)(value)) : "memory")
#define BARRIER() __asm volatile("dsb\n isb" ::: "memory")

static uint32_t semihost(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = parameter;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void text(const char *string) { semihost(4, string); }

static void hex(const char *name, uint32_t value) {
    char digits[12];
    for (int i = 0; i < 8; i++) {
        uint32_t digit = value >> (28 - 4 * i) & 15;
        digits[i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    digits[8] = 0;
    text(" ");
    text(name);
    text("=");
    text(digits);
}

static void line(const char *name) { text(name); }
static void end(void) { text("\n"); }

#endif
