/* What the virtual clients and the machine do: one step at a time, chosen by the seed. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/interests.h"
#include "engine/quarantine.h"
#include "ingest/splitter.h"
#include "sim.h"

static const char *const cohort_names[] = {"Sports", "Shoppers", "Adults"};

/* ---- records --------------------------------------------------------------------------------- */

static void *make(struct sim *sim, size_t bytes)
{
    void *made = arena_alloc(&sim->world.arena, bytes);
    CHECK(made != NULL);
    return made;
}

static struct phrase_verdict verdict_of(const struct world *world, struct slice phrase)
{
    static _Alignas(64) char scratch[1024];
    struct phrase_verdict item = {.phrase = phrase};
    world->classifier->classify(world->classifier->context, scratch, &phrase, 1, &item.verdict);
    return item;
}

/* As a worker does it, for some of the phrases; the others were late. */
static void offer_some(struct sim *sim, const struct op *op)
{
    const struct world *world = &sim->world;
    for (size_t i = 0; world->classifier != NULL && i < op->draft_count; i++) {
        const struct record *record = op->drafts[i].record;
        for (size_t k = 0; record != NULL && k < record->interest_count; k++) {
            if (sim_dice(sim, 2) == 0) {
                struct phrase_verdict item = verdict_of(world, record->interests[k]);
                engine_offer_verdicts(world->engine, &item, 1);
            }
        }
    }
}

static void give_key(struct sim *sim, struct op *op, struct world_key *key)
{
    op->key = key;
    op->later = key->sequence != 0;
    op->entries++;
    snprintf(op->answer, sizeof op->answer, "{\"answer\":%s}", key->key + 4);
    op->submission.idempotency_key = slice_from_cstr(key->key);
    op->submission.fingerprint = key->fingerprint;
    op->submission.answer = slice_from_cstr(op->answer);
    op->submission.answer_status = 200;
    if (op->later && sim_dice(sim, 4) == 0) { /* other content under a known key */
        op->submission.fingerprint++;
        op->expected = ERR_CONFLICT;
    }
}

static struct world_key *new_key(struct sim *sim)
{
    struct world *world = &sim->world;
    if (world->key_count == WORLD_KEYS) {
        return NULL;
    }
    struct world_key *key = &world->keys[world->key_count++];
    *key = (struct world_key){.fingerprint = world->next_key * 7 + 1};
    snprintf(key->key, sizeof key->key, "key-%" PRIu64, world->next_key++);
    return key;
}

static struct op *records_op(struct sim *sim)
{
    struct world *world = &sim->world;
    struct op *op = op_make(sim, OP_RECORDS);
    size_t records = 1 + sim_dice(sim, sim_dice(sim, 4) == 0 ? BATCH_MAX - 1 : 3);
    bool table = sim_dice(sim, 6) == 0;
    op->draft_count = op->entries = records + table;
    op->inputs = make(sim, op->draft_count * sizeof *op->inputs);
    op->drafts = make(sim, op->draft_count * sizeof *op->drafts);
    if (table) {
        input_table(world, op->inputs, records);
    } else {
        for (size_t i = 0; i < records; i++) {
            input_record(world, &op->inputs[i]);
        }
    }
    struct slice source = input_source(world);
    for (size_t i = 0; i < op->draft_count; i++) {
        op->drafts[i] = op->inputs[i].draft;
        op->drafts[i].entry.source = source;
    }
    op->submission = (struct submission){
        .kind = SUBMIT_RECORDS, .drafts = op->drafts, .draft_count = op->draft_count};
    return op;
}

static void step_ingest(struct sim *sim)
{
    struct op *ops[OPS_MAX];
    size_t count = sim_dice(sim, 3) == 0 ? 1 + sim_dice(sim, OPS_MAX) : 1;
    for (size_t i = 0; i < count; i++) {
        ops[i] = records_op(sim);
        struct world_key *key = sim_dice(sim, 5) == 0 ? new_key(sim) : NULL;
        if (key != NULL) {
            give_key(sim, ops[i], key);
        }
        offer_some(sim, ops[i]);
    }
    ops_commit(sim, ops, count);
}

