/* arena.h: memory that is freed all at once.
 *
 * One arena per request or per batch: everything made while answering it comes from here, and
 * arena_reset at the reply gives it back in one step. Blocks are kept for the next request, up to
 * `keep_bytes`; an arena never grows beyond `max_bytes` (its maximum at birth).
 *
 * Threading: one thread at a time.
 * Failure: arena_alloc returns NULL when the maximum or the heap is reached. */
#ifndef KINDRED_BASE_ARENA_H
#define KINDRED_BASE_ARENA_H

#include <stddef.h>

#include "base/check.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *head; /* the block being filled; older ones behind it */
    size_t used_bytes;        /* in the head block */
    size_t total_bytes;       /* capacity of all blocks */
    size_t max_bytes;
    size_t keep_bytes;
};

/* Holds no memory until the first allocation. */
void arena_init(struct arena *arena, size_t max_bytes);
void arena_deinit(struct arena *arena);

/* Everything handed out becomes invalid; one block of at most keep_bytes (64 KiB) stays. */
void arena_reset(struct arena *arena);

/* Aligned for any type; borrowed until the next arena_reset or arena_deinit. A size of 0 gives a
 * valid, distinct pointer. */
void *arena_alloc(struct arena *arena, size_t size_bytes) MUST_USE;
void *arena_zalloc(struct arena *arena, size_t size_bytes) MUST_USE;

/* A copy of the bytes (with a NUL behind them); data is NULL when memory is out. */
struct slice arena_copy(struct arena *arena, struct slice bytes) MUST_USE;

#endif
