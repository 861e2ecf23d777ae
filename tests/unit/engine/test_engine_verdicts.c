/* Tries to lose what the classifier said, to ask it twice, to show a cohort late that was to be
 * there with the 2xx, to keep an erased person's words, and to make people fall out of their
 * cohorts while a new model takes over. */
#include "fixture.h"

#include <pthread.h>

#include "engine/interests.h"
#include "unit/classifier/table_classifier.h"
#include "unit/failing_memory.h"

#include "internal.h"

static const struct table_entry known[] = {
    {"padel", 0, 0.9, 0},    {"squash", 0, 0.55, 0},  {"espresso", 1, 0.8, 1},
    {"latte art", -1, 0, 1}, {"cold brew", -1, 0, 1}, {"flat white", -1, 0, 1},
    {"tea party", -1, 0, 2}, {"green tea", -1, 0, 2}, {"gadgets", 2, 0.95, 3},
    {"violin", 3, 0.97, 4},  {"asdf", -1, 0, -1},     {"hjkl", -1, 0, -1},
};
/* Another model: other topics' numbers, other axes, other opinions about some. */
static const struct table_entry later[] = {
    {"padel", 1, 0.9, 5},    {"squash", 2, 0.8, 5},   {"espresso", 3, 0.8, 4},
    {"latte art", -1, 0, 4}, {"cold brew", -1, 0, 4}, {"flat white", -1, 0, 3},
    {"tea party", -1, 0, 2}, {"green tea", -1, 0, 4}, {"gadgets", 2, 0.95, 1},
    {"violin", 0, 0.97, 0},  {"asdf", 1, 0.9, 5},     {"hjkl", -1, 0, -1},
};
static struct table_classifier table;

static void begin(void)
{
    fixture_begin();
    table_classifier_init(&table, 1, known, ARRAY_COUNT(known));
    fixture.classifier = &table.door;
    reopen(AS_IT_IS);
}

static void upgrade(void)
{
    table_classifier_init(&table, 2, later, ARRAY_COUNT(later));
}

static struct phrase_verdict said(const char *phrase)
{
    struct phrase_verdict item = {.phrase = slice_from_cstr(phrase)};
    table_verdict(&table, item.phrase, &item.verdict);
    return item;
}
static void offer(const char *phrase)
{
    struct phrase_verdict item = said(phrase);
    engine_offer_verdicts(fixture.engine, &item, 1);
}
static err answer(const struct phrase_verdict *items, size_t count)
{
    struct submission submission = {
        .kind = SUBMIT_VERDICTS, .verdicts = items, .verdict_count = count};
    return submit(&submission);
}
static err feedback(const char *name, const char *json)
{
    struct submission submission = {.kind = SUBMIT_COHORT_FEEDBACK,
                                    .name = slice_from_cstr(name),
                                    .body = slice_from_cstr(json)};
    return submit(&submission);
}
static struct engine_stats stats(void)
{
    struct engine_stats stats;
    engine_stats(fixture.engine, &stats);
    return stats;
}
static bool is_in(const char *cookie, const char *cohort)
{
    const uint32_t id = cohorts_find(engine_cohorts(fixture.engine), slice_from_cstr(cohort));
    return id != COHORT_NONE && bitmap_contains(cohorts_members(engine_cohorts(fixture.engine), id),
                                                person("cookie", cookie));
}
static void classify_pending(void)
{
    struct error error = {0};
    EXPECT(engine_classify_pending(fixture.engine, &error) == ERR_OK, ": %s", error.message);
    EXPECT(stats().phrases_pending == 0);
}
static uint64_t size_of(const char *cohort)
{
    const uint32_t id = cohorts_find(engine_cohorts(fixture.engine), slice_from_cstr(cohort));
    return id == COHORT_NONE ? 0
                             : bitmap_count(cohorts_members(engine_cohorts(fixture.engine), id));
}

/* ---- on the way in ---- */

