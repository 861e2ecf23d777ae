#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "engine/interests.h"
#include "engine/quarantine.h"
#include "ingest/splitter.h"
#include "unit/storage/support.h"

static const int64_t WINDOW_US = 7ll * 24 * 3600 * 1000000;

/* ---- saying what went wrong ------------------------------------------------------------------ */

void world_note(struct world *world, const char *format, ...)
{
    char text[2400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char **slot = &world->notes[world->note_count++ % WORLD_NOTES];
    free(*slot);
    *slot = NULL;
    if (asprintf(slot, "step %" PRIu64 ": %s", world->steps, text) < 0) {
        abort();
    }
}

static bool note_names(const char *note, const struct ref_person *person)
{
    char number[16];
    snprintf(number, sizeof number, "p%u ", person->number);
    bool names = strstr(note, number) != NULL;
    for (size_t i = 0; i < person->id_count; i++) {
        names |= strstr(note, person->ids[i].value) != NULL;
    }
    return names;
}

void world_fail(struct world *world, uint32_t number, const char *format, ...)
{
    const struct ref_person *person = ref_person(&world->ref, number);
    uint64_t first = world->note_count > WORLD_NOTES ? world->note_count - WORLD_NOTES : 0;
    for (uint64_t n = first; n < world->note_count; n++) {
        const char *note = world->notes[n % WORLD_NOTES];
        if (n + 12 >= world->note_count || (person != NULL && note_names(note, person))) {
            fprintf(stderr, "  %s\n", note);
        }
    }
    fprintf(stderr, "DIFFERENCE: ");
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n  seed %" PRIu64 ", step %" PRIu64 ", entry %" PRIu64 ", folder %s\n",
            world->seed, world->steps, world->last_sequence, world->path);
    exit(1);
}

static void must(struct world *world, err e, const struct error *error, const char *what)
{
    if (e != ERR_OK) {
        world_fail(world, 0, "%s: %s (%s)", what, error->message, err_name(e));
    }
}

/* ---- opening and closing --------------------------------------------------------------------- */

static int64_t clock_now(void *context)
{
    return ((struct world *)context)->now_us;
}
/* Goes on with every look, so that slices end at different places. */
static int64_t clock_ticks(void *context)
{
    struct world *world = context;
    return world->ticks += 37;
}

void world_start(struct world *world)
{
    struct error error = {0};
    world->random = prng_source(&world->prng);
    struct data_folder_options folder = {.files = world->files ? world->files : &file_system_posix,
                                         .random = &world->random,
                                         .path = world->path,
                                         .segment_bytes = 256 * 1024};
    must(world, data_folder_open(&folder, &world->folder, &error), &error,
         "the folder does not open");
    static struct clock clock;
    clock = (struct clock){clock_now, clock_ticks, world};
    struct engine_options options = {.log = world->folder.log,
                                     .checkpoint = world->folder.checkpoint,
                                     .clock = &clock,
                                     .random = &world->random,
                                     .durability = DURABILITY_FSYNC,
                                     .settings_json = slice_from_cstr(input_settings),
                                     .classifier = world->classifier};
    must(world, engine_open(&options, &world->engine, &error), &error, "the engine does not open");
}

void world_stop(struct world *world)
{
    engine_close(world->engine);
    data_folder_close(&world->folder);
    world->engine = NULL;
}

void world_open(struct world *world, uint64_t seed, const char *path)
{
    struct error error = {0};
    uint64_t before = world->steps; /* counts on from world to world */
    world->seed = seed;
    prng_seed(&world->prng, seed);
    snprintf(world->path, sizeof world->path, "%s", path != NULL ? path : folder_make());
    arena_init(&world->arena, (size_t)64 << 20);
    world->now_us = 1767225600ll * 1000000 + (int64_t)prng_below(&world->prng, 1000000);
    world->steps = before;
    must(world, settings_parse(slice_from_cstr(input_settings), &world->settings, &error), &error,
         "settings");
    world->ref.settings = world->settings;
    world->ref.classifier = world->classifier;
    world->erasures = calloc(WORLD_ERASURES_MAX, sizeof *world->erasures);
    CHECK(world->erasures != NULL);
    world_start(world);
    world->last_sequence =
        engine_log(world->engine)->ops->position(engine_log(world->engine)).last_sequence;
    world->received_us = world->now_us;
}

