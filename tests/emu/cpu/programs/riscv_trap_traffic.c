/* SPDX-License-Identifier: BSD-3-Clause */
/* Traps, control registers and atomics of all kinds, as the random words of `script` say; handlers and user code read
   on where the last one stopped. */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SCRIPT ((volatile uint32_t *)0x80080000u)
#define WORDS 700u
#define MSIP 0x02000000u
#define MTIMECMP 0x02004000u
#define MTIME 0x0200bff8u
#define PLIC 0x0c000000u
#define UART 0x10000000u
#define SOURCE 10u
#define MIE 8u
#define MPP 0x1800u
#define MPRV (1u << 17)

#define GET(name) ({ uint32_t value_; __asm__ volatile("csrr %0, " #name : "=r"(value_) : : "memory"); value_; })
#define SET(name, value) __asm__ volatile("csrw " #name ", %0" : : "r"(value) : "memory")
#define SWAP(name, value) ({ uint32_t old_; __asm__ volatile("csrrw %0, " #name ", %1" : "=r"(old_) : "r"(value) : "memory"); old_; })
#define ATOMIC(name, address, value) ({ uint32_t old_; \
    __asm__ volatile(name " %0, %2, (%1)" : "=&r"(old_) : "r"(address), "r"(value) : "memory"); old_; })

static volatile uint32_t position, log_sum, user, depth;
static volatile uint32_t words[16] __attribute__((aligned(64)));
extern char vectors[], spare_vectors[];

static void note(uint32_t value) { log_sum = (log_sum ^ value) * 0x01000193u; }

static void act(uint32_t count);

/* In user mode everything but this ends in a trap, whose handler comes back here. */
__attribute__((noinline)) static void as_user(uint32_t word) {
    if (user) return;
    user = 1;
    __asm__ volatile("csrc mstatus, %0\n la t0, 1f\n csrw mepc, t0\n mret\n 1:" : : "r"(MPP) : "t0", "memory");
    for (volatile uint32_t i = 0; i < (word & 7); i++) {}
    if (word & 8) __asm__ volatile(".option push\n .option norvc\n csrr zero, mscratch\n .option pop");
    if (word & 16) note(ATOMIC("amoadd.w", words, word));
    user = 0;
    __asm__ volatile(".option push\n .option norvc\n ecall\n .option pop" : : : "memory");
}

static void atomics(uint32_t word) {
    volatile uint32_t *address = words + (word & 3);
    switch (word >> 2 & 15) {
    case 0: note(ATOMIC("amoadd.w", address, word)); break;
    case 1: note(ATOMIC("amoswap.w", address, word)); break;
    case 2: note(ATOMIC("amoxor.w.aq", address, word)); break;
    case 3: note(ATOMIC("amoor.w.rl", address, word)); break;
    case 4: note(ATOMIC("amoand.w.aqrl", address, word)); break;
    case 5: note(ATOMIC("amomin.w", address, word << 20)); break;
    case 6: note(ATOMIC("amomax.w", address, word << 20)); break;
    case 7: note(ATOMIC("amominu.w", address, word << 20)); break;
    case 8: note(ATOMIC("amomaxu.w", address, word << 20)); break;
    case 9: note(ATOMIC("sc.w", address, word)); break;
    case 10: note(ATOMIC("amoadd.w", (uint32_t)address + 2, word)); break;
    case 11: note(ATOMIC("amoswap.w", MSIP, word >> 6 & 1)); break;
    case 12: note(ATOMIC("amoadd.w", 0x90000000u, word)); break;
    default: {
        uint32_t value;
        __asm__ volatile("lr.w %0, (%1)" : "=r"(value) : "r"(address) : "memory");
        if (word & 64) note(ATOMIC("amoadd.w", address, word));
        note(value ^ ATOMIC("sc.w", word & 128 ? address : words, word));
    }
    }
}

static void counters(uint32_t word) {
    switch (word & 15) {
    case 0: note(GET(mcycle)); break;
    case 1: note(GET(minstret)); break;
    case 2: note(GET(mcycleh) ^ GET(minstreth)); break;
    case 3: note(SWAP(mcycle, word)); break;
    case 4: note(SWAP(minstret, word)); break;
    case 5: SET(mcycleh, word); break;
    case 6: SET(minstreth, word); break;
    case 7: note(SWAP(mcountinhibit, word >> 4 & 5)); break;
    case 8: note(GET(cycle)); break;
    case 9: note(GET(instreth) ^ GET(time)); break;
    case 10: note(SWAP(mcounteren, word)); break;
    case 11: SET(mcycle, ~0u); note(GET(mcycleh)); note(GET(mcycle)); break;
    case 12: SET(minstret, ~0u); note(GET(minstreth)); break;
    default: SET(mcountinhibit, 0); break;
    }
}

