/* SPDX-License-Identifier: BSD-3-Clause
 * Accelerator programs: what `imnpu asm` makes of .imn files. */
#ifndef IMNPU_PROGRAM_H
#define IMNPU_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/** Arguments that a program can take: registers r0..r15 of the sequencer. */
#define IMNPU_ARGUMENTS 16

/** Starts a program; it runs beside the host. Wait for it with imnpu_wait().
 *
 *     const uint32_t arguments[] = {imnpu_address(image), imnpu_address(logits)};
 *     imnpu_program_start(cluster, digits, sizeof digits, arguments, 2);
 *
 * @param cluster    a claimed cluster
 * @param program    the blob, at a multiple of 4; it must stay until the program has ended
 * @param bytes      its size
 * @param arguments  values for r0, r1, ...; the other registers keep theirs
 * @param count      how many, 0 .. IMNPU_ARGUMENTS
 * @retval IMNPU_OK             started. A program that is refused (another version, cut short) ends at once with an
 *                              error that imnpu_wait() returns
 * @retval IMNPU_E_ARGUMENT     the address is not a multiple of 4, or too many arguments
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_program_start(int cluster, const void *program, size_t bytes, const uint32_t *arguments, size_t count);

/** Sets event flags of a cluster; its program may wait for them.
 *
 * @param cluster  a claimed cluster
 * @param events   one bit an event
 * @retval IMNPU_OK             set
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 */
int imnpu_event_set(int cluster, uint32_t events);

#endif
