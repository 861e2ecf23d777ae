#include "routes.h"

#include <assert.h>
#include <stdio.h>

#include "handlers.h"

enum {
    SMALL_BODY = 1024 * 1024,
    COHORT_BODY = 4 * 1024 * 1024,
    RECORD_BODY = 2 * 1024 * 1024,
    PHRASES_BODY = 4 * 1024 * 1024,
};
/* What an ingest body may have as it arrives; memory is bounded whatever it is. */
static const uint64_t UPLOAD_BODY = 64ull * 1024 * 1024 * 1024;

#define PAGE "limit,offset,cursor"

const struct route routes[] = {
    /* ---- people ---- */
    {METHOD_GET, "/api/user", SCOPE_READ, ROUTE_GATED | ROUTE_LOOKUP | ROUTE_IDENTIFIER, 0,
     "expand", handle_user_get, "One person's profile, by any of their identifiers", NULL,
     "UserAnswer", "304 404"},
    {METHOD_PATCH, "/api/user", SCOPE_ADMIN, ROUTE_IDENTIFIER | ROUTE_ADDS, SMALL_BODY, "expand",
     handle_user_patch,
     "Correct a profile by hand (JSON merge patch); If-Match makes it conditional", "MergePatch",
     "UserAnswer", "404 412 507"},
    {METHOD_DELETE, "/api/user", SCOPE_ADMIN, ROUTE_IDENTIFIER, 0, NULL, handle_user_delete,
     "Erase a person from every stage, for good", NULL, "ErasureAccepted", "202 404 507"},
    {METHOD_GET, "/api/erasures/{id}", SCOPE_ADMIN, ROUTE_GATED, 0, NULL, handle_erasure_get,
     "How far an erasure has come", NULL, "Erasure", "404"},
    {METHOD_GET, "/api/user/raw", SCOPE_READ, ROUTE_IDENTIFIER, 0, "limit,cursor", handle_user_raw,
     "The raw entries about a person, as they came", NULL, "RawPage", "404"},
    {METHOD_GET, "/api/users", SCOPE_READ, ROUTE_GATED, 0, PAGE ",expand", handle_users,
     "Everybody, page by page", NULL, "UserPage", NULL},
    /* ---- cohorts ---- */
    {METHOD_GET, "/api/cohort/users", SCOPE_READ, ROUTE_GATED, 0, "cohort," PAGE ",expand",
     handle_cohort_users, "The people of a cohort, page by page", NULL, "CohortPage", "404"},
    {METHOD_GET, "/api/cohorts", SCOPE_READ, ROUTE_GATED, 0, NULL, handle_cohorts,
     "All cohorts and their sizes", NULL, "Cohorts", NULL},
    {METHOD_GET, "/api/cohorts/{name}", SCOPE_READ, ROUTE_GATED, 0, NULL, handle_cohort_get,
     "A cohort's definition and size", NULL, "Cohort", "404"},
    {METHOD_PUT, "/api/cohorts/{name}", SCOPE_ADMIN, ROUTE_ADDS, COHORT_BODY, NULL,
     handle_cohort_put, "Define a cohort, or define it anew; everybody is sorted again at once",
     "CohortDefinition", "Cohort", "201 507"},
    {METHOD_DELETE, "/api/cohorts/{name}", SCOPE_ADMIN, 0, 0, NULL, handle_cohort_delete,
     "Remove a cohort", NULL, NULL, "204 404 507"},
    {METHOD_POST, "/api/cohorts/{name}/feedback", SCOPE_ADMIN, ROUTE_ADDS, COHORT_BODY, NULL,
     handle_cohort_feedback,
     "Say which phrases belong to a cohort and which do not; everybody is sorted again at once",
     "Feedback", "Cohort", "404 507"},
    {METHOD_GET, "/api/classify", SCOPE_READ, 0, 0, "phrase,explain", handle_classify,
     "What an interest phrase is about: topics and cohorts; with explain, why", NULL,
     "Classifications", "507"},
    {METHOD_POST, "/api/classify", SCOPE_READ, ROUTE_ASKS, PHRASES_BODY, "explain",
     handle_classify_many, "The same for up to 1,000 phrases at once", "Phrases", "Classifications",
     "413 507"},
    {METHOD_GET, "/api/interests", SCOPE_READ, 0, 0, "limit,unclassified", handle_interests,
     "The interests most people have; or of those that mean nothing to Kindred yet", NULL,
     "Interests", "507"},
    /* ---- data in ---- */
    {METHOD_POST, "/api/ingest", SCOPE_INGEST, ROUTE_STREAM | ROUTE_IDEMPOTENCY | ROUTE_ADDS,
     UPLOAD_BODY, "source,mapping,errors", handle_ingest,
     "Take in records: JSON, NDJSON, CSV or TSV, also gzip or zstd, streamed", "Ingest",
     "IngestAnswer", "409 413 415 422 507"},
    {METHOD_GET, "/api/mappings", SCOPE_READ, ROUTE_GATED, 0, NULL, handle_mappings,
     "All field mappings", NULL, "Mappings", NULL},
    {METHOD_GET, "/api/mappings/{name}", SCOPE_READ, 0, 0, NULL, handle_mapping_get,
     "One field mapping", NULL, "Mapping", "404"},
    {METHOD_PUT, "/api/mappings/{name}", SCOPE_INGEST, ROUTE_ADDS, SMALL_BODY, NULL,
     handle_mapping_put, "Store a field mapping for foreign files", "Mapping", "MappingStored",
     "201 507"},
    {METHOD_GET, "/api/quarantine", SCOPE_READ, 0, 0, "limit,cursor", handle_quarantine,
     "What was not taken, newest first, with the reasons", NULL, "QuarantinePage", NULL},
    {METHOD_GET, "/api/quarantine/{id}", SCOPE_READ, 0, 0, NULL, handle_quarantine_get,
     "One quarantined record with its original bytes", NULL, "Quarantined", "404"},
    {METHOD_POST, "/api/quarantine/{id}/retry", SCOPE_ADMIN, ROUTE_IDEMPOTENCY | ROUTE_ADDS,
     RECORD_BODY, NULL, handle_quarantine_retry,
     "Take a quarantined record in again, as it was or mended (the body)", "Record", "RetryAnswer",
     "404 409 422 507"},
    {METHOD_DELETE, "/api/quarantine/{id}", SCOPE_ADMIN, 0, 0, NULL, handle_quarantine_delete,
     "Drop a quarantined record", NULL, NULL, "204 404 507"},
    {METHOD_GET, "/api/log", SCOPE_ADMIN, 0, 0, "from,limit", handle_log,
     "Raw log entries in order, for export", NULL, "LogPage", NULL},
    /* ---- the server itself ---- */
    {METHOD_GET, "/livez", SCOPE_PUBLIC, ROUTE_WHILE_STARTING, 0, NULL, handle_livez,
     "Is the process alive?", NULL, "Health", NULL},
    {METHOD_GET, "/readyz", SCOPE_PUBLIC, ROUTE_WHILE_STARTING, 0, NULL, handle_readyz,
     "Is it ready for requests? 503 with progress while it recovers", NULL, "Health", NULL},
    {METHOD_GET, "/metrics", SCOPE_ANY_KEY, ROUTE_WHILE_STARTING, 0, NULL, handle_metrics,
     "Counters and histograms for Prometheus", NULL, NULL, NULL},
    {METHOD_GET, "/openapi.json", SCOPE_ANY_KEY, ROUTE_WHILE_STARTING, 0, NULL, handle_openapi,
     "This interface, described (OpenAPI 3.1)", NULL, NULL, NULL},
    {METHOD_GET, "/", SCOPE_ANY_KEY, ROUTE_WHILE_STARTING, 0, NULL, handle_root,
     "Name, version and where to go on", NULL, "Root", NULL},
};
const size_t routes_count = ARRAY_COUNT(routes);
const struct route *const route_of_lookups = &routes[0];
static_assert(ARRAY_COUNT(routes) <= ROUTES_MAX, "raise ROUTES_MAX");

