/* SPDX-License-Identifier: BSD-3-Clause
 * Calls to what runs the firmware: an emulator or a debug probe. */
#ifndef IMNPU_SEMIHOSTING_H
#define IMNPU_SEMIHOSTING_H

#include <stdint.h>

/** Numbers of semihosting operations. */
enum imnpu_semihosting {
    IMNPU_SEMIHOSTING_WRITE0 = 0x04, /**< write a string, terminated by 0, to the debug console */
    IMNPU_SEMIHOSTING_EXIT_EXTENDED = 0x20, /**< end the run with a reason and a code */
};

/** Reasons for the end of a run. */
enum imnpu_exit_reason {
    IMNPU_EXIT_RUNTIME_ERROR = 0x20023, /**< a fault, or abort() */
    IMNPU_EXIT_APPLICATION = 0x20026,   /**< main() returned, or exit() */
};

/** Block that `IMNPU_SEMIHOSTING_EXIT_EXTENDED` points to. */
typedef struct {
    uint32_t reason; /**< enum imnpu_exit_reason */
    uint32_t code;   /**< exit code of the program */
} imnpu_exit_block;

/** Performs a semihosting call.
 *
 * @param operation  enum imnpu_semihosting or another number of the semihosting specification
 * @param parameter  what the operation expects: a value or the address of a block
 * @return what the operation returns
 */
uint32_t imnpu_semihosting_call(uint32_t operation, const void *parameter);

/** Writes a string to the debug console; not to the UART.
 *
 * @param text  terminated by 0
 */
void imnpu_semihosting_write(const char *text);

/** Ends the run.
 *
 * @param code  exit code, 0 for success
 */
_Noreturn void imnpu_exit(int code);

#endif
