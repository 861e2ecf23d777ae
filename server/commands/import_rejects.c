#include "commands/import_rejects.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "commands/csv_scan.h"
#include "engine/intake_stream.h"
#include "ingest/json_reader.h"

static const size_t LINE_BYTES_MAX = 16 * 1024 * 1024;
static const char *const COLUMNS[] = {"_error", "_field", "_line"};

/* ---- writing ---- */

void rejects_open(struct rejects *rejects, const char *path, bool complete_path,
                  uint64_t keep_bytes)
{
    *rejects = (struct rejects){.path_complete = complete_path, .kept_bytes = keep_bytes};
    snprintf(rejects->path, sizeof rejects->path, "%s", path);
    buffer_init(&rejects->line, LINE_BYTES_MAX);
}

static struct slice without_line_break(struct slice row)
{
    while (row.length > 0 &&
           (row.data[row.length - 1] == '\n' || row.data[row.length - 1] == '\r')) {
        row.length--;
    }
    return row;
}

static void append_header(struct buffer *out, struct slice header)
{
    char delimiter = header.data[0];
    buffer_append_slice(out, without_line_break(slice_of(header.data + 1, header.length - 1)));
    for (size_t i = 0; i < ARRAY_COUNT(COLUMNS); i++) {
        buffer_append_char(out, delimiter);
        buffer_append_cstr(out, COLUMNS[i]);
    }
    buffer_append_char(out, '\n');
}

/* Continues behind what the interrupted run is known to have written, or begins anew. */
static void begin_file(struct rejects *rejects, bool csv, struct slice header)
{
    if (!rejects->path_complete) {
        size_t length = strlen(rejects->path);
        snprintf(rejects->path + length, sizeof rejects->path - length, "%s",
                 csv ? ".rejects.csv" : ".rejects.ndjson");
        rejects->path_complete = true;
    }
    bool resumed =
        rejects->kept_bytes > 0 && truncate(rejects->path, (off_t)rejects->kept_bytes) == 0;
    rejects->file = fopen(rejects->path, resumed ? "ae" : "we");
    if (rejects->file == NULL) {
        fprintf(stderr,
                "kindred import: cannot write %s: %s. Rejected rows are in the quarantine only.\n",
                rejects->path, strerror(errno));
        rejects->failed = true;
    } else if (!resumed && csv) {
        append_header(&rejects->line, header);
    }
}

static void append_csv(struct buffer *out, const struct split *split, struct slice header,
                       const struct record_error *reason)
{
    char delimiter = header.data[0];
    char line[24];
    struct slice names = slice_of(header.data + 1, header.length - 1);
    struct slice row = without_line_break(split->bytes);
    size_t columns = csv_scan_count(without_line_break(names), delimiter);
    size_t cells = csv_scan_count(row, delimiter);
    if (split->kind == SPLIT_BAD || cells > columns) {
        csv_append_cell(out, row, delimiter);
        cells = 1;
    } else {
        buffer_append_slice(out, row);
    }
    for (; cells < columns; cells++) {
        buffer_append_char(out, delimiter);
    }
    buffer_append_char(out, delimiter);
    csv_append_cell(out, slice_from_cstr(reason->message), delimiter);
    buffer_append_char(out, delimiter);
    csv_append_cell(out, slice_from_cstr(reason->field), delimiter);
    int length =
        snprintf(line, sizeof line, "%c%llu\n", delimiter, (unsigned long long)split->line);
    buffer_append(out, line, (size_t)length);
}

static bool is_json_object(struct slice bytes)
{
    struct json_document *document = NULL;
    bool object = json_read(bytes, &document, NULL) == ERR_OK &&
                  json_type(json_root(document)) == JSON_OBJECT;
    json_document_destroy(document);
    return object;
}

/* In JSON a raw line break is only ever between tokens. */
static void to_one_line(struct buffer *out, size_t from)
{
    for (size_t i = from; !out->failed && i < out->length; i++) {
        if (out->data[i] == '\n' || out->data[i] == '\r') {
            out->data[i] = ' ';
        }
    }
}

static void append_json(struct buffer *out, const struct split *split,
                        const struct record_error *reason)
{
    struct json_writer json = json_writer_of(out);
    json_object_begin(&json);
    json_member_cstr(&json, "_error", reason->message);
    json_member_cstr(&json, "_field", reason->field);
    json_member_u64(&json, "_line", split->line);
    if (split->kind == SPLIT_RECORD && is_json_object(split->bytes)) {
        json_key(&json, "record");
        size_t at = out->length;
        json_raw(&json, split->bytes);
        to_one_line(out, at);
    } else {
        json_member_string(&json, "raw", split->bytes);
    }
    json_object_end(&json);
    buffer_append_char(out, '\n');
}

void rejects_add(struct rejects *rejects, const struct split *split, struct slice header,
                 const struct record_error *reason)
{
    bool csv = header.data != NULL && header.length > 1;
    rejects->count++;
    buffer_clear(&rejects->line);
    if (rejects->file == NULL && !rejects->failed) {
        begin_file(rejects, csv, header);
    }
    if (rejects->failed) {
        return;
    }
    if (csv) {
        append_csv(&rejects->line, split, header, reason);
    } else {
        append_json(&rejects->line, split, reason);
    }
    size_t length = rejects->line.length;
    if (rejects->line.failed || fwrite(rejects->line.data, 1, length, rejects->file) != length) {
        rejects->failed = true;
    }
}