/* A client that got no answer asks again; one that got it asks once more. */
static void step_repeat(struct sim *sim)
{
    struct world *world = &sim->world;
    struct world_key *key = NULL;
    if (sim->unanswered_count > 0 && sim_dice(sim, 8) != 0) {
        key = sim->unanswered[--sim->unanswered_count];
    } else if (world->key_count > 0) {
        key = &world->keys[sim_dice(sim, world->key_count)];
    }
    for (size_t i = 0; i < sim->unanswered_count; i++) {
        key = key == sim->unanswered[i] ? NULL : key; /* later */
    }
    if (key == NULL) {
        return;
    }
    struct op *op = records_op(sim);
    give_key(sim, op, key);
    ops_commit(sim, &op, 1);
}

/* ---- quarantine ------------------------------------------------------------------------------ */

static void step_quarantine(struct sim *sim)
{
    struct world *world = &sim->world;
    uint8_t type;
    char name[REF_TEXT];
    if (world->quarantined_count + DOUBT_MAX >= WORLD_QUARANTINE_MAX) {
        return;
    }
    struct op *op = op_make(sim, OP_QUARANTINE);
    input_identifier(sim_dice(sim, 156), &type, name);
    snprintf(op->quarantined.text, sizeof op->quarantined.text, "{\"broken\": \"%s\"", name);
    struct quarantine content = {.code = SLICE_LITERAL("json_syntax"),
                                 .message = SLICE_LITERAL("broken"),
                                 .record_number = 1,
                                 .bytes = slice_from_cstr(op->quarantined.text)};
    struct buffer payload;
    buffer_init(&payload, 4096);
    quarantine_encode(&content, &payload);
    struct draft draft = {.entry = {.kind = ENTRY_QUARANTINE,
                                    .format = FORMAT_JSON,
                                    .payload = buffer_slice(&payload)}};
    op->submission =
        (struct submission){.kind = SUBMIT_RECORDS, .drafts = &draft, .draft_count = 1};
    ops_commit(sim, &op, 1);
    buffer_deinit(&payload);
}

static void step_retry(struct sim *sim)
{
    struct world *world = &sim->world;
    if (world->quarantined_count == 0) {
        return;
    }
    struct op *op = op_make(sim, OP_RETRY);
    op->sequence = world->quarantined[sim_dice(sim, world->quarantined_count)].sequence;
    char *end = make(sim, QUARANTINE_END_BYTES);
    quarantine_end_encode(op->sequence, end);
    op->draft_count = op->entries = 2;
    op->inputs = make(sim, sizeof *op->inputs);
    op->drafts = make(sim, 2 * sizeof *op->drafts);
    input_record(world, op->inputs);
    op->drafts[0] = op->inputs->draft;
    op->drafts[1] = (struct draft){
        .entry = {.kind = ENTRY_QUARANTINE_END, .payload = slice_of(end, QUARANTINE_END_BYTES)}};
    op->submission =
        (struct submission){.kind = SUBMIT_RECORDS, .drafts = op->drafts, .draft_count = 2};
    ops_commit(sim, &op, 1);
}

/* ---- corrections and cohorts ----------------------------------------------------------------- */

static uint32_t some_number(struct sim *sim)
{
    return (uint32_t)sim_dice(sim, sim->world.ref.person_count + 2);
}

static void step_patch(struct sim *sim)
{
    struct world *world = &sim->world;
    struct record_error reason;
    struct op *op = op_make(sim, OP_PATCH);
    char *body = make(sim, 2048);
    size_t length = input_patch(world, body, 2048);
    uint32_t number = some_number(sim);
    op->submission = (struct submission){.kind = SUBMIT_PATCH,
                                         .number = number,
                                         .body = slice_of(body, length),
                                         .source = SLICE_LITERAL("steward")};
    op->expected = ref_root(&world->ref, number) == 0 ? ERR_NOT_FOUND : ERR_OK;
    err e =
        record_read_patch(&world->arena, op->submission.body, world->settings, &op->patch, &reason);
    CHECK(e == ERR_OK);
    ops_commit(sim, &op, 1);
}

