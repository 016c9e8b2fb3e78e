/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/convolution.h>
#include <imnpu/memory.h>
#include <imnpu/status.h>

#include "cluster_state.h"

#define KERNEL_PORT_BYTES 8
#define COPY_LOOPS (sizeof((CLUSTER_Type *)0)->COPY_LOOP / sizeof((CLUSTER_Type *)0)->COPY_LOOP[0])

int imnpu_topology_set(int cluster, unsigned chain, unsigned parallel, unsigned stripes)
{
    const int in_range = chain - 1 < IMNPU_TILES && parallel - 1 < IMNPU_TILES && stripes - 1 < IMNPU_TILES;
    if (!in_range || chain * parallel * stripes > IMNPU_TILES) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status == IMNPU_OK) {
        imnpu_cluster_registers(cluster)->TOPOLOGY = FIELD(CLUSTER_TOPOLOGY_CHAIN, chain) |
                                                     FIELD(CLUSTER_TOPOLOGY_PARALLEL, parallel) |
                                                     FIELD(CLUSTER_TOPOLOGY_STRIPES, stripes);
    }
    return status;
}

int imnpu_kernel_set(int cluster, const imnpu_kernel *kernel)
{
    if (!FITS(CLUSTER_KERNEL_SHAPE_STRIDE_Y, kernel->stride_y) ||
        !FITS(CLUSTER_KERNEL_SHAPE_STRIDE_X, kernel->stride_x)) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status != IMNPU_OK) {
        return status;
    }
    CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
    registers->KERNEL_SHAPE =
        FIELD(CLUSTER_KERNEL_SHAPE_HEIGHT, kernel->height) | FIELD(CLUSTER_KERNEL_SHAPE_WIDTH, kernel->width) |
        FIELD(CLUSTER_KERNEL_SHAPE_STRIDE_Y, kernel->stride_y) | FIELD(CLUSTER_KERNEL_SHAPE_STRIDE_X, kernel->stride_x);
    registers->KERNEL_FORMAT = FIELD(CLUSTER_KERNEL_FORMAT_WEIGHTS, kernel->weights) |
                               FIELD(CLUSTER_KERNEL_FORMAT_FEATURES, kernel->features) |
                               FIELD(CLUSTER_KERNEL_FORMAT_CHANNELS, kernel->channels);
    registers->PADDING = FIELD(CLUSTER_PADDING_TOP, kernel->pad_top) |
                         FIELD(CLUSTER_PADDING_BOTTOM, kernel->pad_bottom) |
                         FIELD(CLUSTER_PADDING_LEFT, kernel->pad_left) |
                         FIELD(CLUSTER_PADDING_RIGHT, kernel->pad_right);
    return IMNPU_OK;
}

int imnpu_activation_bypass(int cluster)
{
    const int status = imnpu_cluster_check_idle(cluster);
    if (status == IMNPU_OK) {
        imnpu_cluster_registers(cluster)->ACTIVATION_CONTROL = FIELD(CLUSTER_ACTIVATION_CONTROL_BYPASS, 1);
    }
    return status;
}

int imnpu_activation_set(int cluster, const imnpu_activation *activation)
{
    if (imnpu_address(activation->table) % sizeof(uint32_t) != 0) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status != IMNPU_OK) {
        return status;
    }
    CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
    registers->ACTIVATION_CONTROL = FIELD(CLUSTER_ACTIVATION_CONTROL_RELU, activation->relu != 0);
    registers->ACTIVATION_TABLE = imnpu_address(activation->table);
    registers->CLAMP_LOW = (uint32_t)activation->low;
    registers->CLAMP_HIGH = (uint32_t)activation->high;
    return IMNPU_OK;
}

int imnpu_load_start(int cluster, const void *kernels, unsigned count)
{
    return imnpu_broadcast_start(cluster, kernels, count, 0);
}

