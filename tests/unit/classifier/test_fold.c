/* Tries to break folding: what people type for one and the same thing must come out the same, what
 * differs must not; random bytes, well-formed or not, must stay within the limit, come out as
 * folded text and fold to themselves. */
#include "unit/test.h"

#include "base/utf8.h"
#include "classifier/fold.h"
#include "fold_internal.h"
#include "unit/seed.h"

static uint64_t seed;

static void expect_fold(const char *phrase, const char *wanted)
{
    char out[PHRASE_FOLD_MAX];
    size_t length = phrase_fold(slice_from_cstr(phrase), out);
    EXPECT(slice_equal_cstr(slice_of(out, length), wanted), ": '%s' gave '%.*s', not '%s'", phrase,
           (int)length, out, wanted);
}

static void test_phrases(void)
{
    expect_fold("Tom Brady", "tom brady");
    expect_fold("  TOM \t BRADY\n", "tom brady");
    expect_fold("#cricket", "cricket");
    expect_fold("@nasa", "nasa");
    expect_fold("Rock & Roll", "rock and roll");
    expect_fold("R&B", "r and b");
    expect_fold("&", "and");
    expect_fold("hip-hop", "hip hop");
    expect_fold("Crème Brûlée", "creme brulee");
    expect_fold("Cre\xCC\x80me bru\xCC\x82le\xCC\x81"
                "e",
                "creme brulee"); /* decomposed */
    expect_fold("Straße", "strasse");
    expect_fold("STRAẞE", "strasse");
    expect_fold("Røde, Łódź & Ægir", "rode lodz and aegir");
    expect_fold("İstanbul", "istanbul");
    expect_fold("Levi's", "levis");
    expect_fold("Levi’s", "levis");
    expect_fold("'nduja", "nduja");
    expect_fold("Nike™", "nike");
    expect_fold("ﬁtness", "fitness");
    expect_fold("Ｆｏｏｔｂａｌｌ", "football"); /* full width */
    expect_fold("C++", "c plus plus");
    expect_fold("C#", "c sharp");
    expect_fold("Disney+", "disney plus");
    expect_fold("rock + roll", "rock roll");
    expect_fold("#1 fan", "1 fan");
    expect_fold("ΣΊΣΥΦΟΣ", "σισυφοσ");
    expect_fold("хоккей", "хоккеи"); /* й is и with a mark, for whoever types without it */
    expect_fold("⚽", "⚽");
    expect_fold("⚽\xEF\xB8\x8F fan", "⚽ fan"); /* variation selector */
    expect_fold("東京", "東京");
    expect_fold("हिन्दी", "हिन्दी"); /* vowel signs are letters */
    expect_fold("*", "");
    expect_fold("", "");
    expect_fold(" - # .", "");
    expect_fold("a\xFF"
                "b\xC3",
                "a b");
}

static void test_length(void)
{
    char long_text[2000];
    char out[PHRASE_FOLD_MAX];
    memset(long_text, 'x', sizeof long_text);
    EXPECT(phrase_fold(slice_of(long_text, sizeof long_text), out) == PHRASE_FOLD_MAX);
    for (size_t i = 0; i + 2 <= sizeof long_text; i += 2) {
        /* æ becomes two bytes, ß too: the cut is at a character */
        memcpy(long_text + i, "\xC3\xA6", 2);
    }
    EXPECT(phrase_fold(slice_of(long_text, sizeof long_text), out) == PHRASE_FOLD_MAX);
    for (size_t i = 0; i + 3 <= sizeof long_text; i += 3) {
        memcpy(long_text + i, "東", 3);
    }
    EXPECT(phrase_fold(slice_of(long_text, 1998), out) == 255);
    memset(long_text, '&', sizeof long_text);
    size_t length = phrase_fold(slice_of(long_text, sizeof long_text), out);
    EXPECT(length == 255 && memcmp(out + 252, "and", 3) == 0);
}