static void test_offered_is_there_when_the_answer_is(void)
{
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"sports\",\"min_confidence\":0.6}") == ERR_OK);
    const struct slice texts[] = {SLICE_LITERAL("padel"), SLICE_LITERAL("squash"),
                                  SLICE_LITERAL("padel")};
    uint32_t missing[4];
    size_t from = 0;
    EXPECT(engine_phrases_to_classify(fixture.engine, texts, 3, false, &from, missing, 1) == 1 &&
           missing[0] == 0 && from == 1);
    EXPECT(engine_phrases_to_classify(fixture.engine, texts, 3, false, &from, missing, 4) == 2 &&
           from == 3);
    offer("padel");
    offer("squash");
    from = 0;
    EXPECT(engine_phrases_to_classify(fixture.engine, texts, 3, false, &from, missing, 4) == 0 &&
           from == 3);
    ingest("{\"cookie\":\"a\",\"interests\":[\"padel\"]}");
    ingest("{\"cookie\":\"b\",\"interests\":[\"squash\"]}");
    EXPECT(is_in("a", "Sports") && !is_in("b", "Sports")); /* not sure enough */
    EXPECT(shows(
        person("cookie", "a"),
        "\"interest\":\"padel\",\"decided_by\":\"model\",\"method\":\"topic\",\"topic\":\"sports\",\"confidence\":0.9"));
    from = 0;
    EXPECT(engine_phrases_to_classify(fixture.engine, texts, 3, true, &from, missing, 4) == 0);
    EXPECT(stats().verdict_hits == 2 && stats().verdict_misses == 0 &&
           stats().phrases_pending == 0 && *table.asked == 0);
    /* A rule wins, in both directions. */
    EXPECT(
        put_cohort("Sports",
                   "{\"topic\":\"Sports\",\"phrases\":[\"squash\"],\"not_phrases\":[\"pade*\"]}") ==
        ERR_OK);
    EXPECT(!is_in("a", "Sports") && is_in("b", "Sports"));
    EXPECT(shows(person("cookie", "b"),
                 "\"decided_by\":\"rule\",\"method\":\"exact\",\"pattern\":\"squash\""));
    EXPECT(verified());
    fixture_end();
}

static void test_late_answers(void)
{
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\"}") == ERR_OK);
    ingest("{\"cookie\":\"a\",\"interests\":[\"padel\",\"asdf\"]}");
    EXPECT(stats().phrases_pending == 2 && stats().verdict_misses == 2 && !is_in("a", "Sports"));
    uint32_t cursor = 0;
    struct slice texts[8];
    EXPECT(engine_pending_phrases(fixture.engine, &cursor, &fixture.arena, texts, 1) == 1);
    EXPECT(engine_pending_phrases(fixture.engine, &cursor, &fixture.arena, texts + 1, 1) == 1);
    EXPECT(!slice_equal(texts[0], texts[1]));
    /* and round */
    EXPECT(engine_pending_phrases(fixture.engine, &cursor, &fixture.arena, texts, 8) == 2);
    char before[ENGINE_ETAG_MAX];
    char after[ENGINE_ETAG_MAX];
    engine_etag(fixture.engine, person("cookie", "a"), before);
    /* Twice in one go, and one that nobody has any more. */
    const struct phrase_verdict items[] = {said("padel"), said("violin"), said("padel"),
                                           said("asdf")};
    EXPECT(answer(items, 4) == ERR_OK && fixture.last.first_sequence == 0);
    engine_etag(fixture.engine, person("cookie", "a"), after);
    EXPECT(is_in("a", "Sports") && stats().phrases_pending == 0 && strcmp(before, after) != 0);
    EXPECT(stats().phrases_unclassified == 1);
    EXPECT(engine_pending_phrases(fixture.engine, &cursor, &fixture.arena, texts, 8) == 0);
    /* An answer that another one has overtaken changes nothing. */
    struct phrase_verdict wrong = said("gadgets");
    wrong.phrase = SLICE_LITERAL("padel");
    EXPECT(answer(&wrong, 1) == ERR_OK && is_in("a", "Sports"));
    /* Met without a verdict, offered then, met again. */
    ingest("{\"cookie\":\"b\",\"interests\":[\"squash\"]}");
    EXPECT(!is_in("b", "Sports"));
    offer("squash");
    ingest("{\"cookie\":\"c\",\"interests\":[\"squash\"]}");
    EXPECT(is_in("b", "Sports") && is_in("c", "Sports") && stats().phrases_pending == 0);
    EXPECT(verified());
    fixture_end();
}

