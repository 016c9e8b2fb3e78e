/* SPDX-License-Identifier: BSD-3-Clause */
/* What a scenario prints, kept until it is flushed: printing may itself be a trap, or be in the way of one. */
#include <stdint.h>

#ifndef OUTPUT_SIZE
#define OUTPUT_SIZE 32768
#endif

static char output[OUTPUT_SIZE];
static uint32_t used;

/* The last byte is kept free, to end a string. */
static void put(char character) {
    if (used + 1 < sizeof output) output[used++] = character;
}

static void word(const char *name, uint32_t value) {
    put(' ');
    for (const char *letter = name; *letter; letter++) put(*letter);
    if (*name) put('=');
    int shift = 28;
    while (shift && !(value >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}
