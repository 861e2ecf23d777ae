/* Tries to break definitions: each mistake a user can make must be refused with the name of what is
 * wrong; what is accepted must come out of write as it went in and parse to the same again;
 * conditions must hold exactly as the header says, over kinds, absent fields, list members, case
 * and numbers that a double cannot tell apart; failing allocations. */
#include "unit/test.h"

#include "classifier/fold.h"
#include "index/cohort_definition.h"
#include "unit/failing_memory.h"

static void expect_refused(const char *name, const char *json, err wanted, const char *named)
{
    struct cohort_definition *definition = NULL;
    struct error error = {0};
    err e =
        cohort_definition_parse(slice_from_cstr(name), slice_from_cstr(json), &definition, &error);
    EXPECT(e == wanted && definition == NULL, ": %d for %s", e, json);
    EXPECT(error.err == e && strstr(error.message, named) != NULL, ": '%s' should name '%s'",
           error.message, named);
    if (e == ERR_OK) {
        cohort_definition_destroy(definition);
    }
}

static void test_refused(void)
{
    expect_refused("", "{}", ERR_INVALID, "1 to 64");
    expect_refused("  ", "{}", ERR_INVALID, "1 to 64");
    expect_refused("a/b", "{}", ERR_INVALID, "'/'");
    expect_refused("a\nb", "{}", ERR_INVALID, "control");
    expect_refused("a\xC2\x85"
                   "b",
                   "{}", ERR_INVALID, "control");
    expect_refused("a\xFF", "{}", ERR_INVALID, "UTF-8");
    expect_refused("..", "{}", ERR_INVALID, "URL");
    expect_refused("12345678901234567890123456789012345678901234567890123456789012345", "{}",
                   ERR_INVALID, "64");
    expect_refused("x", "", ERR_INVALID, "JSON");
    expect_refused("x", "[]", ERR_INVALID, "object");
    expect_refused("x", "{\"phrase\": []}", ERR_INVALID, "phrase");
    expect_refused("x", "{\"phrases\": [], \"phrases\": []}", ERR_INVALID, "phrases");
    expect_refused("x", "{\"description\": 3}", ERR_INVALID, "description");
    expect_refused("x", "{\"phrases\": \"cricket\"}", ERR_INVALID, "phrases");
    expect_refused("x", "{\"phrases\": null}", ERR_INVALID, "phrases");
    expect_refused("x", "{\"phrases\": [\"a\", 7]}", ERR_INVALID, "phrases[1]");
    expect_refused("x", "{\"phrases\": [\"a\", \"b\", \"*\"]}", ERR_INVALID, "phrases[2]");
    expect_refused("x", "{\"not_phrases\": [\"..\"]}", ERR_INVALID, "not_phrases[0]");
    expect_refused("x", "{\"topic\": 3}", ERR_INVALID, "topic");
    expect_refused("x", "{\"topic\": \" \"}", ERR_INVALID, "topic");
    expect_refused("x", "{\"min_confidence\": 0.5}", ERR_INVALID, "topic");
    expect_refused("x", "{\"topic\": \"a\", \"min_confidence\": 1.5}", ERR_INVALID,
                   "min_confidence");
    expect_refused("x", "{\"topic\": \"a\", \"min_confidence\": \"1\"}", ERR_INVALID,
                   "min_confidence");
    expect_refused("x", "{\"examples\": \"a\"}", ERR_INVALID, "examples");
    expect_refused("x", "{\"examples\": [\"a\", null]}", ERR_INVALID, "examples[1]");
    expect_refused("x", "{\"examples\": [\"a\", \"*\"]}", ERR_INVALID, "examples[1]");
    expect_refused("x", "{\"not_examples\": [\"\"]}", ERR_INVALID, "not_examples[0]");
    expect_refused("x",
                   "{\"examples\": [\"a\", \"Cr\u00e8me\"], \"not_examples\": [\"b\", \"creme\"]}",
                   ERR_INVALID, "examples[1]");
    expect_refused("x", "{\"include\": [\"17\"]}", ERR_INVALID, "include[0]");
    expect_refused("x", "{\"include\": [\"p0\"]}", ERR_INVALID, "include[0]");
    expect_refused("x", "{\"include\": [\"p4294967296\"]}", ERR_INVALID, "include[0]");
    expect_refused("x", "{\"include\": [{}]}", ERR_INVALID, "include[0]");
    expect_refused("x", "{\"exclude\": [{\"email\": 3}]}", ERR_INVALID, "exclude[0]");
    expect_refused("x", "{\"exclude\": [{\"email\": \"a\", \"cookie\": \"b\"}]}", ERR_INVALID,
                   "exclude[0]");
    expect_refused("x", "{\"where\": null}", ERR_INVALID, "where");
    expect_refused("x", "{\"where\": {}}", ERR_INVALID, "where");
    expect_refused("x", "{\"where\": {\"all\": []}}", ERR_INVALID, "where.all");
    expect_refused("x", "{\"where\": {\"all\": [{\"any\": [3]}]}}", ERR_INVALID,
                   "where.all[0].any[0]");
    expect_refused(
        "x", "{\"where\": {\"field\": \"city\", \"op\": \"eq\", \"value\": \"x\", \"case\": 1}}",
        ERR_INVALID, "where");
    expect_refused(
        "x", "{\"where\": {\"not\": {\"field\": \"city\", \"op\": \"is\", \"value\": \"x\"}}}",
        ERR_INVALID, "where.not");
    expect_refused("x", "{\"where\": {\"op\": \"eq\", \"value\": \"x\"}}", ERR_INVALID, "field");
    expect_refused("x", "{\"where\": {\"field\": \"city\", \"op\": \"eq\"}}", ERR_INVALID, "value");
    expect_refused("x", "{\"where\": {\"field\": \"city\", \"op\": \"eq\", \"value\": null}}",
                   ERR_INVALID, "null");
    expect_refused("x", "{\"where\": {\"field\": \"city\", \"op\": \"eq\", \"value\": [1]}}",
                   ERR_INVALID, "value");
    expect_refused("x", "{\"where\": {\"field\": \"city\", \"op\": \"in\", \"value\": \"a\"}}",
                   ERR_INVALID, "list");
    expect_refused("x", "{\"where\": {\"field\": \"city\", \"op\": \"in\", \"value\": []}}",
                   ERR_INVALID, "list");
    expect_refused("x", "{\"where\": {\"field\": \"city\", \"op\": \"exists\", \"value\": true}}",
                   ERR_INVALID, "exists");
    expect_refused("x", "{\"where\": {\"field\": \"city\", \"op\": \"contains\", \"value\": 3}}",
                   ERR_INVALID, "text");
    expect_refused("x", "{\"where\": {\"field\": \"vip\", \"op\": \"lt\", \"value\": true}}",
                   ERR_INVALID, "order");
    expect_refused("x", "{\"where\": {\"field\": \"interests\", \"op\": \"eq\", \"value\": \"x\"}}",
                   ERR_INVALID, "phrases");
    char many[20000] = "{\"where\": {\"all\": [";
    for (int i = 0; i < COHORT_CONDITIONS_MAX; i++) {
        strcat(many, i > 0 ? ",{\"field\": \"city\", \"op\": \"exists\"}"
                           : "{\"field\": \"city\", \"op\": \"exists\"}");
    }
    strcat(many, "]}}");
    expect_refused("x", many, ERR_TOO_LARGE, "256");
}

