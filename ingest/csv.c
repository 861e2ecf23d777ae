#include "csv.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "ingest/limits.h"
#include "text.h"

/* ---- cells ----------------------------------------------------------------------------------- */

static bool is_pad(char c)
{
    return c == ' ';
}

/* *at is behind the opening quote; afterwards behind the closing one. */
static err take_quoted(struct arena *arena, struct slice row, size_t *at, struct slice *cell)
{
    size_t start = *at;
    size_t quotes = 0;
    for (;;) {
        const char *quote =
            *at >= row.length ? NULL : memchr(row.data + *at, '"', row.length - *at);
        if (quote == NULL) {
            return ERR_INVALID;
        }
        *at = (size_t)(quote - row.data) + 1;
        if (*at == row.length || row.data[*at] != '"') {
            break;
        }
        ++*at;
        quotes++;
    }
    *cell = slice_of(row.data + start, *at - 1 - start);
    if (quotes == 0) {
        return ERR_OK;
    }
    char *to = arena_alloc(arena, cell->length);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    size_t length = 0;
    for (size_t i = 0; i < cell->length; i++) {
        to[length++] = cell->data[i];
        i += cell->data[i] == '"'; /* the second of two */
    }
    *cell = slice_of(to, length);
    return ERR_OK;
}

static err take_cell(struct arena *arena, struct slice row, char delimiter, size_t *at,
                     struct slice *cell)
{
    size_t start = *at;
    size_t first = start;
    while (first < row.length && is_pad(row.data[first]) && delimiter != ' ') {
        first++;
    }
    if (first < row.length && row.data[first] == '"') {
        *at = first + 1;
        err e = take_quoted(arena, row, at, cell);
        if (e != ERR_OK) {
            return e;
        }
        while (*at < row.length && is_pad(row.data[*at])) {
            ++*at;
        }
        return *at == row.length || row.data[*at] == delimiter ? ERR_OK : ERR_INVALID;
    }
    const char *end =
        first == row.length ? NULL : memchr(row.data + first, delimiter, row.length - first);
    *at = end == NULL ? row.length : (size_t)(end - row.data);
    *cell = slice_of(row.data + start, *at - start);
    return ERR_OK;
}

err csv_cut(struct arena *arena, struct slice row, char delimiter, size_t room, struct csv_row *out,
            size_t *bad_at)
{
    if (row.data == NULL) {
        row = SLICE_LITERAL("");
    }
    out->count = 0;
    out->cells = arena_alloc(arena, room * sizeof *out->cells);
    if (out->cells == NULL) {
        return ERR_MEMORY;
    }
    for (size_t at = 0;; at++) { /* over the delimiter */
        if (out->count == room) {
            return ERR_TOO_LARGE;
        }
        err e = take_cell(arena, row, delimiter, &at, &out->cells[out->count++]);
        if (e != ERR_OK) {
            *bad_at = at < row.length ? at : row.length;
            return e;
        }
        if (at == row.length) {
            return ERR_OK;
        }
    }
}

/* ---- header ---------------------------------------------------------------------------------- */

static size_t slot_of(const struct csv_header *header, struct slice name, bool ignoring_case)
{
    /* Both ways of looking start at the same slot: the hash knows no case. */
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < name.length; i++) {
        hash = (hash ^ (unsigned char)ascii_to_lower(name.data[i])) * UINT64_C(0x100000001B3);
    }
    size_t slot = (size_t)(hash ^ hash >> 32) & header->slot_mask;
    for (; header->slots[slot] != 0; slot = (slot + 1) & header->slot_mask) {
        struct slice other = header->names[header->slots[slot] - 1];
        if (ignoring_case ? slice_equal_ignoring_case(other, name) : slice_equal(other, name)) {
            break;
        }
    }
    return slot;
}

bool csv_column(const struct csv_header *header, struct slice name, size_t *column)
{
    size_t slot = slot_of(header, name, false);
    if (header->slots[slot] == 0) {
        slot = slot_of(header, name, true);
    }
    if (header->slots[slot] == 0) {
        return false;
    }
    *column = header->slots[slot] - 1u;
    return true;
}

static err header_failed(struct error *error, const char *code, size_t column, const char *why)
{
    return error_set(error, ERR_INVALID, code, column, "Column %zu of the header %s.", column, why);
}

