/* names.h: what a key or a column name means.
 *
 * Names are compared without case, blanks, underscores, hyphens and dots: "user_id", "userId" and
 * "User ID" are one, and "location.city" may be written flat. The aliases are a list in names.c.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_NAMES_H
#define KINDRED_INGEST_NAMES_H

#include "ingest/settings.h"

enum target_kind {
    TARGET_ATTRIBUTE = 0, /* nothing of ours */
    TARGET_IDENTIFIER,    /* number: identifier type */
    TARGET_FIELD,         /* number: enum field */
    TARGET_TIMESTAMP,
    TARGET_MESSAGE_ID,
    TARGET_LOCATION,     /* an object, or a text "City, State, Country" */
    TARGET_DEMOGRAPHICS, /* an object */
    TARGET_IDENTIFIERS,  /* an object: type → identifier or list of them */
    TARGET_IGNORED,      /* a column the mapping names under "ignore" */
};

struct target {
    uint8_t kind;
    uint8_t number;
};

/* Built-in names and aliases only. */
struct target name_lookup(struct slice name);

/* Built-in names, then the identifier types that settings add. */
struct target name_resolve(struct slice name, const struct settings *settings);

#endif
