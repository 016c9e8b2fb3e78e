/* SPDX-License-Identifier: BSD-3-Clause */
/* The hard cases of the exception model of ARMv7-M and ARMv8-M: what goes wrong on the way in and out of handlers, and
 * what firmware does by hand. Prints by semihosting; no line depends on time. */
#include "torture.h"

#define USGFAULTENA (1u << 18)
#define BUSFAULTENA (1u << 17)
#define MEMFAULTENA (1u << 16)
#define THREAD_MAIN 0xfffffff9u
#define NOWHERE 0x70000000u
#ifdef __ARM_ARCH_8M_MAIN__
#define ADJUST(v8, v7) (v8)
#else
#define ADJUST(v8, v7) (v7)
#endif

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

typedef void action(struct frame *frame, uint32_t exc_return);
static action *volatile actions[8];
static volatile uint32_t recover, count;
static volatile uint32_t asynchronous; /* it does not matter before which instruction */

#define HANDLER(name)                                                                                                  \
    __attribute__((used)) static void name##_c(struct frame *frame, uint32_t exc_return);                              \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm volatile("mov r1, lr\n tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b " #name "_c");           \
    }                                                                                                                  \
    static void name##_c(struct frame *frame, uint32_t exc_return)

static void where(const char *name, uint32_t exc_return) {
    line(name);
    hex("exc", exc_return);
    hex("ipsr", READ("ipsr"));
    hex("control", READ("control"));
    hex("psp", READ("psp"));
    hex("icsr", ICSR & 0x1c1ff9ff);
    hex("shcsr", SHCSR & ~(1u << 2)); /* HARDFAULTACT: only ARMv8-M has it */
}

static void status(void) {
    hex("cfsr", CFSR);
    hex("hfsr", HFSR);
    if (CFSR & 0x80) hex("mmfar", MMFAR);
    if (CFSR & 0x8000) hex("bfar", BFAR);
    CFSR = CFSR;
    HFSR = HFSR;
}

/* A fault handler: says what happened and goes on at `recover`, or leaves everything to the next action. */
static void fault(const char *name, struct frame *frame, uint32_t exc_return) {
    where(name, exc_return);
    status();
    action *next = actions[7];
    if (next) {
        end();
        next(frame, exc_return);
        return;
    }
    if (!asynchronous) hex("pc", frame->pc);
    hex("flags", frame->xpsr & 0xff0ffdff);
    end();
    frame->pc = recover & ~1u;
    frame->xpsr = (frame->xpsr | 1u << 24) & ~0x0600fc00u;
}

HANDLER(nmi) {
    where("nmi", exc_return);
    end();
    if (actions[6]) actions[6](frame, exc_return);
}
HANDLER(hard_fault) { fault("hard", frame, exc_return); }
HANDLER(mem_manage) { fault("memory", frame, exc_return); }
HANDLER(bus_fault) { fault("bus", frame, exc_return); }
HANDLER(usage_fault) { fault("usage", frame, exc_return); }
HANDLER(pend_sv) {
    where("pendsv", exc_return);
    end();
    if (actions[5]) actions[5](frame, exc_return);
}
HANDLER(sys_tick) {
    (void)frame;
    where("systick", exc_return);
    end();
}
HANDLER(sv_call) {
    where("svc", exc_return);
    if ((uint32_t)frame < NOWHERE - 0x100) hex("flags", frame->xpsr & 0x0600fc00);
    end();
    if (actions[4]) actions[4](frame, exc_return);
}

static void interrupt(uint32_t number, struct frame *frame, uint32_t exc_return) {
    where("irq", exc_return);
    hex("iabr", IABR);
    hex("ispr", ISPR);
    end();
    if (actions[number]) actions[number](frame, exc_return);
    line("irq ends");
    hex("number", number);
    end();
}

#define INTERRUPT(n)                                                                                                   \
    HANDLER(irq_##n) { interrupt(n, frame, exc_return); }
INTERRUPT(0)
INTERRUPT(1)
INTERRUPT(2)
INTERRUPT(3)

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16 + 4] = {
    (void *)STACK_TOP, reset, nmi, hard_fault, mem_manage, bus_fault, usage_fault, 0,     0,     0, 0, sv_call, 0,
    0,                 pend_sv, sys_tick, irq_0, irq_1, irq_2, irq_3};

static void title(const char *name) {
    line("--- ");
    line(name);
    end();
}

static void clear(void) {
    for (int n = 0; n < 8; n++) actions[n] = 0;
}

static void pend(uint32_t interrupts) {
    ISPR = interrupts;
    BARRIER();
}

