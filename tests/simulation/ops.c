/* Ops: from a client's wish to the log, and what the answer must be. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sim.h"

struct op *op_make(struct sim *sim, enum op_kind kind)
{
    struct op *op = arena_zalloc(&sim->world.arena, sizeof *op);
    CHECK(op != NULL);
    op->kind = kind;
    op->entries = 1;
    return op;
}

/* ---- what an op does, by the rules ---- */

static void apply_records(struct sim *sim, const struct op *op, uint64_t first)
{
    struct world *world = &sim->world;
    for (size_t i = 0; i < op->draft_count; i++) {
        if (op->drafts[i].entry.kind == ENTRY_RECORD) {
            ref_record(&world->ref, op->drafts[i].record, first + i, world->received_us,
                       op->drafts[i].entry.source);
            world->records++;
        }
    }
    if (op->key != NULL) {
        op->key->sequence = first + op->draft_count;
        op->key->at_us = world->received_us;
    }
}

static void forget_quarantined(struct world *world, uint64_t sequence)
{
    for (size_t i = 0; i < world->quarantined_count; i++) {
        if (world->quarantined[i].sequence == sequence) {
            memmove(&world->quarantined[i], &world->quarantined[i + 1],
                    (world->quarantined_count - i - 1) * sizeof world->quarantined[0]);
            world->quarantined_count--;
            return;
        }
    }
}

static void apply_erase(struct sim *sim, const struct op *op, uint64_t first)
{
    struct world *world = &sim->world;
    const uint32_t root = ref_root(&world->ref, op->submission.number);
    const struct ref_person *person = ref_person(&world->ref, root);
    struct erased *erased = &sim->erased[world->erasure_count];
    struct world_erasure *erasure = &world->erasures[world->erasure_count++];
    *erasure = (struct world_erasure){.sequence = first, .entries = person->sequence_count};
    erased->scrubbed = false;
    erased->entry_count = 0;
    for (size_t i = 0; i < person->sequence_count && i < ERASED_ENTRIES_MAX; i++) {
        erased->entries[erased->entry_count++] = person->sequences[i];
    }
    for (size_t i = 0; i < person->id_count && erasure->id_count < ARRAY_COUNT(erasure->ids); i++) {
        if (person->ids[i].current) {
            erasure->ids[erasure->id_count++] = person->ids[i];
        }
    }
    ref_erase(&world->ref, root);
}

/* The quarantined entries that the job scrubbed end with it. Which ones those are was checked when
 * it ended. */
static void apply_erase_done(struct sim *sim, const struct op *op)
{
    struct world *world = &sim->world;
    for (size_t i = world->quarantined_count; i > 0; i--) {
        struct log_entry entry;
        if (quiet_entry(sim, world->quarantined[i - 1].sequence, &entry) == ERR_OK &&
            entry.scrubbed) {
            forget_quarantined(world, world->quarantined[i - 1].sequence);
        }
    }
    for (size_t i = 0; i < world->erasure_count; i++) {
        world->erasures[i].done |= world->erasures[i].sequence == op->sequence;
    }
}

static void apply_put(struct sim *sim, const struct op *op)
{
    struct ref_cohort *cohort = ref_cohort_put(&sim->world.ref, op->name);
    struct ref_cohort fresh = op->cohort;
    memcpy(fresh.name, cohort->name, sizeof fresh.name);
    *cohort = fresh;
}

void op_apply(struct sim *sim, struct op *op, uint64_t first)
{
    struct world *world = &sim->world;
    struct log_entry entry;
    if (first != world->last_sequence + 1) {
        sim_fail(sim, "entry %" PRIu64 " came after %" PRIu64, first, world->last_sequence);
    }
    if (quiet_entry(sim, first, &entry) != ERR_OK) {
        sim_fail(sim, "entry %" PRIu64 " cannot be read back", first);
    }
    if (entry.received_at_us < world->received_us) {
        sim_fail(sim, "entry %" PRIu64 " was received before the one before it", first);
    }
    world->received_us = entry.received_at_us;
    world->last_sequence += op->entries;
    switch (op->kind) {
    case OP_RECORDS: apply_records(sim, op, first); break;
    case OP_QUARANTINE:
        op->quarantined.sequence = first;
        world->quarantined[world->quarantined_count++] = op->quarantined;
        break;
    case OP_RETRY:
        apply_records(sim, op, first);
        forget_quarantined(world, op->sequence);
        break;
    case OP_PATCH:
        ref_patch(&world->ref, ref_root(&world->ref, op->submission.number), &op->patch, first,
                  world->received_us, op->submission.source);
        break;
    case OP_PUT: apply_put(sim, op); break;
    case OP_DELETE: ref_cohort_delete(&world->ref, op->name); break;
    case OP_FEEDBACK:
        ref_correct(ref_cohort(&world->ref, op->name), op->positive, true);
        ref_correct(ref_cohort(&world->ref, op->name), op->negative, false);
        break;
    case OP_ERASE: apply_erase(sim, op, first); break;
    case OP_ERASE_DONE: apply_erase_done(sim, op); break;
    }
    sim_event(sim, "applied", first, op->entries, (uint64_t)op->kind);
}

