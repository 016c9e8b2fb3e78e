/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/interrupt.h>
#include <imnpu/machine.h>
#include <imnpu/status.h>
#include <imnpu/uart.h>

void imnpu_uart_put(char byte)
{
    while (!(UART0->STATUS & UART_STATUS_TX_READY_Msk)) {
    }
    UART0->DATA = (unsigned char)byte;
}

void imnpu_uart_write(const void *data, size_t bytes)
{
    const char *text = data;
    for (size_t i = 0; i < bytes; ++i) {
        imnpu_uart_put(text[i]);
    }
}

int imnpu_uart_get(void)
{
    if (!(UART0->STATUS & UART_STATUS_RX_READY_Msk)) {
        return IMNPU_E_EMPTY;
    }
    return (int)(UART0->DATA & 0xFF);
}

/* The interrupt only wakes the host: release the line, imnpu_uart_wait() takes the byte. */
static void silence(void *context)
{
    (void)context;
    UART0->CONTROL &= ~UART_CONTROL_RX_INTERRUPT_Msk;
}

int imnpu_uart_wait(void)
{
    imnpu_interrupt_handler_set(IMNPU_IRQ_UART0, silence, 0);
    imnpu_interrupt_enable(IMNPU_IRQ_UART0);
    for (;;) {
        const uint32_t state = imnpu_interrupts_disable();
        const int byte = imnpu_uart_get();
        if (byte == IMNPU_E_EMPTY) {
            UART0->CONTROL |= UART_CONTROL_RX_INTERRUPT_Msk;
            imnpu_wait_for_interrupt();
        } else {
            silence(0);
        }
        imnpu_interrupts_restore(state);
        if (byte != IMNPU_E_EMPTY) {
            return byte;
        }
    }
}
