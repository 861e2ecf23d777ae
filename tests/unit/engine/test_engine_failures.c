/* Tries to get an acknowledgement for what is not durable, or a state that is half an entry, out of
 * failing writes, syncs and allocations. */
#include "fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/failing_memory.h"

static struct {
    err write, sync;
    uint64_t syncs;
} failing;

static err failing_write(void *context, struct file *file, const void *from, size_t length,
                         uint64_t offset, struct error *error)
{
    return failing.write != ERR_OK
               ? error_set(error, failing.write, "test", 0, "test")
               : file_system_posix.write_at(context, file, from, length, offset, error);
}
static err failing_sync(void *context, struct file *file, struct error *error)
{
    failing.syncs++;
    return failing.sync != ERR_OK ? error_set(error, failing.sync, "test", 0, "test")
                                  : file_system_posix.sync(context, file, error);
}

static void begin_failing(enum engine_durability durability)
{
    memset(&failing, 0, sizeof failing);
    fixture_begin();
    fixture.files.write_at = failing_write;
    fixture.files.sync = failing_sync;
    fixture.durability = durability;
    reopen(AS_IT_IS);
}

static void test_a_full_disk_passes(void)
{
    begin_failing(DURABILITY_FSYNC);
    ingest("{\"cookie\":\"before\"}");
    failing.write = ERR_NO_SPACE;
    EXPECT(ingest_from("{\"cookie\":\"full\"}", "") == ERR_NO_SPACE);
    EXPECT(put_cohort("Full", "{\"phrases\":[\"opera\"]}") == ERR_NO_SPACE);
    EXPECT(erase(person("cookie", "before")) == ERR_NO_SPACE);
    EXPECT(engine_failed(fixture.engine) == ERR_OK);
    EXPECT(person("cookie", "before") != PERSON_NONE && person("cookie", "full") == PERSON_NONE);
    failing.write = ERR_OK;
    ingest("{\"cookie\":\"after\"}");
    expect_same_after_starts();
    EXPECT(person("cookie", "full") == PERSON_NONE && person("cookie", "after") != PERSON_NONE);
    fixture_end();
}

static void expect_failed_for_good(err first)
{
    EXPECT(engine_failed(fixture.engine) == first);
    memset(&failing, 0, sizeof failing);
    EXPECT(ingest_from("{\"cookie\":\"later\"}", "") == first);
    EXPECT(put_cohort("Later", "{\"phrases\":[\"opera\"]}") == first);
    EXPECT(person("cookie", "later") == PERSON_NONE && person("cookie", "before") != PERSON_NONE);
    struct error error;
    struct engine_stats before;
    engine_stats(fixture.engine, &before);
    EXPECT(engine_checkpoint(fixture.engine, &error) != ERR_OK ||
           before.applied_sequence == before.checkpoint_sequence);
    EXPECT(failing.syncs == 0, ": a failed sync was tried again");
    reopen(AS_IT_IS);
    EXPECT(engine_failed(fixture.engine) == ERR_OK);
    ingest("{\"cookie\":\"later\"}");
}

static void test_a_failed_sync_is_final(void)
{
    static const err kinds[] = {ERR_IO, ERR_NO_SPACE};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        begin_failing(DURABILITY_FSYNC);
        ingest("{\"cookie\":\"before\"}");
        failing.sync = kinds[i];
        EXPECT(ingest_from("{\"cookie\":\"lost\"}", "") != ERR_OK);
        EXPECT(person("cookie", "lost") == PERSON_NONE);
        expect_failed_for_good(ERR_IO);
        fixture_end();
    }
}

static void test_a_failed_write_is_final(void)
{
    begin_failing(DURABILITY_FSYNC);
    ingest("{\"cookie\":\"before\"}");
    failing.write = ERR_IO;
    EXPECT(ingest_from("{\"cookie\":\"lost\"}", "") == ERR_IO);
    expect_failed_for_good(ERR_IO);
    fixture_end();
}

/* One group, one sync: when it fails nobody in it is told that all is well. */
static void test_a_failed_sync_fails_the_group(void)
{
    struct submission submissions[3];
    struct submission *pointers[3];
    struct draft drafts[3];
    begin_failing(DURABILITY_FSYNC);
    ingest("{\"cookie\":\"before\"}");
    failing.sync = ERR_IO;
    for (size_t i = 0; i < 3; i++) {
        drafts[i] = record_draft("{\"cookie\":\"lost\"}", "");
        submissions[i] = (struct submission){
            .kind = SUBMIT_RECORDS, .drafts = &drafts[i], .draft_count = 1, .done = fixture_done};
        pointers[i] = &submissions[i];
    }
    engine_commit(fixture.engine, pointers, 3);
    for (size_t i = 0; i < 3; i++) {
        EXPECT(submissions[i].err == ERR_IO);
    }
    expect_failed_for_good(ERR_IO);
    fixture_end();
}

/* In the weaker modes a commit does not sync; a checkpoint must, or it would be ahead of its log
 * after a power failure. */
