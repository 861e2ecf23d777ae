/* fold.h: two texts that mean the same to a reader become the same bytes.
 *
 *   phrase_fold  for interests and patterns: "#Crème-Brûlée" ─▶ "creme brulee", "Rock & Roll" ─▶ "rock and roll"
 *                compatibility decomposition (Unicode NFKD), no accents, lower case; apostrophes vanish ("Levi's" is
 *                "levis"), '&' is "and", '+' behind a letter is "plus" ("Disney+", "C++"), '#' behind a single letter is
 *                "sharp" ("C#"); every other mark is a space; single spaces, none at the ends. Emoji stay.
 *   text_fold    for comparing field values: case only (Unicode case folding); everything else stays
 *
 * Both are idempotent: folding a folded text changes nothing. Bytes that are not UTF-8 count as
 * spaces.
 *
 * Threading: any. */
#ifndef KINDRED_CLASSIFIER_FOLD_H
#define KINDRED_CLASSIFIER_FOLD_H

#include "base/slice.h"

enum { PHRASE_FOLD_MAX = 256, TEXT_FOLD_MAX = 2048 };

/* The folded form; at most PHRASE_FOLD_MAX bytes (longer phrases are cut at a character). Returns
 * its length; 0 when the phrase has neither letter, digit nor emoji. */
size_t phrase_fold(struct slice phrase, char out[PHRASE_FOLD_MAX]);

/* The case-folded form; at most TEXT_FOLD_MAX bytes, cut at a character. Returns its length. */
size_t text_fold(struct slice text, char out[TEXT_FOLD_MAX]);
/* text_fold(text) == folded, without the copy when the text is ASCII. */
bool text_fold_equal(struct slice text, struct slice folded);

/* A 64-bit key of phrase_fold(phrase), the same in every process; of the bytes themselves when the
 * fold is empty. */
uint64_t phrase_fold_key(struct slice phrase);

#endif
