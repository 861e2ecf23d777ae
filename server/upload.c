#include "upload.h"

#include "base/memory.h"
#include "commands/store.h"
#include "connection.h"
#include "engine/intake.h"
#include "handlers.h"
#include "problem.h"

enum { UPLOAD_IN_FLIGHT_MAX = 2 };

struct upload {
    struct exchange *x;
    struct connection *connection;
    struct intake *intake;
    struct completion slots[UPLOAD_IN_FLIGHT_MAX]; /* free while .submission is NULL */
    unsigned in_flight;
    struct submission *unsent; /* found the queue full */
    bool sent_any;
    bool ended; /* the body's last bytes were fed */
    bool answered;
    struct error refusal; /* .err: feeding failed by no fault of the client's */
};

/* ---- batches to the writer and back
 * ----------------------------------------------------------------- */

static void batch_resume(struct completion *completion)
{
    struct connection *connection = completion->connection;
    struct upload *upload = connection->upload;
    struct submission *submission = completion->submission;
    completion->submission = NULL;
    upload->in_flight--;
    intake_give_back(upload->intake, submission);
    /* The completion may have been the last thing that kept a closed connection in memory. */
    if (!connection_completed(connection) || upload->x->reply.complete) {
        return;
    }
    upload_retry(upload);
}

static struct completion *free_slot(struct upload *upload)
{
    for (size_t i = 0; i < UPLOAD_IN_FLIGHT_MAX; i++) {
        if (upload->slots[i].submission == NULL) {
            return &upload->slots[i];
        }
    }
    return NULL;
}

static err send_batch(struct upload *upload, struct submission *submission)
{
    struct completion *slot = free_slot(upload);
    CHECK(slot != NULL);
    struct connection *connection = upload->connection;
    phrases_in_offer_records(connection->worker, upload->x->engine, submission);
    *slot = (struct completion){.worker = connection->worker,
                                .connection = connection,
                                .submission = submission,
                                .resume = batch_resume};
    submission->owner = slot;
    submission->done = completion_done;
    connection->in_flight++;
    upload->in_flight++;
    err e = writer_submit(connection->worker->server->writer, submission);
    if (e != ERR_OK) {
        connection->in_flight--;
        upload->in_flight--;
        slot->submission = NULL;
    }
    return e;
}

static void wait_for_room(struct upload *upload)
{
    struct connection *connection = upload->connection;
    if (!connection->starved) {
        connection->starved = true;
        connection->next_starved = connection->worker->starved;
        connection->worker->starved = connection;
    }
}

static bool send_or_wait(struct upload *upload, struct submission *submission)
{
    err e = send_batch(upload, submission);
    if (e == ERR_OK) {
        upload->sent_any = true;
        return true;
    }
    if (e == ERR_BUSY && upload->sent_any) {
        upload->unsent = submission;
        wait_for_room(upload);
        return false;
    }
    submission->err = error_set(
        &submission->error, e, err_name(e), 0,
        e == ERR_BUSY
            ? "The queue of writes is full; nothing of this body was taken. Try again in a moment."
            : "The server is stopping; try again in a moment.");
    intake_give_back(upload->intake, submission);
    return false;
}

