/* kernel_floats.h: the float half of a kernel, included by each kernel_*.c, which is compiled for
 * its instruction set. VECTOR_BYTES (16, 32 or 64) is the width to write it in; the order of every
 * sum is that of KERNEL_LANES lanes whatever the width, so that all kernels give the same bytes.
 *
 * Threading: any. */
#ifndef KINDRED_CLASSIFIER_KERNEL_FLOATS_H
#define KINDRED_CLASSIFIER_KERNEL_FLOATS_H

#include <math.h>
#include <string.h>

#include "kernel.h"

typedef float vector __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef int32_t int_vector __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

enum { VECTOR_LANES = VECTOR_BYTES / 4, PARTS = KERNEL_LANES / VECTOR_LANES };

#define INLINE static inline __attribute__((always_inline))

/* Adding this to a float of less than 2^22 rounds it to an integer, to even, which then lies in the
 * low bits. */
#define ROUNDER      12582912.0f
#define ROUNDER_BITS 0x4B400000

INLINE vector load(const float *from)
{
    return *(const vector *)from;
}

INLINE void store(float *to, vector value)
{
    *(vector *)to = value;
}

INLINE vector fill(float value)
{
    return value - (vector){0};
}

INLINE vector choose(int_vector where, vector yes, vector no)
{
    return (vector)((where & (int_vector)yes) | (~where & (int_vector)no));
}

/* The partial sums, in a fixed tree. */
INLINE float add_lanes(const vector sums[PARTS])
{
    float lane[KERNEL_LANES];
    for (size_t p = 0; p < PARTS; p++) {
        store(lane + p * VECTOR_LANES, sums[p]);
    }
    for (size_t half = KERNEL_LANES / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            lane[i] += lane[i + half];
        }
    }
    return lane[0];
}

/* ---- exp ---- */

/* exp(x) = 2^k * exp(r), |r| <= ln 2 / 2; the polynomial is Cephes' (Moshier 1992). Below -87 it is
 * 0, above 88 as of 88. */
INLINE vector exp_of(vector x)
{
    const int_vector tiny = x < -87.0f;
    x = choose(x < 88.0f, x, fill(88.0f));
    x = choose(x > -87.0f, x, fill(-87.0f));
    const vector shifted = x * 1.44269504088896341f + ROUNDER;
    const vector k = shifted - ROUNDER;
    vector r = x - k * 0.693359375f;
    r = r - k * -2.12194440e-4f;
    vector p = fill(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const int_vector power = ((int_vector)shifted - ROUNDER_BITS + 127) << 23;
    return choose(tiny, fill(0.0f), p * (vector)power);
}

static float exp_one(float x)
{
    float out[VECTOR_LANES];
    store(out, exp_of(fill(x)));
    return out[0];
}

static void tanh_all(float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        store(x + i, 1.0f - 2.0f / (exp_of(2.0f * load(x + i)) + 1.0f));
    }
}

/* ---- sums ---- */

static float dot(const float *a, const float *b, size_t n)
{
    vector sums[PARTS] = {0};
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        for (size_t p = 0; p < PARTS; p++) {
            sums[p] += load(a + i + p * VECTOR_LANES) * load(b + i + p * VECTOR_LANES);
        }
    }
    return add_lanes(sums);
}

static void add_scaled(float *to, float factor, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        store(to + i, load(to + i) + factor * load(x + i));
    }
}

static void norm(const float *x, size_t n, const float *scale, const float *bias, float *out)
{
    vector sums[PARTS] = {0};
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        for (size_t p = 0; p < PARTS; p++) {
            sums[p] += load(x + i + p * VECTOR_LANES);
        }
    }
    const float mean = add_lanes(sums) / (float)n;
    vector squares[PARTS] = {0};
    for (size_t i = 0; i < n; i += KERNEL_LANES) {
        for (size_t p = 0; p < PARTS; p++) {
            const vector off = load(x + i + p * VECTOR_LANES) - mean;
            squares[p] += off * off;
        }
    }
    const float factor = 1.0f / sqrtf(add_lanes(squares) / (float)n + 1e-6f);
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        store(out + i, (load(x + i) - mean) * factor * load(scale + i) + load(bias + i));
    }
}

/* ---- quantising ---- */

INLINE float largest(const float *x, size_t n)
{
    vector most = {0};
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        const vector value = (vector)((int_vector)load(x + i) & 0x7FFFFFFF);
        most = choose(value > most, value, most);
    }
    float lane[VECTOR_LANES];
    store(lane, most);
    for (size_t i = 1; i < VECTOR_LANES; i++) {
        lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
    }
    return lane[0];
}

/* `flip` is xored onto each byte: 0x80 makes int8 an uint8 that is 128 larger. */
INLINE float quantise_with(const float *x, size_t n, int8_t *to, uint8_t flip)
{
    const float most = largest(x, n);
    if (!(most > 1e-30f && most < 1e30f)) {
        memset(to, flip, n);
        return 0;
    }
    const float factor = 127.0f / most;
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
        vector value = load(x + i) * factor;
        value = choose(value < 127.0f, value, fill(127.0f)); /* also what is not a number */
        value = choose(value > -127.0f, value, fill(-127.0f));
        const int_vector rounded = (int_vector)(value + ROUNDER) - ROUNDER_BITS;
        for (size_t lane = 0; lane < VECTOR_LANES; lane++) {
            to[i + lane] = (int8_t)((uint8_t)rounded[lane] ^ flip);
        }
    }
    return most / 127.0f;
}

/* ---- attention ---- */

/* Scores of one token's query in one head, made to weights that add up to 1. Unused places get
 * weight 0. */
INLINE void softmax(float weights[KERNEL_KEYS_MAX], size_t count)
{
    float most = weights[0];
    for (size_t j = 1; j < count; j++) {
        most = weights[j] > most ? weights[j] : most;
    }
    for (size_t j = count; j < KERNEL_KEYS_MAX; j++) {
        weights[j] = -INFINITY;
    }
    vector sums[PARTS] = {0};
    for (size_t j = 0; j < KERNEL_KEYS_MAX; j += KERNEL_LANES) {
        for (size_t p = 0; p < PARTS; p++) {
            const size_t at = j + p * VECTOR_LANES;
            const vector e = exp_of(load(weights + at) - most);
            store(weights + at, e);
            sums[p] += e;
        }
    }
    const float factor = 1.0f / add_lanes(sums);
    for (size_t j = 0; j < count; j++) {
        weights[j] *= factor;
    }
}

static void attend(const float *qkv, size_t count, size_t width, size_t heads, float *seen)
{
    const size_t stride = 3 * width;
    const size_t head_width = width / heads;
    const float factor = 1.0f / sqrtf((float)head_width);
    for (size_t head = 0; head < heads; head++) {
        const float *queries = qkv + head * head_width;
        const float *keys = queries + width;
        const float *values = keys + width;
        for (size_t i = 0; i < count; i++) {
            float weights[KERNEL_KEYS_MAX];
            for (size_t j = 0; j < count; j++) {
                weights[j] = dot(queries + i * stride, keys + j * stride, head_width) * factor;
            }
            softmax(weights, count);
            float *to = seen + i * width + head * head_width;
            memset(to, 0, head_width * sizeof *to);
            for (size_t j = 0; j < count; j++) {
                add_scaled(to, weights[j], values + j * stride, head_width);
            }
        }
    }
}

/* ---- what multiply does with a sum ---- */

INLINE float finish(int32_t sum, float row_scale, float x_scale, float bias, bool positive)
{
    const float value = (float)sum * row_scale * x_scale + bias;
    return positive && !(value > 0) ? 0 : value;
}

#endif
