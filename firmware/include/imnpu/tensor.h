/* SPDX-License-Identifier: BSD-3-Clause
 * Tensors in memory: height x width x channels, channels innermost, elements packed from the low bits of a byte up. */
#ifndef IMNPU_TENSOR_H
#define IMNPU_TENSOR_H

#include <stdint.h>

/** How one element is stored. The numbers are those of the registers. */
typedef enum {
    IMNPU_U1 = 0,  /**< 0, 1 */
    IMNPU_S1 = 1,  /**< -1 (bit 0), +1 (bit 1) */
    IMNPU_U2 = 2,  /**< 0..3 */
    IMNPU_S2 = 3,  /**< -2..1 */
    IMNPU_U4 = 4,  /**< 0..15 */
    IMNPU_S4 = 5,  /**< -8..7 */
    IMNPU_U8 = 6,  /**< 0..255 */
    IMNPU_S8 = 7,  /**< -128..127 */
    IMNPU_S32 = 8, /**< 32 bits, two's complement */
} imnpu_format;

/** A tensor. */
typedef struct {
    void *data;            /**< first byte */
    imnpu_format format;   /**< of an element */
    uint16_t height;       /**< rows */
    uint16_t width;        /**< pixels of a row */
    uint16_t channels;     /**< elements of a pixel that are used */
    uint32_t line_stride;  /**< bytes from one row to the next */
    uint32_t pixel_stride; /**< bits from one pixel to the next, a multiple of the element's */
} imnpu_tensor;

/** Bits of an element.
 *
 * @param format  an imnpu_format
 * @return 1, 2, 4, 8 or 32
 */
unsigned imnpu_format_bits(imnpu_format format);

/** Describes a tensor without gaps: pixels are packed tightly, every row starts at a whole byte.
 *
 * @param data      first byte
 * @param format    of an element
 * @param height    rows
 * @param width     pixels of a row
 * @param channels  elements of a pixel
 * @return the description
 */
imnpu_tensor imnpu_tensor_packed(void *data, imnpu_format format, uint16_t height, uint16_t width, uint16_t channels);

/** Reads an element.
 *
 * @param tensor   where
 * @param y        row, 0 .. height - 1
 * @param x        pixel, 0 .. width - 1
 * @param channel  0 .. channels - 1
 * @return its value. Indices are not checked
 */
int32_t imnpu_tensor_get(const imnpu_tensor *tensor, unsigned y, unsigned x, unsigned channel);

/** Writes an element.
 *
 * @param tensor   where
 * @param y        row, 0 .. height - 1
 * @param x        pixel, 0 .. width - 1
 * @param channel  0 .. channels - 1
 * @param value    must fit the format; upper bits are dropped. Indices are not checked
 */
void imnpu_tensor_set(const imnpu_tensor *tensor, unsigned y, unsigned x, unsigned channel, int32_t value);

#endif