void world_close(struct world *world)
{
    world_stop(world);
    folder_remove(world->path);
    ref_clear(&world->ref);
    settings_destroy(world->settings);
    csv_header_destroy(input_header);
    input_header = NULL;
    arena_deinit(&world->arena);
    free(world->erasures);
    for (size_t i = 0; i < WORLD_NOTES; i++) {
        free(world->notes[i]);
    }
    *world = (struct world){.steps = world->steps,
                            .records = world->records,
                            .erase_weight = world->erase_weight,
                            .classifier = world->classifier};
}

/* ---- committing ------------------------------------------------------------------------------ */

static void count_done(struct submission *submission)
{
    ++*(size_t *)submission->owner;
}

void world_commit(struct world *world, struct submission **submissions, size_t count)
{
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        submissions[i]->done = count_done;
        submissions[i]->owner = &done;
    }
    engine_commit(world->engine, submissions, count);
    if (done != count) {
        world_fail(world, 0, "%zu of %zu submissions answered", done, count);
    }
}

/* `entries` it must have become, behind all before it. */
static void took(struct world *world, const struct submission *submission, size_t entries)
{
    must(world, submission->err, &submission->error, "refused");
    if (submission->first_sequence != world->last_sequence + 1) {
        world_fail(world, 0, "entry %" PRIu64 " came after %" PRIu64, submission->first_sequence,
                   world->last_sequence);
    }
    world->last_sequence += entries;
    /* The machine's clock goes back now and then; received-at does not. */
    world->received_us = world->now_us > world->received_us ? world->now_us : world->received_us;
    if (world->took != NULL) {
        world->took(world);
    }
}

static void refused(struct world *world, const struct submission *submission, err expected)
{
    if (submission->err != expected || submission->first_sequence != 0) {
        world_fail(world, 0, "%s was expected, it was %s: %s", err_name(expected),
                   err_name(submission->err), submission->error.message);
    }
}

static void commit_one(struct world *world, struct submission *submission, size_t entries,
                       err expected)
{
    world_commit(world, &submission, 1);
    if (expected == ERR_OK) {
        took(world, submission, entries);
    } else {
        refused(world, submission, expected);
    }
}

/* ---- records --------------------------------------------------------------------------------- */

enum { BATCH_MAX = 8, GROUP_MAX = 4 };

struct batch {
    struct input inputs[BATCH_MAX + 1];
    struct draft drafts[BATCH_MAX + 1];
    size_t count;
    struct submission submission;
    char key[32];
    char answer[64];
};

static struct phrase_verdict verdict_of(const struct world *world, struct slice phrase)
{
    static _Alignas(64) char scratch[1024];
    struct phrase_verdict item = {.phrase = phrase};
    world->classifier->classify(world->classifier->context, scratch, &phrase, 1, &item.verdict);
    return item;
}

/* As a worker does it, but for every second phrase, as if there were no time for the others. */
static void offer_some(struct world *world, const struct batch *batch)
{
    for (size_t i = 0; world->classifier != NULL && i < batch->count; i++) {
        const struct record *record = batch->drafts[i].record;
        for (size_t k = 0; record != NULL && k < record->interest_count; k++) {
            if (prng_below(&world->prng, 2) == 0) {
                struct phrase_verdict item = verdict_of(world, record->interests[k]);
                engine_offer_verdicts(world->engine, &item, 1);
            }
        }
    }
}

static void fill_batch(struct world *world, struct batch *batch)
{
    size_t records = 1 + prng_below(&world->prng, prng_below(&world->prng, 4) == 0 ? BATCH_MAX : 3);
    bool table = prng_below(&world->prng, 6) == 0;
    batch->count = records + table;
    if (table) {
        input_table(world, batch->inputs, records);
    } else {
        for (size_t i = 0; i < records; i++) {
            input_record(world, &batch->inputs[i]);
        }
    }
    struct slice source = input_source(world);
    for (size_t i = 0; i < batch->count; i++) {
        batch->drafts[i] = batch->inputs[i].draft;
        batch->drafts[i].entry.source = source;
    }
    batch->submission = (struct submission){
        .kind = SUBMIT_RECORDS, .drafts = batch->drafts, .draft_count = batch->count};
    if (prng_below(&world->prng, 8) == 0) {
        uint64_t number = world->next_key++;
        snprintf(batch->key, sizeof batch->key, "key-%" PRIu64, number);
        snprintf(batch->answer, sizeof batch->answer, "{\"answer\":%" PRIu64 "}", number);
        batch->submission.idempotency_key = slice_from_cstr(batch->key);
        batch->submission.fingerprint = number * 7 + 1;
        batch->submission.answer = slice_from_cstr(batch->answer);
        batch->submission.answer_status = 200;
    }
}

