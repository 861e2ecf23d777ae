/* Tries to get a hang, a leak or a lie out of a server that cannot start: each call it makes for
 * that fails, at every place; addresses that are none; a folder somebody else has. It must say why,
 * leave neither memory nor descriptors, and start once all is well. */
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "calls.h"
#include "live.h"
#include "unit/storage/support.h"
#include "unit/test.h"
#include "worker.h"

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* Starts and ends once, so that what libraries keep for good is there before anything is
 * counted. */
static void warm_up(struct live *live)
{
    struct error error;
    live_init(live);
    live->options.workers = 2;
    REQUIRE(live_begin(live, &error), " %s", error.message);
    EXPECT(live_end(live, &error) == ERR_OK, " %s", error.message);
}

static void test_every_call_fails(void)
{
    static const struct {
        enum call call;
        int with;
        err expected;
        const char *says;
        unsigned least; /* how many of these calls a start makes at least */
    } rows[] = {
        {CALL_SOCKET, EMFILE, ERR_INVALID, "Too many open files", 3},
        {CALL_SETSOCKOPT, EINVAL, ERR_INVALID, "Cannot listen on 127.0.0.1", 5},
        {CALL_BIND, EADDRINUSE, ERR_CONFLICT, "in use by another process", 3},
        {CALL_BIND, EACCES, ERR_INVALID, "Permission denied", 3},
        {CALL_GETADDRINFO, EAI_MEMORY, ERR_INVALID, "is not known", 3},
        {CALL_UV_LOOP_INIT, UV_EMFILE, ERR_IO, "Making an event loop failed: too many open files",
         2},
        {CALL_FCNTL, EMFILE, ERR_IO, "Listening failed: too many open files", 2},
        {CALL_UV_TCP_OPEN, UV_EINVAL, ERR_IO, "Listening failed: invalid argument", 2},
        {CALL_UV_LISTEN, UV_EADDRINUSE, ERR_IO, "Listening failed: address already in use", 2},
        /* The background's, two workers', the engine's. */
        {CALL_PTHREAD_CREATE, EAGAIN, ERR_MEMORY, "", 4},
    };
    static struct live live;
    warm_up(&live);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned n = 1;; n++) {
            struct error error;
            const unsigned descriptors = open_descriptors();
            const int64_t blocks = live_memory_blocks();
            calls_break(rows[i].call, n, 1, rows[i].with);
            bool begun = live_begin(&live, &error);
            const unsigned failed = calls_mend();
            if (begun) {
                struct error stop_error = {0};
                EXPECT(live_end(&live, &stop_error) == ERR_OK, " %s", stop_error.message);
            }
            EXPECT(live_memory_blocks() == blocks, " row %zu, call %u: %lld blocks are left", i, n,
                   (long long)(live_memory_blocks() - blocks));
            EXPECT(open_descriptors() == descriptors,
                   " row %zu, call %u: %u descriptors, before %u", i, n, open_descriptors(),
                   descriptors);
            if (failed == 0) {
                EXPECT(begun, " row %zu: %s", i, error.message);
                EXPECT(n > rows[i].least, " row %zu: only %u calls", i, n - 1);
                break;
            }
            if (rows[i].call == CALL_PTHREAD_CREATE && n > rows[i].least && begun) {
                continue; /* threads that only help are done without */
            }
            EXPECT(!begun && error.err == rows[i].expected, " row %zu, call %u: %s %s", i, n,
                   err_name(error.err), error.message);
            EXPECT(strstr(error.message, rows[i].says) != NULL && error.message[0] != '\0',
                   " row %zu, call %u: %s", i, n, error.message);
        }
    }
    live_remove(&live);
}

/* How many descriptors there may be is a matter of how many clients are taken, never of whether it
 * starts. */
