/* wildcard.h: which of thousands of patterns with '*' match this text?
 *
 * Text and patterns are folded and padded with a space at both ends, so that "nike *" matches "nike
 * air" and also "nike", but not "nikename". Every pattern is filed under one piece of at most 4
 * bytes (a gram) of its longest literal part, the one that fewest other patterns are filed under; a
 * text looks up each of its own grams and checks what it finds.
 *
 * Threading: immutable once built, any thread. */
#ifndef KINDRED_CLASSIFIER_WILDCARD_H
#define KINDRED_CLASSIFIER_WILDCARD_H

#include "base/err.h"
#include "base/slice.h"
#include "classifier/fold.h"

enum { WILDCARD_GRAM_MAX = 4 };

struct wildcard_index {
    const struct slice *patterns; /* borrowed for the index's life */
    uint64_t *filter;             /* one bit a gram */
    uint32_t filter_mask;
    uint32_t *starts; /* bucket b: entries[starts[b]] .. entries[starts[b + 1]] */
    uint32_t bucket_mask;
    uint32_t count;
    bool gram_lengths[WILDCARD_GRAM_MAX + 1]; /* which ones are in use */
    struct wildcard_entry {
        uint32_t hash;
        uint32_t pattern;
    } * entries;
};

/* patterns: as pattern_fold makes them, without padding. ERR_MEMORY. */
err wildcard_index_build(struct wildcard_index *index, const struct slice *patterns,
                         uint32_t count) MUST_USE;
void wildcard_index_deinit(struct wildcard_index *index);

/* Calls visit for each pattern that matches (maybe more than once), in no useful order. text is not
 * padded. */
void wildcard_index_match(const struct wildcard_index *index, struct slice text,
                          void (*visit)(void *context, uint32_t pattern), void *context);

/* Does this one match? */
bool wildcard_matches(struct slice pattern, struct slice text);

#endif
