/* Tries to get something into a record that is not in its canonical form, to get two people's
 * identifiers to become one, and to get a good record refused, or a whole one lost, because of one
 * bad field. */
#include "support.h"

static const char *const settings_json =
    "{\"identifiers\":[{\"type\":\"email\"},{\"type\":\"user_id\"},{\"type\":\"phone\"},{\"type\":\"cookie\"},"
    "{\"type\":\"device_id\"},{\"type\":\"loyalty_id\"}],\"blocked\":{\"email\":[\"noreply@*\",\"Shop@Example.com\"],\"*\":[\"tbd\"]}}";

struct sample {
    const char *json;
    const char *wanted;
};

static void run(const struct sample *samples, size_t count)
{
    static struct reading r;
    reading_begin(&r, settings_json);
    for (size_t i = 0; i < count; i++) {
        reading_json(&r, samples[i].json);
        EXPECT(strcmp(r.text, samples[i].wanted) == 0, ": %s\n   got    %s\n   wanted %s",
               samples[i].json, r.text, samples[i].wanted);
    }
    reading_end(&r);
}

static void test_the_sample(void)
{
    static const struct sample samples[] = {
        {"{\"cookie\":\"abc123\",\"email\":\" John.Doe@Example.com \",\"phone_number\":\"(650) 253-0000\","
         "\"location\":{\"city\":\"Brooklyn\",\"state\":\"NY\",\"country\":\"United States\"},"
         "\"demographics\":{\"age\":35,\"gender\":\"male\",\"income\":75000,\"education\":\"Bachelor's  Degree\"},"
         "\"interests\":[\"basketball\",\" Hiking\",\"BASKETBALL\"],\"timestamp\":\"2024-01-15T10:30:00Z\"}",
         "email=john.doe@example.com phone=+16502530000 cookie=abc123 city='Brooklyn' state='New York' country='USA' age=35 "
         "gender='Male' income=75000 education='Bachelor's Degree' +basketball +Hiking @1705314600000000"},
        {"{\"cookie\":\"c\",\"location\":\"Brooklyn, New York, USA\"}",
         "cookie=c country='USA' state='New York' city='Brooklyn'"},
        {"{\"userId\":\"u\",\"deviceId\":\"d\",\"messageId\":\"m1\",\"First Name\":\"Ann\",\"location.city\":\"Rome\",\"demographics.age\":\"7\"}",
         "user_id=u device_id=d first_name='Ann' city='Rome' age=7 #m1"},
    };
    run(samples, ARRAY_COUNT(samples));
}

/* What a local number is depends on the country, wherever in the record that stands. */
static void test_phones_of_the_records_country(void)
{
    static const struct sample samples[] = {
        {"{\"phone\":\"020 7031 3000\",\"location\":{\"country\":\"UK\"}}",
         "phone=+442070313000 country='United Kingdom'"},
        {"{\"country\":\"Germany\",\"phone\":\"0151 12345678\"}",
         "phone=+4915112345678 country='Germany'"},
        {"{\"phone\":\"0044 20 7031 3000\",\"country\":\"France\"}",
         "phone=+442070313000 country='France'"},
        {"{\"phone\":\"+1 650-253-0000\",\"country\":\"France\"}",
         "phone=+16502530000 country='France'"},
        {"{\"phone\":\"(650) 253-0000\",\"country\":\"Atlantis\"}",
         "phone=+16502530000 country='Atlantis' !country_unknown"},
    };
    run(samples, ARRAY_COUNT(samples));
}

