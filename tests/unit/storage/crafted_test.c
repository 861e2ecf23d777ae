/* Tries to get a log or a backup past those who read it whose checksums all hold and whose content
 * does not: headers that belong elsewhere, batches that are not the next, chains that begin anew,
 * files with names that are none, ledgers of something else; put there before it is opened, and
 * while it is open. Each must be refused by name, and nothing written. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup_manifest.h"
#include "base/hash.h"
#include "fault.h"
#include "rawlog_frame.h"
#include "storage/backup.h"
#include "storage/erasure_ledger.h"
#include "support.h"
#include "unit/failing_memory.h"
#include "unit/test.h"

enum { PATH_BYTES = 512, ENTRIES = 40, FILES_MAX = 16, SEGMENT_LAST = FILES_MAX };

static const struct log_settings settings = {.segment_bytes = 3000};

struct sample {
    char root[256];
    char data[PATH_BYTES];
    char log[PATH_BYTES];
    char backup[PATH_BYTES];
    char backup_log[PATH_BYTES];
    char restored[PATH_BYTES];
};

static void sample_make(struct sample *sample)
{
    struct error error;
    char path[PATH_BYTES + 16];
    snprintf(sample->root, sizeof sample->root, "%s", folder_make());
    snprintf(sample->data, PATH_BYTES, "%s/data", sample->root);
    snprintf(sample->log, PATH_BYTES, "%s/data/log", sample->root);
    snprintf(sample->backup, PATH_BYTES, "%s/backup", sample->root);
    snprintf(sample->backup_log, PATH_BYTES, "%s/backup/log", sample->root);
    snprintf(sample->restored, PATH_BYTES, "%s/restored", sample->root);
    CHECK(mkdir(sample->data, 0700) == 0);
    snprintf(path, sizeof path, "%s/LOCK", sample->data);
    file_store(path, "", 0);
    struct log *log = log_open(sample->log, &settings, NULL, &error);
    CHECK(log != NULL);
    for (uint64_t n = 1; n <= ENTRIES; n += 2) {
        CHECK(log_append_numbers(log, n, 2, &error) == ERR_OK);
    }
    CHECK(log->ops->sync(log, &error) == ERR_OK);
    log->ops->close(log);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The k-th segment of a folder, in order: names begin with their first sequence. */
static void segment_at(const char *folder, size_t k, char out[2 * PATH_BYTES])
{
    char names[FILES_MAX][64];
    size_t count = 0;
    DIR *open = opendir(folder);
    CHECK(open != NULL);
    for (struct dirent *entry; (entry = readdir(open)) != NULL && count < FILES_MAX;) {
        if (strstr(entry->d_name, ".seg") != NULL) {
            snprintf(names[count++], sizeof names[0], "%.60s", entry->d_name);
        }
    }
    closedir(open);
    qsort(names, count, sizeof names[0], compare_names);
    k = k == SEGMENT_LAST ? count - 1 : k;
    CHECK(k < count);
    snprintf(out, (size_t)2 * PATH_BYTES, "%s/%s", folder, names[k]);
}

/* ---- what is changed ------------------------------------------------------------------------- */

enum place { SEGMENT, FIRST_FRAME, SECOND_FRAME };

struct change {
    const char *what;
    size_t segment;
    enum place place;
    size_t at;     /* in the header */
    uint8_t bits;  /* flipped there */
    err opened;    /* what opening says */
    err backed_up; /* what a first backup of it says */
    err checked;   /* what the check of a backup says that has it */
};

