/* slice.h: a pointer and a length that own nothing.
 *
 * A slice is borrowed: whoever hands it out says until when it holds. It need not end in NUL.
 * {NULL, 0} is the absent slice; {non-NULL, 0} is the empty one.
 *
 * Threading: any. */
#ifndef KINDRED_BASE_SLICE_H
#define KINDRED_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t length;
};

#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})
#define SLICE_NONE          ((struct slice){NULL, 0})
/* For printf: printf("%.*s", SLICE_ARGS(s)) */
#define SLICE_ARGS(s) (int)(s).length, (s).data

static inline struct slice slice_of(const void *data, size_t length)
{
    return (struct slice){(const char *)data, length};
}

static inline struct slice slice_from_cstr(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool slice_equal_cstr(struct slice a, const char *b)
{
    return slice_equal(a, slice_from_cstr(b));
}

/* Order of bytes, then of length: the order of LMDB keys and of sorted output. */
int slice_compare(struct slice a, struct slice b);

/* ASCII letters compare without case; other bytes as they are. */
bool slice_equal_ignoring_case(struct slice a, struct slice b);
bool slice_starts_with(struct slice text, struct slice prefix);

/* Without the ASCII white space at both ends. */
struct slice slice_trim(struct slice text);

/* Decimal digits only, no sign, no space; false on anything else or on overflow. */
bool slice_to_u64(struct slice text, uint64_t *out);

/* Cuts `*rest` at the first `separator`: returns the part before it and leaves the part after it in
 * *rest; when there is none returns everything and *rest becomes SLICE_NONE. */
struct slice slice_cut(struct slice *rest, char separator);

#endif
