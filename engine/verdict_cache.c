#include "verdict_cache.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "base/memory.h"

enum { SHARDS = 64, WAYS = 8 };

struct kept {
    uint64_t hash;
    struct verdict verdict;
    uint32_t length;
    char text[];
};

struct set {
    struct kept *ways[WAYS];
    uint32_t oldest; /* of the ways, taken in turn */
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct set *sets;
};

struct verdict_cache {
    uint64_t seed;
    size_t set_mask; /* sets of a shard */
    _Atomic size_t count;
    _Atomic uint64_t offered, evicted;
    struct shard *shards;
    void *block;
};

struct verdict_cache *verdict_cache_create(size_t slots, uint64_t seed)
{
    size_t sets = 1;
    while (sets * SHARDS * WAYS < slots) {
        sets *= 2;
    }
    struct verdict_cache *cache = memory_zalloc(sizeof *cache);
    if (cache == NULL) {
        return NULL;
    }
    cache->seed = seed;
    cache->set_mask = sets - 1;
    cache->block = memory_zalloc((SHARDS + 1) * sizeof *cache->shards);
    struct set *all = memory_zalloc(SHARDS * sets * sizeof *all);
    if (cache->block == NULL || all == NULL) {
        memory_free(all);
        memory_free(cache->block);
        memory_free(cache);
        return NULL;
    }
    const uintptr_t line = _Alignof(struct shard);
    cache->shards = (struct shard *)(((uintptr_t)cache->block + line - 1) / line * line);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&cache->shards[i].lock, NULL);
        cache->shards[i].sets = all + i * sets;
    }
    return cache;
}

static void drop(struct verdict_cache *cache, struct kept **way)
{
    if (*way != NULL) {
        explicit_bzero(*way, sizeof **way + (*way)->length);
        memory_free(*way);
        *way = NULL;
        atomic_fetch_sub_explicit(&cache->count, 1, memory_order_relaxed);
    }
}

void verdict_cache_clear(struct verdict_cache *cache)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (size_t set = 0; set <= cache->set_mask && verdict_cache_count(cache) > 0; set++) {
            for (size_t way = 0; way < WAYS; way++) {
                drop(cache, &shard->sets[set].ways[way]);
            }
        }
        pthread_mutex_unlock(&shard->lock);
    }
}

void verdict_cache_destroy(struct verdict_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    verdict_cache_clear(cache);
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
    memory_free(cache->shards[0].sets);
    memory_free(cache->block);
    memory_free(cache);
}

static struct shard *shard_of(const struct verdict_cache *cache, uint64_t hash)
{
    return &cache->shards[hash >> 58];
}

static struct kept **find_way(const struct verdict_cache *cache, uint64_t hash, struct slice phrase)
{
    struct set *set = &shard_of(cache, hash)->sets[hash & cache->set_mask];
    for (size_t i = 0; i < WAYS; i++) {
        struct kept *kept = set->ways[i];
        if (kept != NULL && kept->hash == hash &&
            slice_equal(slice_of(kept->text, kept->length), phrase)) {
            return &set->ways[i];
        }
    }
    return NULL;
}

static struct kept **free_way(struct verdict_cache *cache, uint64_t hash)
{
    struct set *set = &shard_of(cache, hash)->sets[hash & cache->set_mask];
    for (size_t i = 0; i < WAYS; i++) {
        if (set->ways[i] == NULL) {
            return &set->ways[i];
        }
    }
    struct kept **way = &set->ways[set->oldest++ % WAYS];
    drop(cache, way);
    atomic_fetch_add_explicit(&cache->evicted, 1, memory_order_relaxed);
    return way;
}

void verdict_cache_put(struct verdict_cache *cache, struct slice phrase,
                       const struct verdict *verdict)
{
    if (phrase.length > UINT32_MAX / 2) {
        return;
    }
    struct kept *made = memory_alloc(sizeof *made + phrase.length + 1);
    if (made == NULL) {
        return;
    }
    const uint64_t hash = hash64(phrase, cache->seed);
    made->hash = hash;
    made->verdict = *verdict;
    made->length = (uint32_t)phrase.length;
    memcpy(made->text, phrase.data, phrase.length);
    struct shard *shard = shard_of(cache, hash);
    pthread_mutex_lock(&shard->lock);
    struct kept **way = find_way(cache, hash, phrase);
    if (way != NULL) {
        drop(cache, way);
    } else {
        way = free_way(cache, hash);
    }
    *way = made;
    atomic_fetch_add_explicit(&cache->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&cache->offered, 1, memory_order_relaxed);
    pthread_mutex_unlock(&shard->lock);
}

static bool look_up(struct verdict_cache *cache, struct slice phrase, struct verdict *out,
                    bool take)
{
    if (verdict_cache_count(cache) == 0) {
        return false;
    }
    const uint64_t hash = hash64(phrase, cache->seed);
    struct shard *shard = shard_of(cache, hash);
    pthread_mutex_lock(&shard->lock);
    struct kept **way = find_way(cache, hash, phrase);
    const bool found = way != NULL;
    if (found && out != NULL) {
        *out = (*way)->verdict;
    }
    if (found && take) {
        drop(cache, way);
    }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

bool verdict_cache_find(struct verdict_cache *cache, struct slice phrase, struct verdict *out)
{
    return look_up(cache, phrase, out, false);
}

bool verdict_cache_take(struct verdict_cache *cache, struct slice phrase, struct verdict *out)
{
    return look_up(cache, phrase, out, true);
}

size_t verdict_cache_count(const struct verdict_cache *cache)
{
    return atomic_load_explicit(&cache->count, memory_order_relaxed);
}

void verdict_cache_counters(const struct verdict_cache *cache, uint64_t *offered, uint64_t *evicted)
{
    *offered = atomic_load_explicit(&cache->offered, memory_order_relaxed);
    *evicted = atomic_load_explicit(&cache->evicted, memory_order_relaxed);
}
