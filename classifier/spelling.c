/* spelling.c: see spelling.h. */
#include "spelling.h"

#include "typo.h"

enum {
    STEP_UNKNOWN = 256,
    PHRASE_BYTES_MAX = 48, /* longer ones are not corrected as a whole */
    PHRASE_BYTES_MIN = 5,
    WORDS_MAX = 16, /* phrases of more are not corrected */
    WORD_BYTES_MAX = 24,
    TWO_EDITS_BYTES_MIN = 9,
    TWO_EDITS_COST = 160,
    SPLIT_BYTES_MIN = 6,
    GUESS_BYTES_MIN = 5, /* shorter words: only what was left out or swapped */
    GUESS_COST = 175,    /* a lone word is not taken for a rarer one */
};

/* Steps: a word this rare may be a slip that the word vectors happen to hold ... */
static const int SUSPICIOUS_STEP = 165;
/* ... if what it becomes is this much more frequent (12 steps: a factor of 2). */
static const int MUCH_RARER = 36;
/* For a word that is not part of a known phrase afterwards: a slip that the word vectors hold, and
 * what it becomes. */
static const int SLIP_STEP = 192;
static const int SLIP_RARER = 84;
/* A word of the curated phrases counts as this much more frequent than it is among all texts, and
 * as this much more for each time that twice as many phrases hold it. */
static const int LISTED_BONUS = 16;
static const int LISTED_BONUS_MORE = 6;
/* A changed first letter counts against a candidate by this much: people rarely miss that one. */
static const int FIRST_LETTER_PENALTY = 30;
/* A letter that was left out or two that changed places can only have come from few words, a
 * replaced one from 25 times as many: so it counts against a candidate that it would have to be a
 * replacement. */
static const int REPLACEMENT_PENALTY = 30;
static const int DELETION_PENALTY = 20;

struct query {
    const struct spelling *spelling;
    struct slice without;
};

struct word {
    struct slice text;
    int step;        /* how rare; STEP_UNKNOWN */
    uint32_t listed; /* in so many places of the curated phrases */
    bool letters;    /* a to z only */
};

/* ---- what is known ---- */

err spelling_open(struct spelling *spelling, const struct words *words, const struct known *known,
                  struct error *error)
{
    spelling->words = words;
    spelling->known = known;
    return vocabulary_open(&spelling->vocabulary, known, error);
}

void spelling_close(struct spelling *spelling)
{
    vocabulary_close(&spelling->vocabulary);
}

static bool is_known(const struct query *query, struct slice phrase)
{
    return known_topics(query->spelling->known, phrase) != 0 &&
           !slice_equal(phrase, query->without);
}

static uint32_t listed_count(const struct query *query, struct slice word)
{
    uint32_t count = vocabulary_count(&query->spelling->vocabulary, word);
    for (struct slice rest = query->without; count > 0 && rest.data != NULL;) {
        count -= slice_equal(slice_cut(&rest, ' '), word);
    }
    return count;
}

static int step_of(const struct query *query, struct slice word)
{
    const uint32_t row = hash_table_find(&query->spelling->words->table, word);
    return row == TABLE_NONE ? STEP_UNKNOWN : query->spelling->words->step[row];
}

static bool all_letters(struct slice word)
{
    for (size_t i = 0; i < word.length; i++) {
        if (word.data[i] < 'a' || word.data[i] > 'z') {
            return false;
        }
    }
    return word.length > 0;
}

static struct word look_at(const struct query *query, struct slice text)
{
    struct word word = {.text = text, .step = step_of(query, text), .letters = all_letters(text)};
    word.listed = listed_count(query, text);
    return word;
}

static bool is_unknown(const struct word *word)
{
    return word->step == STEP_UNKNOWN && word->listed == 0;
}

/* Could it be a slip? In a phrase of several words short words are looked at, in one of three and
 * more also frequent ones. */
