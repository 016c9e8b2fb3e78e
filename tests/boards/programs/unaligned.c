/* SPDX-License-Identifier: BSD-3-Clause */
/* Unaligned loads and stores of all kinds on ARMv7-M and ARMv8-M, with CCR.UNALIGN_TRP and without. Prints by
 * semihosting. */
#include "torture.h"

#define UNALIGN_TRP (1u << 3)

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};

static volatile uint32_t recover;
static uint8_t memory[64] __attribute__((aligned(16)));

#define HANDLER(name)                                                                                                  \
    __attribute__((used)) static void name##_c(struct frame *frame);                                                   \
    __attribute__((naked)) void name(void) { __asm volatile("mrs r0, msp\n b " #name "_c"); }                          \
    static void name##_c(struct frame *frame)

static void fault(const char *name, struct frame *frame) {
    line(name);
    hex("cfsr", CFSR);
    hex("hfsr", HFSR);
    hex("shcsr", SHCSR & ~(1u << 2)); /* HARDFAULTACT: only ARMv8-M has it */
    hex("pc", frame->pc);
    hex("r0", frame->r0);
    hex("r1", frame->r1);
    hex("flags", frame->xpsr & 0xff0ffdff);
    end();
    CFSR = CFSR;
    HFSR = HFSR;
    frame->pc = recover & ~1u;
    frame->xpsr &= ~0x0600fc00u;
}

HANDLER(hard_fault) { fault("hard", frame); }
HANDLER(usage_fault) { fault("usage", frame); }
HANDLER(bus_fault) { fault("bus", frame); }
HANDLER(unexpected) { fault("unexpected", frame); }

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16] = {
    (void *)STACK_TOP, reset, unexpected, hard_fault, unexpected, bus_fault, usage_fault, 0, 0, 0, 0, unexpected, 0, 0,
    unexpected, unexpected};

static void shown(const char *name, const uint32_t *values) {
    line(name);
    for (int index = 0; index < 5; index++) hex("r", values[index]);
    uint32_t sum = 0;
    for (unsigned index = 0; index < sizeof memory; index++) sum = sum * 31 + memory[index];
    hex("memory", sum);
    end();
}

/* Run `code` with r4 = an address in `memory`, which must not change r6..r11. */
#define TRY(code, offset)                                                                                              \
    do {                                                                                                               \
        for (unsigned index = 0; index < sizeof memory; index++) memory[index] = (uint8_t)(index * 7 + 1);             \
        static uint32_t values[5];                                                                                     \
        register uint32_t where __asm("r4") = (uint32_t)memory + (offset);                                             \
        __asm volatile("push {r6-r11}\n adr r3, 9f\n str r3, [%1]\n movw r0, #0x3344\n movt r0, #0x1122\n"            \
                       "mov r1, #0x77007700\n mov r2, #-2\n mov r3, #1\n mov r5, #2\n" code "\n nop\n .balign 4\n 9: pop {r6-r11}\n"         \
                       "stmia %2, {r0-r3}\n str %0, [%2, #16]"                                                         \
                       : "+r"(where)                                                                                   \
                       : "r"(&recover), "r"(values)                                                                    \
                       : "r0", "r1", "r2", "r3", "r5", "r12", "lr", "cc", "memory");                                  \
        values[4] -= (uint32_t)memory;                                                                                 \
        shown(code, values);                                                                                           \
    } while (0)

static void single(uint32_t offset) {
    TRY("ldr r0, [r4]", offset);
    TRY("ldr.w r0, [r4, #3]", offset);
    TRY("ldr r0, [r4, #4]!", offset);
    TRY("ldr r0, [r4], #-4", offset);
    TRY("ldr r0, [r4, r5]", offset);
    TRY("ldr.w r0, [r4, r5, lsl #2]", offset);
    TRY("ldrh r0, [r4]", offset);
    TRY("ldrh r0, [r4, #1]!", offset);
    TRY("ldrsh r0, [r4, r3]", offset);
    TRY("ldrsh r0, [r4], #3", offset);
    TRY("ldrb r0, [r4, #1]", offset);
    TRY("ldrsb r0, [r4, r3]", offset);
    TRY("str r0, [r4]", offset);
    TRY("str r0, [r4, #5]!", offset);
    TRY("str r0, [r4], #7", offset);
    TRY("strh r0, [r4]", offset);
    TRY("strh r0, [r4, r3]", offset);
    TRY("strh r0, [r4, #2]!", offset);
    TRY("strb r0, [r4]", offset);
    TRY("ldrt r0, [r4, #2]", offset);
    TRY("ldrht r0, [r4]", offset);
    TRY("strt r0, [r4, #2]", offset);
    TRY("strht r0, [r4]", offset);
    TRY("cmp r0, r0\n ite eq\n ldreq r0, [r4]\n movne r1, #2", offset);
    TRY("cmp r0, r0\n ittee ne\n strne r0, [r4]\n ldrne r1, [r4]\n streq r1, [r4]\n ldreq r0, [r4]", offset);
    TRY("movs r2, #3\n 1: ldr r0, [r4]\n add r0, r0, r1\n str r0, [r4, #8]\n subs r2, r2, #1\n bne 1b", offset);
}

/* These fault always. */
static void multiple(uint32_t offset) {
    TRY("ldrd r0, r1, [r4]", offset);
    TRY("ldrd r0, r1, [r4, #8]!", offset);
    TRY("ldrd r0, r1, [r4], #-8", offset);
    TRY("strd r0, r1, [r4]", offset);
    TRY("strd r0, r1, [r4, #8]!", offset);
    TRY("strd r0, r1, [r4], #8", offset);
    TRY("ldm r4, {r0, r1}", offset);
    TRY("ldm r4!, {r0, r1}", offset);
    TRY("ldm.w r4!, {r0, r1, r12}", offset);
    TRY("ldmdb r4, {r0, r1}", offset);
    TRY("ldmdb r4!, {r0, r1}", offset);
    TRY("ldm r4, {r3, r4}", offset);
    TRY("stm r4!, {r0, r1}", offset);
    TRY("stm.w r4, {r0, r1, r12}", offset);
    TRY("stmdb r4!, {r0, r1}", offset);
    TRY("ldrex r0, [r4]", offset);
    TRY("ldrexh r0, [r4]", offset);
    TRY("ldrexb r0, [r4]\n strexb r3, r1, [r4]", offset);
    TRY("ldr r0, [r4]\n ldrd r2, r3, [r4]\n ldr r1, [r4]", offset);
    TRY("ldr r0, [r4]\n str r0, [r4, #4]\n ldm r4, {r2, r3}\n str r1, [r4]", offset);
    TRY("cmp r0, r1\n itt ne\n ldrdne r0, r1, [r4]\n addne r4, r4, #1", offset);
    TRY("cmp r0, r1\n itt eq\n ldmeq r4!, {r0, r1}\n addeq r4, r4, #1", offset);
#ifdef __ARM_ARCH_8M_MAIN__
    TRY("lda r0, [r4]", offset);
    TRY("stl r0, [r4]", offset);
    TRY("ldah r0, [r4]", offset);
#endif
#ifdef __ARM_FP
    TRY("vldr s0, [r4]\n vmov r0, s0", offset);
    TRY("vmov s0, r1\n vstr s0, [r4, #4]", offset);
    TRY("vldmia r4!, {s0-s3}\n vmov r0, s3", offset);
    TRY("vmov s0, r0\n vmov s1, r1\n vstmdb r4!, {s0, s1}", offset);
#endif
}

/* Aligned for what they do, so that nothing may happen. */
static void aligned(void) {
    single(0);
    multiple(4);
    TRY("ldrd r0, r1, [r4]", 20);
    TRY("ldrh r0, [r4]\n strh r0, [r4, #4]", 6);
    TRY("sub sp, #8\n str r0, [sp]\n ldr r1, [sp]\n add sp, #8", 1);
    TRY("push {r0, r1}\n pop {r2, r3}", 3);
#ifdef __ARM_FP
    TRY("vmov s0, r0\n vmov s1, r1\n vpush {s0, s1}\n vpop {s2, s3}\n vmov r2, s2\n vmov r3, s3", 1);
#endif
}

__attribute__((noinline)) static void run(void) {
    hex("ccr", CCR);
    TRY("ldr r0, [r4]", 1);
    TRY("strh r0, [r4]\n ldrh r1, [r4, #4]", 3);
}

/* The trap counts for code that has run without it, and goes away again. */
static void code_that_has_run(void) {
    for (int round = 0; round < 6; round++) {
        CCR = round & 1 ? CCR | UNALIGN_TRP : CCR & ~UNALIGN_TRP;
        BARRIER();
        run();
    }
    CCR &= ~UNALIGN_TRP;
    BARRIER();
}

/* Writes of masks keep their effect, and the code behind them its checks. */
static void masks(void) {
    TRY("mov r2, #0x40\n msr basepri, r2\n mrs r0, basepri\n ldm r4, {r2, r3}", 1);
    TRY("mov r2, #0x20\n msr basepri_max, r2\n isb\n mrs r0, basepri\n ldm r4, {r2, r3}", 4);
    TRY("mov r2, #0\n msr basepri, r2\n isb\n mrs r0, basepri\n ldr r1, [r4]", 1);
    TRY("cpsid f\n mrs r0, faultmask\n cpsie f\n mrs r1, faultmask", 0);
    TRY("mov r2, #1\n msr faultmask, r2\n mrs r0, faultmask\n mov r2, #0\n msr faultmask, r2\n mrs r1, faultmask", 0);
    TRY("mrs r2, control\n orr r2, #4\n msr control, r2\n isb\n mrs r0, control\n bic r2, #4\n msr control, r2\n"
        "isb\n mrs r1, control\n strd r0, r1, [r4]", 1);
}

/* The stack pointer has no bits 1 and 0. */
static void stack_pointer(void) {
    TRY("mov r2, sp\n sub r3, r2, #1\n mov sp, r3\n push {r0, r1}\n mov r0, sp\n pop {r1, r3}\n mov sp, r2", 0);
    TRY("mov r2, sp\n sub r3, r2, #2\n msr msp, r3\n str r0, [sp, #-8]!\n mov r0, sp\n ldr r1, [sp], #8\n mov sp, r2", 0);
    TRY("mov r2, sp\n sub r3, r2, #3\n mov sp, r3\n ldr r0, [r4]\n push {r0}\n ldr r1, [sp]\n mov sp, r2", 4);
}

static void all(void) {
    for (uint32_t offset = 17; offset < 20; offset++) {
        single(offset);
        multiple(offset);
    }
    aligned();
}

void reset(void) {
#ifdef __ARM_FP
    CPACR = 0xf << 20;
    BARRIER();
#endif
    all();
    stack_pointer();
    SHCSR = 7 << 16;
    all();
    masks();
    CCR |= UNALIGN_TRP;
    BARRIER();
    all();
    masks();
    code_that_has_run();
    static const uint32_t block[2] = {0x20026, 41};
    semihost(0x20, block);
    for (;;) {
    }
}
