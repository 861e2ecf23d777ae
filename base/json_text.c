/* json_text.c: sixteen bytes at a time: nearly every text can stand between quotes as it is, so it
 * is copied and looked at in one go, and only where a block holds something else do its bytes go
 * one by one. */
#include "base/json_text.h"

#include "base/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BLOCK_BYTES = 16 };

/* ---- is there anything to escape? ---- */

#if defined(__SSE2__)

/* Printable ASCII but for the quote and the backslash. Adding 0x60 puts 0x20 to 0x7E at the bottom
 * of the signed bytes. */
static inline bool is_plain(__m128i block)
{
    const __m128i shifted = _mm_add_epi8(block, _mm_set1_epi8(0x60));
    const __m128i outside = _mm_cmpgt_epi8(shifted, _mm_set1_epi8((char)(0x7E + 0x60)));
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    return _mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(quote, backslash))) == 0;
}

static inline bool are_plain(uint64_t first, uint64_t second)
{
    return is_plain(_mm_set_epi64x((long long)second, (long long)first));
}

/* Copied whether plain or not. */
static inline bool copy_block(char *to, const char *from)
{
    __m128i block;
    memcpy(&block, from, sizeof block);
    memcpy(to, &block, sizeof block);
    return is_plain(block);
}

#else

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Nonzero when one of the eight bytes is 0. Behind such a byte it may say so of a 1 (Warren,
 * Hacker's Delight, 6-1). */
static inline uint64_t any_zero(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* Nonzero when one of the eight bytes is none of ASCII's printable ones, a quote or a backslash. */
static inline uint64_t any_special(uint64_t word)
{
    uint64_t below_space = (word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80);
    return (word & EACH_BYTE(0x80)) | below_space | any_zero(word ^ EACH_BYTE('"')) |
           any_zero(word ^ EACH_BYTE('\\')) | any_zero(word ^ EACH_BYTE(0x7F));
}

static inline bool are_plain(uint64_t first, uint64_t second)
{
    return (any_special(first) | any_special(second)) == 0;
}

static inline bool copy_block(char *to, const char *from)
{
    uint64_t words[2];
    memcpy(words, from, sizeof words);
    memcpy(to, words, sizeof words);
    return are_plain(words[0], words[1]);
}

#endif

/* Fewer than BLOCK_BYTES, by pieces of fixed sizes that overlap: no loop, and nothing outside of
 * the text is touched. */
static inline bool copy_few(char *to, const char *from, size_t length)
{
    if (length >= 8) {
        uint64_t first, last;
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + length - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + length - sizeof last, &last, sizeof last);
        return are_plain(first, last);
    }
    if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, from, sizeof first);
        memcpy(&last, from + length - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + length - sizeof last, &last, sizeof last);
        uint64_t both = (uint64_t)last << 32 | first;
        return are_plain(both, both);
    }
    if (length == 0) {
        return true;
    }
    uint64_t first = (uint8_t)(to[0] = from[0]);
    uint64_t middle = (uint8_t)(to[length / 2] = from[length / 2]);
    uint64_t last = (uint8_t)(to[length - 1] = from[length - 1]);
    uint64_t all = first | middle << 8 | last << 16 | UINT64_C(0x2020202020000000);
    return are_plain(all, all);
}

/* ---- one by one ---- */

static char *escape_ascii(char *to, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    switch (c) {
    case '"':
    case '\\': *to++ = (char)c; break;
    case '\b': *to++ = 'b'; break;
    case '\f': *to++ = 'f'; break;
    case '\n': *to++ = 'n'; break;
    case '\r': *to++ = 'r'; break;
    case '\t': *to++ = 't'; break;
    default:
        memcpy(to, "u00", 3);
        to[3] = hex[c >> 4];
        to[4] = hex[c & 15];
        to += 5;
    }
    return to;
}

/* The character at `*at`, which moves on behind it. */
static char *escape_one(char *to, struct slice text, size_t *at)
{
    unsigned char c = (unsigned char)text.data[*at];
    if (c >= 0x80) {
        size_t sequence = utf8_sequence_length(text, *at);
        memcpy(to, sequence > 0 ? text.data + *at : "\xEF\xBF\xBD", sequence > 0 ? sequence : 3);
        *at += sequence > 0 ? sequence : 1;
        return to + (sequence > 0 ? sequence : 3);
    }
    ++*at;
    if (c < 0x20 || c == '"' || c == '\\' || c == 0x7F) {
        return escape_ascii(to, c);
    }
    *to = (char)c;
    return to + 1;
}

/* Room for six bytes a character covers the copied block, also where it was copied in vain. */
static char *escape_slowly(char *to, struct slice text)
{
    size_t at = 0;
    while (at < text.length) {
        size_t left = text.length - at;
        if (left >= BLOCK_BYTES && copy_block(to, text.data + at)) {
            to += BLOCK_BYTES;
            at += BLOCK_BYTES;
            continue;
        }
        size_t stop = left > BLOCK_BYTES ? at + BLOCK_BYTES : text.length;
        while (at < stop) {
            to = escape_one(to, text, &at);
        }
    }
    return to;
}

char *json_escape(char *to, struct slice text)
{
    if (text.length < BLOCK_BYTES) {
        return copy_few(to, text.data, text.length) ? to + text.length : escape_slowly(to, text);
    }
    size_t at = 0;
    for (; text.length - at >= BLOCK_BYTES; at += BLOCK_BYTES) {
        if (!copy_block(to + at, text.data + at)) {
            return escape_slowly(to + at, slice_of(text.data + at, text.length - at));
        }
    }
    /* The last block overlaps the one before it, which was plain. */
    size_t last = text.length - BLOCK_BYTES;
    if (at < text.length && !copy_block(to + last, text.data + last)) {
        return escape_slowly(to + at, slice_of(text.data + at, text.length - at));
    }
    return to + text.length;
}

/* ---- numbers ---- */

char *json_digits(char *to, uint64_t value)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    if (value < 10) {
        *to = (char)('0' + value);
        return to + 1;
    }
    if (value < 100) {
        memcpy(to, pairs + value * 2, 2);
        return to + 2;
    }
    char digits[JSON_U64_MAX];
    size_t at = sizeof digits;
    while (value >= 100) {
        at -= 2;
        memcpy(digits + at, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + value * 2, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    memcpy(to, digits + at, sizeof digits - at);
    return to + sizeof digits - at;
}
