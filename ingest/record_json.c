/* Walks a parsed JSON record and hands each value to the builder with what its key means. */
#include "base/buffer.h"
#include "base/json_writer.h"
#include "ingest/limits.h"
#include "json_gate.h"
#include "mapping_apply.h"
#include "record_read.h"
#include "text.h"

/* What the keys of an object may mean. */
enum container {
    CONTAINER_ROOT,
    CONTAINER_LOCATION,
    CONTAINER_DEMOGRAPHICS,
    CONTAINER_IDENTIFIERS,
    CONTAINER_OTHER
};

struct walk {
    struct builder *builder;
    struct json_gate gate;
};

static err walk_object(struct walk *w, yyjson_val *object, enum container container,
                       const struct path *up, size_t depth);

static struct target target_of(struct walk *w, enum container container, struct slice key)
{
    struct target none = {TARGET_ATTRIBUTE, 0};
    if (container == CONTAINER_ROOT) {
        return name_resolve(key, w->builder->settings);
    }
    if (container == CONTAINER_OTHER) {
        return none;
    }
    struct target target = name_resolve(key, w->builder->settings);
    if (container == CONTAINER_IDENTIFIERS) {
        return target.kind == TARGET_IDENTIFIER ? target : none;
    }
    static const uint32_t places = 1u << FIELD_CITY | 1u << FIELD_STATE | 1u << FIELD_COUNTRY |
                                   1u << FIELD_POSTAL_CODE | 1u << FIELD_STREET;
    uint32_t field = target.kind == TARGET_FIELD ? 1u << target.number : 0;
    uint32_t wanted = container == CONTAINER_LOCATION ? places : ~places & ~(1u << FIELD_INTERESTS);
    return (field & wanted) != 0 ? target : none;
}

/* ---- values ---------------------------------------------------------------------------------- */

static err walk_raw(struct walk *w, struct target target, const struct path *path,
                    yyjson_val *value)
{
    struct slice text = slice_of(unsafe_yyjson_get_raw(value), unsafe_yyjson_get_len(value));
    bool integer = true;
    for (size_t i = 0; i < text.length; i++) {
        integer = integer && (ascii_is_digit(text.data[i]) || text.data[i] == '-');
    }
    if (target.kind == TARGET_IDENTIFIER) {
        return record_fail(
            w->builder->error, ERR_INVALID, "identifier_not_exact", path_text(w->builder, path), 0,
            "A number over 64 bits is not exact everywhere; send the identifier as a string.");
    }
    if (integer) {
        return build_big_integer(w->builder, target, path, text);
    }
    builder_warn(w->builder, path, "number_out_of_range",
                 "The number is too large for any computer; it was left away.");
    return ERR_OK;
}

static err walk_uint(struct walk *w, struct target target, const struct path *path, uint64_t value)
{
    if (value <= (uint64_t)INT64_MAX) {
        return build_integer(w->builder, target, path, (int64_t)value);
    }
    char digits[24];
    size_t length = sizeof digits;
    for (; value > 0; value /= 10) {
        digits[--length] = (char)('0' + value % 10);
    }
    struct slice text =
        arena_copy(w->builder->arena, slice_of(digits + length, sizeof digits - length));
    return text.data == NULL ? ERR_MEMORY : build_big_integer(w->builder, target, path, text);
}

static err walk_scalar(struct walk *w, struct target target, const struct path *path,
                       yyjson_val *value)
{
    switch (unsafe_yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL: return build_null(w->builder, target, path);
    case YYJSON_TYPE_BOOL:
        return build_bool(w->builder, target, path, unsafe_yyjson_get_bool(value));
    case YYJSON_TYPE_STR: return build_text(w->builder, target, path, yyjson_text(value));
    case YYJSON_TYPE_RAW: return walk_raw(w, target, path, value);
    default: break;
    }
    if (yyjson_is_real(value)) {
        return build_number(w->builder, target, path, unsafe_yyjson_get_real(value));
    }
    if (yyjson_is_uint(value)) {
        return walk_uint(w, target, path, unsafe_yyjson_get_uint(value));
    }
    return build_integer(w->builder, target, path, unsafe_yyjson_get_sint(value));
}

