/* Tries to get a backup that lies: entries missing or torn, bytes of an erased person left in it or
 * back after a restore, a damaged byte that nobody notices, a former backup lost to a failed disk,
 * a full one, or memory running out at any call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup_manifest.h"
#include "base/memory.h"
#include "fault.h"
#include "storage/data_folder.h"
#include "support.h"
#include "unit/failing_memory.h"
#include "unit/test.h"

enum { SEGMENT_BYTES = 3000, PATH_BYTES = 512 };

static const struct log_settings small_segments = {.segment_bytes = SEGMENT_BYTES};

/* A data folder, its log, and places for backups. */
struct place {
    char root[256];
    char data[PATH_BYTES];
    char log_path[PATH_BYTES];
    char backup[PATH_BYTES];
    char restored[PATH_BYTES];
    char restored_log[PATH_BYTES];
    struct log *log;
    uint64_t last;
};

static void place_path(const struct place *place, const char *name, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%s", place->root, name);
}

static void place_reopen(struct place *place)
{
    struct error error;
    if (place->log != NULL) {
        place->log->ops->close(place->log);
    }
    place->log = log_open(place->log_path, &small_segments, NULL, &error);
    CHECK(place->log != NULL);
}

static void place_append(struct place *place, size_t batches)
{
    struct error error;
    for (size_t i = 0; i < batches; i++) {
        size_t count = i % 3 + 1;
        CHECK(log_append_numbers(place->log, place->last + 1, count, &error) == ERR_OK);
        place->last += count;
    }
    CHECK(place->log->ops->sync(place->log, &error) == ERR_OK);
}

static void place_make(struct place *place, size_t batches)
{
    *place = (struct place){0};
    snprintf(place->root, sizeof place->root, "%s", folder_make());
    place_path(place, "data", place->data);
    place_path(place, "data/log", place->log_path);
    place_path(place, "backup", place->backup);
    place_path(place, "restored", place->restored);
    place_path(place, "restored/log", place->restored_log);
    CHECK(mkdir(place->data, 0700) == 0);
    char lock[PATH_BYTES];
    place_path(place, "data/LOCK", lock);
    file_store(lock, "", 0);
    char keys[PATH_BYTES];
    place_path(place, "data/keys.json", keys);
    file_store(keys, "{\"keys\": []}", 12);
    place_reopen(place);
    place_append(place, batches);
}

static void place_end(struct place *place)
{
    place->log->ops->close(place->log);
    folder_remove(place->root);
}

/* Folders with folders in them. */
static void copy_tree(const char *from, const char *to)
{
    char command[2 * PATH_BYTES + 32];
    snprintf(command, sizeof command, "cp -a %s %s", from, to);
    FILE *done = popen(command, "r");
    CHECK(done != NULL && pclose(done) == 0);
}

static void remove_tree(const char *path)
{
    if (access(path, F_OK) == 0) {
        folder_remove(path);
    }
}

static err back_up_with(const struct place *place, const struct file_system *files,
                        struct backup_report *report, struct error *error)
{
    struct backup_options options = {
        .files = files, .data = place->data, .backup = place->backup, .taken_at_us = 1000000};
    return backup_run(&options, report, error);
}

static err back_up(const struct place *place, struct backup_report *report, struct error *error)
{
    return back_up_with(place, &file_system_posix, report, error);
}

/* The tests' erasure: a list of u64. */
static bool fake_erase_entries(struct slice payload,
                               void (*visit)(void *context, uint64_t sequence, bool created),
                               void *context)
{
    for (size_t at = 0; at + 8 <= payload.length; at += 8) {
        visit(context, load_u64(payload.data + at), at == 0);
    }
    return payload.length % 8 == 0;
}

static err restore_with(const struct place *place, const struct file_system *files, uint64_t until,
                        const struct erasure_ledger *ledger, struct restore_report *report,
                        struct error *error)
{
    static struct prng prng;
    prng_seed(&prng, 5);
    static struct random_source source;
    source = prng_source(&prng);
    struct restore_options options = {.files = files,
                                      .random = &source,
                                      .backup = place->backup,
                                      .data = place->restored,
                                      .until_sequence = until,
                                      .ledger = ledger,
                                      .erase_entries = fake_erase_entries};
    return backup_restore(&options, report, error);
}