static bool is_suspicious(const struct word *word, struct slice phrase, size_t count)
{
    const size_t length_min = count > 1 && phrase.length >= 8 ? 2 : 4;
    return word->letters && word->text.length >= length_min &&
           (is_unknown(word) || word->step >= SUSPICIOUS_STEP ||
            (count >= 3 && phrase.length >= 12));
}

/* How far a candidate recommends itself, less is more; INT32_MAX: not at all. */
static int cost_of(const struct query *query, struct slice candidate, char first_letter)
{
    int step = step_of(query, candidate);
    uint32_t listed = listed_count(query, candidate);
    if (step == STEP_UNKNOWN && listed == 0) {
        return INT32_MAX;
    }
    step = step == STEP_UNKNOWN ? 215 : step;
    step -= listed > 0 ? LISTED_BONUS : 0;
    for (; listed > 1; listed /= 2) {
        step -= LISTED_BONUS_MORE;
    }
    return step + (candidate.data[0] != first_letter ? FIRST_LETTER_PENALTY : 0);
}

/* ---- edits ---- */

/* What the kind of edit that leads from `text` to the candidate counts. */
static int edit_penalty(struct slice text, struct slice candidate)
{
    if (candidate.length != text.length) {
        return candidate.length < text.length ? DELETION_PENALTY : 0;
    }
    size_t different = 0;
    for (size_t i = 0; i < text.length; i++) {
        different += text.data[i] != candidate.data[i];
    }
    return different == 1 ? REPLACEMENT_PENALTY : 0;
}

/* Calls visit with every text one edit from `text` that edits bytes [from, to). Spaces are inserted
 * too, not replaced. */
static void each_edit(struct slice text, size_t from, size_t to, bool spaces,
                      void (*visit)(void *context, struct slice candidate), void *context)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz ";
    char edited[PHRASE_FOLD_MAX + 1];
    CHECK(text.length < sizeof edited && to <= text.length);
    const size_t letters = sizeof alphabet - 2;
    for (size_t i = from; i < to; i++) { /* deletions */
        memcpy(edited, text.data, i);
        memcpy(edited + i, text.data + i + 1, text.length - i - 1);
        if (i + 1 == to || text.data[i] != text.data[i + 1]) {
            visit(context, slice_of(edited, text.length - 1));
        }
    }
    memcpy(edited, text.data, text.length);
    for (size_t i = from; i < to; i++) { /* swaps, replacements */
        if (i + 1 < to && text.data[i] != text.data[i + 1]) {
            edited[i] = text.data[i + 1];
            edited[i + 1] = text.data[i];
            visit(context, slice_of(edited, text.length));
            edited[i + 1] = text.data[i + 1];
        }
        for (size_t a = 0; a < letters; a++) {
            if (alphabet[a] != text.data[i]) {
                edited[i] = alphabet[a];
                visit(context, slice_of(edited, text.length));
            }
        }
        edited[i] = text.data[i];
    }
    for (size_t i = from; i <= to; i++) { /* insertions */
        memcpy(edited, text.data, i);
        memcpy(edited + i + 1, text.data + i, text.length - i);
        for (size_t a = 0; a < letters + spaces; a++) {
            const bool inside = i > from && i < to;
            if ((alphabet[a] != ' ' && (i == to || alphabet[a] != text.data[i])) ||
                (alphabet[a] == ' ' && inside)) {
                edited[i] = alphabet[a];
                visit(context, slice_of(edited, text.length + 1));
            }
        }
    }
}

/* ---- the phrase as a whole ---- */

struct phrase_search {
    const struct query *query;
    const struct word *word; /* that changes */
    size_t offset;           /* of it in the phrase */
    struct slice phrase;
    size_t words;
    int best;
    char out[PHRASE_FOLD_MAX];
    size_t length;
};

