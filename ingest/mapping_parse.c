/* From a mapping's JSON to its rules. Whatever is not understood is an error: a typo must not be
 * silent. */
#include <stdlib.h>

#include "base/memory.h"
#include "datetime.h"
#include "ingest/limits.h"
#include "json_gate.h"
#include "mapping_rules.h"
#include "phone.h"
#include "text.h"

enum { MAPPING_ARENA_BYTES = 16 * 1024 * 1024 };

/* ---- reading the document -------------------------------------------------------------------- */

struct reader {
    struct slice json;
    struct error *error;
    struct mapping *mapping;
    struct slice field; /* being read; for messages */
    size_t field_room, used_room;
};

static err bad(const struct reader *r, const char *code, struct slice word, const char *why)
{
    const char *found =
        word.length == 0 ? NULL : memmem(r->json.data, r->json.length, word.data, word.length);
    uint64_t position = found == NULL ? 0 : (uint64_t)(found - r->json.data);
    struct slice shown = text_cut(word, 60);
    struct slice field = text_cut(r->field, 60);
    if (field.length == 0) {
        return error_set(r->error, ERR_INVALID, code, position, "Mapping: \"%.*s\" %s.",
                         SLICE_ARGS(shown), why);
    }
    return error_set(r->error, ERR_INVALID, code, position, "Mapping, field \"%.*s\": \"%.*s\" %s.",
                     SLICE_ARGS(field), SLICE_ARGS(shown), why);
}

static err no_memory(const struct reader *r)
{
    return error_set(r->error, ERR_MEMORY, "out_of_memory", 0,
                     "There was no memory for the mapping; try again later.");
}

static err keep(struct reader *r, yyjson_val *value, struct slice *out)
{
    *out = arena_copy(&r->mapping->arena, yyjson_text(value));
    return out->data == NULL ? no_memory(r) : ERR_OK;
}

static void *zeroed(struct reader *r, size_t count, size_t size)
{
    return arena_zalloc(&r->mapping->arena, (count == 0 ? 1 : count) * size);
}

static err use_column(struct reader *r, struct slice column)
{
    struct mapping *m = r->mapping;
    if (column.length == 0) {
        return bad(r, "mapping_column", SLICE_LITERAL("from"), "names a column without a name");
    }
    if (m->used_count == r->used_room) {
        size_t room = r->used_room == 0 ? 32 : r->used_room * 2;
        struct slice *grown = zeroed(r, room, sizeof *grown);
        if (grown == NULL) {
            return no_memory(r);
        }
        if (m->used_count > 0) {
            memcpy(grown, m->used, m->used_count * sizeof *grown);
        }
        m->used = grown;
        r->used_room = room;
    }
    m->used[m->used_count++] = column;
    return ERR_OK;
}

