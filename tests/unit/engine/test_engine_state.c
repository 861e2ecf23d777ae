/* Tries to make the engine forget, repeat or keep what it must not: corrections, keys, quarantine,
 * cohorts, long histories, erasures. */
#include "fixture.h"

#include "base/bytes.h"

static void test_etag_and_patch(void)
{
    fixture_begin();
    ingest(
        "{\"cookie\":\"c\",\"age\":30,\"interests\":[\"chess\",\"opera\"],\"tags\":[\"a\",\"b\"]}");
    uint32_t c = person("cookie", "c");
    char etag[ENGINE_ETAG_MAX];
    engine_etag(fixture.engine, c, etag);
    EXPECT(patch(c, "{\"age\":31}", "\"0000000000000000-0\"") == ERR_CONFLICT);
    EXPECT(shows(c, "\"age\":30"));
    EXPECT(patch(c, "{\"age\":31,\"interests\":[\"cricket\"],\"tags\":[\"c\"]}", etag) == ERR_OK);
    EXPECT(shows(c, "\"age\":31") && shows(c, "\"interests\":[\"cricket\"]") &&
           shows(c, "\"tags\":[\"c\"]"));
    EXPECT(patch(c, "{\"age\":32}", etag) == ERR_CONFLICT);
    EXPECT(patch(c, "{\"tags\":[],\"interests\":null}", "*") == ERR_OK);
    EXPECT(shows(c, "\"interests\":[]") && !shows(c, "\"tags\":["));
    EXPECT(patch(c + 1, "{\"age\":3}", NULL) == ERR_NOT_FOUND);
    EXPECT(patch(c, "{\"email\":\"ann@example.org\"}", NULL) == ERR_INVALID);
    /* A cohort changes the whole ETag, but does not stand in a correction's way. */
    char before[ENGINE_ETAG_MAX];
    char after[ENGINE_ETAG_MAX];
    engine_etag(fixture.engine, c, before);
    EXPECT(put_cohort("Chess", "{\"phrases\":[\"chess\"]}") == ERR_OK);
    engine_etag(fixture.engine, c, after);
    EXPECT(strcmp(before, after) != 0 && patch(c, "{\"age\":33}", before) == ERR_OK);
    expect_same_after_starts();
    fixture_end();
}

static err keyed(const char *json, const char *key, uint64_t fingerprint, const char *answer)
{
    struct draft draft = record_draft(json, "test");
    struct submission submission = {.kind = SUBMIT_RECORDS,
                                    .drafts = &draft,
                                    .draft_count = 1,
                                    .idempotency_key = slice_from_cstr(key),
                                    .fingerprint = fingerprint,
                                    .answer = slice_from_cstr(answer),
                                    .answer_status = 207};
    return submit(&submission);
}

static void expect_repeat(const char *key)
{
    EXPECT(keyed("{\"cookie\":\"other\"}", key, 1, "another") == ERR_OK && fixture.last.repeated);
    EXPECT(fixture.last.stored_status == 207 &&
           slice_equal_cstr(slice_of(fixture.last.stored_answer, fixture.last.stored_answer_length),
                            "first"));
    EXPECT(keyed("{\"cookie\":\"other\"}", key, 2, "another") == ERR_CONFLICT);
    EXPECT(person("cookie", "other") == PERSON_NONE);
}

static void test_idempotency(void)
{
    fixture_begin();
    EXPECT(keyed("{\"cookie\":\"c\"}", "key", 1, "first") == ERR_OK && !fixture.last.repeated);
    expect_repeat("key");
    static const enum reopen ways[] = {AS_IT_IS, BEHIND_A_CHECKPOINT, FROM_LOG};
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        reopen(ways[i]);
        expect_repeat("key");
    }
    /* Two with one key in one group: the second is the first one's repeat. */
    struct draft drafts[2] = {record_draft("{\"cookie\":\"x\"}", ""),
                              record_draft("{\"cookie\":\"y\"}", "")};
    struct submission both[2];
    struct submission *pointers[2] = {&both[0], &both[1]};
    for (size_t i = 0; i < 2; i++) {
        both[i] = (struct submission){.kind = SUBMIT_RECORDS,
                                      .drafts = &drafts[i],
                                      .draft_count = 1,
                                      .idempotency_key = SLICE_LITERAL("twin"),
                                      .fingerprint = 5,
                                      .answer_status = 200,
                                      .answer = SLICE_LITERAL("first"),
                                      .done = fixture_done};
    }
    engine_commit(fixture.engine, pointers, 2);
    EXPECT(both[0].err == ERR_OK && both[1].err == ERR_OK && !both[0].repeated && both[1].repeated);
    EXPECT(person("cookie", "y") == PERSON_NONE);
    fixture_end();
}

