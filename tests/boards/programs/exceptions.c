/* SPDX-License-Identifier: BSD-3-Clause */
/* Tortures the exception model of a Cortex-M and prints what happens, by semihosting. No line depends on time. */

#include "torture.h"

static volatile uint32_t ticks, recover, plan;
static volatile uint32_t hidden; /* bits of HFSR: QEMU has FORCED where ARMv7-M says DEBUGEVT */

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

static struct frame *volatile interrupted;
static volatile uint32_t interrupted_return;

/* Every handler is a trampoline that passes its frame and EXC_RETURN to C. */
#define HANDLER(name)                                                                                                  \
    void name##_c(struct frame *frame, uint32_t exc_return);                                                           \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm volatile("mov r1, lr\n tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b " #name "_c");           \
    }                                                                                                                  \
    void name##_c(struct frame *frame, uint32_t exc_return)

static void where(const char *name, struct frame *frame, uint32_t exc_return) {
    line(name);
    hex("exc", exc_return);
    hex("ipsr", READ("ipsr"));
    hex("control", READ("control"));
    hex("frame", (uint32_t)frame);
    hex("flags", frame->xpsr & 0xff0003ff);
    hex("icsr", ICSR & 0x9fffffff & ~(1u << 22) & ~(1u << 23));
}

static void status(void) {
    hex("cfsr", CFSR);
    hex("hfsr", HFSR & ~hidden);
    if (CFSR & 0x80) hex("mmfar", MMFAR);
    if (CFSR & 0x8000) hex("bfar", BFAR);
    CFSR = CFSR;
    HFSR = HFSR;
}

static void fault(const char *name, struct frame *frame, uint32_t exc_return) {
    where(name, frame, exc_return);
    status();
    hex("shcsr", SHCSR);
    hex("pc", frame->pc);
    end();
    WRITE("faultmask", 0);
    frame->pc = recover & ~1u;
    frame->xpsr = (frame->xpsr | 1u << 24) & ~0x0600fc00u;
}

HANDLER(nmi) { where("nmi", frame, exc_return); end(); }
HANDLER(hard_fault) { fault("hard", frame, exc_return); }
HANDLER(mem_manage) { fault("memory", frame, exc_return); }
HANDLER(bus_fault) { fault("bus", frame, exc_return); }
HANDLER(usage_fault) {
    if (plan == 3) { /* after the illegal exception return: frame and stack are those of the interrupt */
        plan = 0;
        line("usage");
        hex("exc", exc_return);
        status();
        hex("iabr", IABR);
        end();
        __asm volatile("msr msp, %0\n bx %1" ::"r"(interrupted), "r"(interrupted_return));
    }
    fault("usage", frame, exc_return);
}

HANDLER(pend_sv) { where("pendsv", frame, exc_return); end(); }

HANDLER(sys_tick) {
    ticks++;
    if (ticks == 3) STCSR = 0;
}

HANDLER(sv_call) {
    uint32_t number = *(uint8_t *)(frame->pc - 2);
    where("svc", frame, exc_return);
    hex("number", number);
    hex("r0", frame->r0);
    end();
    frame->r0 = frame->r0 * 2 + number;
    if (number == 1) { /* PendSV waits until the end */
        ICSR = PEND_SV;
        BARRIER();
        line("svc: still here");
        end();
    }
    if (number == 2) WRITE("control", READ("control") & ~1u);
    if (number == 3) { /* SVC in SVC is a HardFault */
        __asm volatile("adr r1, 1f\n str r1, [%0]\n svc #4\n .balign 4\n1:" ::"r"(&recover) : "r1", "memory");
        line("svc: recovered");
        end();
    }
}

static void interrupt(uint32_t number, struct frame *frame, uint32_t exc_return) {
    where("irq", frame, exc_return);
    hex("iabr", IABR);
    hex("ispr", ISPR);
    end();
    if (plan == 1 && number == 0) { /* nesting: 1 and 2 preempt, 3 too, 4 waits */
        ISPR = 1 << 1 | 1 << 2 | 1 << 4;
        BARRIER();
        line("irq 0 goes on");
        end();
    }
    if (plan == 1 && number == 1) {
        STIR = 3;
        BARRIER();
        line("irq 1 goes on");
        end();
    }
#ifdef __ARM_FP
    if (plan == 2) { /* the FPU's registers belong to the handler now */
        hex("before", READ("control"));
        __asm volatile("vmov.f32 s0, #2.0\n vmov.f32 s15, #3.0\n vmov.f32 s16, s16" ::: "s0", "s15");
        hex("after", READ("control"));
        volatile uint32_t *floats = (volatile uint32_t *)(frame + 1);
        hex("s0", floats[0]);
        hex("s15", floats[15]);
        end();
        if (number == 0) {
            ISPR = 1 << 3;
            BARRIER();
            uint32_t kept;
            __asm volatile("vmov %0, s0" : "=r"(kept));
            line("irq 0 has");
            hex("s0", kept);
            end();
        }
    }
#endif
    if (plan == 3 && number == 0) { /* an illegal EXC_RETURN */
        interrupted = frame;
        interrupted_return = exc_return;
        __asm volatile("bx %0" ::"r"(0xffffffe5));
    }
}

