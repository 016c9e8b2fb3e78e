/* SPDX-License-Identifier: BSD-3-Clause
 * Gives the variables of C their first values; the linker script defines the symbols. */
#ifndef STARTUP_MEMORY_INIT_H
#define STARTUP_MEMORY_INIT_H

#include <stdint.h>
#include <string.h>

extern uint8_t __data_start[], __data_end[];
extern const uint8_t __data_load[];
extern uint8_t __bss_start[], __bss_end[];
extern uint8_t __sysmem_data_start[], __sysmem_data_end[];
extern const uint8_t __sysmem_data_load[];
extern uint8_t __sysmem_bss_start[], __sysmem_bss_end[];
extern uint8_t __extmem_bss_start[], __extmem_bss_end[];

static inline size_t imnpu_section_bytes(const uint8_t *start, const uint8_t *end)
{
    return (size_t)((uintptr_t)end - (uintptr_t)start);
}

/* Copies initialised data from flash to SRAM and to system memory, and clears the rest, in external memory too. */
static inline void imnpu_memory_init(void)
{
    memcpy(__data_start, __data_load, imnpu_section_bytes(__data_start, __data_end));
    memset(__bss_start, 0, imnpu_section_bytes(__bss_start, __bss_end));
    memcpy(__sysmem_data_start, __sysmem_data_load, imnpu_section_bytes(__sysmem_data_start, __sysmem_data_end));
    memset(__sysmem_bss_start, 0, imnpu_section_bytes(__sysmem_bss_start, __sysmem_bss_end));
    memset(__extmem_bss_start, 0, imnpu_section_bytes(__extmem_bss_start, __extmem_bss_end));
}

#endif
