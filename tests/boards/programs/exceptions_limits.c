/* SPDX-License-Identifier: BSD-3-Clause */
/* Stack limits of ARMv8-M: instructions and exception entries that would pass them. Prints by semihosting. */
#include "torture.h"

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

static volatile uint32_t recover, recover_main;
static uint32_t process_stack[64] __attribute__((aligned(8)));

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
    hex("frame", (uint32_t)frame);
    hex("cfsr", CFSR);
    hex("hfsr", HFSR);
    hex("shcsr", SHCSR);
    hex("msplim", READ("msplim"));
    hex("psplim", READ("psplim"));
    CFSR = CFSR;
    HFSR = HFSR;
    end();
}

/* The frame may not be there: make one at the top of the process stack that goes on at `recover`. */
static void resume(void) {
    struct frame *good = (struct frame *)(process_stack + 64 - 8);
    WRITE("psplim", 0);
    *good = (struct frame){.pc = recover & ~1u, .xpsr = 1u << 24, .lr = 0xffffffff};
    WRITE("psp", (uint32_t)good);
}

HANDLER(hard_fault) { where("hard", frame, exc_return); resume(); }
HANDLER(usage_fault) { where("usage", frame, exc_return); resume(); }
HANDLER(sv_call) { where("svc", frame, exc_return); }
HANDLER(irq_0) { where("irq", frame, exc_return); }
HANDLER(unexpected) { where("unexpected", frame, exc_return); }

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16 + 1] = {
    (void *)STACK_TOP, reset, unexpected, hard_fault, unexpected, unexpected, usage_fault, 0, 0, 0, 0, sv_call, 0,
    0, unexpected, unexpected, irq_0};

/* Thread mode on the process stack with a limit of `limit` words below its top. */
#define LIMITED(limit, code)                                                                                           \
    __asm volatile("push {r0-r12, lr}\n adr r3, 9f\n str r3, [%0]\n msr psplim, %2\n msr psp, %1\n movs r3, #2\n"      \
                   "msr control, r3\n isb\n mov r1, %3\n" code                                                         \
                   "\n dsb\n isb\n mrs r0, psp\n .balign 4\n 9: movs r3, #0\n msr psplim, r3\n msr control, r3\n isb\n"  \
                   "pop {r0-r12, lr}" ::"r"(&recover),                                                                 \
                   "r"(process_stack + 64), "r"(process_stack + 64 - (limit)), "r"(&ISPR)                              \
                   : "cc", "memory")

static void all(void) {
    static volatile uint32_t done;
    line("push");
    end();
    LIMITED(4, "push {r4-r7}\n pop {r4-r7}");
    LIMITED(4, "push {r4-r8}\n pop {r4-r8}");
    LIMITED(12, "push {r4-r11}\n push {r4-r8}");
    line("sub");
    end();
    LIMITED(4, "sub sp, #16\n add sp, #16");
    LIMITED(4, "sub sp, #20\n add sp, #20");
    LIMITED(20, "sub.w sp, sp, #84");
    LIMITED(20, "mov r4, #84\n sub.w sp, sp, r4");
    line("stores");
    end();
    LIMITED(20, "str r4, [sp, #-84]!");
    LIMITED(20, "strd r4, r5, [sp, #-88]!");
    LIMITED(20, "sub sp, #80\n stmdb sp!, {r4, r5}");
    line("mov and msr do what they want");
    end();
    LIMITED(4, "sub r4, sp, #24\n mov r5, sp\n msr psp, r4\n msr psp, r5");
    line("entries");
    end();
    LIMITED(12, "svc #1");
    LIMITED(8, "svc #2");
    LIMITED(7, "svc #3");
    LIMITED(12, "movs r4, #1\n str r4, [r1]");
    LIMITED(4, "movs r4, #1\n str r4, [r1]");
    (void)done;
}

void reset(void) {
    line("start");
    hex("msplim", READ("msplim"));
    hex("psplim", READ("psplim"));
    WRITE("msplim", 0x38000007);
    hex("msplim", READ("msplim"));
    WRITE("psplim", 0x12345678);
    hex("psplim", READ("psplim"));
    WRITE("psplim", 0);
    end();
    ISER = 1;
    SHPR(11) = 0x40;
    SHPR(6) = 0x20;
    IPR(0) = 0x60;
    line("hard faults");
    end();
    all();
    SHCSR = 1 << 18;
    line("usage faults");
    end();
    all();
    SHPR(6) = 0x80;
    line("less urgent usage faults");
    end();
    all();
    static const uint32_t block[2] = {0x20026, 31};
    semihost(0x20, block);
    for (;;) {
    }
}
