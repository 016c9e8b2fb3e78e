/* SPDX-License-Identifier: BSD-3-Clause
 * Subset of the C library: memory and strings. As in ISO C; strnlen as in POSIX. */
#ifndef LIBC_STRING_H
#define LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t bytes);
void *memmove(void *destination, const void *source, size_t bytes);
void *memset(void *destination, int value, size_t bytes);
int memcmp(const void *first, const void *second, size_t bytes);
void *memchr(const void *data, int value, size_t bytes);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *first, const char *second);
int strncmp(const char *first, const char *second, size_t limit);
char *strcpy(char *restrict destination, const char *restrict source);
char *strncpy(char *restrict destination, const char *restrict source, size_t limit);
char *strchr(const char *text, int character);
char *strrchr(const char *text, int character);
char *strstr(const char *text, const char *part);

#endif
