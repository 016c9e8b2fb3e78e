/* SPDX-License-Identifier: BSD-3-Clause */
/* UART by polling and by interrupts through the PLIC, timer and software interrupts, test finisher. */
#include <stdint.h>

#define WORD(address) (*(volatile uint32_t *)(address))
#define BYTE(address) (*(volatile uint8_t *)(address))
#define UART 0x10000000u
#define PLIC 0x0c000000u
#define CLINT 0x02000000u
#define FINISHER 0x00100000u
#define SOURCE 10u

__attribute__((section(".start"), naked, used)) void start(void) {
    __asm__ volatile("la sp, stack_top\n la t0, trap\n csrw mtvec, t0\n call main\n1: j 1b");
}

static void put(char c) {
    while (!(BYTE(UART + 5) & 0x20)) {}
    BYTE(UART) = (uint8_t)c;
}

static void print(const char *text) {
    while (*text) put(*text++);
}

static void print_hex(const char *name, uint32_t value) {
    print(name);
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
    put('\n');
}

static volatile uint32_t timers, softwares, sent, received, causes;
static volatile uint8_t line[16];

static void uart_interrupt(void) {
    uint32_t source = WORD(PLIC + 0x200004);
    uint32_t cause = BYTE(UART + 2) & 0xf;
    causes = causes << 8 | source << 4 | cause;
    if (cause == 2) sent++;
    if (cause == 4 || cause == 12)
        while (BYTE(UART + 5) & 1) line[received++ & 15] = BYTE(UART);
    WORD(PLIC + 0x200004) = source;
}

__attribute__((interrupt, aligned(4), used)) void trap(void) {
    uint32_t cause;
    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    if (cause == 0x80000007) {
        timers++;
        WORD(CLINT + 0x4004) = 0xffffffff;
    } else if (cause == 0x80000003) {
        softwares++;
        WORD(CLINT) = 0;
    } else if (cause == 0x8000000b) {
        uart_interrupt();
    } else {
        print_hex("trap ", cause);
        WORD(FINISHER) = 0x633333;
    }
}

static void registers(void) {
    BYTE(UART + 3) = 0x83;
    BYTE(UART) = 3;
    BYTE(UART + 1) = 0;
    uint32_t divisor = BYTE(UART) | BYTE(UART + 1) << 8;
    BYTE(UART + 3) = 3;
    print_hex("divisor ", divisor);
    BYTE(UART + 7) = 0x5a;
    print_hex("scratch ", BYTE(UART + 7));
    print_hex("iir ", BYTE(UART + 2));
    print_hex("lsr ", BYTE(UART + 5));
    print_hex("msr ", BYTE(UART + 6));
    BYTE(UART + 2) = 1;
    print_hex("iir with fifo ", BYTE(UART + 2));
}

/* Three bytes come back. */
static void loop(void) {
    BYTE(UART + 4) = 0x10;
    BYTE(UART) = 'a';
    BYTE(UART) = 'b';
    BYTE(UART) = 'c';
    uint32_t back = 0;
    while (BYTE(UART + 5) & 1) back = back << 8 | BYTE(UART);
    BYTE(UART + 4) = 8;
    print_hex("back ", back);
}

static void clint(void) {
    WORD(CLINT) = 1;
    while (!softwares) {}
    print_hex("software interrupts ", softwares);
    WORD(CLINT + 0x4004) = 0xffffffff;
    WORD(CLINT + 0x4000) = WORD(CLINT + 0xbff8) + 1000;
    WORD(CLINT + 0x4004) = 0;
    while (!timers) __asm__ volatile("wfi");
    print_hex("timer interrupts ", timers);
}

static void send_interrupt(void) {
    BYTE(UART + 1) = 2;
    while (!sent) {}
    BYTE(UART + 1) = 0;
    print_hex("sent interrupts ", sent);
    print_hex("claimed and cause ", causes);
    print_hex("nothing to claim ", WORD(PLIC + 0x200004));
}

/* What comes in is lost when a FIFO is switched on, so that this is for a run of its own. */
static void receive_interrupts(void) {
    BYTE(UART + 1) = 1;
    while (received < 5) __asm__ volatile("wfi");
    BYTE(UART + 1) = 0;
    for (uint32_t i = 0; i < received; i++) put((char)line[i]);
    put('\n');
}

extern uint32_t bss_start, bss_end;

int main(void) {
    for (volatile uint32_t *word = &bss_start; word < &bss_end; word++) *word = 0;
    print("hello from the board\n");
    uint32_t translation;
    __asm__ volatile("csrw satp, zero\n csrr %0, satp" : "=r"(translation));
    print_hex("address translation ", translation);
    __asm__ volatile("csrs mie, %0\n csrsi mstatus, 8" : : "r"(0x888));
    WORD(PLIC + 4 * SOURCE) = 1;
    print_hex("priority ", WORD(PLIC + 4 * SOURCE));
    WORD(PLIC + 0x2000) = 1u << SOURCE;
    WORD(PLIC + 0x200000) = 0;
#ifdef INPUT
    receive_interrupts();
#else
    registers();
    loop();
    clint();
    send_interrupt();
#endif
    volatile uint32_t *kept = (volatile uint32_t *)0x87000000; /* no segment lies here */
    if (FINISH == 0x7777 && *kept == 0x600d) {
        print("after the reset\n");
        WORD(FINISHER) = 0x93333;
    }
    *kept = 0x600d;
    WORD(FINISHER) = FINISH;
    for (;;) {}
}
