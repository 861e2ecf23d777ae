/* people.h: who there is. Dense person numbers, the union-find over them, and each person's profile blob.
 *
 *   number ─▶ parent (0: a root) ─▶ … ─▶ root ─▶ blob
 *
 * Numbers begin at 1, are given out in order and never again. Merging links the smaller tree under the larger
 * (union by size; Tarjan & van Leeuwen 1984), so a find takes at most log2(n) steps; the writer halves paths as it
 * goes, readers do not write. Pages of 64 Ki entries, so that growing moves nothing a reader may be looking at.
 *
 * A blob that is replaced may still be needed by a checkpoint that is being written. people_replace therefore
 * hands the old one back: the caller frees it or keeps it.
 *
 * Threading: find_shared/blob share; the rest excludes. */
#ifndef KINDRED_INDEX_PEOPLE_H
#define KINDRED_INDEX_PEOPLE_H

#include "base/err.h"
#include "index/identifier_table.h"

struct people;

struct people *people_create(void) MUST_USE;
void people_destroy(struct people *people, void (*free_blob)(void *blob));

/* The next number. ERR_MEMORY, or ERR_TOO_LARGE after 2^32 - 2. It has no blob yet. */
err people_add(struct people *people, uint32_t *number) MUST_USE;
/* The highest number given out; 0 when nobody. */
uint32_t people_last(const struct people *people);
/* Roots with a blob. */
uint64_t people_count(const struct people *people);

/* For loading a checkpoint: numbers up to `last` exist, without blobs. */
err people_extend(struct people *people, uint32_t last) MUST_USE;
void people_set_parent(struct people *people, uint32_t number, uint32_t parent);
uint32_t people_parent(const struct people *people, uint32_t number); /* 0: a root */

uint32_t people_find_shared(const struct people *people, uint32_t number); /* writes nothing */
uint32_t people_find(struct people *people, uint32_t number);              /* halves the path */
/* Both are roots and differ. Returns the one that stays root: the larger tree, the lower number when equal. */
uint32_t people_union(struct people *people, uint32_t a, uint32_t b);

/* NULL when number is no root, was erased, or is out of range. Borrowed until replaced. */
const void *people_blob(const struct people *people, uint32_t number);
void people_prefetch(const struct people *people, uint32_t number);
/* blob: transferred; NULL takes it away. Returns the old one: owned by caller. */
void *people_replace(struct people *people, uint32_t number, void *blob);

uint64_t people_memory_bytes(const struct people *people); /* without the blobs */
bool people_validate(const struct people *people, const char **reason);

#endif
