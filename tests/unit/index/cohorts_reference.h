/* cohorts_reference.h: who test_cohorts.c expects in which cohort, and by what, made anew from the
 * definitions' JSON. */
#ifndef KINDRED_TESTS_UNIT_COHORTS_REFERENCE_H
#define KINDRED_TESTS_UNIT_COHORTS_REFERENCE_H

#include "cohorts_conditions.h"

static bool ref_lists(json_value list, uint32_t number)
{
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        const uint32_t listed = (uint32_t)atoi(json_text(each.value).data + 1);
        if (listed <= people_last(world.people) && people[listed].root == number) {
            return true;
        }
    }
    return false;
}

/* How each phrase comes to each cohort, made anew from the definitions' JSON; method 0: it does
 * not. */
struct ref_hit {
    uint8_t method;
    float confidence;
    struct slice text;
};
static struct ref_hit ref_hits[PHRASES][COHORTS];

static void ref_rules(void)
{
    struct rules_builder *builder = rules_builder_create();
    struct rules *rules = NULL;
    static struct rule_hit hits[RULE_HITS_MAX];
    for (uint32_t c = 0; c < COHORTS; c++) {
        if (ref_cohorts[c].used) {
            json_value root = json_root(ref_cohorts[c].document);
            json_value list = json_get(root, "phrases");
            for (struct json_iterator each = json_iterate(list);
                 list != NULL && json_next(&each);) {
                REQUIRE(rules_builder_add(builder, c, json_text(each.value), NULL) == ERR_OK);
            }
            list = json_get(root, "not_phrases");
            for (struct json_iterator each = json_iterate(list);
                 list != NULL && json_next(&each);) {
                REQUIRE(rules_builder_add_not(builder, c, json_text(each.value), NULL) == ERR_OK);
            }
        }
    }
    REQUIRE(rules_build(builder, &rules) == ERR_OK);
    for (uint32_t p = 0; p < PHRASES; p++) {
        const size_t count = rules_match(rules, slice_from_cstr(phrase_texts[p]), hits);
        for (size_t i = 0; i < count; i++) {
            /* The text must outlive the rules: the JSON has it. */
            json_value list = json_get(json_root(ref_cohorts[hits[i].cohort].document), "phrases");
            struct ref_hit *hit = &ref_hits[p][hits[i].cohort];
            *hit = (struct ref_hit){hits[i].method, hits[i].confidence, SLICE_NONE};
            for (struct json_iterator each = json_iterate(list); json_next(&each);) {
                if (hit->text.data == NULL &&
                    slice_equal(json_text(each.value),
                                rules_pattern_text(rules, hits[i].pattern))) {
                    hit->text = json_text(each.value);
                }
            }
        }
    }
    rules_destroy(rules);
    rules_builder_destroy(builder);
}

/* Does this one pattern speak about the phrase (never by typo)? */
static bool ref_speaks(struct slice pattern, struct slice phrase)
{
    static struct rule_hit hits[RULE_HITS_MAX];
    struct rules_builder *builder = rules_builder_create();
    struct rules *rules = NULL;
    EXPECT(rules_builder_add(builder, 0, pattern, NULL) == ERR_OK &&
           rules_build(builder, &rules) == ERR_OK);
    const size_t count = rules_match(rules, phrase, hits);
    rules_destroy(rules);
    rules_builder_destroy(builder);
    return count > 0 && hits[0].method != RULE_TYPO;
}

static bool ref_lists_phrase(json_value list, struct slice phrase, struct slice *text)
{
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        char a[PHRASE_FOLD_MAX];
        char b[PHRASE_FOLD_MAX];
        const size_t length = phrase_fold(phrase, a);
        if (length > 0 &&
            slice_equal(slice_of(a, length), slice_of(b, phrase_fold(json_text(each.value), b)))) {
            *text = json_text(each.value);
            return true;
        }
    }
    return false;
}

static size_t ref_embeddings(json_value list, int8_t (*out)[EMBEDDING_SIZE])
{
    size_t count = 0;
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        struct verdict verdict;
        table_verdict(&table, json_text(each.value), &verdict);
        memcpy(out[count++], verdict.embedding, EMBEDDING_SIZE);
    }
    return count;
}

