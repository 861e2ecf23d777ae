/* internal.h: the engine's state, shared by the files of this folder and nobody else. */
#ifndef KINDRED_ENGINE_INTERNAL_H
#define KINDRED_ENGINE_INTERNAL_H

#include "base/memory.h"
#include <pthread.h>

#include "engine/engine.h"
#include "ingest/limits.h"

#include "ghosts.h"
#include "history.h"
#include "verdict_cache.h"
#include "window.h"

enum {
    RECEIPT_COUNT_MAX = 200000,
    RECEIPT_BYTES_MAX = 256 * 1024 * 1024, /* of stored answers; the oldest are forgotten first */
    MESSAGE_COUNT_MAX = 4000000,
    MAPPING_COUNT_MAX = 4096,
    EXAMPLES_KEY_MAX = 9 + 4 * COHORT_NAME_MAX,
};
static const int64_t RECEIPT_AGE_MAX_US = 7ll * 24 * 3600 * 1000000;
static const int64_t MESSAGE_AGE_MAX_US = 7ll * 24 * 3600 * 1000000;
/* An apply slice ends after this long, so that a reader never waits longer for the gate. */
static const int64_t SLICE_MAX_US = 200;

struct mapping_version {
    uint64_t sequence;
    struct mapping *mapping;
    char *json; /* owned; NUL-terminated */
    size_t json_length;
};

struct settings_version {
    uint64_t sequence;
    struct settings *settings;
};

/* A former holder of an identifier that moved on, or gave way: hash of the identifier ─▶ person. Only needed to erase well. */
struct moved_holder {
    uint64_t hash;
    uint32_t number;
};

struct receipt {
    uint64_t fingerprint;
    uint16_t status;
    uint32_t length;
    char answer[];
};

/* Growing arrays of plain structs; see vector_reserve. */
struct sequence_time {
    uint64_t sequence;
    int64_t at_us;
};

struct engine {
    struct engine_options options;
    struct arena arena;   /* the writer's scratch, reset per entry */
    struct buffer packed; /* the writer's scratch for profile_pack */

    struct identifier_table *identifiers;
    struct people *people;
    struct names *names;
    struct phrases *phrases;
    struct attributes *attributes;
    struct cohorts *cohorts;
    struct verdict_cache *verdicts;
    /* phrases that an entry has met and that wait for a verdict; see answer_late_phrases */
    uint32_t late[64];
    size_t late_count;
    uint64_t checkpoint_classifier; /* the version that wrote the checkpoint; 0: none did */
    bool examples_unsaved; /* what the checkpoint holds about examples is of another version */
    struct history *history;

    struct window *receipts;
    struct window *messages;
    struct sequence_time *quarantined; /* ascending */
    size_t quarantined_count, quarantined_capacity;
    /* entries that were quarantined once: retried or dropped, their bytes are still in the log */
    uint64_t *ended;
    size_t ended_count, ended_capacity;
    /* for the scrubbing job, which reads the list from its own thread */
    pthread_mutex_t quarantine_lock;
    struct engine_erasure *erasures; /* ascending */
    size_t erasures_count, erasures_capacity;
    struct moved_holder *moved;
    size_t moved_count, moved_capacity;

    /* ascending; the last is in force; older ones stay for readers that hold them, and to read old
     * entries again */
    struct settings_version *settings;
    size_t settings_count, settings_capacity;
    struct slice settings_json; /* of the last; owned */
    struct mapping_version *mappings;
    size_t mappings_count, mappings_capacity;
    uint64_t shipped_version; /* of the shipped cohorts already logged */

    uint64_t applied_sequence;
    int64_t last_received_at_us; /* applied */
    int64_t last_appended_at_us;
    _Atomic int failed; /* err */
    _Atomic uint64_t lag;

    /* Checkpointing. */
    /* the writer moves it outside of the gate, when a checkpoint is written */
    _Atomic uint64_t checkpoint_sequence;
    struct bitmap *everybody; /* numbers that have a blob */
    struct bitmap *dirty;     /* person numbers whose blob changed since the last snapshot */
    struct buffer pending;    /* small table changes since then, see checkpoint.c */
    struct engine_snapshot *snapshot; /* the one being written, or NULL */

    struct engine_stats counters; /* records_applied, merges, duplicates, profile_bytes */

    /* Replaying: the records are read from the log again, with the CSV header of their batch. */
    bool replaying;
    uint64_t header_sequence;
    struct csv_header *header;
    struct ghosts *ghosts; /* of those erased; in a fold from the first entry */
};