static void try_phrase(void *context, struct slice candidate)
{
    struct phrase_search *search = context;
    if (!is_known(search->query, candidate)) {
        return;
    }
    const struct word *word = search->word;
    const size_t length = word->text.length + candidate.length - search->phrase.length;
    const struct slice changed = slice_of(candidate.data + search->offset, length);
    int cost = 0;
    if (memchr(changed.data, ' ', changed.length) == NULL) {
        cost = cost_of(search->query, changed, word->text.data[0]);
        const int needed = search->words == 1   ? (word->text.length >= 6 ? 2 * MUCH_RARER : 1000)
                           : search->words == 2 ? MUCH_RARER
                                                : MUCH_RARER / 3;
        if (cost == INT32_MAX || (!is_unknown(word) && word->step - cost < needed)) {
            return;
        }
    }
    cost += edit_penalty(search->phrase, candidate);
    if (cost < search->best) {
        search->best = cost;
        memcpy(search->out, candidate.data, candidate.length);
        search->length = candidate.length;
    }
}

/* Two words that a known phrase writes as one. */
static size_t try_without_space(const struct query *query, struct slice phrase, char *out)
{
    for (size_t i = 0; i < phrase.length; i++) {
        if (phrase.data[i] == ' ') {
            memcpy(out, phrase.data, i);
            memcpy(out + i, phrase.data + i + 1, phrase.length - i - 1);
            if (is_known(query, slice_of(out, phrase.length - 1))) {
                return phrase.length - 1;
            }
        }
    }
    return 0;
}

/* "iphone14" is "iphone 14". */
static size_t try_space_at_digits(const struct query *query, struct slice phrase, char *out)
{
    for (size_t at = 1; at < phrase.length && phrase.length < PHRASE_FOLD_MAX; at++) {
        const char left = phrase.data[at - 1];
        const char right = phrase.data[at];
        if (left == ' ' || right == ' ' ||
            (left >= '0' && left <= '9') == (right >= '0' && right <= '9')) {
            continue;
        }
        memcpy(out, phrase.data, at);
        out[at] = ' ';
        memcpy(out + at + 1, phrase.data + at, phrase.length - at);
        if (is_known(query, slice_of(out, phrase.length + 1))) {
            return phrase.length + 1;
        }
    }
    return 0;
}

static size_t correct_phrase(const struct query *query, struct slice phrase,
                             const struct word *words, size_t count, char *out)
{
    if (phrase.length < PHRASE_BYTES_MIN || phrase.length > PHRASE_BYTES_MAX) {
        return 0;
    }
    size_t length = try_without_space(query, phrase, out);
    if (length == 0) {
        length = try_space_at_digits(query, phrase, out);
    }
    if (length > 0) {
        return length;
    }
    struct phrase_search search = {
        .query = query, .phrase = phrase, .words = count, .best = INT32_MAX};
    for (size_t i = 0; i < count; i++) {
        if (is_suspicious(&words[i], phrase, count)) {
            search.word = &words[i];
            search.offset = (size_t)(words[i].text.data - phrase.data);
            each_edit(phrase, search.offset, search.offset + words[i].text.length, true, try_phrase,
                      &search);
        }
    }
    memcpy(out, search.out, search.length);
    return search.length;
}

/* ---- a guess ---- */

struct guess_search {
    const struct query *query;
    struct slice phrase;
    int best;
    char out[PHRASE_FOLD_MAX];
    size_t length;
};

/* How rare the rarest word of a known phrase is: the less so, the likelier it was meant. */
static int rarest_word(const struct query *query, struct slice phrase)
{
    int rarest = 0;
    for (struct slice rest = phrase; rest.data != NULL;) {
        const struct slice word = slice_cut(&rest, ' ');
        const int cost = word.length > 0 ? cost_of(query, word, word.data[0]) : INT32_MAX;
        rarest = cost > rarest ? cost : rarest;
    }
    return rarest;
}

