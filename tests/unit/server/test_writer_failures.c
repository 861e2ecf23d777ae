/* Tries to make a server lie, hang or lose something when its checkpoints, its scrubbing or its
 * syncs fail: a full disk passes, anything else ends writing with a reason, what was acknowledged
 * is there afterwards. And to overrun the writer while it waits for the disk. */
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "calls.h"
#include "live.h"
#include "unit/test.h"
#include "worker.h"

static char answer[1 << 16];

static int ingest(const struct live *live, const char *cookie)
{
    char body[100];
    snprintf(body, sizeof body, "{\"cookie\":\"%s\"}", cookie);
    return live_ask(live, "POST", "/api/ingest", "", body, answer, sizeof answer);
}

static bool has(const struct live *live, const char *cookie)
{
    char path[100];
    snprintf(path, sizeof path, "/api/user?cookie=%s", cookie);
    return live_ask(live, "GET", path, "", "", answer, sizeof answer) == 200;
}

static bool has_b(const struct live *live)
{
    return has(live, "b");
}

static uint64_t failures(const struct live *live)
{
    return counter_get(&writer_metrics(live->server->writer)->checkpoint_failures);
}
static bool checkpoint_failed(const struct live *live)
{
    return failures(live) > 0;
}
static bool checkpoint_written(const struct live *live)
{
    return counter_get(&writer_metrics(live->server->writer)->checkpoints) > 0;
}
static bool has_failed(const struct live *live)
{
    return server_failed(live->server);
}

/* All is well again: a new start, and everybody acknowledged is there. */
static void expect_well(struct live *live, const char *const *cookies, size_t count)
{
    struct error error;
    live->options.checkpoint_entries = 1000000000;
    REQUIRE(live_begin(live, &error), " %s", error.message);
    for (size_t i = 0; i < count; i++) {
        EXPECT(has(live, cookies[i]), " %s was acknowledged", cookies[i]);
    }
    EXPECT(ingest(live, "afterwards") == 200, " %s", answer);
    EXPECT(live_end(live, &error) == ERR_OK, " %s", error.message);
}

/* A full disk, LMDB's want of memory: writing goes on, the checkpoint is tried again later. */
static void test_checkpoints_that_fail_for_now(void)
{
    static const struct {
        enum call call;
        int with;
    } rows[] = {
        {CALL_MDB_TXN_COMMIT, ENOSPC}, {CALL_MDB_TXN_COMMIT, EDQUOT}, {CALL_MDB_TXN_BEGIN, ENOMEM}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        static struct live live;
        struct error error;
        static const char *const cookies[] = {"a", "b"};
        live_init(&live);
        live.options.checkpoint_entries = 1;
        /* The shipped cohorts are new to the folder and make a checkpoint due at once. */
        calls_break(rows[i].call, 1000, 1, 0);
        REQUIRE(live_begin(&live, &error), " %s", error.message);
        REQUIRE(live_wait(checkpoint_written, &live));
        calls_break(rows[i].call, 1, 100, rows[i].with);
        EXPECT(ingest(&live, "a") == 200, " %s", answer);
        EXPECT(live_wait(checkpoint_failed, &live), " row %zu", i);
        EXPECT(ingest(&live, "b") == 200 && has(&live, "a"), " row %zu: writes go on: %s", i,
               answer);
        EXPECT(!server_failed(live.server) && failures(&live) == 1,
               " row %zu: it is not tried again at once", i);
        EXPECT(live_ask(&live, "GET", "/metrics", "", "", answer, sizeof answer) == 200 &&
                   strstr(answer, "kindred_checkpoint_failures_total 1") != NULL,
               " %.2000s", answer);
        if (rows[i].with == ENOMEM) {
            EXPECT(calls_mend() > 0);
            EXPECT(live_end(&live, &error) == ERR_OK, " %s", error.message);
        } else {
            /* Even the last checkpoint finds no room: the log has everything. */
            EXPECT(live_end(&live, &error) == ERR_OK, " %s", error.message);
            EXPECT(calls_mend() > 1);
        }
        expect_well(&live, cookies, ARRAY_COUNT(cookies));
        live_remove(&live);
    }
}

