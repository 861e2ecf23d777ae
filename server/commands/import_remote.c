/* import_remote.c: `kindred import --url`: the file in chunks of whole records, each a POST
 *  /api/ingest.
 *
 *   file ─▶ intake_stream ─▶ chunk (CSV: header and rows; JSON: one record a line) ─▶ POST, Idempotency-Key "<run>-<n>"
 *
 * Chunks are cut by content, so a second run cuts the same ones: those noted as done are skipped,
 * the one that was under way gets its first answer again. Rejected rows are known from the answers,
 * by their number within the chunk. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "commands/http_client.h"
#include "commands/import.h"
#include "commands/store.h"
#include "engine/intake.h"
#include "engine/intake_stream.h"
#include "ingest/json_reader.h"

/* As many records as an answer can list errors: no rejected row is only in the quarantine. */
enum {
    CHUNK_RECORDS_MAX = INTAKE_ERRORS_MAX,
    CHUNK_BYTES = 1024 * 1024,
    CHUNK_BYTES_MAX = 8 * CHUNK_BYTES
};

struct chunk_record {
    size_t at, length; /* in the chunk's body */
    uint64_t line;     /* in the file */
};

struct remote {
    const struct import_job *job;
    struct http_client *client;
    /* The chunk being made. */
    struct buffer body;
    struct chunk_record records[CHUNK_RECORDS_MAX];
    size_t record_count;
    uint64_t number;
    struct buffer header; /* CSV: as splitter.h defines header bytes */
};

/* ---- opening --------------------------------------------------------------------------------- */

static err put_mapping(struct remote *remote, struct error *error)
{
    const struct import_job *job = remote->job;
    if (job->mapping_json.data == NULL) {
        return ERR_OK;
    }
    struct buffer path;
    buffer_init(&path, 1024);
    buffer_append_cstr(&path, "/api/mappings/");
    http_append_encoded(&path, slice_from_cstr(job->mapping_name));
    buffer_append_char(&path, '\0');
    struct http_call call = {.method = "PUT",
                             .path = path.data,
                             .content_type = "application/json",
                             .body = job->mapping_json};
    long status = 0;
    err e = http_client_call(remote->client, &call, NULL, &status, error);
    if (e == ERR_OK && status != 200 && status != 201) {
        e = http_client_problem(remote->client, status, error);
    }
    buffer_deinit(&path);
    return e;
}

static int remote_close(void *target)
{
    struct remote *remote = target;
    http_client_destroy(remote->client);
    buffer_deinit(&remote->body);
    buffer_deinit(&remote->header);
    memory_free(remote);
    return EXIT_CODE_OK;
}

static int remote_open(const struct import_job *job, void **target)
{
    struct remote *remote = memory_zalloc(sizeof *remote);
    if (remote == NULL) {
        return EXIT_CODE_FAILED;
    }
    remote->job = job;
    remote->client = http_client_create(job->url, job->key);
    buffer_init(&remote->body, CHUNK_BYTES_MAX);
    buffer_init(&remote->header, CHUNK_BYTES);
    struct error error = {.err = ERR_MEMORY};
    if (remote->client != NULL) {
        error.err = put_mapping(remote, &error);
    }
    if (error.err != ERR_OK) {
        (void)remote_close(remote);
        return store_report(&command_import, &error);
    }
    *target = remote;
    return EXIT_CODE_OK;
}

/* ---- one chunk ------------------------------------------------------------------------------- */

static const char *content_type(const struct remote *remote)
{
    return remote->header.length > 0 ? "text/csv" : "application/x-ndjson";
}

static void chunk_begin(struct remote *remote)
{
    buffer_clear(&remote->body);
    remote->record_count = 0;
    if (remote->header.length > 1) {
        buffer_append(&remote->body, remote->header.data + 1, remote->header.length - 1);
        if (remote->body.data[remote->body.length - 1] != '\n') {
            buffer_append_char(&remote->body, '\n');
        }
    }
}

