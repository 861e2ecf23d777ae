#include "base/utf8.h"

#include "base/bytes.h"

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0u) == 0x80u;
}

/* Table 3-7 of the Unicode Standard: the second byte is what rules out overlong forms and
 * surrogates. */
size_t utf8_sequence_length(struct slice text, size_t at)
{
    const unsigned char *p = (const unsigned char *)text.data + at;
    size_t left = text.length - at;
    unsigned char lead = p[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    if (lead < 0xE0) {
        return left >= 2 && is_continuation(p[1]) ? 2 : 0;
    }
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (left < 3 || p[1] < low || p[1] > high || !is_continuation(p[2])) {
        return 0;
    }
    if (lead < 0xF0) {
        return 3;
    }
    return left >= 4 && is_continuation(p[3]) ? 4 : 0;
}

enum { WORD_BYTES = 8, STRIDE_BYTES = 4 * WORD_BYTES };

/* How many bytes of ASCII there are for sure at p, of which the first one is: a stride, a word, or
 * that one. */
static size_t ascii_run(const char *p, size_t left)
{
    const uint64_t highs = UINT64_C(0x8080808080808080);
    if (left >= STRIDE_BYTES && ((load_u64(p) | load_u64(p + WORD_BYTES) |
                                  load_u64(p + 2 * WORD_BYTES) | load_u64(p + 3 * WORD_BYTES)) &
                                 highs) == 0) {
        return STRIDE_BYTES;
    }
    return left >= WORD_BYTES && (load_u64(p) & highs) == 0 ? WORD_BYTES : 1;
}

/* Sequence by sequence. Nearly everything is ASCII, each of whose bytes is a sequence: of those,
 * many at a time. */
bool utf8_valid(struct slice text, size_t *bad_at)
{
    size_t at = 0;
    while (at < text.length) {
        if ((unsigned char)text.data[at] < 0x80) {
            at += ascii_run(text.data + at, text.length - at);
            continue;
        }
        size_t length = utf8_sequence_length(text, at);
        if (length == 0) {
            if (bad_at != NULL) {
                *bad_at = at;
            }
            return false;
        }
        at += length;
    }
    return true;
}
