/* SPDX-License-Identifier: BSD-3-Clause */
/* Random regions of the MPU (PMSAv7; with -DPMSAV8 PMSAv8), and what loads, stores and calls do there; prints letters
   by semihosting. */

#include <stdint.h>

#ifndef CODE
#define CODE 0u
#endif
#ifndef STACK_TOP
#define STACK_TOP 0x20004000u
#endif
#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SHCSR REGISTER(0xE000ED24)
#define CFSR REGISTER(0xE000ED28)
#define HFSR REGISTER(0xE000ED2C)
#define MMFAR REGISTER(0xE000ED34)
#define BFAR REGISTER(0xE000ED38)
#define MPU_CTRL REGISTER(0xE000ED94)
#define MPU_RNR REGISTER(0xE000ED98)
#define MPU_RBAR REGISTER(0xE000ED9C)
#define MPU_RASR REGISTER(0xE000EDA0)
#define WRITE(name, value) __asm volatile("msr " name ", %0\n isb" ::"r"((uint32_t)(value)) : "memory")
#define BARRIER() __asm volatile("dsb\n isb" ::: "memory")

#define VARIABLES (STACK_TOP & ~0xffffu)
#define AREA (VARIABLES + 0x10000u) /* where regions and probes lie */
#define AREA_BITS 14
#define RETURN 0x47704770u /* bx lr, twice */
#define ROUNDS 40
#define PROBES 24

static uint32_t semihost(uint32_t operation, const void *parameter) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = parameter;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static uint32_t seed = 1;
static uint32_t below(uint32_t limit) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % limit;
}

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};
static volatile uint32_t seen, probed, wrong_address;

void fault_c(struct frame *frame) {
    uint32_t status = CFSR;
    seen = status | (HFSR & 1u << 30);
    wrong_address = (status & 0x80 && MMFAR != probed) || (status & 0x8000 && BFAR != probed);
    CFSR = status;
    HFSR = HFSR;
    /* A call goes back; loads and stores have four bytes. */
    frame->pc = status & 0x101 ? frame->lr & ~1u : frame->pc + 4;
}
__attribute__((naked)) static void fault(void) { __asm volatile("mov r0, sp\n b fault_c"); }
__attribute__((naked)) static void sv_call(void) { __asm volatile("movs r0, #0\n msr control, r0\n isb\n bx lr"); }

static void stop(void) {
    for (;;) {}
}
void reset(void);
typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)STACK_TOP, reset, stop, fault, fault, fault, fault, 0, 0, 0, 0, sv_call, stop, 0, stop, stop,
};

enum {
    LOAD_BYTE,
    LOAD_HALF,
    LOAD_WORD,
    LOAD_FOUR,
    STORE_BYTE,
    STORE_HALF,
    STORE_WORD,
    LOAD_USER,
    STORE_USER,
    IN_IT,
    CALL,
    KINDS
};

__attribute__((noinline)) static char attempt(uint32_t kind, uint32_t address, uint32_t level) {
    uint32_t value = RETURN;
    seen = wrong_address = 0;
    probed = address;
    BARRIER();
    if (level) WRITE("control", 1);
    switch (kind) {
    case LOAD_BYTE: __asm volatile("ldrb.w %0, [%1]" : "+r"(value) : "r"(address)); break;
    case LOAD_HALF: __asm volatile("ldrh.w %0, [%1]" : "+r"(value) : "r"(address)); break;
    case LOAD_WORD: __asm volatile("ldr.w %0, [%1]" : "+r"(value) : "r"(address)); break;
    case LOAD_FOUR: __asm volatile("ldm.w %0, {r2, r3, r8, r9}" ::"r"(address) : "r2", "r3", "r8", "r9"); break;
    case STORE_BYTE: __asm volatile("strb.w %0, [%1]" ::"r"(address & 1 ? 0x47 : 0x70), "r"(address)); break;
    case STORE_HALF: __asm volatile("strh.w %0, [%1]" ::"r"(value), "r"(address)); break;
    case STORE_WORD: __asm volatile("str.w %0, [%1]" ::"r"(value), "r"(address)); break;
    case LOAD_USER: __asm volatile("ldrt %0, [%1]" : "+r"(value) : "r"(address)); break;
    case STORE_USER: __asm volatile("strt %0, [%1]" ::"r"(value), "r"(address)); break;
    case IN_IT:
        __asm volatile("cmp %1, %1\n ittt eq\n moveq r3, #1\n ldreq.w %0, [%1]\n addeq r3, #1"
                       : "+r"(value)
                       : "r"(address)
                       : "r3", "cc");
        break;
    default: __asm volatile("blx %0" ::"r"(address | 1) : "lr", "memory");
    }
    if (level) __asm volatile("svc 0" ::: "r0", "memory");
    if (wrong_address) return '!';
    if (seen & 1u << 30) return seen & 1 ? 'I' : seen & 2 ? 'D' : seen & 0x8000 ? 'B' : '?';
    if (seen & 1) return 'i';
    if (seen & 2) return 'd';
    if (seen & 0x8200) return 'b';
    if (seen) return '?';
    if (kind == LOAD_BYTE || kind == LOAD_HALF || address < AREA || address >= AREA + (1u << AREA_BITS)) return '.';
    return value == RETURN ? '.' : '#';
}

