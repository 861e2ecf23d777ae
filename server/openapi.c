#include "openapi.h"

#include <stdio.h>

#include "embedded.h"
#include "exchange.h"

static const struct {
    const char *name;
    const char *type; /* JSON schema */
    const char *what;
} parameters[] = {
    {"cookie", "{\"type\":\"string\"}", "Cookie id"},
    {"email", "{\"type\":\"string\"}", "E-mail address; a literal '+' needs no encoding"},
    {"phone", "{\"type\":\"string\"}",
     "Telephone number, in any usual spelling; a literal '+' needs no encoding"},
    {"user_id", "{\"type\":\"string\"}", "Your own id of the person"},
    {"device_id", "{\"type\":\"string\"}", "Device id"},
    {"id", "{\"type\":\"string\",\"pattern\":\"^p[0-9]+$\"}", "Kindred's id, as in \"p17\""},
    {"expand", "{\"type\":\"string\"}",
     "Comma-separated: identifiers, timestamps, sources, attributes, cohorts, all"},
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}",
     "Most items of a page"},
    {"offset", "{\"type\":\"integer\",\"minimum\":0,\"default\":0}", "Items to skip"},
    {"cursor", "{\"type\":\"integer\",\"minimum\":0}",
     "next_cursor of the page before; fast at any depth"},
    {"from", "{\"type\":\"integer\",\"minimum\":1,\"default\":1}",
     "Sequence of the first entry wanted"},
    {"cohort", "{\"type\":\"string\"}", "Name of a cohort, without regard to case"},
    {"phrase", "{\"type\":\"string\",\"maxLength\":1024}", "An interest as somebody typed it"},
    {"explain", "{\"type\":\"boolean\",\"default\":false}",
     "Also what decided: scores, nearest known phrases, spelling, rules"},
    {"unclassified", "{\"type\":\"boolean\",\"default\":false}",
     "Only those without a topic and without a cohort"},
    {"source", "{\"type\":\"string\",\"maxLength\":64}",
     "Where the data comes from; decides priority between sources"},
    {"mapping", "{\"type\":\"string\"}", "Name of a stored field mapping to read the records with"},
    {"errors", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}",
     "Most errors listed in the answer; all are counted"},
};
enum { IDENTIFIER_PARAMETERS = 6 };

static void write_parameter(struct json_writer *json, size_t i, const char *in)
{
    json_object_begin(json);
    json_member_cstr(json, "name", parameters[i].name);
    json_member_cstr(json, "in", in);
    json_member_cstr(json, "description", parameters[i].what);
    json_key(json, "schema");
    json_raw(json, slice_from_cstr(parameters[i].type));
    json_object_end(json);
}

static void write_header_parameter(struct json_writer *json, const char *name, const char *what)
{
    json_object_begin(json);
    json_member_cstr(json, "name", name);
    json_member_cstr(json, "in", "header");
    json_member_cstr(json, "description", what);
    json_key(json, "schema");
    json_raw(json, SLICE_LITERAL("{\"type\":\"string\"}"));
    json_object_end(json);
}

static void write_path_parameter(struct json_writer *json, const char *path)
{
    const char *open = strchr(path, '{');
    if (open == NULL) {
        return;
    }
    json_object_begin(json);
    json_key(json, "name");
    json_string(json, slice_of(open + 1, (size_t)(strchr(open, '}') - open) - 1));
    json_member_cstr(json, "in", "path");
    json_member_bool(json, "required", true);
    json_key(json, "schema");
    json_raw(json, SLICE_LITERAL("{\"type\":\"string\"}"));
    json_object_end(json);
}

