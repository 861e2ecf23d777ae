/* trunk.c: see trunk.h. */
#include "trunk.h"

#include <math.h>

#include "base/memory.h"

/* ---- opening ---- */

static size_t row_length(const struct trunk *trunk)
{
    return trunk->hidden + trunk->padded_features;
}

/* Copies two matrices side by side, so that a row is one run of memory whose ends are padded by
 * zeros. */
static void join(const struct trunk *trunk, const float *by_hidden, const float *by_features,
                 size_t rows, float *to)
{
    for (size_t row = 0; row < rows; row++, to += row_length(trunk)) {
        memcpy(to, by_hidden + row * trunk->hidden, trunk->hidden * sizeof *to);
        memcpy(to + trunk->hidden, by_features + row * trunk->features,
               trunk->features * sizeof *to);
    }
}

err trunk_open(struct trunk *trunk, const struct model_file *file, const struct kernel *kernel,
               size_t topic_count, size_t features, struct error *error)
{
    const size_t logits = topic_count + 1;
    const float *out = NULL;
    const float *direct = NULL;
    const float *near = NULL;
    const float *near_direct = NULL;
    trunk->kernel = kernel;
    trunk->topic_count = topic_count;
    trunk->features = features;
    trunk->padded_features = (features + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    err e = matrix_open(&trunk->up, file, kernel, "trunk.up", 0, features, error);
    if (e == ERR_OK && trunk->up.rows > TRUNK_HIDDEN_MAX) {
        e = model_file_error(error, "trunk.up", "is larger than this version of Kindred reads");
    }
    if (e != ERR_OK) {
        return e;
    }
    trunk->hidden = trunk->up.rows;
    const struct {
        const char *name;
        size_t rows;
        size_t columns;
        const float **to;
    } tensors[] = {{"trunk.out", logits, trunk->hidden, &out},
                   {"trunk.direct", logits, features, &direct},
                   {"trunk.bias", 0, logits, &trunk->bias},
                   {"trunk.near", EMBEDDING_SIZE, trunk->hidden, &near},
                   {"trunk.near_direct", EMBEDDING_SIZE, features, &near_direct},
                   {"embedding.mean", 0, EMBEDDING_SIZE, &trunk->mean},
                   {"embedding.matrix", EMBEDDING_SIZE, EMBEDDING_SIZE, &trunk->whitening}};
    for (size_t i = 0; e == ERR_OK && i < ARRAY_COUNT(tensors); i++) {
        e = model_file_floats(file, tensors[i].name, tensors[i].rows, tensors[i].columns,
                              tensors[i].to, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    trunk->head =
        memory_zalloc((logits + EMBEDDING_SIZE) * row_length(trunk) * sizeof *trunk->head);
    if (trunk->head == NULL) {
        return error_set(error, ERR_MEMORY, "memory", 0, "no memory for the model's head");
    }
    join(trunk, out, direct, logits, trunk->head);
    join(trunk, near, near_direct, EMBEDDING_SIZE, trunk->head + logits * row_length(trunk));
    return ERR_OK;
}

void trunk_close(struct trunk *trunk)
{
    matrix_close(&trunk->up);
    memory_free(trunk->head);
}

/* ---- running ---- */

/* Scratch: joined [batch][hidden | features], sums [2 * batch][hidden], left over [features],
 * quantised [2 * batch][features]. */
struct trunk_scratch {
    float *joined;
    float *sums;
    float *left;
    int8_t *quantised;
};

static struct trunk_scratch lay_out(const struct trunk *trunk, void *scratch)
{
    struct trunk_scratch s = {.joined = scratch};
    s.sums = s.joined + CLASSIFIER_BATCH_MAX * row_length(trunk);
    s.left = s.sums + 2 * CLASSIFIER_BATCH_MAX * trunk->hidden;
    s.quantised = (int8_t *)(s.left + trunk->padded_features);
    return s;
}

size_t trunk_scratch_bytes(const struct trunk *trunk)
{
    const size_t floats =
        CLASSIFIER_BATCH_MAX * (row_length(trunk) + 2 * trunk->hidden) + trunk->padded_features;
    return floats * sizeof(float) + 2 * CLASSIFIER_BATCH_MAX * trunk->padded_features;
}

float *trunk_features(const struct trunk *trunk, void *scratch, size_t i)
{
    return lay_out(trunk, scratch).joined + i * row_length(trunk) + trunk->hidden;
}

/* x as two int8 vectors: x = scale[0] * to[0] + scale[1] * to[1], nearly. */
static void quantise_twice(const struct trunk *trunk, const float *x, float *left, int8_t *to,
                           float scale[2])
{
    const size_t n = trunk->padded_features;
    scale[0] = trunk->kernel->quantise(x, n, to);
    for (size_t i = 0; i < n; i++) {
        left[i] = x[i] - scale[0] * (float)(int8_t)((uint8_t)to[i] ^ trunk->kernel->flip);
    }
    scale[1] = trunk->kernel->quantise(left, n, to + n);
}

static void hide(const struct trunk *trunk, const struct trunk_scratch *s, size_t count)
{
    const size_t n = trunk->padded_features;
    float scale[2 * CLASSIFIER_BATCH_MAX] = {0};
    struct kernel_matrix up = trunk->up;
    up.bias = NULL;
    for (size_t i = 0; i < count; i++) {
        float *x = s->joined + i * row_length(trunk) + trunk->hidden;
        memset(x + trunk->features, 0, (n - trunk->features) * sizeof *x);
        quantise_twice(trunk, x, s->left, s->quantised + 2 * i * n, scale + 2 * i);
    }
    trunk->kernel->multiply(&up, s->quantised, n, scale, 2 * count, false, s->sums, trunk->hidden);
    for (size_t i = 0; i < count; i++) {
        const float *first = s->sums + 2 * i * trunk->hidden;
        const float *second = first + trunk->hidden;
        float *hidden = s->joined + i * row_length(trunk);
        for (size_t h = 0; h < trunk->hidden; h++) {
            const float value = first[h] + second[h] + trunk->up.bias[h];
            hidden[h] = value > 0 ? value : 0;
        }
    }
}

/* unit((near - mean) x whitening) * sqrt(EMBEDDING_SIZE), near made unit length before. */
static void whiten(const struct trunk *trunk, float near[EMBEDDING_SIZE])
{
    float centred[EMBEDDING_SIZE];
    const float factor = 1.0f / sqrtf(trunk->kernel->dot(near, near, EMBEDDING_SIZE) + 1e-9f);
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        centred[i] = near[i] * factor - trunk->mean[i];
    }
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        near[i] =
            trunk->kernel->dot(centred, trunk->whitening + i * EMBEDDING_SIZE, EMBEDDING_SIZE);
    }
    const float length = sqrtf(trunk->kernel->dot(near, near, EMBEDDING_SIZE)) + 1e-9f;
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        near[i] = near[i] / length * sqrtf(EMBEDDING_SIZE);
    }
}

void trunk_run(const struct trunk *trunk, void *scratch, size_t count, struct trunk_result *results)
{
    const struct trunk_scratch s = lay_out(trunk, scratch);
    const size_t logits = trunk->topic_count + 1;
    hide(trunk, &s, count);
    const float *weights = trunk->head;
    for (size_t row = 0; row < logits + EMBEDDING_SIZE; row++, weights += row_length(trunk)) {
        for (size_t i = 0; i < count; i++) {
            const float sum =
                trunk->kernel->dot(weights, s.joined + i * row_length(trunk), row_length(trunk));
            if (row < logits) {
                results[i].logits[row] = sum + trunk->bias[row];
            } else {
                results[i].embedding[row - logits] = sum;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        whiten(trunk, results[i].embedding);
    }
}
