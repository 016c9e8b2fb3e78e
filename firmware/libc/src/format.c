/* SPDX-License-Identifier: BSD-3-Clause
 * The printf family: reads the format, writes text, characters and integers. */
#include "format.h"

#include <stdint.h>
#include <string.h>

/* Octal digits of the largest 64-bit number. */
#define MOST_DIGITS 22

static void put(struct output *output, char character)
{
    output->put(output, character);
    ++output->length;
}

static void repeat(struct output *output, char character, int count)
{
    for (; count > 0; --count) {
        put(output, character);
    }
}

static void put_all(struct output *output, const char *text, int length)
{
    for (int i = 0; i < length; ++i) {
        put(output, text[i]);
    }
}

const char *format_sign(const struct conversion *conversion, int negative)
{
    if (negative) {
        return "-";
    }
    return conversion->plus ? "+" : conversion->space ? " " : "";
}

void format_padded(struct output *output, const struct conversion *conversion, const char *prefix, int zeros,
                   const char *digits, int length)
{
    const int prefix_length = (int)strlen(prefix);
    int padding = conversion->width - prefix_length - zeros - length;
    if (conversion->zero && !conversion->left && padding > 0) {
        zeros += padding;
        padding = 0;
    }
    if (!conversion->left) {
        repeat(output, ' ', padding);
    }
    put_all(output, prefix, prefix_length);
    repeat(output, '0', zeros);
    put_all(output, digits, length);
    if (conversion->left) {
        repeat(output, ' ', padding);
    }
}

/* Writes the digits of `value` so that they end at `end`; returns where they start. */
static char *digits_before(char *end, uint64_t value, unsigned base, const char *alphabet)
{
    while (value > UINT32_MAX) {
        *--end = alphabet[value % base];
        value /= base;
    }
    for (uint32_t low = (uint32_t)value; low > 0; low /= base) {
        *--end = alphabet[low % base];
    }
    return end;
}

static void format_integer(struct output *output, const struct conversion *conversion, const char *prefix,
                           uint64_t value, unsigned base, int upper)
{
    char buffer[MOST_DIGITS];
    char *const end = buffer + sizeof buffer;
    const char *first = digits_before(end, value, base, upper ? "0123456789ABCDEF" : "0123456789abcdef");
    const int length = (int)(end - first);
    struct conversion padded = *conversion;
    padded.zero = conversion->zero && conversion->precision < 0;
    int precision = conversion->precision < 0 ? 1 : conversion->precision;
    if (base == 8 && conversion->alternative && precision <= length) {
        precision = length + 1;
    }
    format_padded(output, &padded, prefix, precision > length ? precision - length : 0, first, length);
}

static void format_string(struct output *output, const struct conversion *conversion, const char *text)
{
    if (!text) {
        text = "(null)";
    }
    const size_t limit = conversion->precision < 0 ? SIZE_MAX : (size_t)conversion->precision;
    struct conversion padded = *conversion;
    padded.zero = 0;
    format_padded(output, &padded, "", 0, text, (int)strnlen(text, limit));
}

/* How many bytes an argument has, and how it was passed. */
enum length { LENGTH_CHAR, LENGTH_SHORT, LENGTH_INT, LENGTH_LONG, LENGTH_LONG_LONG, LENGTH_SIZE, LENGTH_POINTER_STEP };

static enum length read_length(const char **format)
{
    const char first = **format;
    const int twice = (*format)[1] == first;
    switch (first) {
    case 'h':
        *format += 1 + twice;
        return twice ? LENGTH_CHAR : LENGTH_SHORT;
    case 'l':
        *format += 1 + twice;
        return twice ? LENGTH_LONG_LONG : LENGTH_LONG;
    case 'j':
        ++*format;
        return LENGTH_LONG_LONG;
    case 'z':
        ++*format;
        return LENGTH_SIZE;
    case 't':
        ++*format;
        return LENGTH_POINTER_STEP;
    default:
        return LENGTH_INT;
    }
}

/* va_list may be an array type, which cannot be passed by address: a structure can. */
struct arguments {
    va_list list;
};