/* Makes room for one more element; false when memory is out. */
bool vector_reserve(void **items, size_t *capacity, size_t count, size_t item_bytes) MUST_USE;
#define VECTOR_RESERVE(engine, field)                                                              \
    vector_reserve((void **)&(engine)->field, &(engine)->field##_capacity,                         \
                   (engine)->field##_count, sizeof *(engine)->field)

/* ---- apply.c: the fold ---- */

/* Applies one entry that is durable. `record` is what its payload says when it was read already
 * (live), NULL in replay. Writer, gate closed. ERR_MEMORY, or ERR_CORRUPT when a logged entry
 * cannot be applied at all. */
err apply_entry(struct engine *engine, const struct log_entry *entry, const struct record *record,
                struct error *error) MUST_USE;
err apply_record(struct engine *engine, const struct log_entry *entry, const struct record *record,
                 struct error *error) MUST_USE;
void forget_identifier(struct engine *engine, uint64_t hash, uint32_t root);
void patch_encode(uint32_t number, struct slice json, struct buffer *out);
err apply_erase_done(struct engine *engine, const struct log_entry *entry) MUST_USE;
err apply_erase(struct engine *engine, const struct log_entry *entry, struct error *error) MUST_USE;
/* Consecutive cohort entries make one atomic change. Closes the gate itself, for the swap only. */
err apply_cohort_entries(struct engine *engine, const struct log_entry *entries, size_t count,
                         struct error *error) MUST_USE;

/* ---- resolve.c: who is it? ---- */

struct resolution {
    uint32_t number;                       /* the person; PERSON_NONE: nobody yet */
    uint32_t merges[IDENTIFIER_COUNT_MAX]; /* other roots to merge into it, in order */
    size_t merge_count;
    /* of each of the record's identifiers, before anything is merged */
    uint32_t owners[IDENTIFIER_COUNT_MAX];
    uint64_t hashes[IDENTIFIER_COUNT_MAX]; /* identifier_hash of each */
};
/* Reads only. `event_time_us` is the record's. */
err resolve_record(struct engine *engine, const struct record *record,
                   struct resolution *out) MUST_USE;
uint32_t find_owner(const struct engine *engine, uint8_t type, struct slice value);
uint32_t find_owner_by_hash(const struct engine *engine, uint64_t hash, uint8_t type,
                            struct slice value);

/* ---- profile_change.c: what a record, a merge or a correction does to one profile ---- */

struct change {
    struct engine *engine;
    struct profile profile;
    uint32_t origin; /* index of the entry's origin in profile.origins */
    /* names counted for as long as the change is worked on; in the engine's arena */
    uint32_t *acquired;
    size_t acquired_count, acquired_capacity;
};
/* `spare`: room for that many more elements in each array. End every begun change with
 * change_end. */
err change_begin_new(struct engine *engine, struct change *change, uint32_t number,
                     const struct log_entry *entry, size_t spare) MUST_USE;
err change_begin(struct engine *engine, struct change *change, const void *blob,
                 size_t spare) MUST_USE;
void change_end(struct change *change);
err change_add_origin(struct change *change, const struct log_entry *entry,
                      int64_t event_time_us) MUST_USE;
err change_absorb(struct change *change, const void *other_blob) MUST_USE;
/* and not moved */
bool change_holds(const struct change *change, uint8_t type, struct slice value);
void change_link(struct change *change, uint8_t type, struct slice value, uint32_t origin,
                 bool moved);
err change_apply_record(struct change *change, const struct log_entry *entry,
                        const struct record *record) MUST_USE;
err change_add_sequence(struct change *change, uint64_t sequence) MUST_USE;
err change_acquire_name(struct change *change, struct slice text, uint32_t *id) MUST_USE;
void change_sort_identifiers(struct change *change);
/* Negative, 0, positive: a is older, the same, newer. */
int origin_compare(const struct engine *engine, const struct profile_origin *a,
                   const struct profile_origin *b);

/* ---- publish.c: the indexes follow the blob ---- */

/* Packs the profile, swaps it in for `number` and brings names, phrases, attributes and cohorts
 * along. */
err publish_profile(struct engine *engine, const struct profile *profile) MUST_USE;
/* The blob goes away (erased, absorbed): everything that was counted for it is taken back. */
void retire_profile(struct engine *engine, uint32_t number);
/* While loading: the blob counts for names, phrases, attributes. Touches neither the identifier
 * table nor who moved: profile_loader.c has those beside it, on another thread. */
void index_loaded_values(struct engine *engine, const void *blob);
void retire_blob(struct engine *engine, void *blob);
/* checkpoint.c: frees the blob, or keeps it until the snapshot that may hold it is written. */
void snapshot_keep_or_free(struct engine *engine, void *blob);
err remember_moved(struct engine *engine, uint8_t type, struct slice value,
                   uint32_t number) MUST_USE;

/* ---- checkpoint.c ---- */

void pending_put(struct engine *engine, enum checkpoint_table table, struct slice key,
                 struct slice value);
void pending_delete(struct engine *engine, enum checkpoint_table table, struct slice key);
void pending_put_history(struct engine *engine, uint32_t person, uint32_t index,
                         struct slice chunk);
void pending_remove_history(struct engine *engine, uint32_t person);
void pending_move_history(struct engine *engine, uint32_t from, uint32_t to);

/* ---- registry.c: settings, mappings, receipts, quarantine ---- */

err registry_add_settings(struct engine *engine, uint64_t sequence, struct slice json,
                          struct error *error) MUST_USE;
err registry_add_mapping(struct engine *engine, uint64_t sequence, struct slice json,
                         struct error *error) MUST_USE;
err registry_add_receipt(struct engine *engine, int64_t at_us, uint64_t sequence,
                         struct slice payload) MUST_USE;
err registry_add_message(struct engine *engine, int64_t at_us, struct slice message_id,
                         uint32_t number) MUST_USE;
err registry_load_message(struct engine *engine, const struct window_item *item) MUST_USE;
/* The person who has it; too old at now_us, or erased: PERSON_NONE. */
uint32_t registry_find_message(const struct engine *engine, struct slice message_id,
                               int64_t now_us);
err registry_add_quarantined(struct engine *engine, uint64_t sequence, int64_t at_us) MUST_USE;
err registry_end_quarantined(struct engine *engine, uint64_t sequence) MUST_USE;
err registry_add_ended(struct engine *engine, uint64_t sequence) MUST_USE;
/* Stored forms, for the checkpoint's tables. */
void receipt_encode(const struct window_key *key, uint64_t fingerprint, uint16_t status,
                    struct slice answer, struct buffer *out);

/* ---- erasure.c ---- */

struct engine_erasure *erasure_find(struct engine *engine, uint64_t sequence);
/* *format gets the ENTRY_ERASE's. */
err erasure_encode(struct engine *engine, uint32_t number, struct buffer *erase,
                   struct buffer *keys, uint8_t *format) MUST_USE;
/* The ghosts in an ENTRY_ERASE's payload (empty: none); false when it is none. */
bool erasure_ghosts(struct slice payload, struct slice *out);
err erasure_encode_done(struct engine *engine, uint64_t sequence, struct buffer *out) MUST_USE;
err erasure_add(struct engine *engine, const struct engine_erasure *erasure) MUST_USE;

/* ---- verdicts.c ---- */

/* The phrase's id; a new one gets the verdict that was offered for it, and its cohorts. */
err intern_phrase(struct engine *engine, struct slice text, uint32_t *id) MUST_USE;
/* Behind an entry: known phrases that wait, and whose verdict was offered meanwhile. */
void answer_late_phrases(struct engine *engine);
/* Is it one of this engine's classifier? Otherwise the caller is wrong: CHECK. */
void check_verdict(const struct engine *engine, const struct verdict *verdict);
err commit_verdicts(struct engine *engine, struct submission *submission) MUST_USE;
/* Those that another engine on the same classifier has already. */
err adopt_verdicts(struct engine *engine, const struct engine *from, struct error *error) MUST_USE;
bool find_offered(void *engine, struct slice phrase, struct verdict *out);
/* Stored forms, for the checkpoint's tables. */
void phrase_row_encode(const struct engine *engine, uint32_t id, struct buffer *out);
err phrase_row_load(struct engine *engine, uint32_t id, struct slice row) MUST_USE;

/* ---- recovery.c ---- */

err recover(struct engine *engine, struct error *error) MUST_USE;

/* ---- cohort_entries.c ---- */

/* Parses, resolves include and exclude, and writes the entry's payload. Clears nothing from the
 * arena. */
err cohort_entry_prepare(struct engine *engine, uint64_t shipped_version, struct slice name,
                         struct slice json, struct buffer *payload, struct error *error) MUST_USE;
void cohort_entry_encode(uint64_t shipped_version, struct slice name, struct slice json,
                         struct buffer *out);
void cohort_row_encode(uint64_t sequence, int64_t changed_at_us, struct slice json,
                       struct buffer *out);
/* The definition after the feedback, as cohort_entry_prepare would write it. */
err cohort_entry_correct(struct engine *engine, struct slice name, struct slice feedback,
                         struct buffer *payload, struct error *error) MUST_USE;
/* The key in TABLE_META of what the classifier said about a cohort's examples. */
struct slice examples_key(struct slice cohort_name, char room[EXAMPLES_KEY_MAX]);
err log_shipped_cohorts(struct engine *engine, struct error *error) MUST_USE;

/* ---- commit.c ---- */

/* One batch of the engine's own: append, sync, apply. */
err commit_entries(struct engine *engine, struct log_entry *entries, size_t count,
                   uint64_t *first_sequence, struct error *error) MUST_USE;
void engine_gate_close(struct engine *engine);
void engine_gate_open(struct engine *engine);

static inline const struct settings *current_settings(const struct engine *engine)
{
    return engine->settings[engine->settings_count - 1].settings;
}

static inline uint8_t *u32_key(uint8_t to[4], uint32_t number)
{
    to[0] = (uint8_t)(number >> 24);
    to[1] = (uint8_t)(number >> 16);
    to[2] = (uint8_t)(number >> 8);
    to[3] = (uint8_t)number;
    return to;
}

#endif
