#include "background.h"

#include <pthread.h>

#include "base/memory.h"
#include "thread_rank.h"

enum work { WORK_NONE, WORK_CHECKPOINT, WORK_SCRUB, WORK_QUIT };

struct background {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t begun;
    pthread_cond_t done;
    struct queue *wake;
    /* ---- under the mutex ---- */
    enum work work; /* WORK_NONE while idle or done */
    bool finished;
    struct engine_snapshot *snapshot;
    struct engine *engine;
    uint64_t erasure;
    err outcome;
    struct error error;
};

static void *run(void *argument)
{
    struct background *background = argument;
    thread_begin("background", RANK_BEHIND);
    pthread_mutex_lock(&background->mutex);
    for (;;) {
        while (background->work == WORK_NONE) {
            pthread_cond_wait(&background->begun, &background->mutex);
        }
        enum work work = background->work;
        if (work == WORK_QUIT) {
            break;
        }
        pthread_mutex_unlock(&background->mutex);
        struct error error = {0};
        err outcome = work == WORK_CHECKPOINT
                          ? engine_checkpoint_write(background->snapshot, &error)
                          : engine_erasure_scrub(background->engine, background->erasure, &error);
        pthread_mutex_lock(&background->mutex);
        background->outcome = outcome;
        background->error = error;
        background->work = WORK_NONE;
        background->finished = true;
        pthread_cond_signal(&background->done);
        queue_wake(background->wake);
    }
    pthread_mutex_unlock(&background->mutex);
    return NULL;
}

struct background *background_create(struct queue *wake)
{
    struct background *background = memory_zalloc(sizeof *background);
    if (background == NULL) {
        return NULL;
    }
    background->wake = wake;
    pthread_mutex_init(&background->mutex, NULL);
    pthread_cond_init(&background->begun, NULL);
    pthread_cond_init(&background->done, NULL);
    if (pthread_create(&background->thread, NULL, run, background) != 0) {
        memory_free(background);
        return NULL;
    }
    return background;
}

static void begin(struct background *background, enum work work)
{
    CHECK(background->work == WORK_NONE && !background->finished);
    background->work = work;
    pthread_cond_signal(&background->begun);
}

void background_destroy(struct background *background)
{
    if (background == NULL) {
        return;
    }
    pthread_mutex_lock(&background->mutex);
    background->finished = false;
    begin(background, WORK_QUIT);
    pthread_mutex_unlock(&background->mutex);
    pthread_join(background->thread, NULL);
    pthread_mutex_destroy(&background->mutex);
    pthread_cond_destroy(&background->begun);
    pthread_cond_destroy(&background->done);
    memory_free(background);
}

void background_checkpoint(struct background *background, struct engine_snapshot *snapshot)
{
    pthread_mutex_lock(&background->mutex);
    background->snapshot = snapshot;
    begin(background, WORK_CHECKPOINT);
    pthread_mutex_unlock(&background->mutex);
}

void background_scrub(struct background *background, struct engine *engine, uint64_t erasure)
{
    pthread_mutex_lock(&background->mutex);
    background->engine = engine;
    background->erasure = erasure;
    begin(background, WORK_SCRUB);
    pthread_mutex_unlock(&background->mutex);
}

bool background_finished(struct background *background, err *outcome, struct error *error)
{
    pthread_mutex_lock(&background->mutex);
    bool finished = background->finished;
    if (finished) {
        *outcome = background->outcome;
        *error = background->error;
        background->finished = false;
    }
    pthread_mutex_unlock(&background->mutex);
    return finished;
}

void background_wait(struct background *background)
{
    pthread_mutex_lock(&background->mutex);
    while (!background->finished) {
        pthread_cond_wait(&background->done, &background->mutex);
    }
    pthread_mutex_unlock(&background->mutex);
}
