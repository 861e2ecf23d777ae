/* conversation.c: from a client's bytes to exchanges, in order; lookups in batches. */
#include "connection.h"
#include "handlers.h"
#include "problem.h"
#include "upload.h"

static uint64_t now_us(void)
{
    return (uint64_t)clock_monotonic_us(&system_clock);
}

static void exchange_init(struct exchange *x, struct connection *connection, struct arena *arena,
                          uint64_t started_us)
{
    struct worker *worker = connection->worker;
    memset(x, 0, offsetof(struct exchange, request));
    x->query.count = 0;
    x->worker = worker;
    x->connection = connection;
    x->arena = arena;
    x->out = &worker->out;
    x->started_us = started_us;
    x->request = connection->parser.request;
    x->close_after = !x->request.keep_alive ||
                     atomic_load_explicit(&worker->stopping, memory_order_relaxed) != 0;
}

static void count_answer(const struct exchange *x, uint64_t took_us)
{
    size_t index = x->route != NULL ? (size_t)(x->route - routes) : ROUTES_MAX;
    struct route_metrics *metrics = &x->worker->metrics.routes[index];
    counter_add(&metrics->by_class[x->reply.status / 100 % 6], 1);
    histogram_add(&metrics->latency_us, histogram_bounds_us, took_us, 1);
}

void connection_answered(struct connection *connection)
{
    struct exchange *x = &connection->exchange;
    CHECK(x->reply.complete);
    count_answer(x, now_us() - x->started_us);
    connection->close_after = x->close_after;
    connection->phase = CONNECTION_HEAD;
    connection->deadline_kind = DEADLINE_NONE;
    buffer_deinit(&connection->body);
    if (connection->in_flight == 0) {
        upload_destroy(connection->upload);
        connection->upload = NULL;
        arena_deinit(&connection->arena);
    }
}

void conversation_refuse(struct connection *connection, uint16_t status, const char *code,
                         const char *detail)
{
    struct exchange *x = &connection->exchange;
    if (connection->phase == CONNECTION_HEAD) {
        exchange_init(x, connection, &connection->arena, now_us());
        /* What was parsed of this head is not to be relied on. */
        memset(&x->request, 0, sizeof x->request);
    }
    if (x->reply.complete) {
        return;
    }
    x->close_after = true;
    problem_reply(x, status, code, "%s", detail);
    connection_answered(connection);
}

static void refuse_malformed(struct connection *connection)
{
    const struct http_parser *parser = &connection->parser;
    conversation_refuse(connection, parser->status, parser->code, parser->detail);
}

/* ---- batches of lookups
 * ----------------------------------------------------------------------------
 *
 * Lookups are gathered: from one client's pipeline, and from all clients whose bytes came in one
 * turn of the loop. Then they are looked up together (a random person is a chain of cache misses;
 * many chains at a time cost little more than one), written under one hold of the gate, and
 * sent. */

static bool is_lookup(const struct http_request *request)
{
    static const char path[] = "/api/user";
    return !request->has_body &&
           (request->method == METHOD_GET || request->method == METHOD_HEAD) &&
           request->path.length == sizeof path - 1 &&
           memcmp(request->path.data, path, sizeof path - 1) == 0;
}

/* Checks each request and reads its key; refusals are written aside, so that the answers keep their
 * order. */
static size_t prepare_batch(struct worker *worker, struct engine_key *keys)
{
    size_t lookups = 0;
    for (size_t i = 0; i < worker->batch_count; i++) {
        struct exchange *x = &worker->batch[i];
        x->out = &worker->aside;
        if (exchange_check(x) && user_key(x, &x->key, &x->by_id)) {
            x->out = &worker->answers;
            if (!x->by_id) {
                keys[lookups++] = x->key;
            }
        } else {
            x->refused = true;
            x->aside_end = worker->aside.length;
        }
    }
    return lookups;
}

static void answer_one(struct exchange *x, const uint32_t *found, size_t *next_found)
{
    struct worker *worker = x->worker;
    if (x->refused) {
        buffer_append(&worker->answers, worker->aside.data + x->reply.start,
                      x->aside_end - x->reply.start);
        return;
    }
    x->person = x->by_id ? engine_find_id(x->engine, x->key.value) : found[(*next_found)++];
    x->route->handle(x);
    CHECK(x->reply.complete);
}

