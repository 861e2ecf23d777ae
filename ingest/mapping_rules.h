/* mapping_rules.h: a mapping once read. mapping_parse.c makes it from JSON, mapping.c applies it.
 *
 * Threading: any (immutable once made). */
#ifndef KINDRED_INGEST_MAPPING_RULES_H
#define KINDRED_INGEST_MAPPING_RULES_H

#include "mapping_apply.h"
#include "transform.h"

enum { CONCAT_PARTS_MAX = 64 };

struct part {
    bool is_column;
    struct slice text; /* name of a column, or a text */
};

struct mapped_field {
    struct slice path;
    /* by built-in name; a type that settings add is found when a record is read */
    struct target target;
    struct part *parts;
    size_t part_count;
    struct transform *steps;
    size_t step_count;
};

struct mapping {
    struct arena arena; /* everything lies in it, but the mapping itself */
    struct slice name;
    struct mapped_field *fields;
    size_t field_count;
    struct slice *used; /* columns that fields read or that are ignored; sorted */
    size_t used_count;
    char delimiter; /* '\0': find out */
    bool drop_rest;
};

/* The order of `used`. */
int slice_by_text(const void *a, const void *b);

#endif
