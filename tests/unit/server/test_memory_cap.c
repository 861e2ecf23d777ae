/* Tries to break: the levels of the memory cap: each boundary from below and from above, no cap at
 * all, and that the measure sees what is allocated. */
#include <string.h>

#include "base/memory.h"
#include "memory_cap.h"
#include "unit/test.h"

static const uint64_t MAX = 1600ull << 20;

static void test_levels(void)
{
    struct memory_cap cap = {.max_bytes = MAX};
    static const struct {
        uint64_t used;
        enum memory_level level;
        uint64_t times_full;
    } rows[] = {
        {0, MEMORY_FINE, 0},
        {MAX - 1, MEMORY_FINE, 0},
        {MAX, MEMORY_FULL, 1},
        {MAX - 1, MEMORY_FULL, 1},
        {MAX - MAX / 16, MEMORY_FULL, 1},
        {MAX - MAX / 16 - 1, MEMORY_FINE, 1},
        {MAX - MAX / 16, MEMORY_FINE, 1},
        {MAX + MAX / 16, MEMORY_OVER, 2},
        {MAX + MAX / 16 - 1, MEMORY_FULL, 2},
        {MAX + MAX / 16, MEMORY_OVER, 2},
        {MAX - 1, MEMORY_FULL, 2},
        {0, MEMORY_FINE, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memory_cap_note(&cap, rows[i].used);
        EXPECT(memory_cap_level(&cap) == rows[i].level, "row %zu", i);
        EXPECT(atomic_load(&cap.times_full) == rows[i].times_full, "row %zu", i);
        EXPECT(atomic_load(&cap.used_bytes) == rows[i].used, "row %zu", i);
    }
}

static void test_no_cap(void)
{
    struct memory_cap cap = {0};
    memory_cap_note(&cap, UINT64_MAX);
    EXPECT(memory_cap_level(&cap) == MEMORY_FINE);
}

static void test_measure(void)
{
    enum { BYTES = 64 << 20 };
    struct memory_cap cap;
    memory_cap_init(&cap, 0);
    uint64_t before = atomic_load(&cap.used_bytes);
    EXPECT(before > 0);
    char *block = memory_alloc(BYTES);
    REQUIRE(block != NULL);
    memset(block, 1, BYTES);
    memory_cap_sample(&cap);
    uint64_t with = atomic_load(&cap.used_bytes);
    EXPECT(with >= before + BYTES, "%llu and %llu", (unsigned long long)before,
           (unsigned long long)with);
    memory_free(block);
    EXPECT(memory_cap_default_bytes() >= MEMORY_CAP_LEAST_BYTES);
}

int main(void)
{
    RUN(test_levels);
    RUN(test_no_cap);
    RUN(test_measure);
    return test_summary();
}