static void test_identifiers(void)
{
    static const struct sample samples[] = {
        {"{}", "identifier_missing"},
        {"{\"email\":\"\",\"cookie\":\"  \",\"user_id\":null}", "identifier_missing"},
        {"{\"email\":\"nobody\"}", "email_invalid:email"},
        {"{\"email\":\"nobody\",\"cookie\":\"c\"}", "cookie=c !email_invalid"},
        {"{\"email\":[\"A@x.org\",\"a@X.org\",\"b@x.org\"]}", "email=a@x.org email=b@x.org"},
        {"{\"identifiers\":{\"email\":\"a@x.org\",\"loyalty_id\":\"L1\",\"shoe\":7}}",
         "email=a@x.org loyalty_id=L1 identifiers.shoe=7"},
        {"{\"loyalty_id\":\"L1\",\"cookie\":\"c\",\"email\":\"a@x.org\"}",
         "email=a@x.org cookie=c loyalty_id=L1"},
        {"{\"email\":\"mailto:A@x.org\"}", "email=a@x.org"},
        {"{\"email\":\"JOS\xC3\x89@B\xC3\x9C"
         "CHER.example\"}",
         "email=jos\xC3\xA9@b\xC3\xBC"
         "cher.example"},
        {"{\"email\":\"jose\xCC\x81@x.org\"}", "email=jos\xC3\xA9@x.org"},
        {"{\"email\":\"a@xn--bcher-kva.example\"}", "email=a@xn--bcher-kva.example"},
        {"{\"email\":\"a..b@x.org\"}", "email_invalid:email"},
        {"{\"email\":\".a@x.org\"}", "email_invalid:email"},
        {"{\"email\":\"a@x\"}", "email_invalid:email"},
        {"{\"email\":\"a@x.1\"}", "email_invalid:email"},
        {"{\"email\":\"a@-x.org\"}", "email_invalid:email"},
        {"{\"email\":\"a b@x.org\"}", "email_invalid:email"},
        {"{\"email\":\"a@b@x.org\"}", "email_invalid:email"},
        {"{\"email\":\"Ann <a@x.org>\"}", "email_invalid:email"},
        {"{\"email\":\"o'neil+tag@x.co.uk\"}", "email=o'neil+tag@x.co.uk"},
        {"{\"cookie\":\"Abc\"}", "cookie=Abc"},
        {"{\"cookie\":\"a\\u200Bb\"}", "identifier_invalid:cookie"},
        {"{\"cookie\":\"a\\tb\"}", "identifier_invalid:cookie"},
        {"{\"cookie\":\"\\u00A0ab\\n\"}", "cookie=ab"},
        {"{\"cookie\":\"a\\u0000b\"}", "nul_character:cookie"},
        {"{\"cookie\":\"a\\u0000b\",\"email\":\"a@x.org\"}", "nul_character:cookie"},
        {"{\"cookie\":true}", "identifier_invalid:cookie"},
        {"{\"cookie\":{\"a\":1},\"email\":\"a@x.org\"}", "email=a@x.org !value_unsupported"},
        {"{\"user_id\":42}", "user_id=42"},
        {"{\"user_id\":18446744073709551615}", "user_id=18446744073709551615"},
        {"{\"user_id\":-9223372036854775808}", "user_id=-9223372036854775808"},
        {"{\"user_id\":18446744073709551616}", "identifier_not_exact:user_id"},
        {"{\"user_id\":1.0}", "identifier_not_exact:user_id"},
        {"{\"user_id\":1e3}", "identifier_not_exact:user_id"},
        {"{\"user_id\":[7,\"8\",1.5]}", "identifier_not_exact:user_id"},
        {"{\"user_id\":9007199254740993}", "user_id=9007199254740993"},
        {"{\"phone\":\"555\"}", "phone_invalid:phone"},
        {"{\"phone\":6502530000}", "phone=+16502530000"},
    };
    run(samples, ARRAY_COUNT(samples));
}

static void test_blocked(void)
{
    static const struct sample samples[] = {
        {"{\"email\":\"TEST@test.com\"}", "identifier_blocked:email"},
        {"{\"email\":\"noreply@shop.example\"}", "identifier_blocked:email"},
        {"{\"email\":\"shop@example.com\",\"cookie\":\"c\"}", "cookie=c !identifier_blocked"},
        {"{\"cookie\":\"NULL\"}", "identifier_blocked:cookie"},
        {"{\"cookie\":\"undefined\"}", "identifier_blocked:cookie"},
        {"{\"cookie\":\"TBD\"}", "identifier_blocked:cookie"},
        {"{\"device_id\":\"00000000-0000-0000-0000-000000000000\"}",
         "identifier_blocked:device_id"},
        {"{\"device_id\":\"11111111-1111\"}", "identifier_blocked:device_id"},
        {"{\"user_id\":0}", "identifier_blocked:user_id"},
        {"{\"user_id\":\"-\"}", "identifier_blocked:user_id"},
        {"{\"user_id\":1111}", "user_id=1111"},
        {"{\"phone\":\"+1 555 555 5555\"}", "identifier_blocked:phone"},
        {"{\"phone\":\"+1 555 123 4567\"}", "phone=+15551234567"},
    };
    run(samples, ARRAY_COUNT(samples));
}

