/* vocabulary.h: the words of the curated phrases, made when the model is opened: spelling looks for
 * them, among them names that the word vectors do not hold.
 *
 *   words by hash          open addressing, slots of 16 bytes
 *   words by first letter  and length, to go through those that may be two edits away
 *
 * Threading: immutable, any thread. Failure of opening: ERR_MEMORY. */
#ifndef KINDRED_CLASSIFIER_VOCABULARY_H
#define KINDRED_CLASSIFIER_VOCABULARY_H

#include "known.h"

enum { VOCABULARY_LETTERS = 26, VOCABULARY_LENGTH_MAX = 24 };

struct vocabulary {
    struct vocabulary_word {
        uint32_t tag; /* of the hash */
        uint32_t at;  /* where the word stands in known.text */
        uint32_t count;
        uint32_t length; /* 0: free */
    } * slots;
    uint32_t mask;
    uint32_t *by_letter; /* slots */
    /* [letter][length] ─▶ by_letter */
    uint32_t starts[VOCABULARY_LETTERS * VOCABULARY_LENGTH_MAX + 1];
    const char *text;
};

err vocabulary_open(struct vocabulary *vocabulary, const struct known *known,
                    struct error *error) MUST_USE;
void vocabulary_close(struct vocabulary *vocabulary);

/* In how many places of the curated phrases the word stands. */
uint32_t vocabulary_count(const struct vocabulary *vocabulary, struct slice word);

/* Calls visit with the words of lower-case letters that begin with this letter and have this
 * length. */
void vocabulary_each(const struct vocabulary *vocabulary, char letter, size_t length,
                     void (*visit)(void *context, struct slice word, uint32_t count),
                     void *context);

#endif