/* A failed write is as final as one of the log: nobody knows what the disk holds. */
static void test_checkpoints_that_fail_for_good(void)
{
    static const int kinds[] = {EIO, MDB_PANIC};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        static struct live live;
        struct error error = {0};
        static const char *const cookies[] = {"a"};
        live_init(&live);
        live.options.checkpoint_entries = 1;
        REQUIRE(live_begin(&live, &error), " %s", error.message);
        REQUIRE(live_wait(checkpoint_written, &live));
        calls_break(CALL_MDB_TXN_COMMIT, 1, 1, kinds[i]);
        EXPECT(ingest(&live, "a") == 200, " %s", answer);
        EXPECT(live_wait(has_failed, &live));
        EXPECT(calls_mend() == 1);
        EXPECT(has(&live, "a"), " reads go on: %s", answer);
        EXPECT(ingest(&live, "refused") == 503 && strstr(answer, "Retry-After") != NULL, " %s",
               answer);
        EXPECT(live_end(&live, &error) == ERR_IO && error.message[0] != '\0', " %s %s",
               err_name(error.err), error.message);
        expect_well(&live, cookies, ARRAY_COUNT(cookies));
        live_remove(&live);
    }
}

static void test_the_last_checkpoint_fails(void)
{
    static struct live live;
    struct error error = {0};
    static const char *const cookies[] = {"a"};
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    EXPECT(ingest(&live, "a") == 200, " %s", answer);
    calls_break(CALL_MDB_TXN_COMMIT, 1, 1, EIO);
    EXPECT(live_end(&live, &error) == ERR_IO && error.message[0] != '\0', " %s", error.message);
    EXPECT(calls_mend() == 1);
    expect_well(&live, cookies, ARRAY_COUNT(cookies));
    live_remove(&live);
}

/* ---- durability "interval" ------------------------------------------------------------------- */

static bool synced(const struct live *live)
{
    return counter_get(&writer_metrics(live->server->writer)->syncs) > 0;
}

static void test_syncs_by_the_second_fail(void)
{
    static struct live live;
    struct error error = {0};
    static const char *const cookies[] = {"a"};
    live_init(&live);
    live.options.durability = DURABILITY_INTERVAL;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    EXPECT(ingest(&live, "a") == 200, " %s", answer);
    EXPECT(live_wait(synced, &live), " within a second or so");
    calls_break(CALL_FDATASYNC, 1, 1, EIO);
    EXPECT(ingest(&live, "b") == 200, " %s",
           answer); /* acknowledged, and by this mode allowed to be lost */
    EXPECT(live_wait(has_failed, &live));
    EXPECT(calls_mend() == 1);
    EXPECT(ingest(&live, "refused") == 503, " %s", answer);
    EXPECT(live_end(&live, &error) == ERR_IO && strstr(error.message, "log") != NULL, " %s %s",
           err_name(error.err), error.message);
    expect_well(&live, cookies, ARRAY_COUNT(cookies));

    /* At the end what is not synced yet is. */
    live.options.durability = DURABILITY_INTERVAL;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    EXPECT(ingest(&live, "c") == 200);
    calls_break(CALL_FDATASYNC, 1, 1, EIO);
    EXPECT(live_end(&live, &error) == ERR_IO, " %s", error.message);
    EXPECT(calls_mend() == 1);
    live_remove(&live);
}

/* ---- erasures -------------------------------------------------------------------------------- */

static bool erased(const struct live *live)
{
    return counter_get(&writer_metrics(live->server->writer)->erasures) > 0;
}
/* The sync in front of the checkpoint that an erasure begins with; then the renames of scrubbing. A
 * failed sync is final, whatever its reason: what the disk holds is not known any more. */
