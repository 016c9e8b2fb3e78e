/* SPDX-License-Identifier: BSD-3-Clause */
/* What PMP entries allow: U-mode, M-mode with MPRV, and M-mode with locked entries, byte by byte around their bounds. */
#include <stdint.h>

#define WORD(address) (*(volatile uint32_t *)(address))
#define BYTE(address) (*(volatile uint8_t *)(address))
#define UART 0x10000000u
#define FINISHER 0x00100000u
#define READ(csr) ({ uint32_t value; __asm__ volatile("csrr %0, " csr : "=r"(value)); value; })
#define WRITE(csr, value) __asm__ volatile("csrw " csr ", %0" ::"r"((uint32_t)(value)) : "memory")

enum { R = 1, W = 2, X = 4, TOR = 0x08, NA4 = 0x10, NAPOT = 0x18, LOCK = 0x80 };
enum { USER = 0, MPRV = 0x21800, MACHINE = 0x1800 };

/* Everything that is probed lies in here: it holds ecall everywhere, so that a permitted jump ends there. */
__attribute__((aligned(16384))) static uint32_t area[4096];

__attribute__((section(".start"), naked, used)) void start(void) {
    __asm__ volatile("la sp, stack_top\n la t0, trap\n csrw mtvec, t0\n call main\n1: j 1b");
}

/* Runs the code at a0 with a1 and the mode in a2; the trap that ends it returns to the caller. */
__attribute__((naked)) static void probe(const void *code, uint32_t address, uint32_t mode) {
    __asm__ volatile("csrw mepc, a0\n csrw mscratch, ra\n li t0, 0x21800\n csrc mstatus, t0\n csrs mstatus, a2\n mret\n"
                     " .balign 4\n .globl trap\ntrap:\n li t0, 0x20000\n csrc mstatus, t0\n csrr ra, mscratch\n ret");
}

__attribute__((naked)) static void load_word(void) { __asm__ volatile("lw a0, 0(a1)\n ecall"); }
__attribute__((naked)) static void load_half(void) { __asm__ volatile("lh a0, 0(a1)\n ecall"); }
__attribute__((naked)) static void load_byte(void) { __asm__ volatile("lbu a0, 0(a1)\n ecall"); }
__attribute__((naked)) static void store_word(void) { __asm__ volatile("lw a0, 0(a1)\n sw a0, 0(a1)\n ecall"); }
__attribute__((naked)) static void store_half(void) { __asm__ volatile("lhu a0, 0(a1)\n sh a0, 0(a1)\n ecall"); }
__attribute__((naked)) static void store_byte(void) { __asm__ volatile("lbu a0, 0(a1)\n sb a0, 0(a1)\n ecall"); }
__attribute__((naked)) static void fetch(void) { __asm__ volatile("jr a1"); }

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

static const struct {
    const char *name;
    void (*code)(void);
    uint32_t size;
} probes[] = {
    {" lw ", load_word, 4},  {" lh ", load_half, 2},  {" lb ", load_byte, 1}, {" sw ", store_word, 4},
    {" sh ", store_half, 2}, {" sb ", store_byte, 1}, {" jr ", fetch, 4},
};

/* One letter an access: mcause, and a mark where mtval is not the address. */
static void sweep(const char *name, uint32_t first, uint32_t last, uint32_t mode, uint32_t step) {
    print(name);
    print_hex(" from ", first);
    for (unsigned kind = 0; kind < sizeof probes / sizeof *probes; kind++) {
        print(probes[kind].name);
        uint32_t stride = step > probes[kind].size ? step : probes[kind].size;
        for (uint32_t offset = first; offset < last; offset += stride) {
            uint32_t address = (uint32_t)area + offset;
            probe(probes[kind].code, address, mode);
            uint32_t cause = READ("mcause");
            put(cause == 8 || cause == 11 ? '.' : "0123456789abcdef"[cause & 15]);
            if (cause != 8 && cause != 11 && READ("mtval") != address) print_hex("mtval ", READ("mtval"));
        }
        put('\n');
    }
}

