/* Tries to break: the levels of the memory cap: each boundary from below and from above, no cap at
 * all, and that the measure sees what is allocated. */
#include <string.h>

#include "base/memory.h"
#include "calls.h"
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

/* Four fifths of the least of: the machine's memory, the limit of our control group and of those
 * around it. */
static void test_the_default(void)
{
    static const uint64_t GIB = 1ull << 30;
    static const char GROUP[] = "/proc/self/cgroup";
    static const char VERSION_1[] = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    calls_pretend_file(GROUP, NULL);
    calls_pretend_file(VERSION_1, NULL);
    const uint64_t machine = memory_cap_default_bytes();
    calls_forget_files();
    REQUIRE(machine > GIB, " a machine with so little memory cannot tell");
    static const struct {
        const char *group, *inner, *outer, *root, *version_1;
        uint64_t expected; /* 0: the machine's */
    } rows[] = {
        {"0::/a/b\n", "536870912\n", "max\n", NULL, NULL, (1ull << 29) / 5 * 4},
        {"0::/a/b\n", "max\n", "536870912\n", NULL, NULL, (1ull << 29) / 5 * 4},
        {"0::/a/b\n", "max\n", "max\n", "268435456\n", NULL, (1ull << 28) / 5 * 4},
        {"12:memory:/x\n0::/a/b\n", "268435456\n", "536870912\n", NULL, NULL, (1ull << 28) / 5 * 4},
        {"0::/a/b\n", "max\n", "max\n", NULL, NULL, 0},
        {"0::/a/b\n", "nonsense\n", "0\n", NULL, NULL, 0},
        {"12:memory:/x\n", NULL, NULL, NULL, "536870912\n", (1ull << 29) / 5 * 4},
        {"12:memory:/x\n", NULL, NULL, NULL, "9223372036854771712\n",
         0}, /* how version 1 says that there is none */
        {"0::/a/b\n", "1000\n", NULL, NULL, NULL, 16ull << 20}, /* never less than a server needs */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        calls_pretend_file(GROUP, rows[i].group);
        calls_pretend_file("/sys/fs/cgroup/a/b/memory.max", rows[i].inner);
        calls_pretend_file("/sys/fs/cgroup/a/memory.max", rows[i].outer);
        calls_pretend_file("/sys/fs/cgroup/memory.max", rows[i].root);
        calls_pretend_file(VERSION_1, rows[i].version_1);
        const uint64_t expected = rows[i].expected != 0 ? rows[i].expected : machine;
        EXPECT(memory_cap_default_bytes() == expected, " row %zu: %llu", i,
               (unsigned long long)memory_cap_default_bytes());
        calls_forget_files();
    }
}

int main(void)
{
    RUN(test_levels);
    RUN(test_no_cap);
    RUN(test_measure);
    RUN(test_the_default);
    return test_summary();
}