static uint64_t quarantine(const char *bytes)
{
    struct quarantine content = {.code = SLICE_LITERAL("json_syntax"),
                                 .message = SLICE_LITERAL("broken"),
                                 .bytes = slice_from_cstr(bytes)};
    struct buffer payload;
    buffer_init(&payload, 4096);
    quarantine_encode(&content, &payload);
    struct draft draft = {.entry = {.kind = ENTRY_QUARANTINE,
                                    .format = FORMAT_JSON,
                                    .payload = buffer_slice(&payload)}};
    struct submission submission = {.kind = SUBMIT_RECORDS, .drafts = &draft, .draft_count = 1};
    EXPECT(submit(&submission) == ERR_OK);
    buffer_deinit(&payload);
    return submission.first_sequence;
}

static err retry(uint64_t sequence, const char *json)
{
    char end[QUARANTINE_END_BYTES];
    quarantine_end_encode(sequence, end);
    struct draft drafts[2] = {
        record_draft(json, ""),
        {.entry = {.kind = ENTRY_QUARANTINE_END, .payload = slice_of(end, sizeof end)}}};
    struct submission submission = {.kind = SUBMIT_RECORDS, .drafts = drafts, .draft_count = 2};
    return submit(&submission);
}

static void test_quarantine_ends_once(void)
{
    fixture_begin();
    uint64_t first = quarantine("{\"cookie\": \"c\"");
    uint64_t second = quarantine("{\"cookie\": \"d\"");
    EXPECT(retry(first, "{\"cookie\":\"c\"}") == ERR_OK);
    EXPECT(retry(first, "{\"cookie\":\"again\"}") == ERR_NOT_FOUND);
    static const enum reopen ways[] = {AS_IT_IS, BEHIND_A_CHECKPOINT, FROM_LOG};
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        reopen(ways[i]);
        EXPECT(engine_quarantine_count(fixture.engine) == 1 &&
               engine_quarantine_has(fixture.engine, second));
        EXPECT(retry(first, "{\"cookie\":\"again\"}") == ERR_NOT_FOUND);
    }
    EXPECT(person("cookie", "again") == PERSON_NONE && person("cookie", "c") != PERSON_NONE);
    fixture_end();
}

static bool page_is(const char *cohort, const uint32_t *expected, size_t count)
{
    uint32_t numbers[16];
    uint32_t next;
    uint64_t total;
    uint32_t id = cohorts_find(engine_cohorts(fixture.engine), slice_from_cstr(cohort));
    return id != COHORT_NONE &&
           engine_page(fixture.engine, id, false, 0, 16, numbers, &total, &next) == count &&
           total == count && memcmp(numbers, expected, count * sizeof *numbers) == 0;
}

