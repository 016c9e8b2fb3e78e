/* SPDX-License-Identifier: BSD-3-Clause */
/* Carries out scripts of single instructions on RV32 in M- and U-mode, and prints what they do and all traps.
 *
 * Whatever runs, the program or a trap handler, takes the next action of one script. A handler returns at LEAVE, the
 * scenario ends with the script, and the next one begins with a reset. */
#include "scenario_output.h"

#define WORD(address) (*(volatile uint32_t *)(address))
#define BYTE(address) (*(volatile uint8_t *)(address))
#define UART 0x10000000u
#define PLIC 0x0c000000u
#define PENDING (PLIC + 0x1000)
#define CLAIM (PLIC + 0x200004)
#define SOURCE 10u
#define CLINT 0x02000000u
#define FINISHER 0x00100000u
#define READ(name) ({ uint32_t value; __asm volatile("csrr %0, " name : "=r"(value)); value; })
#define WRITE(name, value) __asm volatile("csrw " name ", %0" ::"r"((uint32_t)(value)) : "memory")
#define MACHINE_MODE (3u << 11)

struct action {
    uint16_t operation, detail;
    uint32_t code, first, second;
};
struct script {
    uint32_t count, first, begin[];
};
#define SCRIPT ((const struct script *)0x80100000u)
#define PROGRESS WORD(0x800ffff0u) /* outlives resets: how many scenarios are done */
#define PROGRESS_MAGIC WORD(0x800ffff4u)
#define CODE_USED WORD(0x800ffff8u)
#define MAGIC 0x600dcafeu
enum { END, LEAVE, EXECUTE, USER, MACHINE, VECTORS, EDGE };
enum { SILENT = 1 }; /* detail of EXECUTE: the result depends on time */

/* The scratch pages of scripts are 0x80040000 and following. */
#define SCRATCH 0x80040000u
#define SCRATCH_SIZE 0x8000u
#define EDGE_REGION (SCRATCH + 0x808u) /* 8 bytes in the first of them */

static void flush(void) {
    for (uint32_t index = 0; index < used; index++) {
        while (!(BYTE(UART + 5) & 0x20)) {
        }
        BYTE(UART) = (uint8_t)output[index];
    }
    used = 0;
}

static const struct action *next;
static uint32_t user, depth, entries, wants_machine, edge;
static uint32_t in_service; /* the UART's interrupt is claimed and not completed */

static uint32_t seen[24];
static void changed(uint32_t index, const char *name, uint32_t value) {
    if (seen[index] != value) word(name, value);
    seen[index] = value;
}

#define SHOW(index, name) changed(index, name, READ(name))
static void show(void) {
    if (user) {
        put('\n');
        return;
    }
    SHOW(0, "mstatus");
    SHOW(1, "mie");
    SHOW(2, "mip");
    SHOW(3, "mscratch");
    SHOW(4, "mcounteren");
    SHOW(5, "mcountinhibit");
    SHOW(6, "pmpcfg0");
    SHOW(7, "pmpcfg1");
    SHOW(8, "pmpaddr0");
    SHOW(9, "pmpaddr1");
    SHOW(10, "pmpaddr2");
    SHOW(11, "pmpaddr3");
    SHOW(12, "pmpaddr4");
    /* QEMU shows a request of a source that is in service as pending; its gateway should hold it back. */
    if (!in_service) changed(13, "plic", WORD(PENDING));
    put('\n');
}

/* One instruction of the script, a fence that ends the block, and the return: always at an address of its own. */
#define INSTRUCTIONS ((uint32_t *)0x80200000u)
static uint32_t *code;

/* In M-mode QEMU keeps the rights that it has found for a page, whatever MPRV and MPP say then, until one of them is
 * written. */
static void forget_rights(void) {
    uint32_t status = READ("mstatus");
    WRITE("mstatus", status ^ MACHINE_MODE);
    WRITE("mstatus", status);
}

__attribute__((noinline)) static uint32_t execute(uint32_t instruction, uint32_t first, uint32_t second) {
    uint32_t *place = code;
    if (!user) forget_rights();
    code += 4;
    place[0] = instruction;
    place[1] = 0x0000100f; /* fence.i */
    place[2] = 0x00008067; /* ret */
    __asm volatile("fence.i" ::: "memory");
    return ((uint32_t(*)(uint32_t, uint32_t))place)(first, second);
}

#define RIGHTS (3u << 11 | 1u << 17) /* MPP, and MPRV, which QEMU leaves at mret */

static void to_user(void) {
    user = 1;
    uint32_t scratch;
    __asm volatile("csrc mstatus, %1\n la %0, 1f\n csrw mepc, %0\n mret\n 1:" : "=&r"(scratch) : "r"(RIGHTS) : "memory");
}

static void to_machine(void) {
    wants_machine = 1;
    execute(0x00000073, 0, 0);
}

