/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>
#include <stdlib.h>

#include <imnpu/semihosting.h>

extern const imnpu_exit_block imnpu_runtime_error;

_Noreturn void exit(int code)
{
    imnpu_exit(code);
}

_Noreturn void abort(void)
{
    imnpu_semihosting_call(IMNPU_SEMIHOSTING_EXIT_EXTENDED, &imnpu_runtime_error);
    for (;;) {
    }
}

int abs(int value)
{
    return value < 0 ? -value : value;
}

long labs(long value)
{
    return value < 0 ? -value : value;
}

/* The value of a digit in bases up to 36; 36 for what is no digit. */
static unsigned digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return (unsigned)(digit - '0');
    }
    const char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a') + 10 : 36;
}

struct number {
    unsigned long magnitude;
    int negative;
    int too_large;
};

static struct number parse(const char *text, char **end, int base)
{
    struct number number = {0, 0, 0};
    const char *at = text;
    while (*at == ' ' || (*at >= '\t' && *at <= '\r')) {
        ++at;
    }
    if (*at == '+' || *at == '-') {
        number.negative = *at++ == '-';
    }
    const int hexadecimal = at[0] == '0' && (at[1] | 0x20) == 'x' && digit_value(at[2]) < 16;
    if ((base == 0 || base == 16) && hexadecimal) {
        at += 2;
        base = 16;
    } else if (base == 0) {
        base = *at == '0' ? 8 : 10;
    }
    const char *first = at;
    const unsigned long radix = (unsigned long)base;
    for (; digit_value(*at) < radix; ++at) {
        const unsigned digit = digit_value(*at);
        if (number.magnitude > (ULONG_MAX - digit) / radix) {
            number.too_large = 1;
        }
        number.magnitude = number.magnitude * radix + digit;
    }
    if (end) {
        *end = (char *)(unsigned long)(at == first ? text : at);
    }
    return number;
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    const struct number number = parse(text, end, base);
    if (number.too_large) {
        return ULONG_MAX;
    }
    return number.negative ? 0 - number.magnitude : number.magnitude;
}

long strtol(const char *restrict text, char **restrict end, int base)
{
    const struct number number = parse(text, end, base);
    if (number.negative) {
        const int fits = !number.too_large && number.magnitude <= 0UL - (unsigned long)LONG_MIN;
        return fits ? (long)(0 - number.magnitude) : LONG_MIN;
    }
    return !number.too_large && number.magnitude <= LONG_MAX ? (long)number.magnitude : LONG_MAX;
}

int atoi(const char *text)
{
    return (int)strtol(text, 0, 10);
}
