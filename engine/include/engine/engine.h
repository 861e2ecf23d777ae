/* engine.h: the state machine. Apply one entry; answer one read.
 *
 *   submissions ─▶ engine_commit:  check ─▶ log append ─▶ log sync ─▶ apply (identity, profile, index, cohorts) ─▶ done
 *   questions   ─▶ engine_find_*, engine_write_*: from RAM, microseconds
 *
 * The raw log is the truth and everything here is a fold over it: applying uses the entry's own
 * time and sequence, no clock, no randomness, no thread order. engine_open loads the newest
 * checkpoint and applies what the log has behind it.
 *
 * Threading, three roles:
 *   writer   one thread at a time: engine_commit, engine_checkpoint_begin/end
 *   reader   any thread, between gate_enter and gate_leave of its slot: everything under "reading"
 *   any      where it says so
 * The gate is passed in; engine_commit closes it for slices of at most ENGINE_SLICE_RECORDS
 * records.
 *
 * Failure: engine_commit answers each submission by itself. After the first failed write or sync
 * the engine has failed for good (engine_failed): every later commit gets that error; reads go on.
 * ERR_NO_SPACE is not that: it passes. */
#ifndef KINDRED_ENGINE_ENGINE_H
#define KINDRED_ENGINE_ENGINE_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/gate.h"
#include "base/json_writer.h"
#include "classifier/classifier.h"
#include "index/cohorts.h"
#include "ingest/mapping.h"
#include "ingest/record.h"
#include "ingest/settings.h"
#include "storage/checkpoint.h"
#include "storage/log.h"
#include "storage/profile.h"

struct engine;

enum { ENGINE_SLICE_RECORDS = 256 };

/* ---- opening --------------------------------------------------------------------------------- */

enum engine_durability { DURABILITY_FSYNC, DURABILITY_INTERVAL, DURABILITY_OS };

enum engine_phase { PHASE_PROFILES, PHASE_COHORTS, PHASE_REPLAY, PHASE_READY };

/* Written by the thread that opens, read by anybody: what /readyz shows while recovering. */
struct engine_progress {
    _Atomic int phase;
    _Atomic uint64_t done;
    _Atomic uint64_t total;
};

enum { ENGINE_LOAD_THREADS = 2 };

struct engine_options {
    struct log *log; /* borrowed for the engine's life */
    /* borrowed; NULL: everything from the log, nothing is checkpointed */
    struct checkpoint *checkpoint;
    const struct clock *clock;          /* received-at of new entries; borrowed */
    const struct random_source *random; /* hash seeds; borrowed */
    struct gate *gate; /* borrowed; NULL: nobody else reads (import, export, tests) */
    /* fsync: commit syncs before it applies. Otherwise the owner calls engine_sync (interval) or
     * nobody does (os) */
    enum engine_durability durability;
    /* the deployment's settings; logged when they differ from the newest logged ones; SLICE_NONE
     * keeps those, or the defaults */
    struct slice settings_json;
    /* classifier/topics.json; its cohorts are logged once per version of it; SLICE_NONE: none */
    struct slice shipped_cohorts;
    const struct classifier *classifier; /* borrowed; NULL: rules only, phrases have no verdicts */
    /* at start: 0 reads and indexes the checkpoint on the calling thread alone; up to
     * ENGINE_LOAD_THREADS help it */
    unsigned load_threads;
    /* of the cache of verdicts on their way to the writer; 0: VERDICT_SLOTS_DEFAULT */
    size_t verdict_slots;
    bool read_only; /* never appends: export, verify */
    /* applies records without prefetching for the next ones: bench/ shows what that brings */
    bool prefetch_off;
    struct engine_progress *progress; /* may be NULL */
};

err engine_open(const struct engine_options *options, struct engine **out,
                struct error *error) MUST_USE;
void engine_close(struct engine *engine);

/* ---- writing --------------------------------------------------------------------------------- */

enum submission_kind {
    SUBMIT_RECORDS,       /* drafts: records, CSV headers, quarantined bytes, ends of quarantine */
    SUBMIT_PATCH,         /* number, if_match, body: a merge patch's JSON */
    SUBMIT_ERASE,         /* number */
    SUBMIT_COHORT_PUT,    /* name, body: the definition's JSON */
    SUBMIT_COHORT_DELETE, /* name */
    SUBMIT_MAPPING_PUT,   /* name, body: the mapping's JSON */
    SUBMIT_ERASE_DONE,    /* sequence of the erasure: made by the erasure job */
    /* name, body: {"positive": […], "negative": […]}; logged as the definition that comes of it */
    SUBMIT_COHORT_FEEDBACK,
    /* verdicts, verdict_count: see interests.h. Not logged: what follows from the log and the
     * model */
    SUBMIT_VERDICTS,
};

