/* SPDX-License-Identifier: BSD-3-Clause */
/* Carries out scripts of actions that have to do with exceptions, and prints what it sees, by semihosting.
 *
 * Whatever runs, thread or handler, takes the next action of one script. A handler returns at LEAVE, the scenario ends
 * with the script. Interrupts come only in the functions that are written in assembly, behind their barriers. */
#include "scenario_output.h"
#include "torture.h"

struct action {
    uint16_t operation, detail;
    uint32_t first, second;
};

/* What the test puts into memory: the number of scenarios, the first one, where the actions of each begin. */
struct script {
    uint32_t count, first, begin[];
};
#define SCRIPT ((const struct script *)SCRIPT_ADDRESS)
/* Memory at WORK that scripts know: a vector table, words to load and store, and what outlives resets. */
#define TABLE_COPY ((uint32_t *)WORK)
#define VECTORS 64 /* whatever byte a script jumps to, there is no code */
#define WORDS ((uint32_t *)(WORK + 0x200))
#define PROGRESS REGISTER(WORK + 0x3f8) /* scenarios done */
#define PROGRESS_MAGIC REGISTER(WORK + 0x3fc)
#define MAGIC 0x600dcafeu
enum { END, LEAVE, STORE, LOAD, STORE_BYTE, LOAD_BYTE, SPECIAL, WRONG, CALL, RETURN, FRAME, STACK, BAD_STACK, EAGER };

struct frame {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};
#define NOWHERE 0x70000000u /* where scripts point the process stack to */
#define IN_THREAD 8u
#define ON_PROCESS 4u
#define NO_FLOATS 16u
#ifdef __ARM_ARCH_6M__
#define BASELINE
#endif

static uint32_t eager, daring; /* printing at once; faults although they lock the core up */

static uint32_t privileged(void) { return READ("ipsr") || !(READ("control") & 1); }

static void flush(void) {
    output[used] = 0;
    used = 0;
    text(output);
}

static void newline(void) {
    put('\n');
    if ((eager || used > sizeof output / 2) && privileged()) flush();
}

/* What is shown after each action, if it has changed. */
static const struct {
    const char *name;
    uint32_t address, mask;
} watched[] = {
    {"icsr", 0xE000ED04, ICSR_MASK},
    {"shcsr", 0xE000ED24, SHCSR_MASK},
    {"iser", 0xE000E100, ~0u},
    {"ispr", 0xE000E200, ~0u},
#ifndef BASELINE
    {"iabr", 0xE000E300, ~0u},
    {"cfsr", 0xE000ED28, ~0u},
    {"hfsr", 0xE000ED2C, HFSR_MASK},
    {"aircr", 0xE000ED0C, 0x700},
    {"ccr", 0xE000ED14, ~0u},
    {"fpccr", 0xE000EF34, FPCCR_MASK},
    {"fpcar", 0xE000EF38, ~0u},
#endif
};
#define WATCHED (sizeof watched / sizeof *watched)
static uint32_t seen[WATCHED + 8];

static void changed(uint32_t index, const char *name, uint32_t value) {
    if (seen[index] != value) word(name, value);
    seen[index] = value;
}

static void show(void) {
    changed(WATCHED, "control", READ("control"));
    changed(WATCHED + 1, "ipsr", READ("ipsr"));
    if (privileged()) {
        changed(WATCHED + 2, "primask", READ("primask"));
#ifndef BASELINE
        changed(WATCHED + 3, "basepri", READ("basepri"));
        changed(WATCHED + 4, "faultmask", READ("faultmask"));
        if (REGISTER(0xE000ED28) & 0x80) changed(WATCHED + 5, "mmfar", MMFAR);
        if (REGISTER(0xE000ED28) & 0x8000) changed(WATCHED + 6, "bfar", BFAR);
#endif
        changed(WATCHED + 7, "psp", READ("psp"));
        for (uint32_t index = 0; index < WATCHED; index++)
            changed(index, watched[index].name, REGISTER(watched[index].address) & watched[index].mask);
    }
    newline();
}

/* The actions themselves. LR stays intact, and no stack is used: whatever goes wrong can be left by it. */
typedef uint32_t leaf(uint32_t a, uint32_t b);
#define LEAF(name, code)                                                                                               \
    __attribute__((naked, noinline, aligned(32))) static uint32_t name(uint32_t a, uint32_t b) {                       \
        __asm volatile(".syntax unified\n" code "\n bx lr\n");                                                         \
    }
