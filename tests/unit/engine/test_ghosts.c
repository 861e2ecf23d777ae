/* Tries to find somebody who is joined otherwise, or an identifier that is somebody else's, after a
 * person who shared identifiers was erased and everything is folded again from the scrubbed log, or
 * from an older backup with what was erased since. And tries to find anything of the person in what
 * is kept of them. */
#include "fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include "storage/backup.h"
#include "unit/failing_memory.h"

/* The object's text with "timestamp" in it, so many seconds from now. */
static const char *at_time(const char *members, int seconds)
{
    enum { ROOM = 256 };
    char *out = arena_zalloc(&fixture.arena, ROOM);
    char time[TIMESTAMP_TEXT_MAX];
    time[timestamp_format(fixture.now_us + seconds * 1000000ll, time)] = '\0';
    snprintf(out, ROOM, "{%s,\"timestamp\":\"%s\"}", members, time);
    return out;
}

/* ---- a fold of the scrubbed log ---- */

/* The cookie was hers for a while, so the third record, which names it beside another user id, was
 * somebody new; without her it would be the first person's. */
static void test_a_third_person_stays_a_third(void)
{
    fixture_begin();
    ingest("{\"email\":\"q@first.de\",\"cookie\":\"shared\"}");
    ingest("{\"email\":\"p@erased.de\",\"user_id\":\"uerased\",\"cookie\":\"shared\"}");
    ingest("{\"user_id\":\"u-third\",\"cookie\":\"shared\"}");
    uint32_t first = person("email", "q@first.de");
    uint32_t erased = person("email", "p@erased.de");
    uint32_t third = person("user_id", "u-third");
    EXPECT(first != erased && first != third && erased != third &&
           person("cookie", "shared") == third);
    EXPECT(erase(erased) == ERR_OK);
    expect_same_after_starts();
    scrub();
    expect_same_after_starts();
    EXPECT(person("user_id", "u-third") == third && person("cookie", "shared") == third &&
           person("email", "p@erased.de") == PERSON_NONE);
    EXPECT(!folder_contains(fixture.path, "erased"));
    fixture_end();
}

/* A late record did not get the cookie from her, so it stayed nobody's when she went. */
static void test_a_late_record_does_not_get_it(void)
{
    fixture_begin();
    ingest("{\"email\":\"p@erased.de\",\"cookie\":\"shared\"}");
    ingest(at_time("\"email\":\"q@late.de\",\"cookie\":\"shared\"", -3600));
    ingest("{\"user_id\":\"u3\",\"phone\":\"+12125550101\",\"cookie\":\"shared\"}"); /* hers */
    ingest("{\"email\":\"r@x.de\",\"phone\":\"+12125550101\"}");
    EXPECT(erase(person("email", "p@erased.de")) == ERR_OK);
    scrub();
    ingest("{\"cookie\":\"shared\"}");
    expect_same_after_starts();
    EXPECT(person("cookie", "shared") != person("email", "q@late.de"));
    fixture_end();
}

/* Both who shared are erased, one after the other: what the first's ghosts pointed at is a ghost,
 * too. */
static void test_both_are_erased(void)
{
    for (int order = 0; order < 2; order++) {
        fixture_begin();
        ingest("{\"email\":\"q@erased.de\",\"cookie\":\"cerased\",\"device_id\":\"d1\"}");
        ingest(
            "{\"email\":\"p@erased.de\",\"user_id\":\"u0\",\"cookie\":\"cerased\",\"device_id\":\"d2\"}");
        ingest("{\"user_id\":\"u1\",\"cookie\":\"cerased\",\"device_id\":\"d1\"}");
        ingest("{\"email\":\"s@x.de\",\"device_id\":\"d2\"}");
        ingest(at_time("\"email\":\"t@x.de\",\"device_id\":\"d2\",\"user_id\":\"u7\"", -5000));
        ingest("{\"email\":\"q@erased.de\",\"device_id\":\"d2\"}");
        const char *names[] = {"p@erased.de", "q@erased.de"};
        for (int i = 0; i < 2; i++) {
            EXPECT(erase(person("email", names[i ^ order])) == ERR_OK);
            scrub();
            expect_same_after_starts();
            ingest("{\"email\":\"s@x.de\",\"device_id\":\"d1\"}");
        }
        expect_same_after_starts();
        EXPECT(!folder_contains(fixture.path, "erased.de"));
        fixture_end();
    }
}