static struct cohort_definition *parse(const char *json)
{
    struct cohort_definition *definition = NULL;
    struct error error = {0};
    if (cohort_definition_parse(SLICE_LITERAL("Test"), slice_from_cstr(json), &definition,
                                &error) != ERR_OK) {
        EXPECT(false, ": %s for %s", error.message, json);
    }
    return definition;
}

static void expect_written(const char *json, const char *wanted)
{
    struct cohort_definition *definition = parse(json);
    REQUIRE(definition != NULL);
    struct buffer out;
    buffer_init(&out, 1 << 20);
    cohort_definition_write(definition, NULL, 0, NULL, 0, &out);
    EXPECT(slice_equal_cstr(buffer_slice(&out), wanted), ": %.*s", SLICE_ARGS(buffer_slice(&out)));
    cohort_definition_destroy(definition);
    /* And once more from there. */
    buffer_append_char(&out, '\0');
    definition = parse(out.data);
    REQUIRE(definition != NULL);
    buffer_clear(&out);
    cohort_definition_write(definition, NULL, 0, NULL, 0, &out);
    EXPECT(slice_equal_cstr(buffer_slice(&out), wanted));
    cohort_definition_destroy(definition);
    buffer_deinit(&out);
}

static void test_written(void)
{
    expect_written("{}", "{}");
    expect_written(
        "{\"exclude\": [\"p3\"], \"not_phrases\": [\"b\"], \"phrases\": [\"A\", \"* x\"], \"description\": \"d\"}",
        "{\"description\":\"d\",\"phrases\":[\"A\",\"* x\"],\"not_phrases\":[\"b\"],\"exclude\":[\"p3\"]}");
    expect_written(
        "{\"not_examples\": [\"Tea\"], \"examples\": [\" latte art \", \"x\"], \"min_confidence\": 0.25, \"topic\": \" a b \"}",
        "{\"topic\":\"a b\",\"min_confidence\":0.25,\"examples\":[\"latte art\",\"x\"],\"not_examples\":[\"Tea\"]}");
    expect_written("{\"topic\": \"a\", \"min_confidence\": 1, \"examples\": []}",
                   "{\"topic\":\"a\",\"min_confidence\":1}");
    expect_written(
        "{\"include\": [\"p4294967294\", {\"email\": \"Ann@example.com\"}], \"phrases\": []}",
        "{\"include\":[\"p4294967294\",{\"email\":\"Ann@example.com\"}]}");
    expect_written(
        "{\"where\": {\"not\": {\"all\": [{\"value\": \"USA\", \"op\": \"eq\", \"field\": \"country\"},"
        "{\"any\": [{\"field\": \"plan.tier\", \"op\": \"exists\"},"
        "{\"field\": \"age\", \"op\": \"in\", \"value\": [1, 2.5, true, \"x\"]}]}]}}}",
        "{\"where\":{\"not\":{\"all\":[{\"field\":\"location.country\",\"op\":\"eq\",\"value\":\"USA\"},"
        "{\"any\":[{\"field\":\"plan.tier\",\"op\":\"exists\"},"
        "{\"field\":\"demographics.age\",\"op\":\"in\",\"value\":[1,2.5,true,\"x\"]}]}]}}}");
}