uint64_t rejects_flush(struct rejects *rejects)
{
    if (rejects->file == NULL) {
        return rejects->kept_bytes;
    }
    rejects->failed = fflush(rejects->file) != 0 || rejects->failed;
    long at = ftell(rejects->file);
    return at > 0 ? (uint64_t)at : 0;
}

bool rejects_close(struct rejects *rejects)
{
    if (rejects->file != NULL && fclose(rejects->file) != 0) {
        rejects->failed = true;
    }
    rejects->file = NULL;
    buffer_deinit(&rejects->line);
    return !rejects->failed;
}

/* ---- reading them again ---- */

static struct mend mend_of_header(struct slice header)
{
    const struct mend none = {0};
    struct mend mend = {.kind = MEND_CSV, .delimiter = header.data[0]};
    struct slice names = without_line_break(slice_of(header.data + 1, header.length - 1));
    size_t count = csv_scan_count(names, mend.delimiter);
    if (count <= ARRAY_COUNT(COLUMNS)) {
        return none;
    }
    mend.columns = count - ARRAY_COUNT(COLUMNS);
    size_t at = 0;
    struct slice cell;
    for (size_t i = 0; csv_scan_next(names, mend.delimiter, &at, &cell); i++) {
        if (i >= mend.columns &&
            !slice_equal_cstr(csv_scan_text(cell), COLUMNS[i - mend.columns])) {
            return none;
        }
    }
    return mend;
}

static bool record_is_ours(struct slice bytes)
{
    struct json_document *document = NULL;
    if (json_read(bytes, &document, NULL) != ERR_OK) {
        return false;
    }
    json_value root = json_root(document);
    bool ours = json_type(json_get(root, "_error")) == JSON_STRING &&
                (json_type(json_get(root, "record")) == JSON_OBJECT ||
                 json_type(json_get(root, "raw")) == JSON_STRING);
    json_document_destroy(document);
    return ours;
}

struct mend mend_probe(struct slice bytes, bool last, enum content_hint hint)
{
    struct mend mend = {0};
    struct intake_stream *stream = intake_stream_create(hint, 0, 0);
    if (stream == NULL || bytes.length == 0) {
        goto out;
    }
    struct split split;
    struct error error;
    int64_t budget_bytes = INTAKE_PIECE_BYTES * 4;
    intake_stream_feed(stream, bytes, last);
    if (intake_stream_next(stream, &budget_bytes, &split, &error) == ERR_OK) {
        if (split.kind == SPLIT_HEADER) {
            mend = mend_of_header(split.bytes);
        } else if (split.kind == SPLIT_RECORD && record_is_ours(split.bytes)) {
            mend.kind = MEND_JSON;
        }
    }
out:
    intake_stream_destroy(stream);
    return mend;
}

/* Behind the JSON value that begins at `at`; for text that json_read accepted. */
static size_t skip_value(struct slice text, size_t at)
{
    int depth = 0;
    for (; at < text.length; at++) {
        char c = text.data[at];
        if (c == '"') {
            for (at++; at < text.length && text.data[at] != '"'; at++) {
                at += text.data[at] == '\\';
            }
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth == 0 && (c == '"' || c == '}' || c == ']')) {
            return at + 1;
        }
        if (depth < 0 || (depth == 0 && c == ',')) {
            return at; /* a number or a word, ended by what follows it */
        }
    }
    return text.length;
}

static size_t skip_blanks_and(struct slice text, size_t at, char also)
{
    while (at < text.length &&
           (strchr(" \t\r\n", text.data[at]) != NULL || text.data[at] == also)) {
        at++;
    }
    return at;
}

/* The bytes of the member "record" of an object: json_read gives values, but the record goes in as
 * it was typed. */
static struct slice record_member(struct slice object)
{
    size_t at = skip_blanks_and(object, 0, '{');
    while (at < object.length && object.data[at] == '"') {
        size_t key_end = skip_value(object, at);
        struct slice key = slice_of(object.data + at, key_end - at);
        size_t begin = skip_blanks_and(object, key_end, ':');
        size_t end = skip_value(object, begin);
        if (slice_equal_cstr(key, "\"record\"")) {
            return slice_of(object.data + begin, end - begin);
        }
        at = skip_blanks_and(object, end, ',');
    }
    return object;
}

static void mend_json(struct slice bytes, struct buffer *out)
{
    struct json_document *document = NULL;
    if (json_read(bytes, &document, NULL) != ERR_OK) {
        buffer_append_slice(out, bytes); /* still broken: rejected again, with the reason */
        return;
    }
    json_value root = json_root(document);
    if (json_type(json_get(root, "record")) == JSON_OBJECT) {
        size_t at = out->length;
        buffer_append_slice(out, record_member(bytes));
        to_one_line(out, at);
    } else if (json_type(json_get(root, "raw")) == JSON_STRING) {
        buffer_append_slice(out, json_text(json_get(root, "raw")));
    } else {
        buffer_append_slice(out, bytes); /* already unwrapped by hand */
    }
    json_document_destroy(document);
}

void mend_append(const struct mend *mend, const struct split *split, struct buffer *out)
{
    struct slice bytes = split->bytes;
    if (mend->kind == MEND_JSON) {
        mend_json(bytes, out);
    } else {
        if (split->kind == SPLIT_HEADER) {
            bytes = slice_of(bytes.data + 1, bytes.length - 1);
        }
        buffer_append_slice(
            out, csv_scan_first(without_line_break(bytes), mend->delimiter, mend->columns));
    }
    buffer_append_char(out, '\n');
}
