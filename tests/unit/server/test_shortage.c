/* Tries to crash a whole server, or to make it lie, by refusing it memory: at random allocations of
 * all its threads while clients use every route. What was answered 2xx must be there afterwards,
 * everything must agree with everything, and once there is memory again, requests are answered as
 * ever. Seed printed; `test_shortage SEED [ROUNDS]` repeats it (not the threads' timing). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "server.h"
#include "sockets.h"
#include "unit/storage/support.h"
#include "unit/test.h"

enum { ROUNDS = 14, REQUESTS = 300, ACKNOWLEDGED_MAX = 100000 };

/* ---- memory that is refused now and then ----------------------------------------------------- */

static _Atomic uint64_t calls;
static _Atomic uint64_t one_in; /* 0: never */
static _Atomic uint64_t refused;
static _Atomic int64_t live;

static bool refuses(void)
{
    const uint64_t every = atomic_load(&one_in);
    const uint64_t call = atomic_fetch_add(&calls, 1);
    if (every == 0 || (call * 0x9E3779B97F4A7C15ull >> 20) % every != 0) {
        return false;
    }
    atomic_fetch_add(&refused, 1);
    return true;
}

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    void *block = refuses() ? NULL : malloc(bytes);
    atomic_fetch_add(&live, block != NULL);
    return block;
}

static void *reallocate(void *context, void *old, size_t bytes)
{
    (void)context;
    void *block = refuses() ? NULL : realloc(old, bytes);
    atomic_fetch_add(&live, block != NULL && old == NULL);
    return block;
}

static void release(void *context, void *block)
{
    (void)context;
    atomic_fetch_sub(&live, block != NULL);
    free(block);
}

static const struct memory_hooks hooks = {allocate, reallocate, release, NULL};

/* ---- a client -------------------------------------------------------------------------------- */

/* The answer's status; 0: the connection ended before there was one, which is all a server without
 * memory can do. */
