/* words.h: eight bytes of text at a time, in one register.
 *
 * Most texts are short plain ASCII; to see that of a word of eight bytes takes hardly longer than
 * to look at one byte. Each function answers whether there is such a byte in the word, and not
 * which: its sum or difference may carry into the next byte, but only from a byte that has been
 * found itself, so a yes stays a yes and a no has carried nothing.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_WORDS_H
#define KINDRED_INGEST_WORDS_H

#include "base/bytes.h"

#define WORD_ONES  UINT64_C(0x0101010101010101)
#define WORD_HIGHS UINT64_C(0x8080808080808080)

/* Not 0 when a byte is no printable ASCII: below 0x20 (the difference borrows), 0x7F (the sum
 * reaches 0x80), 0x80 and above. */
static inline uint64_t word_unprintable(uint64_t word)
{
    return (word | (word + WORD_ONES) | (word - WORD_ONES * 0x20)) & WORD_HIGHS;
}

/* Not 0 when two blanks stand side by side in a word of printable ASCII. Also for " !", whose blank
 * borrows from the '!'. */
static inline uint64_t word_blank_pair(uint64_t word)
{
    uint64_t blanks = ((word ^ WORD_ONES * ' ') - WORD_ONES) & WORD_HIGHS;
    return blanks & blanks >> 8;
}

/* Not 0 when a byte is a capital ASCII letter or no ASCII. */
static inline uint64_t word_not_lower(uint64_t word)
{
    uint64_t from_a = word + WORD_ONES * (0x80 - 'A');
    uint64_t beyond_z = word + WORD_ONES * (0x80 - 'Z' - 1);
    return (word | (from_a & ~beyond_z)) & WORD_HIGHS;
}

/* A text of 1 to 7 bytes as a word. Places that are left over repeat bytes of the text or hold 'a':
 * all its bytes are there, not each where it was. */
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