/* A load or store by the rights of user mode at the edge of a region: entry 0 has the region, entry 1 its page. */
static uint32_t at_edge(const struct action *action) {
    uint32_t outer_edge = edge, enabled = READ("mie"), traps = entries;
    WRITE("mie", 0);
    __asm volatile("csrc mstatus, %0" ::"r"(RIGHTS) : "memory");
    /* A misaligned store that was refused, and whose handler still runs, may have stored some of its bytes. */
    for (uint32_t place = EDGE_REGION - 4; place < EDGE_REGION + 12; place += 4) WORD(place) = place;
    WRITE("pmpaddr0", EDGE_REGION >> 2);
    WRITE("pmpaddr1", SCRATCH >> 2 | 0x1ff);
    WRITE("pmpcfg0", action->detail);
    edge = action->first;
    __asm volatile("csrc mstatus, %0\n csrs mstatus, %1" ::"r"(MACHINE_MODE), "r"(RIGHTS & ~MACHINE_MODE) : "memory");
    uint32_t result = execute(action->code, action->first, action->second);
    __asm volatile("csrc mstatus, %0" ::"r"(RIGHTS) : "memory");
    if (entries == traps)
        for (uint32_t place = EDGE_REGION - 4; place < EDGE_REGION + 12; place += 4) result = result * 31 + WORD(place);
    WRITE("mie", enabled);
    edge = outer_edge;
    return result;
}

/* A misaligned access may be refused for any of its bytes. */
static uint32_t refused_address(uint32_t address) {
    return edge && address - edge < 4 ? edge : address;
}

/* The script has loaded from the claim register, or stored to it. */
static void note_claim(const struct action *action, uint32_t result) {
    int loads = (action->code & 0x7f) == 3;
    if ((loads ? result : action->second) == SOURCE) in_service = loads;
}

extern char direct[], vectored[];

static int step(void) {
    const struct action *action = next;
    if (action->operation == END) return 0;
    next++;
    if (action->operation == LEAVE) return !depth;
    word("", action->operation);
    word("", action->code);
    word("", action->first);
    word("", action->second);
    put('\n');
    uint32_t result = 0;
    switch (action->operation) {
    case EXECUTE:
        result = execute(action->code, action->first, action->second);
        if (action->first == CLAIM) note_claim(action, result);
        if (action->detail & SILENT || (action->first == PENDING && in_service)) result = 0;
        break;
    case USER:
        if (!depth && !user) to_user();
        break;
    case MACHINE:
        if (!depth && user) to_machine();
        break;
    case VECTORS:
        if (!user) WRITE("mtvec", action->first ? (uint32_t)vectored | 1 : (uint32_t)direct);
        break;
    case EDGE:
        if (!user) result = at_edge(action);
        break;
    default: break;
    }
    word("", result);
    show();
    return 1;
}

static void run(void) {
    while (step()) {
    }
}

static void next_scenario(void) {
    BYTE(UART + 1) = 0;
    WRITE("mstatus", MACHINE_MODE); /* no MPRV, no interrupts */
    flush();
    PROGRESS++;
    CODE_USED = (uint32_t)(code - INSTRUCTIONS);
    WORD(FINISHER) = 0x7777;
    for (;;) {
    }
}

/* Addresses in the newest instruction count from its end; where an interrupt comes there does not matter. */
static uint32_t short_address(uint32_t address, int exact) {
    uint32_t offset = address - (uint32_t)(code - 4);
    return offset >= 16 ? address : exact ? offset : 0;
}

/* Claim what interrupts, whatever the threshold is now: with one QEMU would claim nothing. */
static uint32_t claim(void) {
    uint32_t status, threshold = WORD(PLIC + 0x200000);
    __asm volatile("csrrci %0, mstatus, 8" : "=r"(status)::"memory");
    WORD(PLIC + 0x200000) = 0;
    uint32_t source = WORD(CLAIM);
    WORD(PLIC + 0x200000) = threshold;
    __asm volatile("csrs mstatus, %0" ::"r"(status & 8) : "memory");
    return source;
}

/* Registers by their numbers; x0's place is unused. */
__attribute__((used)) void handle(uint32_t *registers, uint32_t entry) {
    uint32_t cause = READ("mcause"), pc = READ("mepc"), status = READ("mstatus"), outer_user = user;
    user = 0;
    put('>');
    word("", cause);
    word("entry", entry);
    word("pc", short_address(pc, !(cause >> 31)));
    if (cause == 3) WRITE("mtval", 0); /* as QEMU has it */
    WRITE("mtval", refused_address(READ("mtval")));
    word("mtval", READ("mtval"));
    word("a0", registers[10]);
    show();
    if (!(cause >> 31)) pc = registers[1]; /* goes on behind the instruction of the script */
    depth++;
    if (cause == 8 && wants_machine) {
        status |= MACHINE_MODE;
        outer_user = 0;
    } else if (entries < 50)
        run();
    if (!next->operation && !(cause >> 31)) {
        status |= MACHINE_MODE;
        outer_user = 0;
    }
    wants_machine = 0;
    if (++entries > 80) {
        put('!');
        put('\n');
        next_scenario();
    }
    depth--;
    if (cause == 0x80000003) WORD(CLINT) = 0;
    if (cause == 0x80000007) WORD(CLINT + 0x4004) = ~0u;
    if (cause == 0x8000000b) {
        uint32_t source = claim();
        word("claims", source);
        word("uart", BYTE(UART + 2) & 15);
        BYTE(UART + 1) = 0;
        WORD(CLAIM) = source;
    }
    put('<');
    show();
    if (!(status & MACHINE_MODE)) status &= ~RIGHTS;
    WRITE("mstatus", status);
    WRITE("mepc", pc);
    user = outer_user;
}