struct phrase_verdict; /* interests.h */

/* One entry to append, with what was already read from its bytes. */
struct draft {
    /* kind, format, etl_version, mapping_sequence, header_back, source, payload */
    struct log_entry entry;
    const struct record *record; /* ENTRY_RECORD: record_read's result for the payload */
};

struct submission {
    /* ---- filled by the submitter; borrowed until `done` was called ---- */
    enum submission_kind kind;
    struct draft *drafts;
    size_t draft_count;
    uint32_t number; /* a person */
    struct slice name;
    struct slice body;
    struct slice source;
    struct slice if_match; /* an ETag; SLICE_NONE: unconditional */
    uint64_t sequence;
    const struct phrase_verdict *verdicts;
    size_t verdict_count;
    /* SLICE_NONE: none. Scoped by the caller (key and path are one string) */
    struct slice idempotency_key;
    uint64_t fingerprint; /* of the bytes: the same key with other bytes is ERR_CONFLICT */
    /* the answer to store under the key: sent again word for word on a repeat */
    struct slice answer;
    uint16_t answer_status;
    /* on the writer's thread, after it is durable and applied */
    void (*done)(struct submission *submission);
    void *owner; /* the submitter's own */
    /* ---- filled by the engine before `done` ---- */
    err err;
    struct error error;
    uint64_t first_sequence; /* of the entries it became; 0 when it became none */
    bool created;            /* COHORT_PUT: it was not there before */
    bool repeated;           /* the key was known: stored_answer is what to send */
    char *stored_answer;     /* with repeated; owned by submitter, memory_free */
    size_t stored_answer_length;
    uint16_t stored_status;
};

/* Takes the submissions in order: appends all, syncs once, applies in slices, calls each one's
 * done. Writer. */
void engine_commit(struct engine *engine, struct submission **submissions, size_t count);
/* For durability "interval". Writer. */
err engine_sync(struct engine *engine, struct error *error) MUST_USE;
/* Any thread. ERR_OK, or the failure that stopped writing for good. */
err engine_failed(const struct engine *engine);

/* ---- checkpoints ----------------------------------------------------------------------------- */

struct engine_snapshot;
/* Entries applied since the last checkpoint. Any thread. */
uint64_t engine_checkpoint_lag(const struct engine *engine);
/* Writer: a consistent set of blobs at the applied sequence, without copying them. One at a
 * time. */
err engine_checkpoint_begin(struct engine *engine, struct engine_snapshot **out,
                            struct error *error) MUST_USE;
/* Any thread, beside writing: one LMDB transaction. */
err engine_checkpoint_write(struct engine_snapshot *snapshot, struct error *error) MUST_USE;
/* Writer: written says whether write succeeded (otherwise the changes stay for the next one). */
void engine_checkpoint_end(struct engine *engine, struct engine_snapshot *snapshot, bool written);
/* All three in one, for shutdown and for commands. Writer. */
err engine_checkpoint(struct engine *engine, struct error *error) MUST_USE;

/* ---- erasure --------------------------------------------------------------------------------- */

/* The oldest erasure whose raw bytes are not scrubbed yet; false when there is none. Reader. */
bool engine_erasure_next(const struct engine *engine, uint64_t *sequence);
/* Scrubs its entries and those quarantined ones that name the person, from the log and from LMDB's
 * free pages. Any thread but the writer's, without the gate, while no snapshot is being written; a
 * checkpoint behind the erasure must have been written. Idempotent; crash-safe. Then submit
 * SUBMIT_ERASE_DONE. */
err engine_erasure_scrub(struct engine *engine, uint64_t sequence, struct error *error) MUST_USE;
struct engine_erasure {
    uint64_t sequence;
    int64_t requested_at_us;
    int64_t done_at_us; /* 0: still scrubbing */
    uint64_t entries;   /* to scrub */
};
/* Reader. False when there is no such erasure. */
bool engine_erasure_status(const struct engine *engine, uint64_t sequence,
                           struct engine_erasure *out);

/* The entries that an ENTRY_ERASE names, ascending; false when the payload is none. For a restore,
 * which has no engine. Any. */
bool engine_erase_entries(struct slice payload,
                          void (*visit)(void *context, uint64_t sequence, bool created_person),
                          void *context);

/* ---- reading (inside the gate, unless it says "any") ----------------------------------------- */