static void test_scrubs_that_fail(void)
{
    static const struct {
        enum call call;
        int with;
        bool for_good;
    } rows[] = {{CALL_FDATASYNC, EIO, true},
                {CALL_FDATASYNC, ENOSPC, true},
                {CALL_RENAME, EIO, true},
                {CALL_RENAME, ENOSPC, false}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        static struct live live;
        struct error error = {0};
        static const char *const cookies[] = {"stays"};
        live_init(&live);
        REQUIRE(live_begin(&live, &error), " %s", error.message);
        EXPECT(ingest(&live, "stays") == 200 && ingest(&live, "goes") == 200, " %s", answer);
        calls_break(rows[i].call, 1, 1000, rows[i].with);
        EXPECT(live_ask(&live, "DELETE", "/api/user?cookie=goes", "", "", answer, sizeof answer) ==
                   202,
               " %s", answer);
        for (unsigned tries = 0; tries < 20000 && calls_failed() == 0 && !erased(&live); tries++) {
            usleep(1000);
        }
        if (rows[i].for_good && calls_failed() > 0) {
            EXPECT(live_wait(has_failed, &live), " row %zu", i);
            (void)calls_mend();
            EXPECT(live_end(&live, &error) == ERR_IO, " row %zu: %s", i, error.message);
        } else {
            EXPECT(calls_mend() > 0, " row %zu: nothing failed", i);
            EXPECT(ingest(&live, "more") == 200 && !server_failed(live.server), " row %zu: %s", i,
                   answer);
            EXPECT(!erased(&live), " row %zu", i);
            EXPECT(live_end(&live, &error) == ERR_OK, " row %zu: %s", i, error.message);
        }
        /* The job is done by the next start. */
        REQUIRE(live_begin(&live, &error), " %s", error.message);
        EXPECT(live_wait(erased, &live), " row %zu", i);
        EXPECT(!has(&live, "goes") && has(&live, "stays"), " row %zu", i);
        EXPECT(live_end(&live, &error) == ERR_OK, " %s", error.message);
        expect_well(&live, cookies, ARRAY_COUNT(cookies));
        live_remove(&live);
    }
}

/* ---- a disk that does not answer ------------------------------------------------------------- */

static bool writer_waits(const struct live *live)
{
    (void)live;
    return calls_syncs_held() > 0;
}

static bool queue_is_full(const struct live *live)
{
    return writer_queue_length(live->server->writer) == writer_queue_max(live->server->writer);
}