static void try_guess(void *context, struct slice candidate)
{
    struct guess_search *search = context;
    if (!is_known(search->query, candidate)) {
        return;
    }
    const bool several = memchr(candidate.data, ' ', candidate.length) != NULL;
    const int penalty = edit_penalty(search->phrase, candidate);
    /* Four letters at random are one replacement from some word or other. */
    if (!several && search->phrase.length < GUESS_BYTES_MIN && penalty > 0) {
        return;
    }
    int cost = rarest_word(search->query, candidate);
    if (cost == INT32_MAX || (!several && cost > GUESS_COST)) {
        return;
    }
    cost += penalty + (candidate.data[0] != search->phrase.data[0] ? FIRST_LETTER_PENALTY : 0);
    if (cost < search->best) {
        search->best = cost;
        memcpy(search->out, candidate.data, candidate.length);
        search->length = candidate.length;
    }
}

size_t spelling_guess(const struct spelling *spelling, struct slice folded, struct slice without,
                      char out[PHRASE_FOLD_MAX])
{
    const struct query query = {spelling, without};
    if (folded.length < 4 || folded.length > PHRASE_BYTES_MAX) {
        return 0;
    }
    for (size_t i = 0; i < folded.length; i++) {
        if ((folded.data[i] < 'a' || folded.data[i] > 'z') && folded.data[i] != ' ') {
            return 0;
        }
    }
    struct guess_search search = {.query = &query, .phrase = folded, .best = INT32_MAX};
    each_edit(folded, 0, folded.length, true, try_guess, &search);
    memcpy(out, search.out, search.length);
    return search.length;
}

/* ---- word by word ---- */

struct word_search {
    const struct query *query;
    const struct word *word;
    int best;      /* the cost of the candidate with ... */
    int best_rank; /* ... the least cost and penalty */
    char out[WORD_BYTES_MAX + 2];
    size_t length;
    uint32_t letters[WORD_BYTES_MAX]; /* two edits only */
};

/* A short word is one edit from so many others that only a frequent one is believed. */
static int cost_allowed(size_t length, bool lone)
{
    static const int allowed[] = {0, 0, 0, 0, 120, 145, 165, 180, 190, 200};
    const int most = allowed[length < ARRAY_COUNT(allowed) ? length : ARRAY_COUNT(allowed) - 1];
    return lone && length < 5 ? 0 : most;
}

static void try_word(void *context, struct slice candidate)
{
    struct word_search *search = context;
    if (candidate.length < 3) {
        return;
    }
    const int cost = cost_of(search->query, candidate, search->word->text.data[0]);
    if (cost == INT32_MAX) {
        return;
    }
    const int rank = cost + edit_penalty(search->word->text, candidate);
    if (rank < search->best_rank) {
        search->best_rank = rank;
        search->best = cost;
        memcpy(search->out, candidate.data, candidate.length);
        search->length = candidate.length;
    }
}

static void try_far_word(void *context, struct slice candidate, uint32_t count)
{
    struct word_search *search = context;
    uint32_t letters[VOCABULARY_LENGTH_MAX];
    (void)count;
    for (size_t i = 0; i < candidate.length; i++) {
        letters[i] = (uint8_t)candidate.data[i];
    }
    if (typo_distance(search->letters, search->word->text.length, letters, candidate.length, 2) <=
            2 &&
        listed_count(search->query, candidate) > 0) {
        try_word(search, candidate);
    }
}

static size_t correct_word(const struct query *query, const struct word *word, bool lone, char *out)
{
    struct word_search search = {
        .query = query, .word = word, .best = INT32_MAX, .best_rank = INT32_MAX};
    const size_t length = word->text.length;
    const bool slip =
        word->step != STEP_UNKNOWN && word->step >= SLIP_STEP && word->listed == 0 && length >= 7;
    if (!word->letters || !(is_unknown(word) || slip) || length < 4 || length > WORD_BYTES_MAX) {
        return 0;
    }
    each_edit(word->text, 0, length, false, try_word, &search);
    if (slip && (search.length == 0 || word->step - search.best < SLIP_RARER)) {
        return 0;
    }
    if (search.best > cost_allowed(length, lone) && length >= TWO_EDITS_BYTES_MIN &&
        length + 2 < VOCABULARY_LENGTH_MAX) {
        search.length = 0;
        search.best = search.best_rank = TWO_EDITS_COST;
        for (size_t i = 0; i < length; i++) {
            search.letters[i] = (uint8_t)word->text.data[i];
        }
        for (size_t l = length - 2; l <= length + 2; l++) {
            vocabulary_each(&query->spelling->vocabulary, word->text.data[0], l, try_far_word,
                            &search);
        }
    }
    if (search.length == 0 || search.best > cost_allowed(length, lone)) {
        return 0;
    }
    memcpy(out, search.out, search.length);
    return search.length;
}

