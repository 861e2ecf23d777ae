/* intake.c: the flow of batches.
 *
 *   free ─▶ filling ─▶ (held, when keyed) ─▶ ready ─▶ out ─▶ free
 *
 * A batch is full by content: INTAKE_BATCH_RECORDS records or INTAKE_BATCH_BYTES bytes. What waits
 * for what:
 *   - a record waits for a free batch; nothing is cut meanwhile, so memory stays where it is
 *   - keyed: a full batch waits until the next one has a record (then it is not the last)
 *   - keyed: the last batch waits until all others came back, because the answer it carries counts them */
#include "engine/intake.h"

#include <stdio.h>

#include "base/memory.h"
#include "ingest/limits.h"
#include "intake_internal.h"

static const size_t BATCH_KEEP_BYTES = 4 * 1024 * 1024; /* of a batch's arena, from use to use */
static const size_t ANSWER_BYTES_MAX = 8 * 1024 * 1024;

enum { BATCHES_MIN = 3 };

/* ---- birth and end --------------------------------------------------------------------------- */

static struct slice keep_text(char *to, size_t room, struct slice text)
{
    CHECK(text.length <= room);
    if (text.data == NULL) {
        return SLICE_NONE;
    }
    memcpy(to, text.data, text.length);
    return slice_of(to, text.length);
}

static void set_options(struct intake *intake, const struct intake_options *options)
{
    struct intake_options *own = &intake->options;
    *own = *options;
    own->source = keep_text(intake->source, sizeof intake->source, options->source);
    own->idempotency_key = keep_text(intake->key, sizeof intake->key, options->idempotency_key);
    if (own->durability == NULL) {
        own->durability = "fsync";
    }
    if (own->errors_max == 0) {
        own->errors_max = INTAKE_ERRORS_DEFAULT;
    } else if (own->errors_max > INTAKE_ERRORS_MAX) {
        own->errors_max = INTAKE_ERRORS_MAX;
    }
    if (own->batches_max == 0) {
        own->batches_max = INTAKE_BATCHES_DEFAULT;
    } else if (own->batches_max < BATCHES_MIN) {
        own->batches_max = BATCHES_MIN;
    }
}

struct intake *intake_create(const struct intake_options *options)
{
    struct intake *intake = memory_zalloc(sizeof *intake);
    if (intake == NULL) {
        return NULL;
    }
    set_options(intake, options);
    buffer_init(&intake->header_bytes, CSV_HEADER_BYTES_MAX + 1);
    buffer_init(&intake->answer, ANSWER_BYTES_MAX);
    report_init(&intake->errors, intake->options.errors_max);
    report_init(&intake->warnings, intake->options.errors_max);
    intake->stream =
        intake_stream_create(options->hint, RECORD_BYTES_DEFAULT, options->body_max_bytes);
    intake->batches = memory_zalloc(intake->options.batches_max * sizeof *intake->batches);
    if (intake->stream == NULL || intake->batches == NULL) {
        intake_destroy(intake);
        return NULL;
    }
    if (options->mapping != NULL) {
        intake_stream_set_delimiter(intake->stream, mapping_delimiter(options->mapping));
    }
    return intake;
}

void intake_destroy(struct intake *intake)
{
    if (intake == NULL) {
        return;
    }
    CHECK(intake->out_count == 0);
    for (size_t i = 0; i < intake->batches_used; i++) {
        arena_deinit(&intake->batches[i].arena);
    }
    memory_free(intake->batches);
    intake_stream_destroy(intake->stream);
    if (intake->header != NULL) {
        csv_header_destroy(intake->header);
    }
    buffer_deinit(&intake->header_bytes);
    buffer_deinit(&intake->answer);
    report_deinit(&intake->errors);
    report_deinit(&intake->warnings);
    memory_free(intake);
}

/* ---- batches --------------------------------------------------------------------------------- */

static bool batch_available(const struct intake *intake)
{
    return intake->free != NULL || intake->batches_used < intake->options.batches_max;
}

static struct batch *batch_begin(struct intake *intake)
{
    struct batch *batch = intake->free;
    if (batch != NULL) {
        intake->free = batch->next;
    } else {
        batch = &intake->batches[intake->batches_used++];
        arena_init(&batch->arena, INTAKE_BATCH_MEMORY_MAX);
        batch->arena.keep_bytes = BATCH_KEEP_BYTES;
    }
    struct arena arena = batch->arena;
    *batch = (struct batch){.arena = arena, .number = ++intake->batches_made};
    return batch;
}

static void batch_free(struct intake *intake, struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    arena_reset(&batch->arena);
    batch->next = intake->free;
    intake->free = batch;
}

static void drop_unsent(struct intake *intake)
{
    batch_free(intake, intake->filling);
    batch_free(intake, intake->held);
    while (intake->ready_first != NULL) {
        struct batch *batch = intake->ready_first;
        intake->ready_first = batch->next;
        batch_free(intake, batch);
    }
    intake->filling = intake->held = intake->ready_last = NULL;
}

