/* words.h: vectors of single words, and their average over a phrase.
 *
 *   word ─hash table─▶ row ─▶ code[row]: a byte per part ─▶ book[part][byte]: that part of the vector
 *                          └▶ step[row]: how rare it is (0 the most frequent) ─▶ weight[step]
 *
 * Threading: immutable, any thread. */
#ifndef KINDRED_CLASSIFIER_WORDS_H
#define KINDRED_CLASSIFIER_WORDS_H

#include "hash_table.h"
#include "kernel.h"

enum { WORDS_WIDTH_MAX = 512 };

struct words {
    struct hash_table table;
    const uint8_t *code; /* [rows][parts] */
    const uint8_t *step; /* [rows] */
    const float *book;   /* [parts][256][part] */
    const float *weight; /* [256] */
    size_t parts;
    size_t part;
    size_t width; /* parts * part */
};

err words_open(struct words *words, const struct model_file *file, struct error *error) MUST_USE;

/* to [width] = scale * (the weighted sum of the words' vectors at unit length; zeros when none is
 * known). */
void words_average(const struct words *words, const struct kernel *kernel, struct slice folded,
                   float scale, float *to);

#endif
