/* Tries to break the raw log in ordinary use: what goes in must come out, by number and in order,
 * before and after reopening, across segments, with limits kept and scrubbed entries gone. */
#include <stdlib.h>
#include <string.h>

#include "rawlog_frame.h"
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
        EXPECT(e == ERR_END && n == count + 1, " reader from %llu ended at %llu",
               (unsigned long long)from, (unsigned long long)n);
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
        EXPECT(report.checked_entries >= last - trusted, " %llu",
               (unsigned long long)report.checked_entries);
        expect_entries(log, last);
        last = fill(log, 2);
        expect_entries(log, last);
        log->ops->close(log);
    }
    uint64_t checked;
    EXPECT(rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) == ERR_OK, " %s",
           error.message);
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
    EXPECT(log->ops->get(log, 4, &arena, &entry, &error) == ERR_OK && entry.scrubbed &&
           entry.created_person);
    EXPECT(log->ops->get(log, 50, &arena, &entry, &error) == ERR_OK && entry.scrubbed &&
           !entry.created_person);
    EXPECT(log->ops->get(log, 51, &arena, &entry, &error) == ERR_OK && !entry.scrubbed);
    arena_deinit(&arena);
    expect_entries(log, last);
    last = fill(log, 3);
    expect_entries(log, last);
    log->ops->close(log);
    uint64_t checked;
    EXPECT(rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) == ERR_OK, " %s",
           error.message);
    folder_remove(folder);
}

/* Every byte of source and payload goes; with its salt, an erased payload could be confirmed by
 * guessing. */
static void test_scrub_takes_every_byte_and_the_salt(void)
{
    char folder[256];
    char path[320];
    struct error error;
    size_t length;
    const struct log_scrub item = {.sequence = 1};
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(path, sizeof path, "%s/00000000000000000001.seg", folder);
    struct log *log = log_open(folder, &plain, NULL, &error);
    REQUIRE(log != NULL && log_append_numbers(log, 1, 1, &error) == ERR_OK);
    char *before = file_load(path, &length);
    REQUIRE(log->ops->scrub(log, &item, 1, &error) == ERR_OK, " %s", error.message);
    log->ops->close(log);
    char *after = file_load(path, &length);
    const size_t entry = SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + FRAME_SLOT_BYTES;
    EXPECT(memmem(after, length, before + entry + 32, ENTRY_SALT_BYTES) == NULL);
    EXPECT(memcmp(after + entry + 48, before + entry + 48, DIGEST_BYTES) == 0,
           " the digest stays for the chain");
    EXPECT(length > entry + ENTRY_HEADER_BYTES + 8);
    for (size_t i = entry + ENTRY_HEADER_BYTES; i < length; i++) {
        EXPECT((uint8_t)after[i] == SCRUB_FILL, " byte %zu of %zu", i, length);
    }
    free(before);
    free(after);
    folder_remove(folder);
}

/* New checksums over damaged bytes would make the damage true. */
static void test_scrub_does_not_hide_damage(void)
{
    char folder[256];
    char path[320];
    struct error error;
    size_t length;
    const struct log_scrub item = {.sequence = 1};
    snprintf(folder, sizeof folder, "%s", folder_make());
    snprintf(path, sizeof path, "%s/00000000000000000001.seg", folder);
    struct log *log = log_open(folder, &plain, NULL, &error);
    REQUIRE(log != NULL && log_append_numbers(log, 1, 2, &error) == ERR_OK);
    char *bytes = file_load(path, &length);
    bytes[length - 1] ^= 1; /* of entry 2 */
    file_store(path, bytes, length);
    EXPECT(log->ops->scrub(log, &item, 1, &error) == ERR_CORRUPT);
    size_t length_after;
    char *after = file_load(path, &length_after);
    EXPECT(length_after == length && memcmp(after, bytes, length) == 0);
    EXPECT(log_append_numbers(log, 3, 1, &error) == ERR_OK);
    log->ops->close(log);
    free(bytes);
    free(after);
    folder_remove(folder);
}