static void fail(struct intake *intake, err e, const char *code, const char *message)
{
    if (intake->failure.err == ERR_OK) {
        (void)error_set(&intake->failure, e, code, 0, "%s", message);
    }
}

static void fail_memory(struct intake *intake)
{
    fail(intake, ERR_MEMORY, "memory", "Out of memory; try again later.");
}

/* Counts a batch whose records are durable. */
static void settle(struct intake *intake, const struct batch *batch, bool repeated)
{
    intake->tally.accepted += batch->accepted;
    intake->tally.cleansed += batch->cleansed;
    intake->tally.quarantined += batch->quarantined;
    intake->tally.repeated += repeated ? batch->records : 0;
}

static void make_ready(struct intake *intake, struct batch *batch)
{
    struct submission *s = &batch->submission;
    s->kind = SUBMIT_RECORDS;
    s->drafts = batch->drafts;
    s->draft_count = batch->draft_count;
    s->source = intake->options.source;
    if (intake->options.idempotency_key.data != NULL) {
        char key[INTAKE_KEY_MAX + 32];
        int length =
            snprintf(key, sizeof key, "%.*s#%llu", SLICE_ARGS(intake->options.idempotency_key),
                     (unsigned long long)batch->number);
        s->idempotency_key = arena_copy(&batch->arena, slice_of(key, (size_t)length));
        /* A shorter body whose batches are a prefix of the first one's must not pass for it. */
        s->fingerprint = batch->fingerprint ^ (batch->last ? UINT64_MAX : 0);
        if (s->idempotency_key.data == NULL) {
            fail_memory(intake);
        }
    }
    batch->next = NULL;
    if (intake->ready_first == NULL) {
        intake->ready_first = batch;
    } else {
        intake->ready_last->next = batch;
    }
    intake->ready_last = batch;
}

/* The filling batch is full, or the body is complete. */
static void batch_close(struct intake *intake)
{
    struct batch *batch = intake->filling;
    intake->filling = NULL;
    if (batch == NULL) {
        return;
    }
    if (batch->number <= intake->options.skip_batches) {
        settle(intake, batch, true);
        batch_free(intake, batch);
    } else if (intake->options.idempotency_key.data == NULL) {
        make_ready(intake, batch);
    } else {
        if (intake->held != NULL) {
            make_ready(intake, intake->held);
        }
        intake->held = batch;
    }
}

/* Keyed, and nothing else is under way: the last batch takes the answer with it. */
static void release_last(struct intake *intake)
{
    if (!intake->ended || intake->held == NULL || intake->out_count > 0 ||
        intake->ready_first != NULL || intake->failure.err != ERR_OK) {
        return;
    }
    struct batch *batch = intake->held;
    intake->held = NULL;
    batch->last = true;
    struct json_writer json = json_writer_of(&intake->answer);
    answer_write(intake, batch, &json);
    intake->answer_status = answer_status(intake, batch);
    if (intake->answer.failed) {
        fail_memory(intake);
    }
    batch->submission.answer = buffer_slice(&intake->answer);
    batch->submission.answer_status = intake->answer_status;
    make_ready(intake, batch);
}

/* ---- the flow -------------------------------------------------------------------------------- */

/* The pending split finds its batch. False when there is none free. */
static bool place_split(struct intake *intake)
{
    const struct split *split = &intake->split;
    struct batch *batch = intake->filling;
    if (batch != NULL && batch->records > 0 &&
        (batch->records >= INTAKE_BATCH_RECORDS ||
         batch->bytes + draft_bytes(intake, batch, split) > INTAKE_BATCH_BYTES)) {
        batch_close(intake);
        batch = NULL;
    }
    if (batch == NULL) {
        if (!batch_available(intake)) {
            return false;
        }
        batch = intake->filling = batch_begin(intake);
    }
    intake->split_pending = false;
    intake->tally.records++;
    if (draft_split(intake, batch, split) != ERR_OK) {
        fail_memory(intake);
    }
    return true;
}

static void end_body(struct intake *intake)
{
    intake->ended = true;
    batch_close(intake);
}

static void refuse_body(struct intake *intake, const struct error *error)
{
    if (error->err == ERR_MEMORY) {
        fail_memory(intake);
        return;
    }
    intake->input_error = *error;
    end_body(intake);
}

static void take_header(struct intake *intake)
{
    struct error error = {0};
    if (intake->header != NULL) {
        csv_header_destroy(intake->header);
        intake->header = NULL;
    }
    buffer_clear(&intake->header_bytes);
    buffer_append_slice(&intake->header_bytes, intake->split.bytes);
    err e = csv_header_parse(intake->split.bytes, &intake->header, &error);
    if (e == ERR_OK && intake->header_bytes.failed) {
        bool large = intake->split.bytes.length > intake->header_bytes.max_bytes;
        e = large ? error_set(&error, ERR_TOO_LARGE, "csv_header_too_large", 0,
                              "The header line has more than %d bytes.", CSV_HEADER_BYTES_MAX)
                  : ERR_MEMORY;
        csv_header_destroy(intake->header);
    }
    if (e != ERR_OK) {
        intake->header = NULL;
        error.err = e;
        refuse_body(intake, &error);
    }
}

