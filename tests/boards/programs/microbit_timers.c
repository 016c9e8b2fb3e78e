/* SPDX-License-Identifier: BSD-3-Clause */
/* Timers, pins and random numbers of the nRF51; what is printed does not depend on how fast the core is. */
#include "microbit.h"

#define TIMER(number) (0x40008000u + 0x1000u * (number))
#define GO(timer) REGISTER((timer) + 0x000)
#define STOP(timer) REGISTER((timer) + 0x004)
#define COUNT(timer) REGISTER((timer) + 0x008)
#define CLEAR(timer) REGISTER((timer) + 0x00c)
#define CAPTURE(timer, n) REGISTER((timer) + 0x040 + 4 * (n))
#define COMPARE(timer, n) REGISTER((timer) + 0x140 + 4 * (n))
#define SHORTS(timer) REGISTER((timer) + 0x200)
#define INTENSET(timer) REGISTER((timer) + 0x304)
#define INTENCLR(timer) REGISTER((timer) + 0x308)
#define MODE(timer) REGISTER((timer) + 0x504)
#define BITMODE(timer) REGISTER((timer) + 0x508)
#define PRESCALER(timer) REGISTER((timer) + 0x510)
#define CC(timer, n) REGISTER((timer) + 0x540 + 4 * (n))
#define PORT 0x50000000u
#define OUT REGISTER(PORT + 0x504)
#define OUTSET REGISTER(PORT + 0x508)
#define OUTCLR REGISTER(PORT + 0x50c)
#define IN REGISTER(PORT + 0x510)
#define DIR REGISTER(PORT + 0x514)
#define DIRSET REGISTER(PORT + 0x518)
#define DIRCLR REGISTER(PORT + 0x51c)
#define PIN(n) REGISTER(PORT + 0x700 + 4 * (n))
#define RANDOM 0x4000d000u
#define VALUE REGISTER(RANDOM + 0x508)
#define VALRDY REGISTER(RANDOM + 0x100)

static volatile uint32_t interrupts[2];

static void field(const char *name, uint32_t value) {
    put(' ');
    print(name);
    put('=');
    print_number(value);
}

static void state(const char *name, uint32_t timer) {
    print(name);
    for (int i = 0; i < 4; i++) field("cc", CC(timer, i));
    for (int i = 0; i < 4; i++) field("compare", COMPARE(timer, i));
    field("enabled", INTENSET(timer));
    put('\n');
}

static void timer0(void) {
    interrupts[0]++;
    COMPARE(TIMER(0), 1) = 0;
}

static void timer1(void) {
    interrupts[1]++;
    COMPARE(TIMER(1), 0) = 0;
}

static void counting(void) {
    uint32_t timer = TIMER(2);
    MODE(timer) = 1;
    BITMODE(timer) = 1;
    CC(timer, 0) = 3;
    CC(timer, 1) = 5;
    CC(timer, 2) = 0x20;
    SHORTS(timer) = 1 << 1;
    for (int i = 0; i < 12; i++) {
        COUNT(timer) = 1;
        CAPTURE(timer, 3) = 1;
        state("counted", timer);
        if (i == 6) COMPARE(timer, 0) = 0;
    }
    SHORTS(timer) = 0;
    for (int i = 0; i < 0x100; i++) COUNT(timer) = 1;
    CAPTURE(timer, 3) = 1;
    state("wrapped", timer);
    CLEAR(timer) = 1;
    CAPTURE(timer, 3) = 1;
    state("cleared", timer);
    INTENSET(timer) = 0xffffffff;
    state("all enabled", timer);
    INTENCLR(timer) = 0x30000;
    state("two disabled", timer);
    INTENCLR(timer) = 0xffffffff;
}

/* TIMER1's period is 20 of TIMER0's, and a half, so that the two never coincide. */
static void timing(void) {
    CC(TIMER(0), 1) = 16000;
    SHORTS(TIMER(0)) = 1 << 1;
    PRESCALER(TIMER(0)) = 0;
    INTENSET(TIMER(0)) = 1 << 17;
    CC(TIMER(1), 0) = 20500;
    BITMODE(TIMER(1)) = 3;
    PRESCALER(TIMER(1)) = 4;
    INTENSET(TIMER(1)) = 1 << 16;
    ISER = 3 << 8;
    GO(TIMER(0)) = 1;
    GO(TIMER(1)) = 1;
    while (!interrupts[1]) {
    }
    print("rounds");
    field("timer0", interrupts[0]);
    put('\n');
    STOP(TIMER(0)) = 1;
    STOP(TIMER(1)) = 1;
    CAPTURE(TIMER(1), 2) = 1;
    uint32_t stopped = CC(TIMER(1), 2);
    CAPTURE(TIMER(1), 3) = 1;
    print("stopped");
    field("moved", CC(TIMER(1), 3) - stopped);
    field("before", stopped < 20500);
    put('\n');
    CLEAR(TIMER(1)) = 1;
    CC(TIMER(1), 1) = 300;
    SHORTS(TIMER(1)) = 1 << 9;
    GO(TIMER(1)) = 1;
    while (!COMPARE(TIMER(1), 1)) {
    }
    CAPTURE(TIMER(1), 2) = 1;
    stopped = CC(TIMER(1), 2);
    CAPTURE(TIMER(1), 3) = 1;
    print("stopped by itself");
    field("moved", CC(TIMER(1), 3) - stopped);
    field("enabled", INTENSET(TIMER(1)));
    put('\n');
}

static void pins(void) {
    print("pins");
    field("out", OUT);
    field("dir", DIR);
    field("configured", PIN(7));
    put('\n');
    DIRSET = 0xf0;
    DIRCLR = 0x40;
    OUT = 0xff00ff;
    OUTSET = 0x300;
    OUTCLR = 0x10;
    PIN(9) = 0x00030701;
    print("driven");
    field("out", OUT);
    field("set", OUTSET);
    field("cleared", OUTCLR);
    field("dir", DIR);
    field("dirset", DIRSET);
    field("configured", PIN(7));
    field("and", PIN(6));
    field("and", PIN(9));
    put('\n');
    DIR = 0;
    for (int i = 0; i < 32; i++) PIN(i) = (i & 3) == 0 ? 0 : (i & 3) == 1 ? 4 : 0xc;
    print("pulled");
    field("in", IN);
    put('\n');
}

static void numbers(void) {
    uint32_t different = 0, last = 0x100;
    REGISTER(RANDOM + 0x000) = 1;
    for (int i = 0; i < 16; i++) {
        while (!VALRDY) {
        }
        VALRDY = 0;
        different += VALUE != last;
        last = VALUE;
    }
    REGISTER(RANDOM + 0x004) = 1;
    print("numbers");
    field("differ", different > 8);
    field("small", last < 0x100);
    put('\n');
    REGISTER(RANDOM + 0x200) = 1;
    REGISTER(RANDOM + 0x000) = 1;
    while (!VALRDY) {
    }
    VALRDY = 0;
    for (volatile int i = 0; i < 30000; i++) {
    }
    print("stops by itself");
    field("ready", VALRDY);
    put('\n');
}

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16 + 11] = {
    (void *)STACK_TOP, reset, stop, stop, [24] = timer0, [25] = timer1,
};

void reset(void) {
    start_output();
    counting();
    timing();
    pins();
    numbers();
    finish(7);
}
