#include "base/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
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

static void append_escaped_char(struct buffer *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"': buffer_append(out, "\\\"", 2); break;
    case '\\': buffer_append(out, "\\\\", 2); break;
    case '\b': buffer_append(out, "\\b", 2); break;
    case '\f': buffer_append(out, "\\f", 2); break;
    case '\n': buffer_append(out, "\\n", 2); break;
    case '\r': buffer_append(out, "\\r", 2); break;
    case '\t': buffer_append(out, "\\t", 2); break;
    default: {
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        buffer_append(out, escape, sizeof escape);
    }
    }
}

/* Runs of plain bytes are copied at once; only what JSON forbids is looked at one by one. */
static void append_escaped(struct buffer *out, struct slice text)
{
    buffer_append_char(out, '"');
    size_t plain_from = 0;
    size_t i = 0;
    while (i < text.length) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t sequence = c < 0x80 ? 0 : utf8_sequence_length(text, i);
        if (sequence > 0) {
            i += sequence;
            continue;
        }
        buffer_append(out, text.data + plain_from, i - plain_from);
        if (c >= 0x80) {
            buffer_append(out, "\xEF\xBF\xBD", 3);
        } else {
            append_escaped_char(out, c);
        }
        i++;
        plain_from = i;
    }
    buffer_append(out, text.data + plain_from, text.length - plain_from);
    buffer_append_char(out, '"');
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Nonzero when one of the eight bytes is 0. Behind such a byte it may say so of a 1 (Warren, Hacker's Delight, 6-1). */
static uint64_t any_zero(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* Nonzero when one of the eight bytes is none of ASCII's printable ones, a quote or a backslash. */
static uint64_t any_special(uint64_t word)
{
    uint64_t below_space = (word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80);
    return (word & EACH_BYTE(0x80)) | below_space | any_zero(word ^ EACH_BYTE('"')) | any_zero(word ^ EACH_BYTE('\\')) |
           any_zero(word ^ EACH_BYTE(0x7F));
}

/* Can it stand between quotes as it is? Nearly every text can: eight bytes at a time. */
static bool is_plain(struct slice text)
{
    uint64_t special = 0;
    if (text.length < 8) {
        unsigned char eight[8] = "        ";
        for (size_t i = 0; i < text.length; i++) {
            eight[i] = (unsigned char)text.data[i];
        }
        return any_special(load_u64(eight)) == 0;
    }
    for (size_t i = 0; i + 8 <= text.length; i += 8) {
        special |= any_special(load_u64(text.data + i));
    }
    return (special | any_special(load_u64(text.data + text.length - 8))) == 0;
}

static void append_quoted(struct buffer *out, struct slice text)
{
    if (!is_plain(text)) {
        append_escaped(out, text);
        return;
    }
    char *room = buffer_reserve(out, text.length + 2);
    if (room != NULL) {
        room[0] = '"';
        if (text.length > 0) {
            memcpy(room + 1, text.data, text.length);
        }
        room[text.length + 1] = '"';
        buffer_commit(out, text.length + 2);
    }
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
    before_value(json);
    buffer_append_u64(json->out, value);
}

void json_i64(struct json_writer *json, int64_t value)
{
    before_value(json);
    if (value < 0) {
        buffer_append_char(json->out, '-');
        buffer_append_u64(json->out, (uint64_t)0 - (uint64_t)value);
    } else {
        buffer_append_u64(json->out, (uint64_t)value);
    }
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
