/* rules.h: business rules, phrase ─▶ cohorts. The trained model stands beside this behind classifier/, and rules win.
 *
 *   patterns ("cricket", "nike *", "* shoes") ─rules_build─▶ immutable matcher ─rules_match─▶ hits
 *
 * A phrase and a pattern are compared in folded form (phrase_fold): lower case, no accents, no '#',
 * punctuation as spaces, single spaces. What can hit, the more telling first:
 *   exact     the folded phrase is a pattern, or is one but for a plural ending of the last word
 *   wildcard  '*' stands for any run of characters; text and pattern stand between spaces, so that "nike *" is "nike" too
 *   typo      the phrase, at least 5 characters, is one edit (insert, delete, replace, swap; Damerau 1964) from an exact
 *             pattern, or two from 9 up (of several words, not both in one shorter than 9), and all patterns that are
 *             as near (at most 32) are the cohort's; found by deletion neighbourhoods (SymSpell, Garbe 2012). Not for
 *             a phrase that is itself an exact pattern of anybody (it is a known word), nor when the two differ in a
 *             digit.
 * Per cohort the most telling hit decides and is the one reported; exact and wildcard hits of one
 * cohort do not depend on any other cohort. A "not" pattern takes part like the others (exact,
 * plural or wildcard, never typo): where it is the more telling one, or as telling, it takes that
 * cohort out. So "* football" with not "fantasy football" leaves that one phrase out, and "fantasy
 * football" with not "fantasy *" lets that one phrase in.
 *
 * Threading: a built matcher is immutable, any thread. Owned by caller. */
#ifndef KINDRED_CLASSIFIER_RULES_H
#define KINDRED_CLASSIFIER_RULES_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/slice.h"
#include "classifier/fold.h"

enum rule_method { RULE_EXACT = 1, RULE_WILDCARD = 2, RULE_TYPO = 3 };
enum {
    /* no fewer than there can be cohorts, so that a hit is never lost for room */
    RULE_HITS_MAX = 4096,
    RULE_PATTERN_MAX = 120 /* bytes as typed */
};

struct rule_hit {
    uint32_t cohort;  /* the caller's number */
    uint8_t method;   /* enum rule_method */
    float confidence; /* exact 1.0, wildcard 0.95, typo 0.9 / 0.8 */
    uint32_t pattern; /* for explaining: rules_pattern_text; of several the one added first */
};

struct rules_builder;
struct rules;

struct rules_builder *rules_builder_create(void) MUST_USE;
void rules_builder_destroy(struct rules_builder *builder);
/* The text is copied. Patterns are numbered from 0 in the order of adding, "not" ones among them.
 * ERR_INVALID with *error when a pattern folds to nothing, is only '*', or is too long.
 * ERR_MEMORY. */
err rules_builder_add(struct rules_builder *builder, uint32_t cohort, struct slice pattern,
                      struct error *error) MUST_USE;
err rules_builder_add_not(struct rules_builder *builder, uint32_t cohort, struct slice pattern,
                          struct error *error) MUST_USE;
/* Would rules_builder_add take it? ERR_INVALID as above. */
err rules_pattern_check(struct slice pattern, struct error *error) MUST_USE;
/* The builder stays the caller's and may be added to and built again. ERR_MEMORY. */
err rules_build(const struct rules_builder *builder, struct rules **out) MUST_USE;
void rules_destroy(struct rules *rules);

/* At most RULE_HITS_MAX hits, one per cohort, ascending by cohort; returns how many. */
size_t rules_match(const struct rules *rules, struct slice phrase,
                   struct rule_hit hits[RULE_HITS_MAX]);
struct slice rules_pattern_text(const struct rules *rules, uint32_t pattern);

/* Could any of these patterns, "not" ones too, have a part in deciding about the phrase? When not,
 * adding them to other rules or taking them away leaves what those say about the phrase as it
 * is. */
bool rules_touch(const struct rules *rules, struct slice phrase);

#endif
