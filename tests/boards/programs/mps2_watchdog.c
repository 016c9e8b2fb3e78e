/* SPDX-License-Identifier: BSD-3-Clause */
/* The watchdog: its lock, NMI at the first end of the count, reset at the second. */
#include "mps2.h"

#define KEPT REGISTER(0x20380000) /* no segment lies here: a reset leaves it as it is */

static volatile uint32_t nmis;

static void interrupt(void) { finish(98); }

static void nmi(void) {
    nmis++;
    print_hex("nmi, MIS ", REGISTER(WATCHDOG + 0x14));
    if (nmis < 3) REGISTER(WATCHDOG + 0x0c) = 1;
    /* The third time it is left pending: the next end of the count resets the board. */
}

int main(void) {
    if (KEPT == 0x600d) {
        print("after the reset\n");
        print_hex("load ", REGISTER(WATCHDOG));
        print_hex("control ", REGISTER(WATCHDOG + 8));
        print_hex("ris ", REGISTER(WATCHDOG + 0x10));
        return 7;
    }
    KEPT = 0x600d;
    print_hex("id ", REGISTER(WATCHDOG + 0xfe0));
    REGISTER(WATCHDOG + 0xc00) = 1;
    REGISTER(WATCHDOG) = 1000;
    print_hex("locked ", REGISTER(WATCHDOG + 0xc00));
    print_hex("load ", REGISTER(WATCHDOG));
    REGISTER(WATCHDOG + 0xc00) = 0x1acce551;
    print_hex("locked ", REGISTER(WATCHDOG + 0xc00));
    REGISTER(WATCHDOG) = 100000;
    print_hex("load ", REGISTER(WATCHDOG));
    REGISTER(WATCHDOG + 8) = 3;
    for (;;) {} /* not WFI: in QEMU the time asleep depends on how busy this computer is */
}
