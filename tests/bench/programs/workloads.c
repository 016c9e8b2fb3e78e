/* SPDX-License-Identifier: BSD-3-Clause */
/* One kind of work, WORK, repeated ROUNDS times; then its checksum in hexadecimal. */
#include BOARD

static uint32_t random_state = 1;
static uint32_t next_random(void) { return random_state = random_state * 1664525u + 1013904223u; }

/* Integer work of the kinds that embedded firmware does: a list, a matrix, a state machine over text, a CRC. */
struct node {
    struct node *next;
    int16_t key, value;
};
#define NODES 64
static struct node nodes[NODES];
static struct node *list;

static void make_list(void) {
    for (int i = 0; i < NODES; i++) {
        nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : 0;
        nodes[i].key = (int16_t)(next_random() >> 16);
        nodes[i].value = (int16_t)i;
    }
    list = nodes;
}

static struct node *reverse(struct node *head) {
    struct node *result = 0;
    while (head) {
        struct node *next = head->next;
        head->next = result;
        result = head;
        head = next;
    }
    return result;
}

static uint32_t search_list(uint32_t sought) {
    uint32_t found = 0;
    for (int16_t i = 0; i < 16; i++) {
        struct node *at = list;
        while (at && at->value != (int16_t)((sought + i) % NODES)) at = at->next;
        if (at) found += (uint32_t)at->key;
    }
    list = reverse(list);
    return found;
}

#define SIDE 12
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];

static void make_matrices(void) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = (int16_t)(next_random() >> 20);
            right[i][j] = (int16_t)(next_random() >> 20);
        }
}

static uint32_t multiply_matrices(int16_t bias) {
    uint32_t sum = 0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int32_t total = 0;
            for (int k = 0; k < SIDE; k++) total += left[i][k] * right[k][j];
            product[i][j] = total + bias;
            sum += (uint32_t)(product[i][j] >> 4);
        }
    return sum;
}

static const char text[] = "5012,-874,+122,0x1f,-1.25e+3,.5,T0.3e-1F,87,-,+9.e2,1e,0,+0.644,";
enum { START, INTEGER, FRACTION, EXPONENT, INVALID, STATES };

static uint32_t scan_numbers(void) {
    uint32_t counts[STATES] = {0};
    uint32_t state = START;
    for (const char *c = text; *c; c++) {
        if (*c == ',') {
            counts[state]++;
            state = START;
            continue;
        }
        uint32_t digit = (uint32_t)(*c - '0') <= 9;
        switch (state) {
        case START: state = digit || *c == '+' || *c == '-' ? INTEGER : *c == '.' ? FRACTION : INVALID; break;
        case INTEGER: state = digit ? INTEGER : *c == '.' ? FRACTION : *c == 'e' ? EXPONENT : INVALID; break;
        case FRACTION: state = digit ? FRACTION : *c == 'e' ? EXPONENT : INVALID; break;
        case EXPONENT: state = digit || *c == '+' || *c == '-' ? EXPONENT : INVALID; break;
        default: break;
        }
    }
    return counts[INTEGER] | counts[FRACTION] << 8 | counts[EXPONENT] << 16 | counts[INVALID] << 24;
}

static uint16_t update_crc(uint16_t crc, uint32_t value) {
    for (int bit = 0; bit < 32; bit++) {
        uint16_t feedback = (uint16_t)((crc ^ value) & 1);
        value >>= 1;
        crc >>= 1;
        if (feedback) crc ^= 0xa001;
    }
    return crc;
}

__attribute__((noinline)) static uint32_t work_integer(uint32_t rounds) {
    uint16_t crc = 0;
    make_list();
    make_matrices();
    for (uint32_t i = 0; i < rounds; i++) {
        crc = update_crc(crc, search_list(i));
        crc = update_crc(crc, multiply_matrices((int16_t)crc));
        crc = update_crc(crc, scan_numbers());
    }
    return crc;
}

#define WORDS 4096
static uint32_t source[WORDS], target[WORDS];

__attribute__((noinline)) static uint32_t work_memcpy(uint32_t rounds) {
    for (uint32_t i = 0; i < WORDS; i++) source[i] = next_random();
    for (uint32_t round = 0; round < rounds; round++) {
        const uint32_t *from = source;
        uint32_t *to = target;
        for (; from < source + WORDS; from += 8, to += 8) {
            uint32_t a = from[0], b = from[1], c = from[2], d = from[3];
            to[0] = a, to[1] = b, to[2] = c, to[3] = d;
            a = from[4], b = from[5], c = from[6], d = from[7];
            to[4] = a, to[5] = b, to[6] = c, to[7] = d;
        }
        __asm__ volatile("" : : "r"(target) : "memory");
    }
    return target[WORDS / 2];
}

__attribute__((noinline)) static uint32_t work_float(uint32_t rounds) {
    static float history[16];
    float total = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        float input = (float)(int32_t)(round & 0xff) * 0.0078125f - 1.0f;
        for (int i = 15; i > 0; i--) history[i] = history[i - 1];
        history[0] = input;
        float sum = 0;
        for (int i = 0; i < 16; i++) sum += history[i] * (0.5f - 0.03125f * (float)i);
        total = total * 0.75f + sum / (1.0f + sum * sum);
    }
    union {
        float value;
        uint32_t bits;
    } result = {total};
    return result.bits;
}

__attribute__((noinline)) static uint32_t work_call(uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++) call_supervisor();
    return rounds;
}

#ifdef HAS_USER_MODE
__attribute__((noinline)) static uint32_t work_user_call(uint32_t rounds) {
    enter_user_mode();
    return work_call(rounds);
}
#endif

__attribute__((noinline)) static uint32_t work_poll(uint32_t rounds) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < rounds; i++) sum += READY_FLAG;
    return sum;
}

__attribute__((noinline)) static void pass_instructions(uint32_t count) {
    for (count /= 4; count; count--) __asm__ volatile("nop\n nop");
}

/* Interrupts 10,000 instructions apart, which is 100 kHz where an instruction takes 1 ns. In real time they come only
   every 40 microseconds: QEMU falls behind if they come faster. */
static uint32_t tick_interval(void) {
    uint32_t period = 0;
    for (int i = 0; i < 2; i++) {
        start_clock();
        uint32_t start = clock_now();
        pass_instructions(10000);
        period = time_since(start);
    }
    return period < MICROSECONDS(10) ? MICROSECONDS(40) : period;
}

__attribute__((noinline)) static uint32_t work_tick(uint32_t rounds) {
    start_tick(tick_interval());
    while (ticks < rounds) {}
    return rounds;
}

#ifdef TIMER_FLAG
__attribute__((noinline)) static uint32_t work_wait(uint32_t rounds) {
    start_flag(tick_interval());
    for (uint32_t i = 0; i < rounds; i++) {
        /* Not unrolled: four straight lines are no loop that is skipped. */
        _Pragma("clang loop unroll(disable)") while (!TIMER_FLAG) {}
        TIMER_FLAG = 1;
    }
    return rounds;
}
#endif

__attribute__((noinline)) static uint32_t work_nothing(uint32_t rounds) { return rounds; }

int main(void) {
    uint32_t sum = WORK(ROUNDS);
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[sum >> shift & 15]);
    put('\n');
    return 0;
}
