/* Tries to break the promise that changing a cohort re-sorts everybody in milliseconds: a large
 * population with interests by Zipf's law over 20,000 phrases, nineteen topics of 250 phrases, then
 * one change after the other, each checked against a count made by hand.
 *
 *     KINDRED_TEST_PEOPLE=10000000 KINDRED_TEST_TIMES=1 build/tests/unit/index/test_cohorts_speed
 *
 * With neither it runs over 20,000 people and prints nothing. Times are the thread's processor
 * time, the best of five. */
#include "unit/test.h"

#include <math.h>

#include "base/memory.h"
#include "index/cohorts.h"
#include "unit/seed.h"

enum { PHRASES = 20000, TOPICS = 19, TOPIC_PHRASES = 250, INTERESTS = 5, ROUNDS = 5, NAME = 48 };

static struct cohort_world world;
static struct cohorts *cohorts;
static uint32_t population = 20000;
static char phrase_texts[PHRASES][NAME];
static uint32_t phrase_ids[PHRASES];
static uint32_t sampler[1 << 20]; /* a phrase per slot, as often as Zipf says */
static uint64_t sequence;

static void random_phrase(struct prng *prng, char out[NAME])
{
    static const char *const syllables[] = {
        "ba", "con", "der", "el",  "fo",  "gra", "hin", "is", "jo",  "kal", "lum", "mer", "no",
        "ot", "pre", "qua", "ris", "son", "tur", "ul",  "vi", "wen", "xa",  "yo",  "zed"};
    size_t length = 0;
    for (size_t words = 1 + prng_below(prng, 2), w = 0; w < words; w++) {
        length += (size_t)snprintf(out + length, NAME - length, "%s", w > 0 ? " " : "");
        for (size_t s = 2 + prng_below(prng, 3); s > 0; s--) {
            length += (size_t)snprintf(out + length, NAME - length, "%s",
                                       syllables[prng_below(prng, ARRAY_COUNT(syllables))]);
        }
    }
}

static void make_phrases(struct prng *prng)
{
    double total = 0;
    for (uint32_t p = 0; p < PHRASES; p++) {
        uint32_t id = 0;
        do {
            random_phrase(prng, phrase_texts[p]);
        } while (phrases_find(world.phrases, slice_from_cstr(phrase_texts[p])) != PHRASE_NONE);
        REQUIRE(phrases_intern(world.phrases, slice_from_cstr(phrase_texts[p]), &id) == ERR_OK);
        REQUIRE(cohorts_classify_phrase(cohorts, id) == ERR_OK);
        phrase_ids[p] = id;
        total += 1.0 / (p + 10);
    }
    size_t at = 0;
    double sum = 0;
    for (uint32_t p = 0; p < PHRASES; p++) {
        sum += 1.0 / (p + 10);
        for (; at < ARRAY_COUNT(sampler) && (double)at < sum / total * (double)ARRAY_COUNT(sampler);
             at++) {
            sampler[at] = p;
        }
    }
}

struct person_values {
    uint32_t interests[INTERESTS];
    size_t interest_count;
    uint32_t country;
    int64_t age;
};

/* A function of the number, so that nothing need be kept. */
static struct person_values values_of(uint32_t number)
{
    struct prng prng;
    prng_seed(&prng, number);
    struct person_values values = {.country = (uint32_t)prng_below(&prng, 20),
                                   .age = 18 + (int64_t)prng_below(&prng, 70)};
    while (values.interest_count < INTERESTS) {
        const uint32_t phrase = sampler[prng_below(&prng, ARRAY_COUNT(sampler))];
        bool known = false;
        for (size_t i = 0; i < values.interest_count; i++) {
            known = known || values.interests[i] == phrase;
        }
        if (!known) {
            values.interests[values.interest_count++] = phrase;
        }
    }
    return values;
}

