#include "metrics.h"

#include <stdio.h>
#include <unistd.h>

const uint64_t histogram_bounds_us[HISTOGRAM_BUCKETS - 1] = {
    5,     10,    25,    50,     100,    250,    500,     1000,    2500,     5000,
    10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
};
const uint64_t histogram_bounds_size[HISTOGRAM_BUCKETS - 1] = {
    1,    2,    4,    8,    16,    32,    64,    128,    256,    512,
    1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144,
};

void histogram_add(struct histogram *histogram, const uint64_t *bounds, uint64_t value,
                   uint64_t times)
{
    size_t i = 0;
    while (i < HISTOGRAM_BUCKETS - 1 && value > bounds[i]) {
        i++;
    }
    counter_add(&histogram->buckets[i], times);
    counter_add(&histogram->sum, value * times);
}

void metrics_describe(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_value(struct buffer *out, const char *name, const char *labels, uint64_t value)
{
    buffer_append_cstr(out, name);
    if (labels != NULL) {
        buffer_append_char(out, '{');
        buffer_append_cstr(out, labels);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ' ');
    buffer_append_u64(out, value);
    buffer_append_char(out, '\n');
}

static void bucket_line(struct buffer *out, const char *name, const char *labels, const char *bound,
                        uint64_t value)
{
    buffer_append_format(out, "%s_bucket{%s%sle=\"%s\"} ", name, labels != NULL ? labels : "",
                         labels != NULL ? "," : "", bound);
    buffer_append_u64(out, value);
    buffer_append_char(out, '\n');
}

static void sum_lines(struct buffer *out, const char *name, const char *labels, uint64_t sum,
                      uint64_t total, int seconds)
{
    const char *open = labels != NULL ? "{" : "";
    const char *close = labels != NULL ? "}" : "";
    const char *inside = labels != NULL ? labels : "";
    if (seconds) {
        buffer_append_format(out, "%s_sum%s%s%s %.6f\n", name, open, inside, close,
                             (double)sum / 1e6);
    } else {
        buffer_append_format(out, "%s_sum%s%s%s %llu\n", name, open, inside, close,
                             (unsigned long long)sum);
    }
    buffer_append_format(out, "%s_count%s%s%s %llu\n", name, open, inside, close,
                         (unsigned long long)total);
}

void metrics_histogram(struct buffer *out, const char *name, const char *labels,
                       const struct histogram *first, size_t count, size_t stride,
                       const uint64_t *bounds, int seconds)
{
    uint64_t total = 0;
    uint64_t sum = 0;
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        for (size_t i = 0; i < count; i++) {
            const struct histogram *one = (const void *)((const char *)first + i * stride);
            total += counter_get(&one->buckets[bucket]);
            sum += bucket == 0 ? counter_get(&one->sum) : 0;
        }
        char bound[32] = "+Inf";
        if (bucket < HISTOGRAM_BUCKETS - 1 && seconds) {
            snprintf(bound, sizeof bound, "%g", (double)bounds[bucket] / 1e6);
        } else if (bucket < HISTOGRAM_BUCKETS - 1) {
            snprintf(bound, sizeof bound, "%llu", (unsigned long long)bounds[bucket]);
        }
        bucket_line(out, name, labels, bound, total);
    }
    sum_lines(out, name, labels, sum, total, seconds);
}

uint64_t metrics_resident_bytes(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL) {
        return 0;
    }
    unsigned long long size = 0;
    unsigned long long resident = 0;
    int got = fscanf(statm, "%llu %llu", &size, &resident);
    fclose(statm);
    return got == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
