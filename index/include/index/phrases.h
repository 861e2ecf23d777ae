/* phrases.h: interest phrases, each stored once, with the set of people who hold it, what the
 * classifier said about it, and the cohorts that this leads to.
 *
 *   "crcket" ─▶ id 17 ─▶ { holders: bitmap of person numbers, verdict: Sports .93, hits: [cohort 3 (typo of "cricket")] }
 *
 * Each distinct phrase is classified once, not once a person. A topic cohort is the union of its
 * phrases' holders, so changing what a topic means is a few unions. A phrase without holders is
 * freed (erasure leaves nothing behind), and its id is given out again. Phrases that differ only in
 * case or accents are different texts with one fold key: a person keeps one of them.
 *
 * A phrase is *pending* while it has no verdict of the classifier's present version (an older
 * verdict goes on answering until then), and *unclassified* when its verdict, old or new, names no
 * topic and no cohort has it. Both sets are kept exact through every call, as bitmaps of ids.
 *
 * Threading: text, holders, verdict, hits and the two sets share; the rest excludes. */
#ifndef KINDRED_INDEX_PHRASES_H
#define KINDRED_INDEX_PHRASES_H

#include "base/err.h"
#include "base/slice.h"
#include "classifier/classifier.h"
#include "classifier/rules.h"
#include "index/bitmap.h"

#define PHRASE_NONE UINT32_C(0xFFFFFFFF)

struct phrases;

/* seed: per process, random (outsiders choose the texts); nothing that is stored or answered
 * depends on it. */
struct phrases *phrases_create(uint64_t seed) MUST_USE;
void phrases_destroy(struct phrases *phrases);

uint32_t phrases_find(const struct phrases *phrases, struct slice text);
/* The id of the text, made when new (no holders, not classified). ERR_MEMORY; ERR_TOO_LARGE after
 * 2^31 phrases. */
err phrases_intern(struct phrases *phrases, struct slice text, uint32_t *id) MUST_USE;
/* Loading a checkpoint: this very id, in any order; phrases_sweep at the end. ERR_CORRUPT when the
 * id or the text is taken. */
err phrases_load(struct phrases *phrases, uint32_t id, struct slice text) MUST_USE;
/* SLICE_NONE for an id that is not in use. Borrowed until the phrase is freed. */
struct slice phrases_text(const struct phrases *phrases, uint32_t id);
/* phrase_fold_key of the text, the same in every process. */
uint64_t phrases_fold_key(const struct phrases *phrases, uint32_t id);

void phrases_add_holder(struct phrases *phrases, uint32_t id, uint32_t person);
/* Frees the phrase when that was the last one. Everything that still wants to know the phrase's
 * cohorts must have been asked before (see cohorts_person_changed). */
void phrases_remove_holder(struct phrases *phrases, uint32_t id, uint32_t person);
const struct bitmap *phrases_holders(const struct phrases *phrases, uint32_t id);

/* ---- verdicts: what the classifier said ---- */

/* The version that verdicts are to have; 0: there is no classifier, nothing is pending. Before the
 * first phrase. */
void phrases_expect_version(struct phrases *phrases, uint64_t version);
/* NULL: none. *version (may be NULL) tells which version said it. Borrowed until the next verdict
 * of this phrase. */
const struct verdict *phrases_verdict(const struct phrases *phrases, uint32_t id,
                                      uint64_t *version);
/* Copied. The caller sees to the hits that follow from it (cohorts.h does both at once). */
err phrases_set_verdict(struct phrases *phrases, uint32_t id, uint64_t version,
                        const struct verdict *verdict) MUST_USE;
bool phrases_is_pending(const struct phrases *phrases, uint32_t id);
/* Ids; borrowed, changed by nearly every call of the writer. */
const struct bitmap *phrases_pending(const struct phrases *phrases);
const struct bitmap *phrases_unclassified(const struct phrases *phrases);

/* ---- hits: the cohorts a phrase leads to ---- */

/* Copied. A hit's method may be any of cohorts.h's. */
err phrases_classify(struct phrases *phrases, uint32_t id, const struct rule_hit *hits,
                     size_t count) MUST_USE;
bool phrases_classified(const struct phrases *phrases, uint32_t id);
/* Both at once, or on ERR_MEMORY neither. */
err phrases_answer(struct phrases *phrases, uint32_t id, uint64_t version,
                   const struct verdict *verdict, const struct rule_hit *hits,
                   size_t count) MUST_USE;
/* Ascending by cohort; borrowed until the phrase is classified anew. */
const struct rule_hit *phrases_hits(const struct phrases *phrases, uint32_t id, size_t *count);

/* Many phrases classified anew at one moment: the new hits are made beside the old ones, commit
 * swaps a pointer, and destroy frees what was replaced (or, without commit, what was made). The
 * phrases must not change between begin and commit. */
struct phrases_reclassification;
/* NULL: no memory */
struct phrases_reclassification *phrases_reclassify_begin(const struct phrases *phrases) MUST_USE;
/* A verdict that comes with it; before the put of this id. Each id at most once. */
err phrases_reclassify_verdict(struct phrases_reclassification *reclassification, uint32_t id,
                               uint64_t version, const struct verdict *verdict) MUST_USE;
/* Each id at most once. */
err phrases_reclassify_put(struct phrases_reclassification *reclassification, uint32_t id,
                           const struct rule_hit *hits, size_t count) MUST_USE;
/* As phrases_hits, after the puts. */
const struct rule_hit *phrases_reclassify_hits(
    const struct phrases_reclassification *reclassification, uint32_t id, size_t *count);
void phrases_reclassify_commit(struct phrases *phrases,
                               struct phrases_reclassification *reclassification);
void phrases_reclassify_destroy(struct phrases_reclassification *reclassification);

/* No id in use is this high or higher; ids below may be free (text is SLICE_NONE). */
uint32_t phrases_limit(const struct phrases *phrases);
uint64_t phrases_count(const struct phrases *phrases);
/* Ids made, freed or given a verdict since the last call: visit(id, text), SLICE_NONE for freed
 * ones. */
void phrases_drain_changes(struct phrases *phrases,
                           void (*visit)(void *context, uint32_t id, struct slice text),
                           void *context);
/* frees those without holders, finds the free ids; after loading */
void phrases_sweep(struct phrases *phrases);
uint64_t phrases_memory_bytes(const struct phrases *phrases);

#endif
