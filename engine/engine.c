#include "internal.h"

#include "engine/interests.h"

#include "ingest/splitter.h"

static const size_t ENGINE_ARENA_MAX = (size_t)256 << 20;
static const size_t ENGINE_PENDING_MAX = (size_t)4 << 30;

static err create_parts(struct engine *engine)
{
    uint64_t seed = 0;
    random_fill(engine->options.random, &seed, sizeof seed);
    arena_init(&engine->arena, ENGINE_ARENA_MAX);
    engine->arena.keep_bytes = (size_t)1 << 20; /* the union of a merge fits: no malloc per entry */
    buffer_init(&engine->packed, PROFILE_BLOB_MAX);
    buffer_init(&engine->pending, ENGINE_PENDING_MAX);
    pthread_mutex_init(&engine->quarantine_lock, NULL);
    engine->identifiers = identifier_table_create(seed);
    engine->people = people_create();
    engine->names = names_create(seed);
    engine->phrases = phrases_create(seed);
    engine->attributes = attributes_create();
    engine->history = history_create();
    engine->everybody = bitmap_create();
    engine->dirty = bitmap_create();
    engine->receipts = window_create(RECEIPT_COUNT_MAX, RECEIPT_BYTES_MAX, RECEIPT_AGE_MAX_US);
    engine->messages = window_create(MESSAGE_COUNT_MAX, 0, MESSAGE_AGE_MAX_US);
    if (engine->identifiers == NULL || engine->people == NULL || engine->names == NULL ||
        engine->phrases == NULL || engine->attributes == NULL || engine->history == NULL ||
        engine->receipts == NULL || engine->messages == NULL) {
        return ERR_MEMORY;
    }
    const size_t slots = engine->options.verdict_slots;
    engine->verdicts = verdict_cache_create(slots > 0 ? slots : VERDICT_SLOTS_DEFAULT, seed);
    if (engine->verdicts == NULL) {
        return ERR_MEMORY;
    }
    struct cohort_world world = {.people = engine->people,
                                 .phrases = engine->phrases,
                                 .attributes = engine->attributes,
                                 .names = engine->names,
                                 .classifier = engine->options.classifier,
                                 .find_verdict = find_offered,
                                 .find_context = engine};
    engine->cohorts = cohorts_create(&world);
    return engine->cohorts != NULL ? ERR_OK : ERR_MEMORY;
}

/* What the deployment asks for becomes an entry when it is not what the log says already. */
static err log_settings(struct engine *engine, struct error *error)
{
    struct slice wanted = engine->options.settings_json;
    if (wanted.data == NULL || slice_equal(wanted, engine->settings_json)) {
        return ERR_OK;
    }
    struct settings *checked = NULL;
    err e = settings_parse(wanted, &checked, error);
    settings_destroy(checked);
    struct log_entry entry = {
        .kind = ENTRY_SETTINGS, .source = SLICE_LITERAL("config"), .payload = wanted};
    return e == ERR_OK ? commit_entries(engine, &entry, 1, NULL, error) : e;
}

static void set_ready(struct engine *engine)
{
    if (engine->options.progress != NULL) {
        atomic_store(&engine->options.progress->phase, (int)PHASE_READY);
    }
}

err engine_open(const struct engine_options *options, struct engine **out, struct error *error)
{
    struct engine *engine = memory_zalloc(sizeof *engine);
    if (engine == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to start");
    }
    engine->options = *options;
    /* version 0 means that there is none */
    const struct classifier *classifier = options->classifier;
    CHECK(classifier == NULL ||
          (classifier->version != 0 && classifier->topic_count <= CLASSIFIER_TOPICS_MAX));
    err e = create_parts(engine);
    if (e == ERR_OK) {
        e = recover(engine, error);
    }
    if (e == ERR_OK && !options->read_only) {
        e = log_settings(engine, error);
        if (e == ERR_OK && options->shipped_cohorts.data != NULL) {
            e = log_shipped_cohorts(engine, error);
        }
    }
    if (e != ERR_OK) {
        engine_close(engine);
        return e;
    }
    set_ready(engine);
    *out = engine;
    return ERR_OK;
}

static void free_registry(struct engine *engine)
{
    for (size_t i = 0; i < engine->settings_count; i++) {
        settings_destroy(engine->settings[i].settings);
    }
    for (size_t i = 0; i < engine->mappings_count; i++) {
        mapping_destroy(engine->mappings[i].mapping);
        memory_free(engine->mappings[i].json);
    }
    union {
        const char *in;
        char *out;
    } json = {.in = engine->settings_json.data};
    memory_free(json.out);
    memory_free(engine->settings);
    memory_free(engine->mappings);
    memory_free(engine->quarantined);
    memory_free(engine->ended);
    memory_free(engine->erasures);
    memory_free(engine->moved);
}

void engine_close(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    CHECK(engine->snapshot == NULL);
    cohorts_destroy(engine->cohorts);
    if (engine->people != NULL) {
        people_destroy(engine->people, memory_free);
    }
    identifier_table_destroy(engine->identifiers);
    phrases_destroy(engine->phrases);
    attributes_destroy(engine->attributes);
    names_destroy(engine->names);
    history_destroy(engine->history);
    verdict_cache_destroy(engine->verdicts);
    window_destroy(engine->receipts);
    window_destroy(engine->messages);
    bitmap_destroy(engine->everybody);
    bitmap_destroy(engine->dirty);
    csv_header_destroy(engine->header);
    free_registry(engine);
    buffer_deinit(&engine->packed);
    buffer_deinit(&engine->pending);
    arena_deinit(&engine->arena);
    pthread_mutex_destroy(&engine->quarantine_lock);
    memory_free(engine);
}

struct log *engine_log(const struct engine *engine)
{
    return engine->options.log;
}

void engine_stats(const struct engine *engine, struct engine_stats *out)
{
    *out = engine->counters;
    out->people = people_count(engine->people);
    out->identifiers = identifier_table_count(engine->identifiers);
    out->phrases = phrases_count(engine->phrases);
    out->cohorts = cohorts_count(engine->cohorts);
    out->quarantined = engine->quarantined_count;
    for (size_t i = 0; i < engine->erasures_count; i++) {
        out->erasures_pending += engine->erasures[i].done_at_us == 0;
    }
    out->phrases_pending = bitmap_count(phrases_pending(engine->phrases));
    out->phrases_unclassified = bitmap_count(phrases_unclassified(engine->phrases));
    verdict_cache_counters(engine->verdicts, &out->verdicts_offered, &out->verdicts_evicted);
    out->applied_sequence = engine->applied_sequence;
    out->checkpoint_sequence = engine->checkpoint_sequence;
    out->index_bytes =
        identifier_table_memory_bytes(engine->identifiers) + people_memory_bytes(engine->people);
}
