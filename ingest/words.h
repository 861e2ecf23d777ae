/* words.h: eight bytes of text at a time, in one register.
 *
 * Most texts are short plain ASCII; to see that of a word of eight bytes takes as long as to look at one byte. Each
 * function answers for all bytes of the word: the high bit of a byte says yes, its other bits are clear. No sum carries from
 * one byte into the next, so each answer is exact; two of them ask for ASCII to keep it so.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_WORDS_H
#define KINDRED_INGEST_WORDS_H

#include "base/bytes.h"

#define WORD_ONES  UINT64_C(0x0101010101010101)
#define WORD_HIGHS UINT64_C(0x8080808080808080)

/* Bytes that are no printable ASCII: below 0x20, 0x7F, and 0x80 and above. */
static inline uint64_t word_unprintable(uint64_t word)
{
    uint64_t low = word & ~WORD_HIGHS; /* at most 0x7F: adding up to 0x80 stays inside the byte */
    uint64_t from_20 = low + WORD_ONES * (0x80 - 0x20);
    uint64_t is_7f = low + WORD_ONES;
    return (word | ~from_20 | is_7f) & WORD_HIGHS;
}

/* Bytes that are `c`, in a word of ASCII. */
static inline uint64_t word_equal(uint64_t word, unsigned char c)
{
    uint64_t differs = (word ^ WORD_ONES * c) + (WORD_HIGHS - WORD_ONES);
    return ~differs & WORD_HIGHS;
}

/* Bytes from A to Z, in a word of ASCII. */
static inline uint64_t word_capital(uint64_t word)
{
    uint64_t from_a = word + WORD_ONES * (0x80 - 'A');
    uint64_t beyond_z = word + WORD_ONES * (0x80 - 'Z' - 1);
    return from_a & ~beyond_z & WORD_HIGHS;
}

/* A text of 1 to 7 bytes as a word. Places that are left over repeat bytes of the text or hold 'a'; where a byte stands
 * is therefore not known, only which bytes there are. */
static inline uint64_t word_of_few(const char *data, size_t length)
{
    if (length >= 4) {
        return load_u32(data) | (uint64_t)load_u32(data + length - 4) << 32;
    }
    uint64_t word = UINT64_C(0x6161616161000000);
    word |= (unsigned char)data[0];
    word |= (uint64_t)(unsigned char)data[length / 2] << 8;
    return word | (uint64_t)(unsigned char)data[length - 1] << 16;
}

#endif
