/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/memory.h>
#include <imnpu/status.h>
#include <imnpu/tile.h>

#include <string.h>

#include "cluster_state.h"

_Static_assert(IMNPU_TILES0_SIZE == IMNPU_TILES * IMNPU_TILE_ROWS * IMNPU_ROW_BYTES, "the arrays of a cluster");

int imnpu_tile_mode_set(int cluster, uint32_t compute)
{
    if (!FITS(CLUSTER_TILE_MODE_COMPUTE, compute)) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status == IMNPU_OK) {
        imnpu_memory_barrier(); /* rows must be written before the tile computes */
        imnpu_cluster_registers(cluster)->TILE_MODE = FIELD(CLUSTER_TILE_MODE_COMPUTE, compute);
    }
    return status;
}

/* Finds a row; IMNPU_OK or an error. */
static int find_row(int cluster, unsigned tile, unsigned row, size_t bytes, uint8_t **found)
{
    if (tile >= IMNPU_TILES || row >= IMNPU_TILE_ROWS || bytes > IMNPU_ROW_BYTES) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check(cluster);
    if (status != IMNPU_OK) {
        return status;
    }
    if (imnpu_cluster_registers(cluster)->TILE_MODE >> tile & 1) {
        return IMNPU_E_TILE_MODE;
    }
    const uintptr_t arrays = IMNPU_TILES0_BASE + (uintptr_t)cluster * IMNPU_TILES0_SIZE;
    *found = (uint8_t *)(arrays + (tile * IMNPU_TILE_ROWS + row) * IMNPU_ROW_BYTES);
    return IMNPU_OK;
}

int imnpu_tile_write(int cluster, unsigned tile, unsigned row, const void *data, size_t bytes)
{
    uint8_t *place;
    const int status = find_row(cluster, tile, row, bytes, &place);
    if (status == IMNPU_OK) {
        memcpy(place, data, bytes);
    }
    return status;
}

int imnpu_tile_read(int cluster, unsigned tile, unsigned row, void *data, size_t bytes)
{
    uint8_t *place;
    const int status = find_row(cluster, tile, row, bytes, &place);
    if (status == IMNPU_OK) {
        memcpy(data, place, bytes);
    }
    return status;
}
