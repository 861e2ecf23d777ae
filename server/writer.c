#include "writer.h"

#include <pthread.h>

#include "background.h"
#include "base/memory.h"
#include "base/queue.h"

enum { SYNC_EVERY_US = 1000000, HOUSEKEEPING_US = 200000, RETRY_AFTER_US = 10000000 };

/* What the background thread is doing for us; one thing at a time. */
enum errand { ERRAND_NONE, ERRAND_CHECKPOINT, ERRAND_SCRUB };

struct writer {
    struct writer_options options;
    struct queue *queue;
    struct background *background;
    struct engine *engine;
    struct submission *group[WRITER_GROUP_SUBMISSIONS];
    struct writer_metrics metrics;
    enum errand errand;
    struct engine_snapshot *snapshot;
    uint64_t scrub_sequence;
    uint64_t snapshot_sequence; /* applied when the running checkpoint began */
    uint64_t written_sequence;  /* of the newest checkpoint written */
    int64_t errand_began_us;
    int64_t last_sync_us;
    int64_t last_checkpoint_us;
    int64_t not_before_us; /* after a failed checkpoint or scrub */
    bool unsynced;
    struct error failure; /* .err: ERR_OK while all is well */
};

struct writer *writer_create(const struct writer_options *options)
{
    struct writer *writer = memory_zalloc(sizeof *writer);
    if (writer == NULL) {
        return NULL;
    }
    writer->options = *options;
    writer->queue = queue_create(options->queue_max);
    writer->background = writer->queue != NULL ? background_create(writer->queue) : NULL;
    if (writer->background == NULL) {
        writer_destroy(writer);
        return NULL;
    }
    return writer;
}

void writer_destroy(struct writer *writer)
{
    if (writer == NULL) {
        return;
    }
    background_destroy(writer->background);
    if (writer->queue != NULL) {
        queue_destroy(writer->queue);
    }
    memory_free(writer);
}

err writer_submit(struct writer *writer, struct submission *submission)
{
    return queue_push(writer->queue, submission);
}

void writer_close(struct writer *writer)
{
    queue_close(writer->queue);
}

size_t writer_queue_length(const struct writer *writer)
{
    return queue_length(writer->queue);
}

size_t writer_queue_max(const struct writer *writer)
{
    return writer->options.queue_max;
}

const struct writer_metrics *writer_metrics(const struct writer *writer)
{
    return &writer->metrics;
}

static int64_t now_us(void)
{
    return clock_monotonic_us(&system_clock);
}

static void fail(struct writer *writer, const struct error *error)
{
    if (writer->failure.err == ERR_OK) {
        writer->failure = *error;
    }
}

/* ---- committing ----------------------------------------------------------------------------- */

/* engine_commit calls `done`, after which a submission is no longer ours: look at nothing in it
 * afterwards. */
static void commit(struct writer *writer, struct submission **submissions, size_t count)
{
    int64_t began = now_us();
    engine_commit(writer->engine, submissions, count);
    uint64_t took = (uint64_t)(now_us() - began);
    counter_add(&writer->metrics.groups, 1);
    counter_add(&writer->metrics.submissions, count);
    histogram_add(&writer->metrics.group_size, histogram_bounds_size, count, 1);
    histogram_add(&writer->metrics.commit_us, histogram_bounds_us, took, 1);
    writer->unsynced = true;
    if (engine_failed(writer->engine) != ERR_OK && writer->failure.err == ERR_OK) {
        (void)error_set(
            &writer->failure, engine_failed(writer->engine), "storage_failed", 0,
            "Writing to the log failed; nothing more is accepted. Look at the disk and the system log, "
            "then start again: everything that was acknowledged is there.");
    }
}

static size_t bytes_of(const struct submission *submission)
{
    size_t bytes = submission->body.length;
    for (size_t i = 0; i < submission->draft_count; i++) {
        bytes += submission->drafts[i].entry.payload.length;
    }
    return bytes;
}

/* How many of the group go into the next commit: at least one, at most WRITER_GROUP_DRAFTS entries
 * and WRITER_GROUP_BYTES, so that the first of a long queue does not wait for all of it. */
static size_t portion(struct submission *const *group, size_t count)
{
    size_t drafts = 0;
    size_t bytes = 0;
    size_t n = 0;
    for (; n < count; n++) {
        drafts += group[n]->draft_count;
        bytes += bytes_of(group[n]);
        if (n > 0 && (drafts > WRITER_GROUP_DRAFTS || bytes > WRITER_GROUP_BYTES)) {
            break;
        }
    }
    return n;
}

static void commit_group(struct writer *writer, size_t count)
{
    for (size_t at = 0; at < count;) {
        size_t n = portion(writer->group + at, count - at);
        commit(writer, writer->group + at, n);
        at += n;
    }
}

static void sync_if_due(struct writer *writer, bool now)
{
    int64_t time = now_us();
    if (writer->options.durability != DURABILITY_INTERVAL || !writer->unsynced ||
        writer->failure.err != ERR_OK || (!now && time - writer->last_sync_us < SYNC_EVERY_US)) {
        return;
    }
    struct error error = {0};
    if (engine_sync(writer->engine, &error) != ERR_OK) {
        fail(writer, &error);
    }
    writer->unsynced = false;
    writer->last_sync_us = now_us();
    counter_add(&writer->metrics.syncs, 1);
    histogram_add(&writer->metrics.sync_us, histogram_bounds_us,
                  (uint64_t)(writer->last_sync_us - time), 1);
}

