/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/cluster.h>
#include <imnpu/machine.h>

static const char *const causes[] = {
    [CLUSTER_ERROR_CAUSE_CAUSE_NONE] = "no error",
    [CLUSTER_ERROR_CAUSE_CAUSE_BAD_MAGIC] = "the program does not start with the magic word",
    [CLUSTER_ERROR_CAUSE_CAUSE_BAD_VERSION] = "the program is for another version of the instruction set",
    [CLUSTER_ERROR_CAUSE_CAUSE_TRUNCATED] = "the program is shorter than its header says",
    [CLUSTER_ERROR_CAUSE_CAUSE_BAD_INSTRUCTION] = "there is no such instruction",
    [CLUSTER_ERROR_CAUSE_CAUSE_BAD_FIELD] = "a field has a value that is not allowed",
    [CLUSTER_ERROR_CAUSE_CAUSE_ILLEGAL_TOPOLOGY] = "the tiles cannot be wired like that",
    [CLUSTER_ERROR_CAUSE_CAUSE_KERNEL_TOO_LARGE] = "the kernel does not fit into its chain of tiles",
    [CLUSTER_ERROR_CAUSE_CAUSE_TILE_MODE] = "a tile is in the wrong mode for this",
    [CLUSTER_ERROR_CAUSE_CAUSE_SHAPE_MISMATCH] = "the shapes of input, kernel and output do not fit together",
    [CLUSTER_ERROR_CAUSE_CAUSE_BUS_ERROR] = "an address is not memory, or may not be written",
    [CLUSTER_ERROR_CAUSE_CAUSE_MISALIGNED] = "an address is not aligned as it must be",
    [CLUSTER_ERROR_CAUSE_CAUSE_LOOP_DEPTH] = "hardware loops are nested too deep",
    [CLUSTER_ERROR_CAUSE_CAUSE_RAN_PAST_END] = "the program counter left the program",
    [CLUSTER_ERROR_CAUSE_CAUSE_ABORTED] = "the host stopped the program",
    [CLUSTER_ERROR_CAUSE_CAUSE_BUSY] = "a command was started while another one was running",
    [CLUSTER_ERROR_CAUSE_CAUSE_KERNELS_NOT_LOADED] = "the tiles hold no kernels for this",
    [CLUSTER_ERROR_CAUSE_CAUSE_DEADLOCK] = "programs wait for what is never going to happen",
    [CLUSTER_ERROR_CAUSE_CAUSE_VOLTAGE_TOO_LOW] = "the clock is too fast for the voltage and the body bias",
    [CLUSTER_ERROR_CAUSE_CAUSE_BAD_ENCODING] = "compressed data are not what they must be",
};

const char *imnpu_cause_text(uint32_t cause)
{
    return cause < sizeof causes / sizeof causes[0] ? causes[cause] : "unknown cause";
}
