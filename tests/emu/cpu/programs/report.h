/* What the programs that are compared with QEMU share: registers, output by semihosting, fault handlers that report. */

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CCR REGISTER(0xE000ED14)
#define SHCSR REGISTER(0xE000ED24)
#define CFSR REGISTER(0xE000ED28)
#define HFSR REGISTER(0xE000ED2C)
#define MMFAR REGISTER(0xE000ED34)
#define BFAR REGISTER(0xE000ED38)
#define CPACR REGISTER(0xE000ED88)
#define READ(name) ({ uint32_t value; __asm volatile("mrs %0, " name : "=r"(value)); value; })
#define WRITE(name, value) __asm volatile("msr " name ", %0\n isb" ::"r"((uint32_t)(value)) : "memory")
#define BARRIER() __asm volatile("dsb\n isb" ::: "memory")

static uint32_t semihost(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = parameter;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void text(const char *string) { semihost(4, string); }

static void hex(const char *name, uint32_t value) {
    char digits[9];
    for (int i = 0; i < 8; i++) {
        uint32_t digit = value >> (28 - 4 * i) & 15;
        digits[i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    digits[8] = 0;
    text(" ");
    text(name);
    text("=");
    text(digits);
}

static void end(void) { text("\n"); }

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
