/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/memory.h>
#include <imnpu/program.h>
#include <imnpu/status.h>

#include "cluster_state.h"

int imnpu_program_start(int cluster, const void *program, size_t bytes, const uint32_t *arguments, size_t count)
{
    if (imnpu_address(program) % sizeof(uint32_t) != 0 || count > IMNPU_ARGUMENTS) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status != IMNPU_OK) {
        return status;
    }
    CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
    for (size_t i = 0; i < count; ++i) {
        registers->R[i] = arguments[i];
    }
    registers->PROGRAM_BASE = imnpu_address(program);
    registers->PROGRAM_LENGTH = (uint32_t)bytes;
    imnpu_cluster_starting(cluster);
    registers->CONTROL = CLUSTER_CONTROL_START_Msk;
    return IMNPU_OK;
}

int imnpu_event_set(int cluster, uint32_t events)
{
    const int status = imnpu_cluster_check(cluster);
    if (status == IMNPU_OK) {
        imnpu_memory_barrier();
        imnpu_cluster_registers(cluster)->EVENT_SET = events;
    }
    return status;
}
