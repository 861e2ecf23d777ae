/* identifier_table.h: (type, value) ─▶ person number, at 8 bytes a slot.
 *
 *   hash64(type, value) ─┬─ low 10 bits ──▶ shard (each grows alone, so a growth stalls nobody for long)
 *                        └─ high 32 bits ─▶ slot: [ 32 bits of hash | 32 bits of person number ], linear probing
 *
 * The keys are not stored: the profile the number leads to holds them, and the caller's `match`
 * looks there. A number may have been merged away; the caller follows it with identity_find.
 * Several identifiers with equal hash bits are fine. A shard's slots are in the order of their 32
 * bits ("ordered hash table"; Amble & Knuth 1974), so a search that finds nothing ends as soon as
 * one that does, and a removal leaves no tombstone.
 *
 * Threading: find and prefetch share; the rest excludes. Failure: ERR_MEMORY, nothing changed. */
#ifndef KINDRED_INDEX_IDENTIFIER_TABLE_H
#define KINDRED_INDEX_IDENTIFIER_TABLE_H

#include "base/err.h"
#include "base/slice.h"

enum { PERSON_NONE = 0 }; /* person numbers begin at 1 */

struct identifier_table;

/* seed: per process, random; the table is never stored. Owned by caller. */
struct identifier_table *identifier_table_create(uint64_t seed) MUST_USE;
void identifier_table_destroy(struct identifier_table *table);
/* Room for this many without growing (start-up). */
err identifier_table_reserve(struct identifier_table *table, uint64_t count) MUST_USE;

uint64_t identifier_hash(const struct identifier_table *table, uint8_t type, struct slice value);

/* The number of the first slot with this hash for which match says yes; PERSON_NONE when there is
 * none. match is asked only where the 32 bits agree. A NULL match takes the first such slot: a
 * guess, good for prefetching what it leads to. */
uint32_t identifier_table_find(const struct identifier_table *table, uint64_t hash,
                               bool (*match)(void *context, uint32_t number), void *context);
/* Start the memory load of the slot; for batches (prefetch all, then find all). */
void identifier_table_prefetch(const struct identifier_table *table, uint64_t hash);

/* The caller knows that it is absent. ERR_MEMORY. */
err identifier_table_add(struct identifier_table *table, uint64_t hash, uint32_t number) MUST_USE;
/* Many of them (start-up), whose cache misses overlap; at most some hundred a call, or the first
 * are gone from the cache again. After ERR_MEMORY some of them are in. */
struct identifier_link {
    uint64_t hash;
    uint32_t number;
};
err identifier_table_add_many(struct identifier_table *table, const struct identifier_link *links,
                              size_t count) MUST_USE;
/* The slot (hash, old) now leads to `number`. False when there is no such slot. */
bool identifier_table_replace(struct identifier_table *table, uint64_t hash, uint32_t old,
                              uint32_t number);
bool identifier_table_remove(struct identifier_table *table, uint64_t hash, uint32_t number);

uint64_t identifier_table_count(const struct identifier_table *table);
uint64_t identifier_table_memory_bytes(const struct identifier_table *table);
/* Every slot reachable, counts right. */
bool identifier_table_validate(const struct identifier_table *table, const char **reason);

#endif
