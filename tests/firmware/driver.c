/* SPDX-License-Identifier: BSD-3-Clause
 * Calls the driver library in good and bad ways; every result that is not what the headers promise is printed. */
#include <stdio.h>
#include <string.h>

#include <imnpu/imnpu.h>

#define EXPECT(call, value) expect((call), (value), #call, __LINE__)
#define MILLISECOND (IMNPU_CLOCK_HZ / 1000)

IMNPU_SYSMEM static uint8_t source[64];
IMNPU_SYSMEM static uint8_t destination[64];
IMNPU_SYSMEM static int32_t sums[2];
IMNPU_SYSMEM_DATA static uint32_t initialised = 0x12345678;
IMNPU_SYSMEM static uint32_t program[16];

static char order[8];
static int checks, failures;

static void expect(long result, long expected, const char *what, int line)
{
    ++checks;
    if (result != expected) {
        ++failures;
        printf("driver.c:%d: %s is %ld, not %ld\n", line, what, result, expected);
    }
}

static void expect_text(const char *result, const char *expected, int line)
{
    expect(strcmp(result, expected), 0, result, line);
}

static void claim(void)
{
    EXPECT(imnpu_cluster_claim_number(3), IMNPU_OK);
    EXPECT(imnpu_cluster_claim_number(3), IMNPU_E_CLAIMED);
    EXPECT(imnpu_cluster_claim_number(-1), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_cluster_claim_number(IMNPU_CLUSTERS), IMNPU_E_ARGUMENT);
    for (int i = 0; i < IMNPU_CLUSTERS; ++i) {
        if (i != 3) {
            EXPECT(imnpu_cluster_claim(), i);
        }
    }
    EXPECT(imnpu_cluster_claim(), IMNPU_E_NONE_FREE);
    EXPECT(imnpu_cluster_release(3), IMNPU_OK);
    EXPECT(imnpu_cluster_release(3), IMNPU_E_NOT_CLAIMED);
    EXPECT(imnpu_cluster_claim(), 3);
    EXPECT(imnpu_wait(3, IMNPU_FOREVER), IMNPU_E_IDLE);
    EXPECT(imnpu_wait(99, IMNPU_FOREVER), IMNPU_E_NOT_CLAIMED);
}

static void arguments(void)
{
    const imnpu_copy_loop loops[5] = {{1, 0, 0}};
    const uint32_t values[17] = {0};
    EXPECT(imnpu_topology_set(0, 0, 1, 1), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_topology_set(0, 2, 2, 3), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_topology_set(0, 2, 2, 2), IMNPU_OK);
    EXPECT(imnpu_load_start(0, &source[4], 1), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_copy_start(0, destination, source, 1, loops, 5), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_program_start(0, &source[2], 16, values, 0), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_program_start(0, source, 16, values, 17), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_interrupt_enable(32), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_interrupt_priority_set(0, 7), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_timer_start(0, 0, 0, 0), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_stream_start(source, 0), IMNPU_E_ARGUMENT);
}

static void tiles(void)
{
    uint8_t back[4] = {0};
    EXPECT(imnpu_tile_write(0, 7, 31, "abc", 4), IMNPU_OK);
    EXPECT(imnpu_tile_read(0, 7, 31, back, 4), IMNPU_OK);
    expect_text((const char *)back, "abc", __LINE__);
    EXPECT(imnpu_tile_write(0, 8, 0, "abc", 4), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_tile_write(0, 0, 32, "abc", 4), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_tile_write(0, 0, 0, "abc", 129), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_tile_mode_set(0, 0x80), IMNPU_OK);
    EXPECT(imnpu_tile_read(0, 7, 31, back, 4), IMNPU_E_TILE_MODE);
    EXPECT(imnpu_tile_read(0, 6, 31, back, 4), IMNPU_OK);
    EXPECT(imnpu_tile_mode_set(0, 0x100), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_tile_mode_set(0, 0), IMNPU_OK);
}