static const struct change changes[] = {
    {"version", 0, SEGMENT, 8, 2, ERR_UNSUPPORTED, ERR_UNSUPPORTED, ERR_UNSUPPORTED},
    {"version of a later one", 1, SEGMENT, 8, 2, ERR_UNSUPPORTED, ERR_UNSUPPORTED, ERR_UNSUPPORTED},
    {"flags", 1, SEGMENT, 12, 1, ERR_UNSUPPORTED, ERR_UNSUPPORTED, ERR_UNSUPPORTED},
    {"first sequence", 0, SEGMENT, 16, 2, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT},
    {"first sequence of a later one", 1, SEGMENT, 16, 2, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT},
    {"previous bytes", 1, SEGMENT, 32, 1, ERR_CORRUPT, ERR_CORRUPT, ERR_OK},
    {"chain of the first", 0, SEGMENT, 40, 1, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT},
    {"chain of a later one", 1, SEGMENT, 50, 1, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT},
    {"scrub id", 1, SEGMENT, 72, 1, ERR_OK, ERR_OK, ERR_CORRUPT},
    {"a batch's sequence", 0, FIRST_FRAME, 8, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT},
    {"a later batch's sequence", 0, SECOND_FRAME, 8, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT},
    {"a batch's flags", 1, FIRST_FRAME, 32, 1, ERR_UNSUPPORTED, ERR_UNSUPPORTED, ERR_UNSUPPORTED},
    {"a batch's chain", 1, FIRST_FRAME, 45, 1, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT},
};

/* Flips the bits and makes every checksum hold again. */
static void apply(const struct change *change, const char *folder)
{
    char path[2 * PATH_BYTES];
    size_t length = 0;
    segment_at(folder, change->segment, path);
    char *bytes = file_load(path, &length);
    uint8_t *header = (uint8_t *)bytes;
    if (change->place == SEGMENT) {
        header[change->at] ^= change->bits;
        store_u32(header + 124, crc32c(0, header, 124));
    } else {
        uint8_t *frame = header + SEGMENT_HEADER_BYTES;
        if (change->place == SECOND_FRAME) {
            frame += FRAME_HEADER_BYTES + load_u32(frame + 28);
        }
        frame[change->at] ^= change->bits;
        frame_reseal(frame);
    }
    file_store(path, bytes, length);
    free(bytes);
}

static err back_up(const struct sample *sample, struct error *error)
{
    struct backup_report report;
    const struct backup_options options = {.files = &file_system_posix,
                                           .data = sample->data,
                                           .backup = sample->backup,
                                           .taken_at_us = 1000000};
    return backup_run(&options, &report, error);
}

static unsigned told;
static void count_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    (void)context;
    EXPECT(what[0] != '\0' && done <= total, " %s: %llu of %llu", what, (unsigned long long)done,
           (unsigned long long)total);
    told++;
}

static err check(const struct sample *sample, struct error *error)
{
    struct backup_report report;
    return backup_check(&file_system_posix, sample->backup, count_progress, NULL, &report, error);
}

static err restore(const struct sample *sample, struct error *error)
{
    static struct prng prng;
    struct restore_report report;
    prng_seed(&prng, 5);
    struct random_source random = prng_source(&prng);
    const struct restore_options options = {.files = &file_system_posix,
                                            .random = &random,
                                            .backup = sample->backup,
                                            .data = sample->restored,
                                            .progress = count_progress};
    return backup_restore(&options, &report, error);
}

/* Every entry, each by itself: right, or refused as damaged. How many were refused. */
static unsigned get_all(struct log *log)
{
    unsigned refused = 0;
    for (uint64_t n = 1; n <= ENTRIES; n++) {
        struct arena arena;
        struct log_entry entry;
        struct error error = {0};
        arena_init(&arena, 1 << 20);
        err e = log->ops->get(log, n, &arena, &entry, &error);
        EXPECT(e == ERR_OK ? entry_matches(n, &entry)
                           : (e == ERR_CORRUPT || e == ERR_UNSUPPORTED) && error.message[0] != '\0',
               " entry %llu: %s %s", (unsigned long long)n, err_name(e), error.message);
        refused += e != ERR_OK;
        arena_deinit(&arena);
    }
    return refused;
}

/* ---- before it is opened --------------------------------------------------------------------- */

