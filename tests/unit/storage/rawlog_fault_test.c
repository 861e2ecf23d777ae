/* Tries to make the raw log lie after a failure: every call to the file system fails once, for
 * every N, with EIO and with a full disk; every allocation fails once, for every N. Afterwards the
 * log must refuse or go on as its header says, and what it acknowledged must be there when it is
 * opened again. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "fault.h"
#include "support.h"
#include "unit/test.h"

/* What a scripted run achieved before it met the failure. */
struct outcome {
    uint64_t appended;
    uint64_t acknowledged;
    bool failed;
    bool scrubbed;
    struct error error;
};

enum { BATCHES = 12, SEGMENT_BYTES = 3000 };

/* Must answer with the first failure, and touch nothing. */
static void expect_refused(struct log *log, struct fault *fault, const struct outcome *outcome)
{
    struct error error;
    const struct log_scrub item = {.sequence = 1};
    unsigned writes = fault->writes_after;
    EXPECT(log->ops->sync(log, &error) != ERR_OK, " after %s", outcome->error.message);
    EXPECT(log_append_numbers(log, outcome->appended + 1, 1, &error) != ERR_OK);
    EXPECT(log->ops->scrub(log, &item, 1, &error) != ERR_OK);
    EXPECT(fault->writes_after == writes, " it wrote after %s", outcome->error.message);
}

/* Append, sync every other batch, scrub near the end. A retryable failure is retried once. */
static struct outcome run_script(struct log *log, struct fault *fault)
{
    struct outcome outcome = {0};
    const struct log_scrub items[] = {{.sequence = 2}, {.sequence = 20}};
    for (size_t i = 0; i < BATCHES && !outcome.failed; i++) {
        size_t count = i % 4 + 1;
        err e = log_append_numbers(log, outcome.appended + 1, count, &outcome.error);
        if (e == ERR_NO_SPACE || e == ERR_MEMORY) {
            EXPECT(log->ops->position(log).last_sequence == outcome.appended);
            e = log_append_numbers(log, outcome.appended + 1, count, &outcome.error);
        }
        outcome.failed = e != ERR_OK;
        outcome.appended += e == ERR_OK ? count : 0;
        if (!outcome.failed && i % 2 == 1) {
            outcome.failed = log->ops->sync(log, &outcome.error) != ERR_OK;
            outcome.acknowledged = outcome.failed ? outcome.acknowledged : outcome.appended;
        }
    }
    if (!outcome.failed) {
        err e = log->ops->scrub(log, items, 2, &outcome.error);
        if (e == ERR_NO_SPACE || e == ERR_MEMORY) {
            e = log->ops->scrub(log, items, 2, &outcome.error);
        }
        outcome.failed = e != ERR_OK;
        outcome.scrubbed = e == ERR_OK;
    }
    if (outcome.failed && outcome.error.err == ERR_IO && fault->kind != FAULT_READS &&
        fault->writes_after == 0) {
        expect_refused(log, fault, &outcome);
    }
    return outcome;
}

