/* SPDX-License-Identifier: BSD-3-Clause
 * Reads handwritten digits: every frame of the input stream goes through the network on one NPU cluster. */
#include <stdio.h>

#include <imnpu/imnpu.h>

#include "project_data.h"

#define CLASSES 10

/* An image has 8 x 8 pixels of 4 bits. */
IMNPU_SYSMEM static uint8_t image[32];
IMNPU_SYSMEM static int32_t logits[CLASSES];

/* What the layers hand on to each other: 8 x 8 x 16 and 4 x 4 x 64 features of 4 bits. */
IMNPU_SYSMEM uint8_t digits_edges[512];
IMNPU_SYSMEM uint8_t digits_parts[512];

static int largest(const int32_t *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; ++i) {
        if (values[i] > values[best]) {
            best = i;
        }
    }
    return best;
}

static void print_result(int number)
{
    printf("digit %d: %d logits", number, largest(logits, CLASSES));
    for (int i = 0; i < CLASSES; ++i) {
        printf(" %ld", (long)logits[i]);
    }
    printf("\n");
}

static void print_counters(int cluster, int images)
{
    imnpu_counters counters;
    IMNPU_CHECK(imnpu_counters_read(cluster, &counters));
    printf("images %d\n", images);
    printf("cycles busy %llu load %llu work %llu control %llu\n", (unsigned long long)counters.busy_cycles,
           (unsigned long long)counters.load_cycles, (unsigned long long)counters.work_cycles,
           (unsigned long long)counters.control_cycles);
    printf("energy %llu pJ\n", (unsigned long long)counters.energy_pj);
}

int main(void)
{
    IMNPU_CHECK(imnpu_init());
    const int cluster = IMNPU_CHECK(imnpu_cluster_claim());
    const uint32_t arguments[] = {imnpu_address(image), imnpu_address(logits)};

    int images = 0;
    for (;; ++images) {
        IMNPU_CHECK(imnpu_stream_start(image, sizeof image));
        const int status = imnpu_stream_wait(IMNPU_FOREVER);
        if (status == IMNPU_E_END_OF_DATA) {
            break;
        }
        IMNPU_CHECK(status);
        IMNPU_CHECK(imnpu_program_start(cluster, digits, sizeof digits, arguments, 2));
        IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));
        print_result(images);
    }
    print_counters(cluster, images);
    return 0;
}
