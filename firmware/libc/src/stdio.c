/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include <imnpu/uart.h>

#include "format.h"

static void to_uart(struct output *output, char character)
{
    (void)output;
    imnpu_uart_put(character);
}

int vprintf(const char *restrict format, va_list arguments)
{
    struct output output = {.put = to_uart};
    return format_text(&output, format, arguments);
}

int printf(const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vprintf(format, arguments);
    va_end(arguments);
    return length;
}

int putchar(int character)
{
    imnpu_uart_put((char)character);
    return (unsigned char)character;
}

int puts(const char *text)
{
    while (*text) {
        imnpu_uart_put(*text++);
    }
    imnpu_uart_put('\n');
    return 0;
}

int getchar(void)
{
    return imnpu_uart_wait();
}
