/* typo.h: which of many texts are within one or two edits of this one?
 *
 * Symmetric deletion (SymSpell; Garbe 2012): two texts within k edits share a text that both give
 * by deleting at most k characters. Deletions are made of the first TYPO_PREFIX characters only;
 * that keeps the property (an edit behind the prefix shifts at most one character into it, which
 * then is one of the k deletions) and bounds the work at 37 probes.
 *
 *   text ─▶ deletions of its prefix ─▶ hash ─▶ filter bit ─▶ bucket: [ hash | text ] …        buckets in one array
 *
 * An edit is an insertion, a deletion, a replacement or a swap of neighbours (Damerau 1964; no
 * character is edited twice).
 *
 * Threading: immutable once built, any thread. */
#ifndef KINDRED_CLASSIFIER_TYPO_H
#define KINDRED_CLASSIFIER_TYPO_H

#include "base/err.h"
#include "base/slice.h"
#include "classifier/fold.h"

enum { TYPO_PREFIX = 8, TYPO_EDITS_MAX = 2 };

struct typo_index {
    uint64_t *filter; /* one bit a hash, 8 bits of room an entry */
    uint32_t filter_mask;
    uint32_t *starts; /* bucket b: entries[starts[b]] .. entries[starts[b + 1]] */
    uint32_t bucket_mask;
    struct typo_entry {
        uint32_t hash;
        uint32_t text;
    } * entries;
};

/* Phrases of this many characters may be this many edits away: 5 and 9. */
static inline unsigned typo_edits_allowed(size_t characters)
{
    return characters >= 9 ? 2 : characters >= 5 ? 1 : 0;
}

/* texts: folded, borrowed during the call. ERR_MEMORY. */
err typo_index_build(struct typo_index *index, const struct slice *texts, uint32_t count) MUST_USE;
void typo_index_deinit(struct typo_index *index);

/* Calls visit with each text that may be near (each at least once, false ones among them) until it
 * returns false. */
void typo_index_candidates(const struct typo_index *index, const uint32_t *characters, size_t count,
                           unsigned edits, bool (*visit)(void *context, uint32_t text),
                           void *context);

/* Edits between the two, or max + 1 when there are more than max (max <= TYPO_EDITS_MAX). */
unsigned typo_distance(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count,
                       unsigned max);

#endif