static void chunk_add(struct remote *remote, const struct import_run *run,
                      const struct split *split)
{
    struct chunk_record *record = &remote->records[remote->record_count++];
    *record = (struct chunk_record){.at = remote->body.length, .line = split->line};
    if (run->input.mend.kind != MEND_NONE) {
        mend_append(&run->input.mend, split, &remote->body);
    } else {
        buffer_append_slice(&remote->body, split->bytes);
        buffer_append_char(&remote->body, '\n');
    }
    record->length = remote->body.length - record->at - 1;
    if (split->format == FORMAT_JSON) {
        /* A record of several lines becomes one: in JSON a raw line break is only ever between
         * tokens. */
        for (size_t i = record->at; !remote->body.failed && i + 1 < remote->body.length; i++) {
            char *c = &remote->body.data[i];
            *c = *c == '\n' || *c == '\r' ? ' ' : *c;
        }
    }
}

/* Copies one line of the answer's "errors" into the file of rejects. */
static void add_reject(struct remote *remote, struct import_run *run, json_value line)
{
    int64_t number = json_integer(json_get(line, "record"));
    if (number < 1 || (uint64_t)number > remote->record_count) {
        return;
    }
    const struct chunk_record *record = &remote->records[number - 1];
    struct record_error reason = {0};
    struct slice message = json_text(json_get(line, "message"));
    struct slice field = json_text(json_get(line, "field"));
    struct slice code = json_text(json_get(line, "code"));
    snprintf(reason.message, sizeof reason.message, "%.*s", SLICE_ARGS(message));
    snprintf(reason.field, sizeof reason.field, "%.*s", SLICE_ARGS(field));
    snprintf(reason.code, sizeof reason.code, "%.*s", SLICE_ARGS(code));
    struct split split = {
        .kind = SPLIT_RECORD,
        .format = remote->header.length > 0 ? FORMAT_CSV : FORMAT_JSON,
        .bytes = slice_of(remote->body.data + record->at, record->length),
        .record_number = (uint64_t)number,
        .line = record->line,
    };
    rejects_add(&run->rejects, &split,
                remote->header.length > 0 ? buffer_slice(&remote->header) : SLICE_NONE, &reason);
}

static err read_answer(struct remote *remote, struct import_run *run, long status)
{
    struct json_document *document = NULL;
    err e = json_read(http_client_body(remote->client), &document, NULL);
    json_value root = e == ERR_OK ? json_root(document) : NULL;
    json_value errors = json_get(root, "errors");
    if (json_type(errors) != JSON_ARRAY ||
        json_type(json_get(root, "records_processed")) != JSON_INTEGER) {
        json_document_destroy(document);
        return http_client_problem(remote->client, status, &run->error);
    }
    struct import_counts *counts = &run->counts;
    counts->accepted += (uint64_t)json_integer(json_get(root, "records_processed"));
    counts->cleansed += (uint64_t)json_integer(json_get(root, "records_cleansed"));
    counts->quarantined += (uint64_t)json_integer(json_get(root, "records_quarantined"));
    for (struct json_iterator i = json_iterate(errors); json_next(&i);) {
        add_reject(remote, run, i.value);
    }
    uint64_t total = (uint64_t)json_integer(json_get(root, "errors_total"));
    uint64_t listed = json_count(errors);
    counts->unlisted += total > listed ? total - listed : 0;
    json_document_destroy(document);
    return ERR_OK;
}

static err chunk_send(struct remote *remote, struct import_run *run)
{
    char key[64];
    struct buffer path;
    if (remote->record_count == 0) {
        return ERR_OK;
    }
    if (remote->body.failed) {
        return error_set(&run->error, ERR_MEMORY, "memory", 0, "Out of memory.");
    }
    snprintf(key, sizeof key, "%s-%llu", run->state.run, (unsigned long long)remote->number);
    buffer_init(&path, 2048);
    buffer_append_format(&path, "/api/ingest?errors=%d&source=", INTAKE_ERRORS_MAX);
    http_append_encoded(&path, slice_from_cstr(run->input.source));
    if (remote->job->mapping_name[0] != '\0') {
        buffer_append_cstr(&path, "&mapping=");
        http_append_encoded(&path, slice_from_cstr(remote->job->mapping_name));
    }
    buffer_append_char(&path, '\0');
    struct http_call call = {
        .method = "POST",
        .path = path.data,
        .content_type = content_type(remote),
        .idempotency_key = key,
        .body = buffer_slice(&remote->body),
    };
    long status = 0;
    err e = http_client_call(remote->client, &call, &import_interrupted, &status, &run->error);
    if (e == ERR_OK) {
        e = read_answer(remote, run, status);
    }
    if (e == ERR_OK) {
        run->state.reject_bytes = rejects_flush(&run->rejects);
        import_state_note(&run->state, remote->number, false);
    }
    buffer_deinit(&path);
    return e;
}

