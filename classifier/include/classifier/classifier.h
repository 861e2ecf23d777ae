/* classifier.h: the door to whatever says what a phrase is about. The trained model (model.h)
 * stands behind it; tests put a small table there.
 *
 *   "tom brady" ─classify─▶ verdict { topics: [Sports .98], embedding: where it lies among all phrases }
 *
 * A verdict is a pure function of the phrase and the classifier's version: no clock, no randomness,
 * no memory of earlier phrases. So it may be computed on any thread, kept for as long as the
 * version holds, and computed again after a crash.
 *
 * The embedding is for cohorts made from examples (examples.h): whitened over ordinary interests
 * (mean 0, unit covariance, times EMBEDDING_SCALE), so that a dot product is a log-likelihood
 * ratio. All zeros: the phrase says nothing.
 *
 * Threading: a classifier is immutable; classify on any thread, each with its own scratch. */
#ifndef KINDRED_CLASSIFIER_CLASSIFIER_H
#define KINDRED_CLASSIFIER_CLASSIFIER_H

#include "base/slice.h"

enum {
    CLASSIFIER_TOPICS_MAX = 32,
    CLASSIFIER_BATCH_MAX = 16,
    VERDICT_TOPICS_MAX = 4,
    VERDICT_CONFIDENCE_ONE = 65535, /* confidence 1.0 */
    EMBEDDING_SIZE = 128,
    EMBEDDING_SCALE = 24, /* one standard deviation */
};

struct verdict_topic {
    uint16_t confidence; /* calibrated probability times VERDICT_CONFIDENCE_ONE */
    uint8_t topic;       /* index into the classifier's topics */
};

struct verdict {
    struct verdict_topic topics[VERDICT_TOPICS_MAX]; /* surest first */
    uint8_t topic_count;                             /* 0: not an interest, or too unsure to say */
    int8_t embedding[EMBEDDING_SIZE];
};

struct classifier {
    const char *name;           /* "kindred-topics-1", for people */
    uint64_t version;           /* differs whenever a verdict may */
    const struct slice *topics; /* their names: "Sports", … */
    size_t topic_count;         /* at most CLASSIFIER_TOPICS_MAX */
    size_t scratch_bytes;       /* what classify needs, 64-byte aligned */
    const void *context;
    /* Embeddings of ordinary interests, for thresholds of cohorts by example. May be NULL and 0 (a
     * test double has none). */
    const int8_t (*background)[EMBEDDING_SIZE];
    size_t background_count;
    /* count at most CLASSIFIER_BATCH_MAX; several in one call are cheaper than one by one and give
     * the same verdicts. */
    void (*classify)(const void *context, void *scratch, const struct slice *phrases, size_t count,
                     struct verdict *verdicts);
};

#endif
