/* Tries to break the spelling: typos made of the phrases of classifier/train/lists must mostly keep
 * their topic, phrases that are merely new must mostly stay as they are, and what is nobody's word
 * must not become one. */
#include "unit/test.h"

#include <string.h>

#include "classifier/model.h"
#include "model_fixture.h"
#include "model_internal.h"
#include "unit/seed.h"

static uint64_t seed;
static struct model *model;
static void *scratch;

/* ---- examples -------------------------------------------------------------------------------- */

static struct reading read_as(const char *phrase)
{
    struct reading reading;
    model_read(model, slice_from_cstr(phrase), &reading);
    return reading;
}

static void expect_reading(const char *phrase, const char *wanted)
{
    const struct reading reading = read_as(phrase);
    EXPECT(slice_equal_cstr(slice_of(reading.text, reading.length), wanted),
           ": '%s' is read as '%.*s', not '%s'", phrase, (int)reading.length, reading.text, wanted);
}

static void test_examples(void)
{
    expect_reading("taylor swfit", "taylor swift");
    expect_reading("taylorswift", "taylor swift");
    expect_reading("#TaylorSwift", "taylor swift");
    expect_reading("MachineLearning", "machine learning");
    expect_reading("machinelearning", "machine learning");
    expect_reading("iPhone", "iphone");
    expect_reading("McDonalds", "mcdonalds");
    expect_reading("basketbll", "basketball");
    expect_reading("face book", "facebook");
    expect_reading("iPhone14", "iphone 14");
    expect_reading("#NFLDraft", "nfl draft");
    expect_reading("photograpy tips", "photography tips");
    expect_reading("", "");
    expect_reading("!!!", "");
}

static void test_left_alone(void)
{
    static const char *const phrases[] = {
        "asdfgh",    "blorptang",           "qwertyuiop", "zxcvbnm", "user 12345", "xkcd1234",
        "tom brady", "the quick brown fox", "日本 料理",  "aaaaaaa", "gdfgdfg",    "lkjhgf"};
    for (size_t i = 0; i < ARRAY_COUNT(phrases); i++) {
        expect_reading(phrases[i], phrases[i]);
    }
}

/* ---- typos of the lists' phrases ------------------------------------------------------------- */

static uint64_t state;

static size_t below(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)((state >> 11) % limit);
}

/* One edit in a word of the text; every other time not of its first letter. Letters only. */
static size_t make_typo(struct slice text, char out[PHRASE_FOLD_MAX + 1])
{
    memcpy(out, text.data, text.length);
    for (size_t tries = 0; tries < 50; tries++) {
        const size_t at = below(text.length);
        const bool first = at == 0 || text.data[at - 1] == ' ';
        const char letter = (char)('a' + below(26));
        if (text.data[at] < 'a' || text.data[at] > 'z' || (first && below(2) == 0)) {
            continue;
        }
        switch (below(4)) {
        case 0: memcpy(out + at, text.data + at + 1, text.length - at - 1); return text.length - 1;
        case 1:
            out[at] = letter;
            memcpy(out + at + 1, text.data + at, text.length - at);
            return text.length + 1;
        case 2:
            if (letter == text.data[at]) {
                continue;
            }
            out[at] = letter;
            return text.length;
        default:
            if (at + 1 == text.length || text.data[at + 1] == ' ' ||
                text.data[at + 1] == text.data[at]) {
                continue;
            }
            out[at] = text.data[at + 1];
            out[at + 1] = text.data[at];
            return text.length;
        }
    }
    return 0;
}

static size_t top_of(const struct reading *reading)
{
    struct trunk_result result;
    model_run(model, scratch, reading, 1, &result, NULL);
    size_t best = 0;
    for (size_t i = 1; i < model_classifier(model)->topic_count; i++) {
        best = result.logits[i] > result.logits[best] ? i : best;
    }
    return best;
}

static struct reading plain(struct slice text)
{
    struct reading reading = {.length = text.length};
    memcpy(reading.text, text.data, text.length);
    return reading;
}

static struct reading corrected(struct slice text, struct slice without)
{
    char better[PHRASE_FOLD_MAX];
    const size_t length = spelling_correct(&model->spelling, text, without, better);
    return length > 0 ? plain(slice_of(better, length)) : plain(text);
}

struct tally {
    size_t count, restored, kept, kept_alone, changed, spoilt;
};

static bool show;

/* A typo of a phrase: does the topic survive, with correction and without? */
static void tally_typo(struct tally *tally, struct slice phrase, bool known, size_t top)
{
    char typo[PHRASE_FOLD_MAX + 1];
    const size_t length = make_typo(phrase, typo);
    if (length == 0 || known_topics(&model->known, slice_of(typo, length)) != 0) {
        return;
    }
    const struct reading alone = plain(slice_of(typo, length));
    const struct reading better = corrected(slice_of(typo, length), known ? SLICE_NONE : phrase);
    const bool restored = slice_equal(slice_of(better.text, better.length), phrase);
    const bool kept = restored || top_of(&better) == top;
    tally->count++;
    tally->restored += restored;
    tally->kept += kept;
    tally->kept_alone += top_of(&alone) == top;
    if (show && !kept) {
        printf("%s\t%.*s\t%.*s\t%.*s\n", known ? "K" : "U", SLICE_ARGS(phrase), (int)length, typo,
               (int)better.length, better.text);
    }
}