static int ask(uint16_t port, const char *method, const char *path, const char *body, char *out,
               size_t room)
{
    static char text[1 << 16];
    int fd = socket_connect(port);
    if (fd < 0) {
        return 0;
    }
    int length = snprintf(
        text, sizeof text,
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
        method, path, strlen(body), body);
    CHECK(length > 0 && (size_t)length < sizeof text);
    (void)socket_send(fd, text, (size_t)length);
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got + 1 < room; got += n > 0 ? (size_t)n : 0) {
        n = socket_receive(fd, out + got, room - 1 - got);
    }
    out[got] = '\0';
    close(fd);
    int status = 0;
    return sscanf(out, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

/* ---- one server ------------------------------------------------------------------------------ */

static struct server *begin_server(const char *data, struct error *error)
{
    struct server_options options;
    struct server *server = NULL;
    server_options_init(&options);
    options.data = data;
    snprintf(options.host, sizeof options.host, "127.0.0.1");
    options.port = 0;
    options.workers = 2;
    options.checkpoint_seconds = 1;
    options.checkpoint_entries = 200;
    options.durability = DURABILITY_OS;
    error->err = server_create(&options, &server, error);
    if (error->err != ERR_OK) {
        return NULL;
    }
    error->err = server_start(server, error);
    const struct timespec pause = {.tv_nsec = 1000000};
    while (error->err == ERR_OK && !server_ready(server) && !server_failed(server)) {
        nanosleep(&pause, NULL);
    }
    return server;
}

static err end_server(struct server *server, struct error *error)
{
    err e = server_stop(server, error);
    server_destroy(server);
    return e;
}

struct tally {
    unsigned statuses[600];
    uint32_t acknowledged[ACKNOWLEDGED_MAX];
    size_t acknowledged_count;
    uint32_t next;
};

static bool is_allowed(int status)
{
    static const int allowed[] = {0,   200, 201, 202, 204, 304, 400,
                                  404, 409, 412, 413, 422, 503, 507};
    for (size_t i = 0; i < ARRAY_COUNT(allowed); i++) {
        if (allowed[i] == status) {
            return true;
        }
    }
    return false;
}

static void one_request(uint16_t port, struct prng *prng, struct tally *tally)
{
    static char answer[1 << 20];
    static const struct {
        const char *method, *path, *body;
    } fixed[] = {
        {"GET", "/api/user?cookie=s-1&expand=all", ""},
        {"GET", "/api/users?limit=50&expand=attributes", ""},
        {"GET", "/api/cohort/users?cohort=sports&limit=10", ""},
        {"GET", "/api/cohorts", ""},
        {"GET", "/api/cohorts/sports", ""},
        {"GET", "/api/classify?phrase=ice+hockey", ""},
        {"GET", "/api/user/raw?cookie=s-1", ""},
        {"GET", "/api/log?from=1&limit=20", ""},
        {"GET", "/api/quarantine?limit=5", ""},
        {"GET", "/api/mappings", ""},
        {"GET", "/metrics", ""},
        {"GET", "/openapi.json", ""},
        {"GET", "/readyz", ""},
        {"PATCH", "/api/user?cookie=s-1",
         "{\"location\":{\"city\":\"Oslo\"},\"interests\":[\"chess\"]}"},
        {"PUT", "/api/cohorts/Shortage",
         "{\"phrases\":[\"chess\",\"* sailing\"],\"where\":{\"field\":\"n\",\"op\":\"gte\",\"value\":3}}"},
        {"DELETE", "/api/cohorts/Shortage", ""},
        {"PUT", "/api/mappings/shop",
         "{\"name\":\"shop\",\"fields\":{\"cookie\":{\"from\":\"no\",\"transforms\":[\"trim\"]}}}"},
        {"POST", "/api/ingest?mapping=shop", "no,x\n m-1 ,2\n m-2 ,3\n"},
        {"POST", "/api/ingest", "email,interests\nbad,chess\na@example.com,football;chess\n"},
        {"POST", "/api/ingest",
         "{\"data\":[{\"cookie\":\"z-1\",\"email\":\"z@example.com\"},{\"cookie\":\"z-2\",\"email\":\"z@example.com\"},{}]}"},
        {"DELETE", "/api/user?cookie=z-1", ""},
    };
    char path[64];
    char body[300];
    int status = 0;
    if (prng_below(prng, 2) == 0) {
        const uint32_t n = tally->next++;
        snprintf(path, sizeof path, "/api/ingest");
        snprintf(
            body, sizeof body,
            "{\"cookie\":\"s-%u\",\"n\":%u,\"interests\":[\"phrase %u\",\"tennis\"],\"x\":{\"y\":[\"%u\",\"b\"]}}",
            n, n, n % 50, n);
        status = ask(port, "POST", path, body, answer, sizeof answer);
        if (status == 200 && tally->acknowledged_count < ACKNOWLEDGED_MAX) {
            tally->acknowledged[tally->acknowledged_count++] = n;
        }
    } else {
        const size_t i = (size_t)prng_below(prng, ARRAY_COUNT(fixed));
        status = ask(port, fixed[i].method, fixed[i].path, fixed[i].body, answer, sizeof answer);
        EXPECT(is_allowed(status), " %s %s: %d %.300s", fixed[i].method, fixed[i].path, status,
               answer);
    }
    EXPECT(is_allowed(status), " %d %.300s", status, answer);
    tally->statuses[status < 600 ? status : 0]++;
}

/* With memory again: everything acknowledged is there, and the folder agrees with itself. */
static void check_all(const char *data, const struct tally *tally)
{
    struct error error = {0};
    static char answer[1 << 16];
    struct server *server = begin_server(data, &error);
    REQUIRE(server != NULL && server_ready(server), " %s", error.message);
    for (size_t i = 0; i < tally->acknowledged_count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/api/user?cookie=s-%u", tally->acknowledged[i]);
        const int status = ask(server->port, "GET", path, "", answer, sizeof answer);
        EXPECT(status == 200, " %s was acknowledged: %d", path, status);
    }
    EXPECT(ask(server->port, "POST", "/api/ingest", "{\"cookie\":\"afterwards\"}", answer,
               sizeof answer) == 200,
           " %s", answer);
    EXPECT(end_server(server, &error) == ERR_OK, " %s", error.message);

    static struct prng prng;
    prng_seed(&prng, 1);
    struct random_source random = prng_source(&prng);
    struct data_folder folder;
    struct engine *opened = NULL;
    const struct data_folder_options options = {
        .files = &file_system_posix, .random = &random, .path = data, .must_exist = true};
    REQUIRE(data_folder_open(&options, &folder, &error) == ERR_OK, " %s", error.message);
    const struct engine_options engine_options = {.log = folder.log,
                                                  .checkpoint = folder.checkpoint,
                                                  .clock = &system_clock,
                                                  .random = &random,
                                                  .read_only = true};
    REQUIRE(engine_open(&engine_options, &opened, &error) == ERR_OK, " %s", error.message);
    EXPECT(engine_verify(opened, true, &error) == ERR_OK, " %s", error.message);
    engine_close(opened);
    data_folder_close(&folder);
}

static uint64_t seed = 20261122;
static unsigned rounds = ROUNDS;

static void test_memory_is_refused_while_it_serves(void)
{
    static struct tally tally;
    static const uint64_t rates[] = {5000, 700, 150, 60, 25, 10, 4};
    char root[256];
    char data[300];
    struct prng prng;
    unsigned failed_starts = 0;
    snprintf(root, sizeof root, "%s", folder_make());
    snprintf(data, sizeof data, "%s/data", root);
    prng_seed(&prng, seed);
    for (unsigned round = 0; round < rounds; round++) {
        struct error error = {0};
        atomic_store(&one_in, 0);
        struct server *server = begin_server(data, &error);
        REQUIRE(server != NULL && server_ready(server), " round %u: %s", round, error.message);
        atomic_store(&one_in, rates[round % ARRAY_COUNT(rates)]);
        /* An entry that is in the log and finds no memory to be applied stops all writing: then the
         * next round. */
        for (unsigned n = 0; n < REQUESTS && !server_failed(server); n++) {
            one_request(server->port, &prng, &tally);
        }
        atomic_store(&one_in, round % 2 == 0 ? 0 : rates[round % ARRAY_COUNT(rates)]);
        failed_starts += end_server(server, &error) != ERR_OK;
        atomic_store(&one_in, 0);
    }
    check_all(data, &tally);
    folder_remove(root);
    printf("  %llu refusals, %zu acknowledged records, %u times writing stopped; answers:",
           (unsigned long long)atomic_load(&refused), tally.acknowledged_count, failed_starts);
    for (size_t status = 0; status < ARRAY_COUNT(tally.statuses); status++) {
        if (tally.statuses[status] > 0) {
            printf(" %zu×%u", status, tally.statuses[status]);
        }
    }
    printf("\n");
    EXPECT(tally.acknowledged_count > 0 && atomic_load(&refused) > 0);
}

/* Each of the first allocations of a start fails, then every so many: it starts, or says that it
 * could not, and leaves nothing. */
static void test_memory_is_refused_while_it_starts(void)
{
    char root[256];
    char data[300];
    snprintf(root, sizeof root, "%s", folder_make());
    snprintf(data, sizeof data, "%s/data", root);
    unsigned refusals = 0;
    for (unsigned round = 0; round < 60; round++) {
        struct error error = {0};
        const int64_t before = atomic_load(&live);
        atomic_store(&calls, round * 977);
        atomic_store(&one_in, round < 30 ? 3 + round : 100 * (uint64_t)round);
        struct server *server = begin_server(data, &error);
        atomic_store(&one_in, 0);
        if (server != NULL) {
            err e = end_server(server, &error);
            refusals += e != ERR_OK;
            EXPECT(e == ERR_OK || e == ERR_MEMORY, " round %u: %s %s", round, err_name(e),
                   error.message);
        } else {
            refusals++;
            EXPECT(error.err == ERR_MEMORY && error.message[0] != '\0', " round %u: %s %s", round,
                   err_name(error.err), error.message);
        }
        EXPECT(atomic_load(&live) == before, " round %u: %lld blocks are left", round,
               (long long)(atomic_load(&live) - before));
    }
    EXPECT(refusals > 5, " %u", refusals);
    folder_remove(root);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : seed;
    rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : rounds;
    printf("seed %llu\n", (unsigned long long)seed);
    memory_install(&hooks);
    RUN(test_memory_is_refused_while_it_starts);
    RUN(test_memory_is_refused_while_it_serves);
    return test_summary();
}
