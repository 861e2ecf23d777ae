/* Tries to make one person of two, two of one, or to let old news win. */
#include "fixture.h"

static void test_same_email_on_two_cookies(void)
{
    fixture_begin();
    ingest("{\"cookie\":\"one\",\"age\":30}");
    ingest("{\"cookie\":\"two\",\"city\":\"Boston\"}");
    EXPECT(person("cookie", "one") != person("cookie", "two"));
    ingest("{\"cookie\":\"one\",\"email\":\"ann@example.org\"}");
    ingest("{\"cookie\":\"two\",\"email\":\"ann@example.org\"}");
    uint32_t ann = person("email", "ann@example.org");
    EXPECT(person("cookie", "one") == ann && person("cookie", "two") == ann);
    EXPECT(shows(ann, "\"age\":30") && shows(ann, "Boston"));
    EXPECT(engine_find_id(fixture.engine, SLICE_LITERAL("p1")) == ann);
    EXPECT(engine_find_id(fixture.engine, SLICE_LITERAL("p2")) == ann);
    expect_same_after_starts();
    fixture_end();
}

static void test_second_email_on_a_cookie(void)
{
    fixture_begin();
    ingest("{\"cookie\":\"shared\",\"email\":\"ann@example.org\",\"age\":30}");
    ingest("{\"cookie\":\"shared\",\"email\":\"bob@example.org\"}");
    uint32_t ann = person("email", "ann@example.org");
    uint32_t bob = person("email", "bob@example.org");
    EXPECT(ann != bob && person("cookie", "shared") == bob);
    EXPECT(shows(ann, "\"value\":\"shared\",\"current\":false") && !shows(bob, "\"age\""));
    /* What the cookie does alone is the newer one's. */
    ingest("{\"cookie\":\"shared\",\"city\":\"Boston\"}");
    EXPECT(shows(bob, "Boston") && !shows(ann, "Boston"));
    /* And back. */
    ingest("{\"cookie\":\"shared\",\"email\":\"ann@example.org\"}");
    EXPECT(person("cookie", "shared") == ann);
    expect_same_after_starts();
    fixture_end();
}

static void test_a_late_record_does_not_pull_a_cookie_back(void)
{
    fixture_begin();
    ingest(
        "{\"cookie\":\"shared\",\"email\":\"ann@example.org\",\"timestamp\":\"2025-06-02T00:00:00Z\"}");
    ingest(
        "{\"cookie\":\"shared\",\"email\":\"bob@example.org\",\"timestamp\":\"2025-06-01T00:00:00Z\"}");
    EXPECT(person("cookie", "shared") == person("email", "ann@example.org"));
    EXPECT(shows(person("email", "bob@example.org"), "\"value\":\"shared\",\"current\":false"));
    expect_same_after_starts();
    fixture_end();
}

static void test_late_values_and_clears(void)
{
    fixture_begin();
    ingest(
        "{\"cookie\":\"c\",\"age\":30,\"tags\":[\"new\"],\"timestamp\":\"2025-06-03T00:00:00Z\"}");
    ingest(
        "{\"cookie\":\"c\",\"age\":20,\"city\":\"Boston\",\"timestamp\":\"2025-06-01T00:00:00Z\"}");
    uint32_t c = person("cookie", "c");
    EXPECT(shows(c, "\"age\":30") && shows(c, "Boston"));
    ingest("{\"cookie\":\"c\",\"age\":null,\"timestamp\":\"2025-06-04T00:00:00Z\"}");
    ingest("{\"cookie\":\"c\",\"age\":31,\"timestamp\":\"2025-06-03T12:00:00Z\"}");
    EXPECT(!shows(c, "\"age\":3"));
    /* A clear between: members older than it go, also those that come later. */
    ingest("{\"cookie\":\"c\",\"tags\":null,\"timestamp\":\"2025-06-02T00:00:00Z\"}");
    ingest("{\"cookie\":\"c\",\"tags\":[\"old\"],\"timestamp\":\"2025-06-01T00:00:00Z\"}");
    EXPECT(shows(c, "\"tags\":[\"new\"]"));
    /* A value that a newer list hides keeps older members away, too. */
    ingest("{\"cookie\":\"c\",\"kind\":\"plain\",\"timestamp\":\"2025-06-05T00:00:00Z\"}");
    ingest("{\"cookie\":\"c\",\"kind\":[\"b\"],\"timestamp\":\"2025-06-06T00:00:00Z\"}");
    ingest("{\"cookie\":\"c\",\"kind\":[\"a\"],\"timestamp\":\"2025-06-04T00:00:00Z\"}");
    EXPECT(shows(c, "\"kind\":[\"b\"]"));
    ingest("{\"cookie\":\"c\",\"interests\":[\"Cricket\"],\"timestamp\":\"2025-06-01T00:00:00Z\"}");
    ingest("{\"cookie\":\"c\",\"interests\":[\"CRICKET\"],\"timestamp\":\"2025-06-02T00:00:00Z\"}");
    ingest("{\"cookie\":\"c\",\"interests\":[\"cricket\"],\"timestamp\":\"2025-05-01T00:00:00Z\"}");
    EXPECT(shows(c, "\"interests\":[\"CRICKET\"]"));
    /* A device whose clock runs ahead wins until now, no longer. */
    ingest("{\"cookie\":\"c\",\"city\":\"Austin\",\"timestamp\":\"2099-01-01T00:00:00Z\"}");
    ingest("{\"cookie\":\"c\",\"city\":\"Denver\"}");
    EXPECT(shows(c, "Denver"));
    expect_same_after_starts();
    fixture_end();
}