/* ---- errands of the background thread
 * -------------------------------------------------------------- */

/* A failed write of the checkpoint is as final as one of the log; a full disk is not. */
static void after_failure(struct writer *writer, const struct error *error)
{
    if (error->err == ERR_NO_SPACE || error->err == ERR_MEMORY || error->err == ERR_BUSY) {
        writer->not_before_us = now_us() + RETRY_AFTER_US;
    } else {
        fail(writer, error);
    }
}

static void begin_checkpoint(struct writer *writer)
{
    struct error error = {0};
    struct engine_stats stats;
    engine_stats(writer->engine, &stats);
    if (engine_checkpoint_begin(writer->engine, &writer->snapshot, &error) != ERR_OK) {
        counter_add(&writer->metrics.checkpoint_failures, 1);
        after_failure(writer, &error);
        return;
    }
    writer->snapshot_sequence = stats.applied_sequence;
    writer->errand = ERRAND_CHECKPOINT;
    writer->errand_began_us = now_us();
    background_checkpoint(writer->background, writer->snapshot);
}

static void end_checkpoint(struct writer *writer, err outcome, const struct error *error)
{
    engine_checkpoint_end(writer->engine, writer->snapshot, outcome == ERR_OK);
    writer->snapshot = NULL;
    writer->last_checkpoint_us = now_us();
    if (outcome == ERR_OK) {
        writer->written_sequence = writer->snapshot_sequence;
        counter_add(&writer->metrics.checkpoints, 1);
        histogram_add(&writer->metrics.checkpoint_us, histogram_bounds_us,
                      (uint64_t)(writer->last_checkpoint_us - writer->errand_began_us), 1);
    } else {
        counter_add(&writer->metrics.checkpoint_failures, 1);
        after_failure(writer, error);
    }
}

static void ignore_done(struct submission *submission)
{
    (void)submission;
}

static void end_scrub(struct writer *writer, err outcome, const struct error *error)
{
    if (outcome != ERR_OK) {
        after_failure(writer, error);
        return;
    }
    struct submission finished = {
        .kind = SUBMIT_ERASE_DONE, .sequence = writer->scrub_sequence, .done = ignore_done};
    struct submission *one = &finished;
    commit(writer, &one, 1);
    if (finished.err != ERR_OK) {
        after_failure(writer, &finished.error);
    }
    counter_add(&writer->metrics.erasures, 1);
}

static void collect_errand(struct writer *writer)
{
    err outcome = ERR_OK;
    struct error error = {0};
    if (writer->errand == ERRAND_NONE ||
        !background_finished(writer->background, &outcome, &error)) {
        return;
    }
    error.err = outcome;
    enum errand errand = writer->errand;
    writer->errand = ERRAND_NONE;
    if (errand == ERRAND_CHECKPOINT) {
        end_checkpoint(writer, outcome, &error);
    } else {
        end_scrub(writer, outcome, &error);
    }
}

static bool checkpoint_due(const struct writer *writer)
{
    uint64_t lag = engine_checkpoint_lag(writer->engine);
    if (lag == 0) {
        return false;
    }
    int64_t age_us = now_us() - writer->last_checkpoint_us;
    return lag >= writer->options.checkpoint_entries ||
           age_us >= (int64_t)writer->options.checkpoint_seconds * 1000000;
}

static void send_on_errand(struct writer *writer)
{
    if (writer->errand != ERRAND_NONE || writer->failure.err != ERR_OK ||
        now_us() < writer->not_before_us) {
        return;
    }
    uint64_t sequence = 0;
    if (engine_erasure_next(writer->engine, &sequence)) {
        if (sequence > writer->written_sequence) {
            begin_checkpoint(writer);
        } else {
            writer->errand = ERRAND_SCRUB;
            writer->scrub_sequence = sequence;
            background_scrub(writer->background, writer->engine, sequence);
        }
    } else if (checkpoint_due(writer)) {
        begin_checkpoint(writer);
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void finish_up(struct writer *writer)
{
    while (writer->errand != ERRAND_NONE) {
        background_wait(writer->background);
        collect_errand(writer);
    }
    sync_if_due(writer, true);
    struct error error = {0};
    if (writer->failure.err == ERR_OK && engine_checkpoint_lag(writer->engine) > 0 &&
        engine_checkpoint(writer->engine, &error) != ERR_OK && error.err != ERR_NO_SPACE) {
        fail(writer, &error);
    }
}

err writer_run(struct writer *writer, struct engine *engine, struct error *error)
{
    struct engine_stats stats;
    engine_stats(engine, &stats);
    writer->engine = engine;
    writer->written_sequence = stats.checkpoint_sequence;
    writer->last_sync_us = writer->last_checkpoint_us = now_us();
    for (;;) {
        size_t count = queue_pop_many(writer->queue, (void **)writer->group,
                                      WRITER_GROUP_SUBMISSIONS, HOUSEKEEPING_US);
        if (count > 0) {
            commit_group(writer, count);
        }
        sync_if_due(writer, false);
        collect_errand(writer);
        send_on_errand(writer);
        /* After a failure the engine answers every submission at once; the owner closes the
         * queue. */
        if (count == 0 && queue_closed(writer->queue) && queue_length(writer->queue) == 0) {
            break;
        }
        if (writer->failure.err != ERR_OK && !queue_closed(writer->queue)) {
            queue_close(writer->queue);
        }
    }
    finish_up(writer);
    if (writer->failure.err != ERR_OK && error != NULL) {
        *error = writer->failure;
    }
    return writer->failure.err;
}
