/* SPDX-License-Identifier: BSD-3-Clause */
#include <imnpu/machine.h>
#include <imnpu/tensor.h>

#define SAME_FORMAT(name) \
    _Static_assert((unsigned)IMNPU_##name == CLUSTER_INPUT_FORMAT_FORMAT_##name, "formats are those of the registers")
SAME_FORMAT(U1);
SAME_FORMAT(S1);
SAME_FORMAT(U2);
SAME_FORMAT(S2);
SAME_FORMAT(U4);
SAME_FORMAT(S4);
SAME_FORMAT(U8);
SAME_FORMAT(S8);
SAME_FORMAT(S32);

unsigned imnpu_format_bits(imnpu_format format)
{
    return format == IMNPU_S32 ? 32 : 1U << ((unsigned)format / 2);
}

imnpu_tensor imnpu_tensor_packed(void *data, imnpu_format format, uint16_t height, uint16_t width, uint16_t channels)
{
    const uint32_t pixel_bits = channels * imnpu_format_bits(format);
    return (imnpu_tensor){
        .data = data,
        .format = format,
        .height = height,
        .width = width,
        .channels = channels,
        .line_stride = (width * pixel_bits + 7) / 8,
        .pixel_stride = pixel_bits,
    };
}

/* An element: its first byte, and its first bit there. */
struct place {
    uint8_t *byte;
    unsigned shift;
};

static struct place find(const imnpu_tensor *tensor, unsigned y, unsigned x, unsigned channel)
{
    const uint32_t bit = x * tensor->pixel_stride + channel * imnpu_format_bits(tensor->format);
    return (struct place){(uint8_t *)tensor->data + y * tensor->line_stride + bit / 8, bit % 8};
}

int32_t imnpu_tensor_get(const imnpu_tensor *tensor, unsigned y, unsigned x, unsigned channel)
{
    const struct place place = find(tensor, y, x, channel);
    const unsigned bits = imnpu_format_bits(tensor->format);
    if (tensor->format == IMNPU_S32) {
        return (int32_t)((uint32_t)place.byte[0] | (uint32_t)place.byte[1] << 8 | (uint32_t)place.byte[2] << 16 |
                         (uint32_t)place.byte[3] << 24);
    }
    const int32_t value = *place.byte >> place.shift & ((1 << bits) - 1);
    if (tensor->format == IMNPU_S1) {
        return value ? 1 : -1;
    }
    const int is_signed = (unsigned)tensor->format & 1;
    return is_signed && value >> (bits - 1) ? value - (1 << bits) : value;
}

void imnpu_tensor_set(const imnpu_tensor *tensor, unsigned y, unsigned x, unsigned channel, int32_t value)
{
    const struct place place = find(tensor, y, x, channel);
    if (tensor->format == IMNPU_S32) {
        for (unsigned i = 0; i < 4; ++i) {
            place.byte[i] = (uint8_t)((uint32_t)value >> 8 * i);
        }
        return;
    }
    const uint32_t mask = (1U << imnpu_format_bits(tensor->format)) - 1;
    const uint32_t stored = tensor->format == IMNPU_S1 ? value > 0 : (uint32_t)value & mask;
    *place.byte = (uint8_t)((*place.byte & ~(mask << place.shift)) | stored << place.shift);
}
