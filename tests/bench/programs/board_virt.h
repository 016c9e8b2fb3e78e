/* SPDX-License-Identifier: BSD-3-Clause */
/* The RV32 board: start, console, ready flag, tick, environment call, end. */
#ifndef BOARD_H
#define BOARD_H
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define UART 0x10000000u
#define READY_FLAG (*(volatile uint8_t *)(UART + 5))
#define MTIMECMP 0x02004000u
#define MTIME 0x0200bff8u
#define FINISHER 0x00100000u
#define MICROSECONDS(count) (10u * (count))

__attribute__((section(".start"), naked, used)) void start(void) {
    __asm__ volatile("la sp, stack_top\n la t0, trap\n csrw mtvec, t0\n call reset\n1: j 1b");
}

static void put(char c) { *(volatile uint8_t *)UART = (uint8_t)c; }

static void finish(int code) {
    REGISTER(FINISHER) = code ? (uint32_t)code << 16 | 0x3333 : 0x5555;
    for (;;) {}
}

/* Time in units of the tick's period. */
static void start_clock(void) {}
static uint32_t clock_now(void) { return REGISTER(MTIME); }
static uint32_t time_since(uint32_t start) { return clock_now() - start; }

static volatile uint32_t ticks;
static uint32_t tick_period;
static void start_tick(uint32_t period) {
    tick_period = period;
    REGISTER(MTIMECMP + 4) = 0;
    REGISTER(MTIMECMP) = REGISTER(MTIME) + period;
    __asm__ volatile("csrs mie, %0\n csrs mstatus, %1" : : "r"(1 << 7), "r"(1 << 3));
}

__attribute__((used)) static void tick(void) {
    ticks++;
    REGISTER(MTIMECMP) = REGISTER(MTIME) + tick_period;
}

/* An environment call returns at once; a timer interrupt saves the registers that C may change. */
__attribute__((naked, aligned(4), used)) void trap(void) {
    __asm__ volatile(
        "csrw mscratch, t0\n"
        "csrr t0, mcause\n"
        "bltz t0, 1f\n"
        "csrr t0, mepc\n"
        "addi t0, t0, 4\n"
        "csrw mepc, t0\n"
        "csrr t0, mscratch\n"
        "mret\n"
        "1: csrr t0, mscratch\n"
        "addi sp, sp, -64\n"
        "sw ra, 0(sp)\n sw t0, 4(sp)\n sw t1, 8(sp)\n sw t2, 12(sp)\n"
        "sw a0, 16(sp)\n sw a1, 20(sp)\n sw a2, 24(sp)\n sw a3, 28(sp)\n sw a4, 32(sp)\n sw a5, 36(sp)\n"
        "sw a6, 40(sp)\n sw a7, 44(sp)\n sw t3, 48(sp)\n sw t4, 52(sp)\n sw t5, 56(sp)\n sw t6, 60(sp)\n"
        "call tick\n"
        "lw ra, 0(sp)\n lw t0, 4(sp)\n lw t1, 8(sp)\n lw t2, 12(sp)\n"
        "lw a0, 16(sp)\n lw a1, 20(sp)\n lw a2, 24(sp)\n lw a3, 28(sp)\n lw a4, 32(sp)\n lw a5, 36(sp)\n"
        "lw a6, 40(sp)\n lw a7, 44(sp)\n lw t3, 48(sp)\n lw t4, 52(sp)\n lw t5, 56(sp)\n lw t6, 60(sp)\n"
        "addi sp, sp, 64\n"
        "mret\n");
}
static inline void call_supervisor(void) { __asm__ volatile("ecall" : : : "memory"); }

/* Go on in user mode, which may execute the program's first 64 KiB, and read and write the rest and the devices. */
#define HAS_USER_MODE 1
static void enter_user_mode(void) {
    __asm__ volatile("csrw pmpaddr0, %0\n csrw pmpaddr1, %1\n csrw pmpaddr2, %2\n csrw pmpcfg0, %3" : :
                     "r"(0x80000000u >> 2 | 0x1fff), "r"(0x80000000u >> 2 | 0x1ffff), "r"(0x0fffffff), "r"(0x1b1b1d));
    __asm__ volatile("csrc mstatus, %0\n la t0, 1f\n csrw mepc, t0\n mret\n1:" : : "r"(3 << 11) : "t0", "memory");
}

int main(void);
__attribute__((used)) static void reset(void) { finish(main()); }
#endif
