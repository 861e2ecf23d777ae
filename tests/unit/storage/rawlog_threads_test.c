/* Tries to make readers, the writer and a scrub trip over each other; meant for ThreadSanitizer,
 * useful without. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "support.h"
#include "unit/test.h"

enum { LAST = 3000, READERS = 3 };

struct shared {
    struct log *log;
    atomic_bool done;
    atomic_ullong reads;
};

static void *read_entries(void *context)
{
    struct shared *shared = context;
    struct log *log = shared->log;
    struct arena arena;
    struct error error;
    struct log_entry entry;
    struct prng prng;
    prng_seed(&prng, (uint64_t)(uintptr_t)&arena);
    arena_init(&arena, 1 << 20);
    while (!atomic_load(&shared->done)) {
        struct log_position position = log->ops->position(log);
        EXPECT(position.durable_sequence <= position.last_sequence);
        if (position.last_sequence > 0) {
            uint64_t n = 1 + prng_below(&prng, position.last_sequence);
            EXPECT(log->ops->get(log, n, &arena, &entry, &error) == ERR_OK &&
                   entry_matches(n, &entry));
            arena_reset(&arena);
            atomic_fetch_add(&shared->reads, 1);
        }
    }
    arena_deinit(&arena);
    return NULL;
}

/* Walks along behind the writer until it has seen everything. */
static void *follow(void *context)
{
    struct shared *shared = context;
    struct log *log = shared->log;
    struct log_reader *reader;
    struct error error;
    struct log_entry entry;
    uint64_t next = 1;
    if (log->ops->reader_create(log, 1, &reader, &error) != ERR_OK) {
        return NULL;
    }
    while (next <= LAST) {
        err e = log->ops->reader_next(reader, &entry, NULL, &error);
        if (e == ERR_OK) {
            if (!entry_matches(next, &entry)) {
                EXPECT(false, " entry %llu", (unsigned long long)next);
                break;
            }
            next++;
        } else if (e != ERR_END) {
            EXPECT(false, " %s", error.message);
            break;
        }
    }
    log->ops->reader_destroy(reader);
    return NULL;
}

static void *scrub_some(void *context)
{
    struct shared *shared = context;
    struct log *log = shared->log;
    struct error error;
    while (!atomic_load(&shared->done)) {
        uint64_t last = log->ops->position(log).last_sequence;
        if (last > 20) {
            const struct log_scrub items[] = {
                {.sequence = last / 2}, {.sequence = last - 3}, {.sequence = last}};
            EXPECT(log->ops->scrub(log, items, 3, &error) == ERR_OK, " %s", error.message);
        }
    }
    return NULL;
}

static void test_everybody_at_once(void)
{
    static const struct log_settings settings = {.segment_bytes = 60000};
    struct shared shared = {0};
    struct error error;
    uint64_t checked;
    pthread_t readers[READERS];
    pthread_t follower;
    pthread_t scrubber;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    shared.log = log_open(folder, &settings, NULL, &error);
    REQUIRE(shared.log != NULL, " %s", error.message);
    for (size_t i = 0; i < READERS; i++) {
        CHECK(pthread_create(&readers[i], NULL, read_entries, &shared) == 0);
    }
    CHECK(pthread_create(&follower, NULL, follow, &shared) == 0);
    CHECK(pthread_create(&scrubber, NULL, scrub_some, &shared) == 0);
    for (uint64_t n = 1; n <= LAST;) {
        size_t count = n % 7 + 1;
        count = n + count > LAST ? (size_t)(LAST - n + 1) : count;
        EXPECT(log_append_numbers(shared.log, n, count, &error) == ERR_OK, " %s", error.message);
        n += count;
        if (n % 50 < 7) {
            EXPECT(shared.log->ops->sync(shared.log, &error) == ERR_OK);
        }
    }
    CHECK(pthread_join(follower, NULL) == 0);
    atomic_store(&shared.done, true);
    for (size_t i = 0; i < READERS; i++) {
        CHECK(pthread_join(readers[i], NULL) == 0);
    }
    CHECK(pthread_join(scrubber, NULL) == 0);
    EXPECT(atomic_load(&shared.reads) > 0);
    shared.log->ops->close(shared.log);
    EXPECT(rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) == ERR_OK &&
               checked == LAST,
           " %s", error.message);
    folder_remove(folder);
}

/* Segments trusted at open are indexed by whoever reads them first. */
static void test_first_reads_of_a_trusted_log(void)
{
    static const struct log_settings small = {.segment_bytes = 3000};
    static const struct log_settings trusted = {.segment_bytes = 3000, .trusted_sequence = 400};
    struct shared shared = {0};
    struct error error;
    pthread_t readers[READERS];
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct log *log = log_open(folder, &small, NULL, &error);
    REQUIRE(log != NULL);
    for (uint64_t n = 1; n <= 1500; n += 2) { /* more segments than files are kept open */
        REQUIRE(log_append_numbers(log, n, 2, &error) == ERR_OK);
    }
    REQUIRE(log->ops->sync(log, &error) == ERR_OK);
    log->ops->close(log);
    struct rawlog_report report;
    shared.log = log_open(folder, &trusted, &report, &error);
    REQUIRE(shared.log != NULL, " %s", error.message);
    EXPECT(report.segments > 128, " %u", (unsigned)report.segments);
    for (size_t i = 0; i < READERS; i++) {
        CHECK(pthread_create(&readers[i], NULL, read_entries, &shared) == 0);
    }
    while (atomic_load(&shared.reads) < 5000) {
    }
    atomic_store(&shared.done, true);
    for (size_t i = 0; i < READERS; i++) {
        CHECK(pthread_join(readers[i], NULL) == 0);
    }
    shared.log->ops->close(shared.log);
    folder_remove(folder);
}

static struct shared *during_rename;
static pthread_t appender;

static void *append_one(void *context)
{
    struct shared *shared = context;
    struct error error;
    EXPECT(log_append_numbers(shared->log, 4, 1, &error) == ERR_OK, " %s", error.message);
    return NULL;
}

/* The worst moment for an append: the copy is complete, the old file is still the one in use. */
static err rename_while_somebody_appends(void *context, const char *from, const char *to,
                                         struct error *error)
{
    static const struct timespec a_while = {.tv_nsec = 30000000};
    CHECK(pthread_create(&appender, NULL, append_one, during_rename) == 0);
    nanosleep(&a_while, NULL);
    return file_system_posix.rename(context, from, to, error);
}

static void test_an_append_during_the_change_of_files(void)
{
    struct file_system files = file_system_posix;
    files.rename = rename_while_somebody_appends;
    const struct log_settings settings = {.files = &files};
    const struct log_scrub item = {.sequence = 2};
    struct shared shared = {0};
    struct error error = {0};
    uint64_t checked;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    shared.log = log_open(folder, &settings, NULL, &error);
    REQUIRE(shared.log != NULL && log_append_numbers(shared.log, 1, 3, &error) == ERR_OK);
    during_rename = &shared;
    EXPECT(shared.log->ops->scrub(shared.log, &item, 1, &error) == ERR_OK, " %s", error.message);
    CHECK(pthread_join(appender, NULL) == 0);
    EXPECT(shared.log->ops->sync(shared.log, &error) == ERR_OK);
    shared.log->ops->close(shared.log);
    EXPECT(rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) == ERR_OK &&
               checked == 4,
           " %llu entries, %s", (unsigned long long)checked, error.message);
    folder_remove(folder);
}

int main(void)
{
    RUN(test_everybody_at_once);
    RUN(test_first_reads_of_a_trusted_log);
    RUN(test_an_append_during_the_change_of_files);
    return test_summary();
}
