/* model_internal.h: the model's parts, for tests and benches.
 *
 * Threading: immutable after opening, any thread. */
#ifndef KINDRED_CLASSIFIER_MODEL_INTERNAL_H
#define KINDRED_CLASSIFIER_MODEL_INTERNAL_H

#include "classifier/model.h"
#include "encoder.h"
#include "known.h"
#include "pieces.h"
#include "spelling.h"
#include "trunk.h"
#include "words.h"

enum { CALIBRATION_UNKNOWN, CALIBRATION_LISTED, CALIBRATION_NOT_LISTED, CALIBRATIONS };

struct model {
    struct classifier classifier;
    char name[64];
    struct slice topics[CLASSIFIER_TOPICS_MAX];
    const struct kernel *kernel;
    struct pieces pieces;
    struct encoder encoder;
    struct words words;
    struct known known;
    struct spelling spelling;
    struct trunk trunk;
    const float *scales;      /* of words, votes */
    const float *calibration; /* [CALIBRATIONS][3] */
    const float *thresholds;  /* of the best topic, of others */
};

/* A phrase as it is looked at. */
struct reading {
    char text[PHRASE_FOLD_MAX];
    size_t length; /* 0: says nothing */
    bool corrected;
    uint32_t topics; /* that lists give it; 0: not known */
    float trust;     /* what is left of a confidence: 1, less where the reading is a guess */
};

/* As model_open, with a kernel of one's own choice. */
err model_open_with(struct slice bytes, const struct kernel *kernel, struct model **out,
                    struct error *error) MUST_USE;

/* Folding, taking hashtags apart, spelling. */
void model_read(const struct model *model, struct slice phrase, struct reading *out);

/* Everything behind reading, in a batch. tokens may be NULL. */
struct model_tokens {
    uint16_t tokens[TOKENS_MAX];
    size_t count;
};
void model_run(const struct model *model, void *scratch, const struct reading *readings,
               size_t count, struct trunk_result *results, struct model_tokens *tokens);

#endif
