/* Tries to break the rules: against a reference that goes through every pattern for every phrase,
 * with plain recursion for '*', the full table for edit distances and pluralising written the other
 * way round, over a vocabulary so small that everything collides. Also the examples of the
 * documentation, and failing allocations. */
#include "unit/test.h"

#include "classifier/rules.h"
#include "fold_internal.h"
#include "typo.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

/* ---- examples -------------------------------------------------------------------------------- */

enum { SPORTS, FASHION, TECHNOLOGY, MUSIC };

static struct rule_hit hits[RULE_HITS_MAX];

static void add(struct rules_builder *builder, uint32_t cohort, const char *const *patterns)
{
    for (; *patterns != NULL; patterns++) {
        REQUIRE(rules_builder_add(builder, cohort, slice_from_cstr(*patterns), NULL) == ERR_OK);
    }
}

static struct rules *example_rules(void)
{
    static const char *const sports[] = {"cricket",       "Football",   "tom brady", "nike",
                                         "running shoes", "* football", "golf *",    "*ball court",
                                         "iphone games",  NULL};
    static const char *const fashion[] = {"nike", "* shoes", "dress", "jewelry", "watches", NULL};
    static const char *const technology[] = {
        "iphone 14", "iphone 15", "AI", "C++", "artificial intelligence", NULL};
    static const char *const music[] = {"rock & roll", "taylor swift", "crickets", NULL};
    struct rules_builder *builder = rules_builder_create();
    struct rules *rules = NULL;
    add(builder, SPORTS, sports);
    add(builder, FASHION, fashion);
    add(builder, TECHNOLOGY, technology);
    add(builder, MUSIC, music);
    if (rules_builder_add_not(builder, SPORTS, slice_from_cstr("fantasy football"), NULL) !=
            ERR_OK ||
        rules_build(builder, &rules) != ERR_OK) {
        rules = NULL;
    }
    rules_builder_destroy(builder);
    return rules;
}

/* wanted: "cohort:method …", in order. */
static void expect_hits(const struct rules *rules, const char *phrase, const char *wanted)
{
    char got[200] = "";
    size_t length = 0;
    const size_t count = rules_match(rules, slice_from_cstr(phrase), hits);
    for (size_t i = 0; i < count && length < sizeof got - 20; i++) {
        length += (size_t)snprintf(got + length, sizeof got - length, "%s%u:%c", i > 0 ? " " : "",
                                   hits[i].cohort, " xwt"[hits[i].method]);
    }
    EXPECT(strcmp(got, wanted) == 0, ": '%s' gave '%s', not '%s'", phrase, got, wanted);
}

static void test_examples(void)
{
    struct rules *rules = example_rules();
    REQUIRE(rules != NULL);
    expect_hits(rules, "cricket", "0:x 3:x"); /* also the singular of "crickets" */
    expect_hits(rules, "#Cricket", "0:x 3:x");
    expect_hits(rules, "crcket", "0:t");
    expect_hits(rules, "criket", "0:t");
    expect_hits(rules, "footbal", "0:t");
    expect_hits(rules, "fotoball", "0:t");
    expect_hits(rules, "xootball", "0:t"); /* the first letter may be wrong */
    expect_hits(rules, "Tom Brady", "0:x");
    expect_hits(rules, "TOM  BRADY", "0:x");
    expect_hits(rules, "#TomBrady", "0:t");
    expect_hits(rules, "tomm bradi", "0:t");
    expect_hits(rules, "nike", "0:x 1:x");
    expect_hits(rules, "Nike Shoes", "1:w");
    expect_hits(rules, "running shoe", "0:x");
    expect_hits(rules, "running shoes", "0:x 1:w");
    expect_hits(rules, "shoes", "1:w"); /* '*' may stand for nothing, with the space */
    expect_hits(rules, "snowshoes", "");
    expect_hits(rules, "golf", "0:w");
    expect_hits(rules, "golf course", "0:w");
    expect_hits(rules, "golfing", "");
    expect_hits(rules, "basketball court", "0:w");
    expect_hits(rules, "college football", "0:w");
    expect_hits(rules, "fantasy football", "");
    expect_hits(rules, "Fantasy Footballs", "");
    expect_hits(rules, "dresses", "1:x");
    expect_hits(rules, "watch", "1:x");
    expect_hits(rules, "iphone 14", "2:x");
    expect_hits(rules, "iphone 16", "");
    expect_hits(rules, "iphnoe 15", "2:t");
    expect_hits(rules, "rock and roll", "3:x");
    expect_hits(rules, "Rock&Roll", "3:x");
    expect_hits(rules, "tailor swift", "3:t");
    expect_hits(rules, "artifical inteligence", "2:t");
    expect_hits(rules, "tom grade", ""); /* somebody else: two edits in one short word */
    expect_hits(rules, "runing shoos", "0:t");
    expect_hits(rules, "c++", "2:x");
    expect_hits(rules, "ai", "2:x");
    expect_hits(rules, "aj", "");
    expect_hits(rules, "12345", "");
    expect_hits(rules, "", "");
    expect_hits(rules, "???", "");
    EXPECT(rules_match(rules, slice_from_cstr("crcket"), hits) == 1 &&
           slice_equal_cstr(rules_pattern_text(rules, hits[0].pattern), "cricket"));
    EXPECT(rules_match(rules, slice_from_cstr("FOOTBAL"), hits) == 1 &&
           slice_equal_cstr(rules_pattern_text(rules, hits[0].pattern), "Football"));
    EXPECT(rules_pattern_text(rules, 100000).data == NULL);
    rules_destroy(rules);
}

