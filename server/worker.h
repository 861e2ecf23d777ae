/* worker.h: one thread, one loop, one listening socket, its own buffers; and the list of its
 * connections.
 *
 *   socket ─▶ read_buffer ─▶ parser ─▶ batch of exchanges ─▶ answers ─▶ socket   all reused, nothing allocated per lookup
 *                                          └─ writes ─▶ writer ─▶ completed (many producers, one consumer) ─▶ wake ─▶ finish
 *
 * Between two connections `out` and `arena` are empty.
 * A sweep every 250 ms enforces the deadlines of all connections and refreshes the Date.
 *
 * Threading: fields by the worker's thread, except `completed`, `stopping`, `metrics` (see
 * there). */
#ifndef KINDRED_SERVER_WORKER_H
#define KINDRED_SERVER_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "exchange.h"
#include "metrics.h"
#include "phrases_in.h"
#include "server.h"

enum {
    WORKER_READ_BYTES = 64 * 1024, /* one read */
    WORKER_READ_BUFFER_BYTES =
        256 * 1024, /* the reads of one turn that wait to be answered together */
    WORKER_BATCH_MAX = 64,
    WORKER_OUT_BYTES_MAX = 256 * 1024 * 1024, /* one answer at most */
    WORKER_FLUSH_BYTES = 256 * 1024,          /* answers collected before they are sent */
    WORKER_SWEEP_MS = 250,
};

/* Something that was in the writer's hands and comes back. */
struct completion {
    struct completion *next;
    struct worker *worker;
    struct connection *connection;
    struct submission *submission;
    void (*resume)(struct completion *completion); /* on the worker */
};
/* WORKER_READ_BYTES to read into; behind those that gathered requests still need. */
char *worker_read_room(struct worker *worker);
/* Lets uploads that found the queue full try again. */
void worker_feed_starved(struct worker *worker);
/* May another piece of a body be read in this turn of the loop? Answers of other clients wait for
 * it. */
bool worker_has_time(struct worker *worker);
/* Calls upload_retry for it when there is time again: at the end of this turn, or of one of the
 * next, which come at once. */
void worker_go_on_later(struct connection *connection);
void worker_forget_busy(struct worker *worker, struct connection *connection);
/* One connection less: ends the loop when it was the last and the worker is stopping. */
void worker_connection_gone(struct worker *worker);
/* Hands it to its worker, whose next turn calls `resume`. Any thread. */
void completion_push(struct completion *completion);
/* A submission's `done`; its owner is the completion. Any thread. */
void completion_done(struct submission *submission);

struct route_metrics {
    struct counter by_class[6]; /* 1xx unused, 2xx .. 5xx */
    struct histogram latency_us;
};

/* Phrases classified for a caller who asked (asking.h). */
struct asked_metrics {
    struct counter classified;
    struct histogram classify_us;
};

struct worker_metrics {
    struct counter connections_accepted, connections_refused, connections_timed_out, bytes_in,
        bytes_out;
    struct counter lookups_batched;
    _Atomic uint64_t connections_open;
    struct route_metrics routes[ROUTES_MAX + 1]; /* the last: no route */
};

struct worker {
    struct server *server;
    unsigned index; /* also its slot of the gate */
    pthread_t thread;
    bool thread_runs;
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_async_t wake;
    uv_timer_t sweep;
    /* after the events of one poll: what was gathered is answered, then bodies go on */
    uv_check_t turn;
    uv_idle_t again; /* runs while `busy` is not empty, so that the next poll does not wait */
    _Atomic(struct completion *) completed;
    _Atomic int stopping; /* 1: no new connections, finish; 2: now */
    int listen_socket;    /* our own descriptor of it: libuv's is closed while accepting pauses */
    bool listening;
    bool listener_closing;          /* its handle is not free yet */
    struct connection *connections; /* doubly linked */
    uint64_t connection_count;
    uint64_t connections_max;
    uint64_t refused_max;       /* beyond it, that are told so; what comes then is just closed */
    bool accept_pending;        /* memory was out when a client came */
    struct connection *starved; /* uploads whose batch found the queue full */
    /* uploads with more to read of what was fed: the one that waits longest first ... */
    struct connection *busy;
    struct connection *busy_last;
    int64_t bodies_until_us; /* in this turn; 0: nothing has been read yet */
    int64_t looked_up_us;    /* when lookups were answered last */
    struct arena arena;
    struct buffer out;
    struct buffer answers; /* of a batch */
    struct buffer aside;   /* refusals of a batch, till it is their turn */
    char *read_buffer;
    size_t read_used;         /* by requests in the batch */
    uint64_t unsampled_bytes; /* read since this worker last had memory measured */
    struct exchange *batch;   /* WORKER_BATCH_MAX; lookups gathered in this turn of the loop */
    size_t batch_count;
    struct phrases_in phrases;
    struct asked_metrics asked;
    /* how an answer of JSON begins: "HTTP/1.1 200 OK\r\nDate: …\r\nContent-Type:
     * application/json\r\n" */
    char head[112];
    size_t head_length;
    size_t date_at; /* its Date line */
    size_t date_length;
    struct worker_metrics metrics;
};

err worker_init(struct worker *worker, struct server *server, unsigned index,
                struct error *error) MUST_USE;
/* Takes over a bound socket and begins. */
err worker_start(struct worker *worker, int socket, struct error *error) MUST_USE;
/* level as in `stopping`. Any thread. */
void worker_stop(struct worker *worker, int level);
/* Waits for it to end, until that time (CLOCK_MONOTONIC) at most. */
void worker_join_until(struct worker *worker, const struct timespec *until);
void worker_join(struct worker *worker);
void worker_deinit(struct worker *worker);

#endif