static float ref_likeness(json_value root, const struct verdict *verdict)
{
    static int8_t positives[64][EMBEDDING_SIZE];
    static int8_t negatives[64][EMBEDDING_SIZE];
    static const int8_t nothing[EMBEDDING_SIZE];
    struct examples_scorer scorer;
    const size_t positive_count = ref_embeddings(json_get(root, "examples"), positives);
    const size_t negative_count = ref_embeddings(json_get(root, "not_examples"), negatives);
    if (positive_count == 0 || memcmp(verdict->embedding, nothing, EMBEDDING_SIZE) == 0) {
        return 0;
    }
    examples_fit(NULL, (const int8_t(*)[EMBEDDING_SIZE])positives, positive_count,
                 (const int8_t(*)[EMBEDDING_SIZE])negatives, negative_count, &scorer);
    return examples_score(&scorer, verdict->embedding);
}

static void ref_model(uint32_t p, uint32_t c)
{
    json_value root = json_root(ref_cohorts[c].document);
    const struct slice phrase = slice_from_cstr(phrase_texts[p]);
    struct ref_hit *hit = &ref_hits[p][c];
    json_value list = json_get(root, "not_phrases");
    for (struct json_iterator each = json_iterate(list); list != NULL && json_next(&each);) {
        if (ref_speaks(json_text(each.value), phrase)) {
            return;
        }
    }
    if (ref_lists_phrase(json_get(root, "examples"), phrase, &hit->text)) {
        *hit = (struct ref_hit){HIT_EXAMPLE, 1, hit->text};
        return;
    }
    struct slice ignored;
    if (!answered[p] || ref_lists_phrase(json_get(root, "not_examples"), phrase, &ignored)) {
        return;
    }
    struct verdict verdict;
    table_verdict(&table, phrase, &verdict);
    json_value least = json_get(root, "min_confidence");
    for (size_t i = 0; json_get(root, "topic") != NULL && i < verdict.topic_count; i++) {
        const struct slice topic = json_text(json_get(root, "topic"));
        const float confidence =
            (float)verdict.topics[i].confidence / (float)VERDICT_CONFIDENCE_ONE;
        if (slice_equal_ignoring_case(table_topics[verdict.topics[i].topic], topic) &&
            confidence >= (least != NULL ? (float)json_double_of(least) : 0)) {
            *hit = (struct ref_hit){HIT_TOPIC, confidence, topic};
        }
    }
    const float likeness = ref_likeness(root, &verdict);
    if (likeness >= 0.5F && likeness > hit->confidence) {
        *hit = (struct ref_hit){HIT_SIMILAR, likeness, SLICE_NONE};
    }
}

static uint64_t hits_seen[HIT_TOPIC + 1];

static void ref_match_phrases(void)
{
    memset(ref_hits, 0, sizeof ref_hits);
    ref_rules();
    for (uint32_t p = 0; p < PHRASES; p++) {
        size_t count = 0;
        for (uint32_t c = 0; c < COHORTS; c++) {
            if (ref_cohorts[c].used && ref_hits[p][c].method == 0) {
                ref_model(p, c);
            }
            count += ref_hits[p][c].method != 0;
            hits_seen[ref_hits[p][c].method]++;
        }
        /* What is stored for the phrase must be the same, with texts that are the cohort's own. */
        const uint32_t id = phrases_find(world.phrases, slice_from_cstr(phrase_texts[p]));
        size_t stored_count = 0;
        if (id == PHRASE_NONE) {
            continue;
        }
        const struct rule_hit *stored = phrases_hits(world.phrases, id, &stored_count);
        REQUIRE(phrases_classified(world.phrases, id) && stored_count == count, ": '%s'",
                phrase_texts[p]);
        REQUIRE(phrases_is_pending(world.phrases, id) == !answered[p], ": '%s'", phrase_texts[p]);
        struct verdict verdict;
        table_verdict(&table, slice_from_cstr(phrase_texts[p]), &verdict);
        REQUIRE(bitmap_contains(phrases_unclassified(world.phrases), id) ==
                (answered[p] && verdict.topic_count == 0 && count == 0));
        for (uint32_t c = 0; c < COHORTS; c++) {
            const struct ref_hit *hit = &ref_hits[p][c];
            const uint32_t cohort = cohorts_find(cohorts, slice_from_cstr(ref_cohorts[c].name));
            bool found = hit->method == 0;
            for (size_t j = 0; hit->method != 0 && j < stored_count; j++) {
                found = found || (stored[j].cohort == cohort && stored[j].method == hit->method &&
                                  stored[j].confidence == hit->confidence &&
                                  slice_equal(cohorts_hit_text(cohorts, &stored[j]), hit->text));
            }
            REQUIRE(found, ": '%s' in %s by %s: %s", phrase_texts[p], ref_cohorts[c].name,
                    hit_method_name(hit->method), ref_cohorts[c].json);
        }
    }
}