static err restore(const struct place *place, uint64_t until, struct restore_report *report,
                   struct error *error)
{
    remove_tree(place->restored);
    return restore_with(place, &file_system_posix, until, NULL, report, error);
}

/* The restored folder opens and holds entries 1..last; those that are scrubbed in the source, too,
 * are scrubbed. */
static void expect_restored_and(const struct place *place, uint64_t last, uint64_t again)
{
    struct error error;
    struct arena arena;
    struct log *log = log_open(place->restored_log, &small_segments, NULL, &error);
    REQUIRE(log != NULL, " %s", error.message);
    EXPECT(log->ops->position(log).last_sequence == last + 2 * again);
    arena_init(&arena, 1 << 20);
    for (uint64_t n = last + 1; n <= last + 2 * again; n += 2) {
        struct log_entry erase;
        struct log_entry done;
        EXPECT(log->ops->get(log, n, &arena, &erase, &error) == ERR_OK &&
               log->ops->get(log, n + 1, &arena, &done, &error) == ERR_OK);
        EXPECT(erase.kind == ENTRY_ERASE && erase.format == ERASE_AGAIN && !erase.scrubbed &&
               done.kind == ENTRY_ERASE_DONE && done.payload.length == 1 &&
               (uint8_t)done.payload.data[0] == n);
    }
    for (uint64_t n = 1; n <= last; n++) {
        struct log_entry entry;
        struct log_entry source;
        EXPECT(log->ops->get(log, n, &arena, &entry, &error) == ERR_OK, " %s", error.message);
        EXPECT(place->log->ops->get(place->log, n, &arena, &source, &error) == ERR_OK);
        EXPECT(entry.scrubbed == source.scrubbed && entry.created_person == source.created_person &&
                   slice_equal(entry.payload, source.payload) &&
                   slice_equal(entry.source, source.source) && entry.kind == source.kind,
               " entry %u", (unsigned)n);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    log->ops->close(log);
    uint64_t checked;
    EXPECT(rawlog_verify(&file_system_posix, place->restored_log, NULL, NULL, &checked, &error) ==
               ERR_OK,
           " %s", error.message);
}

static void expect_restored(const struct place *place, uint64_t last)
{
    expect_restored_and(place, last, 0);
}

/* An erasure of two entries, with what a fold needs of them. */
static void place_erase(struct place *place, uint64_t first, uint64_t second)
{
    struct error error;
    uint8_t list[16];
    uint64_t sequence;
    store_u64(list, first);
    store_u64(list + 8, second);
    struct log_entry entry = {.kind = ENTRY_ERASE,
                              .format = ERASE_GHOSTS,
                              .received_at_us = 900,
                              .payload = slice_of(list, sizeof list)};
    REQUIRE(place->log->ops->append(place->log, &entry, 1, &sequence, &error) == ERR_OK);
    place->last++;
}

/* ---- it works -------------------------------------------------------------------------------- */

static void test_backup_and_restore(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    place_make(&place, 60);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.last_sequence == place.last && report.entries_checked == place.last);
    EXPECT(report.segments > 5 && report.segments_copied == report.segments && report.keys &&
           !report.incremental);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
    EXPECT(restored.last_sequence == place.last && !restored.cut && restored.keys);
    expect_restored(&place, place.last);
    EXPECT(folder_contains(place.restored, "{\"keys\": []}"));
    EXPECT(restore_with(&place, &file_system_posix, 0, NULL, &restored, &error) == ERR_CONFLICT);
    place_end(&place);
}

static void test_incremental(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    place_make(&place, 60);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.incremental && report.segments_copied == 0);
    uint64_t segments = report.segments;
    place_append(&place, 1);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.segments_copied == 1 && report.last_sequence == place.last);
    place_append(&place, 20);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.segments_copied == report.segments - segments + 1, " %u copied, %u new",
           (unsigned)report.segments_copied, (unsigned)(report.segments - segments));
    const struct log_scrub items[] = {{.sequence = 2}, {.sequence = 30, .created_person = true}};
    REQUIRE(place.log->ops->scrub(place.log, items, 2, &error) == ERR_OK);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.segments_copied == 2 && report.erased == 2);
    EXPECT(!folder_contains(place.backup, "payload 2 ") &&
           !folder_contains(place.backup, "source-30"));
    /* Scrubbed before: not another version. */
    REQUIRE(place.log->ops->scrub(place.log, items, 2, &error) == ERR_OK);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.segments_copied == 0 && report.erased == 2);
    EXPECT(backup_check(&file_system_posix, place.backup, NULL, NULL, &report, &error) == ERR_OK,
           " %s", error.message);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
    expect_restored(&place, place.last);
    place_end(&place);
}

