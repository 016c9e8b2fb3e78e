/* SPDX-License-Identifier: BSD-3-Clause */
/* Unprivileged tasks whose stacks the MPU keeps apart, switched as operating systems do, and what goes wrong then. */

#include <stdint.h>

#ifndef CODE
#define CODE 0u
#endif
#ifndef DEVICES
#define DEVICES 0x40000000u
#endif
#ifndef STACK_TOP
#define STACK_TOP 0x20004000u
#endif
#define REGISTER(address) (*(volatile uint32_t *)(address))
#define ICSR REGISTER(0xE000ED04)
#define SHPR3 REGISTER(0xE000ED20)
#define SHCSR REGISTER(0xE000ED24)
#define CFSR REGISTER(0xE000ED28)
#define HFSR REGISTER(0xE000ED2C)
#define MMFAR REGISTER(0xE000ED34)
#define BFAR REGISTER(0xE000ED38)
#define MPU_CTRL REGISTER(0xE000ED94)
#define MPU_RNR REGISTER(0xE000ED98)
#define MPU_RBAR REGISTER(0xE000ED9C)
#define MPU_RASR REGISTER(0xE000EDA0)
#define READ(name) ({ uint32_t value; __asm volatile("mrs %0, " name : "=r"(value)); value; })
#define WRITE(name, value) __asm volatile("msr " name ", %0\n isb" ::"r"((uint32_t)(value)) : "memory")
#define BARRIER() __asm volatile("dsb\n isb" ::: "memory")
#define STRINGS(x) #x
#define STRING(x) STRINGS(x)

#define VARIABLES (STACK_TOP & ~0xffffu)
#define STACKS (VARIABLES + 0x11000u) /* of the tasks: two share one of the smallest pages */
#define STACK_BITS 9u
#define STACK_BYTES (1u << STACK_BITS)
#define TASKS 3u

