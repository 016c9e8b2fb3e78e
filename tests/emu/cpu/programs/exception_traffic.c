/* SPDX-License-Identifier: BSD-3-Clause */
/* Exceptions of all kinds, as the random words of `script` say; threads and handlers read on where the last one stopped. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYSTICK 0xe000e010u
#define ENABLE 0xe000e100u
#define DISABLE 0xe000e180u
#define PEND 0xe000e200u
#define UNPEND 0xe000e280u
#define PRIORITY(number) (*(volatile uint8_t *)(0xe000e400u + (number)))
#define HANDLER_PRIORITY(number) (*(volatile uint8_t *)(0xe000ed14u + (number)))
#define ICSR 0xe000ed04u
#define AIRCR 0xe000ed0cu
#define SLEEP 0xe000ed10u
#define CONFIGURATION 0xe000ed14u
#define TRIGGER 0xe000ef00u
#define LEVEL 0x48000000u
#define PROTECTION 0xe000ed94u
#define INTERRUPTS 8u
#define WORDS 700u
#define SCRIPT ((volatile uint32_t *)0x20020000u)

#define GET(name) ({ uint32_t value_; __asm__ volatile("mrs %0, " #name : "=r"(value_) : : "memory"); value_; })
#define SET(name, value) __asm__ volatile("msr " #name ", %0\n isb" : : "r"(value) : "memory")

static volatile uint32_t position, log_sum, privileged_again, taken;
static volatile float total;
static uint32_t process_stack[512], exclusive_word;

/* Whether SVC would be a fault inside a fault handler. */
static int locked(void) { return GET(faultmask) || GET(ipsr) == 2 || GET(ipsr) == 3; }

static void note(uint32_t value) { log_sum = (log_sum ^ value) * 0x01000193u; }

static void supervisor(void) {
    if (!locked()) __asm__ volatile("svc 0" : : : "memory");
}

static void unaligned_supervisor(void) {
    if (!locked()) __asm__ volatile("sub sp, #4\n svc 1\n add sp, #4" : : : "memory");
}

static void supervisor_in_it_block(uint32_t value) {
    if (!locked())
        __asm__ volatile("cmp %0, #64\n ite lo\n svclo 2\n addhs %0, #1" : "+r"(value) : : "cc", "memory");
    note(value);
}

static void exclusive(uint32_t word) {
    uint32_t failed;
    __asm__ volatile("ldrex %0, [%1]" : "=&r"(failed) : "r"(&exclusive_word) : "memory");
    REGISTER(PEND) = word & 0xffu;
    __asm__ volatile("strex %0, %2, [%1]" : "=&r"(failed) : "r"(&exclusive_word), "r"(word) : "memory");
    note(failed);
}

static void unprivileged(uint32_t word) {
    if (GET(faultmask)) return;
    SET(control, GET(control) | 1);
    if ((word & 0x700) == 0) REGISTER(PEND) = word & 0xffu; /* a fault */
    else if (word & 0x100) REGISTER(LEVEL) = 1;
    else REGISTER(TRIGGER) = word % INTERRUPTS;
    for (volatile int i = 0; i < 5; i++) {}
    privileged_again = 1;
    __asm__ volatile("svc 3" : : : "memory");
}

static void act(uint32_t count, int thread);

__attribute__((naked, noinline)) static void on_process_stack(uint32_t count, uint32_t top) {
    __asm__ volatile("push {r4, lr}\n"
                     "msr psp, r1\n"
                     "mrs r4, control\n"
                     "orr r2, r4, #2\n"
                     "msr control, r2\n"
                     "isb\n"
                     "movs r1, #2\n"
                     "bl act\n"
                     "mrs r2, control\n"
                     "bic r2, #2\n"
                     "msr control, r2\n"
                     "isb\n"
                     "pop {r4, pc}");
}

