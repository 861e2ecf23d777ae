/* handlers.c: what several handlers need. */
#include "handlers.h"

#include "problem.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

bool read_paging(struct exchange *x, struct paging *out)
{
    struct error error = {0};
    uint64_t offset = 0;
    uint64_t cursor = 0;
    struct slice offset_text = query_get(&x->query, "offset");
    out->by_cursor = query_get(&x->query, "cursor").data != NULL;
    if (out->by_cursor && offset_text.data != NULL) {
        problem_reply(x, 400, "paging_invalid", "Give offset or cursor, not both.");
        return false;
    }
    if (query_get_u64(&x->query, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &out->limit, &error) !=
            ERR_OK ||
        query_get_u64(&x->query, "offset", 0, UINT64_MAX, 0, &offset, &error) != ERR_OK ||
        query_get_u64(&x->query, "cursor", 0, UINT64_MAX, 0, &cursor, &error) != ERR_OK) {
        problem_from_error(x, &error);
        return false;
    }
    out->from = out->by_cursor ? cursor : offset;
    return true;
}

bool read_expand(struct exchange *x)
{
    struct slice words = query_get(&x->query, "expand");
    if (words.data != NULL && !engine_expand_parse(words, &x->expand)) {
        problem_reply(
            x, 400, "expand_unknown",
            "expand takes, comma-separated: identifiers, timestamps, sources, attributes, cohorts, all.");
        return false;
    }
    return true;
}

bool read_flag(struct exchange *x, const char *name, bool *out)
{
    struct slice word = query_get(&x->query, name);
    *out = slice_equal_cstr(word, "true");
    if (word.data == NULL || *out || slice_equal_cstr(word, "false")) {
        return true;
    }
    problem_reply(x, 400, "parameter_invalid", "'%s' is true or false.", name);
    return false;
}

bool path_sequence(struct exchange *x, uint64_t *sequence)
{
    if (slice_to_u64(x->name, sequence) && *sequence > 0) {
        return true;
    }
    problem_reply(x, 404, "not_found", "There is nothing of this number.");
    return false;
}

bool submission_failed(struct exchange *x, const struct submission *submission)
{
    if (submission->err == ERR_OK) {
        return false;
    }
    struct error error = submission->error;
    error.err = submission->err;
    problem_from_error(x, &error);
    return true;
}

struct submission *make_submission(struct exchange *x, enum submission_kind kind)
{
    struct submission *submission = arena_zalloc(x->arena, sizeof *submission);
    if (submission == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return NULL;
    }
    submission->kind = kind;
    submission->source = SLICE_LITERAL("api");
    return submission;
}
