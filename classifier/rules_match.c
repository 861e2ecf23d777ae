#include "fold_internal.h"
#include "rules_internal.h"

/* While matching, rule_hit.method holds one of these, the more telling the lower, and NOT says that
 * it takes the cohort out. finish() turns them into the public ones. */
enum {
    LEVEL_SAME = 1,
    LEVEL_PLURAL = 2,
    LEVEL_WILDCARD = 3,
    LEVEL_TYPO = 4,
    LEVEL_MASK = 7,
    NOT = 8
};

struct matching {
    const struct rules *rules;
    struct rule_hit *hits; /* ascending by cohort */
    size_t count;
    bool known; /* the phrase is somebody's exact pattern */
};

/* The levels are gone through from telling to less telling, so a hit that is there already
 * stays. */
static void add_hit(struct matching *matching, uint32_t pattern_index, uint8_t level,
                    float confidence)
{
    const struct rules_pattern *pattern = &matching->rules->patterns[pattern_index];
    size_t low = 0;
    size_t high = matching->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (matching->hits[middle].cohort < pattern->cohort) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct rule_hit *hit = &matching->hits[low];
    const uint8_t method = (uint8_t)(level | (pattern->is_not ? NOT : 0));
    if (low < matching->count && hit->cohort == pattern->cohort) {
        if ((hit->method & LEVEL_MASK) == level) {
            hit->method |= method & NOT;
            hit->pattern = pattern_index < hit->pattern ? pattern_index : hit->pattern;
        }
        return;
    }
    if (matching->count == RULE_HITS_MAX) {
        return;
    }
    memmove(hit + 1, hit, (matching->count - low) * sizeof *hit);
    *hit = (struct rule_hit){pattern->cohort, method, confidence, pattern_index};
    matching->count++;
}

static void add_text(struct matching *matching, struct slice folded, uint8_t level)
{
    const struct rules *rules = matching->rules;
    uint32_t text = rules_find_text(rules, folded);
    if (text == TEXT_NONE) {
        return;
    }
    matching->known = true;
    for (uint32_t i = rules->owner_starts[text]; i < rules->owner_starts[text + 1]; i++) {
        add_hit(matching, rules->owners[i], level, 1.0F);
    }
}

/* ---- plural endings ---- */

