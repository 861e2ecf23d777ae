#include "live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "sockets.h"
#include "unit/storage/support.h"
#include "worker.h"

/* ---- memory ---------------------------------------------------------------------------------- */

static _Atomic int64_t blocks;
static _Atomic bool armed;
static _Atomic pthread_t refused_thread;
static _Atomic int64_t left;
static _Atomic bool refused;

static bool refuses(void)
{
    if (!atomic_load(&armed) || !pthread_equal(pthread_self(), atomic_load(&refused_thread)) ||
        atomic_fetch_sub(&left, 1) != 1) {
        return false;
    }
    atomic_store(&refused, true);
    return true;
}

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    void *block = refuses() ? NULL : malloc(bytes);
    atomic_fetch_add(&blocks, block != NULL);
    return block;
}

static void *reallocate(void *context, void *old, size_t bytes)
{
    (void)context;
    void *block = refuses() ? NULL : realloc(old, bytes);
    atomic_fetch_add(&blocks, block != NULL && old == NULL);
    return block;
}

static void release(void *context, void *block)
{
    (void)context;
    atomic_fetch_sub(&blocks, block != NULL);
    free(block);
}

void live_memory_install(void)
{
    static const struct memory_hooks hooks = {allocate, reallocate, release, NULL};
    memory_install(&hooks);
}

int64_t live_memory_blocks(void)
{
    return atomic_load(&blocks);
}

void live_memory_break_thread(pthread_t thread, uint64_t at)
{
    atomic_store(&refused_thread, thread);
    atomic_store(&left, (int64_t)at);
    atomic_store(&refused, false);
    atomic_store(&armed, true);
}

void live_memory_break(const struct live *live, uint64_t at)
{
    live_memory_break_thread(live->server->workers[0].thread, at);
}

bool live_memory_refused(void)
{
    return atomic_load(&refused);
}

bool live_memory_mend(void)
{
    atomic_store(&armed, false);
    return atomic_load(&refused);
}

/* ---- the server ------------------------------------------------------------------------------ */

void live_init(struct live *live)
{
    memset(live, 0, sizeof *live);
    snprintf(live->root, sizeof live->root, "%s", folder_make());
    snprintf(live->data, sizeof live->data, "%s/data", live->root);
    server_options_init(&live->options);
    live->options.data = live->data;
    live->options.port = 0;
    live->options.workers = 1;
    live->options.durability = DURABILITY_OS;
    live->options.memory_max_bytes = 0;
    live->options.checkpoint_entries = 1000000000;
    live->options.checkpoint_seconds = 1000000;
    live->options.stop_timeout_ms = 5000;
}

static void pause_for_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    nanosleep(&moment, NULL);
}

bool live_begin(struct live *live, struct error *error)
{
    memset(error, 0, sizeof *error);
    error->err = server_create(&live->options, &live->server, error);
    if (error->err != ERR_OK) {
        live->server = NULL;
        return false;
    }
    error->err = server_start(live->server, error);
    while (error->err == ERR_OK && !server_ready(live->server) && !server_failed(live->server)) {
        pause_for_a_moment();
    }
    if (error->err == ERR_OK && server_ready(live->server)) {
        return true;
    }
    struct error stop_error = {0};
    err e = live_end(live, &stop_error);
    if (error->err == ERR_OK) {
        *error = stop_error;
        error->err = e;
    }
    return false;
}

err live_end(struct live *live, struct error *error)
{
    err e = server_stop(live->server, error);
    server_destroy(live->server);
    live->server = NULL;
    return e;
}

void live_remove(struct live *live)
{
    folder_remove(live->root);
}

bool live_wait(bool (*holds)(const struct live *live), const struct live *live)
{
    for (unsigned i = 0; i < 20000; i++) {
        if (holds(live)) {
            return true;
        }
        pause_for_a_moment();
    }
    return false;
}

/* ---- clients --------------------------------------------------------------------------------- */

int live_connect(const struct live *live)
{
    return socket_connect(live->server->port);
}

bool live_send(int fd, const void *bytes, size_t length)
{
    for (size_t sent = 0; sent < length;) {
        ssize_t n = socket_send(fd, (const char *)bytes + sent, length - sent);
        if (n <= 0) {
            return false;
        }
        sent += (size_t)n;
    }
    return true;
}

size_t live_read_all(int fd, char *out, size_t room)
{
    size_t got = 0;
    for (ssize_t n = 1; n > 0 && got + 1 < room; got += n > 0 ? (size_t)n : 0) {
        n = socket_receive(fd, out + got, room - 1 - got);
    }
    out[got] = '\0';
    return got;
}

static int status_of(const char *answer)
{
    int status = 0;
    return sscanf(answer, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

int live_read_answer(int fd, char *out, size_t room)
{
    size_t got = 0;
    size_t whole = room - 1;
    while (got < whole) {
        ssize_t n = socket_receive(fd, out + got, got == 0 || whole == room - 1 ? 1 : whole - got);
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
        out[got] = '\0';
        if (whole == room - 1 && got >= 4 && memcmp(out + got - 4, "\r\n\r\n", 4) == 0) {
            const char *length = strcasestr(out, "\r\ncontent-length:");
            whole = got + (length != NULL ? strtoul(length + 17, NULL, 10) : 0);
            whole = whole < room - 1 ? whole : room - 1;
            if (whole == room - 1) {
                break;
            }
        }
    }
    out[got] = '\0';
    return status_of(out);
}

int live_ask(const struct live *live, const char *method, const char *path, const char *headers,
             const char *body, char *out, size_t room)
{
    char head[2048];
    int fd = live_connect(live);
    out[0] = '\0';
    if (fd < 0) {
        return 0;
    }
    int length = snprintf(
        head, sizeof head,
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
        method, path, headers, strlen(body));
    CHECK(length > 0 && (size_t)length < sizeof head);
    if (live_send(fd, head, (size_t)length)) {
        (void)live_send(fd, body, strlen(body));
    }
    (void)live_read_all(fd, out, room);
    close(fd);
    return status_of(out);
}
