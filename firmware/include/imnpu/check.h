/* SPDX-License-Identifier: BSD-3-Clause
 * The simplest answer to an error: say it, and end. For examples and tests. */
#ifndef IMNPU_CHECK_H
#define IMNPU_CHECK_H

/** Passes a result of the library on; when it is an error, prints it to the UART, with the cause if a cluster has
 * stopped, and ends the run with exit code 1. */
#define IMNPU_CHECK(call) imnpu_check((call), #call, __FILE__, __LINE__)

/** What IMNPU_CHECK() calls.
 *
 * @param status  a result of the library
 * @param call    the text of the call
 * @param file    where it is
 * @param line    where it is
 * @return `status`, which is not negative
 */
int imnpu_check(int status, const char *call, const char *file, int line);

#endif
