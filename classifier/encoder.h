/* encoder.h: the transformer that turns pieces into 512 numbers: the Universal Sentence Encoder's
 * "lite" one (model.h).
 *
 *   pieces ─▶ 2 * vector + place ─▶ layer 0 (256 wide, made 512) ─▶ layer 1 ─▶ mean ─▶ tanh layer ─▶ unit length
 *
 *   a layer:  x ─norm─▶ query, key, value ─▶ 4 heads of attention ─▶ out, added to x (layer 0: to x widened)
 *             x ─norm─▶ up, relu ─▶ down, added to x
 *
 * The pieces of all phrases of a batch go through a matrix together, so that its weights come
 * through the cache once.
 *
 * Threading: immutable, any thread, each with its own scratch. Failure of opening: ERR_CORRUPT,
 * ERR_MEMORY. */
#ifndef KINDRED_CLASSIFIER_ENCODER_H
#define KINDRED_CLASSIFIER_ENCODER_H

#include "classifier/classifier.h"
#include "matrix.h"
#include "pieces.h"

enum {
    ENCODER_LAYERS = 2,
    ENCODER_NARROW = 256,
    ENCODER_WIDTH = 512,
    ENCODER_FEED = 1536,
    ENCODER_HEADS = 4
};
/* pieces that go through together; no less than one phrase's */
enum { ENCODER_ROWS = 4 * TOKENS_MAX };

struct encoder {
    const struct kernel *kernel;
    const int8_t *pieces; /* [piece_count][ENCODER_NARROW] */
    const float *piece_scale;
    size_t piece_count;
    const float *timing; /* [TOKENS_MAX][ENCODER_NARROW] */
    struct encoder_layer {
        const float *norm1, *norm1_bias, *norm2, *norm2_bias;
        struct kernel_matrix qkv, out, up, down, widen; /* widen: layer 0 only */
    } layers[ENCODER_LAYERS];
    struct kernel_matrix tanh;
};

struct encoder_scratch {
    float x[ENCODER_ROWS][ENCODER_WIDTH];
    float y[ENCODER_ROWS][ENCODER_WIDTH];
    /* Rows as long as what lies in them: */
    float seen[ENCODER_ROWS * ENCODER_WIDTH];
    float wide[ENCODER_ROWS * ENCODER_FEED];
    int8_t quantised[ENCODER_ROWS][ENCODER_FEED];
    float scale[ENCODER_ROWS];
};

struct encoder_phrase {
    uint16_t tokens[TOKENS_MAX];
    size_t count;
    float *to; /* [ENCODER_WIDTH]; zeros when count is 0 */
};

err encoder_open(struct encoder *encoder, const struct model_file *file,
                 const struct kernel *kernel, struct error *error) MUST_USE;
void encoder_close(struct encoder *encoder);

/* count <= CLASSIFIER_BATCH_MAX. Every token is below piece_count. */
void encoder_run(const struct encoder *encoder, struct encoder_scratch *scratch,
                 const struct encoder_phrase *phrases, size_t count);

#endif