static void write_answers(struct worker *worker)
{
    struct engine_key keys[WORKER_BATCH_MAX];
    uint32_t found[WORKER_BATCH_MAX];
    size_t lookups = prepare_batch(worker, keys);
    size_t next_found = 0;
    struct engine *engine = atomic_load_explicit(&worker->server->engine, memory_order_acquire);
    gate_enter(worker->server->gate, worker->index);
    if (lookups == 1) {
        found[0] = engine_find(engine, keys[0].type, keys[0].value);
    } else if (lookups > 1) {
        engine_find_many(engine, keys, lookups, found);
    }
    for (size_t i = 0; i < worker->batch_count; i++) {
        answer_one(&worker->batch[i], found, &next_found);
        worker->batch[i].aside_end = worker->answers.length;
        /* Memory is out and an answer is missing: no later one may take its place. */
        worker->batch[i].close_after |= worker->answers.failed;
    }
    gate_leave(worker->server->gate, worker->index);
    counter_add(&worker->metrics.lookups_batched, lookups);
}

void conversation_answer_gathered(struct worker *worker, const struct connection *current)
{
    if (worker->batch_count == 0) {
        return;
    }
    write_answers(worker);
    uint64_t answered_us = now_us();
    uint64_t took_us = answered_us - worker->batch[0].started_us;
    worker->looked_up_us = (int64_t)answered_us;
    size_t count = worker->batch_count;
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        struct exchange *x = &worker->batch[i];
        struct connection *connection = x->connection;
        count_answer(x, took_us);
        connection->close_after |= x->close_after;
        if (i + 1 < count && worker->batch[i + 1].connection == connection) {
            continue;
        }
        connection->gathered = false;
        connection->deadline_kind = DEADLINE_NONE;
        struct slice answers = slice_of(worker->answers.data + sent, x->aside_end - sent);
        sent = x->aside_end;
        if (connection == current) {
            /* Behind what it was answered earlier in this turn. */
            buffer_append_slice(&worker->out, answers);
        } else {
            /* `out` belongs to `current`, whose lookups are always the last ones gathered. */
            CHECK(worker->out.length == 0);
            connection_send(connection, answers);
            connection_settle(connection);
        }
    }
    worker->batch_count = 0;
    buffer_clear(&worker->answers);
    buffer_clear(&worker->aside);
    arena_reset(&worker->arena);
    if (worker->answers.capacity > 4 * WORKER_FLUSH_BYTES) {
        buffer_deinit(&worker->answers);
    }
}

/* ---- everything else, one at a time
 * ----------------------------------------------------------------- */

static struct slice moved(struct slice slice, const char *from, const char *to)
{
    if (slice.data != NULL) {
        slice.data = to + (slice.data - from);
    }
    return slice;
}

/* The exchange outlives the bytes it was read from: its head is copied. */
static bool keep_head(struct exchange *x, const char *head, size_t length)
{
    struct slice copy = arena_copy(x->arena, slice_of(head, length));
    if (copy.data == NULL) {
        return false;
    }
    x->request.path = moved(x->request.path, head, copy.data);
    x->request.query = moved(x->request.query, head, copy.data);
    for (int i = 0; i < HEADER_COUNT; i++) {
        x->request.fields[i] = moved(x->request.fields[i], head, copy.data);
    }
    return true;
}

static void run_handler(struct connection *connection)
{
    struct exchange *x = &connection->exchange;
    if (x->route->flags & ROUTE_GATED) {
        exchange_enter(x);
        x->route->handle(x);
        exchange_leave(x);
    } else {
        x->route->handle(x);
    }
    if (x->pending) {
        connection->phase = CONNECTION_WAITING;
        return;
    }
    connection_answered(connection);
}

