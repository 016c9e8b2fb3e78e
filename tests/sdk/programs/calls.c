/* SPDX-License-Identifier: BSD-3-Clause
 * Calls, loops and an inlined function, for tests of debug information. */

static volatile int sink;

static inline __attribute__((always_inline)) int twice(int value)
{
    sink = value;
    return value * 2;
}

__attribute__((noinline)) int leaf(int first, int step)
{
    volatile int buffer[8];
    for (int index = 0; index < 8; index++)
        buffer[index] = first + index * step;
    return buffer[3] + twice(step);
}

__attribute__((noinline)) int middle(int count)
{
    int sum = 0;
    for (int index = 0; index < count; index++) {
        sum += leaf(index, count);
    }
    return sum + 1;
}

int removed_by_the_linker(int value)
{
    return value + 4;
}

__attribute__((noinline)) int main(void)
{
    int result = middle(5);
    return result - 1;
}

void _start(void)
{
    main();
    for (;;)
        ;
}