/* Gathers every second group of four bytes, twice. */
static void copy(void)
{
    const imnpu_copy_loop loops[] = {{2, 0, 32}, {8, 8, 4}};
    for (unsigned i = 0; i < sizeof source; ++i) {
        source[i] = (uint8_t)i;
    }
    EXPECT(imnpu_copy_start(0, destination, source, 4, loops, 2), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(imnpu_poll(0), IMNPU_OK);
    for (unsigned i = 0; i < sizeof destination; ++i) {
        EXPECT(destination[i], (long)(i % 32 / 4 * 8 + i % 4));
    }
}

static void expect_cause(uint32_t cause, int line)
{
    imnpu_error error;
    expect(imnpu_error_read(0, &error), IMNPU_OK, "imnpu_error_read()", line);
    expect((long)error.cause, (long)cause, "cause", line);
}

/* Nothing is at the address that is read. */
static void errors(void)
{
    EXPECT(imnpu_copy_start(0, destination, (const void *)0x70000000, 4, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_E_CLUSTER);
    EXPECT(imnpu_poll(0), IMNPU_E_CLUSTER);
    expect_cause(CLUSTER_ERROR_CAUSE_CAUSE_BUS_ERROR, __LINE__);
    program[0] = 0xBAD;
    EXPECT(imnpu_program_start(0, program, sizeof program, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_E_CLUSTER);
    expect_cause(CLUSTER_ERROR_CAUSE_CAUSE_BAD_MAGIC, __LINE__);
    expect_text(imnpu_status_text(IMNPU_E_CLUSTER), "the cluster stopped with an error", __LINE__);
    expect_text(imnpu_status_text(-999), "unknown status", __LINE__);
    expect_text(imnpu_cause_text(CLUSTER_ERROR_CAUSE_CAUSE_BAD_MAGIC),
                "the program does not start with the magic word", __LINE__);
    expect_text(imnpu_cause_text(999), "unknown cause", __LINE__);
}

/* interrupt 7; wait 3; interrupt 9; halt */
static void codes_and_events(void)
{
    static const uint32_t code[] = {0x504E4D49, 0x00010000, 32, 0, 0x02000007, 0x08000003, 0x02000009, 0x01000000};
    memcpy(program, code, sizeof code);
    EXPECT(imnpu_program_start(0, program, sizeof code, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait_code(0, IMNPU_FOREVER), 7);
    EXPECT(imnpu_wait_code(0, MILLISECOND / 100), IMNPU_E_TIMEOUT);
    EXPECT(imnpu_wait(0, 30 * MILLISECOND), IMNPU_E_TIMEOUT);
    EXPECT(imnpu_poll(0), IMNPU_RUNNING);
    EXPECT(imnpu_copy_start(0, destination, source, 4, 0, 0), IMNPU_E_BUSY);
    EXPECT(imnpu_program_start(0, program, sizeof code, 0, 0), IMNPU_E_BUSY);
    EXPECT(imnpu_event_set(0, 1U << 3), IMNPU_OK);
    EXPECT(imnpu_wait_code(0, IMNPU_FOREVER), 9);
    EXPECT(imnpu_wait_code(0, IMNPU_FOREVER), IMNPU_E_ENDED);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(imnpu_program_start(0, program, sizeof code, 0, 0), IMNPU_OK);
    EXPECT(imnpu_abort(0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_E_CLUSTER);
    expect_cause(CLUSTER_ERROR_CAUSE_CAUSE_ABORTED, __LINE__);
    const uint32_t state = imnpu_interrupts_disable();
    EXPECT(imnpu_copy_start(0, destination, source, 64, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    imnpu_interrupts_restore(state);
}

static void counters(void)
{
    imnpu_counters counted;
    EXPECT(imnpu_counters_clear(0), IMNPU_OK);
    EXPECT(imnpu_copy_start(0, destination, source, 64, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(imnpu_counters_read(0, &counted), IMNPU_OK);
    EXPECT((long)counted.commands, 1);
    EXPECT(counted.copy_cycles > 0 && counted.copy_cycles <= counted.busy_cycles, 1);
}

/* Requantised: (psum + 1) * 3 / 2, halves away from zero. Two kernels of one element: 2 and -1; the input is 6. */
static void activation(void)
{
    static const imnpu_requantise table[] = {{1, 3, 1, 0}, {1, 3, 1, 0}};
    const imnpu_kernel kernel = {.height = 1, .width = 1, .channels = 1, .stride_y = 1, .stride_x = 1,
                                 .weights = IMNPU_S4, .features = IMNPU_U4};
    const imnpu_activation settings = {table, -100, 20, 0};
    const imnpu_activation with_relu = {table, -100, 18, 1};
    const imnpu_tensor input = imnpu_tensor_packed(source, IMNPU_U4, 1, 1, 1);
    const imnpu_tensor output = imnpu_tensor_packed(sums, IMNPU_S32, 1, 1, 2);
    IMNPU_SYSMEM_DATA static uint64_t kernels[] = {0x2, 0xF};
    imnpu_tensor_set(&input, 0, 0, 0, 6);
    EXPECT(imnpu_tile_mode_set(0, 1), IMNPU_OK);
    EXPECT(imnpu_topology_set(0, 1, 1, 1), IMNPU_OK);
    EXPECT(imnpu_kernel_set(0, &kernel), IMNPU_OK);
    EXPECT(imnpu_activation_set(0, &settings), IMNPU_OK);
    EXPECT(imnpu_load_start(0, kernels, 2), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(imnpu_convolve_start(0, &input, &output), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(sums[0], 20); /* (2 * 6 + 1) * 3 / 2 = 19.5 */
    EXPECT(sums[1], -8); /* (-1 * 6 + 1) * 3 / 2 = -7.5 */
    EXPECT(imnpu_activation_set(0, &with_relu), IMNPU_OK);
    EXPECT(imnpu_convolve_start(0, &input, &output), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(sums[0], 18);
    EXPECT(sums[1], 0);
}

/* Two clusters get the same kernels from one load. */
static void broadcast(void)
{
    const imnpu_kernel kernel = {.height = 1, .width = 1, .channels = 1, .stride_y = 1, .stride_x = 1,
                                 .weights = IMNPU_S4, .features = IMNPU_U4};
    IMNPU_SYSMEM_DATA static uint64_t kernels[] = {0x7, 0x9};
    uint8_t back[1];
    EXPECT(imnpu_broadcast_start(0, kernels, 2, 1U << IMNPU_CLUSTERS), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_broadcast_start(0, (const uint8_t *)kernels + 1, 2, 3), IMNPU_E_ARGUMENT);
    EXPECT(imnpu_broadcast_start(0, kernels, 65536, 3), IMNPU_E_ARGUMENT);
    for (int i = 0; i < 2; ++i) {
        EXPECT(imnpu_tile_mode_set(i, 0), IMNPU_OK);
        EXPECT(imnpu_topology_set(i, 1, 1, 1), IMNPU_OK);
        EXPECT(imnpu_kernel_set(i, &kernel), IMNPU_OK);
    }
    EXPECT(imnpu_broadcast_start(0, kernels, 2, 3), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    for (int i = 0; i < 2; ++i) {
        EXPECT(imnpu_tile_read(i, 0, 1, back, 1), IMNPU_OK);
        EXPECT(back[0], 0x9);
    }
}

/* A slower clock, the same cycles; a clock that the voltage does not allow is refused. */
static void power(void)
{
    const imnpu_power slow = {600, 300, 1000}, wrong = {525, 0, 600000}, normal = {525, 1500, 600000};
    imnpu_power now;
    imnpu_counters counted;
    EXPECT(imnpu_power_set(99, &slow), IMNPU_E_NOT_CLAIMED);
    EXPECT(imnpu_power_read(99, &now), IMNPU_E_NOT_CLAIMED);
    EXPECT(imnpu_power_set(0, &slow), IMNPU_OK);
    EXPECT(imnpu_power_read(0, &now), IMNPU_OK);
    EXPECT(memcmp(&now, &slow, sizeof now), 0);
    EXPECT(imnpu_counters_clear(0), IMNPU_OK);
    EXPECT(imnpu_copy_start(0, destination, source, 64, 0, 0), IMNPU_OK);
    EXPECT(imnpu_power_set(0, &normal), IMNPU_E_BUSY);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(imnpu_counters_read(0, &counted), IMNPU_OK);
    EXPECT((long)counted.copy_cycles, 8);
    EXPECT((long)counted.input_port_bytes, 64);
    EXPECT((long)counted.output_port_bytes, 64);
    EXPECT(imnpu_power_set(0, &wrong), IMNPU_OK);
    EXPECT(imnpu_copy_start(0, destination, source, 64, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_E_CLUSTER);
    expect_cause(CLUSTER_ERROR_CAUSE_CAUSE_VOLTAGE_TOO_LOW, __LINE__);
    EXPECT(imnpu_power_set(0, &normal), IMNPU_OK);
}

/* wait 3; halt: nobody signals. The sleeping host is woken with an error. */
static void deadlock(void)
{
    static const uint32_t code[] = {0x504E4D49, 0x00010000, 24, 0, 0x08000003, 0x01000000};
    memcpy(program, code, sizeof code);
    EXPECT(imnpu_program_start(0, program, sizeof code, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_E_CLUSTER);
    expect_cause(CLUSTER_ERROR_CAUSE_CAUSE_DEADLOCK, __LINE__);
    expect_text(imnpu_cause_text(CLUSTER_ERROR_CAUSE_CAUSE_DEADLOCK),
                "programs wait for what is never going to happen", __LINE__);
}

/* The external memory is there, and slow. */
static void external(void)
{
    imnpu_counters counted;
    IMNPU_EXTMEM static uint8_t outside[sizeof source];
    IMNPU_EXTMEM_DATA static const uint32_t programmed[] = {0xCAFE};
    EXPECT((long)programmed[0], 0xCAFE);
    EXPECT(outside[0] | outside[sizeof outside - 1], 0);
    EXPECT(imnpu_address(outside) >> 24 == IMNPU_EXTMEM_BASE >> 24, 1);
    memcpy(outside, source, sizeof source);
    EXPECT(imnpu_counters_clear(0), IMNPU_OK);
    EXPECT(imnpu_copy_start(0, destination, outside, 64, 0, 0), IMNPU_OK);
    EXPECT(imnpu_wait(0, IMNPU_FOREVER), IMNPU_OK);
    EXPECT(memcmp(destination, source, sizeof source), 0);
    EXPECT(imnpu_counters_read(0, &counted), IMNPU_OK);
    EXPECT((long)(counted.copy_cycles + counted.stall_input_cycles), 164);
}

static void stream(void)
{
    char frame[5] = "";
    EXPECT(imnpu_stream_wait(1), IMNPU_E_IDLE);
    EXPECT(imnpu_stream_start(frame, 4), IMNPU_OK);
    EXPECT(imnpu_stream_wait(IMNPU_FOREVER), IMNPU_OK);
    expect_text(frame, "abcd", __LINE__);
    EXPECT((long)imnpu_stream_frames(), 1);
    EXPECT((long)imnpu_stream_available(), 2);
    EXPECT(imnpu_stream_start(frame, 4), IMNPU_OK);
    EXPECT(imnpu_stream_wait(IMNPU_FOREVER), IMNPU_E_END_OF_DATA);
    EXPECT(imnpu_stream_start((void *)0x70000000, 2), IMNPU_OK);
    EXPECT(imnpu_stream_wait(IMNPU_FOREVER), IMNPU_E_STREAM);
}

static void note(void *context)
{
    order[strlen(order)] = *(const char *)context;
}

static void note_stream(void *context)
{
    STREAM0->CONTROL = 0;
    note(context);
}

/* Both are pending when interrupts are allowed again: the stream is more urgent. */
static void priorities(void)
{
    imnpu_interrupt_priority_set(IMNPU_IRQ_STREAM0, IMNPU_PRIORITY_HIGHEST);
    imnpu_interrupt_priority_set(IMNPU_IRQ_TIMER0, IMNPU_PRIORITY_LOWEST);
    const uint32_t state = imnpu_interrupts_disable();
    imnpu_timer_start(100, 0, note, "t");
    imnpu_interrupt_handler_set(IMNPU_IRQ_STREAM0, note_stream, "s");
    STREAM0->LENGTH = 1000;
    STREAM0->CONTROL = STREAM_CONTROL_START_Msk | STREAM_CONTROL_INTERRUPT_Msk;
    while (!(TIMER0->STATUS & TIMER_STATUS_EXPIRED_Msk)) {
    }
    imnpu_interrupts_restore(state);
    expect_text(order, "st", __LINE__);
}

int main(void)
{
    EXPECT(imnpu_init(), IMNPU_OK);
    claim();
    arguments();
    tiles();
    copy();
    errors();
    codes_and_events();
    counters();
    activation();
    broadcast();
    power();
    deadlock();
    external();
    stream();
    priorities();
    EXPECT(getchar(), 'o');
    EXPECT(getchar(), 'k');
    EXPECT(imnpu_uart_get(), IMNPU_E_EMPTY);
    EXPECT((long)initialised, 0x12345678);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