static void test_fields(void)
{
    static const struct sample samples[] = {
        {"{\"cookie\":\"c\",\"age\":\" 42 \"}", "cookie=c age=42"},
        {"{\"cookie\":\"c\",\"age\":\"42 years\"}", "cookie=c !age_invalid"},
        {"{\"cookie\":\"c\",\"age\":131}", "cookie=c !age_invalid"},
        {"{\"cookie\":\"c\",\"age\":-1}", "cookie=c !age_invalid"},
        {"{\"cookie\":\"c\",\"age\":42.0}", "cookie=c age=42"},
        {"{\"cookie\":\"c\",\"age\":42.5}", "cookie=c !value_unsupported"},
        {"{\"cookie\":\"c\",\"gender\":\"F\"}", "cookie=c gender='Female'"},
        {"{\"cookie\":\"c\",\"gender\":\"non-binary\"}", "cookie=c gender='Non-binary'"},
        {"{\"cookie\":\"c\",\"gender\":\"two spirit\"}", "cookie=c gender='Two Spirit'"},
        {"{\"cookie\":\"c\",\"income\":\"50000\"}", "cookie=c income=50000"},
        {"{\"cookie\":\"c\",\"income\":\"$50k-75k\"}", "cookie=c income='$50k-75k'"},
        {"{\"cookie\":\"c\",\"country\":\"u.s.a.\",\"state\":\"texas\"}",
         "cookie=c country='USA' state='Texas'"},
        {"{\"cookie\":\"c\",\"state\":\"wa\",\"country\":\"Australia\"}",
         "cookie=c state='Western Australia' country='Australia'"},
        {"{\"cookie\":\"c\",\"state\":\"ON\",\"country\":\"CAN\"}",
         "cookie=c state='Ontario' country='Canada'"},
        {"{\"cookie\":\"c\",\"state\":\"CA\",\"country\":\"France\"}",
         "cookie=c state='CA' country='France'"},
        {"{\"cookie\":\"c\",\"state\":\"CA\"}", "cookie=c state='California'"},
        {"{\"cookie\":\"c\",\"country\":\"the netherlands\"}", "cookie=c country='Netherlands'"},
        {"{\"cookie\":\"c\",\"country\":\"Atlantis\"}",
         "cookie=c country='Atlantis' !country_unknown"},
        {"{\"cookie\":\"c\",\"location\":\"Paris, France\"}",
         "cookie=c country='France' city='Paris'"},
        {"{\"cookie\":\"c\",\"location\":\"Austin, TX\"}", "cookie=c state='Texas' city='Austin'"},
        {"{\"cookie\":\"c\",\"location\":\"Germany\"}", "cookie=c country='Germany'"},
        {"{\"cookie\":\"c\",\"location\":\"Lyon\"}", "cookie=c city='Lyon'"},
        {"{\"cookie\":\"c\",\"location\":\"5 Main St, Apt 2, Austin, TX, US\"}",
         "cookie=c country='USA' state='Texas' city='Austin' street='5 Main St, Apt 2'"},
        {"{\"cookie\":\"c\",\"zip\":10001,\"postal_code\":\"10002\"}",
         "cookie=c postal_code='10002'"},
        {"{\"cookie\":\"c\",\"birth_date\":\"1980-02-29\"}", "cookie=c birth_date='1980-02-29'"},
        {"{\"cookie\":\"c\",\"dob\":\"19800229\"}", "cookie=c birth_date='1980-02-29'"},
        {"{\"cookie\":\"c\",\"birth_date\":\"1981-02-29\"}", "cookie=c !birth_date_invalid"},
        {"{\"cookie\":\"c\",\"interests\":\"a;b | c; ;A\"}", "cookie=c +a +b +c"},
        {"{\"cookie\":\"c\",\"interests\":[\"Stra\xC3\x9F"
         "e\",\"STRASSE\",5,null,{\"x\":1}]}",
         "cookie=c +Stra\xC3\x9F"
         "e +5 !value_unsupported"},
        {"{\"cookie\":\"c\",\"first_name\":\"\xC2\xA0 Zo\x65\xCC\x88 \\u0007  Ann \"}",
         "cookie=c first_name='Zo\xC3\xAB Ann'"},
        {"{\"cookie\":\"c\",\"first_name\":\"A\\u0000B\"}", "cookie=c !nul_character"},
        {"{\"cookie\":\"c\",\"first_name\":true}", "cookie=c !value_unsupported"},
        {"{\"cookie\":\"c\",\"first_name\":[\"A\"]}", "cookie=c !value_unsupported"},
        {"{\"cookie\":\"c\",\"name\":{\"first\":\"A\"}}", "cookie=c name.first='A'"},
        {"{\"cookie\":\"c\",\"timestamp\":\"soon\"}", "cookie=c !timestamp_invalid"},
        {"{\"cookie\":\"c\",\"timestamp\":1700000000}", "cookie=c @1700000000000000"},
        {"{\"cookie\":\"c\",\"timestamp\":1700000000123}", "cookie=c @1700000000123000"},
        {"{\"cookie\":\"c\",\"event_time\":1700000000.5}", "cookie=c @1700000000500000"},
    };
    run(samples, ARRAY_COUNT(samples));
}

