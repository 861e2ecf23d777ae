/* recovery.c: the state at start: what the newest checkpoint holds, then what the log has behind
 * it.
 *
 * The identifier table, phrase holders, attribute and cohort bitmaps are not stored: they follow
 * from the profiles and are built while the profiles are read in the order of their numbers. */
#include "internal.h"

#include "base/bytes.h"
#include "erased_entries.h"
#include "ingest/splitter.h"
#include "profile_loader.h"

static void set_phase(struct engine *engine, enum engine_phase phase, uint64_t total)
{
    struct engine_progress *progress = engine->options.progress;
    if (progress != NULL) {
        atomic_store(&progress->done, 0);
        atomic_store(&progress->total, total);
        atomic_store(&progress->phase, (int)phase);
    }
}

static void count_done(struct engine *engine)
{
    if (engine->options.progress != NULL) {
        atomic_fetch_add(&engine->options.progress->done, 1);
    }
}

struct load {
    struct engine *engine;
    struct error *error;
    uint64_t settings_sequence;
    struct slice settings_json; /* borrowed from the snapshot */
    uint64_t last_person;
    struct profile_loader *profiles;
};

static err load_corrupt(struct load *load, const char *table)
{
    return error_set(
        load->error, ERR_CORRUPT, "checkpoint_corrupt", 0,
        "the checkpoint's table of %s holds a row that cannot be read; the log is intact: stop, move "
        "the profiles folder away and start again to rebuild it",
        table);
}

/* ---- tables ---- */

static err load_meta(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    struct engine *engine = load->engine;
    if (key.length == 16 && memcmp(key.data, "mapping/", 8) == 0) {
        return registry_add_mapping(engine, load_u64_be(key.data + 8), value, load->error);
    }
    if (key.length == 17 && memcmp(key.data, "settings/", 9) == 0) {
        return registry_add_settings(engine, load_u64_be(key.data + 9), value, load->error);
    }
    if (slice_equal_cstr(key, "settings")) {
        load->settings_json = value;
        return ERR_OK;
    }
    if (value.length != 8) {
        return ERR_OK; /* the storage's own */
    }
    uint64_t number = load_u64(value.data);
    if (slice_equal_cstr(key, "settings_sequence")) {
        load->settings_sequence = number;
    } else if (slice_equal_cstr(key, "last_person")) {
        load->last_person = number;
    } else if (slice_equal_cstr(key, "last_received_at_us")) {
        engine->last_received_at_us = (int64_t)number;
    } else if (slice_equal_cstr(key, "shipped_version")) {
        engine->shipped_version = number;
    } else if (slice_equal_cstr(key, "classifier_version")) {
        engine->checkpoint_classifier = number;
    }
    return ERR_OK;
}