/* More holders than are followed one by one: prepared beside readers, with conditions and lists. */
static void test_many_holders(void)
{
    char json[200];
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\"}") == ERR_OK);
    EXPECT(put_cohort(
               "Old sports",
               "{\"topic\":\"Sports\",\"where\":{\"field\":\"age\",\"op\":\"gte\",\"value\":50},"
               "\"exclude\":[]}") == ERR_OK);
    for (int i = 0; i < 300; i++) {
        snprintf(json, sizeof json,
                 "{\"cookie\":\"c%d\",\"age\":%d,\"interests\":[\"padel\",\"%s\"]}", i, i % 100,
                 i % 3 == 0   ? "squash"
                 : i % 3 == 1 ? "gadgets"
                              : "green tea");
        ingest(json);
    }
    const struct phrase_verdict items[] = {said("padel"), said("gadgets"), said("squash"),
                                           said("padel")};
    EXPECT(answer(items, 4) == ERR_OK && size_of("Sports") == 300 && size_of("Old sports") == 150);
    EXPECT(stats().phrases_pending == 1);
    EXPECT(verified());
    fixture_end();
}

/* ---- kept ---- */

static void test_a_start_does_not_ask_again(void)
{
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\"}") == ERR_OK);
    EXPECT(put_cohort(
               "Coffee",
               "{\"examples\":[\"latte art\",\"Cold Brew\"],\"not_examples\":[\"tea party\"]}") ==
           ERR_OK);
    EXPECT(*table.asked == 3); /* the examples: nobody had offered them */
    ingest("{\"cookie\":\"a\",\"interests\":[\"padel\",\"cold brew\"]}");
    ingest("{\"cookie\":\"b\",\"interests\":[\"flat white\"]}");
    ingest("{\"cookie\":\"c\",\"interests\":[\"green tea\",\"asdf\",\"tea party\"]}");
    EXPECT(is_in("a", "Coffee") && !is_in("b", "Coffee")); /* an example needs no verdict */
    reopen(BEHIND_A_CHECKPOINT);
    classify_pending();
    EXPECT(is_in("a", "Sports") && is_in("b", "Coffee") && !is_in("c", "Coffee"));
    EXPECT(shows(person("cookie", "a"),
                 "\"decided_by\":\"example\",\"method\":\"example\",\"example\":\"Cold Brew\""));
    EXPECT(shows(person("cookie", "b"),
                 "\"decided_by\":\"model\",\"method\":\"similar\",\"confidence\":"));
    const char *before = everything();
    /* Nothing was logged since: the verdicts alone are worth a checkpoint. */
    EXPECT(engine_checkpoint_lag(fixture.engine) > 0);
    struct error error = {0};
    EXPECT(engine_checkpoint(fixture.engine, &error) == ERR_OK &&
           engine_checkpoint_lag(fixture.engine) == 0);
    const uint64_t asked = *table.asked;
    reopen(AS_IT_IS);
    EXPECT(strcmp(before, everything()) == 0 && stats().phrases_pending == 0 &&
           *table.asked == asked);
    ingest("{\"cookie\":\"d\",\"interests\":[\"flat white\"]}");
    EXPECT(is_in("d", "Coffee") && *table.asked == asked);
    before = everything();
    reopen(AS_IT_IS); /* checkpoint and log */
    EXPECT(strcmp(before, everything()) == 0 && *table.asked == asked);
    EXPECT(verified());
    /* The log alone: asked again, and the same comes of it. */
    reopen(FROM_LOG);
    EXPECT(stats().phrases_pending > 0 && !is_in("b", "Coffee"));
    classify_pending();
    EXPECT(strcmp(before, everything()) == 0, "\n%s\n%s", before, everything());
    EXPECT(verified());
    fixture_end();
}

static void test_checkpoints_without_a_classifier(void)
{
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\",\"phrases\":[\"chess\"]}") == ERR_OK);
    offer("padel");
    ingest("{\"cookie\":\"a\",\"interests\":[\"padel\"]}");
    EXPECT(is_in("a", "Sports"));
    const char *before = everything();
    const struct classifier *door = fixture.classifier;
    struct error error = {0};
    EXPECT(engine_checkpoint(fixture.engine, &error) == ERR_OK);
    fixture.classifier = NULL; /* rules only: nothing is pending, topics are nobody's */
    reopen(AS_IT_IS);
    EXPECT(!is_in("a", "Sports") && stats().phrases_pending == 0 && verified());
    EXPECT(put_cohort("Tech", "{\"topic\":\"Technology\"}") == ERR_INVALID);
    ingest("{\"cookie\":\"b\",\"interests\":[\"squash\"]}");
    ingest("{\"cookie\":\"a\",\"age\":3}");
    fixture.classifier = door;
    /* what was said before is still there; the row of "squash" is the former format */
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(is_in("a", "Sports") && stats().phrases_pending == 1);
    classify_pending();
    EXPECT(is_in("b", "Sports") && verified());
    (void)before;
    fixture_end();
}

