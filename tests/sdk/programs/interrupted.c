/* SPDX-License-Identifier: BSD-3-Clause
 * Is interrupted in the depth of a recursion, once while floating-point registers are in use and, on Cortex-M, once
 * on the process stack; for tests of backtraces. */
#include <imnpu/imnpu.h>

static volatile int fired;
static volatile int below;
#ifdef __ARM_FP
static volatile float level;
#else
static volatile int level;
#endif

__attribute__((noinline)) static void inner(void)
{
    fired = 1;
}

__attribute__((noinline)) static void handle(void *context)
{
    (void)context;
    inner();
    imnpu_timer_stop();
}

static int descend(int depth);
static int (*volatile again)(int) = descend; /* compilers change a recursion that they see */

__attribute__((noinline)) static int descend(int depth)
{
    if (depth > 0) {
        below = again(depth - 1);
        return below + 1;
    }
    while (!fired) {
        level = level + 1;
    }
    return 1;
}

__attribute__((noinline)) static int wait_for_interrupt(void)
{
    fired = 0;
    imnpu_timer_start(1000, 0, handle, 0);
    int result = descend(3);
    below = 0;
    return result;
}

#ifdef __arm__
static uint64_t process_stack[128];

/* Calls wait_for_interrupt() on the process stack. */
__attribute__((noinline)) static void with_process_stack(void)
{
    __asm volatile("msr psp, %0\n"
                   "movs r0, #2\n"
                   "msr control, r0\n"
                   "isb\n"
                   "blx %1\n"
                   "movs r0, #0\n"
                   "msr control, r0\n"
                   "isb\n" ::"r"(process_stack + 128),
                   "r"(wait_for_interrupt)
                   : "r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory");
}
#endif

int main(void)
{
    int result = wait_for_interrupt();
#ifdef __arm__
    with_process_stack();
#endif
    return result - 4;
}
