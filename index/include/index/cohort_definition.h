/* cohort_definition.h: what makes somebody a member, as a business user writes it.
 *
 *   {"description": "People who follow sports",
 *    "phrases":     ["cricket", "tom brady", "* football"],         interests, see classifier/rules.h
 *    "not_phrases": ["fantasy football"],
 *    "topic":       "Sports", "min_confidence": 0.5,                interests that the classifier gives this topic
 *    "examples":    ["espresso", "latte art", "cold brew"],         interests, and those like them (classifier/examples.h)
 *    "not_examples": ["tea party"],
 *    "where": {"all": [{"field": "location.country", "op": "eq", "value": "USA"},
 *                      {"any": [{"field": "demographics.age", "op": "gte", "value": 18},
 *                               {"not": {"field": "plan.tier", "op": "exists"}}]}]},
 *    "include": ["p17", {"email": "ann@example.com"}],
 *    "exclude": [{"cookie": "dk5h2p9s7f3j8m1n4v0x"}]}
 *
 *   member = (has a belonging interest, if phrases, topic or examples are given) and (where holds, if given), or included;
 *   and not excluded. With none of phrases, topic, examples and where only the included are members.
 *   An interest belongs when the first of these that speaks about it says so:
 *     1. phrases and not_phrases    business rules: they win over everything
 *     2. examples and not_examples  the interest itself, in folded form
 *     3. topic                      the classifier's verdict has it, at least so surely
 *        examples, not_examples     it is like the examples, by the classifier's embedding
 * op: eq ne in lt lte gt gte exists contains starts_with. Text compares without case. A field that
 * is absent makes every op false ("ne" too); {"not": …} turns that round. Values of different kinds
 * are unequal and have no order. A list-valued attribute holds when one of its members does ("ne":
 * when none is equal). Fields go by their path or its last word ("location.city", "city"); what is
 * neither is an attribute's own dotted path.
 *
 * Threading: immutable, any thread. Owned by caller. */
#ifndef KINDRED_INDEX_COHORT_DEFINITION_H
#define KINDRED_INDEX_COHORT_DEFINITION_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/slice.h"
#include "index/names.h"
#include "storage/profile.h"

enum {
    COHORT_NAME_MAX = 64,          /* characters */
    COHORT_DESCRIPTION_MAX = 1000, /* bytes */
    COHORT_PHRASES_MAX = 10000,    /* of each kind */
    COHORT_CONDITIONS_MAX = 256,
    COHORT_PERSONS_MAX = 10000, /* of each kind */
    COHORT_EXAMPLES_MAX = 1000, /* of each kind */
    COHORT_TOPIC_MAX = 64,      /* bytes */
};

struct cohort_definition;
struct condition;

/* include/exclude member: a person number, or an identifier that the engine resolves before the
 * definition is logged (so that no definition in the log holds anybody's e-mail). */
struct cohort_person {
    uint32_t number;          /* 0: see type and value */
    struct slice type, value; /* "email", "ann@example.com" as typed */
};

/* Name: 1 to 64 characters, no control characters, no '/', not "." or ".."; white space at its ends
 * is dropped. error names the member of the JSON that is wrong. Unknown members are errors.
 * ERR_INVALID, ERR_TOO_LARGE, ERR_MEMORY. */
err cohort_definition_parse(struct slice name, struct slice json, struct cohort_definition **out,
                            struct error *error) MUST_USE;
void cohort_definition_destroy(struct cohort_definition *definition);

struct slice cohort_definition_name(const struct cohort_definition *definition);
struct slice cohort_definition_description(const struct cohort_definition *definition);
const struct slice *cohort_definition_phrases(const struct cohort_definition *definition,
                                              size_t *count);
const struct slice *cohort_definition_not_phrases(const struct cohort_definition *definition,
                                                  size_t *count);
/* SLICE_NONE: none. Whether the classifier knows it is not looked at here. */
struct slice cohort_definition_topic(const struct cohort_definition *definition);
/* 0 when absent */
float cohort_definition_min_confidence(const struct cohort_definition *definition);
const struct slice *cohort_definition_examples(const struct cohort_definition *definition,
                                               size_t *count);
const struct slice *cohort_definition_not_examples(const struct cohort_definition *definition,
                                                   size_t *count);
/* The place in the list of an example, or a not_example, of this fold key (phrase_fold_key); false:
 * none. */
bool cohort_definition_example_at(const struct cohort_definition *definition, uint64_t fold_key,
                                  uint32_t *at);
bool cohort_definition_is_not_example(const struct cohort_definition *definition,
                                      uint64_t fold_key);
bool cohort_definition_has_condition(const struct cohort_definition *definition);
/* The tree of "where"; its header is private to index/. */
const struct condition *cohort_definition_condition(const struct cohort_definition *definition);
const struct cohort_person *cohort_definition_include(const struct cohort_definition *definition,
                                                      size_t *count);
const struct cohort_person *cohort_definition_exclude(const struct cohort_definition *definition,
                                                      size_t *count);

/* Does the condition hold for this person? True when there is none. */
bool cohort_definition_matches(const struct cohort_definition *definition,
                               const struct profile_view *view, const struct names *names);

/* The JSON to log and to answer with: canonical member order; include and exclude become the given
 * numbers ("p17"), in place of the parsed ones, when include/exclude are not NULL. */
void cohort_definition_write(const struct cohort_definition *definition, const uint32_t *include,
                             size_t include_count, const uint32_t *exclude, size_t exclude_count,
                             struct buffer *out);

/* Feedback: {"positive": ["padel"], "negative": ["chess"]}, at least one phrase. Positive ones
 * become examples, negative ones not_examples, each leaving the other list; the rest stays. Writes
 * the JSON of the definition that comes of it, which cohort_definition_parse takes. ERR_INVALID
 * names the member that is wrong; ERR_TOO_LARGE over the limits; ERR_MEMORY. */
err cohort_definition_correct(const struct cohort_definition *definition, struct slice feedback,
                              struct buffer *out, struct error *error) MUST_USE;

#endif