#define SYNC "\n .balign 4\n dsb\n isb" /* no address behind a barrier that is not one of a word: QEMU */
LEAF(store, "str r1, [r0]" SYNC)
LEAF(store_byte, "strb r1, [r0]" SYNC)
LEAF(load, "ldr r0, [r0]")
LEAF(load_byte, "ldrb r0, [r0]")
LEAF(set_primask, "msr primask, r0" SYNC "\n mrs r0, primask")
LEAF(set_psr, "msr apsr_nzcvq, r0\n mrs r0, xpsr")
LEAF(mask, "cpsid i" SYNC)
LEAF(unmask, "cpsie i" SYNC)
LEAF(undefined, "udf #7")
LEAF(branch, "bx r0")
LEAF(break_point, "bkpt #1")
LEAF(wide, ".short 0xf7f0, 0xa000")
LEAF(call, "nop\n svc #1")
LEAF(call_unaligned, "push {r4}\n svc #5\n pop {r4}")
LEAF(hints, "nop\n sev\n yield" SYNC)
LEAF(load_multiple, "ldmia r0!, {r1, r2}")
LEAF(pull, "push {r0}\n pop {pc}")
#ifndef BASELINE
LEAF(set_basepri, "msr basepri, r0" SYNC "\n mrs r0, basepri")
LEAF(raise_basepri, "msr basepri_max, r0" SYNC "\n mrs r0, basepri")
LEAF(set_faultmask, "msr faultmask, r0" SYNC "\n mrs r0, faultmask")
LEAF(mask_faults, "cpsid f" SYNC)
LEAF(unmask_faults, "cpsie f" SYNC)
LEAF(divide, "movs r2, #0\n udiv r0, r1, r2")
LEAF(divide_signed, "movs r2, #0\n sdiv r0, r1, r2")
LEAF(coprocessor, "mcr p1, 0, r0, c0, c0")
LEAF(coprocessor_data, "cdp p0, 0, c0, c0, c0, 0")
LEAF(load_pair, "ldrd r1, r2, [r0]")
LEAF(store_pair, "strd r1, r1, [r0]")
LEAF(load_user, "ldrt r0, [r0]")
LEAF(store_user, "strt r1, [r0]")
LEAF(load_exclusive, "ldrex r0, [r0]")
LEAF(store_exclusive, "mov r2, r0\n strex r0, r1, [r2]")
LEAF(clear_exclusive, "clrex")
LEAF(jump_indirect, "ldr pc, [r0]")
LEAF(skipped, "cmp r0, r1\n ite eq\n moveq r0, r1\n ldrne r0, [r0]")
LEAF(call_in_block, "cmp r0, r1\n ittte eq\n addeq r0, #1\n svceq #2\n addeq r0, #2\n addne r0, #4")
LEAF(table_branch, "tbb [r0, r1]")
LEAF(hyper, ".short 0xf7e0, 0x8000")
#endif
#ifdef __ARM_FP
LEAF(set_floats, "vmov s0, r0\n vmov s1, r1\n vmov s15, r0\n vmov s16, r1")
LEAF(add_floats, "vadd.f32 s0, s0, s15\n vmov r0, s0")
LEAF(set_rounding, "vmsr fpscr, r0\n vmrs r0, fpscr")
LEAF(get_s0, "vmov r0, s0")
LEAF(get_s15, "vmov r0, s15")
LEAF(get_s16, "vmov r0, s16")
LEAF(get_rounding, "vmrs r0, fpscr")
#endif

/* By the numbers that scripts have for them. */
static leaf *const specials[] = {
    set_primask, set_psr, mask, unmask, hints,
#ifndef BASELINE
    set_basepri, raise_basepri, set_faultmask, mask_faults, unmask_faults,
#endif
};
static leaf *const wrongs[] = {
    store, store_byte, load, load_byte, undefined, branch, break_point, wide, load_multiple,
#ifndef BASELINE
    divide, divide_signed, coprocessor, coprocessor_data, load_pair, store_pair, load_user, store_user, load_exclusive,
    store_exclusive, clear_exclusive, jump_indirect, skipped, call_in_block, table_branch, hyper,
#endif
#ifdef __ARM_FP
    set_floats, add_floats, set_rounding, get_s0, get_s15, get_s16, get_rounding,
#endif
};
#define WRONGS (sizeof wrongs / sizeof *wrongs)