/* ---- transforms ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum transform_kind kind;
} plain_steps[] = {{"trim", TRANSFORM_TRIM},   {"lower", TRANSFORM_LOWER},
                   {"upper", TRANSFORM_UPPER}, {"title", TRANSFORM_TITLE},
                   {"text", TRANSFORM_TEXT},   {"number", TRANSFORM_NUMBER}};

static err read_plain_step(struct reader *r, yyjson_val *value, struct transform *out)
{
    for (size_t i = 0; i < ARRAY_COUNT(plain_steps); i++) {
        if (yyjson_equals_str(value, plain_steps[i].name)) {
            out->kind = plain_steps[i].kind;
            out->decimal = '.';
            return ERR_OK;
        }
    }
    return bad(r, "mapping_transform", yyjson_text(value),
               "is no transform; there are trim, lower, upper, title, text, number, and "
               "objects such as {\"split\": \";\"}");
}

static err read_text_step(struct reader *r, enum transform_kind kind, const char *name,
                          yyjson_val *value, struct transform *out)
{
    if (!yyjson_is_str(value) || yyjson_get_len(value) == 0) {
        return bad(r, "mapping_transform", slice_from_cstr(name), "needs a text that is not empty");
    }
    out->kind = kind;
    return keep(r, value, &out->text);
}

static err read_replace(struct reader *r, yyjson_val *value, struct transform *out)
{
    yyjson_val *what = yyjson_arr_get(value, 0);
    yyjson_val *with = yyjson_arr_get(value, 1);
    if (yyjson_arr_size(value) != 2 || !yyjson_is_str(what) || !yyjson_is_str(with) ||
        yyjson_get_len(what) == 0) {
        return bad(r, "mapping_transform", SLICE_LITERAL("replace"),
                   "needs a list of two texts, what and with what");
    }
    out->kind = TRANSFORM_REPLACE;
    err e = keep(r, what, &out->text);
    return e != ERR_OK ? e : keep(r, with, &out->with);
}

static err add_format(struct reader *r, yyjson_val *value, struct transform *out)
{
    if (!yyjson_is_str(value) || !datetime_format_valid(yyjson_text(value)) ||
        (strstr(yyjson_get_str(value), "%s") != NULL && yyjson_get_len(value) != 2)) {
        struct slice shown = yyjson_is_str(value) ? yyjson_text(value) : SLICE_LITERAL("date");
        return bad(
            r, "mapping_date_format", shown,
            "is no date format: %Y %y %m %d %e %j %b %B %H %I %p %M %S %f %z %F %D %T, or %s alone");
    }
    return keep(r, value, &out->formats[out->count++]);
}

static err read_date(struct reader *r, yyjson_val *value, struct transform *out)
{
    size_t count = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;
    out->kind = TRANSFORM_DATE;
    out->formats = zeroed(r, count, sizeof *out->formats);
    if (out->formats == NULL) {
        return no_memory(r);
    }
    if (!yyjson_is_arr(value) || count == 0) {
        return add_format(r, value, out);
    }
    err e = ERR_OK;
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    for (yyjson_val *item; e == ERR_OK && (item = yyjson_arr_iter_next(&iter)) != NULL;) {
        e = add_format(r, item, out);
    }
    return e;
}

static err read_number(struct reader *r, yyjson_val *value, struct transform *out)
{
    out->kind = TRANSFORM_NUMBER;
    out->decimal = '.';
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    if (!yyjson_is_obj(value)) {
        return bad(r, "mapping_transform", SLICE_LITERAL("number"),
                   "needs an object with decimal and thousands, each one character");
    }
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        yyjson_val *mark = yyjson_obj_iter_get_val(key);
        char *to = yyjson_equals_str(key, "decimal")     ? &out->decimal
                   : yyjson_equals_str(key, "thousands") ? &out->thousands
                                                         : NULL;
        if (to == NULL || !yyjson_is_str(mark) || yyjson_get_len(mark) != 1 ||
            ascii_is_digit(yyjson_get_str(mark)[0])) {
            return bad(r, "mapping_transform", yyjson_text(key),
                       "is not understood in number: decimal and thousands, each one character");
        }
        *to = yyjson_get_str(mark)[0];
    }
    return ERR_OK;
}

static int by_from(const void *a, const void *b)
{
    return slice_compare(((const struct lookup_entry *)a)->from,
                         ((const struct lookup_entry *)b)->from);
}

static err read_lookup(struct reader *r, yyjson_val *value, struct transform *out)
{
    if (!yyjson_is_obj(value)) {
        return bad(r, "mapping_transform", SLICE_LITERAL("lookup"),
                   "needs an object, from text to text");
    }
    out->kind = TRANSFORM_LOOKUP;
    out->table = zeroed(r, yyjson_obj_size(value), sizeof *out->table);
    if (out->table == NULL) {
        return no_memory(r);
    }
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        yyjson_val *to = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_str(to)) {
            return bad(r, "mapping_transform", yyjson_text(key), "must become a text in lookup");
        }
        struct lookup_entry *entry = &out->table[out->count++];
        err e = keep(r, key, &entry->from);
        e = e != ERR_OK ? e : keep(r, to, &entry->to);
        if (e != ERR_OK) {
            return e;
        }
    }
    qsort(out->table, out->count, sizeof *out->table, by_from);
    return ERR_OK;
}

static err read_country(struct reader *r, yyjson_val *value, struct transform *out)
{
    struct slice code = yyjson_is_str(value) ? yyjson_text(value) : SLICE_LITERAL("phone_country");
    out->kind = TRANSFORM_PHONE_COUNTRY;
    if (code.length == 2) {
        memcpy(out->country, code.data, 2);
    }
    if (code.length != 2 || !phone_country_known(out->country)) {
        return bad(r, "mapping_country", code,
                   "is no two-letter country code in capitals (ISO 3166-1)");
    }
    return ERR_OK;
}

static err read_step(struct reader *r, yyjson_val *key, yyjson_val *value, struct transform *out)
{
    static const struct {
        const char *name;
        enum transform_kind kind;
    } texts[] = {{"split", TRANSFORM_SPLIT},
                 {"prefix", TRANSFORM_PREFIX},
                 {"suffix", TRANSFORM_SUFFIX},
                 {"default", TRANSFORM_DEFAULT}};
    static const struct {
        const char *name;
        err (*read)(struct reader *, yyjson_val *, struct transform *);
    } others[] = {{"date", read_date},
                  {"number", read_number},
                  {"lookup", read_lookup},
                  {"replace", read_replace},
                  {"phone_country", read_country}};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (yyjson_equals_str(key, texts[i].name)) {
            return read_text_step(r, texts[i].kind, texts[i].name, value, out);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        if (yyjson_equals_str(key, others[i].name)) {
            return others[i].read(r, value, out);
        }
    }
    return bad(r, "mapping_transform", yyjson_text(key),
               "is no transform; there are split, prefix, suffix, default, date, number, "
               "lookup, replace, phone_country");
}

/* {"lookup": {...}, "otherwise": "drop"}: one step, and how it ends. */
static err read_step_object(struct reader *r, yyjson_val *object, struct transform *out)
{
    yyjson_val *otherwise = yyjson_obj_get(object, "otherwise");
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *key = yyjson_obj_iter_next(&iter);
    if (key != NULL && yyjson_equals_str(key, "otherwise")) {
        key = yyjson_obj_iter_next(&iter);
    }
    if (key == NULL || yyjson_obj_size(object) != 1u + (otherwise != NULL)) {
        return bad(r, "mapping_transform", SLICE_LITERAL("transforms"),
                   "has an object with no step or several; give each its own object");
    }
    err e = read_step(r, key, yyjson_obj_iter_get_val(key), out);
    if (e != ERR_OK || otherwise == NULL) {
        return e;
    }
    out->drop_others = yyjson_equals_str(otherwise, "drop");
    if (out->kind != TRANSFORM_LOOKUP ||
        (!out->drop_others && !yyjson_equals_str(otherwise, "keep"))) {
        return bad(r, "mapping_transform", SLICE_LITERAL("otherwise"),
                   "belongs to lookup and is keep or drop");
    }
    return ERR_OK;
}

