/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of the cluster driver share. */
#ifndef SRC_CLUSTER_STATE_H
#define SRC_CLUSTER_STATE_H

#include <imnpu/machine.h>

/* Puts a value into a field of a register. */
#define FIELD(name, value) ((uint32_t)(value) << name##_Pos & name##_Msk)
/* Whether a value fits a field. */
#define FITS(name, value) ((uint32_t)(value) <= name##_Msk >> name##_Pos)

/* Checks that a cluster is claimed: IMNPU_OK or IMNPU_E_NOT_CLAIMED. */
int imnpu_cluster_check(int cluster);

/* Checks that a cluster is claimed and at rest: IMNPU_OK, IMNPU_E_NOT_CLAIMED or IMNPU_E_BUSY. */
int imnpu_cluster_check_idle(int cluster);

/* Forgets how the last work ended, before new work is started. */
void imnpu_cluster_starting(int cluster);

/* Starts a command with the values in the registers. */
void imnpu_cluster_command(int cluster, uint32_t command);

#endif
