#include "server.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "commands/shipped.h"
#include "demo_load.h"
#include "engine/interests.h"
#include "thread_rank.h"
#include "worker.h"

void server_options_init(struct server_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *options = (struct server_options){
        .data = "data",
        .host = "127.0.0.1",
        .port = 8080,
        .workers = cores < 1             ? 1
                   : cores > WORKERS_MAX ? WORKERS_MAX
                                         : (unsigned)cores,
        .durability = DURABILITY_FSYNC,
        .connections_max = 16384,
        .queue_max = 4096,
        .memory_max_bytes = memory_cap_default_bytes(),
        .checkpoint_entries = 200000,
        .checkpoint_seconds = 30,
        .header_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 75000,
        .write_timeout_ms = 30000,
        .stop_timeout_ms = 10000,
    };
}

/* ---- address -------------------------------------------------------------------------------- */

err listen_parse(struct slice text, char host[HOST_TEXT_MAX], uint16_t *port, struct error *error)
{
    const char *colon = text.length > 0 ? memrchr(text.data, ':', text.length) : NULL;
    uint64_t number = 0;
    if (colon == NULL ||
        !slice_to_u64(slice_of(colon + 1, (size_t)(text.data + text.length - colon) - 1),
                      &number) ||
        number > 65535) {
        return error_set(
            error, ERR_INVALID, "listen_invalid", 0,
            "The address to listen on is HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080.");
    }
    struct slice name = slice_of(text.data, (size_t)(colon - text.data));
    if (name.length >= 2 && name.data[0] == '[' && name.data[name.length - 1] == ']') {
        name = slice_of(name.data + 1, name.length - 2);
    } else if (name.length > 0 && memchr(name.data, ':', name.length) != NULL) {
        return error_set(error, ERR_INVALID, "listen_invalid", 0,
                         "Write an IPv6 address in brackets: [::1]:8080.");
    }
    if (name.length >= HOST_TEXT_MAX ||
        (name.length > 0 && memchr(name.data, '\0', name.length) != NULL)) {
        return error_set(error, ERR_INVALID, "listen_invalid", 0,
                         "The host to listen on is too long.");
    }
    if (name.length > 0) {
        memcpy(host, name.data, name.length);
    }
    host[name.length] = '\0';
    *port = (uint16_t)number;
    return ERR_OK;
}

bool host_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