static void expect_kept(const char *folder, const struct outcome *outcome)
{
    struct rawlog_report report;
    struct error error;
    struct arena arena;
    uint64_t checked;
    static const struct log_settings settings = {.segment_bytes = SEGMENT_BYTES};
    struct log *log = log_open(folder, &settings, &report, &error);
    REQUIRE(log != NULL, " after %s: %s", outcome->error.message, error.message);
    uint64_t last = log->ops->position(log).last_sequence;
    EXPECT(last >= outcome->acknowledged && last <= outcome->appended + 4);
    arena_init(&arena, 1 << 20);
    for (uint64_t n = 1; n <= last; n++) {
        struct log_entry entry;
        EXPECT(log->ops->get(log, n, &arena, &entry, &error) == ERR_OK && entry_matches(n, &entry),
               " entry %u", (unsigned)n);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    if (outcome->scrubbed) {
        EXPECT(!folder_contains(folder, "payload 20 ") && !folder_contains(folder, "source-2 "));
    }
    log->ops->close(log);
    EXPECT(rawlog_verify(&file_system_posix, folder, NULL, NULL, &checked, &error) == ERR_OK, " %s",
           error.message);
}

/* One run with the Nth call failing. False: there was no Nth call. */
static bool run_with_fault(unsigned at, err with, enum fault_kind kind, bool for_ever,
                           bool half_write)
{
    struct fault fault;
    struct error error;
    struct outcome outcome = {0};
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    fault_init(&fault);
    fault_arm(&fault, at, with, kind);
    fault.for_ever = for_ever;
    fault.half_write = half_write;
    struct log_settings settings = {.files = &fault.files, .segment_bytes = SEGMENT_BYTES};
    struct log *log = log_open(folder, &settings, NULL, &error);
    if (log != NULL) {
        outcome = run_script(log, &fault);
        log->ops->close(log);
    } else {
        outcome.error = error;
    }
    if (fault.hit && kind == FAULT_SYNCS) {
        EXPECT(outcome.failed || log == NULL, " sync %u failed and nobody noticed", at);
        EXPECT(fault.syncs_after == 0, " sync %u: %u syncs after a failed one", at,
               fault.syncs_after);
    }
    expect_kept(folder, &outcome);
    folder_remove(folder);
    return fault.hit;
}

static void every_call(err with, enum fault_kind kind, bool for_ever, bool half_write)
{
    unsigned at = 1;
    while (run_with_fault(at, with, kind, for_ever, half_write)) {
        at++;
    }
    EXPECT(at > 10, " only %u calls", at);
}

static void test_io_error_at_every_call(void)
{
    every_call(ERR_IO, FAULT_ANY, false, false);
    every_call(ERR_IO, FAULT_ANY, true, false);
}

static void test_io_error_after_half_a_write(void)
{
    every_call(ERR_IO, FAULT_WRITES, false, true);
    every_call(ERR_IO, FAULT_WRITES, true, true);
}

static void test_failed_sync_is_never_tried_again(void)
{
    every_call(ERR_IO, FAULT_SYNCS, false, false);
}

static void test_full_disk_at_every_write(void)
{
    every_call(ERR_NO_SPACE, FAULT_WRITES, false, true);
    every_call(ERR_NO_SPACE, FAULT_WRITES, false, false);
    every_call(ERR_NO_SPACE, FAULT_ANY, false, true);
}

static uint64_t bytes_of_segments(const char *folder, uint64_t last_sequence)
{
    uint64_t bytes = 0;
    for (uint64_t n = 1; n <= last_sequence + 1; n++) {
        char path[300];
        struct stat file;
        snprintf(path, sizeof path, "%s/%020llu.seg", folder, (unsigned long long)n);
        bytes += stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
    }
    return bytes;
}

/* The disk is full, then is not: nothing may be missing or doubled, and no restart is needed. */
static void test_full_disk_is_survived(void)
{
    struct fault fault;
    struct error error;
    char folder[256];
    snprintf(folder, sizeof folder, "%s", folder_make());
    fault_init(&fault);
    fault.half_write = true;
    fault.for_ever = true;
    struct log_settings settings = {.files = &fault.files, .segment_bytes = SEGMENT_BYTES};
    struct log *log = log_open(folder, &settings, NULL, &error);
    REQUIRE(log != NULL);
    uint64_t last = 0;
    for (size_t i = 0; i < 40; i++) {
        fault_arm(&fault, 1, ERR_NO_SPACE, FAULT_WRITES);
        EXPECT(log_append_numbers(log, last + 1, 3, &error) == ERR_NO_SPACE);
        EXPECT(log_append_numbers(log, last + 1, 1, &error) == ERR_NO_SPACE);
        EXPECT(log->ops->position(log).last_sequence == last);
        /* What half a write left is gone: a crash now would find it behind the last frame, and take
         * it for damage. */
        EXPECT(bytes_of_segments(folder, last) == log->ops->position(log).bytes, " at %zu", i);
        fault_arm(&fault, 0, ERR_OK, FAULT_WRITES);
        REQUIRE(log_append_numbers(log, last + 1, 2, &error) == ERR_OK, " %s", error.message);
        last += 2;
        EXPECT(log->ops->sync(log, &error) == ERR_OK);
    }
    log->ops->close(log);
    struct outcome outcome = {.appended = last, .acknowledged = last};
    expect_kept(folder, &outcome);
    folder_remove(folder);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static unsigned allocations;
static unsigned fail_allocation;
static long blocks;

static void *failing_alloc(void *context, size_t size)
{
    (void)context;
    if (++allocations == fail_allocation) {
        return NULL;
    }
    blocks++;
    return malloc(size);
}

static void *failing_realloc(void *context, void *old, size_t size)
{
    (void)context;
    if (++allocations == fail_allocation) {
        return NULL;
    }
    blocks += old == NULL;
    return realloc(old, size);
}

static void counting_free(void *context, void *block)
{
    (void)context;
    blocks -= block != NULL;
    free(block);
}

static void test_every_allocation_fails_once(void)
{
    static const struct memory_hooks hooks = {failing_alloc, failing_realloc, counting_free, NULL};
    bool reached = true;
    for (unsigned n = 1; reached; n++) {
        struct fault fault;
        struct error error;
        struct outcome outcome = {0};
        char folder[256];
        snprintf(folder, sizeof folder, "%s", folder_make());
        fault_init(&fault);
        allocations = 0;
        blocks = 0;
        fail_allocation = n;
        memory_install(&hooks);
        struct log_settings settings = {.files = &fault.files, .segment_bytes = SEGMENT_BYTES};
        struct log *log = log_open(folder, &settings, NULL, &error);
        if (log != NULL) {
            outcome = run_script(log, &fault);
            EXPECT(!outcome.failed, " allocation %u: %s", n, outcome.error.message);
            log->ops->close(log);
        } else {
            EXPECT(error.err == ERR_MEMORY, " allocation %u: %s", n, error.message);
        }
        reached = allocations >= n;
        EXPECT(blocks == 0, " allocation %u: %ld blocks leaked", n, blocks);
        memory_install(NULL);
        fail_allocation = 0;
        expect_kept(folder, &outcome);
        folder_remove(folder);
    }
}

int main(void)
{
    RUN(test_io_error_at_every_call);
    RUN(test_io_error_after_half_a_write);
    RUN(test_failed_sync_is_never_tried_again);
    RUN(test_full_disk_at_every_write);
    RUN(test_full_disk_is_survived);
    RUN(test_every_allocation_fails_once);
    return test_summary();
}
