/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <string.h>

/* A word that may alias any object: copies go through it when both sides are aligned. */
typedef uint32_t __attribute__((may_alias)) any_word;

/* Words that a loop moves at once: start-up clears and copies whole memories. */
#define WORDS 8

static int both_aligned(const void *first, const void *second)
{
    return (((uintptr_t)first | (uintptr_t)second) & (sizeof(any_word) - 1)) == 0;
}

void *memcpy(void *restrict destination, const void *restrict source, size_t bytes)
{
    unsigned char *to = destination;
    const unsigned char *from = source;
    if (both_aligned(to, from)) {
        for (; bytes >= WORDS * sizeof(any_word); bytes -= WORDS * sizeof(any_word)) {
            const any_word *const read = (const any_word *)(const void *)from;
            any_word *const written = (any_word *)(void *)to;
            /* All are read before the first is written: instructions that move several registers serve. */
            const any_word words[WORDS] = {
                read[0], read[1], read[2], read[3], read[4], read[5], read[6], read[7],
            };
            written[0] = words[0];
            written[1] = words[1];
            written[2] = words[2];
            written[3] = words[3];
            written[4] = words[4];
            written[5] = words[5];
            written[6] = words[6];
            written[7] = words[7];
            to += WORDS * sizeof(any_word);
            from += WORDS * sizeof(any_word);
        }
        for (; bytes >= sizeof(any_word); bytes -= sizeof(any_word)) {
            *(any_word *)(void *)to = *(const any_word *)(const void *)from;
            to += sizeof(any_word);
            from += sizeof(any_word);
        }
    }
    while (bytes-- > 0) {
        *to++ = *from++;
    }
    return destination;
}

void *memmove(void *destination, const void *source, size_t bytes)
{
    unsigned char *to = destination;
    const unsigned char *from = source;
    if ((uintptr_t)to - (uintptr_t)from >= bytes) {
        return memcpy(destination, source, bytes);
    }
    while (bytes-- > 0) {
        to[bytes] = from[bytes];
    }
    return destination;
}

void *memset(void *destination, int value, size_t bytes)
{
    unsigned char *to = destination;
    if (both_aligned(to, to)) {
        const any_word word = (unsigned char)value * 0x01010101UL;
        for (; bytes >= WORDS * sizeof(any_word); bytes -= WORDS * sizeof(any_word)) {
            any_word *const written = (any_word *)(void *)to;
            written[0] = word;
            written[1] = word;
            written[2] = word;
            written[3] = word;
            written[4] = word;
            written[5] = word;
            written[6] = word;
            written[7] = word;
            to += WORDS * sizeof(any_word);
        }
        for (; bytes >= sizeof(any_word); bytes -= sizeof(any_word)) {
            *(any_word *)(void *)to = word;
            to += sizeof(any_word);
        }
    }
    while (bytes-- > 0) {
        *to++ = (unsigned char)value;
    }
    return destination;
}

int memcmp(const void *first, const void *second, size_t bytes)
{
    const unsigned char *a = first;
    const unsigned char *b = second;
    for (; bytes > 0; --bytes, ++a, ++b) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}

void *memchr(const void *data, int value, size_t bytes)
{
    const unsigned char *at = data;
    for (; bytes > 0; --bytes, ++at) {
        if (*at == (unsigned char)value) {
            return (void *)(uintptr_t)at;
        }
    }
    return 0;
}

size_t strnlen(const char *text, size_t limit)
{
    size_t length = 0;
    while (length < limit && text[length]) {
        ++length;
    }
    return length;
}

size_t strlen(const char *text)
{
    return strnlen(text, SIZE_MAX);
}

int strncmp(const char *first, const char *second, size_t limit)
{
    for (; limit > 0; --limit, ++first, ++second) {
        const unsigned char a = (unsigned char)*first;
        const unsigned char b = (unsigned char)*second;
        if (a != b || !a) {
            return a - b;
        }
    }
    return 0;
}

int strcmp(const char *first, const char *second)
{
    return strncmp(first, second, SIZE_MAX);
}

char *strcpy(char *restrict destination, const char *restrict source)
{
    return memcpy(destination, source, strlen(source) + 1);
}

char *strncpy(char *restrict destination, const char *restrict source, size_t limit)
{
    const size_t length = strnlen(source, limit);
    memcpy(destination, source, length);
    memset(destination + length, 0, limit - length);
    return destination;
}

char *strchr(const char *text, int character)
{
    return memchr(text, character, strlen(text) + 1);
}

char *strrchr(const char *text, int character)
{
    for (size_t i = strlen(text) + 1; i > 0; --i) {
        if (text[i - 1] == (char)character) {
            return (char *)(uintptr_t)&text[i - 1];
        }
    }
    return 0;
}

char *strstr(const char *text, const char *part)
{
    const size_t length = strlen(part);
    for (; strncmp(text, part, length) != 0; ++text) {
        if (!*text) {
            return 0;
        }
    }
    return (char *)(uintptr_t)text;
}