static void region(uint32_t number, uint32_t base, uint32_t attributes) {
    MPU_RNR = number;
    MPU_RBAR = base;
    MPU_RASR = attributes;
}

#ifdef PMSAV8
static void choose_regions(void) {
    for (uint32_t number = 0; number < 6; number++) {
        uint32_t base = AREA + (below(1u << AREA_BITS) & ~31u), bytes = 32u << below(9);
        if (below(4)) bytes = 32u * (1 + below(40));
        region(number, base | below(4) << 1 | (below(4) == 0), ((base + bytes - 1) & ~31u) | (below(8) != 0));
    }
    region(6, CODE | 3u << 1, CODE + 0xffe0u + 1);           /* this program */
    region(7, VARIABLES | 1u << 1, VARIABLES + 0xffe0u + 1); /* its variables */
}
#else
static void choose_regions(void) {
    for (uint32_t number = 0; number < 6; number++) {
        uint32_t bits = 5 + below(AREA_BITS - 4), size = 1u << bits;
        uint32_t base = AREA + (below(1u << AREA_BITS) & ~(size - 1));
        if (below(8) == 0) bits = 29, base = below(8) << 29; /* much of everything */
        uint32_t permission = below(4) ? below(4) : below(8);
        if (permission == 7) permission = 6; /* QEMU takes 7 for reserved on some cores */
        if (permission == 4) permission = 3;
        uint32_t disabled = below(2) ? below(256) : 0;
        uint32_t never = below(2) << 28, enable = below(8) != 0;
        region(number, base, never | permission << 24 | disabled << 8 | (bits - 1) << 1 | enable);
    }
    region(6, 0, 6u << 24 | 15u << 1 | 1);         /* this program */
    region(7, VARIABLES, 3u << 24 | 15u << 1 | 1); /* its variables */
}
#endif

static uint32_t choose_address(uint32_t kind) {
    static const uint32_t elsewhere[] = {0x40004000, 0xE000ED00, 0x30100000, 0x20100000, CODE + 0x100};
    if (below(8) == 0 && kind != CALL && kind != LOAD_FOUR && kind != IN_IT) {
        uint32_t address = elsewhere[below(5)];
        if (kind == LOAD_BYTE || kind == LOAD_HALF || kind == LOAD_WORD) return address;
    }
    uint32_t address = AREA + below(1u << AREA_BITS);
    if (below(2)) address = AREA + (below(1u << (AREA_BITS - 5)) << 5) - 4 * below(3); /* near a bound */
    if (address < AREA) address = AREA;
    if (kind == LOAD_BYTE || kind == STORE_BYTE) return address;
    if (kind == LOAD_HALF || kind == STORE_HALF || kind == CALL) return address & ~1u;
    return kind == LOAD_FOUR ? address & ~15u : address & ~3u;
}

void reset(void) {
    static const char levels[3] = "pu";
    static char line[PROBES * 3 + 8];
    for (uint32_t at = 0; at < 1u << AREA_BITS; at += 4) REGISTER(AREA + at) = RETURN;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t out = 0;
        choose_regions();
        SHCSR = below(4) ? 7u << 16 : 0;
        uint32_t control = 1 | below(2) << 1 | (below(4) ? 4 : 0);
        MPU_CTRL = control;
        BARRIER();
        line[out++] = '0' + (char)control;
        line[out++] = ' ';
        for (uint32_t probe = 0; probe < PROBES; probe++) {
            uint32_t kind = below(KINDS), level = below(2), address = choose_address(kind);
            line[out++] = levels[level];
            line[out++] = "123mBHWtTxc"[kind];
            line[out++] = attempt(kind, address, level);
        }
        MPU_CTRL = 0;
        BARRIER();
        line[out++] = '\n';
        line[out] = 0;
        semihost(4, line);
    }
    volatile uint32_t block[2] = {0x20026, 0};
    semihost(0x20, (const void *)block);
    stop();
}
