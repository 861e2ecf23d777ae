#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock_us(clockid_t id)
{
    struct timespec now;
    CHECK(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void *context)
{
    (void)context;
    return read_clock_us(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void *context)
{
    (void)context;
    return read_clock_us(CLOCK_MONOTONIC);
}

static void system_fill(void *context, void *to, size_t length)
{
    (void)context;
    char *at = to;
    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);
        CHECK(got > 0); /* only EINTR of a large request, which these are not */
        at += got;
        length -= (size_t)got;
    }
}

const struct clock system_clock = {system_wall_us, system_monotonic_us, NULL};
const struct random_source system_random = {system_fill, NULL};

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void prng_seed(struct prng *prng, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        prng->state[i] = splitmix64(&seed);
    }
}

static uint64_t rotate_left(uint64_t value, unsigned by)
{
    return (value << by) | (value >> (64 - by));
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Lemire's multiply-shift; the bias of at most bound / 2^64 is beyond what these uses can see. */
uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    __extension__ typedef unsigned __int128 u128;
    CHECK(bound > 0);
    u128 wide = (u128)prng_next(prng) * bound;
    return (uint64_t)(wide >> 64);
}

double prng_unit(struct prng *prng)
{
    return (double)(prng_next(prng) >> 11) * 0x1.0p-53;
}

static void prng_fill(void *context, void *to, size_t length)
{
    char *at = to;
    while (length > 0) {
        uint64_t word = prng_next(context);
        size_t part = length < sizeof word ? length : sizeof word;
        memcpy(at, &word, part);
        at += part;
        length -= part;
    }
}

struct random_source prng_source(struct prng *prng)
{
    return (struct random_source){prng_fill, prng};
}

size_t timestamp_format(int64_t wall_us, char out[TIMESTAMP_TEXT_MAX])
{
    int64_t seconds = wall_us / 1000000;
    int64_t fraction = wall_us % 1000000;
    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    time_t when = (time_t)seconds;
    struct tm parts;
    CHECK(gmtime_r(&when, &parts) != NULL);
    size_t length = strftime(out, TIMESTAMP_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    int added = fraction == 0
                    ? snprintf(out + length, TIMESTAMP_TEXT_MAX - length, "Z")
                    : snprintf(out + length, TIMESTAMP_TEXT_MAX - length, ".%06dZ", (int)fraction);
    return length + (size_t)added;
}