/* A new phrase, rightly spelt: is it left alone? */
static void tally_new(struct tally *tally, struct slice phrase, uint32_t topics)
{
    const struct reading better = corrected(phrase, phrase);
    tally->count++;
    if (slice_equal(slice_of(better.text, better.length), phrase)) {
        return;
    }
    const struct reading alone = plain(phrase);
    const bool right_before = (topics >> top_of(&alone) & 1) != 0;
    const bool right_after = (topics >> top_of(&better) & 1) != 0;
    tally->changed++;
    tally->spoilt += right_before && !right_after;
    tally->kept += right_after && !right_before;
    if (show) {
        printf("N%c\t%.*s\t%.*s\n",
               right_before == right_after ? '='
               : right_after               ? '+'
                                           : '-',
               SLICE_ARGS(phrase), (int)better.length, better.text);
    }
}

static double percent(size_t part, size_t whole)
{
    return 100.0 * (double)part / (double)(whole > 0 ? whole : 1);
}

static void test_lists(void)
{
    struct tally known = {0};
    struct tally unseen = {0};
    struct tally fresh = {0};
    const char *wanted = getenv("KINDRED_TEST_TYPOS");
    const size_t samples = wanted != NULL ? strtoul(wanted, NULL, 10) : 1000;
    show = wanted != NULL;
    state = seed | 1;
    for (size_t i = 0; i < samples; i++) {
        const struct slice phrase =
            known_text(&model->known, (uint32_t)below(model->known.text_count));
        const struct reading reading = plain(phrase);
        if (phrase.length < 4) {
            continue;
        }
        const size_t top = top_of(&reading);
        tally_typo(&known, phrase, true, top);
        tally_typo(&unseen, phrase, false, top);
        tally_new(&fresh, phrase, known_topics(&model->known, phrase));
    }
    printf(
        "     typos of known phrases: %.1f %% restored, %.1f %% keep their topic (%.1f %% uncorrected) of %zu\n",
        percent(known.restored, known.count), percent(known.kept, known.count),
        percent(known.kept_alone, known.count), known.count);
    printf(
        "     typos of new phrases:   %.1f %% restored, %.1f %% keep their topic (%.1f %% uncorrected) of %zu\n",
        percent(unseen.restored, unseen.count), percent(unseen.kept, unseen.count),
        percent(unseen.kept_alone, unseen.count), unseen.count);
    printf("     new phrases: %.1f %% changed; %.1f %% lose the right topic, %.1f %% gain it\n",
           percent(fresh.changed, fresh.count), percent(fresh.spoilt, fresh.count),
           percent(fresh.kept, fresh.count));
    EXPECT(percent(known.kept, known.count) > 85);
    EXPECT(percent(unseen.kept, unseen.count) > percent(unseen.kept_alone, unseen.count));
    EXPECT(percent(fresh.spoilt, fresh.count) < 2.5);
}

/* ---- times (KINDRED_TEST_TIMES=1) ------------------------------------------------------------ */

static void test_times(void)
{
    enum { COUNT = 2000 };
    double total = 0;
    double most = 0;
    for (size_t i = 0; i < COUNT; i++) {
        char typo[PHRASE_FOLD_MAX + 1];
        char better[PHRASE_FOLD_MAX];
        const struct slice phrase =
            known_text(&model->known, (uint32_t)below(model->known.text_count));
        const size_t length = phrase.length > 3 ? make_typo(phrase, typo) : 0;
        const int64_t begin = test_cpu_ns();
        (void)spelling_correct(&model->spelling, slice_of(typo, length), SLICE_NONE, better);
        const double us = (double)(test_cpu_ns() - begin) / 1e3;
        total += us;
        most = us > most ? us : most;
    }
    printf("     correcting a typo: %.0f us on average, %.0f us at most\n", total / COUNT, most);
}

int main(void)
{
    struct error error;
    seed = test_seed();
    const struct slice bytes = model_fixture();
    if (model_open(bytes, &model, &error) != ERR_OK) {
        fprintf(stderr, "%s: %s\n", KINDRED_MODEL_FILE, error.message);
        return 1;
    }
    scratch = aligned_alloc(64, (model_classifier(model)->scratch_bytes + 63) / 64 * 64);
    CHECK(scratch != NULL);
    RUN(test_examples);
    RUN(test_left_alone);
    RUN(test_lists);
    if (test_times_wanted()) {
        RUN(test_times);
    }
    free(scratch);
    model_close(model);
    free((char *)(uintptr_t)bytes.data);
    return test_summary();
}
