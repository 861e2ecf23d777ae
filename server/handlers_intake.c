/* handlers_intake.c: mappings, and what was not taken. */
#include "base/hash.h"
#include "base/memory.h"
#include "commands/log_entry_json.h"
#include "engine/quarantine.h"
#include "handlers.h"
#include "ingest/splitter.h"
#include "problem.h"
#include "worker.h"

enum { NAME_MAX_BYTES = 64 };

/* ---- mappings ------------------------------------------------------------------------------- */

void handle_mappings(struct exchange *x)
{
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_key(json, "mappings");
    engine_write_mappings(x->engine, json);
    json_object_end(json);
    reply_end(x);
}

void handle_mapping_get(struct exchange *x)
{
    uint64_t sequence = 0;
    struct log_entry entry;
    struct error error = {0};
    exchange_enter(x);
    bool known = engine_mapping(x->engine, x->name, &sequence) != NULL;
    exchange_leave(x);
    if (!known) {
        problem_reply(x, 404, "mapping_unknown",
                      "There is no mapping of this name. GET /api/mappings lists all.");
        return;
    }
    /* Its text is the payload of its entry. */
    struct log *log = engine_log(x->engine);
    error.err = log->ops->get(log, sequence, x->arena, &entry, &error);
    if (error.err != ERR_OK) {
        problem_from_error(x, &error);
        return;
    }
    struct json_writer *json = reply_json(x, 200);
    json_raw(json, entry.payload);
    reply_end(x);
}

static void mapping_done(struct exchange *x, struct submission *submission)
{
    if (submission_failed(x, submission)) {
        return;
    }
    struct json_writer *json = reply_json(x, submission->created ? 201 : 200);
    json_object_begin(json);
    json_member_string(json, "name", submission->name);
    json_member_u64(json, "sequence", submission->first_sequence);
    json_object_end(json);
    reply_end(x);
}

void handle_mapping_put(struct exchange *x)
{
    if (x->name.length > NAME_MAX_BYTES || memchr(x->name.data, '/', x->name.length) != NULL) {
        problem_reply(x, 400, "mapping_name", "A mapping's name has 1 to %d bytes and no '/'.",
                      NAME_MAX_BYTES);
        return;
    }
    struct submission *submission = make_submission(x, SUBMIT_MAPPING_PUT);
    if (submission == NULL) {
        return;
    }
    submission->name = x->name;
    submission->body = x->body;
    uint64_t before = 0;
    exchange_enter(x);
    submission->created = engine_mapping(x->engine, x->name, &before) == NULL;
    exchange_leave(x);
    exchange_submit(x, submission, mapping_done);
}

/* ---- quarantine: reading
 * ------------------------------------------------------------------------------ */

static err read_quarantined(struct exchange *x, uint64_t sequence, struct log_entry *entry,
                            struct quarantine *out, struct error *error)
{
    struct log *log = engine_log(x->engine);
    err e = log->ops->get(log, sequence, x->arena, entry, error);
    if (e == ERR_OK && entry->scrubbed) {
        return error_set(error, ERR_NOT_FOUND, "quarantine_unknown", 0, "Its bytes were erased.");
    }
    if (e == ERR_OK) {
        e = quarantine_decode(entry->payload, out);
    }
    return e;
}

static void write_quarantined(const struct log_entry *entry, const struct quarantine *quarantine,
                              struct json_writer *json)
{
    json_object_begin(json);
    json_member_u64(json, "id", entry->sequence);
    json_member_timestamp(json, "received_at", entry->received_at_us);
    json_member_string(json, "source", entry->source);
    json_member_cstr(json, "format", entry->format == FORMAT_CSV ? "csv" : "json");
    json_member_string(json, "code", quarantine->code);
    json_member_string(json, "field", quarantine->field);
    json_member_string(json, "message", quarantine->message);
    json_member_u64(json, "record", quarantine->record_number);
    json_member_u64(json, "line", quarantine->line);
    if (entry->mapping_sequence > 0) {
        json_member_u64(json, "mapping", entry->mapping_sequence);
    }
    if (quarantine->header.length > 1) {
        json_key(json, "csv_header");
        json_string(json, slice_of(quarantine->header.data + 1, quarantine->header.length - 1));
    }
    log_payload_write(quarantine->bytes, json);
    json_object_end(json);
}

