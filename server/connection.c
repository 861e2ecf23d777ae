#include "connection.h"

#include "base/memory.h"
#include "problem.h"
#include "upload.h"

enum { LINGER_MS = 2000, READ_AHEAD_BYTES = 64 * 1024, ARENA_BYTES_MAX = 64 * 1024 * 1024 };

static void go_on(struct connection *connection);

static uint64_t now_ms(const struct connection *connection)
{
    return uv_now(&connection->worker->loop);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void unlink_from_worker(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        worker->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    worker_forget_busy(worker, connection);
    for (struct connection **link = &worker->starved; *link != NULL;
         link = &(*link)->next_starved) {
        if (*link == connection) {
            *link = connection->next_starved;
            break;
        }
    }
}

/* Freed when the handle is closed and nothing of this connection is in the writer's hands. */
static bool free_if_done(struct connection *connection)
{
    if (!connection->closed || connection->in_flight > 0) {
        return false;
    }
    struct worker *worker = connection->worker;
    unlink_from_worker(connection);
    upload_destroy(connection->upload);
    buffer_deinit(&connection->input);
    buffer_deinit(&connection->body);
    arena_deinit(&connection->arena);
    memory_free(connection);
    worker_connection_gone(worker);
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = (struct connection *)handle;
    connection->closed = true;
    (void)free_if_done(connection);
}

void connection_close(struct connection *connection)
{
    if (!connection->closing) {
        connection->closing = true;
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
    }
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)request;
    (void)status;
}

/* Everything is sent. Our FIN goes out; the client's remaining bytes are read and dropped for a
 * while, because closing with unread bytes would send a reset that can overtake the answer. */
static void begin_linger(struct connection *connection)
{
    connection->close_after = false;
    connection->phase = CONNECTION_LINGER;
    buffer_deinit(&connection->input);
    connection->decoded = 0;
    if (connection->end_of_input ||
        uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shutdown) != 0) {
        connection_close(connection);
    }
}

/* ---- sending -------------------------------------------------------------------------------- */

/* What the kernel did not take at once. */
struct write {
    uv_write_t request;
    struct connection *connection;
    char bytes[];
};

static void on_written(uv_write_t *request, int status)
{
    struct write *write = (struct write *)request;
    struct connection *connection = write->connection;
    memory_free(write);
    connection->writes--;
    if (status < 0) {
        connection_close(connection);
    } else if (!connection->closing && connection->writes == 0) {
        go_on(connection);
    }
}

static void send_later(struct connection *connection, const char *rest, size_t length)
{
    struct write *write = memory_alloc(sizeof *write + length);
    if (write == NULL) {
        connection_close(connection);
        return;
    }
    write->connection = connection;
    memcpy(write->bytes, rest, length);
    uv_buf_t bytes = uv_buf_init(write->bytes, (unsigned)length);
    if (uv_write(&write->request, (uv_stream_t *)&connection->tcp, &bytes, 1, on_written) != 0) {
        memory_free(write);
        connection_close(connection);
        return;
    }
    connection->writes++;
    connection->unsent_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
}

void connection_send(struct connection *connection, struct slice answers)
{
    size_t done = 0;
    if (answers.length == 0 || connection->closing) {
        return;
    }
    counter_add(&connection->worker->metrics.bytes_out, answers.length);
    if (connection->writes == 0) {
        /* libuv does not write to what it sends. */
        uv_buf_t bytes = {.base = (char *)(uintptr_t)answers.data, .len = answers.length};
        int sent = uv_try_write((uv_stream_t *)&connection->tcp, &bytes, 1);
        if (sent < 0 && sent != UV_EAGAIN) {
            connection_close(connection);
            return;
        }
        done = sent < 0 ? 0 : (size_t)sent;
    }
    if (done < answers.length) {
        send_later(connection, answers.data + done, answers.length - done);
    }
}

void connection_flush(struct connection *connection)
{
    struct worker *worker = connection->worker;
    struct buffer *out = &worker->out;
    connection_send(connection, buffer_slice(out));
    buffer_clear(out);
    if (out->capacity > 4 * WORKER_FLUSH_BYTES) {
        buffer_deinit(out);
    }
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct connection *connection = (struct connection *)handle;
    if (connection->input.length == 0) {
        *out = uv_buf_init(worker_read_room(connection->worker), WORKER_READ_BYTES);
        return;
    }
    char *room = buffer_reserve(&connection->input, READ_AHEAD_BYTES);
    *out = uv_buf_init(room, room != NULL ? READ_AHEAD_BYTES : 0);
}