static void registers(uint32_t word) {
    uint32_t mepc = GET(mepc);
    switch (word & 15) {
    case 0: note(SWAP(mscratch, word)); break;
    case 1: note(SWAP(mcause, word)); break;
    case 2: note(SWAP(mtval, word)); break;
    case 3: note(SWAP(mepc, word)); note(GET(mepc)); break;
    case 4: note(SWAP(mie, word)); break;
    case 5: note(SWAP(mip, word)); break;
    case 6: note(GET(misa) ^ GET(mhartid) ^ GET(mvendorid)); break;
    case 7: SET(mtvec, (uint32_t)spare_vectors | 2); note(GET(mtvec)); break;
    case 8: __asm__ volatile("csrrsi zero, mscratch, 5\n csrrci zero, mscratch, 1\n csrrwi t0, mtval, 31" : : : "t0"); break;
    case 9: __asm__ volatile("csrrs t0, mscratch, %0\n csrrc %0, mscratch, t0" : "+r"(word) : : "t0"); note(word); break;
    case 10: __asm__ volatile("csrrc t0, mcause, zero\n csrrw zero, mcause, t0" : : : "t0"); break;
    case 11: note(GET(0x5c0)); break;
    case 12: SET(mhartid, word); break;
    case 13: note(GET(mhpmcounter3) ^ GET(mstatush)); break;
    case 14: note(GET(mstatus)); note(GET(mcause)); note(GET(mtval)); break;
    default: note(GET(pmpcfg0)); break;
    }
    SET(mepc, mepc);
}

/* What a load or store by the rights of user mode gives. */
static void as_user_data(uint32_t word) {
    uint32_t mstatus = GET(mstatus);
    SET(mstatus, (mstatus & ~MPP) | MPRV | (word & 1 ? MPP : 0));
    note(words[word & 3]);
    if (word & 2) words[0] = ATOMIC("amoxor.w", words + 1, word);
    SET(mstatus, mstatus);
}

/* Other entries of the memory protection in front of the one for everything; they match nothing but `words`. */
static void protect(uint32_t word) {
    uint32_t first = (uint32_t)words >> 2;
    if (!SCRIPT[WORDS]) return;
    switch (word & 3) {
    case 0: SET(pmpaddr0, first + (word >> 2 & 3)); break;
    case 1: SET(pmpaddr1, first + (word >> 2 & 7)); break;
    case 2: note(SWAP(pmpaddr1, first + 1)); break;
    default: note(SWAP(pmpcfg0, 0x1f000000 | (word >> 2 & 0x17) | (word >> 7 & 0x1f) % 0x18 << 8 | (word >> 12 & 7) << 16));
    }
}

static void fault(uint32_t word) {
    switch (word & 3) {
    case 0: __asm__ volatile(".option push\n .option norvc\n ebreak\n .option pop"); break;
    case 1: __asm__ volatile(".word 0xffffffff"); break;
    case 2: note(REGISTER(0x18000000)); break;
    case 3: __asm__ volatile(".word 0x10200073"); break;
    }
}

__attribute__((noinline)) static void act(uint32_t count) {
    while (count-- && position < WORDS) {
        uint32_t word = SCRIPT[position++], value = word >> 8;
        note(word);
        switch (word & 31) {
        case 0: case 1: case 2: __asm__ volatile("ecall" : : : "memory"); break;
        case 3: __asm__ volatile("csrs mstatus, %0\n nop\n csrc mstatus, %0" : : "r"(MIE) : "memory"); break;
        case 4: case 5: __asm__ volatile("csrsi mstatus, 8" : : : "memory"); break;
        case 6: __asm__ volatile("csrci mstatus, 8" : : : "memory"); break;
        case 7: SET(mie, value); break;
        case 8: __asm__ volatile("csrs mie, %0" : : "r"(value)); break;
        case 9: __asm__ volatile("csrs mie, %0" : : "r"(0x888)); break;
        case 10: case 11: REGISTER(MSIP) = 1; break;
        case 12: REGISTER(MTIMECMP) = REGISTER(MTIME) + (value & 0xff); break;
        case 13: REGISTER(UART + 1) = value & 2; break;
        case 14: SET(mtvec, (uint32_t)(value & 2 ? vectors : spare_vectors) | (value & 1)); break;
        case 15: case 16: case 17: atomics(value); break;
        case 18: case 19: counters(value); break;
        case 20: case 21: case 22: registers(value); break;
        case 23: as_user(value); break;
        case 24: as_user_data(value); break;
        case 25: fault(value); break;
        case 26:
            REGISTER(MTIMECMP) = REGISTER(MTIME) + (value & 0x3f);
            __asm__ volatile("csrs mie, %0\n wfi" : : "r"(0x80) : "memory");
            break;
        case 27: SET(mstatus, (GET(mstatus) & ~(MPP | 0x80)) | (value & (MPP | 0x80))); break;
        case 29: protect(value); break;
        case 28: for (volatile uint32_t i = 0; i < (value & 31); i++) {} break;
        default: words[value & 3] = value; break;
        }
    }
}

