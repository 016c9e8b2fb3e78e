/* SPDX-License-Identifier: BSD-3-Clause
 * What functions of the library return: 0 or more for success, a negative number for an error. */
#ifndef IMNPU_STATUS_H
#define IMNPU_STATUS_H

/** Results. Each function documents which of them it returns, and when. */
enum imnpu_status {
    IMNPU_OK = 0,              /**< done */
    IMNPU_RUNNING = 1,         /**< not an error: the work has not ended yet */
    IMNPU_E_ARGUMENT = -1,     /**< an argument is outside of what the function allows */
    IMNPU_E_NONE_FREE = -2,    /**< every cluster is claimed */
    IMNPU_E_NOT_CLAIMED = -3,  /**< the cluster was not claimed */
    IMNPU_E_CLAIMED = -4,      /**< the cluster is claimed already */
    IMNPU_E_BUSY = -5,         /**< the device is still at work */
    IMNPU_E_IDLE = -6,         /**< nothing was started that could be waited for */
    IMNPU_E_TIMEOUT = -7,      /**< the time was over first */
    IMNPU_E_CLUSTER = -8,      /**< the cluster stopped with an error: see imnpu_error_read() */
    IMNPU_E_ENDED = -9,        /**< the program ended without what was waited for */
    IMNPU_E_TILE_MODE = -10,   /**< the tile is in compute mode, its array cannot be accessed */
    IMNPU_E_HARDWARE = -11,    /**< the cluster is not one that this library knows */
    IMNPU_E_END_OF_DATA = -12, /**< the input stream has less data than a frame */
    IMNPU_E_STREAM = -13,      /**< the input stream could not write the frame to memory */
    IMNPU_E_EMPTY = -14,       /**< nothing has been received */
};

/** Explains a result in one line.
 *
 * @param status  what a function of the library returned
 * @return constant text; "unknown status" for a number that is not an enum imnpu_status
 */
const char *imnpu_status_text(int status);

#endif
