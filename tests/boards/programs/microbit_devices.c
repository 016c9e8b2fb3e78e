/* SPDX-License-Identifier: BSD-3-Clause */
/* UART of the nRF51 by polling and by interrupt, and what the chip says of itself. */
#include "microbit.h"

#define STARTRX REGISTER(UART + 0x000)
#define STOPRX REGISTER(UART + 0x004)
#define STOPTX REGISTER(UART + 0x00c)
#define RXDRDY REGISTER(UART + 0x108)
#define RXTO REGISTER(UART + 0x144)
#define INTENSET REGISTER(UART + 0x304)
#define INTENCLR REGISTER(UART + 0x308)
#define RXD REGISTER(UART + 0x518)

static volatile uint32_t interrupts;
static const char *volatile rest;

static void uart(void) {
    interrupts++;
    TXDRDY = 0;
    if (*rest) TXD = (uint32_t)*rest++;
    else INTENCLR = 1 << 7;
}

void reset(void);
__attribute__((section(".vectors"), used)) void *const vectors[16 + 3] = {
    (void *)STACK_TOP, reset, stop, stop, [18] = uart,
};

void reset(void) {
    static const uint32_t information[] = {0x10, 0x14, 0x20, 0x24, 0x28, 0x60, 0x64, 0x0c};
    start_output();
    print("hello from the micro:bit\n");
    print_hex("baud rate ", BAUDRATE);
    for (int i = 0; i < 8; i++) print_hex("factory ", REGISTER(0x10000000 + information[i]));
    print_hex("user ", REGISTER(0x10001000));
    print_hex("flash ready ", REGISTER(0x4001e400));

    rest = "by interrupt\n";
    INTENSET = 1 << 7;
    ISER = 1 << 2;
    TXD = '>';
    while (*rest) {
    }
    print_hex("\ninterrupts ", interrupts);
    print_hex("enabled ", INTENSET);

    STARTRX = 1;
    for (int i = 0; i < 8; i++) {
        while (!RXDRDY) {
        }
        RXDRDY = 0;
        put((char)RXD);
    }
    STOPRX = 1;
    print_hex("\nreceiver stopped ", RXTO);
    STOPTX = 1;
    TXD = '!';
    finish(7);
}
