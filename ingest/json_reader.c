#include "ingest/json_reader.h"

#include <yyjson.h>

#include "base/memory.h"

struct json_document {
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

static err check_string(yyjson_val *value, const char *what, struct error *error)
{
    if (memchr(yyjson_get_str(value), '\0', yyjson_get_len(value)) != NULL) {
        return error_set(error, ERR_INVALID, "json_nul", 0,
                         "a %s holds the character U+0000, which is not accepted", what);
    }
    return ERR_OK;
}

static err check_keys(yyjson_val *object, struct error *error)
{
    if (yyjson_obj_size(object) > JSON_KEYS_MAX) {
        return error_set(error, ERR_INVALID, "json_keys", 0, "an object has more than %d keys",
                         JSON_KEYS_MAX);
    }
    yyjson_obj_iter outer_iter = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&outer_iter)) != NULL;) {
        err e = check_string(key, "key", error);
        if (e != ERR_OK) {
            return e;
        }
        yyjson_val *first = yyjson_obj_getn(object, yyjson_get_str(key), yyjson_get_len(key));
        if (first != yyjson_obj_iter_get_val(key)) {
            return error_set(error, ERR_INVALID, "json_duplicate_key", 0,
                             "the key \"%.60s\" stands twice in one object", yyjson_get_str(key));
        }
    }
    return ERR_OK;
}

static err check_value(yyjson_val *value, int depth, struct error *error)
{
    if (depth > JSON_DEPTH_MAX) {
        return error_set(error, ERR_INVALID, "json_depth", 0, "nested more than %d deep", JSON_DEPTH_MAX);
    }
    size_t index = 0;
    size_t count = 0;
    yyjson_val *key = NULL;
    yyjson_val *member = NULL;
    err e = ERR_OK;
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR: return check_string(value, "string", error);
    case YYJSON_TYPE_RAW:
        return error_set(error, ERR_INVALID, "json_number", 0,
                         "a number does not fit into 64 bits; send it as a string");
    case YYJSON_TYPE_ARR:
        yyjson_arr_foreach(value, index, count, member) {
            e = check_value(member, depth + 1, error);
            if (e != ERR_OK) {
                return e;
            }
        }
        return ERR_OK;
    case YYJSON_TYPE_OBJ:
        e = check_keys(value, error);
        yyjson_obj_foreach(value, index, count, key, member) {
            if (e != ERR_OK) {
                return e;
            }
            e = check_value(member, depth + 1, error);
        }
        return e;
    default: return ERR_OK;
    }
}

/* yyjson reads nested input with a loop, but check_value recurses: count the brackets first. */
static bool too_deep(struct slice text, size_t *at)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX) {
                *at = i;
                return true;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

err json_read(struct slice text, struct json_document **out, struct error *error)
{
    size_t deep_at = 0;
    if (too_deep(text, &deep_at)) {
        return error_set(error, ERR_INVALID, "json_depth", deep_at, "nested more than %d deep",
                         JSON_DEPTH_MAX);
    }
    yyjson_read_err read_error = {0};
    union {
        const char *in;
        char *out;
    } bytes = {.in = text.data ? text.data : ""};
    yyjson_doc *doc = yyjson_read_opts(bytes.out, text.length, YYJSON_READ_BIGNUM_AS_RAW, NULL, &read_error);
    if (doc == NULL) {
        err e = read_error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? ERR_MEMORY : ERR_INVALID;
        return error_set(error, e, "json_syntax", read_error.pos, "not valid JSON at byte %zu: %s",
                         read_error.pos, read_error.msg);
    }
    err e = check_value(yyjson_doc_get_root(doc), 1, error);
    struct json_document *document = e == ERR_OK ? memory_alloc(sizeof *document) : NULL;
    if (document == NULL) {
        yyjson_doc_free(doc);
        return e != ERR_OK ? e : error_set(error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
    }
    document->doc = doc;
    *out = document;
    return ERR_OK;
}

void json_document_destroy(struct json_document *document)
{
    if (document != NULL) {
        yyjson_doc_free(document->doc);
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
    static const char *const names[] = {"nothing", "null",  "true or false", "a whole number",
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