static void test_attributes_and_nulls(void)
{
    static const struct sample samples[] = {
        {"{\"cookie\":\"c\",\"plan\":\" gold \",\"visits\":3,\"score\":0.5,\"vip\":true,\"old\":null}",
         "cookie=c plan='gold' visits=3 score=0.5 vip=true old=null"},
        {"{\"cookie\":\"c\",\"a\":{\"b\":{\"c\":1},\"d\":[\"x\",2,true,\"x\"]}}",
         "cookie=c a.b.c=1 a.d+x a.d+2 a.d+true"},
        {"{\"cookie\":\"c\",\"a.b\":1,\"a\":{\"b\":2}}", "cookie=c a.b=2"},
        {"{\"cookie\":\"c\",\"city\":null,\"interests\":null}",
         "cookie=c city=null interests=null"},
        {"{\"cookie\":\"c\",\"location\":null}",
         "cookie=c city=null state=null country=null postal_code=null street=null"},
        {"{\"cookie\":\"c\",\"n\":123456789012345678901234}",
         "cookie=c n='123456789012345678901234' !number_kept_as_text"},
        {"{\"cookie\":\"c\",\"n\":1e999}", "cookie=c !number_out_of_range"},
        {"{\"cookie\":\"c\",\"orders\":[{\"id\":1},{\"id\":2}]}",
         "cookie=c !value_unsupported !value_unsupported"},
        {"{\"cookie\":\"c\",\"\":1}", "cookie=c !attribute_name_invalid"},
        {"{\"cookie\":\"c\",\"a\\u0000\":1}", "cookie=c !attribute_name_invalid"},
        {"{\"cookie\":\"c\",\"location\":{\"lat\":1.5,\"zip\":\"1\"}}",
         "cookie=c location.lat=1.5 postal_code='1'"},
        {"{\"cookie\":\"c\",\"empty\":\"\",\"blank\":\"  \"}", "cookie=c"},
    };
    run(samples, ARRAY_COUNT(samples));
}

static void test_refused(void)
{
    static const struct sample samples[] = {
        {"", "json_syntax"},
        {"[]", "not_an_object"},
        {"\"x\"", "not_an_object"},
        {"{\"cookie\":\"c\"", "json_syntax"},
        {"{\"cookie\":\"c\",}", "json_syntax"},
        {"{'cookie':'c'}", "json_syntax"},
        {"{\"cookie\":\"c\"} x", "json_syntax"},
        {"{\"cookie\":\"\\ud800\"}", "json_string"},
        {"{\"cookie\":\"\xFF\"}", "json_string"},
        {"{\"cookie\":\"\xED\xA0\x80\"}", "json_string"},
        {"{\"cookie\":\"\xC0\x80\"}", "json_string"},
        {"{\"cookie\":\"a\",\"cookie\":\"b\"}", "duplicate_key:cookie"},
        {"{\"cookie\":\"a\",\"x\":{\"y\":1,\"y\":2}}", "duplicate_key:y"},
        {"{\"cookie\":\"a\",\"x\":[{\"y\":1,\"y\":2}]}", "duplicate_key:y"},
        {"{\"cookie\":\"a\",\"x\":NaN}", "json_syntax"},
        {"\xEF\xBB\xBF{\"cookie\":\"a\"}", "cookie=a"},
    };
    run(samples, ARRAY_COUNT(samples));
}

