/* SPDX-License-Identifier: BSD-3-Clause */
/* Start-up, registers and output for the MPS2 boards; one file is enough for these tests. */
#ifndef MPS2_H
#define MPS2_H
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#ifdef SECURE /* mps2-an505 */
#define UART 0x50200000u
#define TIMER0 0x50000000u
#define TIMER1 0x50001000u
#define DUAL 0x50002000u
#define WATCHDOG 0x50081000u
#define FPGAIO 0x50302000u
#define SCC 0x50300000u
#else
#define UART 0x40004000u
#define TIMER0 0x40000000u
#define TIMER1 0x40001000u
#define DUAL 0x40002000u
#define WATCHDOG 0x40008000u
#define FPGAIO 0x40028000u
#define SCC 0x4002f000u
#endif
#define NVIC_ISER REGISTER(0xe000e100)
#define NVIC_ICER REGISTER(0xe000e180)
#define NVIC_ISPR REGISTER(0xe000e200)
#define NVIC_ICPR REGISTER(0xe000e280)

static void put(char c) { REGISTER(UART) = (uint32_t)(unsigned char)c; }

static void print(const char *text) {
    while (*text) put(*text++);
}

static void print_hex(const char *name, uint32_t value) {
    print(name);
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
    put('\n');
}

static void finish(int code) {
    volatile uint32_t block[2] = {0x20026, (uint32_t)code};
    register uint32_t r0 __asm__("r0") = 0x20;
    register volatile uint32_t *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : : "r"(r0), "r"(r1) : "memory");
    for (;;) {}
}

int main(void);
void reset(void) {
    REGISTER(UART + 0x10) = 16;
    REGISTER(UART + 0x08) = 1;
    finish(main());
}

static void fault(void) {
    print_hex("fault, CFSR ", REGISTER(0xe000ed28));
    finish(99);
}
static void nmi(void);
static void interrupt(void);

#define FOUR interrupt, interrupt, interrupt, interrupt
typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[64] = {
    (vector)STACK_TOP, reset, nmi, fault, fault, fault, fault, 0, 0, 0, 0, fault, 0, 0, fault, fault,
    FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR,
};

static uint32_t active(void) {
    uint32_t number;
    __asm__ volatile("mrs %0, ipsr" : "=r"(number));
    return number - 16;
}
#endif
