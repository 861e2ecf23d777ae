/* cohorts_conditions.h: the reference's own reading of a definition's conditions, straight from
 * their JSON. */
#ifndef KINDRED_TESTS_UNIT_COHORTS_CONDITIONS_H
#define KINDRED_TESTS_UNIT_COHORTS_CONDITIONS_H

#include "cohorts_world.h"

static int compare_texts(const char *a, struct slice b)
{
    char folded[200];
    snprintf(folded, sizeof folded, "%.*s", SLICE_ARGS(b));
    return strcasecmp(a, folded);
}

/* -2: not comparable. */
static int compare_values(const struct ref_value *value, json_value with)
{
    const bool numeric = json_type(with) == JSON_INTEGER || json_type(with) == JSON_NUMBER;
    const long double right = json_type(with) == JSON_INTEGER ? (long double)json_integer(with)
                                                              : (long double)json_double_of(with);
    long double left = 0;
    switch (value->kind) {
    case PROFILE_BOOL: return json_type(with) == JSON_BOOL ? value->boolean - json_true(with) : -2;
    case PROFILE_INTEGER: left = (long double)value->integer; break;
    case PROFILE_NUMBER: left = (long double)value->number; break;
    case PROFILE_TEXT:
    case PROFILE_CATEGORY: {
        if (json_type(with) != JSON_STRING) {
            return -2;
        }
        int order = compare_texts(value->text, json_text(with));
        return order < 0 ? -1 : order > 0;
    }
    case PROFILE_NULL: return -2;
    }
    return !numeric ? -2 : left < right ? -1 : left > right;
}

static bool ref_holds(const struct ref_value *value, struct slice op, json_value with)
{
    if (slice_equal_cstr(op, "in")) {
        for (struct json_iterator each = json_iterate(with); json_next(&each);) {
            if (compare_values(value, each.value) == 0) {
                return true;
            }
        }
        return false;
    }
    if (slice_equal_cstr(op, "exists")) {
        return true;
    }
    const bool textual = value->kind == PROFILE_TEXT || value->kind == PROFILE_CATEGORY;
    if (slice_equal_cstr(op, "contains") || slice_equal_cstr(op, "starts_with")) {
        char wanted[100];
        snprintf(wanted, sizeof wanted, "%.*s", SLICE_ARGS(json_text(with)));
        const char *found = textual ? strcasestr(value->text, wanted) : NULL;
        return found != NULL && (slice_equal_cstr(op, "contains") || found == value->text);
    }
    const int order = compare_values(value, with);
    if (slice_equal_cstr(op, "ne")) {
        return order != 0;
    }
    if (order == -2) {
        return false;
    }
    return slice_equal_cstr(op, "eq")    ? order == 0
           : slice_equal_cstr(op, "lt")  ? order < 0
           : slice_equal_cstr(op, "lte") ? order <= 0
           : slice_equal_cstr(op, "gt")  ? order > 0
                                         : order >= 0;
}

static bool ref_leaf(const struct ref_person *person, json_value leaf)
{
    const struct slice name = json_text(json_get(leaf, "field"));
    const struct slice op = json_text(json_get(leaf, "op"));
    bool some = false;
    bool one = false;
    bool all = true;
    for (size_t f = 0; f < FIELDS; f++) {
        if (!slice_equal_cstr(name, field_names[f])) {
            continue;
        }
        struct ref_value values[1 + TAGS];
        size_t count = 0;
        if (person->values[f].kind != PROFILE_NULL) {
            values[count++] = person->values[f];
        }
        for (size_t t = 0; t < TAGS && strcmp(field_names[f], "tags") == 0; t++) {
            if (person->tags[t] != NULL) {
                values[count++] = (struct ref_value){.kind = PROFILE_TEXT, .text = person->tags[t]};
            }
        }
        for (size_t i = 0; i < count; i++) {
            const bool holds = ref_holds(&values[i], op, json_get(leaf, "value"));
            some = true;
            one = one || holds;
            all = all && holds;
        }
    }
    return some && (slice_equal_cstr(op, "ne") ? all : one);
}

static bool ref_condition(const struct ref_person *person, json_value node)
{
    if (json_get(node, "not") != NULL) {
        return !ref_condition(person, json_get(node, "not"));
    }
    const bool all = json_get(node, "all") != NULL;
    if (!all && json_get(node, "any") == NULL) {
        return ref_leaf(person, node);
    }
    for (struct json_iterator each = json_iterate(json_get(node, all ? "all" : "any"));
         json_next(&each);) {
        if (ref_condition(person, each.value) != all) {
            return !all;
        }
    }
    return all;
}

#endif
