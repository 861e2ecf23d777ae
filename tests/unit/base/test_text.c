/* Tries to break: UTF-8 that looks valid and is not, JSON output from hostile text, error messages
 * cut inside a character, checksums against their published vectors, timestamps before 1970. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/json_text.h"
#include "base/json_writer.h"
#include "base/utf8.h"
#include "unit/test.h"

static void test_utf8_refuses_overlong_surrogates_and_cut_sequences(void)
{
    static const char *const bad[] = {
        "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80",
        "\xE2\x82", "\x80",         "abcdefgh\xFF", "\xF0\x8F\xBF\xBF"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        EXPECT(!utf8_valid(slice_from_cstr(bad[i]), NULL), " for case %zu", i);
    }
    static const char *const good[] = {"",
                                       "plain",
                                       "\xC3\xA9",
                                       "\xE2\x82\xAC",
                                       "\xF0\x9F\x8F\x8F",
                                       "\xEF\xBF\xBF",
                                       "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        EXPECT(utf8_valid(slice_from_cstr(good[i]), NULL), " for case %zu", i);
    }
    size_t at = 0;
    EXPECT(!utf8_valid(SLICE_LITERAL("0123456789\xC3("), &at) && at == 10);
}

static struct slice written(struct buffer *out, struct slice text)
{
    buffer_clear(out);
    struct json_writer json = json_writer_of(out);
    json_string(&json, text);
    return buffer_slice(out);
}

static void test_json_strings_are_always_valid(void)
{
    struct buffer out;
    buffer_init(&out, 4096);
    EXPECT(slice_equal_cstr(written(&out, SLICE_LITERAL("a\"\\\n\t\x01/")),
                            "\"a\\\"\\\\\\n\\t\\u0001/\""));
    EXPECT(slice_equal_cstr(written(&out, slice_of("x\0y", 3)), "\"x\\u0000y\""));
    EXPECT(slice_equal_cstr(written(&out, SLICE_LITERAL("ok \xC3\xA9 bad \xFF end")),
                            "\"ok \xC3\xA9 bad \xEF\xBF\xBD end\""));
    EXPECT(slice_equal_cstr(written(&out, SLICE_LITERAL("cut \xE2\x82")),
                            "\"cut \xEF\xBF\xBD\xEF\xBF\xBD\""));
    buffer_deinit(&out);
}

/* The fast path looks at sixteen bytes at a time: every byte value at every place of every length
 * up to three blocks. */
static void test_json_strings_escape_at_every_place(void)
{
    struct buffer out;
    buffer_init(&out, 4096);
    for (size_t length = 1; length <= 48; length++) {
        for (size_t place = 0; place < length; place++) {
            for (unsigned value = 0; value < 0x80; value++) {
                char text[48];
                char wanted[64] = "\"";
                memset(text, 'a', sizeof text);
                text[place] = (char)value;
                size_t at = 1 + place;
                memset(wanted + 1, 'a', place);
                if (value == '"' || value == '\\') {
                    at += (size_t)snprintf(wanted + at, 4, "\\%c", (int)value);
                } else if (value >= 0x20 && value != 0x7F) {
                    wanted[at++] = (char)value;
                } else {
                    const char *named = value == 8    ? "\\b"
                                        : value == 9  ? "\\t"
                                        : value == 10 ? "\\n"
                                        : value == 12 ? "\\f"
                                        : value == 13 ? "\\r"
                                                      : NULL;
                    at += named != NULL ? (size_t)snprintf(wanted + at, 8, "%s", named)
                                        : (size_t)snprintf(wanted + at, 8, "\\u%04x", value);
                }
                memset(wanted + at, 'a', length - place - 1);
                at += length - place - 1;
                wanted[at++] = '"';
                struct slice got = written(&out, slice_of(text, length));
                EXPECT(slice_equal(got, slice_of(wanted, at)), ": %.*s", SLICE_ARGS(got));
            }
        }
    }
    buffer_deinit(&out);
}

/* In a buffer without room texts go piece by piece: no character may be cut, whatever lies where a
 * piece would end. */
static void test_json_strings_without_room(void)
{
    static const char *const characters[] = {"a",  "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8F\x8F",
                                             "\n", "\xFF",     "\xE2\x82"};
    struct buffer roomy;
    buffer_init(&roomy, 64 * 1024);
    struct slice wanted = written(&roomy, SLICE_NONE);
    EXPECT(slice_equal_cstr(wanted, "\"\""));
    char *room = buffer_reserve(&roomy, 32 * 1024);
    EXPECT(room != NULL);
    for (size_t kind = 0; kind < ARRAY_COUNT(characters); kind++) {
        for (size_t lead = 0; lead < 8; lead++) {
            char text[1100];
            size_t length = lead;
            memset(text, 'x', lead);
            while (length < 1000) {
                memcpy(text + length, characters[kind], strlen(characters[kind]));
                length += strlen(characters[kind]);
            }
            struct buffer bare;
            buffer_init(&bare, 64 * 1024);
            wanted = written(&roomy, slice_of(text, length));
            EXPECT(slice_equal(written(&bare, slice_of(text, length)), wanted), ": %.*s",
                   SLICE_ARGS(wanted));
            EXPECT(utf8_valid(wanted, NULL));
            buffer_deinit(&bare);
        }
    }
    buffer_deinit(&roomy);
}