static size_t random_text(struct prng *prng, char *out, size_t max)
{
    static const char *const pieces[] = {
        "a", "B", "é",  "É",    "e\xCC\x81", " ", "  ", "#", "+", "&", "'", "’", "*",   "ß",   "ﬁ",
        "™", "⚽", "東", "\xFF", "\xC3",      "Ø", "9",  "½", "Σ", "ς", "İ", "-", "and", "plus"};
    size_t length = 0;
    for (size_t n = prng_below(prng, 60); n > 0; n--) {
        char any[4];
        const char *piece = pieces[prng_below(prng, ARRAY_COUNT(pieces))];
        size_t piece_length = strlen(piece);
        if (prng_below(prng, 8) == 0) {
            uint64_t bits = prng_next(prng);
            memcpy(any, &bits, sizeof any);
            piece = any;
            piece_length = 1 + prng_below(prng, sizeof any);
        }
        if (length + piece_length <= max) {
            memcpy(out + length, piece, piece_length);
            length += piece_length;
        }
    }
    return length;
}

static void test_random(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    for (int round = 0; round < 200000; round++) {
        char text[256];
        char once[PHRASE_FOLD_MAX];
        char twice[PHRASE_FOLD_MAX];
        const struct slice phrase = slice_of(text, random_text(&prng, text, sizeof text));
        const struct slice folded = slice_of(once, phrase_fold(phrase, once));
        REQUIRE(folded.length <= PHRASE_FOLD_MAX && utf8_valid(folded, NULL));
        REQUIRE(slice_equal(folded, slice_of(twice, phrase_fold(folded, twice))),
                ": fold of '%.*s'", SLICE_ARGS(phrase));
        REQUIRE(folded.length == 0 || (once[0] != ' ' && once[folded.length - 1] != ' '));
        REQUIRE(folded.length == 0 || memmem(once, folded.length, "  ", 2) == NULL);
        uint32_t characters[PHRASE_FOLD_MAX];
        REQUIRE(fold_characters(folded, characters, PHRASE_FOLD_MAX) <= folded.length);
        bool whole = false;
        (void)pattern_fold(phrase, twice, &whole);

        char cased[TEXT_FOLD_MAX];
        char cased_twice[TEXT_FOLD_MAX];
        const struct slice lower = slice_of(cased, text_fold(phrase, cased));
        REQUIRE(slice_equal(lower, slice_of(cased_twice, text_fold(lower, cased_twice))),
                ": case of '%.*s'", SLICE_ARGS(phrase));
        REQUIRE(text_fold_equal(phrase, lower));
    }
}

static void test_case(void)
{
    EXPECT(text_fold_equal(slice_from_cstr("New York"), SLICE_LITERAL("new york")));
    EXPECT(text_fold_equal(slice_from_cstr("SÃO PAULO"), SLICE_LITERAL("são paulo")));
    EXPECT(!text_fold_equal(slice_from_cstr("Sao Paulo"), SLICE_LITERAL("são paulo")));
    EXPECT(!text_fold_equal(slice_from_cstr("New York"), SLICE_LITERAL("new yor")));
    EXPECT(!text_fold_equal(slice_from_cstr("New Yor"), SLICE_LITERAL("new york")));
    EXPECT(text_fold_equal(slice_from_cstr(""), SLICE_LITERAL("")));
    EXPECT(!text_fold_equal(slice_from_cstr("c++"), SLICE_LITERAL("c")));
}

static void test_keys(void)
{
    EXPECT(phrase_fold_key(slice_from_cstr("#Crème")) == phrase_fold_key(slice_from_cstr("creme")));
    EXPECT(phrase_fold_key(slice_from_cstr("crema")) != phrase_fold_key(slice_from_cstr("creme")));
    EXPECT(phrase_fold_key(slice_from_cstr("!!!")) != phrase_fold_key(slice_from_cstr("???")));
}

int main(void)
{
    seed = test_seed();
    RUN(test_phrases);
    RUN(test_length);
    RUN(test_random);
    RUN(test_case);
    RUN(test_keys);
    return test_summary();
}
