/* bitmap.h: a set of person numbers (or any u32), on CRoaring. The only door to roaring.h.
 *
 * Threading: readers share, one writer excludes. Failure: an allocation that CRoaring cannot make
 * ends the process in CHECK (its API gives no way back); bytes from a disk are validated. */
#ifndef KINDRED_INDEX_BITMAP_H
#define KINDRED_INDEX_BITMAP_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/slice.h"

struct bitmap;

struct bitmap *bitmap_create(void);
struct bitmap *bitmap_copy(const struct bitmap *from);
void bitmap_destroy(struct bitmap *bitmap); /* NULL is fine */

bool bitmap_add(struct bitmap *bitmap, uint32_t number);    /* true: it was not there */
bool bitmap_remove(struct bitmap *bitmap, uint32_t number); /* true: it was there */
bool bitmap_contains(const struct bitmap *bitmap, uint32_t number);
uint64_t bitmap_count(const struct bitmap *bitmap);
bool bitmap_empty(const struct bitmap *bitmap);
bool bitmap_equal(const struct bitmap *a, const struct bitmap *b);

/* In place: a |= b, a &= b, a -= b. */
void bitmap_or(struct bitmap *a, const struct bitmap *b);
void bitmap_and(struct bitmap *a, const struct bitmap *b);
void bitmap_and_not(struct bitmap *a, const struct bitmap *b);
/* Owned by caller. */
struct bitmap *bitmap_or_many(const struct bitmap *const *bitmaps, size_t count);
uint64_t bitmap_and_count(const struct bitmap *a, const struct bitmap *b);
/* All of [from, to). */
void bitmap_add_range(struct bitmap *bitmap, uint32_t from, uint32_t to);

/* The numbers with rank offset .. offset+limit-1, ascending, into out; returns how many. */
size_t bitmap_page(const struct bitmap *bitmap, uint64_t offset, uint32_t *out, size_t limit);
/* The first `limit` numbers that are >= from (a cursor's continuation). */
size_t bitmap_page_from(const struct bitmap *bitmap, uint32_t from, uint32_t *out, size_t limit);

/* Calls visit in ascending order until it returns false. */
void bitmap_each(const struct bitmap *bitmap, bool (*visit)(void *context, uint32_t number),
                 void *context);

/* Tightest containers; after bulk loading. */
void bitmap_optimise(struct bitmap *bitmap);
uint64_t bitmap_memory_bytes(const struct bitmap *bitmap);

/* The portable Roaring format. bitmap_decode refuses anything its internal validation does. */
void bitmap_encode(const struct bitmap *bitmap, struct buffer *out);
err bitmap_decode(struct slice bytes, struct bitmap **out, struct error *error) MUST_USE;

#endif
