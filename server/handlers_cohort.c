/* handlers_cohort.c: pages of people, and the cohorts themselves. */
#include "asking.h"
#include "engine/interests.h"
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
    uint32_t cohort = cohorts_find(engine_cohorts(x->engine), submission->name);
    if (cohort != COHORT_NONE) {
        engine_write_cohort(x->engine, cohort, true,
                            reply_json(x, submission->created ? 201 : 200));
        reply_end(x);
    } else {
        problem_reply(x, 404, "cohort_removed",
                      "The definition was applied, and the cohort was removed right after it.");
    }
    exchange_leave(x);
}

static void examples_known(struct exchange *x, struct asking *asking)
{
    asking_offer(x, asking);
    exchange_submit(x, asking->context, put_done);
}

/* The examples are classified first, off the loop when there are many: the writer would have to
 * otherwise. */
static void submit_definition(struct exchange *x, enum submission_kind kind)
{
    struct submission *submission = make_submission(x, kind);
    if (submission == NULL) {
        return;
    }
    submission->name = x->name;
    submission->body = x->body;
    struct asking *asking = arena_zalloc(x->arena, sizeof *asking);
    struct slice *texts = NULL;
    size_t count = 0;
    if (asking == NULL || engine_example_texts(x->body, x->arena, &texts, &count) != ERR_OK) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return;
    }
    if (count > 2 * (size_t)COHORT_EXAMPLES_MAX) {
        count = 0; /* too many: the commit says so */
    }
    asking->texts = texts;
    asking->count = count;
    asking->finish = examples_known;
    asking->context = submission;
    asking_begin(x, asking);
}

void handle_cohort_put(struct exchange *x)
{
    submit_definition(x, SUBMIT_COHORT_PUT);
}

void handle_cohort_feedback(struct exchange *x)
{
    submit_definition(x, SUBMIT_COHORT_FEEDBACK);
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
