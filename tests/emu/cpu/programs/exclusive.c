/* Exceptions clear the exclusive monitor, CLREX does, and a store-exclusive in a skipped IT slot does nothing. */

#include "report.h"

static volatile uint32_t word;

HANDLER(sv_call) { (void)frame, (void)exc_return; }

VECTORS(sv_call, 0);

#define TRY(between)                                                                                                   \
    ({                                                                                                                 \
        uint32_t failed;                                                                                               \
        __asm volatile("ldrex r1, [%1]\n" between "\n strex %0, %2, [%1]"                                              \
                       : "=&r"(failed)                                                                                 \
                       : "r"(&word), "r"(++value)                                                                      \
                       : "r0", "r1", "r2", "r3", "r12", "memory");                                                                \
        failed;                                                                                                        \
    })

static void tell(const char *name, uint32_t failed) {
    text(name);
    hex("failed", failed);
    hex("word", word);
    end();
}

void reset(void) {
    uint32_t value = 0, failed;
    tell("plain", TRY(""));
    tell("exception", TRY("svc #0"));
    tell("exception, twice", TRY("svc #0\n svc #0"));
    tell("again", TRY(""));
    tell("clrex", TRY("clrex"));
    tell("other registers", TRY("movs r2, #1"));
    tell("load after exception", TRY("svc #0\n ldrex r1, [%1]"));
    __asm volatile("ldrexb r1, [%1]\n svc #0\n strexb %0, %2, [%1]" : "=&r"(failed) : "r"(&word), "r"(7) : "r1", "memory");
    tell("byte", failed);
    __asm volatile("ldrexh r1, [%1]\n svc #0\n strexh %0, %2, [%1]" : "=&r"(failed) : "r"(&word), "r"(7) : "r1", "memory");
    tell("half-word", failed);
    failed = 5;
    __asm volatile("ldrex r1, [%1]\n svc #0\n cmp %1, #0\n it eq\n strexeq %0, %1, [%1]"
                   : "+r"(failed)
                   : "r"(&word)
                   : "r1", "cc", "memory");
    tell("skipped", failed);
    __asm volatile("ldrex r1, [%1]\n svc #0\n cmp %1, #0\n itte ne\n strexne %0, %1, [%1]\n addne %0, #0x10\n addeq %0, #0x20"
                   : "+r"(failed)
                   : "r"(&word)
                   : "r1", "cc", "memory");
    tell("in an IT block", failed);
    SHCSR = 7u << 16;
    recover = 0;
    __asm volatile("ldrex r1, [%1]\n ldr.w r2, [%2]\n strex %0, %1, [%1]"
                   : "=&r"(failed)
                   : "r"(&word), "r"(0x70000000)
                   : "r1", "r2", "memory");
    tell("fault between", failed);
    finish();
}
