/* SPDX-License-Identifier: BSD-3-Clause
 * Says hello on the serial port. */
#include <stdio.h>

#include <imnpu/imnpu.h>

int main(void)
{
    printf("Hello from a host at %lu MHz with %d NPU clusters.\n", IMNPU_CLOCK_HZ / 1000000, IMNPU_CLUSTERS);
    return 0;
}
