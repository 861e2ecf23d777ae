/* intake_draft.c: one record becomes one draft of a log entry, in its batch's own memory. */
#include "base/hash.h"
#include "engine/quarantine.h"
#include "ingest/limits.h"
#include "intake_internal.h"

enum { DRAFTS_FIRST = 8 };

static const size_t QUARANTINE_BYTES_MAX =
    RECORD_BYTES_DEFAULT + QUARANTINE_HEADER_BYTES_MAX + 4096;

/* Fixed, because fingerprints are stored with their keys and compared after a restart. */
static const uint64_t FINGERPRINT_SEED = 0x6b696e6472656431;

static struct slice header_of(const struct intake *intake, const struct split *split)
{
    bool csv = split->format == FORMAT_CSV && intake->header != NULL;
    return csv ? buffer_slice(&intake->header_bytes) : SLICE_NONE;
}

size_t draft_bytes(const struct intake *intake, const struct batch *batch,
                   const struct split *split)
{
    return split->bytes.length + (batch->draft_count == 0 ? header_of(intake, split).length : 0);
}

/* The next draft, zeroed. Drafts move when they double, so nothing keeps a pointer to one while
 * filling. */
static struct draft *draft_new(struct batch *batch)
{
    if (batch->draft_count == batch->draft_capacity) {
        size_t capacity = batch->draft_capacity ? batch->draft_capacity * 4 : DRAFTS_FIRST;
        struct draft *drafts = arena_alloc(&batch->arena, capacity * sizeof *drafts);
        if (drafts == NULL) {
            return NULL;
        }
        if (batch->draft_count > 0) {
            memcpy(drafts, batch->drafts, batch->draft_count * sizeof *drafts);
        }
        batch->drafts = drafts;
        batch->draft_capacity = capacity;
    }
    struct draft *draft = &batch->drafts[batch->draft_count++];
    *draft = (struct draft){0};
    return draft;
}

static void fingerprint(struct batch *batch, struct slice bytes)
{
    batch->fingerprint = hash64(bytes, batch->fingerprint ^ FINGERPRINT_SEED ^ bytes.length);
    batch->bytes += bytes.length;
}

/* A draft with everything but kind and payload. header_back: CSV rows follow their batch's own
 * header, its first draft. */
static struct draft *draft_begin(const struct intake *intake, struct batch *batch,
                                 const struct split *split)
{
    struct draft *draft = draft_new(batch);
    if (draft == NULL) {
        return NULL;
    }
    draft->entry.format = (uint8_t)split->format;
    draft->entry.etl_version = ETL_RULES_VERSION;
    draft->entry.mapping_sequence = intake->options.mapping_sequence;
    draft->entry.source = intake->options.source;
    if (header_of(intake, split).data != NULL) {
        draft->entry.header_back = (uint32_t)(batch->draft_count - 1);
    }
    return draft;
}

/* The batch's first row brings its header along: an entry and what it needs are in one batch, so a
 * crash cannot part them. */
static err draft_header(const struct intake *intake, struct batch *batch, const struct split *split)
{
    struct slice header = header_of(intake, split);
    if (header.data == NULL || batch->draft_count > 0) {
        return ERR_OK;
    }
    struct draft *draft = draft_begin(intake, batch, split);
    if (draft == NULL) {
        return ERR_MEMORY;
    }
    draft->entry.kind = ENTRY_CSV_HEADER;
    draft->entry.payload = header; /* the intake's own, which outlives the batch */
    fingerprint(batch, header);
    return ERR_OK;
}

static err draft_quarantine(struct intake *intake, struct batch *batch, const struct split *split,
                            struct slice bytes, const struct record_error *reason)
{
    struct slice header = header_of(intake, split);
    struct quarantine quarantine = {
        .code = slice_from_cstr(reason->code),
        .field = slice_from_cstr(reason->field),
        .message = slice_from_cstr(reason->message),
        .record_number = split->record_number,
        .line = split->line,
        .header = header.length <= QUARANTINE_HEADER_BYTES_MAX ? header : SLICE_NONE,
        .bytes = bytes,
    };
    struct buffer payload;
    buffer_init(&payload, QUARANTINE_BYTES_MAX);
    quarantine_encode(&quarantine, &payload);
    struct slice kept =
        payload.failed ? SLICE_NONE : arena_copy(&batch->arena, buffer_slice(&payload));
    buffer_deinit(&payload);
    struct draft *draft = kept.data ? draft_begin(intake, batch, split) : NULL;
    if (draft == NULL) {
        return ERR_MEMORY;
    }
    draft->entry.kind = ENTRY_QUARANTINE;
    draft->entry.payload = kept;
    batch->quarantined++;
    report_error(intake, split, reason);
    if (intake->reject != NULL) {
        intake->reject(intake->reject_context, split, header, reason);
    }
    return ERR_OK;
}

static err draft_record(struct intake *intake, struct batch *batch, const struct split *split,
                        struct slice bytes, struct record *record)
{
    struct draft *draft = draft_begin(intake, batch, split);
    if (draft == NULL) {
        return ERR_MEMORY;
    }
    draft->entry.kind = ENTRY_RECORD;
    draft->entry.payload = bytes;
    draft->record = record;
    batch->accepted++;
    if (record->warning_count > 0) {
        batch->cleansed++;
        report_warnings(intake, split, record);
    }
    return ERR_OK;
}

err draft_split(struct intake *intake, struct batch *batch, const struct split *split)
{
    if (draft_header(intake, batch, split) != ERR_OK) {
        return ERR_MEMORY;
    }
    struct slice bytes = arena_copy(&batch->arena, split->bytes);
    if (bytes.data == NULL) {
        return ERR_MEMORY;
    }
    fingerprint(batch, bytes);
    batch->records++;
    if (split->kind == SPLIT_BAD) {
        return draft_quarantine(intake, batch, split, bytes, &split->error);
    }
    struct record *record = arena_alloc(&batch->arena, sizeof *record);
    if (record == NULL) {
        return ERR_MEMORY;
    }
    struct record_form form = {split->format, ETL_RULES_VERSION, intake->header,
                               intake->options.mapping};
    struct record_error reason = {0};
    err e = record_read(&batch->arena, bytes, &form, intake->options.settings, record, &reason);
    if (e == ERR_OK) {
        return draft_record(intake, batch, split, bytes, record);
    }
    return e == ERR_MEMORY ? ERR_MEMORY : draft_quarantine(intake, batch, split, bytes, &reason);
}