/* The worst case is asked for first, but what fits into the maximum must not be refused. */
static void test_json_strings_fit_to_the_last_byte(void)
{
    char text[700];
    memset(text, 'y', sizeof text);
    for (size_t length = 0; length <= sizeof text; length += 7) {
        struct buffer exact;
        buffer_init(&exact, length + 2);
        EXPECT(written(&exact, slice_of(text, length)).length == length + 2 && !exact.failed);
        EXPECT(exact.data[0] == '"' && exact.data[length + 1] == '"');
        buffer_deinit(&exact);
        buffer_init(&exact, length + 1);
        (void)written(&exact, slice_of(text, length));
        EXPECT(exact.failed);
        buffer_deinit(&exact);
    }
}

static void test_json_digits(void)
{
    char got[JSON_U64_MAX];
    char wanted[JSON_U64_MAX + 1];
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t near = 0; near < 300; near++) {
            uint64_t value = (UINT64_C(1) << bit) - 150 + near;
            int length = snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)value);
            EXPECT(json_digits(got, value) == got + length &&
                       memcmp(got, wanted, (size_t)length) == 0,
                   ": %s", wanted);
        }
    }
}

static void test_json_numbers_read_back_the_same(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"}, {1.0 / 3, "0.3333333333333333"}, {1e300, "1e+300"},         {-2.5, "-2.5"},
        {42, "42"},   {(double)NAN, "null"},           {(double)INFINITY, "null"}};
    struct buffer out;
    buffer_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        buffer_clear(&out);
        struct json_writer json = json_writer_of(&out);
        json_double(&json, cases[i].value);
        EXPECT(slice_equal_cstr(buffer_slice(&out), cases[i].text), ": %.*s",
               SLICE_ARGS(buffer_slice(&out)));
    }
    buffer_clear(&out);
    struct json_writer json = json_writer_of(&out);
    json_i64(&json, INT64_MIN);
    EXPECT(slice_equal_cstr(buffer_slice(&out), "-9223372036854775808"));
    buffer_deinit(&out);
}

static void test_json_commas(void)
{
    struct buffer out;
    buffer_init(&out, 4096);
    struct json_writer json = json_writer_of(&out);
    json_object_begin(&json);
    json_key(&json, "a");
    json_array_begin(&json);
    json_array_end(&json);
    json_key(&json, "b");
    json_array_begin(&json);
    json_u64(&json, 1);
    json_object_begin(&json);
    json_object_end(&json);
    json_null(&json);
    json_array_end(&json);
    json_member_bool(&json, "c", true);
    json_object_end(&json);
    EXPECT(slice_equal_cstr(buffer_slice(&out), "{\"a\":[],\"b\":[1,{},null],\"c\":true}"));
    buffer_deinit(&out);
}

static void test_error_message_is_cut_at_a_character(void)
{
    struct error error;
    char text[400];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', sizeof text);
        for (size_t i = shift; i + 3 < sizeof text; i += 3) {
            memcpy(text + i, "\xE2\x82\xAC", 3);
        }
        text[sizeof text - 1] = '\0';
        err e = error_set(&error, ERR_INVALID, "code", 7, "%s", text);
        EXPECT(e == ERR_INVALID);
        EXPECT(utf8_valid(slice_from_cstr(error.message), NULL), " with shift %zu", shift);
        EXPECT(strlen(error.message) >= ERROR_MESSAGE_MAX - 4 && error.position == 7);
    }
    err e = error_set(NULL, ERR_IO, "io", 0, "nobody asks");
    EXPECT(e == ERR_IO);
}

static void test_crc32c_vectors(void)
{
    /* RFC 3720, appendix B.4 */
    char zeros[32] = {0};
    char ones[32];
    memset(ones, 0xFF, sizeof ones);
    EXPECT(crc32c(0, zeros, sizeof zeros) == 0x8A9136AAu);
    EXPECT(crc32c(0, ones, sizeof ones) == 0x62A8AB43u);
    EXPECT(crc32c(0, "123456789", 9) == 0xE3069283u);
    EXPECT(crc32c(crc32c(0, "1234", 4), "56789", 5) == 0xE3069283u, " in two pieces");
}

static void test_timestamps(void)
{
    char text[TIMESTAMP_TEXT_MAX];
    timestamp_format(0, text);
    EXPECT(strcmp(text, "1970-01-01T00:00:00Z") == 0);
    timestamp_format(-1, text);
    EXPECT(strcmp(text, "1969-12-31T23:59:59.999999Z") == 0, ": %s", text);
    timestamp_format(INT64_C(1795311899123456), text);
    EXPECT(strcmp(text, "2026-11-22T01:44:59.123456Z") == 0, ": %s", text);
}

static void test_prng_repeats_and_stays_in_bounds(void)
{
    struct prng a;
    struct prng b;
    prng_seed(&a, 42);
    prng_seed(&b, 42);
    for (int i = 0; i < 10000; i++) {
        uint64_t bound = prng_next(&a) % 1000 + 1;
        uint64_t same = prng_next(&b) % 1000 + 1;
        EXPECT(same == bound);
        EXPECT(prng_below(&a, bound) < bound);
        double unit = prng_unit(&a);
        EXPECT(unit >= 0 && unit < 1);
        prng_next(&b);
        prng_next(&b);
    }
}

int main(void)
{
    RUN(test_utf8_refuses_overlong_surrogates_and_cut_sequences);
    RUN(test_json_strings_are_always_valid);
    RUN(test_json_strings_escape_at_every_place);
    RUN(test_json_strings_without_room);
    RUN(test_json_strings_fit_to_the_last_byte);
    RUN(test_json_digits);
    RUN(test_json_numbers_read_back_the_same);
    RUN(test_json_commas);
    RUN(test_error_message_is_cut_at_a_character);
    RUN(test_crc32c_vectors);
    RUN(test_timestamps);
    RUN(test_prng_repeats_and_stays_in_bounds);
    return test_summary();
}
