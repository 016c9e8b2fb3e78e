/* SPDX-License-Identifier: BSD-3-Clause
 * Clusters: who uses which, waiting for them, their errors.
 *
 * Claim a cluster, give it a program (program.h) or set it up by registers (convolution.h), start it, wait. */
#ifndef IMNPU_CLUSTER_H
#define IMNPU_CLUSTER_H

#include <stdint.h>

#include <imnpu/alarm.h>

/** Why a cluster stopped. */
typedef struct {
    uint32_t cause;   /**< number of the broken rule: CLUSTER_ERROR_CAUSE_CAUSE_* */
    uint32_t pc;      /**< address of the instruction, 0 if no program was running */
    uint32_t address; /**< bus error: the address; program errors: the word that was refused; else 0 */
} imnpu_error;

/** Prepares the library. Call it first; all clusters are free then.
 *
 * @retval IMNPU_OK          ready
 * @retval IMNPU_E_HARDWARE  cluster 0 has another instruction set or another number of tiles
 */
int imnpu_init(void);

/** Claims the free cluster with the lowest number, resets it and lets it interrupt the host.
 *
 * @return 0 .. IMNPU_CLUSTERS - 1: the cluster
 * @retval IMNPU_E_NONE_FREE  every cluster is claimed
 */
int imnpu_cluster_claim(void);

/** Claims a certain cluster, resets it and lets it interrupt the host.
 *
 * @param cluster  0 .. IMNPU_CLUSTERS - 1
 * @retval IMNPU_OK          claimed
 * @retval IMNPU_E_ARGUMENT  no such cluster
 * @retval IMNPU_E_CLAIMED   it is claimed already
 */
int imnpu_cluster_claim_number(int cluster);

/** Gives a cluster back. It is reset: what runs is stopped, tiles leave compute mode.
 *
 * @param cluster  a claimed cluster
 * @retval IMNPU_OK             free again
 * @retval IMNPU_E_NOT_CLAIMED  it was not claimed
 */
int imnpu_cluster_release(int cluster);

/** Stops command and program of a cluster at once; waiting for them returns IMNPU_E_CLUSTER then.
 *
 * @param cluster  a claimed cluster
 * @retval IMNPU_OK             stopped, or nothing was running
 * @retval IMNPU_E_NOT_CLAIMED  it was not claimed
 */
int imnpu_abort(int cluster);

/** Waits, asleep, until the program or command that was started last has ended.
 *
 * After a timeout the cluster is still at work: wait again, or imnpu_abort() it.
 *
 * @param cluster  a claimed cluster
 * @param timeout  clock cycles, or IMNPU_FOREVER
 * @retval IMNPU_OK             it has ended
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_IDLE         nothing was started since it was claimed
 * @retval IMNPU_E_TIMEOUT      the time was over first
 * @retval IMNPU_E_CLUSTER      it stopped with an error
 */
int imnpu_wait(int cluster, uint64_t timeout);

/** Asks, without waiting, whether the program or command that was started last has ended.
 *
 * @param cluster  a claimed cluster
 * @retval IMNPU_OK             it has ended
 * @retval IMNPU_RUNNING        not yet
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_IDLE         nothing was started since it was claimed
 * @retval IMNPU_E_CLUSTER      it stopped with an error
 */
int imnpu_poll(int cluster);

/** Waits, asleep, until the program executes `interrupt`.
 *
 * A code that the program sends before the last one was waited for takes its place.
 *
 * @param cluster  a claimed cluster
 * @param timeout  clock cycles, or IMNPU_FOREVER
 * @return 0..255: the code that the program sent
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_IDLE         nothing was started since it was claimed
 * @retval IMNPU_E_TIMEOUT      the time was over first
 * @retval IMNPU_E_CLUSTER      the program stopped with an error
 * @retval IMNPU_E_ENDED        the program ended and sent no more code
 */
int imnpu_wait_code(int cluster, uint64_t timeout);

/** Why a cluster stopped with an error.
 *
 * @param cluster  a claimed cluster
 * @param error    is filled in; cause 0 means that there was no error since the last start
 * @retval IMNPU_OK             filled in
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 */
int imnpu_error_read(int cluster, imnpu_error *error);

/** Explains a cause in one line.
 *
 * @param cause  from imnpu_error
 * @return constant text; "unknown cause" for a number that no cluster gives
 */
const char *imnpu_cause_text(uint32_t cause);

#endif
