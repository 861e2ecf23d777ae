/* bytes.h: integers as bytes. Everything stored is little-endian; varints are LEB128 (7 bits a
 * byte, low bits first), signed ones zigzag (the encoding of Protocol Buffers).
 *
 * Readers never trust a length: a byte_reader that ran past its end sets `failed`, gives zeros from
 * then on, and the caller looks once at the end.
 *
 * Threading: any. */
#ifndef KINDRED_BASE_BYTES_H
#define KINDRED_BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

enum { VARINT_MAX_BYTES = 10 };

static inline void store_u16(void *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof value);
}
static inline void store_u32(void *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}
static inline void store_u64(void *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}
static inline uint16_t load_u16(const void *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return le16toh(value);
}
static inline uint32_t load_u32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return le32toh(value);
}
static inline uint64_t load_u64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return le64toh(value);
}
/* Big-endian, for LMDB keys that must sort as numbers. */
static inline void store_u64_be(void *to, uint64_t value)
{
    value = htobe64(value);
    memcpy(to, &value, sizeof value);
}
static inline uint64_t load_u64_be(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return be64toh(value);
}

static inline size_t varint_encode(uint8_t *to, uint64_t value)
{
    size_t length = 0;
    while (value >= 0x80) {
        to[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[length++] = (uint8_t)value;
    return length;
}
static inline uint64_t zigzag_encode(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}
static inline int64_t zigzag_decode(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

struct byte_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct byte_reader byte_reader_of(struct slice bytes)
{
    const uint8_t *data = (const uint8_t *)bytes.data;
    return (struct byte_reader){data, bytes.length ? data + bytes.length : data, false};
}
static inline size_t byte_reader_left(const struct byte_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}
static inline struct slice byte_reader_take(struct byte_reader *reader, size_t length)
{
    if (reader->failed || byte_reader_left(reader) < length) {
        reader->failed = true;
        return SLICE_NONE;
    }
    struct slice taken = slice_of(reader->at, length);
    reader->at += length;
    return taken;
}
static inline uint8_t byte_reader_u8(struct byte_reader *reader)
{
    struct slice taken = byte_reader_take(reader, 1);
    return taken.data ? (uint8_t)taken.data[0] : 0;
}
static inline uint32_t byte_reader_u32(struct byte_reader *reader)
{
    struct slice taken = byte_reader_take(reader, 4);
    return taken.data ? load_u32(taken.data) : 0;
}
static inline uint64_t byte_reader_u64(struct byte_reader *reader)
{
    struct slice taken = byte_reader_take(reader, 8);
    return taken.data ? load_u64(taken.data) : 0;
}
/* Fails on a varint over 64 bits. */
static inline uint64_t byte_reader_varint(struct byte_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (reader->failed || reader->at == reader->end) {
            reader->failed = true;
            return 0;
        }
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1) {
            reader->failed = true;
            return 0;
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    reader->failed = true;
    return 0;
}
/* A varint length followed by that many bytes; borrowed from the reader's input. */
static inline struct slice byte_reader_string(struct byte_reader *reader)
{
    uint64_t length = byte_reader_varint(reader);
    if (length > byte_reader_left(reader)) {
        reader->failed = true;
        return SLICE_NONE;
    }
    return byte_reader_take(reader, (size_t)length);
}

#endif