static void step_put(struct sim *sim)
{
    struct world *world = &sim->world;
    struct op *op = op_make(sim, OP_PUT);
    op->name = cohort_names[sim_dice(sim, ARRAY_COUNT(cohort_names))];
    op->cohort.rules = input_rules(world);
    while (world->classifier == NULL && op->cohort.rules->topic_plus_1 != 0) {
        op->cohort.rules = input_rules(world); /* a topic would be refused */
    }
    for (size_t i = 0; i < 4 && op->cohort.rules->examples[i] != NULL; i++) {
        op->cohort.examples[op->cohort.example_count++] = op->cohort.rules->examples[i];
    }
    char *json = make(sim, 1024);
    int length = snprintf(json, 1024, "{%s", op->cohort.rules->json);
    uint32_t number = some_number(sim);
    if (sim_dice(sim, 4) == 0 && ref_root(&world->ref, number) != 0) {
        op->cohort.include[0] = ref_root(&world->ref, number);
        length += snprintf(json + length, 1024 - (size_t)length, ",\"include\":[\"p%u\"]", number);
    }
    length += snprintf(json + length, 1024 - (size_t)length, "}");
    op->submission = (struct submission){.kind = SUBMIT_COHORT_PUT,
                                         .name = slice_from_cstr(op->name),
                                         .body = slice_of(json, (size_t)length)};
    if (world->classifier != NULL && op->cohort.example_count > 0 && sim_dice(sim, 2) == 0) {
        struct phrase_verdict item = verdict_of(world, slice_from_cstr(op->cohort.examples[0]));
        engine_offer_verdicts(world->engine, &item, 1);
    }
    ops_commit(sim, &op, 1);
}

static void step_delete(struct sim *sim)
{
    struct op *op = op_make(sim, OP_DELETE);
    op->name = cohort_names[sim_dice(sim, ARRAY_COUNT(cohort_names))];
    op->submission =
        (struct submission){.kind = SUBMIT_COHORT_DELETE, .name = slice_from_cstr(op->name)};
    op->expected = ref_cohort(&sim->world.ref, op->name) == NULL ? ERR_NOT_FOUND : ERR_OK;
    ops_commit(sim, &op, 1);
}

static void step_feedback(struct sim *sim)
{
    struct world *world = &sim->world;
    struct op *op = op_make(sim, OP_FEEDBACK);
    char folds[2][REF_TEXT];
    op->name = cohort_names[sim_dice(sim, ARRAY_COUNT(cohort_names))];
    op->positive = input_interest(world);
    op->negative = input_interest(world);
    ref_fold(op->positive, strlen(op->positive), folds[0]);
    ref_fold(op->negative, strlen(op->negative), folds[1]);
    char *json = make(sim, 512);
    int length = snprintf(json, 512, "{\"negative\":[\"%s\"],\"positive\":[\"%s\"]}", op->negative,
                          op->positive);
    op->submission = (struct submission){.kind = SUBMIT_COHORT_FEEDBACK,
                                         .name = slice_from_cstr(op->name),
                                         .body = slice_of(json, (size_t)length)};
    op->expected = ref_cohort(&world->ref, op->name) == NULL ? ERR_NOT_FOUND
                   : strcmp(folds[0], folds[1]) == 0         ? ERR_INVALID
                                                             : ERR_OK;
    ops_commit(sim, &op, 1);
}

static void ignore_done(struct submission *submission)
{
    (void)submission;
}

/* The background thread: some of the phrases that wait. And one that is early: nobody has it
 * yet. */
static void step_verdicts(struct sim *sim)
{
    struct world *world = &sim->world;
    struct phrase_verdict items[4];
    struct slice texts[4];
    uint32_t cursor = (uint32_t)sim_dice(sim, 20);
    if (world->classifier == NULL) {
        return;
    }
    size_t count =
        engine_pending_phrases(world->engine, &cursor, &world->arena, texts, 1 + sim_dice(sim, 4));
    for (size_t i = 0; i < count; i++) {
        items[i] = verdict_of(world, texts[i]);
    }
    struct submission submission = {
        .kind = SUBMIT_VERDICTS, .verdicts = items, .verdict_count = count, .done = ignore_done};
    struct submission *one = &submission;
    engine_commit(world->engine, &one, 1);
    sim_event(sim, "verdicts", count, (uint64_t)submission.err, 0);
    if (submission.err != ERR_OK && engine_failed(world->engine) == ERR_OK) {
        sim_fail(sim, "verdicts were answered %s", err_name(submission.err));
    }
    struct phrase_verdict early = verdict_of(world, slice_from_cstr(input_interest(world)));
    engine_offer_verdicts(world->engine, &early, 1);
}

/* ---- erasure --------------------------------------------------------------------------------- */

/* Has anybody else ever been seen with an identifier of theirs? See tests/model/README.md, the
 * known gap. */
