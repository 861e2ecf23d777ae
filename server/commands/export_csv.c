/* export_csv.c: JSON objects of all shapes as one table.
 *
 * A column is a path: "demographics.age", "attributes.loyalty". Lists of texts are joined with ';'.
 * A list of objects with type and value (the identifiers) becomes one column per type. What does
 * not fit (why a cohort, which source) is JSON in its cell. Columns stand in the order in which
 * they were first seen, so the same export has the same columns. */
#include "commands/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "commands/csv_scan.h"
#include "commands/json_copy.h"

enum { COLUMN_COUNT_MAX = 4096, COLUMN_SLOTS = 16384, PATH_BYTES_MAX = 512 };
static const size_t CELLS_BYTES_MAX = 64 * 1024 * 1024;

struct column {
    char *name;
    struct buffer cell; /* of the row being made */
};

struct export_table {
    FILE *spool;
    struct column *columns;
    size_t column_count;
    uint16_t *slots; /* hash ─▶ column + 1 */
    struct buffer row;
    bool full; /* more columns than COLUMN_COUNT_MAX */
};

struct export_table *export_table_create(void)
{
    struct export_table *table = memory_zalloc(sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    buffer_init(&table->row, CELLS_BYTES_MAX);
    table->columns = memory_zalloc(COLUMN_COUNT_MAX * sizeof *table->columns);
    table->slots = memory_zalloc(COLUMN_SLOTS * sizeof *table->slots);
    table->spool = tmpfile();
    if (table->columns == NULL || table->slots == NULL || table->spool == NULL) {
        export_table_destroy(table);
        return NULL;
    }
    return table;
}

void export_table_destroy(struct export_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        memory_free(table->columns[i].name);
        buffer_deinit(&table->columns[i].cell);
    }
    if (table->spool != NULL) {
        fclose(table->spool);
    }
    buffer_deinit(&table->row);
    memory_free(table->columns);
    memory_free(table->slots);
    memory_free(table);
}

/* NULL when there are too many or memory is out. */
static struct column *column_of(struct export_table *table, struct slice path)
{
    size_t slot = hash64(path, 0) % COLUMN_SLOTS;
    for (; table->slots[slot] != 0; slot = (slot + 1) % COLUMN_SLOTS) {
        struct column *column = &table->columns[table->slots[slot] - 1];
        if (slice_equal_cstr(path, column->name)) {
            return column;
        }
    }
    char *name = table->column_count < COLUMN_COUNT_MAX ? memory_alloc(path.length + 1) : NULL;
    if (name == NULL) {
        table->full = true;
        return NULL;
    }
    memcpy(name, path.data, path.length);
    name[path.length] = '\0';
    struct column *column = &table->columns[table->column_count++];
    column->name = name;
    buffer_init(&column->cell, CELLS_BYTES_MAX);
    table->slots[slot] = (uint16_t)table->column_count;
    return column;
}

/* ---- a value's text ---- */

static void append_value(struct buffer *cell, json_value value)
{
    if (cell->length > 0) {
        buffer_append_char(cell, ';');
    }
    if (json_type(value) == JSON_STRING) {
        buffer_append_slice(cell, json_text(value));
    } else if (json_type(value) != JSON_NULL) {
        struct json_writer json = json_writer_of(cell);
        json_copy(&json, value);
    }
}

/* ---- an object's cells ---- */

struct path {
    char text[PATH_BYTES_MAX];
    size_t length;
};

static bool path_push(struct path *path, struct slice part)
{
    size_t dot = path->length > 0 ? 1 : 0;
    if (path->length + dot + part.length > PATH_BYTES_MAX) {
        return false;
    }
    path->text[path->length] = '.';
    memcpy(path->text + path->length + dot, part.data, part.length);
    path->length += dot + part.length;
    return true;
}

static void put_cell(struct export_table *table, const struct path *path, json_value value)
{
    struct column *column = column_of(table, slice_of(path->text, path->length));
    if (column != NULL) {
        append_value(&column->cell, value);
    }
}

