/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/status.h>

const char *imnpu_status_text(int status)
{
    switch (status) {
    case IMNPU_OK:
        return "done";
    case IMNPU_RUNNING:
        return "the work has not ended yet";
    case IMNPU_E_ARGUMENT:
        return "an argument is outside of what the function allows";
    case IMNPU_E_NONE_FREE:
        return "every cluster is claimed";
    case IMNPU_E_NOT_CLAIMED:
        return "the cluster was not claimed";
    case IMNPU_E_CLAIMED:
        return "the cluster is claimed already";
    case IMNPU_E_BUSY:
        return "the device is still at work";
    case IMNPU_E_TIMEOUT:
        return "the time was over first";
    case IMNPU_E_CLUSTER:
        return "the cluster stopped with an error";
    case IMNPU_E_ENDED:
        return "the program ended without what was waited for";
    case IMNPU_E_END_OF_DATA:
        return "the input stream has no more data";
    case IMNPU_E_STREAM:
        return "the input stream could not write to memory";
    case IMNPU_E_EMPTY:
        return "nothing has been received";
    default:
        return "unknown status";
    }
}
