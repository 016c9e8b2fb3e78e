/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices, interrupts and both addresses of everything on mps2-an505, in Secure state. */
#include "mps2.h"

#define OTHER_SIDE 0x10000000u /* non-secure addresses are this much lower */

static volatile uint32_t seen[64], order;

static void nmi(void) { print("nmi\n"); }

static void interrupt(void) {
    uint32_t number = active();
    seen[number]++;
    order = order << 8 | number;
    switch (number) {
    case 3: REGISTER(TIMER0 + 0x0c) = 1; break;
    case 4: REGISTER(TIMER1 + 0x0c) = 1; REGISTER(TIMER1) = 0; break;
    case 5: REGISTER(DUAL + 0x0c) = 1; break;
    case 33: REGISTER(UART + 0x0c) = 1; break;
    default: REGISTER(0xe000e180 + 4 * (number / 32)) = 1u << number % 32;
    }
}

static void wait_for(uint32_t number, uint32_t count) {
    while (seen[number] < count) {}
}

static void uart(void) {
    REGISTER(0xe000e104) = 2 | 1 << 10;
    REGISTER(UART + 8) = 1 | 4;
    put('!');
    wait_for(33, 1);
    REGISTER(UART - OTHER_SIDE) = '?';
    wait_for(33, 2);
    REGISTER(UART + 8) = 1;
    put('\n');
    print_hex("combined ", seen[42]);
    print_hex("control ", REGISTER(UART - OTHER_SIDE + 8));
}

static void timers(void) {
    NVIC_ISER = 7 << 3;
    REGISTER(TIMER0 + 8) = 50000;
    REGISTER(TIMER0) = 9;
    wait_for(3, 2);
    REGISTER(TIMER0) = 0;
    REGISTER(TIMER1 - OTHER_SIDE + 4) = 2000;
    REGISTER(TIMER1 - OTHER_SIDE) = 9;
    wait_for(4, 1);
    REGISTER(DUAL + 0x08) = 0x40 | 0x20 | 2;
    REGISTER(DUAL + 0x00) = 40000;
    REGISTER(DUAL + 0x08) = 0x80 | 0x40 | 0x20 | 2;
    wait_for(5, 1);
    REGISTER(DUAL + 0x08) = 0;
    print_hex("timer0 ", REGISTER(TIMER0 - OTHER_SIDE + 8));
}

static void identities(void) {
    print_hex("version ", REGISTER(0x50020000));
    print_hex("configuration ", REGISTER(0x40020004));
    for (uint32_t offset = 0xfd0; offset < 0x1000; offset += 4) print_hex("id ", REGISTER(0x50020000 + offset));
    print_hex("scc id ", REGISTER(SCC + 0xffc));
    for (uint32_t device = 0; device < 4; device++) {
        REGISTER(SCC + 0xa8) = 0x80100000 | device;
        print_hex("scc clock ", REGISTER(SCC - OTHER_SIDE + 0xa0));
    }
    REGISTER(FPGAIO) = 0xff;
    print_hex("leds ", REGISTER(FPGAIO - OTHER_SIDE));
    print_hex("cpuid ", REGISTER(0xe000ed00) & ~0xfu);
    print_hex("vtor ", REGISTER(0xe000ed08));
    print_hex("aircr ", REGISTER(0xe000ed0c));
}

static void memories(void) {
    static const uint32_t addresses[] = {0x28100000, 0x20007ff0, 0x28200000, 0x283ffff0};
    for (uint32_t index = 0; index < 4; index++) {
        REGISTER(addresses[index] + OTHER_SIDE) = 0x12340000 | index;
        print_hex("non-secure ", REGISTER(addresses[index]));
    }
    print_hex("code ", REGISTER(0x00000000) == REGISTER(0x10000000));
    print_hex("mirror ", REGISTER(0x00400000) == REGISTER(0x10400000));
    REGISTER(0x80fffff0) = 0x5a5a;
    print_hex("psram ", REGISTER(0x80fffff0));
}

int main(void) {
    print("secure\n");
    uart();
    timers();
    identities();
    memories();
    print_hex("order ", order);
    return 23;
}