/* Corrections, repeats of a message and sources with a priority are ghosts of their own kind. */
static void test_every_kind_of_entry(void)
{
    fixture_begin();
    fixture.settings =
        "{\"sources\":{\"crm\":100},\"identifiers\":[{\"type\":\"device_id\",\"limit\":2}]}";
    reopen(AS_IT_IS);
    ingest("{\"email\":\"p@erased.de\",\"cookie\":\"shared\",\"message_id\":\"merased\"}");
    /* a repeat: hers */
    ingest("{\"email\":\"other@x.de\",\"cookie\":\"c9\",\"message_id\":\"merased\"}");
    EXPECT(person("email", "other@x.de") == PERSON_NONE);
    EXPECT(patch(person("email", "p@erased.de"), "{\"age\":44}", NULL) == ERR_OK);
    const char *same = at_time("\"email\":\"p@erased.de\",\"cookie\":\"shared\"", -100);
    const char *time = strstr(same, "timestamp");
    EXPECT(ingest_from(same, "crm") == ERR_OK);
    char other[256];
    snprintf(other, sizeof other, "{\"email\":\"q@x.de\",\"cookie\":\"shared\",\"%s", time);
    ingest(other); /* at the same moment, by a lesser source */
    /* Two of a type in one record, of which one gives way by its bytes. */
    ingest("{\"email\":\"p@erased.de\",\"device_id\":[\"zz\",\"aa\"]}");
    ingest("{\"email\":\"p@erased.de\",\"device_id\":\"mm\"}");
    ingest("{\"email\":\"r@x.de\",\"device_id\":\"aa\"}");
    ingest("{\"user_id\":\"u4\",\"device_id\":\"zz\"}");
    EXPECT(erase(person("email", "p@erased.de")) == ERR_OK);
    expect_same_after_starts();
    scrub();
    expect_same_after_starts();
    ingest("{\"email\":\"other@x.de\",\"cookie\":\"c9\",\"message_id\":\"merased\"}");
    expect_same_after_starts();
    EXPECT(!folder_contains(fixture.path, "p@erased") &&
           !folder_contains(fixture.path, "test_source"));
    fixture_end();
}

/* Her entries are read again by the settings of their time, also when those come from a
 * checkpoint. */
static void test_settings_of_their_time(void)
{
    fixture_begin();
    fixture.settings = "{\"blocked\":{\"cookie\":[\"kiosk\"]}}";
    reopen(AS_IT_IS);
    ingest("{\"email\":\"p@erased.de\",\"cookie\":[\"kiosk\",\"shared\"]}");
    fixture.settings = "{\"default_country\":\"DE\"}";
    reopen(BEHIND_A_CHECKPOINT);
    ingest("{\"email\":\"q@x.de\",\"cookie\":\"kiosk\"}");
    ingest("{\"email\":\"r@x.de\",\"cookie\":\"shared\"}");
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(erase(person("email", "p@erased.de")) == ERR_OK);
    scrub();
    expect_same_after_starts();
    fixture_end();
}

/* What was logged before there were ghosts: numbers, and where a cookie had moved from, are kept as
 * they were then. */
static void test_an_erasure_without_ghosts(void)
{
    struct log_entry entries[2] = {{.kind = ENTRY_ERASE}, {.kind = ENTRY_ERASE_KEYS}};
    struct data_folder folder;
    struct error error = {0};
    /* version, number, salt[16], count, 2 << 1 | created */
    char erase_payload[20] = {1, 2, 's', 'a', 'l', 't'};
    static const char keys[] = {0, 11, 'p', '@', 'e', 'r', 'a', 's', 'e', 'd', '.', 'd', 'e'};
    uint64_t first = 0;
    fixture_begin();
    ingest("{\"email\":\"q@x.de\",\"cookie\":\"c1\"}");
    ingest("{\"email\":\"p@erased.de\",\"cookie\":\"c2\"}");
    ingest("{\"email\":\"r@x.de\",\"cookie\":\"c3\"}");
    EXPECT(fixture.last.first_sequence == 3);
    fixture_close();
    struct data_folder_options options = {
        .files = &fixture.files, .random = &fixture.random, .path = fixture.path};
    REQUIRE(data_folder_open(&options, &folder, &error) == ERR_OK, ": %s", error.message);
    erase_payload[18] = 1;
    erase_payload[19] = 5;
    entries[0].payload = slice_of(erase_payload, sizeof erase_payload);
    entries[1].payload = slice_of(keys, sizeof keys);
    entries[0].received_at_us = entries[1].received_at_us = fixture.now_us;
    REQUIRE(folder.log->ops->append(folder.log, entries, 2, &first, &error) == ERR_OK, ": %s",
            error.message);
    data_folder_close(&folder);
    fixture_must_open();
    EXPECT(person("email", "p@erased.de") == PERSON_NONE && person("email", "r@x.de") == 3);
    expect_same_after_starts();
    scrub();
    expect_same_after_starts();
    EXPECT(person("email", "r@x.de") == 3 && !folder_contains(fixture.path, "erased"));
    fixture_end();
}

