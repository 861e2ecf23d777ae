/* verify.c: does everything that the engine keeps agree with everything else?
 *
 *   quick   profile by profile: valid, found by each of its identifiers, in the bitmaps of its interests; tables whole; every cohort's
 *           members are the people whom its definition makes members
 *   full    and the same people, word for word, come out of a fresh fold of the whole log without the checkpoint */
#include "internal.h"

#include "engine/interests.h"

static err differs(struct error *error, uint32_t number, const char *what)
{
    return error_set(
        error, ERR_CORRUPT, "state_inconsistent", number,
        "person p%u: %s; the log is the truth: move the profiles folder away and start again to rebuild",
        number, what);
}

static err verify_person(struct engine *engine, uint32_t number, struct error *error)
{
    const void *blob = people_blob(engine->people, number);
    err e = profile_validate(slice_of(blob, profile_blob_bytes(blob)), error);
    if (e != ERR_OK) {
        return e;
    }
    struct profile_view view;
    profile_view_open(blob, &view);
    if (view.number != number || !bitmap_contains(engine->everybody, number)) {
        return differs(error, number, "the profile stands under another number");
    }
    struct profile_cursor cursor = profile_identifiers(&view);
    for (struct profile_identifier item; profile_identifier_next(&cursor, &item);) {
        uint32_t owner = find_owner(engine, item.type, item.value);
        if (!item.moved && owner != number) {
            return differs(error, number, "one of the identifiers does not lead to the profile");
        }
    }
    cursor = profile_interests(&view);
    for (struct profile_interest item; profile_interest_next(&cursor, &item);) {
        if (!bitmap_contains(phrases_holders(engine->phrases, item.phrase_id), number)) {
            return differs(error, number, "an interest's holders do not include the person");
        }
    }
    return ERR_OK;
}

struct verify {
    struct engine *engine;
    struct error *error;
    err err;
};

static bool verify_next(void *context, uint32_t number)
{
    struct verify *verify = context;
    verify->err = verify_person(verify->engine, number, verify->error);
    return verify->err == ERR_OK;
}

static err verify_tables(struct engine *engine, struct error *error)
{
    const char *reason = "";
    if (!identifier_table_validate(engine->identifiers, &reason) ||
        !people_validate(engine->people, &reason)) {
        return error_set(error, ERR_CORRUPT, "state_inconsistent", 0, "%s", reason);
    }
    if (bitmap_count(engine->everybody) != people_count(engine->people)) {
        return error_set(error, ERR_CORRUPT, "state_inconsistent", 0,
                         "the set of everybody and the profiles differ");
    }
    return ERR_OK;
}

/* The memberships as they grew, against memberships computed anew. */
static err verify_cohorts(struct engine *engine, struct error *error)
{
    uint32_t count = cohorts_count(engine->cohorts);
    struct bitmap **before = memory_zalloc((count + 1) * sizeof *before);
    if (before == NULL) {
        return ERR_MEMORY;
    }
    for (uint32_t rank = 0; rank < count; rank++) {
        before[rank] =
            bitmap_copy(cohorts_members(engine->cohorts, cohorts_at(engine->cohorts, rank)));
    }
    err e = cohorts_rebuild(engine->cohorts);
    for (uint32_t rank = 0; rank < count; rank++) {
        uint32_t id = cohorts_at(engine->cohorts, rank);
        if (e == ERR_OK && !bitmap_equal(before[rank], cohorts_members(engine->cohorts, id))) {
            e = error_set(
                error, ERR_CORRUPT, "state_inconsistent", 0,
                "the members of cohort \"%.*s\" are not those its definition makes",
                SLICE_ARGS(cohort_definition_name(cohorts_definition(engine->cohorts, id))));
        }
        bitmap_destroy(before[rank]);
    }
    memory_free(before);
    return e;
}

static err compare_members(void *context, struct slice name, struct slice value)
{
    struct verify *verify = context;
    const struct cohorts *cohorts = verify->engine->cohorts;
    struct bitmap *stored = NULL;
    uint32_t id = cohorts_find(cohorts, name);
    err e = bitmap_decode(value, &stored, verify->error);
    if (e == ERR_OK && (id == COHORT_NONE || !bitmap_equal(stored, cohorts_members(cohorts, id)))) {
        e = error_set(
            verify->error, ERR_CORRUPT, "state_inconsistent", 0,
            "the checkpoint's members of cohort \"%.*s\" are not those its definition makes",
            SLICE_ARGS(name));
    }
    bitmap_destroy(stored);
    return e;
}

/* The memberships on disk, which nothing else reads here, when the checkpoint is of this very
 * state. */
static err verify_stored_members(struct engine *engine, struct error *error)
{
    struct verify verify = {engine, error, ERR_OK};
    struct checkpoint_snapshot *snapshot = NULL;
    const uint64_t classifier =
        engine->options.classifier != NULL ? engine->options.classifier->version : 0;
    if (engine->options.checkpoint == NULL ||
        engine->checkpoint_sequence != engine->applied_sequence || atomic_load(&engine->lag) > 0 ||
        engine->checkpoint_classifier != classifier) {
        return ERR_OK;
    }
    err e = checkpoint_snapshot_begin(engine->options.checkpoint, &snapshot, error);
    if (e == ERR_OK) {
        e = checkpoint_scan(snapshot, TABLE_MEMBERS, compare_members, &verify, error);
        checkpoint_snapshot_end(snapshot);
    }
    return e;
}

