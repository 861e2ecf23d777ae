/* encoder.c: see encoder.h. */
#include "encoder.h"

#include <math.h>
#include <stdio.h>

/* ---- opening ---- */

static err open_layer(struct encoder_layer *layer, unsigned number, const struct model_file *file,
                      const struct kernel *kernel, struct error *error)
{
    const size_t in = number == 0 ? ENCODER_NARROW : ENCODER_WIDTH;
    const struct {
        const char *name;
        const float **to;
        size_t length;
    } vectors[] = {{"norm1", &layer->norm1, in},
                   {"norm1_bias", &layer->norm1_bias, in},
                   {"norm2", &layer->norm2, ENCODER_WIDTH},
                   {"norm2_bias", &layer->norm2_bias, ENCODER_WIDTH}};
    const struct {
        const char *name;
        struct kernel_matrix *to;
        size_t rows;
        size_t columns;
    } matrices[] = {{"qkv", &layer->qkv, 3 * in, in},
                    {"out", &layer->out, ENCODER_WIDTH, in},
                    {"up", &layer->up, ENCODER_FEED, ENCODER_WIDTH},
                    {"down", &layer->down, ENCODER_WIDTH, ENCODER_FEED},
                    {"widen", &layer->widen, ENCODER_WIDTH, in}};
    char name[TENSOR_NAME_MAX];
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < ARRAY_COUNT(vectors); i++) {
        (void)snprintf(name, sizeof name, "encoder.%u.%s", number, vectors[i].name);
        e = model_file_floats(file, name, 0, vectors[i].length, vectors[i].to, error);
    }
    for (size_t i = 0; e == ERR_OK && i < ARRAY_COUNT(matrices) - (number > 0); i++) {
        (void)snprintf(name, sizeof name, "encoder.%u.%s", number, matrices[i].name);
        e = matrix_open(matrices[i].to, file, kernel, name, matrices[i].rows, matrices[i].columns,
                        error);
    }
    return e;
}

err encoder_open(struct encoder *encoder, const struct model_file *file,
                 const struct kernel *kernel, struct error *error)
{
    struct tensor pieces = {0};
    encoder->kernel = kernel;
    err e = model_file_tensor(file, "encoder.pieces", TENSOR_I8, 2, (uint32_t[]){0, ENCODER_NARROW},
                              &pieces, error);
    encoder->pieces = pieces.data;
    encoder->piece_count = pieces.shape[0];
    if (e == ERR_OK) {
        e = model_file_floats(file, "encoder.pieces.scale", 0, pieces.shape[0],
                              &encoder->piece_scale, error);
    }
    if (e == ERR_OK) {
        e = model_file_floats(file, "encoder.timing", TOKENS_MAX, ENCODER_NARROW, &encoder->timing,
                              error);
    }
    for (unsigned i = 0; e == ERR_OK && i < ENCODER_LAYERS; i++) {
        e = open_layer(&encoder->layers[i], i, file, kernel, error);
    }
    if (e == ERR_OK) {
        e = matrix_open(&encoder->tanh, file, kernel, "encoder.tanh", ENCODER_WIDTH, ENCODER_WIDTH,
                        error);
    }
    return e;
}

void encoder_close(struct encoder *encoder)
{
    for (size_t i = 0; i < ENCODER_LAYERS; i++) {
        struct encoder_layer *layer = &encoder->layers[i];
        matrix_close(&layer->qkv);
        matrix_close(&layer->out);
        matrix_close(&layer->up);
        matrix_close(&layer->down);
        matrix_close(&layer->widen);
    }
    matrix_close(&encoder->tanh);
}

/* ---- running ---- */

struct run {
    const struct encoder *encoder;
    struct encoder_scratch *s;
    const struct encoder_phrase *phrases;
    size_t phrase_count;
    size_t rows; /* pieces of all phrases, one behind the other */
};

static void embed(struct run *run)
{
    const struct encoder *encoder = run->encoder;
    for (size_t p = 0; p < run->phrase_count; p++) {
        for (size_t place = 0; place < run->phrases[p].count; place++) {
            const uint16_t token = run->phrases[p].tokens[place];
            const int8_t *piece = encoder->pieces + (size_t)token * ENCODER_NARROW;
            const float scale = 2 * encoder->piece_scale[token];
            float *x = run->s->x[run->rows++];
            for (size_t i = 0; i < ENCODER_NARROW; i++) {
                x[i] = scale * (float)piece[i] + encoder->timing[place * ENCODER_NARROW + i];
            }
        }
    }
}

