/* SPDX-License-Identifier: BSD-3-Clause
 * Subset of the C library: end of the program, numbers. There is no heap. */
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1

/* Ends the run with an exit code. */
_Noreturn void exit(int code);
/* Ends the run as a fault does: the emulator reports where. */
_Noreturn void abort(void);

int abs(int value);
long labs(long value);
long strtol(const char *restrict text, char **restrict end, int base);
unsigned long strtoul(const char *restrict text, char **restrict end, int base);
int atoi(const char *text);

#endif
