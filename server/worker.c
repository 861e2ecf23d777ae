#include "worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "connection.h"
#include "thread_rank.h"
#include "upload.h"

enum {
    WORKER_ARENA_BYTES_MAX = 16 * 1024 * 1024,
    LISTEN_BACKLOG = 1024,
    REFUSED_MAX = 64,
    SPARE_DESCRIPTORS = 4,
    /* of one turn of the loop for reading bodies: lookups wait no longer for that */
    BODIES_TURN_US = 100,
};

/* ---- things that come back from the writer
 * ------------------------------------------------------------ */

void completion_push(struct completion *completion)
{
    struct worker *worker = completion->worker;
    struct completion *head = atomic_load_explicit(&worker->completed, memory_order_relaxed);
    do {
        completion->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&worker->completed, &head, completion,
                                                    memory_order_release, memory_order_relaxed));
    /* Coalesced by libuv: one wake-up for a whole group. */
    (void)uv_async_send(&worker->wake);
}

void completion_done(struct submission *submission)
{
    completion_push(submission->owner);
}

static void resume_completed(struct worker *worker)
{
    struct completion *newest =
        atomic_exchange_explicit(&worker->completed, NULL, memory_order_acquire);
    struct completion *oldest = NULL;
    while (newest != NULL) {
        struct completion *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        /* Read first: resuming may free the completion. */
        struct completion *next = oldest->next;
        oldest->resume(oldest);
        oldest = next;
    }
}

void worker_feed_starved(struct worker *worker)
{
    struct connection *connection = worker->starved;
    worker->starved = NULL;
    while (connection != NULL) {
        struct connection *next = connection->next_starved;
        connection->starved = false;
        if (!connection->closing && connection->upload != NULL) {
            upload_retry(connection->upload);
        }
        connection = next;
    }
}

/* ---- bodies, a piece at a time --------------------------------------------------------------- */

bool worker_has_time(struct worker *worker)
{
    int64_t now_us = clock_monotonic_us(&system_clock);
    if (worker->bodies_until_us == 0) {
        worker->bodies_until_us = now_us + BODIES_TURN_US;
    }
    return now_us < worker->bodies_until_us;
}

static void on_again(uv_idle_t *handle)
{
    (void)handle;
}

void worker_go_on_later(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (connection->busy) {
        return;
    }
    connection->busy = true;
    connection->next_busy = NULL;
    if (worker->busy == NULL) {
        worker->busy = connection;
        (void)uv_idle_start(&worker->again, on_again);
    } else {
        worker->busy_last->next_busy = connection;
    }
    worker->busy_last = connection;
}

void worker_forget_busy(struct worker *worker, struct connection *connection)
{
    struct connection *before = NULL;
    if (!connection->busy) {
        return;
    }
    connection->busy = false;
    for (struct connection *one = worker->busy; one != connection; one = one->next_busy) {
        before = one;
    }
    if (before != NULL) {
        before->next_busy = connection->next_busy;
    } else {
        worker->busy = connection->next_busy;
    }
    if (worker->busy_last == connection) {
        worker->busy_last = before;
    }
}

/* At least one goes on in each turn, whatever was read from sockets in it. */
static void go_on_with_bodies(struct worker *worker)
{
    worker->bodies_until_us = 0;
    while (worker->busy != NULL && worker_has_time(worker)) {
        struct connection *connection = worker->busy;
        worker_forget_busy(worker, connection);
        if (!connection->closing && connection->upload != NULL) {
            upload_retry(connection->upload);
        }
    }
    worker->bodies_until_us = 0;
    if (worker->busy == NULL) {
        (void)uv_idle_stop(&worker->again);
    }
}

/* ---- stopping ------------------------------------------------------------------------------- */

static void on_listener_closed(uv_handle_t *listener)
{
    struct worker *worker = listener->data;
    worker->listener_closing = false;
}

/* Accepting failed, for want of descriptors most likely. libuv would try again at once and for
 * ever, within one event: so it is taken away its descriptor. The socket stays, clients wait in its
 * backlog, and the sweep goes on accepting. */
static void pause_listener(struct worker *worker)
{
    if (worker->listening) {
        worker->listening = false;
        worker->listener_closing = true;
        uv_close((uv_handle_t *)&worker->listener, on_listener_closed);
    }
}

/* Newer versions of libuv (seen in 1.50) do not say that accepting failed, and try again in every
 * turn: so the sweep looks whether there are some descriptors left, by taking and giving them back.
 * Closed by the system call itself, as libuv does: ThreadSanitizer sees neither its close nor this
 * fcntl, and would take the number for a descriptor that another worker still has. */
