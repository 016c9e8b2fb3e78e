/* SPDX-License-Identifier: BSD-3-Clause */
/* UART of the nRF51 by polling and by interrupt, and what the chip says of itself. */
#include "torture.h"

#define UART 0x40002000u
#define STARTRX REGISTER(UART + 0x000)
#define STOPRX REGISTER(UART + 0x004)
#define STARTTX REGISTER(UART + 0x008)
#define STOPTX REGISTER(UART + 0x00c)
#define RXDRDY REGISTER(UART + 0x108)
#define TXDRDY REGISTER(UART + 0x11c)
#define RXTO REGISTER(UART + 0x144)
#define INTENSET REGISTER(UART + 0x304)
#define INTENCLR REGISTER(UART + 0x308)
#define ENABLE REGISTER(UART + 0x500)
#define RXD REGISTER(UART + 0x518)
#define TXD REGISTER(UART + 0x51c)
#define BAUDRATE REGISTER(UART + 0x524)

static volatile uint32_t interrupts;
static const char *volatile rest;

static void put(char c) {
    TXD = (uint32_t)c;
    while (!TXDRDY) {
    }
    TXDRDY = 0;
}

static void print(const char *string) {
    while (*string) put(*string++);
}

static void print_hex(const char *name, uint32_t value) {
    print(name);
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
    put('\n');
}

static void stop(void) {
    static const uint32_t block[2] = {0x20026, 99};
    semihost(0x20, block);
}

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
    ENABLE = 4;
    BAUDRATE = 0x01d7e000;
    STARTTX = 1;
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
    static const uint32_t block[2] = {0x20026, 7};
    semihost(0x20, block);
    for (;;) {
    }
}