static bool check_body(struct exchange *x)
{
    const struct http_request *request = &x->request;
    struct slice coding = request->fields[HEADER_CONTENT_ENCODING];
    if (x->route->body_max_bytes == 0) {
        problem_reply(x, 400, "body_unexpected", "This request takes no body.");
        return false;
    }
    if (request->content_length > x->route->body_max_bytes) {
        problem_reply(x, 413, "body_too_large", "The body may have at most %llu bytes here.",
                      (unsigned long long)x->route->body_max_bytes);
        return false;
    }
    bool packed =
        coding.data != NULL && !slice_equal_ignoring_case(coding, SLICE_LITERAL("identity"));
    bool can_unpack = slice_equal_ignoring_case(coding, SLICE_LITERAL("gzip")) ||
                      slice_equal_ignoring_case(coding, SLICE_LITERAL("zstd"));
    if (packed && !(can_unpack && x->route->flags & ROUTE_STREAM)) {
        problem_reply(x, 415, "content_encoding_unknown",
                      "This Content-Encoding is not understood here%s.",
                      x->route->flags & ROUTE_STREAM ? "; gzip and zstd are" : "");
        return false;
    }
    return true;
}

static void begin_body(struct connection *connection, bool body_is_here)
{
    struct exchange *x = &connection->exchange;
    connection->window_bytes = 0;
    if (x->route->flags & ROUTE_STREAM) {
        connection->upload = upload_begin(x);
        if (connection->upload == NULL) {
            connection_answered(connection);
            return;
        }
        connection->phase = CONNECTION_UPLOAD;
    } else {
        buffer_init(&connection->body, x->route->body_max_bytes);
        connection->phase = CONNECTION_BODY;
    }
    if (x->request.expects_continue && !body_is_here) {
        buffer_append_cstr(&connection->worker->out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
}

/* A request without a body to a streaming route is an upload of nothing. */
static void begin_empty_upload(struct connection *connection)
{
    struct exchange *x = &connection->exchange;
    connection->upload = upload_begin(x);
    if (connection->upload == NULL) {
        connection_answered(connection);
        return;
    }
    connection->phase = CONNECTION_WAITING;
    (void)upload_feed(connection->upload, SLICE_LITERAL(""), true);
    if (upload_answered(connection->upload)) {
        connection_answered(connection);
    }
}

static void begin_exchange(struct connection *connection, const char *head, size_t length,
                           bool body_is_here)
{
    struct exchange *x = &connection->exchange;
    exchange_init(x, connection, &connection->arena, now_us());
    bool has_body = x->request.has_body;
    bool kept_alive = x->close_after;
    /* Until the body is known to be wanted, an answer ends the connection: what follows would be
     * the body. */
    x->close_after |= has_body;
    if (!keep_head(x, head, length)) {
        x->close_after = true;
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        connection_answered(connection);
    } else if (!exchange_check(x) || (has_body && !check_body(x))) {
        connection_answered(connection);
    } else if (has_body) {
        x->close_after = kept_alive;
        begin_body(connection, body_is_here);
    } else if (x->route->flags & ROUTE_STREAM) {
        begin_empty_upload(connection);
    } else {
        run_handler(connection);
    }
}

/* ---- taking bytes --------------------------------------------------------------------------- */

/* Heads, until one of them needs more than a lookup. True when there may be more to take. */
static bool take_heads(struct connection *connection, char *data, size_t length, size_t *used)
{
    struct worker *worker = connection->worker;
    uint64_t started_us = worker->batch_count > 0 ? worker->batch[0].started_us : now_us();
    size_t at = 0;
    size_t head = 0;
    bool lookup = true;
    bool last = false;
    enum http_event event = EVENT_HEAD;
    while (worker->batch_count < WORKER_BATCH_MAX && !last) {
        event = http_parser_next(&connection->parser, data + at, length - at, &head);
        lookup = event == EVENT_HEAD && is_lookup(&connection->parser.request);
        if (!lookup) {
            break;
        }
        struct exchange *x = &worker->batch[worker->batch_count++];
        exchange_init(x, connection, &worker->arena, started_us);
        x->route = route_of_lookups;
        connection->gathered = true;
        last = x->close_after;
        at += head;
    }
    *used = at;
    if (event == EVENT_NEED_MORE && at == length && connection->may_gather) {
        return false;
    }
    /* What follows is not for a batch, or there is no more room: everything gathered is answered
     * first. */
    conversation_answer_gathered(worker, connection);
    if (event == EVENT_ERROR) {
        refuse_malformed(connection);
        return false;
    }
    if (event == EVENT_HEAD && !lookup) {
        *used = at + head;
        begin_exchange(connection, data + at, head, length > at + head);
        return true;
    }
    return event == EVENT_HEAD;
}

static bool take_body(struct connection *connection, char *data, size_t length, size_t *used)
{
    enum http_event event = http_parser_next(&connection->parser, data, length, used);
    if (event == EVENT_ERROR) {
        refuse_malformed(connection);
        return false;
    }
    if (event == EVENT_NEED_MORE) {
        return false;
    }
    if (exchange_memory_full(&connection->exchange)) {
        connection->exchange.close_after = true;
        exchange_refuse_memory(&connection->exchange);
        connection_answered(connection);
        return false;
    }
    buffer_append_slice(&connection->body, connection->parser.body);
    if (connection->body.failed) {
        const uint64_t max_bytes = connection->exchange.route->body_max_bytes;
        connection->exchange.close_after = true;
        if (connection->body.length + connection->parser.body.length > max_bytes) {
            problem_reply(&connection->exchange, 413, "body_too_large",
                          "The body may have at most %llu bytes here.",
                          (unsigned long long)max_bytes);
        } else {
            problem_reply(&connection->exchange, 507, "out_of_memory",
                          "There was no memory for this request.");
        }
        connection_answered(connection);
        return false;
    }
    if (event == EVENT_END) {
        connection->exchange.body = buffer_slice(&connection->body);
        run_handler(connection);
    }
    return true;
}

/* One piece into the upload; false: it could not take it now. */
static bool feed_upload(struct connection *connection, struct slice piece, bool last)
{
    if (!upload_feed(connection->upload, piece, last)) {
        return false;
    }
    if (last && !upload_answered(connection->upload)) {
        connection->phase = CONNECTION_WAITING;
    }
    if (upload_answered(connection->upload)) {
        connection_answered(connection);
    }
    return true;
}

static bool take_upload(struct connection *connection, char *data, size_t length, size_t *used)
{
    if (connection->decoded > 0 || connection->body_ended) {
        size_t decoded = connection->decoded;
        if (!feed_upload(connection, slice_of(data, decoded), connection->body_ended)) {
            return false;
        }
        *used = decoded;
        connection->decoded = 0;
        connection->body_ended = false;
        return true;
    }
    enum http_event event = http_parser_next(&connection->parser, data, length, used);
    if (event == EVENT_ERROR) {
        refuse_malformed(connection);
        return false;
    }
    if (event == EVENT_NEED_MORE) {
        return false;
    }
    size_t decoded = connection->parser.body.length;
    if (feed_upload(connection, connection->parser.body, event == EVENT_END)) {
        return true;
    }
    /* Not now: the decoded bytes stay, moved up against what follows them. */
    *used -= decoded;
    memmove(data + *used, data, decoded);
    connection->decoded = decoded;
    connection->body_ended = event == EVENT_END;
    return false;
}

size_t conversation_take(struct connection *connection, char *data, size_t length)
{
    size_t at = 0;
    bool more = data != NULL;
    while (more && !connection->closing && connection->writes == 0 && !connection->close_after) {
        size_t used = 0;
        switch (connection->phase) {
        case CONNECTION_HEAD: more = take_heads(connection, data + at, length - at, &used); break;
        case CONNECTION_BODY: more = take_body(connection, data + at, length - at, &used); break;
        case CONNECTION_UPLOAD:
            more = take_upload(connection, data + at, length - at, &used);
            break;
        case CONNECTION_WAITING: more = false; break;
        case CONNECTION_LINGER: return length;
        }
        at += used;
        if (connection->worker->out.length >= WORKER_FLUSH_BYTES) {
            connection_flush(connection);
        }
    }
    return connection->close_after || connection->closing ? length : at;
}