#define INTERRUPT(n)                                                                                                   \
    HANDLER(irq_##n) { interrupt(n, frame, exc_return); }
INTERRUPT(0)
INTERRUPT(1)
INTERRUPT(2)
INTERRUPT(3)
INTERRUPT(4)

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16 + 5] = {
    (void *)STACK_TOP, reset, nmi, hard_fault, mem_manage, bus_fault, usage_fault, 0,     0,     0,     0, sv_call, 0,
    0,                 pend_sv, sys_tick, irq_0, irq_1, irq_2, irq_3, irq_4};
static void *copy[64] __attribute__((aligned(256)));

#define SVC(n, value)                                                                                                  \
    ({                                                                                                                 \
        register uint32_t r0 __asm("r0") = (value);                                                                    \
        __asm volatile("svc %1" : "+r"(r0) : "i"(n) : "memory");                                                       \
        r0;                                                                                                            \
    })

/* Run one instruction that must fault, in a function of its own, so that its address can be recovered from. */
#define FAULTING(name, ...)                                                                                            \
    __attribute__((naked, noinline)) static void name(uint32_t address) {                                              \
        __asm volatile("push {r4, lr}\n adr r1, 1f\n ldr r2, =recover\n str r1, [r2]\n movs r1, #7\n movs r3, #0\n" __VA_ARGS__ \
                       "\n .balign 4\n 1: mov r0, r1\n pop {r4, pc}\n .ltorg\n");                                      \
    }
FAULTING(undefined, "udf #3")
FAULTING(undefined_wide, ".inst.w 0xf7f0a000")
FAULTING(load, "ldr r1, [r0]")
FAULTING(load_byte, "ldrb r1, [r0, #3]")
FAULTING(store, "str r1, [r0]")
FAULTING(load_pair, "ldrd r1, r3, [r0]")
FAULTING(jump, "bx r0")
FAULTING(divide, "movs r1, #9\n udiv r1, r1, r3")
FAULTING(divide_signed, "movs r1, #9\n sdiv r1, r1, r3")
#ifdef __ARM_FP
FAULTING(add_floats, "vadd.f32 s0, s0, s0")
#endif
FAULTING(breakpoint, "bkpt #1")
FAULTING(call_supervisor, "svc #9")
FAULTING(skipped, "cmp r3, #0\n itte eq\n addeq r1, #1\n ldreq r1, [r0]\n movne r1, #4\n movs r1, #5")

static void all_faults(void) {
    undefined(0);
    undefined_wide(0);
    load(0x70000000);
    load_byte(0x70000010);
    store(0x70000020);
    load_pair(0x70000030);
    jump(0x70000001);
    jump(0xfffffff1);
    jump(0x40000001);
    jump(0x00000400);
    skipped(0x70000040);
    hidden = 3u << 30;
    breakpoint(0);
    hidden = 0;
    CCR |= 1 << 4;
    divide(0);
    divide_signed(0);
    CCR &= ~(1u << 4);
    divide(0);
#ifdef __ARM_FP
    CPACR = 0;
    BARRIER();
    add_floats(0);
    CPACR = 0xf << 20;
    BARRIER();
    add_floats(0);
#endif
}

static uint32_t process_stack[256] __attribute__((aligned(8)));

static uint32_t on_process_stack(uint32_t control) {
    WRITE("psp", (uint32_t)(process_stack + 256));
    uint32_t result, sp;
    __asm volatile(
        "msr control, %2\n isb\n"
        "mov r0, #21\n svc #6\n mov %1, sp\n"
        "svc #2\n"
        "mrs r1, control\n bic r1, #2\n msr control, r1\n isb\n mov %0, r0\n"
        : "=&r"(result), "=&r"(sp) : "r"(control) : "r0", "r1", "r2", "r3", "r12", "lr", "memory");
    line("process stack");
    hex("sp", sp);
    end();
    return result;
}

static void stack_alignment(void) {
    __asm volatile("movs r0, #1\n sub sp, #4\n svc #7\n add sp, #4" ::: "r0", "r1", "r2", "r3", "r12", "lr", "memory");
}

