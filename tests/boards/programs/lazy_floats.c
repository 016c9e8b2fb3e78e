/* SPDX-License-Identifier: BSD-3-Clause */
/* Lazy stacking of floating-point registers: what handlers find in the frame and in the registers, by semihosting. */

#include "torture.h"

#define FPCCR REGISTER(0xe000ef34)
#define FPCAR REGISTER(0xe000ef38)
#define FPDSCR REGISTER(0xe000ef3c)
#define SEEN (1u << 31 | 1u << 30 | 1u)

static volatile uint32_t plan;

__attribute__((naked)) void sv_call(void)
{
    __asm volatile("mov r0, sp\n mov r1, lr\n b sv_call_c");
}

static uint32_t status_register(void)
{
    uint32_t value;
    __asm volatile("vmrs %0, fpscr" : "=r"(value));
    return value;
}

static void show(const char *name, const uint32_t *frame)
{
    line(name);
    hex("fpccr", FPCCR & SEEN);
    hex("fpcar", FPCAR - (uint32_t)frame);
    hex("control", READ("control"));
    hex("s0", frame[8]);
    hex("s15", frame[23]);
    hex("fpscr", frame[24]);
    end();
}

void sv_call_c(uint32_t *frame, uint32_t exc_return)
{
    hex("exc", exc_return);
    show("before", frame);
    if (plan == 1) { /* the handler uses the unit */
        __asm volatile("vmov.f32 s0, #2.0" ::: "s0");
        show("after", frame);
        hex("own", status_register());
        __asm volatile("vmov.f32 s15, #3.0" ::: "s15");
    }
    if (plan == 2) { /* only a nested handler does */
        ICSR = 1u << 31;
        BARRIER();
        show("nested", frame);
    }
    if (plan == 3) { /* an operating system that throws the registers away */
        FPCCR &= ~1u;
        __asm volatile("vmov.f32 s0, #2.0" ::: "s0");
        show("dropped", frame);
        frame[8] = 0x41100000;
    }
    if (plan == 4) { /* it chains to another handler */
        ICSR = 1u << 28;
        BARRIER();
    }
    if (plan == 5) hex("own", status_register());
    end();
}

void nmi(void)
{
    line("nmi");
    hex("fpccr", FPCCR & SEEN);
    hex("control", READ("control"));
    __asm volatile("vmov.f32 s0, #4.0" ::: "s0");
    hex("then", FPCCR & SEEN);
    end();
}

void pend_sv(void)
{
    line("pendsv");
    hex("fpccr", FPCCR & SEEN);
    __asm volatile("vmov.f32 s0, #5.0" ::: "s0");
    hex("then", FPCCR & SEEN);
    end();
}

static void run(uint32_t number)
{
    uint32_t zero, last, flags;
    plan = number;
    __asm volatile( /* what lies below the stack shows what the entry has not written */
        "mov r0, sp\n movs r1, #40\n mov r2, #0xdead\n 1: str r2, [r0, #-4]!\n subs r1, #1\n bne 1b\n"
        "vmov.f32 s0, #0.5\n vmov.f32 s15, #1.5\n vcmp.f32 s0, s15\n svc #0\n"
        "vmov %0, s0\n vmov %1, s15\n vmrs %2, fpscr"
        : "=&r"(zero), "=&r"(last), "=&r"(flags)
        :
        : "r0", "r1", "r2", "r3", "r12", "lr", "s0", "s15", "memory", "cc");
    line("back");
    hex("plan", number);
    hex("s0", zero);
    hex("s15", last);
    hex("fpscr", flags);
    hex("fpccr", FPCCR & SEEN);
    end();
}

static void finish(uint32_t code)
{
    const uint32_t block[2] = {0x20026, code};
    semihost(0x20, block);
    for (;;) {
    }
}

void reset(void);
void hard_fault(void) { finish(99); }

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    (void *)STACK_TOP, (void *)reset, (void *)nmi, (void *)hard_fault, [11] = (void *)sv_call, [14] = (void *)pend_sv,
};

void reset(void)
{
    CPACR = 0xf << 20;
    BARRIER();
    for (uint32_t lazy = 0; lazy < 2; lazy++) {
        FPCCR = lazy ? 0xc0000000u : 0x80000000u;
        for (uint32_t number = 0; number < 5; number++) run(number);
    }
    FPDSCR = 0x01c00000;
    run(1);
    run(5);
    FPDSCR = 0;
    run(5);
    finish(0);
}
