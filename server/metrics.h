/* metrics.h: counters and histograms that cost a worker two plain additions per answer.
 *
 * Every worker counts for itself; /metrics adds them up. A counter is an atomic that only its owner
 * writes (load, add, store: no locked instruction), so a reader sees a value that was true a moment
 * ago.
 *
 * Threading: *_add by the owner; reading from any thread. */
#ifndef KINDRED_SERVER_METRICS_H
#define KINDRED_SERVER_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct counter {
    _Atomic uint64_t value;
};

static inline void counter_add(struct counter *counter, uint64_t n)
{
    uint64_t old = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, old + n, memory_order_relaxed);
}
static inline uint64_t counter_get(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

enum { HISTOGRAM_BUCKETS = 20 };

/* Upper bounds of the buckets but the last, which is +Inf. A histogram counts either microseconds
 * or sizes; its owner knows which. */
struct histogram {
    struct counter buckets[HISTOGRAM_BUCKETS];
    struct counter sum;
};
extern const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1];
extern const uint64_t histogram_bounds_size[HISTOGRAM_BUCKETS - 1];

void histogram_add(struct histogram *histogram, const uint64_t *bounds, uint64_t value,
                   uint64_t times);

/* ---- text (Prometheus exposition format 0.0.4) ---- */

void metrics_describe(struct buffer *out, const char *name, const char *type, const char *help);
void metrics_value(struct buffer *out, const char *name, const char *labels, uint64_t value);
/* Adds up `count` histograms that lie `stride` bytes apart. seconds: the bounds are
 * microseconds. */
void metrics_histogram(struct buffer *out, const char *name, const char *labels,
                       const struct histogram *first, size_t count, size_t stride,
                       const uint64_t *bounds, int seconds);

/* Resident memory of this process, 0 when unknown. */
uint64_t metrics_resident_bytes(void);

#endif