static void urgencies(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    IPR(0) = (uint8_t)a;
    IPR(1) = (uint8_t)b;
    IPR(2) = (uint8_t)c;
    IPR(3) = (uint8_t)d;
}

static void handler_urgencies(uint32_t memory, uint32_t bus, uint32_t usage, uint32_t svc, uint32_t pendsv) {
    SHPR(4) = (uint8_t)memory;
    SHPR(5) = (uint8_t)bus;
    SHPR(6) = (uint8_t)usage;
    SHPR(11) = (uint8_t)svc;
    SHPR(14) = (uint8_t)pendsv;
}

/* Run code that faults; it goes on at its end. */
#define RECOVERING(code, ...)                                                                                          \
    __asm volatile("adr r3, 9f\n str r3, [%0]\n" code "\n .balign 4\n 9:\n" ::"r"(&recover), ##__VA_ARGS__              \
                   : "r0", "r1", "r2", "r3", "r4", "r12", "lr", "cc", "memory")

/* Order */

static void pend_lower_and_itself(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    if (count++) return;
    pend(1 << 0 | 1 << 1);
    ICSR = PEND_SV | 1u << 26;
    BARRIER();
}

static void pend_higher(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    pend(1 << 2 | 1 << 3);
}

static void order(void) {
    title("a handler pends itself and others");
    urgencies(0x40, 0x40, 0x20, 0x20);
    handler_urgencies(0, 0, 0, 0, 0x40);
    SHPR(15) = 0x40;
    count = 0;
    actions[0] = pend_lower_and_itself;
    pend(1);
    title("masked, pended, released");
    clear();
    __asm volatile("cpsid i");
    pend(0xf);
    __asm volatile("cpsie i\n isb");
    title("nested");
    actions[0] = pend_higher;
    pend(1);
    clear();
    title("grouping");
    for (uint32_t group = 0; group < 8; group++) {
        AIRCR = 0x05fa0000 | group << 8;
        hex("aircr", AIRCR);
        end();
        urgencies(0xc0, 0x80, 0xa0, 0x20);
        actions[0] = pend_higher;
        pend(1 | 2);
        clear();
        WRITE("basepri", 0x90);
        pend(4 | 2);
        line("held");
        hex("ispr", ISPR);
        end();
        WRITE("basepri", 0);
    }
    AIRCR = 0x05fa0000;
}

/* Masks */

static void mask_in_nmi(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    __asm volatile("cpsid f");
    hex("faultmask", READ("faultmask"));
    end();
}

static void mask_in_handler(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    WRITE("faultmask", 1);
    WRITE("basepri", 0x40);
    ICSR = PEND_SV;
    BARRIER();
    hex("faultmask", READ("faultmask"));
    end();
}

static void masks(void) {
    title("FAULTMASK set in a handler is cleared at its end, BASEPRI is not");
    urgencies(0x80, 0x80, 0x80, 0x80);
    handler_urgencies(0, 0, 0, 0, 0xc0);
    actions[0] = mask_in_handler;
    pend(1);
    hex("faultmask", READ("faultmask"));
    hex("basepri", READ("basepri"));
    end();
    WRITE("basepri", 0);
    clear();
    title("cpsid f in NMI");
    actions[6] = mask_in_nmi;
    ICSR = 1u << 31;
    BARRIER();
    hex("faultmask", READ("faultmask"));
    end();
    WRITE("faultmask", 0);
    clear();
    title("basepri_max");
    WRITE("basepri", 0);
    WRITE("basepri_max", 0x80);
    hex("", READ("basepri"));
    WRITE("basepri_max", 0);
    hex("", READ("basepri"));
    WRITE("basepri_max", 0x60);
    hex("", READ("basepri"));
    WRITE("basepri_max", 0xa0);
    hex("", READ("basepri"));
    WRITE("basepri", 0x1a5);
    hex("", READ("basepri"));
    WRITE("basepri", 0);
    end();
    title("a fault while PRIMASK or BASEPRI is set");
    SHCSR = USGFAULTENA;
    handler_urgencies(0x20, 0x20, 0x20, 0x20, 0xc0);
    __asm volatile("cpsid i");
    RECOVERING("udf #1");
    __asm volatile("cpsie i");
    WRITE("basepri", 0x20);
    RECOVERING("udf #2");
    WRITE("basepri", 0x40);
    RECOVERING("udf #3");
    WRITE("basepri", 0);
    title("SVC while BASEPRI holds it");
    WRITE("basepri", 0x10);
    RECOVERING("svc #1");
    WRITE("basepri", 0);
    SHCSR = 0;
}

/* Escalation */

static void undefined(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    RECOVERING("udf #4");
    line("after");
    end();
}

