/* SPDX-License-Identifier: BSD-3-Clause
 * Registers, interrupt numbers and clock of the machine that the firmware is built for. The builder chooses it. */
#ifndef IMNPU_INCLUDE_MACHINE_H
#define IMNPU_INCLUDE_MACHINE_H

#include <imnpu_machine.h>

/** The interrupt of cluster `n`. */
#define IMNPU_IRQ_CLUSTER(n) ((int)IMNPU_IRQ_CLUSTER0 + (n))

#endif