/* ---- another model ---- */

static void test_another_model(void)
{
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\"}") == ERR_OK);
    EXPECT(put_cohort("Tech", "{\"topic\":\"Technology\"}") == ERR_OK);
    EXPECT(put_cohort("Coffee", "{\"examples\":[\"latte art\",\"cold brew\"]}") == ERR_OK);
    ingest("{\"cookie\":\"a\",\"interests\":[\"padel\"]}");
    ingest("{\"cookie\":\"b\",\"interests\":[\"flat white\"]}");
    ingest("{\"cookie\":\"c\",\"interests\":[\"gadgets\"]}");
    ingest("{\"cookie\":\"d\",\"interests\":[\"squash\"]}");
    ingest("{\"cookie\":\"e\",\"interests\":[\"green tea\"]}");
    classify_pending();
    EXPECT(is_in("a", "Sports") && is_in("b", "Coffee") && is_in("c", "Tech") &&
           is_in("d", "Sports") && !is_in("e", "Coffee"));
    struct error error = {0};
    EXPECT(engine_checkpoint(fixture.engine, &error) == ERR_OK);
    upgrade();
    reopen(AS_IT_IS);
    /* Everybody waits, and everybody is still where they were; but a topic that is gone has
     * nobody. */
    EXPECT(stats().phrases_pending == 5);
    EXPECT(is_in("a", "Sports") && is_in("d", "Sports") && is_in("b", "Coffee") &&
           !is_in("e", "Coffee"));
    EXPECT(size_of("Tech") == 0 &&
           put_cohort("Tech 2", "{\"topic\":\"Technology\"}") == ERR_INVALID);
    EXPECT(strstr(fixture.last.error.message, "Music, Sports, Travel, Food & Drink") != NULL);
    /* What would move, before it does. */
    struct engine_phrase phrase;
    uint32_t cursor = 0;
    size_t phrases = 0;
    for (; engine_next_phrase(fixture.engine, &cursor, &phrase); phrases++) {
        struct phrase_verdict now = {.phrase = phrase.phrase};
        table_verdict(&table, now.phrase, &now.verdict);
        static struct rule_hit hits[RULE_HITS_MAX];
        const size_t count =
            engine_explain_phrase(fixture.engine, phrase.phrase, &now.verdict, hits);
        const bool moves = slice_equal_cstr(phrase.phrase, "squash") ||
                           slice_equal_cstr(phrase.phrase, "green tea") ||
                           slice_equal_cstr(phrase.phrase, "flat white");
        EXPECT(phrase.pending && phrase.version == 1 && phrase.verdict != NULL &&
               bitmap_count(phrase.holders) == 1);
        EXPECT((count != phrase.hit_count) == moves, ": %.*s", SLICE_ARGS(phrase.phrase));
    }
    EXPECT(phrases == 5);
    /* A start in the middle, and a correction: the old scorer stays for those who wait. */
    const struct phrase_verdict piece = said("squash");
    EXPECT(answer(&piece, 1) == ERR_OK && !is_in("d", "Sports") && stats().phrases_pending == 4);
    EXPECT(feedback("Coffee", "{\"negative\":[\"tea party\"]}") == ERR_OK);
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(is_in("a", "Sports") && is_in("b", "Coffee") && !is_in("d", "Sports") &&
           stats().phrases_pending == 4);
    const uint64_t asked = *table.asked;
    reopen(AS_IT_IS);
    EXPECT(*table.asked == asked && is_in("b", "Coffee"));
    classify_pending();
    EXPECT(is_in("a", "Sports") && !is_in("b", "Coffee") && is_in("e", "Coffee"));
    EXPECT(verified());
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(stats().phrases_pending == 0 && is_in("e", "Coffee") && verified());
    fixture_end();
}

/* ---- definitions ---- */

