/* SPDX-License-Identifier: BSD-3-Clause
 * Tiles by hand. In memory mode a tile is 32 rows of 128 bytes; in compute mode a row is a kernel. */
#ifndef IMNPU_TILE_H
#define IMNPU_TILE_H

#include <stddef.h>
#include <stdint.h>

/** Says which tiles compute; the others are memory, as all are after a claim.
 *
 * @param cluster  a claimed cluster
 * @param compute  one bit a tile
 * @retval IMNPU_OK             set
 * @retval IMNPU_E_ARGUMENT     a bit above IMNPU_TILES - 1 is set
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_tile_mode_set(int cluster, uint32_t compute);

/** Writes the first bytes of a row. Call imnpu_kernels_loaded() when all rows are there.
 *
 * @param cluster  a claimed cluster
 * @param tile     0 .. IMNPU_TILES - 1
 * @param row      0 .. IMNPU_TILE_ROWS - 1
 * @param data     what to write
 * @param bytes    0 .. IMNPU_ROW_BYTES
 * @retval IMNPU_OK             written
 * @retval IMNPU_E_ARGUMENT     no such tile or row, or too many bytes
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_TILE_MODE    the tile is in compute mode
 */
int imnpu_tile_write(int cluster, unsigned tile, unsigned row, const void *data, size_t bytes);

/** Reads the first bytes of a row.
 *
 * @param cluster  a claimed cluster
 * @param tile     0 .. IMNPU_TILES - 1
 * @param row      0 .. IMNPU_TILE_ROWS - 1
 * @param data     is filled in
 * @param bytes    0 .. IMNPU_ROW_BYTES
 * @retval IMNPU_OK             read
 * @retval IMNPU_E_ARGUMENT     no such tile or row, or too many bytes
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_TILE_MODE    the tile is in compute mode
 */
int imnpu_tile_read(int cluster, unsigned tile, unsigned row, void *data, size_t bytes);

#endif
