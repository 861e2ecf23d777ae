#include "classifier/fold.h"

#include <utf8proc.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "fold_internal.h"

/* Where the folded bytes go. A space is owed until the next word begins, so that none stands at the
 * ends. */
struct fold_out {
    char *out;
    size_t length;
    size_t word_bytes; /* of the word being written */
    bool space_owed;
    bool keep_stars;
    bool cut;
};

static void put_space(struct fold_out *to)
{
    to->space_owed = to->length > 0;
    to->word_bytes = 0;
}

static void put_bytes(struct fold_out *to, const void *bytes, size_t length)
{
    if (to->cut || to->length + to->space_owed + length > PHRASE_FOLD_MAX) {
        to->cut = true;
        return;
    }
    if (to->space_owed) {
        to->out[to->length++] = ' ';
        to->space_owed = false;
    }
    memcpy(to->out + to->length, bytes, length);
    to->length += length;
    to->word_bytes += length;
}

static void put_word(struct fold_out *to, const char *word)
{
    put_space(to);
    /* A word that does not fit is left out whole, as a character would be. */
    if (to->length + 1 + strlen(word) > PHRASE_FOLD_MAX) {
        to->cut = true;
        return;
    }
    put_bytes(to, word, strlen(word));
    put_space(to);
}

static void put_ascii(struct fold_out *to, unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        c = (unsigned char)(c + ('a' - 'A'));
    }
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
        put_bytes(to, &c, 1);
    } else if (c == '\'' || c == '`') {
        return;
    } else if (c == '*' && to->keep_stars) {
        /* "**" says what "*" says. */
        if (to->length == 0 || to->space_owed || to->out[to->length - 1] != '*') {
            put_bytes(to, &c, 1);
        }
        to->word_bytes = 0;
    } else if (c == '&') {
        put_word(to, "and");
    } else if (c == '+' && to->length > 0 && !to->space_owed) {
        put_word(to, "plus");
    } else if (c == '+' && to->length >= 5 && memcmp(to->out + to->length - 5, " plus", 5) == 0) {
        put_word(to, "plus"); /* the second one of "C++" */
    } else if (c == '#' && to->word_bytes == 1 && to->out[to->length - 1] > '9') {
        put_word(to, "sharp");
    } else {
        put_space(to);
    }
}

/* Letters that Unicode does not take apart but a keyboard without them writes like this. */
static const char *plain_spelling(uint32_t c)
{
    switch (c) {
    case 0x00E6: return "ae"; /* æ */
    case 0x00F8: return "o";  /* ø */
    case 0x00F0: return "d";  /* ð */
    case 0x00FE: return "th"; /* þ */
    case 0x0111: return "d";  /* đ */
    case 0x0127: return "h";  /* ħ */
    case 0x0131: return "i";  /* ı */
    case 0x0142: return "l";  /* ł */
    case 0x0153: return "oe"; /* œ */
    case 0x0167: return "t";  /* ŧ */
    default: return NULL;
    }
}

static bool is_accent(uint32_t c)
{
    return (c >= 0x0300 && c <= 0x036F) || (c >= 0x1AB0 && c <= 0x1AFF) ||
           (c >= 0x1DC0 && c <= 0x1DFF) || (c >= 0x20D0 && c <= 0x20FF) ||
           (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xFE20 && c <= 0xFE2F);
}

static bool is_word_character(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN: /* vowel signs of Indic scripts; accents are gone by now */
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    case UTF8PROC_CATEGORY_SO: return c >= 0x2300; /* emoji; not ©, ° and the like */
    default: return false;
    }
}

static void put_character(struct fold_out *to, uint32_t c)
{
    if (c < 0x80) {
        put_ascii(to, (unsigned char)c);
    } else if (is_accent(c) || c == 0x2019 || c == 0x02BC || c == 0x200D || c == 0x00AD) {
        return; /* accents, apostrophes, joiner, soft hyphen */
    } else if (plain_spelling(c) != NULL) {
        put_bytes(to, plain_spelling(c), strlen(plain_spelling(c)));
    } else if (is_word_character(c)) {
        utf8proc_uint8_t bytes[4];
        put_bytes(to, bytes, (size_t)utf8proc_encode_char((utf8proc_int32_t)c, bytes));
    } else {
        put_space(to);
    }
}

/* Decomposes one character and folds its parts. Returns how many bytes of the text it took. */
static size_t put_sequence(struct fold_out *to, struct slice text, size_t at)
{
    size_t length = utf8_sequence_length(text, at);
    if (length == 0) {
        put_space(to);
        return 1;
    }
    utf8proc_int32_t c = 0;
    (void)utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)length, &c);
    if (c == 0x2122 || c == 0x2120) {
        return length; /* ™ and ℠ would turn into letters */
    }
    utf8proc_int32_t parts[32];
    int boundary = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(
        c, parts, (utf8proc_ssize_t)ARRAY_COUNT(parts),
        UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE, &boundary);
    if (count < 0 || (size_t)count > ARRAY_COUNT(parts)) {
        put_space(to);
        return length;
    }
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        put_character(to, (uint32_t)parts[i]);
    }
    return length;
}

