/* Tries to break the cohorts against a reference that knows nothing of bitmaps, deltas or hits: it
 * keeps people as plain structs and definitions as JSON text, and after random births, changes,
 * merges, erasures, edits of definitions (several at once, dropped half-way), verdicts that come
 * with the phrase, late, or never, feedback, reclassifications and rebuilds asks for every person
 * and cohort whether the definition says so. Members, cohorts_of_person (with order), phrase hits
 * and names must all agree with it. Seeds: KINDRED_TEST_SEED; a failure names the step. */
#include "unit/test.h"

#include "cohorts_reference.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

/* ---- random operations ----------------------------------------------------------------------- */

static struct ref_value random_value(struct prng *prng)
{
    static const double numbers[] = {0.5, -1.5, 18, 2.5, 1e300};
    struct ref_value value = {.kind = (enum profile_value_kind)prng_below(prng, 6)};
    value.integer = prng_below(prng, 2) == 0 ? (int64_t)prng_below(prng, 7) - 3
                                             : (int64_t)prng_below(prng, 4) * 6;
    value.number = numbers[prng_below(prng, ARRAY_COUNT(numbers))];
    value.boolean = prng_below(prng, 2) == 0;
    value.text = value_texts[prng_below(prng, ARRAY_COUNT(value_texts))];
    return value;
}

static void change_person(struct prng *prng, struct ref_person *person)
{
    for (size_t n = 1 + prng_below(prng, 3); n > 0; n--) {
        const uint64_t what = prng_below(prng, 10);
        if (what < 4) {
            const size_t phrase = prng_below(prng, PHRASES);
            person->interests[phrase] = !person->interests[phrase];
        } else if (what < 9) {
            person->values[prng_below(prng, FIELDS)] = random_value(prng);
        } else {
            person->tags[prng_below(prng, TAGS)] =
                prng_below(prng, 2) == 0 ? NULL
                                         : value_texts[prng_below(prng, ARRAY_COUNT(value_texts))];
        }
    }
}

static uint32_t random_living(struct prng *prng)
{
    for (int tries = 0; tries < 50 && people_last(world.people) > 0; tries++) {
        const uint32_t number = 1 + (uint32_t)prng_below(prng, people_last(world.people));
        if (people[number].alive) {
            return number;
        }
    }
    return PERSON_NONE;
}

static void merge(struct prng *prng)
{
    const uint32_t a = random_living(prng);
    const uint32_t b = random_living(prng);
    if (a == PERSON_NONE || b == PERSON_NONE || a == b) {
        return;
    }
    const uint32_t winner = people_union(world.people, a, b);
    const uint32_t loser = winner == a ? b : a;
    cohorts_person_merged(cohorts, loser, winner);
    for (uint32_t number = 1; number <= people_last(world.people); number++) {
        people[number].root = people[number].root == loser ? winner : people[number].root;
    }
    for (size_t p = 0; p < PHRASES; p++) {
        people[winner].interests[p] = people[winner].interests[p] || people[loser].interests[p];
    }
    for (size_t f = 0; f < FIELDS; f++) {
        if (people[winner].values[f].kind == PROFILE_NULL) {
            people[winner].values[f] = people[loser].values[f];
        }
    }
    people[loser].alive = false;
    publish(loser);
    publish(winner);
}

static size_t put(char *out, size_t at, const char *format, ...) PRINTF_LIKE(3, 4);
static size_t put(char *out, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out + at, DEFINITION_MAX - at, format, args);
    va_end(args);
    CHECK(length >= 0 && (size_t)length < DEFINITION_MAX - at);
    return at + (size_t)length;
}

static size_t put_value(struct prng *prng, char *out, size_t at, bool text, bool ordered)
{
    static const char *const numbers[] = {"0",    "6",     "12", "5.5", "-1.5",
                                          "18.0", "1e300", "-6", "2.5", "-1e30"};
    const uint64_t kind = text ? 0 : prng_below(prng, ordered ? 2 : 3);
    if (kind == 0) {
        const char *value = value_texts[prng_below(prng, ARRAY_COUNT(value_texts))];
        return put(out, at, "\"%.*s\"", text ? 1 + (int)prng_below(prng, 4) : 20, value);
    }
    return kind == 1 ? put(out, at, "%s", numbers[prng_below(prng, ARRAY_COUNT(numbers))])
                     : put(out, at, "%s", prng_below(prng, 2) == 0 ? "true" : "false");
}

