/* verdict_cache.h: verdicts on their way from those who classify to the writer.
 *
 *   text ─hash─▶ shard (a lock of its own) ─▶ set of 8 slots, the oldest of which gives way
 *
 * A fixed number of slots; a verdict that is lost is asked for again. Holds words of people: what
 * leaves it is overwritten.
 *
 * Threading: any. Failure: without memory a verdict is not kept. */
#ifndef KINDRED_ENGINE_VERDICT_CACHE_H
#define KINDRED_ENGINE_VERDICT_CACHE_H

#include "base/check.h"
#include "classifier/classifier.h"

struct verdict_cache;

/* slots is rounded up. NULL: no memory. */
struct verdict_cache *verdict_cache_create(size_t slots, uint64_t seed) MUST_USE;
void verdict_cache_destroy(struct verdict_cache *cache);

void verdict_cache_put(struct verdict_cache *cache, struct slice phrase,
                       const struct verdict *verdict);
/* out may be NULL. */
bool verdict_cache_find(struct verdict_cache *cache, struct slice phrase, struct verdict *out);
/* The same, and it is gone from the cache. */
bool verdict_cache_take(struct verdict_cache *cache, struct slice phrase, struct verdict *out);
void verdict_cache_clear(struct verdict_cache *cache);
/* Cheap. */
size_t verdict_cache_count(const struct verdict_cache *cache);
void verdict_cache_counters(const struct verdict_cache *cache, uint64_t *offered,
                            uint64_t *evicted);

#endif