static uint32_t semihost(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = parameter;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
static void text(const char *string) { semihost(4, string); }
static void hex(const char *name, uint32_t value) {
    static char digits[11];
    for (int i = 0; i < 8; i++) digits[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    digits[8] = 0;
    text(name);
    text(digits);
}

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};
struct task {
    uint32_t stack, base, second;
};
static struct task tasks[TASKS];
static volatile uint32_t current, left, repair, next_pc, privilege;
/* Regions: base register and attributes (PMSAv7) or limit (PMSAv8). */
#ifdef PMSAV8
#define REGION(base, bits, permission, never) (base) | (permission) << 1 | (never), (base) + (1u << (bits)) - 32 + 1
#else
#define REGION(base, bits, permission, never)                                                                          \
    (base), (never) << 28 | (uint32_t[]){1, 3, 5, 6}[permission] << 24 | ((bits) - 1) << 1 | 1
#endif
enum { PRIVILEGED, EVERYBODY, PRIVILEGED_READ, READ_ONLY };
static void set_region(uint32_t number, uint32_t base, uint32_t second) {
#ifdef PMSAV8
    MPU_RNR = number;
    MPU_RBAR = base;
#else
    MPU_RBAR = base | 1u << 4 | number;
#endif
    MPU_RASR = second;
}

void sv_call_c(struct frame *frame) {
    uint32_t number = *(uint8_t *)(frame->pc - 2);
    if (number == 0) { /* print */
        text("task ");
        hex("", current);
        hex(" counts ", frame->r0);
        hex(" control ", READ("control"));
        text("\n");
    } else if (number == 1) { /* yield */
        ICSR = 1u << 28;
    } else if (number == 3) { /* forbid to return */
        MPU_CTRL = 1;
        BARRIER();
    } else if (number == 4) { /* become privileged */
        WRITE("control", 2);
    } else { /* end */
        left--;
        tasks[current].stack = 0;
        ICSR = 1u << 28;
    }
}
__attribute__((naked)) static void sv_call(void) { __asm volatile("mrs r0, psp\n b sv_call_c"); }

void choose_task(void) {
    do current = (current + 1) % TASKS;
    while (left && !tasks[current].stack);
    set_region(7, tasks[current].base, tasks[current].second);
    BARRIER();
}
void idle(void);
uint32_t *stack_of_current(uint32_t saved) {
    if (tasks[current].stack) tasks[current].stack = saved;
    choose_task();
    return (uint32_t *)tasks[current].stack;
}
__attribute__((naked)) static void pend_sv(void) {
    __asm volatile("mrs r0, psp\n stmdb r0!, {r4-r11}\n push {r3, lr}\n bl stack_of_current\n pop {r3, lr}\n"
                   "cbz r0, 1f\n ldmia r0!, {r4-r11}\n msr psp, r0\n bx lr\n"
                   "1: b idle");
}

/* Tells of a fault, and does what `repair` says. */
void fault_c(struct frame *frame, uint32_t exc_return) {
    hex("fault ", READ("ipsr"));
    hex(" return ", exc_return);
    hex(" cfsr ", CFSR);
    hex(" hfsr ", HFSR);
    if (CFSR & 0x80) hex(" mmfar ", MMFAR);
    if (CFSR & 0x8000) hex(" bfar ", BFAR);
    hex(" shcsr ", SHCSR);
    hex(" icsr ", ICSR & 0x001ff000);
    if (!(CFSR & 0x18)) {
        hex(" pc ", frame->pc);
        hex(" xpsr ", frame->xpsr & 0xff00fc00);
    }
    text("\n");
    uint32_t status = CFSR;
    CFSR = status;
    HFSR = HFSR;
    if (status & 0x18) { /* the stack could not be used: give it another, or make it usable */
        if (repair == 1) WRITE("psp", VARIABLES + 0xf000 - 32);
        if (repair == 2) MPU_CTRL = 0;
        BARRIER();
        if (repair == 1) {
            struct frame *fresh = (struct frame *)(VARIABLES + 0xf000 - 32);
            fresh->pc = next_pc & ~1u;
            fresh->xpsr = 1u << 24;
        }
    } else if (repair == 3) {
        frame->pc = next_pc & ~1u;
        frame->xpsr = 1u << 24;
    } else { /* the task ends */
        left--;
        tasks[current].stack = 0;
        ICSR = 1u << 28;
    }
}
__attribute__((naked)) static void fault(void) {
    __asm volatile("mov r1, lr\n tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b fault_c");
}

static void stop(void) {
    for (;;) {}
}
void reset(void);
typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)STACK_TOP, reset, stop, fault, fault, fault, fault, 0, 0, 0, 0, sv_call, stop, 0, pend_sv, stop,
};

#define CALL(number, argument)                                                                                         \
    do {                                                                                                               \
        register uint32_t r0 __asm("r0") = (argument);                                                                 \
        __asm volatile("svc " STRING(number) : "+r"(r0)::"memory", "r1", "r2", "r3", "r12", "lr");                     \
    } while (0)

static void good_task(void) {
    volatile uint32_t counts[8] = {0};
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < 8; i++) counts[i] += i;
        CALL(0, counts[7]);
        CALL(1, 0);
    }
    CALL(2, 0);
}
/* Writes to the next stack in an IT block, after some loads and stores of its own. */
static void bad_task(void) {
    volatile uint32_t own = 1;
    for (uint32_t round = 0; round < 2; round++) {
        own += own;
        CALL(1, 0);
    }
    __asm volatile("cmp r0, r0\n ittt eq\n moveq r1, #7\n streq r1, [%0]\n moveq r1, #9"
                   :
                   : "r"(STACKS + STACK_BYTES + 64)
                   : "r1", "cc", "memory");
    CALL(2, 0);
}

static void make_task(uint32_t number, void (*entry)(void)) {
    uint32_t base = STACKS + number * STACK_BYTES;
    struct frame *frame = (struct frame *)(base + STACK_BYTES - sizeof(struct frame));
    frame->pc = (uint32_t)entry & ~1u;
    frame->xpsr = 1u << 24;
    tasks[number].stack = (uint32_t)frame - 32;
    uint32_t registers[2] = {REGION(base, STACK_BITS, EVERYBODY, 1u)};
    tasks[number].base = registers[0];
    tasks[number].second = registers[1];
}

