/* Tries to break the raw log in ordinary use: what goes in must come out, by number and in order, before and after
 * reopening, across segments, with limits kept and scrubbed entries gone. */
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "unit/test.h"

static const struct log_settings plain = {0};
static const struct log_settings small_segments = {.segment_bytes = 2000};

static void expect_entries(struct log *log, uint64_t count)
{
    struct arena arena;
    struct error error;
    arena_init(&arena, 16 * 1024 * 1024);
    for (uint64_t n = 1; n <= count; n++) {
        struct log_entry entry;
        err e = log->ops->get(log, n, &arena, &entry, &error);
        REQUIRE(e == ERR_OK, " get %llu: %s", (unsigned long long)n, error.message);
        REQUIRE(entry_matches(n, &entry), " entry %llu", (unsigned long long)n);
        arena_reset(&arena);
    }
    struct log_entry entry;
    EXPECT(log->ops->get(log, count + 1, &arena, &entry, &error) == ERR_NOT_FOUND);
    EXPECT(log->ops->get(log, 0, &arena, &entry, &error) == ERR_NOT_FOUND);
    arena_deinit(&arena);

    for (uint64_t from = 1; from <= count + 1; from += 1 + count / 7) {
        struct log_reader *reader;
        REQUIRE(log->ops->reader_create(log, from, &reader, &error) == ERR_OK);
        uint64_t n = from;
        err e;
        while ((e = log->ops->reader_next(reader, &entry, NULL, &error)) == ERR_OK) {
            REQUIRE(entry_matches(n, &entry), " entry %llu", (unsigned long long)n);
            n++;
        }
        EXPECT(e == ERR_END && n == count + 1, " reader from %llu ended at %llu", (unsigned long long)from,
               (unsigned long long)n);
        log->ops->reader_destroy(reader);
    }
}

/* Batches of growing size: 1, 2, 3, … entries. Returns the number of the last entry. */
static uint64_t fill(struct log *log, size_t batches)
{
    struct error error;
    uint64_t next = log->ops->position(log).last_sequence + 1;
    for (size_t i = 1; i <= batches; i++) {
        EXPECT(log_append_numbers(log, next, i, &error) == ERR_OK, " %s", error.message);
        next += i;
    }
    EXPECT(log->ops->sync(log, &error) == ERR_OK);
    EXPECT(log->ops->position(log).durable_sequence == next - 1);
    return next - 1;
}

static void round_trip(const struct log_settings *settings)
{
    const char *folder = folder_make();
    struct rawlog_report report;
    struct error error;
    struct log *log = log_open(folder, settings, &report, &error);
    REQUIRE(log != NULL, " %s", error.message);
    uint64_t last = fill(log, 20);
    expect_entries(log, last);
    log->ops->close(log);

    for (uint64_t trusted = 0; trusted <= last; trusted += 30) {
        struct log_settings again = *settings;
        again.trusted_sequence = trusted;
        log = log_open(folder, &again, &report, &error);
        REQUIRE(log != NULL, " trusted %llu: %s", (unsigned long long)trusted, error.message);
        EXPECT(report.cut_bytes == 0);
        EXPECT(report.checked_entries >= last - trusted, " %llu", (unsigned long long)report.checked_entries);
        expect_entries(log, last);
        last = fill(log, 2);
        expect_entries(log, last);
        log->ops->close(log);
    }
    uint64_t checked;
    EXPECT(rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) == ERR_OK, " %s", error.message);
    EXPECT(checked == last);
    folder_remove(folder);
}

static void test_round_trip_one_segment(void)
{
    round_trip(&plain);
}

static void test_round_trip_many_segments(void)
{
    round_trip(&small_segments);
}

static void test_scrub(void)
{
    const char *folder = folder_make();
    struct error error;
    struct log *log = log_open(folder, &small_segments, NULL, &error);
    REQUIRE(log != NULL);
    uint64_t last = fill(log, 20);
    const struct log_scrub items[] = {{3, false}, {4, true}, {50, false}, {last, true}};
    err e = log->ops->scrub(log, items, 4, &error);
    EXPECT(e == ERR_OK, " %s", error.message);
    EXPECT(!folder_contains(folder, "payload 50 ") && !folder_contains(folder, "source-50"));
    EXPECT(!folder_contains(folder, "payload 210 ") && folder_contains(folder, "payload 51 "));
    struct arena arena;
    struct log_entry entry;
    arena_init(&arena, 1 << 20);
    EXPECT(log->ops->get(log, 4, &arena, &entry, &error) == ERR_OK && entry.scrubbed && entry.created_person);
    EXPECT(log->ops->get(log, 50, &arena, &entry, &error) == ERR_OK && entry.scrubbed && !entry.created_person);
    EXPECT(log->ops->get(log, 51, &arena, &entry, &error) == ERR_OK && !entry.scrubbed);
    arena_deinit(&arena);
    expect_entries(log, last);
    last = fill(log, 3);
    expect_entries(log, last);
    log->ops->close(log);
    uint64_t checked;
    EXPECT(rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) == ERR_OK, " %s", error.message);
    folder_remove(folder);
}

int main(void)
{
    RUN(test_round_trip_one_segment);
    RUN(test_round_trip_many_segments);
    RUN(test_scrub);
    return test_summary();
}
