/* buffer.h: bytes that grow, with a maximum given at birth.
 *
 * Errors stick: once an append did not fit (maximum or heap), `failed` is set, later appends do
 * nothing, and the caller looks once at the end. That keeps writers of long output readable.
 *
 * Threading: one thread at a time. */
#ifndef KINDRED_BASE_BUFFER_H
#define KINDRED_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

struct buffer {
    char *data;
    size_t length;
    size_t capacity;
    size_t max_bytes;
    bool failed;
};

void buffer_init(struct buffer *buffer, size_t max_bytes);
void buffer_deinit(struct buffer *buffer);
/* Empty again, not failed; keeps its memory. */
void buffer_clear(struct buffer *buffer);

/* Room for `size_bytes` more behind the end, without making them part of the buffer; NULL and
 * `failed` when there is none. Follow with buffer_commit. */
char *buffer_reserve(struct buffer *buffer, size_t size_bytes) MUST_USE;
static inline void buffer_commit(struct buffer *buffer, size_t size_bytes)
{
    CHECK(size_bytes <= buffer->capacity - buffer->length);
    buffer->length += size_bytes;
}

/* When the bytes do not fit into what there is; buffer_append is the way in. */
void buffer_append_growing(struct buffer *buffer, const void *data, size_t length);

/* In the header, because answers are written in many small pieces whose lengths the compiler often
 * knows. */
static inline void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    if (length == 0) {
        return;
    }
    if (__builtin_expect(buffer->failed || buffer->capacity - buffer->length < length, 0)) {
        buffer_append_growing(buffer, data, length);
        return;
    }
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}
static inline void buffer_append_slice(struct buffer *buffer, struct slice bytes)
{
    buffer_append(buffer, bytes.data, bytes.length);
}
static inline void buffer_append_cstr(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}
static inline void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}
void buffer_append_u64(struct buffer *buffer, uint64_t value); /* decimal */
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* LEB128; see bytes.h for reading. */
void buffer_append_varint(struct buffer *buffer, uint64_t value);

/* Drops the first `length` bytes and moves the rest to the front. */
void buffer_consume(struct buffer *buffer, size_t length);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->data, buffer->length);
}

#endif
