/* rules.h: business rules, phrase ─▶ cohorts. The trained model stands beside this behind classifier/, and rules win.
 *
 *   patterns ("cricket", "nike *", "* shoes") ─rules_build─▶ immutable matcher ─rules_match─▶ hits
 *
 * A phrase and a pattern are compared in folded form (phrase_fold): lower case, no accents, no '#', punctuation as spaces,
 * single spaces. In this order, and the first kind that hits decides:
 *   exact     the folded phrase is a pattern, or is one but for a plural ending
 *   wildcard  '*' stands for any run of characters
 *   typo      the phrase, at least 5 letters, is one edit (insert, delete, replace, swap; Damerau 1964) from an exact
 *             pattern, or two from 9 letters up, and no other cohort's pattern is as near; found by deletion
 *             neighbourhoods (SymSpell, Garbe 2012)
 * An exact "not" pattern of a cohort takes that cohort out of the result, whatever else hit.
 *
 * Threading: a built matcher is immutable, any thread. Owned by caller. */
#ifndef KINDRED_CLASSIFIER_RULES_H
#define KINDRED_CLASSIFIER_RULES_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/slice.h"

enum rule_method { RULE_EXACT = 1, RULE_WILDCARD = 2, RULE_TYPO = 3 };
enum { RULE_HITS_MAX = 16, PHRASE_FOLD_MAX = 256, RULE_PATTERN_MAX = 120 };

struct rule_hit {
    uint32_t cohort;     /* the caller's number */
    uint8_t method;      /* enum rule_method */
    float confidence;    /* exact 1.0, wildcard 0.95, typo 0.9 / 0.8 */
    uint32_t pattern;    /* for explaining: rules_pattern_text */
};

struct rules_builder;
struct rules;

struct rules_builder *rules_builder_create(void) MUST_USE;
void rules_builder_destroy(struct rules_builder *builder);
/* The text is copied. ERR_INVALID with *error when a pattern folds to nothing, is only '*', or is too long. */
err rules_builder_add(struct rules_builder *builder, uint32_t cohort, struct slice pattern, struct error *error) MUST_USE;
err rules_builder_add_not(struct rules_builder *builder, uint32_t cohort, struct slice pattern,
                          struct error *error) MUST_USE;
/* The builder stays the caller's and may be added to and built again. */
err rules_build(const struct rules_builder *builder, struct rules **out) MUST_USE;
void rules_destroy(struct rules *rules);

/* At most RULE_HITS_MAX hits, one per cohort, ascending by cohort; returns how many. */
size_t rules_match(const struct rules *rules, struct slice phrase, struct rule_hit hits[RULE_HITS_MAX]);
struct slice rules_pattern_text(const struct rules *rules, uint32_t pattern);

/* The folded form; at most PHRASE_FOLD_MAX bytes (longer phrases are cut at a character). Returns its length. */
size_t phrase_fold(struct slice phrase, char out[PHRASE_FOLD_MAX]);

#endif
