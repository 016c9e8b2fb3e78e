/* SPDX-License-Identifier: BSD-3-Clause
 * Does what it must not, whichever FAULT says; for tests of fault reports. */
#include <imnpu/imnpu.h>

typedef void (*function)(void);

static volatile uintptr_t wild;

__attribute__((noinline)) static int store(int value)
{
    *(volatile int *)wild = value;
    return value + 1;
}

__attribute__((noinline)) static int call(int value)
{
    ((function)wild)();
    return value + 1;
}

__attribute__((noinline)) static int step(int value)
{
    int result = value < 0 ? call(value) : store(value);
    return result * 2;
}

int main(void)
{
    extern const volatile uintptr_t wild_address;
    extern const volatile int value;
    wild = wild_address;
    return step(value);
}