void handle_quarantine(struct exchange *x)
{
    enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000, PAGE_BYTES = 4 * 1024 * 1024 };
    struct error error = {0};
    uint64_t limit = 0;
    uint64_t before = 0;
    if (query_get_u64(&x->query, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, &error) != ERR_OK ||
        query_get_u64(&x->query, "cursor", 1, UINT64_MAX, 0, &before, &error) != ERR_OK) {
        problem_from_error(x, &error);
        return;
    }
    struct engine_quarantined list[LIMIT_MAX];
    exchange_enter(x);
    uint64_t total = engine_quarantine_count(x->engine);
    size_t count = engine_quarantine_page(x->engine, before, list, limit);
    exchange_leave(x);
    size_t begin = x->out->length;
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_member_u64(json, "total", total);
    json_key(json, "entries");
    json_array_begin(json);
    size_t at = 0;
    for (; at < count && x->out->length - begin < PAGE_BYTES; at++) {
        struct log_entry entry;
        struct quarantine quarantine;
        /* One that was erased since the list was made is left out. */
        if (read_quarantined(x, list[at].sequence, &entry, &quarantine, &error) == ERR_OK) {
            write_quarantined(&entry, &quarantine, json);
        }
    }
    json_array_end(json);
    json_key(json, "next_cursor");
    if (at < count || (count == limit && count < total)) {
        json_u64(json, list[at - 1].sequence);
    } else {
        json_null(json);
    }
    json_object_end(json);
    reply_end(x);
}

/* False when it has been answered. */
static bool find_quarantined(struct exchange *x, uint64_t *sequence)
{
    if (!path_sequence(x, sequence)) {
        return false;
    }
    exchange_enter(x);
    bool there = engine_quarantine_has(x->engine, *sequence);
    exchange_leave(x);
    if (!there) {
        problem_reply(
            x, 404, "quarantine_unknown",
            "There is nothing of this number in quarantine (any more). GET /api/quarantine lists what is.");
    }
    return there;
}

static bool load_quarantined(struct exchange *x, uint64_t sequence, struct log_entry *entry,
                             struct quarantine *quarantine)
{
    struct error error = {0};
    err e = read_quarantined(x, sequence, entry, quarantine, &error);
    if (e != ERR_OK) {
        error.err = e;
        problem_from_error(x, &error);
    }
    return e == ERR_OK;
}

void handle_quarantine_get(struct exchange *x)
{
    uint64_t sequence = 0;
    struct log_entry entry;
    struct quarantine quarantine;
    if (find_quarantined(x, &sequence) && load_quarantined(x, sequence, &entry, &quarantine)) {
        write_quarantined(&entry, &quarantine, reply_json(x, 200));
        reply_end(x);
    }
}

/* ---- quarantine: ending it
 * ----------------------------------------------------------------------------- */

static bool end_draft(struct exchange *x, uint64_t sequence, struct draft *draft)
{
    char *payload = arena_alloc(x->arena, QUARANTINE_END_BYTES);
    if (payload == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return false;
    }
    quarantine_end_encode(sequence, payload);
    *draft = (struct draft){.entry = {.kind = ENTRY_QUARANTINE_END,
                                      .etl_version = ETL_RULES_VERSION,
                                      .source = SLICE_LITERAL("api"),
                                      .payload = slice_of(payload, QUARANTINE_END_BYTES)}};
    return true;
}

static void drop_done(struct exchange *x, struct submission *submission)
{
    if (!submission_failed(x, submission)) {
        reply_begin(x, 204, NULL);
        reply_end_without_body(x);
    }
}

void handle_quarantine_delete(struct exchange *x)
{
    uint64_t sequence = 0;
    struct submission *submission = NULL;
    if (find_quarantined(x, &sequence)) {
        submission = make_submission(x, SUBMIT_RECORDS);
    }
    if (submission == NULL) {
        return;
    }
    submission->drafts = arena_zalloc(x->arena, sizeof *submission->drafts);
    submission->draft_count = 1;
    if (submission->drafts == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
    } else if (end_draft(x, sequence, submission->drafts)) {
        exchange_submit(x, submission, drop_done);
    }
}

/* ---- quarantine: trying again
 * --------------------------------------------------------------------------- */

/* The CSV header that the row is read with: in the quarantine entry, or for a long one in an entry
 * before it. */
static struct slice header_bytes(struct exchange *x, const struct log_entry *entry,
                                 const struct quarantine *quarantine)
{
    struct log_entry header;
    if (quarantine->header.data != NULL || entry->header_back == 0) {
        return quarantine->header;
    }
    struct log *log = engine_log(x->engine);
    err e = log->ops->get(log, entry->sequence - entry->header_back, x->arena, &header, NULL);
    return e == ERR_OK && !header.scrubbed ? header.payload : SLICE_NONE;
}

/* Reads the record again, by today's rules. False when it has been answered (422 with the
 * reason). */