static void test_logs(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        struct sample sample;
        struct error error = {0};
        uint64_t checked = 0;
        sample_make(&sample);
        apply(&changes[i], sample.log);
        struct log *log = log_open(sample.log, &settings, NULL, &error);
        EXPECT((log == NULL ? error.err : ERR_OK) == changes[i].opened, " %s: %s", changes[i].what,
               error.message);
        EXPECT(log != NULL || error.message[0] != '\0');
        if (log != NULL) {
            log->ops->close(log);
        }
        err verified = rawlog_verify(&file_system_posix, sample.log, NULL, NULL, &checked, &error);
        EXPECT(verified == changes[i].opened, " %s: %s %s", changes[i].what, err_name(verified),
               error.message);
        /* Of a trusted log only the headers are looked at: what that does not show is refused when
         * it is read. */
        const struct log_settings trusting = {
            .segment_bytes = 3000, .trusted_sequence = ENTRIES, .durable_sequence = ENTRIES};
        log = log_open(sample.log, &trusting, NULL, &error);
        EXPECT(log != NULL || error.err == changes[i].opened, " %s, trusted: %s", changes[i].what,
               error.message);
        if (log != NULL) {
            (void)get_all(log);
            log->ops->close(log);
        }
        err backed_up = back_up(&sample, &error);
        EXPECT(backed_up == changes[i].backed_up, " %s: %s %s", changes[i].what,
               err_name(backed_up), error.message);
        folder_remove(sample.root);
    }
}

static void test_backups(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        struct sample sample;
        struct error error = {0};
        sample_make(&sample);
        REQUIRE(back_up(&sample, &error) == ERR_OK, " %s", error.message);
        told = 0;
        EXPECT(check(&sample, &error) == ERR_OK && told > 0, " %s", error.message);
        apply(&changes[i], sample.backup_log);
        err e = check(&sample, &error);
        EXPECT(e == changes[i].checked, " %s: %s %s", changes[i].what, err_name(e), error.message);
        told = 0;
        e = restore(&sample, &error);
        EXPECT(e == changes[i].checked || (changes[i].checked == ERR_OK && e == ERR_CORRUPT),
               " %s: %s %s", changes[i].what, err_name(e), error.message);
        EXPECT(e != ERR_OK || told > 0);
        folder_remove(sample.root);
    }
}

static void test_names(void)
{
    static const struct {
        const char *name;
        err expected;
    } rows[] = {
        {"abc.seg", ERR_CORRUPT},
        {"00000000000000000000.seg", ERR_CORRUPT},
        {"0000000000000000000x.seg", ERR_CORRUPT},
        {"000000000000000000011.seg", ERR_CORRUPT},
        {".seg", ERR_CORRUPT},
        {"notes.txt", ERR_OK},
        {"seg", ERR_OK},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct sample sample;
        struct error error = {0};
        char path[2 * PATH_BYTES];
        sample_make(&sample);
        snprintf(path, sizeof path, "%s/%s", sample.log, rows[i].name);
        file_store(path, "x", 1);
        struct log *log = log_open(sample.log, &settings, NULL, &error);
        EXPECT((log == NULL ? error.err : ERR_OK) == rows[i].expected, " %s: %s", rows[i].name,
               error.message);
        if (log != NULL) {
            log->ops->close(log);
        }
        EXPECT(access(path, F_OK) == 0, " %s is nobody's business", rows[i].name);
        folder_remove(sample.root);
    }
}

/* ---- while it is open ------------------------------------------------------------------------ */

static err read_all(struct log *log, uint64_t from, struct error *error)
{
    struct log_reader *reader = NULL;
    struct log_entry entry;
    uint64_t next = from;
    err e = log->ops->reader_create(log, from, &reader, error);
    while (e == ERR_OK) {
        bool batch_end = false;
        e = log->ops->reader_next(reader, &entry, &batch_end, error);
        EXPECT(e != ERR_OK || entry_matches(next, &entry), " entry %llu is a wrong one",
               (unsigned long long)next);
        next += e == ERR_OK;
    }
    if (reader != NULL) {
        log->ops->reader_destroy(reader);
    }
    return e == ERR_END ? ERR_OK : e;
}

static void test_changed_under_an_open_log(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        struct sample sample;
        struct error error = {0};
        if (changes[i].place == SEGMENT) {
            continue; /* was read when the log was opened */
        }
        sample_make(&sample);
        struct log *log = log_open(sample.log, &settings, NULL, &error);
        REQUIRE(log != NULL, " %s", error.message);
        apply(&changes[i], sample.log);
        (void)get_all(log);
        err e = read_all(log, 1, &error);
        EXPECT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_UNSUPPORTED, " %s: %s", changes[i].what,
               error.message);
        EXPECT(strcmp(changes[i].what, "a batch's sequence") != 0 || e == ERR_CORRUPT, " %s: %s",
               changes[i].what, error.message);
        log->ops->close(log);
        folder_remove(sample.root);
    }
}

