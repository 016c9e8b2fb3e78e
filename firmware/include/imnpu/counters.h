/* SPDX-License-Identifier: BSD-3-Clause
 * Counters of a cluster: time and energy. */
#ifndef IMNPU_COUNTERS_H
#define IMNPU_COUNTERS_H

#include <stdint.h>

/** All counters, since the cluster was claimed or they were cleared. */
typedef struct {
    uint64_t busy_cycles;         /**< cycles in which a command was running */
    uint64_t load_cycles;         /**< cycles of loading kernels */
    uint64_t work_cycles;         /**< cycles of convolving */
    uint64_t copy_cycles;         /**< cycles of copying, filling and tensor arithmetic */
    uint64_t stall_input_cycles;  /**< cycles in which a command waited for its inputs */
    uint64_t stall_output_cycles; /**< cycles in which a command waited for its output to leave */
    uint64_t stall_port_cycles;   /**< cycles in which a command waited for a port of a memory */
    uint64_t wait_cycles;         /**< cycles in which a program waited for an event or at a barrier */
    uint64_t control_cycles;      /**< cycles of control and set-up instructions */
    uint64_t tile_cycles;         /**< full rows of 1024 bits that tiles worked on */
    uint64_t kernel_words;        /**< 64-bit words of weights that were loaded */
    uint64_t kernel_port_bytes;   /**< bytes over the kernel port, with the padding of slices */
    uint64_t input_port_bytes;    /**< bytes of inputs and tables over the input port */
    uint64_t operand_port_bytes;  /**< bytes of psums and second inputs over the operand port */
    uint64_t output_port_bytes;   /**< bytes of outputs over the output port */
    uint64_t activation_bytes;    /**< bytes of input and output tensors that were streamed */
    uint64_t commands;            /**< commands that ended without error */
    uint64_t energy_pj;           /**< energy in picojoules */
} imnpu_counters;

/** Reads all counters of a cluster.
 *
 * @param cluster   a claimed cluster
 * @param counters  is filled in
 * @retval IMNPU_OK             filled in
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 */
int imnpu_counters_read(int cluster, imnpu_counters *counters);

/** Sets all counters of a cluster to 0.
 *
 * @param cluster  a claimed cluster
 * @retval IMNPU_OK             cleared
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 */
int imnpu_counters_clear(int cluster);

#endif
