/* connection.h: one client's connection, from its first byte to its last.
 *
 *   HEAD ──lookup──▶ gathered: up to 64, of all clients; found together, written together ──▶ HEAD
 *     └──other──▶ BODY (collected) or UPLOAD (streamed) ──▶ handler ──▶ HEAD
 *                                                             └─ submitted ─▶ WAITING ─ completion ─▶ HEAD
 *   any ── error, Connection: close ──▶ LINGER (our FIN is out; what still comes is dropped) ──▶ closed
 *
 * Order: answers leave in the order of the requests, because nothing behind a request is parsed
 * until it is answered.
 *
 * Memory: an idle connection holds this struct and nothing else. Bytes are read into the worker's
 * buffer; only what could not be used at once is copied into `input`. What the client does not read
 * is at most one flush of answers; until it is gone nothing more is read from that client.
 *
 * Deadlines: a head 10 s from its first byte; a body 1 KiB in each 30 s; 75 s idle; 30 s without
 * the client reading anything.
 *
 * A connection with completions out is freed only after they have come back.
 *
 * Threading: the worker's thread. */
#ifndef KINDRED_SERVER_CONNECTION_H
#define KINDRED_SERVER_CONNECTION_H

#include <uv.h>

#include "exchange.h"
#include "keys.h"
#include "worker.h"

struct upload;

enum {
    CONNECTION_INPUT_MAX = 256 * 1024, /* unread bytes kept beyond the head being parsed */
    CONNECTION_BODY_WINDOW_BYTES = 1024,
};

enum connection_phase {
    CONNECTION_HEAD,
    CONNECTION_BODY,
    CONNECTION_UPLOAD,
    CONNECTION_WAITING,
    CONNECTION_LINGER,
};

enum deadline_kind {
    DEADLINE_NONE,
    DEADLINE_IDLE,
    DEADLINE_HEAD,
    DEADLINE_BODY,
    DEADLINE_WRITE,
    DEADLINE_LINGER
};

struct connection {
    uv_tcp_t tcp;
    struct worker *worker;
    struct connection *next, *previous;
    struct connection *next_starved;
    struct connection *next_busy;
    enum connection_phase phase;
    bool reading;
    unsigned
        writes; /* under way: the kernel did not take everything; nothing is parsed until it has */
    bool end_of_input; /* the client's FIN was here */
    bool close_after;  /* with the answer in `out` the connection ends */
    bool closing;      /* uv_close was called */
    bool closed;       /* ... and is done */
    bool starved;      /* in worker->starved */
    bool busy;         /* in worker->busy */
    bool may_gather;   /* the bytes being taken stay where they are till the end of this turn */
    bool gathered;     /* has lookups in worker->batch */
    unsigned in_flight;
    struct http_parser parser;
    struct buffer input;
    size_t decoded;           /* body bytes in front of `input` that the upload has not taken */
    bool body_ended;          /* ... and they are the last */
    struct exchange exchange; /* the one beyond a batch */
    struct arena arena;       /* its memory */
    struct buffer body;
    struct upload *upload;
    uv_shutdown_t shutdown;
    uint64_t unsent_bytes; /* when the write deadline was set */
    enum deadline_kind deadline_kind;
    uint64_t deadline_ms;
    uint64_t window_bytes; /* received since the body deadline was set */
    /* The key that was good a moment ago on this connection, so that not every request is
     * hashed. */
    char key_text[KEY_TEXT_MAX];
    size_t key_length;
    uint64_t key_generation;
    uint64_t key_until_ms;
    enum role key_role;
};

/* A new connection of the worker's listener; refused with 503 when there are too many. */
void connection_accept(struct worker *worker);
/* The worker's sweep: anything over its deadline? */
void connection_sweep(struct connection *connection, uint64_t now_ms);
/* Shutdown: idle ones close now, busy ones after their answer. */
void connection_wind_up(struct connection *connection);
/* At once, answered or not. */
void connection_close(struct connection *connection);

/* The exchange that was waiting has its answer in worker->out: send it and go on with what the
 * client sent meanwhile. Also lets a paused upload go on. */
void connection_resume(struct connection *connection);
/* One completion came back. False when the connection is gone (and may just have been freed). */
bool connection_completed(struct connection *connection);

/* conversation.c: what the client said. Takes as many of the bytes as it can now, answers into
 * worker->out; returns how many it took. The caller keeps the others and comes again when the phase
 * allows. */
size_t conversation_take(struct connection *connection, char *data, size_t length);
/* Refuses the request being read, 408 and the like; the connection ends with that. */
void conversation_refuse(struct connection *connection, uint16_t status, const char *code,
                         const char *detail);
/* Looks up and answers everything the worker has gathered. Every connection it was for is settled,
 * but `current` (may be NULL), whose caller goes on with it. */
void conversation_answer_gathered(struct worker *worker, const struct connection *current);
/* Sends bytes; what the kernel does not take now is copied and sent later. */
void connection_send(struct connection *connection, struct slice answers);
/* Sends what is in worker->out. */
void connection_flush(struct connection *connection);
/* After every event: sends, then decides whether to read, to wait or to end. */
void connection_settle(struct connection *connection);

/* The exchange's answer is written: counts it, frees its memory, back to HEAD. */
void connection_answered(struct connection *connection);

#endif
