/* SPDX-License-Identifier: BSD-3-Clause */
/* What programs for the micro:bit share: output by the UART of the nRF51. */
#ifndef MICROBIT_H
#define MICROBIT_H
#include "torture.h"

#define UART 0x40002000u
#define STARTTX REGISTER(UART + 0x008)
#define TXDRDY REGISTER(UART + 0x11c)
#define ENABLE REGISTER(UART + 0x500)
#define TXD REGISTER(UART + 0x51c)
#define BAUDRATE REGISTER(UART + 0x524)

static void start_output(void) {
    ENABLE = 4;
    BAUDRATE = 0x01d7e000;
    STARTTX = 1;
}

static void put(char c) {
    TXD = (uint32_t)c;
    while (!TXDRDY) {
    }
    TXDRDY = 0;
}

static void print(const char *string) {
    while (*string) put(*string++);
}

static void print_number(uint32_t value) {
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

static void print_hex(const char *name, uint32_t value) {
    print(name);
    print_number(value);
    put('\n');
}

__attribute__((noreturn)) static void finish(uint32_t code) {
    const uint32_t block[2] = {0x20026, code};
    semihost(0x20, block);
    for (;;) {
    }
}

static void stop(void) { finish(99); }

#endif
