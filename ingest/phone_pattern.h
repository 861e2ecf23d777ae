/* phone_pattern.h: the small regular expressions of numbering plans, matched over decimal digits.
 *
 * The language: digits, \d, [2-57], (group), (?:group), a|b, ?, {n}, {n,m}, $. A backtracking
 * matcher: patterns are ours (tables/), subjects have at most 20 digits, so the work is bounded.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_PHONE_PATTERN_H
#define KINDRED_INGEST_PHONE_PATTERN_H

#include "base/slice.h"

enum { PHONE_GROUP_MAX = 3 };

struct phone_match {
    size_t length;                        /* digits matched, from the first */
    struct slice groups[PHONE_GROUP_MAX]; /* [1] is $1; SLICE_NONE when it took no part */
};

/* Anchored at the first digit. `whole`: the last digit must be reached. */
bool phone_pattern_match(const char *pattern, struct slice digits, bool whole,
                         struct phone_match *out);

#endif
