/* intake.h: from a stream of request or file bytes to submissions, with a running tally.
 *
 *   bytes ─intake_stream─▶ record_read ─▶ drafts ─▶ submission of at most INTAKE_BATCH_RECORDS ─▶ engine_commit
 *                               └─ bad ──▶ quarantine draft, one line in `errors`
 *
 * Used by POST /api/ingest (one per request, on the worker that parses it) and by `kindred import
 * --data`. The caller's loop:
 *
 *   intake_feed(bytes) … while ((s = intake_take(i))) give s to the writer … intake_give_back(i, s) when it is done
 *
 * and after each of the three intake_state says what comes next. Memory is bounded: `batches_max`
 * batches altogether, being filled, ready, or in the writer's hands; when all are in use the bytes
 * just fed wait inside.
 *
 * Batches are cut by content only (records and bytes), never by how the network cut the stream, so
 * that the same body under the same Idempotency-Key gives the same batches. Batch n of a keyed body
 * has the key "<key>#<n>" and a fingerprint of its bytes; the last one carries the whole answer, so
 * a repeat gets the first answer word for word, and a repeat after a crash in the middle takes only
 * what was not taken. That is why a keyed body holds one batch back until it is known whether it is
 * the last, and the last until the others came back.
 *
 * Threading: one thread at a time; a batch handed out may be in the writer's hands meanwhile. */
#ifndef KINDRED_ENGINE_INTAKE_H
#define KINDRED_ENGINE_INTAKE_H

#include "base/buffer.h"
#include "base/json_writer.h"
#include "engine/engine.h"
#include "ingest/splitter.h"

enum {
    INTAKE_BATCH_RECORDS = 512,
    INTAKE_BATCH_BYTES = 1024 * 1024, /* of records; one larger record makes a batch of its own */
    INTAKE_BATCHES_DEFAULT = 4,
    INTAKE_BATCH_MEMORY_MAX = 64 * 1024 * 1024, /* records as read, however wild */
    /* read (or inflated) in one call: some fifty records, so that a body holds a loop for 0.1 ms */
    INTAKE_STEP_BYTES = 16 * 1024,
    INTAKE_ERRORS_DEFAULT = 100,
    INTAKE_ERRORS_MAX = 1000,
    INTAKE_KEY_MAX = 512,
};

struct intake;

struct intake_options {
    const struct settings *settings; /* borrowed */
    const struct mapping *mapping;   /* borrowed; NULL: none */
    uint64_t mapping_sequence;
    struct slice source;          /* copied; at most LOG_SOURCE_MAX bytes */
    struct slice idempotency_key; /* copied; at most INTAKE_KEY_MAX bytes; SLICE_NONE: none */
    const char *durability;       /* named in the answer; static */
    enum content_hint hint;
    uint64_t body_max_bytes; /* after inflating; 0: unlimited */
    /* listed in the answer (all are counted); 0: INTAKE_ERRORS_DEFAULT */
    size_t errors_max;
    size_t batches_max; /* 0: INTAKE_BATCHES_DEFAULT; at least 3 */
    /* the first so many are known to be durable: counted as repeated, not handed out */
    uint64_t skip_batches;
};

/* Owned by caller; NULL when memory is out. */
struct intake *intake_create(const struct intake_options *options) MUST_USE;
/* Batches in the writer's hands must have come back; what was fed and not taken is dropped. */
void intake_destroy(struct intake *intake);

enum intake_state {
    INTAKE_HUNGRY, /* wants intake_feed */
    /* call intake_take (again): there is a batch, or more to make of what was fed */
    INTAKE_WORKING,
    INTAKE_WAITING, /* a batch has to be given back first */
    /* the body is complete or refused and every batch came back: intake_write_answer */
    INTAKE_DONE,
};
enum intake_state intake_state(const struct intake *intake);

/* Bytes as they arrive, compressed or not (found by the first bytes), copied where needed. `last`:
 * the body is complete. ERR_BUSY when the state is not INTAKE_HUNGRY: nothing was consumed. A
 * client's error (the input's, see below) is final: the records before it stand, the answer names
 * it. After a failure of a submission: that failure. */
err intake_feed(struct intake *intake, struct slice bytes, bool last, struct error *error) MUST_USE;

/* A batch for the writer; NULL when none is ready now. The caller's until intake_give_back; its
 * `owner` and `done` are free for the caller. */
struct submission *intake_take(struct intake *intake);
/* After `done` (or when it could not be queued: set err and error): counts its outcome and frees
 * it. */
void intake_give_back(struct intake *intake, struct submission *submission);
/* Batches with the writer now. */
size_t intake_out_count(const struct intake *intake);
/* 1 is the body's first batch. For the importer's note of how far it came. */
uint64_t intake_batch_number(const struct submission *submission);

struct intake_tally {
    uint64_t records;     /* seen */
    uint64_t accepted;    /* taken, durable (as far as the durability mode goes) */
    uint64_t cleansed;    /* of those, with at least one field dropped */
    uint64_t quarantined; /* not taken, kept */
    uint64_t bytes;       /* of the body, inflated */
    /* of accepted and quarantined: had been taken before under the same key */
    uint64_t repeated;
};
struct intake_tally intake_tally(const struct intake *intake);

/* The first failure of a submission (storage, busy, key used for other bytes); ERR_OK when all went
 * well. Nothing is handed out after one. */
err intake_failure(const struct intake *intake, struct error *error) MUST_USE;
/* What was wrong with the body as a whole (not JSON, damaged gzip, too large); ERR_OK when nothing
 * was. */
err intake_input_error(const struct intake *intake, struct error *error) MUST_USE;

/* In state INTAKE_DONE without a failure:
 *   {"status": "success|partial|error", "records_processed": 500, "records_received": …, "records_cleansed": …,
 *    "records_quarantined": …, "errors": [{"record", "line", "field", "code", "message"}], "errors_total": …,
 *    "warnings": [likewise, for cleansed fields], "warnings_total": …, "durability": "fsync"}
 * A repeat under a known key: the first answer, byte for byte. */
void intake_write_answer(const struct intake *intake, struct json_writer *json);
/* The HTTP status that goes with the answer: 200 for success and partial, 422 when there were
 * records or an input error and not one was taken, 413 when the body was too large and nothing was
 * taken. */
uint16_t intake_answer_status(const struct intake *intake);

/* Calls visit for each record not taken, as it is found (the importer's file of rejected rows).
 * header: SLICE_NONE for JSON. */
typedef void (*intake_reject)(void *context, const struct split *split, struct slice header,
                              const struct record_error *reason);
void intake_on_reject(struct intake *intake, intake_reject visit, void *context);

#endif