/* Letters and digits of one ASCII word, which is nearly all that ever comes. Returns where it
 * stopped. */
static size_t fold_run(struct fold_out *to, struct slice text, size_t at)
{
    char *out = to->out + to->length;
    const char *const end = to->out + PHRASE_FOLD_MAX;
    const size_t begin = at;
    if (to->space_owed) {
        return at;
    }
    while (at < text.length && out < end) {
        unsigned char c = (unsigned char)text.data[at];
        const unsigned char lower = c | 0x20;
        if (lower >= 'a' && lower <= 'z') {
            c = lower;
        } else if (c < '0' || c > '9') {
            break;
        }
        *out++ = (char)c;
        at++;
    }
    to->length += at - begin;
    to->word_bytes += at - begin;
    return at;
}

static void fold(struct fold_out *to, struct slice text)
{
    for (size_t i = 0; i < text.length && !to->cut;) {
        i = fold_run(to, text, i);
        if (i == text.length) {
            break;
        }
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x80) {
            put_ascii(to, c);
            i++;
        } else {
            i += put_sequence(to, text, i);
        }
    }
}

size_t phrase_fold(struct slice phrase, char out[PHRASE_FOLD_MAX])
{
    struct fold_out to = {.out = out};
    fold(&to, phrase);
    return to.length;
}

size_t pattern_fold(struct slice pattern, char out[PHRASE_FOLD_MAX], bool *whole)
{
    struct fold_out to = {.out = out, .keep_stars = true};
    fold(&to, pattern);
    *whole = !to.cut;
    return to.length;
}

size_t fold_characters(struct slice folded, uint32_t *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < folded.length && count < max;) {
        unsigned char c = (unsigned char)folded.data[i];
        if (c < 0x80) {
            out[count++] = c;
            i++;
            continue;
        }
        utf8proc_int32_t wide = 0;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)folded.data + i,
                                                   (utf8proc_ssize_t)(folded.length - i), &wide);
        CHECK(length > 0);
        out[count++] = (uint32_t)wide;
        i += (size_t)length;
    }
    return count;
}

uint64_t phrase_fold_key(struct slice phrase)
{
    char folded[PHRASE_FOLD_MAX];
    size_t length = phrase_fold(phrase, folded);
    return length > 0 ? hash64(slice_of(folded, length), 0) : hash64(phrase, 1);
}

/* ---- case only ---- */

static size_t fold_case_of(struct slice text, size_t at, char *out, size_t room, size_t *taken)
{
    size_t length = utf8_sequence_length(text, at);
    *taken = length > 0 ? length : 1;
    if (length == 0) {
        if (room > 0) {
            out[0] = ' ';
        }
        return 1;
    }
    utf8proc_int32_t c = 0;
    (void)utf8proc_iterate((const utf8proc_uint8_t *)text.data + at, (utf8proc_ssize_t)length, &c);
    utf8proc_int32_t parts[8];
    int boundary = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(c, parts, (utf8proc_ssize_t)ARRAY_COUNT(parts),
                                                     UTF8PROC_CASEFOLD, &boundary);
    size_t written = 0;
    for (utf8proc_ssize_t i = 0; i < count && (size_t)count <= ARRAY_COUNT(parts); i++) {
        utf8proc_uint8_t bytes[4];
        size_t part = (size_t)utf8proc_encode_char(parts[i], bytes);
        if (written + part <= room) {
            memcpy(out + written, bytes, part);
        }
        written += part;
    }
    return written;
}

size_t text_fold(struct slice text, char out[TEXT_FOLD_MAX])
{
    size_t length = 0;
    for (size_t i = 0; i < text.length && length < TEXT_FOLD_MAX;) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x80) {
            out[length++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
            i++;
            continue;
        }
        size_t taken = 0;
        size_t written = fold_case_of(text, i, out + length, TEXT_FOLD_MAX - length, &taken);
        if (length + written > TEXT_FOLD_MAX) {
            break;
        }
        length += written;
        i += taken;
    }
    return length;
}

bool text_fold_equal(struct slice text, struct slice folded)
{
    /* As long as both are ASCII, byte by byte. */
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80) {
            char out[TEXT_FOLD_MAX];
            return slice_equal(slice_of(out, text_fold(text, out)), folded);
        }
        c = (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        if (i >= folded.length || c != (unsigned char)folded.data[i]) {
            return false;
        }
    }
    return text.length == folded.length;
}