static void test_a_checkpoint_is_never_ahead_of_the_log(void)
{
    begin_failing(DURABILITY_INTERVAL);
    ingest("{\"cookie\":\"before\"}");
    ingest("{\"cookie\":\"more\"}");
    struct log *log = engine_log(fixture.engine);
    struct error error = {0};
    EXPECT(log->ops->position(log).durable_sequence < log->ops->position(log).last_sequence);
    EXPECT(engine_checkpoint(fixture.engine, &error) == ERR_OK);
    EXPECT(log->ops->position(log).durable_sequence == log->ops->position(log).last_sequence);
    ingest("{\"cookie\":\"again\"}");
    failing.sync = ERR_IO;
    EXPECT(engine_checkpoint(fixture.engine, &error) == ERR_IO &&
           engine_failed(fixture.engine) == ERR_IO);
    fixture_end();
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { TAKEN = 10, REFUSED = 20, NOT_REACHED = 30 };

/* A merge of two with lists and interests, a new person, a cookie that moves. */
static int starve(uint64_t nth, bool once)
{
    struct draft drafts[3] = {
        record_draft(
            "{\"email\":\"ab@example.org\",\"cookie\":[\"a\",\"b\"],\"interests\":[\"violin\"],\"new\":[\"x\"]}",
            "fresh"),
        record_draft("{\"email\":\"new@example.org\",\"city\":\"Denver\",\"message_id\":\"m\"}",
                     "fresh"),
        record_draft("{\"email\":\"new@example.org\",\"cookie\":\"taken\"}", "fresh")};
    struct submission submission = {.kind = SUBMIT_RECORDS,
                                    .drafts = drafts,
                                    .draft_count = 3,
                                    .idempotency_key = SLICE_LITERAL("key"),
                                    .answer = SLICE_LITERAL("answer")};
    if (once) {
        failing_memory_begin_once(nth);
    } else {
        failing_memory_begin(nth);
    }
    err e = submit(&submission);
    bool reached = failing_memory_end().failed;
    /* What a server does when it stops: it must not write half an entry down. */
    struct error error;
    err ignored = engine_checkpoint(fixture.engine, &error);
    (void)ignored;
    if (e != ERR_OK && engine_failed(fixture.engine) == ERR_OK) {
        /* Nothing was taken: the same again is taken whole. */
        return submit(&submission) == ERR_OK ? TAKEN : 99;
    }
    return !reached ? NOT_REACHED : e == ERR_OK ? TAKEN : REFUSED;
}

static int starved_in_a_child(uint64_t nth, bool once)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(98);
        }
        fixture_must_open();
        _exit(starve(nth, once));
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    /* A CHECK where an index has no way back stops the process: that is a way of failing, too. */
    return WIFEXITED(status)                                    ? WEXITSTATUS(status)
           : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? REFUSED
                                                                : 97;
}

static void try_every_allocation(bool once)
{
    int outcome = 0;
    uint64_t tried = 0;
    for (uint64_t nth = 1; outcome != NOT_REACHED && nth < 2000; nth++) {
        fixture_begin();
        ingest("{\"cookie\":\"a\",\"interests\":[\"opera\"],\"tags\":[\"x\"],\"age\":30}");
        ingest("{\"cookie\":\"b\",\"interests\":[\"chess\",\"opera\"],\"city\":\"Boston\"}");
        ingest("{\"email\":\"old@example.org\",\"cookie\":\"taken\"}");
        EXPECT(put_cohort("Opera", "{\"phrases\":[\"opera\"]}") == ERR_OK);
        fixture_close();
        outcome = starved_in_a_child(nth, once);
        EXPECT(outcome == TAKEN || outcome == REFUSED || outcome == NOT_REACHED,
               ": allocation %" PRIu64 ": %d", nth, outcome);
        fixture_must_open();
        EXPECT(verified(), ": allocation %" PRIu64, nth);
        bool there = person("email", "new@example.org") != PERSON_NONE;
        bool whole = person("cookie", "a") == person("cookie", "b") && there &&
                     person("cookie", "taken") == person("email", "new@example.org");
        EXPECT(there == whole && (whole || outcome == REFUSED), ": allocation %" PRIu64, nth);
        fixture_end();
        tried = nth;
    }
    EXPECT(outcome == NOT_REACHED && tried > 10, ": %" PRIu64, tried);
}

static void test_no_memory_from_the_nth_on(void)
{
    try_every_allocation(false);
}
static void test_no_memory_once(void)
{
    try_every_allocation(true);
}

int main(void)
{
    RUN(test_a_full_disk_passes);
    RUN(test_a_failed_sync_is_final);
    RUN(test_a_failed_write_is_final);
    RUN(test_a_failed_sync_fails_the_group);
    RUN(test_a_checkpoint_is_never_ahead_of_the_log);
    RUN(test_no_memory_from_the_nth_on);
    RUN(test_no_memory_once);
    return test_summary();
}