__attribute__((noinline)) static void priorities(void) {
    for (int n = 0; n < 5; n++) IPR(n) = (uint8_t)(0xc0 - 0x40 * (n / 2));
    IPR(1) = 0x80;
    IPR(4) = 0xc0;
    SHPR(14 - 0) = 0xe0;
}

void reset(void) {
#ifdef __ARM_FP
    CPACR = 0xf << 20;
    BARRIER();
#endif
    SHPR(14) = 0xf0;
    line("start");
    hex("control", READ("control"));
    hex("ccr", CCR);
    hex("aircr", AIRCR);
    hex("shcsr", SHCSR);
    hex("sp", (uint32_t)__builtin_frame_address(0) & 0xfffff000);
    end();

    line("svc result");
    hex("r0", SVC(5, 100));
    end();
    SVC(1, 0);
    on_process_stack(2);
    on_process_stack(3);
    on_process_stack(1);
    stack_alignment();

    line("nesting");
    end();
    priorities();
    ISER = 0x1f;
    plan = 1;
    ISPR = 1;
    BARRIER();

    line("chain");
    end();
    plan = 0;
    __asm volatile("cpsid i");
    ISPR = 0x1f;
    ICSR = PEND_SV;
    BARRIER();
    ICPR = 1 << 2;
    hex("pending", ISPR);
    hex("icsr", ICSR & 0x1ff800);
    end();
    __asm volatile("cpsie i\n isb");

    line("groups");
    end();
    AIRCR = 0x05fa0000 | 6 << 8; /* only the top bit preempts */
    IPR(0) = 0xc0;
    IPR(1) = 0x90;
    IPR(2) = 0x80;
    IPR(3) = 0x40;
    plan = 1;
    ISPR = 1;
    BARRIER();
    AIRCR = 0x05fa0000;
    plan = 0;

    line("masks");
    end();
    WRITE("basepri", 0x80);
    ISPR = 0x0b;
    BARRIER();
    hex("pending", ISPR);
    hex("basepri", READ("basepri"));
    WRITE("basepri_max", 0xf0);
    hex("max", READ("basepri"));
    WRITE("basepri_max", 0x40);
    hex("max", READ("basepri"));
    end();
    WRITE("basepri", 0xa0);
    line("lower");
    end();
    WRITE("basepri", 0);
    WRITE("faultmask", 1);
    ISPR = 1;
    ICSR = 1u << 31;
    BARRIER();
    hex("faultmask", READ("faultmask"));
    end();
    WRITE("faultmask", 0);
    WRITE("primask", 1);
    ISPR = 1;
    BARRIER();
    __asm volatile("wfi"); /* wakes because of the pending interrupt, although it is masked */
    line("woken");
    hex("primask", READ("primask"));
    end();
    call_supervisor(0);
    WRITE("primask", 0);
    ICER = 1;
    ISPR = 1;
    BARRIER();
    hex("disabled", ISPR);
    ISER = 1;
    BARRIER();
    SVC(3, 0);

    line("ticks");
    STRVR = 999;
    STCVR = 0;
    STCSR = 7;
    while (ticks < 3) __asm volatile("wfi");
    hex("enough", ticks >= 3);
    hex("csr", STCSR);
    STCVR = 0;
    STRVR = 20000;
    STCSR = 5;
    while (!(STCSR & 1 << 16)) {
    }
    STCSR = 0;
    hex("csr", STCSR);
    __asm volatile("sev\n wfe");
    end();

#ifdef __ARM_FP
    line("floats");
    end();
    plan = 2;
    __asm volatile("vmov.f32 s0, #1.0\n vmov.f32 s15, #5.0" ::: "s0", "s15");
    ISPR = 1;
    BARRIER();
    uint32_t s0, s15;
    __asm volatile("vmov %0, s0\n vmov %1, s15" : "=r"(s0), "=r"(s15));
    hex("s0", s0);
    hex("s15", s15);
    hex("control", READ("control"));
    end();
    WRITE("control", 0);
#endif
    line("faults become hard faults");
    end();
    all_faults();
    line("faults have handlers");
    end();
    SHCSR = 7 << 16;
    all_faults();
    plan = 3; /* the handlers that go wrong do not restore registers */
    __asm volatile("push {r4-r11}\n str %0, [%1]\n dsb\n isb\n pop {r4-r11}" ::"r"(1), "r"(&ISPR)
                   : "r0", "r1", "r2", "r3", "r12", "lr", "memory");

    line("moved vectors");
    end();
    for (int n = 0; n < 21; n++) copy[n] = (void *)vectors[n];
    copy[16 + 1] = (void *)irq_4;
    VTOR = (uint32_t)copy;
    BARRIER();
    ISPR = 1 << 1;
    BARRIER();
    SCR = 0;
    static const uint32_t block[2] = {0x20026, 17};
    semihost(0x20, block);
    for (;;) {
    }
}