static void apply_batch(struct world *world, struct batch *batch)
{
    bool keyed = batch->submission.idempotency_key.length > 0;
    took(world, &batch->submission, batch->count + keyed);
    for (size_t i = 0; i < batch->count; i++) {
        const struct log_entry *entry = &batch->drafts[i].entry;
        uint64_t sequence = batch->submission.first_sequence + i;
        if (entry->kind == ENTRY_RECORD) {
            uint32_t number = ref_record(&world->ref, batch->drafts[i].record, sequence,
                                         world->received_us, entry->source);
            world_note(world, "entry %" PRIu64 " p%u from \"%.*s\": %.*s", sequence, number,
                       SLICE_ARGS(entry->source), SLICE_ARGS(entry->payload));
            world->records++;
        }
    }
    if (keyed) {
        struct world_key key = {.fingerprint = batch->submission.fingerprint,
                                .sequence = batch->submission.first_sequence + batch->count,
                                .at_us = world->received_us};
        snprintf(key.key, sizeof key.key, "%s", batch->key);
        world->keys[world->key_count++ % WORLD_KEYS] = key;
    }
}

void world_ingest(struct world *world)
{
    static struct batch batches[GROUP_MAX];
    struct submission *submissions[GROUP_MAX];
    size_t count = prng_below(&world->prng, 3) == 0 ? 1 + prng_below(&world->prng, GROUP_MAX) : 1;
    for (size_t i = 0; i < count; i++) {
        fill_batch(world, &batches[i]);
        offer_some(world, &batches[i]);
        submissions[i] = &batches[i].submission;
    }
    world_commit(world, submissions, count);
    for (size_t i = 0; i < count; i++) {
        apply_batch(world, &batches[i]);
    }
}

/* The same key again: the first answer, word for word; with other content a conflict. */
static void step_repeat(struct world *world)
{
    if (world->key_count == 0) {
        return;
    }
    size_t room = world->key_count < WORLD_KEYS ? world->key_count : WORLD_KEYS;
    const struct world_key *key = &world->keys[prng_below(&world->prng, room)];
    if (key->at_us < world->now_us - WINDOW_US || key->at_us < world->received_us - WINDOW_US) {
        return; /* may be forgotten */
    }
    static struct batch batch;
    fill_batch(world, &batch);
    bool conflict = prng_below(&world->prng, 3) == 0;
    char answer[64];
    snprintf(answer, sizeof answer, "{\"answer\":%s}", key->key + 4);
    batch.submission.idempotency_key = slice_from_cstr(key->key);
    batch.submission.fingerprint = key->fingerprint + conflict;
    struct submission *submission = &batch.submission;
    world_commit(world, &submission, 1);
    if (conflict) {
        refused(world, submission, ERR_CONFLICT);
    } else if (submission->err != ERR_OK || !submission->repeated ||
               !slice_equal_cstr(
                   slice_of(submission->stored_answer, submission->stored_answer_length), answer) ||
               submission->stored_status != 200) {
        world_fail(world, 0, "the repeat of %s was not answered as before", key->key);
    }
    memory_free(submission->stored_answer);
}

/* ---- quarantine ------------------------------------------------------------------------------ */

