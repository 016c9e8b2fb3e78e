/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether there is an FPU: CPACR, and what a floating-point instruction does. */
#include "mps2.h"

static void nmi(void) {}
static void interrupt(void) { finish(98); }

int main(void) {
    print_hex("cpacr ", REGISTER(0xe000ed88));
    REGISTER(0xe000ed88) = 0xf00000;
    __asm__ volatile("dsb\n isb");
    print_hex("cpacr ", REGISTER(0xe000ed88));
    __asm__ volatile(".fpu fpv4-sp-d16\n vmov s0, %0\n vadd.f32 s0, s0, s0\n vmov %0, s0" : : "r"(0x3f800000));
    print("there is an FPU\n");
    return 0;
}