static const struct action *next;
static uint32_t entries, depth, running; /* handlers begun, nested, and the number of the innermost one */
static struct frame good_frame __attribute__((aligned(8)));
static uint32_t handler_stack[STACK_WORDS] __attribute__((aligned(8)));

/* Exceptions while the process stack pointer points nowhere: r4 keeps the real one. */
__attribute__((naked, noinline)) static void on_bad_stack(uint32_t pointer, uint32_t address, uint32_t value) {
    __asm volatile(
        "push {r4-r7, lr}\n mov r4, sp\n mov sp, r0\n cmp r1, #0\n beq 1f\n str r2, [r1]\n dsb\n isb\n b 2f\n"
        "1: svc #3\n .global bad_stack_end\n .balign 4\n bad_stack_end:\n 2: mov sp, r4\n pop {r4-r7, pc}");
}
void bad_stack_end(void);

/* Stack and privilege of thread mode; on the process stack the main one is left to handlers. */
__attribute__((naked, noinline)) static void to_process_stack(uint32_t control, void *handlers) {
    __asm volatile("mov r2, sp\n msr psp, r2\n movs r3, #2\n msr control, r3\n isb\n msr msp, r1\n msr control, r0\n isb\n bx lr");
}
__attribute__((naked, noinline)) static void to_main_stack(uint32_t control) {
    __asm volatile("mov r2, sp\n msr msp, r2\n movs r3, #0\n msr control, r3\n isb\n msr control, r0\n isb\n bx lr");
}

static void choose_stack(uint32_t control) {
    uint32_t now = READ("control");
    if (now & 1 || READ("ipsr"))
        WRITE("control", control); /* what of this is ignored is to be seen */
    else if (depth)
        WRITE("control", (now & ~1u) | (control & 1)); /* a handler in thread mode stays on its stack */
    else if (control & 2 && !(now & 2))
        to_process_stack(control & 3, handler_stack + STACK_WORDS);
    else if (!(control & 2) && now & 2)
        to_main_stack(control & 3);
    else
        WRITE("control", (now & ~1u) | (control & 1));
}

/* What the innermost handler has to change about its return, and which handler to go back to from thread mode. */
static uint32_t wanted_return, wanted_handler, wants_handler, innermost_return;
static struct frame *innermost;

/* In ARMv8-M the choice of the stack for thread mode may be kept for a handler, too. */
static int on_process(uint32_t exc_return) { return exc_return & IN_THREAD && exc_return & ON_PROCESS; }

static int in_memory(uint32_t address) { return address >= MEMORY && address < MEMORY + MEMORY_SIZE && !(address & 3); }

/* The EXC_RETURN values that belong to frames whose handlers have returned with an illegal one. */
static struct {
    uint32_t stack, exc_return;
} kept[8];

static void keep(uint32_t stack, uint32_t exc_return) {
    for (int index = 7; index; index--) kept[index] = kept[index - 1];
    kept[0].stack = stack;
    kept[0].exc_return = exc_return;
}

static uint32_t legal(uint32_t stack, uint32_t exc_return) {
    for (int index = 0; index < 8; index++)
        if (kept[index].stack == stack && kept[index].exc_return) {
            exc_return = kept[index].exc_return;
            kept[index].exc_return = 0;
            break;
        }
    return exc_return;
}

/* What belongs to frames that are not there any more: code that goes on has them below its stack pointer. */
static void forget(void) {
    uint32_t now;
    __asm volatile("mov %0, sp" : "=r"(now));
    for (int index = 0; index < 8; index++)
        if (!depth || kept[index].stack <= now) kept[index].exc_return = 0;
}

static int in(leaf *function, uint32_t pc) { return pc - ((uint32_t)function & ~1u) < 32; }

static void give_up(void);

static int in_code(uint32_t pc) { return pc >= CODE + 4 * VECTORS && pc < CODE + 0x10000; }

/* A fault handler goes on behind the action that has gone wrong. Not compared: a handler that has ended in thread mode,
 * whose LR is anything; words of its stack would be run. */
static void recover(struct frame *frame, uint32_t exc_return) {
    uint32_t pc = frame->pc;
    int wrong = !in_code(pc);
    for (uint32_t index = 0; index < WRONGS; index++) wrong |= in(wrongs[index], pc);
    if (wrong) {
        if (!in_code(frame->lr)) give_up();
        frame->pc = frame->lr & ~1u;
        frame->xpsr &= ~0x0600fc00u;
    }
    frame->xpsr = (frame->xpsr & ~0x1ffu) | (exc_return & IN_THREAD ? 0 : running) | 1u << 24;
}