static void bad_load(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    actions[7] = 0;
    RECOVERING("ldr r0, [%1]", "r"(NOWHERE + 4));
    line("after the second fault");
    end();
    frame->pc += 2;
}

static void second_undefined(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    actions[7] = 0;
    RECOVERING("udf #6");
    line("after the second fault");
    end();
    frame->pc += 2;
}

static void pend_nmi_and_interrupt(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    actions[7] = 0;
    pend(1);
    ICSR = 1u << 31;
    BARRIER();
    line("hard goes on");
    end();
    frame->pc += 2;
}

static void escalation(void) {
    title("a fault of lower urgency than the handler");
    SHCSR = USGFAULTENA | BUSFAULTENA | MEMFAULTENA;
    handler_urgencies(0x60, 0x60, 0x60, 0x60, 0xc0);
    urgencies(0x40, 0x60, 0x80, 0x80);
    actions[0] = actions[1] = actions[2] = undefined;
    pend(1);
    pend(2);
    pend(4);
    clear();
    title("a bus fault in a usage fault, urgent and not");
    for (uint32_t urgency = 0x40; urgency <= 0x80; urgency += 0x20) {
        handler_urgencies(0x60, urgency, 0x60, 0x60, 0xc0);
        actions[7] = bad_load;
        RECOVERING("udf #5");
    }
    title("a usage fault in a usage fault");
    actions[7] = second_undefined;
    RECOVERING("udf #5");
    title("NMI in a hard fault");
    SHCSR = 0;
    actions[7] = pend_nmi_and_interrupt;
    RECOVERING("udf #7");
    clear();
}

/* By hand */

static void show_shcsr(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    hex("shcsr", SHCSR);
    SHCSR |= 1u << 15;
    BARRIER();
    hex("shcsr", SHCSR);
    end();
}

static void by_hand(void) {
    title("faults pended by hand");
    handler_urgencies(0x60, 0x60, 0x60, 0x60, 0xc0);
    SHCSR = USGFAULTENA | BUSFAULTENA | MEMFAULTENA;
    asynchronous = 1;
    for (uint32_t bit = 12; bit < 15; bit++) {
        RECOVERING("str %1, [%2]\n dsb\n isb", "r"(USGFAULTENA | BUSFAULTENA | MEMFAULTENA | 1u << bit), "r"(&SHCSR));
    }
    asynchronous = 0;
    title("pended while disabled");
    SHCSR = 1u << 12;
    BARRIER();
    hex("shcsr", SHCSR);
    end();
    SHCSR = 0;
    title("SVC pended by hand, in a handler");
    urgencies(0x40, 0x40, 0x40, 0x40);
    actions[0] = show_shcsr;
    pend(1);
    clear();
    title("reserved priorities");
    for (int n = 0; n < 12; n += 4) {
        REGISTER(0xe000ed18 + n) = 0xffffffff;
        hex("", REGISTER(0xe000ed18 + n) & (n ? 0xffffffff : 0xffffff)); /* 7 is SecureFault in Secure state */
    }
    end();
    handler_urgencies(0, 0, 0, 0, 0);
    SHPR(12) = SHPR(15) = 0;
    title("enable, disable, clear");
    ISER = 0xff0;
    hex("", ISER);
    ICER = 0x0f0;
    hex("", ICER);
    ICER = 0xf00;
    pend(0xff0);
    hex("", ISPR);
    ICPR = 0x0f0;
    hex("", ICPR);
    ICPR = 0xf00;
    hex("icsr", ICSR & ~(1u << 23));
    REGISTER(0xe000ef00) = 5;
    hex("stir", ISPR);
    hex("icsr", ICSR & ~(1u << 23));
    ICPR = 1 << 5;
    end();
}

/* Returns */

static volatile uint32_t next_return;
static struct frame *volatile kept;

__attribute__((naked)) static void leave_by(uint32_t value, struct frame *frame) {
    __asm volatile("msr msp, r1\n bx r0");
}

static void resume_first(struct frame *frame, uint32_t exc_return) {
    (void)frame;
    actions[7] = 0;
    hex("lr", exc_return);
    hex("iabr", IABR);
    end();
    leave_by(THREAD_MAIN, kept);
}

static void bad_return(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    kept = frame;
    actions[7] = resume_first;
    leave_by(next_return, frame);
}

static void broken_flags(struct frame *frame, uint32_t exc_return) {
    (void)exc_return;
    frame->pc = recover & ~3u;
    frame->xpsr = (frame->xpsr & ~0x010001ffu) | next_return;
}