/* Cut shorter there, or with a stretch of zeros. */
static void spoil(const char *path, const char *bytes, size_t length, size_t at, bool zeros)
{
    if (!zeros) {
        CHECK(truncate(path, (off_t)at) == 0);
        return;
    }
    char *changed = malloc(length);
    CHECK(changed != NULL);
    memcpy(changed, bytes, length);
    memset(changed + at, 0, length - at < 100 ? length - at : 100);
    file_store(path, changed, length);
    free(changed);
}

/* At every 97th byte of a segment under an open log. */
static void test_spoilt_under_an_open_log(void)
{
    unsigned refused = 0;
    unsigned scrubs_refused = 0;
    size_t length = 1;
    for (size_t at = 0; at < 2 * length; at += 97) {
        struct sample sample;
        struct error error = {0};
        char path[2 * PATH_BYTES];
        sample_make(&sample);
        segment_at(sample.log, 1, path);
        char *bytes = file_load(path, &length);
        struct log *log = log_open(sample.log, &settings, NULL, &error);
        REQUIRE(log != NULL, " %s", error.message);
        const bool zeros = at >= length;
        spoil(path, bytes, length, at % length, zeros);
        unsigned here = get_all(log);
        refused += here;
        EXPECT(zeros || here > 0, " cut at %zu", at);
        for (uint64_t from = 1; from <= ENTRIES; from += 7) {
            err e = read_all(log, from, &error);
            EXPECT(e == ERR_OK || e == ERR_CORRUPT, " %s", err_name(e));
        }
        /* Scrubbing reads what it rewrites: it must not make damage good. */
        const struct log_scrub item = {.sequence = 12};
        err e = log->ops->scrub(log, &item, 1, &error);
        EXPECT(e == ERR_OK || e == ERR_CORRUPT, " %s %s", err_name(e), error.message);
        scrubs_refused += e != ERR_OK;
        log->ops->close(log);
        uint64_t checked = 0;
        EXPECT(here == 0 || rawlog_verify(&file_system_posix, sample.log, NULL, NULL, &checked,
                                          &error) == ERR_CORRUPT,
               " spoilt at %zu and nobody notices", at);
        free(bytes);
        folder_remove(sample.root);
    }
    EXPECT(refused > 20 && scrubs_refused > 5, " %u and %u", refused, scrubs_refused);
}

/* ---- whatever fails -------------------------------------------------------------------------- */

/* One life of a log: opened, read by the entry and in order, scrubbed, closed. The first thing that
 * failed. */
static err live(const struct sample *sample, const struct file_system *files, struct error *error)
{
    const struct log_settings with = {
        .files = files, .segment_bytes = 3000, .durable_sequence = ENTRIES};
    struct log *log = log_open(sample->log, &with, NULL, error);
    if (log == NULL) {
        return error->err;
    }
    err first = ERR_OK;
    for (uint64_t n = 1; n <= ENTRIES; n += 9) {
        struct arena arena;
        struct log_entry entry;
        arena_init(&arena, 1 << 20);
        err e = log->ops->get(log, n, &arena, &entry, error);
        EXPECT(e != ERR_OK || entry_matches(n, &entry), " entry %llu", (unsigned long long)n);
        first = first == ERR_OK ? e : first;
        arena_deinit(&arena);
    }
    err e = read_all(log, 3, error);
    first = first == ERR_OK ? e : first;
    const struct log_scrub items[] = {{.sequence = 2}, {.sequence = 25}};
    e = log->ops->scrub(log, items, ARRAY_COUNT(items), error);
    first = first == ERR_OK ? e : first;
    log->ops->close(log);
    return first;
}

/* With an unfinished file beside it and a batch torn at its end, both of which opening clears
 * away. */
