/* json_reader.h: the gated door through which the other folders read JSON.
 *
 * yyjson accepts things that would hurt later: duplicate keys (two readers of one text could see
 * two truths), NUL in strings, any depth, integers beyond 64 bits turned into doubles. json_read
 * refuses them, with the place.
 *
 * Threading: any. A document's texts are borrowed until json_document_destroy. */
#ifndef KINDRED_INGEST_JSON_READER_H
#define KINDRED_INGEST_JSON_READER_H

#include "base/err.h"
#include "base/json_writer.h"
#include "base/slice.h"

enum { JSON_DEPTH_MAX = 32 };

struct json_document;
/* NULL stands for "absent" in every call below. */
typedef const struct json_value_opaque *json_value;

enum json_type {
    JSON_ABSENT,
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* error->position is the byte in `text`. ERR_INVALID, ERR_MEMORY. Owned by caller. */
err json_read(struct slice text, struct json_document **out, struct error *error) MUST_USE;
void json_document_destroy(struct json_document *document);
json_value json_root(const struct json_document *document);

enum json_type json_type(json_value value);
/* "text", "a number", ... for messages. */
const char *json_type_name(json_value value);
struct slice json_text(json_value value); /* JSON_STRING, otherwise SLICE_NONE */
int64_t json_integer(json_value value);   /* JSON_INTEGER, otherwise 0 */
double json_double_of(json_value value);  /* JSON_INTEGER or JSON_NUMBER, otherwise 0 */
bool json_true(json_value value);         /* is it `true`? */

json_value json_get(json_value object, const char *key);
/* Members of an object or elements of an array: for (struct json_iterator i = json_iterate(v);
 * json_next(&i);) i.key, i.value */
struct json_iterator {
    json_value container;
    json_value value;
    struct slice key; /* objects only */
    size_t index;
    size_t count;
    const void *next;
};
struct json_iterator json_iterate(json_value container);
bool json_next(struct json_iterator *iterator);
size_t json_count(json_value container);

/* The value as JSON text again. */
void json_write(json_value value, struct json_writer *out);

#endif
