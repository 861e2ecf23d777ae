/* Tries settings with a typo, a type too many, a priority that names a type twice; and identifiers
 * that should be blocked, or should not. */
#include "support.h"

static void test_defaults(void)
{
    struct settings *s = settings_of("{}");
    uint8_t type;
    EXPECT(strcmp(s->default_country, "US") == 0 &&
           s->identifier_type_count == IDENTIFIER_BUILTIN_COUNT);
    EXPECT(s->priority[0] == IDENTIFIER_EMAIL && s->identifiers[IDENTIFIER_EMAIL].limit_count == 1);
    EXPECT(settings_identifier_type(s, SLICE_LITERAL("device_id"), &type) &&
           type == IDENTIFIER_DEVICE_ID);
    EXPECT(!settings_identifier_type(s, SLICE_LITERAL("loyalty_id"), &type));
    EXPECT(settings_source_priority(s, SLICE_LITERAL("crm")) == 0);
    settings_destroy(s);
    settings_destroy(NULL);
}

static void test_what_is_said(void)
{
    struct settings *s = settings_of(
        "{\"blocked\":{\"loyalty_id\":[\"N/A-*\",\"Gone\"],\"*\":[\"Dummy\"]},\"default_country\":\"gb\","
        "\"identifiers\":[{\"type\":\"loyalty_id\",\"limit\":3},{\"type\":\"cookie\",\"limit\":7}],"
        "\"sources\":{\"crm\":100,\"web\":10}}");
    uint8_t type = 0;
    EXPECT(settings_identifier_type(s, SLICE_LITERAL("loyalty_id"), &type) && type == 5);
    EXPECT(s->identifiers[5].limit_count == 3 &&
           s->identifiers[IDENTIFIER_COOKIE].limit_count == 7);
    const uint8_t wanted[] = {5,
                              IDENTIFIER_COOKIE,
                              IDENTIFIER_EMAIL,
                              IDENTIFIER_USER_ID,
                              IDENTIFIER_PHONE,
                              IDENTIFIER_DEVICE_ID};
    EXPECT(memcmp(s->priority, wanted, sizeof wanted) == 0);
    EXPECT(strcmp(s->default_country, "GB") == 0);
    EXPECT(settings_source_priority(s, SLICE_LITERAL("crm")) == 100 &&
           settings_source_priority(s, SLICE_LITERAL("CRM")) == 0);
    EXPECT(settings_identifier_blocked(s, 5, SLICE_LITERAL("n/a-7")) &&
           settings_identifier_blocked(s, 5, SLICE_LITERAL("GONE")));
    EXPECT(!settings_identifier_blocked(s, IDENTIFIER_COOKIE, SLICE_LITERAL("gone")));
    EXPECT(settings_identifier_blocked(s, IDENTIFIER_COOKIE, SLICE_LITERAL("dummy")) &&
           settings_identifier_blocked(s, 5, SLICE_LITERAL("dummy")));
    settings_destroy(s);
}

static void test_mistakes(void)
{
    static const struct {
        const char *json, *code;
    } cases[] = {
        {"", "settings_syntax"},
        {"[]", "settings_syntax"},
        {"{\"default_contry\":\"US\"}", "settings_unknown_key"},
        {"{\"default_country\":\"USA\"}", "settings_country"},
        {"{\"default_country\":\"XX\"}", "settings_country"},
        {"{\"default_country\":1}", "settings_country"},
        {"{\"sources\":{},\"sources\":{}}", "duplicate_key"},
        {"{\"identifiers\":{}}", "settings_identifier"},
        {"{\"identifiers\":[1]}", "settings_identifier"},
        {"{\"identifiers\":[{}]}", "settings_identifier"},
        {"{\"identifiers\":[{\"type\":\"email\"},{\"type\":\"email\"}]}", "settings_identifier"},
        {"{\"identifiers\":[{\"type\":\"email\",\"limit\":0}]}", "settings_identifier"},
        {"{\"identifiers\":[{\"type\":\"email\",\"limt\":2}]}", "settings_identifier"},
        {"{\"identifiers\":[{\"type\":\"Loyalty\"}]}", "settings_identifier_name"},
        {"{\"identifiers\":[{\"type\":\"city\"}]}", "settings_identifier_name"},
        {"{\"identifiers\":[{\"type\":\"abcdefghijklmnopqrstuvwxyzabcdefgh\"}]}",
         "settings_identifier_name"},
        {"{\"identifiers\":[{\"type\":\"a\"},{\"type\":\"b\"},{\"type\":\"c\"},{\"type\":\"d\"},{\"type\":\"e\"},{\"type\":\"f\"},"
         "{\"type\":\"g\"},{\"type\":\"h\"},{\"type\":\"i\"},{\"type\":\"j\"},{\"type\":\"k\"},{\"type\":\"l\"}]}",
         "settings_too_many_identifiers"},
        {"{\"blocked\":[]}", "settings_blocked"},
        {"{\"blocked\":{\"nope\":[]}}", "settings_blocked"},
        {"{\"blocked\":{\"email\":\"x\"}}", "settings_blocked"},
        {"{\"blocked\":{\"email\":[\"*@x\"]}}", "settings_blocked"},
        {"{\"blocked\":{\"email\":[\"*\"]}}", "settings_blocked"},
        {"{\"blocked\":{\"email\":[\"\"]}}", "settings_blocked"},
        {"{\"blocked\":{\"email\":[1]}}", "settings_blocked"},
        {"{\"sources\":{\"a\":-1}}", "settings_source"},
        {"{\"sources\":{\"a\":\"1\"}}", "settings_source"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct settings *s = NULL;
        struct error error = {0};
        err e = settings_parse(slice_from_cstr(cases[i].json), &s, &error);
        EXPECT(e == ERR_INVALID && strcmp(error.code, cases[i].code) == 0,
               ": %s gave %d %s (%s), wanted %s", cases[i].json, (int)e, error.code, error.message,
               cases[i].code);
        settings_destroy(s);
    }
}

int main(void)
{
    RUN(test_defaults);
    RUN(test_what_is_said);
    RUN(test_mistakes);
    return test_summary();
}
