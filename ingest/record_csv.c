/* A row under its header: by column names, or through a mapping. */
#include <stdio.h>

#include "base/utf8.h"
#include "csv.h"
#include "ingest/limits.h"
#include "mapping_apply.h"
#include "record_read.h"

struct row_reader {
    const struct csv_header *header;
    struct csv_row row;
};

static bool cell_of(void *context, struct slice column, struct slice *out)
{
    const struct row_reader *reader = context;
    size_t at;
    if (!csv_column(reader->header, column, &at)) {
        return false;
    }
    *out = reader->row.cells[at];
    return out->length > 0;
}

static err cut_failed(struct builder *b, err e, const struct csv_header *header,
                      const struct csv_row *row, size_t bad_at)
{
    char message[ERROR_MESSAGE_MAX];
    if (e == ERR_INVALID) {
        snprintf(message, sizeof message,
                 "A quoted cell does not end as it should at byte %zu of the row; write a quote "
                 "inside a cell as two.",
                 bad_at + 1);
        return record_fail(b->error, ERR_INVALID, "csv_quote", SLICE_LITERAL(""), bad_at, message);
    }
    if (e == ERR_TOO_LARGE) {
        snprintf(message, sizeof message,
                 "The row has more cells than the header's %zu columns; quote cells that hold "
                 "the delimiter.",
                 header->count);
    } else {
        snprintf(message, sizeof message,
                 "The row has %zu cells and the header %zu columns; fill the missing ones.",
                 row->count, header->count);
    }
    return record_fail(b->error, ERR_INVALID, "csv_columns", SLICE_LITERAL(""), 0, message);
}

static err cut_row(struct builder *b, struct slice bytes, const struct csv_header *header,
                   struct csv_row *row)
{
    size_t bad_at = 0;
    if (!utf8_valid(bytes, &bad_at)) {
        char message[ERROR_MESSAGE_MAX];
        snprintf(message, sizeof message,
                 "The row is not UTF-8 at byte %zu; convert the file, for example with iconv.",
                 bad_at + 1);
        return record_fail(b->error, ERR_INVALID, "csv_encoding", SLICE_LITERAL(""), bad_at,
                           message);
    }
    while (bytes.length > 0 &&
           (bytes.data[bytes.length - 1] == '\r' || bytes.data[bytes.length - 1] == '\n')) {
        bytes.length--;
    }
    err e = csv_cut(b->arena, bytes, header->delimiter, header->count, row, &bad_at);
    if (e == ERR_MEMORY || (e == ERR_OK && row->count == header->count)) {
        return e;
    }
    return cut_failed(b, e, header, row, bad_at);
}

static struct target column_target(const struct builder *b, const struct csv_header *header,
                                   size_t column)
{
    struct target target = header->targets[column];
    return target.kind == TARGET_ATTRIBUTE ? name_resolve(header->names[column], b->settings)
                                           : target;
}

err read_csv(struct builder *b, struct slice bytes, const struct csv_header *header,
             const struct mapping *mapping)
{
    struct row_reader reader = {.header = header};
    err e = cut_row(b, bytes, header, &reader.row);
    if (e == ERR_OK && mapping != NULL) {
        e = mapping_apply(mapping, b, cell_of, &reader);
        if (!mapping_keeps_rest(mapping)) {
            return e;
        }
    }
    for (size_t i = 0; e == ERR_OK && i < header->count; i++) {
        struct slice cell = reader.row.cells[i];
        if (cell.length == 0 ||
            (mapping != NULL && mapping_uses_column(mapping, header->names[i]))) {
            continue;
        }
        const struct target attribute = {TARGET_ATTRIBUTE, 0};
        struct target target = mapping != NULL ? attribute : column_target(b, header, i);
        e = build_cell(b, target, &(struct path){NULL, header->names[i]}, cell);
    }
    return e;
}
