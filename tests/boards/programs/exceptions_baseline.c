/* SPDX-License-Identifier: BSD-3-Clause */
/* Tortures the exception model of an ARMv6-M core and prints what happens, by semihosting. No line depends on time. */
/* Not here, since QEMU differs: SCR and VTOR (ARMv6-M has SCR and may have VTOR; QEMU has only VTOR), execution from
 * device and system regions (ARMv6-M: never; QEMU: where something is mapped, and everything is). */
#include "torture.h"

static volatile uint32_t ticks, recover, plan;

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

#define HANDLER(name)                                                                                                  \
    __attribute__((used)) static void name##_c(struct frame *frame, uint32_t exc_return);                              \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm volatile(                                                                                                \
            "mov r1, lr\n movs r0, #4\n tst r0, r1\n bne 1f\n mrs r0, msp\n b 2f\n 1: mrs r0, psp\n"                   \
            "2: ldr r2, =" #name "_c\n bx r2\n .ltorg");                                                               \
    }                                                                                                                  \
    static void name##_c(struct frame *frame, uint32_t exc_return)

static void where(const char *name, struct frame *frame, uint32_t exc_return) {
    line(name);
    hex("exc", exc_return);
    hex("ipsr", READ("ipsr"));
    hex("control", READ("control"));
    hex("frame", (uint32_t)frame);
    hex("flags", frame->xpsr & 0xf10003ff);
    hex("icsr", ICSR & 0x1c1ff1ff); /* without RETTOBASE, which ARMv6-M does not have and QEMU shows */
}

HANDLER(nmi) { where("nmi", frame, exc_return); end(); }

HANDLER(hard_fault) {
    where("hard", frame, exc_return);
    hex("pc", frame->pc);
    hex("shcsr", SHCSR);
    end();
    frame->pc = recover & ~1u;
    frame->xpsr |= 1u << 24;
}

HANDLER(pend_sv) { where("pendsv", frame, exc_return); end(); }

HANDLER(sys_tick) {
    (void)frame, (void)exc_return;
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
    if (number == 3) { /* SVC in SVC is a HardFault */
        __asm volatile("adr r1, 1f\n str r1, [%0]\n svc #4\n .balign 4\n1:" ::"r"(&recover) : "r1", "memory");
        line("svc: recovered");
        end();
    }
}

static void interrupt(uint32_t number, struct frame *frame, uint32_t exc_return) {
    where("irq", frame, exc_return);
    hex("ispr", ISPR);
    end();
    if (plan == 1 && number == 0) { /* 2 and 3 preempt, 1 waits */
        ISPR = 1 << 1 | 1 << 2;
        BARRIER();
        line("irq 0 goes on");
        end();
    }
    if (plan == 1 && number == 2) {
        ISPR = 1 << 3;
        BARRIER();
        line("irq 2 goes on");
        end();
    }
    if (plan == 2) { /* a fault in a handler */
        __asm volatile("adr r1, 1f\n str r1, [%0]\n udf #1\n .balign 4\n1:" ::"r"(&recover) : "r1", "memory");
        line("irq recovered");
        end();
    }
}

#define INTERRUPT(n)                                                                                                   \
    HANDLER(irq_##n) { interrupt(n, frame, exc_return); }
INTERRUPT(0)
INTERRUPT(1)
INTERRUPT(2)
INTERRUPT(3)
INTERRUPT(31)

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16 + 32] = {
    (void *)STACK_TOP, reset,   nmi,   hard_fault, [11] = sv_call, [14] = pend_sv,     [15] = sys_tick,
    [16] = irq_0,      irq_1,   irq_2, irq_3,      [47] = irq_31,
};

#define SVC(n, value)                                                                                                  \
    ({                                                                                                                 \
        register uint32_t r0 __asm("r0") = (value);                                                                    \
        __asm volatile("svc %1" : "+r"(r0) : "i"(n) : "memory");                                                       \
        r0;                                                                                                            \
    })

/* Run one instruction that must fault, in a function of its own, so that its address can be recovered from. */
#define FAULTING(name, ...)                                                                                            \
    __attribute__((naked, noinline)) static void name(uint32_t address) {                                              \
        __asm volatile("push {r4, lr}\n adr r1, 1f\n ldr r2, =recover\n str r1, [r2]\n movs r1, #7\n movs r3, #0\n"     \
                       __VA_ARGS__ "\n .balign 4\n 1: mov r0, r1\n pop {r4, pc}\n .ltorg\n");                          \
    }
FAULTING(undefined, "udf #3")
FAULTING(undefined_wide, ".short 0xf7f0, 0xa000")
FAULTING(load, "ldr r1, [r0]")
FAULTING(load_half, "ldrh r1, [r0]")
FAULTING(load_byte, "ldrb r1, [r0, #3]")
FAULTING(store, "str r1, [r0]")
FAULTING(store_half, "strh r1, [r0]")
FAULTING(load_many, "ldmia r0!, {r1, r4}")
FAULTING(store_many, "stmia r0!, {r1, r4}")
FAULTING(jump, "bx r0")
FAULTING(breakpoint, "bkpt #1")
FAULTING(call_supervisor, "svc #9")
FAULTING(divide, ".short 0xfbb1, 0xf1f3")
FAULTING(load_exclusive, ".short 0xe850, 0x1f00")
FAULTING(move_wide, ".short 0xf240, 0x0107")
FAULTING(load_wide, ".short 0xf8d0, 0x1000")

