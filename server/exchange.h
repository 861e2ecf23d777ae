/* exchange.h: one request and its answer, as a handler sees them.
 *
 *   request ─▶ exchange_check (starting? host, route, key, query) ─▶ handler ─▶ reply_*  (bytes in x->out)
 *                                                                        └─▶ exchange_submit ─ writer ─▶ finish ─▶ reply_*
 *
 * A handler answers exactly once: with reply_* or problem_*, now or in the `finish` of what it
 * submitted. What it makes comes from x->arena, which dies at the reply.
 *
 * Threading: the worker that owns the connection. */
#ifndef KINDRED_SERVER_EXCHANGE_H
#define KINDRED_SERVER_EXCHANGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json_writer.h"
#include "engine/engine.h"
#include "http_parser.h"
#include "query.h"
#include "routes.h"

struct worker;
struct connection;
struct completion;

struct reply {
    size_t start;     /* offsets in x->out */
    size_t length_at; /* where Content-Length's digits go; 0: body not begun */
    size_t body_at;
    uint16_t status;
    bool begun;
    bool complete;
    struct json_writer json;
};

struct exchange {
    struct worker *worker;
    struct connection *connection;
    struct engine *engine; /* NULL while starting; only status routes see that */
    /* NULL when the request was refused before one was found; of a lookup it is there from the
     * start */
    const struct route *route;
    struct arena *arena;
    struct buffer *out;
    struct slice name; /* the {variable} of the path, decoded */
    struct slice body; /* all of it; not for streaming routes */
    bool close_after;  /* the connection ends with this answer */
    bool pending;      /* submitted: `finish` will answer */
    uint32_t person;   /* of a lookup done ahead for a batch */
    /* ... by "p17" in key.value, which is resolved inside the gate; exchange_check sets it, and
     * key.type */
    bool by_id;
    bool refused; /* answered before its turn; the bytes are in worker->aside, up to aside_end */
    size_t aside_end;
    struct engine_key key;
    unsigned expand;
    uint64_t started_us;
    struct reply reply;
    /* from here on nothing is cleared: this is copied, and of the query only the first entries are
     * touched */
    struct http_request request;
    struct query query;
};

/* ---- before the handler
 * --------------------------------------------------------------------------- */

/* Finds the route and checks everything that does not need the body. False: it has been
 * answered. */
bool exchange_check(struct exchange *x);

/* Memory is at its cap, and this route would make it grow: also asked for each piece of a body. */
bool exchange_memory_full(const struct exchange *x);
/* 507 for it. */
void exchange_refuse_memory(struct exchange *x);
extern const char exchange_memory_detail[];

/* ---- answering ------------------------------------------------------------------------------ */

void reply_begin(struct exchange *x, uint16_t status, const char *content_type);
/* "application/json"; given by this name, what most answers begin with is copied in one piece. */
extern const char reply_json_type[];
/* Between reply_begin and reply_body. The value must hold no control characters. */
void reply_header(struct exchange *x, const char *name, struct slice value);
/* The body goes through the returned writer, or straight into x->out. */
struct json_writer *reply_body(struct exchange *x);
void reply_end(struct exchange *x);
/* Begin and body at once, for JSON without further headers. */
struct json_writer *reply_json(struct exchange *x, uint16_t status);
/* 204 and 304: no body. After reply_begin. */
void reply_end_without_body(struct exchange *x);
const char *reply_reason(uint16_t status);

/* ---- asking the writer
 * ---------------------------------------------------------------------------- */

/* Makes a completion that comes back to this worker; the submission is borrowed until then.
 * `finish` runs on the worker with the submission's outcome filled in; context is the handler's own
 * (arena). On ERR_BUSY and the like nothing was submitted and the client has been answered. */
void exchange_submit(struct exchange *x, struct submission *submission,
                     void (*finish)(struct exchange *x, struct submission *submission));
/* Goes on with `step` in the worker's next turn, so that other clients have theirs: for what takes
 * longer than a millisecond or two. `gone` (may be NULL) instead, when the client is: frees what is
 * not in the arena. */
void exchange_again(struct exchange *x, void (*step)(struct exchange *x, void *context),
                    void (*gone)(void *context), void *context);
/* The same, when somebody pushes the completion (completion_push). NULL: memory is out, the client
 * was answered. */
struct completion *exchange_wait(struct exchange *x,
                                 void (*step)(struct exchange *x, void *context),
                                 void (*gone)(void *context), void *context) MUST_USE;
/* The engine is read between these two. Never across anything that waits. */
void exchange_enter(struct exchange *x);
void exchange_leave(struct exchange *x);

#endif
