/* examples.c: see examples.h. */
#include "classifier/examples.h"

#include <math.h>
#include <string.h>

/* How many examples' worth of belief that a cohort lies where everything lies, at the mean. */
static const float PRIOR_EXAMPLES = 1.0f;
/* What a counter-example weighs against an example. */
static const float NEGATIVE_SHARE = 0.5f;
/* From one example to confidence: a score this many deviations above the threshold is at 0.82. */
static const float SLOPE = 1.5f;

/* How many of a thousand ordinary interests may pass: the less is known, the less is guessed. */
static size_t passing_per_thousand(size_t positive_count)
{
    return positive_count >= 3 ? 19 : positive_count == 2 ? 10 : 5;
}

/* Of a standard normal, for want of a background: the share above it is that many of a thousand. */
static float normal_quantile(size_t positive_count)
{
    return positive_count >= 3 ? 2.05f : positive_count == 2 ? 2.33f : 2.58f;
}

/* Eight sums side by side: the order of additions is fixed, and the compiler may use vectors. */
static float dot(const float *weights, const int8_t *embedding)
{
    float sums[8] = {0};
    for (size_t i = 0; i < EMBEDDING_SIZE; i += 8) {
        for (size_t lane = 0; lane < 8; lane++) {
            sums[lane] += weights[i + lane] * (float)embedding[i + lane];
        }
    }
    float sum =
        ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
    return sum / (float)EMBEDDING_SCALE;
}

static void add_mean(float *weights, const int8_t (*examples)[EMBEDDING_SIZE], size_t count,
                     float share)
{
    if (count == 0) {
        return;
    }
    float factor = share / (((float)count + PRIOR_EXAMPLES) * (float)EMBEDDING_SCALE);
    for (size_t e = 0; e < count; e++) {
        for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
            weights[i] += factor * (float)examples[e][i];
        }
    }
}

/* The score that all but `passing` of the background stay below: the smallest of the largest ones,
 * kept in order. */
static float background_threshold(const float *weights, const int8_t (*background)[EMBEDDING_SIZE],
                                  size_t count, size_t per_thousand)
{
    float largest[EXAMPLES_BACKGROUND_MAX / 50 + 1]; /* 19 of a thousand, and one */
    size_t wanted = count * per_thousand / 1000 + 1;
    size_t kept = 0;
    for (size_t b = 0; b < count; b++) {
        float score = dot(weights, background[b]);
        if (kept == wanted && score <= largest[kept - 1]) {
            continue;
        }
        size_t at = kept < wanted ? kept++ : kept - 1;
        for (; at > 0 && largest[at - 1] < score; at--) {
            largest[at] = largest[at - 1];
        }
        largest[at] = score;
    }
    return largest[kept - 1];
}

void examples_fit(const struct classifier *classifier, const int8_t (*positives)[EMBEDDING_SIZE],
                  size_t positive_count, const int8_t (*negatives)[EMBEDDING_SIZE],
                  size_t negative_count, struct examples_scorer *out)
{
    memset(out, 0, sizeof *out);
    add_mean(out->weights, positives, positive_count, 1.0f);
    add_mean(out->weights, negatives, negative_count, -NEGATIVE_SHARE);
    float square = 0;
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        square += out->weights[i] * out->weights[i];
    }
    float length = sqrtf(square);
    if (positive_count == 0 || length < 1e-6f) {
        out->threshold = INFINITY;
        return;
    }
    size_t background = classifier == NULL ? 0 : classifier->background_count;
    background = background < EXAMPLES_BACKGROUND_MAX ? background : EXAMPLES_BACKGROUND_MAX;
    out->threshold = background == 0
                         ? normal_quantile(positive_count) * length
                         : background_threshold(out->weights, classifier->background, background,
                                                passing_per_thousand(positive_count));
    out->slope = SLOPE / length;
}

float examples_score(const struct examples_scorer *scorer, const int8_t embedding[EMBEDDING_SIZE])
{
    if (isinf(scorer->threshold)) {
        return 0;
    }
    float above = dot(scorer->weights, embedding) - scorer->threshold;
    return 1.0f / (1.0f + expf(-scorer->slope * above));
}