static void write_parameters(struct json_writer *json, const struct route *route)
{
    json_key(json, "parameters");
    json_array_begin(json);
    write_path_parameter(json, route->path);
    for (size_t i = 0; route->flags & ROUTE_IDENTIFIER && i < IDENTIFIER_PARAMETERS; i++) {
        write_parameter(json, i, "query");
    }
    struct slice rest = route->parameters != NULL ? slice_from_cstr(route->parameters) : SLICE_NONE;
    while (rest.data != NULL) {
        struct slice name = slice_cut(&rest, ',');
        size_t i = 0;
        while (i < ARRAY_COUNT(parameters) && !slice_equal_cstr(name, parameters[i].name)) {
            i++;
        }
        CHECK(i < ARRAY_COUNT(parameters));
        write_parameter(json, i, "query");
    }
    if (route->flags & ROUTE_IDEMPOTENCY) {
        write_header_parameter(json, "Idempotency-Key",
                               "A repeat with the same key gets the first answer again");
    }
    if (route->flags & ROUTE_LOOKUP) {
        write_header_parameter(json, "If-None-Match",
                               "ETag of a profile you have: 304 when it is still current");
    }
    if (route->method == METHOD_PATCH) {
        write_header_parameter(
            json, "If-Match", "ETag of the profile you changed: 412 when it has changed meanwhile");
    }
    json_array_end(json);
}

static void write_content(struct json_writer *json, const char *type, const char *schema)
{
    json_key(json, "content");
    json_object_begin(json);
    json_key(json, type);
    json_object_begin(json);
    if (schema != NULL) {
        char reference[96];
        snprintf(reference, sizeof reference, "#/components/schemas/%s", schema);
        json_key(json, "schema");
        json_object_begin(json);
        json_member_cstr(json, "$ref", reference);
        json_object_end(json);
    }
    json_object_end(json);
    json_object_end(json);
}

static void write_response(struct json_writer *json, const struct route *route, unsigned status)
{
    char key[4];
    snprintf(key, sizeof key, "%u", status % 1000);
    json_key(json, key);
    json_object_begin(json);
    json_member_cstr(json, "description", reply_reason((uint16_t)status));
    /* These say no in their own shape. */
    bool own_shape = (strcmp(route->path, "/readyz") == 0 && status == 503) ||
                     (route->flags & ROUTE_STREAM && (status == 413 || status == 422));
    if (status >= 400 && !own_shape) {
        write_content(json, "application/problem+json", "Problem");
    } else if (status < 300 && status != 204) {
        bool metrics = strcmp(route->path, "/metrics") == 0;
        write_content(json, metrics ? "text/plain" : "application/json", route->response_schema);
    } else if (own_shape) {
        write_content(json, "application/json", route->response_schema);
    }
    json_object_end(json);
}

/* The usual success, the statuses of the table, and what any request may get. */
static void write_responses(struct json_writer *json, const struct route *route)
{
    bool seen[600] = {false};
    struct slice rest = route->responses != NULL ? slice_from_cstr(route->responses) : SLICE_NONE;
    bool success_named = false;
    while (rest.data != NULL) {
        uint64_t status = 0;
        CHECK(slice_to_u64(slice_cut(&rest, ' '), &status) && status < ARRAY_COUNT(seen));
        seen[status] = true;
        success_named |= status == 202 || status == 204;
    }
    seen[200] |= !success_named;
    if (route->scope != SCOPE_PUBLIC) {
        seen[401] = seen[403] = true;
    }
    seen[400] = true;
    seen[503] = true;
    json_key(json, "responses");
    json_object_begin(json);
    for (unsigned status = 200; status < ARRAY_COUNT(seen); status++) {
        if (seen[status]) {
            write_response(json, route, status);
        }
    }
    json_object_end(json);
}