static err read_steps(struct reader *r, yyjson_val *list, struct mapped_field *field)
{
    if (!yyjson_is_arr(list)) {
        return bad(r, "mapping_transform", SLICE_LITERAL("transforms"), "needs a list");
    }
    field->steps = zeroed(r, yyjson_arr_size(list), sizeof *field->steps);
    if (field->steps == NULL) {
        return no_memory(r);
    }
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter)) != NULL;) {
        struct transform *step = &field->steps[field->step_count++];
        err e = yyjson_is_obj(item)   ? read_step_object(r, item, step)
                : yyjson_is_str(item) ? read_plain_step(r, item, step)
                                      : bad(r, "mapping_transform", SLICE_LITERAL("transforms"),
                                            "holds texts and objects only");
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

/* ---- sources of a field ---------------------------------------------------------------------- */

static err read_part(struct reader *r, yyjson_val *value, bool is_column,
                     struct mapped_field *field)
{
    if (!yyjson_is_str(value)) {
        return bad(r, "mapping_source", SLICE_LITERAL("from"), "needs a text");
    }
    struct part *part = &field->parts[field->part_count++];
    part->is_column = is_column;
    err e = keep(r, value, &part->text);
    return e != ERR_OK || !is_column ? e : use_column(r, part->text);
}

/* In concat a text with a letter or digit is a column, any other stands for itself. */
static bool names_column(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (ascii_is_letter(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80) {
            return true;
        }
    }
    return false;
}

static err read_concat(struct reader *r, yyjson_val *list, struct mapped_field *field)
{
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0 ||
        yyjson_arr_size(list) > CONCAT_PARTS_MAX) {
        return bad(r, "mapping_source", SLICE_LITERAL("concat"),
                   "needs a list of 1 to 64 columns and texts");
    }
    err e = ERR_OK;
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *item; e == ERR_OK && (item = yyjson_arr_iter_next(&iter)) != NULL;) {
        yyjson_val *text = yyjson_obj_get(item, "text");
        yyjson_val *column = yyjson_obj_get(item, "column");
        if (yyjson_is_obj(item) &&
            (yyjson_obj_size(item) != 1 || (text == NULL && column == NULL))) {
            return bad(r, "mapping_source", SLICE_LITERAL("concat"),
                       "holds texts, {\"text\": …} and {\"column\": …}");
        }
        yyjson_val *value = text != NULL ? text : column != NULL ? column : item;
        bool is_column = text == NULL && (column != NULL ||
                                          (yyjson_is_str(item) && names_column(yyjson_text(item))));
        e = read_part(r, value, is_column, field);
    }
    return e;
}

