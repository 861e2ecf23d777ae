#include "ingest/json_reader.h"

#include "base/memory.h"
#include "ingest/limits.h"
#include "json_gate.h"

static const size_t DOCUMENT_MEMORY_MAX = (size_t)256 << 20;

struct json_document {
    struct arena arena;
    yyjson_doc *doc;
};

/* yyjson's values are handed out under a name of ours, so that its header stays in this folder. */
static yyjson_val *inner(json_value value)
{
    union {
        json_value ours;
        yyjson_val *theirs;
    } cast = {.ours = value};
    return cast.theirs;
}

static json_value outer(yyjson_val *value)
{
    return (json_value)(const void *)value;
}

static err check_text(struct slice text, struct error *error)
{
    return text.length > 0 && memchr(text.data, '\0', text.length) != NULL
               ? error_set(error, ERR_INVALID, "json_nul", 0,
                           "a text holds the character U+0000, which is not accepted")
               : ERR_OK;
}

/* What the gate leaves to its caller: NUL in texts, and whole numbers beyond 64 bits. Depth was
 * checked by the gate. */
static err check_values(yyjson_val *value, struct error *error)
{
    if (yyjson_is_raw(value)) {
        return error_set(error, ERR_INVALID, "json_number", 0,
                         "a whole number does not fit into 64 bits; send it as a text");
    }
    err e = yyjson_is_str(value) ? check_text(yyjson_text(value), error) : ERR_OK;
    struct json_iterator members = json_iterate(outer(value));
    while (e == ERR_OK && json_next(&members)) {
        e = check_text(members.key, error);
        if (e == ERR_OK) {
            e = check_values(inner(members.value), error);
        }
    }
    return e;
}

err json_read(struct slice text, struct json_document **out, struct error *error)
{
    struct json_document *document = memory_zalloc(sizeof *document);
    if (document == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
    }
    arena_init(&document->arena, DOCUMENT_MEMORY_MAX);
    struct record_error reason = {0};
    err e = json_parse(&document->arena, text, &document->doc, &reason);
    if (e == ERR_OK) {
        struct json_gate gate = {.unlimited = true};
        e = json_gate_subtree(&gate, yyjson_doc_get_root(document->doc), 1, SLICE_LITERAL(""),
                              &reason);
    }
    if (e != ERR_OK) {
        e = error_set(error, e, reason.code[0] != '\0' ? reason.code : err_name(e), reason.position,
                      "%s%s%s%s", reason.message[0] != '\0' ? reason.message : "out of memory",
                      reason.field[0] != '\0' ? " (" : "", reason.field,
                      reason.field[0] != '\0' ? ")" : "");
    } else {
        e = check_values(yyjson_doc_get_root(document->doc), error);
    }
    if (e != ERR_OK) {
        json_document_destroy(document);
        return e;
    }
    *out = document;
    return ERR_OK;
}

void json_document_destroy(struct json_document *document)
{
    if (document != NULL) {
        arena_deinit(&document->arena);
        memory_free(document);
    }
}

json_value json_root(const struct json_document *document)
{
    return outer(yyjson_doc_get_root(document->doc));
}

enum json_type json_type(json_value value)
{
    switch (yyjson_get_type(inner(value))) {
    case YYJSON_TYPE_NULL: return JSON_NULL;
    case YYJSON_TYPE_BOOL: return JSON_BOOL;
    case YYJSON_TYPE_NUM: return yyjson_is_int(inner(value)) ? JSON_INTEGER : JSON_NUMBER;
    case YYJSON_TYPE_STR: return JSON_STRING;
    case YYJSON_TYPE_ARR: return JSON_ARRAY;
    case YYJSON_TYPE_OBJ: return JSON_OBJECT;
    default: return JSON_ABSENT;
    }
}

const char *json_type_name(json_value value)
{
    static const char *const names[] = {"nothing",  "null", "true or false", "a whole number",
                                        "a number", "text", "a list",        "an object"};
    return names[json_type(value)];
}

struct slice json_text(json_value value)
{
    yyjson_val *v = inner(value);
    return yyjson_is_str(v) ? slice_of(yyjson_get_str(v), yyjson_get_len(v)) : SLICE_NONE;
}

int64_t json_integer(json_value value)
{
    return yyjson_get_sint(inner(value));
}

double json_double_of(json_value value)
{
    return yyjson_get_num(inner(value));
}

bool json_true(json_value value)
{
    return yyjson_is_true(inner(value));
}

json_value json_get(json_value object, const char *key)
{
    return outer(yyjson_obj_get(inner(object), key));
}

struct json_iterator json_iterate(json_value container)
{
    struct json_iterator iterator = {.container = container, .count = json_count(container)};
    if (iterator.count > 0) {
        iterator.next = unsafe_yyjson_get_first(inner(container));
    }
    return iterator;
}

bool json_next(struct json_iterator *iterator)
{
    if (iterator->index >= iterator->count) {
        return false;
    }
    yyjson_val *at = inner((json_value)iterator->next);
    if (yyjson_is_obj(inner(iterator->container))) {
        iterator->key = slice_of(yyjson_get_str(at), yyjson_get_len(at));
        at++;
    }
    iterator->value = outer(at);
    iterator->next = unsafe_yyjson_get_next(at);
    iterator->index++;
    return true;
}

size_t json_count(json_value container)
{
    yyjson_val *v = inner(container);
    return yyjson_is_obj(v) ? yyjson_obj_size(v) : yyjson_arr_size(v);
}

void json_write(json_value value, struct json_writer *out)
{
    struct json_iterator members = json_iterate(value);
    switch (json_type(value)) {
    case JSON_ABSENT:
    case JSON_NULL: json_null(out); break;
    case JSON_BOOL: json_bool(out, json_true(value)); break;
    case JSON_INTEGER: json_i64(out, json_integer(value)); break;
    case JSON_NUMBER: json_double(out, json_double_of(value)); break;
    case JSON_STRING: json_string(out, json_text(value)); break;
    case JSON_ARRAY:
        json_array_begin(out);
        while (json_next(&members)) {
            json_write(members.value, out);
        }
        json_array_end(out);
        break;
    case JSON_OBJECT:
        json_object_begin(out);
        while (json_next(&members)) {
            json_key_slice(out, members.key);
            json_write(members.value, out);
        }
        json_object_end(out);
        break;
    }
}