/* One request, sent; its answer is read later. */
static int send_ingest(const struct live *live, const char *body)
{
    char text[512];
    int fd = live_connect(live);
    int length =
        snprintf(text, sizeof text,
                 "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
    EXPECT(fd >= 0 && live_send(fd, text, (size_t)length));
    return fd;
}

static bool one_connection_is_open(const struct live *live)
{
    return atomic_load(&live->server->workers[0].metrics.connections_open) <= 2;
}

/* The writer waits for the disk, one more waits in the queue, which is then full: the next is
 * refused at once, reads go on, whoever goes away meanwhile takes nothing down, and all that waited
 * is answered in the end. */
static void test_a_full_queue(void)
{
    static struct live live;
    struct error error = {0};
    live_init(&live);
    live.options.durability = DURABILITY_FSYNC;
    live.options.queue_max = 1;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    EXPECT(ingest(&live, "before") == 200, " %s", answer);
    calls_hold_syncs();
    int first = send_ingest(&live, "{\"cookie\":\"first\"}");
    EXPECT(live_wait(writer_waits, &live));
    int second = send_ingest(&live, "{\"cookie\":\"second\"}");
    EXPECT(live_wait(queue_is_full, &live));
    static const struct {
        const char *method, *path, *body;
    } refused[] = {
        {"POST", "/api/ingest", "{\"cookie\":\"third\"}"},
        {"PATCH", "/api/user?cookie=before", "{\"first_name\":\"x\"}"},
        {"PUT", "/api/cohorts/x", "{\"phrases\":[\"y\"]}"},
        {"DELETE", "/api/user?cookie=before", ""},
        {"PUT", "/api/mappings/m", "{\"name\":\"m\",\"fields\":{\"email\":\"e\"}}"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        EXPECT(live_ask(&live, refused[i].method, refused[i].path, "", refused[i].body, answer,
                        sizeof answer) == 503 &&
                   strstr(answer, "queue of writes is full") != NULL &&
                   strstr(answer, "Retry-After: 1\r\n") != NULL,
               " %s %s: %s", refused[i].method, refused[i].path, answer);
    }
    EXPECT(has(&live, "before") && !has(&live, "third"), " reads go on");
    /* This one does not wait for its answer. */
    shutdown(first, SHUT_RDWR);
    close(first);
    calls_release_syncs();
    EXPECT(live_read_answer(second, answer, sizeof answer) == 200, " %s", answer);
    close(second);
    EXPECT(has(&live, "first") && has(&live, "second") && !has(&live, "third"));
    EXPECT(live_wait(one_connection_is_open, &live), " the one that went away is freed");
    EXPECT(live_end(&live, &error) == ERR_OK, " %s", error.message);
    live_remove(&live);
}

/* Operations whose clients have gone when the writer is done with them: they have happened, nobody
 * is answered, nothing is left. */
static void test_clients_that_go(void)
{
    static const char *const requests[] = {
        "PATCH /api/user?cookie=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 21\r\n\r\n{\"first_name\":\"Anna\"}",
        "PUT /api/cohorts/gone HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{\"phrases\":[\"golf\"]}",
        "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n{\"cookie\":\"b\"}",
    };
    static struct live live;
    struct error error = {0};
    int fds[ARRAY_COUNT(requests)];
    live_init(&live);
    live.options.durability = DURABILITY_FSYNC;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    EXPECT(ingest(&live, "a") == 200, " %s", answer);
    calls_hold_syncs();
    int first = send_ingest(&live, "{\"cookie\":\"first\"}");
    EXPECT(live_wait(writer_waits, &live));
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        const struct linger at_once = {.l_onoff = 1};
        fds[i] = live_connect(&live);
        EXPECT(live_send(fds[i], requests[i], strlen(requests[i])));
        for (unsigned tries = 0; tries < 20000 && writer_queue_length(live.server->writer) < i + 1;
             tries++) {
            usleep(1000);
        }
        (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fds[i]);
    }
    usleep(50000);
    calls_release_syncs();
    EXPECT(live_read_answer(first, answer, sizeof answer) == 200, " %s", answer);
    close(first);
    EXPECT(live_wait(has_b, &live)); /* those behind the first may make a group of their own */
    EXPECT(live_ask(&live, "GET", "/api/user?cookie=a&expand=all", "", "", answer, sizeof answer) ==
                   200 &&
               strstr(answer, "Anna") != NULL,
           " %s", answer);
    EXPECT(live_ask(&live, "GET", "/api/cohorts/gone", "", "", answer, sizeof answer) == 200, " %s",
           answer);
    EXPECT(live_wait(one_connection_is_open, &live));
    EXPECT(live_end(&live, &error) == ERR_OK, " %s", error.message);
    live_remove(&live);
}

/* As much of a long upload as makes several batches. */
static size_t long_upload(char *out, size_t room, unsigned records, const char *extra_header)
{
    static char body[1 << 20];
    size_t length = 0;
    for (unsigned i = 0; i < records; i++) {
        length += (size_t)snprintf(body + length, sizeof body - length,
                                   "{\"cookie\":\"long-%u\",\"n\":%u}\n", i, i);
    }
    int head = snprintf(
        out, room, "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
        extra_header, length);
    CHECK((size_t)head + length < room);
    memcpy(out + head, body, length);
    return (size_t)head + length;
}

/* A long upload whose later batches find the queue full: it waits, it is answered whole; or its
 * client goes away, or memory ends, while it waits. */
static void test_uploads_wait_for_the_queue(void)
{
    enum { GOES_ON, CLIENT_GOES, MEMORY_ENDS, SERVER_STOPS, WAYS };
    static char upload[2 << 20];
    for (int way = GOES_ON; way < WAYS; way++) {
        static struct live live;
        struct error error = {0};
        const int64_t blocks = live_memory_blocks();
        live_init(&live);
        live.options.durability = DURABILITY_FSYNC;
        live.options.queue_max = 1;
        live.options.memory_max_bytes = 1ull << 40;
        live.options.stop_timeout_ms = 1000;
        REQUIRE(live_begin(&live, &error), " %s", error.message);
        size_t length = long_upload(upload, sizeof upload, 8000, "");
        int fd = live_connect(&live);
        /* Somebody else's record is with the writer, the upload's first batch fills the queue, its
         * second waits in the upload. */
        calls_hold_syncs();
        int other = send_ingest(&live, "{\"cookie\":\"other\"}");
        EXPECT(live_wait(writer_waits, &live));
        EXPECT(live_send(fd, upload, length));
        EXPECT(live_wait(queue_is_full, &live));
        usleep(50000);
        switch (way) {
        case GOES_ON:
            calls_release_syncs();
            EXPECT(live_read_answer(fd, answer, sizeof answer) == 200 &&
                       strstr(answer, "\"records_processed\":8000") != NULL,
                   " %s", answer);
            EXPECT(has(&live, "long-0") && has(&live, "long-7999"));
            break;
        case CLIENT_GOES: {
            const struct linger at_once = {.l_onoff = 1};
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            break;
        }
        case MEMORY_ENDS:
            /* As if a sample had found it full; the sweep gives up what can be given up. */
            for (unsigned i = 0; i < 400; i++) {
                atomic_store(&live.server->memory.level, MEMORY_FULL);
                usleep(1000);
            }
            calls_release_syncs();
            EXPECT(live_read_answer(fd, answer, sizeof answer) == 507 &&
                       strstr(answer, "memory_full") != NULL &&
                       strstr(answer, "A part of this body was taken") != NULL,
                   " %s", answer);
            break;
        case SERVER_STOPS: break;
        default: CHECK(false);
        }
        if (way == SERVER_STOPS) {
            /* At once: the connection ends without an answer, and is freed when its batch is
             * back. */
            worker_stop(&live.server->workers[0], 2);
            EXPECT(live_read_answer(fd, answer, sizeof answer) == 0, " %s", answer);
        }
        close(other);
        close(fd);
        usleep(way == CLIENT_GOES ? 50000 : 0);
        calls_release_syncs();
        EXPECT(live_end(&live, &error) == ERR_OK, " way %d: %s", way, error.message);
        EXPECT(live_memory_blocks() == blocks, " way %d: %lld blocks are left", way,
               (long long)(live_memory_blocks() - blocks));
        live.options.memory_max_bytes = 0;
        expect_well(&live, NULL, 0);
        live_remove(&live);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static uint64_t outcomes(const struct live *live)
{
    return failures(live) + counter_get(&writer_metrics(live->server->writer)->checkpoints) +
           server_failed(live->server);
}

/* Each allocation that the writer makes for one record and the checkpoint behind it: a record is
 * taken or not, a checkpoint is written or tried again later; an entry that is in the log and
 * cannot be applied ends writing. */
static void test_the_writer_has_no_memory(void)
{
    static struct live live;
    unsigned failed_checkpoints = 0;
    live_init(&live);
    for (unsigned n = 1;; n++) {
        struct error error = {0};
        char cookie[32];
        const char *const cookies[] = {cookie};
        snprintf(cookie, sizeof cookie, "n-%u", n);
        live.options.checkpoint_entries = 1;
        REQUIRE(live_begin(&live, &error), " %s", error.message);
        for (unsigned tries = 0;
             tries < 20000 && engine_checkpoint_lag(atomic_load(&live.server->engine)) > 0;
             tries++) {
            usleep(1000);
        }
        const uint64_t before = outcomes(&live);
        live_memory_break_thread(live.server->engine_thread, n);
        int status = ingest(&live, cookie);
        EXPECT(status == 200 || status == 507 || status == 503, " allocation %u: %d %s", n, status,
               answer);
        for (unsigned tries = 0; status == 200 && tries < 20000 && outcomes(&live) == before;
             tries++) {
            usleep(1000);
        }
        const bool hit = live_memory_mend();
        failed_checkpoints += failures(&live) > 0;
        err e = live_end(&live, &error);
        EXPECT(e == ERR_OK || (hit && e == ERR_MEMORY), " allocation %u: %s %s", n, err_name(e),
               error.message);
        expect_well(&live, cookies, status == 200);
        if (!hit) {
            EXPECT(status == 200 && e == ERR_OK);
            break;
        }
    }
    EXPECT(failed_checkpoints > 0);
    live_remove(&live);
}

int main(void)
{
    live_memory_install();
    RUN(test_checkpoints_that_fail_for_now);
    RUN(test_checkpoints_that_fail_for_good);
    RUN(test_the_last_checkpoint_fails);
    RUN(test_syncs_by_the_second_fail);
    RUN(test_scrubs_that_fail);
    RUN(test_a_full_queue);
    RUN(test_clients_that_go);
    RUN(test_uploads_wait_for_the_queue);
    RUN(test_the_writer_has_no_memory);
    return test_summary();
}
