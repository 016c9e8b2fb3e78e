/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/check.h>
#include <imnpu/cluster.h>
#include <imnpu/machine.h>
#include <imnpu/status.h>

#include <stdio.h>
#include <stdlib.h>

int imnpu_check(int status, const char *call, const char *file, int line)
{
    if (status >= 0) {
        return status;
    }
    printf("%s:%d: %s: %s\n", file, line, call, imnpu_status_text(status));
    for (int cluster = 0; cluster < IMNPU_CLUSTERS; ++cluster) {
        imnpu_error error;
        if (imnpu_error_read(cluster, &error) == IMNPU_OK && error.cause != CLUSTER_ERROR_CAUSE_CAUSE_NONE) {
            printf("cluster %d: %s (program at 0x%08lx, address or word 0x%08lx)\n", cluster,
                   imnpu_cause_text(error.cause), (unsigned long)error.pc, (unsigned long)error.address);
        }
    }
    exit(EXIT_FAILURE);
}
