/* Tries to break the rules with any bytes as patterns and phrases, one a line: "+c pattern", "-c
 * pattern" (not) for cohort c, anything else is asked. Hits must be in order and within bounds,
 * folding idempotent, and what adding a pattern changes must be announced by rules_touch. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "classifier/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rule_hit before[RULE_HITS_MAX];
static struct rule_hit after[RULE_HITS_MAX];

static bool is_pattern(struct slice line)
{
    return line.length >= 2 && (line.data[0] == '+' || line.data[0] == '-');
}

/* The line's pattern for its cohort. */
static void add_line(struct rules_builder *builder, struct slice line)
{
    const struct slice pattern = slice_of(line.data + 2, line.length - 2);
    err e = line.data[0] == '+'
                ? rules_builder_add(builder, (uint8_t)line.data[1], pattern, NULL)
                : rules_builder_add_not(builder, (uint8_t)line.data[1], pattern, NULL);
    CHECK(e == ERR_OK);
}

static void check_fold(struct slice phrase)
{
    char once[PHRASE_FOLD_MAX];
    char twice[PHRASE_FOLD_MAX];
    const struct slice folded = slice_of(once, phrase_fold(phrase, once));
    CHECK(slice_equal(folded, slice_of(twice, phrase_fold(folded, twice))));
    char text[TEXT_FOLD_MAX];
    const struct slice lower = slice_of(text, text_fold(phrase, text));
    CHECK(lower.length <= TEXT_FOLD_MAX);
    CHECK(phrase.length > TEXT_FOLD_MAX / 4 || text_fold_equal(phrase, lower));
}

static size_t match(const struct rules *rules, struct slice phrase, struct rule_hit *hits)
{
    const size_t count = rules_match(rules, phrase, hits);
    for (size_t i = 0; i < count; i++) {
        CHECK(i == 0 || hits[i - 1].cohort < hits[i].cohort);
        CHECK(hits[i].method >= RULE_EXACT && hits[i].method <= RULE_TYPO);
        CHECK(rules_pattern_text(rules, hits[i].pattern).data != NULL);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rules_builder *builder = rules_builder_create();
    struct rules_builder *delta_builder = rules_builder_create();
    struct rules *small = NULL;
    struct rules *large = NULL;
    struct rules *delta = NULL;
    struct slice rest = slice_of(data, size);
    struct slice last = SLICE_NONE;
    CHECK(builder != NULL && delta_builder != NULL);
    /* All patterns but the last one make the small rules. */
    while (rest.data != NULL) {
        const struct slice line = slice_cut(&rest, '\n');
        check_fold(line);
        if (!is_pattern(line) ||
            rules_pattern_check(slice_of(line.data + 2, line.length - 2), NULL) != ERR_OK) {
            continue;
        }
        if (last.data != NULL) {
            add_line(builder, last);
        }
        last = line;
    }
    CHECK(rules_build(builder, &small) == ERR_OK);
    if (last.data != NULL) {
        add_line(builder, last);
        add_line(delta_builder, last);
    }
    CHECK(rules_build(builder, &large) == ERR_OK && rules_build(delta_builder, &delta) == ERR_OK);
    rest = slice_of(data, size);
    while (rest.data != NULL) {
        struct slice line = slice_cut(&rest, '\n');
        line = is_pattern(line) ? slice_of(line.data + 2, line.length - 2) : line;
        const size_t before_count = match(small, line, before);
        const size_t after_count = match(large, line, after);
        bool same = before_count == after_count;
        for (size_t i = 0; same && i < after_count; i++) {
            same = before[i].cohort == after[i].cohort && before[i].method == after[i].method;
        }
        CHECK(same || rules_touch(delta, line));
    }
    rules_destroy(small);
    rules_destroy(large);
    rules_destroy(delta);
    rules_builder_destroy(builder);
    rules_builder_destroy(delta_builder);
    return 0;
}
