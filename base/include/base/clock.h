/* clock.h: time and randomness come in from outside.
 *
 * Nothing below server/ asks the system for the time or for random bytes: it is handed a clock and
 * a random source, so that a test or a simulation can supply its own and the same seed gives the
 * same run. Applying a log entry uses neither: its time is the entry's.
 *
 * Threading: the system clock and system random are for any thread. */
#ifndef KINDRED_BASE_CLOCK_H
#define KINDRED_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct clock {
    int64_t (*wall_us)(void *context);      /* microseconds since 1970-01-01 UTC */
    int64_t (*monotonic_us)(void *context); /* never goes back */
    void *context;
};

struct random_source {
    void (*fill)(void *context, void *to, size_t length);
    void *context;
};

extern const struct clock system_clock;
extern const struct random_source system_random; /* getrandom(2) */

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock->context);
}
static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->context);
}
static inline void random_fill(const struct random_source *source, void *to, size_t length)
{
    source->fill(source->context, to, length);
}

/* A seeded generator for tests, demo data and load: xoshiro256** (Blackman & Vigna, 2018), its
 * state filled by splitmix64. Not for secrets. */
struct prng {
    uint64_t state[4];
};
void prng_seed(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
uint64_t prng_below(struct prng *prng, uint64_t bound); /* uniform in [0, bound), bound > 0 */
double prng_unit(struct prng *prng);                    /* uniform in [0, 1) */
/* A random_source whose bytes follow from the prng's state; the prng is borrowed. */
struct random_source prng_source(struct prng *prng);

/* "2026-11-22T01:44:59.123456Z" (RFC 3339, UTC; the fraction is left out when it is 0). */
enum { TIMESTAMP_TEXT_MAX = 32 };
size_t timestamp_format(int64_t wall_us, char out[TIMESTAMP_TEXT_MAX]);

#endif
