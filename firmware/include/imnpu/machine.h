/* SPDX-License-Identifier: BSD-3-Clause
 * Registers, interrupt numbers and clock of the machine that the firmware is built for. The builder chooses it. */
#ifndef IMNPU_INCLUDE_MACHINE_H
#define IMNPU_INCLUDE_MACHINE_H

#include <imnpu_machine.h>

/** Tiles of a cluster. */
#define IMNPU_TILES 8
/** Kernels that a tile holds, one a row. */
#define IMNPU_TILE_ROWS 32
/** Bytes of a row of a tile. */
#define IMNPU_ROW_BYTES 128
/** Bytes from the registers of a cluster to those of the next. */
#define IMNPU_CLUSTER_STEP 0x1000UL

/** The interrupt of a cluster. */
static inline int imnpu_cluster_interrupt(int cluster)
{
    return (int)IMNPU_IRQ_CLUSTER0 + cluster;
}

/** The registers of a cluster, for what the library does not offer.
 *
 * @param cluster  0 .. IMNPU_CLUSTERS - 1
 */
static inline CLUSTER_Type *imnpu_cluster_registers(int cluster)
{
    return (CLUSTER_Type *)((uintptr_t)CLUSTER0 + (uintptr_t)cluster * IMNPU_CLUSTER_STEP);
}

#endif