/* The text of a list's scalar member; data is NULL when it has none. */
static struct slice item_text(struct walk *w, yyjson_val *item)
{
    if (yyjson_is_str(item)) {
        return yyjson_text(item);
    }
    if (yyjson_is_raw(item)) {
        return slice_of(unsafe_yyjson_get_raw(item), unsafe_yyjson_get_len(item));
    }
    if (yyjson_is_bool(item)) {
        return unsafe_yyjson_get_bool(item) ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
    }
    struct buffer buffer;
    buffer_init(&buffer, 64);
    struct json_writer json = json_writer_of(&buffer);
    if (yyjson_is_real(item)) {
        json_double(&json, unsafe_yyjson_get_real(item));
    } else if (yyjson_is_uint(item)) {
        json_u64(&json, unsafe_yyjson_get_uint(item));
    } else {
        json_i64(&json, unsafe_yyjson_get_sint(item));
    }
    struct slice text =
        buffer.failed ? SLICE_NONE : arena_copy(w->builder->arena, buffer_slice(&buffer));
    buffer_deinit(&buffer);
    return text;
}

static err walk_item(struct walk *w, struct target target, const struct path *path,
                     yyjson_val *item, size_t depth)
{
    if (yyjson_is_null(item)) {
        return ERR_OK;
    }
    if (yyjson_is_obj(item) || yyjson_is_arr(item)) {
        builder_warn(
            w->builder, path, "value_unsupported",
            "A list may hold texts, numbers, true and false; objects and lists in it were left away.");
        return json_gate_subtree(&w->gate, item, depth + 1, path_text(w->builder, path),
                                 w->builder->error);
    }
    if (target.kind == TARGET_IDENTIFIER && !yyjson_is_str(item)) {
        return walk_scalar(w, target, path, item);
    }
    struct slice text = item_text(w, item);
    return text.data == NULL ? ERR_MEMORY : build_item(w->builder, target, path, text);
}

static bool holds_list(struct target target)
{
    return target.kind == TARGET_ATTRIBUTE || target.kind == TARGET_IDENTIFIER ||
           target.kind == TARGET_LOCATION ||
           (target.kind == TARGET_FIELD && target.number == FIELD_INTERESTS);
}