static bool ref_member(uint32_t c, uint32_t number)
{
    const struct ref_person *person = &people[number];
    json_value root = json_root(ref_cohorts[c].document);
    if (!person->alive || ref_lists(json_get(root, "exclude"), number)) {
        return false;
    }
    if (ref_lists(json_get(root, "include"), number)) {
        return true;
    }
    const bool phrases = json_count(json_get(root, "phrases")) > 0 ||
                         json_get(root, "topic") != NULL ||
                         json_count(json_get(root, "examples")) > 0;
    json_value where = json_get(root, "where");
    bool hit = false;
    for (size_t p = 0; p < PHRASES; p++) {
        hit = hit || (person->interests[p] && ref_hits[p][c].method != 0);
    }
    if (!phrases && where == NULL) {
        return false;
    }
    return (!phrases || hit) && (where == NULL || ref_condition(person, where));
}

static void expect_same(int step)
{
    static uint32_t ids[COHORTS_MAX];
    uint32_t count = 0;
    const uint32_t last = people_last(world.people);
    ref_match_phrases();
    for (uint32_t c = 0; c < COHORTS; c++) {
        count += ref_cohorts[c].used;
        const uint32_t id = cohorts_find(cohorts, slice_from_cstr(ref_cohorts[c].name));
        REQUIRE((id != COHORT_NONE) == ref_cohorts[c].used, ": step %d", step);
        if (!ref_cohorts[c].used) {
            continue;
        }
        REQUIRE(cohorts_sequence(cohorts, id) == ref_cohorts[c].sequence);
        uint64_t members = 0;
        for (uint32_t number = 1; number <= last; number++) {
            const bool wanted = ref_member(c, number);
            members += wanted;
            REQUIRE(bitmap_contains(cohorts_members(cohorts, id), number) == wanted,
                    ": step %d, person %u should %sbe in %s: %s", step, number,
                    wanted ? "" : "not ", ref_cohorts[c].name, ref_cohorts[c].json);
        }
        REQUIRE(bitmap_count(cohorts_members(cohorts, id)) == members, ": step %d", step);
    }
    REQUIRE(cohorts_count(cohorts) == count);
    for (uint32_t rank = 1; rank < count; rank++) {
        REQUIRE(slice_compare(cohort_definition_name(
                                  cohorts_definition(cohorts, cohorts_at(cohorts, rank - 1))),
                              cohort_definition_name(
                                  cohorts_definition(cohorts, cohorts_at(cohorts, rank)))) < 0);
    }
    for (uint32_t number = 1; number <= last; number++) {
        if (!people[number].alive) {
            continue;
        }
        struct profile_view view;
        profile_view_open(people[number].blob, &view);
        const size_t found = cohorts_of_person(cohorts, &view, ids, COHORTS_MAX);
        size_t at = 0;
        for (uint32_t rank = 0; rank < count; rank++) {
            const bool in =
                bitmap_contains(cohorts_members(cohorts, cohorts_at(cohorts, rank)), number);
            REQUIRE(!in || (at < found && ids[at] == cohorts_at(cohorts, rank)),
                    ": step %d person %u", step, number);
            at += in;
        }
        REQUIRE(at == found, ": step %d person %u", step, number);
        REQUIRE(cohorts_of_person(cohorts, &view, ids, 1) == (found > 0));
    }
    const char *reason = "";
    REQUIRE(cohorts_validate(cohorts, &reason), ": step %d: %s", step, reason);
}

#endif
