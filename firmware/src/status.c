/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/status.h>

static const char *const errors[] = {
    [-IMNPU_E_ARGUMENT] = "an argument is outside of what the function allows",
    [-IMNPU_E_NONE_FREE] = "every cluster is claimed",
    [-IMNPU_E_NOT_CLAIMED] = "the cluster was not claimed",
    [-IMNPU_E_CLAIMED] = "the cluster is claimed already",
    [-IMNPU_E_BUSY] = "the device is still at work",
    [-IMNPU_E_IDLE] = "nothing was started that could be waited for",
    [-IMNPU_E_TIMEOUT] = "the time was over first",
    [-IMNPU_E_CLUSTER] = "the cluster stopped with an error",
    [-IMNPU_E_ENDED] = "the program ended without what was waited for",
    [-IMNPU_E_TILE_MODE] = "the tile is in compute mode, its array cannot be accessed",
    [-IMNPU_E_HARDWARE] = "the cluster is not one that this library knows",
    [-IMNPU_E_END_OF_DATA] = "the input stream has less data than a frame",
    [-IMNPU_E_STREAM] = "the input stream could not write the frame to memory",
    [-IMNPU_E_EMPTY] = "nothing has been received",
};

const char *imnpu_status_text(int status)
{
    if (status == IMNPU_OK) {
        return "done";
    }
    if (status == IMNPU_RUNNING) {
        return "the work has not ended yet";
    }
    if (status < 0 && status > -(int)(sizeof errors / sizeof errors[0])) {
        return errors[-status];
    }
    return "unknown status";
}
