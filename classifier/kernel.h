/* kernel.h: the arithmetic of the model, one set of functions per instruction set.
 *
 *   portable      any machine; the reference
 *   avx2          x86-64 with AVX2
 *   avx512vnni    x86-64 with AVX-512 (F, BW, VL) and VNNI
 *
 * All give the same bytes. The matrix products are integers (int8 x int8 into int32: at most 2048 x
 * 127 x 127 < 2^31). Sums of floats go over KERNEL_LANES partial sums, element i into sum i modulo
 * KERNEL_LANES, which are then added in a fixed tree; nothing is fused (-ffp-contract=off) and exp
 * is our own polynomial. So a verdict does not depend on the machine.
 *
 * Lengths of float vectors are multiples of KERNEL_LANES (zeros behind the end), and of int8
 * vectors multiples of 4.
 *
 * Threading: any. */
#ifndef KINDRED_CLASSIFIER_KERNEL_H
#define KINDRED_CLASSIFIER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KERNEL_LANES = 16,
    KERNEL_COLUMNS_MAX = 2048,
    KERNEL_KEYS_MAX = 32, /* tokens that attend to each other */
};

/* An int8 matrix: row r is weights[r * columns ..] times scale[r]. `weights` is the file's;
 * `packed` is made for a kernel that wants another order, NULL otherwise:
 *
 *     rows in sixteens ─▶ for each: columns in fours ─▶ for each of the 16 rows: 4 weights        (columns padded by zeros)
 */
struct kernel_matrix {
    size_t rows;           /* a multiple of 16 */
    size_t columns;        /* as in the file */
    size_t padded_columns; /* a multiple of 4 */
    const int8_t *weights; /* [rows][columns]; no -128 */
    const float *scale;    /* [rows] */
    const float *bias;     /* [rows] or NULL */
    const int8_t *packed;  /* 64-byte aligned */
    const int32_t *offset; /* [rows]: what a sum starts with (packed only) */
    void *block;           /* owned: what the last two lie in */
};

struct kernel {
    const char *name;
    bool packs;   /* multiply reads `packed` and `offset` */
    uint8_t flip; /* xored onto quantised bytes */
    /* x [n] to n bytes for multiply, int8 of x / scale rounded to even, xor flip; returns the
     * scale. 0, and zeros, when x is all zeros or not finite. */
    float (*quantise)(const float *x, size_t n, int8_t *to);
    /* out[t][r] = scale[r] * x_scale[t] * sum + bias[r]; with `positive`, 0 where that is less. */
    void (*multiply)(const struct kernel_matrix *matrix, const int8_t *x, size_t x_stride,
                     const float *x_scale, size_t tokens, bool positive, float *out,
                     size_t out_stride);
    /* Layer norm: (x - mean) / sqrt(variance + 1e-6) * scale + bias. */
    void (*norm)(const float *x, size_t n, const float *scale, const float *bias, float *out);
    float (*dot)(const float *a, const float *b, size_t n);
    /* to += factor * x */
    void (*add_scaled)(float *to, float factor, const float *x, size_t n);
    /* Softmax attention of `count` <= KERNEL_KEYS_MAX tokens: qkv [count][3 * width], seen
     * [count][width]. */
    void (*attend)(const float *qkv, size_t count, size_t width, size_t heads, float *seen);
    void (*tanh)(float *x, size_t n);
    float (*exp)(float x);
};

extern const struct kernel kernel_portable;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2;
extern const struct kernel kernel_avx512vnni;
#endif

/* The fastest that runs here. */
const struct kernel *kernel_choose(void);
/* By name; NULL when there is none or it does not run here. */
const struct kernel *kernel_named(const char *name);

#endif