static void step_quarantine(struct world *world)
{
    uint8_t type;
    char name[REF_TEXT];
    struct world_quarantined item = {0};
    if (world->quarantined_count == WORLD_QUARANTINE_MAX) {
        return;
    }
    input_identifier(prng_below(&world->prng, 156), &type, name);
    snprintf(item.text, sizeof item.text, "{\"broken\": \"%s\"", name);
    struct quarantine content = {.code = SLICE_LITERAL("json_syntax"),
                                 .message = SLICE_LITERAL("broken"),
                                 .record_number = 1,
                                 .bytes = slice_from_cstr(item.text)};
    struct buffer payload;
    buffer_init(&payload, 4096);
    quarantine_encode(&content, &payload);
    struct draft draft = {.entry = {.kind = ENTRY_QUARANTINE,
                                    .format = FORMAT_JSON,
                                    .payload = buffer_slice(&payload)}};
    struct submission submission = {.kind = SUBMIT_RECORDS, .drafts = &draft, .draft_count = 1};
    commit_one(world, &submission, 1, ERR_OK);
    item.sequence = submission.first_sequence;
    world->quarantined[world->quarantined_count++] = item;
    world_note(world, "entry %" PRIu64 " quarantined: %s", item.sequence, item.text);
    buffer_deinit(&payload);
}

static void forget_quarantined(struct world *world, size_t at)
{
    memmove(&world->quarantined[at], &world->quarantined[at + 1],
            (world->quarantined_count - at - 1) * sizeof world->quarantined[0]);
    world->quarantined_count--;
}

/* A retry: the mended record and the end of the quarantine, in one batch. Twice in one group: the
 * second finds it gone. */
static void step_retry(struct world *world)
{
    static struct input inputs[2];
    if (world->quarantined_count == 0) {
        return;
    }
    size_t at = prng_below(&world->prng, world->quarantined_count);
    uint64_t sequence = world->quarantined[at].sequence;
    char end[QUARANTINE_END_BYTES];
    quarantine_end_encode(sequence, end);
    struct draft drafts[2][2];
    struct submission submissions[2];
    struct submission *both[2] = {&submissions[0], &submissions[1]};
    for (size_t i = 0; i < 2; i++) {
        input_record(world, &inputs[i]);
        drafts[i][0] = inputs[i].draft;
        drafts[i][1] = (struct draft){
            .entry = {.kind = ENTRY_QUARANTINE_END, .payload = slice_of(end, sizeof end)}};
        submissions[i] =
            (struct submission){.kind = SUBMIT_RECORDS, .drafts = drafts[i], .draft_count = 2};
    }
    size_t count = 1 + prng_below(&world->prng, 2);
    world_commit(world, both, count);
    took(world, &submissions[0], 2);
    uint32_t number = ref_record(&world->ref, &inputs[0].record, submissions[0].first_sequence,
                                 world->received_us, SLICE_NONE);
    world_note(world, "entry %" PRIu64 " p%u retried of %" PRIu64 ": %.*s",
               submissions[0].first_sequence, number, sequence, (int)inputs[0].length,
               inputs[0].text);
    forget_quarantined(world, at);
    if (count == 2) {
        refused(world, &submissions[1], ERR_NOT_FOUND);
    }
}

/* ---- corrections and cohorts ----------------------------------------------------------------- */

/* Any number, merged away, erased or never given out. */
static uint32_t some_number(struct world *world)
{
    return (uint32_t)prng_below(&world->prng, world->ref.person_count + 2);
}

static void step_patch(struct world *world)
{
    char body[2048];
    struct record patch;
    struct record_error reason;
    uint32_t number = some_number(world);
    uint32_t root = ref_root(&world->ref, number);
    size_t length = input_patch(world, body, sizeof body);
    struct submission submission = {.kind = SUBMIT_PATCH,
                                    .number = number,
                                    .body = slice_of(body, length),
                                    .source = SLICE_LITERAL("steward")};
    char etag[ENGINE_ETAG_MAX];
    bool stale = prng_below(&world->prng, 4) == 0;
    if (root != 0 && prng_below(&world->prng, 2) == 0) {
        size_t etag_length = engine_etag(world->engine, root, etag);
        etag[1] = stale ? (etag[1] == '0' ? '1' : '0') : etag[1];
        submission.if_match = slice_of(etag, etag_length);
    }
    err expected = root == 0                                 ? ERR_NOT_FOUND
                   : submission.if_match.length > 0 && stale ? ERR_CONFLICT
                                                             : ERR_OK;
    commit_one(world, &submission, 1, expected);
    if (expected == ERR_OK) {
        err e = record_read_patch(&world->arena, submission.body, world->settings, &patch, &reason);
        CHECK(e == ERR_OK);
        ref_patch(&world->ref, root, &patch, submission.first_sequence, world->received_us,
                  submission.source);
        world_note(world, "entry %" PRIu64 " p%u patched (as p%u): %s", submission.first_sequence,
                   root, number, body);
    }
}

