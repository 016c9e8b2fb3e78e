/* SPDX-License-Identifier: BSD-3-Clause
 * A cluster by its registers, without a program: wire the tiles, load kernels, convolve, copy.
 *
 * Every function checks that a value fits its register; the cluster checks the rest, and refuses a command with an
 * error that imnpu_wait() returns. */
#ifndef IMNPU_CONVOLUTION_H
#define IMNPU_CONVOLUTION_H

#include <stddef.h>
#include <stdint.h>

#include <imnpu/tensor.h>

/** What kernels look like and how they step over the input. */
typedef struct {
    uint8_t height;        /**< rows, 1 or more */
    uint8_t width;         /**< columns, 1 or more */
    uint16_t channels;     /**< channels, over the whole chain of tiles */
    uint8_t stride_y;      /**< rows of the input between two rows of the output, 1..15 */
    uint8_t stride_x;      /**< columns of the input between two columns of the output, 1..15 */
    imnpu_format weights;  /**< format of the weights: 1, 2 or 4 bits */
    imnpu_format features; /**< format of the input */
    uint8_t pad_top;       /**< rows of zeros above the input */
    uint8_t pad_bottom;    /**< rows of zeros below the input */
    uint8_t pad_left;      /**< columns of zeros to the left */
    uint8_t pad_right;     /**< columns of zeros to the right */
} imnpu_kernel;

/** Requantisation of one kernel: t = psum + bias; y = round(t * multiplier / 2^shift) + offset, halves away from 0. */
typedef struct {
    int32_t bias;
    int32_t multiplier; /**< 0 or more */
    int32_t shift;      /**< 0..62 */
    int32_t offset;
} imnpu_requantise;

/** What happens to psums on their way out. */
typedef struct {
    const imnpu_requantise *table; /**< one entry a kernel */
    int32_t low;                   /**< smallest output */
    int32_t high;                  /**< largest output */
    int relu;                      /**< not 0: the smallest output is the kernel's offset, if that is above `low` */
} imnpu_activation;

/** One loop of a copy. */
typedef struct {
    uint32_t count;             /**< iterations, 1 or more */
    int32_t source_stride;      /**< bytes from one to the next in the source */
    int32_t destination_stride; /**< bytes from one to the next in the destination */
} imnpu_copy_loop;

/** Wires the tiles: `stripes` copies of `parallel` chains of `chain` tiles. Forgets which kernels are loaded.
 *
 * @param cluster   a claimed cluster
 * @param chain     tiles that add up one kernel
 * @param parallel  chains that hold different kernels
 * @param stripes   copies that work on different rows of the output
 * @retval IMNPU_OK             set
 * @retval IMNPU_E_ARGUMENT     a number is 0, or the product is more than IMNPU_TILES
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_topology_set(int cluster, unsigned chain, unsigned parallel, unsigned stripes);

/** Says what kernels look like. Forgets which kernels are loaded.
 *
 * @param cluster  a claimed cluster
 * @param kernel   shape, formats, padding
 * @retval IMNPU_OK             set
 * @retval IMNPU_E_ARGUMENT     a stride is more than 15
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_kernel_set(int cluster, const imnpu_kernel *kernel);

/** Lets psums leave as they are, 32 bits each. So it is after a claim.
 *
 * @param cluster  a claimed cluster
 * @retval IMNPU_OK             set
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_activation_bypass(int cluster);

/** Requantises psums on their way out.
 *
 * @param cluster     a claimed cluster
 * @param activation  its table must stay until the last command that uses it has ended
 * @retval IMNPU_OK             set
 * @retval IMNPU_E_ARGUMENT     the table is not at a multiple of 4
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_activation_set(int cluster, const imnpu_activation *activation);

/** Starts to load kernels into the tiles, the same ones into every stripe. The tiles must be in compute mode.
 *
 * @param cluster  a claimed cluster
 * @param kernels  packed kernels, at a multiple of 8
 * @param count    how many, 1 .. IMNPU_TILE_ROWS x parallel
 * @retval IMNPU_OK             started
 * @retval IMNPU_E_ARGUMENT     the address is not a multiple of 8, or the count does not fit its register
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_load_start(int cluster, const void *kernels, unsigned count);

/** Starts to load the same kernels into several clusters.
 *
 * The others must be set up with the same topology and kernel, and be at rest until the load has ended. Only the
 * cluster that loads is waited for.
 *
 * @param cluster   a claimed cluster
 * @param kernels   at a multiple of 8
 * @param count     kernels
 * @param clusters  one bit a cluster that gets them; this one always does
 * @retval IMNPU_OK             started
 * @retval IMNPU_E_ARGUMENT     the address is not a multiple of 8, too many kernels, or no such cluster
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_broadcast_start(int cluster, const void *kernels, unsigned count, unsigned clusters);

/** Says that kernels are in the tiles which imnpu_tile_write() has put there. Call it after imnpu_topology_set() and
 * imnpu_kernel_set().
 *
 * @param cluster  a claimed cluster
 * @param count    how many, 1 .. IMNPU_TILE_ROWS x parallel
 * @retval IMNPU_OK             noted
 * @retval IMNPU_E_ARGUMENT     the count does not fit its register
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_kernels_loaded(int cluster, unsigned count);

/** Starts to convolve a tensor with the loaded kernels.
 *
 * @param cluster  a claimed cluster
 * @param input    what is streamed in; it must stay until the end
 * @param output   where results go: as many channels as kernels are loaded
 * @retval IMNPU_OK             started
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_convolve_start(int cluster, const imnpu_tensor *input, const imnpu_tensor *output);

/** Starts to copy memory to memory.
 *
 * @param cluster      a claimed cluster
 * @param destination  first byte written
 * @param source       first byte read
 * @param bytes        contiguous bytes of the innermost step
 * @param loops        nested loops around it, the outermost first
 * @param count        how many, 0 .. 4
 * @retval IMNPU_OK             started
 * @retval IMNPU_E_ARGUMENT     more than 4 loops
 * @retval IMNPU_E_NOT_CLAIMED  the cluster was not claimed
 * @retval IMNPU_E_BUSY         the cluster is still at work
 */
int imnpu_copy_start(int cluster, void *destination, const void *source, uint32_t bytes, const imnpu_copy_loop *loops,
                     size_t count);

#endif