static bool shares_identifiers(const struct world *world, uint32_t root)
{
    const struct ref_person *person = ref_person(&world->ref, root);
    for (size_t p = 0; person != NULL && p < world->ref.person_count; p++) {
        const struct ref_person *other = &world->ref.people[p];
        for (size_t i = 0; other != person && other->alive && i < other->id_count; i++) {
            for (size_t k = 0; k < person->id_count; k++) {
                if (other->ids[i].type == person->ids[k].type &&
                    strcmp(other->ids[i].value, person->ids[k].value) == 0) {
                    return true;
                }
            }
        }
    }
    return false;
}

static void step_erase(struct sim *sim)
{
    struct world *world = &sim->world;
    uint32_t number = some_number(sim);
    for (int tries = 0; tries < 4 && (ref_root(&world->ref, number) == 0 ||
                                      shares_identifiers(world, ref_root(&world->ref, number)));
         tries++) {
        number = some_number(sim);
    }
    uint32_t root = ref_root(&world->ref, number);
    if (shares_identifiers(world, root) || world->erasure_count + 1 >= ERASURES_MAX) {
        return;
    }
    struct op *op = op_make(sim, OP_ERASE);
    op->entries = 2;
    op->submission = (struct submission){.kind = SUBMIT_ERASE, .number = number};
    op->expected = root == 0 ? ERR_NOT_FOUND : ERR_OK;
    ops_commit(sim, &op, 1);
}

static bool named_in(const char *text, const struct world_erasure *erasure)
{
    for (size_t i = 0; i < erasure->id_count; i++) {
        if (strstr(text, erasure->ids[i].value) != NULL) {
            return true;
        }
    }
    return false;
}

/* What waited in quarantine and names the person is gone; nobody else's is. */
static void check_quarantine_scrubbed(struct sim *sim, const struct world_erasure *erasure,
                                      bool first_run)
{
    const struct world *world = &sim->world;
    for (size_t i = 0; i < world->quarantined_count; i++) {
        const struct world_quarantined *item = &world->quarantined[i];
        struct log_entry entry;
        bool named = false;
        if (quiet_entry(sim, item->sequence, &entry) != ERR_OK) {
            sim_fail(sim, "quarantined entry %" PRIu64 " cannot be read", item->sequence);
        }
        for (size_t k = 0; k < world->erasure_count; k++) {
            named |= named_in(item->text, &world->erasures[k]);
        }
        if ((entry.scrubbed && !named) ||
            (first_run && !entry.scrubbed && named_in(item->text, erasure))) {
            sim_fail(sim, "quarantined entry %" PRIu64 " is %s", item->sequence,
                     entry.scrubbed ? "scrubbed, and was of others" : "not scrubbed");
        }
    }
}

static bool checkpoint_now(struct sim *sim);

static void step_scrub(struct sim *sim)
{
    struct world *world = &sim->world;
    struct error error = {0};
    uint64_t sequence = 0;
    struct log_entry keys;
    if (!engine_erasure_next(world->engine, &sequence) || sim->snapshot != NULL ||
        (sim->with_checkpoint && !checkpoint_now(sim))) {
        return;
    }
    size_t at = 0;
    while (at < world->erasure_count && world->erasures[at].sequence != sequence) {
        at++;
    }
    if (at == world->erasure_count || world->erasures[at].done) {
        sim_fail(sim, "erasure %" PRIu64 " is offered for scrubbing", sequence);
    }
    CHECK(quiet_entry(sim, sequence + 1, &keys) == ERR_OK);
    bool first_run = !keys.scrubbed;
    const uint64_t failures = sim->disk.failures + sim->disk.full + sim->disk.unread;
    const bool stopped =
        machine_failed(sim) || sim->disk.log_failures > 0 || sim->checkpoint_failed;
    err e = engine_erasure_scrub(world->engine, sequence, &error);
    sim_event(sim, "scrub", sequence, (uint64_t)e, first_run);
    if (sim->disk.dead) {
        return;
    }
    sim->checkpoint_failed |= e != ERR_OK;
    if (e == ERR_OK) {
        check_quarantine_scrubbed(sim, &world->erasures[at], first_run);
        sim->erased[at].scrubbed = true;
        check_scrubbed(sim);
        sim->scrubs++;
    } else if (!stopped && failures == sim->disk.failures + sim->disk.full + sim->disk.unread) {
        sim_fail(sim, "scrub: %s (%s)", error.message, err_name(e));
    }
}