static void test_not_and_levels(void)
{
    struct rules_builder *builder = rules_builder_create();
    struct rules *rules = NULL;
    REQUIRE(rules_builder_add(builder, 1, slice_from_cstr("fantasy football"), NULL) == ERR_OK);
    REQUIRE(rules_builder_add_not(builder, 1, slice_from_cstr("fantasy *"), NULL) == ERR_OK);
    REQUIRE(rules_builder_add(builder, 1, slice_from_cstr("* football"), NULL) == ERR_OK);
    REQUIRE(rules_builder_add(builder, 2, slice_from_cstr("glasses"), NULL) == ERR_OK);
    REQUIRE(rules_builder_add_not(builder, 2, slice_from_cstr("glass"), NULL) == ERR_OK);
    REQUIRE(rules_builder_add(builder, 3, slice_from_cstr("ruby gems"), NULL) == ERR_OK);
    REQUIRE(rules_builder_add_not(builder, 3, slice_from_cstr("rugby gems"), NULL) == ERR_OK);
    REQUIRE(rules_build(builder, &rules) == ERR_OK);
    expect_hits(rules, "fantasy football", "1:x"); /* the exact one is more telling */
    expect_hits(rules, "fantasy land football", "");
    expect_hits(rules, "college football", "1:w");
    expect_hits(rules, "glasses", "2:x");
    expect_hits(rules, "glass", "");
    expect_hits(rules, "rubby gems", ""); /* as near to the one as to the other */
    expect_hits(rules, "rubi gems", "3:t");
    /* The builder may go on. */
    rules_destroy(rules);
    REQUIRE(rules_builder_add(builder, 4, slice_from_cstr("glass"), NULL) == ERR_OK);
    REQUIRE(rules_build(builder, &rules) == ERR_OK);
    expect_hits(rules, "glass", "4:x");
    rules_destroy(rules);
    rules_builder_destroy(builder);
}

static void test_patterns_refused(void)
{
    static const char *const bad[] = {"", " ", "*", "* *", "***", "#", "...", "-*-"};
    struct rules_builder *builder = rules_builder_create();
    struct error error;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        EXPECT(rules_builder_add(builder, 0, slice_from_cstr(bad[i]), &error) == ERR_INVALID,
               ": '%s'", bad[i]);
        EXPECT(strcmp(error.code, "pattern_empty") == 0);
    }
    char text[RULE_PATTERN_MAX + 1];
    memset(text, 'x', sizeof text);
    EXPECT(rules_builder_add(builder, 0, slice_of(text, RULE_PATTERN_MAX), &error) == ERR_OK);
    EXPECT(rules_builder_add(builder, 0, slice_of(text, sizeof text), &error) == ERR_INVALID);
    EXPECT(strcmp(error.code, "pattern_too_long") == 0);
    memset(text, '&', sizeof text);
    EXPECT(rules_builder_add(builder, 0, slice_of(text, RULE_PATTERN_MAX), &error) == ERR_INVALID);
    EXPECT(strcmp(error.code, "pattern_too_long") == 0);
    rules_builder_destroy(builder);
}

