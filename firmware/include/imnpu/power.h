/* SPDX-License-Identifier: BSD-3-Clause
 * Operating point of a cluster: supply voltage, forward body bias, clock. */
#ifndef IMNPU_POWER_H
#define IMNPU_POWER_H

#include <stdint.h>

/** What a cluster runs at. After a claim: 525 mV, 1500 mV, 600000 kHz. */
typedef struct {
    uint32_t voltage_mv;   /**< supply voltage, 525..1000 mV */
    uint32_t body_bias_mv; /**< forward body bias, 0..1500 mV; 0..1200 mV from a supply of 900 mV on */
    uint32_t clock_khz;    /**< clock of the cluster */
} imnpu_power;

/** Sets the operating point of a cluster at rest.
 *
 * Whether the voltage is high enough for the clock is checked when work starts: imnpu_wait() returns
 * IMNPU_E_CLUSTER then, with the cause "voltage too low".
 *
 * @param cluster  a claimed cluster
 * @param power    the new operating point
 * @retval IMNPU_OK             set
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_power_set(int cluster, const imnpu_power *power);

/** Reads the operating point of a cluster.
 *
 * @param cluster  a claimed cluster
 * @param power    is filled in
 * @retval IMNPU_OK             filled in
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 */
int imnpu_power_read(int cluster, imnpu_power *power);

#endif
