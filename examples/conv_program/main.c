/* SPDX-License-Identifier: BSD-3-Clause
 * Filters a picture with an accelerator program, which runs beside the host while that computes the same in plain C.
 * Compares both. */
#include <stdio.h>

#include <imnpu/imnpu.h>

#include "project_data.h"

#define SIZE 16
#define FILTERS 4
#define WIDTH 3
/* A kernel in memory is padded to the 8 bytes that the tiles load at once. */
#define KERNEL_BYTES 8

static const int8_t filters[FILTERS][WIDTH][WIDTH] = {
    {{0, -1, 0}, {-1, 5, -1}, {0, -1, 0}},     /* sharpen */
    {{-1, 0, 1}, {-2, 0, 2}, {-1, 0, 1}},      /* edges, left to right */
    {{-1, -2, -1}, {0, 0, 0}, {1, 2, 1}},      /* edges, top to bottom */
    {{-1, -1, -1}, {-1, 7, -1}, {-1, -1, -1}}, /* corners and lines */
};

IMNPU_SYSMEM static uint8_t picture[SIZE * SIZE / 2];
IMNPU_SYSMEM static uint8_t kernels[FILTERS * KERNEL_BYTES];
IMNPU_SYSMEM static int32_t results[SIZE][SIZE][FILTERS];

static imnpu_tensor pixels;

/* A bright disc on a dark slope. */
static void draw_picture(void)
{
    pixels = imnpu_tensor_packed(picture, IMNPU_U4, SIZE, SIZE, 1);
    for (int y = 0; y < SIZE; ++y) {
        for (int x = 0; x < SIZE; ++x) {
            const int inside = (y - 7) * (y - 7) + (x - 8) * (x - 8) < 25;
            imnpu_tensor_set(&pixels, (unsigned)y, (unsigned)x, 0, inside ? 15 : x / 4);
        }
    }
}

static void pack_kernels(void)
{
    for (unsigned filter = 0; filter < FILTERS; ++filter) {
        const imnpu_tensor packed =
            imnpu_tensor_packed(&kernels[filter * KERNEL_BYTES], IMNPU_S4, 1, 1, WIDTH * WIDTH);
        for (unsigned i = 0; i < WIDTH * WIDTH; ++i) {
            imnpu_tensor_set(&packed, 0, 0, i, filters[filter][i / WIDTH][i % WIDTH]);
        }
    }
}

/* One result in plain C; around the picture there are zeros. */
static int32_t filter_in_c(int filter, int y, int x)
{
    int32_t sum = 0;
    for (int dy = 0; dy < WIDTH; ++dy) {
        for (int dx = 0; dx < WIDTH; ++dx) {
            const int row = y + dy - 1;
            const int column = x + dx - 1;
            if (row >= 0 && row < SIZE && column >= 0 && column < SIZE) {
                sum += filters[filter][dy][dx] * imnpu_tensor_get(&pixels, (unsigned)row, (unsigned)column, 0);
            }
        }
    }
    return sum;
}

int main(void)
{
    static int32_t expected[SIZE][SIZE][FILTERS];

    IMNPU_CHECK(imnpu_init());
    const int cluster = IMNPU_CHECK(imnpu_cluster_claim());
    draw_picture();
    pack_kernels();

    const uint32_t arguments[] = {imnpu_address(picture), imnpu_address(results), imnpu_address(kernels)};
    IMNPU_CHECK(imnpu_program_start(cluster, sharpen, sizeof sharpen, arguments, 3));
    for (int y = 0; y < SIZE; ++y) {
        for (int x = 0; x < SIZE; ++x) {
            for (int filter = 0; filter < FILTERS; ++filter) {
                expected[y][x][filter] = filter_in_c(filter, y, x);
            }
        }
    }
    IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));

    int wrong = 0;
    for (int i = 0; i < SIZE * SIZE * FILTERS; ++i) {
        wrong += (&results[0][0][0])[i] != (&expected[0][0][0])[i];
    }
    printf("row 7, sharpened:");
    for (int x = 0; x < SIZE; ++x) {
        printf(" %ld", (long)results[7][x][0]);
    }
    imnpu_counters counters;
    IMNPU_CHECK(imnpu_counters_read(cluster, &counters));
    printf("\n%d of %d results agree with plain C\n", SIZE * SIZE * FILTERS - wrong, SIZE * SIZE * FILTERS);
    printf("%llu cycles, %llu pJ on the cluster\n", (unsigned long long)counters.busy_cycles,
           (unsigned long long)counters.energy_pj);
    return wrong != 0;
}