static size_t put_condition(struct prng *prng, char *out, size_t at, int depth)
{
    static const char *const ops[] = {"eq",  "ne", "lt",     "lte",      "gt",
                                      "gte", "in", "exists", "contains", "starts_with"};
    const uint64_t kind = prng_below(prng, depth > 0 ? 6 : 3);
    if (kind == 3) {
        at = put(out, at, "{\"not\":");
        at = put_condition(prng, out, at, depth - 1);
        return put(out, at, "}");
    }
    if (kind > 3) {
        at = put(out, at, "{\"%s\":[", kind == 4 ? "all" : "any");
        for (size_t n = 1 + prng_below(prng, 2), i = 0; i < n; i++) {
            at = put(out, at, i > 0 ? "," : "");
            at = put_condition(prng, out, at, depth - 1);
        }
        return put(out, at, "]}");
    }
    const uint64_t op = prng_below(prng, ARRAY_COUNT(ops));
    at = put(out, at, "{\"field\":\"%s\",\"op\":\"%s\"", field_names[prng_below(prng, FIELDS)],
             ops[op]);
    if (op == 6) {
        at = put(out, at, ",\"value\":[");
        at = put_value(prng, out, at, false, false);
        at = put(out, at, ",");
        at = put_value(prng, out, at, false, false);
        at = put(out, at, "]");
    } else if (op != 7) {
        at = put(out, at, ",\"value\":");
        at = put_value(prng, out, at, op > 7, op >= 2 && op <= 5);
    }
    return put(out, at, "}");
}

static size_t put_patterns(struct prng *prng, char *out, size_t at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        at = put(out, at, "%s\"%s\"", i > 0 ? "," : "",
                 pattern_texts[prng_below(prng, ARRAY_COUNT(pattern_texts))]);
    }
    return at;
}

/* Each phrase stands at most once, and in one list. */
static size_t put_examples(struct prng *prng, char *out, size_t at, const char *first,
                           const char *second, bool more)
{
    const char *lists[2] = {first, second};
    const size_t begin = prng_below(prng, PHRASES - 1); /* not "???", which folds to nothing */
    size_t used = 0;
    for (size_t list = 0; list < 2; list++) {
        const size_t count = prng_below(prng, 4) + (list == 0);
        at = put(out, at, "%s\"%s\":[", more || list > 0 ? "," : "", lists[list]);
        for (size_t i = 0; i < count; i++, used++) {
            /* In steps of two: the two that fold alike are never both in. */
            at = put(out, at, "%s\"%s\"", i > 0 ? "," : "",
                     phrase_texts[(begin + 2 * used) % (PHRASES - 1)]);
        }
        at = put(out, at, "]");
    }
    return at;
}

static size_t put_people(struct prng *prng, char *out, size_t at, const char *member)
{
    if (prng_below(prng, 4) != 0) {
        return at;
    }
    at = put(out, at, ",\"%s\":[", member);
    for (size_t n = 1 + prng_below(prng, 3), i = 0; i < n; i++) {
        at = put(out, at, "%s\"p%llu\"", i > 0 ? "," : "",
                 (unsigned long long)(1 + prng_below(prng, people_last(world.people) + 5)));
    }
    return put(out, at, "]");
}

static void random_definition(struct prng *prng, char *out)
{
    size_t at = put(out, 0, "{\"description\":\"d\"");
    if (prng_below(prng, 4) > 0) {
        at = put(out, at, ",\"phrases\":[");
        at = put_patterns(prng, out, at, prng_below(prng, 7));
        at = put(out, at, "],\"not_phrases\":[");
        at = put_patterns(prng, out, at, prng_below(prng, 3));
        at = put(out, at, "]");
    }
    if (prng_below(prng, 3) == 0) {
        static const char *const topics[] = {"Sports", "music", "FOOD & drink", "Astrology"};
        at = put(out, at, ",\"topic\":\"%s\"", topics[prng_below(prng, ARRAY_COUNT(topics))]);
        if (prng_below(prng, 2) == 0) {
            at = put(out, at, ",\"min_confidence\":0.%u", 5 + (unsigned)prng_below(prng, 5));
        }
    }
    if (prng_below(prng, 3) == 0) {
        at = put_examples(prng, out, at, "examples", "not_examples", true);
    }
    if (prng_below(prng, 3) == 0) {
        at = put(out, at, ",\"where\":");
        at = put_condition(prng, out, at, 3);
    }
    at = put_people(prng, out, at, "include");
    at = put_people(prng, out, at, "exclude");
    (void)put(out, at, "}");
}

