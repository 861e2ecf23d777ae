/* http_client.h: requests to a running Kindred, for import --url and export --url (libcurl
 * underneath).
 *
 * A busy or restarting server (429, 503, no connection) is asked again, at most HTTP_TRIES_MAX
 * times, after the Retry-After it names or a growing pause; everything else is the caller's. Give
 * requests that write an Idempotency-Key, so that asking again cannot do them twice.
 *
 * Threading: one client, one thread. */
#ifndef KINDRED_COMMANDS_HTTP_CLIENT_H
#define KINDRED_COMMANDS_HTTP_CLIENT_H

#include "base/buffer.h"
#include "base/err.h"

enum { HTTP_TRIES_MAX = 12, HTTP_PAUSE_MAX_S = 30 };

struct http_client;

/* url: scheme, host and port. key: bearer key or NULL. Owned by caller; NULL when memory is out. */
struct http_client *http_client_create(const char *url, const char *key) MUST_USE;
void http_client_destroy(struct http_client *client);

struct http_call {
    const char *method;
    const char *path;            /* with query, encoded */
    const char *content_type;    /* NULL: no body */
    const char *idempotency_key; /* NULL: none */
    struct slice body;
};

/* Any HTTP status is ERR_OK: *status and http_client_body say what it was. ERR_BUSY after the last
 * try, ERR_STOPPING when *stop became non-zero while waiting; error names the server and what it
 * said. */
err http_client_call(struct http_client *client, const struct http_call *call,
                     const volatile int *stop, long *status, struct error *error) MUST_USE;
/* Borrowed until the next call. */
struct slice http_client_body(const struct http_client *client);

/* Fills error from a problem+json answer: ERR_DENIED for 401 and 403, ERR_NOT_FOUND for 404, …
 * Returns error->err. */
err http_client_problem(const struct http_client *client, long status, struct error *error);

/* Appends percent-encoded text (RFC 3986, unreserved characters stay). */
void http_append_encoded(struct buffer *out, struct slice text);

#endif
