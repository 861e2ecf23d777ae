/* kernel_avx512vnni.c: the AVX-512 VNNI kernel. vpdpbusd wants one side without sign: activations
 * are stored 128 too large, and sums start at minus 128 times the row's sum of weights
 * (kernel_matrix.offset). */
#if defined(__x86_64__)

#include <immintrin.h>

#define VECTOR_BYTES 64
#include "kernel_floats.h"

/* AddressSanitizer's stack frames are aligned to 32 bytes only, and these hold vectors of 64. */
#define NO_ASAN __attribute__((no_sanitize_address))

enum { TILE = 6 }; /* tokens at once, times 32 rows; from 8 on gcc 12 keeps the sums in memory */

/* Written down because gcc 12 copies every sum into another register, and back, around the
 * intrinsic. */
NO_ASAN INLINE __m512i add_products(__m512i sum, __m512i values, __m512i weights)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(values), "v"(weights));
    return sum;
}

static float quantise(const float *x, size_t n, int8_t *to)
{
    return quantise_with(x, n, to, 0x80);
}

NO_ASAN INLINE void finish_sixteen(__m512i sum, const struct kernel_matrix *matrix, size_t row,
                                   float x_scale, bool positive, float *out)
{
    __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(matrix->scale + row));
    value = _mm512_mul_ps(value, _mm512_set1_ps(x_scale));
    value = _mm512_add_ps(value, matrix->bias != NULL ? _mm512_loadu_ps(matrix->bias + row)
                                                      : _mm512_setzero_ps());
    if (positive) {
        /* of what is not a number: 0, like finish() */
        value = _mm512_max_ps(value, _mm512_setzero_ps());
    }
    _mm512_storeu_ps(out, value);
}

/* 16 * groups rows times `tokens` <= TILE; constants after inlining. */
NO_ASAN INLINE void tile(const struct kernel_matrix *matrix, size_t row, size_t groups,
                         const int8_t *x, size_t x_stride, const float *x_scale, size_t tokens,
                         bool positive, float *out, size_t out_stride)
{
    const int8_t *weights = matrix->packed + row * matrix->padded_columns;
    const size_t group_bytes = 16 * matrix->padded_columns;
    __m512i sums[2][TILE];
    for (size_t g = 0; g < groups; g++) {
        for (size_t t = 0; t < tokens; t++) {
            sums[g][t] = _mm512_loadu_si512(matrix->offset + row + 16 * g);
        }
    }
    for (size_t column = 0; column < matrix->padded_columns; column += 4, weights += 64) {
        __m512i rows[2];
        for (size_t g = 0; g < groups; g++) {
            rows[g] = _mm512_loadu_si512(weights + g * group_bytes);
        }
        for (size_t t = 0; t < tokens; t++) {
            int32_t four;
            memcpy(&four, x + t * x_stride + column, sizeof four);
            const __m512i values = _mm512_set1_epi32(four);
            for (size_t g = 0; g < groups; g++) {
                sums[g][t] = add_products(sums[g][t], values, rows[g]);
            }
        }
    }
    for (size_t t = 0; t < tokens; t++) {
        for (size_t g = 0; g < groups; g++) {
            const size_t at = row + 16 * g;
            finish_sixteen(sums[g][t], matrix, at, x_scale[t], positive, out + t * out_stride + at);
        }
    }
}

NO_ASAN INLINE void tiles(const struct kernel_matrix *matrix, size_t row, size_t groups,
                          const int8_t *x, size_t x_stride, const float *x_scale, size_t tokens,
                          bool positive, float *out, size_t out_stride)
{
    for (size_t t = 0; t < tokens; t += TILE) {
        const int8_t *from = x + t * x_stride;
        float *to = out + t * out_stride;
        switch (tokens - t) {
        case 1:
            tile(matrix, row, groups, from, x_stride, x_scale + t, 1, positive, to, out_stride);
            break;
        case 2:
            tile(matrix, row, groups, from, x_stride, x_scale + t, 2, positive, to, out_stride);
            break;
        case 3:
            tile(matrix, row, groups, from, x_stride, x_scale + t, 3, positive, to, out_stride);
            break;
        case 4:
            tile(matrix, row, groups, from, x_stride, x_scale + t, 4, positive, to, out_stride);
            break;
        case 5:
            tile(matrix, row, groups, from, x_stride, x_scale + t, 5, positive, to, out_stride);
            break;
        default:
            tile(matrix, row, groups, from, x_stride, x_scale + t, TILE, positive, to, out_stride);
            break;
        }
    }
}

NO_ASAN static void multiply(const struct kernel_matrix *matrix, const int8_t *x, size_t x_stride,
                             const float *x_scale, size_t tokens, bool positive, float *out,
                             size_t out_stride)
{
    size_t row = 0;
    for (; row + 32 <= matrix->rows; row += 32) {
        tiles(matrix, row, 2, x, x_stride, x_scale, tokens, positive, out, out_stride);
    }
    if (row < matrix->rows) {
        tiles(matrix, row, 1, x, x_stride, x_scale, tokens, positive, out, out_stride);
    }
}

const struct kernel kernel_avx512vnni = {
    .name = "avx512vnni",
    .packs = true,
    .flip = 0x80,
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
