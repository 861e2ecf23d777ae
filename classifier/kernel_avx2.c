/* kernel_avx2.c: the AVX2 kernel. vpmaddubsw wants one side without sign: the activations'
 * magnitude goes there and their sign onto the weights; 2 * 127 * 127 fits its 16 bits. */
#if defined(__x86_64__)

#include <immintrin.h>

#define VECTOR_BYTES 32
#include "kernel_floats.h"

enum { TILE = 4 }; /* tokens at once, times 16 rows */

static float quantise(const float *x, size_t n, int8_t *to)
{
    return quantise_with(x, n, to, 0);
}

INLINE __m256i add_products(__m256i sum, __m256i magnitude, __m256i x, __m256i weights)
{
    const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(weights, x));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

INLINE void finish_eight(__m256i sum, const struct kernel_matrix *matrix, size_t row, float x_scale,
                         bool positive, float *out)
{
    __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(matrix->scale + row));
    value = _mm256_mul_ps(value, _mm256_set1_ps(x_scale));
    value = _mm256_add_ps(value, matrix->bias != NULL ? _mm256_loadu_ps(matrix->bias + row)
                                                      : _mm256_setzero_ps());
    if (positive) {
        /* of what is not a number: 0, like finish() */
        value = _mm256_max_ps(value, _mm256_setzero_ps());
    }
    _mm256_storeu_ps(out, value);
}

/* 16 rows times `tokens` <= TILE; a constant after inlining. */
INLINE void tile(const struct kernel_matrix *matrix, size_t row, const int8_t *x, size_t x_stride,
                 const float *x_scale, size_t tokens, bool positive, float *out, size_t out_stride)
{
    const int8_t *weights = matrix->packed + row * matrix->padded_columns;
    __m256i low[TILE];
    __m256i high[TILE];
    for (size_t t = 0; t < tokens; t++) {
        low[t] = high[t] = _mm256_setzero_si256();
    }
    for (size_t column = 0; column < matrix->padded_columns; column += 4, weights += 64) {
        const __m256i first = _mm256_loadu_si256((const __m256i_u *)(const void *)weights);
        const __m256i second = _mm256_loadu_si256((const __m256i_u *)(const void *)(weights + 32));
        for (size_t t = 0; t < tokens; t++) {
            int32_t four;
            memcpy(&four, x + t * x_stride + column, sizeof four);
            const __m256i values = _mm256_set1_epi32(four);
            const __m256i magnitude = _mm256_abs_epi8(values);
            low[t] = add_products(low[t], magnitude, values, first);
            high[t] = add_products(high[t], magnitude, values, second);
        }
    }
    for (size_t t = 0; t < tokens; t++) {
        finish_eight(low[t], matrix, row, x_scale[t], positive, out + t * out_stride + row);
        finish_eight(high[t], matrix, row + 8, x_scale[t], positive,
                     out + t * out_stride + row + 8);
    }
}

static void multiply(const struct kernel_matrix *matrix, const int8_t *x, size_t x_stride,
                     const float *x_scale, size_t tokens, bool positive, float *out,
                     size_t out_stride)
{
    for (size_t row = 0; row < matrix->rows; row += 16) {
        for (size_t t = 0; t < tokens; t += TILE) {
            const int8_t *from = x + t * x_stride;
            float *to = out + t * out_stride;
            switch (tokens - t) {
            case 1:
                tile(matrix, row, from, x_stride, x_scale + t, 1, positive, to, out_stride);
                break;
            case 2:
                tile(matrix, row, from, x_stride, x_scale + t, 2, positive, to, out_stride);
                break;
            case 3:
                tile(matrix, row, from, x_stride, x_scale + t, 3, positive, to, out_stride);
                break;
            default:
                tile(matrix, row, from, x_stride, x_scale + t, TILE, positive, to, out_stride);
                break;
            }
        }
    }
}

const struct kernel kernel_avx2 = {
    .name = "avx2",
    .packs = true,
    .quantise = quantise,
    .multiply = multiply,
    .norm = norm,
    .dot = dot,
    .add_scaled = add_scaled,
    .attend = attend,
    .tanh = tanh_all,
    .exp = exp_one,
};

#endif
