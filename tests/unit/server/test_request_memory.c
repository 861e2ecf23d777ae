/* Tries to crash a server's worker, or to make it lie, by refusing it memory at each allocation
 * that a request makes, one after the other: what is answered 2xx has happened, anything else says
 * so (507) or ends the connection, and with memory again the same request is answered as ever.
 * Nothing stays allocated. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "live.h"
#include "unit/test.h"
#include "worker.h"

static char answer[1 << 20];

struct row {
    const char *method, *path, *headers, *body;
    int status; /* with memory */
    const char *contains;
};

/* Requests that may be made any number of times, in this order: each leaves what the next ones
 * need. */
static const struct row rows[] = {
    {"POST", "/api/ingest", "",
     "{\"data\":{\"cookie\":\"c-1\",\"email\":\"ann@example.com\",\"interests\":[\"chess\"],\"n\":3}}",
     200, "\"records_processed\":1"},
    {"POST", "/api/ingest", "Idempotency-Key: k-1\r\n",
     "{\"cookie\":\"c-2\"}\n{\"cookie\":\"c-3\"}\n", 200, "\"records_processed\":2"},
    {"POST", "/api/ingest?source=shop&errors=5", "",
     "email,interests\nann@example.com,football;chess\n", 200, "\"records_processed\":1"},
    {"GET", "/api/user?cookie=c-1&expand=all", "", "", 200, "ann@example.com"},
    {"GET", "/api/user?cookie=nobody", "", "", 404, "user_unknown"},
    {"GET", "/api/user?cookie=%zz", "", "", 400, "problem+json"},
    {"GET", "/api/users?limit=50&expand=attributes", "", "", 200, "ann@example.com"},
    {"GET", "/api/user/raw?cookie=c-1&limit=5", "", "", 200, "ann@example.com"},
    {"GET", "/api/log?from=1&limit=1000", "", "", 200, "c-2"},
    {"PATCH", "/api/user?cookie=c-1", "", "{\"location\":{\"city\":\"Oslo\"}}", 200, "Oslo"},
    {"PUT", "/api/cohorts/Board%20Games", "",
     "{\"examples\":[\"chess\",\"go\"],\"where\":{\"field\":\"n\",\"op\":\"gte\",\"value\":3}}", 0,
     "Board Games"},
    {"GET", "/api/cohorts", "", "", 200, "Board Games"},
    {"GET", "/api/cohorts/Board%20Games", "", "", 200, "chess"},
    {"GET", "/api/cohort/users?cohort=board+games&limit=10", "", "", 200, "total"},
    {"POST", "/api/cohorts/Board%20Games/feedback", "",
     "{\"positive\":[\"checkers\"],\"negative\":[\"rugby\"]}", 0, ""},
    {"GET", "/api/classify?phrase=chess&explain=true", "", "", 200, "chess"},
    {"POST", "/api/classify", "", "{\"phrases\":[\"chess\",\"ice hockey\"]}", 200, "ice hockey"},
    {"GET", "/api/interests?limit=10", "", "", 200, "chess"},
    {"PUT", "/api/mappings/shop", "",
     "{\"name\":\"shop\",\"fields\":{\"cookie\":{\"from\":\"no\",\"transforms\":[\"trim\"]},\"email\":\"mail\"}}",
     0, "shop"},
    {"GET", "/api/mappings", "", "", 200, "shop"},
    {"GET", "/api/mappings/shop", "", "", 200, "trim"},
    {"POST", "/api/ingest?mapping=shop", "", "no,mail\n m-1 ,x@example.com\n", 200,
     "\"records_processed\":1"},
    {"GET", "/metrics", "", "", 200, "kindred_"},
    {"GET", "/openapi.json", "", "", 200, "openapi"},
    {"GET", "/readyz", "", "", 200, "ready"},
    {"GET", "/nowhere", "", "", 404, "path_unknown"},
    {"PUT", "/api/ingest", "", "{}", 405, "method_not_allowed"},
    {"POST", "/api/ingest", "Content-Encoding: br\r\n", "{}", 415, "content_encoding_unknown"},
    {"POST", "/api/ingest", "Idempotency-Key:\r\n", "{}", 400, "idempotency_key_invalid"},
};

static bool succeeded(const struct row *row, int status)
{
    /* 0: the first time 201, then 200. */
    return row->status != 0 ? status == row->status
                            : status == 200 || status == 201 || status == 202 || status == 204;
}

static int ask(const struct live *live, const struct row *row)
{
    return live_ask(live, row->method, row->path, row->headers, row->body, answer, sizeof answer);
}

