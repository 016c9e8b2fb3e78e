/* SPDX-License-Identifier: BSD-3-Clause
 * %f, exact, with integers only: a double is a fixed-point number of 2098 bits, so that no soft-float library
 * is linked for it. */
#include "format.h"

#include <stdint.h>
#include <string.h>

/* Fixed point: 32-bit words, the least significant first. A double needs 1074 bits after the point and 1024 before. */
#define FRACTION_WORDS 34
#define INTEGER_WORDS 32
/* 2^1024 has 309 decimal digits. */
#define INTEGER_DIGITS 310
/* Digits after the point that are computed; the exact value of a double never needs more than 1074. */
#define BLOCK 9
#define BLOCK_STEP 1000000000UL

#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXPONENT_SPECIAL 0x7FF

struct fixed {
    uint32_t fraction[FRACTION_WORDS];
    uint32_t integer[INTEGER_WORDS];
};

static uint32_t *word_at(struct fixed *number, int index)
{
    return index < FRACTION_WORDS ? &number->fraction[index] : &number->integer[index - FRACTION_WORDS];
}

static struct fixed fixed_of(uint64_t mantissa, int exponent)
{
    struct fixed number;
    memset(&number, 0, sizeof number);
    const int lowest_bit = 32 * FRACTION_WORDS + exponent;
    const int word = lowest_bit / 32;
    const int shift = lowest_bit % 32;
    const uint64_t low = (mantissa & UINT32_MAX) << shift;
    const uint64_t high = (mantissa >> 32) << shift;
    const uint64_t middle = (low >> 32) + (high & UINT32_MAX);
    *word_at(&number, word) = (uint32_t)low;
    *word_at(&number, word + 1) = (uint32_t)middle;
    if (word + 2 < FRACTION_WORDS + INTEGER_WORDS) {
        *word_at(&number, word + 2) = (uint32_t)((high >> 32) + (middle >> 32));
    }
    return number;
}

/* Multiplies the fraction by ten; returns the digit that crosses the point. */
static unsigned next_digit(uint32_t *fraction)
{
    uint32_t carry = 0;
    for (int i = 0; i < FRACTION_WORDS; ++i) {
        const uint64_t product = (uint64_t)fraction[i] * 10 + carry;
        fraction[i] = (uint32_t)product;
        carry = (uint32_t)(product >> 32);
    }
    return carry;
}

/* Divides the integer by 10^9; returns the remainder. */
static uint32_t divide_block(uint32_t *integer)
{
    uint64_t remainder = 0;
    for (int i = INTEGER_WORDS - 1; i >= 0; --i) {
        const uint64_t value = remainder << 32 | integer[i];
        integer[i] = (uint32_t)(value / BLOCK_STEP);
        remainder = value % BLOCK_STEP;
    }
    return (uint32_t)remainder;
}

static int is_zero(const uint32_t *words, int count)
{
    for (int i = 0; i < count; ++i) {
        if (words[i]) {
            return 0;
        }
    }
    return 1;
}

/* Compares the fraction with one half: below, equal or above gives -1, 0 or 1. */
static int compare_half(const uint32_t *fraction)
{
    const uint32_t top = fraction[FRACTION_WORDS - 1];
    if (top != 0x80000000UL) {
        return top < 0x80000000UL ? -1 : 1;
    }
    return !is_zero(fraction, FRACTION_WORDS - 1);
}

static void increment(uint32_t *integer)
{
    for (int i = 0; i < INTEGER_WORDS && ++integer[i] == 0; ++i) {
    }
}

/* Rounds to `precision` digits: walks the digits once to see whether the last one goes up, and how many nines
 * before it turn over. Returns the index of the digit that is raised; -1 when that is the integer part;
 * `precision` when nothing is raised. Digits behind the raised one are 0. */
static int raised_digit(const struct fixed *number, int precision)
{
    uint32_t fraction[FRACTION_WORDS];
    memcpy(fraction, number->fraction, sizeof fraction);
    int raised = -1;
    unsigned last = number->integer[0] & 1;
    for (int i = 0; i < precision; ++i) {
        last = next_digit(fraction);
        if (last != 9) {
            raised = i;
        }
    }
    const int order = compare_half(fraction);
    return order > 0 || (order == 0 && (last & 1)) ? raised : precision;
}

static char *integer_digits(char *end, uint32_t *integer)
{
    do {
        uint32_t block = divide_block(integer);
        for (int i = 0; i < BLOCK && (block || !is_zero(integer, INTEGER_WORDS)); ++i) {
            *--end = (char)('0' + block % 10);
            block /= 10;
        }
    } while (!is_zero(integer, INTEGER_WORDS));
    return end;
}

static void put_text(struct output *output, char character)
{
    output->put(output, character);
    ++output->length;
}

static void put_fraction(struct output *output, struct fixed *number, int precision, int raised)
{
    for (int i = 0; i < precision; ++i) {
        const unsigned digit = next_digit(number->fraction);
        const unsigned shown = i < raised || raised == precision ? digit : i == raised ? digit + 1 : 0;
        put_text(output, (char)('0' + shown));
    }
}

void format_double(struct output *output, const struct conversion *conversion, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const char *const sign = format_sign(conversion, (int)(bits >> 63));
    const int biased = (int)(bits >> MANTISSA_BITS) & EXPONENT_SPECIAL;
    const uint64_t mantissa = bits & ((1ULL << MANTISSA_BITS) - 1);
    struct conversion padded = *conversion;
    if (biased == EXPONENT_SPECIAL) {
        padded.zero = 0;
        format_padded(output, &padded, sign, 0, mantissa ? "nan" : "inf", 3);
        return;
    }
    const uint64_t hidden = biased ? 1ULL << MANTISSA_BITS : 0;
    struct fixed number = fixed_of(mantissa | hidden, (biased ? biased : 1) - EXPONENT_BIAS - MANTISSA_BITS);
    const int precision = conversion->precision < 0 ? 6 : conversion->precision;
    const int raised = raised_digit(&number, precision);
    if (raised < 0) {
        increment(number.integer);
    }
    char buffer[INTEGER_DIGITS];
    char *const end = buffer + sizeof buffer;
    const char *first = is_zero(number.integer, INTEGER_WORDS) ? end : integer_digits(end, number.integer);
    const int length = (int)(end - first);
    const int point = precision > 0 || conversion->alternative;

    /* The digits behind the point are written as they come, so the padding is counted before. */
    const int behind = point + precision;
    padded.left = 0;
    padded.width = conversion->left ? 0 : conversion->width - behind;
    const int before = output->length;
    format_padded(output, &padded, sign, length ? 0 : 1, first, length);
    if (point) {
        put_text(output, '.');
    }
    put_fraction(output, &number, precision, raised);
    for (int written = output->length - before; conversion->left && written < conversion->width; ++written) {
        put_text(output, ' ');
    }
}