static bool descriptors_left(const struct worker *worker)
{
    int taken[SPARE_DESCRIPTORS];
    size_t count = 0;
    while (count < SPARE_DESCRIPTORS &&
           (taken[count] = fcntl(worker->listen_socket, F_DUPFD_CLOEXEC, 0)) >= 0) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        (void)syscall(SYS_close, taken[i]);
    }
    return count == SPARE_DESCRIPTORS;
}

static void close_listener(struct worker *worker)
{
    pause_listener(worker);
    if (worker->listen_socket >= 0) {
        close(worker->listen_socket);
        worker->listen_socket = -1;
    }
}

/* With these the last handles go, and uv_run returns. The last connection may go before on_wake
 * came to say stop. */
static void close_own_handles(struct worker *worker)
{
    close_listener(worker);
    if (!uv_is_closing((uv_handle_t *)&worker->wake)) {
        uv_close((uv_handle_t *)&worker->wake, NULL);
        uv_close((uv_handle_t *)&worker->sweep, NULL);
        uv_close((uv_handle_t *)&worker->turn, NULL);
        uv_close((uv_handle_t *)&worker->again, NULL);
    }
}

void worker_connection_gone(struct worker *worker)
{
    worker->connection_count--;
    atomic_store_explicit(&worker->metrics.connections_open, worker->connection_count,
                          memory_order_relaxed);
    if (atomic_load(&worker->stopping) != 0 && worker->connection_count == 0) {
        close_own_handles(worker);
    }
}

static void obey_stop(struct worker *worker)
{
    int level = atomic_load(&worker->stopping);
    if (level == 0) {
        return;
    }
    close_listener(worker);
    for (struct connection *connection = worker->connections; connection != NULL;
         connection = connection->next) {
        if (level == 1) {
            connection_wind_up(connection);
        } else {
            connection_close(connection);
        }
    }
    if (worker->connection_count == 0) {
        close_own_handles(worker);
    }
}

void worker_stop(struct worker *worker, int level)
{
    atomic_store(&worker->stopping, level);
    if (worker->thread_runs) {
        (void)uv_async_send(&worker->wake);
    }
}

static void on_wake(uv_async_t *handle)
{
    struct worker *worker = handle->data;
    resume_completed(worker);
    worker_feed_starved(worker);
    obey_stop(worker);
}

/* ---- the sweep ------------------------------------------------------------------------------ */

static void set_date(struct worker *worker)
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    static const char status[] = "HTTP/1.1 200 OK\r\n";
    worker->date_at = sizeof status - 1;
    memcpy(worker->head, status, worker->date_at);
    worker->date_length =
        strftime(worker->head + worker->date_at, sizeof worker->head - worker->date_at,
                 "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    worker->head_length = worker->date_at + worker->date_length;
    size_t left = sizeof worker->head - worker->head_length;
    int wrote =
        snprintf(worker->head + worker->head_length, left, "Content-Type: %s\r\n", reply_json_type);
    CHECK(wrote > 0 && (size_t)wrote < left);
    worker->head_length += (size_t)wrote;
}

static int open_listener(struct worker *worker);

static void on_sweep(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    set_date(worker);
    if (worker->index == 0) {
        memory_cap_sample(&worker->server->memory);
    }
    uint64_t now_ms = uv_now(&worker->loop);
    for (struct connection *connection = worker->connections; connection != NULL;) {
        struct connection *next = connection->next;
        connection_sweep(connection, now_ms);
        connection = next;
    }
    worker_feed_starved(worker);
    if (worker->accept_pending) {
        connection_accept(worker);
    }
    if (worker->listen_socket >= 0 && !worker->listener_closing) {
        const bool left = descriptors_left(worker);
        if (worker->listening && !left) {
            pause_listener(worker);
        } else if (!worker->listening && left) {
            (void)open_listener(worker);
        }
    }
    if (atomic_load(&worker->stopping) != 0) {
        obey_stop(worker);
    }
}

static void on_turn(uv_check_t *handle)
{
    struct worker *worker = handle->data;
    conversation_answer_gathered(worker, NULL);
    go_on_with_bodies(worker);
    phrases_in_turn(&worker->phrases);
}

char *worker_read_room(struct worker *worker)
{
    if (WORKER_READ_BUFFER_BYTES - worker->read_used < WORKER_READ_BYTES) {
        conversation_answer_gathered(worker, NULL);
    }
    if (worker->batch_count == 0) {
        worker->read_used = 0;
    }
    return worker->read_buffer + worker->read_used;
}

static void on_client(uv_stream_t *listener, int status)
{
    struct worker *worker = listener->data;
    if (status == 0) {
        connection_accept(worker);
    } else {
        pause_listener(worker);
    }
}

