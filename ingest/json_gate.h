/* json_gate.h: what yyjson lets through and we do not.
 *
 * yyjson (with YYJSON_READ_BIGNUM_AS_RAW) checks syntax, UTF-8 and surrogates. It accepts duplicate
 * keys, any depth, any number of keys and U+0000 in strings; integers over 64 bits come as raw
 * text.
 *
 * Threading: any (one arena per thread). */
#ifndef KINDRED_INGEST_JSON_GATE_H
#define KINDRED_INGEST_JSON_GATE_H

#include <yyjson.h>

#include "base/arena.h"
#include "ingest/record.h"

/* Parses into the arena; *out is borrowed from it. Codes: json_syntax, json_encoding. */
err json_parse(struct arena *arena, struct slice bytes, yyjson_doc **out,
               struct record_error *error) MUST_USE;

struct json_gate {
    size_t keys;    /* seen so far, in all objects */
    bool unlimited; /* a document of our own, with its own limit in bytes: any number of keys */
};

/* An object about to be read: its depth (1 is the record), its number of keys and that they are
 * distinct. Counts its keys. */
bool json_gate_passes(struct json_gate *gate, yyjson_val *object, size_t depth) MUST_USE;

/* Why the object did not pass. Codes: too_deep, too_many_keys, duplicate_key. `path` is where it
 * stands. */
err json_gate_refuse(const struct json_gate *gate, yyjson_val *object, size_t depth,
                     struct slice path, struct record_error *error) MUST_USE;

/* Both in one. */
err json_gate_object(struct json_gate *gate, yyjson_val *object, size_t depth, struct slice path,
                     struct record_error *error) MUST_USE;

/* The same for everything inside a value that is not going to be read. */
err json_gate_subtree(struct json_gate *gate, yyjson_val *value, size_t depth, struct slice path,
                      struct record_error *error) MUST_USE;

static inline struct slice yyjson_text(yyjson_val *string)
{
    return slice_of(unsafe_yyjson_get_str(string), unsafe_yyjson_get_len(string));
}

#endif