/* A crash ended a scrub: its copy holds people's data and must not stay. */
static void test_leftovers_go(void)
{
    char folder[256];
    char path[320];
    struct error error;
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct log *log = log_open(folder, &plain, NULL, &error);
    REQUIRE(log != NULL);
    (void)fill(log, 3);
    log->ops->close(log);
    snprintf(path, sizeof path, "%s/00000000000000000001.seg.tmp", folder);
    file_store(path, "left-over", 9);
    const struct log_settings reading = {.read_only = true};
    log = log_open(folder, &reading, NULL, &error);
    REQUIRE(log != NULL, " %s", error.message);
    EXPECT(log_append_numbers(log, 7, 1, &error) == ERR_DENIED &&
           log->ops->sync(log, &error) == ERR_DENIED);
    log->ops->close(log);
    EXPECT(folder_contains(folder, "left-over"), " a reader changes nothing");
    log = log_open(folder, &plain, NULL, &error);
    REQUIRE(log != NULL, " %s", error.message);
    EXPECT(!folder_contains(folder, "left-over"));
    expect_entries(log, 6);
    log->ops->close(log);
    folder_remove(folder);
}

static void test_limits(void)
{
    char folder[256];
    struct error error;
    uint64_t first;
    snprintf(folder, sizeof folder, "%s", folder_make());
    struct log *log = log_open(folder, &plain, NULL, &error);
    REQUIRE(log != NULL);
    char *big = calloc(1, (size_t)LOG_PAYLOAD_MAX + 1);
    struct log_entry *many = calloc((size_t)LOG_BATCH_COUNT_MAX + 1, sizeof *many);
    REQUIRE(big != NULL && many != NULL);
    for (size_t i = 0; i <= LOG_BATCH_COUNT_MAX; i++) {
        many[i] = (struct log_entry){.kind = ENTRY_RECORD};
    }
    many[0].payload = slice_of(big, (size_t)LOG_PAYLOAD_MAX + 1);
    EXPECT(log->ops->append(log, many, 1, &first, &error) == ERR_TOO_LARGE);
    many[0].payload = slice_of(big, LOG_PAYLOAD_MAX);
    many[0].source = slice_of(big, LOG_SOURCE_MAX + 1);
    EXPECT(log->ops->append(log, many, 1, &first, &error) == ERR_TOO_LARGE);
    many[0].source = slice_of(big, LOG_SOURCE_MAX);
    EXPECT(log->ops->append(log, many, 1, &first, &error) == ERR_OK && first == 1, " %s",
           error.message);
    many[0] = many[1];
    EXPECT(log->ops->append(log, many, (size_t)LOG_BATCH_COUNT_MAX + 1, &first, &error) ==
           ERR_TOO_LARGE);
    EXPECT(log->ops->append(log, many, LOG_BATCH_COUNT_MAX, &first, &error) == ERR_OK &&
           first == 2);
    for (size_t i = 0; i < 33; i++) {
        many[i].payload = slice_of(big, LOG_PAYLOAD_MAX);
    }
    EXPECT(log->ops->append(log, many, 33, &first, &error) == ERR_TOO_LARGE);
    EXPECT(log->ops->append(log, many, 32, &first, &error) == ERR_OK &&
           first == 2 + LOG_BATCH_COUNT_MAX);
    EXPECT(log->ops->sync(log, &error) == ERR_OK);
    log->ops->close(log);
    struct rawlog_report report;
    log = log_open(folder, &plain, &report, &error);
    REQUIRE(log != NULL, " %s", error.message);
    EXPECT(log->ops->position(log).last_sequence == 1 + LOG_BATCH_COUNT_MAX + 32);
    log->ops->close(log);
    free(big);
    free(many);
    folder_remove(folder);
}

int main(void)
{
    RUN(test_round_trip_one_segment);
    RUN(test_round_trip_many_segments);
    RUN(test_scrub);
    RUN(test_scrub_takes_every_byte_and_the_salt);
    RUN(test_scrub_does_not_hide_damage);
    RUN(test_leftovers_go);
    RUN(test_limits);
    return test_summary();
}