static void run(void);

static void show_frame(struct frame *frame, uint32_t exc_return) {
    word("r0", frame->r0);
    word("r1", frame->r1);
    word("lr", frame->lr);
    /* It does not matter how far behind a store an interrupt comes. */
    word("pc", in(store, frame->pc) && frame->pc & 31 ? (uint32_t)store + 1 : frame->pc);
    word("xpsr", frame->xpsr);
#ifdef __ARM_FP
    if (!(exc_return & NO_FLOATS)) {
        word("s0", ((uint32_t *)frame)[8]);
        word("s15", ((uint32_t *)frame)[23]);
        word("fpscr", ((uint32_t *)frame)[24]);
    }
#else
    (void)exc_return;
#endif
}

static void next_scenario(void) {
    PROGRESS++;
    flush();
    AIRCR = 0x05fa0004;
    BARRIER();
    for (;;) {
    }
}

/* The scenario has lost its stacks or its handlers, or goes round in circles. */
static void give_up(void) {
    put('!');
    newline();
    next_scenario();
}

__attribute__((used)) static uint32_t handle(uint32_t stack, uint32_t exc_return) {
    uint32_t number = READ("ipsr"), outer = running;
    uint32_t outer_return = innermost_return;
    struct frame *outer_frame = innermost;
    put('>');
    word("", number);
    word("exc", exc_return);
    exc_return = legal(stack, exc_return);
    struct frame *frame = (struct frame *)(on_process(exc_return) ? READ("psp") : stack);
    int readable = in_memory((uint32_t)frame), is_fault = number >= 3 && number <= 6;
    word("sp", (uint32_t)frame);
    if (readable) show_frame(frame, exc_return);
    show();
    if (!readable && (uint32_t)frame >> 16 != NOWHERE >> 16) give_up();
    if (is_fault && !readable) {
        good_frame = (struct frame){.pc = (uint32_t)bad_stack_end & ~1u, .xpsr = 1u << 24, .lr = ~0u};
        WRITE("psp", &good_frame);
        exc_return |= NO_FLOATS;
        frame = &good_frame;
    } else if (is_fault)
        recover(frame, exc_return);
    if (number < 7 && !eager) flush();
    innermost = frame;
    innermost_return = exc_return;
    running = number;
    depth++;
    wanted_return = 0;
    if (wants_handler && (number == 3 || number == 11)) {
        wants_handler = 0;
        frame->xpsr = (frame->xpsr & ~0x1ffu) | wanted_handler;
        exc_return &= ~(IN_THREAD | ON_PROCESS);
    } else if (entries < 60)
        run();
    if (++entries > 100) give_up();
    for (uint32_t tries = 0; READ("ipsr") != number && tries < 4; tries++) {
        wanted_handler = number;
        wants_handler = 1;
        call(0, 0);
    }
    if (READ("ipsr") != number) give_up();
    if (!next->operation) WRITE("control", READ("control") & ~1u);
    depth--;
    innermost = outer_frame;
    innermost_return = outer_return;
    running = outer;
    put('<');
    word("", number);
    show();
    if (!wanted_return) return exc_return;
    keep(stack, exc_return);
    exc_return = wanted_return;
    wanted_return = 0;
    return exc_return;
}

/* The architecture leaves open which flags a handler begins with. */
__attribute__((naked)) void handler(void) {
    __asm volatile("mov r1, lr\n movs r0, #0\n msr apsr_nzcvq, r0\n mrs r0, msp\n push {r4, lr}\n ldr r3, =handle\n blx r3\n pop {r1, r2}\n mov r4, r1\n bx r0\n .ltorg");
}

void reset(void);
#define FOUR handler, handler, handler, handler
__attribute__((section(".vectors"), used)) void *const vectors[VECTORS] = {
    (void *)STACK_TOP, reset, handler, handler, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR};

/* Return with another value, for a frame of the same size. */
static void want_return(uint32_t value) { wanted_return = (value & ~NO_FLOATS) | (innermost_return & NO_FLOATS); }

/* Return with an illegal value, or with one that the frame does not fit. Not compared: a value that takes another frame,
 * from the other stack, where none is, and one of the wrong mode with floating-point registers. */
