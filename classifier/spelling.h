/* spelling.h: what somebody meant to type.
 *
 * Threading: immutable, any thread. Failure of opening: ERR_MEMORY. */
#ifndef KINDRED_CLASSIFIER_SPELLING_H
#define KINDRED_CLASSIFIER_SPELLING_H

#include "classifier/fold.h"
#include "known.h"
#include "words.h"

struct spelling {
    const struct words *words;
    const struct known *known;
};

/* A folded phrase that is not known to a better one. Returns its length; 0: it stays as it is. */
size_t spelling_correct(const struct spelling *spelling, struct slice folded, char out[PHRASE_FOLD_MAX]);

#endif
