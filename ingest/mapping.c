#include "ingest/mapping.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ingest/limits.h"
#include "mapping_rules.h"

void mapping_destroy(struct mapping *mapping)
{
    if (mapping != NULL) {
        arena_deinit(&mapping->arena);
        memory_free(mapping);
    }
}

struct slice mapping_name(const struct mapping *mapping)
{
    return mapping->name;
}

char mapping_delimiter(const struct mapping *mapping)
{
    return mapping->delimiter;
}

/* ---- at work --------------------------------------------------------------------------------- */

bool mapping_keeps_rest(const struct mapping *mapping)
{
    return !mapping->drop_rest;
}

bool mapping_uses_column(const struct mapping *mapping, struct slice column)
{
    return mapping->used_count > 0 && bsearch(&column, mapping->used, mapping->used_count,
                                              sizeof column, slice_by_text) != NULL;
}

struct pen {
    char *to;
    size_t length;
};

static void write_text(struct pen *pen, struct slice text)
{
    if (text.length > 0) {
        memcpy(pen->to + pen->length, text.data, text.length);
        pen->length += text.length;
    }
}

/* Texts between columns are written only between columns that hold something; those in front
 * stay. */
static bool write_parts(const struct mapped_field *field, const struct slice *cells,
                        struct pen *pen)
{
    struct slice between = SLICE_LITERAL("");
    bool any = false;
    for (size_t i = 0; i < field->part_count; i++) {
        if (!field->parts[i].is_column) {
            between = cells[i];
            if (i == 0 || !field->parts[i - 1].is_column) {
                write_text(pen, between);
                between = SLICE_LITERAL("");
            }
        } else if (cells[i].length > 0) {
            if (any) {
                write_text(pen, between);
            }
            write_text(pen, cells[i]);
            between = SLICE_LITERAL("");
            any = true;
        }
    }
    return any;
}

static err concat(struct builder *b, const struct mapped_field *field, column_reader read,
                  void *context, struct slice *out)
{
    struct slice cells[CONCAT_PARTS_MAX];
    size_t length = 0;
    for (size_t i = 0; i < field->part_count; i++) {
        cells[i] = field->parts[i].text;
        if (field->parts[i].is_column) {
            cells[i] = read(context, field->parts[i].text, &cells[i]) ? slice_trim(cells[i])
                                                                      : SLICE_LITERAL("");
        }
        length += cells[i].length;
    }
    if (length > TEXT_BYTES_MAX) {
        const struct path path = {NULL, field->path};
        builder_warn(b, &path, "text_too_long",
                     "The columns put together are over the limit; they were left away.");
        return ERR_OK;
    }
    struct pen pen = {.to = arena_alloc(b->arena, length)};
    if (pen.to == NULL) {
        return ERR_MEMORY;
    }
    *out = write_parts(field, cells, &pen) ? slice_of(pen.to, pen.length) : SLICE_NONE;
    return ERR_OK;
}

static err hand_over(struct builder *b, const struct mapped_field *field,
                     const struct mapped_value *value)
{
    struct target target = field->target.kind == TARGET_ATTRIBUTE
                               ? name_resolve(field->path, b->settings)
                               : field->target;
    const struct path path = {NULL, field->path};
    b->phone_country = value->phone_country;
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < value->count; i++) {
        struct slice text = value->texts[i];
        if (text.length == 0) {
            continue;
        }
        if (value->was_split) {
            e = build_item(b, target, &path, text);
        } else if (value->keep_text) {
            e = build_text(b, target, &path, text);
        } else {
            e = build_cell(b, target, &path, text);
        }
    }
    b->phone_country = "";
    return e;
}

static err apply_field(struct builder *b, const struct mapped_field *field, column_reader read,
                       void *context)
{
    struct slice *text = arena_alloc(b->arena, sizeof *text);
    if (text == NULL) {
        return ERR_MEMORY;
    }
    *text = SLICE_NONE;
    err e = ERR_OK;
    if (field->part_count > 1) {
        e = concat(b, field, read, context, text);
    } else if (!field->parts[0].is_column) {
        *text = field->parts[0].text;
    } else if (!read(context, field->parts[0].text, text)) {
        *text = SLICE_NONE;
    }
    struct mapped_value value = {.texts = text, .count = text->data != NULL, .phone_country = ""};
    if (e == ERR_OK) {
        const struct path path = {NULL, field->path};
        e = transform_run(b, field->steps, field->step_count, &path, &value);
    }
    return e != ERR_OK ? e : hand_over(b, field, &value);
}

err mapping_apply(const struct mapping *mapping, struct builder *builder, column_reader read,
                  void *context)
{
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < mapping->field_count; i++) {
        e = apply_field(builder, &mapping->fields[i], read, context);
    }
    return e;
}