static void make_people(void)
{
    struct buffer packed;
    uint32_t countries[20];
    buffer_init(&packed, 1 << 20);
    for (uint32_t c = 0; c < 20; c++) {
        char name[16];
        snprintf(name, sizeof name, "Country %u", c);
        REQUIRE(names_acquire(world.names, slice_from_cstr(name), &countries[c]) == ERR_OK);
    }
    for (uint32_t n = 0; n < population; n++) {
        uint32_t number = 0;
        REQUIRE(people_add(world.people, &number) == ERR_OK);
        const struct person_values values = values_of(number);
        struct profile_origin origin = {.sequence = number};
        struct profile_field fields[] = {
            {FIELD_COUNTRY,
             0,
             {.kind = PROFILE_CATEGORY, .category_id = countries[values.country]}},
            {FIELD_AGE, 0, {.kind = PROFILE_INTEGER, .integer = values.age}},
        };
        struct profile_interest interests[INTERESTS];
        for (size_t i = 0; i < INTERESTS; i++) {
            interests[i] = (struct profile_interest){.phrase_id = phrase_ids[values.interests[i]]};
            phrases_add_holder(world.phrases, interests[i].phrase_id, number);
        }
        attributes_set(world.attributes, FIELD_COUNTRY, &fields[0].value, number);
        attributes_set(world.attributes, FIELD_AGE, &fields[1].value, number);
        struct profile profile = {.number = number,
                                  .origins = &origin,
                                  .origin_count = 1,
                                  .fields = fields,
                                  .field_count = 2,
                                  .interests = interests,
                                  .interest_count = INTERESTS};
        buffer_clear(&packed);
        profile_pack(&profile, &packed);
        void *blob = malloc(packed.length);
        memcpy(blob, packed.data, packed.length);
        REQUIRE(people_replace(world.people, number, blob) == NULL);
    }
    buffer_deinit(&packed);
}

/* ---- definitions ----------------------------------------------------------------------------- */

static char json[TOPIC_PHRASES * NAME * 2];

/* Topic t holds the phrases t, t + TOPICS, t + 2 TOPICS, …, so each is held by its share of the
 * people. */
static void topic_json(uint32_t topic, size_t count, const char *extra)
{
    size_t at = (size_t)snprintf(json, sizeof json, "{\"phrases\":[");
    for (size_t i = 0; i < count; i++) {
        at += (size_t)snprintf(json + at, sizeof json - at, "%s\"%s\"", i > 0 ? "," : "",
                               phrase_texts[topic + i * TOPICS]);
    }
    snprintf(json + at, sizeof json - at, "]%s}", extra);
}

static double best_prepare_ms;
static double best_commit_us;

static void change(const char *name, const char *definition)
{
    struct cohorts_edit edit = {.name = slice_from_cstr(name), .sequence = ++sequence};
    struct cohorts_change *made = NULL;
    struct error error = {0};
    if (definition != NULL) {
        REQUIRE(cohort_definition_parse(edit.name, slice_from_cstr(definition), &edit.definition,
                                        &error) == ERR_OK,
                ": %s", error.message);
    }
    const int64_t begin = test_cpu_ns();
    REQUIRE(cohorts_prepare(cohorts, &edit, 1, &made, &error) == ERR_OK);
    const int64_t prepared = test_cpu_ns();
    cohorts_commit(cohorts, made);
    const int64_t committed = test_cpu_ns();
    cohorts_change_destroy(made);
    best_prepare_ms = fmin(best_prepare_ms, (double)(prepared - begin) / 1e6);
    best_commit_us = fmin(best_commit_us, (double)(committed - prepared) / 1e3);
}

static void report(const char *what, const char *name)
{
    const uint32_t id = cohorts_find(cohorts, slice_from_cstr(name));
    if (test_times_wanted()) {
        printf("%-46s prepare %7.2f ms, commit %6.1f us, %llu members\n", what, best_prepare_ms,
               best_commit_us,
               (unsigned long long)(id != COHORT_NONE ? bitmap_count(cohorts_members(cohorts, id))
                                                      : 0));
        fflush(stdout);
    }
    best_prepare_ms = INFINITY;
    best_commit_us = INFINITY;
}

