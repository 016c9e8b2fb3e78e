/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "format.h"

static void to_memory(struct output *output, char character)
{
    if (output->room > 1) {
        *output->next++ = character;
        --output->room;
    }
}

int vsnprintf(char *restrict buffer, size_t size, const char *restrict format, va_list arguments)
{
    struct output output = {.put = to_memory, .next = buffer, .room = size};
    const int length = format_text(&output, format, arguments);
    if (size > 0) {
        *output.next = '\0';
    }
    return length;
}

int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
