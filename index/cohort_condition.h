/* cohort_condition.h: the "where" of a cohort as a tree.
 *
 *   all ─┬─ location.country eq "usa"          nodes in preorder; node.end is the index behind its subtree:
 *        └─ any ─┬─ demographics.age gte 18       0 all (end 5) · 1 leaf · 2 any (end 5) · 3 leaf · 4 leaf
 *                └─ …
 *
 * A leaf looks at the values a person has in one field: the field's own and, for a list, its
 * members. It holds when one of them compares so; "ne" when there are some and none is equal;
 * "exists" when there are some. Without any value every leaf is false. Values of different kinds
 * (text, number, truth) are never equal and never ordered.
 *
 * Threading: immutable once parsed, any thread. */
#ifndef KINDRED_INDEX_COHORT_CONDITION_H
#define KINDRED_INDEX_COHORT_CONDITION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json_writer.h"
#include "index/names.h"
#include "ingest/json_reader.h"
#include "storage/profile.h"

enum { CONDITION_TEXT_MAX = 512, CONDITION_VALUES_MAX = 1000 };

enum condition_kind { CONDITION_ALL, CONDITION_ANY, CONDITION_NOT, CONDITION_LEAF };

enum condition_op {
    OP_EQ,
    OP_NE,
    OP_IN,
    OP_LT,
    OP_LTE,
    OP_GT,
    OP_GTE,
    OP_EXISTS,
    OP_CONTAINS,
    OP_STARTS_WITH,
    OP_COUNT,
};

struct condition_node {
    enum condition_kind kind;
    uint32_t end;
    /* leaves */
    enum condition_op op;
    enum field field;
    struct slice path; /* of FIELD_ATTRIBUTE */
    struct condition_value {
        struct value value;  /* never VALUE_NULL */
        struct slice folded; /* of VALUE_TEXT */
    } * values;
    size_t value_count; /* one; more only with OP_IN; none with OP_EXISTS */
};

struct condition {
    struct condition_node *nodes;
    uint32_t count; /* 0: no condition, holds for everybody */
};

/* Texts are copied into the arena. ERR_INVALID, ERR_TOO_LARGE, ERR_MEMORY. */
err condition_parse(struct arena *arena, json_value where, uint32_t nodes_max,
                    struct condition *out, struct error *error) MUST_USE;
void condition_write(const struct condition *condition, struct json_writer *json);

/* The names table's id of the leaf's field now; NAME_NONE when nobody has ever had the
 * attribute. */
uint32_t condition_name_id(const struct condition_node *leaf, const struct names *names);
/* Does one value that is there compare so? For OP_NE: is it unequal? */
bool condition_value_holds(const struct condition_node *leaf, const struct profile_value *value,
                           const struct names *names);
bool condition_matches(const struct condition *condition, const struct profile_view *view,
                       const struct names *names);
/* Would it hold for a profile without any field? */
bool condition_matches_nothing(const struct condition *condition);

#endif