/* ---- words written together ---- */

/* INT32_MAX: not a word that may stand there. */
static int part_cost(const struct query *query, struct slice part)
{
    const int step = step_of(query, part);
    const int allowed = part.length >= 4 ? 185 : part.length == 3 ? 140 : part.length == 2 ? 75 : 0;
    return step <= allowed ? step : INT32_MAX;
}

static size_t with_space(struct slice word, size_t at, char *out)
{
    memcpy(out, word.data, at);
    out[at] = ' ';
    memcpy(out + at + 1, word.data + at, word.length - at);
    return word.length + 1;
}

/* In two; or in three when allowed. *cost: of the rarest part. */
static size_t split(const struct query *query, struct slice word, bool thrice, int *cost, char *out)
{
    size_t length = 0;
    *cost = INT32_MAX;
    for (size_t at = 2; at + 2 <= word.length; at++) {
        const struct slice left = slice_of(word.data, at);
        const struct slice right = slice_of(word.data + at, word.length - at);
        const int left_cost = part_cost(query, left);
        if (left_cost >= *cost) {
            continue;
        }
        int right_cost = part_cost(query, right);
        char rest[WORD_BYTES_MAX + 1];
        size_t rest_length = 0;
        if (right_cost == INT32_MAX && thrice && right.length >= 5) {
            rest_length = split(query, right, false, &right_cost, rest);
        }
        const int both = left_cost > right_cost ? left_cost : right_cost;
        if (both < *cost) {
            *cost = both;
            length = with_space(word, at, out);
            if (rest_length > 0) {
                memcpy(out + at + 1, rest, rest_length);
                length = at + 1 + rest_length;
            }
        }
    }
    return length;
}

static size_t split_word(const struct query *query, const struct word *word, char *out)
{
    int cost;
    if (!word->letters || !is_unknown(word) || word->text.length < SPLIT_BYTES_MIN ||
        word->text.length > WORD_BYTES_MAX) {
        return 0;
    }
    return split(query, word->text, word->text.length >= 9, &cost, out);
}

/* ---- */

size_t spelling_correct(const struct spelling *spelling, struct slice folded, struct slice without,
                        char out[PHRASE_FOLD_MAX])
{
    const struct query query = {spelling, without};
    struct word words[WORDS_MAX];
    size_t count = 0;
    for (struct slice rest = folded; rest.data != NULL;) {
        if (count == WORDS_MAX) {
            return 0;
        }
        words[count++] = look_at(&query, slice_cut(&rest, ' '));
    }
    size_t length = correct_phrase(&query, folded, words, count, out);
    if (length > 0) {
        return length;
    }
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        char better[2 * WORD_BYTES_MAX];
        size_t better_length = correct_word(&query, &words[i], count == 1, better);
        if (better_length == 0) {
            better_length = split_word(&query, &words[i], better);
        }
        const struct slice word =
            better_length > 0 ? slice_of(better, better_length) : words[i].text;
        if (length + (i > 0) + word.length > PHRASE_FOLD_MAX) {
            return 0;
        }
        if (i > 0) {
            out[length++] = ' ';
        }
        memcpy(out + length, word.data, word.length);
        length += word.length;
        changed = changed || better_length > 0;
    }
    return changed ? length : 0;
}