/* Does `path` have the shape of `pattern`? One "{…}" at most, a whole segment and not empty. */
static bool path_matches(const char *pattern, struct slice path, struct slice *name)
{
    const char *open = strchr(pattern, '{');
    if (open == NULL) {
        return slice_equal_cstr(path, pattern);
    }
    struct slice head = slice_of(pattern, (size_t)(open - pattern));
    struct slice tail = slice_from_cstr(strchr(open, '}') + 1);
    if (path.length <= head.length + tail.length || !slice_starts_with(path, head)) {
        return false;
    }
    struct slice segment =
        slice_of(path.data + head.length, path.length - head.length - tail.length);
    struct slice rest = slice_of(path.data + path.length - tail.length, tail.length);
    if (!slice_equal(rest, tail) || memchr(segment.data, '/', segment.length) != NULL) {
        return false;
    }
    *name = segment;
    return true;
}

const struct route *routes_find(enum http_method method, struct slice path, struct slice *name,
                                bool *path_known)
{
    *path_known = false;
    *name = SLICE_NONE;
    if (method == METHOD_HEAD) {
        method = METHOD_GET;
    }
    for (size_t i = 0; i < routes_count; i++) {
        if (path_matches(routes[i].path, path, name)) {
            *path_known = true;
            if (routes[i].method == method) {
                return &routes[i];
            }
        }
    }
    return NULL;
}

void routes_allow(struct slice path, char out[64])
{
    unsigned methods = 0;
    struct slice name = SLICE_NONE;
    for (size_t i = 0; i < routes_count; i++) {
        if (path_matches(routes[i].path, path, &name)) {
            methods |= routes[i].method;
        }
    }
    if (methods & METHOD_GET) {
        methods |= METHOD_HEAD;
    }
    size_t length = 0;
    out[0] = '\0';
    for (unsigned method = METHOD_GET; method < METHOD_OTHER; method *= 2) {
        if (methods & method) {
            int wrote = snprintf(out + length, 64 - length, "%s%s", length > 0 ? ", " : "",
                                 http_method_name((enum http_method)method));
            length += (size_t)wrote;
        }
    }
}

bool scope_allows(enum scope scope, enum role role)
{
    switch (scope) {
    case SCOPE_PUBLIC: return true;
    case SCOPE_ANY_KEY: return role != ROLE_NONE;
    case SCOPE_READ: return role == ROLE_READ || role == ROLE_ADMIN;
    case SCOPE_INGEST: return role == ROLE_INGEST || role == ROLE_ADMIN;
    case SCOPE_ADMIN: return role == ROLE_ADMIN;
    }
    return false;
}

const char *scope_name(enum scope scope)
{
    switch (scope) {
    case SCOPE_PUBLIC: return "public";
    case SCOPE_ANY_KEY: return "any";
    case SCOPE_READ: return "read";
    case SCOPE_INGEST: return "ingest";
    case SCOPE_ADMIN: return "admin";
    }
    return "unknown";
}
