/* store_classify.c: interests that nobody has classified yet, in a folder that a command has
 * opened. */
#include <stdio.h>

#include "base/memory.h"
#include "commands/progress.h"
#include "commands/store.h"
#include "engine/interests.h"

enum { TEXT_BYTES_MAX = 1024 * 1024 };

struct job {
    const struct classifier *classifier;
    struct engine *engine;
    struct model_scratch scratch;
    struct arena arena;
    struct slice texts[VERDICT_BATCH];
    struct phrase_verdict items[VERDICT_BATCH];
};

static void ignore_done(struct submission *submission)
{
    (void)submission;
}

static err classify_batch(struct job *job, size_t count, struct error *error)
{
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    for (size_t at = 0; at < count; at += CLASSIFIER_BATCH_MAX) {
        size_t part = count - at < CLASSIFIER_BATCH_MAX ? count - at : CLASSIFIER_BATCH_MAX;
        job->classifier->classify(job->classifier->context, job->scratch.at, job->texts + at, part,
                                  verdicts);
        for (size_t i = 0; i < part; i++) {
            job->items[at + i] = (struct phrase_verdict){job->texts[at + i], verdicts[i]};
        }
    }
    struct submission submission = {.kind = SUBMIT_VERDICTS,
                                    .verdicts = job->items,
                                    .verdict_count = count,
                                    .done = ignore_done};
    struct submission *one = &submission;
    engine_commit(job->engine, &one, 1);
    *error = submission.error;
    return submission.err;
}

err store_classify_pending(struct store *store, bool (*interrupted)(void), struct error *error)
{
    struct engine_stats stats;
    engine_stats(store->engine, &stats);
    if (store->model.classifier == NULL || stats.phrases_pending == 0) {
        return ERR_OK;
    }
    struct progress progress;
    err e = ERR_OK;
    uint32_t cursor = 0;
    uint64_t done = 0;
    size_t count = 0;
    struct job *job = memory_zalloc(sizeof *job);
    if (job == NULL || !model_scratch_make(store->model.classifier, &job->scratch)) {
        memory_free(job);
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory to classify interests.");
    }
    job->classifier = store->model.classifier;
    job->engine = store->engine;
    arena_init(&job->arena, TEXT_BYTES_MAX);
    progress_begin(&progress, "interests", "classified", stats.phrases_pending);
    while (e == ERR_OK && (interrupted == NULL || !interrupted()) &&
           (count = engine_pending_phrases(job->engine, &cursor, &job->arena, job->texts,
                                           VERDICT_BATCH)) > 0) {
        e = classify_batch(job, count, error);
        done += count;
        progress_update(&progress, done, done);
        arena_reset(&job->arena);
    }
    progress_end(&progress);
    arena_deinit(&job->arena);
    memory_free(job->scratch.block);
    memory_free(job);
    return e;
}
