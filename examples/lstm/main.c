/* SPDX-License-Identifier: BSD-3-Clause
 * An LSTM cell on one NPU cluster listens to waves, sample by sample, and says what they are. */
#include <stdio.h>

#include <imnpu/imnpu.h>

#include "project_data.h"

/* The same as in listener.imn. */
#define STEPS 32
#define WAVES 64
#define HIDDEN 32
#define GATES 4
#define SHAPES 4
#define PIXEL (1 + HIDDEN)

#define SHOWN 4

/* A pixel for every step of every wave: a sample and the state; one step more, for the last state. */
IMNPU_SYSMEM int8_t sequence[STEPS + 1][WAVES][PIXEL];
IMNPU_SYSMEM int32_t logits[STEPS][WAVES][SHAPES];

/* What the commands of a step hand on to each other. */
IMNPU_SYSMEM uint8_t listener_gates[WAVES][GATES][HIDDEN];
IMNPU_SYSMEM int32_t listener_cell[WAVES][HIDDEN];
IMNPU_SYSMEM int32_t listener_fresh[WAVES][HIDDEN];
IMNPU_SYSMEM int8_t listener_squashed[WAVES][HIDDEN];

static const char *const names[SHAPES] = {"sine", "square", "triangle", "sawtooth"};

/* What the network takes a wave for after so many samples. */
static int answer(int step, int wave)
{
    const int32_t *const scores = logits[step][wave];
    int best = 0;
    for (int shape = 1; shape < SHAPES; ++shape) {
        if (scores[shape] > scores[best]) {
            best = shape;
        }
    }
    return best;
}

/* A wave as a line of characters, and below each sample the first letters of what the network takes it for. */
static void show_wave(int wave)
{
    static const char levels[] = "_.-~=+*#";
    static const char letters[SHAPES] = {'i', 'q', 't', 'w'};
    for (int step = 0; step < STEPS; ++step) {
        putchar(levels[(sequence[step][wave][0] + 128) * 8 / 256]);
    }
    printf("  %s\n", names[wave_shapes[wave]]);
    for (int step = 0; step < STEPS; ++step) {
        putchar(letters[answer(step, wave)]);
    }
    printf("  %s\n", names[answer(STEPS - 1, wave)]);
}

/* The whole program, its kernels and its output layer included, shared among the steps. */
static void print_costs(int cluster)
{
    imnpu_counters counters;
    IMNPU_CHECK(imnpu_counters_read(cluster, &counters));
    const unsigned long long cycles = counters.busy_cycles + counters.control_cycles;
    const unsigned long long nanojoules = counters.energy_pj / 1000;
    printf("a step of %d waves: %llu cycles, %llu nJ\n", WAVES, cycles / STEPS, nanojoules / STEPS);
    printf("of that: kernels %llu, convolutions %llu, sums and products %llu, set-up %llu cycles\n",
           counters.load_cycles / STEPS, counters.work_cycles / STEPS, counters.copy_cycles / STEPS,
           counters.control_cycles / STEPS);
}

int main(void)
{
    IMNPU_CHECK(imnpu_init());
    const int cluster = IMNPU_CHECK(imnpu_cluster_claim());

    const uint32_t arguments[] = {imnpu_address(sequence), imnpu_address(logits)};
    IMNPU_CHECK(imnpu_program_start(cluster, listener, sizeof listener, arguments, 2));
    IMNPU_CHECK(imnpu_wait(cluster, IMNPU_FOREVER));

    int right = 0;
    for (int wave = 0; wave < WAVES; ++wave) {
        if (wave < SHOWN) {
            show_wave(wave);
        }
        right += answer(STEPS - 1, wave) == wave_shapes[wave];
    }
    printf("%d of %d waves are recognised\n", right, WAVES);
    print_costs(cluster);
    return 0;
}
