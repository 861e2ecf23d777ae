/* seed.h: the seed of a random test, and whether times are to be printed.
 *
 * KINDRED_TEST_SEED=n repeats a run; without it every run has a new seed. It is printed either way,
 * before anything can crash. KINDRED_TEST_TIMES=1 makes tests that have some print measurements. */
#ifndef KINDRED_TESTS_UNIT_SEED_H
#define KINDRED_TESTS_UNIT_SEED_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

__attribute__((unused)) static uint64_t test_seed(void)
{
    uint64_t seed;
    const char *given = getenv("KINDRED_TEST_SEED");
    if (given != NULL) {
        seed = strtoull(given, NULL, 10);
    } else {
        random_fill(&system_random, &seed, sizeof seed);
    }
    printf("KINDRED_TEST_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

__attribute__((unused)) static bool test_times_wanted(void)
{
    const char *wanted = getenv("KINDRED_TEST_TIMES");
    return wanted != NULL && strcmp(wanted, "0") != 0;
}

/* Nanoseconds of this thread's processor time: other processes disturb it less than the clock on
 * the wall. */
__attribute__((unused)) static int64_t test_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
