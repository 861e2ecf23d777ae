/* Tries to get a connection past its deadlines, or cut off before them; to make half an answer
 * leave; and to make the calls under a connection fail at every place. Whatever happens to one
 * client, the next is answered. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <zlib.h>

#include "base/gate.h"
#include "calls.h"
#include "connection.h"
#include "live.h"
#include "sockets.h"
#include "unit/test.h"
#include "worker.h"

/* ThreadSanitizer's server takes seconds for an answer of 12 MB. */
#ifdef __SANITIZE_THREAD__
enum { SLOWER = 10 };
#else
enum { SLOWER = 1 };
#endif

static char answer[1 << 20];

static const char LIVE[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

static bool answers(const struct live *live)
{
    return live_ask(live, "GET", "/livez", "", "", answer, sizeof answer) == 200;
}

static uint64_t timed_out(const struct live *live)
{
    return counter_get(&live->server->workers[0].metrics.connections_timed_out);
}

static bool none_is_open(const struct live *live)
{
    return atomic_load(&live->server->workers[0].metrics.connections_open) == 0;
}

static bool somebody_timed_out(const struct live *live)
{
    return timed_out(live) > 0;
}

/* ---- deadlines ------------------------------------------------------------------------------- */

/* A body that comes along slowly, but fast enough, is waited for over many deadlines; one that is
 * too slow is not. */
static void test_bodies_that_come_along(void)
{
    static const char *const heads[] = {
        "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12000\r\n\r\n",
        "PUT /api/cohorts/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12000\r\n\r\n",
    };
    static struct live live;
    struct error error;
    static char body[12000];
    live_init(&live);
    live.options.body_timeout_ms = 250;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
        memset(body, ' ', sizeof body);
        const char *text = i == 0 ? "{\"cookie\":\"slow\"}" : "{\"phrases\":[\"snails\"]}";
        memcpy(body, text, strlen(text));
        int fd = live_connect(&live);
        EXPECT(live_send(fd, heads[i], strlen(heads[i])));
        for (size_t at = 0; at < sizeof body; at += 1200) {
            usleep(100000);
            EXPECT(live_send(fd, body + at, 1200));
        }
        int status = live_read_answer(fd, answer, sizeof answer);
        EXPECT(status == 200 || status == 201, " %s", answer);
        EXPECT(timed_out(&live) == 0);
        close(fd);
    }
    int fd = live_connect(&live);
    EXPECT(live_send(fd, heads[0], strlen(heads[0])) && live_send(fd, body, 100));
    EXPECT(live_read_all(fd, answer, sizeof answer) > 0 &&
               strstr(answer, "408 Request Timeout") != NULL &&
               strstr(answer, "came too slowly") != NULL,
           " %s", answer);
    EXPECT(timed_out(&live) == 1);
    close(fd);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* Records whose page is larger than what sockets hold. */
static void fill(const struct live *live)
{
    enum { RECORDS = 1000, NOTES = 12, NOTE = 1000, ROOM = RECORDS * (NOTES * (NOTE + 20) + 100) };
    char *body = malloc(ROOM);
    size_t length = 0;
    CHECK(body != NULL);
    for (int i = 0; i < RECORDS; i++) {
        length += (size_t)snprintf(body + length, ROOM - length, "{\"cookie\":\"r-%d\"", i);
        for (int note = 0; note < NOTES; note++) {
            length += (size_t)snprintf(body + length, ROOM - length, ",\"note%d\":\"%0*d\"", note,
                                       NOTE, i);
        }
        length += (size_t)snprintf(body + length, ROOM - length, "}\n");
    }
    EXPECT(live_ask(live, "POST", "/api/ingest", "", body, answer, sizeof answer) == 200, " %s",
           answer);
    free(body);
}

/* A client with a small window that has asked for much. */
static int greedy(const struct live *live)
{
    static const char page[] =
        "GET /api/users?limit=1000&expand=all HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const int room = 256 * 1024;
    int fd = live_connect(live);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    EXPECT(live_send(fd, page, sizeof page - 1) && live_send(fd, page, sizeof page - 1));
    return fd;
}

/* Who reads all the time, if not quickly, gets everything, over many deadlines; who reads nothing
 * is cut off. */
static void test_readers(void)
{
    static struct live live;
    struct error error;
    live_init(&live);
    live.options.write_timeout_ms =
        2000 * SLOWER; /* a socket's buffer empties in large steps, and a busy machine is slow */
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    fill(&live);
    int fd = greedy(&live);
    size_t got = 0;
    size_t whole = SIZE_MAX;
    while (got < whole) {
        ssize_t n = socket_receive(fd, answer, 128 * 1024);
        if (n <= 0) {
            break;
        }
        if (got == 0) {
            answer[n] = '\0';
            const char *length = strstr(answer, "Content-Length:");
            const char *head_end = strstr(answer, "\r\n\r\n");
            REQUIRE(length != NULL && head_end != NULL, " %s", answer);
            whole = (size_t)(head_end + 4 - answer) + strtoul(length + 15, NULL, 10);
        }
        got += (size_t)n;
        usleep(got < whole ? 25000 : 0);
    }
    EXPECT(got >= whole && whole > 12000000, " %zu of %zu bytes", got, whole);
    EXPECT(timed_out(&live) == 0);
    close(fd);

    fd = greedy(&live);
    EXPECT(live_wait(somebody_timed_out, &live));
    EXPECT(answers(&live));
    close(fd);

    EXPECT(live_end(&live, &error) == ERR_OK);

    /* With memory over its cap nobody is waited for that long: a second without reading, whatever
     * the deadline is. */
    live.options.write_timeout_ms = 60000;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    fd = greedy(&live);
    usleep(100000);
    for (unsigned i = 0; i < 20000 && timed_out(&live) == 0; i++) {
        /* What a sample finds is none of this test's business. */
        atomic_store(&live.server->memory.level, MEMORY_OVER);
        usleep(1000);
    }
    EXPECT(timed_out(&live) == 1);
    close(fd);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

static void test_idle_and_lingering(void)
{
    static struct live live;
    struct error error;
    live_init(&live);
    live.options.idle_timeout_ms = 300;
    live.options.header_timeout_ms = 300;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    int idle = live_connect(&live);
    EXPECT(live_send(idle, LIVE, sizeof LIVE - 1) &&
               live_read_answer(idle, answer, sizeof answer) == 200,
           " %s", answer);
    EXPECT(live_read_all(idle, answer, sizeof answer) == 0, " closed without a word: %s", answer);
    close(idle);
    int head = live_connect(&live);
    EXPECT(live_send(head, LIVE, 10));
    EXPECT(live_read_all(head, answer, sizeof answer) > 0 &&
               strstr(answer, "408 Request Timeout") != NULL &&
               strstr(answer, "head did not arrive in time") != NULL,
           " %s", answer);
    /* It has its answer and does not go: it is closed all the same. */
    EXPECT(live_wait(none_is_open, &live));
    EXPECT(timed_out(&live) >= 2);
    close(head);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* ---- calls that fail under a connection ------------------------------------------------------ */

static void test_calls_that_fail(void)
{
    static const struct {
        enum call call;
        int with;
        bool answered; /* the client need not notice */
    } rows[] = {
        {CALL_UV_TRY_WRITE, UV_EAGAIN, true},
        {CALL_UV_TRY_WRITE, UV_ECONNRESET, false},
        {CALL_UV_TRY_WRITE, 1, true}, /* the kernel took one byte */
        {CALL_UV_SHUTDOWN, UV_ENOTCONN, true},
    };
    static struct live live;
    struct error error;
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        calls_break(rows[i].call, 1, 1, rows[i].with);
        int status = live_ask(&live, "GET", "/livez", "", "", answer, sizeof answer);
        EXPECT(calls_mend() == 1, " row %zu is not used", i);
        if (rows[i].call == CALL_UV_TRY_WRITE && rows[i].with == 1) {
            /* What it says was sent was not: the answer's first byte is missing, and only that
             * one. */
            EXPECT(strncmp(answer, "TTP/1.1 200", 11) == 0, " %s", answer);
        } else {
            EXPECT(status == (rows[i].answered ? 200 : 0), " row %zu: %d %s", i, status, answer);
        }
        EXPECT(answers(&live), " row %zu", i);
    }
    /* What the kernel did not take at once finds no memory, or cannot be sent later either. */
    calls_break(CALL_UV_WRITE, 1, 1, UV_EBADF);
    fill(&live);
    int fd = greedy(&live);
    (void)live_read_all(fd, answer, sizeof answer);
    for (unsigned i = 0; i < 20000 && calls_failed() == 0; i++) {
        usleep(1000);
    }
    EXPECT(calls_mend() == 1);
    while (socket_receive(fd, answer, sizeof answer) > 0) {
    }
    close(fd);
    EXPECT(live_wait(none_is_open, &live) && answers(&live));
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* Descriptors run out and come back: accepting pauses, the client that waits is served then. */
static void test_descriptors_run_out(void)
{
    static struct live live;
    struct error error;
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    int fd = -1;
    calls_break(CALL_FCNTL, 1, 1000000, EMFILE);
    for (unsigned i = 0; i < 20000 && calls_failed() < 3; i++) { /* a sweep asks once */
        usleep(1000);
    }
    fd = live_connect(&live); /* the backlog takes it */
    EXPECT(fd >= 0 && live_send(fd, LIVE, sizeof LIVE - 1));
    usleep(20000);
    EXPECT(none_is_open(&live), " nobody is accepted");
    EXPECT(calls_mend() >= 3);
    EXPECT(live_read_answer(fd, answer, sizeof answer) == 200, " %s", answer);
    close(fd);
    EXPECT(answers(&live));
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

static bool memory_was_refused(const struct live *live)
{
    (void)live;
    return live_memory_refused();
}
static bool writer_waits(const struct live *live)
{
    (void)live;
    return calls_syncs_held() > 0;
}

/* There was no memory for a client, and before there is, the server stops: that client is turned
 * away, the other one is answered. */
static void test_stopped_while_a_client_waits_for_memory(void)
{
    static const char ingest[] =
        "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n{\"cookie\":\"a\"}";
    static struct live live;
    struct error error;
    live_init(&live);
    live.options.durability = DURABILITY_FSYNC;
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    calls_hold_syncs();
    int busy = live_connect(&live);
    EXPECT(live_send(busy, ingest, sizeof ingest - 1));
    EXPECT(live_wait(writer_waits, &live));
    live_memory_break(&live, 1);
    int waiting = live_connect(&live);
    EXPECT(waiting >= 0 && live_wait(memory_was_refused, &live));
    EXPECT(live_memory_mend());
    worker_stop(&live.server->workers[0], 1);
    EXPECT(live_read_all(waiting, answer, sizeof answer) == 0, " %s", answer);
    usleep(300000); /* a sweep */
    calls_release_syncs();
    EXPECT(live_read_answer(busy, answer, sizeof answer) == 200 &&
               strstr(answer, "Connection: close") != NULL,
           " %s", answer);
    close(busy);
    close(waiting);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* More clients than are told that there are too many: those are just closed. */
static void test_crowds(void)
{
    enum { CLIENTS = 12 };
    static struct live live;
    struct error error;
    int fds[CLIENTS];
    unsigned told = 0;
    unsigned closed = 0;
    live_init(&live);
    /* Descriptors for files and the worker itself, and for eight clients: a quarter of those are
     * told. */
    live.options.connections_max = 4;
    calls_descriptor_limit(168 + 8, 168 + 8);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = live_connect(&live);
        EXPECT(fds[i] >= 0);
        if (i < 4) {
            EXPECT(live_send(fds[i], LIVE, sizeof LIVE - 1) &&
                       live_read_answer(fds[i], answer, sizeof answer) == 200,
                   " %s", answer);
        } else {
            size_t length = live_read_all(fds[i], answer, sizeof answer);
            const bool is_told = strstr(answer, "503 Service Unavailable") != NULL &&
                                 strstr(answer, "too_many_connections") != NULL;
            EXPECT(length == 0 || is_told, " %s", answer);
            told += is_told;
            closed += length == 0;
        }
    }
    EXPECT(told == 2 && closed == CLIENTS - 6, " %u were told, %u closed", told, closed);
    EXPECT(counter_get(&live.server->workers[0].metrics.connections_refused) == CLIENTS - 4);
    for (size_t i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    calls_descriptor_limit(0, 0);
    EXPECT(live_wait(none_is_open, &live) && answers(&live));
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* ---- the ends of conversations --------------------------------------------------------------- */

/* Bytes, what of them is followed by a half-close, and how many answers with which last status come
 * before the end. */
static void test_half_closed(void)
{
    static const struct {
        const char *bytes;
        unsigned answers;
        int last;
    } rows[] = {
        {"", 0, 0},
        {"GET /livez HT", 0, 0},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 1, 200},
        {"GET /api/user?cookie=a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/user?cookie=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
         2, 404},
        {"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n{\"cookie\":\"a\"}",
         1, 200},
        {"POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n{\"cookie\":\"a\"}",
         0, 0},
        {"PUT /api/cohorts/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n{\"phrases\"",
         0, 0},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 1, 200},
        {"NONSENSE\r\n\r\n", 1, 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1, 505},
    };
    static struct live live;
    struct error error;
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        int fd = live_connect(&live);
        EXPECT(live_send(fd, rows[i].bytes, strlen(rows[i].bytes)));
        shutdown(fd, SHUT_WR);
        (void)live_read_all(fd, answer, sizeof answer);
        unsigned count = 0;
        int last = 0;
        for (const char *at = answer; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++) {
            if (at[9] >= '1' && at[9] <= '5') { /* a detail may name the version, too */
                count++;
                last = atoi(at + 9);
            }
        }
        EXPECT(count == rows[i].answers && last == rows[i].last, " row %zu: %u answers, %d: %s", i,
               count, last, answer);
        close(fd);
    }
    EXPECT(live_wait(none_is_open, &live));
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* Many lookups at a time whose answers are larger than what is collected before it is sent; in
 * order, none missing. */
static void test_a_pipeline_with_large_answers(void)
{
    enum { LOOKUPS = 200, NOTE = 60000 };
    static struct live live;
    struct error error;
    static char body[NOTE + 200];
    static char requests[LOOKUPS * 80];
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    /* Cohorts of one record do not matter; its text does. */
    int length = snprintf(body, sizeof body, "{\"cookie\":\"large\"");
    for (unsigned i = 0; i < 200; i++) {
        length +=
            snprintf(body + length, sizeof body - (size_t)length, ",\"note%u\":\"%0250u\"", i, i);
    }
    snprintf(body + length, sizeof body - (size_t)length, "}");
    EXPECT(live_ask(&live, "POST", "/api/ingest", "", body, answer, sizeof answer) == 200, " %s",
           answer);
    size_t total = 0;
    for (unsigned i = 0; i < LOOKUPS; i++) {
        total += (size_t)snprintf(
            requests + total, sizeof requests - total,
            "GET /api/user?cookie=%s&expand=all HTTP/1.1\r\nHost: localhost\r\n\r\n",
            i % 3 == 2 ? "none" : "large");
    }
    int fd = live_connect(&live);
    EXPECT(live_send(fd, requests, total));
    for (unsigned i = 0; i < LOOKUPS; i++) {
        int status = live_read_answer(fd, answer, sizeof answer);
        REQUIRE(status == (i % 3 == 2 ? 404 : 200), " answer %u: %d %.300s", i, status, answer);
        EXPECT(i % 3 == 2 || strstr(answer, "note199") != NULL, " answer %u", i);
    }
    close(fd);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* Lookups of one size, `count` of them. */
static size_t padded_lookups(char *out, unsigned count, size_t size)
{
    size_t length = 0;
    for (unsigned i = 0; i < count; i++) {
        const size_t begin = length;
        length += (size_t)sprintf(
            out + length, "GET /api/user?cookie=known HTTP/1.1\r\nHost: localhost\r\nX-Padding: ");
        while (length - begin < size - 4) {
            out[length++] = 'x';
        }
        memcpy(out + length, "\r\n\r\n", 4);
        length += 4;
    }
    return length;
}

/* More lookups come in one turn of the loop than there is room for, and the clients have ended
 * their sides meanwhile: everybody gets all answers. The gate is held so that all of it lies there
 * when the worker looks. */
static void test_much_in_one_turn(void)
{
    enum { CLIENTS = 7, LOOKUPS = 8, SIZE = 8192 };
    static struct live live;
    struct error error;
    static char requests[LOOKUPS * SIZE + 1];
    int fds[CLIENTS];
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    EXPECT(live_ask(&live, "POST", "/api/ingest", "", "{\"cookie\":\"known\"}", answer,
                    sizeof answer) == 200,
           " %s", answer);
    const size_t length = padded_lookups(requests, LOOKUPS, SIZE);
    EXPECT(length == WORKER_READ_BYTES);
    for (size_t i = 0; i < CLIENTS; i++) { /* accepted, each with an answer */
        fds[i] = live_connect(&live);
        EXPECT(live_send(fds[i], LIVE, sizeof LIVE - 1) &&
               live_read_answer(fds[i], answer, sizeof answer) == 200);
    }
    gate_close(live.server->gate);
    int first = live_connect(&live);
    EXPECT(live_send(first, requests, SIZE));
    usleep(20000);
    for (size_t i = 0; i < CLIENTS; i++) {
        EXPECT(live_send(fds[i], requests, length));
        shutdown(fds[i], SHUT_WR);
    }
    usleep(20000);
    gate_open(live.server->gate);
    for (size_t i = 0; i < CLIENTS; i++) {
        unsigned found = 0;
        (void)live_read_all(fds[i], answer, sizeof answer);
        for (const char *at = answer; (at = strstr(at, "\"cookie\":\"known\"")) != NULL; at++) {
            found++;
        }
        EXPECT(found == LOOKUPS, " client %zu: %u answers: %.300s", i, found, answer);
        close(fds[i]);
    }
    EXPECT(live_read_answer(first, answer, sizeof answer) == 200, " %s", answer);
    close(first);
    EXPECT(live_wait(none_is_open, &live));
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* A body of a few KB that inflates to many MB of nothing: it is worked through in steps, others are
 * answered in between. */
static void test_a_long_body_in_a_short_one(void)
{
    enum { BLANKS = 48 << 20 };
    static struct live live;
    struct error error;
    static unsigned char packed[1 << 18];
    char head[300];
    char *blanks = malloc(BLANKS);
    CHECK(blanks != NULL);
    memset(blanks, '\n', BLANKS);
    memcpy(blanks + BLANKS - 17, "{\"cookie\":\"end\"}", 16);
    z_stream stream = {.next_in = (unsigned char *)blanks,
                       .avail_in = BLANKS,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    CHECK(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK &&
          deflate(&stream, Z_FINISH) == Z_STREAM_END);
    const size_t length = stream.total_out;
    deflateEnd(&stream);
    free(blanks);
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    int fd = live_connect(&live);
    int head_length = snprintf(
        head, sizeof head,
        "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
        length);
    EXPECT(live_send(fd, head, (size_t)head_length) && live_send(fd, packed, length));
    EXPECT(answers(&live));
    int status = live_read_answer(fd, answer, sizeof answer);
    EXPECT((status == 200 && strstr(answer, "\"records_processed\":1") != NULL) ||
               strstr(answer, "ratio") != NULL,
           " %s", answer);
    close(fd);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* What is asked wrongly, and what the answer says about it. */
static void test_questions_that_are_wrong(void)
{
    static const struct {
        const char *method, *path, *headers;
        int status;
        const char *says;
    } rows[] = {
        {"GET", "/api/cohorts?x=1", "", 400, "it takes: none"},
        {"GET", "/api/users?x=1", "", 400, "limit"},
        {"GET", "/api/user?x=1", "", 400, "one identifier"},
        {"DELETE", "/api/user?x=1", "", 400, "one identifier"},
        {"GET", "/api/user/raw?x=1", "", 400, "limit,cursor"},
        {"GET", "/api/users?limit=x", "", 400, "limit"},
        {"GET", "/api/users?limit=0", "", 400, "limit"},
        {"GET", "/api/users?offset=x", "", 400, "offset"},
        {"GET", "/api/users?cursor=x", "", 400, "cursor"},
        {"GET", "/api/classify?phrase=x&explain=perhaps", "", 400, "'explain' is true or false."},
        {"GET", "/api/quarantine/0", "", 0, ""},
        {"GET", "/api/quarantine/x", "", 0, ""},
        {"GET", "/api/quarantine?limit=x", "", 400, "limit"},
        {"GET", "/api/quarantine?cursor=x", "", 400, "cursor"},
        {"GET", "/api/erasures/77", "", 404, ""},
        {"GET", "/api/mappings/none", "", 404, "mapping_unknown"},
        {"POST", "/api/ingest?mapping=none", "", 400, "mapping_unknown"},
        {"POST", "/api/ingest?errors=x", "", 400, "errors"},
        {"POST",
         "/api/ingest?source="
         "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
         "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
         "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss",
         "", 400, "source_invalid"},
        {"GET", "/livez", "Origin: null\r\n", 403, "origin_denied"},
        {"GET", "/livez", "Origin: http://evil.example\r\n", 403, "origin_denied"},
        {"GET", "/livez", "Origin: http://[::1]:99\r\n", 200, ""},
        {"GET", "/livez", "Origin: http://[::1\r\n", 403, "origin_denied"},
        {"GET", "/livez", "Origin: http://localhost:3000\r\n", 200, ""},
    };
    static struct live live;
    struct error error;
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        int status = live_ask(&live, rows[i].method, rows[i].path, rows[i].headers, "", answer,
                              sizeof answer);
        EXPECT(rows[i].status != 0 ? status == rows[i].status : status == 400 || status == 404,
               " %s %.60s: %d %s", rows[i].method, rows[i].path, status, answer);
        EXPECT(strstr(answer, rows[i].says) != NULL, " %s %.60s says '%s'? %s", rows[i].method,
               rows[i].path, rows[i].says, answer);
    }
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does: clients here go away */
    live_memory_install();
    RUN(test_bodies_that_come_along);
    RUN(test_readers);
    RUN(test_idle_and_lingering);
    RUN(test_calls_that_fail);
    RUN(test_descriptors_run_out);
    RUN(test_stopped_while_a_client_waits_for_memory);
    RUN(test_crowds);
    RUN(test_half_closed);
    RUN(test_a_pipeline_with_large_answers);
    RUN(test_much_in_one_turn);
    RUN(test_a_long_body_in_a_short_one);
    RUN(test_questions_that_are_wrong);
    return test_summary();
}