static bool is_typed_value(json_value value)
{
    return json_type(json_get(value, "type")) == JSON_STRING && json_get(value, "value") != NULL;
}

/* How to explain it is not a column's business: these stay JSON. */
static bool keeps_json(struct slice key)
{
    return slice_equal_cstr(key, "sources") || slice_equal_cstr(key, "cohort_reasons");
}

static void put_list(struct export_table *table, struct path *path, json_value list)
{
    for (struct json_iterator i = json_iterate(list); json_next(&i);) {
        size_t length = path->length;
        if (!is_typed_value(i.value)) {
            put_cell(table, path, i.value);
        } else if (path_push(path, json_text(json_get(i.value, "type")))) {
            put_cell(table, path, json_get(i.value, "value"));
        }
        path->length = length;
    }
}

/* Depth is bounded: the object came through json_read. */
static void put_object(struct export_table *table, struct path *path, json_value object)
{
    for (struct json_iterator i = json_iterate(object); json_next(&i);) {
        size_t length = path->length;
        if (!path_push(path, i.key)) {
            continue;
        }
        if (json_type(i.value) == JSON_OBJECT && !keeps_json(i.key)) {
            put_object(table, path, i.value);
        } else if (json_type(i.value) == JSON_ARRAY && !keeps_json(i.key)) {
            /* An empty list still has its column. */
            (void)column_of(table, slice_of(path->text, path->length));
            put_list(table, path, i.value);
        } else {
            put_cell(table, path, i.value);
        }
        path->length = length;
    }
}

/* ---- rows ---- */

err export_table_add(struct export_table *table, struct slice json, struct error *error)
{
    /* One pass over the line finds its columns; the row itself is made when all columns are
     * known. */
    struct json_document *document = NULL;
    err e = json_read(json, &document, error);
    if (e != ERR_OK) {
        return e;
    }
    struct path path = {.length = 0};
    put_object(table, &path, json_root(document));
    json_document_destroy(document);
    for (size_t i = 0; i < table->column_count; i++) {
        buffer_clear(&table->columns[i].cell);
    }
    if (table->full) {
        return error_set(error, ERR_TOO_LARGE, "too_many_columns", 0,
                         "There are more than %d different fields; export as NDJSON.",
                         COLUMN_COUNT_MAX);
    }
    if (fwrite(json.data, 1, json.length, table->spool) != json.length ||
        putc('\n', table->spool) == EOF) {
        return error_set(error, ERR_IO, "spool_failed", 0, "Cannot write the temporary file: %s.",
                         strerror(errno));
    }
    return ERR_OK;
}

static bool write_cells(struct export_table *table, bool header, FILE *out)
{
    buffer_clear(&table->row);
    for (size_t i = 0; i < table->column_count; i++) {
        struct column *column = &table->columns[i];
        if (i > 0) {
            buffer_append_char(&table->row, ',');
        }
        csv_append_cell(&table->row,
                        header ? slice_from_cstr(column->name) : buffer_slice(&column->cell), ',');
        buffer_clear(&column->cell);
    }
    buffer_append_char(&table->row, '\n');
    return !table->row.failed &&
           fwrite(table->row.data, 1, table->row.length, out) == table->row.length;
}

static bool write_row(struct export_table *table, struct slice json, FILE *out)
{
    struct json_document *document = NULL;
    if (json_read(json, &document, NULL) != ERR_OK) {
        return false;
    }
    struct path path = {.length = 0};
    put_object(table, &path, json_root(document));
    json_document_destroy(document);
    return write_cells(table, false, out);
}

err export_table_write(struct export_table *table, FILE *out, struct error *error)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    rewind(table->spool);
    bool good = table->column_count == 0 || write_cells(table, true, out);
    while (good && (length = getline(&line, &room, table->spool)) > 0) {
        good = write_row(table, slice_of(line, (size_t)length - 1), out);
    }
    free(line);
    return good && !ferror(table->spool)
               ? ERR_OK
               : error_set(error, ERR_IO, "output_failed", 0, "Cannot write the output: %s.",
                           strerror(errno));
}