#define SLOT(n) "j entry_" #n "\n"
#define ENTRY(n) "entry_" #n ": addi sp, sp, -128\n sw a1, 44(sp)\n li a1, " #n "\n j common\n"
__asm(".section .text\n .option push\n .option norvc\n .balign 256\n .global vectored\n vectored:\n" SLOT(0) SLOT(1) SLOT(2)
          SLOT(3) SLOT(4) SLOT(5) SLOT(6) SLOT(7) SLOT(8) SLOT(9) SLOT(10) SLOT(11) ENTRY(0) ENTRY(1) ENTRY(2) ENTRY(3)
              ENTRY(4) ENTRY(5) ENTRY(6) ENTRY(7) ENTRY(8) ENTRY(9) ENTRY(10) ENTRY(11)
      ".balign 256\n .global direct\n direct:\n" ENTRY(99)
      "common: sw ra, 4(sp)\n sw gp, 12(sp)\n sw tp, 16(sp)\n sw t0, 20(sp)\n sw t1, 24(sp)\n sw t2, 28(sp)\n"
      "sw s0, 32(sp)\n sw s1, 36(sp)\n sw a0, 40(sp)\n sw a2, 48(sp)\n sw a3, 52(sp)\n sw a4, 56(sp)\n sw a5, 60(sp)\n"
      "sw a6, 64(sp)\n sw a7, 68(sp)\n sw t3, 112(sp)\n sw t4, 116(sp)\n sw t5, 120(sp)\n sw t6, 124(sp)\n"
      "mv a0, sp\n call handle\n"
      "lw ra, 4(sp)\n lw gp, 12(sp)\n lw tp, 16(sp)\n lw t0, 20(sp)\n lw t1, 24(sp)\n lw t2, 28(sp)\n lw s0, 32(sp)\n"
      "lw s1, 36(sp)\n lw a0, 40(sp)\n lw a1, 44(sp)\n lw a2, 48(sp)\n lw a3, 52(sp)\n lw a4, 56(sp)\n lw a5, 60(sp)\n"
      "lw a6, 64(sp)\n lw a7, 68(sp)\n lw t3, 112(sp)\n lw t4, 116(sp)\n lw t5, 120(sp)\n lw t6, 124(sp)\n"
      "addi sp, sp, 128\n mret\n .option pop\n");

__attribute__((used)) void begin(void) {
    if (PROGRESS_MAGIC != MAGIC) {
        PROGRESS_MAGIC = MAGIC;
        PROGRESS = SCRIPT->first;
        CODE_USED = 0;
    }
    if (PROGRESS >= SCRIPT->count) {
        WORD(FINISHER) = 0x5555;
        for (;;) {
        }
    }
    for (uint32_t index = 0; index < SCRATCH_SIZE; index += 4) WORD(SCRATCH + index) = 0x00008067; /* ret */
    code = INSTRUCTIONS + CODE_USED;
    next = (const struct action *)((uint32_t)SCRIPT + SCRIPT->begin[PROGRESS]);
    /* QEMU's reset leaves some of these alone. */
    WRITE("mie", 0);
    WRITE("mscratch", 0);
    WRITE("mcounteren", 0);
    WRITE("mcountinhibit", 0);
    WRITE("mepc", 0);
    WRITE("mcause", 0);
    WRITE("mtval", 0);
    WRITE("pmpcfg0", 0);
    WRITE("pmpcfg1", 0);
    WRITE("pmpcfg2", 0);
    WRITE("pmpaddr0", 0);
    WRITE("pmpaddr1", 0);
    WRITE("pmpaddr2", 0);
    WRITE("pmpaddr3", 0);
    WRITE("pmpaddr4", 0);
    WRITE("pmpaddr5", 0);
    WRITE("pmpaddr6", 0);
    WRITE("pmpaddr7", 0);
    WRITE("pmpaddr8", 0);
    WRITE("mstatus", MACHINE_MODE);
    WORD(PLIC + 0x2000) = 1 << 10;
    WORD(PLIC + 4 * 10) = WORD(PLIC + 0x200000) = WORD(CLINT) = WORD(CLINT + 0x4000) = 0;
    WRITE("mtvec", direct);
    WRITE("pmpaddr15", 0x3fffffff);
    WRITE("pmpcfg3", 0x1f000000); /* entry 15: everything is allowed */
    WORD(CLINT + 0x4004) = ~0u;
    put('=');
    word("", PROGRESS);
    show();
    run();
    if (user) to_machine();
    put('=');
    put('\n');
    next_scenario();
}

__attribute__((naked, section(".start"))) void start(void) {
    __asm volatile("la sp, stack_top\n la t0, bss_start\n la t1, bss_end\n 1: sw zero, 0(t0)\n addi t0, t0, 4\n"
                   "bltu t0, t1, 1b\n j begin");
}
