/* SPDX-License-Identifier: BSD-3-Clause */
/* The Cortex-M4F board: start, console, ready flag, tick, supervisor call, end. */
#ifndef BOARD_H
#define BOARD_H
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART 0x40004000u
#define READY_FLAG REGISTER(UART + 0x04)
#define SYSTICK 0xe000e010u
#define LONGEST_PERIOD 0x01000000u
#define MICROSECONDS(count) (25u * (count))

static void put(char c) { REGISTER(UART) = (uint32_t)(unsigned char)c; }

static void finish(int code) {
    static volatile uint32_t block[2];
    block[0] = 0x20026;
    block[1] = (uint32_t)code;
    register uint32_t r0 __asm__("r0") = 0x20;
    register volatile uint32_t *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : : "r"(r0), "r"(r1) : "memory");
    for (;;) {}
}

static volatile uint32_t ticks;
static void tick(void) { ticks++; }

/* Time in units of the tick's period, after `start_clock`. */
static void start_clock(void) {
    REGISTER(SYSTICK + 4) = LONGEST_PERIOD - 1;
    REGISTER(SYSTICK + 8) = 0;
    REGISTER(SYSTICK) = 5;
}
static uint32_t clock_now(void) { return -REGISTER(SYSTICK + 8); }
static uint32_t time_since(uint32_t start) { return (clock_now() - start) % LONGEST_PERIOD; }

static void start_tick(uint32_t period) {
    REGISTER(SYSTICK) = 0;
    REGISTER(SYSTICK + 4) = period - 1;
    REGISTER(SYSTICK + 8) = 0;
    REGISTER(SYSTICK) = 7;
}

/* A flag that a timer raises every period, in the same units. */
#define TIMER 0x40000000u
#define TIMER_FLAG REGISTER(TIMER + 0x0c)
static void start_flag(uint32_t period) {
    REGISTER(TIMER + 8) = period - 1;
    REGISTER(TIMER) = 9;
}

__attribute__((naked)) static void service(void) { __asm__ volatile("bx lr"); }
static inline void call_supervisor(void) { __asm__ volatile("svc 0" : : : "memory"); }

int main(void);
void reset(void) {
    REGISTER(UART + 0x10) = 16;
    REGISTER(UART + 0x08) = 1;
    REGISTER(0xe000ed88) = 0xf00000;
    __asm__ volatile("dsb\n isb");
    finish(main());
}
static void fault(void) { finish(99); }

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)0x20100000, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, service, 0, 0, fault, tick,
};
#endif
