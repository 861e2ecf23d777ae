/* known.h: the phrases of the lists that the model was trained on.
 *
 *   topics    which topics the lists give a phrase (hash table ─▶ bit mask)
 *   votes     what is known about a phrase by the phrases inside it: "messi highlights" holds "messi", and that is Sports
 *   embedding where training put a known phrase: near its kind (train/train.py, known_embeddings), which the trunk alone
 *             cannot know; product-quantised (Jégou et al. 2011)
 *   nearest   known phrases by the angle between embeddings
 *
 * Phrases written by hand ("curated") have their text and embedding here, by row of text; others
 * only an entry in the table.
 *
 * Threading: immutable, any thread. Failure of opening: ERR_CORRUPT. */
#ifndef KINDRED_CLASSIFIER_KNOWN_H
#define KINDRED_CLASSIFIER_KNOWN_H

#include "classifier/classifier.h"
#include "hash_table.h"

struct known {
    struct hash_table table;
    const uint32_t *topics; /* [table.rows] */
    const uint32_t *row;    /* [table.rows]: of the text, or TABLE_NONE */
    const char *text;       /* one behind the other */
    const uint32_t *text_end;
    uint32_t text_count;
    const uint8_t *code; /* [text_count][parts] */
    const float *book;   /* [parts][256][EMBEDDING_SIZE / parts] */
    size_t parts;
};

err known_open(struct known *known, const struct model_file *file, size_t topic_count,
               struct error *error) MUST_USE;

/* The topics of a folded phrase; 0 when it is not known. */
static inline uint32_t known_topics(const struct known *known, struct slice folded)
{
    const uint32_t row = hash_table_find(&known->table, folded);
    return row == TABLE_NONE ? 0 : known->topics[row];
}

static inline struct slice known_text(const struct known *known, uint32_t row)
{
    const uint32_t begin = row == 0 ? 0 : known->text_end[row - 1];
    return slice_of(known->text + begin, known->text_end[row] - begin);
}

/* votes [2 * topic_count]: by known parts of several words, then by known words. */
void known_votes(const struct known *known, struct slice folded, size_t topic_count, float *votes);

/* The embedding of a folded phrase that has one here, length sqrt(EMBEDDING_SIZE); false, and
 * nothing changed, otherwise. */
bool known_embedding(const struct known *known, struct slice folded,
                     float embedding[EMBEDDING_SIZE]) MUST_USE;

struct known_near {
    uint32_t row;
    float similarity;
};
/* At most `max` of them, nearest first, without the phrase `except`; returns how many. */
size_t known_nearest(const struct known *known, const float embedding[EMBEDDING_SIZE],
                     struct slice except, struct known_near *out, size_t max);

#endif