/* Names and slots are allocated for `count` columns. */
static err index_names(struct csv_header *header, struct error *error)
{
    for (size_t i = 0; i < header->count; i++) {
        struct slice name = header->names[i];
        if (name.length == 0) {
            return header_failed(error, "csv_header_name", i + 1, "has no name; give it one");
        }
        if (name.length > KEY_BYTES_MAX) {
            return header_failed(error, "csv_header_name", i + 1,
                                 "has a name over 128 bytes; shorten it");
        }
        if (text_has_invisible(name)) {
            return header_failed(error, "csv_header_name", i + 1,
                                 "has a control character in its name; remove it");
        }
        size_t slot = slot_of(header, name, false);
        if (header->slots[slot] != 0) {
            return header_failed(error, "csv_header_duplicate", i + 1,
                                 "has the name of an earlier one; rename it");
        }
        header->slots[slot] = (uint16_t)(i + 1);
        header->targets[i] = name_lookup(name);
    }
    return ERR_OK;
}

static err allocate_columns(struct csv_header *header, const struct csv_row *row)
{
    size_t text_bytes = 1;
    for (size_t i = 0; i < row->count; i++) {
        text_bytes += row->cells[i].length;
    }
    size_t slots = 16;
    while (slots < row->count * 2) {
        slots *= 2;
    }
    header->slot_mask = slots - 1;
    header->names = memory_zalloc(row->count * sizeof *header->names);
    header->targets = memory_zalloc(row->count * sizeof *header->targets);
    header->slots = memory_zalloc(slots * sizeof *header->slots);
    header->text = memory_alloc(text_bytes);
    if (header->names == NULL || header->targets == NULL || header->slots == NULL ||
        header->text == NULL) {
        return ERR_MEMORY;
    }
    char *to = header->text;
    for (size_t i = 0; i < row->count; i++) {
        struct slice name = slice_trim(row->cells[i]);
        if (name.length > 0) {
            memcpy(to, name.data, name.length);
        }
        header->names[i] = slice_of(to, name.length);
        to += name.length;
    }
    header->count = row->count;
    return ERR_OK;
}

static err parse_line(struct csv_header *header, struct arena *arena, struct slice line,
                      struct error *error)
{
    struct csv_row row;
    size_t bad_at = 0;
    if (!utf8_valid(line, &bad_at)) {
        return error_set(
            error, ERR_INVALID, "csv_encoding", bad_at + 1,
            "The header is not UTF-8 at byte %zu; convert the file, for example with iconv.",
            bad_at + 1);
    }
    err e = csv_cut(arena, line, header->delimiter, CSV_COLUMN_COUNT_MAX, &row, &bad_at);
    if (e == ERR_TOO_LARGE) {
        return error_set(error, e, "csv_too_many_columns", 0,
                         "The header has more than 1,024 columns; leave some away.");
    }
    if (e == ERR_INVALID) {
        return error_set(error, e, "csv_quote", bad_at + 1,
                         "A quote in the header does not close at byte %zu.", bad_at + 1);
    }
    if (e == ERR_OK) {
        e = allocate_columns(header, &row);
    }
    if (e == ERR_MEMORY) {
        return error_set(error, e, "out_of_memory", 0,
                         "There was no memory for the header; try again later.");
    }
    return index_names(header, error);
}

err csv_header_parse(struct slice header_bytes, struct csv_header **out, struct error *error)
{
    *out = NULL;
    if (header_bytes.length < 2 || header_bytes.length > CSV_HEADER_BYTES_MAX ||
        memchr(",;\t|", header_bytes.data[0], 4) == NULL) {
        return error_set(
            error, ERR_INVALID, "csv_header_missing", 0,
            "A table starts with a line of column names, divided by comma, semicolon, tab or bar.");
    }
    struct csv_header *header = memory_zalloc(sizeof *header);
    if (header == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "There was no memory for the header; try again later.");
    }
    header->delimiter = header_bytes.data[0];
    struct slice line = slice_of(header_bytes.data + 1, header_bytes.length - 1);
    while (line.length > 0 &&
           (line.data[line.length - 1] == '\r' || line.data[line.length - 1] == '\n')) {
        line.length--;
    }
    struct arena arena;
    arena_init(&arena, 4 * CSV_HEADER_BYTES_MAX);
    err e = parse_line(header, &arena, line, error);
    arena_deinit(&arena);
    if (e != ERR_OK) {
        csv_header_destroy(header);
        return e;
    }
    *out = header;
    return ERR_OK;
}

void csv_header_destroy(struct csv_header *header)
{
    if (header != NULL) {
        memory_free(header->names);
        memory_free(header->targets);
        memory_free(header->slots);
        memory_free(header->text);
        memory_free(header);
    }
}