/* Up to three people by number or identifier; false when one of them is not known. */
static bool add_people(struct world *world, const char *member, uint32_t list[4], char *json,
                       size_t room)
{
    size_t count = prng_below(&world->prng, 3) == 0 ? prng_below(&world->prng, 4) : 0;
    size_t length = strlen(json);
    bool known = true;
    for (size_t i = 0; i < count; i++) {
        const char *comma = i == 0 ? "" : ",";
        length +=
            (size_t)snprintf(json + length, room - length, i == 0 ? ",\"%s\":[" : "%.0s", member);
        if (prng_below(&world->prng, 2) == 0) {
            uint32_t number = 1 + some_number(world);
            list[i] = ref_root(&world->ref, number);
            length += (size_t)snprintf(json + length, room - length, "%s\"p%u\"", comma, number);
        } else {
            uint8_t type;
            char value[REF_TEXT];
            input_identifier(prng_below(&world->prng, 156), &type, value);
            list[i] = ref_find(&world->ref, type, slice_from_cstr(value));
            length += (size_t)snprintf(json + length, room - length, "%s{\"%s\":\"%s\"}", comma,
                                       world->settings->identifiers[type].name, value);
        }
        known &= list[i] != 0;
    }
    if (count > 0) {
        snprintf(json + length, room - length, "]");
    }
    return known;
}

/* What a background thread does: some of the phrases that wait. */
static void step_verdicts(struct world *world)
{
    struct phrase_verdict items[4];
    struct slice texts[4];
    uint32_t cursor = (uint32_t)prng_below(&world->prng, 20);
    size_t count = world->classifier == NULL
                       ? 0
                       : engine_pending_phrases(world->engine, &cursor, &world->arena, texts,
                                                1 + prng_below(&world->prng, 4));
    for (size_t i = 0; i < count; i++) {
        items[i] = verdict_of(world, texts[i]);
    }
    struct submission submission = {
        .kind = SUBMIT_VERDICTS, .verdicts = items, .verdict_count = count};
    struct submission *one = &submission;
    world_commit(world, &one, 1);
    if (submission.err != (world->classifier != NULL ? ERR_OK : ERR_UNSUPPORTED) ||
        submission.first_sequence != 0) {
        world_fail(world, 0, "verdicts were answered by %s", err_name(submission.err));
    }
    world_note(world, "%zu verdicts", count);
}

static void step_feedback(struct world *world)
{
    static const char *const names[] = {"Sports", "Shoppers", "Adults", "Friends"};
    const char *name = names[prng_below(&world->prng, ARRAY_COUNT(names))];
    struct ref_cohort *cohort = ref_cohort(&world->ref, name);
    const char *positive = input_interest(world);
    const char *negative = input_interest(world);
    char folds[2][REF_TEXT];
    char json[512];
    ref_fold(positive, strlen(positive), folds[0]);
    ref_fold(negative, strlen(negative), folds[1]);
    bool clash = strcmp(folds[0], folds[1]) == 0;
    snprintf(json, sizeof json, "{\"negative\":[\"%s\"],\"positive\":[\"%s\"]}", negative,
             positive);
    struct submission submission = {.kind = SUBMIT_COHORT_FEEDBACK,
                                    .name = slice_from_cstr(name),
                                    .body = slice_from_cstr(json)};
    commit_one(world, &submission, 1,
               cohort == NULL ? ERR_NOT_FOUND
               : clash        ? ERR_INVALID
                              : ERR_OK);
    if (cohort != NULL && !clash) {
        ref_correct(cohort, positive, true);
        ref_correct(cohort, negative, false);
        world_note(world, "entry %" PRIu64 " cohort %s corrected: %s", submission.first_sequence,
                   name, json);
    }
}