static void expect_corrected(const char *json, const char *feedback, const char *wanted)
{
    struct cohort_definition *definition = parse(json);
    struct error error = {0};
    struct buffer out;
    buffer_init(&out, 1 << 20);
    EXPECT(cohort_definition_correct(definition, slice_from_cstr(feedback), &out, &error) == ERR_OK,
           ": %s", error.message);
    EXPECT(slice_equal_cstr(buffer_slice(&out), wanted), ": %.*s", SLICE_ARGS(buffer_slice(&out)));
    buffer_deinit(&out);
    cohort_definition_destroy(definition);
}

static void test_corrected(void)
{
    expect_corrected("{\"phrases\": [\"a*\"], \"include\": [\"p3\"]}",
                     "{\"positive\": [\"b\", \"B\", \"c\"]}",
                     "{\"phrases\":[\"a*\"],\"examples\":[\"b\",\"c\"],\"include\":[\"p3\"]}");
    expect_corrected("{\"examples\": [\"a\", \"b\"], \"not_examples\": [\"c\"]}",
                     "{\"positive\": [\"C\"], \"negative\": [\"A\"]}",
                     "{\"examples\":[\"b\",\"C\"],\"not_examples\":[\"A\"]}");
    expect_corrected("{\"examples\": [\"a\"]}", "{\"negative\": [\"a\"], \"positive\": []}",
                     "{\"not_examples\":[\"a\"]}");
    expect_corrected("{\"examples\": [\"a\"]}", "{\"positive\": [\"a\"]}",
                     "{\"examples\":[\"a\"]}");
    struct cohort_definition *definition =
        parse("{\"examples\": [\"a\", \"b\", \"\u00c4\"], \"not_examples\": [\"c\"]}");
    uint32_t at = 9;
    EXPECT(cohort_definition_example_at(definition, phrase_fold_key(SLICE_LITERAL("A")), &at) &&
           at <= 2);
    EXPECT(cohort_definition_example_at(definition, phrase_fold_key(SLICE_LITERAL(" B! ")), &at) &&
           at == 1);
    EXPECT(!cohort_definition_example_at(definition, phrase_fold_key(SLICE_LITERAL("c")), &at));
    EXPECT(cohort_definition_is_not_example(definition, phrase_fold_key(SLICE_LITERAL("C"))));
    for (uint64_t n = 1;; n++) {
        struct buffer out;
        failing_memory_begin(n);
        buffer_init(&out, 1 << 20);
        err e = cohort_definition_correct(
            definition, SLICE_LITERAL("{\"positive\": [\"d\", \"e\"], \"negative\": [\"a\"]}"),
            &out, NULL);
        const bool whole = !out.failed;
        buffer_deinit(&out);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0 &&
               (end.failed ? e == ERR_MEMORY || !whole : e == ERR_OK && whole));
        if (!end.failed) {
            break;
        }
    }
    cohort_definition_destroy(definition);
}

