#include "memory_cap.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if KINDRED_JEMALLOC
#include <jemalloc/jemalloc.h>

static uint64_t statistic(const char *name)
{
    size_t value = 0;
    size_t size = sizeof value;
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

static uint64_t measure(void)
{
    /* The figures stand still until the epoch is told to move on. */
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    (void)mallctl("epoch", &epoch, &size, &epoch, size);
    return statistic("stats.active") + statistic("stats.metadata");
}
#else
static uint64_t measure(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long long all = 0;
    unsigned long long resident = 0;
    unsigned long long of_files = 0;
    if (statm == NULL) {
        return 0;
    }
    int got = fscanf(statm, "%llu %llu %llu", &all, &resident, &of_files);
    fclose(statm);
    return got == 3 && resident > of_files ? (resident - of_files) * (uint64_t)sysconf(_SC_PAGESIZE)
                                           : 0;
}
#endif

void memory_cap_init(struct memory_cap *cap, uint64_t max_bytes)
{
    memset(cap, 0, sizeof *cap);
    cap->max_bytes = max_bytes;
    memory_cap_sample(cap);
}

void memory_cap_note(struct memory_cap *cap, uint64_t used_bytes)
{
    atomic_store_explicit(&cap->used_bytes, used_bytes, memory_order_relaxed);
    if (cap->max_bytes == 0) {
        return;
    }
    enum memory_level before = memory_cap_level(cap);
    enum memory_level level = before == MEMORY_FINE ? MEMORY_FINE : MEMORY_FULL;
    if (used_bytes >= cap->max_bytes + cap->max_bytes / 16) {
        level = MEMORY_OVER;
    } else if (used_bytes >= cap->max_bytes) {
        level = MEMORY_FULL;
    } else if (used_bytes < cap->max_bytes - cap->max_bytes / 16) {
        level = MEMORY_FINE;
    }
    atomic_store_explicit(&cap->level, level, memory_order_relaxed);
    if (before == MEMORY_FINE && level != MEMORY_FINE) {
        atomic_fetch_add_explicit(&cap->times_full, 1, memory_order_relaxed);
        fprintf(
            stderr,
            "kindred serve: %llu MB of memory are in use, --memory-max is %llu MB: nothing more is "
            "taken in; reads, erasures and deletions go on.\n",
            (unsigned long long)used_bytes / 1000000, (unsigned long long)cap->max_bytes / 1000000);
    } else if (before != MEMORY_FINE && level == MEMORY_FINE) {
        fprintf(stderr, "kindred serve: memory is below --memory-max again.\n");
    }
}

void memory_cap_sample(struct memory_cap *cap)
{
    /* One at a time, so that levels follow each other; who comes second has its answer in a
     * moment. */
    if (!atomic_exchange_explicit(&cap->sampling, true, memory_order_acquire)) {
        memory_cap_note(cap, measure());
        atomic_store_explicit(&cap->sampling, false, memory_order_release);
    }
}

/* ---- the default ---------------------------------------------------------------------------- */

/* The number in a one-line file; `otherwise` when there is none ("max"). */
static uint64_t number_in(const char *path, uint64_t otherwise)
{
    FILE *file = fopen(path, "re");
    unsigned long long number = 0;
    if (file == NULL) {
        return otherwise;
    }
    int got = fscanf(file, "%llu", &number);
    fclose(file);
    return got == 1 && number > 0 ? number : otherwise;
}

/* Version 2: our group's limit and those of the groups around it. */
static uint64_t of_control_groups(uint64_t least)
{
    char line[512] = "";
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL &&
           strncmp(line, "0::/", 4) != 0) {
        line[0] = '\0';
    }
    if (file != NULL) {
        fclose(file);
    }
    if (line[0] == '\0') {
        return least;
    }
    char *path = line + 3;
    path[strcspn(path, "\n")] = '\0';
    for (char *end = path + strlen(path); end != NULL; end = strrchr(path, '/')) {
        *end = '\0';
        char name[600];
        snprintf(name, sizeof name, "/sys/fs/cgroup%s/memory.max", path);
        uint64_t limit = number_in(name, least);
        least = limit < least ? limit : least;
    }
    return least;
}

uint64_t memory_cap_default_bytes(void)
{
    uint64_t least = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    least = of_control_groups(least);
    uint64_t version_1 = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes", least);
    least = version_1 < least ? version_1 : least;
    least = least / 5 * 4;
    return least > MEMORY_CAP_LEAST_BYTES ? least : MEMORY_CAP_LEAST_BYTES;
}
