/* SPDX-License-Identifier: BSD-3-Clause
 * What the functions of the printf family share. */
#ifndef LIBC_FORMAT_H
#define LIBC_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Where formatted text goes. */
struct output {
    void (*put)(struct output *output, char character);
    char *next;  /* only to memory: the next byte */
    size_t room; /* only to memory: bytes left, with the final 0 */
    int length;  /* characters so far, whether there was room or not */
};

/* One conversion, "%-08.3lx" for example. */
struct conversion {
    int left, zero, plus, space, alternative;
    int width;
    int precision; /* -1: none given */
};

/* Formats; returns the length of the text. */
int format_text(struct output *output, const char *format, va_list arguments);

/* Writes `digits` with sign or prefix, at least `zeros` zeros before them, padded to the width. */
void format_padded(struct output *output, const struct conversion *conversion, const char *prefix, int zeros,
                   const char *digits, int length);

/* The sign that a number is written with: "-", "+", " " or "". */
const char *format_sign(const struct conversion *conversion, int negative);

/* %f. */
void format_double(struct output *output, const struct conversion *conversion, double value);

#endif
