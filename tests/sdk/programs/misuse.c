/* Does to the clusters what a script on the UART says, and reports the error interrupts that come of it. */
#include <stdio.h>

#include <imnpu/imnpu.h>

#include "project_data.h"
#include "programs.h"

#define MARK_BEFORE 1
#define MARK_AFTER 2

static volatile uint32_t ended, errors[IMNPU_CLUSTERS];

static void serve_interrupt(void *context)
{
    const int cluster = (int)(uintptr_t)context;
    CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
    const uint32_t causes = registers->INTERRUPT_STATUS;
    registers->INTERRUPT_STATUS = causes;
    errors[cluster] += (causes & CLUSTER_INTERRUPT_STATUS_ERROR_Msk) != 0;
    ended |= 1UL << cluster;
}

static uint32_t word(void)
{
    uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) {
        value |= (uint32_t)imnpu_uart_get() << shift;
    }
    return value;
}

static void sleep_until(uint32_t clusters)
{
    uint32_t state = imnpu_interrupts_disable();
    while ((ended & clusters) != clusters) {
        imnpu_wait_for_interrupt();
        imnpu_interrupts_restore(state);
        state = imnpu_interrupts_disable();
    }
    imnpu_interrupts_restore(state);
}

static uint32_t report(void)
{
    uint32_t all = 0;
    imnpu_uart_put(MARK_AFTER);
    for (int cluster = 0; cluster < IMNPU_CLUSTERS; ++cluster) {
        if (errors[cluster]) {
            const CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
            printf("cluster %d: %lu error, cause %lu, pc 0x%08lx\n", cluster, (unsigned long)errors[cluster],
                   (unsigned long)registers->ERROR_CAUSE, (unsigned long)registers->ERROR_PC);
        }
        all += errors[cluster];
    }
    return all;
}

int main(void)
{
    for (int cluster = 0; cluster < IMNPU_CLUSTERS; ++cluster) {
        imnpu_cluster_registers(cluster)->INTERRUPT_ENABLE = 7;
        imnpu_interrupt_handler_set(imnpu_cluster_interrupt(cluster), serve_interrupt, (void *)(uintptr_t)cluster);
        imnpu_interrupt_enable(imnpu_cluster_interrupt(cluster));
    }
    for (;;) {
        switch (imnpu_uart_get()) {
        case 'w': { /* address, value: writes a word */
            volatile uint32_t *const place = (volatile uint32_t *)(uintptr_t)word();
            *place = word();
            break;
        }
        case 'r': /* address: reads a word */
            printf("0x%lx\n", (unsigned long)*(volatile uint32_t *)(uintptr_t)word());
            break;
        case 'p': { /* cluster, number: starts an assembled program */
            CLUSTER_Type *const registers = imnpu_cluster_registers((int)word());
            registers->PROGRAM_BASE = imnpu_address(programs[word()]);
            registers->CONTROL = CLUSTER_CONTROL_START_Msk;
            break;
        }
        case 'm': /* what memory holds from now on must not change */
            imnpu_uart_put(MARK_BEFORE);
            break;
        case 's': /* clusters: sleeps until each has raised an interrupt */
            sleep_until(word());
            break;
        case 't': /* a timer runs while the host sleeps */
            imnpu_alarm_start(1ULL << 40);
            break;
        case 'l': /* for ever */
            for (;;) {
                (void)CLUSTER0->STATUS;
            }
        default:
            return report() != 0;
        }
    }
}
