/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/cluster.h>
#include <imnpu/interrupt.h>
#include <imnpu/memory.h>
#include <imnpu/status.h>

#include "cluster_state.h"
#include "wait.h"

#define DONE CLUSTER_INTERRUPT_STATUS_DONE_Msk
#define ERROR CLUSTER_INTERRUPT_STATUS_ERROR_Msk
#define PROGRAM CLUSTER_INTERRUPT_STATUS_PROGRAM_Msk
#define AT_WORK (CLUSTER_STATUS_BUSY_Msk | CLUSTER_STATUS_RUNNING_Msk)

#define KNOWN_MAGIC 0x504EU
#define KNOWN_ISA 1U

/* What the driver remembers of a cluster. */
struct cluster {
    CLUSTER_Type *registers;
    int claimed;
    int started;              /* since the claim */
    volatile uint32_t events; /* interrupt causes since the last start */
    volatile uint32_t code;   /* of the last `interrupt` */
};

static struct cluster clusters[IMNPU_CLUSTERS];

/* Moves interrupt causes from the cluster to memory, which releases its line. */
static void collect(struct cluster *cluster)
{
    const uint32_t events = cluster->registers->INTERRUPT_STATUS;
    if (events & PROGRAM) {
        cluster->code = cluster->registers->PROGRAM_CODE;
    }
    cluster->registers->INTERRUPT_STATUS = events;
    cluster->events |= events;
}

static void serve_interrupt(void *context)
{
    collect(context);
}

static int ask_end(void *context)
{
    struct cluster *const cluster = context;
    collect(cluster);
    if (cluster->events & ERROR) {
        return IMNPU_E_CLUSTER;
    }
    return cluster->events & DONE ? IMNPU_OK : IMNPU_RUNNING;
}

/* IMNPU_OK: there is a code. */
static int ask_code(void *context)
{
    struct cluster *const cluster = context;
    const int end = ask_end(cluster);
    if (cluster->events & PROGRAM) {
        cluster->events &= ~PROGRAM;
        return IMNPU_OK;
    }
    return end == IMNPU_OK ? IMNPU_E_ENDED : end;
}

int imnpu_init(void)
{
    for (int i = 0; i < IMNPU_CLUSTERS; ++i) {
        clusters[i].registers = imnpu_cluster_registers(i);
        clusters[i].claimed = 0;
    }
    const uint32_t known = FIELD(CLUSTER_ID_MAGIC, KNOWN_MAGIC) | FIELD(CLUSTER_ID_ISA_MAJOR, KNOWN_ISA) |
                           FIELD(CLUSTER_ID_TILES, IMNPU_TILES);
    return clusters[0].registers->ID == known ? IMNPU_OK : IMNPU_E_HARDWARE;
}

int imnpu_cluster_claim_number(int number)
{
    if (number < 0 || number >= IMNPU_CLUSTERS) {
        return IMNPU_E_ARGUMENT;
    }
    struct cluster *const cluster = &clusters[number];
    const uint32_t state = imnpu_interrupts_disable();
    const int claimed = cluster->claimed;
    cluster->claimed = 1;
    imnpu_interrupts_restore(state);
    if (claimed) {
        return IMNPU_E_CLAIMED;
    }
    cluster->registers = imnpu_cluster_registers(number);
    cluster->registers->CONTROL = CLUSTER_CONTROL_RESET_Msk;
    cluster->registers->INTERRUPT_ENABLE = DONE | ERROR | PROGRAM;
    cluster->started = 0;
    cluster->events = 0;
    imnpu_interrupt_handler_set(imnpu_cluster_interrupt(number), serve_interrupt, cluster);
    imnpu_interrupt_enable(imnpu_cluster_interrupt(number));
    return IMNPU_OK;
}

int imnpu_cluster_claim(void)
{
    for (int number = 0; number < IMNPU_CLUSTERS; ++number) {
        if (imnpu_cluster_claim_number(number) == IMNPU_OK) {
            return number;
        }
    }
    return IMNPU_E_NONE_FREE;
}

int imnpu_cluster_check(int number)
{
    if (number < 0 || number >= IMNPU_CLUSTERS || !clusters[number].claimed) {
        return IMNPU_E_NOT_CLAIMED;
    }
    return IMNPU_OK;
}

int imnpu_cluster_check_idle(int number)
{
    const int status = imnpu_cluster_check(number);
    if (status != IMNPU_OK) {
        return status;
    }
    return clusters[number].registers->STATUS & AT_WORK ? IMNPU_E_BUSY : IMNPU_OK;
}

int imnpu_cluster_release(int number)
{
    const int status = imnpu_cluster_check(number);
    if (status != IMNPU_OK) {
        return status;
    }
    clusters[number].registers->CONTROL = CLUSTER_CONTROL_RESET_Msk;
    imnpu_interrupt_disable(imnpu_cluster_interrupt(number));
    clusters[number].claimed = 0;
    return IMNPU_OK;
}

void imnpu_cluster_starting(int number)
{
    struct cluster *const cluster = &clusters[number];
    const uint32_t state = imnpu_interrupts_disable();
    cluster->registers->INTERRUPT_STATUS = DONE | ERROR | PROGRAM;
    cluster->events = 0;
    cluster->started = 1;
    imnpu_interrupts_restore(state);
    imnpu_memory_barrier();
}

void imnpu_cluster_command(int number, uint32_t command)
{
    imnpu_cluster_starting(number);
    clusters[number].registers->COMMAND = FIELD(CLUSTER_COMMAND_CODE, command);
}

int imnpu_abort(int number)
{
    const int status = imnpu_cluster_check(number);
    if (status == IMNPU_OK) {
        clusters[number].registers->CONTROL = CLUSTER_CONTROL_ABORT_Msk;
    }
    return status;
}

static int check_started(int number)
{
    const int status = imnpu_cluster_check(number);
    if (status != IMNPU_OK) {
        return status;
    }
    return clusters[number].started ? IMNPU_OK : IMNPU_E_IDLE;
}

int imnpu_wait(int number, uint64_t timeout)
{
    const int status = check_started(number);
    return status == IMNPU_OK ? imnpu_wait_until(ask_end, &clusters[number], timeout) : status;
}

int imnpu_poll(int number)
{
    int status = check_started(number);
    if (status == IMNPU_OK) {
        const uint32_t state = imnpu_interrupts_disable();
        status = ask_end(&clusters[number]);
        imnpu_interrupts_restore(state);
        imnpu_memory_barrier();
    }
    return status;
}

int imnpu_wait_code(int number, uint64_t timeout)
{
    int status = check_started(number);
    if (status == IMNPU_OK) {
        status = imnpu_wait_until(ask_code, &clusters[number], timeout);
    }
    return status == IMNPU_OK ? (int)clusters[number].code : status;
}

int imnpu_error_read(int number, imnpu_error *error)
{
    const int status = imnpu_cluster_check(number);
    if (status == IMNPU_OK) {
        const CLUSTER_Type *const registers = clusters[number].registers;
        error->cause = registers->ERROR_CAUSE;
        error->pc = registers->ERROR_PC;
        error->address = registers->ERROR_INFO;
    }
    return status;
}