static void test_no_patterns(void)
{
    struct rules_builder *builder = rules_builder_create();
    struct rules *rules = NULL;
    REQUIRE(rules_build(builder, &rules) == ERR_OK);
    expect_hits(rules, "cricket", "");
    EXPECT(!rules_touch(rules, slice_from_cstr("cricket")));
    rules_destroy(rules);
    rules_builder_destroy(builder);
}

/* ---- the reference --------------------------------------------------------------------------- */

struct reference_pattern {
    uint32_t cohort;
    bool is_not;
    char typed[64];
    char folded[PHRASE_FOLD_MAX + 1];
};

enum { REFERENCE_MAX = 80, COHORTS = 6 };

struct reference {
    struct reference_pattern patterns[REFERENCE_MAX];
    size_t count;
};

static bool glob(const char *pattern, const char *text)
{
    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (*pattern == '*') {
        return glob(pattern + 1, text) || (*text != '\0' && glob(pattern, text + 1));
    }
    return *pattern == *text && glob(pattern + 1, text + 1);
}

static bool wildcard(const char *pattern, const char *text)
{
    char p[PHRASE_FOLD_MAX + 3];
    char t[PHRASE_FOLD_MAX + 3];
    const size_t length = strlen(pattern);
    snprintf(p, sizeof p, "%s%s%s", pattern[0] == '*' ? "" : " ", pattern,
             pattern[length - 1] == '*' ? "" : " ");
    snprintf(t, sizeof t, " %s ", text);
    return glob(p, t);
}

static const char *last_word(const char *text)
{
    const char *space = strrchr(text, ' ');
    return space != NULL ? space + 1 : text;
}

static bool is_plural_of(const char *plural, const char *singular)
{
    char made[PHRASE_FOLD_MAX + 8];
    const size_t length = strlen(singular);
    const char *word = last_word(singular);
    if (strlen(word) < 3 || singular[length - 1] < 'a' || singular[length - 1] > 'z' ||
        strcmp(word, "new") == 0 || strcmp(word, "news") == 0 ||
        strcmp(last_word(plural), "news") == 0) {
        return false;
    }
    const char last = singular[length - 1];
    const char before = singular[length - 2];
    snprintf(made, sizeof made, "%ss", singular);
    if (last != 's' && strcmp(made, plural) == 0) {
        return true;
    }
    snprintf(made, sizeof made, "%ses", singular);
    const bool es =
        strchr("sxzo", last) != NULL || (last == 'h' && (before == 'c' || before == 's'));
    if (es && strcmp(made, plural) == 0) {
        return true;
    }
    snprintf(made, sizeof made, "%.*sies", (int)length - 1, singular);
    return last == 'y' && before >= 'a' && before <= 'z' && strchr("aeiouy", before) == NULL &&
           strcmp(made, plural) == 0;
}

static unsigned distance(const char *a, const char *b)
{
    static unsigned table[PHRASE_FOLD_MAX + 1][PHRASE_FOLD_MAX + 1];
    const size_t n = strlen(a);
    const size_t m = strlen(b);
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            unsigned best = (unsigned)(i == 0 ? j : j == 0 ? i : 1000);
            if (i > 0 && j > 0) {
                best = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
                best = table[i - 1][j] + 1 < best ? table[i - 1][j] + 1 : best;
                best = table[i][j - 1] + 1 < best ? table[i][j - 1] + 1 : best;
            }
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                table[i - 2][j - 2] + 1 < best) {
                best = table[i - 2][j - 2] + 1;
            }
            table[i][j] = best;
        }
    }
    return table[n][m];
}

static void digits_of(const char *text, char *out)
{
    for (; *text != '\0'; text++) {
        if (*text >= '0' && *text <= '9') {
            *out++ = *text;
        }
    }
    *out = '\0';
}

/* Two edits in several words: as many words, and two in one of them only when it has 9 letters. */
static bool two_edits_allowed(const char *phrase, const char *pattern)
{
    char a[PHRASE_FOLD_MAX + 1];
    char b[PHRASE_FOLD_MAX + 1];
    char *a_rest = NULL;
    char *b_rest = NULL;
    if (strchr(phrase, ' ') == NULL && strchr(pattern, ' ') == NULL) {
        return true;
    }
    snprintf(a, sizeof a, "%s", phrase);
    snprintf(b, sizeof b, "%s", pattern);
    char *a_word = strtok_r(a, " ", &a_rest);
    char *b_word = strtok_r(b, " ", &b_rest);
    while (a_word != NULL && b_word != NULL) {
        if (distance(a_word, b_word) > (strlen(a_word) >= 9 ? 2U : 1U)) {
            return false;
        }
        a_word = strtok_r(NULL, " ", &a_rest);
        b_word = strtok_r(NULL, " ", &b_rest);
    }
    return a_word == NULL && b_word == NULL;
}

