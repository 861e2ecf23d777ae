/* handlers_user.c: GET /api/user: the hot path. conversation.c has found the person already, many
 * at once. */
#include "handlers.h"
#include "problem.h"

/* Is `etag` in a list of entity tags (RFC 9110 13.1.2)? Compared weakly. */
static bool etag_listed(struct slice list, struct slice etag)
{
    while (list.data != NULL) {
        struct slice one = slice_trim(slice_cut(&list, ','));
        if (slice_starts_with(one, SLICE_LITERAL("W/"))) {
            one = slice_of(one.data + 2, one.length - 2);
        }
        if (slice_equal(one, etag) || slice_equal_cstr(one, "*")) {
            return true;
        }
    }
    return false;
}

bool user_option(struct slice name)
{
    return slice_equal_cstr(name, "expand") || slice_equal_cstr(name, "limit") ||
           slice_equal_cstr(name, "cursor");
}

/* The one parameter that names an identifier; every other was checked to be known. */
static const struct query_parameter *identifier_parameter(struct exchange *x)
{
    const struct query_parameter *found = NULL;
    for (size_t i = 0; i < x->query.count; i++) {
        const struct query_parameter *parameter = &x->query.parameters[i];
        if (user_option(parameter->name)) {
            continue;
        }
        if (found != NULL) {
            problem_reply(x, 400, "identifier_many",
                          "Give one identifier, not several: '%.*s' or '%.*s'.",
                          SLICE_ARGS(found->name), SLICE_ARGS(parameter->name));
            return NULL;
        }
        found = parameter;
    }
    if (found == NULL) {
        problem_reply(x, 400, "identifier_missing",
                      "Say whom: ?cookie=, ?email=, ?phone=, ?user_id=, ?device_id= or ?id=.");
    }
    return found;
}

bool user_key(struct exchange *x, struct engine_key *key, bool *by_id)
{
    const struct query_parameter *parameter = identifier_parameter(x);
    if (parameter == NULL || !read_expand(x)) {
        return false;
    }
    const struct settings *settings = engine_settings(x->engine);
    key->type = x->key.type;
    *by_id = x->by_id;
    if (*by_id) {
        key->value = parameter->value;
        return true;
    }
    err e = identifier_normalise(x->arena, key->type, parameter->value, settings, &key->value);
    if (e == ERR_MEMORY) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
    } else if (e != ERR_OK) {
        problem_reply(x, 400, "identifier_invalid",
                      "This is not a valid '%.*s'; no record could hold it.",
                      SLICE_ARGS(parameter->name));
    }
    return e == ERR_OK;
}

void user_unknown(struct exchange *x)
{
    problem_reply(x, 404, "user_unknown", "Nobody is known by this identifier.");
}

void reply_user(struct exchange *x, uint32_t number)
{
    char etag[ENGINE_ETAG_MAX];
    reply_begin(x, 200, reply_json_type);
    reply_header(x, "ETag", slice_of(etag, engine_etag(x->engine, number, etag)));
    struct json_writer *json = reply_body(x);
    buffer_append_slice(x->out, SLICE_LITERAL("{\"user_profile\":"));
    engine_write_user(x->engine, number, x->expand, json);
    buffer_append_char(x->out, '}');
    reply_end(x);
}

const char *etag_of(struct exchange *x, uint32_t number, char etag[ENGINE_ETAG_MAX])
{
    (void)engine_etag(x->engine, number, etag);
    return etag;
}

void handle_user_get(struct exchange *x)
{
    if (x->person == PERSON_NONE) {
        user_unknown(x);
        return;
    }
    struct slice wanted = x->request.fields[HEADER_IF_NONE_MATCH];
    if (wanted.data != NULL) {
        char etag[ENGINE_ETAG_MAX];
        struct slice current = slice_from_cstr(etag_of(x, x->person, etag));
        if (etag_listed(wanted, current)) {
            reply_begin(x, 304, NULL);
            reply_header(x, "ETag", current);
            reply_end_without_body(x);
            return;
        }
    }
    reply_user(x, x->person);
}
