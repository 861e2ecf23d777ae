/* text.h: one form for every text: NFC, trimmed, without control characters.
 *
 * Input is valid UTF-8 (the parsers checked). ASCII and letters below U+0300, which are their own
 * NFC, are handled without touching Unicode tables and, when nothing has to change, without a copy.
 *
 * White space is what Unicode calls White_Space. Control characters (Cc), the byte order mark, soft
 * hyphen and zero-width space and joiner marks that cannot be seen are dropped from texts; an
 * identifier that has one inside is refused instead (text_has_invisible).
 *
 * Threading: any. Failure: ERR_MEMORY only. */
#ifndef KINDRED_INGEST_TEXT_H
#define KINDRED_INGEST_TEXT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "words.h"

/* A rarer way out of a function that is called for every value. Drawn in, its frame would be paid
 * for with every call. */
#define OUTLINED __attribute__((noinline))

enum text_style {
    TEXT_PLAIN = 0,    /* inner white space as it is (line breaks and tabs become blanks) */
    TEXT_COLLAPSE = 1, /* inner white space single */
};

/* *out is borrowed from `arena` or from `in`; empty when nothing is left. */
err text_clean(struct arena *arena, struct slice in, enum text_style style,
               struct slice *out) MUST_USE;

/* A control or zero-width character anywhere (white space at the ends has been trimmed before). */
bool text_has_invisible(struct slice text);

/* ---- the quick way for the plain texts that most texts are ---- */

/* Words that share a byte see each pair of neighbours: hence the steps of seven below. In a short
 * text (word_of_few) bytes may look like neighbours that are not, which only costs the slow way. */
static inline uint64_t text_word_not_plain(uint64_t word)
{
    return word_unprintable(word) | word_blank_pair(word);
}

/* True for printable ASCII without two blanks side by side: then text_trim_blanks is all that
 * cleaning does, in either style, and nothing is invisible. False says nothing: the exact rules
 * decide. */
static inline bool text_is_plain(struct slice text)
{
    if (text.length < 8) {
        return text.length == 0 || text_word_not_plain(word_of_few(text.data, text.length)) == 0;
    }
    uint64_t found = text_word_not_plain(load_u64(text.data + text.length - 8));
    for (size_t i = 0; i + 8 < text.length; i += 7) {
        found |= text_word_not_plain(load_u64(text.data + i));
    }
    return found == 0;
}

static inline struct slice text_trim_blanks(struct slice text)
{
    while (text.length > 0 && text.data[0] == ' ') {
        text.data++;
        text.length--;
    }
    while (text.length > 0 && text.data[text.length - 1] == ' ') {
        text.length--;
    }
    return text;
}

bool text_is_ascii(struct slice text);

/* Simple lower-case per code point, no locale; then NFC again. `in` is clean. */
err text_lower(struct arena *arena, struct slice in, struct slice *out) MUST_USE;
err text_upper(struct arena *arena, struct slice in, struct slice *out) MUST_USE;
/* The first letter of each word upper-case, the others lower-case; words end at white space,
 * hyphen, apostrophe. */
err text_title(struct arena *arena, struct slice in, struct slice *out) MUST_USE;
/* Full case folding (Unicode CaseFolding.txt), for comparing without case. */
err text_case_fold(struct arena *arena, struct slice in, struct slice *out) MUST_USE;

/* The prefix of at most `max` bytes that ends between characters. */
struct slice text_cut(struct slice text, size_t max);

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool ascii_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline char ascii_to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

#endif
