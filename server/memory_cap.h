/* memory_cap.h: how much memory is in use, and the mark from which nothing more is taken in.
 *
 *            0 ────────────── 15/16 of the cap ──────── the cap ──────── 17/16 of it ────────▶ in use
 *   FINE     everything                                  │
 *   FULL     └───────────── from here on again ◀─────────┘ what adds data gets 507, bodies under way too
 *   OVER                                                               clients that do not read are cut off, too
 *
 * Reads, erasures and deletions go on at every level.
 *
 * In use is what cannot be given back: jemalloc's pages with live blocks on them ("stats.active")
 * and its own tables. Not counted: free pages that it has not returned yet, and LMDB's map, which
 * is the kernel's file cache and shrinks by itself. Request bodies, uploads and unread answers are
 * live blocks like profiles: so many slow clients cannot pass the cap either. Without jemalloc
 * (sanitizers): resident anonymous memory.
 *
 * Sampled four times a second, and whenever a worker has read MEMORY_CAP_READ_BYTES since: memory
 * grows by what is read. So the cap may be passed by what a few MiB of input become, and by a table
 * that doubles in between.
 *
 * Threading: any. */
#ifndef KINDRED_SERVER_MEMORY_CAP_H
#define KINDRED_SERVER_MEMORY_CAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MEMORY_CAP_READ_BYTES = 1024 * 1024 };
/* Less holds not even the workers' buffers. */
static const uint64_t MEMORY_CAP_LEAST_BYTES = 16ull * 1024 * 1024;

enum memory_level { MEMORY_FINE, MEMORY_FULL, MEMORY_OVER };

struct memory_cap {
    uint64_t max_bytes; /* 0: none */
    _Atomic uint64_t used_bytes;
    _Atomic int level;
    _Atomic uint64_t times_full; /* how often FINE became FULL */
    _Atomic uint64_t refused;    /* requests that got 507 for it */
    _Atomic bool sampling;
};

void memory_cap_init(struct memory_cap *cap, uint64_t max_bytes);
/* Measures; a few microseconds. */
void memory_cap_sample(struct memory_cap *cap);
/* What a sample does with its figure. */
void memory_cap_note(struct memory_cap *cap, uint64_t used_bytes);

static inline enum memory_level memory_cap_level(const struct memory_cap *cap)
{
    return (enum memory_level)atomic_load_explicit(&cap->level, memory_order_relaxed);
}

/* Four fifths of what this process may have: the machine's memory or, if that is less, its control
 * group's. */
uint64_t memory_cap_default_bytes(void);

#endif
