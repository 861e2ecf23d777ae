/* json_writer.h: JSON (RFC 8259) written straight into a buffer.
 *
 * The writer keeps the commas; the caller keeps the order. Strings must be valid UTF-8 (input was
 * checked when it came in); bytes that are not come out as U+FFFD rather than as broken JSON.
 * Errors stick in the buffer (`buffer->failed`).
 *
 * Threading: one thread at a time. */
#ifndef KINDRED_BASE_JSON_WRITER_H
#define KINDRED_BASE_JSON_WRITER_H

#include "base/buffer.h"

struct json_writer {
    struct buffer *out; /* borrowed */
    bool need_comma;
    int depth;
};

struct json_writer json_writer_of(struct buffer *out);

void json_object_begin(struct json_writer *json);
void json_object_end(struct json_writer *json);
void json_array_begin(struct json_writer *json);
void json_array_end(struct json_writer *json);

/* A key is a literal of ours without characters to escape, or goes through json_key_slice. */
void json_key(struct json_writer *json, const char *key);
void json_key_slice(struct json_writer *json, struct slice key);

void json_string(struct json_writer *json, struct slice text);
void json_cstr(struct json_writer *json, const char *text);
void json_u64(struct json_writer *json, uint64_t value);
void json_i64(struct json_writer *json, int64_t value);
/* Shortest text that reads back the same; NaN and infinities become null. */
void json_double(struct json_writer *json, double value);
void json_bool(struct json_writer *json, bool value);
void json_null(struct json_writer *json);
void json_timestamp(struct json_writer *json, int64_t wall_us);
/* `text` already is a JSON value. */
void json_raw(struct json_writer *json, struct slice text);

/* key and value in one line */
void json_member_string(struct json_writer *json, const char *key, struct slice text);
void json_member_cstr(struct json_writer *json, const char *key, const char *text);
void json_member_u64(struct json_writer *json, const char *key, uint64_t value);
void json_member_bool(struct json_writer *json, const char *key, bool value);
void json_member_timestamp(struct json_writer *json, const char *key, int64_t wall_us);

#endif