static bool ends_with(const char *text, size_t length, const char *ending)
{
    size_t n = strlen(ending);
    return length >= n && memcmp(text + length - n, ending, n) == 0;
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool takes_es(const char *text, size_t length)
{
    return ends_with(text, length, "s") || ends_with(text, length, "x") ||
           ends_with(text, length, "z") || ends_with(text, length, "o") ||
           ends_with(text, length, "ch") || ends_with(text, length, "sh");
}

static bool ends_in_consonant_y(const char *text, size_t length)
{
    return length >= 2 && text[length - 1] == 'y' && is_letter(text[length - 2]) &&
           strchr("aeiouy", text[length - 2]) == NULL;
}

/* Calls visit with every spelling that is the plural or the singular of the text by the ending of
 * its last word:
 *
 *     singular, 3 letters or more      plural
 *     …  not behind "s"                … s
 *     …  ending in s x z o ch sh       … es
 *     …  consonant and y               … ies
 *
 * English only; a phrase in another language that gets a wrong spelling here finds no pattern. */
static void each_plural(struct slice folded, void (*visit)(void *context, struct slice text),
                        void *context)
{
    char text[PHRASE_FOLD_MAX + 4];
    const size_t length = folded.length;
    size_t word = length;
    while (word > 0 && folded.data[word - 1] != ' ') {
        word--;
    }
    const size_t letters = length - word;
    const struct slice last = slice_of(folded.data + word, letters);
    if (letters < 3 || !is_letter(folded.data[length - 1]) || slice_equal_cstr(last, "new") ||
        slice_equal_cstr(last, "news")) {
        return;
    }
    memcpy(text, folded.data, length);
    if (text[length - 1] != 's') {
        text[length] = 's';
        visit(context, slice_of(text, length + 1));
    } else if (letters >= 4 && is_letter(text[length - 2]) && text[length - 2] != 's') {
        visit(context, slice_of(text, length - 1));
    }
    if (letters >= 5 && ends_with(text, length, "es") && takes_es(text, length - 2)) {
        visit(context, slice_of(text, length - 2));
    }
    if (letters >= 5 && ends_with(text, length, "ies")) {
        text[length - 3] = 'y';
        if (ends_in_consonant_y(text, length - 2)) {
            visit(context, slice_of(text, length - 2));
        }
        text[length - 3] = 'i';
    }
    if (takes_es(text, length)) {
        memcpy(text + length, "es", 2);
        visit(context, slice_of(text, length + 2));
    } else if (ends_in_consonant_y(text, length)) {
        memcpy(text + length - 1, "ies", 3);
        visit(context, slice_of(text, length + 2));
    }
}

static void visit_plural(void *context, struct slice text)
{
    add_text(context, text, LEVEL_PLURAL);
}

static void visit_wildcard(void *context, uint32_t wildcard)
{
    struct matching *matching = context;
    add_hit(matching, matching->rules->wildcard_patterns[wildcard], LEVEL_WILDCARD, 0.95F);
}

/* ---- typos ---- */

enum { NEAREST_MAX = 32, TRIED_MAX = 128 };

struct nearest {
    const struct rules *rules;
    const uint32_t *characters;
    size_t character_count;
    unsigned distance; /* of the nearest so far; one more than allowed at first */
    uint32_t texts[NEAREST_MAX];
    size_t count; /* may count one past the maximum */
    uint32_t tried[TRIED_MAX];
    size_t tried_count;
};

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

/* "iphone 14" is no typo of "iphone 15". */
static bool same_digits(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    size_t j = 0;
    for (size_t i = 0; i < a_count; i++) {
        if (!is_digit(a[i])) {
            continue;
        }
        while (j < b_count && !is_digit(b[j])) {
            j++;
        }
        if (j == b_count || b[j++] != a[i]) {
            return false;
        }
    }
    while (j < b_count && !is_digit(b[j])) {
        j++;
    }
    return j == b_count;
}

static size_t word_length(const uint32_t *text, size_t count)
{
    size_t length = 0;
    while (length < count && text[length] != ' ') {
        length++;
    }
    return length;
}

/* Two edits: "artifical inteligence" has one a word, but "sara jacobs" is somebody else than "marc
 * jacobs". So of several words a short one may have one only, and none may come or go. A single
 * word is long enough by the rule of lengths. */
static bool spread_over_words(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    const bool single = word_length(a, a_count) == a_count && word_length(b, b_count) == b_count;
    while (!single) {
        const size_t a_word = word_length(a, a_count);
        const size_t b_word = word_length(b, b_count);
        const unsigned allowed = a_word >= 9 ? 2 : 1;
        if (typo_distance(a, a_word, b, b_word, allowed) > allowed ||
            (a_word == a_count) != (b_word == b_count)) {
            return false;
        }
        if (a_word == a_count) {
            return true;
        }
        a += a_word + 1;
        a_count -= a_word + 1;
        b += b_word + 1;
        b_count -= b_word + 1;
    }
    return true;
}

static bool already_tried(struct nearest *nearest, uint32_t text)
{
    for (size_t i = 0; i < nearest->tried_count; i++) {
        if (nearest->tried[i] == text) {
            return true;
        }
    }
    if (nearest->tried_count < TRIED_MAX) {
        nearest->tried[nearest->tried_count++] = text;
    }
    return false;
}

static bool visit_candidate(void *context, uint32_t text)
{
    struct nearest *nearest = context;
    uint32_t characters[PHRASE_FOLD_MAX];
    if (already_tried(nearest, text)) {
        return true;
    }
    size_t count = fold_characters(nearest->rules->texts[text], characters, PHRASE_FOLD_MAX);
    const unsigned max = nearest->distance < TYPO_EDITS_MAX ? nearest->distance : TYPO_EDITS_MAX;
    unsigned distance =
        typo_distance(nearest->characters, nearest->character_count, characters, count, max);
    if (distance > nearest->distance || distance > max ||
        !same_digits(nearest->characters, nearest->character_count, characters, count) ||
        (distance == 2 &&
         !spread_over_words(nearest->characters, nearest->character_count, characters, count))) {
        return true;
    }
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->count = 0;
    }
    for (size_t i = 0; i < nearest->count && i < NEAREST_MAX; i++) {
        if (nearest->texts[i] == text) {
            return true;
        }
    }
    if (nearest->count < NEAREST_MAX) {
        nearest->texts[nearest->count] = text;
    }
    nearest->count += nearest->count <= NEAREST_MAX;
    return true;
}

/* How far this phrase may be corrected; 0 when not at all. */
static unsigned allowed_edits(const uint32_t *characters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(characters[i]) && characters[i] != ' ') {
            return typo_edits_allowed(count);
        }
    }
    return 0;
}

static bool text_is_for(const struct rules *rules, uint32_t text, uint32_t cohort)
{
    bool is_for = false;
    for (uint32_t i = rules->owner_starts[text]; i < rules->owner_starts[text + 1]; i++) {
        const struct rules_pattern *pattern = &rules->patterns[rules->owners[i]];
        if (pattern->cohort == cohort) {
            if (pattern->is_not) {
                return false;
            }
            is_for = true;
        }
    }
    return is_for;
}