static void test_empty_log(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    place_make(&place, 0);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
    expect_restored(&place, 0);
    place_append(&place, 30);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
    expect_restored(&place, place.last);
    place_end(&place);
}

static void test_until(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    place_make(&place, 30);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    for (uint64_t until = 1; until <= place.last; until++) {
        /* Batches of 1, 2, 3, 1, 2, 3, … entries: which ends at or before it? */
        uint64_t expected = until / 6 * 6;
        expected += until % 6 >= 3 ? 3 : until % 6 >= 1 ? 1 : 0;
        REQUIRE(restore(&place, until, &restored, &error) == ERR_OK, " until %u: %s",
                (unsigned)until, error.message);
        EXPECT(restored.last_sequence == expected && restored.cut == (expected < place.last),
               " until %u: %u", (unsigned)until, (unsigned)restored.last_sequence);
        expect_restored(&place, expected);
        /* Entry n was received at n. */
        remove_tree(place.restored);
        struct restore_options options = {.files = &file_system_posix,
                                          .random = &system_random,
                                          .backup = place.backup,
                                          .data = place.restored,
                                          .until_us = (int64_t)until};
        EXPECT(backup_restore(&options, &restored, &error) == ERR_OK &&
               restored.last_sequence == expected &&
               restored.last_received_at_us == (int64_t)expected);
    }
    EXPECT(restore(&place, place.last + 1, &restored, &error) == ERR_INVALID);
    place_end(&place);
}

/* ---- beside a writer ------------------------------------------------------------------------- */

struct meddler {
    struct place *place;
    unsigned calls;
    unsigned scrub_at;
    bool appends;
};

static void meddle(void *context, const char *what, uint64_t done_bytes, uint64_t total_bytes)
{
    struct meddler *meddler = context;
    struct error error;
    (void)what;
    (void)done_bytes;
    (void)total_bytes;
    meddler->calls++;
    if (meddler->appends && meddler->calls % 7 == 0) {
        place_append(meddler->place, 2);
    }
    if (meddler->calls == meddler->scrub_at) {
        const struct log_scrub items[] = {{.sequence = 2}, {.sequence = 20}, {.sequence = 50}};
        CHECK(meddler->place->log->ops->scrub(meddler->place->log, items, 3, &error) == ERR_OK);
    }
}

/* A scrub and appends at every step of the copying: never a part of a scrub, never a torn batch. */
static void test_beside_a_writer(void)
{
    unsigned scrub_at = 1;
    for (bool reached = true; reached; scrub_at += 3) {
        struct place place;
        struct backup_report report;
        struct restore_report restored;
        struct error error;
        place_make(&place, 40);
        struct meddler meddler = {&place, 0, scrub_at, true};
        struct backup_options options = {.files = &file_system_posix,
                                         .data = place.data,
                                         .backup = place.backup,
                                         .taken_at_us = 1000000,
                                         .progress = meddle,
                                         .context = &meddler};
        REQUIRE(backup_run(&options, &report, &error) == ERR_OK, " %s", error.message);
        reached = meddler.calls >= scrub_at;
        EXPECT(!reached || report.erased == 3, " scrub at %u of %u: %u erased", scrub_at,
               meddler.calls, (unsigned)report.erased);
        EXPECT(!reached || !folder_contains(place.backup, "payload 20 "));
        REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
        expect_restored(&place, report.last_sequence);
        place_end(&place);
    }
    EXPECT(scrub_at > 30);
}

/* An incomplete last write of a crash, with nobody there to cut it off. */
static void test_torn_tail(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    place_make(&place, 40);
    struct rawlog_report found;
    place.log->ops->close(place.log);
    place.log = log_open(place.log_path, &small_segments, &found, &error);
    CHECK(place.log != NULL);
    char newest[PATH_BYTES];
    uint64_t first = place.last + 1;
    do {
        CHECK(--first > 0);
        snprintf(newest, sizeof newest, "%.400s/%020llu.seg", place.log_path,
                 (unsigned long long)first);
    } while (access(newest, F_OK) != 0);
    FILE *file = fopen(newest, "ab");
    CHECK(file != NULL);
    fwrite("KNDRD and what a crash left of a batch", 1, 30, file);
    fclose(file);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.last_sequence == place.last);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
    place_reopen(&place);
    expect_restored(&place, place.last);
    place_end(&place);
}