/* Each allocation of this request once, from the first-th on. How many there were. The first is the
 * connection's: it waits for memory, a quarter of a second. */
static unsigned refuse_each(const struct live *live, const struct row *row, unsigned first,
                            bool repeats)
{
    for (unsigned n = first;; n++) {
        live_memory_break(live, n);
        int status = ask(live, row);
        const bool hit = live_memory_mend();
        EXPECT(status == 0 || status == 507 || succeeded(row, status),
               " %s %s, allocation %u: %d %.400s", row->method, row->path, n, status, answer);
        EXPECT(status != 507 || strstr(answer, "application/problem+json") != NULL, " %s", answer);
        if (!hit) {
            EXPECT(succeeded(row, status) && strstr(answer, row->contains) != NULL,
                   " %s %s: %d %.400s", row->method, row->path, status, answer);
            return n - 1;
        }
        if (!repeats && status != 507 && status != 0) {
            return n;
        }
    }
}

static void test_each_allocation_of_each_request(void)
{
    static struct live live;
    struct error error;
    const int64_t before = live_memory_blocks();
    unsigned refused = 0;
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        refused += refuse_each(&live, &rows[i], i == 0 ? 1 : 2, true);
    }
    EXPECT(refused > 2 * ARRAY_COUNT(rows), " %u", refused);
    EXPECT(live_end(&live, &error) == ERR_OK, " %s", error.message);
    EXPECT(live_memory_blocks() == before, " %lld blocks are left",
           (long long)(live_memory_blocks() - before));
    live_remove(&live);
}

/* The number behind "id": of the newest one in quarantine. */
static unsigned long newest_quarantined(const struct live *live)
{
    unsigned long id = 0;
    EXPECT(live_ask(live, "GET", "/api/quarantine?limit=5", "", "", answer, sizeof answer) == 200);
    const char *at = strstr(answer, "\"id\":");
    EXPECT(at != NULL && sscanf(at, "\"id\":%lu", &id) == 1, " %s", answer);
    return id;
}

static void test_each_allocation_around_quarantine(void)
{
    static const char *const bodies[] = {
        "email,interests\nbad,chess\n",         /* a CSV row, with its header */
        "{\"email\":\"bad\",\"cookie\":\"\"}\n" /* a line of JSON */
    };
    static struct live live;
    struct error error;
    char path[64];
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        EXPECT(live_ask(&live, "POST", "/api/ingest", "", bodies[i], answer, sizeof answer) == 422,
               " %s", answer);
        snprintf(path, sizeof path, "/api/quarantine/%lu", newest_quarantined(&live));
        const struct row get = {"GET", path, "", "", 200, "bad"};
        (void)refuse_each(&live, &get, 2, true);
        const struct row list = {"GET", "/api/quarantine?limit=5", "", "", 200, "entries"};
        (void)refuse_each(&live, &list, 2, true);

        char retry_path[96];
        snprintf(retry_path, sizeof retry_path, "%s/retry", path);
        const struct row wrong = {"POST", retry_path, "", "", 422, "problem+json"};
        (void)refuse_each(&live, &wrong, 2, true);
        EXPECT(ask(&live, &get) == 200, " a retry that is refused ends nothing");
        char key[64];
        snprintf(key, sizeof key, "Idempotency-Key: retry-%zu\r\n", i);
        const struct row retry = {
            "POST", retry_path,
            key,    i == 0 ? "good@example.com,chess\n" : "{\"email\":\"good@example.com\"}",
            200,    "\"records_processed\":1"};
        /* Once it has succeeded there is nothing to be retried any more. */
        (void)refuse_each(&live, &retry, 2, false);
        int status = ask(&live, &get);
        if (status ==
            200) { /* its answer was lost, and with it everything: the worker could not even begin */
            EXPECT(ask(&live, &retry) == 200, " %s", answer);
            status = ask(&live, &get);
        }
        EXPECT(status == 404, " %d %s", status, answer);
        EXPECT(live_ask(&live, "GET", "/api/user?email=good@example.com", "", "", answer,
                        sizeof answer) == 200,
               " %s", answer);
    }
    EXPECT(live_ask(&live, "POST", "/api/ingest", "", "{\"email\":\"bad\"}\n", answer,
                    sizeof answer) == 422);
    snprintf(path, sizeof path, "/api/quarantine/%lu", newest_quarantined(&live));
    const struct row drop = {"DELETE", path, "", "", 204, ""};
    (void)refuse_each(&live, &drop, 2, false);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

