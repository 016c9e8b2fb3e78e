/* SPDX-License-Identifier: BSD-3-Clause
 * The serial port. printf() of the libc ends here. */
#ifndef IMNPU_UART_H
#define IMNPU_UART_H

#include <stddef.h>

/** Sends a byte; waits while the transmitter is full.
 *
 * @param byte  what to send
 */
void imnpu_uart_put(char byte);

/** Sends bytes.
 *
 * @param data   what to send
 * @param bytes  how many
 */
void imnpu_uart_write(const void *data, size_t bytes);

/** Takes a received byte, without waiting.
 *
 * @return 0..255
 * @retval IMNPU_E_EMPTY  nothing has been received
 */
int imnpu_uart_get(void);

/** Waits for a byte, asleep until the UART interrupts.
 *
 * It serves the interrupt of the UART itself.
 *
 * @return 0..255
 */
int imnpu_uart_wait(void);

#endif