/* ---- erased people --------------------------------------------------------------------------- */

static void test_older_backup_with_a_newer_ledger(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    char old[PATH_BYTES];
    place_make(&place, 60);
    place_path(&place, "old", old);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    copy_tree(place.backup, old);
    uint64_t old_last = place.last;
    place_append(&place, 20);
    place_erase(&place, 7, 64);
    place_erase(&place, old_last + 3, old_last + 4); /* nobody the old copy knows */
    place_erase(&place, 9, 10);                      /* not done yet, or of another log */
    const struct log_scrub items[] = {{7, true}, {8, false}, {64, false}, {old_last + 3, false}};
    REQUIRE(place.log->ops->scrub(place.log, items, 4, &error) == ERR_OK);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);

    char ledger_file[PATH_BYTES];
    char ledger_name[BACKUP_NAME_MAX];
    struct backup_manifest manifest;
    REQUIRE(manifest_load(&file_system_posix, place.backup, &manifest, &error) == ERR_OK);
    backup_ledger_name(&manifest, ledger_name);
    manifest_deinit(&manifest);
    snprintf(ledger_file, sizeof ledger_file, "%.400s/%.90s", place.backup, ledger_name);
    const char *const from[] = {place.backup, ledger_file, place.data};
    for (size_t i = 0; i < ARRAY_COUNT(from); i++) {
        struct erasure_ledger ledger;
        REQUIRE(erasure_ledger_load(&file_system_posix, from[i], NULL, NULL, &ledger, &error) ==
                    ERR_OK,
                " %s", error.message);
        EXPECT(ledger.count == 4 && ledger.last_sequence == place.last);
        struct place other = place;
        memcpy(other.backup, old, sizeof old);
        remove_tree(place.restored);
        REQUIRE(restore_with(&other, &file_system_posix, 0, &ledger, &restored, &error) == ERR_OK,
                " %s", error.message);
        EXPECT(restored.scrubbed == 3 && restored.last_sequence == old_last && restored.again == 1);
        EXPECT(!folder_contains(place.restored, "payload 7 ") &&
               !folder_contains(place.restored, "source-64") &&
               folder_contains(place.restored, "payload 9 "));
        expect_restored_and(&place, old_last, 1);
        remove_tree(place.restored);
        REQUIRE(restore_with(&other, &file_system_posix, 12, &ledger, &restored, &error) == ERR_OK,
                " %s", error.message);
        EXPECT(restored.scrubbed == 2 && restored.again == 1);
        expect_restored_and(&place, 12, 1);
        erasure_ledger_deinit(&ledger);
    }
    /* The newer one, cut in front of the erasure, and whole. */
    REQUIRE(restore(&place, 12, &restored, &error) == ERR_OK, " %s", error.message);
    EXPECT(restored.scrubbed == 0 && restored.again == 1);
    expect_restored_and(&place, 12, 1);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
    EXPECT(restored.again == 0);
    expect_restored(&place, place.last);
    place_end(&place);
}

/* A ledger of another log, and one whose log went another way under the same numbers, erase
 * nothing. */
static void test_ledger_of_another_log(void)
{
    struct place place;
    struct place other;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    struct erasure_ledger ledger;
    place_make(&place, 30);
    place_make(&other, 30);
    const struct log_scrub item = {.sequence = 7};
    REQUIRE(other.log->ops->scrub(other.log, &item, 1, &error) == ERR_OK);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK &&
            back_up(&other, &report, &error) == ERR_OK);
    REQUIRE(erasure_ledger_load(&file_system_posix, other.backup, NULL, NULL, &ledger, &error) ==
            ERR_OK);
    EXPECT(restore_with(&place, &file_system_posix, 0, &ledger, &restored, &error) == ERR_CONFLICT);
    EXPECT(strcmp(error.code, "erasures_of_another_log") == 0);
    /* As if it were of this one: the digests still differ. */
    struct erasure_ledger own;
    REQUIRE(erasure_ledger_load(&file_system_posix, place.backup, NULL, NULL, &own, &error) ==
            ERR_OK);
    memcpy(ledger.log_id, own.log_id, LOG_ID_BYTES);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK);
    remove_tree(place.restored);
    REQUIRE(restore_with(&place, &file_system_posix, 0, &ledger, &restored, &error) == ERR_OK);
    EXPECT(restored.scrubbed == 0);
    erasure_ledger_deinit(&own);
    erasure_ledger_deinit(&ledger);
    place_end(&other);
    place_end(&place);
}