static void load_topics(void)
{
    struct cohorts_edit edits[TOPICS];
    struct cohorts_change *made = NULL;
    char name[NAME];
    for (uint32_t topic = 0; topic < TOPICS; topic++) {
        snprintf(name, sizeof name, "topic %u", topic);
        topic_json(topic, TOPIC_PHRASES, "");
        edits[topic] = (struct cohorts_edit){.sequence = ++sequence};
        REQUIRE(cohort_definition_parse(slice_from_cstr(name), slice_from_cstr(json),
                                        &edits[topic].definition, NULL) == ERR_OK);
    }
    const int64_t begin = test_cpu_ns();
    REQUIRE(cohorts_prepare(cohorts, edits, TOPICS, &made, NULL) == ERR_OK);
    best_prepare_ms = (double)(test_cpu_ns() - begin) / 1e6;
    const int64_t prepared = test_cpu_ns();
    cohorts_commit(cohorts, made);
    best_commit_us = (double)(test_cpu_ns() - prepared) / 1e3;
    cohorts_change_destroy(made);
    report("all topics at once", "topic 0");
}

/* Members by going through everybody: exact phrases only, so no typo may make a difference that is
 * not in `hits`. */
static void expect_members(const char *name, bool (*wanted)(const struct person_values *values))
{
    const struct bitmap *members =
        cohorts_members(cohorts, cohorts_find(cohorts, slice_from_cstr(name)));
    for (uint32_t number = 1; number <= population; number += 1 + population / 20000) {
        const struct person_values values = values_of(number);
        REQUIRE(bitmap_contains(members, number) == wanted(&values), ": person %u in %s", number,
                name);
    }
}

static uint32_t id_of_topic_0;

static bool in_topic_0(const struct person_values *values)
{
    for (size_t i = 0; i < INTERESTS; i++) {
        size_t count = 0;
        const struct rule_hit *hits =
            phrases_hits(world.phrases, phrase_ids[values->interests[i]], &count);
        for (size_t h = 0; h < count; h++) {
            if (hits[h].cohort == id_of_topic_0) {
                return true;
            }
        }
    }
    return false;
}

static bool is_young_in_3(const struct person_values *values)
{
    return values->country == 3 && values->age >= 30 && values->age < 40;
}

static bool is_not_in_3(const struct person_values *values)
{
    return values->country != 3;
}

static void test_changes(void)
{
    load_topics();
    id_of_topic_0 = cohorts_find(cohorts, SLICE_LITERAL("topic 0"));
    for (int round = 0; round < ROUNDS; round++) {
        topic_json(0, TOPIC_PHRASES - 1, "");
        change("topic 0", json);
    }
    report("a topic's definition again", "topic 0");
    for (int round = 0; round < ROUNDS; round++) {
        best_prepare_ms = round == 0 ? INFINITY : best_prepare_ms;
        topic_json(0, round % 2 == 0 ? TOPIC_PHRASES : TOPIC_PHRASES - 1, "");
        change("topic 0", json);
    }
    report("one phrase comes or goes", "topic 0");
    expect_members("topic 0", in_topic_0);
    for (int round = 0; round < ROUNDS; round++) {
        topic_json(0, round % 2 == 0 ? TOPIC_PHRASES / 2 : TOPIC_PHRASES, "");
        change("topic 0", json);
    }
    report("half of a topic's phrases come or go", "topic 0");
    for (int round = 0; round < ROUNDS; round++) {
        change("balls", round % 2 == 0 ? "{\"phrases\":[\"*ba*\"]}" : NULL);
    }
    report("a new cohort of one wide wildcard", "balls");
    for (int round = 0; round < ROUNDS; round++) {
        change(
            "young",
            round % 2 == 0
                ? "{\"where\":{\"all\":[{\"field\":\"country\",\"op\":\"eq\",\"value\":\"country 3\"},"
                  "{\"field\":\"age\",\"op\":\"gte\",\"value\":30},"
                  "{\"field\":\"age\",\"op\":\"lt\",\"value\":40}]}}"
                : NULL);
    }
    report("a condition on country and age", "young");
    expect_members("young", is_young_in_3);
    for (int round = 0; round < ROUNDS; round++) {
        change("elsewhere",
               round % 2 == 0
                   ? "{\"where\":{\"field\":\"country\",\"op\":\"ne\",\"value\":\"country 3\"}}"
                   : NULL);
    }
    report("a condition that most fulfil", "elsewhere");
    expect_members("elsewhere", is_not_in_3);
    for (int round = 0; round < ROUNDS; round++) {
        topic_json(1, TOPIC_PHRASES, ",\"where\":{\"field\":\"age\",\"op\":\"gte\",\"value\":50}");
        change("topic 1", json);
    }
    report("a topic with a condition", "topic 1");
}