static void sample_make_untidy(struct sample *sample)
{
    char path[2 * PATH_BYTES];
    struct error error;
    size_t length = 0;
    sample_make(sample);
    struct log *log = log_open(sample->log, &settings, NULL, &error);
    CHECK(log != NULL && log_append_numbers(log, ENTRIES + 1, 1, &error) == ERR_OK);
    log->ops->close(log);
    segment_at(sample->log, SEGMENT_LAST, path);
    free(file_load(path, &length));
    CHECK(truncate(path, (off_t)length - 20) == 0);
    snprintf(path, sizeof path, "%s/00000000000000000099.seg.tmp", sample->log);
    file_store(path, "begun", 5);
}

static void expect_whole(const struct sample *sample, unsigned n)
{
    struct error error = {0};
    uint64_t checked = 0;
    EXPECT(live(sample, &file_system_posix, &error) == ERR_OK, " call %u: %s", n, error.message);
    EXPECT(rawlog_verify(&file_system_posix, sample->log, NULL, NULL, &checked, &error) == ERR_OK,
           " call %u: %s", n, error.message);
}

static void test_every_call_fails(void)
{
    static const enum fault_kind kinds[] = {FAULT_READS, FAULT_ANY};
    for (size_t kind = 0; kind < ARRAY_COUNT(kinds); kind++) {
        for (unsigned n = 1;; n++) {
            struct sample sample;
            struct fault fault;
            struct error error = {0};
            sample_make_untidy(&sample);
            fault_init(&fault);
            fault_arm(&fault, n, ERR_IO, kinds[kind]);
            err e = live(&sample, &fault.files, &error);
            EXPECT(e == (fault.hit ? ERR_IO : ERR_OK) ||
                       (fault.hit && e == ERR_OK && kinds[kind] == FAULT_ANY),
                   " call %u: %s %s", n, err_name(e), error.message);
            expect_whole(&sample, n);
            folder_remove(sample.root);
            if (!fault.hit) {
                EXPECT(n > 20, " only %u calls", n);
                break;
            }
        }
    }
}

static void test_every_allocation_fails(void)
{
    for (unsigned n = 1;; n++) {
        struct sample sample;
        struct error error = {0};
        sample_make_untidy(&sample);
        failing_memory_begin(n);
        err e = live(&sample, &file_system_posix, &error);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, " allocation %u: %lld blocks are left", n,
               (long long)end.live_blocks);
        EXPECT(end.failed ? e == ERR_MEMORY || e == ERR_OK : e == ERR_OK, " allocation %u: %s %s",
               n, err_name(e), error.message);
        expect_whole(&sample, n);
        folder_remove(sample.root);
        if (!end.failed) {
            EXPECT(n > 10, " only %u allocations", n);
            break;
        }
    }
}

/* ---- other ends ------------------------------------------------------------------------------ */

/* Whoever does not want to know why gets the same answer. */
static void test_nobody_asks_why(void)
{
    struct sample sample;
    struct error error = {0};
    struct backup_report report;
    sample_make(&sample);
    EXPECT(back_up(&sample, NULL) == ERR_OK && check(&sample, NULL) == ERR_OK &&
           restore(&sample, NULL) == ERR_OK);
    EXPECT(restore(&sample, NULL) == ERR_CONFLICT, " it is there already");
    struct log *log = log_open(sample.log, &settings, NULL, &error);
    REQUIRE(log != NULL, " %s", error.message);
    const struct log_scrub items[] = {{.sequence = 0}, {.sequence = 1}, {.sequence = ENTRIES + 1}};
    EXPECT(log->ops->scrub(log, &items[0], 1, NULL) == ERR_NOT_FOUND, " there is no entry 0");
    EXPECT(log->ops->scrub(log, &items[2], 1, NULL) == ERR_NOT_FOUND, " it is not written yet");
    EXPECT(log->ops->scrub(log, items, 2, &error) == ERR_NOT_FOUND &&
           log->ops->scrub(log, items + 1, 2, &error) == ERR_NOT_FOUND);
    EXPECT(get_all(log) == 0, " nothing was scrubbed");
    EXPECT(log->ops->scrub(log, &items[1], 1, NULL) == ERR_OK &&
           log->ops->sync(log, NULL) == ERR_OK);
    log->ops->close(log);
    apply(&changes[0], sample.backup_log);
    EXPECT(check(&sample, NULL) == ERR_UNSUPPORTED && restore(&sample, NULL) != ERR_OK);
    folder_remove(sample.root);
    EXPECT(backup_check(&file_system_posix, sample.backup, NULL, NULL, &report, NULL) ==
           ERR_NOT_FOUND);
    EXPECT(back_up(&sample, NULL) == ERR_NOT_FOUND, " no data folder");
}