static bool give_up(void *context, size_t count)
{
    *(size_t *)context += count;
    return false;
}

/* An erasure between its request and its end: whole in a whole restore, in no other. */
static void test_unfinished_erasure(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    place_make(&place, 30);
    uint8_t list[16];
    store_u64(list, 5);
    store_u64(list + 8, 40);
    struct log_entry entries[] = {
        {.kind = ENTRY_ERASE, .received_at_us = 900, .payload = slice_of(list, sizeof list)},
        {.kind = ENTRY_ERASE_KEYS, .received_at_us = 900, .payload = SLICE_LITERAL("her@name")}};
    uint64_t erase;
    REQUIRE(place.log->ops->append(place.log, entries, 2, &erase, &error) == ERR_OK);
    place.last += 2;
    /* The server had come as far as the first segment. */
    const struct log_scrub first = {.sequence = 5, .created_person = true};
    REQUIRE(place.log->ops->scrub(place.log, &first, 1, &error) == ERR_OK);
    size_t waited = 0;
    struct backup_options options = {.files = &file_system_posix,
                                     .data = place.data,
                                     .backup = place.backup,
                                     .taken_at_us = 1000000,
                                     .wait = give_up,
                                     .context = &waited};
    REQUIRE(backup_run(&options, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(waited == 1 && report.unfinished == 1);
    /* Cut off, it would bring the person back. */
    EXPECT(restore(&place, erase - 1, &restored, &error) == ERR_CONFLICT);
    EXPECT(strcmp(error.code, "erasure_unfinished") == 0, " %s", error.message);
    REQUIRE(restore(&place, 0, &restored, &error) == ERR_OK, " %s", error.message);
    EXPECT(restored.unfinished == 1 && restored.scrubbed == 2);
    EXPECT(!folder_contains(place.restored, "payload 40 ") &&
           folder_contains(place.restored, "her@name"));
    /* It ends, and the next backup knows. */
    const struct log_scrub rest[] = {{.sequence = 40}, {.sequence = erase + 1}};
    REQUIRE(place.log->ops->scrub(place.log, rest, 2, &error) == ERR_OK);
    REQUIRE(backup_run(&options, &report, &error) == ERR_OK, " %s", error.message);
    EXPECT(report.unfinished == 0 && !folder_contains(place.backup, "her@name") &&
           !folder_contains(place.backup, "payload 40 "));
    REQUIRE(restore(&place, erase - 1, &restored, &error) == ERR_OK, " %s", error.message);
    expect_restored(&place, erase - 1);
    place_end(&place);
}

/* ---- mistakes -------------------------------------------------------------------------------- */

static void test_other_history(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    place_make(&place, 60);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK);
    uint64_t last = place.last;
    /* The deployment is restored to an earlier point and goes on from there, further than it
     * was. */
    REQUIRE(restore(&place, 30, &restored, &error) == ERR_OK);
    struct place after = place;
    memcpy(after.data, place.restored, sizeof after.data);
    memcpy(after.log_path, place.restored_log, sizeof after.log_path);
    after.log = log_open(after.log_path, &small_segments, NULL, &error);
    after.last = restored.last_sequence;
    REQUIRE(after.log != NULL);
    EXPECT(back_up(&after, &report, &error) == ERR_CONFLICT);
    place_append(&after, 100);
    EXPECT(back_up(&after, &report, &error) == ERR_CONFLICT);
    EXPECT(strcmp(error.code, "backup_of_another_log") == 0, " %s", error.message);
    after.log->ops->close(after.log);
    EXPECT(backup_check(&file_system_posix, place.backup, NULL, NULL, &report, &error) == ERR_OK &&
               report.last_sequence == last,
           " %s", error.message);
    place_end(&place);
}

static void test_targets(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    char file[PATH_BYTES];
    place_make(&place, 10);
    CHECK(mkdir(place.backup, 0700) == 0);
    snprintf(file, sizeof file, "%.400s/letter.txt", place.backup);
    file_store(file, "dear", 4);
    EXPECT(back_up(&place, &report, &error) == ERR_CONFLICT);
    EXPECT(restore(&place, 0, &restored, &error) == ERR_NOT_FOUND);
    unlink(file);
    snprintf(file, sizeof file, "%.400s/log", place.backup);
    CHECK(mkdir(file, 0700) == 0);
    EXPECT(back_up(&place, &report, &error) == ERR_CONFLICT);
    CHECK(rmdir(file) == 0);
    EXPECT(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    struct place none = place;
    place_path(&place, "nothing", none.data);
    EXPECT(back_up(&none, &report, &error) == ERR_NOT_FOUND);
    /* Somebody else is at it. */
    struct file *lock;
    snprintf(file, sizeof file, "%.400s/%s", place.backup, BACKUP_LOCK);
    CHECK(file_system_posix.open(NULL, file, FILE_WRITE, &lock, &error) == ERR_OK);
    CHECK(file_system_posix.lock(NULL, lock, &error) == ERR_OK);
    EXPECT(back_up(&place, &report, &error) == ERR_LOCKED);
    EXPECT(restore(&place, 0, &restored, &error) == ERR_LOCKED);
    file_system_posix.close(NULL, lock);
    place_end(&place);
}

/* ---- damage ---------------------------------------------------------------------------------- */

struct named {
    char names[64][PATH_BYTES];
    size_t count;
    const char *folder;
};

static void gather(void *visitor, const char *name)
{
    struct named *named = visitor;
    CHECK(named->count < ARRAY_COUNT(named->names));
    snprintf(named->names[named->count++], PATH_BYTES, "%.300s/%.120s", named->folder, name);
}

static void list_backup(const struct place *place, struct named *named)
{
    struct error error;
    char log[PATH_BYTES];
    named->count = 0;
    named->folder = place->backup;
    CHECK(file_system_posix.list(NULL, place->backup, gather, named, &error) == ERR_OK);
    snprintf(log, sizeof log, "%.400s/log", place->backup);
    named->folder = log;
    CHECK(file_system_posix.list(NULL, log, gather, named, &error) == ERR_OK);
}

static void expect_found(const struct place *place, const char *what, const char *name)
{
    struct backup_report report;
    struct restore_report restored;
    struct error error = {0};
    EXPECT(backup_check(&file_system_posix, place->backup, NULL, NULL, &report, &error) != ERR_OK,
           " %s of %s", what, name);
    error = (struct error){0};
    EXPECT(restore(place, 0, &restored, &error) != ERR_OK && error.message[0] != '\0', " %s of %s",
           what, name);
}

/* Every byte of every file, its end, and the file itself. */
static void test_damage(void)
{
    struct place place;
    struct backup_report report;
    struct error error;
    static struct named named;
    place_make(&place, 16);
    const struct log_scrub item = {.sequence = 3};
    REQUIRE(place.log->ops->scrub(place.log, &item, 1, &error) == ERR_OK);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    list_backup(&place, &named);
    EXPECT(named.count >= 6, " %u files", (unsigned)named.count);
    for (size_t i = 0; i < named.count; i++) {
        size_t length;
        if (strstr(named.names[i], BACKUP_LOCK) != NULL) {
            continue;
        }
        char *content = file_load(named.names[i], &length);
        for (size_t at = 0; at<length; at += length> 1000 ? 3 : 1) {
            content[at] ^= 1 << at % 8;
            file_store(named.names[i], content, length);
            expect_found(&place, "a bit", named.names[i]);
            content[at] ^= 1 << at % 8;
        }
        file_store(named.names[i], content, length - 1);
        expect_found(&place, "the end", named.names[i]);
        unlink(named.names[i]);
        expect_found(&place, "all", named.names[i]);
        file_store(named.names[i], content, length);
        free(content);
    }
    EXPECT(backup_check(&file_system_posix, place.backup, NULL, NULL, &report, &error) == ERR_OK,
           " %s", error.message);
    place_end(&place);
}

/* The log itself is damaged: it is named, not the copy, and the backup that was there stays. */
static void test_damaged_source(void)
{
    struct place place;
    struct backup_report report;
    struct error error;
    char first[PATH_BYTES];
    size_t length;
    place_make(&place, 40);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    uint64_t last = place.last;
    const struct log_scrub item = {.sequence = 2};
    REQUIRE(place.log->ops->scrub(place.log, &item, 1, &error) == ERR_OK);
    snprintf(first, sizeof first, "%.400s/00000000000000000001.seg", place.log_path);
    char *content = file_load(first, &length);
    content[length / 2] ^= 1;
    file_store(first, content, length);
    free(content);
    EXPECT(back_up(&place, &report, &error) == ERR_CORRUPT &&
               strstr(error.message, "data/log/00000000000000000001.seg") != NULL,
           " %s", error.message);
    EXPECT(backup_check(&file_system_posix, place.backup, NULL, NULL, &report, &error) == ERR_OK &&
               report.last_sequence == last,
           " %s", error.message);
    place_end(&place);
}

/* ---- failures -------------------------------------------------------------------------------- */

/* The Nth call of an incremental backup fails: what was there is still there, and the next one
 * succeeds. False: there was no Nth call. */
static bool backup_with_fault(const struct place *place, const char *kept, unsigned at, err with,
                              enum fault_kind kind, bool for_ever, uint64_t before)
{
    struct fault fault;
    struct backup_report report;
    struct error error = {0};
    remove_tree(place->backup);
    copy_tree(kept, place->backup);
    fault_init(&fault);
    fault_arm(&fault, at, with, kind);
    fault.for_ever = for_ever;
    fault.half_write = true;
    err e = back_up_with(place, &fault.files, &report, &error);
    if (!fault.hit) {
        EXPECT(e == ERR_OK, " %s", error.message);
        return false;
    }
    /* What a look by the way finds broken may be copied instead; everything else must be told. */
    EXPECT(e == ERR_OK || error.message[0] != '\0');
    EXPECT(e == ERR_OK || e == with || kind == FAULT_ANY || kind == FAULT_READS, " %s",
           error.message);
    err checked = backup_check(&file_system_posix, place->backup, NULL, NULL, &report, &error);
    EXPECT(checked == ERR_OK, " call %u: %s", at, error.message);
    EXPECT(report.last_sequence == place->last || (e != ERR_OK && report.last_sequence == before));
    if (at % 5 == 0) {
        struct restore_report restored;
        EXPECT(restore(place, 0, &restored, &error) == ERR_OK, " call %u: %s", at, error.message);
    }
    EXPECT(back_up(place, &report, &error) == ERR_OK && report.last_sequence == place->last,
           " call %u: %s", at, error.message);
    EXPECT(!folder_contains(place->backup, "payload 2 "), " call %u", at);
    return true;
}

static void test_failing_disk_while_backing_up(void)
{
    struct place place;
    struct backup_report report;
    struct error error;
    char kept[PATH_BYTES];
    place_make(&place, 12);
    place_path(&place, "kept", kept);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    CHECK(rename(place.backup, kept) == 0);
    uint64_t before = place.last;
    place_append(&place, 12);
    const struct log_scrub item = {.sequence = 2};
    REQUIRE(place.log->ops->scrub(place.log, &item, 1, &error) == ERR_OK);
    for (int i = 0; i < 6; i++) {
        err with = i % 2 == 0 ? ERR_IO : ERR_NO_SPACE;
        enum fault_kind kind = i < 2 ? FAULT_ANY : i < 4 ? FAULT_WRITES : FAULT_SYNCS;
        unsigned at = 1;
        while (backup_with_fault(&place, kept, at, with, kind, i % 2 == 1, before)) {
            at++;
        }
        EXPECT(at > 5, " only %u calls", at);
    }
    place_end(&place);
}

static void test_failing_disk_while_restoring(void)
{
    struct place place;
    struct backup_report report;
    struct error error;
    struct erasure_ledger ledger;
    char old[PATH_BYTES];
    place_make(&place, 16);
    place_path(&place, "old", old);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK, " %s", error.message);
    copy_tree(place.backup, old);
    uint64_t old_last = place.last;
    place_erase(&place, 2, 20);
    const struct log_scrub items[] = {{.sequence = 2}, {.sequence = 20}};
    REQUIRE(place.log->ops->scrub(place.log, items, 2, &error) == ERR_OK);
    REQUIRE(back_up(&place, &report, &error) == ERR_OK);
    REQUIRE(erasure_ledger_load(&file_system_posix, place.backup, NULL, NULL, &ledger, &error) ==
            ERR_OK);
    memcpy(place.backup, old, sizeof old);
    for (int i = 0; i < 4; i++) {
        bool hit = true;
        for (unsigned at = 1; hit; at++) {
            struct fault fault;
            struct restore_report restored;
            remove_tree(place.restored);
            fault_init(&fault);
            fault_arm(&fault, at, i % 2 == 0 ? ERR_IO : ERR_NO_SPACE,
                      i < 2 ? FAULT_ANY : FAULT_SYNCS);
            fault.for_ever = i % 2 == 1;
            fault.half_write = true;
            err e = restore_with(&place, &fault.files, 0, &ledger, &restored, &error);
            hit = fault.hit;
            EXPECT(e == ERR_OK || error.message[0] != '\0');
            if (e != ERR_OK) {
                /* Not taken for a deployment until the same command has come to its end. */
                struct data_folder folder;
                struct data_folder_options options = {.files = &file_system_posix,
                                                      .random = &system_random,
                                                      .path = place.restored,
                                                      .must_exist = true};
                char marker[PATH_BYTES];
                snprintf(marker, sizeof marker, "%.400s/" RESTORE_MARKER, place.restored);
                bool marked = access(marker, F_OK) == 0;
                err opened = data_folder_open(&options, &folder, &error);
                EXPECT(opened != ERR_OK || !marked, " call %u", at);
                if (opened == ERR_OK) {
                    data_folder_close(&folder); /* only the very last sync of the folder failed */
                    continue;
                }
                EXPECT(restore_with(&place, &file_system_posix, 0, &ledger, &restored, &error) ==
                           ERR_OK,
                       " call %u: %s", at, error.message);
            }
            EXPECT(restored.scrubbed == 2 && !folder_contains(place.restored, "payload 20 "));
            expect_restored_and(&place, old_last, 1);
        }
    }
    erasure_ledger_deinit(&ledger);
    place_end(&place);
}

static void test_memory_runs_out(void)
{
    struct place place;
    struct backup_report report;
    struct restore_report restored;
    struct error error;
    bool failed = true;
    place_make(&place, 12);
    const struct log_scrub item = {.sequence = 2};
    REQUIRE(place.log->ops->scrub(place.log, &item, 1, &error) == ERR_OK);
    for (uint64_t n = 1; failed; n++) {
        failing_memory_begin(n);
        err e = back_up(&place, &report, &error);
        struct failing_memory_end end = failing_memory_end();
        failed = end.failed;
        EXPECT(end.live_blocks == 0, " %d blocks are left", (int)end.live_blocks);
        EXPECT(failed ? e != ERR_OK : e == ERR_OK, " allocation %u: %s", (unsigned)n,
               error.message);
    }
    failed = true;
    for (uint64_t n = 1; failed; n++) {
        remove_tree(place.restored);
        failing_memory_begin(n);
        err e = restore_with(&place, &file_system_posix, 0, NULL, &restored, &error);
        struct failing_memory_end end = failing_memory_end();
        failed = end.failed;
        EXPECT(end.live_blocks == 0, " %d blocks are left", (int)end.live_blocks);
        EXPECT(failed ? e != ERR_OK : e == ERR_OK, " allocation %u: %s", (unsigned)n,
               error.message);
    }
    expect_restored(&place, place.last);
    place_end(&place);
}

int main(void)
{
    RUN(test_backup_and_restore);
    RUN(test_incremental);
    RUN(test_empty_log);
    RUN(test_until);
    RUN(test_beside_a_writer);
    RUN(test_torn_tail);
    RUN(test_older_backup_with_a_newer_ledger);
    RUN(test_ledger_of_another_log);
    RUN(test_unfinished_erasure);
    RUN(test_other_history);
    RUN(test_targets);
    RUN(test_damage);
    RUN(test_damaged_source);
    RUN(test_failing_disk_while_backing_up);
    RUN(test_failing_disk_while_restoring);
    RUN(test_memory_runs_out);
    return test_summary();
}