static void test_people(void)
{
    static uint32_t ids[COHORTS_MAX];
    struct prng prng;
    prng_seed(&prng, 3);
    const uint32_t count = population < 200000 ? population : 200000;
    size_t found = 0;
    int64_t begin = test_cpu_ns();
    for (uint32_t i = 0; i < count; i++) {
        struct profile_view view;
        profile_view_open(people_blob(world.people, 1 + (uint32_t)prng_below(&prng, population)),
                          &view);
        found += cohorts_of_person(cohorts, &view, ids, COHORTS_MAX);
    }
    const int64_t asked = test_cpu_ns() - begin;
    begin = test_cpu_ns();
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t number = 1 + (uint32_t)prng_below(&prng, population);
        const void *blob = people_blob(world.people, number);
        cohorts_person_changed(cohorts, number, blob, NULL);
        cohorts_person_changed(cohorts, number, NULL, blob);
    }
    const int64_t changed = test_cpu_ns() - begin;
    begin = test_cpu_ns();
    EXPECT(cohorts_rebuild(cohorts) == ERR_OK);
    const int64_t rebuilt = test_cpu_ns() - begin;
    if (test_times_wanted()) {
        printf(
            "cohorts_of_person, random people: %.0f ns (%.1f cohorts); person leaves and comes: %.0f ns; rebuild %.0f ms\n",
            (double)asked / count, (double)found / count, (double)changed / count,
            (double)rebuilt / 1e6);
        printf("memory: phrases %.1f MB, attributes %.1f MB\n",
               (double)phrases_memory_bytes(world.phrases) / 1e6,
               (double)attributes_memory_bytes(world.attributes) / 1e6);
    }
    const char *reason = "";
    EXPECT(population > 1000000 || cohorts_validate(cohorts, &reason), ": %s", reason);
}

static void free_blob(void *blob)
{
    free(blob);
}

int main(void)
{
    const char *wanted = getenv("KINDRED_TEST_PEOPLE");
    population = wanted != NULL ? (uint32_t)strtoul(wanted, NULL, 10) : population;
    struct prng prng;
    prng_seed(&prng, 1);
    world = (struct cohort_world){.people = people_create(),
                                  .phrases = phrases_create(1),
                                  .attributes = attributes_create(),
                                  .names = names_create(1)};
    cohorts = cohorts_create(&world);
    make_phrases(&prng);
    make_people();
    if (cohorts_rebuild(cohorts) != ERR_OK) {
        return 1;
    }
    best_prepare_ms = INFINITY;
    best_commit_us = INFINITY;
    RUN(test_changes);
    RUN(test_people);
    cohorts_destroy(cohorts);
    people_destroy(world.people, free_blob);
    phrases_destroy(world.phrases);
    attributes_destroy(world.attributes);
    names_destroy(world.names);
    return test_summary();
}
