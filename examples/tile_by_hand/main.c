/* SPDX-License-Identifier: BSD-3-Clause
 * Multiplies a matrix with a vector in one tile, by registers alone: write the rows of the tile in memory mode,
 * switch it to compute mode, stream the vector through. Checks the result against plain C. */
#include <stdio.h>

#include <imnpu/imnpu.h>

#define ROWS 8
#define COLUMNS 64
#define TILE 0

/* 64 elements of 4 bits. */
#define ROW_BYTES (COLUMNS / 2)

IMNPU_SYSMEM static uint8_t vector[ROW_BYTES];
IMNPU_SYSMEM static int32_t products[ROWS];

static int matrix_element(unsigned row, unsigned column)
{
    return (int)((3 * row + 5 * column) % 16) - 8;
}

static int vector_element(unsigned column)
{
    return (int)(7 * column % 16);
}

/* A row of the tile is a kernel: here one row of the matrix. */
static void fill_tile(int cluster)
{
    for (unsigned row = 0; row < ROWS; ++row) {
        uint8_t bytes[ROW_BYTES];
        const imnpu_tensor packed = imnpu_tensor_packed(bytes, IMNPU_S4, 1, 1, COLUMNS);
        for (unsigned column = 0; column < COLUMNS; ++column) {
            imnpu_tensor_set(&packed, 0, 0, column, matrix_element(row, column));
        }
        IMNPU_CHECK(imnpu_tile_write(cluster, TILE, row, bytes, sizeof bytes));
    }
}

static void multiply_in_tile(int cluster)
{
    const imnpu_kernel kernel = {
        .height = 1, .width = 1, .channels = COLUMNS, .stride_y = 1, .stride_x = 1,
        .weights = IMNPU_S4, .features = IMNPU_U4,
    };
    const imnpu_tensor input = imnpu_tensor_packed(vector, IMNPU_U4, 1, 1, COLUMNS);
    const imnpu_tensor output = imnpu_tensor_packed(products, IMNPU_S32, 1, 1, ROWS);
    for (unsigned column = 0; column < COLUMNS; ++column) {
        imnpu_tensor_set(&input, 0, 0, column, vector_element(column));
    }
    IMNPU_CHECK(imnpu_topology_set(cluster, 1, 1, 1));
    IMNPU_CHECK(imnpu_kernel_set(cluster, &kernel));
    IMNPU_CHECK(imnpu_activation_bypass(cluster));
    IMNPU_CHECK(imnpu_tile_mode_set(cluster, 1U << TILE));
    IMNPU_CHECK(imnpu_kernels_loaded(cluster, ROWS));
    IMNPU_CHECK(imnpu_convolve_start(cluster, &input, &output));
    IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));
}

static int32_t multiply_in_c(unsigned row)
{
    int32_t sum = 0;
    for (unsigned column = 0; column < COLUMNS; ++column) {
        sum += matrix_element(row, column) * vector_element(column);
    }
    return sum;
}

int main(void)
{
    IMNPU_CHECK(imnpu_init());
    const int cluster = IMNPU_CHECK(imnpu_cluster_claim());
    fill_tile(cluster);
    multiply_in_tile(cluster);

    int wrong = 0;
    for (unsigned row = 0; row < ROWS; ++row) {
        const int32_t expected = multiply_in_c(row);
        printf("row %u: tile %6ld, plain C %6ld\n", row, (long)products[row], (long)expected);
        wrong += products[row] != expected;
    }
    if (wrong) {
        printf("%d rows differ\n", wrong);
        return 1;
    }
    puts("all rows agree");
    return 0;
}
