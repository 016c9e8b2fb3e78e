/* What the programs that are compared with QEMU share beyond torture.h: fault handlers that report and go on. */

#include "../../../boards/programs/torture.h"

static void show(const char *name, uint32_t value) {
    text(name);
    hex("is", value);
    end();
}

static __attribute__((noreturn)) void finish(void) {
    static const uint32_t done[2] = {0x20026, 0};
    semihost(0x20, done);
    for (;;) {}
}

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

static volatile uint32_t recover; /* where a fault handler goes on; 0: behind the faulting 32-bit instruction */

/* Every handler is a trampoline that passes its frame and EXC_RETURN to C. */
#define HANDLER(name)                                                                                                  \
    __attribute__((used)) void name##_c(struct frame *frame, uint32_t exc_return);                                     \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm volatile("mov r1, lr\n tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b " #name "_c");           \
    }                                                                                                                  \
    void name##_c(struct frame *frame, uint32_t exc_return)

static void fault(const char *name, struct frame *frame, uint32_t exc_return) {
    text(name);
    hex("exc", exc_return);
    hex("cfsr", CFSR);
    hex("hfsr", HFSR);
    if (CFSR & 0x80) hex("mmfar", MMFAR);
    if (CFSR & 0x8000) hex("bfar", BFAR);
    hex("shcsr", SHCSR);
    end();
    CFSR = CFSR;
    HFSR = HFSR;
    frame->pc = recover ? recover & ~1u : frame->pc + 4;
    frame->xpsr = (frame->xpsr | 1u << 24) & ~0x0600fc00u;
}

/* Everything but system calls, PendSV and SysTick has its handler here. */
HANDLER(hard_fault) { fault("hard", frame, exc_return); }
HANDLER(mem_manage) { fault("memory", frame, exc_return); }
HANDLER(bus_fault) { fault("bus", frame, exc_return); }
HANDLER(usage_fault) { fault("usage", frame, exc_return); }

#define VECTORS(sv_call, pend_sv)                                                                                      \
    void reset(void);                                                                                                  \
    __attribute__((section(".vectors"), used)) static void *const vectors[16] = {                                      \
        (void *)0x20007000, reset, 0, hard_fault, mem_manage, bus_fault, usage_fault, 0, 0, 0, 0, sv_call, 0, 0,       \
        pend_sv,                                                                                                       \
    }
