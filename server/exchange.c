/* exchange.c: what is checked before a handler runs, in this order: is the engine there? is the
 * Host ours? is there such a route? may this key call it? is the query well-formed and known? */
#include "connection.h"
#include "handlers.h"
#include "problem.h"
#include "server.h"

/* ---- protection of a server without keys
 * ----------------------------------------------------------- */

/* The host of "localhost:8080", "[::1]:8080", "127.0.0.1". */
static struct slice host_part(struct slice authority)
{
    if (authority.length > 0 && authority.data[0] == '[') {
        const char *close = memchr(authority.data, ']', authority.length);
        return close == NULL ? authority
                             : slice_of(authority.data + 1, (size_t)(close - authority.data) - 1);
    }
    struct slice rest = authority;
    return slice_cut(&rest, ':');
}

static bool is_loopback_name(struct slice host)
{
    return slice_equal_cstr(host, "127.0.0.1") || slice_equal_cstr(host, "::1") ||
           slice_equal_ignoring_case(host, SLICE_LITERAL("localhost"));
}

static bool is_loopback_origin(struct slice origin)
{
    if (slice_starts_with(origin, SLICE_LITERAL("http://"))) {
        return is_loopback_name(host_part(slice_of(origin.data + 7, origin.length - 7)));
    }
    return false;
}

/* Without keys everybody on this machine may call, but no web page of somebody else's that this
 * machine's browser shows: neither by a name that resolves to 127.0.0.1 (DNS rebinding) nor by a
 * form sent across origins. */
static bool check_local(struct exchange *x)
{
    struct slice host = x->request.fields[HEADER_HOST];
    struct slice origin = x->request.fields[HEADER_ORIGIN];
    if (host.data != NULL && !is_loopback_name(host_part(host))) {
        problem_reply(
            x, 403, "host_denied",
            "A server without keys answers to localhost, 127.0.0.1 and [::1] only. Use one of these names, "
            "or make a key with `kindred key create`.");
        return false;
    }
    if (origin.data != NULL && !is_loopback_origin(origin)) {
        problem_reply(
            x, 403, "origin_denied",
            "A server without keys does not answer web pages of other origins. Make a key with `kindred "
            "key create`.");
        return false;
    }
    return true;
}

/* ---- keys ----------------------------------------------------------------------------------- */

enum { KEY_CACHE_MS = 1000 };

static enum role role_of(struct exchange *x, const struct keys *keys)
{
    struct connection *connection = x->connection;
    struct slice token = keys_bearer(x->request.fields[HEADER_AUTHORIZATION]);
    uint64_t now_ms = uv_now(&x->worker->loop);
    if (token.data == NULL) {
        return ROLE_NONE;
    }
    if (connection->key_role != ROLE_NONE && connection->key_generation == keys->generation &&
        now_ms < connection->key_until_ms &&
        slice_equal(token, slice_of(connection->key_text, connection->key_length))) {
        /* The client knew these bytes before; comparing them in any time tells nothing new. */
        return connection->key_role;
    }
    enum role role = keys_role(keys, token, clock_wall_us(&system_clock));
    connection->key_role = role;
    if (role != ROLE_NONE) {
        memcpy(connection->key_text, token.data, token.length);
        connection->key_length = token.length;
        connection->key_generation = keys->generation;
        connection->key_until_ms = now_ms + KEY_CACHE_MS;
    }
    return role;
}

static bool check_key(struct exchange *x)
{
    struct server *server = x->worker->server;
    enum scope scope = x->route->scope;
    if (scope == SCOPE_PUBLIC ||
        !atomic_load_explicit(&server->keys_required, memory_order_relaxed)) {
        return true;
    }
    enum role role = role_of(x, atomic_load_explicit(&server->keys, memory_order_acquire));
    if (role == ROLE_NONE) {
        problem_reply(
            x, 401, "key_invalid",
            "This server needs a key: send 'Authorization: Bearer kd_…' (`kindred key create` makes one).");
        return false;
    }
    if (!scope_allows(scope, role)) {
        problem_reply(
            x, 403, "key_role", "A key of role '%s' may not call this; it needs the role '%s'%s.",
            role_name(role), scope_name(scope), scope == SCOPE_ADMIN ? "" : " or 'admin'");
        return false;
    }
    return true;
}