/* ---- an older backup, and what was erased since ---- */

static char backup_path[300];
static char restored_path[300];

static void back_up(void)
{
    struct backup_report report;
    struct error error = {0};
    struct backup_options options = {.files = &file_system_posix,
                                     .data = fixture.path,
                                     .backup = backup_path,
                                     .taken_at_us = fixture.now_us};
    REQUIRE(backup_run(&options, &report, &error) == ERR_OK, ": %s", error.message);
    REQUIRE(backup_check(&file_system_posix, backup_path, NULL, NULL, &report, &error) == ERR_OK,
            ": %s", error.message);
}

/* And what it came to is what the fixture goes on with. */
static void restore_old(const char *old, uint64_t until, uint64_t expected_again)
{
    struct erasure_ledger ledger;
    struct restore_report report;
    struct error error = {0};
    REQUIRE(erasure_ledger_load(&file_system_posix, backup_path, NULL, NULL, &ledger, &error) ==
                ERR_OK,
            ": %s", error.message);
    struct restore_options options = {.files = &file_system_posix,
                                      .random = &fixture.random,
                                      .backup = old,
                                      .data = restored_path,
                                      .until_sequence = until,
                                      .ledger = &ledger,
                                      .erase_entries = engine_erase_entries};
    REQUIRE(backup_restore(&options, &report, &error) == ERR_OK, ": %s", error.message);
    EXPECT(report.again == expected_again, " %" PRIu64, report.again);
    erasure_ledger_deinit(&ledger);
    fixture_close();
    folder_remove(fixture.path);
    REQUIRE(rename(restored_path, fixture.path) == 0);
    fixture_must_open();
}

static void test_an_older_backup(void)
{
    char old[320];
    fixture_begin();
    snprintf(backup_path, sizeof backup_path, "%s-backup", fixture.path);
    snprintf(restored_path, sizeof restored_path, "%s-restored", fixture.path);
    snprintf(old, sizeof old, "%s-old", fixture.path);
    ingest("{\"email\":\"q@first.de\",\"cookie\":\"shared\"}");
    ingest("{\"email\":\"p@erased.de\",\"user_id\":\"uerased\",\"cookie\":\"shared\"}");
    ingest("{\"device_id\":\"derased\",\"cookie\":\"cerased\"}"); /* she, too, as comes out later */
    ingest("{\"user_id\":\"u-third\",\"cookie\":\"shared\"}");
    uint32_t first = person("email", "q@first.de");
    uint32_t third = person("user_id", "u-third");
    const char *was_first = user(first);
    const char *was_third = user(third);
    reopen(AS_IT_IS);
    back_up();
    REQUIRE(rename(backup_path, old) == 0);
    ingest("{\"email\":\"p@erased.de\",\"device_id\":\"derased\"}");
    ingest("{\"email\":\"q@first.de\",\"device_id\":\"derased\",\"age\":3}");
    EXPECT(erase(person("email", "p@erased.de")) == ERR_OK);
    scrub();
    expect_same_after_starts();
    back_up();
    restore_old(old, 0, 1);
    EXPECT(strcmp(user(first), was_first) == 0 && strcmp(user(third), was_third) == 0, "\n%s\n%s",
           user(first), was_first);
    EXPECT(person("cookie", "shared") == third && person("cookie", "cerased") == PERSON_NONE &&
           person("device_id", "derased") == PERSON_NONE);
    EXPECT(!folder_contains(fixture.path, "erased"));
    uint64_t sequence;
    EXPECT(!engine_erasure_next(fixture.engine, &sequence));
    /* Life goes on under the numbers that the erasure names, and nothing of it is taken for
     * hers. */
    for (int i = 0; i < 12; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"email\":\"n%d@x.de\",\"cookie\":\"n%d\",\"age\":%d}", i, i,
                 20 + i);
        ingest(text);
    }
    ingest("{\"email\":\"n1@x.de\",\"cookie\":\"shared\"}");
    expect_same_after_starts();
    EXPECT(erase(person("email", "n0@x.de")) == ERR_OK);
    scrub();
    expect_same_after_starts();
    folder_remove(old);
    folder_remove(backup_path);
    fixture_end();
}