/* Half the time keep the old one's text but for an appended phrase or a new description. */
static void vary_definition(struct prng *prng, char *out, const struct ref_cohort *old)
{
    const char *list = old->used ? strstr(old->json, "\"phrases\":[\"") : NULL;
    if (list == NULL || prng_below(prng, 2) == 0) {
        random_definition(prng, out);
        return;
    }
    const size_t head = (size_t)(list - old->json) + strlen("\"phrases\":[");
    if (strlen(old->json) + 40 > DEFINITION_MAX) {
        random_definition(prng, out);
        return;
    }
    snprintf(out, DEFINITION_MAX, "%.*s\"%s\",%s", (int)head, old->json,
             pattern_texts[prng_below(prng, ARRAY_COUNT(pattern_texts))], old->json + head);
}

static void correct_definition(struct prng *prng, const struct cohort_definition *definition,
                               char *out)
{
    char feedback[DEFINITION_MAX];
    struct buffer text;
    struct error error = {0};
    buffer_init(&text, DEFINITION_MAX);
    size_t at = put(feedback, 0, "{");
    at = put_examples(prng, feedback, at, "positive", "negative", false);
    (void)put(feedback, at, "}");
    REQUIRE(cohort_definition_correct(definition, slice_from_cstr(feedback), &text, &error) ==
                    ERR_OK &&
                !text.failed,
            ": %s", error.message);
    (void)put(out, 0, "%.*s", SLICE_ARGS(buffer_slice(&text)));
    buffer_deinit(&text);
}

/* Verdicts for phrases that wait: one by one, or several at once, some of which are thrown away. */
static void answer_phrases(struct prng *prng)
{
    struct cohorts_answer answers[PHRASES];
    struct verdict verdicts[PHRASES];
    bool taken[PHRASES] = {false};
    size_t count = 0;
    const bool together = prng_below(prng, 2) == 0;
    const bool commit = prng_below(prng, 4) > 0;
    for (uint32_t p = 0; p < PHRASES; p++) {
        const uint32_t id = phrases_find(world.phrases, slice_from_cstr(phrase_texts[p]));
        if (id == PHRASE_NONE || prng_below(prng, 3) > 0) {
            continue;
        }
        table_verdict(&table, slice_from_cstr(phrase_texts[p]), &verdicts[count]);
        if (!together) {
            EXPECT(cohorts_answer_phrase(cohorts, id, &verdicts[count]) == ERR_OK);
            answered[p] = true;
        } else {
            answers[count] = (struct cohorts_answer){id, &verdicts[count]};
            taken[p] = true;
            count++;
        }
    }
    struct cohorts_change *change = NULL;
    if (together) {
        REQUIRE(cohorts_prepare_verdicts(cohorts, answers, count, &change, NULL) == ERR_OK);
        if (commit) {
            cohorts_commit(cohorts, change);
        }
        cohorts_change_destroy(change);
        for (uint32_t p = 0; p < PHRASES; p++) {
            answered[p] = answered[p] || (taken[p] && commit);
        }
    }
}