/* ---- route and query ------------------------------------------------------------------------ */

static bool check_route(struct exchange *x)
{
    bool path_known = false;
    struct slice name = SLICE_NONE;
    if (x->route != NULL) {
        return true;
    }
    x->route = routes_find(x->request.method, x->request.path, &name, &path_known);
    if (x->route == NULL && path_known) {
        problem_reply(x, 405, "method_not_allowed", "This path has other methods; see Allow.");
        return false;
    }
    if (x->route == NULL) {
        problem_reply(x, 404, "path_unknown",
                      "There is no such path. /openapi.json lists all of them.");
        return false;
    }
    if (name.data != NULL && percent_decode(x->arena, name, false, &x->name, NULL) != ERR_OK) {
        problem_reply(x, 400, "path_encoding",
                      "The path holds a '%%' without two hexadecimal digits behind it, a NUL, "
                      "or bytes that are not UTF-8.");
        return false;
    }
    return true;
}

/* Remembers what kind of identifier it is: user_key refuses more than one. */
static bool names_identifier(struct exchange *x, struct slice name)
{
    if (!(x->route->flags & ROUTE_IDENTIFIER)) {
        return false;
    }
    uint8_t type = 0;
    bool typed = settings_identifier_type(engine_settings(x->engine), name, &type);
    bool known = typed || slice_equal_cstr(name, "id");
    if (known && !user_option(name)) {
        x->key.type = type;
        x->by_id = !typed;
    }
    return known;
}

static bool parameter_is_known(struct exchange *x, struct slice name)
{
    if (names_identifier(x, name)) {
        return true;
    }
    struct slice rest =
        x->route->parameters != NULL ? slice_from_cstr(x->route->parameters) : SLICE_NONE;
    while (rest.data != NULL) {
        if (slice_equal(slice_cut(&rest, ','), name)) {
            return true;
        }
    }
    return false;
}

static bool check_query(struct exchange *x)
{
    struct error error = {0};
    if (query_parse(x->arena, x->request.query, x->route->parameters, &x->query, &error) !=
        ERR_OK) {
        problem_from_error(x, &error);
        return false;
    }
    for (size_t i = 0; i < x->query.count; i++) {
        if (!parameter_is_known(x, x->query.parameters[i].name)) {
            problem_reply(
                x, 400, "parameter_unknown", "There is no parameter '%.*s' here; it takes: %s%s%s.",
                SLICE_ARGS(x->query.parameters[i].name),
                x->route->flags & ROUTE_IDENTIFIER
                    ? "one identifier (cookie, email, phone, user_id, device_id, "
                      "id, or a configured one)"
                    : "",
                x->route->flags & ROUTE_IDENTIFIER && x->route->parameters != NULL ? ", " : "",
                x->route->parameters != NULL         ? x->route->parameters
                : x->route->flags & ROUTE_IDENTIFIER ? ""
                                                     : "none");
            return false;
        }
    }
    return true;
}

static bool check_started(struct exchange *x)
{
    struct server *server = x->worker->server;
    x->engine = atomic_load_explicit(&server->engine, memory_order_acquire);
    if (x->engine != NULL || x->route->flags & ROUTE_WHILE_STARTING) {
        return true;
    }
    problem_reply(x, 503, "starting",
                  "The server is recovering its state; /readyz shows the progress.");
    return false;
}

bool exchange_memory_full(const struct exchange *x)
{
    return x->route != NULL && x->route->flags & ROUTE_ADDS &&
           memory_cap_level(&x->worker->server->memory) != MEMORY_FINE;
}

const char exchange_memory_detail[] =
    "The server's memory is at its cap (--memory-max): nothing more is taken in until there is room; "
    "reads, erasures and deletions go on.";

void exchange_refuse_memory(struct exchange *x)
{
    atomic_fetch_add_explicit(&x->worker->server->memory.refused, 1, memory_order_relaxed);
    problem_reply(x, 507, "memory_full", "%s", exchange_memory_detail);
}