#define AROUND(code)                                                                                                   \
    __asm volatile("push {r4-r11}\n adr r3, 9f\n str r3, [%0]\n" code "\n dsb\n isb\n .balign 4\n 9: pop {r4-r11}" ::"r"(&recover), \
                   "r"(1), "r"(&ISPR)                                                                                  \
                   : "r3", "r12", "lr", "cc", "memory")

static void returns(void) {
    title("illegal values of EXC_RETURN");
    urgencies(0x40, 0x20, 0x40, 0x40);
    static const uint32_t values[] = {0xfffffff3, 0xfffffff7, 0xfffffffb, 0xffffffff, 0xfffffff1};
    for (uint32_t faults = 0; faults <= USGFAULTENA; faults += USGFAULTENA) {
        SHCSR = faults;
        for (uint32_t i = 0; i < sizeof values / sizeof *values; i++) {
            next_return = values[i];
            actions[0] = bad_return;
            AROUND("str %1, [%2]");
            clear();
        }
    }
    title("stacked xPSR of another mode, or without T");
    SHCSR = USGFAULTENA;
    static const uint32_t flags[] = {0x00000000, 0x01000000};
    for (uint32_t i = 0; i < 2; i++) {
        next_return = flags[i];
        actions[0] = broken_flags;
        AROUND("str %1, [%2]");
        clear();
    }
    SHCSR = 0;
}

/* Stacks */

static uint32_t process_stack[128] __attribute__((aligned(8)));

static void move_psp(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    WRITE("psp", NOWHERE);
}

static void repair_psp(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    struct frame *good = (struct frame *)(process_stack + 64);
    good->pc = recover & ~1u;
    good->xpsr = 1u << 24;
    good->r0 = 1;
    good->lr = 0xffffffff;
    WRITE("psp", (uint32_t)good);
}

/* Thread mode on the process stack, at `stack`, while interrupts 0 and 1 or an SVC come. */
#define ON_PROCESS_STACK(stack, code)                                                                                  \
    __asm volatile("push {r0-r11}\n adr r3, 9f\n str r3, [%0]\n msr psp, %1\n movs r3, #2\n msr control, r3\n isb\n" code \
                   "\n dsb\n isb\n .balign 4\n 9: movs r3, #0\n msr control, r3\n isb\n pop {r0-r11}" ::"r"(&recover),    \
                   "r"(stack), "r"(1), "r"(&ISPR)                                                                      \
                   : "r3", "r12", "lr", "cc", "memory")

static void stacks(void) {
    for (uint32_t bus = 0x20; bus <= 0x60; bus += 0x40) {
        title("stacking fails");
        SHCSR = BUSFAULTENA;
        handler_urgencies(0x40, bus, 0x40, 0x40, 0x80);
        urgencies(0x40, 0x40, 0x40, 0x40);
        actions[7] = repair_psp;
        ON_PROCESS_STACK(NOWHERE, "str %2, [%3]");
        clear();
        title("stacking of SVC fails");
        actions[7] = repair_psp;
        ON_PROCESS_STACK(NOWHERE, "svc #2");
        clear();
        title("unstacking fails");
        actions[0] = move_psp;
        actions[7] = repair_psp;
        ON_PROCESS_STACK(process_stack + 128, "str %2, [%3]");
        clear();
    }
    title("stacking fails, hard fault");
    SHCSR = 0;
    actions[7] = repair_psp;
    ON_PROCESS_STACK(NOWHERE, "str %2, [%3]");
    clear();
}

/* Instructions */

static void it_blocks(void) {
    title("in IT blocks");
    SHCSR = USGFAULTENA | BUSFAULTENA | MEMFAULTENA;
    handler_urgencies(0, 0, 0, 0x20, 0x80);
    uint32_t result;
    __asm volatile("movs r0, #1\n cmp r0, #1\n itete eq\n svceq #3\n movne r0, #9\n addeq r0, #4\n movne r0, #8\n mov %0, r0"
                   : "=r"(result)::"r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory");
    hex("result", result);
    end();
    __asm volatile("movs r0, #1\n cmp r0, #2\n ittet eq\n svceq #3\n moveq r0, #9\n svcne #4\n moveq r0, #8\n mov %0, r0"
                   : "=r"(result)::"r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory");
    hex("result", result);
    end();
    RECOVERING("movs r0, #0\n cmp r0, #0\n .short 0xbf04, 0x2003, 0xde05");
    RECOVERING("movs r0, #0\n cmp r0, #0\n ittt eq\n moveq r0, #3\n ldreq r0, [%1]\n moveq r0, #4", "r"(NOWHERE));
    RECOVERING("movs r0, #0\n cmp r0, #0\n it eq\n bxeq %1", "r"(NOWHERE));
}

