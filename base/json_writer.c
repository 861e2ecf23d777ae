#include "base/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "base/utf8.h"

struct json_writer json_writer_of(struct buffer *out)
{
    return (struct json_writer){.out = out};
}

static void before_value(struct json_writer *json)
{
    if (json->need_comma) {
        buffer_append_char(json->out, ',');
    }
    json->need_comma = true;
}

static void open_with(struct json_writer *json, char bracket)
{
    before_value(json);
    buffer_append_char(json->out, bracket);
    json->need_comma = false;
    json->depth++;
}

static void close_with(struct json_writer *json, char bracket)
{
    CHECK(json->depth > 0);
    buffer_append_char(json->out, bracket);
    json->need_comma = true;
    json->depth--;
}

void json_object_begin(struct json_writer *json)
{
    open_with(json, '{');
}

void json_object_end(struct json_writer *json)
{
    close_with(json, '}');
}

void json_array_begin(struct json_writer *json)
{
    open_with(json, '[');
}

void json_array_end(struct json_writer *json)
{
    close_with(json, ']');
}

enum { PIECE_BYTES = 256 };

/* How much of the text, at most PIECE_BYTES, can be cut off without cutting a character. */
static size_t piece_of(struct slice text)
{
    if (text.length <= PIECE_BYTES) {
        return text.length;
    }
    for (size_t back = 1; back <= 3; back++) {
        if (utf8_sequence_length(text, PIECE_BYTES - back) > back) {
            return PIECE_BYTES - back;
        }
    }
    return PIECE_BYTES;
}

/* Without the room for the worst, which may be more than the buffer's maximum allows although the
 * text would fit. */
static void append_in_pieces(struct buffer *out, struct slice text)
{
    buffer_append_char(out, '"');
    while (text.length > 0 && !out->failed) {
        char escaped[JSON_ESCAPED_MAX(PIECE_BYTES)];
        size_t length = piece_of(text);
        char *end = json_escape(escaped, slice_of(text.data, length));
        buffer_append(out, escaped, (size_t)(end - escaped));
        text = slice_of(text.data + length, text.length - length);
    }
    buffer_append_char(out, '"');
}

static void append_quoted(struct buffer *out, struct slice text)
{
    size_t worst = JSON_ESCAPED_MAX(text.length) + 2;
    if (out->failed || out->capacity - out->length < worst) {
        append_in_pieces(out, text);
        return;
    }
    char *from = out->data + out->length;
    *from = '"';
    char *to = json_escape(from + 1, text);
    *to++ = '"';
    buffer_commit(out, (size_t)(to - from));
}

void json_key(struct json_writer *json, const char *key)
{
    /* Nothing to escape, by contract. */
    size_t length = strlen(key);
    char *room = buffer_reserve(json->out, length + 4);
    if (room != NULL) {
        char *at = room;
        if (json->need_comma) {
            *at++ = ',';
        }
        *at++ = '"';
        memcpy(at, key, length);
        at += length;
        *at++ = '"';
        *at++ = ':';
        buffer_commit(json->out, (size_t)(at - room));
    }
    json->need_comma = false;
}

void json_key_slice(struct json_writer *json, struct slice key)
{
    before_value(json);
    append_quoted(json->out, key);
    buffer_append_char(json->out, ':');
    json->need_comma = false;
}

void json_string(struct json_writer *json, struct slice text)
{
    before_value(json);
    append_quoted(json->out, text);
}

void json_cstr(struct json_writer *json, const char *text)
{
    json_string(json, slice_from_cstr(text));
}

void json_u64(struct json_writer *json, uint64_t value)
{
    char digits[JSON_U64_MAX];
    before_value(json);
    buffer_append(json->out, digits, (size_t)(json_digits(digits, value) - digits));
}

void json_i64(struct json_writer *json, int64_t value)
{
    char digits[1 + JSON_U64_MAX] = "-";
    uint64_t size = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;
    char *from = value < 0 ? digits : digits + 1;
    before_value(json);
    buffer_append(json->out, from, (size_t)(json_digits(digits + 1, size) - from));
}

void json_double(struct json_writer *json, double value)
{
    if (!isfinite(value)) {
        json_null(json);
        return;
    }
    if (value == floor(value) && fabs(value) < 1e15) {
        json_i64(json, (int64_t)value);
        return;
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    before_value(json);
    buffer_append_cstr(json->out, text);
}

void json_bool(struct json_writer *json, bool value)
{
    before_value(json);
    buffer_append_cstr(json->out, value ? "true" : "false");
}

void json_null(struct json_writer *json)
{
    before_value(json);
    buffer_append(json->out, "null", 4);
}

void json_timestamp(struct json_writer *json, int64_t wall_us)
{
    char text[TIMESTAMP_TEXT_MAX];
    size_t length = timestamp_format(wall_us, text);
    json_string(json, slice_of(text, length));
}

void json_raw(struct json_writer *json, struct slice text)
{
    before_value(json);
    buffer_append_slice(json->out, text);
}

void json_member_string(struct json_writer *json, const char *key, struct slice text)
{
    json_key(json, key);
    json_string(json, text);
}

void json_member_cstr(struct json_writer *json, const char *key, const char *text)
{
    json_key(json, key);
    json_cstr(json, text);
}

void json_member_u64(struct json_writer *json, const char *key, uint64_t value)
{
    json_key(json, key);
    json_u64(json, value);
}

void json_member_bool(struct json_writer *json, const char *key, bool value)
{
    json_key(json, key);
    json_bool(json, value);
}

void json_member_timestamp(struct json_writer *json, const char *key, int64_t wall_us)
{
    json_key(json, key);
    json_timestamp(json, wall_us);
}
