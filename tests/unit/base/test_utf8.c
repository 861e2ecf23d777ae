/* Tries bytes that the strides over ASCII could miss: something that is no UTF-8 at every place of
 * every length around the widths of word and stride, and random bytes, against a validator that
 * knows no strides. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "unit/test.h"

static bool valid_by_sequences(struct slice text, size_t *bad_at)
{
    for (size_t at = 0; at < text.length;) {
        size_t length = utf8_sequence_length(text, at);
        if (length == 0) {
            *bad_at = at;
            return false;
        }
        at += length;
    }
    return true;
}

static void compare(struct slice text)
{
    size_t wanted_at = 0, at = 0;
    bool wanted = valid_by_sequences(text, &wanted_at);
    EXPECT(utf8_valid(text, &at) == wanted && (wanted || at == wanted_at),
           "for %zu bytes, bad at %zu and not %zu", text.length, at, wanted_at);
}

static void test_one_sequence_at_every_place(void)
{
    static const char *const sequences[] = {
        "\x80",     "\xFF",         "\xC3\xA9",         "\xC3",         "\xE2\x82\xAC",
        "\xE2\x82", "\xED\xA0\x80", "\xF0\x9F\x98\x80", "\xF0\x9F\x98", "\xC0\xAF"};
    for (size_t length = 1; length <= 100; length++) {
        char *exact = malloc(length); /* exactly its size, so that a read past the end is seen */
        for (size_t place = 0; place < length; place++) {
            for (size_t k = 0; k < sizeof sequences / sizeof sequences[0]; k++) {
                size_t bytes = strlen(sequences[k]);
                memset(exact, 'a', length);
                memcpy(exact + place, sequences[k],
                       bytes < length - place ? bytes : length - place);
                compare(slice_of(exact, length));
            }
        }
        free(exact);
    }
}

static void test_random_bytes(void)
{
    uint64_t state = 88172645463325252u;
    for (int round = 0; round < 200000; round++) {
        char text[96];
        for (size_t i = 0; i < sizeof text; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            /* Mostly ASCII, some lead bytes, some continuation bytes. */
            text[i] = (char)(state % 16 < 14    ? 'a'
                             : state % 16 == 14 ? 0x80 | (state >> 32 & 0x3F)
                                                : 0xC0 | (state >> 32 & 0x3F));
        }
        compare(slice_of(text, state >> 40 & 63));
    }
}

int main(void)
{
    RUN(test_one_sequence_at_every_place);
    RUN(test_random_bytes);
    return test_summary();
}