static err resolve(const struct server *server, uint16_t port, struct sockaddr_storage *out,
                   socklen_t *length, struct error *error)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    const char *host = server->options.host;
    /* A name that anybody could make point elsewhere is not trusted to be loopback: 127.0.0.1 is
     * taken for it. */
    if (strcmp(host, "localhost") == 0) {
        host = "127.0.0.1";
    }
    int code = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &found);
    if (code != 0 || found == NULL) {
        return error_set(error, ERR_INVALID, "listen_invalid", 0, "The host '%s' is not known: %s.",
                         host, gai_strerror(code));
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *length = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

static err bind_error(const struct server *server, struct error *error)
{
    int why = errno;
    if (why == EADDRINUSE) {
        return error_set(
            error, ERR_CONFLICT, "address_in_use", 0,
            "%s:%u is in use by another process. Stop it, or choose another address with --listen.",
            server->options.host, server->options.port);
    }
    return error_set(error, ERR_INVALID, "listen_failed", 0, "Cannot listen on %s:%u: %s.",
                     server->options.host, server->options.port, strerror(why));
}

/* A socket bound to the address, or -1 with errno. */
static int bound_socket(const struct sockaddr_storage *address, socklen_t length, bool shared)
{
    int on = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        bind(fd, (const struct sockaddr *)address, length) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* One socket per worker on the same address. With SO_REUSEPORT a second Kindred could silently join
 * in, so first the address is tried without it. */
static err bind_all(struct server *server, int *sockets, struct error *error)
{
    struct sockaddr_storage address;
    socklen_t length = 0;
    err e = resolve(server, server->options.port, &address, &length, error);
    if (e != ERR_OK) {
        return e;
    }
    int alone = bound_socket(&address, length, false);
    if (alone < 0) {
        return bind_error(server, error);
    }
    close(alone);
    server->port = server->options.port;
    for (unsigned i = 0; e == ERR_OK && i < server->worker_count; i++) {
        e = resolve(server, server->port, &address, &length, error);
        sockets[i] = e == ERR_OK ? bound_socket(&address, length, server->worker_count > 1) : -1;
        if (e == ERR_OK && sockets[i] < 0) {
            e = bind_error(server, error);
        }
        if (e == ERR_OK) {
            server->port = port_of(sockets[i]);
        }
    }
    return e;
}

/* ---- making --------------------------------------------------------------------------------- */

/* The folder is locked for good when it is opened, behind the listening sockets. This early look
 * only makes the message the right one when two servers meet: the folder, not the port, is what
 * they may not share. */
static err check_lock(const char *folder, struct error *error)
{
    char path[1100];
    struct file *file = NULL;
    const struct file_system *files = &file_system_posix;
    snprintf(path, sizeof path, "%s/LOCK", folder);
    if (access(path, F_OK) != 0) {
        return ERR_OK;
    }
    err e = files->open(files->context, path, FILE_WRITE, &file, error);
    if (e != ERR_OK) {
        return e;
    }
    e = files->lock(files->context, file, error);
    files->close(files->context, file);
    if (e == ERR_LOCKED) {
        return error_set(
            error, e, "folder_locked", 0,
            "Another process uses the data folder '%s'. Stop it, or give another folder with --data.",
            folder);
    }
    return e;
}

static err check_keys(struct server *server, struct error *error)
{
    struct keys *keys = NULL;
    err e = keys_load(server->options.data, &keys, error);
    if (e != ERR_OK) {
        return e;
    }
    atomic_store(&server->keys, keys);
    bool loopback = host_is_loopback(server->options.host);
    if (keys->count == 0 && !loopback) {
        return error_set(
            error, ERR_DENIED, "keys_missing", 0,
            "Without keys Kindred listens on loopback addresses only. Make one with `kindred key create "
            "--role admin --data %s`, then start again.",
            server->options.data);
    }
    atomic_store(&server->keys_required, keys->count > 0 || !loopback);
    return ERR_OK;
}

static err make_backlog(struct server *server, struct error *error)
{
    const struct classifier *classifier = server->options.model.classifier;
    if (classifier == NULL) {
        return ERR_OK;
    }
    server->backlog =
        backlog_create(classifier, server->gate, server->worker_count + 1, server->writer);
    return server->backlog != NULL
               ? ERR_OK
               : error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory for the classifier.");
}

err server_create(const struct server_options *options, struct server **out, struct error *error)
{
    struct server *server = memory_zalloc(sizeof *server);
    if (server == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory for the server.");
    }
    server->options = *options;
    server->worker_count = options->workers;
    memory_cap_init(&server->memory, options->memory_max_bytes);
    server->started_at_us = clock_wall_us(&system_clock);
    atomic_store(&server->progress.phase, -1);
    err e = check_lock(options->data, error);
    if (e == ERR_OK) {
        e = check_keys(server, error);
    }
    if (e == ERR_OK) {
        const struct writer_options writer = {.queue_max = options->queue_max,
                                              .durability = options->durability,
                                              .checkpoint_entries = options->checkpoint_entries,
                                              .checkpoint_seconds = options->checkpoint_seconds};
        server->gate = gate_create(server->worker_count + 2);
        server->writer = writer_create(&writer);
        server->workers = memory_zalloc(server->worker_count * sizeof *server->workers);
        if (server->gate == NULL || server->writer == NULL || server->workers == NULL) {
            e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "No memory for the server.");
        }
    }
    if (e == ERR_OK) {
        e = make_backlog(server, error);
    }
    for (unsigned i = 0; e == ERR_OK && i < server->worker_count; i++) {
        e = worker_init(&server->workers[i], server, i, error);
    }
    if (e != ERR_OK) {
        server_destroy(server);
        return e;
    }
    *out = server;
    return ERR_OK;
}

void server_destroy(struct server *server)
{
    for (unsigned i = 0; server->workers != NULL && i < server->worker_count; i++) {
        worker_deinit(&server->workers[i]);
    }
    memory_free(server->workers);
    backlog_destroy(server->backlog);
    writer_destroy(server->writer);
    if (server->gate != NULL) {
        gate_destroy(server->gate);
    }
    keys_destroy(atomic_load(&server->keys));
    for (size_t i = 0; i < server->old_keys_count; i++) {
        keys_destroy(server->old_keys[i]);
    }
    memory_free(server);
}

/* ---- the engine thread
 * ---------------------------------------------------------------------------------- */

static err open_engine(struct server *server, struct engine **engine, struct error *error)
{
    const struct data_folder_options folder = {
        .files = &file_system_posix, .random = &system_random, .path = server->options.data};
    err e = data_folder_open(&folder, &server->folder, error);
    if (e != ERR_OK) {
        return e;
    }
    const struct engine_options options = {.log = server->folder.log,
                                           .checkpoint = server->folder.checkpoint,
                                           .clock = &system_clock,
                                           .random = &system_random,
                                           .gate = server->gate,
                                           .durability = server->options.durability,
                                           .settings_json = server->options.settings_json,
                                           .shipped_cohorts = shipped_cohorts(),
                                           .classifier = server->options.model.classifier,
                                           .load_threads = ENGINE_LOAD_THREADS,
                                           .progress = &server->progress};
    e = engine_open(&options, engine, error);
    if (e != ERR_OK) {
        data_folder_close(&server->folder);
    }
    return e;
}

static err load_demo_when_new(struct server *server, struct engine *engine, struct error *error)
{
    struct engine_stats stats;
    engine_stats(engine, &stats);
    if (server->options.demo_people == 0 || stats.people > 0 || stats.quarantined > 0) {
        return ERR_OK;
    }
    server->demo_loaded = true;
    err e = demo_load(engine, server->options.demo_people, error);
    /* They are to be looked at at once. */
    return e == ERR_OK ? engine_classify_pending(engine, error) : e;
}

static void *run_engine(void *argument)
{
    struct server *server = argument;
    struct engine *engine = NULL;
    struct error *error = &server->failure_error;
    err e = open_engine(server, &engine, error);
    if (e == ERR_OK) {
        e = load_demo_when_new(server, engine, error);
    }
    if (e == ERR_OK && server->backlog != NULL && !backlog_start(server->backlog, engine)) {
        e = error_set(error, ERR_MEMORY, "thread", 0, "Starting a thread failed.");
    }
    if (engine != NULL) {
        atomic_store(&server->engine, engine);
    }
    if (e == ERR_OK) {
        int starting = SERVER_STARTING;
        atomic_compare_exchange_strong(&server->state, &starting, SERVER_READY);
        thread_begin("writer", RANK_WRITES);
        e = writer_run(server->writer, engine, error);
    }
    server->failure = e;
    atomic_store(&server->engine_thread_done, true);
    return NULL;
}

/* ---- starting and stopping
 * -------------------------------------------------------------------------------- */

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Descriptors are kept for files: a log that cannot begin its next file stops the server for good,
 * and no crowd of clients shall bring that about. What is left is shared among the workers; a part
 * of a worker's share is for telling clients beyond its maximum that there are too many. */
static void leave_descriptors(struct server *server)
{
    enum { FOR_FILES = 160, FOR_A_WORKER = 8, LEAST = 4 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return;
    }
    uint64_t kept = FOR_FILES + (uint64_t)server->worker_count * FOR_A_WORKER;
    uint64_t share = limit.rlim_cur > kept ? (limit.rlim_cur - kept) / server->worker_count : 0;
    share = share < LEAST ? LEAST : share;
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        if (worker->refused_max > share / 4) {
            worker->refused_max = share / 4;
        }
        if (worker->connections_max > share - worker->refused_max) {
            worker->connections_max = share - worker->refused_max;
            if (i == 0) {
                fprintf(
                    stderr,
                    "kindred serve: only %llu open files are allowed (ulimit -n): %llu connections are "
                    "taken at a time, not %llu.\n",
                    (unsigned long long)limit.rlim_cur,
                    (unsigned long long)worker->connections_max * server->worker_count,
                    (unsigned long long)server->options.connections_max);
            }
        }
    }
}

