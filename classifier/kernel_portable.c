/* kernel_portable.c: the kernel that runs everywhere, and what the others must equal. */
#define VECTOR_BYTES 16
#include "kernel_floats.h"

static float quantise(const float *x, size_t n, int8_t *to)
{
    return quantise_with(x, n, to, 0);
}

static int32_t dot_bytes(const int8_t *a, const int8_t *b, size_t n)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (int32_t)a[i] * (int32_t)b[i];
    }
    return sum;
}

static void multiply(const struct kernel_matrix *matrix, const int8_t *x, size_t x_stride,
                     const float *x_scale, size_t tokens, bool positive, float *out,
                     size_t out_stride)
{
    for (size_t row = 0; row < matrix->rows; row++) {
        const int8_t *weights = matrix->weights + row * matrix->columns;
        const float bias = matrix->bias != NULL ? matrix->bias[row] : 0;
        for (size_t t = 0; t < tokens; t++) {
            const int32_t sum = dot_bytes(weights, x + t * x_stride, matrix->columns);
            out[t * out_stride + row] = finish(sum, matrix->scale[row], x_scale[t], bias, positive);
        }
    }
}

const struct kernel kernel_portable = {
    .name = "portable",
    .quantise = quantise,
    .multiply = multiply,
    .norm = norm,
    .dot = dot,
    .add_scaled = add_scaled,
    .attend = attend,
    .tanh = tanh_all,
    .exp = exp_one,
};