/* {"cookie":"c", <prefix> repeated with a number <suffix>} */
static char *repeat(const char *head, const char *item, size_t count, const char *tail)
{
    struct buffer b;
    buffer_init(&b, 32u << 20);
    buffer_append_cstr(&b, head);
    for (size_t i = 0; i < count; i++) {
        for (const char *c = item; *c != '\0'; c++) {
            if (*c == '#') {
                buffer_append_u64(&b, i);
            } else {
                buffer_append_char(&b, *c);
            }
        }
    }
    buffer_append_cstr(&b, tail);
    buffer_append_char(&b, '\0');
    return b.data; /* freed with memory_free */
}

static void expect_limit(const char *head, const char *item, size_t count, const char *tail,
                         const char *code)
{
    static struct reading r;
    reading_begin(&r, settings_json);
    struct buffer owner = {.data = repeat(head, item, count, tail)};
    reading_json(&r, owner.data);
    bool warned = r.result == ERR_OK && r.record.warning_count > 0 &&
                  strcmp(r.record.warnings[0].code, code) == 0;
    bool refused = r.result != ERR_OK && strcmp(r.error.code, code) == 0;
    bool fine = code[0] == '\0' && r.result == ERR_OK && r.record.warning_count == 0;
    EXPECT(warned || refused || fine, ": %zu of %s: result %d, %.200s, wanted '%s'", count, item,
           (int)r.result, r.text, code);
    reading_end(&r);
    buffer_deinit(&owner);
}

static void test_limits(void)
{
    expect_limit("{\"cookie\":\"c\"", ",\"k#\":1", 511, "}", "");
    expect_limit("{\"cookie\":\"c\"", ",\"k#\":1", 512, "}", "too_many_keys");
    expect_limit("{\"cookie\":\"c\",\"a\":", "[", 30, "1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
                 "value_unsupported");
    expect_limit("{\"cookie\":\"c\",\"a\":", "[", 100000, "", "json_syntax");
    expect_limit("{\"cookie\":\"c\",\"x\":", "{\"a\":", 31, "1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}",
                 "");
    expect_limit("{\"cookie\":\"c\",\"x\":", "{\"a\":", 32, "1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}",
                 "too_deep");
    expect_limit("{\"cookie\":\"", "x", 256, "\"}", "identifier_blocked");
    expect_limit("{\"cookie\":\"y", "x", 255, "\"}", "");
    expect_limit("{\"cookie\":\"y", "x", 256, "\"}", "identifier_too_long");
    expect_limit("{\"cookie\":\"c\",\"t\":\"", "x", 8192, "\"}", "");
    expect_limit("{\"cookie\":\"c\",\"t\":\"", "x", 8193, "\"}", "text_too_long");
    expect_limit("{\"cookie\":\"c\",\"first_name\":\"", "x", 257, "\"}", "text_too_long");
    expect_limit("{\"cookie\":\"c\",\"", "k", 128, "\":1}", "");
    expect_limit("{\"cookie\":\"c\",\"", "k", 129, "\":1}", "attribute_name_invalid");
    expect_limit("{\"cookie\":\"c\",\"interests\":[\"i\"", ",\"i#\"", 199, "]}", "");
    expect_limit("{\"cookie\":\"c\",\"interests\":[\"i\"", ",\"i#\"", 200, "]}",
                 "too_many_interests");
    expect_limit("{\"cookie\":\"c\",\"interests\":[\"", "x", 121, "\"]}", "text_too_long");
    expect_limit("{\"cookie\":\"c\",\"tags\":[0", ",\"i#\"", 1000, "]}", "too_many_items");
    expect_limit("{\"cookie\":[\"c\"", ",\"c#\"", 63, "]}", "");
    expect_limit("{\"cookie\":[\"c\"", ",\"c#\"", 64, "]}", "too_many_identifiers");
    expect_limit("{\"cookie\":\"c\",\"x\":\"", "x", 16u << 20, "\"}", "record_too_large");
}

