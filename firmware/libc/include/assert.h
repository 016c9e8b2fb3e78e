/* SPDX-License-Identifier: BSD-3-Clause
 * assert(): prints what failed to the UART and ends the run as a fault does. NDEBUG removes it.
 * No include guard: as in ISO C, the header may be included again after NDEBUG has changed. */
#undef assert

#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) ((condition) ? (void)0 : libc_assert_failed(#condition, __FILE__, __LINE__))
#endif

#ifndef LIBC_ASSERT_H
#define LIBC_ASSERT_H
#define static_assert _Static_assert
_Noreturn void libc_assert_failed(const char *condition, const char *file, int line);
#endif
