/* Four dot products on the tiles of one NPU cluster. */
#include <stdio.h>

#include <imnpu/imnpu.h>

#include "project_data.h" /* the programs of imnpu.toml */

#define KERNELS 4

/* Sixteen elements of 4 bits are one 64-bit word, the first element in its lowest bits. */
static const uint64_t vector = 0xFEDCBA9876543210; /* 0, 1, 2, ... 15 */
static const uint64_t kernels[KERNELS] = {
    0x1111111111111111, /* all 1: the sum */
    0xF1F1F1F1F1F1F1F1, /* 1, -1, 1, -1, ...: even minus odd places */
    0x0000000000000011, /* the first two */
    0x7000000000000000, /* seven times the last */
};

IMNPU_SYSMEM static int32_t sums[KERNELS];

int main(void)
{
    IMNPU_CHECK(imnpu_init());
    const int cluster = IMNPU_CHECK(imnpu_cluster_claim());
    const uint32_t arguments[] = {imnpu_address(&vector), imnpu_address(sums), imnpu_address(kernels)};
    IMNPU_CHECK(imnpu_program_start(cluster, program, sizeof program, arguments, 3));
    IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));
    for (int i = 0; i < KERNELS; ++i) {
        printf("kernel %d: %ld\n", i, (long)sums[i]);
    }
    return 0;
}
