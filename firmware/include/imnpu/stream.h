/* SPDX-License-Identifier: BSD-3-Clause
 * The input stream: frames from a camera, or from a file of the host that plays one. */
#ifndef IMNPU_STREAM_H
#define IMNPU_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <imnpu/alarm.h>

/** Starts to copy the next frame to memory.
 *
 * @param buffer  where it goes
 * @param bytes   size of a frame, not 0
 * @retval IMNPU_OK          started
 * @retval IMNPU_E_ARGUMENT  the size is 0
 * @retval IMNPU_E_BUSY      a frame is still being copied
 */
int imnpu_stream_start(void *buffer, size_t bytes);

/** Waits, asleep, until the frame is in memory.
 *
 * @param timeout  clock cycles, or IMNPU_FOREVER
 * @retval IMNPU_OK             it is there
 * @retval IMNPU_E_IDLE         imnpu_stream_start() was not called before
 * @retval IMNPU_E_TIMEOUT      the time was over first
 * @retval IMNPU_E_END_OF_DATA  the stream has less data than a frame; nothing was copied
 * @retval IMNPU_E_STREAM       the memory refused the frame, which stays in the stream
 */
int imnpu_stream_wait(uint64_t timeout);

/** Counts frames.
 *
 * @return frames that were copied since reset
 */
uint32_t imnpu_stream_frames(void);

/** Counts what is to come.
 *
 * @return bytes that are left in the stream
 */
uint32_t imnpu_stream_available(void);

#endif