__attribute__((used, noinline)) static void act(uint32_t count, int thread) {
    while (count-- && position < WORDS) {
        uint32_t word = SCRIPT[position++], value = word >> 8 & 0xff, number = value % INTERRUPTS;
        note(word);
        switch (word & 31) {
        case 0: case 1: case 2: supervisor(); break;
        case 3: unaligned_supervisor(); break;
        case 4: REGISTER(ICSR) = 1u << 28; break;
        case 5: case 6: REGISTER(PEND) = value; break;
        case 7: REGISTER(TRIGGER) = number; break;
        case 8: REGISTER(UNPEND) = value; break;
        case 9: SET(basepri, value & 0xe0); break;
        case 10: SET(basepri_max, value & 0xe0); break;
        case 11: SET(basepri, 0); break;
        case 12: __asm__ volatile("cpsid i" : : : "memory"); break;
        case 13: case 14: __asm__ volatile("cpsie i" : : : "memory"); break;
        case 15: __asm__ volatile("cpsid f" : : : "memory"); break;
        case 16: __asm__ volatile("cpsie f" : : : "memory"); break;
        case 17: PRIORITY(number) = (uint8_t)(word >> 16); break;
        case 18: REGISTER(ENABLE) = value; break;
        case 19: REGISTER(DISABLE) = 1u << number; break;
        case 20: REGISTER(AIRCR) = 0x05fa0000u | (word >> 16) % 5 << 8; break;
        case 21: total = total * 0.5f + (float)value; break;
        case 22: HANDLER_PRIORITY(11 + (value & 1) * 3) = (uint8_t)(word >> 16); break;
        case 23: if (thread == 1) on_process_stack(value & 7, (uint32_t)(process_stack + 512 - (value & 1))); break;
        case 24: if (thread) unprivileged(word >> 16); break;
        case 25: supervisor_in_it_block(value); break;
        case 26: exclusive(value); break;
        case 27: REGISTER(ICSR) = 1u << 26; break;
        case 28: REGISTER(LEVEL) = 1; break;
        case 29: REGISTER(ICSR) = 1u << 31; break;
        case 30:
            SET(control, GET(control) & ~4u);
#ifdef PROTECTED
            if ((word >> 16 & 7) < 3) REGISTER(PROTECTION) ^= word >> 16 & 3;
#endif
            break;
        case 31:
            if (word >> 16 & 1) REGISTER(CONFIGURATION) ^= 0x200;
            else if (word >> 16 & 2) REGISTER(SLEEP) = value & 2;
            else if (thread && !GET(faultmask)) __asm__ volatile("wfi");
            break;
        }
    }
}

static void handler(void) {
    uint32_t number = GET(ipsr);
    taken++;
    note(number);
    if (number == 16 + 5) REGISTER(LEVEL) = 0;
    act(SCRIPT[position % WORDS] >> 29, 0);
}

static void supervisor_handler(void) {
    if (privileged_again) {
        privileged_again = 0;
        SET(control, GET(control) & ~1u);
    }
    handler();
}

static void fault(void) {
    note(REGISTER(0xe000ed2c));
    REGISTER(0xe000ed2c) = ~0u;
    SET(control, GET(control) & ~1u);
}

static void tick(void) {
    taken++;
    REGISTER(SLEEP) = 0;
}

#ifdef PROTECTED
static void region(uint32_t base, uint32_t attributes) {
    static uint32_t number;
    REGISTER(PROTECTION + 8) = base | 16 | number++;
    REGISTER(PROTECTION + 12) = attributes | 1;
}

/* Code, data, devices; 256 bytes in the middle of the process stack that unprivileged software may only read. */
static void protect(void) {
    region(0, 0x06000000 | 19 << 1);
    region(0x20000000, 0x13000000 | 17 << 1);
    region(0x40000000, 0x13000000 | 28 << 1);
    region((uint32_t)process_stack + 1024 & ~255u, 0x12000000 | 7 << 1);
    REGISTER(PROTECTION) = 5;
}
#endif

void reset(void) {
#ifdef PROTECTED
    protect();
#endif
#ifdef LIMITED
    /* msr psplim, r0; msr msplim, r1 */
    register uint32_t limit __asm__("r0") = (uint32_t)process_stack + 1024, main __asm__("r1") = 0x20000000 + LIMITED;
    __asm__ volatile(".hword 0xf380, 0x880b, 0xf381, 0x880a" : : "r"(limit), "r"(main));
#endif
    REGISTER(0xe000ed88) = 0xf00000;
    __asm__ volatile("dsb\n isb");
    REGISTER(ENABLE) = 0xff;
    REGISTER(CONFIGURATION) |= 2; /* USERSETMPEND */
    HANDLER_PRIORITY(14) = 0xff;
    HANDLER_PRIORITY(15) = 0;
    for (uint32_t number = 0; number < INTERRUPTS; number++) PRIORITY(number) = (uint8_t)(number * 0x20);
    REGISTER(SYSTICK + 4) = 1999;
    REGISTER(SYSTICK + 8) = 0;
    REGISTER(SYSTICK) = 7;
    while (position < WORDS) {
        act(4, 1);
        if (GET(faultmask)) __asm__ volatile("cpsie f");
    }
    static volatile uint32_t block[2] = {0x20026, 0};
    register uint32_t r0 __asm__("r0") = 0x20;
    register volatile uint32_t *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : : "r"(r0), "r"(r1) : "memory");
    for (;;) {}
}

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16 + INTERRUPTS] = {
    (vector)0x20008000, reset, handler, fault, fault, fault, fault, 0, 0, 0, 0, supervisor_handler, 0, 0, handler, tick,
    handler, handler, handler, handler, handler, handler, handler, handler,
};