static bool read_again(struct exchange *x, const struct log_entry *entry, struct slice header,
                       struct slice bytes, struct record *record)
{
    struct csv_header *csv = NULL;
    struct error error = {0};
    if (entry->format == FORMAT_CSV) {
        err e = header.data != NULL ? csv_header_parse(header, &csv, &error)
                                    : error_set(&error, ERR_INVALID, "csv_header_missing", 0,
                                                "The row's header is not there any more.");
        if (e != ERR_OK) {
            problem_from_error_as(x, e == ERR_MEMORY ? 507 : 422, &error);
            return false;
        }
    }
    exchange_enter(x);
    struct record_form form = {.format = entry->format == FORMAT_CSV ? FORMAT_CSV : FORMAT_JSON,
                               .etl_version = ETL_RULES_VERSION,
                               .header = csv,
                               .mapping =
                                   entry->mapping_sequence > 0
                                       ? engine_mapping_at(x->engine, entry->mapping_sequence)
                                       : NULL};
    const struct settings *settings = engine_settings(x->engine);
    exchange_leave(x);
    struct record_error why = {0};
    err e = record_read(x->arena, bytes, &form, settings, record, &why);
    csv_header_destroy(csv);
    if (e != ERR_OK) {
        error = (struct error){.err = e, .position = why.position};
        memcpy(error.code, why.code, sizeof error.code);
        memcpy(error.message, why.message, sizeof error.message);
        problem_from_error_as(x, e == ERR_MEMORY ? 507 : 422, &error);
    }
    return e == ERR_OK;
}

static const char RETRIED[] = "{\"status\":\"success\",\"records_processed\":1}";

static void retry_done(struct exchange *x, struct submission *submission)
{
    if (submission_failed(x, submission)) {
        return;
    }
    struct slice answer =
        submission->repeated ? slice_of(submission->stored_answer, submission->stored_answer_length)
                             : SLICE_LITERAL(RETRIED);
    struct json_writer *json =
        reply_json(x, submission->repeated ? submission->stored_status : 200);
    json_raw(json, answer);
    reply_end(x);
    memory_free(submission->stored_answer);
}

static void set_key(struct exchange *x, struct submission *submission, struct slice bytes)
{
    struct slice key = x->request.fields[HEADER_IDEMPOTENCY_KEY];
    if (key.data == NULL || key.length == 0) {
        return;
    }
    char *scoped = arena_alloc(x->arena, key.length + x->request.path.length + 1);
    if (scoped != NULL) {
        memcpy(scoped, x->request.path.data, x->request.path.length);
        scoped[x->request.path.length] = ' ';
        memcpy(scoped + x->request.path.length + 1, key.data, key.length);
        submission->idempotency_key = slice_of(scoped, key.length + x->request.path.length + 1);
        /* Stored, so no seed of this process. */
        submission->fingerprint = crc32c(0, bytes.data, bytes.length);
        submission->answer = SLICE_LITERAL(RETRIED);
        submission->answer_status = 200;
    }
}

/* header (CSV only), record, end of quarantine: one batch, whole or absent. */
static void submit_retry(struct exchange *x, const struct log_entry *entry, struct slice header,
                         struct slice bytes, const struct record *record)
{
    struct submission *submission = make_submission(x, SUBMIT_RECORDS);
    if (submission == NULL) {
        return;
    }
    struct draft *drafts = arena_zalloc(x->arena, 3 * sizeof *drafts);
    if (drafts == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return;
    }
    size_t count = 0;
    uint8_t format = entry->format == FORMAT_CSV ? FORMAT_CSV : FORMAT_JSON;
    if (format == FORMAT_CSV) {
        drafts[count++].entry = (struct log_entry){.kind = ENTRY_CSV_HEADER,
                                                   .format = FORMAT_CSV,
                                                   .etl_version = ETL_RULES_VERSION,
                                                   .source = entry->source,
                                                   .payload = header};
    }
    drafts[count] = (struct draft){.entry = {.kind = ENTRY_RECORD,
                                             .format = format,
                                             .etl_version = ETL_RULES_VERSION,
                                             .mapping_sequence = entry->mapping_sequence,
                                             .header_back = format == FORMAT_CSV ? 1 : 0,
                                             .source = entry->source,
                                             .payload = bytes},
                                   .record = record};
    count++;
    if (!end_draft(x, entry->sequence, &drafts[count])) {
        return;
    }
    submission->drafts = drafts;
    submission->draft_count = count + 1;
    set_key(x, submission, bytes);
    phrases_in_offer_records(x->worker, x->engine, submission);
    exchange_submit(x, submission, retry_done);
}

void handle_quarantine_retry(struct exchange *x)
{
    uint64_t sequence = 0;
    struct log_entry *entry = arena_zalloc(x->arena, sizeof *entry);
    struct record *record = arena_zalloc(x->arena, sizeof *record);
    struct quarantine quarantine;
    if (entry == NULL || record == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return;
    }
    if (!find_quarantined(x, &sequence) || !load_quarantined(x, sequence, entry, &quarantine)) {
        return;
    }
    struct slice bytes = x->body.length > 0 ? x->body : quarantine.bytes;
    if (bytes.length > 0 && bytes.data[bytes.length - 1] == '\n') {
        bytes = slice_trim(bytes);
    }
    struct slice header =
        entry->format == FORMAT_CSV ? header_bytes(x, entry, &quarantine) : SLICE_NONE;
    if (read_again(x, entry, header, bytes, record)) {
        submit_retry(x, entry, header, bytes, record);
    }
}
