#include "json_gate.h"

#include <stdio.h>

#include "base/bytes.h"
#include "builder.h"
#include "ingest/limits.h"

/* ---- yyjson's memory is the record's arena -------------------------------------------------------- */

static void *pool_malloc(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void *pool_realloc(void *context, void *old, size_t old_size, size_t size)
{
    if (size <= old_size) {
        return old;
    }
    void *block = arena_alloc(context, size);
    if (block != NULL && old != NULL) {
        memcpy(block, old, old_size);
    }
    return block;
}

static void pool_free(void *context, void *block)
{
    (void)context;
    (void)block; /* goes with the arena */
}

static err parse_failed(const yyjson_read_err *problem, size_t skipped, struct record_error *error)
{
    if (problem->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
        return ERR_MEMORY;
    }
    bool encoding = problem->code == YYJSON_READ_ERROR_INVALID_STRING;
    char message[ERROR_MESSAGE_MAX];
    snprintf(message, sizeof message, "This is not valid JSON at byte %zu: %s. Mend it there and send it again.",
             problem->pos + skipped, problem->msg);
    return record_fail(error, ERR_INVALID, encoding ? "json_string" : "json_syntax", SLICE_LITERAL(""),
                       problem->pos + skipped, message);
}

err json_parse(struct arena *arena, struct slice bytes, yyjson_doc **out, struct record_error *error)
{
    const yyjson_alc pool = {pool_malloc, pool_realloc, pool_free, arena};
    yyjson_read_err problem;
    size_t skipped = slice_starts_with(bytes, SLICE_LITERAL("\xEF\xBB\xBF")) ? 3 : 0;
    if (skipped > 0) {
        bytes = slice_of(bytes.data + skipped, bytes.length - skipped);
    }
    if (bytes.length == 0) {
        return record_fail(error, ERR_INVALID, "json_syntax", SLICE_LITERAL(""), 0, "There is no JSON here; not even {}.");
    }
    /* yyjson takes a char * because it can parse in place; without that flag it does not write. */
    char *data = (char *)(uintptr_t)bytes.data;
    *out = yyjson_read_opts(data, bytes.length, YYJSON_READ_BIGNUM_AS_RAW, &pool, &problem);
    return *out == NULL ? parse_failed(&problem, skipped, error) : ERR_OK;
}

/* ---- the gate ---------------------------------------------------------------------------------------- */

/* Cheap and good enough to tell the handful of keys of an object apart: length, first bytes, last byte. */
static unsigned key_hash(struct slice key)
{
    uint64_t word = 0;
    memcpy(&word, key.data, key.length < 8 ? key.length : 8);
    word ^= key.length * UINT64_C(0x9E3779B97F4A7C15);
    word ^= key.length > 8 ? (uint64_t)(unsigned char)key.data[key.length - 1] << 40 : 0;
    return (unsigned)(word * UINT64_C(0xD6E8FEB86659FD93) >> 52);
}

static bool key_before(yyjson_val *object, yyjson_val *until, struct slice key)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *other = yyjson_obj_iter_next(&iter); other != until; other = yyjson_obj_iter_next(&iter)) {
        if (slice_equal(yyjson_text(other), key)) {
            return true;
        }
    }
    return false;
}

/* A bit per hash: only keys whose bit is set already are compared with those before them. */
static yyjson_val *find_duplicate(yyjson_val *object, size_t count)
{
    uint64_t seen[64]; /* 4,096 bits; small objects use the first 256 only */
    bool small = count <= 16;
    unsigned shift = small ? 4 : 0;
    memset(seen, 0, small ? 4 * sizeof seen[0] : sizeof seen);
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        unsigned hash = key_hash(yyjson_text(key)) >> shift;
        uint64_t bit = UINT64_C(1) << (hash & 63);
        if ((seen[hash >> 6] & bit) != 0 && key_before(object, key, yyjson_text(key))) {
            return key;
        }
        seen[hash >> 6] |= bit;
    }
    return NULL;
}

static err too_deep(struct slice path, struct record_error *error)
{
    return record_fail(error, ERR_INVALID, "too_deep", path, 0,
                       "There are more than 32 levels of objects and arrays; flatten them.");
}

err json_gate_object(struct json_gate *gate, yyjson_val *object, size_t depth, struct slice path,
                     struct record_error *error)
{
    if (depth > RECORD_DEPTH_MAX) {
        return too_deep(path, error);
    }
    size_t count = unsafe_yyjson_get_len(object);
    gate->keys += count;
    if (gate->keys > RECORD_KEYS_MAX && !gate->unlimited) {
        return record_fail(error, ERR_TOO_LARGE, "too_many_keys", path, 0,
                           "The record has more than 512 keys; split it or leave some away.");
    }
    yyjson_val *twice = find_duplicate(object, count);
    if (twice != NULL) {
        return record_fail(error, ERR_INVALID, "duplicate_key", yyjson_text(twice), 0,
                           "The key stands twice in one object, so which value counts is not known; send it once.");
    }
    return ERR_OK;
}

err json_gate_subtree(struct json_gate *gate, yyjson_val *value, size_t depth, struct slice path,
                      struct record_error *error)
{
    err e = ERR_OK;
    if (yyjson_is_obj(value)) {
        e = json_gate_object(gate, value, depth, path, error);
        yyjson_obj_iter iter = yyjson_obj_iter_with(value);
        for (yyjson_val *key; e == ERR_OK && (key = yyjson_obj_iter_next(&iter)) != NULL;) {
            e = json_gate_subtree(gate, yyjson_obj_iter_get_val(key), depth + 1, path, error);
        }
    } else if (yyjson_is_arr(value)) {
        if (depth > RECORD_DEPTH_MAX) {
            return too_deep(path, error);
        }
        yyjson_arr_iter iter = yyjson_arr_iter_with(value);
        for (yyjson_val *item; e == ERR_OK && (item = yyjson_arr_iter_next(&iter)) != NULL;) {
            e = json_gate_subtree(gate, item, depth + 1, path, error);
        }
    }
    return e;
}
