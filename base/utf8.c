#include "base/utf8.h"

#include "base/bytes.h"

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0u) == 0x80u;
}

/* Table 3-7 of the Unicode Standard: the second byte is what rules out overlong forms and surrogates. */
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

bool utf8_valid(struct slice text, size_t *bad_at)
{
    size_t at = 0;
    while (at < text.length) {
        /* Nearly everything is ASCII: eight bytes at a time. */
        if (text.length - at >= 8 && (load_u64(text.data + at) & 0x8080808080808080u) == 0) {
            at += 8;
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
