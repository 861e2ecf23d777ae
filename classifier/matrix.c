/* matrix.c: see matrix.h. */
#include "matrix.h"

#include <stdio.h>

#include "base/memory.h"

enum { ALIGNMENT = 64 };

static err pack(struct kernel_matrix *matrix, uint8_t flip, struct error *error)
{
    const size_t bytes = matrix->rows * matrix->padded_columns;
    matrix->block = memory_zalloc(bytes + matrix->rows * sizeof(int32_t) + ALIGNMENT);
    if (matrix->block == NULL) {
        return error_set(error, ERR_MEMORY, "memory", 0, "no memory for the model's matrices");
    }
    int8_t *packed = matrix->block;
    packed += (ALIGNMENT - (uintptr_t)packed % ALIGNMENT) % ALIGNMENT;
    int32_t *offset = (int32_t *)(void *)(packed + bytes); /* bytes is a multiple of 64 */
    for (size_t row = 0; row < matrix->rows; row++) {
        const int8_t *from = matrix->weights + row * matrix->columns;
        int8_t *to = packed + row / 16 * 16 * matrix->padded_columns + row % 16 * 4;
        int32_t sum = 0;
        for (size_t column = 0; column < matrix->columns; column++) {
            to[column / 4 * 64 + column % 4] = from[column];
            sum += from[column];
        }
        offset[row] = flip == 0 ? 0 : -128 * sum;
    }
    matrix->packed = packed;
    matrix->offset = offset;
    return ERR_OK;
}

err matrix_open(struct kernel_matrix *matrix, const struct model_file *file,
                const struct kernel *kernel, const char *name, size_t rows, size_t columns,
                struct error *error)
{
    char full[3][TENSOR_NAME_MAX + 8];
    struct tensor weights = {0};
    (void)snprintf(full[0], sizeof full[0], "%s.weight", name);
    (void)snprintf(full[1], sizeof full[1], "%s.scale", name);
    (void)snprintf(full[2], sizeof full[2], "%s.bias", name);
    *matrix = (struct kernel_matrix){0};
    CHECK(columns <= KERNEL_COLUMNS_MAX);
    err e = model_file_tensor(file, full[0], TENSOR_I8, 2,
                              (uint32_t[]){(uint32_t)rows, (uint32_t)columns}, &weights, error);
    if (e == ERR_OK) {
        e = model_file_floats(file, full[1], 0, weights.shape[0], &matrix->scale, error);
    }
    if (e == ERR_OK) {
        e = model_file_floats(file, full[2], 0, weights.shape[0], &matrix->bias, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    matrix->rows = weights.shape[0];
    matrix->columns = columns;
    matrix->padded_columns = (columns + 3) / 4 * 4;
    matrix->weights = weights.data;
    if (matrix->rows % 16 != 0 || memchr(weights.data, 0x80, weights.count) != NULL) {
        return model_file_error(error, full[0],
                                "has a number of rows, or a weight, that is not allowed");
    }
    return kernel->packs ? pack(matrix, kernel->flip, error) : ERR_OK;
}

void matrix_close(struct kernel_matrix *matrix)
{
    memory_free(matrix->block);
}