static void return_wrongly(uint32_t value) {
    if (!READ("ipsr")) return;
    int may_be_legal = !(value & 2), other_mode = (value ^ innermost_return) & IN_THREAD;
    if (may_be_legal && (on_process(innermost_return) || (other_mode && !(innermost_return & NO_FLOATS)))) return;
    want_return(value);
}

/* Change the frame that the innermost handler returns to. Not compared: an xPSR of the wrong mode on the process stack,
 * or with floating-point registers, and a return without T to half a word. */
static void change_frame(uint32_t kind, uint32_t value) {
    if (!depth || !READ("ipsr")) return;
    struct frame *frame = innermost;
    if (kind == 0 && !(frame->pc & 2)) frame->xpsr &= ~(1u << 24);
    if (kind == 1) frame->xpsr = (frame->xpsr & ~(31u << 27)) | value << 27;
    if (kind == 2 && !on_process(innermost_return) && innermost_return & NO_FLOATS) frame->xpsr = (frame->xpsr & ~0x1ffu) | value;
    if (kind == 3 && depth > 1 && READ("ipsr") == 11) { /* the interrupted handler goes on in thread mode */
        frame->xpsr &= ~0x1ffu;
        want_return(value);
    }
}

/* Whether a fault now would be a lockup. */
static uint32_t defenceless(void) {
    uint32_t number = READ("ipsr");
#ifndef BASELINE
    if (READ("faultmask")) return 1;
#endif
    return number == 2 || number == 3;
}

/* One action; false: nothing is left, or the handler shall return. */
static int step(void) {
    const struct action *action = next;
    if (action->operation == END) return 0;
    next++;
    if (action->operation == LEAVE) return !depth;
    forget();
    uint32_t result = 0, detail = action->detail, first = action->first, second = action->second;
    word("", action->operation);
    word("", detail);
    word("", first);
    newline();
    if (!daring && defenceless() && (action->operation == WRONG || action->operation >= CALL)) return 1;
    switch (action->operation) {
    case STORE: result = store(first, second); break;
    case LOAD: result = load(first, second); break;
    case STORE_BYTE: result = store_byte(first, second); break;
    case LOAD_BYTE: result = load_byte(first, second); break;
    case SPECIAL: result = specials[detail](first, second); break;
    case WRONG: result = wrongs[detail](first, second); break;
    case CALL: result = detail ? call_unaligned(first, second) : call(first, second); break;
    case RETURN: return_wrongly(first); break;
    case FRAME: change_frame(detail, first); break;
    case STACK: choose_stack(first); break;
    case BAD_STACK:
        if (!depth && (READ("control") & 3) == 2) on_bad_stack(first, detail ? 0xE000E200 : 0, second);
        break;
    case EAGER:
        eager = detail & 1;
        daring = detail & 2;
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

static void clear(void *begin, uint32_t bytes) {
    for (volatile uint32_t *word = begin; bytes; bytes -= 4) *word++ = 0;
}

__attribute__((used)) static void start(void) {
    if (PROGRESS_MAGIC != MAGIC) {
        PROGRESS_MAGIC = MAGIC;
        PROGRESS = SCRIPT->first;
    }
    if (PROGRESS >= SCRIPT->count) {
        static const uint32_t block[2] = {0x20026, 0};
        semihost(0x20, block);
    }
    clear(kept, sizeof kept);
    clear(seen, sizeof seen);
    clear(handler_stack, sizeof handler_stack);
    clear(WORDS, 0x1f0);
    for (int index = 0; index < VECTORS; index++) TABLE_COPY[index] = (uint32_t)vectors[index];
    TABLE_COPY[16 + 5] &= ~1u; /* the handler of interrupt 5 begins without T */
    used = eager = daring = entries = depth = running = wanted_return = wants_handler = 0;
    innermost = 0;
    next = (const struct action *)(SCRIPT_ADDRESS + SCRIPT->begin[PROGRESS]);
    put('=');
    word("", PROGRESS);
    show();
    run();
    while (!privileged()) call(0, 0);
    next_scenario();
}

__attribute__((naked)) void reset(void) {
    __asm volatile("mov r0, sp\n ldr r1, =0x800\n subs r0, r0, r1\n movs r1, #0\n 1: str r1, [r0]\n adds r0, #4\n cmp r0, sp\n"
                   "bne 1b\n ldr r0, =start\n bx r0\n .ltorg");
}
