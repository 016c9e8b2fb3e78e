/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/counters.h>
#include <imnpu/status.h>

#include "cluster_state.h"

/* Reading the lower half keeps the upper half that belongs to it. */
static uint64_t read_counter(const volatile uint32_t *low, const volatile uint32_t *high)
{
    const uint32_t lower = *low;
    return (uint64_t)*high << 32 | lower;
}

#define READ(name) read_counter(&registers->name##_LOW, &registers->name##_HIGH)

int imnpu_counters_read(int cluster, imnpu_counters *counters)
{
    const int status = imnpu_cluster_check(cluster);
    if (status != IMNPU_OK) {
        return status;
    }
    const CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
    counters->busy_cycles = READ(BUSY_CYCLES);
    counters->load_cycles = READ(LOAD_CYCLES);
    counters->work_cycles = READ(WORK_CYCLES);
    counters->copy_cycles = READ(COPY_CYCLES);
    counters->stall_input_cycles = READ(STALL_INPUT_CYCLES);
    counters->stall_output_cycles = READ(STALL_OUTPUT_CYCLES);
    counters->stall_port_cycles = READ(STALL_PORT_CYCLES);
    counters->wait_cycles = READ(WAIT_CYCLES);
    counters->control_cycles = READ(CONTROL_CYCLES);
    counters->tile_cycles = READ(TILE_CYCLES);
    counters->kernel_words = READ(KERNEL_WORDS);
    counters->kernel_port_bytes = READ(KERNEL_PORT_BYTES);
    counters->input_port_bytes = READ(INPUT_PORT_BYTES);
    counters->operand_port_bytes = READ(OPERAND_PORT_BYTES);
    counters->output_port_bytes = READ(OUTPUT_PORT_BYTES);
    counters->activation_bytes = READ(ACTIVATION_BYTES);
    counters->commands = READ(COMMANDS);
    counters->energy_pj = READ(ENERGY_PJ);
    return IMNPU_OK;
}

int imnpu_counters_clear(int cluster)
{
    const int status = imnpu_cluster_check(cluster);
    if (status == IMNPU_OK) {
        imnpu_cluster_registers(cluster)->COUNTER_CONTROL = CLUSTER_COUNTER_CONTROL_CLEAR_Msk;
    }
    return status;
}