static unsigned edits_between(const char *phrase, const char *pattern)
{
    char a[PHRASE_FOLD_MAX + 1];
    char b[PHRASE_FOLD_MAX + 1];
    digits_of(phrase, a);
    digits_of(pattern, b);
    if (strcmp(a, b) != 0) {
        return 1000;
    }
    const unsigned edits = distance(phrase, pattern);
    return edits == 2 && !two_edits_allowed(phrase, pattern) ? 1000 : edits;
}

/* 1 same, 2 plural, 3 wildcard, 0 none of these. */
static int plain_level(const struct reference_pattern *pattern, const char *phrase)
{
    if (strchr(pattern->folded, '*') != NULL) {
        return wildcard(pattern->folded, phrase) ? 3 : 0;
    }
    if (strcmp(pattern->folded, phrase) == 0) {
        return 1;
    }
    return is_plural_of(pattern->folded, phrase) || is_plural_of(phrase, pattern->folded) ? 2 : 0;
}

/* The nearest distance to any exact pattern, or 1000 when the phrase may not be corrected. */
static unsigned nearest_distance(const struct reference *reference, const char *phrase)
{
    const size_t length = strlen(phrase);
    const unsigned allowed = length >= 9 ? 2 : length >= 5 ? 1 : 0;
    unsigned nearest = 1000;
    if (allowed == 0 || strspn(phrase, "0123456789 ") == length) {
        return 1000;
    }
    for (size_t i = 0; i < reference->count; i++) {
        const struct reference_pattern *pattern = &reference->patterns[i];
        if (strchr(pattern->folded, '*') == NULL) {
            if (plain_level(pattern, phrase) != 0) {
                return 1000; /* a known word */
            }
            unsigned edits = edits_between(phrase, pattern->folded);
            nearest = edits <= allowed && edits < nearest ? edits : nearest;
        }
    }
    return nearest;
}

static bool reference_hit(const struct reference *reference, uint32_t cohort, const char *phrase,
                          unsigned nearest, struct rule_hit *hit)
{
    for (int level = 1; level <= 3; level++) {
        bool taken_out = false;
        bool found = false;
        for (size_t i = reference->count; i-- > 0;) {
            const struct reference_pattern *pattern = &reference->patterns[i];
            if (pattern->cohort == cohort && plain_level(pattern, phrase) == level) {
                found = true;
                taken_out = taken_out || pattern->is_not;
                hit->pattern = (uint32_t)i;
            }
        }
        if (found) {
            hit->cohort = cohort;
            hit->method = level == 3 ? RULE_WILDCARD : RULE_EXACT;
            hit->confidence = level == 3 ? 0.95F : 1.0F;
            return !taken_out;
        }
    }
    if (nearest > 2) {
        return false;
    }
    /* Every text that is as near must be the cohort's. */
    bool found = false;
    for (size_t i = reference->count; i-- > 0;) {
        const char *text = reference->patterns[i].folded;
        if (strchr(text, '*') != NULL || edits_between(phrase, text) != nearest) {
            continue;
        }
        bool is_for = false;
        for (size_t j = 0; j < reference->count; j++) {
            const struct reference_pattern *other = &reference->patterns[j];
            if (other->cohort == cohort && strcmp(other->folded, text) == 0) {
                if (other->is_not) {
                    return false;
                }
                is_for = true;
            }
        }
        if (!is_for) {
            return false;
        }
        if (reference->patterns[i].cohort == cohort) {
            found = true;
            hit->pattern = (uint32_t)i;
        }
    }
    hit->cohort = cohort;
    hit->method = RULE_TYPO;
    hit->confidence = nearest <= 1 ? 0.9F : 0.8F;
    return found;
}

/* ---- random ---------------------------------------------------------------------------------- */