static void test_cohorts(void)
{
    fixture_begin();
    ingest("{\"cookie\":\"a\",\"interests\":[\"cricket\"],\"age\":30}");
    ingest("{\"cookie\":\"b\",\"interests\":[\"opera\"],\"age\":12}");
    ingest("{\"cookie\":\"c\"}");
    EXPECT(put_cohort("Sports", "{\"phrases\":[\"cricket\"]}") == ERR_OK && fixture.last.created);
    EXPECT(page_is("sports", (uint32_t[]){1}, 1));
    EXPECT(put_cohort("sports", "{\"phrases\":[\"opera\"],\"include\":[{\"cookie\":\"c\"}]}") ==
               ERR_OK &&
           !fixture.last.created);
    EXPECT(page_is("Sports", (uint32_t[]){2, 3}, 2) &&
           cohorts_count(engine_cohorts(fixture.engine)) == 1);
    EXPECT(
        put_cohort(
            "Grown",
            "{\"where\":{\"field\":\"age\",\"op\":\"gte\",\"value\":18},\"exclude\":[\"p2\"]}") ==
        ERR_OK);
    EXPECT(page_is("Grown", (uint32_t[]){1}, 1));
    EXPECT(put_cohort("Nobody", "{\"include\":[\"p77\"]}") == ERR_INVALID);
    /* Put and deleted one behind the other, replayed at once: it stays deleted. */
    EXPECT(put_cohort("Short", "{\"phrases\":[\"chess\"]}") == ERR_OK);
    struct submission gone = {.kind = SUBMIT_COHORT_DELETE, .name = SLICE_LITERAL("SHORT")};
    EXPECT(submit(&gone) == ERR_OK);
    reopen(AS_IT_IS);
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(cohorts_find(engine_cohorts(fixture.engine), SLICE_LITERAL("Short")) == COHORT_NONE);
    /* The included one is merged away and goes on as who they are now. */
    ingest("{\"email\":\"ac@example.org\",\"cookie\":[\"a\",\"c\"]}");
    EXPECT(page_is("Sports", (uint32_t[]){1, 2}, 2));
    expect_same_after_starts();
    fixture_end();
}

static void test_a_long_history(void)
{
    enum { ENTRIES = 5000, BATCH = 250 };
    static struct draft drafts[BATCH];
    fixture_begin();
    for (int from = 0; from < ENTRIES; from += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            char json[96];
            snprintf(json, sizeof json, "{\"cookie\":\"%s\",\"n\":%d}",
                     i % 5 == 0 ? "other" : "busy", from + i);
            drafts[i] =
                record_draft(arena_copy(&fixture.arena, slice_from_cstr(json)).data, "test");
        }
        struct submission submission = {
            .kind = SUBMIT_RECORDS, .drafts = drafts, .draft_count = BATCH};
        EXPECT(submit(&submission) == ERR_OK);
        if (from == ENTRIES / 2) {
            reopen(BEHIND_A_CHECKPOINT);
        }
    }
    /* Both have chunks; merged, all of them are one person's. */
    ingest("{\"email\":\"ann@example.org\",\"cookie\":[\"busy\",\"other\"]}");
    for (int start = 0; start < 4; start++) {
        uint64_t *sequences = NULL;
        size_t count = 0;
        EXPECT(engine_person_sequences(fixture.engine, person("cookie", "busy"), &fixture.arena,
                                       &sequences, &count) == ERR_OK);
        EXPECT(count == ENTRIES + 1, ": %zu", count);
        for (size_t i = 1; i < count; i++) {
            EXPECT(sequences[i] > sequences[i - 1]);
        }
        reopen((enum reopen)(start % 3));
    }
    EXPECT(erase(person("cookie", "busy")) == ERR_OK);
    struct engine_erasure status;
    uint64_t sequence = 0;
    uint64_t erasure = fixture.last.first_sequence;
    scrub();
    EXPECT(!engine_erasure_next(fixture.engine, &sequence));
    EXPECT(engine_erasure_status(fixture.engine, erasure, &status) &&
           status.entries == ENTRIES + 1 && status.done_at_us != 0);
    EXPECT(!folder_contains(fixture.path, "busy") &&
           !folder_contains(fixture.path, "ann@example.org"));
    expect_same_after_starts();
    fixture_end();
}

/* After the job no file has a byte of the person: record, correction, broken bytes waiting, retried
 * and dropped. */
