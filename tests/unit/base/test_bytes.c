/* Tries to break: varints at their edges, readers at the end of their input, slices at their ends,
 * growth up to a maximum. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/slice.h"
#include "unit/test.h"

static void test_varints_round_trip_at_every_length(void)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)(int64_t)delta;
            uint8_t bytes[VARINT_MAX_BYTES];
            size_t length = varint_encode(bytes, value);
            struct byte_reader reader = byte_reader_of(slice_of(bytes, length));
            EXPECT(byte_reader_varint(&reader) == value && !reader.failed);
            EXPECT(byte_reader_left(&reader) == 0);
            struct byte_reader cut = byte_reader_of(slice_of(bytes, length - 1));
            (void)byte_reader_varint(&cut);
            EXPECT(cut.failed, " for a cut varint of %zu bytes", length);
        }
    }
}

static void test_varint_over_64_bits_fails(void)
{
    static const uint8_t eleven[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                     0xFF, 0xFF, 0xFF, 0xFF, 0x01};
    static const uint8_t too_big[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
    struct byte_reader reader = byte_reader_of(slice_of(eleven, sizeof eleven));
    (void)byte_reader_varint(&reader);
    EXPECT(reader.failed);
    reader = byte_reader_of(slice_of(too_big, sizeof too_big));
    (void)byte_reader_varint(&reader);
    EXPECT(reader.failed);
}

static void test_zigzag_keeps_extremes(void)
{
    static const int64_t values[] = {0, -1, 1, INT64_MIN, INT64_MAX, -123456789};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        EXPECT(zigzag_decode(zigzag_encode(values[i])) == values[i]);
    }
}

static void test_reader_string_longer_than_input_fails(void)
{
    static const char lies[] = "\xFF\xFF\xFF\xFF\x0F"
                               "abc";
    struct byte_reader reader = byte_reader_of(slice_of(lies, sizeof lies - 1));
    EXPECT(byte_reader_string(&reader).data == NULL && reader.failed);
}

static void test_slice_cut_and_trim(void)
{
    struct slice rest = SLICE_LITERAL("a,,b");
    EXPECT(slice_equal_cstr(slice_cut(&rest, ','), "a"));
    EXPECT(slice_cut(&rest, ',').length == 0 && rest.data != NULL);
    EXPECT(slice_equal_cstr(slice_cut(&rest, ','), "b"));
    EXPECT(rest.data == NULL);
    EXPECT(slice_equal_cstr(slice_trim(SLICE_LITERAL(" \t x y \r\n")), "x y"));
    EXPECT(slice_trim(SLICE_LITERAL("   ")).length == 0);
}

static void test_numbers_refuse_overflow_and_signs(void)
{
    uint64_t value = 0;
    EXPECT(slice_to_u64(SLICE_LITERAL("18446744073709551615"), &value) && value == UINT64_MAX);
    EXPECT(!slice_to_u64(SLICE_LITERAL("18446744073709551616"), &value));
    EXPECT(!slice_to_u64(SLICE_LITERAL("-1"), &value));
    EXPECT(!slice_to_u64(SLICE_LITERAL(""), &value));
    EXPECT(!slice_to_u64(SLICE_LITERAL("1 "), &value));
}

static void test_buffer_stops_at_its_maximum_and_stays_failed(void)
{
    struct buffer buffer;
    buffer_init(&buffer, 10);
    buffer_append(&buffer, "12345678", 8);
    EXPECT(!buffer.failed);
    buffer_append(&buffer, "abc", 3);
    EXPECT(buffer.failed && buffer.length == 8);
    buffer_append_char(&buffer, 'x');
    EXPECT(buffer.length == 8, " after it failed");
    buffer_clear(&buffer);
    buffer_append(&buffer, "1234567890", 10);
    EXPECT(!buffer.failed && buffer.length == 10);
    buffer_deinit(&buffer);
}

static void test_arena_respects_maximum_and_reuses(void)
{
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    EXPECT(arena_alloc(&arena, 128 * 1024) == NULL);
    size_t got = 0;
    while (arena_alloc(&arena, 1000) != NULL) {
        got++;
    }
    EXPECT(got >= 50 && got <= 66, " but got %zu", got);
    arena_reset(&arena);
    EXPECT(arena_alloc(&arena, 1000) != NULL);
    void *aligned = arena_alloc(&arena, 1);
    EXPECT(((uintptr_t)aligned & 15) == 0);
    arena_deinit(&arena);
}

int main(void)
{
    RUN(test_varints_round_trip_at_every_length);
    RUN(test_varint_over_64_bits_fails);
    RUN(test_zigzag_keeps_extremes);
    RUN(test_reader_string_longer_than_input_fails);
    RUN(test_slice_cut_and_trim);
    RUN(test_numbers_refuse_overflow_and_signs);
    RUN(test_buffer_stops_at_its_maximum_and_stays_failed);
    RUN(test_arena_respects_maximum_and_reuses);
    return test_summary();
}
