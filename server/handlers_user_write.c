/* handlers_user_write.c: corrections and erasures. */
#include <stdio.h>

#include "handlers.h"
#include "ingest/json_reader.h"
#include "problem.h"
#include "worker.h"

/* Whom the query names; PERSON_NONE when it has been answered. Enters the gate itself. */
uint32_t find_person(struct exchange *x)
{
    struct engine_key key;
    bool by_id = false;
    if (!user_key(x, &key, &by_id)) {
        return PERSON_NONE;
    }
    exchange_enter(x);
    uint32_t number =
        by_id ? engine_find_id(x->engine, key.value) : engine_find(x->engine, key.type, key.value);
    exchange_leave(x);
    if (number == PERSON_NONE) {
        user_unknown(x);
    }
    return number;
}

/* ---- PATCH ---------------------------------------------------------------------------------- */

static void patch_done(struct exchange *x, struct submission *submission)
{
    if (submission->err == ERR_CONFLICT) {
        problem_from_error_as(x, 412, &submission->error);
        return;
    }
    if (submission_failed(x, submission)) {
        return;
    }
    char id[24];
    int length = snprintf(id, sizeof id, "p%u", submission->number);
    exchange_enter(x);
    /* Since the patch was applied the person may have been merged, or erased. */
    uint32_t number = engine_find_id(x->engine, slice_of(id, (size_t)length));
    if (number == PERSON_NONE) {
        /* Not user_unknown: whoever read in between has seen the correction. */
        problem_reply(x, 404, "user_erased",
                      "The correction was applied, and the person was erased right after it.");
    } else {
        reply_user(x, number);
    }
    exchange_leave(x);
}

/* So that their cohorts are there when the answer is. What is wrong with the patch the commit
 * says. */
static void offer_interests(struct exchange *x)
{
    enum { TEXTS_MAX = 64 };
    struct slice texts[TEXTS_MAX];
    size_t count = 0;
    struct json_document *document = NULL;
    if (json_read(x->body, &document, NULL) != ERR_OK) {
        return;
    }
    json_value list = json_get(json_root(document), "interests");
    if (json_type(list) == JSON_ARRAY) {
        for (struct json_iterator i = json_iterate(list); count < TEXTS_MAX && json_next(&i);) {
            struct slice text = slice_trim(json_text(i.value));
            texts[count] = text;
            count += text.length > 0;
        }
    }
    phrases_in_offer(x->worker, x->engine, texts, count);
    json_document_destroy(document);
}

void handle_user_patch(struct exchange *x)
{
    if (x->body.length == 0) {
        problem_reply(
            x, 400, "body_missing",
            "A PATCH needs a JSON merge patch as its body: {\"location\": {\"city\": null}}.");
        return;
    }
    uint32_t number = find_person(x);
    struct submission *submission = number != PERSON_NONE ? make_submission(x, SUBMIT_PATCH) : NULL;
    if (submission == NULL) {
        return;
    }
    submission->number = number;
    submission->body = x->body;
    submission->source = SLICE_LITERAL("steward");
    struct slice condition = x->request.fields[HEADER_IF_MATCH];
    /* "*" asks only that there is such a person, which has been seen. */
    submission->if_match = slice_equal_cstr(condition, "*") ? SLICE_NONE : condition;
    offer_interests(x);
    exchange_submit(x, submission, patch_done);
}

/* ---- DELETE --------------------------------------------------------------------------------- */

static void delete_done(struct exchange *x, struct submission *submission)
{
    if (submission_failed(x, submission)) {
        return;
    }
    char location[64];
    snprintf(location, sizeof location, "/api/erasures/%llu",
             (unsigned long long)submission->first_sequence);
    reply_begin(x, 202, "application/json");
    reply_header(x, "Location", slice_from_cstr(location));
    struct json_writer *json = reply_body(x);
    json_object_begin(json);
    json_member_cstr(json, "status", "erasing");
    json_member_u64(json, "erasure_id", submission->first_sequence);
    json_object_end(json);
    reply_end(x);
}

void handle_user_delete(struct exchange *x)
{
    uint32_t number = find_person(x);
    struct submission *submission = number != PERSON_NONE ? make_submission(x, SUBMIT_ERASE) : NULL;
    if (submission != NULL) {
        submission->number = number;
        exchange_submit(x, submission, delete_done);
    }
}

void handle_erasure_get(struct exchange *x)
{
    uint64_t sequence = 0;
    struct engine_erasure erasure;
    if (!path_sequence(x, &sequence)) {
        return;
    }
    if (!engine_erasure_status(x->engine, sequence, &erasure)) {
        problem_reply(x, 404, "erasure_unknown", "There is no erasure of this number.");
        return;
    }
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_member_u64(json, "erasure_id", erasure.sequence);
    json_member_cstr(json, "status", erasure.done_at_us != 0 ? "done" : "erasing");
    json_member_timestamp(json, "requested_at", erasure.requested_at_us);
    if (erasure.done_at_us != 0) {
        json_member_timestamp(json, "done_at", erasure.done_at_us);
    }
    json_member_u64(json, "entries", erasure.entries);
    json_object_end(json);
    reply_end(x);
}