static void random_phrase(struct prng *prng, bool stars, char *out, size_t max)
{
    static const char *const words[] = {
        "golf",  "gulf",  "football",   "footbal",     "foot",   "ball", "balls", "box",
        "boxes", "party", "parties",    "iphone",      "14",     "15",   "new",   "news",
        "a",     "ab",    "abcdefghij", "abcdefghijk", "tennis", "bus",  "shoes", "shoe"};
    size_t length = 0;
    out[0] = '\0';
    for (size_t n = 1 + prng_below(prng, 3); n > 0; n--) {
        char made[16];
        const char *word = words[prng_below(prng, ARRAY_COUNT(words))];
        if (prng_below(prng, 4) == 0) {
            size_t i = 0;
            for (size_t letters = 1 + prng_below(prng, 10); i < letters; i++) {
                made[i] = "abcs1"[prng_below(prng, 5)];
            }
            made[i] = '\0';
            word = made;
        }
        const char *join = length == 0 ? "" : prng_below(prng, 4) == 0 ? "" : " ";
        if (stars && prng_below(prng, 3) == 0) {
            join = prng_below(prng, 2) == 0 ? "*" : " *";
        }
        int written = snprintf(out + length, max - length, "%s%s", join, word);
        length += (size_t)written < max - length ? (size_t)written : 0;
        out[length] = '\0';
    }
    /* One or two edits. */
    for (size_t edits = prng_below(prng, 3); edits > 0 && length > 2 && length + 2 < max; edits--) {
        size_t at = prng_below(prng, length - 1);
        switch (prng_below(prng, 4)) {
        case 0:
            memmove(out + at, out + at + 1, length - at);
            length--;
            break;
        case 1:
            memmove(out + at + 1, out + at, length - at + 1);
            out[at] = 'x';
            length++;
            break;
        case 2: out[at] = 'b'; break;
        default: {
            char c = out[at];
            out[at] = out[at + 1];
            out[at + 1] = c;
        }
        }
    }
}

static void add_random_pattern(struct prng *prng, struct reference *reference,
                               struct rules_builder *builder)
{
    struct reference_pattern *pattern = &reference->patterns[reference->count];
    pattern->cohort = (uint32_t)prng_below(prng, COHORTS);
    pattern->is_not = prng_below(prng, 8) == 0;
    random_phrase(prng, prng_below(prng, 3) == 0, pattern->typed, sizeof pattern->typed);
    const struct slice typed = slice_from_cstr(pattern->typed);
    err e = pattern->is_not ? rules_builder_add_not(builder, pattern->cohort, typed, NULL)
                            : rules_builder_add(builder, pattern->cohort, typed, NULL);
    bool whole = false;
    size_t length = pattern_fold(typed, pattern->folded, &whole);
    pattern->folded[length] = '\0';
    reference->count += e == ERR_OK;
}

static void expect_as_reference(const struct reference *reference, const struct rules *rules,
                                const char *phrase)
{
    char folded[PHRASE_FOLD_MAX + 1];
    folded[phrase_fold(slice_from_cstr(phrase), folded)] = '\0';
    const size_t count = rules_match(rules, slice_from_cstr(phrase), hits);
    const unsigned nearest = nearest_distance(reference, folded);
    size_t at = 0;
    for (uint32_t cohort = 0; cohort < COHORTS; cohort++) {
        struct rule_hit wanted = {0};
        const bool expected =
            folded[0] != '\0' && reference_hit(reference, cohort, folded, nearest, &wanted);
        const bool got = at < count && hits[at].cohort == cohort;
        REQUIRE(expected == got, ": '%s' for cohort %u: expected %d (method %d, '%s')", phrase,
                cohort, expected, wanted.method, reference->patterns[wanted.pattern].typed);
        if (got) {
            REQUIRE(hits[at].method == wanted.method && hits[at].pattern == wanted.pattern &&
                        hits[at].confidence == wanted.confidence,
                    ": '%s' for cohort %u: method %d not %d, pattern '%s' not '%s'", phrase, cohort,
                    hits[at].method, wanted.method, reference->patterns[hits[at].pattern].typed,
                    reference->patterns[wanted.pattern].typed);
            at++;
        }
    }
    REQUIRE(at == count);
}

static void test_random(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    static struct reference reference;
    for (int round = 0; round < 400; round++) {
        struct rules_builder *builder = rules_builder_create();
        struct rules *rules = NULL;
        reference.count = 0;
        for (size_t n = 1 + prng_below(&prng, REFERENCE_MAX - 1); n > 0; n--) {
            add_random_pattern(&prng, &reference, builder);
        }
        REQUIRE(rules_build(builder, &rules) == ERR_OK);
        for (int i = 0; i < 100; i++) {
            char phrase[64];
            random_phrase(&prng, false, phrase, sizeof phrase);
            expect_as_reference(&reference, rules, phrase);
        }
        rules_destroy(rules);
        rules_builder_destroy(builder);
    }
}

