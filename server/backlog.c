#include "backlog.h"

#include <pthread.h>
#include <time.h>

#include "base/memory.h"
#include "engine/interests.h"
#include "thread_rank.h"

enum { TEXT_BYTES_MAX = 1024 * 1024, QUEUE_FULL_WAIT_MS = 5 };

struct backlog {
    const struct classifier *classifier;
    struct gate *gate;
    size_t slot;
    struct writer *writer;
    struct engine *engine;
    struct model_scratch scratch;
    struct arena arena; /* the texts of one batch */
    uint32_t cursor;
    struct slice texts[VERDICT_BATCH];
    struct phrase_verdict items[VERDICT_BATCH];
    struct backlog_metrics metrics;
    pthread_t thread;
    bool runs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* ---- under the mutex ---- */
    bool stopping;
    bool kicked;
    bool submission_done;
};

struct backlog *backlog_create(const struct classifier *classifier, struct gate *gate, size_t slot,
                               struct writer *writer)
{
    struct backlog *backlog = memory_zalloc(sizeof *backlog);
    if (backlog == NULL) {
        return NULL;
    }
    backlog->classifier = classifier;
    backlog->gate = gate;
    backlog->slot = slot;
    backlog->writer = writer;
    arena_init(&backlog->arena, TEXT_BYTES_MAX);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&backlog->mutex, NULL);
    pthread_cond_init(&backlog->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (!model_scratch_make(classifier, &backlog->scratch)) {
        backlog_destroy(backlog);
        return NULL;
    }
    return backlog;
}

void backlog_destroy(struct backlog *backlog)
{
    if (backlog == NULL) {
        return;
    }
    arena_deinit(&backlog->arena);
    memory_free(backlog->scratch.block);
    pthread_mutex_destroy(&backlog->mutex);
    pthread_cond_destroy(&backlog->changed);
    memory_free(backlog);
}

const struct backlog_metrics *backlog_metrics(const struct backlog *backlog)
{
    return &backlog->metrics;
}

void backlog_kick(struct backlog *backlog)
{
    if (backlog != NULL) {
        pthread_mutex_lock(&backlog->mutex);
        backlog->kicked = true;
        pthread_cond_broadcast(&backlog->changed);
        pthread_mutex_unlock(&backlog->mutex);
    }
}

/* ---- waiting -------------------------------------------------------------------------------- */

static bool is_stopping(struct backlog *backlog)
{
    pthread_mutex_lock(&backlog->mutex);
    bool stopping = backlog->stopping;
    pthread_mutex_unlock(&backlog->mutex);
    return stopping;
}

/* Until the time has passed, a kick, or the end. True: there was a kick. */
static bool wait_ms(struct backlog *backlog, int64_t milliseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)milliseconds * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&backlog->mutex);
    int late = 0;
    while (!backlog->stopping && !backlog->kicked && late == 0) {
        late = pthread_cond_timedwait(&backlog->changed, &backlog->mutex, &until);
    }
    bool kicked = backlog->kicked;
    backlog->kicked = false;
    pthread_mutex_unlock(&backlog->mutex);
    return kicked;
}

static void on_done(struct submission *submission)
{
    struct backlog *backlog = submission->owner;
    pthread_mutex_lock(&backlog->mutex);
    backlog->submission_done = true;
    pthread_cond_broadcast(&backlog->changed);
    pthread_mutex_unlock(&backlog->mutex);
}

/* ---- a batch -------------------------------------------------------------------------------- */

static size_t take_pending(struct backlog *backlog)
{
    arena_reset(&backlog->arena);
    gate_enter(backlog->gate, backlog->slot);
    size_t count = engine_pending_phrases(backlog->engine, &backlog->cursor, &backlog->arena,
                                          backlog->texts, VERDICT_BATCH);
    gate_leave(backlog->gate, backlog->slot);
    return count;
}

/* False: it shall end. */
static bool classify(struct backlog *backlog, size_t count)
{
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    for (size_t at = 0; at < count; at += CLASSIFIER_BATCH_MAX) {
        size_t part = count - at < CLASSIFIER_BATCH_MAX ? count - at : CLASSIFIER_BATCH_MAX;
        int64_t began_us = clock_monotonic_us(&system_clock);
        backlog->classifier->classify(backlog->classifier->context, backlog->scratch.at,
                                      backlog->texts + at, part, verdicts);
        histogram_add(&backlog->metrics.classify_us, histogram_bounds_us,
                      (uint64_t)(clock_monotonic_us(&system_clock) - began_us), 1);
        counter_add(&backlog->metrics.classified, part);
        for (size_t i = 0; i < part; i++) {
            backlog->items[at + i] = (struct phrase_verdict){backlog->texts[at + i], verdicts[i]};
        }
        if (is_stopping(backlog)) {
            return false;
        }
    }
    return true;
}

/* False: writing is over. */
static bool submit(struct backlog *backlog, size_t count)
{
    struct submission submission = {.kind = SUBMIT_VERDICTS,
                                    .verdicts = backlog->items,
                                    .verdict_count = count,
                                    .done = on_done,
                                    .owner = backlog};
    err e = ERR_OK;
    backlog->submission_done = false;
    while ((e = writer_submit(backlog->writer, &submission)) == ERR_BUSY && !is_stopping(backlog)) {
        (void)wait_ms(backlog, QUEUE_FULL_WAIT_MS);
    }
    if (e != ERR_OK) {
        return false;
    }
    pthread_mutex_lock(&backlog->mutex);
    while (!backlog->submission_done) {
        pthread_cond_wait(&backlog->changed, &backlog->mutex);
    }
    pthread_mutex_unlock(&backlog->mutex);
    counter_add(&backlog->metrics.batches, 1);
    /* Out of memory passes: the phrases are still pending. */
    return submission.err == ERR_OK || submission.err == ERR_MEMORY;
}

static void *run(void *argument)
{
    struct backlog *backlog = argument;
    int64_t pause_ms = BACKLOG_WAIT_MIN_MS;
    thread_begin("backlog", RANK_BEHIND);
    while (!is_stopping(backlog)) {
        size_t count = take_pending(backlog);
        if (count > 0) {
            pause_ms = BACKLOG_WAIT_MIN_MS;
            if (!classify(backlog, count) || !submit(backlog, count)) {
                break;
            }
        } else if (wait_ms(backlog, pause_ms)) {
            pause_ms = BACKLOG_WAIT_MIN_MS;
        } else {
            pause_ms = pause_ms * 2 < BACKLOG_WAIT_MAX_MS ? pause_ms * 2 : BACKLOG_WAIT_MAX_MS;
        }
    }
    return NULL;
}

bool backlog_start(struct backlog *backlog, struct engine *engine)
{
    backlog->engine = engine;
    backlog->runs = pthread_create(&backlog->thread, NULL, run, backlog) == 0;
    return backlog->runs;
}

void backlog_stop(struct backlog *backlog)
{
    pthread_mutex_lock(&backlog->mutex);
    backlog->stopping = true;
    pthread_cond_broadcast(&backlog->changed);
    pthread_mutex_unlock(&backlog->mutex);
    if (backlog->runs) {
        pthread_join(backlog->thread, NULL);
        backlog->runs = false;
    }
}
