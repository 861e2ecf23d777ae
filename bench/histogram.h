/* histogram.h: latencies in buckets 1.6 % wide, from 1 ns to 2^40 ns (after HdrHistogram).
 *
 * Threading: one thread at a time. */
#ifndef KINDRED_BENCH_HISTOGRAM_H
#define KINDRED_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum {
    HISTOGRAM_SUB_BITS = 6,
    HISTOGRAM_BUCKETS = (40 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t max_ns;
};

static inline unsigned histogram_bucket(uint64_t ns)
{
    if (ns >= UINT64_C(1) << 40) {
        return HISTOGRAM_BUCKETS - 1;
    }
    if (ns < 1u << HISTOGRAM_SUB_BITS) {
        return (unsigned)ns;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(ns >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->counts[histogram_bucket(ns)]++;
    histogram->total++;
    histogram->max_ns = ns > histogram->max_ns ? ns : histogram->max_ns;
}

/* Upper edge of the bucket that holds this share of all; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);
/* JSON: [[share, ns], …] for a plot of the distribution. */
void histogram_print_curve(const struct histogram *histogram, FILE *to);

#endif