static void test_sources_weigh_at_the_same_moment(void)
{
    fixture_begin();
    reopen(AS_IT_IS);
    fixture.settings = "{\"sources\":{\"crm\":100,\"web\":10}}";
    reopen(AS_IT_IS);
    EXPECT(ingest_from("{\"cookie\":\"c\",\"age\":40,\"timestamp\":\"2025-06-01T00:00:00Z\"}",
                       "crm") == ERR_OK);
    EXPECT(ingest_from("{\"cookie\":\"c\",\"age\":20,\"timestamp\":\"2025-06-01T00:00:00Z\"}",
                       "web") == ERR_OK);
    EXPECT(shows(person("cookie", "c"), "\"age\":40"));
    expect_same_after_starts();
    fixture_end();
}

static void test_limits_and_blocks(void)
{
    fixture_begin();
    fixture.settings =
        "{\"identifiers\":[{\"type\":\"email\",\"limit\":1},{\"type\":\"user_id\",\"limit\":1},"
        "{\"type\":\"phone\",\"limit\":2},{\"type\":\"cookie\",\"limit\":2}],"
        "\"blocked\":{\"email\":[\"test@test.com\"]}}";
    reopen(AS_IT_IS);
    ingest("{\"email\":\"ann@example.org\",\"cookie\":\"c1\"}");
    ingest("{\"email\":\"ann@example.org\",\"cookie\":\"c2\"}");
    ingest("{\"email\":\"ann@example.org\",\"cookie\":\"c3\"}");
    uint32_t ann = person("email", "ann@example.org");
    EXPECT(person("cookie", "c1") == PERSON_NONE && person("cookie", "c2") == ann &&
           person("cookie", "c3") == ann);
    /* Two people whose union would have two e-mails stay two; the device goes to the newer one. */
    ingest("{\"email\":\"bob@example.org\",\"device_id\":\"d\"}");
    ingest("{\"email\":\"ann@example.org\",\"device_id\":\"d\"}");
    EXPECT(person("device_id", "d") == ann && person("email", "bob@example.org") != ann);
    /* A blocked e-mail ties nobody together. */
    ingest("{\"email\":\"test@test.com\",\"cookie\":\"x\"}");
    ingest("{\"email\":\"test@test.com\",\"cookie\":\"y\"}");
    EXPECT(person("email", "test@test.com") == PERSON_NONE &&
           person("cookie", "x") != person("cookie", "y"));
    struct engine_stats stats;
    engine_stats(fixture.engine, &stats);
    EXPECT(stats.identifiers == 7, ": %" PRIu64, stats.identifiers);
    expect_same_after_starts();
    fixture_end();
}

/* An identifier that the record brings, and a merge by another one of it: both count towards the
 * limit. */
static void test_a_merge_counts_what_the_record_brings(void)
{
    fixture_begin();
    ingest("{\"user_id\":\"u1\",\"email\":\"p@example.org\"}");
    ingest("{\"phone\":\"+12025550101\"}");
    ingest("{\"user_id\":\"u2\",\"cookie\":\"s\"}");
    ingest(
        "{\"email\":\"new@example.org\",\"user_id\":\"u1\",\"phone\":\"+12025550101\",\"cookie\":\"s\"}");
    uint32_t fresh = person("email", "new@example.org");
    EXPECT(person("phone", "+12025550101") == fresh && person("user_id", "u1") == fresh);
    EXPECT(person("user_id", "u2") != fresh && person("cookie", "s") == fresh);
    expect_same_after_starts();
    fixture_end();
}