static void add_typos(struct matching *matching, struct slice folded)
{
    const struct rules *rules = matching->rules;
    uint32_t characters[PHRASE_FOLD_MAX];
    const size_t count = fold_characters(folded, characters, PHRASE_FOLD_MAX);
    const unsigned allowed = allowed_edits(characters, count);
    if (allowed == 0 || rules->text_count == 0) {
        return;
    }
    struct nearest nearest;
    nearest.rules = rules;
    nearest.characters = characters;
    nearest.character_count = count;
    nearest.distance = allowed; /* as far as allowed is as good as nothing found yet */
    nearest.count = 0;
    nearest.tried_count = 0;
    typo_index_candidates(&rules->typo_index, characters, count, allowed, visit_candidate,
                          &nearest);
    if (nearest.count == 0 || nearest.count > NEAREST_MAX) {
        return;
    }
    const float confidence = nearest.distance <= 1 ? 0.9F : 0.8F;
    const uint32_t first = nearest.texts[0];
    for (uint32_t i = rules->owner_starts[first]; i < rules->owner_starts[first + 1]; i++) {
        const uint32_t cohort = rules->patterns[rules->owners[i]].cohort;
        bool all = true;
        for (size_t t = 0; t < nearest.count && all; t++) {
            all = text_is_for(rules, nearest.texts[t], cohort);
        }
        for (size_t t = 0; t < nearest.count && all; t++) {
            const uint32_t text = nearest.texts[t];
            for (uint32_t o = rules->owner_starts[text]; o < rules->owner_starts[text + 1]; o++) {
                if (rules->patterns[rules->owners[o]].cohort == cohort) {
                    add_hit(matching, rules->owners[o], LEVEL_TYPO, confidence);
                }
            }
        }
    }
}

/* ---- all of it ---- */

static size_t finish(struct matching *matching)
{
    static const uint8_t methods[] = {0, RULE_EXACT, RULE_EXACT, RULE_WILDCARD, RULE_TYPO};
    size_t kept = 0;
    for (size_t i = 0; i < matching->count; i++) {
        if ((matching->hits[i].method & NOT) == 0) {
            matching->hits[kept] = matching->hits[i];
            matching->hits[kept++].method = methods[matching->hits[i].method & LEVEL_MASK];
        }
    }
    return kept;
}

size_t rules_match(const struct rules *rules, struct slice phrase,
                   struct rule_hit hits[RULE_HITS_MAX])
{
    char bytes[PHRASE_FOLD_MAX];
    const struct slice folded = slice_of(bytes, phrase_fold(phrase, bytes));
    if (folded.length == 0) {
        return 0;
    }
    struct matching matching = {.rules = rules, .hits = hits};
    add_text(&matching, folded, LEVEL_SAME);
    each_plural(folded, visit_plural, &matching);
    wildcard_index_match(&rules->wildcard_index, folded, visit_wildcard, &matching);
    if (!matching.known) {
        add_typos(&matching, folded);
    }
    return finish(&matching);
}

/* ---- touching ---- */

struct touching {
    const struct rules *rules;
    const uint32_t *characters;
    size_t count;
    unsigned allowed;
    bool touched;
};

static void touch_text(void *context, struct slice text)
{
    struct touching *touching = context;
    touching->touched = touching->touched || rules_find_text(touching->rules, text) != TEXT_NONE;
}

static void touch_wildcard(void *context, uint32_t wildcard)
{
    (void)wildcard;
    ((struct touching *)context)->touched = true;
}

static bool touch_candidate(void *context, uint32_t text)
{
    struct touching *touching = context;
    uint32_t characters[PHRASE_FOLD_MAX];
    size_t count = fold_characters(touching->rules->texts[text], characters, PHRASE_FOLD_MAX);
    touching->touched = typo_distance(touching->characters, touching->count, characters, count,
                                      touching->allowed) <= touching->allowed;
    return !touching->touched;
}

bool rules_touch(const struct rules *rules, struct slice phrase)
{
    char bytes[PHRASE_FOLD_MAX];
    uint32_t characters[PHRASE_FOLD_MAX];
    const struct slice folded = slice_of(bytes, phrase_fold(phrase, bytes));
    if (folded.length == 0) {
        return false;
    }
    struct touching touching = {.rules = rules, .characters = characters};
    touch_text(&touching, folded);
    each_plural(folded, touch_text, &touching);
    if (!touching.touched) {
        wildcard_index_match(&rules->wildcard_index, folded, touch_wildcard, &touching);
    }
    if (!touching.touched && rules->text_count > 0) {
        touching.count = fold_characters(folded, characters, PHRASE_FOLD_MAX);
        touching.allowed = allowed_edits(characters, touching.count);
        if (touching.allowed > 0) {
            typo_index_candidates(&rules->typo_index, characters, touching.count, touching.allowed,
                                  touch_candidate, &touching);
        }
    }
    return touching.touched;
}
