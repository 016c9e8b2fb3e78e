/* SPDX-License-Identifier: BSD-3-Clause */
/* What unprivileged thread mode may do and what not, on ARMv7-M and ARMv8-M. Prints by semihosting. */
#include "torture.h"

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

static volatile uint32_t recover;

#define HANDLER(name)                                                                                                  \
    __attribute__((used)) static void name##_c(struct frame *frame, uint32_t exc_return);                              \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm volatile("mov r1, lr\n tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b " #name "_c");           \
    }                                                                                                                  \
    static void name##_c(struct frame *frame, uint32_t exc_return)

static void where(const char *name, struct frame *frame, uint32_t exc_return) {
    line(name);
    hex("exc", exc_return);
    hex("ipsr", READ("ipsr"));
    hex("control", READ("control"));
    hex("cfsr", CFSR);
    hex("hfsr", HFSR);
    if (CFSR & 0x8000) hex("bfar", BFAR);
    hex("pc", frame->pc);
    hex("r0", frame->r0);
    hex("r1", frame->r1);
    end();
    CFSR = CFSR;
    HFSR = HFSR;
}

static void fault(const char *name, struct frame *frame, uint32_t exc_return) {
    where(name, frame, exc_return);
    frame->pc = recover & ~1u;
    frame->xpsr &= ~0x0600fc00u;
}

HANDLER(hard_fault) { fault("hard", frame, exc_return); }
HANDLER(bus_fault) { fault("bus", frame, exc_return); }
HANDLER(usage_fault) { fault("usage", frame, exc_return); }
HANDLER(irq_3) {
    (void)frame;
    line("irq 3");
    hex("exc", exc_return);
    end();
}

/* SVC 0: privileged again; others: print. */
HANDLER(sv_call) {
    uint32_t number = *(uint8_t *)(frame->pc - 2);
    where("svc", frame, exc_return);
    if (number == 0) WRITE("control", READ("control") & ~1u);
}
HANDLER(unexpected) { where("unexpected", frame, exc_return); }

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16 + 4] = {
    (void *)STACK_TOP, reset, unexpected, hard_fault, unexpected, bus_fault, usage_fault, 0, 0, 0, 0, sv_call, 0,
    0, unexpected, unexpected, unexpected, unexpected, unexpected, irq_3};

/* Become unprivileged, run code that may fault, and come back. */
#define AS_USER(code, address)                                                                                         \
    __asm volatile("push {r4-r11}\n adr r3, 9f\n str r3, [%0]\n mov r4, %1\n movs r0, #7\n movs r1, #8\n movs r3, #1\n" \
                   "msr control, r3\n isb\n" code "\n nop\n .balign 4\n 9: svc #0\n isb\n pop {r4-r11}" ::"r"(&recover), \
                   "r"(address)                                                                                        \
                   : "r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory")

static volatile uint32_t word = 5;

static void all(void) {
    line("system control space");
    end();
    AS_USER("ldr r0, [r4]", &ICSR);
    AS_USER("movs r1, #1\n str r1, [r4]", &ISPR);
    AS_USER("ldrb r0, [r4]", 0xe000e400);
    AS_USER("ldrd r0, r1, [r4]", 0xe000e010);
    AS_USER("ldmia r4, {r0, r1}", &SHCSR);
    AS_USER("cmp r0, r0\n ite eq\n ldreq r0, [r4]\n movne r1, #2", &VTOR);
    AS_USER("ldr r0, [r4]\n ldr r1, [r4]", &word);
    hex("pending", ISPR);
    end();

    line("software trigger");
    end();
    AS_USER("movs r1, #3\n str r1, [r4]", &STIR);
    CCR |= 2;
    BARRIER();
    AS_USER("movs r1, #3\n str r1, [r4]\n dsb\n isb", &STIR);
    AS_USER("ldr r1, [r4]", &STIR);
    CCR &= ~2u;

    line("special registers");
    end();
    AS_USER("movs r3, #0\n msr control, r3\n isb\n mrs r0, control", 0);
    AS_USER("cpsid i\n mrs r0, primask\n movs r3, #1\n msr primask, r3\n mrs r1, primask", 0);
    AS_USER("cpsid f\n movs r3, #0x40\n msr basepri, r3\n mrs r0, basepri\n mrs r1, faultmask", 0);
    hex("primask", READ("primask"));
    hex("basepri", READ("basepri"));
    hex("faultmask", READ("faultmask"));
    end();
    AS_USER("mrs r0, msp\n mrs r1, psp", 0);
    AS_USER("mrs r0, ipsr\n mrs r1, xpsr", 0);
    AS_USER("mov r3, #0xf8000000\n msr apsr_nzcvq, r3\n mrs r0, apsr", 0);
}

void reset(void) {
    SHPR(11) = 0x80;
    IPR(3) = 0x40;
    ISER = 8;
    SHCSR = 0;
    all();
    SHCSR = 7 << 16;
    all();
    static const uint32_t block[2] = {0x20026, 41};
    semihost(0x20, block);
    for (;;) {
    }
}
