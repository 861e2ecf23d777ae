/* phrases.h: interest phrases, each stored once, with the set of people who hold it and the cohorts it leads to.
 *
 *   "crcket" ─▶ id 17 ─▶ { holders: bitmap of person numbers, cohorts: [3 (typo of "cricket")] }
 *
 * Each distinct phrase is classified once, not once a person. A topic cohort is the union of its phrases' holders, so
 * changing what a topic means is a few unions. A phrase without holders is freed (erasure leaves nothing behind).
 * Phrases that differ only in case or accents are different texts with one fold key: a person keeps one of them.
 *
 * Threading: text, holders and cohorts share; the rest excludes. */
#ifndef KINDRED_INDEX_PHRASES_H
#define KINDRED_INDEX_PHRASES_H

#include "base/err.h"
#include "base/slice.h"
#include "classifier/rules.h"
#include "index/bitmap.h"

enum { PHRASE_NONE = 0xFFFFFFFFu };

struct phrases;

struct phrases *phrases_create(void) MUST_USE;
void phrases_destroy(struct phrases *phrases);

uint32_t phrases_find(const struct phrases *phrases, struct slice text);
/* The id of the text, made when new (no holders, not classified). */
err phrases_intern(struct phrases *phrases, struct slice text, uint32_t *id) MUST_USE;
/* Loading a checkpoint: this very id. */
err phrases_load(struct phrases *phrases, uint32_t id, struct slice text) MUST_USE;
struct slice phrases_text(const struct phrases *phrases, uint32_t id);
uint64_t phrases_fold_key(const struct phrases *phrases, uint32_t id);

void phrases_add_holder(struct phrases *phrases, uint32_t id, uint32_t person);
/* Frees the phrase when that was the last one. */
void phrases_remove_holder(struct phrases *phrases, uint32_t id, uint32_t person);
const struct bitmap *phrases_holders(const struct phrases *phrases, uint32_t id);

/* What the rules said; copied. */
err phrases_classify(struct phrases *phrases, uint32_t id, const struct rule_hit *hits, size_t count) MUST_USE;
bool phrases_classified(const struct phrases *phrases, uint32_t id);
const struct rule_hit *phrases_hits(const struct phrases *phrases, uint32_t id, size_t *count);

/* One more than the highest id in use; ids in between may be free (text is SLICE_NONE). */
uint32_t phrases_limit(const struct phrases *phrases);
uint64_t phrases_count(const struct phrases *phrases);
/* Ids made or freed since the last call: visit(id, text), SLICE_NONE for freed ones. */
void phrases_drain_changes(struct phrases *phrases, void (*visit)(void *context, uint32_t id, struct slice text),
                           void *context);
void phrases_sweep(struct phrases *phrases); /* frees those without holders; after loading */
uint64_t phrases_memory_bytes(const struct phrases *phrases);

#endif