/* 0, or libuv's code; then the sweep tries again. */
static int open_listener(struct worker *worker)
{
    int socket = fcntl(worker->listen_socket, F_DUPFD_CLOEXEC, 0);
    if (socket < 0) {
        return UV_EMFILE;
    }
    (void)uv_tcp_init(&worker->loop, &worker->listener);
    worker->listener.data = worker;
    worker->listening = true;
    int code = uv_tcp_open(&worker->listener, socket);
    if (code != 0) {
        close(socket);
    } else {
        code = uv_listen((uv_stream_t *)&worker->listener, LISTEN_BACKLOG, on_client);
    }
    if (code != 0) {
        pause_listener(worker);
    }
    return code;
}

/* ---- life ----------------------------------------------------------------------------------- */

err worker_init(struct worker *worker, struct server *server, unsigned index, struct error *error)
{
    worker->server = server;
    worker->index = index;
    worker->connections_max = server->options.connections_max / server->worker_count;
    worker->refused_max = REFUSED_MAX;
    worker->listen_socket = -1;
    if (worker->connections_max == 0) {
        worker->connections_max = 1;
    }
    arena_init(&worker->arena, WORKER_ARENA_BYTES_MAX);
    buffer_init(&worker->out, WORKER_OUT_BYTES_MAX);
    buffer_init(&worker->answers, WORKER_OUT_BYTES_MAX);
    buffer_init(&worker->aside, WORKER_OUT_BYTES_MAX);
    worker->read_buffer = memory_alloc(WORKER_READ_BUFFER_BYTES);
    worker->batch = memory_zalloc(WORKER_BATCH_MAX * sizeof *worker->batch);
    if (worker->read_buffer == NULL || worker->batch == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "No memory for a worker's buffers.");
    }
    set_date(worker);
    return phrases_in_init(&worker->phrases, server->options.model.classifier, error);
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    char name[16];
    snprintf(name, sizeof name, "worker %u", worker->index);
    thread_begin(name, RANK_ANSWERS);
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    return NULL;
}

static err uv_error(struct error *error, int code, const char *what)
{
    return error_set(error, ERR_IO, "event_loop", 0, "%s failed: %s.", what, uv_strerror(code));
}

/* Nothing runs yet, and nobody will end it: the handles go in one run of the loop. */
static void give_up(struct worker *worker)
{
    close_own_handles(worker);
    (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&worker->loop);
}

err worker_start(struct worker *worker, int socket, struct error *error)
{
    int code = uv_loop_init(&worker->loop);
    if (code != 0) {
        close(socket);
        return uv_error(error, code, "Making an event loop");
    }
    (void)uv_async_init(&worker->loop, &worker->wake, on_wake);
    (void)uv_timer_init(&worker->loop, &worker->sweep);
    (void)uv_check_init(&worker->loop, &worker->turn);
    (void)uv_idle_init(&worker->loop, &worker->again);
    worker->turn.data = worker->wake.data = worker->sweep.data = worker;
    (void)uv_check_start(&worker->turn, on_turn);
    (void)uv_timer_start(&worker->sweep, on_sweep, WORKER_SWEEP_MS, WORKER_SWEEP_MS);
    worker->listen_socket = socket;
    code = open_listener(worker);
    if (code != 0) {
        give_up(worker);
        return uv_error(error, code, "Listening");
    }
    if (pthread_create(&worker->thread, NULL, run, worker) != 0) {
        give_up(worker);
        return error_set(error, ERR_MEMORY, "thread", 0, "Starting a thread failed.");
    }
    worker->thread_runs = true;
    return ERR_OK;
}

static void ended(struct worker *worker)
{
    worker->thread_runs = false;
    (void)uv_loop_close(&worker->loop);
}

void worker_join_until(struct worker *worker, const struct timespec *until)
{
    /* Not pthread_clockjoin_np: gcc 12's ThreadSanitizer does not know it, and takes all that
     * follows for races. */
    static const struct timespec pause = {.tv_nsec = 2000000};
    struct timespec now = {0};
    while (worker->thread_runs) {
        if (pthread_tryjoin_np(worker->thread, NULL) == 0) {
            ended(worker);
            return;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > until->tv_sec ||
            (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec)) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

void worker_join(struct worker *worker)
{
    if (worker->thread_runs) {
        pthread_join(worker->thread, NULL);
        ended(worker);
    }
}

void worker_deinit(struct worker *worker)
{
    arena_deinit(&worker->arena);
    buffer_deinit(&worker->out);
    buffer_deinit(&worker->answers);
    buffer_deinit(&worker->aside);
    memory_free(worker->read_buffer);
    memory_free(worker->batch);
    phrases_in_deinit(&worker->phrases);
}
