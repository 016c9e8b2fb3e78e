/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/semihosting.h>

/* What the default fault handlers and abort() point at. */
extern const imnpu_exit_block imnpu_runtime_error;
const imnpu_exit_block imnpu_runtime_error = {IMNPU_EXIT_RUNTIME_ERROR, 1};

uint32_t imnpu_semihosting_call(uint32_t operation, const void *parameter)
{
#if defined(__arm__)
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = parameter;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
#else
    register uint32_t a0 __asm("a0") = operation;
    register const void *a1 __asm("a1") = parameter;
    /* The three instructions must be uncompressed and on one page. */
    __asm volatile(".option push\n"
                   ".option norvc\n"
                   ".balign 16\n"
                   "slli x0, x0, 0x1f\n"
                   "ebreak\n"
                   "srai x0, x0, 7\n"
                   ".option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
    return a0;
#endif
}

void imnpu_semihosting_write(const char *text)
{
    imnpu_semihosting_call(IMNPU_SEMIHOSTING_WRITE0, text);
}

_Noreturn void imnpu_exit(int code)
{
    const imnpu_exit_block block = {IMNPU_EXIT_APPLICATION, (uint32_t)code};
    imnpu_semihosting_call(IMNPU_SEMIHOSTING_EXIT_EXTENDED, &block);
    for (;;) {
    }
}
