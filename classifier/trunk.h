/* trunk.h: from a phrase's features to logits and an embedding.
 *
 *   features [encoder | words | votes] ─up, relu─▶ hidden ─┬─▶ [hidden | features] x head ─▶ a logit per topic, interest
 *                                                         └─▶ "near" [128], unit length ─▶ whitened: the embedding
 *
 * `up` is int8. Features go in as two int8 vectors, the second of what the first leaves over, so
 * that only the weights are rounded: votes are up to ten times as large as the encoder's numbers.
 * The rest is float.
 *
 * Threading: immutable, any thread, each with its own scratch. Failure of opening: ERR_CORRUPT,
 * ERR_MEMORY. */
#ifndef KINDRED_CLASSIFIER_TRUNK_H
#define KINDRED_CLASSIFIER_TRUNK_H

#include "classifier/classifier.h"
#include "matrix.h"

enum { TRUNK_HIDDEN_MAX = 4096 };

struct trunk {
    const struct kernel *kernel;
    size_t topic_count;
    size_t features; /* padded by zeros to a multiple of KERNEL_LANES: */
    size_t padded_features;
    size_t hidden;
    struct kernel_matrix up;
    float *head;       /* owned: [topic_count + 1 + EMBEDDING_SIZE][hidden + padded_features] */
    const float *bias; /* [topic_count + 1] */
    const float *mean; /* [EMBEDDING_SIZE] */
    const float *whitening; /* [EMBEDDING_SIZE out][EMBEDDING_SIZE in] */
};

struct trunk_result {
    float logits[CLASSIFIER_TOPICS_MAX + 1]; /* the interest's behind the topics' */
    float embedding[EMBEDDING_SIZE];         /* length sqrt(EMBEDDING_SIZE) */
};

/* features: as many as the encoder, the words and the votes together give. */
err trunk_open(struct trunk *trunk, const struct model_file *file, const struct kernel *kernel,
               size_t topic_count, size_t features, struct error *error) MUST_USE;
void trunk_close(struct trunk *trunk);

size_t trunk_scratch_bytes(const struct trunk *trunk);
/* Where phrase i's features are to be written: [features]; what is behind them is trunk_run's. */
float *trunk_features(const struct trunk *trunk, void *scratch, size_t i);
/* count <= CLASSIFIER_BATCH_MAX */
void trunk_run(const struct trunk *trunk, void *scratch, size_t count,
               struct trunk_result *results);

#endif