static err read_spec_object(struct reader *r, yyjson_val *spec, struct mapped_field *field)
{
    size_t sources = 0;
    err e = ERR_OK;
    yyjson_obj_iter iter = yyjson_obj_iter_with(spec);
    for (yyjson_val *key; e == ERR_OK && (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        if (yyjson_equals_str(key, "transforms")) {
            e = field->steps != NULL ? bad(r, "mapping_transform", yyjson_text(key), "stands twice")
                                     : read_steps(r, value, field);
            continue;
        }
        bool is_from = yyjson_equals_str(key, "from");
        bool is_concat = yyjson_equals_str(key, "concat");
        if (++sources > 1 || (!is_from && !is_concat && !yyjson_equals_str(key, "constant"))) {
            return bad(
                r, "mapping_source", yyjson_text(key),
                "is not understood; a field has one of from, concat, constant, and transforms");
        }
        e = is_concat ? read_concat(r, value, field) : read_part(r, value, is_from, field);
    }
    return e == ERR_OK && sources == 0
               ? bad(r, "mapping_source", r->field, "has no from, concat or constant")
               : e;
}

static err add_field(struct reader *r, struct slice path, yyjson_val *spec)
{
    struct mapping *m = r->mapping;
    if (m->field_count == r->field_room) {
        size_t room = r->field_room == 0 ? 32 : r->field_room * 2;
        struct mapped_field *grown = zeroed(r, room, sizeof *grown);
        if (grown == NULL) {
            return no_memory(r);
        }
        if (m->field_count > 0) {
            memcpy(grown, m->fields, m->field_count * sizeof *grown);
        }
        m->fields = grown;
        r->field_room = room;
    }
    struct mapped_field *field = &m->fields[m->field_count++];
    *field = (struct mapped_field){.path = path, .target = name_lookup(path)};
    field->parts = zeroed(r, CONCAT_PARTS_MAX, sizeof *field->parts);
    if (field->parts == NULL) {
        return no_memory(r);
    }
    if (field->target.kind == TARGET_DEMOGRAPHICS || field->target.kind == TARGET_IDENTIFIERS) {
        return bad(r, "mapping_field", path,
                   "is a group; name its fields, such as demographics.age");
    }
    if (yyjson_is_str(spec)) {
        return read_part(r, spec, true, field); /* "first_name": "given_name" */
    }
    return yyjson_is_obj(spec) ? read_spec_object(r, spec, field)
                               : bad(r, "mapping_source", path,
                                     "needs the name of a column, an object, or a list of them");
}

static err read_fields(struct reader *r, yyjson_val *fields)
{
    if (!yyjson_is_obj(fields)) {
        return bad(r, "mapping_field", SLICE_LITERAL("fields"), "needs an object");
    }
    err e = ERR_OK;
    yyjson_obj_iter iter = yyjson_obj_iter_with(fields);
    for (yyjson_val *key; e == ERR_OK && (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        yyjson_val *spec = yyjson_obj_iter_get_val(key);
        e = keep(r, key, &r->field);
        if (e == ERR_OK && (r->field.length == 0 || r->field.length > KEY_BYTES_MAX)) {
            e = bad(r, "mapping_field", r->field, "is no name of a field: 1 to 128 bytes");
        }
        if (e == ERR_OK && !yyjson_is_arr(spec)) {
            e = add_field(r, r->field, spec);
        }
        yyjson_arr_iter items = yyjson_arr_iter_with(spec);
        for (yyjson_val *item; e == ERR_OK && (item = yyjson_arr_iter_next(&items)) != NULL;) {
            e = add_field(r, r->field, item);
        }
    }
    r->field = SLICE_NONE;
    return e;
}

/* ---- the document ---------------------------------------------------------------------------- */

static err read_ignore(struct reader *r, yyjson_val *list)
{
    if (!yyjson_is_arr(list)) {
        return bad(r, "mapping_ignore", SLICE_LITERAL("ignore"), "needs a list of columns");
    }
    err e = ERR_OK;
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *item; e == ERR_OK && (item = yyjson_arr_iter_next(&iter)) != NULL;) {
        struct slice column;
        if (!yyjson_is_str(item)) {
            return bad(r, "mapping_ignore", SLICE_LITERAL("ignore"), "needs a list of columns");
        }
        e = keep(r, item, &column);
        e = e != ERR_OK ? e : use_column(r, column);
    }
    return e;
}

static err read_delimiter(struct reader *r, yyjson_val *value)
{
    struct slice text = yyjson_is_str(value) ? yyjson_text(value) : SLICE_NONE;
    if (text.length != 1 || memchr(",;\t|", text.data[0], 4) == NULL) {
        return bad(r, "mapping_delimiter", SLICE_LITERAL("delimiter"), "is one of , ; | and tab");
    }
    r->mapping->delimiter = text.data[0];
    return ERR_OK;
}

static err read_member(struct reader *r, yyjson_val *key, yyjson_val *value)
{
    if (yyjson_equals_str(key, "fields")) {
        return read_fields(r, value);
    }
    if (yyjson_equals_str(key, "ignore")) {
        return read_ignore(r, value);
    }
    if (yyjson_equals_str(key, "delimiter")) {
        return read_delimiter(r, value);
    }
    if (yyjson_equals_str(key, "rest")) {
        r->mapping->drop_rest = yyjson_equals_str(value, "drop");
        return r->mapping->drop_rest || yyjson_equals_str(value, "attributes")
                   ? ERR_OK
                   : bad(r, "mapping_rest", yyjson_text(key), "is attributes or drop");
    }
    if (yyjson_equals_str(key, "name") && yyjson_is_str(value)) {
        return keep(r, value, &r->mapping->name);
    }
    if (yyjson_equals_str(key, "description") && yyjson_is_str(value)) {
        return ERR_OK;
    }
    return bad(
        r, "mapping_unknown_key", yyjson_text(key),
        "is not understood; a mapping has name, description, fields, ignore, rest, delimiter");
}

int slice_by_text(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* A key that stands twice would hide a rule; looked for in the whole document. */
static err read_document(struct reader *r, yyjson_val *root)
{
    struct json_gate gate = {0};
    struct record_error problem;
    if (!yyjson_is_obj(root)) {
        return bad(r, "mapping_syntax", SLICE_LITERAL("mapping"), "must be a JSON object");
    }
    gate.unlimited = true;
    if (json_gate_subtree(&gate, root, 1, SLICE_LITERAL(""), &problem) != ERR_OK) {
        return bad(r, "mapping_duplicate_key", slice_from_cstr(problem.field),
                   "stands twice in one object, or is too deep");
    }
    err e = ERR_OK;
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    for (yyjson_val *key; e == ERR_OK && (key = yyjson_obj_iter_next(&iter)) != NULL;) {
        e = read_member(r, key, yyjson_obj_iter_get_val(key));
    }
    if (e == ERR_OK && r->mapping->field_count == 0) {
        return bad(r, "mapping_field", SLICE_LITERAL("fields"), "is missing or empty");
    }
    if (e == ERR_OK && r->mapping->used_count > 0) {
        qsort(r->mapping->used, r->mapping->used_count, sizeof *r->mapping->used, slice_by_text);
    }
    return e;
}

static err parse_into(struct reader *r)
{
    struct arena arena;
    arena_init(&arena, MAPPING_ARENA_BYTES);
    yyjson_doc *doc;
    struct record_error problem = {0};
    err e = json_parse(&arena, r->json, &doc, &problem);
    if (e == ERR_OK) {
        e = read_document(r, yyjson_doc_get_root(doc));
    } else if (e == ERR_MEMORY) {
        e = no_memory(r);
    } else {
        e = error_set(r->error, e, "mapping_syntax", problem.position,
                      "The mapping is not valid JSON at byte %llu.",
                      (unsigned long long)problem.position);
    }
    arena_deinit(&arena);
    return e;
}

err mapping_parse(struct slice json, struct mapping **out, struct error *error)
{
    *out = NULL;
    struct reader reader = {.json = json, .error = error};
    if (json.length > MAPPING_BYTES_MAX) {
        return error_set(error, ERR_TOO_LARGE, "mapping_too_large", MAPPING_BYTES_MAX,
                         "A mapping may have 1 MiB.");
    }
    struct mapping *mapping = memory_zalloc(sizeof *mapping);
    if (mapping == NULL) {
        return no_memory(&reader);
    }
    arena_init(&mapping->arena, MAPPING_ARENA_BYTES);
    mapping->name = SLICE_LITERAL("");
    reader.mapping = mapping;
    err e = parse_into(&reader);
    if (e != ERR_OK) {
        mapping_destroy(mapping);
        return e;
    }
    *out = mapping;
    return ERR_OK;
}