static uint32_t napot(uint32_t offset, uint32_t size) { return ((uint32_t)area + offset) >> 2 | (size / 8 - 1); }
static uint32_t plain(uint32_t offset) { return ((uint32_t)area + offset) >> 2; }

static void entries(uint32_t configuration, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3) {
    WRITE("pmpcfg0", 0);
    WRITE("pmpaddr0", a0);
    WRITE("pmpaddr1", a1);
    WRITE("pmpaddr2", a2);
    WRITE("pmpaddr3", a3);
    WRITE("pmpcfg0", configuration);
}

static void show_registers(const char *name) {
    print(name);
    print_hex(" pmpcfg0 ", READ("pmpcfg0"));
    print_hex(" pmpcfg3 ", READ("pmpcfg3"));
    print_hex(" pmpaddr0 ", READ("pmpaddr0"));
    print_hex(" pmpaddr1 ", READ("pmpaddr1"));
    print_hex(" pmpaddr15 ", READ("pmpaddr15"));
}

static void registers(void) {
    WRITE("pmpaddr0", -1);
    WRITE("pmpaddr1", 0x12345678);
    show_registers("off");
    WRITE("pmpcfg0", 0x001c150b);
    show_registers("on");
}

static void sizes(void) {
    for (uint32_t size = 8; size <= 8192; size *= 4) {
        entries((NAPOT | R) << 8 | (NAPOT | R | W | X) << 16, 0, napot(8192, size), napot(0, 16384), 0);
        sweep("napot", 8192 - 16, 8192 + 24, USER, 1);
        sweep("its end", 8192 + size - 8, 8192 + size + 8, USER, 1);
    }
}

static void ranges(void) {
    entries((TOR | R) << 8 | (NA4 | R | W) << 16 | (TOR | X) << 24, plain(0x104), plain(0x110), plain(0x120), plain(0x13c));
    sweep("tor, na4, tor", 0xf8, 0x148, USER, 1);
    entries(TOR | R | W, plain(0x20), 0, 0, 0);
    sweep("tor from 0", 0x18, 0x28, USER, 1);
    entries((TOR | R | W) << 8, plain(0x40), plain(0x20), 0, 0);
    sweep("tor, empty", 0x18, 0x48, USER, 4);
    entries(NA4 | (NAPOT | R | W | X) << 8, plain(0x1ffc), napot(0, 16384), 0, 0);
    sweep("the first entry decides", 0x1ff0, 0x2008, USER, 1);
}

static void machine_mode(void) {
    entries((NAPOT | R) | (NAPOT | R | W) << 8, napot(64, 8), napot(0, 128), 0, 0);
    sweep("mprv", 56, 80, MPRV, 1);
    sweep("machine", 56, 80, MACHINE, 1);
    entries((NAPOT | R | LOCK) | (NAPOT | X) << 8, napot(64, 8), napot(0, 128), 0, 0);
    sweep("locked", 56, 80, MACHINE, 1);
    sweep("locked, user", 56, 80, USER, 1);
    WRITE("pmpcfg0", 0);
    WRITE("pmpaddr0", 0);
    show_registers("locked");
    WRITE("pmpaddr2", plain(0x300));
    WRITE("pmpaddr3", plain(0x310));
    WRITE("pmpcfg0", (TOR | R | W | LOCK) << 24);
    WRITE("pmpaddr2", 0);
    WRITE("pmpaddr3", 0);
    print_hex("bottom ", READ("pmpaddr2") - plain(0));
    print_hex("top ", READ("pmpaddr3") - plain(0));
    sweep("locked range", 0x2f8, 0x318, MACHINE, 4);
}

void main(void) {
    for (unsigned index = 0; index < sizeof area / sizeof *area; index++) area[index] = 0x00000073;
    registers();
    WRITE("pmpcfg0", 0);
    WRITE("pmpaddr15", 0x80000000u >> 2 | 0x1fff); /* the program: 64 KiB */
    WRITE("pmpcfg3", (uint32_t)(NAPOT | R | X) << 24);
    sizes();
    ranges();
    machine_mode();
    WORD(FINISHER) = 0x5555;
    for (;;) {}
}
