/* examples.h: a cohort from a few examples, without training.
 *
 *   positives, negatives (embeddings) ─examples_fit─▶ weights, threshold ─examples_score─▶ how surely a phrase belongs
 *
 * Linear discriminant analysis with a shared covariance: embeddings are whitened (classifier.h), so the direction is the
 * mean of the positives, shrunk towards 0 (the mean of everything) for want of examples, minus the negatives' share. The
 * threshold is set where about one in fifty of ordinary interests would pass, and pulled so that every positive passes and
 * no negative does. Source: Fisher (1936); the shrinkage after Ledoit and Wolf (2004).
 *
 * Threading: pure functions, any thread. Nothing fails. */
#ifndef KINDRED_CLASSIFIER_EXAMPLES_H
#define KINDRED_CLASSIFIER_EXAMPLES_H

#include "classifier/classifier.h"

struct examples_scorer {
    float weights[EMBEDDING_SIZE];
    float threshold; /* of the raw score */
    float slope;     /* from distance above the threshold to confidence */
};

/* An embedding each. positive_count 0, or positives that all say nothing: a scorer that nothing passes. */
void examples_fit(const int8_t (*positives)[EMBEDDING_SIZE], size_t positive_count,
                  const int8_t (*negatives)[EMBEDDING_SIZE], size_t negative_count, struct examples_scorer *out);
/* 0 to 1; 0.5 and up belongs. */
float examples_score(const struct examples_scorer *scorer, const int8_t embedding[EMBEDDING_SIZE]);

#endif