/* to = from times the matrix, by row; from and to may be the same memory. */
static void multiply(const struct run *run, const struct kernel_matrix *matrix, const float *from,
                     size_t from_stride, bool positive, float *to, size_t to_stride)
{
    struct encoder_scratch *s = run->s;
    for (size_t r = 0; r < run->rows; r++) {
        s->scale[r] = run->encoder->kernel->quantise(from + r * from_stride, matrix->columns,
                                                     s->quantised[r]);
    }
    run->encoder->kernel->multiply(matrix, s->quantised[0], ENCODER_FEED, s->scale, run->rows,
                                   positive, to, to_stride);
}

static void norm_rows(const struct run *run, size_t width, const float *scale, const float *bias)
{
    for (size_t r = 0; r < run->rows; r++) {
        run->encoder->kernel->norm(run->s->x[r], width, scale, bias, run->s->y[r]);
    }
}

static void add_rows(const struct run *run)
{
    for (size_t r = 0; r < run->rows; r++) {
        run->encoder->kernel->add_scaled(run->s->x[r], 1, run->s->y[r], ENCODER_WIDTH);
    }
}

static void run_layer(const struct run *run, const struct encoder_layer *layer)
{
    struct encoder_scratch *s = run->s;
    const size_t in = layer->qkv.columns;
    norm_rows(run, in, layer->norm1, layer->norm1_bias);
    multiply(run, &layer->qkv, s->y[0], ENCODER_WIDTH, false, s->wide, 3 * in);
    size_t row = 0;
    for (size_t p = 0; p < run->phrase_count; p++) {
        const size_t count = run->phrases[p].count;
        run->encoder->kernel->attend(s->wide + row * 3 * in, count, in, ENCODER_HEADS,
                                     s->seen + row * in);
        row += count;
    }
    if (layer->widen.rows > 0) {
        multiply(run, &layer->widen, s->x[0], ENCODER_WIDTH, false, s->x[0], ENCODER_WIDTH);
    }
    multiply(run, &layer->out, s->seen, in, false, s->y[0], ENCODER_WIDTH);
    add_rows(run);
    norm_rows(run, ENCODER_WIDTH, layer->norm2, layer->norm2_bias);
    multiply(run, &layer->up, s->y[0], ENCODER_WIDTH, true, s->wide, ENCODER_FEED);
    multiply(run, &layer->down, s->wide, ENCODER_FEED, false, s->y[0], ENCODER_WIDTH);
    add_rows(run);
}

/* The mean of each phrase's rows, in y[phrase]. */
static void average(struct run *run)
{
    const struct kernel *kernel = run->encoder->kernel;
    size_t row = 0;
    for (size_t p = 0; p < run->phrase_count; p++) {
        float *mean = run->s->y[p];
        const size_t count = run->phrases[p].count;
        memset(mean, 0, ENCODER_WIDTH * sizeof *mean);
        for (size_t i = 0; i < count; i++) {
            kernel->add_scaled(mean, 1, run->s->x[row++], ENCODER_WIDTH);
        }
        for (size_t i = 0; i < ENCODER_WIDTH; i++) {
            mean[i] /= (float)(count > 0 ? count : 1);
        }
    }
}

static void run_group(const struct encoder *encoder, struct encoder_scratch *scratch,
                      const struct encoder_phrase *phrases, size_t count)
{
    struct run run = {encoder, scratch, phrases, count, 0};
    embed(&run);
    for (size_t i = 0; i < ENCODER_LAYERS; i++) {
        run_layer(&run, &encoder->layers[i]);
    }
    average(&run);
    run.rows = count;
    multiply(&run, &encoder->tanh, scratch->y[0], ENCODER_WIDTH, false, scratch->x[0],
             ENCODER_WIDTH);
    for (size_t p = 0; p < count; p++) {
        float *x = scratch->x[p];
        encoder->kernel->tanh(x, ENCODER_WIDTH);
        const float squares = encoder->kernel->dot(x, x, ENCODER_WIDTH);
        const float factor =
            phrases[p].count == 0 ? 0 : 1.0f / sqrtf(squares > 1e-12f ? squares : 1e-12f);
        for (size_t i = 0; i < ENCODER_WIDTH; i++) {
            phrases[p].to[i] = factor * x[i];
        }
    }
}

void encoder_run(const struct encoder *encoder, struct encoder_scratch *scratch,
                 const struct encoder_phrase *phrases, size_t count)
{
    for (size_t from = 0; from < count;) {
        size_t rows = 0;
        size_t to = from;
        while (to < count && rows + phrases[to].count <= ENCODER_ROWS) {
            rows += phrases[to++].count;
        }
        run_group(encoder, scratch, phrases + from, to - from);
        from = to;
    }
}