/* ---- answers ---- */

/* What a 2xx said is what the next read says. */
static void check_read_back(struct sim *sim, const struct op *op)
{
    const struct world *world = &sim->world;
    struct engine_stats stats;
    engine_stats(world->engine, &stats);
    if (stats.applied_sequence < op->submission.first_sequence + op->entries - 1) {
        sim_fail(sim, "acknowledged entry %" PRIu64 " is not applied",
                 op->submission.first_sequence);
    }
    for (size_t i = 0; i < op->draft_count; i++) {
        const struct record *record = op->drafts[i].record;
        for (size_t k = 0; record != NULL && k < record->identifier_count; k++) {
            const struct record_identifier *id = &record->identifiers[k];
            uint32_t expected = ref_find(&world->ref, id->type, id->value);
            uint32_t found = engine_find(world->engine, id->type, id->value);
            if (found != expected) {
                sim_fail(sim, "behind entry %" PRIu64 " %.*s is p%u, the engine says p%u",
                         world->last_sequence, SLICE_ARGS(id->value), expected, found);
            }
        }
    }
}

static void check_repeat(struct sim *sim, const struct op *op)
{
    const struct submission *submission = &op->submission;
    struct slice stored = slice_of(submission->stored_answer, submission->stored_answer_length);
    if (submission->err != ERR_OK || !submission->repeated || submission->stored_status != 200 ||
        submission->first_sequence != op->key->sequence || !slice_equal_cstr(stored, op->answer)) {
        sim_fail(sim, "the repeat of %s (entry %" PRIu64 ") was answered %s, %s", op->key->key,
                 op->key->sequence, err_name(submission->err),
                 submission->repeated ? "otherwise than before" : "as if it were new");
    }
    sim->retries++;
}

struct before { /* the commit */
    uint64_t failures, log_failures, full, unread, log_changes;
    bool failed;  /* a write or sync of the log did */
    bool stopped; /* and the engine knows */
};

static struct before look_before(const struct sim *sim)
{
    const struct disk *disk = &sim->disk;
    return (struct before){disk->failures,
                           disk->log_failures,
                           disk->full,
                           disk->unread,
                           disk->log_changes,
                           disk->log_failures > 0,
                           engine_failed(sim->world.engine) != ERR_OK};
}

/* One that must not be taken, whatever the disk does. */
static bool judged_as_expected(struct sim *sim, const struct op *op, const struct before *before)
{
    const struct submission *submission = &op->submission;
    if (before->failed) {
        /* asks for no write */
        bool harmless = !before->stopped && (op->expected != ERR_OK || op->later);
        if (!harmless &&
            (submission->err == ERR_OK || err_class(submission->err) != ERR_CLASS_STORAGE)) {
            sim_fail(sim, "after a failed write a commit was answered %s",
                     err_name(submission->err));
        }
        return true;
    }
    if (op->later && op->expected == ERR_OK) {
        check_repeat(sim, op);
        return true;
    }
    if (op->expected != ERR_OK && submission->err != op->expected &&
        !(op->kind == OP_ERASE_DONE && sim->disk.unread > before->unread)) {
        sim_fail(sim, "%s was expected, it was %s: %s", err_name(op->expected),
                 err_name(submission->err), submission->error.message);
    }
    return op->expected != ERR_OK;
}

static void doubt(struct sim *sim, struct op *op)
{
    CHECK(sim->doubt_count < DOUBT_MAX);
    sim->doubt[sim->doubt_count++] = op;
}

/* A key whose answer nobody got is tried again after the next start. */
static void remember_unanswered(struct sim *sim, const struct op *op)
{
    if (op->key != NULL && !op->later && sim->unanswered_count < ARRAY_COUNT(sim->unanswered)) {
        sim->unanswered[sim->unanswered_count++] = op->key;
    }
}

static void judge_acknowledged(struct sim *sim, struct op *op, const struct before *before)
{
    if (sim->disk.log_failures > before->log_failures) {
        sim_fail(sim, "acknowledged although a write or sync of the log failed");
    }
    if (op->submission.repeated) {
        sim_fail(sim, "answered as a repeat, but its key was new");
    }
    if (op->kind == OP_PUT &&
        op->submission.created != (ref_cohort(&sim->world.ref, op->name) == NULL)) {
        sim_fail(sim, "cohort %s: created is %d", op->name, op->submission.created);
    }
    op_apply(sim, op, op->submission.first_sequence);
    op->acknowledged = true;
    sim->acknowledged++;
}

