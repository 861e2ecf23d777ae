/* Tries to break: decoding of queries and paths. */
#include "query.h"
#include "unit/test.h"

static struct arena arena;
static struct query query;
static struct error error;

static err parse(const char *text, const char *space_names)
{
    arena_reset(&arena);
    error = (struct error){0};
    return query_parse(&arena, slice_from_cstr(text), space_names, &query, &error);
}

static bool has(const char *name, const char *value)
{
    struct slice found = query_get(&query, name);
    return found.data != NULL && slice_equal_cstr(found, value);
}

static void test_plain(void)
{
    EXPECT(parse("", NULL) == ERR_OK && query.count == 0);
    EXPECT(query_parse(&arena, SLICE_NONE, NULL, &query, &error) == ERR_OK && query.count == 0);
    EXPECT(parse("a=1&b=2", NULL) == ERR_OK && query.count == 2);
    EXPECT(has("a", "1") && has("b", "2") && query_get(&query, "c").data == NULL);
    EXPECT(parse("&&a=1&&", NULL) == ERR_OK && query.count == 1);
    EXPECT(parse("a", NULL) == ERR_OK && has("a", ""));
    EXPECT(parse("a=", NULL) == ERR_OK && has("a", ""));
    EXPECT(parse("a=b=c", NULL) == ERR_OK && has("a", "b=c"));
    EXPECT(parse("=b", NULL) == ERR_OK && has("", "b"));
}

static void test_plus_is_a_space_only_where_told(void)
{
    EXPECT(parse("email=a+b@c.de&phrase=a+b", "phrase") == ERR_OK);
    EXPECT(has("email", "a+b@c.de") && has("phrase", "a b"));
    const char *encoded = "email=a%2Bb%20c&phrase=a%2bb"; /* EXPECT prints its text as a format */
    EXPECT(parse(encoded, "limit,phrase,x") == ERR_OK);
    EXPECT(has("email", "a+b c") && has("phrase", "a+b"));
    EXPECT(parse("phrase=a+b", "phrases") == ERR_OK && has("phrase", "a+b"));
}

static void test_percent(void)
{
    static const char *const good[][2] = {
        {"a=%C3%9Cber", "Über"}, {"%61=1", "1"}, {"a=%26%3D", "&="}};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        EXPECT(parse(good[i][0], NULL) == ERR_OK && has("a", good[i][1]));
    }
    static const char *const bad[] = {"a=%",    "a=%1",  "a=%zz",       "a=%1g",    "a=%00",
                                      "a=%ff",  "a=%C3", "a=%ED%A0%80", "a=%C0%80", "%=1",
                                      "a=\xff", "a=%+1", "a=% 1"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        EXPECT(parse(bad[i], NULL) == ERR_INVALID, ": %s", bad[i]);
        EXPECT(strcmp(error.code, "query_encoding") == 0);
    }
    const char *late = "ab=cd&e=f%q";
    EXPECT(parse(late, NULL) == ERR_INVALID && error.position == 9);
}

static void test_doubled_and_too_many(void)
{
    EXPECT(parse("a=1&b=2&a=1", NULL) == ERR_INVALID &&
           strcmp(error.code, "parameter_doubled") == 0);
    const char *encoded = "a=1&%61=2";
    EXPECT(parse(encoded, NULL) == ERR_INVALID);
    char text[200] = "";
    for (int i = 0; i < QUERY_PARAMETERS_MAX; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "p%d=%d&", i, i);
    }
    EXPECT(parse(text, NULL) == ERR_OK && query.count == QUERY_PARAMETERS_MAX);
    snprintf(text + strlen(text), sizeof text - strlen(text), "more=1");
    EXPECT(parse(text, NULL) == ERR_INVALID && strcmp(error.code, "query_too_many") == 0);
}

static void test_numbers(void)
{
    uint64_t value = 0;
    EXPECT(
        parse(
            "limit=10&zero=0&big=18446744073709551615&over=18446744073709551616&neg=-1&hex=0x1&empty=",
            NULL) == ERR_OK);
    EXPECT(query_get_u64(&query, "limit", 1, 100, 5, &value, &error) == ERR_OK && value == 10);
    EXPECT(query_get_u64(&query, "absent", 1, 100, 5, &value, &error) == ERR_OK && value == 5);
    EXPECT(query_get_u64(&query, "zero", 1, 100, 5, &value, &error) == ERR_INVALID);
    EXPECT(query_get_u64(&query, "limit", 1, 9, 5, &value, &error) == ERR_INVALID);
    EXPECT(query_get_u64(&query, "big", 0, UINT64_MAX, 5, &value, &error) == ERR_OK &&
           value == UINT64_MAX);
    static const char *const bad[] = {"over", "neg", "hex", "empty"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        EXPECT(query_get_u64(&query, bad[i], 0, UINT64_MAX, 5, &value, &error) == ERR_INVALID,
               ": %s", bad[i]);
    }
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    RUN(test_plain);
    RUN(test_plus_is_a_space_only_where_told);
    RUN(test_percent);
    RUN(test_doubled_and_too_many);
    RUN(test_numbers);
    arena_deinit(&arena);
    return test_summary();
}