static void test_feedback(void)
{
    begin();
    EXPECT(feedback("Sports", "{\"positive\":[\"violin\"]}") == ERR_NOT_FOUND);
    EXPECT(put_cohort("Sports", "{\"description\":\"d\",\"topic\":\"Sports\",\"include\":[]}") ==
           ERR_OK);
    ingest("{\"cookie\":\"a\",\"interests\":[\"padel\"]}");
    ingest("{\"cookie\":\"b\",\"interests\":[\"Violin\"]}");
    classify_pending();
    EXPECT(is_in("a", "Sports") && !is_in("b", "Sports"));
    EXPECT(feedback("sports", "{\"positive\":[\"violin\"],\"negative\":[\"PADEL\"]}") == ERR_OK);
    EXPECT(fixture.last.first_sequence > 0 && !is_in("a", "Sports") && is_in("b", "Sports"));
    EXPECT(strstr(everything(), "\"examples\":[\"violin\"],\"not_examples\":[\"PADEL\"]") != NULL);
    EXPECT(feedback("Sports", "{\"positive\":[\"padel\"]}") == ERR_OK && is_in("a", "Sports") &&
           is_in("b", "Sports"));
    EXPECT(strstr(everything(), "\"examples\":[\"violin\",\"padel\"]}") != NULL, ": %s",
           everything());
    EXPECT(feedback("Sports", "{\"positive\":[\"x\"],\"negative\":[\"X\"]}") == ERR_INVALID);
    EXPECT(strstr(fixture.last.error.message, "positive[0]") != NULL);
    EXPECT(feedback("Sports", "{\"negative\":[\"x\",7]}") == ERR_INVALID);
    EXPECT(strstr(fixture.last.error.message, "negative[1]") != NULL);
    EXPECT(feedback("Sports", "{\"neutral\":[]}") == ERR_INVALID &&
           strstr(fixture.last.error.message, "neutral") != NULL);
    EXPECT(feedback("Sports", "{}") == ERR_INVALID && feedback("Sports", "[") == ERR_INVALID);
    struct buffer many;
    buffer_init(&many, 1 << 20);
    for (int half = 0; half < 2; half++) {
        buffer_clear(&many);
        for (int i = 0; i < 700; i++) {
            buffer_append_format(&many, "%s\"phrase %d of half %d\"",
                                 i == 0 ? "{\"negative\":[" : ",", i, half);
        }
        buffer_append_cstr(&many, "]}");
        buffer_append_char(&many, '\0');
        EXPECT(feedback("Sports", many.data) == (half == 0 ? ERR_OK : ERR_TOO_LARGE));
    }
    buffer_deinit(&many);
    /* The definition is in the log as a whole. What examples say was asked once each. */
    const char *before = everything();
    const uint64_t asked = *table.asked;
    reopen(BEHIND_A_CHECKPOINT);
    EXPECT(strcmp(before, everything()) == 0 && *table.asked == asked && verified());
    reopen(FROM_LOG);
    classify_pending();
    EXPECT(strcmp(before, everything()) == 0 && verified());
    fixture_end();
}

static void test_examples_come_from_the_submitter(void)
{
    begin();
    const char *json =
        "{\"examples\":[\" latte art \",\"cold brew\",9],\"not_examples\":\"no list\",\"negative\":[\"tea party\"]}";
    struct slice *texts = NULL;
    size_t count = 0;
    EXPECT(engine_example_texts(slice_from_cstr(json), &fixture.arena, &texts, &count) == ERR_OK &&
           count == 3);
    EXPECT(slice_equal_cstr(texts[0], "latte art") && slice_equal_cstr(texts[2], "tea party"));
    EXPECT(engine_example_texts(SLICE_LITERAL("{"), &fixture.arena, &texts, &count) == ERR_OK &&
           count == 0);
    offer("latte art");
    offer("cold brew");
    EXPECT(put_cohort("Coffee", "{\"examples\":[\" latte art \",\"cold brew\"]}") == ERR_OK &&
           *table.asked == 0);
    ingest("{\"cookie\":\"a\",\"interests\":[\"flat white\"]}");
    classify_pending();
    EXPECT(is_in("a", "Coffee"));
    const uint64_t asked = *table.asked;
    EXPECT(put_cohort("coffee", "{\"examples\":[\"cold brew\",\"latte art\",\"flat white\"]}") ==
               ERR_OK &&
           *table.asked == asked);
    fixture_end();
}

