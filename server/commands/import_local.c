/* import_local.c: `kindred import --data`: the folder is opened in this process.
 *
 *   main thread:   read ─▶ intake (split, check, cleanse) ──work queue──▶ committer thread: log, sync, apply
 *                  counts, rejects, note ◀──────────────────done queue──────┘
 *
 * So reading and checking go on while the other thread waits for the disk. Only the committer
 * touches the engine while it runs. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/queue.h"
#include "commands/import.h"
#include "commands/store.h"
#include "engine/intake.h"
#include "engine/intake_stream.h"

enum { BATCHES_MAX = 12, QUEUE_MAX = 2 * BATCHES_MAX };
static const int64_t SYNC_EVERY_US = 1000000;

struct local {
    const struct import_job *job;
    struct store store;
    struct queue *work;
    struct queue *done;
    const struct mapping *mapping;
    uint64_t mapping_sequence;
    pthread_t committer;
    bool committing;
};

/* ---- the committer's thread ------------------------------------------------------------------ */

static void on_done(struct submission *submission)
{
    struct local *local = submission->owner;
    /* The queue has room for all batches there are. */
    CHECK(queue_push(local->done, submission) == ERR_OK);
}

static void *commit_loop(void *context)
{
    struct local *local = context;
    struct submission *batches[BATCHES_MAX];
    int64_t synced_us = clock_monotonic_us(&system_clock);
    for (;;) {
        size_t count = queue_pop_many(local->work, (void **)batches, BATCHES_MAX, -1);
        if (count > 0) {
            engine_commit(local->store.engine, batches, count);
        } else if (queue_closed(local->work)) {
            return NULL;
        }
        int64_t now_us = clock_monotonic_us(&system_clock);
        if (local->job->durability == DURABILITY_INTERVAL && now_us - synced_us > SYNC_EVERY_US) {
            struct error error;
            synced_us = now_us;
            (void)!engine_sync(local->store.engine,
                               &error); /* a failure comes back with the next commit */
        }
    }
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void remember_done(struct submission *submission)
{
    *(bool *)submission->owner = true;
}

static int put_mapping(struct local *local)
{
    if (local->job->mapping_json.data == NULL) {
        return EXIT_CODE_OK;
    }
    bool done = false;
    struct slice name = slice_from_cstr(local->job->mapping_name);
    struct submission put = {
        .kind = SUBMIT_MAPPING_PUT,
        .name = name,
        .body = local->job->mapping_json,
        .source = SLICE_LITERAL("import"),
        .done = remember_done,
        .owner = &done,
    };
    struct submission *one = &put;
    engine_commit(local->store.engine, &one, 1);
    CHECK(done);
    if (put.err != ERR_OK) {
        put.error.err = put.err;
        return store_report(&command_import, &put.error);
    }
    local->mapping = engine_mapping(local->store.engine, name, &local->mapping_sequence);
    CHECK(local->mapping != NULL);
    return EXIT_CODE_OK;
}

static bool was_interrupted(void)
{
    return import_interrupted != 0;
}

static int local_close(void *target)
{
    struct local *local = target;
    int code = EXIT_CODE_OK;
    if (local->committing) {
        queue_close(local->work);
        pthread_join(local->committer, NULL);
    }
    queue_destroy(local->work);
    queue_destroy(local->done);
    if (local->store.engine != NULL) {
        struct error error = {0};
        if (engine_failed(local->store.engine) == ERR_OK) {
            error.err = store_classify_pending(&local->store, was_interrupted, &error);
        }
        if (error.err == ERR_OK && engine_failed(local->store.engine) == ERR_OK) {
            error.err = engine_checkpoint(local->store.engine, &error);
        }
        if (error.err != ERR_OK) {
            code = store_report(&command_import, &error);
        }
        store_close(&local->store);
    }
    memory_free(local);
    return code;
}

static int local_open(const struct import_job *job, void **target)
{
    struct local *local = memory_zalloc(sizeof *local);
    if (local == NULL) {
        return EXIT_CODE_FAILED;
    }
    local->job = job;
    local->work = queue_create(QUEUE_MAX);
    local->done = queue_create(QUEUE_MAX);
    struct store_options options = {.command = &command_import,
                                    .directory = job->data,
                                    .durability = job->durability,
                                    .model = job->model};
    int code = local->work && local->done ? store_open(&options, &local->store) : EXIT_CODE_FAILED;
    if (code == EXIT_CODE_OK) {
        code = put_mapping(local);
    }
    if (code == EXIT_CODE_OK && pthread_create(&local->committer, NULL, commit_loop, local) != 0) {
        fputs("kindred import: cannot start a thread.\n", stderr);
        code = EXIT_CODE_FAILED;
    }
    local->committing = code == EXIT_CODE_OK;
    if (code != EXIT_CODE_OK) {
        (void)!local_close(local);
        return code;
    }
    *target = local;
    return EXIT_CODE_OK;
}

/* ---- one file -------------------------------------------------------------------------------- */

static void on_reject(void *context, const struct split *split, struct slice header,
                      const struct record_error *reason)
{
    struct import_run *run = context;
    rejects_add(&run->rejects, split, header, reason);
}

/* Takes back what the committer has finished; waits for one when told to. */
static void take_back(struct local *local, struct import_run *run, struct intake *intake, bool wait)
{
    struct submission *batches[BATCHES_MAX];
    size_t count = queue_pop_many(local->done, (void **)batches, BATCHES_MAX, wait ? 100000 : 0);
    for (size_t i = 0; i < count; i++) {
        /* Only a synced batch may be skipped unseen by a later run; otherwise its key has to
         * tell. */
        if (batches[i]->err == ERR_OK && local->job->durability == DURABILITY_FSYNC) {
            import_state_note(&run->state, intake_batch_number(batches[i]), false);
        }
        intake_give_back(intake, batches[i]);
    }
    struct intake_tally tally = intake_tally(intake);
    progress_update(&run->progress, run->input.read_bytes, tally.accepted + tally.quarantined);
}

static void hand_out(struct local *local, struct intake *intake)
{
    struct submission *batch;
    while ((batch = intake_take(intake)) != NULL) {
        batch->owner = local;
        batch->done = on_done;
        CHECK(queue_push(local->work, batch) == ERR_OK);
    }
}

/* The next bytes for the intake: the file's own, or mended rows of a file of rejects. */
struct source {
    struct import_run *run;
    struct intake_stream *stream; /* mending only */
    struct buffer mended;
};

static err next_mended(struct source *source, struct slice *bytes, bool *last)
{
    struct import_run *run = source->run;
    buffer_clear(&source->mended);
    *last = false;
    while (source->mended.length < IMPORT_READ_BYTES) {
        struct split split;
        int64_t budget_bytes = INT64_MAX;
        err e = intake_stream_next(source->stream, &budget_bytes, &split, &run->error);
        if (e == ERR_OK) {
            mend_append(&run->input.mend, &split, &source->mended);
            continue;
        }
        if (e != ERR_END) {
            return e;
        }
        *last = !intake_stream_hungry(source->stream);
        if (*last) {
            break;
        }
        struct slice piece;
        e = import_read(run, &piece);
        if (e != ERR_OK) {
            return e;
        }
        intake_stream_feed(source->stream, piece, piece.length == 0);
    }
    *bytes = buffer_slice(&source->mended);
    return source->mended.failed ? ERR_MEMORY : ERR_OK;
}

static err next_bytes(struct source *source, struct slice *bytes, bool *last)
{
    if (source->stream != NULL) {
        return next_mended(source, bytes, last);
    }
    err e = import_read(source->run, bytes);
    *last = bytes->length == 0;
    return e;
}

static err feed_once(struct source *source, struct intake *intake)
{
    struct slice bytes = SLICE_NONE;
    bool last = false;
    err e = next_bytes(source, &bytes, &last);
    if (e != ERR_OK) {
        return e;
    }
    return intake_feed(intake, bytes, last, &source->run->error);
}

/* Until the file is through, a batch failed, or a signal came; then until every batch is back. */
static err flow(struct local *local, struct source *source, struct intake *intake)
{
    err e = ERR_OK;
    for (;;) {
        enum intake_state state = intake_state(intake);
        if (state == INTAKE_HUNGRY && e == ERR_OK && import_interrupted) {
            e = error_set(&source->run->error, ERR_STOPPING, "interrupted", 0, "Interrupted.");
        }
        if (state == INTAKE_DONE || (state == INTAKE_HUNGRY && e != ERR_OK)) {
            break;
        }
        if (state == INTAKE_HUNGRY) {
            e = feed_once(source, intake);
            /* What is wrong with the file itself the intake remembers, and finishes what was before
             * it. */
        }
        hand_out(local, intake);
        take_back(local, source->run, intake, intake_state(intake) == INTAKE_WAITING);
    }
    return e;
}

static err conclude(struct import_run *run, struct intake *intake, err e)
{
    struct intake_tally tally = intake_tally(intake);
    run->counts = (struct import_counts){
        .records = tally.accepted + tally.quarantined,
        .accepted = tally.accepted,
        .cleansed = tally.cleansed,
        .quarantined = tally.quarantined,
        .repeated = tally.repeated,
    };
    struct error failure;
    if (intake_failure(intake, &failure) != ERR_OK ||
        (e == ERR_OK && intake_input_error(intake, &failure) != ERR_OK)) {
        run->error = failure;
        e = failure.err;
    }
    return e;
}

static err local_take(void *target, struct import_run *run)
{
    struct local *local = target;
    struct intake_options options = {
        .settings = engine_settings(local->store.engine),
        .mapping = local->mapping,
        .mapping_sequence = local->mapping_sequence,
        .source = slice_from_cstr(run->input.source),
        .idempotency_key = run->state.path[0] ? slice_from_cstr(run->state.run) : SLICE_NONE,
        .durability = durability_word(local->job->durability),
        .hint = run->input.hint,
        .batches_max = BATCHES_MAX,
        .skip_batches = run->state.skip_parts,
    };
    struct source source = {.run = run};
    buffer_init(&source.mended, 4 * (size_t)IMPORT_READ_BYTES + LOG_PAYLOAD_MAX);
    struct intake *intake = intake_create(&options);
    if (run->input.mend.kind != MEND_NONE) {
        source.stream = intake_stream_create(run->input.hint, 0, 0);
    }
    err e = ERR_MEMORY;
    if (intake != NULL && (source.stream != NULL || run->input.mend.kind == MEND_NONE)) {
        intake_on_reject(intake, on_reject, run);
        e = flow(local, &source, intake);
        while (intake_out_count(intake) > 0) {
            take_back(local, run, intake, true);
        }
        e = conclude(run, intake, e);
    }
    intake_destroy(intake);
    intake_stream_destroy(source.stream);
    buffer_deinit(&source.mended);
    return e;
}

static bool local_people(void *target, uint64_t *people)
{
    struct engine_stats stats;
    engine_stats(((struct local *)target)->store.engine, &stats);
    *people = stats.people;
    return true;
}

const struct import_target import_local = {local_open, local_take, local_people, local_close};