static void test_descriptor_limits(void)
{
    static struct live live;
    struct error error;
    live_init(&live);
    live.options.workers = 2;
    static const struct {
        uint64_t soft, hard, raised, connections;
    } rows[] = {
        {1000, 1000, 0, (1000 - 176) / 2 - 64},   /* what is left, less those that are told so */
        {500, 1000, 1000, (1000 - 176) / 2 - 64}, /* raised to what is allowed */
        {20, 20, 0, 3},                           /* too few for anything: a handful all the same */
        {UINT64_MAX, UINT64_MAX, 0, 16384 / 2},   /* no limit */
        {100000, 100000, 0, 16384 / 2},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        calls_descriptor_limit(rows[i].soft, rows[i].hard);
        REQUIRE(live_begin(&live, &error), " %s", error.message);
        EXPECT(calls_descriptor_limit_set() == rows[i].raised, " row %zu: %llu", i,
               (unsigned long long)calls_descriptor_limit_set());
        EXPECT(live.server->workers[0].connections_max == rows[i].connections, " row %zu: %llu", i,
               (unsigned long long)live.server->workers[0].connections_max);
        EXPECT(live_end(&live, &error) == ERR_OK);
    }
    calls_descriptor_limit(0, 0);
    /* Not to be known is no reason not to start. */
    calls_break(CALL_GETRLIMIT, 1, 100, EINVAL);
    EXPECT(live_begin(&live, &error), " %s", error.message);
    EXPECT(calls_mend() >= 2 && live.server->workers[0].connections_max == 16384 / 2);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

static bool begins(struct live *live, const char *host, struct error *error)
{
    snprintf(live->options.host, sizeof live->options.host, "%s", host);
    return live_begin(live, error);
}

static void test_addresses(void)
{
    static struct live live;
    struct error error = {0};
    char answer[4096];
    live_init(&live);
    static const struct {
        const char *host;
        err expected;
        const char *says;
    } bad[] = {
        /* Others can reach these: not without keys. */
        {"", ERR_DENIED, "Without keys"},
        {"0.0.0.0", ERR_DENIED, "Without keys"},
        {"203.0.113.1", ERR_DENIED, "Without keys"},
        {"127.0.0.1.nonsense.invalid", ERR_INVALID, "is not known"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        EXPECT(!begins(&live, bad[i].host, &error) && error.err == bad[i].expected &&
                   strstr(error.message, bad[i].says) != NULL,
               " '%s': %s %s", bad[i].host, err_name(error.err), error.message);
    }
    /* The name that is always this machine; and, where there is one, the other loopback address. */
    REQUIRE(begins(&live, "localhost", &error), " %s", error.message);
    EXPECT(live_ask(&live, "GET", "/readyz", "", "", answer, sizeof answer) == 200, " %s", answer);
    EXPECT(live_end(&live, &error) == ERR_OK);
    if (access("/proc/net/if_inet6", F_OK) == 0 && begins(&live, "::1", &error)) {
        EXPECT(live.server->port != 0);
        EXPECT(live_end(&live, &error) == ERR_OK);
    }
    /* With a key, everybody may be listened to. */
    char text[KEY_TEXT_MAX];
    struct key key;
    EXPECT(keys_file_add(live.data, ROLE_READ, SLICE_LITERAL("reader"), 1, 0, &system_random, text,
                         &key, &error) == ERR_OK);
    REQUIRE(begins(&live, "", &error), " %s", error.message);
    EXPECT(live_ask(&live, "GET", "/api/users", "", "", answer, sizeof answer) == 401, " %s",
           answer);
    EXPECT(live_end(&live, &error) == ERR_OK);
    EXPECT(!begins(&live, "203.0.113.1", &error) && error.err == ERR_INVALID &&
               strstr(error.message, "Cannot listen on") != NULL,
           " %s", error.message);
    live_remove(&live);
}

static void test_folders(void)
{
    static struct live live;
    struct error error;
    char path[400];
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    struct live other = live;
    EXPECT(!live_begin(&other, &error) && error.err == ERR_LOCKED &&
               strstr(error.message, "Another process") != NULL,
           " %s", error.message);
    EXPECT(live_end(&live, &error) == ERR_OK);
    /* The lock is no file; nor are the keys. */
    snprintf(path, sizeof path, "%s/LOCK", live.data);
    EXPECT(unlink(path) == 0 && mkdir(path, 0700) == 0);
    EXPECT(!live_begin(&live, &error) && error.err != ERR_OK &&
               strstr(error.message, "LOCK") != NULL,
           " %s", error.message);
    EXPECT(rmdir(path) == 0);
    snprintf(path, sizeof path, "%s/keys.json", live.data);
    EXPECT(mkdir(path, 0700) == 0);
    EXPECT(!live_begin(&live, &error) && error.err == ERR_IO &&
               strstr(error.message, "keys.json") != NULL,
           " %s", error.message);
    EXPECT(rmdir(path) == 0);
    /* The folder opens, its log does not: found behind open sockets, by the engine's thread. */
    snprintf(path, sizeof path, "%s/log/00000000000000000001.seg", live.data);
    file_store(
        path,
        "damaged, all of it, and longer than a header is ................................................",
        97);
    EXPECT(!live_begin(&live, &error) && error.err != ERR_OK && error.message[0] != '\0');
    live_remove(&live);
}

/* The folder's first syncs are held: the server listens and says that it is not ready yet. */
static void test_asked_before_it_is_ready(void)
{
    static struct live live;
    struct error error = {0};
    char answer[4096];
    live_init(&live);
    calls_hold_syncs();
    REQUIRE(server_create(&live.options, &live.server, &error) == ERR_OK, " %s", error.message);
    REQUIRE(server_start(live.server, &error) == ERR_OK, " %s", error.message);
    EXPECT(live_ask(&live, "GET", "/livez", "", "", answer, sizeof answer) == 200, " %s", answer);
    EXPECT(live_ask(&live, "GET", "/readyz", "", "", answer, sizeof answer) == 503 &&
               strstr(answer, "starting") != NULL,
           " %s", answer);
    static const char *const calls[][3] = {{"GET", "/api/users", ""},
                                           {"GET", "/api/user?cookie=a", ""},
                                           {"POST", "/api/ingest", "{\"cookie\":\"a\"}"},
                                           {"PUT", "/api/cohorts/x", "{\"phrases\":[\"y\"]}"}};
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        EXPECT(live_ask(&live, calls[i][0], calls[i][1], "", calls[i][2], answer, sizeof answer) ==
                       503 &&
                   strstr(answer, "recovering") != NULL &&
                   strstr(answer, "Retry-After: 1\r\n") != NULL,
               " %s", answer);
    }
    calls_release_syncs();
    while (!server_ready(live.server) && !server_failed(live.server)) {
        usleep(1000);
    }
    EXPECT(live_ask(&live, "GET", "/api/user?cookie=a", "", "", answer, sizeof answer) == 404,
           " nothing of it was taken: %s", answer);
    EXPECT(live_end(&live, &error) == ERR_OK, " %s", error.message);
    live_remove(&live);
}

/* More often than old sets are kept; each time with another key, and one time damaged. */
static void test_keys_are_read_again_and_again(void)
{
    static struct live live;
    struct error error;
    char text[KEY_TEXT_MAX];
    char header[KEY_TEXT_MAX + 64];
    char answer[4096];
    char path[400];
    struct key key;
    live_init(&live);
    REQUIRE(live_begin(&live, &error), " %s", error.message);
    EXPECT(server_reload_keys(live.server, &error) == ERR_OK &&
           !atomic_load(&live.server->keys_required));
    for (unsigned i = 0; i < ARRAY_COUNT(live.server->old_keys) + 5; i++) {
        EXPECT(keys_file_add(live.data, ROLE_READ, SLICE_NONE, 1, 0, &system_random, text, &key,
                             &error) == ERR_OK);
        REQUIRE(server_reload_keys(live.server, &error) == ERR_OK, " %s", error.message);
        EXPECT(live.server->old_keys_count <= ARRAY_COUNT(live.server->old_keys));
    }
    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", text);
    EXPECT(live_ask(&live, "GET", "/api/users", header, "", answer, sizeof answer) == 200, " %s",
           answer);
    /* A connection that stays open is not asked for its digest with every request; what is revoked
     * is refused all the same. */
    char request[KEY_TEXT_MAX + 128];
    int fd = live_connect(&live);
    int length = snprintf(request, sizeof request,
                          "GET /api/users HTTP/1.1\r\nHost: localhost\r\n%s\r\n", header);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(live_send(fd, request, (size_t)length) &&
                   live_read_answer(fd, answer, sizeof answer) == 200,
               " %s", answer);
    }
    EXPECT(keys_file_remove(live.data, slice_from_cstr(key.id), &error) == ERR_OK);
    EXPECT(server_reload_keys(live.server, &error) == ERR_OK);
    EXPECT(live_send(fd, request, (size_t)length) &&
               live_read_answer(fd, answer, sizeof answer) == 401,
           " %s", answer);
    close(fd);
    EXPECT(keys_file_add(live.data, ROLE_READ, SLICE_NONE, 1, 0, &system_random, text, &key,
                         &error) == ERR_OK);
    EXPECT(server_reload_keys(live.server, &error) == ERR_OK);
    snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", text);
    snprintf(path, sizeof path, "%s/keys.json", live.data);
    file_store(path, "{", 1);
    EXPECT(server_reload_keys(live.server, &error) == ERR_INVALID &&
           strstr(error.message, "damaged") != NULL);
    EXPECT(live_ask(&live, "GET", "/api/users", header, "", answer, sizeof answer) == 200,
           " the old keys stay: %s", answer);
    /* All revoked: nobody is let in, rather than everybody. */
    EXPECT(unlink(path) == 0 && server_reload_keys(live.server, &error) == ERR_OK);
    EXPECT(live_ask(&live, "GET", "/api/users", header, "", answer, sizeof answer) == 401, " %s",
           answer);
    EXPECT(live_end(&live, &error) == ERR_OK);
    live_remove(&live);
}

int main(void)
{
    live_memory_install();
    RUN(test_every_call_fails);
    RUN(test_descriptor_limits);
    RUN(test_addresses);
    RUN(test_folders);
    RUN(test_asked_before_it_is_ready);
    RUN(test_keys_are_read_again_and_again);
    return test_summary();
}