/* ---- questions ---- */

static void test_questions(void)
{
    char json[100];
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\"}") == ERR_OK);
    EXPECT(put_cohort("Coffee", "{\"examples\":[\"latte art\"]}") == ERR_OK);
    struct phrase_verdict item = said("cold brew");
    struct buffer text;
    buffer_init(&text, 1 << 16);
    struct json_writer writer = json_writer_of(&text);
    engine_write_phrase_cohorts(fixture.engine, item.phrase, &item.verdict, &writer);
    EXPECT(slice_starts_with(
        buffer_slice(&text),
        SLICE_LITERAL("[{\"cohort\":\"Coffee\",\"decided_by\":\"model\",\"method\":\"similar\"")));
    buffer_clear(&text);
    writer = json_writer_of(&text);
    engine_write_phrase_cohorts(fixture.engine, SLICE_LITERAL("Latte Art"), NULL, &writer);
    EXPECT(slice_starts_with(buffer_slice(&text),
                             SLICE_LITERAL("[{\"cohort\":\"Coffee\",\"decided_by\":\"example\"")));
    buffer_deinit(&text);
    struct verdict verdict;
    EXPECT(!engine_phrase_verdict(fixture.engine, SLICE_LITERAL("hjkl"), &verdict, NULL));
    offer("hjkl");
    EXPECT(engine_phrase_verdict(fixture.engine, SLICE_LITERAL("hjkl"), &verdict, NULL) &&
           verdict.topic_count == 0);
    for (int i = 0; i < 9; i++) {
        snprintf(json, sizeof json, "{\"cookie\":\"c%d\",\"interests\":[\"padel\",\"asdf\"%s%s]}",
                 i, i < 5 ? ",\"hjkl\"" : "", i < 2 ? ",\"green tea\"" : "");
        ingest(json);
    }
    EXPECT(engine_phrase_verdict(fixture.engine, SLICE_LITERAL("hjkl"), &verdict, NULL));
    classify_pending();
    EXPECT(stats().phrases_unclassified == 3);
    static struct unclassified_scan scan;
    struct unclassified_phrase found[3];
    for (size_t limit = 0; limit <= 4; limit++) {
        size_t steps = 0;
        scan = (struct unclassified_scan){.limit = limit};
        while (engine_unclassified_step(fixture.engine, &scan, 1)) {
            steps++;
        }
        EXPECT(steps == 3);
        const size_t count = engine_unclassified_end(fixture.engine, &scan, &fixture.arena, found);
        EXPECT(count == (limit < 3 ? limit : 3));
        EXPECT(limit == 0 || (slice_equal_cstr(found[0].phrase, "asdf") && found[0].holders == 9));
        EXPECT(limit < 3 || (slice_equal_cstr(found[1].phrase, "hjkl") && found[2].holders == 2));
    }
    fixture_end();
}

/* ---- erasure ---- */

static bool file_holds(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", fixture.path, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    static char bytes[1 << 22];
    const size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

static void test_an_erased_persons_words_are_gone(void)
{
    begin();
    EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\"}") == ERR_OK);
    offer("most secret hobby");
    offer("offered only");
    ingest("{\"cookie\":\"a\",\"interests\":[\"most secret hobby\"]}");
    ingest("{\"cookie\":\"b\",\"interests\":[\"padel\"]}");
    struct error error = {0};
    EXPECT(engine_checkpoint(fixture.engine, &error) == ERR_OK &&
           file_holds("profiles/data.mdb", "most secret hobby"));
    offer("most secret hobby"); /* by a record of the person that is refused, say */
    EXPECT(erase(person("cookie", "a")) == ERR_OK);
    struct verdict verdict;
    EXPECT(
        !engine_phrase_verdict(fixture.engine, SLICE_LITERAL("most secret hobby"), &verdict, NULL));
    EXPECT(!engine_phrase_verdict(fixture.engine, SLICE_LITERAL("offered only"), &verdict, NULL));
    EXPECT(stats().phrases == 1);
    scrub();
    EXPECT(!file_holds("profiles/data.mdb", "most secret hobby"));
    reopen(AS_IT_IS);
    EXPECT(stats().phrases == 1 && verified());
    fixture_end();
}

/* ---- the cache ---- */