static void edit_definitions(struct prng *prng)
{
    struct cohorts_edit edits[4];
    static struct ref_cohort planned[COHORTS];
    memcpy(planned, ref_cohorts, sizeof planned);
    struct json_document *documents[4] = {NULL};
    const bool commit = prng_below(prng, 5) > 0;
    const bool missing = prng_below(prng, 10) == 0;
    size_t count = 1 + prng_below(prng, 3);
    for (size_t i = 0; i < count; i++) {
        const uint32_t c = (uint32_t)prng_below(prng, COHORTS);
        const bool delete = planned[c].used && prng_below(prng, 3) == 0;
        /* Names compare without case; the reference's spelling is the last one put. */
        edits[i] = (struct cohorts_edit){.name = slice_from_cstr(ref_cohorts[c].name),
                                         .sequence = ++sequence,
                                         .changed_at_us = 5};
        if (delete) {
            planned[c].used = false;
            continue;
        }
        static struct ref_cohort before;
        before = planned[c];
        const uint32_t id = cohorts_find(cohorts, edits[i].name);
        if (i == 0 && id != COHORT_NONE && prng_below(prng, 3) == 0) {
            correct_definition(prng, cohorts_definition(cohorts, id), planned[c].json);
        } else {
            vary_definition(prng, planned[c].json, &before);
        }
        planned[c].used = true;
        planned[c].sequence = sequence;
        struct error error = {0};
        REQUIRE(cohort_definition_parse(edits[i].name, slice_from_cstr(planned[c].json),
                                        &edits[i].definition, &error) == ERR_OK,
                ": %s", error.message);
        REQUIRE(json_read(slice_from_cstr(planned[c].json), &documents[i], NULL) == ERR_OK);
        planned[c].document = documents[i];
    }
    if (missing) {
        edits[count++] = (struct cohorts_edit){.name = SLICE_LITERAL("never there")};
    }
    struct cohorts_change *change = NULL;
    const uint64_t generation = cohorts_generation(cohorts);
    err e = cohorts_prepare(cohorts, edits, count, &change, NULL);
    REQUIRE(e == (missing ? ERR_NOT_FOUND : ERR_OK));
    if (e == ERR_OK && commit) {
        cohorts_commit(cohorts, change);
        EXPECT(cohorts_generation(cohorts) == generation + 1);
        for (uint32_t c = 0; c < COHORTS; c++) {
            const bool replaced =
                ref_cohorts[c].document != planned[c].document || !planned[c].used;
            if (ref_cohorts[c].used && replaced) {
                json_document_destroy(ref_cohorts[c].document);
            }
            ref_cohorts[c] = planned[c];
            ref_cohorts[c].document = planned[c].used ? planned[c].document : NULL;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(documents); i++) {
        bool kept = false;
        for (uint32_t c = 0; c < COHORTS; c++) {
            kept = kept || (documents[i] != NULL && ref_cohorts[c].document == documents[i]);
        }
        if (!kept) {
            json_document_destroy(documents[i]);
        }
    }
    cohorts_change_destroy(change);
}

static void one_step(struct prng *prng)
{
    uint32_t number = random_living(prng);
    const uint64_t what = prng_below(prng, 40);
    if ((what < 6 || number == PERSON_NONE) && people_last(world.people) < PEOPLE_MAX) {
        REQUIRE(people_add(world.people, &number) == ERR_OK);
        people[number] = (struct ref_person){.alive = true, .root = number};
        change_person(prng, &people[number]);
        publish(number);
    } else if (number == PERSON_NONE) {
        return;
    } else if (what < 28) {
        change_person(prng, &people[number]);
        publish(number);
    } else if (what < 29) {
        memset(people[number].interests, 0, sizeof people[number].interests);
        people[number].alive = false;
        publish(number);
    } else if (what < 31) {
        merge(prng);
    } else if (what < 32) {
        const uint32_t id =
            phrases_find(world.phrases, slice_from_cstr(phrase_texts[prng_below(prng, PHRASES)]));
        if (id != PHRASE_NONE) {
            /* As if the answer had come late: forgotten, then asked again. */
            EXPECT(phrases_classify(world.phrases, id, NULL, 0) == ERR_OK);
            EXPECT(cohorts_rebuild(cohorts) == ERR_OK);
            EXPECT(cohorts_classify_phrase(cohorts, id) == ERR_OK);
        }
    } else if (what < 33) {
        EXPECT(cohorts_rebuild(cohorts) == ERR_OK);
    } else if (what < 35) {
        answer_phrases(prng);
    } else {
        edit_definitions(prng);
    }
}

static void world_create(void)
{
    world = (struct cohort_world){.people = people_create(),
                                  .phrases = phrases_create(seed),
                                  .attributes = attributes_create(),
                                  .names = names_create(seed)};
    table_classifier_init(&table, 1, NULL, 0);
    world.classifier = &table.door;
    memset(answered, 0, sizeof answered);
    cohorts = cohorts_create(&world);
    memset(people, 0, sizeof people);
    memset(ref_cohorts, 0, sizeof ref_cohorts);
    for (uint32_t c = 0; c < COHORTS; c++) {
        snprintf(ref_cohorts[c].name, sizeof ref_cohorts[c].name, "%s %u",
                 c % 2 == 0 ? "Cohort" : "Topic", c);
    }
}

static void world_destroy(void)
{
    cohorts_destroy(cohorts);
    for (uint32_t number = 1; number <= PEOPLE_MAX; number++) {
        free(people[number].blob);
    }
    for (uint32_t c = 0; c < COHORTS; c++) {
        json_document_destroy(ref_cohorts[c].document);
    }
    people_destroy(world.people, NULL);
    phrases_destroy(world.phrases);
    attributes_destroy(world.attributes);
    names_destroy(world.names);
}

static void test_random(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    for (int round = 0; round < 8; round++) {
        world_create();
        for (int step = 1; step <= 1200 && atomic_load(&test_failures_here) == 0; step++) {
            one_step(&prng);
            if (step % 4 == 0 || step < 50) {
                expect_same(step);
            }
        }
        world_destroy();
    }
    for (uint8_t method = 0; method <= HIT_TOPIC; method++) {
        EXPECT(hits_seen[method] > 0, ": nothing came by %s", hit_method_name(method));
    }
}

/* ---- by hand --------------------------------------------------------------------------------- */

static err put_cohort(const char *name, const char *json)
{
    struct cohorts_edit edit = {.name = slice_from_cstr(name), .sequence = ++sequence};
    struct cohorts_change *change = NULL;
    struct error error = {0};
    err e = json == NULL ? ERR_OK
                         : cohort_definition_parse(edit.name, slice_from_cstr(json),
                                                   &edit.definition, &error);
    if (e == ERR_OK) {
        e = cohorts_prepare(cohorts, &edit, 1, &change, &error);
    }
    if (e == ERR_OK) {
        cohorts_commit(cohorts, change);
    }
    cohorts_change_destroy(change);
    return e;
}

static void test_names(void)
{
    world_create();
    EXPECT(cohorts_count(cohorts) == 0 && cohorts_find(cohorts, SLICE_LITERAL("x")) == COHORT_NONE);
    EXPECT(cohorts_nearest(cohorts, SLICE_LITERAL("sports")).data == NULL);
    EXPECT(put_cohort("Sports", "{}") == ERR_OK && put_cohort("Technology", "{}") == ERR_OK);
    EXPECT(put_cohort("Home & Garden", "{}") == ERR_OK &&
           put_cohort("Mode à Paris", "{}") == ERR_OK);
    const uint32_t sports = cohorts_find(cohorts, SLICE_LITERAL("SPORTS"));
    REQUIRE(sports != COHORT_NONE);
    EXPECT(cohorts_find(cohorts, SLICE_LITERAL("MODE À PARIS")) != COHORT_NONE);
    EXPECT(slice_equal_cstr(cohorts_nearest(cohorts, SLICE_LITERAL("sprots")), "Sports"));
    EXPECT(slice_equal_cstr(cohorts_nearest(cohorts, SLICE_LITERAL("tech")), "Technology"));
    EXPECT(slice_equal_cstr(cohorts_nearest(cohorts, SLICE_LITERAL("home and gardn")),
                            "Home & Garden"));
    EXPECT(cohorts_nearest(cohorts, SLICE_LITERAL("astrophysics")).data == NULL);
    EXPECT(cohorts_nearest(cohorts, SLICE_LITERAL("??")).data == NULL);
    /* A new spelling of the name replaces the cohort, under the same id. */
    EXPECT(put_cohort("SPORTS", "{\"phrases\": [\"golf\"]}") == ERR_OK &&
           cohorts_count(cohorts) == 4);
    EXPECT(cohorts_find(cohorts, SLICE_LITERAL("sports")) == sports);
    EXPECT(slice_equal_cstr(cohort_definition_name(cohorts_definition(cohorts, sports)), "SPORTS"));
    struct rule_hit *hits = calloc(RULE_HITS_MAX, sizeof *hits);
    EXPECT(cohorts_match_phrase(cohorts, SLICE_LITERAL("Golf"), hits) == 1 &&
           hits[0].cohort == sports);
    EXPECT(slice_equal_cstr(cohorts_pattern_text(cohorts, sports, hits[0].pattern), "golf"));
    free(hits);
    EXPECT(put_cohort("sPorts", NULL) == ERR_OK && cohorts_count(cohorts) == 3);
    EXPECT(put_cohort("sPorts", NULL) == ERR_NOT_FOUND);
    EXPECT(put_cohort("x", "{\"include\": [{\"email\": \"a@b.c\"}]}") == ERR_INVALID);
    EXPECT(cohorts_count(cohorts) == 3);
    world_destroy();
}

static void test_too_many(void)
{
    world_create();
    struct cohorts_edit *edits = calloc(COHORTS_MAX + 1, sizeof *edits);
    struct cohorts_change *change = NULL;
    char name[32];
    for (int extra = 1; extra >= 0; extra--) {
        for (uint32_t i = 0; i < COHORTS_MAX + (uint32_t)extra; i++) {
            snprintf(name, sizeof name, "c%u", i);
            REQUIRE(cohort_definition_parse(slice_from_cstr(name),
                                            SLICE_LITERAL("{\"phrases\": [\"golf\"]}"),
                                            &edits[i].definition, NULL) == ERR_OK);
        }
        err e = cohorts_prepare(cohorts, edits, COHORTS_MAX + (size_t)extra, &change, NULL);
        REQUIRE(e == (extra ? ERR_TOO_LARGE : ERR_OK));
    }
    cohorts_commit(cohorts, change);
    cohorts_change_destroy(change);
    free(edits);
    /* One phrase in all of them. */
    uint32_t number = 0;
    REQUIRE(people_add(world.people, &number) == ERR_OK);
    people[number] = (struct ref_person){.alive = true, .root = number};
    people[number].interests[8] = true; /* golf */
    publish(number);
    static uint32_t ids[COHORTS_MAX];
    struct profile_view view;
    profile_view_open(people[number].blob, &view);
    EXPECT(cohorts_of_person(cohorts, &view, ids, COHORTS_MAX) == COHORTS_MAX);
    EXPECT(bitmap_count(cohorts_members(cohorts, ids[COHORTS_MAX - 1])) == 1);
    const char *reason = "";
    EXPECT(cohorts_validate(cohorts, &reason), ": %s", reason);
    world_destroy();
}

static void test_failing_memory(void)
{
    static const char *const jsons[] = {
        "{\"phrases\": [\"cricket\", \"golf *\"]}",
        "{\"phrases\": [\"football\"], \"where\": {\"any\": [{\"field\": \"plan.tier\", \"op\": \"eq\", \"value\": \"gold\"},"
        "{\"field\": \"tags\", \"op\": \"exists\"}]}, \"include\": [\"p1\"], \"exclude\": [\"p2\"]}",
        "{\"topic\": \"Sports\", \"not_phrases\": [\"* shoes\"], \"examples\": [\"golf\", \"never asked\"], "
        "\"not_examples\": [\"tennis\"]}",
    };
    const struct slice golf = SLICE_LITERAL("golf");
    struct verdict verdict;
    world_create();
    for (uint32_t n = 1; n <= 3; n++) {
        uint32_t number = 0;
        REQUIRE(people_add(world.people, &number) == ERR_OK);
        people[number] = (struct ref_person){.alive = true, .root = number};
        memset(people[number].interests, 1, sizeof people[number].interests);
        people[number].tags[0] = "beta";
        publish(number);
    }
    struct cohorts *made_before = cohorts;
    for (uint64_t n = 1;; n++) {
        /* Every block from here on: the cohorts themselves, two changes, one of them not
         * committed. */
        failing_memory_begin(n);
        err e = ERR_MEMORY;
        struct cohorts_change *change = NULL;
        cohorts = cohorts_create(&world);
        if (cohorts != NULL) {
            e = ERR_OK;
            cohorts_destroy(cohorts);
        }
        for (size_t i = 0; e == ERR_OK && i < ARRAY_COUNT(jsons); i++) {
            struct cohorts_edit edit = {.definition = NULL};
            e = cohort_definition_parse(SLICE_LITERAL("a"), slice_from_cstr(jsons[i]),
                                        &edit.definition, NULL);
            if (e == ERR_OK) {
                e = cohorts_prepare(made_before, &edit, 1, &change, NULL);
                EXPECT(edit.definition == NULL);
            }
            if (e == ERR_OK) {
                cohorts_change_destroy(change);
            }
        }
        if (e == ERR_OK) {
            table_verdict(&table, golf, &verdict);
            const struct cohorts_answer answer = {phrases_find(world.phrases, golf), &verdict};
            e = cohorts_prepare_verdicts(made_before, &answer, 1, &change, NULL);
        }
        if (e == ERR_OK) {
            cohorts_change_destroy(change);
        }
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, ": %lld at %llu", (long long)end.live_blocks,
               (unsigned long long)n);
        EXPECT(cohorts_count(made_before) == 0);
        if (!end.failed) {
            EXPECT(e == ERR_OK);
            break;
        }
        EXPECT(e == ERR_MEMORY, ": %d at %llu", e, (unsigned long long)n);
    }
    cohorts = made_before;
    world_destroy();
}

int main(void)
{
    seed = test_seed();
    RUN(test_random);
    RUN(test_names);
    RUN(test_too_many);
    RUN(test_failing_memory);
    return test_summary();
}
