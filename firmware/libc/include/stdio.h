/* SPDX-License-Identifier: BSD-3-Clause
 * Subset of the C library: formatted output, to the UART or to memory.
 *
 * Conversions: d i u x X o c s p f F %. Flags: - 0 + space #. Width and precision, also as *. Lengths: hh h l ll z t j.
 * An unknown conversion is written as it stands. %f is exact for every double, rounded half to even. */
#ifndef LIBC_STDIO_H
#define LIBC_STDIO_H

#include <stdarg.h>
#include <stddef.h>

#define EOF (-1)

#define LIBC_FORMAT(text, first) __attribute__((format(printf, text, first)))

/* To the UART. They return the bytes written; putchar its argument, puts 0. */
int printf(const char *restrict format, ...) LIBC_FORMAT(1, 2);
int vprintf(const char *restrict format, va_list arguments) LIBC_FORMAT(1, 0);
int puts(const char *text);
int putchar(int character);

/* From the UART, asleep until a byte comes. */
int getchar(void);

/* To memory: at most size bytes with the final 0. They return the length that the whole text has. */
int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...) LIBC_FORMAT(3, 4);
int vsnprintf(char *restrict buffer, size_t size, const char *restrict format, va_list arguments) LIBC_FORMAT(3, 0);

#endif
