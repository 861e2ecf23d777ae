/* examples.c: see examples.h. */
#include "classifier/examples.h"

#include <math.h>
#include <string.h>

/* How many examples' worth of belief that a cohort lies where everything lies, at the mean. */
static const float PRIOR_EXAMPLES = 1.0f;
/* Of scores of ordinary interests, which are normal with the weights' length as deviation: one in fifty lies above. */
static const float QUANTILE_OF_ORDINARY = 2.05f;

static float dot(const float *weights, const int8_t *embedding)
{
    float sum = 0;
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        sum += weights[i] * (float)embedding[i];
    }
    return sum / (float)EMBEDDING_SCALE;
}

static void add_mean(float *weights, const int8_t (*examples)[EMBEDDING_SIZE], size_t count, float sign)
{
    if (count == 0) {
        return;
    }
    float factor = sign / (((float)count + PRIOR_EXAMPLES) * (float)EMBEDDING_SCALE);
    for (size_t e = 0; e < count; e++) {
        for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
            weights[i] += factor * (float)examples[e][i];
        }
    }
}

void examples_fit(const int8_t (*positives)[EMBEDDING_SIZE], size_t positive_count,
                  const int8_t (*negatives)[EMBEDDING_SIZE], size_t negative_count, struct examples_scorer *out)
{
    memset(out, 0, sizeof *out);
    add_mean(out->weights, positives, positive_count, 1.0f);
    add_mean(out->weights, negatives, negative_count, -0.5f);
    float length = 0;
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        length += out->weights[i] * out->weights[i];
    }
    length = sqrtf(length);
    if (positive_count == 0 || length < 1e-6f) {
        out->threshold = INFINITY;
        return;
    }
    float threshold = QUANTILE_OF_ORDINARY * length;
    for (size_t e = 0; e < positive_count; e++) {
        float score = dot(out->weights, positives[e]);
        threshold = score < threshold ? score : threshold;
    }
    for (size_t e = 0; e < negative_count; e++) {
        float score = dot(out->weights, negatives[e]);
        threshold = score >= threshold ? score + 0.05f * length : threshold;
    }
    out->threshold = threshold;
    out->slope = 1.5f / length;
}

float examples_score(const struct examples_scorer *scorer, const int8_t embedding[EMBEDDING_SIZE])
{
    if (isinf(scorer->threshold)) {
        return 0;
    }
    float above = dot(scorer->weights, embedding) - scorer->threshold;
    return 1.0f / (1.0f + expf(-scorer->slope * above));
}