/* A backup made after it, restored to a point before it. */
static void test_until_before_the_erasure(void)
{
    fixture_begin();
    snprintf(backup_path, sizeof backup_path, "%s-backup", fixture.path);
    snprintf(restored_path, sizeof restored_path, "%s-restored", fixture.path);
    ingest("{\"email\":\"q@first.de\",\"cookie\":\"shared\"}");
    ingest("{\"email\":\"p@erased.de\",\"user_id\":\"uerased\",\"cookie\":\"shared\"}");
    ingest("{\"user_id\":\"u-third\",\"cookie\":\"shared\"}");
    uint64_t until = fixture.last.first_sequence;
    uint32_t third = person("user_id", "u-third");
    const char *was_third = user(third);
    ingest("{\"user_id\":\"u-third\",\"age\":30}");
    EXPECT(erase(person("email", "p@erased.de")) == ERR_OK);
    scrub();
    back_up();
    restore_old(backup_path, until, 1);
    EXPECT(strcmp(user(third), was_third) == 0, "\n%s\n%s", user(third), was_third);
    expect_same_after_starts();
    EXPECT(!folder_contains(fixture.path, "erased"));
    folder_remove(backup_path);
    fixture_end();
}

/* ---- memory ---- */

static void shared_world(void)
{
    fixture_begin();
    ingest("{\"email\":\"q@first.de\",\"cookie\":\"shared\"}");
    ingest(
        "{\"email\":\"p@erased.de\",\"user_id\":\"uerased\",\"cookie\":\"shared\",\"message_id\":\"m\",\"device_id\":[\"d2\",\"d1\"]}");
    ingest("{\"user_id\":\"u-third\",\"cookie\":\"shared\"}");
}

enum { DONE = 10, REFUSED = 20, NOT_REACHED = 30 };

/* In a child: a CHECK where an index has no way back is a way of failing, too. */
static int starved(uint64_t nth, bool once, bool erasing)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(98);
        }
        if (erasing) {
            fixture_must_open();
        }
        if (once) {
            failing_memory_begin_once(nth);
        } else {
            failing_memory_begin(nth);
        }
        err e = erasing ? erase(2) : fixture_open(&error);
        bool reached = failing_memory_end().failed;
        _exit(e == ERR_OK ? (reached ? DONE : NOT_REACHED) : REFUSED);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status)                                    ? WEXITSTATUS(status)
           : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? REFUSED
                                                                : 97;
}

/* Erased with all its ghosts or not at all. */
static void test_no_memory_to_erase(void)
{
    for (int once = 0; once < 2; once++) {
        int outcome = 0;
        for (uint64_t nth = 1; outcome != NOT_REACHED && nth < 1000; nth++) {
            shared_world();
            fixture_close();
            outcome = starved(nth, once, true);
            EXPECT(outcome == DONE || outcome == REFUSED || outcome == NOT_REACHED,
                   ": allocation %" PRIu64 ": %d", nth, outcome);
            fixture_must_open();
            uint32_t erased = person("email", "p@erased.de");
            EXPECT(outcome == REFUSED || erased == PERSON_NONE, ": allocation %" PRIu64, nth);
            EXPECT(erased == PERSON_NONE || erase(erased) == ERR_OK);
            scrub();
            expect_same_after_starts();
            EXPECT(person("user_id", "u-third") != person("email", "q@first.de"),
                   ": allocation %" PRIu64, nth);
            fixture_end();
        }
        EXPECT(outcome == NOT_REACHED);
    }
}

/* A start from the log comes to the same people or to none. */
static void test_no_memory_to_fold(void)
{
    char path[320];
    shared_world();
    snprintf(path, sizeof path, "%s/profiles", fixture.path);
    EXPECT(erase(2) == ERR_OK);
    scrub();
    const char *before = everything();
    fixture_close();
    for (int once = 0; once < 2; once++) {
        int outcome = 0;
        for (uint64_t nth = 1; outcome != NOT_REACHED && nth < 3000; nth++) {
            folder_remove(path);
            outcome = starved(nth, once, false);
            EXPECT(outcome == DONE || outcome == REFUSED || outcome == NOT_REACHED,
                   ": allocation %" PRIu64 ": %d", nth, outcome);
            fixture_must_open();
            EXPECT(strcmp(before, everything()) == 0, ": allocation %" PRIu64, nth);
            fixture_close();
        }
        EXPECT(outcome == NOT_REACHED);
    }
    fixture_must_open();
    fixture_end();
}

int main(void)
{
    RUN(test_a_third_person_stays_a_third);
    RUN(test_a_late_record_does_not_get_it);
    RUN(test_both_are_erased);
    RUN(test_every_kind_of_entry);
    RUN(test_settings_of_their_time);
    RUN(test_an_erasure_without_ghosts);
    RUN(test_an_older_backup);
    RUN(test_until_before_the_erasure);
    RUN(test_no_memory_to_erase);
    RUN(test_no_memory_to_fold);
    return test_summary();
}