static void write_request_body(struct json_writer *json, const struct route *route)
{
    if (route->body_max_bytes == 0) {
        return;
    }
    json_key(json, "requestBody");
    json_object_begin(json);
    json_member_bool(json, "required",
                     !(route->method == METHOD_POST && !(route->flags & ROUTE_STREAM)));
    json_key(json, "content");
    json_object_begin(json);
    const char *types[] = {"application/json", "application/x-ndjson", "text/csv",
                           "text/tab-separated-values"};
    for (size_t i = 0; i < (route->flags & ROUTE_STREAM ? ARRAY_COUNT(types) : 1); i++) {
        json_key(json, route->method == METHOD_PATCH ? "application/merge-patch+json" : types[i]);
        json_object_begin(json);
        if (i == 0 && route->request_schema != NULL) {
            char reference[96];
            snprintf(reference, sizeof reference, "#/components/schemas/%s", route->request_schema);
            json_key(json, "schema");
            json_object_begin(json);
            json_member_cstr(json, "$ref", reference);
            json_object_end(json);
        }
        json_object_end(json);
    }
    json_object_end(json);
    json_object_end(json);
}

static const char *lower_method(enum http_method method)
{
    switch (method) {
    case METHOD_GET: return "get";
    case METHOD_POST: return "post";
    case METHOD_PUT: return "put";
    case METHOD_PATCH: return "patch";
    case METHOD_DELETE: return "delete";
    default: return "head";
    }
}

static void write_operation(struct json_writer *json, const struct route *route)
{
    json_key(json, lower_method(route->method));
    json_object_begin(json);
    json_member_cstr(json, "summary", route->summary);
    json_member_cstr(json, "x-role", scope_name(route->scope));
    if (route->scope == SCOPE_PUBLIC) {
        json_key(json, "security");
        json_raw(json, SLICE_LITERAL("[]"));
    }
    write_parameters(json, route);
    write_request_body(json, route);
    write_responses(json, route);
    json_object_end(json);
}

static bool first_of_path(size_t i)
{
    for (size_t earlier = 0; earlier < i; earlier++) {
        if (strcmp(routes[earlier].path, routes[i].path) == 0) {
            return false;
        }
    }
    return true;
}

void openapi_write(struct json_writer *json)
{
    json_object_begin(json);
    json_member_cstr(json, "openapi", "3.1.0");
    json_key(json, "info");
    json_object_begin(json);
    json_member_cstr(json, "title", "Kindred");
    json_member_cstr(json, "version", KINDRED_VERSION);
    json_member_cstr(json, "description",
                     "A customer data platform: data in, one profile per person, cohorts out.");
    json_object_end(json);
    json_key(json, "security");
    json_raw(json, SLICE_LITERAL("[{\"key\":[]}]"));
    json_key(json, "paths");
    json_object_begin(json);
    for (size_t i = 0; i < routes_count; i++) {
        if (!first_of_path(i)) {
            continue;
        }
        json_key(json, routes[i].path);
        json_object_begin(json);
        for (size_t same = i; same < routes_count; same++) {
            if (strcmp(routes[same].path, routes[i].path) == 0) {
                write_operation(json, &routes[same]);
            }
        }
        json_object_end(json);
    }
    json_object_end(json);
    json_key(json, "components");
    json_object_begin(json);
    json_key(json, "securitySchemes");
    json_raw(
        json,
        SLICE_LITERAL(
            "{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"`kindred key create`; "
            "not needed on a loopback address without keys\"}}"));
    json_key(json, "schemas");
    json_raw(json, slice_from_cstr(embedded_openapi_schemas));
    json_object_end(json);
    json_object_end(json);
}

void openapi_write_routes(struct json_writer *json)
{
    json_array_begin(json);
    for (size_t i = 0; i < routes_count; i++) {
        const struct route *route = &routes[i];
        json_object_begin(json);
        json_member_cstr(json, "method", http_method_name(route->method));
        json_member_cstr(json, "path", route->path);
        json_member_cstr(json, "scope", scope_name(route->scope));
        json_member_u64(json, "body_max_bytes", route->body_max_bytes);
        json_member_bool(json, "identifier", (route->flags & ROUTE_IDENTIFIER) != 0);
        json_member_cstr(json, "parameters", route->parameters != NULL ? route->parameters : "");
        json_member_cstr(json, "summary", route->summary);
        json_object_end(json);
    }
    json_array_end(json);
}