/* Whatever comes out goes in again unchanged: canonical forms are fixed points. */
static void test_canonical_forms_are_fixed_points(void)
{
    static const char *const texts[] = {
        "A\xCC\x8A",
        "\xE1\xBA\x9B\xCC\xA3",
        "\xF0\x9D\x94\xB8",
        "a\xC2\xAD\xCC\x81",
        "  x \t y\xE2\x80\xA8z ",
        "\xE2\x80\x8B\xE2\x80\x8B",
        "\xEA\xB0\x80\xE1\x86\xA8",
        "\xCC\x81x",
        "a\xE2\x80\x8B\xCC\x81",
        "\xC4\xB0stanbul",
        "o\xCC\x88\xCC\x81\xCC\xA3",
    };
    static struct reading r;
    reading_begin(&r, "{}");
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        char json[256];
        char first[sizeof r.text];
        snprintf(json, sizeof json, "{\"cookie\":\"c\",\"name\":\"%s\",\"interests\":[\"%s\"]}",
                 texts[i], texts[i]);
        reading_json(&r, json);
        memcpy(first, r.text, sizeof first);
        if (r.record.interest_count == 0) {
            continue;
        }
        struct slice once = r.record.interests[0];
        snprintf(json, sizeof json, "{\"cookie\":\"c\",\"name\":\"%.*s\",\"interests\":[\"%.*s\"]}",
                 SLICE_ARGS(once), SLICE_ARGS(once));
        reading_json(&r, json);
        EXPECT_TEXT(r.text, first);
    }
    reading_end(&r);
}

static void test_queries(void)
{
    struct settings *settings = settings_of("{\"default_country\":\"GB\"}");
    struct arena arena;
    arena_init(&arena, 1u << 20);
    struct slice out;
    REQUIRE(identifier_normalise(&arena, IDENTIFIER_EMAIL, SLICE_LITERAL(" A@X.org"), settings,
                                 &out) == ERR_OK);
    EXPECT(slice_equal_cstr(out, "a@x.org"));
    REQUIRE(identifier_normalise(&arena, IDENTIFIER_PHONE, SLICE_LITERAL("020 7031 3000"), settings,
                                 &out) == ERR_OK);
    EXPECT(slice_equal_cstr(out, "+442070313000"));
    EXPECT(identifier_normalise(&arena, IDENTIFIER_EMAIL, SLICE_LITERAL("x"), settings, &out) ==
           ERR_INVALID);
    EXPECT(identifier_normalise(&arena, IDENTIFIER_COOKIE, SLICE_LITERAL(" "), settings, &out) ==
           ERR_INVALID);
    arena_deinit(&arena);
    settings_destroy(settings);
}

static void test_patch(void)
{
    static const struct sample samples[] = {
        {"{\"city\":\"Rome\",\"age\":null}", "city='Rome' age=null"},
        {"{\"interests\":[\"a\"]}", "+a"},
        {"{\"interests\":[],\"tags\":[]}", "interests=null tags=null"},
        {"{\"email\":\"a@x.org\"}", "identifier_in_patch"},
        {"{\"email\":null}", "identifier_in_patch"},
        {"{\"user_id\":1.5}", "identifier_in_patch"},
        {"{}", ""},
    };
    static struct reading r;
    reading_begin(&r, settings_json);
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        err e = record_read_patch(&r.arena, slice_from_cstr(samples[i].json), r.settings, &r.record,
                                  &r.error);
        if (e == ERR_OK) {
            record_text(&r.record, r.settings, r.text, sizeof r.text);
            EXPECT(r.record.replace_lists);
        }
        EXPECT_TEXT(e == ERR_OK ? r.text : r.error.code, samples[i].wanted);
    }
    reading_end(&r);
}

static void test_newer_rules_are_refused(void)
{
    static struct reading r;
    reading_begin(&r, "{}");
    struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION + 1};
    reading_read(&r, SLICE_LITERAL("{\"cookie\":\"c\"}"), &form);
    EXPECT(r.result == ERR_UNSUPPORTED);
    form = (struct record_form){.format = FORMAT_CSV, .etl_version = 1};
    reading_read(&r, SLICE_LITERAL("a,b"), &form);
    EXPECT_TEXT(r.text, "csv_header_missing");
    reading_end(&r);
}

int main(void)
{
    RUN(test_the_sample);
    RUN(test_phones_of_the_records_country);
    RUN(test_identifiers);
    RUN(test_blocked);
    RUN(test_fields);
    RUN(test_attributes_and_nulls);
    RUN(test_refused);
    RUN(test_limits);
    RUN(test_canonical_forms_are_fixed_points);
    RUN(test_queries);
    RUN(test_patch);
    RUN(test_newer_rules_are_refused);
    return test_summary();
}
