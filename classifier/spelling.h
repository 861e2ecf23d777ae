/* spelling.h: what somebody meant to type. Asked only about phrases that are not known; in this
 * order:
 *
 *   phrase  a known phrase one edit away, when the word that changes is unknown, or much rarer than what it becomes, or
 *           when only a space comes or goes: "tom bradey", "foot ball", "taylorswift"
 *   words   each word that nobody knows: the most frequent word one edit away ("bascketball courts"), or for long ones a word
 *           of the curated phrases two edits away
 *   split   a word that nobody knows and that falls into two or three known ones: "learnguitar"
 *
 * When the model is at a loss with the phrase as it stands, it asks for a guess: any known phrase
 * one edit away, also where the words as typed are words ("word cup", "mark twain" from "markt
 * wain").
 *
 * An edit is an insertion, a deletion, a replacement or a swap of neighbours (Damerau 1964), tried
 * one by one and looked up (Norvig 2007). How rare a word is, is its step in words.h: 12 steps are
 * a factor of 2 in rank. Words with digits are left alone. A word is unknown when neither the word
 * vectors nor a curated phrase hold it.
 *
 * Threading: immutable, any thread. Failure of opening: ERR_MEMORY. */
#ifndef KINDRED_CLASSIFIER_SPELLING_H
#define KINDRED_CLASSIFIER_SPELLING_H

#include "classifier/fold.h"
#include "known.h"
#include "vocabulary.h"
#include "words.h"

struct spelling {
    const struct words *words;
    const struct known *known;
    struct vocabulary vocabulary;
};

err spelling_open(struct spelling *spelling, const struct words *words, const struct known *known,
                  struct error *error) MUST_USE;
void spelling_close(struct spelling *spelling);

/* A folded phrase that is not known to a better one. Returns its length; 0: it stays as it is. As
 * if the known phrase `without`, and its words where they stand nowhere else, were not there (for
 * tests; SLICE_NONE). */
size_t spelling_correct(const struct spelling *spelling, struct slice folded, struct slice without,
                        char out[PHRASE_FOLD_MAX]);
/* The same for a phrase that the model could make nothing of. */
size_t spelling_guess(const struct spelling *spelling, struct slice folded, struct slice without,
                      char out[PHRASE_FOLD_MAX]);

#endif
