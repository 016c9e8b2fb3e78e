/* SPDX-License-Identifier: BSD-3-Clause */
/* The bit-band aliases of SRAM and of peripherals; and exception frames with and without CCR.STKALIGN. */
#include "mps2.h"

#define ALIAS(address, bit) (((address) & 0xf0000000u) + 0x02000000u + ((address) & 0xfffffu) * 32u + (bit) * 4u)
#define BYTE(address) (*(volatile uint8_t *)(address))
#define HALF(address) (*(volatile uint16_t *)(address))
#define CELL 0x20008000u
#define LED (FPGAIO + 0u)
#define CCR REGISTER(0xe000ed14)

volatile uint32_t frame_at;
static void interrupt(void) {}
__attribute__((naked)) static void nmi(void) { __asm__ volatile("ldr r0, =frame_at\n str sp, [r0]\n bx lr"); }

/* Takes NMI with a stack that is moved by some bytes; the stack pointer before it. */
__attribute__((naked)) static uint32_t take_nmi(uint32_t bytes) {
    __asm__ volatile("push {r7, lr}\n mov r3, r0\n sub sp, r3\n mov r7, sp\n ldr r1, =0xe000ed04\n"
                     "ldr r2, =0x80000000\n str r2, [r1]\n dsb\n isb\n add sp, r3\n mov r0, r7\n pop {r7, pc}");
}

int main(void) {
    REGISTER(CELL) = 0x80000001;
    for (uint32_t bit = 0; bit < 32; bit += 31) print_hex("bit ", REGISTER(ALIAS(CELL, bit)));
    REGISTER(ALIAS(CELL, 5)) = 0xffffffff;
    REGISTER(ALIAS(CELL, 0)) = 0xfffffffe;
    print_hex("word ", REGISTER(CELL));
    BYTE(ALIAS(CELL + 1, 3)) = 1;
    HALF(ALIAS(CELL + 2, 9)) = 3;
    HALF(ALIAS(CELL, 15)) = 1;
    print_hex("narrow ", REGISTER(CELL));
    print_hex("byte ", BYTE(ALIAS(CELL + 1, 3)));
    print_hex("half ", HALF(ALIAS(CELL + 3, 7)));
    print_hex("last ", REGISTER(ALIAS(0x200fffffu, 7)));
    REGISTER(TIMER0 + 8) = 0;
    REGISTER(ALIAS(TIMER0 + 8, 4)) = 1;
    print_hex("reload ", REGISTER(TIMER0 + 8));
    print_hex("bit ", REGISTER(ALIAS(TIMER0 + 8, 4)));
    REGISTER(ALIAS(FPGAIO, 1)) = 1;
    print_hex("leds ", REGISTER(LED));
    print_hex("identity ", REGISTER(ALIAS(SCC + 0xffcu, 20)));

    for (uint32_t aligned = 0; aligned < 2; aligned++) {
        CCR = aligned << 9;
        print_hex("ccr ", CCR);
        for (uint32_t bytes = 0; bytes < 16; bytes += 4) {
            print_hex("frame below the stack ", take_nmi(bytes) - frame_at);
            print_hex("xpsr ", REGISTER(frame_at + 28) & 0x200);
        }
    }
    return 0;
}
