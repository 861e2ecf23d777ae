/* routes.h: every route of the server, in one table (routes.c): method, path, who may call it, what
 * it takes, who handles it, what it is for. Documentation (/openapi.json), authorization tests and
 * metrics are made from it.
 *
 * Threading: constant, any. */
#ifndef KINDRED_SERVER_ROUTES_H
#define KINDRED_SERVER_ROUTES_H

#include "base/slice.h"
#include "http_parser.h"
#include "keys.h"

struct exchange;

enum scope {
    SCOPE_PUBLIC,  /* no key, ever */
    SCOPE_ANY_KEY, /* any valid key */
    SCOPE_READ,
    SCOPE_INGEST,
    SCOPE_ADMIN,
};

enum route_flags {
    ROUTE_GATED = 1,      /* the handler runs inside the gate and only reads the engine's RAM */
    ROUTE_LOOKUP = 2,     /* takes part in batched lookups (GET /api/user) */
    ROUTE_IDENTIFIER = 4, /* also takes identifier parameters: cookie, email, …, id */
    ROUTE_STREAM = 8,     /* the body goes piece by piece into an upload (POST /api/ingest) */
    ROUTE_WHILE_STARTING = 16,
    ROUTE_IDEMPOTENCY = 32, /* takes Idempotency-Key */
    ROUTE_ASKS = 128,       /* a POST that changes nothing: the question is too long for a URL */
    ROUTE_ADDS = 64,        /* makes the state grow: 507 while memory is at its cap */
};

struct route {
    enum http_method method;
    const char *path; /* "{name}" stands for one segment */
    enum scope scope;
    unsigned flags;
    uint64_t body_max_bytes; /* 0: takes no body */
    const char *parameters;  /* query parameters, comma-separated; NULL: none */
    void (*handle)(struct exchange *x);
    const char *summary;
    const char *request_schema; /* names in openapi_schemas.json; NULL: none */
    const char *response_schema;
    const char *responses; /* statuses beyond the usual ones, "404 409": see openapi.c */
};

extern const struct route routes[];
extern const size_t routes_count;
enum { ROUTES_MAX = 40 };
/* GET /api/user: the one that is asked for so often that nobody looks for it. */
extern const struct route *const route_of_lookups;

/* NULL when there is none; *path_known says whether another method has this path. *name is the
 * variable segment, still encoded. HEAD finds the GET route. */
const struct route *routes_find(enum http_method method, struct slice path, struct slice *name,
                                bool *path_known);
/* "GET, HEAD, PUT" for a known path. */
void routes_allow(struct slice path, char out[64]);
bool scope_allows(enum scope scope, enum role role);
const char *scope_name(enum scope scope);

#endif