/* A change of rules may only move phrases that rules_touch names. */
static void test_touch(void)
{
    struct prng prng;
    prng_seed(&prng, seed + 1);
    static struct reference reference;
    static struct rule_hit before[RULE_HITS_MAX];
    for (int round = 0; round < 300; round++) {
        struct rules_builder *builder = rules_builder_create();
        struct rules_builder *delta_builder = rules_builder_create();
        struct rules *small = NULL;
        struct rules *large = NULL;
        struct rules *delta = NULL;
        reference.count = 0;
        for (size_t n = 1 + prng_below(&prng, 40); n > 0; n--) {
            add_random_pattern(&prng, &reference, builder);
        }
        REQUIRE(rules_build(builder, &small) == ERR_OK);
        const size_t old_count = reference.count;
        for (size_t n = 1 + prng_below(&prng, 3); n > 0; n--) {
            add_random_pattern(&prng, &reference, builder);
        }
        for (size_t i = old_count; i < reference.count; i++) {
            REQUIRE(rules_builder_add(delta_builder, 0,
                                      slice_from_cstr(reference.patterns[i].typed),
                                      NULL) == ERR_OK);
        }
        REQUIRE(rules_build(builder, &large) == ERR_OK &&
                rules_build(delta_builder, &delta) == ERR_OK);
        for (int i = 0; i < 100; i++) {
            char phrase[64];
            random_phrase(&prng, false, phrase, sizeof phrase);
            const struct slice text = slice_from_cstr(phrase);
            const size_t before_count = rules_match(small, text, before);
            const size_t count = rules_match(large, text, hits);
            bool same = before_count == count;
            for (size_t h = 0; same && h < count; h++) {
                same = before[h].cohort == hits[h].cohort && before[h].method == hits[h].method &&
                       before[h].pattern == hits[h].pattern;
            }
            REQUIRE(same || rules_touch(delta, text), ": '%s'", phrase);
        }
        rules_destroy(small);
        rules_destroy(large);
        rules_destroy(delta);
        rules_builder_destroy(builder);
        rules_builder_destroy(delta_builder);
    }
}

