/* SPDX-License-Identifier: BSD-3-Clause */
/* The A extension: results and memory of every instruction, reservations, and the traps of bad addresses. */
#include <stdint.h>

#define WORD(address) (*(volatile uint32_t *)(address))
#define BYTE(address) (*(volatile uint8_t *)(address))
#define UART 0x10000000u
#define FINISHER 0x00100000u
#define NOTHING 0x18000000u

static volatile uint32_t word, other, cause, value;

__attribute__((section(".start"), naked, used)) void start(void) {
    __asm__ volatile("la sp, stack_top\n la t0, trap\n csrw mtvec, t0\n call main\n1: j 1b");
}

static void put(char c) {
    while (!(BYTE(UART + 5) & 0x20)) {}
    BYTE(UART) = (uint8_t)c;
}

static void show(const char *name, uint32_t number) {
    while (*name) put(*name++);
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[number >> shift & 15]);
    put('\n');
}

/* Every instruction that traps here has four bytes. */
__attribute__((interrupt, aligned(4), used)) void trap(void) {
    uint32_t pc;
    __asm__ volatile("csrr %0, mcause\n csrr %1, mtval\n csrr %2, mepc" : "=r"(cause), "=r"(value), "=r"(pc));
    __asm__ volatile("csrw mepc, %0" ::"r"(pc + 4));
}

/* The instruction with bits 31..25, which is known to the assembler whatever extensions it was told. */
#define ATOMIC(bits, address, operand)                                                                                 \
    ({                                                                                                                 \
        uint32_t result = 0x55;                                                                                        \
        __asm__ volatile(".insn r 0x2f, 2, " #bits ", %0, %1, %2"                                                     \
                         : "+r"(result)                                                                                \
                         : "r"(address), "r"(operand)                                                                  \
                         : "memory");                                                                                  \
        result;                                                                                                        \
    })
#define LOAD_RESERVED(address)                                                                                         \
    ({                                                                                                                 \
        uint32_t result = 0x55;                                                                                        \
        __asm__ volatile(".insn r 0x2f, 2, 0x08, %0, %1, x0" : "+r"(result) : "r"(address) : "memory");               \
        result;                                                                                                        \
    })
#define STORE_CONDITIONAL(address, operand) ATOMIC(0x0c, address, operand)

static const uint32_t numbers[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x12345678, 0x80000001};

#define TRY(name, bits)                                                                                                \
    for (unsigned i = 0; i < 7; i++)                                                                                   \
        for (unsigned j = 0; j < 7; j++) {                                                                             \
            word = numbers[i];                                                                                         \
            show(name, ATOMIC(bits, &word, numbers[j]));                                                               \
            show("  ", word);                                                                                          \
        }

static void results(void) {
    TRY("add ", 0x00)
    TRY("swap, acquire ", 0x06)
    TRY("xor, release ", 0x11)
    TRY("or, both ", 0x23)
    TRY("and ", 0x30)
    TRY("min ", 0x40)
    TRY("max ", 0x50)
    TRY("minu ", 0x60)
    TRY("maxu ", 0x70)
}

static void reservations(void) {
    word = 7;
    other = 8;
    show("without a reservation ", STORE_CONDITIONAL(&word, 1));
    show("reserved ", LOAD_RESERVED(&word));
    show("stored ", STORE_CONDITIONAL(&word, 2));
    show("word ", word);
    show("used up ", STORE_CONDITIONAL(&word, 3));
    LOAD_RESERVED(&word);
    show("another word ", STORE_CONDITIONAL(&other, 4));
    show("and the first again ", STORE_CONDITIONAL(&word, 5));
    LOAD_RESERVED(&word);
    LOAD_RESERVED(&other);
    show("the older one ", STORE_CONDITIONAL(&word, 6));
    show("word ", word);
    show("other ", other);
}

static void tell(const char *name, uint32_t result) {
    show(name, result);
    show("  cause ", cause);
    show("  value ", value);
    cause = value = 0;
}

static void traps(void) {
    uint32_t place = (uint32_t)&word;
    tell("misaligned lr ", LOAD_RESERVED(place + 1));
    tell("lr of nothing ", LOAD_RESERVED(NOTHING));
    tell("sc without reservation of nothing ", STORE_CONDITIONAL(NOTHING, 1));
    tell("no such operation ", ATOMIC(0x14, place, 1));
    __asm__ volatile(".insn r 0x2f, 2, 0x08, a0, %0, a1" ::"r"(place) : "a0", "a1");
    tell("lr with a second source ", 0);
    __asm__ volatile(".insn r 0x2f, 3, 0x00, a0, %0, a1" ::"r"(place) : "a0", "a1");
    tell("64 bits ", 0);
}

void main(void) {
    results();
    reservations();
    traps();
    uint32_t misa;
    __asm__ volatile("csrr %0, misa" : "=r"(misa));
    show("misa.A ", misa & 1);
    WORD(FINISHER) = 0x5555;
    for (;;) {}
}
