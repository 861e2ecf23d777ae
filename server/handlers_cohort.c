/* handlers_cohort.c: pages of people, and the cohorts themselves. */
#include "handlers.h"
#include "problem.h"

enum { PAGE_NUMBERS_MAX = 1000 };

/* ---- pages of people ------------------------------------------------------------------------ */

/* The members from "total" on; the same for a cohort and for everybody. */
static void write_page(struct exchange *x, uint32_t cohort, const struct paging *paging,
                       struct json_writer *json)
{
    uint32_t numbers[PAGE_NUMBERS_MAX];
    uint64_t total = 0;
    uint32_t next = 0;
    size_t count = engine_page(x->engine, cohort, paging->by_cursor, paging->from, paging->limit,
                               numbers, &total, &next);
    json_member_u64(json, "total", total);
    json_member_u64(json, "limit", paging->limit);
    if (!paging->by_cursor) {
        json_member_u64(json, "offset", paging->from);
    }
    json_key(json, "users");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        engine_write_user(x->engine, numbers[i], x->expand, json);
    }
    json_array_end(json);
    json_key(json, "next_cursor");
    if (next != 0) {
        json_u64(json, next);
    } else {
        json_null(json);
    }
}

void handle_users(struct exchange *x)
{
    struct paging paging;
    if (!read_paging(x, &paging) || !read_expand(x)) {
        return;
    }
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    write_page(x, COHORT_NONE, &paging, json);
    json_object_end(json);
    reply_end(x);
}

static uint32_t find_cohort(struct exchange *x, struct slice name)
{
    const struct cohorts *cohorts = engine_cohorts(x->engine);
    uint32_t id = cohorts_find(cohorts, name);
    if (id != COHORT_NONE) {
        return id;
    }
    struct slice near = cohorts_nearest(cohorts, name);
    if (near.data != NULL) {
        problem_reply(x, 404, "cohort_unknown",
                      "There is no cohort '%.*s'. Did you mean '%.*s'? GET /api/cohorts lists all.",
                      SLICE_ARGS(name), SLICE_ARGS(near));
    } else {
        problem_reply(x, 404, "cohort_unknown",
                      "There is no cohort '%.*s'. GET /api/cohorts lists all.", SLICE_ARGS(name));
    }
    return COHORT_NONE;
}

void handle_cohort_users(struct exchange *x)
{
    struct paging paging;
    struct slice name = query_get(&x->query, "cohort");
    if (name.data == NULL || name.length == 0) {
        problem_reply(x, 400, "cohort_missing",
                      "Say which: ?cohort=NAME. GET /api/cohorts lists all.");
        return;
    }
    if (!read_paging(x, &paging) || !read_expand(x)) {
        return;
    }
    uint32_t cohort = find_cohort(x, name);
    if (cohort == COHORT_NONE) {
        return;
    }
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_member_string(
        json, "cohort",
        cohort_definition_name(cohorts_definition(engine_cohorts(x->engine), cohort)));
    write_page(x, cohort, &paging, json);
    json_object_end(json);
    reply_end(x);
}

/* ---- cohorts -------------------------------------------------------------------------------- */

void handle_cohorts(struct exchange *x)
{
    const struct cohorts *cohorts = engine_cohorts(x->engine);
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_key(json, "cohorts");
    json_array_begin(json);
    for (uint32_t rank = 0; rank < cohorts_count(cohorts); rank++) {
        engine_write_cohort(x->engine, cohorts_at(cohorts, rank), false, json);
    }
    json_array_end(json);
    json_object_end(json);
    reply_end(x);
}

void handle_cohort_get(struct exchange *x)
{
    uint32_t cohort = find_cohort(x, x->name);
    if (cohort != COHORT_NONE) {
        engine_write_cohort(x->engine, cohort, true, reply_json(x, 200));
        reply_end(x);
    }
}

static void put_done(struct exchange *x, struct submission *submission)
{
    if (submission_failed(x, submission)) {
        return;
    }
    exchange_enter(x);
    uint32_t cohort = find_cohort(x, submission->name);
    if (cohort != COHORT_NONE) {
        engine_write_cohort(x->engine, cohort, true,
                            reply_json(x, submission->created ? 201 : 200));
        reply_end(x);
    }
    exchange_leave(x);
}

void handle_cohort_put(struct exchange *x)
{
    struct submission *submission = make_submission(x, SUBMIT_COHORT_PUT);
    if (submission != NULL) {
        submission->name = x->name;
        submission->body = x->body;
        exchange_submit(x, submission, put_done);
    }
}

static void delete_done(struct exchange *x, struct submission *submission)
{
    if (!submission_failed(x, submission)) {
        reply_begin(x, 204, NULL);
        reply_end_without_body(x);
    }
}

void handle_cohort_delete(struct exchange *x)
{
    struct submission *submission = make_submission(x, SUBMIT_COHORT_DELETE);
    if (submission != NULL) {
        submission->name = x->name;
        exchange_submit(x, submission, delete_done);
    }
}

/* ---- GET /api/classify
 * ------------------------------------------------------------------------------ */

static const char *method_name(uint8_t method)
{
    switch (method) {
    case RULE_EXACT: return "exact";
    case RULE_WILDCARD: return "wildcard";
    case RULE_TYPO: return "typo";
    default: return "unknown";
    }
}

void handle_classify(struct exchange *x)
{
    enum { PHRASE_BYTES_MAX = 1024 };
    struct slice phrase = query_get(&x->query, "phrase");
    if (phrase.data == NULL || phrase.length == 0 || phrase.length > PHRASE_BYTES_MAX) {
        problem_reply(x, 400, "phrase_missing", "Say what: ?phrase=, 1 to 1,024 bytes.");
        return;
    }
    const struct cohorts *cohorts = engine_cohorts(x->engine);
    struct rule_hit hits[RULE_HITS_MAX];
    size_t count = cohorts_match_phrase(cohorts, phrase, hits);
    struct json_writer *json = reply_json(x, 200);
    json_object_begin(json);
    json_member_string(json, "phrase", phrase);
    json_key(json, "cohorts");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        const struct cohort_definition *definition = cohorts_definition(cohorts, hits[i].cohort);
        json_object_begin(json);
        json_member_string(json, "cohort", cohort_definition_name(definition));
        json_key(json, "confidence");
        /* A float's own digits (0.95), not those of the double it becomes. */
        json_double(json, (double)(int)(hits[i].confidence * 10000.0f + 0.5f) / 10000.0);
        json_member_cstr(json, "decided_by", "rule");
        json_member_cstr(json, "method", method_name(hits[i].method));
        json_member_string(json, "pattern",
                           cohorts_pattern_text(cohorts, hits[i].cohort, hits[i].pattern));
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
    reply_end(x);
}
