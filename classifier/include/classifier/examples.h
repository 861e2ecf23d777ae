/* examples.h: a cohort from a few examples, without training.
 *
 *   positives, negatives (embeddings) ─examples_fit─▶ weights, threshold ─examples_score─▶ how surely a phrase belongs
 *
 * Linear discriminant analysis with a shared covariance: embeddings are whitened (classifier.h), so
 * the direction is the mean of the positives, shrunk towards 0 (the mean of everything) for want of
 * examples, minus half of the negatives' mean. The threshold is where 19 of a thousand ordinary
 * interests (the classifier's background; without one, a normal distribution) would pass: 10 with
 * two examples, 5 with one. That an example itself belongs is the caller's to say: it knows the
 * phrases. Source: Fisher (1936); the shrinkage after Ledoit and Wolf (2004).
 *
 * Threading: pure functions, any thread. Nothing fails. */
#ifndef KINDRED_CLASSIFIER_EXAMPLES_H
#define KINDRED_CLASSIFIER_EXAMPLES_H

#include "classifier/classifier.h"

enum { EXAMPLES_BACKGROUND_MAX = 4096 }; /* more is not looked at */

struct examples_scorer {
    float weights[EMBEDDING_SIZE];
    float threshold; /* of the raw score */
    float slope;     /* from distance above the threshold to confidence */
};

/* An embedding each, by this classifier (NULL: one without background). positive_count 0, or
 * positives that all say nothing: a scorer that nothing passes. */
void examples_fit(const struct classifier *classifier, const int8_t (*positives)[EMBEDDING_SIZE],
                  size_t positive_count, const int8_t (*negatives)[EMBEDDING_SIZE],
                  size_t negative_count, struct examples_scorer *out);
/* 0 to 1; 0.5 and up belongs. */
float examples_score(const struct examples_scorer *scorer, const int8_t embedding[EMBEDDING_SIZE]);

#endif
