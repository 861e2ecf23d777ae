#include "profile_loader.h"

#include <pthread.h>

#include "internal.h"

enum { BATCH_BLOBS = 512, RING_BATCHES = 8, LINKS = 256 };

struct batch {
    const void *blobs[BATCH_BLOBS];
    size_t count;
};

struct stage {
    struct profile_loader *loader;
    err (*index)(struct profile_loader *loader, const struct batch *batch);
    pthread_t thread;
    bool threaded;
    uint64_t done; /* batches; under the lock */
    err err;       /* under the lock; nothing is indexed after it */
};

enum { STAGE_IDENTIFIERS, STAGE_VALUES, STAGE_COUNT };

/* Batch number n lies in ring[n % RING_BATCHES] until every stage has done it. */
struct profile_loader {
    struct engine *engine;
    struct stage stages[STAGE_COUNT];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t filled;                     /* batches; under the lock */
    bool ended;                          /* under the lock */
    struct identifier_link links[LINKS]; /* the identifiers' stage's own */
    size_t link_count;
    struct batch ring[RING_BATCHES];
};

/* ---- the two stages ---- */

static err add_links(struct profile_loader *loader)
{
    err e =
        identifier_table_add_many(loader->engine->identifiers, loader->links, loader->link_count);
    loader->link_count = 0;
    return e;
}

static err add_identifiers_of(struct profile_loader *loader, const void *blob)
{
    struct engine *engine = loader->engine;
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_identifiers(&view);
    err e = ERR_OK;
    for (struct profile_identifier item; e == ERR_OK && profile_identifier_next(&cursor, &item);) {
        if (item.moved) {
            e = remember_moved(engine, item.type, item.value, view.number);
            continue;
        }
        uint64_t hash = identifier_hash(engine->identifiers, item.type, item.value);
        loader->links[loader->link_count++] = (struct identifier_link){hash, view.number};
        if (loader->link_count == LINKS) {
            e = add_links(loader);
        }
    }
    return e;
}

static err index_identifiers(struct profile_loader *loader, const struct batch *batch)
{
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < batch->count; i++) {
        e = add_identifiers_of(loader, batch->blobs[i]);
    }
    return e == ERR_OK ? add_links(loader) : e;
}

static err index_values(struct profile_loader *loader, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        index_loaded_values(loader->engine, batch->blobs[i]);
    }
    return ERR_OK;
}

/* ---- threads ---- */

static const struct batch *next_batch(struct stage *stage)
{
    struct profile_loader *loader = stage->loader;
    pthread_mutex_lock(&loader->lock);
    while (stage->done == loader->filled && !loader->ended) {
        pthread_cond_wait(&loader->changed, &loader->lock);
    }
    bool some = stage->done < loader->filled;
    const struct batch *batch = some ? &loader->ring[stage->done % RING_BATCHES] : NULL;
    pthread_mutex_unlock(&loader->lock);
    return batch;
}

static void finish_batch(struct stage *stage, err e)
{
    struct profile_loader *loader = stage->loader;
    pthread_mutex_lock(&loader->lock);
    stage->done++;
    stage->err = stage->err == ERR_OK ? e : stage->err;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

static void *run_stage(void *context)
{
    struct stage *stage = context;
    err e = ERR_OK;
    for (const struct batch *batch; (batch = next_batch(stage)) != NULL;) {
        e = e == ERR_OK ? stage->index(stage->loader, batch) : e;
        finish_batch(stage, e);
    }
    return NULL;
}

/* Until there is a free place in the ring; says whether to go on. */
static err wait_for_room(struct profile_loader *loader)
{
    err e = ERR_OK;
    pthread_mutex_lock(&loader->lock);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        while (loader->filled - loader->stages[i].done == RING_BATCHES) {
            pthread_cond_wait(&loader->changed, &loader->lock);
        }
        e = e == ERR_OK ? loader->stages[i].err : e;
    }
    pthread_mutex_unlock(&loader->lock);
    return e;
}

/* The batch being filled goes to the stages; those without a thread do it here. */
static err hand_over(struct profile_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    const struct batch *batch = &loader->ring[loader->filled % RING_BATCHES];
    loader->filled++;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        if (!loader->stages[i].threaded) {
            finish_batch(&loader->stages[i], loader->stages[i].index(loader, batch));
        }
    }
    err e = wait_for_room(loader);
    loader->ring[loader->filled % RING_BATCHES].count = 0;
    return e;
}

/* ---- the interface ---- */

err profile_loader_create(struct engine *engine, unsigned threads, struct profile_loader **out)
{
    struct profile_loader *loader = memory_zalloc(sizeof *loader);
    if (loader == NULL) {
        return ERR_MEMORY;
    }
    loader->engine = engine;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    loader->stages[STAGE_IDENTIFIERS].index = index_identifiers;
    loader->stages[STAGE_VALUES].index = index_values;
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        struct stage *stage = &loader->stages[i];
        stage->loader = loader;
        stage->threaded =
            i < threads && pthread_create(&stage->thread, NULL, run_stage, stage) == 0;
    }
    *out = loader;
    return ERR_OK;
}

err profile_loader_add(struct profile_loader *loader, const void *blob)
{
    struct batch *batch = &loader->ring[loader->filled % RING_BATCHES];
    batch->blobs[batch->count++] = blob;
    return batch->count == BATCH_BLOBS ? hand_over(loader) : ERR_OK;
}

err profile_loader_finish(struct profile_loader *loader)
{
    if (loader == NULL) {
        return ERR_OK;
    }
    err e = hand_over(loader);
    pthread_mutex_lock(&loader->lock);
    loader->ended = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        struct stage *stage = &loader->stages[i];
        if (stage->threaded) {
            pthread_join(stage->thread, NULL);
        }
        e = e == ERR_OK ? stage->err : e;
    }
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    memory_free(loader);
    return e;
}
