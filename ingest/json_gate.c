#include "json_gate.h"

#include <stdio.h>

#include "builder.h"
#include "ingest/limits.h"
#include "words.h"

/* ---- yyjson's memory is the record's arena --------------------------------------------------- */

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
    snprintf(message, sizeof message,
             "This is not valid JSON at byte %zu: %s. Mend it there and send it again.",
             problem->pos + skipped, problem->msg);
    return record_fail(error, ERR_INVALID, encoding ? "json_string" : "json_syntax",
                       SLICE_LITERAL(""), problem->pos + skipped, message);
}

err json_parse(struct arena *arena, struct slice bytes, yyjson_doc **out,
               struct record_error *error)
{
    const yyjson_alc pool = {pool_malloc, pool_realloc, pool_free, arena};
    yyjson_read_err problem;
    size_t skipped = slice_starts_with(bytes, SLICE_LITERAL("\xEF\xBB\xBF")) ? 3 : 0;
    if (skipped > 0) {
        bytes = slice_of(bytes.data + skipped, bytes.length - skipped);
    }
    if (bytes.length == 0) {
        return record_fail(error, ERR_INVALID, "json_syntax", SLICE_LITERAL(""), 0,
                           "There is no JSON here; not even {}.");
    }
    /* yyjson takes a char * because it can parse in place; without that flag it does not write. */
    char *data = (char *)(uintptr_t)bytes.data;
    *out = yyjson_read_opts(data, bytes.length, YYJSON_READ_BIGNUM_AS_RAW, &pool, &problem);
    return *out == NULL ? parse_failed(&problem, skipped, error) : ERR_OK;
}

/* ---- the gate -------------------------------------------------------------------------------- */

static bool key_before(yyjson_val *object, yyjson_val *until, struct slice key)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    for (yyjson_val *other = yyjson_obj_iter_next(&iter); other != until;
         other = yyjson_obj_iter_next(&iter)) {
        if (slice_equal(yyjson_text(other), key)) {
            return true;
        }
    }
    return false;
}

/* Cheap and good enough to tell the handful of keys of an object apart: length, first four bytes,
 * last four bytes. */
static inline uint64_t key_hash(struct slice key)
{
    uint64_t word = key.length;
    if (key.length >= 4) {
        word += load_u32(key.data) | (uint64_t)load_u32(key.data + key.length - 4) << 32;
    } else if (key.length > 0) {
        word += word_of_few(key.data, key.length);
    }
    return word * UINT64_C(0xD6E8FEB86659FD93);
}

enum { FEW_KEYS = 8 };

/* A bit per hash: only keys whose bit is set already are compared with those before them. Equal
 * keys have equal hashes, so none is missed. */
static yyjson_val *find_duplicate_of_many(yyjson_val *object)
{
    uint64_t seen[64] = {0}; /* 4,096 bits */
    size_t i, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, count, key, value)
    {
        uint64_t hash = key_hash(yyjson_text(key)) >> (64 - 12);
        uint64_t bit = UINT64_C(1) << (hash & 63);
        if ((seen[hash >> 6] & bit) != 0 && key_before(object, key, yyjson_text(key))) {
            return key;
        }
        seen[hash >> 6] |= bit;
    }
    return NULL;
}

/* The same; 64 bits are enough for a few keys, and fit into a register. */
static yyjson_val *find_duplicate(yyjson_val *object)
{
    if (unsafe_yyjson_get_len(object) > FEW_KEYS) {
        return find_duplicate_of_many(object);
    }
    uint64_t seen = 0;
    size_t i, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, count, key, value)
    {
        uint64_t bit = UINT64_C(1) << (key_hash(yyjson_text(key)) >> (64 - 6));
        if ((seen & bit) != 0 && key_before(object, key, yyjson_text(key))) {
            return key;
        }
        seen |= bit;
    }
    return NULL;
}

static err too_deep(struct slice path, struct record_error *error)
{
    return record_fail(error, ERR_INVALID, "too_deep", path, 0,
                       "There are more than 32 levels of objects and arrays; flatten them.");
}

bool json_gate_passes(struct json_gate *gate, yyjson_val *object, size_t depth)
{
    if (depth > RECORD_DEPTH_MAX) {
        return false;
    }
    gate->keys += unsafe_yyjson_get_len(object);
    return (gate->keys <= RECORD_KEYS_MAX || gate->unlimited) && find_duplicate(object) == NULL;
}

err json_gate_refuse(const struct json_gate *gate, yyjson_val *object, size_t depth,
                     struct slice path, struct record_error *error)
{
    if (depth > RECORD_DEPTH_MAX) {
        return too_deep(path, error);
    }
    if (gate->keys > RECORD_KEYS_MAX && !gate->unlimited) {
        return record_fail(error, ERR_TOO_LARGE, "too_many_keys", path, 0,
                           "The record has more than 512 keys; split it or leave some away.");
    }
    yyjson_val *twice = find_duplicate(object);
    return record_fail(
        error, ERR_INVALID, "duplicate_key", yyjson_text(twice), 0,
        "The key stands twice in one object, so which value counts is not known; send it once.");
}

err json_gate_object(struct json_gate *gate, yyjson_val *object, size_t depth, struct slice path,
                     struct record_error *error)
{
    return json_gate_passes(gate, object, depth)
               ? ERR_OK
               : json_gate_refuse(gate, object, depth, path, error);
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