/* PERSON_NONE when nobody has it. value is canonical (identifier_normalise). */
uint32_t engine_find(const struct engine *engine, uint8_t type, struct slice value);
/* Many at once, memory loads overlapped. */
struct engine_key {
    uint8_t type;
    struct slice value;
};
void engine_find_many(const struct engine *engine, const struct engine_key *keys, size_t count,
                      uint32_t *numbers);
/* "p17", following merges; PERSON_NONE when there is no such person (any more). */
uint32_t engine_find_id(const struct engine *engine, struct slice id);

enum engine_expand {
    /* all identifiers with when, how and from which source and entry they were linked */
    EXPAND_IDENTIFIERS = 1,
    EXPAND_TIMESTAMPS = 2, /* created_at, updated_at */
    EXPAND_SOURCES = 4,    /* per field: source, age, entry */
    EXPAND_ATTRIBUTES = 8, /* attributes beyond the schema, all demographics and location parts */
    EXPAND_COHORTS = 16,   /* why each cohort: phrase, pattern, method */
    EXPAND_ALL = 31,
};
/* Comma-separated words; false on an unknown one. Any. */
bool engine_expand_parse(struct slice words, unsigned *expand);

/* The object of the mission: {"cookie": …, "email": …, "location": …, "demographics": {…},
 * "interests": […], "cohorts": […]}. */
void engine_write_user(const struct engine *engine, uint32_t number, unsigned expand,
                       struct json_writer *json);
enum { ENGINE_ETAG_MAX = 40 };
/* Quoted, with its NUL. Changes whenever the profile or any cohort definition does, or a verdict
 * moves somebody. */
size_t engine_etag(const struct engine *engine, uint32_t number, char out[ENGINE_ETAG_MAX]);

/* One page of a cohort's people (COHORT id from cohorts_find), or of everybody (COHORT_NONE), in
 * the order of person numbers. from: with by_cursor the smallest number to start at, otherwise the
 * offset. Returns how many numbers; *next is the cursor of the following page, 0 at the end. */
size_t engine_page(const struct engine *engine, uint32_t cohort, bool by_cursor, uint64_t from,
                   size_t limit, uint32_t *numbers, uint64_t *total, uint32_t *next);

const struct cohorts *engine_cohorts(const struct engine *engine);
void engine_write_cohort(const struct engine *engine, uint32_t cohort, bool with_definition,
                         struct json_writer *json);

/* The person's log entries, ascending, into the arena. Read the entries afterwards, outside the
 * gate, with log_get. */
err engine_person_sequences(const struct engine *engine, uint32_t number, struct arena *arena,
                            uint64_t **out, size_t *count) MUST_USE;

/* Quarantine: newest first. */
struct engine_quarantined {
    uint64_t sequence;
    int64_t received_at_us;
};
uint64_t engine_quarantine_count(const struct engine *engine);
/* Those with sequence < before (0: the newest); returns how many. */
size_t engine_quarantine_page(const struct engine *engine, uint64_t before,
                              struct engine_quarantined *out, size_t limit);
bool engine_quarantine_has(const struct engine *engine, uint64_t sequence);

/* Immutable and never freed while the engine is open: may be kept after leaving the gate. */
const struct settings *engine_settings(const struct engine *engine);
/* 0 and NULL when unknown. */
const struct mapping *engine_mapping(const struct engine *engine, struct slice name,
                                     uint64_t *sequence);
const struct mapping *engine_mapping_at(const struct engine *engine, uint64_t sequence);
void engine_write_mappings(const struct engine *engine, struct json_writer *json);
/* Any; the log has its own locks. */
struct log *engine_log(const struct engine *engine);

struct engine_stats {
    uint64_t people, identifiers, phrases, cohorts, quarantined, erasures_pending;
    uint64_t applied_sequence, checkpoint_sequence;
    uint64_t records_applied, merges, duplicates; /* since start */
    uint64_t profile_bytes;                       /* of all blobs */
    /* of the identifier and people tables; bitmaps would have to be walked */
    uint64_t index_bytes;
    uint64_t phrases_pending;      /* have no verdict of the classifier's version */
    uint64_t phrases_unclassified; /* have a verdict without topic, and no cohort */
    /* new phrases whose verdict was in the cache, or was not; since start */
    uint64_t verdict_hits, verdict_misses;
    uint64_t verdicts_offered, verdicts_evicted;
};
/* Cheap: counters only. */
void engine_stats(const struct engine *engine, struct engine_stats *out);

/* Compares profiles, identifiers, bitmaps and cohorts with each other, and (full) with a fresh fold
 * of the log. ERR_CORRUPT says where they differ. Writer, no readers. */
err engine_verify(struct engine *engine, bool full, struct error *error) MUST_USE;

#endif