static void step_cohort(struct world *world)
{
    static const char *const names[] = {"Sports", "Shoppers", "Adults", "Friends"};
    const char *name = names[prng_below(&world->prng, ARRAY_COUNT(names))];
    const struct ref_cohort *known = ref_cohort(&world->ref, name);
    if (prng_below(&world->prng, 4) == 0) {
        struct submission submission = {.kind = SUBMIT_COHORT_DELETE,
                                        .name = slice_from_cstr(name)};
        commit_one(world, &submission, 1, known ? ERR_OK : ERR_NOT_FOUND);
        if (known != NULL) {
            ref_cohort_delete(&world->ref, name);
            world_note(world, "entry %" PRIu64 " cohort %s deleted", submission.first_sequence,
                       name);
        }
        return;
    }
    char json[2048];
    struct ref_cohort fresh = {.rules = input_rules(world)};
    while (world->classifier == NULL && fresh.rules->topic_plus_1 != 0) {
        fresh.rules = input_rules(world); /* a topic would be refused */
    }
    for (size_t i = 0; i < 4 && fresh.rules->examples[i] != NULL; i++) {
        fresh.examples[fresh.example_count++] = fresh.rules->examples[i];
    }
    snprintf(json, sizeof json, "{%s", fresh.rules->json);
    bool all_known = add_people(world, "include", fresh.include, json, sizeof json);
    all_known &= add_people(world, "exclude", fresh.exclude, json, sizeof json);
    snprintf(json + strlen(json), sizeof json - strlen(json), "}");
    struct submission submission = {
        .kind = SUBMIT_COHORT_PUT, .name = slice_from_cstr(name), .body = slice_from_cstr(json)};
    commit_one(world, &submission, 1, all_known ? ERR_OK : ERR_INVALID);
    if (all_known) {
        if (submission.created != (known == NULL)) {
            world_fail(world, 0, "cohort %s was %s, the engine says created: %d", name,
                       known ? "there" : "not there", submission.created);
        }
        struct ref_cohort *cohort = ref_cohort_put(&world->ref, name);
        memcpy(fresh.name, cohort->name, sizeof fresh.name);
        *cohort = fresh;
        world_note(world, "entry %" PRIu64 " cohort %s: %s", submission.first_sequence, name, json);
    }
}

/* ---- erasure --------------------------------------------------------------------------------- */

static void step_erase(struct world *world)
{
    uint32_t number = some_number(world);
    for (int tries = 0; tries < 8 && ref_root(&world->ref, number) == 0; tries++) {
        number = some_number(world);
    }
    uint32_t root = ref_root(&world->ref, number);
    struct submission submission = {.kind = SUBMIT_ERASE, .number = number};
    if (world->erasure_count == WORLD_ERASURES_MAX) {
        return;
    }
    commit_one(world, &submission, 2, root == 0 ? ERR_NOT_FOUND : ERR_OK);
    if (root == 0) {
        return;
    }
    const struct ref_person *person = ref_person(&world->ref, root);
    struct world_erasure *erasure = &world->erasures[world->erasure_count++];
    *erasure = (struct world_erasure){.sequence = submission.first_sequence,
                                      .entries = person->sequence_count};
    for (size_t i = 0; i < person->id_count && erasure->id_count < ARRAY_COUNT(erasure->ids); i++) {
        if (person->ids[i].current) {
            erasure->ids[erasure->id_count++] = person->ids[i];
        }
    }
    world_note(world, "entry %" PRIu64 " p%u erased (as p%u )", submission.first_sequence, root,
               number);
    ref_erase(&world->ref, root);
    world->erased++;
}

static bool names_somebody(const char *text, const struct world_erasure *erasure)
{
    for (size_t i = 0; i < erasure->id_count; i++) {
        if (strstr(text, erasure->ids[i].value) != NULL) {
            return true;
        }
    }
    return false;
}

