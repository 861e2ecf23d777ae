/* Tries to break: the route table and the mapping of errors to statuses. */
#include "exchange.h"
#include "problem.h"
#include "routes.h"
#include "unit/test.h"

static const struct route *find(enum http_method method, const char *path, struct slice *name)
{
    bool known = false;
    return routes_find(method, slice_from_cstr(path), name, &known);
}

static void test_table_is_consistent(void)
{
    for (size_t i = 0; i < routes_count; i++) {
        const struct route *route = &routes[i];
        EXPECT(route->handle != NULL && route->summary != NULL && route->path[0] == '/');
        EXPECT(route->method != METHOD_HEAD && route->method != METHOD_OTHER, ": %s", route->path);
        bool takes_body = route->method == METHOD_PUT || route->method == METHOD_PATCH ||
                          route->method == METHOD_POST;
        EXPECT(takes_body == (route->body_max_bytes > 0), ": %s", route->path);
        /* Nobody may change anything with a key that reads, nor read with one that ingests. */
        EXPECT(route->method == METHOD_GET || route->scope == SCOPE_ADMIN ||
                   route->scope == SCOPE_INGEST ||
                   (route->method == METHOD_POST && route->flags & ROUTE_ASKS),
               ": %s", route->path);
        EXPECT(route->method != METHOD_GET || route->scope != SCOPE_INGEST, ": %s", route->path);
        EXPECT(!(route->flags & ROUTE_LOOKUP) || route->flags & ROUTE_GATED, ": %s", route->path);
        for (size_t other = 0; other < i; other++) {
            EXPECT(routes[other].method != route->method ||
                       strcmp(routes[other].path, route->path) != 0,
                   ": %s", route->path);
        }
    }
}

static void test_finding(void)
{
    struct slice name = SLICE_NONE;
    const struct route *route = find(METHOD_GET, "/api/user", &name);
    EXPECT(route != NULL && strcmp(route->path, "/api/user") == 0);
    EXPECT(find(METHOD_HEAD, "/api/user", &name) == route);
    route = find(METHOD_PUT, "/api/cohorts/a%20b", &name);
    EXPECT(route != NULL && slice_equal_cstr(name, "a%20b"));
    route = find(METHOD_POST, "/api/quarantine/17/retry", &name);
    EXPECT(route != NULL && slice_equal_cstr(name, "17"));
    static const char *const unknown[] = {"",
                                          "/api",
                                          "/api/",
                                          "/api/user/",
                                          "/api/users/",
                                          "/api/cohorts/",
                                          "/api/cohorts/a/b",
                                          "/api/quarantine//retry",
                                          "/api/quarantine/1/retry/",
                                          "//",
                                          "/API/user"};
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) {
        bool known = true;
        EXPECT(routes_find(METHOD_GET, slice_from_cstr(unknown[i]), &name, &known) == NULL &&
                   !known,
               ": %s", unknown[i]);
    }
    bool known = false;
    EXPECT(routes_find(METHOD_DELETE, SLICE_LITERAL("/api/cohorts"), &name, &known) == NULL &&
           known);
    char allow[64];
    routes_allow(SLICE_LITERAL("/api/cohorts/x"), allow);
    EXPECT(strcmp(allow, "GET, HEAD, PUT, DELETE") == 0, ": %s", allow);
}

static void test_scopes(void)
{
    EXPECT(scope_allows(SCOPE_PUBLIC, ROLE_NONE) && !scope_allows(SCOPE_ANY_KEY, ROLE_NONE));
    EXPECT(scope_allows(SCOPE_READ, ROLE_READ) && !scope_allows(SCOPE_READ, ROLE_INGEST) &&
           scope_allows(SCOPE_READ, ROLE_ADMIN) && !scope_allows(SCOPE_READ, ROLE_NONE));
    EXPECT(!scope_allows(SCOPE_INGEST, ROLE_READ) && scope_allows(SCOPE_INGEST, ROLE_INGEST) &&
           scope_allows(SCOPE_INGEST, ROLE_ADMIN));
    EXPECT(!scope_allows(SCOPE_ADMIN, ROLE_READ) && !scope_allows(SCOPE_ADMIN, ROLE_INGEST) &&
           scope_allows(SCOPE_ADMIN, ROLE_ADMIN));
}

static void test_statuses(void)
{
    for (err e = ERR_INVALID; e <= ERR_LOCKED; e++) {
        uint16_t status = problem_status(e);
        EXPECT(strcmp(reply_reason(status), "Unknown") != 0, ": %u", status);
        switch (err_class(e)) {
        case ERR_CLASS_CLIENT: EXPECT(status >= 400 && status < 500, ": %s", err_name(e)); break;
        case ERR_CLASS_BUSY:
        case ERR_CLASS_STORAGE: EXPECT(status == 503 || status == 507, ": %s", err_name(e)); break;
        case ERR_CLASS_NONE: EXPECT(false); break;
        }
    }
}

int main(void)
{
    RUN(test_table_is_consistent);
    RUN(test_finding);
    RUN(test_scopes);
    RUN(test_statuses);
    return test_summary();
}
