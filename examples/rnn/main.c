/* SPDX-License-Identifier: BSD-3-Clause
 * A recurrent network adds numbers bit by bit on one NPU cluster; plain C says whether it is right. */
#include <stdio.h>
#include <string.h>

#include <imnpu/imnpu.h>

#include "project_data.h"

/* The same as in adder.imn. */
#define STEPS 17
#define SUMS 8
#define BITS 2
#define HIDDEN 16
#define PIXEL (BITS + HIDDEN)

/* What stands for a set and for a clear bit in s4. */
#define ONE 7

/* A pixel for every step of every sum: two bits, then the state, which is 0 in the first step. */
IMNPU_SYSMEM uint8_t sequence[(STEPS + 1) * SUMS * PIXEL / 2];
IMNPU_SYSMEM int32_t logits[STEPS][SUMS];

static uint32_t numbers[SUMS][BITS];

/* Seeded numbers of 16 bits: a linear congruential generator. */
static void choose_numbers(void)
{
    uint32_t seed = 2023;
    for (int sum = 0; sum < SUMS; ++sum) {
        for (int which = 0; which < BITS; ++which) {
            seed = 1664525u * seed + 1013904223u;
            numbers[sum][which] = seed >> 16;
        }
    }
}

static void write_bits(void)
{
    const imnpu_tensor pixels = imnpu_tensor_packed(sequence, IMNPU_S4, (STEPS + 1) * SUMS, 1, PIXEL);
    memset(sequence, 0, sizeof sequence);
    for (unsigned step = 0; step < STEPS; ++step) {
        for (unsigned sum = 0; sum < SUMS; ++sum) {
            for (unsigned which = 0; which < BITS; ++which) {
                imnpu_tensor_set(&pixels, step * SUMS + sum, 0, which, numbers[sum][which] >> step & 1 ? ONE : -ONE);
            }
        }
    }
}

/* The whole program, its kernels and its output layer included, shared among the steps. */
static void print_costs(int cluster)
{
    imnpu_counters counters;
    IMNPU_CHECK(imnpu_counters_read(cluster, &counters));
    const unsigned long long cycles = counters.busy_cycles + counters.control_cycles;
    printf("%llu cycles, %llu of them for kernels, %llu pJ\n", cycles, (unsigned long long)counters.load_cycles,
           (unsigned long long)counters.energy_pj);
    printf("a step of %d sums: %llu.%llu cycles, %llu pJ\n", SUMS, cycles / STEPS, cycles * 10 / STEPS % 10,
           (unsigned long long)counters.energy_pj / STEPS);
}

int main(void)
{
    IMNPU_CHECK(imnpu_init());
    const int cluster = IMNPU_CHECK(imnpu_cluster_claim());
    choose_numbers();
    write_bits();

    const uint32_t arguments[] = {imnpu_address(sequence), imnpu_address(logits)};
    IMNPU_CHECK(imnpu_program_start(cluster, adder, sizeof adder, arguments, 2));
    IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));

    int right = 0;
    for (int sum = 0; sum < SUMS; ++sum) {
        uint32_t result = 0;
        for (int step = 0; step < STEPS; ++step) {
            result |= (uint32_t)(logits[step][sum] > 0) << step;
        }
        printf("%5lu + %5lu = %6lu\n", (unsigned long)numbers[sum][0], (unsigned long)numbers[sum][1],
               (unsigned long)result);
        right += result == numbers[sum][0] + numbers[sum][1];
    }
    printf("%d of %d sums are right\n", right, SUMS);
    print_costs(cluster);
    return right != SUMS;
}
