/* fold_internal.h: folding a pattern, which may hold '*'.
 *
 * Threading: any. */
#ifndef KINDRED_CLASSIFIER_FOLD_INTERNAL_H
#define KINDRED_CLASSIFIER_FOLD_INTERNAL_H

#include "classifier/fold.h"

/* As phrase_fold, but '*' stays ("**" becomes "*"). *whole is false when the result was cut. */
size_t pattern_fold(struct slice pattern, char out[PHRASE_FOLD_MAX], bool *whole);

/* The characters of valid UTF-8 (a folded text), at most `max`. Returns how many. */
size_t fold_characters(struct slice folded, uint32_t *out, size_t max);

#endif
