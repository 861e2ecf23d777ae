#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/memory.h"

enum { BUFFER_FIRST_BYTES = 256 };

void buffer_init(struct buffer *buffer, size_t max_bytes)
{
    *buffer = (struct buffer){.max_bytes = max_bytes};
}

void buffer_deinit(struct buffer *buffer)
{
    memory_free(buffer->data);
    *buffer = (struct buffer){.max_bytes = buffer->max_bytes};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
}

char *buffer_reserve(struct buffer *buffer, size_t size_bytes)
{
    if (buffer->failed) {
        return NULL;
    }
    if (buffer->data != NULL && buffer->capacity - buffer->length >= size_bytes) {
        return buffer->data + buffer->length;
    }
    if (size_bytes > buffer->max_bytes || buffer->length > buffer->max_bytes - size_bytes) {
        buffer->failed = true;
        return NULL;
    }
    size_t need = buffer->length + size_bytes;
    size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_FIRST_BYTES;
    while (capacity < need) {
        capacity *= 2;
    }
    if (capacity > buffer->max_bytes) {
        capacity = buffer->max_bytes;
    }
    if (capacity == 0) {
        capacity = 1;
    }
    char *data = memory_realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->length;
}

void buffer_append_growing(struct buffer *buffer, const void *data, size_t length)
{
    char *room = buffer_reserve(buffer, length);
    if (room != NULL) {
        memcpy(room, data, length);
        buffer->length += length;
    }
}

void buffer_append_u64(struct buffer *buffer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append(buffer, digits + at, sizeof digits - at);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(need >= 0);
    char *room = buffer_reserve(buffer, (size_t)need + 1);
    if (room != NULL) {
        vsnprintf(room, (size_t)need + 1, format, again);
        buffer->length += (size_t)need;
    }
    va_end(again);
}

void buffer_append_varint(struct buffer *buffer, uint64_t value)
{
    uint8_t encoded[VARINT_MAX_BYTES];
    buffer_append(buffer, encoded, varint_encode(encoded, value));
}

void buffer_consume(struct buffer *buffer, size_t length)
{
    CHECK(length <= buffer->length);
    if (length == 0) {
        return;
    }
    memmove(buffer->data, buffer->data + length, buffer->length - length);
    buffer->length -= length;
}