static void all_faults(void) {
    undefined(0);
    undefined_wide(0);
    load(0x70000000);
    load_half(0x70000002);
    load_byte(0x70000010);
    store(0x70000020);
    load(0x20000001);
    load(0x20000002);
    load_half(0x20000001);
    store(0x20000003);
    store_half(0x20000001);
    load_many(0x20000002);
    store_many(0x20000001);
    jump(0x70000001);
    jump(0x00000400);
    breakpoint(0);
    divide(0);
    load_exclusive(0x20000000);
    move_wide(0);
    load_wide(0x20000000);
}

static uint32_t process_stack[128] __attribute__((aligned(8)));

static uint32_t on_process_stack(uint32_t control) {
    WRITE("psp", (uint32_t)(process_stack + 128));
    uint32_t result, sp;
    __asm volatile(
        "msr control, %2\n isb\n"
        "movs r0, #21\n svc #6\n mov %1, sp\n"
        "movs r1, #0\n msr control, r1\n isb\n mov %0, r0\n"
        : "=&r"(result), "=&r"(sp) : "r"(control) : "r0", "r1", "r2", "r3", "r12", "lr", "memory");
    line("process stack");
    hex("sp", sp);
    hex("control", READ("control"));
    end();
    return result;
}

static void stack_alignment(void) {
    __asm volatile("movs r0, #1\n sub sp, #4\n svc #7\n add sp, #4" ::: "r0", "r1", "r2", "r3", "r12", "lr", "memory");
}

static void absent_registers(void) {
    static const uint16_t offsets[] = {0x004, 0x104, 0x300, 0xd18, 0xd28, 0xd2c, 0xd34, 0xd38, 0xd40, 0xd88, 0xd90};
    line("absent");
    SHCSR = 7 << 16;
    CFSR = 0xffffffff;
    for (uint32_t i = 0; i < sizeof offsets / sizeof *offsets; i++) hex("", REGISTER(0xe000e000 + offsets[i]));
    SHPR_WORD(1) = 0xffffffff;
    SHPR_WORD(2) = 0xffffffff;
    hex("shpr2", SHPR_WORD(1));
    hex("shpr3", SHPR_WORD(2) & 0xffffff00); /* QEMU has the debug monitor's */
    IPR_WORD(7) = 0xffffffff;
    hex("ipr7", IPR_WORD(7));
    IPR_WORD(7) = 0;
    CCR = 0;
    hex("ccr", CCR);
    AIRCR = 0x05fa0700;
    hex("aircr", AIRCR);
    end();
}

void reset(void) {
    line("start");
    hex("control", READ("control"));
    hex("ccr", CCR);
    hex("aircr", AIRCR);
    hex("sp", (uint32_t)__builtin_frame_address(0) & 0xfffff000);
    end();
    absent_registers();
    SHPR_WORD(1) = 0x80000000; /* SVCall below interrupts 2 and 3 */
    SHPR_WORD(2) = 0x00c00000;

    line("svc result");
    hex("r0", SVC(5, 100));
    end();
    SVC(1, 0);
    on_process_stack(2);
    on_process_stack(3); /* there is no unprivileged mode */
    stack_alignment();

    line("nesting");
    end();
    IPR_WORD(0) = 0x0040c080; /* of 0..3: 2, 3, 1, 0 */
    ISER = 0x8000000f;
    plan = 1;
    ISPR = 1;
    BARRIER();

    line("chain");
    end();
    plan = 0;
    __asm volatile("cpsid i");
    ISPR = 0x8000000f;
    ICSR = PEND_SV;
    BARRIER();
    ICPR = 1 << 2;
    hex("pending", ISPR);
    hex("icsr", ICSR & 0x1ff000);
    end();
    __asm volatile("cpsie i\n isb");

    line("masks");
    end();
    WRITE("primask", 1);
    ISPR = 1;
    BARRIER();
    ICSR = 1u << 31; /* NMI comes through */
    BARRIER();
    __asm volatile("wfi"); /* wakes because of the pending interrupt, although it is masked */
    line("woken");
    hex("primask", READ("primask"));
    end();
    call_supervisor(0); /* SVCall cannot preempt: a HardFault */
    WRITE("primask", 0);
    ICER = 1;
    ISPR = 1;
    BARRIER();
    hex("disabled", ISPR);
    end();
    ISER = 1;
    BARRIER();
    SVC(3, 0);
    plan = 2;
    ISPR = 2;
    BARRIER();
    plan = 0;

    line("ticks");
    STRVR = 999;
    STCVR = 0;
    STCSR = 7;
    while (ticks < 3) __asm volatile("wfi");
    hex("enough", ticks >= 3);
    hex("csr", STCSR);
    __asm volatile("sev\n wfe");
    end();

    line("faults");
    end();
    all_faults();
    static const uint32_t block[2] = {0x20026, 17};
    semihost(0x20, block);
    semihost(0x18, (const void *)0x20026); /* a core without the extended exit */
    for (;;) {
    }
}