static void judge(struct sim *sim, struct op *op, const struct before *before)
{
    const struct disk *disk = &sim->disk;
    const struct submission *submission = &op->submission;
    sim_event(sim, "answer", (uint64_t)op->kind, op->answered ? (uint64_t)submission->err : 999,
              op->answered ? submission->first_sequence : 0);
    if (!op->answered) {
        if (!(op->expected != ERR_OK || op->later || before->failed ||
              submission->err == ERR_NO_SPACE)) {
            doubt(sim, op);
        }
        remember_unanswered(sim, op);
        return;
    }
    if (judged_as_expected(sim, op, before)) {
        return;
    }
    if (submission->err == ERR_OK) {
        judge_acknowledged(sim, op, before);
    } else if (submission->err == ERR_NO_SPACE) {
        if (disk->full == before->full) {
            sim_fail(sim, "no space, but the disk had some");
        }
        sim->full_disks++;
        remember_unanswered(sim, op);
    } else {
        bool unread = op->kind == OP_ERASE_DONE && disk->unread > before->unread;
        if (disk->log_failures == before->log_failures && !unread) {
            sim_fail(sim, "refused without a reason: %s (%s)", submission->error.message,
                     err_name(submission->err));
        }
        if (!unread) {
            doubt(sim, op);
        }
        remember_unanswered(sim, op);
    }
}

static void check_fail_stop(struct sim *sim, const struct before *before)
{
    const struct disk *disk = &sim->disk;
    bool failed = engine_failed(sim->world.engine) != ERR_OK;
    if (disk->violation != NULL) {
        sim_fail(sim, "%s", disk->violation);
    }
    if (before->failed && disk->log_changes != before->log_changes) {
        sim_fail(sim, "the log was written to after a failure");
    }
    if (disk->dead) {
        return;
    }
    if (disk->log_failures > before->log_failures && !failed) {
        sim_fail(sim, "a write or sync of the log failed and the engine goes on");
    }
    if (failed && !before->stopped) {
        if (disk->log_failures == 0) {
            sim_fail(sim, "the engine stopped without a failed write or sync");
        }
        sim->failed_stops++;
    }
}

/* What lies before this commit is durable, and the frames that are to come say so. */
static void note_safe(struct sim *sim)
{
    const struct disk_name *last = disk_last_file(&sim->disk, "/sim/data/log");
    if (last != NULL && strstr(last->path, ".tmp") == NULL) {
        memcpy(sim->safe_file, last->path, DISK_PATH_MAX);
        sim->safe_bytes = last->inode->size;
    }
}

static void answered(struct submission *submission)
{
    struct op *op = submission->owner;
    op->answered = !disk_in_use->dead;
}

void ops_commit(struct sim *sim, struct op **ops, size_t count)
{
    struct submission *submissions[OPS_MAX];
    const struct before before = look_before(sim);
    const uint64_t last = sim->world.last_sequence;
    for (size_t i = 0; i < count; i++) {
        submissions[i] = &ops[i]->submission;
        submissions[i]->done = answered;
        submissions[i]->owner = ops[i];
    }
    char file[DISK_PATH_MAX];
    memcpy(file, sim->safe_file, sizeof file);
    const uint64_t bytes = sim->safe_bytes;
    note_safe(sim);
    sim_event(sim, "commit", count, (uint64_t)ops[0]->kind, 0);
    engine_commit(sim->world.engine, submissions, count);
    for (size_t i = 0; i < count; i++) {
        judge(sim, ops[i], &before);
        memory_free(submissions[i]->stored_answer);
        submissions[i]->stored_answer = NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (ops[i]->acknowledged) {
            check_read_back(sim, ops[i]);
        }
    }
    check_fail_stop(sim, &before);
    if (sim->world.last_sequence == last) { /* no frame that says so */
        memcpy(sim->safe_file, file, sizeof file);
        sim->safe_bytes = bytes;
    }
}

/* ---- after a start ---- */

void ops_decide(struct sim *sim, uint64_t last_sequence)
{
    struct world *world = &sim->world;
    if (last_sequence < world->last_sequence) {
        sim_fail(sim, "acknowledged up to entry %" PRIu64 ", but the log ends at %" PRIu64,
                 world->last_sequence, last_sequence);
    }
    size_t at = 0;
    while (at < sim->doubt_count && world->last_sequence < last_sequence) {
        op_apply(sim, sim->doubt[at], world->last_sequence + 1);
        at++;
    }
    if (world->last_sequence != last_sequence) {
        sim_fail(sim, "the log ends at entry %" PRIu64 ", which is no batch's end (%" PRIu64 ")",
                 last_sequence, world->last_sequence);
    }
    sim_event(sim, "decided", sim->doubt_count, at, last_sequence);
    sim->doubt_count = 0;
}