static void on_input_ended(struct connection *connection, bool cleanly)
{
    if (connection->gathered) {
        conversation_answer_gathered(connection->worker, NULL);
    }
    if (connection->closing) {
        return;
    }
    if (!cleanly || connection->phase == CONNECTION_LINGER) {
        connection_close(connection);
        return;
    }
    connection->end_of_input = true;
    connection_settle(connection);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct connection *connection = (struct connection *)stream;
    struct worker *worker = connection->worker;
    if (got == 0) {
        return;
    }
    if (got < 0) {
        on_input_ended(connection, got == UV_EOF);
        return;
    }
    size_t length = (size_t)got;
    counter_add(&worker->metrics.bytes_in, length);
    connection->window_bytes += length;
    worker->unsampled_bytes += length;
    if (worker->unsampled_bytes >= MEMORY_CAP_READ_BYTES) {
        worker->unsampled_bytes = 0;
        memory_cap_sample(&worker->server->memory);
    }
    if (connection->input.length > 0) {
        buffer_commit(&connection->input, length);
        go_on(connection);
        return;
    }
    connection->may_gather = true;
    size_t used = conversation_take(connection, buffer->base, length);
    connection->may_gather = false;
    if (connection->gathered) {
        /* Answered at the end of this turn; till then its bytes stay. */
        CHECK(used == length);
        worker->read_used += length;
        connection_flush(connection);
        return;
    }
    if (used < length) {
        buffer_append(&connection->input, buffer->base + used, length - used);
        if (connection->input.failed) {
            connection_close(connection);
        }
    }
    connection_settle(connection);
}

static void go_on(struct connection *connection)
{
    if (connection->closing) {
        buffer_clear(&connection->worker->out);
        return;
    }
    /* An answer that was waited for leaves before lookups of other clients, gathered in this turn,
     * are answered with ours. */
    connection_flush(connection);
    /* An upload may have its last piece to hand in although no byte is left. */
    char nothing[1];
    struct buffer *input = &connection->input;
    size_t used =
        conversation_take(connection, input->data != NULL ? input->data : nothing, input->length);
    if (!connection->closing) {
        buffer_consume(input, used);
        connection_settle(connection);
    }
}

/* ---- what to do next ------------------------------------------------------------------------ */

static bool wants_bytes(const struct connection *connection)
{
    if (connection->writes > 0 || connection->end_of_input) {
        return false;
    }
    if (connection->phase == CONNECTION_UPLOAD &&
        (connection->decoded > 0 || connection->body_ended ||
         !upload_wants_bytes(connection->upload))) {
        return false;
    }
    return connection->input.length <= CONNECTION_INPUT_MAX - READ_AHEAD_BYTES;
}

static void set_reading(struct connection *connection)
{
    bool wants = wants_bytes(connection);
    if (wants && !connection->reading) {
        connection->reading =
            uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) == 0;
    } else if (!wants && connection->reading) {
        (void)uv_read_stop((uv_stream_t *)&connection->tcp);
        connection->reading = false;
    }
}

static enum deadline_kind kind_of_deadline(const struct connection *connection)
{
    if (connection->writes > 0) {
        return DEADLINE_WRITE;
    }
    switch (connection->phase) {
    case CONNECTION_HEAD:
        return http_parser_idle(&connection->parser) ? DEADLINE_IDLE : DEADLINE_HEAD;
    case CONNECTION_BODY:
    case CONNECTION_UPLOAD: return DEADLINE_BODY;
    case CONNECTION_LINGER: return DEADLINE_LINGER;
    case CONNECTION_WAITING: break;
    }
    return DEADLINE_NONE;
}

static uint64_t time_allowed_ms(const struct connection *connection, enum deadline_kind kind)
{
    const struct server_options *options = &connection->worker->server->options;
    switch (kind) {
    case DEADLINE_IDLE: return options->idle_timeout_ms;
    case DEADLINE_HEAD: return options->header_timeout_ms;
    case DEADLINE_BODY: return options->body_timeout_ms;
    case DEADLINE_WRITE: return options->write_timeout_ms;
    case DEADLINE_LINGER: return LINGER_MS;
    case DEADLINE_NONE: break;
    }
    return UINT64_MAX / 2;
}

static void set_deadline(struct connection *connection)
{
    enum deadline_kind kind = kind_of_deadline(connection);
    if (kind != connection->deadline_kind || kind == DEADLINE_IDLE) {
        connection->deadline_kind = kind;
        connection->deadline_ms = now_ms(connection) + time_allowed_ms(connection, kind);
    }
}

static bool nothing_can_follow(const struct connection *connection)
{
    bool reads = connection->phase == CONNECTION_HEAD || connection->phase == CONNECTION_BODY ||
                 (connection->phase == CONNECTION_UPLOAD && connection->decoded == 0 &&
                  !connection->body_ended);
    return connection->end_of_input && reads;
}

/* After every event: send, then decide whether to read, to wait or to end. */
void connection_settle(struct connection *connection)
{
    connection_flush(connection);
    if (connection->closing) {
        return;
    }
    if (connection->writes == 0) {
        if (connection->close_after) {
            begin_linger(connection);
        } else if (nothing_can_follow(connection)) {
            connection_close(connection);
        }
    }
    if (connection->closing) {
        return;
    }
    if (connection->input.length == 0) {
        buffer_deinit(&connection->input);
    }
    set_reading(connection);
    set_deadline(connection);
}