err server_start(struct server *server, struct error *error)
{
    int sockets[WORKERS_MAX];
    for (unsigned i = 0; i < server->worker_count; i++) {
        sockets[i] = -1;
    }
    raise_descriptor_limit();
    leave_descriptors(server);
    err e = bind_all(server, sockets, error);
    for (unsigned i = 0; e == ERR_OK && i < server->worker_count; i++) {
        e = worker_start(&server->workers[i], sockets[i], error);
        sockets[i] = -1; /* the loop's now */
    }
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (sockets[i] >= 0) {
            close(sockets[i]);
        }
    }
    if (e != ERR_OK) {
        return e;
    }
    if (pthread_create(&server->engine_thread, NULL, run_engine, server) != 0) {
        return error_set(error, ERR_MEMORY, "thread", 0, "Starting a thread failed.");
    }
    server->engine_thread_runs = true;
    return ERR_OK;
}

bool server_ready(const struct server *server)
{
    return atomic_load(&server->state) == SERVER_READY;
}

bool server_failed(const struct server *server)
{
    return atomic_load(&server->engine_thread_done);
}

/* Waits for the workers to answer what they accepted; then cuts off what is left. */
static void stop_workers(struct server *server)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(server->options.stop_timeout_ms / 1000);
    for (unsigned i = 0; i < server->worker_count; i++) {
        worker_stop(&server->workers[i], 1);
    }
    for (unsigned i = 0; i < server->worker_count; i++) {
        worker_join_until(&server->workers[i], &until);
    }
    for (unsigned i = 0; i < server->worker_count; i++) {
        worker_stop(&server->workers[i], 2);
        worker_join(&server->workers[i]);
    }
}