static uint32_t u32_of(struct slice key)
{
    const uint8_t *b = (const uint8_t *)key.data;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static err load_name(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    return key.length == 4 ? names_load(load->engine->names, u32_of(key), value)
                           : load_corrupt(load, "names");
}

static err load_phrase(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    err e = key.length == 4 ? phrase_row_load(load->engine, u32_of(key), value) : ERR_CORRUPT;
    return e == ERR_CORRUPT ? load_corrupt(load, "phrases") : e;
}

static err load_parent(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    if (key.length != 4 || value.length != 4 || u32_of(key) > load->last_person ||
        u32_of(value) > load->last_person) {
        return load_corrupt(load, "merged people");
    }
    err e = people_set_parent(load->engine->people, u32_of(key), u32_of(value));
    return e == ERR_CORRUPT ? load_corrupt(load, "merged people") : e;
}

static err load_profile(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    struct engine *engine = load->engine;
    err e = profile_validate(value, load->error);
    if (e != ERR_OK) {
        return e;
    }
    if (key.length != 4 || u32_of(key) != profile_blob_number(value.data) ||
        u32_of(key) > load->last_person ||
        people_parent(engine->people, u32_of(key)) != PERSON_NONE) {
        return load_corrupt(load, "profiles");
    }
    void *blob = memory_alloc(value.length);
    if (blob == NULL) {
        return ERR_MEMORY;
    }
    memcpy(blob, value.data, value.length);
    people_replace(engine->people, u32_of(key), blob);
    count_done(engine);
    return profile_loader_add(load->profiles, blob);
}

/* The table with nearly all bytes: read here, indexed beside. */
static err load_profiles(struct load *load, struct checkpoint_snapshot *snapshot)
{
    struct engine *engine = load->engine;
    uint64_t count = checkpoint_count(snapshot, TABLE_PROFILES);
    set_phase(engine, PHASE_PROFILES, count);
    err e = identifier_table_reserve(engine->identifiers, count * 3);
    if (e == ERR_OK) {
        e = profile_loader_create(engine, engine->options.load_threads, &load->profiles);
    }
    if (e == ERR_OK) {
        e = checkpoint_scan(snapshot, TABLE_PROFILES, load_profile, load, load->error);
    }
    err indexed = profile_loader_finish(load->profiles);
    load->profiles = NULL;
    return e == ERR_OK ? indexed : e;
}

static err load_history(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    struct engine *engine = load->engine;
    if (key.length != 8 || history_decode(value, NULL, 0) == 0 ||
        u32_of(slice_of(key.data + 4, 4)) != history_count(engine->history, u32_of(key))) {
        return load_corrupt(load, "histories");
    }
    return history_add(engine->history, u32_of(key), value);
}

static err load_receipt(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    (void)key;
    struct byte_reader reader = byte_reader_of(value);
    int64_t at_us = (int64_t)byte_reader_varint(&reader);
    uint64_t sequence = byte_reader_varint(&reader);
    struct slice payload = byte_reader_take(&reader, byte_reader_left(&reader));
    return reader.failed ? load_corrupt(load, "receipts")
                         : registry_add_receipt(load->engine, at_us, sequence, payload);
}

static err load_message(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    struct window_item item = {0};
    if (key.length != WINDOW_KEY_BYTES || value.length != 16) {
        return load_corrupt(load, "message ids");
    }
    memcpy(item.key.bytes, key.data, WINDOW_KEY_BYTES);
    item.at_us = (int64_t)load_u64(value.data);
    item.number = load_u64(value.data + 8);
    return registry_load_message(load->engine, &item);
}

static err load_quarantined(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    if (key.length == 8 && slice_equal_cstr(value, "ended")) {
        return registry_add_ended(load->engine, load_u64_be(key.data));
    }
    if (key.length != 8 || value.length != 8) {
        return load_corrupt(load, "quarantine");
    }
    return registry_add_quarantined(load->engine, load_u64_be(key.data),
                                    (int64_t)load_u64(value.data));
}

static err load_erasure(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    if (key.length != 8 || value.length != 24) {
        return load_corrupt(load, "erasures");
    }
    struct engine_erasure erasure = {load_u64_be(key.data), (int64_t)load_u64(value.data),
                                     (int64_t)load_u64(value.data + 8), load_u64(value.data + 16)};
    return erasure_add(load->engine, &erasure);
}

/* ---- cohorts: all definitions in one change ---- */

struct cohort_load {
    struct load *load;
    struct checkpoint_snapshot *snapshot;
    struct cohorts_edit *edits;
    size_t count, capacity;
};

static err load_cohort(void *context, struct slice key, struct slice value)
{
    struct cohort_load *all = context;
    struct byte_reader reader = byte_reader_of(value);
    struct cohorts_edit edit = {.name = key};
    edit.sequence = byte_reader_varint(&reader);
    edit.changed_at_us = (int64_t)byte_reader_varint(&reader);
    struct slice json = byte_reader_take(&reader, byte_reader_left(&reader));
    if (reader.failed ||
        !vector_reserve((void **)&all->edits, &all->capacity, all->count, sizeof *all->edits)) {
        return load_corrupt(all->load, "cohorts");
    }
    char room[EXAMPLES_KEY_MAX];
    err e = checkpoint_get(all->snapshot, TABLE_META, examples_key(key, room), &edit.examples,
                           all->load->error);
    if (e == ERR_OK || e == ERR_NOT_FOUND) {
        e = cohort_definition_parse(key, json, &edit.definition, all->load->error);
    }
    if (e == ERR_OK) {
        all->edits[all->count++] = edit;
    }
    return e;
}

static err load_cohorts(struct load *load, struct checkpoint_snapshot *snapshot)
{
    struct engine *engine = load->engine;
    struct cohort_load all = {.load = load, .snapshot = snapshot};
    struct cohorts_change *change = NULL;
    set_phase(engine, PHASE_COHORTS, 0);
    err e = checkpoint_scan(snapshot, TABLE_COHORTS, load_cohort, &all, load->error);
    if (e == ERR_OK && all.count > 0) {
        e = cohorts_prepare(engine->cohorts, all.edits, all.count, &change, load->error);
    } else {
        for (size_t i = 0; i < all.count; i++) {
            cohort_definition_destroy(all.edits[i].definition);
        }
    }
    if (e == ERR_OK && change != NULL) {
        cohorts_commit(engine->cohorts, change);
        cohorts_change_destroy(change);
    }
    memory_free(all.edits);
    return e == ERR_OK ? cohorts_rebuild(engine->cohorts) : e;
}

/* ---- the checkpoint ---- */

static err scan(struct load *load, struct checkpoint_snapshot *snapshot,
                enum checkpoint_table table, checkpoint_visit visit)
{
    return checkpoint_scan(snapshot, table, visit, load, load->error);
}

static err load_tables(struct load *load, struct checkpoint_snapshot *snapshot)
{
    struct engine *engine = load->engine;
    err e = scan(load, snapshot, TABLE_META, load_meta);
    bool known = engine->settings_count > 0 &&
                 engine->settings[engine->settings_count - 1].sequence == load->settings_sequence;
    if (e == ERR_OK && load->settings_json.data != NULL &&
        !known) { /* an older version kept the last ones only */
        e = registry_add_settings(engine, load->settings_sequence, load->settings_json,
                                  load->error);
    }
    if (e == ERR_OK) {
        e = people_extend(engine->people, (uint32_t)load->last_person);
    }
    if (e == ERR_OK) {
        e = scan(load, snapshot, TABLE_NAMES, load_name);
    }
    if (e == ERR_OK) {
        e = scan(load, snapshot, TABLE_PHRASES, load_phrase);
    }
    if (e == ERR_OK) {
        e = scan(load, snapshot, TABLE_PARENTS, load_parent);
    }
    if (e == ERR_OK) {
        e = load_profiles(load, snapshot);
    }
    if (e == ERR_OK) {
        e = scan(load, snapshot, TABLE_HISTORY, load_history);
    }
    if (e == ERR_OK) {
        e = scan(load, snapshot, TABLE_RECEIPTS, load_receipt);
    }
    if (e == ERR_OK) {
        e = scan(load, snapshot, TABLE_MESSAGES, load_message);
    }
    /* The tables are in order of keys. */
    window_sort(engine->receipts);
    window_sort(engine->messages);
    if (e == ERR_OK) {
        e = scan(load, snapshot, TABLE_QUARANTINE, load_quarantined);
    }
    return e == ERR_OK ? scan(load, snapshot, TABLE_ERASURES, load_erasure) : e;
}

static void ignore_text(void *context, uint32_t id, struct slice text)
{
    (void)context;
    (void)id;
    (void)text;
}

static err load_checkpoint(struct engine *engine, struct error *error)
{
    struct load load = {.engine = engine, .error = error};
    struct checkpoint_snapshot *snapshot = NULL;
    err e = checkpoint_snapshot_begin(engine->options.checkpoint, &snapshot, error);
    if (e != ERR_OK) {
        return e;
    }
    engine->applied_sequence = checkpoint_snapshot_sequence(snapshot);
    engine->checkpoint_sequence = engine->applied_sequence;
    if (engine->applied_sequence > 0) {
        e = load_tables(&load, snapshot);
        if (e == ERR_OK) {
            e = load_cohorts(&load, snapshot);
        }
        engine->examples_unsaved =
            engine->options.classifier != NULL &&
            engine->checkpoint_classifier != engine->options.classifier->version;
    }
    checkpoint_snapshot_end(snapshot);
    /* What was just read needs no writing back. */
    buffer_clear(&engine->pending);
    names_drain_changes(engine->names, ignore_text, NULL);
    phrases_drain_changes(engine->phrases, ignore_text, NULL);
    /* Nobody has these any more. Their rows are still there and have to go: the same text may come
     * back under another id. */
    if (e == ERR_OK && engine->applied_sequence > 0) {
        names_sweep(engine->names);
        phrases_sweep(engine->phrases);
    }
    return e;
}

/* ---- the log behind it ---- */

/* Cohort entries of one batch make one change, as they did when they were logged. Never more than a
 * batch: an entry may put what the next one deletes. */
enum { REPLAY_COHORTS_MAX = 64 };

struct replay_cohorts {
    struct log_entry entries[REPLAY_COHORTS_MAX];
    size_t count;
    struct arena arena; /* their payloads */
};

static err flush_cohorts(struct engine *engine, struct replay_cohorts *held, struct error *error)
{
    if (held->count == 0) {
        return ERR_OK;
    }
    err e = apply_cohort_entries(engine, held->entries, held->count, error);
    if (e == ERR_OK) {
        engine->applied_sequence = held->entries[held->count - 1].sequence;
        engine->last_received_at_us = held->entries[held->count - 1].received_at_us;
        atomic_fetch_add(&engine->lag, held->count);
    }
    held->count = 0;
    arena_reset(&held->arena);
    arena_reset(&engine->arena);
    return e;
}

static err hold_cohort(struct replay_cohorts *held, const struct log_entry *entry)
{
    struct log_entry copy = *entry;
    copy.payload = arena_copy(&held->arena, entry->payload);
    copy.source = SLICE_NONE;
    held->entries[held->count++] = copy;
    return copy.payload.data != NULL ? ERR_OK : ERR_MEMORY;
}

static err replay_entry(struct engine *engine, struct replay_cohorts *held,
                        const struct log_entry *entry, bool batch_end, struct error *error)
{
    bool cohort =
        !entry->scrubbed && (entry->kind == ENTRY_COHORT_PUT || entry->kind == ENTRY_COHORT_DELETE);
    err e = ERR_OK;
    if (!cohort || held->count == REPLAY_COHORTS_MAX) {
        e = flush_cohorts(engine, held, error);
    }
    if (e == ERR_OK) {
        e = cohort ? hold_cohort(held, entry) : apply_entry(engine, entry, NULL, error);
    }
    if (e == ERR_OK && batch_end) {
        e = flush_cohorts(engine, held, error);
    }
    count_done(engine);
    return e;
}

static err replay(struct engine *engine, struct error *error)
{
    struct log *log = engine->options.log;
    struct log_position position = log->ops->position(log);
    if (position.last_sequence < engine->applied_sequence) {
        return error_set(
            error, ERR_CORRUPT, "log_behind_checkpoint", position.last_sequence,
            "the log ends at entry %llu but the checkpoint holds %llu: log segments are missing; put "
            "them back from a backup",
            (unsigned long long)position.last_sequence,
            (unsigned long long)engine->applied_sequence);
    }
    set_phase(engine, PHASE_REPLAY, position.last_sequence - engine->applied_sequence);
    struct log_reader *reader = NULL;
    err e = log->ops->reader_create(log, engine->applied_sequence + 1, &reader, error);
    if (e != ERR_OK) {
        return e;
    }
    struct replay_cohorts *held = memory_zalloc(sizeof *held);
    if (held == NULL) {
        log->ops->reader_destroy(reader);
        return ERR_MEMORY;
    }
    arena_init(&held->arena, (size_t)256 << 20);
    engine->replaying = true;
    if (engine->applied_sequence == 0) {
        e = ghosts_collect(engine, &engine->ghosts, error);
    }
    struct log_entry entry;
    bool batch_end = false;
    struct erased_entries erased = {0};
    while (e == ERR_OK &&
           (e = log->ops->reader_next(reader, &entry, &batch_end, error)) == ERR_OK) {
        e = erased_entries_hide(&erased, log, &entry, error);
        if (e == ERR_OK) {
            e = replay_entry(engine, held, &entry, batch_end, error);
        }
    }
    erased_entries_deinit(&erased);
    if (e == ERR_END) {
        e = flush_cohorts(engine, held, error);
    }
    engine->replaying = false;
    ghosts_destroy(engine->ghosts);
    engine->ghosts = NULL;
    log->ops->reader_destroy(reader);
    arena_deinit(&held->arena);
    memory_free(held);
    csv_header_destroy(engine->header);
    engine->header = NULL;
    return e;
}

err recover(struct engine *engine, struct error *error)
{
    err e = engine->options.checkpoint != NULL ? load_checkpoint(engine, error) : ERR_OK;
    if (e == ERR_OK && engine->settings_count == 0) {
        e = registry_add_settings(engine, 0, SLICE_LITERAL("{}"), error);
    }
    return e == ERR_OK ? replay(engine, error) : e;
}