static void test_numbers_written(void)
{
    struct cohort_definition *definition =
        parse("{\"include\": [{\"email\": \"a@b.c\"}], \"exclude\": [\"p9\"]}");
    REQUIRE(definition != NULL);
    const uint32_t include[] = {17, 4};
    struct buffer out;
    buffer_init(&out, 1 << 20);
    cohort_definition_write(definition, include, 2, NULL, 0, &out);
    EXPECT(slice_equal_cstr(buffer_slice(&out),
                            "{\"include\":[\"p17\",\"p4\"],\"exclude\":[\"p9\"]}"));
    size_t count = 0;
    const struct cohort_person *people = cohort_definition_include(definition, &count);
    EXPECT(count == 1 && people[0].number == 0 && slice_equal_cstr(people[0].type, "email"));
    people = cohort_definition_exclude(definition, &count);
    EXPECT(count == 1 && people[0].number == 9);
    EXPECT(slice_equal_cstr(cohort_definition_name(definition), "Test"));
    EXPECT(!cohort_definition_has_condition(definition));
    buffer_deinit(&out);
    cohort_definition_destroy(definition);
    cohort_definition_destroy(NULL);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static struct names *names;
static void *blob;

static uint32_t id_of(const char *text)
{
    uint32_t id = 0;
    EXPECT(names_acquire(names, slice_from_cstr(text), &id) == ERR_OK);
    return id;
}

static int by_name(const void *a, const void *b)
{
    const struct profile_field *left = a;
    const struct profile_field *right = b;
    return left->name_id < right->name_id ? -1 : left->name_id > right->name_id;
}

static void make_profile(void)
{
    struct profile_origin origin = {.sequence = 1};
    struct profile_field fields[] = {
        {FIELD_CITY, 0, {.kind = PROFILE_CATEGORY, .category_id = id_of("São Paulo")}},
        {FIELD_AGE, 0, {.kind = PROFILE_INTEGER, .integer = 36}},
        {FIELD_GENDER, 0, {.kind = PROFILE_NULL}},
        {FIELD_FIRST_NAME, 0, {.kind = PROFILE_TEXT, .text = SLICE_LITERAL("Ann")}},
        {FIELD_BIRTH_DATE, 0, {.kind = PROFILE_TEXT, .text = SLICE_LITERAL("1988-02-29")}},
        {id_of("plan.tier"), 0, {.kind = PROFILE_CATEGORY, .category_id = id_of("Gold")}},
        {id_of("score"), 0, {.kind = PROFILE_NUMBER, .number = 2.5}},
        {id_of("vip"), 0, {.kind = PROFILE_BOOL, .boolean = true}},
        {id_of("big"), 0, {.kind = PROFILE_INTEGER, .integer = INT64_MAX}},
        {id_of("mixed"), 0, {.kind = PROFILE_TEXT, .text = SLICE_LITERAL("12")}},
    };
    qsort(fields, ARRAY_COUNT(fields), sizeof *fields, by_name);
    struct profile_item items[] = {
        {id_of("tags"), 0, SLICE_LITERAL("Beta")},
        {id_of("tags"), 0, SLICE_LITERAL("vip member")},
    };
    struct profile profile = {.number = 1,
                              .origins = &origin,
                              .origin_count = 1,
                              .fields = fields,
                              .field_count = ARRAY_COUNT(fields),
                              .items = items,
                              .item_count = 2};
    struct buffer out;
    buffer_init(&out, 1 << 20);
    profile_pack(&profile, &out);
    blob = malloc(out.length);
    memcpy(blob, out.data, out.length);
    buffer_deinit(&out);
}

static void expect_condition(bool wanted, const char *where)
{
    char json[1000];
    snprintf(json, sizeof json, "{\"where\": %s}", where);
    for (char *c = json; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    struct cohort_definition *definition = parse(json);
    REQUIRE(definition != NULL);
    struct profile_view view;
    profile_view_open(blob, &view);
    EXPECT(cohort_definition_has_condition(definition));
    EXPECT(cohort_definition_matches(definition, &view, names) == wanted, ": %s", where);
    cohort_definition_destroy(definition);
}

static void test_conditions(void)
{
    names = names_create(1);
    make_profile();
    expect_condition(true, "{'field': 'city', 'op': 'eq', 'value': 'SÃO paulo'}");
    expect_condition(true, "{'field': 'location.city', 'op': 'starts_with', 'value': 'são'}");
    expect_condition(true, "{'field': 'city', 'op': 'contains', 'value': 'O PAU'}");
    expect_condition(false, "{'field': 'city', 'op': 'eq', 'value': 'Sao Paulo'}");
    expect_condition(true, "{'field': 'city', 'op': 'ne', 'value': 'Rio'}");
    expect_condition(true, "{'field': 'city', 'op': 'ne', 'value': 5}");
    expect_condition(false, "{'field': 'state', 'op': 'ne', 'value': 'Rio'}");
    expect_condition(true, "{'not': {'field': 'state', 'op': 'ne', 'value': 'Rio'}}");
    expect_condition(true, "{'field': 'city', 'op': 'in', 'value': ['Rio', 5, 'são paulo']}");
    expect_condition(true, "{'field': 'city', 'op': 'gt', 'value': 'rio'}");
    expect_condition(false, "{'field': 'city', 'op': 'gt', 'value': 7}");
    expect_condition(true, "{'field': 'city', 'op': 'exists'}");
    expect_condition(false, "{'field': 'gender', 'op': 'exists'}"); /* cleared */
    expect_condition(false, "{'field': 'never.seen', 'op': 'exists'}");
    expect_condition(true, "{'not': {'field': 'never.seen', 'op': 'exists'}}");
    expect_condition(true, "{'field': 'age', 'op': 'gte', 'value': 36}");
    expect_condition(true, "{'field': 'age', 'op': 'lt', 'value': 36.5}");
    expect_condition(false, "{'field': 'age', 'op': 'lt', 'value': 36}");
    expect_condition(true, "{'field': 'age', 'op': 'eq', 'value': 36.0}");
    expect_condition(false, "{'field': 'age', 'op': 'eq', 'value': '36'}");
    expect_condition(false, "{'field': 'mixed', 'op': 'eq', 'value': 12}");
    expect_condition(true, "{'field': 'mixed', 'op': 'eq', 'value': '12'}");
    expect_condition(true, "{'field': 'first_name', 'op': 'eq', 'value': 'ANN'}");
    expect_condition(true, "{'field': 'birth_date', 'op': 'lt', 'value': '1990-01-01'}");
    expect_condition(false, "{'field': 'birth_date', 'op': 'lt', 'value': '1988-02-29'}");
    expect_condition(true, "{'field': 'plan.tier', 'op': 'eq', 'value': 'gold'}");
    expect_condition(true, "{'field': 'score', 'op': 'gt', 'value': 2}");
    expect_condition(false, "{'field': 'score', 'op': 'gt', 'value': 2.5}");
    expect_condition(true, "{'field': 'vip', 'op': 'eq', 'value': true}");
    expect_condition(true, "{'field': 'vip', 'op': 'ne', 'value': false}");
    expect_condition(false, "{'field': 'vip', 'op': 'eq', 'value': 1}");
    expect_condition(true, "{'field': 'big', 'op': 'eq', 'value': 9223372036854775807}");
    expect_condition(false, "{'field': 'big', 'op': 'eq', 'value': 9223372036854775808}");
    expect_condition(true, "{'field': 'big', 'op': 'lt', 'value': 9223372036854775808}");
    expect_condition(true, "{'field': 'big', 'op': 'lt', 'value': 18446744073709551615}");
    expect_condition(true, "{'field': 'big', 'op': 'gt', 'value': -1e30}");
    expect_condition(true, "{'field': 'tags', 'op': 'eq', 'value': 'beta'}");
    expect_condition(true, "{'field': 'tags', 'op': 'contains', 'value': 'vip'}");
    expect_condition(false, "{'field': 'tags', 'op': 'ne', 'value': 'beta'}");
    expect_condition(true, "{'field': 'tags', 'op': 'ne', 'value': 'gamma'}");
    expect_condition(
        true,
        "{'any': [{'field': 'age', 'op': 'lt', 'value': 3}, {'field': 'age', 'op': 'gt', 'value': 30}]}");
    expect_condition(
        false,
        "{'all': [{'field': 'age', 'op': 'lt', 'value': 3}, {'field': 'age', 'op': 'gt', 'value': 30}]}");
    names_destroy(names);
    free(blob);
}

static void test_failing_memory(void)
{
    const struct slice json = SLICE_LITERAL(
        "{\"phrases\": [\"a\", \"b\"], \"where\": {\"all\": [{\"field\": \"x\", \"op\": \"in\", "
        "\"value\": [\"a\", \"b\"]}]}, \"topic\": \"t\", \"examples\": [\"e\", \"f\"], \"not_examples\": [\"g\"], \"include\": [\"p1\", {\"email\": \"a@b.c\"}]}");
    for (uint64_t n = 1;; n++) {
        failing_memory_begin(n);
        struct cohort_definition *definition = NULL;
        err e = cohort_definition_parse(SLICE_LITERAL("n"), json, &definition, NULL);
        cohort_definition_destroy(definition);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0);
        if (!end.failed) {
            EXPECT(e == ERR_OK);
            break;
        }
        EXPECT(e == ERR_MEMORY, ": %d", e);
    }
}

int main(void)
{
    RUN(test_refused);
    RUN(test_written);
    RUN(test_corrected);
    RUN(test_numbers_written);
    RUN(test_conditions);
    RUN(test_failing_memory);
    return test_summary();
}
