/* trace_hash.h: everything that happened, in one number: each step, file call and outcome is mixed
 * in. With `print` they are also written to standard output, one a line. Threading: one. */
#ifndef KINDRED_TESTS_SIMULATION_TRACE_HASH_H
#define KINDRED_TESTS_SIMULATION_TRACE_HASH_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

struct trace_hash {
    uint64_t hash;
    uint64_t events;
    bool print;
};

static inline void trace_mix(struct trace_hash *trace, uint64_t value)
{
    uint64_t x = (trace->hash ^ value) * 0x9e3779b97f4a7c15u;
    trace->hash = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u ^ x >> 32;
}

/* `what` is a literal whose text is mixed in, too. */
static inline void trace_event(struct trace_hash *trace, const char *what, uint64_t a, uint64_t b,
                               uint64_t c)
{
    for (const char *at = what; *at != '\0'; at++) {
        trace_mix(trace, (uint8_t)*at);
    }
    trace_mix(trace, a);
    trace_mix(trace, b);
    trace_mix(trace, c);
    trace->events++;
    if (trace->print) {
        printf("%6" PRIu64 "  %-22s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", trace->events, what, a,
               b, c);
    }
}

#endif