static void test_erasure_leaves_nothing(void)
{
    static const char *const words[] = {"ann@example.org", "ann-cookie-7", "2025550123",
                                        "Annabella",       "Secretville",  "tuba polishing",
                                        "annas-field",     "annas-source"};
    fixture_begin();
    ingest(
        "{\"email\":\"bob@example.org\",\"cookie\":\"bob-cookie\",\"city\":\"Boston\",\"interests\":[\"opera\"]}");
    EXPECT(
        ingest_from(
            "{\"email\":\"ann@example.org\",\"cookie\":\"ann-cookie-7\",\"phone\":\"(202) 555-0123\","
            "\"first_name\":\"Annabella\",\"city\":\"Secretville\",\"interests\":[\"tuba polishing\",\"opera\"],"
            "\"annas-field\":1}",
            "annas-source") == ERR_OK);
    reopen(BEHIND_A_CHECKPOINT);
    uint32_t ann = person("email", "ann@example.org");
    EXPECT(patch(ann, "{\"first_name\":\"Annabella\"}", NULL) == ERR_OK);
    uint64_t retried = quarantine("{\"email\": \"ann@example.org\", \"first_name\": \"Annabella\"");
    quarantine("{\"phone\": \"202-555-0123\", \"first_name\": \"Annabella\"");
    uint64_t bobs = quarantine("{\"email\": \"bob@example.org\"");
    EXPECT(retry(retried, "{\"email\":\"ann@example.org\"}") == ERR_OK);
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(folder_contains(fixture.path, "Annabella"));
    EXPECT(erase(ann) == ERR_OK);
    EXPECT(person("email", "ann@example.org") == PERSON_NONE);
    scrub();
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        EXPECT(!folder_contains(fixture.path, words[i]), ": %s", words[i]);
    }
    EXPECT(engine_quarantine_count(fixture.engine) == 1 &&
           engine_quarantine_has(fixture.engine, bobs));
    expect_same_after_starts();
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        EXPECT(!folder_contains(fixture.path, words[i]), ": %s after a rebuild", words[i]);
    }
    /* Who comes back is somebody new. */
    ingest("{\"email\":\"ann@example.org\"}");
    EXPECT(person("email", "ann@example.org") > ann &&
           !shows(person("email", "ann@example.org"), "Annabella"));
    expect_same_after_starts();
    fixture_end();
}

/* The erased one had taken a cookie over: it does not fall back to the one who had it before. */
static void test_erasure_of_a_shared_cookie(void)
{
    fixture_begin();
    ingest("{\"email\":\"ann@example.org\",\"cookie\":\"shared\"}");
    ingest("{\"email\":\"bob@example.org\",\"cookie\":\"shared\"}");
    uint32_t ann = person("email", "ann@example.org");
    EXPECT(erase(person("email", "bob@example.org")) == ERR_OK);
    EXPECT(person("cookie", "shared") == PERSON_NONE);
    scrub();
    expect_same_after_starts();
    EXPECT(person("cookie", "shared") == PERSON_NONE);
    ingest("{\"cookie\":\"shared\"}");
    EXPECT(person("cookie", "shared") != ann);
    expect_same_after_starts();
    fixture_end();
}

/* Words that came too late to be anybody's have rows in the checkpoint; a start drops them, and
 * they come back under other ids. */
static void test_words_that_nobody_has(void)
{
    fixture_begin();
    ingest("{\"cookie\":\"c\",\"interests\":null}");
    ingest(
        "{\"cookie\":\"c\",\"interests\":[\"tuba\",\"chess\"],\"timestamp\":\"2001-01-01T00:00:00Z\"}");
    EXPECT(shows(person("cookie", "c"), "\"interests\":[]"));
    reopen(BEHIND_A_CHECKPOINT);
    ingest("{\"cookie\":\"d\",\"interests\":[\"chess\"]}");
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(shows(person("cookie", "d"), "\"interests\":[\"chess\"]"));
    expect_same_after_starts();
    fixture_end();
}

int main(void)
{
    RUN(test_words_that_nobody_has);
    RUN(test_etag_and_patch);
    RUN(test_idempotency);
    RUN(test_quarantine_ends_once);
    RUN(test_cohorts);
    RUN(test_a_long_history);
    RUN(test_erasure_leaves_nothing);
    RUN(test_erasure_of_a_shared_cookie);
    return test_summary();
}
