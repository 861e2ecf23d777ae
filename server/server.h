/* server.h: the whole of a running server: workers, writer, engine, keys, and the state they share.
 *
 *   main thread     server_create ─▶ server_start ─▶ waits for signals ─▶ server_stop
 *   worker threads  one loop and one SO_REUSEPORT socket each (worker.h); open before the engine
 *   is, and answer 503 till then
 *   engine thread   opens folder and engine, loads demo people, then is the one writer (writer.h), then checkpoints and closes
 *   background      writes checkpoints and scrubs erasures, for the writer
 *   backlog         classifies interests that nobody has classified yet (backlog.h)
 *
 * Threading: create, start, stop on the main thread; fields as marked. */
#ifndef KINDRED_SERVER_SERVER_H
#define KINDRED_SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "backlog.h"
#include "commands/model_choice.h"
#include "engine/engine.h"
#include "keys.h"
#include "memory_cap.h"
#include "storage/data_folder.h"
#include "writer.h"

struct worker;

enum { WORKERS_MAX = 256, HOST_TEXT_MAX = 256 };

struct server_options {
    const char *data;         /* folder */
    char host[HOST_TEXT_MAX]; /* numeric or a name; without brackets */
    uint16_t port;            /* 0: any free one */
    unsigned workers;
    enum engine_durability durability;
    struct slice settings_json; /* SLICE_NONE: as logged, or the defaults */
    struct model_choice model;  /* borrowed: the owner of the server closes it, afterwards */
    uint64_t demo_people;       /* loaded when the folder is new */
    uint64_t connections_max;   /* of all workers together */
    uint64_t queue_max;         /* submissions waiting for the writer */
    uint64_t memory_max_bytes;  /* in use; 0: no cap */
    uint64_t checkpoint_entries;
    uint64_t checkpoint_seconds;
    uint64_t header_timeout_ms;
    uint64_t body_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t write_timeout_ms;
    uint64_t stop_timeout_ms; /* how long accepted requests get to finish on SIGTERM */
};
void server_options_init(struct server_options *options);

enum server_state { SERVER_STARTING, SERVER_READY, SERVER_STOPPING };

struct server {
    struct server_options options;
    uint16_t port;                   /* the real one */
    _Atomic int state;               /* enum server_state */
    _Atomic(struct engine *) engine; /* NULL until ready */
    _Atomic(struct keys *) keys;     /* newest set; older ones stay until the end */
    _Atomic bool keys_required;      /* once true, stays true */
    struct engine_progress progress;
    struct gate *gate; /* a slot per worker, one for the main thread, one for the backlog */
    struct writer *writer;
    struct backlog *backlog; /* NULL: no model */
    struct memory_cap memory;
    struct worker *workers;
    unsigned worker_count;
    int64_t started_at_us; /* wall clock */
    /* engine thread */
    pthread_t engine_thread;
    bool engine_thread_runs;
    struct data_folder folder;
    _Atomic bool engine_thread_done;
    err failure; /* why the engine thread ended; read after it is done */
    struct error failure_error;
    bool demo_loaded;
    /* main thread */
    struct keys *old_keys[64];
    size_t old_keys_count;
};

/* Checks the folder's lock, keys and address; opens nothing yet. Owned by caller. */
err server_create(const struct server_options *options, struct server **out,
                  struct error *error) MUST_USE;
/* Listens, starts all threads, returns at once. */
err server_start(struct server *server, struct error *error) MUST_USE;
/* Ready, or the engine thread ended (then failure says why). */
bool server_ready(const struct server *server);
bool server_failed(const struct server *server);
/* Finishes what was accepted, checkpoints, ends all threads. What went wrong, if anything. */
err server_stop(struct server *server, struct error *error) MUST_USE;
void server_destroy(struct server *server);

/* Reads keys.json again; on failure the old keys stay and *error says why. Main thread. */
err server_reload_keys(struct server *server, struct error *error) MUST_USE;

/* 127.0.0.0/8, ::1 or localhost. */
bool host_is_loopback(const char *host);
/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080". */
err listen_parse(struct slice text, char host[HOST_TEXT_MAX], uint16_t *port,
                 struct error *error) MUST_USE;

#endif
