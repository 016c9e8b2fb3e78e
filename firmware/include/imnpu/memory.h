/* SPDX-License-Identifier: BSD-3-Clause
 * Memory that host and clusters share. */
#ifndef IMNPU_MEMORY_H
#define IMNPU_MEMORY_H

#include <stdint.h>

/** Puts a variable into system memory, cleared at start: `IMNPU_SYSMEM static uint8_t image[32];` */
#define IMNPU_SYSMEM __attribute__((section(".sysmem.bss"), aligned(8)))
/** Puts a variable with a first value into system memory; it is copied from flash at start. */
#define IMNPU_SYSMEM_DATA __attribute__((section(".sysmem.data"), aligned(8)))
/** Puts a variable into external memory, which is large and slow; cleared at start. */
#define IMNPU_EXTMEM __attribute__((section(".extmem.bss"), aligned(8)))
/** Puts a variable with a first value into external memory. It is in there before the start, and not copied from flash. */
#define IMNPU_EXTMEM_DATA __attribute__((section(".extmem.data"), aligned(8)))

/** The address of an object, as registers and programs take it.
 *
 * @param object  what they shall read or write
 */
static inline uint32_t imnpu_address(const volatile void *object)
{
    return (uint32_t)(uintptr_t)object;
}

/** Lets all writes to memory end before what follows, and all reads after it see what devices have written. */
static inline void imnpu_memory_barrier(void)
{
#if defined(__arm__)
    __asm volatile("dsb" ::: "memory");
#else
    __asm volatile("fence" ::: "memory");
#endif
}

#endif