static bool check_memory(struct exchange *x)
{
    if (exchange_memory_full(x)) {
        exchange_refuse_memory(x);
        return false;
    }
    return true;
}

bool exchange_check(struct exchange *x)
{
    struct server *server = x->worker->server;
    x->query.count = 0;
    if (!check_route(x)) {
        return false;
    }
    if (!atomic_load_explicit(&server->keys_required, memory_order_relaxed) && !check_local(x)) {
        return false;
    }
    return check_key(x) && check_started(x) && check_query(x) && check_memory(x);
}

/* ---- the engine ----------------------------------------------------------------------------- */

void exchange_enter(struct exchange *x)
{
    gate_enter(x->worker->server->gate, x->worker->index);
}

void exchange_leave(struct exchange *x)
{
    gate_leave(x->worker->server->gate, x->worker->index);
}

/* An answer that comes in a later turn of the loop. */
static void go_on(struct connection *connection, void (*step)(struct exchange *x, void *context),
                  void *context)
{
    struct exchange *x = &connection->exchange;
    x->pending = false;
    step(x, context);
    if (!x->pending) {
        CHECK(x->reply.complete);
        connection_answered(connection);
    }
    connection_resume(connection);
}

struct waiting {
    struct completion completion;
    void (*step)(struct exchange *x, void *context);
    void (*gone)(void *context);
    void *context;
};

static void waiting_resume(struct completion *completion)
{
    struct waiting *waiting = (struct waiting *)completion;
    struct connection *connection = completion->connection;
    /* It lies in the connection's arena, which may go with the connection. */
    struct waiting own = *waiting;
    if (connection->closing && own.gone != NULL) {
        own.gone(own.context);
    }
    if (connection_completed(connection)) {
        go_on(connection, own.step, own.context);
    }
}

struct completion *exchange_wait(struct exchange *x,
                                 void (*step)(struct exchange *x, void *context),
                                 void (*gone)(void *context), void *context)
{
    CHECK(x == &x->connection->exchange);
    struct waiting *waiting = arena_zalloc(x->arena, sizeof *waiting);
    if (waiting == NULL) {
        if (gone != NULL) {
            gone(context);
        }
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return NULL;
    }
    *waiting = (struct waiting){
        .completion = {.worker = x->worker, .connection = x->connection, .resume = waiting_resume},
        .step = step,
        .gone = gone,
        .context = context};
    x->connection->in_flight++;
    x->pending = true;
    return &waiting->completion;
}

void exchange_again(struct exchange *x, void (*step)(struct exchange *x, void *context),
                    void (*gone)(void *context), void *context)
{
    struct completion *completion = exchange_wait(x, step, gone, context);
    if (completion != NULL) {
        completion_push(completion);
    }
}

struct operation {
    struct completion completion;
    void (*finish)(struct exchange *x, struct submission *submission);
};

static void operation_finish(struct exchange *x, void *context)
{
    struct operation *operation = context;
    operation->finish(x, operation->completion.submission);
}

static void operation_resume(struct completion *completion)
{
    struct operation *operation = (struct operation *)completion;
    struct connection *connection = completion->connection;
    if (!connection_completed(connection)) {
        return;
    }
    go_on(connection, operation_finish, operation);
}

void exchange_submit(struct exchange *x, struct submission *submission,
                     void (*finish)(struct exchange *x, struct submission *submission))
{
    CHECK(x == &x->connection->exchange);
    struct operation *operation = arena_zalloc(x->arena, sizeof *operation);
    if (operation == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return;
    }
    operation->completion = (struct completion){.worker = x->worker,
                                                .connection = x->connection,
                                                .submission = submission,
                                                .resume = operation_resume};
    operation->finish = finish;
    submission->done = completion_done;
    submission->owner = &operation->completion;
    x->connection->in_flight++;
    err e = writer_submit(x->worker->server->writer, submission);
    if (e == ERR_OK) {
        x->pending = true;
        return;
    }
    x->connection->in_flight--;
    problem_reply(x, problem_status(e), err_name(e),
                  e == ERR_BUSY ? "The queue of writes is full; try again in a moment."
                                : "The server is stopping; try again in a moment.");
}
