/* SPDX-License-Identifier: BSD-3-Clause */
/* UART, timers, dual timer, GPIO-less board registers: what does not depend on the speed of the CPU. */
#include "mps2.h"

static volatile uint32_t seen[32], order, log_of_order;

static void nmi(void) {}

static void interrupt(void) {
    uint32_t number = active();
    seen[number]++;
    log_of_order = log_of_order << 8 | number;
    switch (number) {
    case 0: REGISTER(UART + 0x0c) = 2; break;
    case 1: REGISTER(UART + 0x0c) = 1; break;
    case 8: REGISTER(TIMER0 + 0x0c) = 1; break;
    case 9: REGISTER(TIMER1 + 0x0c) = 1; REGISTER(TIMER1) = 0; break;
    case 10:
        print_hex("dual MIS1 ", REGISTER(DUAL + 0x14));
        print_hex("dual MIS2 ", REGISTER(DUAL + 0x34));
        REGISTER(DUAL + 0x0c) = 1;
        REGISTER(DUAL + 0x2c) = 1;
        break;
    default: NVIC_ICER = 1u << number;
    }
}

static void wait_for(uint32_t number, uint32_t count) {
    while (seen[number] < count) {}
}

static void uart_interrupts(void) {
    print_hex("uart state ", REGISTER(UART + 4));
    print_hex("uart ctrl ", REGISTER(UART + 8));
    NVIC_ISER = 2;
    REGISTER(UART + 8) = 1 | 4;
    put('!');
    wait_for(1, 1);
    put('\n');
    wait_for(1, 2);
    REGISTER(UART + 8) = 1;
    print_hex("sent interrupts ", seen[1]);
    print_hex("uart status ", REGISTER(UART + 0x0c));
    for (uint32_t offset = 0xfd0; offset < 0x1000; offset += 4) print_hex("uart id ", REGISTER(UART + offset));
}

static void timers(void) {
    print_hex("timer id ", REGISTER(TIMER0 + 0xfe0));
    REGISTER(TIMER0 + 8) = 50000;
    print_hex("value ", REGISTER(TIMER0 + 4));
    NVIC_ISER = 1u << 8 | 1u << 9;
    REGISTER(TIMER0) = 9;
    wait_for(8, 3);
    REGISTER(TIMER0) = 0;
    print_hex("timer0 interrupts ", seen[8]);
    REGISTER(TIMER0 + 4) = 1234;
    print_hex("value ", REGISTER(TIMER0 + 4));
    print_hex("reload ", REGISTER(TIMER0 + 8));
    REGISTER(TIMER1 + 4) = 2000; /* no reload: once */
    REGISTER(TIMER1) = 9;
    wait_for(9, 1);
    print_hex("timer1 at its end ", REGISTER(TIMER1 + 4));
    print_hex("timer1 interrupts ", seen[9]);
}

static void dual_timer(void) {
    print_hex("dual control ", REGISTER(DUAL + 8));
    print_hex("dual value ", REGISTER(DUAL + 4));
    print_hex("dual id ", REGISTER(DUAL + 0xfe0));
    NVIC_ISER = 1u << 10;
    REGISTER(DUAL + 0x08) = 0x40 | 0x20 | 2; /* periodic, 32 bits */
    REGISTER(DUAL + 0x00) = 40000;
    print_hex("loaded ", REGISTER(DUAL + 4));
    REGISTER(DUAL + 0x08) = 0x80 | 0x40 | 0x20 | 2;
    wait_for(10, 2);
    REGISTER(DUAL + 0x08) = 0;
    REGISTER(DUAL + 0x20) = 300;
    REGISTER(DUAL + 0x28) = 0x80 | 0x20 | 4 | 2 | 1; /* once, /16, 32 bits, free-running */
    wait_for(10, 3);
    print_hex("once, at its end ", REGISTER(DUAL + 0x24));
    REGISTER(DUAL + 0x28) = 0;
    REGISTER(DUAL + 0xf00) = 1;
    REGISTER(DUAL + 0xf04) = 2;
    NVIC_ICER = 1u << 10;
    REGISTER(DUAL + 0xf04) = 0;
    REGISTER(DUAL + 0xf00) = 0;
    print_hex("dual interrupts ", seen[10]);
}

static void board(void) {
    print_hex("scc id ", REGISTER(SCC + 0xffc));
    print_hex("scc aid ", REGISTER(SCC + 0xff8));
    print_hex("scc cfg4 ", REGISTER(SCC + 0x10));
    for (uint32_t device = 0; device < 4; device++) {
        REGISTER(SCC + 0xa8) = 0x80100000 | device;
        print_hex("scc status ", REGISTER(SCC + 0xac));
        print_hex("scc clock ", REGISTER(SCC + 0xa0));
    }
    print_hex("scc dll ", REGISTER(SCC + 0x100));
    REGISTER(FPGAIO) = 0xff;
    print_hex("leds ", REGISTER(FPGAIO));
    REGISTER(FPGAIO + 0x1c) = 7;
    print_hex("prescale ", REGISTER(FPGAIO + 0x1c));
    uint32_t before = REGISTER(FPGAIO + 0x18);
    while (REGISTER(FPGAIO + 0x18) == before) {}
    print("counter counts\n");
    print_hex("cpuid ", REGISTER(0xe000ed00) & ~0xfu);
    REGISTER(0xe0002000) = 2;
    print_hex("comparators of the flash patch unit ", REGISTER(0xe0002000) >> 4 & 15);
    print_hex("trace macrocell ", REGISTER(0xe0041000));
    print_hex("rom table ", REGISTER(0xe00ff000));
}

static void memories(void) {
    volatile uint32_t *data = (volatile uint32_t *)0x20010000, *mirror = (volatile uint32_t *)0x20410000;
    *data = 0x12345678;
    print_hex("mirror of ssram23 ", *mirror);
    *mirror = 0x9abcdef0;
    print_hex("ssram23 ", *data);
#ifndef PSRAM
#define PSRAM 0x21000000u
    REGISTER(0x01000010) = 0xb0b;
    print_hex("mirror of block ram ", REGISTER(0x0100c010));
#endif
    print_hex("mirror of ssram1 ", REGISTER(0x00400000));
    REGISTER(PSRAM + 0xffffc0) = 0x5a5a;
    print_hex("psram ", REGISTER(PSRAM + 0xffffc0));
}

int main(void) {
    print("hello from the board\n");
    uart_interrupts();
    timers();
    dual_timer();
    board();
    memories();
    print_hex("order ", log_of_order);
    return 42;
}