/* ---- verdicts ---- */

static bool same_verdict(const struct verdict *a, const struct verdict *b)
{
    bool same =
        a->topic_count == b->topic_count && memcmp(a->embedding, b->embedding, EMBEDDING_SIZE) == 0;
    for (size_t i = 0; same && i < a->topic_count; i++) {
        same = a->topics[i].topic == b->topics[i].topic &&
               a->topics[i].confidence == b->topics[i].confidence;
    }
    return same;
}

/* Some of them, spread over all: the classifier still says the same about them. */
static err verify_verdicts(struct engine *engine, struct error *error)
{
    enum { SAMPLES = 64, ALIGNMENT = 64 };
    const struct classifier *classifier = engine->options.classifier;
    const uint32_t limit = phrases_limit(engine->phrases);
    if (classifier == NULL || limit == 0) {
        return ERR_OK;
    }
    void *block = memory_alloc(classifier->scratch_bytes + ALIGNMENT);
    if (block == NULL) {
        return ERR_MEMORY;
    }
    void *scratch = (void *)(((uintptr_t)block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    err e = ERR_OK;
    for (uint32_t n = 0; e == ERR_OK && n < SAMPLES && n < limit; n++) {
        const uint32_t id = limit <= SAMPLES ? n : (uint32_t)((uint64_t)n * limit / SAMPLES);
        const struct slice text = phrases_text(engine->phrases, id);
        if (text.data != NULL && !phrases_is_pending(engine->phrases, id)) {
            struct verdict verdict;
            classifier->classify(classifier->context, scratch, &text, 1, &verdict);
            if (!same_verdict(&verdict, phrases_verdict(engine->phrases, id, NULL))) {
                e = error_set(
                    error, ERR_CORRUPT, "state_inconsistent", 0,
                    "the stored verdict of a phrase is not what the classifier says: move the profiles folder "
                    "away and start again to rebuild");
            }
        }
    }
    memory_free(block);
    return e;
}

/* ---- against a fresh fold ---- */

struct compare {
    struct engine *ours, *fresh;
    struct buffer a, b;
    struct error *error;
    err err;
};

static bool compare_next(void *context, uint32_t number)
{
    struct compare *compare = context;
    buffer_clear(&compare->a);
    buffer_clear(&compare->b);
    struct json_writer a = json_writer_of(&compare->a);
    struct json_writer b = json_writer_of(&compare->b);
    if (people_blob(compare->fresh->people, number) == NULL) {
        compare->err = differs(compare->error, number, "is not in a fresh fold of the log");
        return false;
    }
    engine_write_user(compare->ours, number, EXPAND_ALL, &a);
    engine_write_user(compare->fresh, number, EXPAND_ALL, &b);
    if (compare->a.failed || compare->b.failed) {
        compare->err = ERR_MEMORY;
    } else if (!slice_equal(buffer_slice(&compare->a), buffer_slice(&compare->b))) {
        compare->err = differs(compare->error, number, "differs from a fresh fold of the log");
    }
    return compare->err == ERR_OK;
}

static err verify_against_log(struct engine *engine, struct error *error)
{
    struct engine_options options = engine->options;
    options.checkpoint = NULL;
    options.gate = NULL;
    options.read_only = true;
    options.progress = NULL;
    struct compare compare = {.ours = engine, .error = error};
    err e = engine_open(&options, &compare.fresh, error);
    if (e != ERR_OK) {
        return e;
    }
    buffer_init(&compare.a, (size_t)64 << 20);
    buffer_init(&compare.b, (size_t)64 << 20);
    e = adopt_verdicts(compare.fresh, engine, error);
    if (e == ERR_OK) {
        e = engine_classify_pending(compare.fresh, error);
    }
    if (e != ERR_OK) {
        /* nothing to compare */
    } else if (people_count(engine->people) != people_count(compare.fresh->people)) {
        e = error_set(error, ERR_CORRUPT, "state_inconsistent", 0,
                      "there are %llu people, and %llu in a fresh fold of the log",
                      (unsigned long long)people_count(engine->people),
                      (unsigned long long)people_count(compare.fresh->people));
    } else {
        bitmap_each(engine->everybody, compare_next, &compare);
        e = compare.err;
    }
    buffer_deinit(&compare.a);
    buffer_deinit(&compare.b);
    engine_close(compare.fresh);
    return e;
}

err engine_verify(struct engine *engine, bool full, struct error *error)
{
    struct verify verify = {engine, error, ERR_OK};
    err e = verify_tables(engine, error);
    if (e == ERR_OK) {
        bitmap_each(engine->everybody, verify_next, &verify);
        e = verify.err;
    }
    if (e == ERR_OK) {
        e = verify_cohorts(engine, error);
    }
    if (e == ERR_OK) {
        e = verify_stored_members(engine, error);
    }
    if (e == ERR_OK) {
        e = verify_verdicts(engine, error);
    }
    if (e == ERR_OK && full) {
        e = engine_classify_pending(engine, error);
    }
    return e == ERR_OK && full ? verify_against_log(engine, error) : e;
}