err server_stop(struct server *server, struct error *error)
{
    atomic_store(&server->state, SERVER_STOPPING);
    stop_workers(server);
    writer_close(server->writer);
    if (server->engine_thread_runs) {
        pthread_join(server->engine_thread, NULL);
        server->engine_thread_runs = false;
    }
    if (server->backlog != NULL) {
        backlog_stop(server->backlog);
    }
    struct engine *engine = atomic_load(&server->engine);
    if (engine != NULL) {
        atomic_store(&server->engine, NULL);
        engine_close(engine);
        data_folder_close(&server->folder);
    }
    if (server->failure != ERR_OK && error != NULL) {
        *error = server->failure_error;
        error->err = server->failure;
    }
    return server->failure;
}

err server_reload_keys(struct server *server, struct error *error)
{
    struct keys *keys = NULL;
    if (server->old_keys_count == ARRAY_COUNT(server->old_keys)) {
        /* Nobody asks an old set for longer than one request takes: the oldest is long out of
         * use. */
        keys_destroy(server->old_keys[0]);
        memmove(server->old_keys, server->old_keys + 1,
                sizeof server->old_keys - sizeof server->old_keys[0]);
        server->old_keys_count--;
    }
    err e = keys_load(server->options.data, &keys, error);
    if (e == ERR_OK) {
        if (keys->count > 0) {
            atomic_store(&server->keys_required, true);
        }
        server->old_keys[server->old_keys_count++] = atomic_exchange(&server->keys, keys);
    }
    return e;
}
