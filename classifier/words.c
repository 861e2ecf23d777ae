/* words.c: see words.h. */
#include "words.h"

#include <math.h>

err words_open(struct words *words, const struct model_file *file, struct error *error)
{
    struct tensor code = {0};
    struct tensor step = {0};
    struct tensor book = {0};
    err e = hash_table_open(&words->table, file, "words", error);
    const uint32_t rows = e == ERR_OK ? words->table.rows : 0;
    if (e == ERR_OK) {
        e = model_file_tensor(file, "words.code", TENSOR_U8, 2, (uint32_t[]){rows, 0}, &code,
                              error);
    }
    if (e == ERR_OK) {
        e = model_file_tensor(file, "words.step", TENSOR_U8, 1, (uint32_t[]){rows}, &step, error);
    }
    if (e == ERR_OK) {
        e = model_file_tensor(file, "words.book", TENSOR_F32, 3,
                              (uint32_t[]){code.shape[1], 256, 0}, &book, error);
    }
    if (e == ERR_OK) {
        e = model_file_floats(file, "words.weight", 0, 256, &words->weight, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (book.count / 256 > WORDS_WIDTH_MAX) {
        return model_file_error(error, "words.book", "is wider than this version of Kindred reads");
    }
    words->code = code.data;
    words->step = step.data;
    words->book = book.data;
    words->parts = code.shape[1];
    words->part = book.shape[2];
    words->width = words->parts * words->part;
    return ERR_OK;
}

static void add_word(const struct words *words, uint32_t row, float *to)
{
    const uint8_t *code = words->code + (size_t)row * words->parts;
    const float weight = words->weight[words->step[row]];
    for (size_t p = 0; p < words->parts; p++) {
        const float *from = words->book + (p * 256 + code[p]) * words->part;
        for (size_t i = 0; i < words->part; i++) {
            to[p * words->part + i] += weight * from[i];
        }
    }
}

void words_average(const struct words *words, const struct kernel *kernel, struct slice folded,
                   float scale, float *to)
{
    float sum[WORDS_WIDTH_MAX + KERNEL_LANES] = {0};
    for (struct slice rest = folded; rest.data != NULL;) {
        const uint32_t row = hash_table_find(&words->table, slice_cut(&rest, ' '));
        if (row != TABLE_NONE) {
            add_word(words, row, sum);
        }
    }
    const size_t padded = (words->width + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    const float length = sqrtf(kernel->dot(sum, sum, padded));
    for (size_t i = 0; i < words->width; i++) {
        to[i] = length > 0 ? scale * (sum[i] / length) : 0;
    }
}
