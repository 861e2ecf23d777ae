/* people.h: who there is. Dense person numbers, the union-find over them, and each person's profile
 * blob.
 *
 *   number ─▶ parent (0: a root) ─▶ … ─▶ root ─▶ blob          12 bytes a number
 *
 * Numbers begin at 1, are given out in order and never again. Merging links the smaller tree under
 * the larger (union by size; Tarjan & van Leeuwen 1984), so a find takes at most log2(n) steps; the
 * writer halves paths as it goes, readers do not write. A tree's size is the number of persons in
 * it, whatever way it was built, so the same merges choose the same root after a restart from a
 * checkpoint as in a replay. Pages of 64 Ki entries, so that growing moves nothing a reader may be
 * looking at.
 *
 * A blob that is replaced may still be needed by a checkpoint that is being written. people_replace
 * therefore hands the old one back: the caller frees it or keeps it.
 *
 * Threading: find_shared/blob share; the rest excludes. */
#ifndef KINDRED_INDEX_PEOPLE_H
#define KINDRED_INDEX_PEOPLE_H

#include "base/err.h"
#include "index/identifier_table.h"

/* One bit of a slot tells a parent from a root's size. */
enum { PERSON_MAX = 0x7FFFFFFF };

struct people;

struct people *people_create(void) MUST_USE;
/* free_blob is called for every blob still there; NULL: the blobs are somebody else's. */
void people_destroy(struct people *people, void (*free_blob)(void *blob));

/* The next number. ERR_MEMORY, or ERR_TOO_LARGE after PERSON_MAX. It has no blob yet. */
err people_add(struct people *people, uint32_t *number) MUST_USE;
/* The highest number given out; 0 when nobody. */
uint32_t people_last(const struct people *people);
/* Roots with a blob. */
uint64_t people_count(const struct people *people);

/* For loading a checkpoint: numbers up to `last` exist, without blobs; fewer than there are is
 * fine. ERR_MEMORY, ERR_TOO_LARGE; then nothing changed. */
err people_extend(struct people *people, uint32_t last) MUST_USE;
/* For loading a checkpoint: `number`, so far a root, goes under `parent`, in any order. ERR_CORRUPT
 * when one of them was never given out, when number has a parent already, or when that would be a
 * circle. */
err people_set_parent(struct people *people, uint32_t number, uint32_t parent) MUST_USE;
uint32_t people_parent(const struct people *people, uint32_t number); /* 0: a root */

/* The root; PERSON_NONE when the number was never given out. */
uint32_t people_find_shared(const struct people *people, uint32_t number); /* writes nothing */
uint32_t people_find(struct people *people, uint32_t number);              /* halves the path */
/* Both are roots and differ. Returns the one that stays root: the larger tree, the lower number
 * when equal. */
uint32_t people_union(struct people *people, uint32_t a, uint32_t b);
/* Numbers in the root's tree, itself included. */
uint32_t people_tree_size(const struct people *people, uint32_t root);
/* For an un-merge: members are all numbers of one tree, each once, in any order; each becomes a
 * root of its own. Blobs stay where they are. */
void people_split(struct people *people, const uint32_t *members, size_t count);

/* NULL when number is no root, was erased, or is out of range. Borrowed until replaced. */
const void *people_blob(const struct people *people, uint32_t number);
void people_prefetch(const struct people *people, uint32_t number);
/* Second step of a batch, when people_prefetch has had its time: starts the load of the blob's
 * head. */
void people_prefetch_blob(const struct people *people, uint32_t number);
/* blob: transferred; NULL takes it away. A number that is no root keeps at most an old blob until
 * it is taken away: it can get no new one. Returns the old one: owned by caller. */
void *people_replace(struct people *people, uint32_t number, void *blob);

uint64_t people_memory_bytes(const struct people *people); /* without the blobs */
bool people_validate(const struct people *people, const char **reason);

#endif
