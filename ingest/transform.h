/* transform.h: the steps that a mapping puts a column's text through. Compiled by mapping.c from
 * JSON, run here.
 *
 * A value is a list of texts: one at first, more after a split. A step that cannot read its value
 * drops it with a warning; the record lives.
 *
 * Threading: any (steps are immutable). */
#ifndef KINDRED_INGEST_TRANSFORM_H
#define KINDRED_INGEST_TRANSFORM_H

#include "builder.h"

enum transform_kind {
    TRANSFORM_TRIM,
    TRANSFORM_LOWER,
    TRANSFORM_UPPER,
    TRANSFORM_TITLE,
    TRANSFORM_TEXT, /* do not read the text as a number */
    TRANSFORM_SPLIT,
    TRANSFORM_DATE,
    TRANSFORM_NUMBER,
    TRANSFORM_LOOKUP,
    TRANSFORM_PHONE_COUNTRY,
    TRANSFORM_PREFIX,
    TRANSFORM_SUFFIX,
    TRANSFORM_DEFAULT,
    TRANSFORM_REPLACE,
};

struct lookup_entry {
    struct slice from;
    struct slice to;
};

struct transform {
    enum transform_kind kind;
    /* split: separator; prefix, suffix, default: the text; replace: what */
    struct slice text;
    struct slice with;          /* replace */
    struct slice *formats;      /* date */
    struct lookup_entry *table; /* lookup, sorted by from */
    size_t count;               /* of formats or table */
    bool drop_others;           /* lookup */
    char decimal, thousands;    /* number; '\0': none */
    char country[3];            /* phone_country */
};

enum { VALUE_COUNT_MAX = 256 };

struct mapped_value {
    struct slice *texts;
    size_t count;
    bool keep_text;
    bool was_split;
    const char *phone_country; /* "" when no step said one */
};

/* The texts of *value are borrowed from the arena, the input or the mapping. */
err transform_run(struct builder *builder, const struct transform *steps, size_t count,
                  const struct path *path, struct mapped_value *value) MUST_USE;

#endif