static void test_distance(void)
{
    struct prng prng;
    prng_seed(&prng, seed + 2);
    for (int round = 0; round < 300000; round++) {
        char text[2][16];
        uint32_t characters[2][16];
        size_t length[2];
        for (int side = 0; side < 2; side++) {
            length[side] = prng_below(&prng, 12);
            for (size_t i = 0; i < length[side]; i++) {
                text[side][i] = (char)('a' + prng_below(&prng, 3));
                characters[side][i] = (uint32_t)text[side][i];
            }
            text[side][length[side]] = '\0';
        }
        const unsigned wanted = distance(text[0], text[1]);
        for (unsigned max = 0; max <= TYPO_EDITS_MAX; max++) {
            const unsigned got =
                typo_distance(characters[0], length[0], characters[1], length[1], max);
            REQUIRE(got == (wanted <= max ? wanted : max + 1), ": '%s' '%s' max %u: %u not %u",
                    text[0], text[1], max, got, wanted);
        }
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void test_failing_memory(void)
{
    static const char *const patterns[] = {"cricket", "football", "* shoes", "tom brady",
                                           "golf *",  "*ball*",   NULL};
    for (uint64_t n = 1;; n++) {
        failing_memory_begin(n);
        struct rules *rules = NULL;
        err e = ERR_MEMORY;
        struct rules_builder *builder = rules_builder_create();
        if (builder != NULL) {
            e = ERR_OK;
            for (int i = 0; e == ERR_OK && i < 300; i++) {
                char text[40];
                snprintf(text, sizeof text, "%s %d", patterns[i % 6], i);
                e = rules_builder_add(builder, (uint32_t)i % 5, slice_from_cstr(text), NULL);
            }
            if (e == ERR_OK) {
                e = rules_build(builder, &rules);
            }
        }
        EXPECT(e == ERR_OK || rules == NULL);
        rules_destroy(rules);
        rules_builder_destroy(builder);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, ": %lld at %llu", (long long)end.live_blocks,
               (unsigned long long)n);
        if (!end.failed) {
            EXPECT(e == ERR_OK);
            break;
        }
        EXPECT(e == ERR_MEMORY);
    }
}

/* ---- times ----------------------------------------------------------------------------------- */

static void random_name(struct prng *prng, char *out, size_t max)
{
    static const char *const syllables[] = {
        "ba", "con", "der", "el",  "fo",  "gra", "hin", "is", "jo",  "kal", "lum", "mer", "no",
        "ot", "pre", "qua", "ris", "son", "tur", "ul",  "vi", "wen", "xa",  "yo",  "zed"};
    size_t length = 0;
    for (size_t words = 1 + prng_below(prng, 2), w = 0; w < words; w++) {
        length += (size_t)snprintf(out + length, max - length, "%s", w > 0 ? " " : "");
        for (size_t s = 2 + prng_below(prng, 2); s > 0; s--) {
            length += (size_t)snprintf(out + length, max - length, "%s",
                                       syllables[prng_below(prng, ARRAY_COUNT(syllables))]);
        }
    }
}

static void test_times(void)
{
    enum { PATTERNS = 5000, PHRASES = 20000, NAME = 48 };
    static char patterns[PATTERNS][NAME];
    static char misses[PHRASES][NAME];
    static char typos[PHRASES][NAME];
    struct prng prng;
    prng_seed(&prng, 7);
    struct rules_builder *builder = rules_builder_create();
    for (size_t i = 0; i < PATTERNS; i++) {
        random_name(&prng, patterns[i], NAME - 3);
        char text[NAME];
        snprintf(text, sizeof text,
                 i % 10 == 0   ? "%s *"
                 : i % 10 == 1 ? "* %s"
                               : "%s",
                 patterns[i]);
        REQUIRE(rules_builder_add(builder, (uint32_t)i / 250, slice_from_cstr(text), NULL) ==
                ERR_OK);
    }
    for (size_t i = 0; i < PHRASES; i++) {
        random_name(&prng, misses[i], NAME);
        snprintf(typos[i], NAME, "%s", patterns[i % PATTERNS]);
        typos[i][strlen(typos[i]) / 2] = 'q';
    }
    int64_t build_ns = INT64_MAX;
    int64_t exact_ns = INT64_MAX;
    int64_t typo_ns = INT64_MAX;
    int64_t miss_ns = INT64_MAX;
    size_t found = 0;
    for (int round = 0; round < 5; round++) {
        struct rules *rules = NULL;
        int64_t begin = test_cpu_ns();
        REQUIRE(rules_build(builder, &rules) == ERR_OK);
        int64_t built = test_cpu_ns();
        for (size_t i = 0; i < PHRASES; i++) {
            found += rules_match(
                rules, slice_from_cstr(patterns[i * 7 % PATTERNS / 10 * 10 + 2 + i % 8]), hits);
        }
        int64_t exact = test_cpu_ns();
        for (size_t i = 0; i < PHRASES; i++) {
            found += rules_match(rules, slice_from_cstr(typos[i]), hits);
        }
        int64_t typo = test_cpu_ns();
        for (size_t i = 0; i < PHRASES; i++) {
            found += rules_match(rules, slice_from_cstr(misses[i]), hits);
        }
        int64_t miss = test_cpu_ns();
        build_ns = built - begin < build_ns ? built - begin : build_ns;
        exact_ns = exact - built < exact_ns ? exact - built : exact_ns;
        typo_ns = typo - exact < typo_ns ? typo - exact : typo_ns;
        miss_ns = miss - typo < miss_ns ? miss - typo : miss_ns;
        rules_destroy(rules);
    }
    printf("%d patterns: build %.1f ms, exact %.0f ns, typo %.0f ns, miss %.0f ns (%zu hits)\n",
           PATTERNS, (double)build_ns / 1e6, (double)exact_ns / PHRASES, (double)typo_ns / PHRASES,
           (double)miss_ns / PHRASES, found);
    rules_builder_destroy(builder);
}

int main(void)
{
    seed = test_seed();
    RUN(test_examples);
    RUN(test_not_and_levels);
    RUN(test_patterns_refused);
    RUN(test_no_patterns);
    RUN(test_random);
    RUN(test_touch);
    RUN(test_distance);
    RUN(test_failing_memory);
    if (test_times_wanted()) {
        RUN(test_times);
    }
    return test_summary();
}