#ifdef MEMORY_END

static void multiple(void) {
    title("multiple loads and stores across the end of memory");
    uint32_t base, r1, r2;
#define ACROSS(instruction, address)                                                                                   \
    __asm volatile("adr r3, 9f\n str r3, [%3]\n mov r4, %4\n movs r1, #1\n movs r2, #2\n movs r3, #3\n" instruction    \
                   "\n .balign 4\n 9: mov %0, r4\n mov %1, r1\n mov %2, r2"                                            \
                   : "=&r"(base), "=&r"(r1), "=&r"(r2)                                                                 \
                   : "r"(&recover), "r"(address)                                                                       \
                   : "r0", "r1", "r2", "r3", "r4", "r12", "lr", "cc", "memory");                                       \
    hex("base", base);                                                                                                 \
    end()
    ACROSS("ldmia r4!, {r0-r3}", MEMORY_END - 4);
    ACROSS("stmia r4!, {r0-r3}", MEMORY_END - 4);
    ACROSS("ldmdb r4!, {r0-r3}", MEMORY_END + 4);
    ACROSS("stmdb r4!, {r0-r3}", MEMORY_END + 4);
    ACROSS("ldr r1, [r4, #4]!", MEMORY_END - 4);
    ACROSS("ldr r1, [r4], #4", MEMORY_END);
    ACROSS("str r1, [r4, #4]!", MEMORY_END - 4);
    ACROSS("strb r1, [r4], #-1", MEMORY_END);
}
#else
static void multiple(void) {} /* QEMU's board has no memory with nothing behind it */
#endif

static void exclusives(void) {
    title("exclusive monitor");
    uint32_t first, second, third;
    static volatile uint32_t word;
    __asm volatile("ldrex r1, [%3]\n strex %0, r1, [%3]\n ldrex r1, [%3]\n push {%0}\n svc #5\n pop {%0}\n strex %1, r1, [%3]\n"
                   "ldrex r1, [%3]\n clrex\n strex %2, r1, [%3]"
                   : "=&r"(first), "=&r"(second), "=&r"(third)
                   : "r"(&word)
                   : "r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory");
    hex("", first);
    hex("", second);
    hex("", third);
    end();
}

static void modes_in_handler(struct frame *frame, uint32_t exc_return) {
    (void)frame, (void)exc_return;
    WRITE("control", 2); /* SPSEL is ignored in handler mode (ARMv7-M), nPRIV is not */
    hex("control", READ("control") & ADJUST(~2u, ~0u));
    WRITE("control", 0);
    end();
}

static void control(void) {
    title("CONTROL in a handler");
    actions[4] = modes_in_handler;
    __asm volatile("svc #6" ::: "r0", "r1", "r2", "r3", "r12", "lr", "memory");
    clear();
}

static void divide(void) {
    title("division");
    RECOVERING("ldr r0, [%1]\n orr r0, #16\n str r0, [%1]\n movs r4, #0\n udiv r2, r0, r4", "r"(&CCR));
    RECOVERING("movs r0, #0\n movs r1, #5\n sdiv r2, r1, r0");
    RECOVERING("movs r0, #0\n movs r1, #5\n cmp r0, #0\n it eq\n udiveq r2, r1, r0");
    CCR &= ~(1u << 4);
}

/* Resets: memory beyond the image says how far we are. */
#ifndef MARK
#define MARK 0x20010000u
#endif

void reset(void) {
#ifdef __ARM_FP
    CPACR = 0xf << 20;
    BARRIER();
#endif
    if (REGISTER(MARK) == 0x600d) {
        title("after the reset");
        hex("ispr", ISPR);
        hex("iser", ISER);
        hex("ipr", REGISTER(0xe000e400));
        hex("shcsr", SHCSR);
        hex("primask", READ("primask"));
        hex("basepri", READ("basepri"));
        hex("control", READ("control"));
        hex("msp", READ("msp") & 0xfffff000);
        end();
        static const uint32_t block[2] = {0x20026, 21};
        semihost(0x20, block);
        for (;;) {
        }
    }
    ISER = 0xf;
    order();
    masks();
    escalation();
    by_hand();
    returns();
    stacks();
    it_blocks();
    multiple();
    exclusives();
    control();
    divide();
    title("SYSRESETREQ");
    REGISTER(MARK) = 0x600d;
    WRITE("basepri", 0x40);
    pend(0xf0);
    AIRCR = 4; /* without the key */
    BARRIER();
    line("still here");
    end();
    AIRCR = 0x05fa0004;
    BARRIER();
    for (;;) {
    }
}
