/* What the tests of `imnpu run` need: the first byte on the UART chooses what happens. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <imnpu/imnpu.h>

static unsigned char frame[16];
static uint8_t source[64], destination[64];

__attribute__((noinline)) static void store(uintptr_t address)
{
    *(volatile uint32_t *)address = 1;
}

/* Raises the priority to that of the fault handler, or puts the trap handler where nothing is mapped. */
static void break_the_fault_handler(void)
{
#ifdef __arm__
    __asm__ volatile("cpsid f");
#else
    __asm__ volatile("csrw mtvec, %0" : : "r"(0x100));
#endif
}

static int sum_of_frames(void)
{
    unsigned sum = 0;
    int status;
    while ((status = imnpu_stream_start(frame, sizeof frame)) == IMNPU_OK
           && (status = imnpu_stream_wait(1000000)) == IMNPU_OK) {
        for (unsigned i = 0; i < sizeof frame; i++) {
            sum += frame[i];
        }
    }
    printf("%u frames, sum %u\n", (unsigned)imnpu_stream_frames(), sum);
    return status == IMNPU_E_END_OF_DATA ? 0 : 1;
}

static int copy_with_the_npu(void)
{
    memset(source, 0x5A, sizeof source);
    CLUSTER0->COPY_SOURCE = (uint32_t)(uintptr_t)source;
    CLUSTER0->COPY_DESTINATION = (uint32_t)(uintptr_t)destination;
    CLUSTER0->COPY_BYTES = sizeof source;
    for (unsigned i = 0; i < 4; i++) {
        CLUSTER0->COPY_LOOP[i].COUNT = 1;
    }
    CLUSTER0->COMMAND = CLUSTER_COMMAND_CODE_COPY;
    while (!(CLUSTER0->INTERRUPT_STATUS & CLUSTER_INTERRUPT_STATUS_DONE_Msk)) {
    }
    return memcmp(source, destination, sizeof source);
}

/* The Cortex-M's ITM, set up as CMSIS does; the RV32 host has none. */
static int print_with_the_itm(void)
{
#ifdef __arm__
    *(volatile uint32_t *)0xE000EDFC |= 1UL << 24;
    *(volatile uint32_t *)0xE0000FB0 = 0xC5ACCE55;
    *(volatile uint32_t *)0xE0000E80 = 1;
    *(volatile uint32_t *)0xE0000E00 = 3;
    *(volatile uint32_t *)0xE0000000 = 0x0A495448;
    *(volatile uint16_t *)0xE0000004 = 42;
#endif
    return 0;
}

/* Writes what SYS_GET_CMDLINE says to the file "answer", by SYS_OPEN and SYS_WRITE. */
static int command_line_to_file(void)
{
    static char text[64];
    uint32_t line[2] = {(uint32_t)(uintptr_t)text, sizeof text};
    uint32_t name[3] = {(uint32_t)(uintptr_t) "answer", 4, 6};
    if (imnpu_semihosting_call(0x15, line)) {
        return 2;
    }
    uint32_t handle = imnpu_semihosting_call(0x01, name);
    uint32_t contents[3] = {handle, (uint32_t)(uintptr_t)text, line[1]};
    return handle == UINT32_MAX ? 3 : (int)imnpu_semihosting_call(0x05, contents);
}

int main(void)
{
    int byte;
    switch (getchar()) {
    case 'x':
        return 7;
    case 'X':
        return 256;
    case 'm':
        return -1;
    case 'e':
        while ((byte = imnpu_uart_get()) >= 0) {
            putchar(byte);
        }
        return 0;
    case 'f':
        store(0x08000000);
        return 0;
    case 'u':
        store(0x90000000);
        return 0;
    case 'j':
        ((void (*)(void))(uintptr_t)0xFFFFFFF0)();
        return 0;
    case 'a':
        assert(imnpu_uart_get() == 'b');
        return 0;
    case 'r':
        *(volatile uint32_t *)0x40000ffc = 1;
        return 0;
    case 'k':
        break_the_fault_handler();
        store(0x90000000);
        return 0;
    case 'p':
        puts("to the UART");
        imnpu_semihosting_write("to the console\n");
        return 0;
    case 'h':
        return command_line_to_file();
    case 'i':
        return print_with_the_itm();
    case 's':
        return sum_of_frames();
    case 'n':
        return copy_with_the_npu();
    case 'z':
        for (;;) {
            imnpu_wait_for_interrupt();
        }
    case 'l':
        puts("looping");
        for (;;) {
            __asm__ volatile("");
        }
    default:
        return 99;
    }
}