/* Hands out what is ready while there are slots. */
static void pump(struct upload *upload)
{
    struct connection *connection = upload->connection;
    while (upload->refusal.err == ERR_OK && upload->in_flight < UPLOAD_IN_FLIGHT_MAX) {
        if (upload->unsent == NULL && intake_state(upload->intake) == INTAKE_WORKING &&
            !worker_has_time(connection->worker)) {
            worker_go_on_later(connection);
            return;
        }
        struct submission *submission =
            upload->unsent != NULL ? upload->unsent : intake_take(upload->intake);
        upload->unsent = NULL;
        if (submission == NULL) {
            /* One step of a long piece is done (a bomb inflates in many): other connections have
             * their turn. */
            if (intake_state(upload->intake) == INTAKE_WORKING) {
                worker_go_on_later(connection);
            }
            return;
        }
        if (!send_or_wait(upload, submission)) {
            return;
        }
    }
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void answer(struct upload *upload)
{
    struct exchange *x = upload->x;
    struct error error = {0};
    if (!upload->ended) {
        /* The rest of the body is still on its way; it will be dropped. */
        x->close_after = true;
    }
    upload->answered = true;
    if (upload->refusal.err != ERR_OK) {
        problem_from_error(x, &upload->refusal);
    } else if (intake_failure(upload->intake, &error) != ERR_OK) {
        problem_from_error(x, &error);
    } else {
        reply_begin(x, intake_answer_status(upload->intake), "application/json");
        intake_write_answer(upload->intake, reply_body(x));
        reply_end(x);
    }
}

static void finish_if_done(struct upload *upload)
{
    struct error error = {0};
    bool failed = upload->refusal.err != ERR_OK || intake_failure(upload->intake, &error) != ERR_OK;
    bool over = failed || intake_state(upload->intake) == INTAKE_DONE;
    if (!upload->answered && over && upload->in_flight == 0 && upload->unsent == NULL) {
        answer(upload);
    }
}

/* Nothing more goes to the writer; an answer follows as soon as nothing is out. */
static void refuse_memory(struct upload *upload)
{
    upload->refusal.err = error_set(
        &upload->refusal, ERR_MEMORY, "memory_full", 0, "%s%s", exchange_memory_detail,
        upload->sent_any ? " A part of this body was taken: send it again with its Idempotency-Key."
                         : "");
    if (upload->unsent != NULL) {
        struct submission *unsent = upload->unsent;
        upload->unsent = NULL;
        unsent->err = unsent->error.err = ERR_MEMORY;
        intake_give_back(upload->intake, unsent);
    }
    atomic_fetch_add_explicit(&upload->connection->worker->server->memory.refused, 1,
                              memory_order_relaxed);
}

void upload_refuse_memory(struct upload *upload)
{
    if (upload->answered || upload->refusal.err != ERR_OK) {
        return;
    }
    refuse_memory(upload);
    finish_if_done(upload);
    if (upload->answered) {
        connection_answered(upload->connection);
    }
}

/* ---- calls of the connection
 * -------------------------------------------------------------------------- */

bool upload_feed(struct upload *upload, struct slice bytes, bool last)
{
    if (upload->answered) {
        return true;
    }
    if (upload->refusal.err == ERR_OK && exchange_memory_full(upload->x)) {
        refuse_memory(upload);
    }
    if (upload->refusal.err != ERR_OK) {
        finish_if_done(upload);
        return upload->answered;
    }
    if (!upload_wants_bytes(upload)) {
        return false;
    }
    if (bytes.length > 0 && !worker_has_time(upload->connection->worker)) {
        worker_go_on_later(upload->connection);
        return false;
    }
    struct error error = {0};
    err e = intake_feed(upload->intake, bytes, last, &error);
    if (e == ERR_BUSY) {
        return false;
    }
    upload->ended = last;
    if (err_class(e) != ERR_CLASS_NONE && err_class(e) != ERR_CLASS_CLIENT) {
        upload->refusal = error;
        upload->refusal.err = e;
    }
    pump(upload);
    finish_if_done(upload);
    return true;
}

bool upload_wants_bytes(const struct upload *upload)
{
    return upload->unsent == NULL && intake_state(upload->intake) == INTAKE_HUNGRY;
}

bool upload_answered(const struct upload *upload)
{
    return upload->answered;
}

void upload_retry(struct upload *upload)
{
    struct connection *connection = upload->connection;
    if (upload->answered || upload->x->reply.complete) {
        return;
    }
    pump(upload);
    finish_if_done(upload);
    if (upload->answered) {
        connection_answered(connection);
    }
    connection_resume(connection);
}

void upload_destroy(struct upload *upload)
{
    if (upload == NULL) {
        return;
    }
    CHECK(upload->in_flight == 0);
    if (upload->unsent != NULL) {
        upload->unsent->err = ERR_STOPPING;
        intake_give_back(upload->intake, upload->unsent);
    }
    intake_destroy(upload->intake);
    memory_free(upload);
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* "POST /api/ingest <key>": the same key on another route is another key. */
static struct slice scoped_key(struct exchange *x)
{
    struct slice key = x->request.fields[HEADER_IDEMPOTENCY_KEY];
    if (key.data == NULL) {
        return SLICE_NONE;
    }
    struct buffer text;
    buffer_init(&text, 1024);
    buffer_append_cstr(&text, "POST /api/ingest ");
    buffer_append_slice(&text, key);
    struct slice kept = arena_copy(x->arena, buffer_slice(&text));
    buffer_deinit(&text);
    return kept;
}

static bool read_options(struct exchange *x, struct intake_options *options)
{
    enum { KEY_MAX = 255 };
    struct slice key = x->request.fields[HEADER_IDEMPOTENCY_KEY];
    if (key.data != NULL && (key.length == 0 || key.length > KEY_MAX)) {
        problem_reply(x, 400, "idempotency_key_invalid",
                      "Idempotency-Key must have 1 to 255 characters.");
        return false;
    }
    options->source = query_get(&x->query, "source");
    if (options->source.length > LOG_SOURCE_MAX) {
        problem_reply(x, 400, "source_invalid", "The source's name may have at most %d bytes.",
                      LOG_SOURCE_MAX);
        return false;
    }
    if (options->source.data == NULL) {
        options->source = SLICE_LITERAL("api");
    }
    struct error error;
    uint64_t errors = 0;
    if (query_get_u64(&x->query, "errors", 1, INTAKE_ERRORS_MAX, INTAKE_ERRORS_DEFAULT, &errors,
                      &error) != ERR_OK) {
        problem_from_error(x, &error);
        return false;
    }
    options->errors_max = (size_t)errors;
    options->idempotency_key = scoped_key(x);
    options->durability = durability_word(x->worker->server->options.durability);
    options->hint = content_hint_of(x->request.fields[HEADER_CONTENT_TYPE]);
    struct slice mapping = query_get(&x->query, "mapping");
    exchange_enter(x);
    options->settings = engine_settings(x->engine);
    if (mapping.data != NULL) {
        options->mapping = engine_mapping(x->engine, mapping, &options->mapping_sequence);
    }
    exchange_leave(x);
    if (mapping.data != NULL && options->mapping == NULL) {
        problem_reply(x, 400, "mapping_unknown",
                      "There is no mapping of this name; PUT /api/mappings/{name} makes one, "
                      "GET /api/mappings lists them.");
        return false;
    }
    return true;
}

struct upload *upload_begin(struct exchange *x)
{
    struct intake_options options = {0};
    if (!read_options(x, &options)) {
        x->close_after |= x->request.has_body;
        return NULL;
    }
    struct upload *upload = memory_zalloc(sizeof *upload);
    if (upload != NULL) {
        upload->x = x;
        upload->connection = x->connection;
        upload->intake = intake_create(&options);
    }
    if (upload == NULL || upload->intake == NULL) {
        memory_free(upload);
        x->close_after |= x->request.has_body;
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return NULL;
    }
    x->connection->upload = upload;
    return upload;
}

/* The route's handler is never called: uploads go the way above. */
void handle_ingest(struct exchange *x)
{
    problem_reply(x, 500, "bug", "An upload was not streamed.");
}
