/* query.h: the query of a request and the variable parts of its path, decoded.
 *
 * Percent sequences must be two hexadecimal digits; anything else is an error, and so is a
 * parameter given twice (two readers of one request could see two truths) and decoded text that is
 * not UTF-8 or holds a NUL. '+' means a space, as forms send it, except in parameters that name an
 * identifier: there it is a plus, so that `?email=a+b@example.com` and `?phone=+15551234567` work
 * as pasted.
 *
 * Threading: any. Slices are borrowed from the query's text, or from the arena where something was
 * decoded. */
#ifndef KINDRED_SERVER_QUERY_H
#define KINDRED_SERVER_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { QUERY_PARAMETERS_MAX = 16 };

struct query_parameter {
    struct slice name;
    struct slice value;
};

struct query {
    size_t count;
    struct query_parameter parameters[QUERY_PARAMETERS_MAX];
};

/* space_names: comma-separated names whose '+' is a space; NULL: none. error->position is the byte
 * in `text`. */
err query_parse(struct arena *arena, struct slice text, const char *space_names, struct query *out,
                struct error *error) MUST_USE;

/* SLICE_NONE when it was not given. */
struct slice query_get(const struct query *query, const char *name);

/* A whole number in [least, most]; `otherwise` when it was not given. */
err query_get_u64(const struct query *query, const char *name, uint64_t least, uint64_t most,
                  uint64_t otherwise, uint64_t *out, struct error *error) MUST_USE;

/* Decodes one text; *bad_at (may be NULL) is the offending byte. */
err percent_decode(struct arena *arena, struct slice text, bool plus_is_space, struct slice *out,
                   size_t *bad_at) MUST_USE;

#endif