static void step_erase_done(struct sim *sim)
{
    struct world *world = &sim->world;
    for (size_t i = 0; i < world->erasure_count; i++) {
        if (sim->erased[i].scrubbed && !world->erasures[i].done) {
            struct op *op = op_make(sim, OP_ERASE_DONE);
            op->sequence = world->erasures[i].sequence;
            op->submission =
                (struct submission){.kind = SUBMIT_ERASE_DONE, .sequence = op->sequence};
            ops_commit(sim, &op, 1);
            return;
        }
    }
}

/* ---- checkpoints: three steps, with everything else between them ----------------------------- */

static void begin_checkpoint(struct sim *sim)
{
    struct error error = {0};
    err e = engine_checkpoint_begin(sim->world.engine, &sim->snapshot, &error);
    sim_event(sim, "checkpoint begin", (uint64_t)e, 0, 0);
    if (e != ERR_OK) {
        sim->snapshot = NULL;
        if (engine_failed(sim->world.engine) == ERR_OK) {
            sim_fail(sim, "no checkpoint: %s", error.message);
        }
    }
}

/* True when it was written. */
static bool write_checkpoint(struct sim *sim)
{
    struct error error = {0};
    const uint64_t failures = sim->disk.failures + sim->disk.full;
    err e = engine_checkpoint_write(sim->snapshot, &error);
    sim_event(sim, "checkpoint write", (uint64_t)e, 0, 0);
    bool injected = failures != sim->disk.failures + sim->disk.full;
    if (e != ERR_OK && !sim->disk.dead && !sim->checkpoint_failed && !injected) {
        sim_fail(sim, "checkpoint: %s (%s)", error.message, err_name(e));
    }
    sim->checkpoint_failed |= e != ERR_OK;
    sim->checkpoints += e == ERR_OK;
    return e == ERR_OK;
}

static void end_checkpoint(struct sim *sim, bool written)
{
    engine_checkpoint_end(sim->world.engine, sim->snapshot, written);
    sim->snapshot = NULL;
    sim_event(sim, "checkpoint end", written, 0, 0);
}

static bool checkpoint_now(struct sim *sim)
{
    begin_checkpoint(sim);
    bool written = sim->snapshot != NULL && write_checkpoint(sim);
    if (sim->snapshot != NULL) {
        end_checkpoint(sim, written);
    }
    return written && !sim->disk.dead;
}

static void step_checkpoint(struct sim *sim)
{
    if (sim->snapshot == NULL) {
        begin_checkpoint(sim);
    } else if (sim_dice(sim, 4) == 0) {
        end_checkpoint(sim, false); /* given up */
    } else {
        bool written = write_checkpoint(sim);
        for (uint64_t n = sim_dice(sim, 3); n > 0 && !sim->disk.dead && sim->doubt_count == 0;
             n--) {
            step_ingest(sim); /* between the commit and the writer that hears of it */
        }
        end_checkpoint(sim, written);
    }
}

/* ---- the choice ------------------------------------------------------------------------------ */

void sim_step(struct sim *sim)
{
    static const struct {
        unsigned weight;
        void (*step)(struct sim *sim);
    } steps[] = {{520, step_ingest}, {70, step_patch},      {45, step_put},
                 {12, step_delete},  {15, step_feedback},   {30, step_verdicts},
                 {60, step_repeat},  {30, step_quarantine}, {25, step_retry},
                 {45, step_erase},   {50, step_scrub},      {40, step_erase_done}};
    struct world *world = &sim->world;
    uint64_t dice = sim_dice(sim, 1000);
    if (sim->doubt_count == 0) {
        arena_reset(&world->arena);
    }
    sim->steps++;
    world->now_us += (int64_t)sim_dice(sim, 400) * 1000000;
    if (dice < 60) {
        int64_t jump_us = (int64_t)sim_dice(sim, 3600) * 1000000;
        world->now_us += dice < 30 ? jump_us : -jump_us;
    }
    sim_event(sim, "step", sim->steps, (uint64_t)world->now_us, 0);
    if (sim->with_checkpoint && sim_dice(sim, 6) == 0) {
        step_checkpoint(sim);
        return;
    }
    unsigned total = 0;
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        total += steps[i].weight;
    }
    uint64_t at = sim_dice(sim, total);
    size_t chosen = 0;
    while (at >= steps[chosen].weight) {
        at -= steps[chosen++].weight;
    }
    steps[chosen].step(sim);
}