/* Makes batches of what was fed, until it is used up, no batch is free, or the step is over. */
static void pump(struct intake *intake)
{
    int64_t budget_bytes = INTAKE_STEP_BYTES;
    intake->working = false;
    while (!intake->ended && intake->failure.err == ERR_OK) {
        if (!intake->split_pending) {
            struct error error = {0};
            err e = intake_stream_next(intake->stream, &budget_bytes, &intake->split, &error);
            if (e == ERR_END && !intake_stream_hungry(intake->stream)) {
                end_body(intake);
            } else if (e == ERR_BUSY) {
                intake->working = true;
            } else if (e != ERR_OK && e != ERR_END) {
                refuse_body(intake, &error);
            }
            if (e != ERR_OK) {
                return;
            }
            if (intake->split.kind == SPLIT_HEADER) {
                take_header(intake);
                continue;
            }
            intake->split_pending = true;
        }
        if (!place_split(intake)) {
            return;
        }
    }
}

enum intake_state intake_state(const struct intake *intake)
{
    bool failed = intake->failure.err != ERR_OK;
    if (!failed && intake->ready_first != NULL) {
        return INTAKE_WORKING;
    }
    if (failed || (intake->ended && intake->held == NULL)) {
        return intake->out_count > 0 ? INTAKE_WAITING : INTAKE_DONE;
    }
    if (intake->ended) {
        return intake->out_count > 0 ? INTAKE_WAITING : INTAKE_WORKING;
    }
    if (intake->split_pending) {
        return batch_available(intake) ? INTAKE_WORKING : INTAKE_WAITING;
    }
    return intake->working ? INTAKE_WORKING : INTAKE_HUNGRY;
}

static err first_error(const struct intake *intake, struct error *error)
{
    const struct error *first =
        intake->failure.err != ERR_OK ? &intake->failure : &intake->input_error;
    if (error != NULL) {
        *error = *first;
    }
    return first->err;
}

err intake_feed(struct intake *intake, struct slice bytes, bool last, struct error *error)
{
    err e = first_error(intake, error);
    if (e != ERR_OK) {
        return e;
    }
    /* A ready batch does not hinder feeding: only unfinished input does. */
    if (intake->ended || intake->split_pending || intake->working) {
        return error_set(error, ERR_BUSY, "intake_busy", 0,
                         "Earlier bytes are still being worked on.");
    }
    intake_stream_feed(intake->stream, bytes, last);
    pump(intake);
    if (intake_stream_keep(intake->stream) != ERR_OK) {
        fail_memory(intake);
    }
    return first_error(intake, error);
}

struct submission *intake_take(struct intake *intake)
{
    if (intake->ready_first == NULL && (intake->split_pending || intake->working)) {
        pump(intake);
    }
    release_last(intake);
    if (intake->failure.err != ERR_OK || intake->ready_first == NULL) {
        return NULL;
    }
    struct batch *batch = intake->ready_first;
    intake->ready_first = batch->next;
    intake->out_count++;
    return &batch->submission;
}

void intake_give_back(struct intake *intake, struct submission *submission)
{
    struct batch *batch = (struct batch *)submission;
    CHECK(intake->out_count > 0);
    intake->out_count--;
    if (submission->err != ERR_OK) {
        if (intake->failure.err == ERR_OK) {
            intake->failure = submission->error;
            if (intake->failure.err != submission->err) {
                intake->failure = (struct error){0};
                fail(intake, submission->err, err_name(submission->err),
                     "The records could not be taken.");
            }
        }
    } else {
        settle(intake, batch, submission->repeated);
        if (submission->repeated && batch->last) {
            buffer_clear(&intake->answer);
            buffer_append(&intake->answer, submission->stored_answer,
                          submission->stored_answer_length);
            intake->answer_status = submission->stored_status;
        }
    }
    memory_free(submission->stored_answer);
    batch_free(intake, batch);
    if (intake->failure.err != ERR_OK) {
        drop_unsent(intake);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

size_t intake_out_count(const struct intake *intake)
{
    return intake->out_count;
}

uint64_t intake_batch_number(const struct submission *submission)
{
    return ((const struct batch *)submission)->number;
}

struct intake_tally intake_tally(const struct intake *intake)
{
    struct intake_tally tally = intake->tally;
    tally.bytes = intake_stream_bytes(intake->stream);
    return tally;
}

err intake_failure(const struct intake *intake, struct error *error)
{
    if (error != NULL) {
        *error = intake->failure;
    }
    return intake->failure.err;
}

err intake_input_error(const struct intake *intake, struct error *error)
{
    if (error != NULL) {
        *error = intake->input_error;
    }
    return intake->input_error.err;
}

void intake_on_reject(struct intake *intake, intake_reject visit, void *context)
{
    intake->reject = visit;
    intake->reject_context = context;
}