static void test_a_full_cache_loses_the_oldest(void)
{
    char text[32];
    begin();
    struct phrase_verdict item = said("padel");
    for (int i = 0; i < 200000; i++) {
        item.phrase = slice_of(text, (size_t)snprintf(text, sizeof text, "phrase %d", i));
        engine_offer_verdicts(fixture.engine, &item, 1);
    }
    struct verdict verdict;
    EXPECT(stats().verdicts_offered == 200000 && stats().verdicts_evicted > 100000);
    EXPECT(stats().verdicts_offered - stats().verdicts_evicted <= VERDICT_SLOTS_DEFAULT);
    EXPECT(engine_phrase_verdict(fixture.engine, SLICE_LITERAL("phrase 199999"), &verdict, NULL));
    EXPECT(!engine_phrase_verdict(fixture.engine, SLICE_LITERAL("phrase 3"), &verdict, NULL));
    fixture_end();
}

/* Several threads offer, ask and look while the writer takes and empties: for the thread sanitizer;
 * and nobody gets another phrase's verdict. */
static void *offer_and_ask(void *context)
{
    char text[32];
    for (int i = 0; i < 20000; i++) {
        struct phrase_verdict item = {
            .phrase = slice_of(text, (size_t)snprintf(text, sizeof text, "phrase %d", i % 700))};
        struct verdict found;
        item.verdict.embedding[0] = (int8_t)(i % 700 % 100);
        engine_offer_verdicts(context, &item, 1);
        if (engine_phrase_verdict(context, item.phrase, &found, NULL)) {
            EXPECT(found.embedding[0] == item.verdict.embedding[0]);
        }
    }
    return NULL;
}

static void test_threads_share_the_cache(void)
{
    begin();
    pthread_t threads[3];
    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        CHECK(pthread_create(&threads[i], NULL, offer_and_ask, fixture.engine) == 0);
    }
    struct verdict_cache *cache = fixture.engine->verdicts;
    for (int i = 0; i < 3000; i++) {
        struct verdict found;
        if (verdict_cache_take(cache, SLICE_LITERAL("phrase 42"), &found)) {
            EXPECT(found.embedding[0] == 42);
        }
        if (i % 500 == 0) {
            verdict_cache_clear(cache);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    verdict_cache_clear(cache);
    EXPECT(verdict_cache_count(cache) == 0);
    fixture_end();
}

/* ---- memory ---- */

/* A verdict for which there is no memory is late, and nothing else. */
static void test_no_memory_for_verdicts(void)
{
    char json[100];
    for (uint64_t nth = 1;; nth++) {
        begin();
        EXPECT(put_cohort("Sports", "{\"topic\":\"Sports\"}") == ERR_OK);
        EXPECT(put_cohort("Coffee", "{\"examples\":[\"latte art\"]}") == ERR_OK);
        for (int i = 0; i < 70; i++) {
            snprintf(json, sizeof json, "{\"cookie\":\"c%d\",\"interests\":[\"padel\"%s]}", i,
                     i < 3 ? ",\"cold brew\"" : "");
            ingest(json);
        }
        const struct phrase_verdict items[] = {said("padel"), said("cold brew")};
        failing_memory_begin(nth);
        const err e = answer(items, 2);
        const bool reached = failing_memory_end().failed;
        EXPECT(e == (reached ? ERR_MEMORY : ERR_OK) && engine_failed(fixture.engine) == ERR_OK,
               ": allocation %" PRIu64, nth);
        EXPECT(answer(items, 2) == ERR_OK && size_of("Sports") == 70 && size_of("Coffee") == 3);
        EXPECT(verified());
        fixture_end();
        if (!reached) {
            break;
        }
    }
}

int main(void)
{
    RUN(test_offered_is_there_when_the_answer_is);
    RUN(test_late_answers);
    RUN(test_many_holders);
    RUN(test_a_start_does_not_ask_again);
    RUN(test_checkpoints_without_a_classifier);
    RUN(test_another_model);
    RUN(test_feedback);
    RUN(test_examples_come_from_the_submitter);
    RUN(test_questions);
    RUN(test_an_erased_persons_words_are_gone);
    RUN(test_a_full_cache_loses_the_oldest);
    RUN(test_threads_share_the_cache);
    RUN(test_no_memory_for_verdicts);
    return test_summary();
}
