#include "rules_internal.h"

#include "base/hash.h"
#include "base/memory.h"
#include "fold_internal.h"

enum { RULES_BYTES_MAX = 1 << 30 };

struct rules_builder {
    struct rules_pattern *patterns;
    uint32_t count;
    uint32_t capacity;
    struct buffer bytes;
};

struct rules_builder *rules_builder_create(void)
{
    struct rules_builder *builder = memory_zalloc(sizeof *builder);
    if (builder != NULL) {
        buffer_init(&builder->bytes, RULES_BYTES_MAX);
    }
    return builder;
}

void rules_builder_destroy(struct rules_builder *builder)
{
    if (builder != NULL) {
        memory_free(builder->patterns);
        buffer_deinit(&builder->bytes);
        memory_free(builder);
    }
}

static err check_pattern(struct slice pattern, char folded[PHRASE_FOLD_MAX], size_t *length,
                         struct error *error)
{
    bool whole = false;
    if (pattern.length > RULE_PATTERN_MAX) {
        return error_set(error, ERR_INVALID, "pattern_too_long", 0,
                         "a phrase is longer than %d bytes", RULE_PATTERN_MAX);
    }
    *length = pattern_fold(pattern, folded, &whole);
    if (!whole) {
        return error_set(error, ERR_INVALID, "pattern_too_long", 0,
                         "a phrase is too long once it is written out");
    }
    for (size_t i = 0; i < *length; i++) {
        if (folded[i] != '*' && folded[i] != ' ') {
            return ERR_OK;
        }
    }
    return error_set(error, ERR_INVALID, "pattern_empty", 0,
                     "a phrase has neither a letter nor a digit");
}

err rules_pattern_check(struct slice pattern, struct error *error)
{
    char folded[PHRASE_FOLD_MAX];
    size_t length = 0;
    return check_pattern(pattern, folded, &length, error);
}

static err add_pattern(struct rules_builder *builder, uint32_t cohort, struct slice pattern,
                       bool is_not, struct error *error)
{
    char folded[PHRASE_FOLD_MAX];
    size_t length = 0;
    err e = check_pattern(pattern, folded, &length, error);
    if (e != ERR_OK) {
        return e;
    }
    if (builder->count == builder->capacity) {
        uint32_t capacity = builder->capacity ? builder->capacity * 2 : 64;
        struct rules_pattern *grown = memory_realloc(builder->patterns, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
        }
        builder->patterns = grown;
        builder->capacity = capacity;
    }
    const size_t at = builder->bytes.length;
    char *room = buffer_reserve(&builder->bytes, pattern.length + length);
    if (room == NULL) {
        builder->bytes.failed = false; /* what is there stays good */
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
    }
    memcpy(room, pattern.data, pattern.length);
    memcpy(room + pattern.length, folded, length);
    buffer_commit(&builder->bytes, pattern.length + length);
    builder->patterns[builder->count++] = (struct rules_pattern){
        .cohort = cohort,
        .typed_at = (uint32_t)at,
        .typed_length = (uint16_t)pattern.length,
        .folded_length = (uint16_t)length,
        .is_not = is_not,
        .is_wildcard = memchr(folded, '*', length) != NULL,
    };
    return ERR_OK;
}

err rules_builder_add(struct rules_builder *builder, uint32_t cohort, struct slice pattern,
                      struct error *error)
{
    return add_pattern(builder, cohort, pattern, false, error);
}

err rules_builder_add_not(struct rules_builder *builder, uint32_t cohort, struct slice pattern,
                          struct error *error)
{
    return add_pattern(builder, cohort, pattern, true, error);
}

/* ---- building ---- */

static struct slice folded_of(const struct rules *rules, const struct rules_pattern *pattern)
{
    return slice_of(rules->bytes + pattern->typed_at + pattern->typed_length,
                    pattern->folded_length);
}

uint32_t rules_text_hash(struct slice folded)
{
    return (uint32_t)hash64(folded, 0);
}

static uint32_t probe(const struct rules *rules, struct slice folded, uint32_t hash)
{
    uint32_t at = hash & rules->slot_mask;
    while (rules->slots[at].text_plus_1 != 0 &&
           (rules->slots[at].hash != hash ||
            !slice_equal(rules->texts[rules->slots[at].text_plus_1 - 1], folded))) {
        at = (at + 1) & rules->slot_mask;
    }
    return at;
}

