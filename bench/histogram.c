#include "histogram.h"

static uint64_t upper_edge(unsigned bucket)
{
    if (bucket < 2u << HISTOGRAM_SUB_BITS) {
        return bucket;
    }
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t sub = bucket - (shift << HISTOGRAM_SUB_BITS);
    return ((sub + 1) << shift) - 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->total);
    uint64_t seen = 0;
    for (unsigned k = 0; k < HISTOGRAM_BUCKETS; k++) {
        seen += histogram->counts[k];
        if (histogram->counts[k] != 0 && seen >= wanted) {
            uint64_t edge = upper_edge(k);
            return edge < histogram->max_ns ? edge : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}

void histogram_print_curve(const struct histogram *histogram, FILE *to)
{
    static const double shares[] = {0.01, 0.1,  0.25,  0.5,   0.75,   0.9,    0.95,
                                    0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0};
    fputc('[', to);
    for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
        fprintf(to, "%s[%g, %llu]", k == 0 ? "" : ", ", shares[k],
                (unsigned long long)histogram_quantile(histogram, shares[k]));
    }
    fputc(']', to);
}