__attribute__((used)) static void handle(void) {
    uint32_t mcause = GET(mcause), mepc = GET(mepc), mstatus = GET(mstatus), handler = depth++;
    note(mcause);
    note(mepc);
    note(mstatus);
    note(GET(mtval));
    if (!(mcause >> 31)) {
        mepc += (*(volatile uint16_t *)mepc & 3) == 3 ? 4 : 2;
        if (mcause == 8 && !user) mstatus |= MPP;
    } else if ((mcause & 31) == 7) {
        REGISTER(MTIMECMP) = REGISTER(MTIME) + 900 + (SCRIPT[position % WORDS] >> 24);
    } else if ((mcause & 31) == 3) {
        REGISTER(MSIP) = 0;
    } else {
        uint32_t source = REGISTER(PLIC + 0x200004);
        note(*(volatile uint8_t *)(UART + 2));
        REGISTER(PLIC + 0x200004) = source;
    }
    if (handler < 3) act(SCRIPT[position % WORDS] >> 29);
    __asm__ volatile("csrci mstatus, 8");
    depth = handler;
    SET(mepc, mepc);
    SET(mstatus, mstatus & ~MPRV);
}

__attribute__((naked, aligned(64), used)) static void trap(void) {
    __asm__ volatile(
        "addi sp, sp, -64\n"
        "sw ra, 0(sp)\n sw t0, 4(sp)\n sw t1, 8(sp)\n sw t2, 12(sp)\n"
        "sw a0, 16(sp)\n sw a1, 20(sp)\n sw a2, 24(sp)\n sw a3, 28(sp)\n sw a4, 32(sp)\n sw a5, 36(sp)\n"
        "sw a6, 40(sp)\n sw a7, 44(sp)\n sw t3, 48(sp)\n sw t4, 52(sp)\n sw t5, 56(sp)\n sw t6, 60(sp)\n"
        "call handle\n"
        "lw ra, 0(sp)\n lw t0, 4(sp)\n lw t1, 8(sp)\n lw t2, 12(sp)\n"
        "lw a0, 16(sp)\n lw a1, 20(sp)\n lw a2, 24(sp)\n lw a3, 28(sp)\n lw a4, 32(sp)\n lw a5, 36(sp)\n"
        "lw a6, 40(sp)\n lw a7, 44(sp)\n lw t3, 48(sp)\n lw t4, 52(sp)\n lw t5, 56(sp)\n lw t6, 60(sp)\n"
        "addi sp, sp, 64\n"
        "mret\n"
        ".option push\n .option norvc\n .balign 64\n"
        "vectors: .rept 12\n j trap\n .endr\n .balign 64\n"
        "spare_vectors: .rept 12\n j trap\n .endr\n"
        ".option pop");
}

__attribute__((naked, section(".start"), used)) void _start(void) {
    __asm__ volatile("li sp, 0x80100000\n la t0, vectors\n csrw mtvec, t0\n j program");
}

__attribute__((used)) static void program(void) {
    if (SCRIPT[WORDS]) {
        SET(pmpaddr0, (uint32_t)words >> 2);
        SET(pmpaddr3, ~0u);
        SET(pmpaddr2, ((uint32_t)words >> 2) + 3);
        SET(pmpcfg0, SCRIPT[WORDS] == 2 ? 0x1f910000 : 0x1f000000);
    }
    REGISTER(PLIC + 4 * SOURCE) = 1;
    REGISTER(PLIC + 0x2000) = 1 << SOURCE;
    REGISTER(MTIMECMP + 4) = 0;
    while (position < WORDS) act(4);
    static volatile uint32_t block[2] = {0x20026, 0};
    register uint32_t a0 __asm__("a0") = 0x20;
    register volatile uint32_t *a1 __asm__("a1") = block;
    __asm__ volatile(".option push\n .option norvc\n .balign 16\n slli x0, x0, 0x1f\n ebreak\n srai x0, x0, 7\n"
                     ".option pop" : : "r"(a0), "r"(a1) : "memory");
    for (;;) {}
}
