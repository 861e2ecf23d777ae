/* handlers_interests.c: the interests most people have, of all or of those that mean nothing to
 * Kindred yet. Every phrase is looked at, in slices: a few hundred in one hold of the gate, a
 * millisecond in one turn of the loop. */
#include "handlers.h"
#include "judging.h"
#include "problem.h"
#include "worker.h"

enum { SLICE_US = 1000, IN_GATE = 512, WRITTEN_IN_GATE = 16, ANSWER_BYTES_MAX = 16 * 1024 * 1024 };

struct most_held {
    uint64_t holders;
    uint32_t id;
};

struct request {
    size_t limit;
    bool unclassified;
    struct unclassified_scan scan;            /* unclassified */
    uint32_t next;                            /* all: where the scan is */
    size_t count;                             /* found */
    struct most_held found[UNCLASSIFIED_MAX]; /* all: those with most holders first */
    size_t written;
    struct buffer text;
    struct json_writer json;
};

/* ---- all of them ---------------------------------------------------------------------------- */

static void keep(struct request *request, uint32_t id, uint64_t holders)
{
    struct most_held *found = request->found;
    if (request->count == request->limit && holders <= found[request->count - 1].holders) {
        return;
    }
    size_t at = request->count < request->limit ? request->count++ : request->count - 1;
    for (; at > 0 && found[at - 1].holders < holders; at--) {
        found[at] = found[at - 1];
    }
    found[at] = (struct most_held){holders, id};
}

/* False: that was the last. */
static bool scan_some(const struct engine *engine, struct request *request)
{
    struct engine_phrase phrase;
    for (size_t n = 0; n < IN_GATE; n++) {
        if (!engine_next_phrase(engine, &request->next, &phrase)) {
            return false;
        }
        keep(request, request->next - 1, bitmap_count(phrase.holders));
    }
    return true;
}

static void write_one(struct exchange *x, struct request *request, size_t at,
                      struct judgement *judgement)
{
    const struct classifier *classifier = x->worker->server->options.model.classifier;
    struct json_writer *json = &request->json;
    struct engine_phrase phrase;
    uint32_t id = request->found[at].id;
    /* Nobody may have it any more. */
    if (!engine_next_phrase(x->engine, &id, &phrase) || id != request->found[at].id + 1) {
        return;
    }
    judge_phrase(x->engine, classifier, phrase.phrase, phrase.verdict, true, judgement);
    json_object_begin(json);
    json_member_string(json, "phrase", phrase.phrase);
    json_member_u64(json, "holders", bitmap_count(phrase.holders));
    judgement_write(judgement, classifier, json);
    json_object_end(json);
}

static void write_some(struct exchange *x, struct request *request)
{
    struct judgement judgement;
    for (size_t n = 0; n < WRITTEN_IN_GATE && request->written < request->count; n++) {
        write_one(x, request, request->written++, &judgement);
    }
}

/* ---- those without topic and cohort --------------------------------------------------------- */

static bool write_unclassified(struct exchange *x, struct request *request)
{
    struct unclassified_phrase *found = arena_alloc(x->arena, (request->limit + 1) * sizeof *found);
    if (found == NULL) {
        return false;
    }
    size_t count = engine_unclassified_end(x->engine, &request->scan, x->arena, found);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(&request->json);
        json_member_string(&request->json, "phrase", found[i].phrase);
        json_member_u64(&request->json, "holders", found[i].holders);
        json_object_end(&request->json);
    }
    return true;
}

/* ---- slices --------------------------------------------------------------------------------- */

static void free_text(void *context)
{
    struct request *request = context;
    buffer_deinit(&request->text);
}

static void finish(struct exchange *x, struct request *request)
{
    struct engine_stats stats;
    exchange_enter(x);
    engine_stats(x->engine, &stats);
    exchange_leave(x);
    json_array_end(&request->json);
    json_member_u64(&request->json, "limit", request->limit);
    json_member_u64(&request->json, "pending", stats.phrases_pending);
    json_member_u64(&request->json, "total_phrases", stats.phrases);
    json_object_end(&request->json);
    if (request->text.failed) {
        problem_reply(x, 507, "out_of_memory",
                      "There was no memory for the answer. Ask for less at once (limit).");
    } else {
        json_raw(reply_json(x, 200), buffer_slice(&request->text));
        reply_end(x);
    }
    free_text(request);
}

/* Within one turn of the loop, as long as it lasts. True: `part` said that it is done. */
static bool repeat(struct exchange *x, struct request *request,
                   bool (*part)(struct exchange *x, struct request *request))
{
    int64_t until_us = clock_monotonic_us(&system_clock) + SLICE_US;
    bool done = false;
    while (!done && clock_monotonic_us(&system_clock) < until_us) {
        exchange_enter(x);
        done = part(x, request);
        exchange_leave(x);
    }
    return done;
}

static bool write_part(struct exchange *x, struct request *request)
{
    if (request->unclassified) {
        request->text.failed |= !write_unclassified(x, request);
        return true;
    }
    write_some(x, request);
    return request->written == request->count;
}

static bool scan_part(struct exchange *x, struct request *request)
{
    return request->unclassified ? !engine_unclassified_step(x->engine, &request->scan, IN_GATE)
                                 : !scan_some(x->engine, request);
}

static void write_slice(struct exchange *x, void *context)
{
    if (repeat(x, context, write_part)) {
        finish(x, context);
    } else {
        exchange_again(x, write_slice, free_text, context);
    }
}

static void scan_slice(struct exchange *x, void *context)
{
    exchange_again(x, repeat(x, context, scan_part) ? write_slice : scan_slice, free_text, context);
}

void handle_interests(struct exchange *x)
{
    uint64_t limit = 0;
    struct error error = {0};
    bool unclassified = false;
    if (query_get_u64(&x->query, "limit", 1, UNCLASSIFIED_MAX, 100, &limit, &error) != ERR_OK) {
        problem_from_error(x, &error);
        return;
    }
    if (!read_flag(x, "unclassified", &unclassified)) {
        return;
    }
    struct request *request = arena_zalloc(x->arena, sizeof *request);
    if (request == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return;
    }
    request->limit = request->scan.limit = (size_t)limit;
    request->unclassified = unclassified;
    buffer_init(&request->text, ANSWER_BYTES_MAX);
    request->json = json_writer_of(&request->text);
    json_object_begin(&request->json);
    json_key(&request->json, "interests");
    json_array_begin(&request->json);
    scan_slice(x, request);
}
