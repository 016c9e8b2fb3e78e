/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/power.h>
#include <imnpu/status.h>

#include "cluster_state.h"

int imnpu_power_set(int cluster, const imnpu_power *power)
{
    const int status = imnpu_cluster_check_idle(cluster);
    if (status == IMNPU_OK) {
        CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
        registers->VOLTAGE_MV = power->voltage_mv;
        registers->BODY_BIAS_MV = power->body_bias_mv;
        registers->CLOCK_KHZ = power->clock_khz;
    }
    return status;
}

int imnpu_power_read(int cluster, imnpu_power *power)
{
    const int status = imnpu_cluster_check(cluster);
    if (status == IMNPU_OK) {
        const CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
        power->voltage_mv = registers->VOLTAGE_MV;
        power->body_bias_mv = registers->BODY_BIAS_MV;
        power->clock_khz = registers->CLOCK_KHZ;
    }
    return status;
}
