/* intake.h: from a stream of request or file bytes to submissions, with a running tally.
 *
 *   bytes ─(inflate)─▶ splitter ─▶ record_read ─▶ drafts ─▶ submission of at most INTAKE_BATCH_RECORDS ─▶ engine_commit
 *                                      └─ bad ──▶ quarantine draft, one line in `errors`
 *
 * Used by POST /api/ingest (one per request, on the worker that parses it) and by `kindred import --data`. Memory is bounded: one batch being filled plus the batches
 * handed out and not given back. Batches are cut by content only (records and bytes), never by how the network cut the stream, so that
 * the same body under the same Idempotency-Key gives the same batches, and a repeat after a crash skips those that
 * were taken.
 *
 * Threading: one thread at a time; a batch handed out may be in the writer's hands meanwhile. */
#ifndef KINDRED_ENGINE_INTAKE_H
#define KINDRED_ENGINE_INTAKE_H

#include "base/buffer.h"
#include "base/json_writer.h"
#include "engine/engine.h"
#include "ingest/splitter.h"

enum { INTAKE_BATCH_RECORDS = 512, INTAKE_BATCH_BYTES = 1024 * 1024, INTAKE_ERRORS_MAX = 100 };

struct intake;

struct intake_options {
    const struct settings *settings; /* borrowed */
    const struct mapping *mapping;   /* NULL: none */
    uint64_t mapping_sequence;
    struct slice source;             /* copied */
    struct slice idempotency_key;    /* copied; SLICE_NONE: none */
    enum content_hint hint;
    uint64_t body_max_bytes;         /* after inflating; 0: unlimited */
};

struct intake *intake_create(const struct intake_options *options) MUST_USE;
/* Batches still in the writer's hands must have come back. */
void intake_destroy(struct intake *intake);

/* Bytes as they arrive, compressed or not (found by the first bytes). `last`: the body is complete. The bytes are copied where needed.
 * ERR_BUSY: give back batches and take the ready ones first, nothing was consumed. Any other error is the client's and final: the
 * records before it stand, the tally says so. */
err intake_feed(struct intake *intake, struct slice bytes, bool last, struct error *error) MUST_USE;

/* A full batch (or, after last, the remaining one); NULL when there is none ready. The submission is the caller's until intake_give_back. Its
 * `owner` is free for the caller. */
struct submission *intake_take(struct intake *intake);
/* After `done`: counts its outcome and frees it. */
void intake_give_back(struct intake *intake, struct submission *submission);

struct intake_tally {
    uint64_t records;     /* seen */
    uint64_t accepted;    /* taken, durable */
    uint64_t cleansed;    /* of those, with at least one field dropped */
    uint64_t quarantined; /* not taken, kept */
    uint64_t bytes;       /* of the body, inflated */
    uint64_t repeated;    /* of accepted: had been taken before under the same key */
};
struct intake_tally intake_tally(const struct intake *intake);
/* The first failure of a submission (storage, busy), ERR_OK when all went well. */
err intake_failure(const struct intake *intake, struct error *error);

/* {"status": "success|partial|error", "records_processed": 500, "errors": [{"record", "line", "field", "code", "message"}], …}
 * errors: at most INTAKE_ERRORS_MAX, `errors_total` counts all; `warnings` likewise for cleansed fields. */
void intake_write_answer(const struct intake *intake, const char *durability, struct json_writer *json);
/* The HTTP status that goes with the answer: 200 for success and partial, 422 when not one record was taken. */
uint16_t intake_answer_status(const struct intake *intake);

/* Calls visit for each record not taken, as it happens (the importer's file of rejected rows). */
void intake_on_reject(struct intake *intake, void (*visit)(void *context, const struct split *split,
                      struct slice header, const struct record_error *reason), void *context);

#endif