void connection_resume(struct connection *connection)
{
    go_on(connection);
}

bool connection_completed(struct connection *connection)
{
    CHECK(connection->in_flight > 0);
    connection->in_flight--;
    if (free_if_done(connection)) {
        return false;
    }
    return !connection->closing;
}

/* ---- deadlines ------------------------------------------------------------------------------ */

static void renew(struct connection *connection)
{
    connection->window_bytes = 0;
    connection->deadline_ms =
        now_ms(connection) + time_allowed_ms(connection, connection->deadline_kind);
}

static void time_out(struct connection *connection, const char *detail)
{
    conversation_refuse(connection, 408, "timeout", detail);
    connection_settle(connection);
}

/* Memory is at its cap: gives back what this client holds of it. */
static void shed(struct connection *connection, uint64_t now)
{
    enum { PATIENCE_MS = 1000 };
    struct worker *worker = connection->worker;
    bool body_under_way =
        connection->phase == CONNECTION_BODY || connection->phase == CONNECTION_UPLOAD;
    if (body_under_way && exchange_memory_full(&connection->exchange)) {
        if (connection->phase == CONNECTION_UPLOAD) {
            upload_refuse_memory(connection->upload);
        } else {
            exchange_refuse_memory(&connection->exchange);
            connection->exchange.close_after = true;
            connection_answered(connection);
        }
        connection_settle(connection);
        return;
    }
    size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    uint64_t waited_ms = now + worker->server->options.write_timeout_ms - connection->deadline_ms;
    if (memory_cap_level(&worker->server->memory) == MEMORY_OVER && unsent > 0 &&
        connection->deadline_kind == DEADLINE_WRITE && unsent >= connection->unsent_bytes &&
        waited_ms >= PATIENCE_MS) {
        connection_close(connection);
        counter_add(&worker->metrics.connections_timed_out, 1);
    }
}

void connection_sweep(struct connection *connection, uint64_t now)
{
    if (!connection->closing &&
        memory_cap_level(&connection->worker->server->memory) != MEMORY_FINE) {
        shed(connection, now);
    }
    if (connection->closing || now < connection->deadline_ms) {
        return;
    }
    struct worker *worker = connection->worker;
    size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    switch (connection->deadline_kind) {
    case DEADLINE_HEAD: time_out(connection, "The request's head did not arrive in time."); break;
    case DEADLINE_BODY:
        /* Held back by ourselves, or coming along: that is no slow client. */
        if (!connection->reading || connection->window_bytes >= CONNECTION_BODY_WINDOW_BYTES) {
            renew(connection);
            return;
        }
        time_out(connection, "The request's body came too slowly.");
        break;
    case DEADLINE_WRITE:
        if (unsent < connection->unsent_bytes) {
            connection->unsent_bytes = unsent;
            renew(connection);
            return;
        }
        connection_close(connection);
        break;
    case DEADLINE_IDLE:
    case DEADLINE_LINGER: connection_close(connection); break;
    case DEADLINE_NONE: return;
    }
    counter_add(&worker->metrics.connections_timed_out, 1);
}

void connection_wind_up(struct connection *connection)
{
    if (!connection->closing && connection->writes == 0 && connection->phase == CONNECTION_HEAD &&
        http_parser_idle(&connection->parser)) {
        connection_close(connection);
    }
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void refuse_crowd(struct connection *connection)
{
    conversation_refuse(connection, 503, "too_many_connections",
                        "Too many connections are open; try again in a moment.");
    connection_settle(connection);
}

void connection_accept(struct worker *worker)
{
    struct connection *connection = memory_zalloc(sizeof *connection);
    worker->accept_pending = connection == NULL;
    if (connection == NULL) {
        return;
    }
    connection->worker = worker;
    (void)uv_tcp_init(&worker->loop, &connection->tcp);
    http_parser_init(&connection->parser);
    buffer_init(&connection->input, CONNECTION_INPUT_MAX + READ_AHEAD_BYTES);
    arena_init(&connection->arena, ARENA_BYTES_MAX);
    connection->next = worker->connections;
    if (worker->connections != NULL) {
        worker->connections->previous = connection;
    }
    worker->connections = connection;
    worker->connection_count++;
    atomic_store_explicit(&worker->metrics.connections_open, worker->connection_count,
                          memory_order_relaxed);
    if (uv_accept((uv_stream_t *)&worker->listener, (uv_stream_t *)&connection->tcp) != 0) {
        connection_close(connection);
        return;
    }
    counter_add(&worker->metrics.connections_accepted, 1);
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    if (worker->connection_count > worker->connections_max + worker->refused_max) {
        counter_add(&worker->metrics.connections_refused, 1);
        connection_close(connection);
    } else if (worker->connection_count > worker->connections_max) {
        counter_add(&worker->metrics.connections_refused, 1);
        refuse_crowd(connection);
    } else {
        connection_settle(connection);
    }
}
