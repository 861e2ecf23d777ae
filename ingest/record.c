/* The two ways in: a record, and a correction of one. */
#include "ingest/record.h"

#include "ingest/limits.h"
#include "record_read.h"

static err read_form(struct builder *b, struct slice bytes, const struct record_form *form)
{
    if (form->etl_version > ETL_RULES_VERSION) {
        return record_fail(
            b->error, ERR_UNSUPPORTED, "rules_too_new", SLICE_LITERAL(""), 0,
            "The entry was read by the rules of a newer Kindred; run that version or a newer one.");
    }
    if (bytes.length > RECORD_BYTES_MAX) {
        return record_fail(b->error, ERR_TOO_LARGE, "record_too_large", SLICE_LITERAL(""),
                           RECORD_BYTES_MAX, "The record is over the limit in bytes; split it.");
    }
    switch (form->format) {
    case FORMAT_JSON:
        return form->mapping == NULL ? read_json(b, bytes)
                                     : read_json_mapped(b, bytes, form->mapping);
    case FORMAT_CSV:
        if (form->header != NULL) {
            return read_csv(b, bytes, form->header, form->mapping);
        }
        return record_fail(b->error, ERR_INVALID, "csv_header_missing", SLICE_LITERAL(""), 0,
                           "A row cannot be read without its header.");
    }
    return record_fail(b->error, ERR_UNSUPPORTED, "format_unknown", SLICE_LITERAL(""), 0,
                       "The entry has a format that this version does not know; run a newer one.");
}

static err out_of_memory(struct record_error *error)
{
    return record_fail(error, ERR_MEMORY, "out_of_memory", SLICE_LITERAL(""), 0,
                       "There was no memory to read the record; send it again later.");
}

err record_read(struct arena *arena, struct slice bytes, const struct record_form *form,
                const struct settings *settings, struct record *out, struct record_error *error)
{
    struct builder builder;
    builder_init(&builder, arena, settings, out, error);
    err e = read_form(&builder, bytes, form);
    if (e == ERR_OK) {
        e = builder_finish(&builder);
    }
    return e == ERR_MEMORY ? out_of_memory(error) : e;
}

err record_read_patch(struct arena *arena, struct slice bytes, const struct settings *settings,
                      struct record *out, struct record_error *error)
{
    struct builder builder;
    builder_init(&builder, arena, settings, out, error);
    builder.is_patch = true;
    const struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
    err e = read_form(&builder, bytes, &form);
    if (e == ERR_OK) {
        e = builder_finish(&builder);
    }
    out->replace_lists = true;
    return e == ERR_MEMORY ? out_of_memory(error) : e;
}