/* A folder whose log is not begun yet has nothing to be kept; a point in time before the first
 * entry leaves nothing. */
static void test_nothing_to_keep(void)
{
    static struct prng prng;
    struct sample sample;
    struct error error = {0};
    struct restore_report report;
    sample_make(&sample);
    REQUIRE(back_up(&sample, &error) == ERR_OK, " %s", error.message);
    prng_seed(&prng, 5);
    struct random_source random = prng_source(&prng);
    struct restore_options options = {.files = &file_system_posix,
                                      .random = &random,
                                      .backup = sample.backup,
                                      .data = sample.restored,
                                      .until_us = 0};
    options.until_sequence = 1; /* the first batch has two */
    EXPECT(backup_restore(&options, &report, &error) == ERR_INVALID && error.message[0] != '\0',
           " %s", error.message);
    options.until_sequence = ENTRIES + 1;
    EXPECT(backup_restore(&options, &report, &error) == ERR_INVALID && error.message[0] != '\0',
           " %s", error.message);
    folder_remove(sample.log);
    CHECK(mkdir(sample.log, 0700) == 0);
    folder_remove(sample.backup);
    EXPECT(back_up(&sample, &error) == ERR_NOT_FOUND && error.message[0] != '\0', " %s",
           error.message);
    folder_remove(sample.root);
}

/* A ledger with the right checksum that says something else than the log beside it. */
static void test_ledgers_of_something_else(void)
{
    for (size_t at = 0; at < 400; at += 1) {
        struct sample sample;
        struct error error = {0};
        char path[2 * PATH_BYTES];
        char name[256] = "";
        size_t length = 0;
        sample_make(&sample);
        struct log *log = log_open(sample.log, &settings, NULL, &error);
        REQUIRE(log != NULL, " %s", error.message);
        const struct log_scrub items[] = {{.sequence = 5}, {.sequence = 30}};
        CHECK(log->ops->scrub(log, items, ARRAY_COUNT(items), &error) == ERR_OK);
        log->ops->close(log);
        REQUIRE(back_up(&sample, &error) == ERR_OK, " %s", error.message);
        DIR *folder = opendir(sample.backup);
        CHECK(folder != NULL);
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            if (strstr(entry->d_name, "rasure") != NULL) {
                snprintf(name, sizeof name, "%.255s", entry->d_name);
            }
        }
        closedir(folder);
        REQUIRE(name[0] != '\0', " there is no ledger");
        snprintf(path, sizeof path, "%s/%s", sample.backup, name);
        char *bytes = file_load(path, &length);
        if (at + 4 < length) {
            bytes[at] ^= 1;
            store_u32(bytes + length - 4, crc32c(0, bytes, length - 4));
            file_store(path, bytes, length);
            /* Of an entry's second word only one bit means something today. */
            const size_t entries_at = length - 4 - ARRAY_COUNT(items) * 32;
            const bool spare =
                at > entries_at && (at - entries_at) % 32 > 8 && (at - entries_at) % 32 < 16;
            err e = check(&sample, &error);
            EXPECT(spare ? e == ERR_OK : e == ERR_CORRUPT || e == ERR_UNSUPPORTED,
                   " byte %zu of %zu: %s", at, length, err_name(e));
        }
        free(bytes);
        folder_remove(sample.root);
        if (at + 4 >= length) {
            EXPECT(at > 60, " a ledger of %zu bytes", length);
            break;
        }
    }
}

int main(void)
{
    RUN(test_logs);
    RUN(test_backups);
    RUN(test_names);
    RUN(test_changed_under_an_open_log);
    RUN(test_spoilt_under_an_open_log);
    RUN(test_every_call_fails);
    RUN(test_every_allocation_fails);
    RUN(test_nobody_asks_why);
    RUN(test_nothing_to_keep);
    RUN(test_ledgers_of_something_else);
    return test_summary();
}