static void test_many_identifiers_in_one_record(void)
{
    char json[4096] = "{\"email\":\"ann@example.org\",\"cookie\":[";
    fixture_begin();
    for (int i = 0; i < 60; i++) {
        char lone[64];
        size_t length = strlen(json);
        snprintf(lone, sizeof lone, "{\"cookie\":\"many-%d\",\"age\":%d}", i, i);
        ingest(arena_copy(&fixture.arena, slice_from_cstr(lone)).data);
        snprintf(json + length, sizeof json - length, "%s\"many-%d\"", i ? "," : "", i);
    }
    strcat(json, "]}");
    ingest(json);
    uint32_t ann = person("email", "ann@example.org");
    for (int i = 0; i < 60; i++) {
        char id[16];
        snprintf(id, sizeof id, "p%d", i + 1);
        EXPECT(engine_find_id(fixture.engine, slice_from_cstr(id)) == ann);
    }
    EXPECT(shows(ann, "\"age\":59"));
    expect_same_after_starts();
    fixture_end();
}

/* The number of the larger tree stays, whoever merges into whom; old numbers lead there through all
 * of them. */
static void test_small_merges_into_large(void)
{
    fixture_begin();
    ingest("{\"cookie\":\"a\",\"interests\":[\"opera\"]}");
    ingest("{\"cookie\":\"b\",\"interests\":[\"opera\",\"chess\"]}");
    ingest("{\"cookie\":\"c\",\"plan\":{\"tier\":\"gold\"}}");
    EXPECT(put_cohort("Opera", "{\"phrases\":[\"opera\"]}") == ERR_OK);
    EXPECT(put_cohort("Gold",
                      "{\"where\":{\"field\":\"plan.tier\",\"op\":\"eq\",\"value\":\"gold\"}}") ==
           ERR_OK);
    ingest("{\"email\":\"bc@example.org\",\"cookie\":[\"b\",\"c\"]}");
    EXPECT(person("cookie", "c") == 2);
    ingest("{\"user_id\":\"u\",\"cookie\":\"a\"}");
    ingest("{\"user_id\":\"u\",\"email\":\"bc@example.org\"}");
    EXPECT(person("user_id", "u") == 2 && person("cookie", "a") == 2);
    uint32_t numbers[4];
    uint32_t next;
    uint64_t total;
    for (uint32_t rank = 0; rank < 2; rank++) {
        size_t count = engine_page(fixture.engine, cohorts_at(engine_cohorts(fixture.engine), rank),
                                   false, 0, 4, numbers, &total, &next);
        EXPECT(count == 1 && total == 1 && numbers[0] == 2);
    }
    expect_same_after_starts();
    fixture_end();
}

static void test_a_message_is_heard_once(void)
{
    fixture_begin();
    ingest("{\"cookie\":\"c\",\"age\":30,\"message_id\":\"m\"}");
    ingest("{\"cookie\":\"c\",\"age\":31,\"message_id\":\"m\"}");
    uint32_t c = person("cookie", "c");
    EXPECT(shows(c, "\"age\":30"));
    reopen(BEHIND_A_CHECKPOINT);
    ingest("{\"cookie\":\"c\",\"age\":32,\"message_id\":\"m\"}");
    EXPECT(shows(c, "\"age\":30"));
    /* Other messages before and after, loaded again in another order: each is forgotten in its own
     * time. */
    for (int i = 0; i < 50; i++) {
        char json[96];
        fixture.now_us += 3600ll * 1000000;
        snprintf(json, sizeof json, "{\"cookie\":\"c\",\"message_id\":\"other-%d\"}", i);
        ingest(arena_copy(&fixture.arena, slice_from_cstr(json)).data);
    }
    reopen(BEHIND_A_CHECKPOINT);
    fixture.now_us += (7 * 24 - 49) * 3600ll * 1000000;
    ingest("{\"cookie\":\"c\",\"age\":33,\"message_id\":\"m\"}");
    ingest("{\"cookie\":\"c\",\"age\":34,\"message_id\":\"other-49\"}");
    EXPECT(shows(c, "\"age\":33"));
    expect_same_after_starts();
    /* Of a person erased since it is new. */
    EXPECT(erase(c) == ERR_OK);
    ingest("{\"cookie\":\"c\",\"age\":35,\"message_id\":\"m\"}");
    ingest("{\"cookie\":\"c\",\"age\":36,\"message_id\":\"m\"}");
    EXPECT(shows(person("cookie", "c"), "\"age\":35"));
    scrub();
    expect_same_after_starts();
    fixture_end();
}

int main(void)
{
    RUN(test_same_email_on_two_cookies);
    RUN(test_second_email_on_a_cookie);
    RUN(test_a_late_record_does_not_pull_a_cookie_back);
    RUN(test_late_values_and_clears);
    RUN(test_sources_weigh_at_the_same_moment);
    RUN(test_limits_and_blocks);
    RUN(test_a_merge_counts_what_the_record_brings);
    RUN(test_many_identifiers_in_one_record);
    RUN(test_small_merges_into_large);
    RUN(test_a_message_is_heard_once);
    return test_summary();
}