int imnpu_broadcast_start(int cluster, const void *kernels, unsigned count, unsigned clusters)
{
    if (imnpu_address(kernels) % KERNEL_PORT_BYTES != 0 || !FITS(CLUSTER_LOAD_COUNT_KERNELS, count) ||
        clusters >> IMNPU_CLUSTERS != 0) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status == IMNPU_OK) {
        imnpu_cluster_registers(cluster)->LOAD_COUNT =
            FIELD(CLUSTER_LOAD_COUNT_KERNELS, count) | FIELD(CLUSTER_LOAD_COUNT_CLUSTERS, clusters);
        imnpu_cluster_registers(cluster)->LOAD_ADDRESS = imnpu_address(kernels);
        imnpu_cluster_command(cluster, CLUSTER_COMMAND_CODE_LOAD);
    }
    return status;
}

int imnpu_kernels_loaded(int cluster, unsigned count)
{
    if (!FITS(CLUSTER_LOAD_COUNT_KERNELS, count)) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status == IMNPU_OK) {
        imnpu_cluster_registers(cluster)->LOAD_COUNT = FIELD(CLUSTER_LOAD_COUNT_KERNELS, count);
    }
    return status;
}

int imnpu_convolve_start(int cluster, const imnpu_tensor *input, const imnpu_tensor *output)
{
    const int status = imnpu_cluster_check_idle(cluster);
    if (status != IMNPU_OK) {
        return status;
    }
    CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
    registers->INPUT_ADDRESS = imnpu_address(input->data);
    registers->INPUT_FORMAT = FIELD(CLUSTER_INPUT_FORMAT_FORMAT, input->format) |
                              FIELD(CLUSTER_INPUT_FORMAT_CHANNELS, input->channels);
    registers->INPUT_SHAPE = FIELD(CLUSTER_INPUT_SHAPE_HEIGHT, input->height) |
                             FIELD(CLUSTER_INPUT_SHAPE_WIDTH, input->width);
    registers->INPUT_LINE_STRIDE = input->line_stride;
    registers->INPUT_PIXEL_STRIDE = input->pixel_stride;
    registers->OUTPUT_ADDRESS = imnpu_address(output->data);
    registers->OUTPUT_FORMAT = FIELD(CLUSTER_OUTPUT_FORMAT_FORMAT, output->format) |
                               FIELD(CLUSTER_OUTPUT_FORMAT_CHANNELS, output->channels);
    registers->OUTPUT_SHAPE = FIELD(CLUSTER_OUTPUT_SHAPE_HEIGHT, output->height) |
                              FIELD(CLUSTER_OUTPUT_SHAPE_WIDTH, output->width);
    registers->OUTPUT_LINE_STRIDE = output->line_stride;
    registers->OUTPUT_PIXEL_STRIDE = output->pixel_stride;
    imnpu_cluster_command(cluster, CLUSTER_COMMAND_CODE_CONVOLVE);
    return IMNPU_OK;
}

int imnpu_copy_start(int cluster, void *destination, const void *source, uint32_t bytes, const imnpu_copy_loop *loops,
                     size_t count)
{
    if (count > COPY_LOOPS) {
        return IMNPU_E_ARGUMENT;
    }
    const int status = imnpu_cluster_check_idle(cluster);
    if (status != IMNPU_OK) {
        return status;
    }
    CLUSTER_Type *const registers = imnpu_cluster_registers(cluster);
    registers->COPY_SOURCE = imnpu_address(source);
    registers->COPY_DESTINATION = imnpu_address(destination);
    registers->COPY_BYTES = bytes;
    for (size_t i = 0; i < COPY_LOOPS; ++i) {
        const imnpu_copy_loop once = {1, 0, 0};
        const imnpu_copy_loop loop = i < count ? loops[i] : once;
        registers->COPY_LOOP[i].COUNT = loop.count;
        registers->COPY_LOOP[i].SOURCE_STRIDE = (uint32_t)loop.source_stride;
        registers->COPY_LOOP[i].DESTINATION_STRIDE = (uint32_t)loop.destination_stride;
    }
    imnpu_cluster_command(cluster, CLUSTER_COMMAND_CODE_COPY);
    return IMNPU_OK;
}