static err walk_array(struct walk *w, struct target target, const struct path *path,
                      yyjson_val *array, size_t depth)
{
    if (depth > RECORD_DEPTH_MAX || !holds_list(target)) {
        builder_warn(w->builder, path, "value_unsupported",
                     "This field holds one value; the list was left away.");
        return json_gate_subtree(&w->gate, array, depth, path_text(w->builder, path),
                                 w->builder->error);
    }
    if (w->builder->is_patch && unsafe_yyjson_get_len(array) == 0) {
        return build_null(w->builder, target, path); /* [] replaces the list by nothing */
    }
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *item;
    while ((item = yyjson_arr_iter_next(&iter)) != NULL) {
        err e = walk_item(w, target, path, item, depth);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static err walk_nested(struct walk *w, struct target target, const struct path *path,
                       yyjson_val *object, size_t depth)
{
    switch ((enum target_kind)target.kind) {
    case TARGET_LOCATION: return walk_object(w, object, CONTAINER_LOCATION, path, depth);
    case TARGET_DEMOGRAPHICS: return walk_object(w, object, CONTAINER_DEMOGRAPHICS, path, depth);
    case TARGET_IDENTIFIERS: return walk_object(w, object, CONTAINER_IDENTIFIERS, path, depth);
    case TARGET_ATTRIBUTE:
    case TARGET_FIELD: return walk_object(w, object, CONTAINER_OTHER, path, depth);
    case TARGET_IDENTIFIER:
    case TARGET_TIMESTAMP:
    case TARGET_MESSAGE_ID:
    case TARGET_IGNORED: break;
    }
    builder_warn(w->builder, path, "value_unsupported",
                 "This field holds a text or an integer; the object was left away.");
    return json_gate_subtree(&w->gate, object, depth, path_text(w->builder, path),
                             w->builder->error);
}

static err walk_object(struct walk *w, yyjson_val *object, enum container container,
                       const struct path *up, size_t depth)
{
    err e = ERR_OK;
    if (!json_gate_passes(&w->gate, object, depth)) {
        e = json_gate_refuse(&w->gate, object, depth, path_text(w->builder, up), w->builder->error);
    }
    size_t i, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, count, key, value)
    {
        if (e != ERR_OK) {
            break;
        }
        const struct path path = {up, yyjson_text(key)};
        struct target target = target_of(w, container, path.key);
        switch (unsafe_yyjson_get_type(value)) {
        case YYJSON_TYPE_STR: e = build_text(w->builder, target, &path, yyjson_text(value)); break;
        case YYJSON_TYPE_OBJ: e = walk_nested(w, target, &path, value, depth + 1); break;
        case YYJSON_TYPE_ARR: e = walk_array(w, target, &path, value, depth + 1); break;
        default: e = walk_scalar(w, target, &path, value); break;
        }
    }
    return e;
}

/* ---- entry ----------------------------------------------------------------------------------- */

static err parse_object(struct builder *builder, struct slice bytes, yyjson_val **root)
{
    yyjson_doc *doc;
    err e = json_parse(builder->arena, bytes, &doc, builder->error);
    if (e != ERR_OK) {
        return e;
    }
    *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(*root)) {
        return record_fail(
            builder->error, ERR_INVALID, "not_an_object", SLICE_LITERAL(""), 0,
            "A record is a JSON object, {\"email\": …}; this is another kind of value.");
    }
    return ERR_OK;
}

err read_json(struct builder *builder, struct slice bytes)
{
    yyjson_val *root = NULL;
    err e = parse_object(builder, bytes, &root);
    struct walk walk = {.builder = builder};
    return e != ERR_OK ? e : walk_object(&walk, root, CONTAINER_ROOT, NULL, 1);
}

/* ---- through a mapping: the top-level members are the columns ---- */

struct members {
    struct walk *walk;
    yyjson_val *root;
};

static bool member_text(void *context, struct slice column, struct slice *out)
{
    struct members *members = context;
    yyjson_val *value = yyjson_obj_getn(members->root, column.data, column.length);
    if (value == NULL || yyjson_is_obj(value) || yyjson_is_arr(value) || yyjson_is_null(value)) {
        return false;
    }
    *out = item_text(members->walk, value);
    return out->data != NULL;
}

err read_json_mapped(struct builder *builder, struct slice bytes, const struct mapping *mapping)
{
    yyjson_val *root = NULL;
    err e = parse_object(builder, bytes, &root);
    struct walk walk = {.builder = builder};
    if (e == ERR_OK) {
        e = json_gate_subtree(&walk.gate, root, 1, SLICE_LITERAL(""), builder->error);
    }
    struct members members = {&walk, root};
    if (e == ERR_OK) {
        e = mapping_apply(mapping, builder, member_text, &members);
    }
    if (e != ERR_OK || !mapping_keeps_rest(mapping)) {
        return e;
    }
    walk.gate = (struct json_gate){0}; /* the rest passes it again */
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    yyjson_val *key;
    while (e == ERR_OK && (key = yyjson_obj_iter_next(&iter)) != NULL) {
        const struct path path = {NULL, yyjson_text(key)};
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        const struct target target = {TARGET_ATTRIBUTE, 0};
        if (mapping_uses_column(mapping, path.key)) {
            continue;
        }
        if (yyjson_is_obj(value)) {
            e = walk_nested(&walk, target, &path, value, 2);
        } else if (yyjson_is_arr(value)) {
            e = walk_array(&walk, target, &path, value, 2);
        } else {
            e = walk_scalar(&walk, target, &path, value);
        }
    }
    return e;
}