/* The chunk is complete: sends it, unless an interrupted run is known to have done so. */
static err chunk_end(struct remote *remote, struct import_run *run)
{
    if (remote->record_count == 0) {
        return ERR_OK;
    }
    remote->number++;
    run->counts.records += remote->record_count;
    if (remote->number <= run->state.skip_parts) {
        run->counts.repeated += remote->record_count;
        return ERR_OK;
    }
    return chunk_send(remote, run);
}

/* ---- one file -------------------------------------------------------------------------------- */

static void take_header(struct remote *remote, const struct import_run *run,
                        const struct split *split)
{
    buffer_clear(&remote->header);
    if (run->input.mend.kind == MEND_CSV) {
        buffer_append_char(&remote->header, run->input.mend.delimiter);
        mend_append(&run->input.mend, split, &remote->header);
    } else {
        buffer_append_slice(&remote->header, split->bytes);
    }
    chunk_begin(remote);
}

static err take_split(struct remote *remote, struct import_run *run, const struct split *split)
{
    if (split->kind == SPLIT_HEADER) {
        take_header(remote, run, split);
        return ERR_OK;
    }
    err e = ERR_OK;
    if (remote->record_count == CHUNK_RECORDS_MAX ||
        (remote->record_count > 0 && remote->body.length + split->bytes.length > CHUNK_BYTES)) {
        e = chunk_end(remote, run);
        chunk_begin(remote);
    }
    if (e == ERR_OK) {
        chunk_add(remote, run, split);
        progress_update(&run->progress, run->input.read_bytes, run->counts.records);
    }
    return e;
}

static err take_all(struct remote *remote, struct import_run *run, struct intake_stream *stream)
{
    for (;;) {
        struct split split;
        int64_t budget_bytes = INT64_MAX;
        err e = intake_stream_next(stream, &budget_bytes, &split, &run->error);
        if (e == ERR_OK) {
            e = take_split(remote, run, &split);
        } else if (e == ERR_END && intake_stream_hungry(stream)) {
            struct slice piece;
            e = import_read(run, &piece);
            if (e == ERR_OK) {
                intake_stream_feed(stream, piece, piece.length == 0);
            }
        } else if (e == ERR_END) {
            return chunk_end(remote, run);
        } else {
            /* The file is damaged from here on: what was before it is taken. */
            struct error damage = run->error;
            err sent = chunk_end(remote, run);
            run->error = sent == ERR_OK ? damage : run->error;
            return sent == ERR_OK ? e : sent;
        }
        if (e != ERR_OK) {
            return e;
        }
    }
}

static err remote_take(void *target, struct import_run *run)
{
    struct remote *remote = target;
    remote->number = 0;
    buffer_clear(&remote->header);
    chunk_begin(remote);
    struct intake_stream *stream = intake_stream_create(run->input.hint, 0, 0);
    if (stream == NULL) {
        return error_set(&run->error, ERR_MEMORY, "memory", 0, "Out of memory.");
    }
    intake_stream_set_delimiter(stream, remote->job->mapping_delimiter);
    err e = take_all(remote, run, stream);
    /* Whatever ended it: the next run need not send again what is done. */
    import_state_note(&run->state, run->state.parts, true);
    intake_stream_destroy(stream);
    return e;
}

/* GET /api/users tells the total; a key that may only ingest does not see it. */
static bool remote_people(void *target, uint64_t *people)
{
    struct remote *remote = target;
    struct http_call call = {.method = "GET", .path = "/api/users?limit=1"};
    struct error error;
    long status = 0;
    if (http_client_call(remote->client, &call, &import_interrupted, &status, &error) != ERR_OK ||
        status != 200) {
        return false;
    }
    struct json_document *document = NULL;
    if (json_read(http_client_body(remote->client), &document, NULL) != ERR_OK) {
        return false;
    }
    json_value total = json_get(json_root(document), "total");
    *people = (uint64_t)json_integer(total);
    bool known = json_type(total) == JSON_INTEGER;
    json_document_destroy(document);
    return known;
}

const struct import_target import_remote = {remote_open, remote_take, remote_people, remote_close};