/* The rest runs privileged again, on the main stack. After a fault it goes on behind the instruction. */
#define TRY(name, instruction, address)                                                                                \
    do {                                                                                                               \
        register uint32_t r1 __asm("r1") = (address);                                                                  \
        text(name "\n");                                                                                               \
        if (privilege) WRITE("control", 3);                                                                            \
        __asm volatile("adr.w r0, 1f\n str r0, [%1]\n" instruction "\n nop\n .balign 4\n1:\n"                         \
                       : "+r"(r1)                                                                                      \
                       : "r"(&next_pc)                                                                                 \
                       : "r0", "r2", "r3", "r12", "lr", "cc", "memory");                                               \
        if (privilege) CALL(4, 0);                                                                                     \
    } while (0)

void finish(void) {
    repair = 3;
    MPU_CTRL = 0;
    BARRIER();
    TRY("device", "blx r1", DEVICES + 0x4001);
    TRY("system", "blx r1", 0xE0000001);
    MPU_CTRL = 1;
    BARRIER();
    TRY("variables", "blx r1", VARIABLES + 0x101);
    TRY("nowhere", "ldr r0, [r1]", VARIABLES + 0x20000);
    TRY("as user", "ldrt r0, [r1]", DEVICES + 0x4004);
    TRY("private as user", "ldrt r0, [r1]", 0xE000ED00);
    TRY("store as user", "strht r0, [r1, #2]", DEVICES + 0x4004);
    TRY("program", "str r0, [r1]", CODE + 0x100);
    TRY("three words and one too many", "ldm r1!, {r0, r2, r3, r12}", STACKS + STACK_BYTES - 12 + 2 * STACK_BYTES);
    SHCSR = 0;
    TRY("no handler of its own", "str r0, [r1]", CODE + 0x100);
    SHCSR = 7u << 16;
    WRITE("faultmask", 1);
    TRY("FAULTMASK without HFNMIENA", "ldr r0, [r1]", VARIABLES + 0x20000);
    WRITE("faultmask", 0);
    TRY("and again", "ldr r0, [r1]", VARIABLES + 0x20000);

    text("stacking\n");
    repair = 1;
    WRITE("psp", STACKS - 0x400);
    WRITE("control", 2);
    __asm volatile("adr.w r0, 1f\n str r0, [%0]\n svc 1\n nop\n .balign 4\n1:" ::"r"(&next_pc)
                   : "r0", "r1", "r2", "r3", "r12", "lr", "memory");
    WRITE("control", 0);
    text("unstacking\n");
    repair = 2;
    MPU_CTRL = 0;
    BARRIER();
    WRITE("psp", STACKS - 0x400);
    WRITE("control", 2);
    __asm volatile("svc 3" ::: "memory");
    WRITE("control", 0);
    hex("MPU ", MPU_CTRL);
    text("\n");
    repair = 3;
    WRITE("psp", VARIABLES + 0xf000);
    privilege = 1;
    TRY("private", "ldr r0, [r1]", 0xE000ED00);
    TRY("private store", "str r0, [r1]", 0xE000E100);
    hex("control ", READ("control"));
    text("\n");
    volatile uint32_t block[2] = {0x20026, 0};
    semihost(0x20, (const void *)block);
    stop();
}
/* No task is left: go on in `finish`, privileged, on the main stack. */
__attribute__((naked)) void idle(void) {
    __asm volatile("movs r0, #0\n msr control, r0\n sub sp, #32\n ldr r1, =finish\n ldr r2, =0x01000000\n"
                   "str r1, [sp, #24]\n str r2, [sp, #28]\n mvn r0, #6\n bx r0");
}

void reset(void) {
    SHCSR = 7u << 16;
    SHPR3 = 0xff << 16; /* PendSV is the least urgent */
    set_region(0, REGION(CODE, 16u, READ_ONLY, 0u));
    set_region(1, REGION(VARIABLES, 16u, EVERYBODY, 1u));
    set_region(2, REGION(DEVICES, 28u, PRIVILEGED, 1u));
    make_task(0, bad_task);
    make_task(1, good_task);
    make_task(2, good_task);
    left = TASKS;
    MPU_CTRL = 1;
    current = TASKS - 1;
    choose_task();
    WRITE("psp", tasks[0].stack + 32 + 32);
    WRITE("control", 3);
    bad_task();
    stop();
}