uint32_t rules_find_text(const struct rules *rules, struct slice folded)
{
    return rules->slots[probe(rules, folded, rules_text_hash(folded))].text_plus_1 - 1;
}

static void *alloc_array(size_t count, size_t size_bytes)
{
    return memory_zalloc((count + 1) * size_bytes);
}

static err allocate(struct rules *rules, const struct rules_builder *builder)
{
    const size_t count = builder->count;
    uint32_t slots = 16;
    while (slots < 2 * count) {
        slots *= 2;
    }
    rules->slot_mask = slots - 1;
    rules->pattern_count = builder->count;
    rules->patterns = alloc_array(count, sizeof *rules->patterns);
    rules->bytes = memory_alloc(builder->bytes.length + 1);
    rules->texts = alloc_array(count, sizeof *rules->texts);
    rules->owner_starts = alloc_array(count + 1, sizeof *rules->owner_starts);
    rules->owners = alloc_array(count, sizeof *rules->owners);
    rules->slots = alloc_array(slots, sizeof *rules->slots);
    rules->wildcards = alloc_array(count, sizeof *rules->wildcards);
    rules->wildcard_patterns = alloc_array(count, sizeof *rules->wildcard_patterns);
    bool all = rules->patterns && rules->bytes && rules->texts && rules->owner_starts &&
               rules->owners && rules->slots && rules->wildcards && rules->wildcard_patterns;
    if (all && count > 0) {
        memcpy(rules->patterns, builder->patterns, count * sizeof *rules->patterns);
        memcpy(rules->bytes, builder->bytes.data, builder->bytes.length);
    }
    return all ? ERR_OK : ERR_MEMORY;
}

/* Gives every exact pattern its text and every wildcard its place. */
static void collect(struct rules *rules)
{
    for (uint32_t i = 0; i < rules->pattern_count; i++) {
        struct slice folded = folded_of(rules, &rules->patterns[i]);
        if (rules->patterns[i].is_wildcard) {
            rules->wildcard_patterns[rules->wildcard_count] = i;
            rules->wildcards[rules->wildcard_count++] = folded;
            continue;
        }
        uint32_t hash = rules_text_hash(folded);
        struct rules_slot *slot = &rules->slots[probe(rules, folded, hash)];
        if (slot->text_plus_1 == 0) {
            rules->texts[rules->text_count++] = folded;
            *slot = (struct rules_slot){hash, rules->text_count};
        }
        rules->owner_starts[slot->text_plus_1 - 1]++;
    }
    /* Counts become ends, and filling from the back turns them into starts. */
    for (uint32_t t = 1; t <= rules->text_count; t++) {
        rules->owner_starts[t] += rules->owner_starts[t - 1];
    }
    for (uint32_t i = rules->pattern_count; i-- > 0;) {
        if (!rules->patterns[i].is_wildcard) {
            uint32_t text = rules_find_text(rules, folded_of(rules, &rules->patterns[i]));
            rules->owners[--rules->owner_starts[text]] = i;
        }
    }
}

err rules_build(const struct rules_builder *builder, struct rules **out)
{
    struct rules *rules = memory_zalloc(sizeof *rules);
    if (rules == NULL) {
        return ERR_MEMORY;
    }
    err e = allocate(rules, builder);
    if (e == ERR_OK) {
        collect(rules);
        e = typo_index_build(&rules->typo_index, rules->texts, rules->text_count);
    }
    if (e == ERR_OK) {
        e = wildcard_index_build(&rules->wildcard_index, rules->wildcards, rules->wildcard_count);
    }
    if (e != ERR_OK) {
        rules_destroy(rules);
        return e;
    }
    *out = rules;
    return ERR_OK;
}

void rules_destroy(struct rules *rules)
{
    if (rules == NULL) {
        return;
    }
    typo_index_deinit(&rules->typo_index);
    wildcard_index_deinit(&rules->wildcard_index);
    memory_free(rules->patterns);
    memory_free(rules->bytes);
    memory_free(rules->texts);
    memory_free(rules->owner_starts);
    memory_free(rules->owners);
    memory_free(rules->slots);
    memory_free(rules->wildcards);
    memory_free(rules->wildcard_patterns);
    memory_free(rules);
}

struct slice rules_pattern_text(const struct rules *rules, uint32_t pattern)
{
    if (pattern >= rules->pattern_count) {
        return SLICE_NONE;
    }
    return slice_of(rules->bytes + rules->patterns[pattern].typed_at,
                    rules->patterns[pattern].typed_length);
}
