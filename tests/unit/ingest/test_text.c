/* Tries texts at which the ways by eight bytes could differ from the rules: every byte at every
 * place of every short length, blanks side by side across the seams of words, capitals anywhere.
 * The rules are written out here byte by byte. */
#include "support.h"
#include "text.h"
#include "words.h"

/* What text_is_plain promises; it may say no to a plain text, never yes to another. */
static bool plain_by_rule(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x7F || (c == ' ' && i + 1 < length && text[i + 1] == ' ')) {
            return false;
        }
    }
    return true;
}

static void test_plain_is_never_said_of_another(void)
{
    char text[40];
    for (size_t length = 0; length <= sizeof text; length++) {
        for (size_t place = 0; place < length; place++) {
            memset(text, 'a', sizeof text);
            EXPECT(text_is_plain(slice_of(text, length)), "for %zu letters", length);
            for (unsigned value = 0; value < 256; value++) {
                text[place] = (char)value;
                EXPECT(plain_by_rule(text, length) || !text_is_plain(slice_of(text, length)),
                       "for byte %u at %zu of %zu", value, place, length);
            }
            for (size_t other = place + 1; other < length; other++) {
                memset(text, 'a', sizeof text);
                text[place] = text[other] = ' ';
                EXPECT(other > place + 1 || !text_is_plain(slice_of(text, length)),
                       "for blanks at %zu of %zu", place, length);
            }
        }
    }
    EXPECT(text_is_plain(SLICE_NONE) && text_is_plain(SLICE_LITERAL("Bachelor's Degree")));
}

/* Cleaning what is plain and what is not gives what the rules for ASCII say: blanks trimmed and
 * single, control characters gone. */
static void test_clean_ascii(void)
{
    struct arena arena;
    arena_init(&arena, 1u << 20);
    static const char alphabet[] = "ab \t\n\x01\x7F!";
    uint64_t state = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        char text[24], wanted[24];
        size_t length = 0, kept = 0;
        for (size_t i = 0; i < sizeof text; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            text[i] = alphabet[state % (round % 2 == 0 ? 3 : sizeof alphabet - 1)];
        }
        length = state >> 32 & 15;
        for (size_t i = 0; i < length; i++) {
            bool blank = text[i] == ' ' || text[i] == '\t' || text[i] == '\n';
            if (blank ? kept > 0 && wanted[kept - 1] != ' ' : text[i] >= ' ' && text[i] != 0x7F) {
                wanted[kept++] = blank ? ' ' : text[i];
            }
        }
        kept -= kept > 0 && wanted[kept - 1] == ' ';
        struct slice out;
        arena_reset(&arena);
        EXPECT(text_clean(&arena, slice_of(text, length), TEXT_COLLAPSE, &out) == ERR_OK);
        EXPECT(slice_equal(out, slice_of(wanted, kept)), "for %.*s", (int)length, text);
    }
    arena_deinit(&arena);
}

static void test_lower_at_every_place(void)
{
    struct arena arena;
    arena_init(&arena, 1u << 20);
    for (size_t length = 1; length <= 20; length++) {
        for (size_t place = 0; place < length; place++) {
            for (int value = 1; value < 0x80; value++) {
                char text[20], wanted[20];
                memset(text, 'z', sizeof text);
                text[place] = (char)value;
                memcpy(wanted, text, sizeof text);
                wanted[place] = (char)(value >= 'A' && value <= 'Z' ? value + 32 : value);
                struct slice lower, fold;
                arena_reset(&arena);
                EXPECT(text_lower(&arena, slice_of(text, length), &lower) == ERR_OK);
                EXPECT(text_case_fold(&arena, slice_of(text, length), &fold) == ERR_OK);
                EXPECT(slice_equal(lower, slice_of(wanted, length)), "for byte %d at %zu of %zu",
                       value, place, length);
                EXPECT(slice_equal(fold, lower), "for byte %d at %zu of %zu", value, place, length);
            }
        }
    }
    arena_deinit(&arena);
}

/* A letter beyond ASCII anywhere takes the way of the tables. */
static void test_lower_beyond_ascii(void)
{
    struct arena arena;
    arena_init(&arena, 1u << 20);
    for (size_t before = 0; before < 20; before++) {
        char text[24];
        struct slice out;
        memset(text, 'x', sizeof text);
        memcpy(text + before, "\xC3\x89", 2); /* É */
        EXPECT(text_lower(&arena, slice_of(text, before + 3), &out) == ERR_OK);
        EXPECT(out.length == before + 3 && memcmp(out.data + before, "\xC3\xA9", 2) == 0,
               "behind %zu", before);
        EXPECT(!text_is_plain(slice_of(text, before + 3)));
    }
    arena_deinit(&arena);
}

int main(void)
{
    RUN(test_plain_is_never_said_of_another);
    RUN(test_clean_ascii);
    RUN(test_lower_at_every_place);
    RUN(test_lower_beyond_ascii);
    return test_summary();
}
