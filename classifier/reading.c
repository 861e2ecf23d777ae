/* reading.c: a phrase as it is looked at: folded, hashtags taken apart, spelling corrected. */
#include "model_internal.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* One ASCII word, perhaps behind '#' or '@', with its capitals inside made starts of words:
 * "TaylorSwift", "NFLDraft". Not where one small letter stands alone in front, which is a name
 * ("iPhone", "eBay"). Returns the length; 0: not so. */
static size_t split_capitals(struct slice phrase, char out[2 * PHRASE_FOLD_MAX])
{
    phrase = slice_trim(phrase);
    if (phrase.length > 0 && (phrase.data[0] == '#' || phrase.data[0] == '@')) {
        phrase = slice_of(phrase.data + 1, phrase.length - 1);
    }
    if (phrase.length < 4 || phrase.length > PHRASE_FOLD_MAX) {
        return 0;
    }
    size_t length = 0;
    bool split = false;
    for (size_t i = 0; i < phrase.length; i++) {
        const char c = phrase.data[i];
        if (!is_lower(c) && !is_upper(c) && !(c >= '0' && c <= '9')) {
            return 0;
        }
        const bool behind_word = i >= 2 && is_upper(c) && !is_upper(phrase.data[i - 1]);
        const bool behind_capitals = i >= 2 && i + 1 < phrase.length && is_upper(c) &&
                                     is_upper(phrase.data[i - 1]) && is_lower(phrase.data[i + 1]);
        if (behind_word || behind_capitals) {
            out[length++] = ' ';
            split = true;
        }
        out[length++] = c;
    }
    return split ? length : 0;
}

static void set_text(struct reading *reading, struct slice text)
{
    memmove(reading->text, text.data, text.length);
    reading->length = text.length;
}

/* Known phrases stay whole, and so do words ("McDonalds") unless what they fall into is a known
 * phrase. */
static void take_apart(const struct model *model, struct slice phrase, struct reading *reading)
{
    char spaced[2 * PHRASE_FOLD_MAX];
    char folded[PHRASE_FOLD_MAX];
    const size_t length = split_capitals(phrase, spaced);
    if (length == 0) {
        return;
    }
    const struct slice whole = slice_of(reading->text, reading->length);
    const struct slice parts = slice_of(folded, phrase_fold(slice_of(spaced, length), folded));
    if (known_topics(&model->known, parts) != 0 ||
        hash_table_find(&model->words.table, whole) == TABLE_NONE) {
        set_text(reading, parts);
        reading->corrected = true;
    }
}

void model_read(const struct model *model, struct slice phrase, struct reading *out)
{
    out->corrected = false;
    out->trust = 1;
    out->topics = 0;
    out->length = phrase_fold(phrase, out->text);
    if (out->length == 0) {
        return;
    }
    out->topics = known_topics(&model->known, slice_of(out->text, out->length));
    if (out->topics == 0) {
        take_apart(model, phrase, out);
        out->topics = known_topics(&model->known, slice_of(out->text, out->length));
    }
    if (out->topics == 0) {
        char better[PHRASE_FOLD_MAX];
        const size_t length = spelling_correct(&model->spelling, slice_of(out->text, out->length),
                                               SLICE_NONE, better);
        if (length > 0) {
            set_text(out, slice_of(better, length));
            out->corrected = true;
            out->topics = known_topics(&model->known, slice_of(out->text, out->length));
        }
    }
}