/* A worker's buffer for answers is allocated with its first one: an answer that does not fit into
 * memory must not leave in part. */
static void test_the_first_answer_of_a_worker(void)
{
    static struct live live;
    struct error error;
    static const struct row first[] = {
        {"GET", "/readyz", "", "", 200, "ready"},
        {"GET", "/api/users?limit=1000", "", "", 200, "total"},
        {"DELETE", "/api/cohorts/gone", "", "", 204, ""},
        {"GET", "/nowhere", "", "", 404, "path_unknown"},
        {"GET", "/api/user?cookie=c-1", "", "", 200, "c-1"},
    };
    live_init(&live);
    for (size_t i = 0; i < ARRAY_COUNT(first); i++) {
        for (unsigned n = 2;; n++) {
            REQUIRE(live_begin(&live, &error), " %s", error.message);
            /* Through another worker's eyes: what is asked for is there, and this server's worker
             * has not answered yet. */
            if (i == 2 || (i == 4 && n == 2)) {
                EXPECT(live_ask(&live, "PUT", "/api/cohorts/gone", "", "{\"phrases\":[\"x\"]}",
                                answer, sizeof answer) /
                           100 ==
                       2);
                EXPECT(live_ask(&live, "POST", "/api/ingest", "", "{\"cookie\":\"c-1\"}", answer,
                                sizeof answer) == 200);
                EXPECT(live_end(&live, &error) == ERR_OK);
                REQUIRE(live_begin(&live, &error), " %s", error.message);
            }
            live_memory_break(&live, n);
            int status = ask(&live, &first[i]);
            const bool hit = live_memory_mend();
            if (hit) {
                EXPECT(status == 0 || status == 507 || status == first[i].status, " %s: %d",
                       first[i].path, status);
                /* Whole, or nothing at all. */
                EXPECT(status != 0 || answer[0] == '\0', " %s, allocation %u: half an answer: %s",
                       first[i].path, n, answer);
                EXPECT(status == 0 || strstr(answer, "\r\n\r\n") != NULL,
                       " %s, allocation %u: half an answer: %s", first[i].path, n, answer);
            } else {
                EXPECT(status == first[i].status && strstr(answer, first[i].contains) != NULL,
                       " %d %s", status, answer);
            }
            EXPECT(live_end(&live, &error) == ERR_OK);
            if (!hit) {
                break;
            }
        }
    }
    live_remove(&live);
}

/* A small body whose content goes on and on: memory runs out in the middle of it, at any step. */
static void test_packed_uploads(void)
{
    static struct live live;
    struct error error;
    static char lines[300000];
    static unsigned char packed[100000];
    size_t length = 0;
    uLongf packed_length = sizeof packed;
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    for (unsigned i = 0; i < 3000; i++) {
        length += (size_t)snprintf(lines + length, sizeof lines - length,
                                   "{\"cookie\":\"packed-%u\",\"text\":\"%060u\"}\n", i, i);
    }
    z_stream stream = {.next_in = (unsigned char *)lines,
                       .avail_in = (unsigned)length,
                       .next_out = packed,
                       .avail_out = (unsigned)packed_length};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed_length = stream.total_out;
    deflateEnd(&stream);
    for (unsigned n = 2;; n += 1 + n / 8) {
        char head[200];
        int fd = live_connect(&live);
        int head_length = snprintf(
            head, sizeof head,
            "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
            "Content-Length: %lu\r\n\r\n",
            packed_length);
        live_memory_break(&live, n);
        (void)(live_send(fd, head, (size_t)head_length) && live_send(fd, packed, packed_length));
        (void)live_read_all(fd, answer, sizeof answer);
        const bool hit = live_memory_mend();
        int status = 0;
        (void)sscanf(answer, "HTTP/1.1 %d ", &status);
        close(fd);
        EXPECT(status == 0 || status == 507 || status == 200 || (status == 422 && hit),
               " allocation %u: %d %.400s", n, status, answer);
        EXPECT(status != 200 || strstr(answer, "\"records_processed\":3000") != NULL, " %s",
               answer);
        if (!hit) {
            EXPECT(status == 200, " %d %s", status, answer);
            break;
        }
    }
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

int main(void)
{
    live_memory_install();
    RUN(test_each_allocation_of_each_request);
    RUN(test_each_allocation_around_quarantine);
    RUN(test_the_first_answer_of_a_worker);
    RUN(test_packed_uploads);
    return test_summary();
}