static int64_t next_signed(struct arguments *arguments, enum length length)
{
    switch (length) {
    case LENGTH_CHAR:
        return (signed char)va_arg(arguments->list, int);
    case LENGTH_SHORT:
        return (short)va_arg(arguments->list, int);
    case LENGTH_LONG:
        return va_arg(arguments->list, long);
    case LENGTH_LONG_LONG:
        return va_arg(arguments->list, long long);
    case LENGTH_SIZE:
    case LENGTH_POINTER_STEP:
        return va_arg(arguments->list, ptrdiff_t);
    default:
        return va_arg(arguments->list, int);
    }
}

static uint64_t next_unsigned(struct arguments *arguments, enum length length)
{
    switch (length) {
    case LENGTH_CHAR:
        return (unsigned char)va_arg(arguments->list, unsigned);
    case LENGTH_SHORT:
        return (unsigned short)va_arg(arguments->list, unsigned);
    case LENGTH_LONG:
        return va_arg(arguments->list, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(arguments->list, unsigned long long);
    case LENGTH_SIZE:
    case LENGTH_POINTER_STEP:
        return va_arg(arguments->list, size_t);
    default:
        return va_arg(arguments->list, unsigned);
    }
}

/* A number of the format: digits, or * for the next argument. */
static int read_number(const char **format, struct arguments *arguments)
{
    if (**format == '*') {
        ++*format;
        return va_arg(arguments->list, int);
    }
    int number = 0;
    for (; **format >= '0' && **format <= '9'; ++*format) {
        number = 10 * number + (**format - '0');
    }
    return number;
}

static struct conversion read_conversion(const char **format, struct arguments *arguments)
{
    struct conversion conversion = {.precision = -1};
    for (;; ++*format) {
        switch (**format) {
        case '-':
            conversion.left = 1;
            continue;
        case '0':
            conversion.zero = 1;
            continue;
        case '+':
            conversion.plus = 1;
            continue;
        case ' ':
            conversion.space = 1;
            continue;
        case '#':
            conversion.alternative = 1;
            continue;
        default:
            break;
        }
        break;
    }
    conversion.width = read_number(format, arguments);
    if (conversion.width < 0) {
        conversion.left = 1;
        conversion.width = -conversion.width;
    }
    if (**format == '.') {
        ++*format;
        conversion.precision = read_number(format, arguments);
    }
    return conversion;
}

/* Writes one conversion; returns 0 when the character means nothing. */
static int format_one(struct output *output, const struct conversion *conversion, enum length length, char kind,
                      struct arguments *arguments)
{
    switch (kind) {
    case 'd':
    case 'i': {
        const int64_t value = next_signed(arguments, length);
        const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        format_integer(output, conversion, format_sign(conversion, value < 0), magnitude, 10, 0);
        return 1;
    }
    case 'u':
        format_integer(output, conversion, "", next_unsigned(arguments, length), 10, 0);
        return 1;
    case 'o':
        format_integer(output, conversion, "", next_unsigned(arguments, length), 8, 0);
        return 1;
    case 'x':
    case 'X': {
        const uint64_t value = next_unsigned(arguments, length);
        const char *const prefix = kind == 'X' ? "0X" : "0x";
        format_integer(output, conversion, conversion->alternative && value ? prefix : "", value, 16, kind == 'X');
        return 1;
    }
    case 'p':
        format_integer(output, conversion, "0x", (uintptr_t)va_arg(arguments->list, void *), 16, 0);
        return 1;
    case 'c': {
        struct conversion padded = *conversion;
        padded.zero = 0;
        const char character = (char)va_arg(arguments->list, int);
        format_padded(output, &padded, "", 0, &character, 1);
        return 1;
    }
    case 's':
        format_string(output, conversion, va_arg(arguments->list, const char *));
        return 1;
    case 'f':
    case 'F':
        format_double(output, conversion, va_arg(arguments->list, double));
        return 1;
    case '%':
        put(output, '%');
        return 1;
    default:
        return 0;
    }
}

int format_text(struct output *output, const char *format, va_list list)
{
    struct arguments arguments;
    va_copy(arguments.list, list);
    while (*format) {
        if (*format != '%') {
            put(output, *format++);
            continue;
        }
        const char *const start = format++;
        const struct conversion conversion = read_conversion(&format, &arguments);
        const enum length length = read_length(&format);
        const char kind = *format;
        if (kind) {
            ++format;
        }
        if (!format_one(output, &conversion, length, kind, &arguments)) {
            put_all(output, start, (int)(format - start));
        }
    }
    va_end(arguments.list);
    return output->length;
}