void world_scrub(struct world *world)
{
    struct error error = {0};
    uint64_t sequence = 0;
    if (!engine_erasure_next(world->engine, &sequence)) {
        return;
    }
    struct world_erasure *erasure = world->erasures;
    while (erasure->done || erasure->sequence != sequence) {
        erasure++;
        CHECK(erasure < world->erasures + world->erasure_count);
    }
    world_checkpoint(world);
    for (uint64_t times = 1 + prng_below(&world->prng, 2); times > 0; times--) {
        must(world, engine_erasure_scrub(world->engine, sequence, &error), &error, "scrub");
    }
    /* What is quarantined after the first run is new data; what the job is called by is gone
     * then. */
    for (size_t i = 0; !erasure->scrubbed && i < world->quarantined_count; i++) {
        world->quarantined[i].scrubbed |= names_somebody(world->quarantined[i].text, erasure);
    }
    erasure->scrubbed = true;
    if (prng_below(&world->prng, 4) == 0) {
        return; /* the job was interrupted before it could say so */
    }
    struct submission submission = {.kind = SUBMIT_ERASE_DONE, .sequence = sequence};
    commit_one(world, &submission, 1, ERR_OK);
    erasure->done = true;
    for (size_t i = world->quarantined_count; i > 0; i--) {
        if (world->quarantined[i - 1].scrubbed) {
            forget_quarantined(world, i - 1);
        }
    }
    world_note(world, "erasure %" PRIu64 " scrubbed", sequence);
}

/* ---- the machine ----------------------------------------------------------------------------- */

void world_checkpoint(struct world *world)
{
    struct error error = {0};
    must(world, engine_checkpoint(world->engine, &error), &error, "checkpoint");
    world_note(world, "checkpoint");
}

/* A checkpoint that is being written while the world goes on, and may fail. */
static void step_long_checkpoint(struct world *world)
{
    struct error error = {0};
    struct engine_snapshot *snapshot = NULL;
    must(world, engine_checkpoint_begin(world->engine, &snapshot, &error), &error, "checkpoint");
    for (uint64_t n = prng_below(&world->prng, 4); n > 0; n--) {
        world_ingest(world);
    }
    bool write = prng_below(&world->prng, 3) != 0;
    if (write) {
        must(world, engine_checkpoint_write(snapshot, &error), &error, "checkpoint");
    }
    engine_checkpoint_end(world->engine, snapshot, write);
    world_note(world, "long checkpoint, %s", write ? "written" : "failed");
}

void world_reopen(struct world *world, bool checkpoint_first, bool delete_checkpoint)
{
    if (checkpoint_first) {
        world_checkpoint(world);
    }
    world_stop(world);
    if (delete_checkpoint) {
        char path[320];
        snprintf(path, sizeof path, "%s/profiles", world->path);
        folder_remove(path);
    }
    world_note(world, "opened again%s%s", checkpoint_first ? " behind a checkpoint" : "",
               delete_checkpoint ? " from the log alone" : "");
    world_start(world);
}

void world_verify(struct world *world)
{
    struct error error = {0};
    err e = engine_verify(world->engine, true, &error);
    if (e != ERR_OK) {
        world_fail(world, (uint32_t)error.position, "verify: %s", error.message);
    }
}

void world_step(struct world *world)
{
    uint64_t dice = prng_below(&world->prng, 1000);
    arena_reset(&world->arena);
    world->steps++;
    world->now_us += (int64_t)prng_below(&world->prng, 400) * 1000000;
    if (dice < 20) {
        world->now_us += (int64_t)prng_below(&world->prng, 5 * 24) * 3600 * 1000000;
    } else if (dice < 40) {
        world->now_us -= (int64_t)prng_below(&world->prng, 3600) * 1000000;
    }
    dice = prng_below(&world->prng, 1000);
    if (dice < 700) {
        world_ingest(world);
    } else if (dice < 770) {
        step_patch(world);
    } else if (dice < 815) {
        step_cohort(world);
    } else if (dice < 823) {
        step_feedback(world);
    } else if (dice < 830) {
        step_verdicts(world);
    } else if (dice < 850) {
        step_repeat(world);
    } else if (dice < 880) {
        step_quarantine(world);
    } else if (dice < 900) {
        step_retry(world);
    } else if (dice < 900 + world->erase_weight) {
        step_erase(world);
    } else if (dice < 960) {
        world_ingest(world);
    } else if (dice < 970) {
        world_scrub(world);
    } else if (dice < 980) {
        world_checkpoint(world);
    } else if (dice < 985) {
        step_long_checkpoint(world);
    } else if (dice < 989) {
        world_reopen(world, true, false);
    } else if (dice < 993) {
        world_reopen(world, false, false);
    } else if (dice < 996) {
        world_reopen(world, false, !world->keep_folder);
    } else {
        world_verify(world);
    }
}
