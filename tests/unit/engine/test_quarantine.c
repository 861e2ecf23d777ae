/* Tries to break: what goes into quarantine comes out as it was, and damaged bytes never come out
 * as something else. */
#include "engine/quarantine.h"

#include "base/bytes.h"
#include "unit/test.h"

static struct quarantine sample(void)
{
    return (struct quarantine){
        .code = SLICE_LITERAL("identifier_missing"),
        .field = SLICE_LITERAL(""),
        .message = SLICE_LITERAL("The record names nobody."),
        .record_number = 70000,
        .line = 1,
        .header = SLICE_LITERAL(";email;city"),
        .bytes = SLICE_LITERAL(";\0Paris\xFF"),
    };
}

static bool same(const struct quarantine *a, const struct quarantine *b)
{
    return slice_equal(a->code, b->code) && slice_equal(a->field, b->field) &&
           slice_equal(a->message, b->message) && a->record_number == b->record_number &&
           a->line == b->line && slice_equal(a->header, b->header) &&
           (a->header.data == NULL) == (b->header.data == NULL) && slice_equal(a->bytes, b->bytes);
}

static void test_round_trip(void)
{
    struct quarantine in = sample();
    for (int i = 0; i < 3; i++) {
        struct buffer payload;
        struct quarantine out;
        buffer_init(&payload, 4096);
        quarantine_encode(&in, &payload);
        EXPECT(quarantine_decode(buffer_slice(&payload), &out) == ERR_OK);
        EXPECT(same(&in, &out), " in round %d", i);
        buffer_deinit(&payload);
        in.header = SLICE_NONE;
        in.bytes = i == 1 ? slice_of("", 0) : in.bytes;
    }
}

static void test_cut_payload_is_corrupt(void)
{
    struct quarantine in = sample();
    struct buffer payload;
    buffer_init(&payload, 4096);
    quarantine_encode(&in, &payload);
    size_t head = payload.length - in.bytes.length;
    for (size_t length = 0; length < head; length++) {
        struct quarantine out;
        EXPECT(quarantine_decode(slice_of(payload.data, length), &out) == ERR_CORRUPT,
               " cut at %zu", length);
    }
    buffer_deinit(&payload);
}

static void test_any_byte_is_survived(void)
{
    struct quarantine in = sample();
    struct buffer payload;
    buffer_init(&payload, 4096);
    quarantine_encode(&in, &payload);
    for (size_t at = 0; at < payload.length; at++) {
        char was = payload.data[at];
        for (int value = 0; value < 256; value++) {
            struct quarantine out;
            payload.data[at] = (char)value;
            if (quarantine_decode(buffer_slice(&payload), &out) == ERR_OK) {
                const char *end = payload.data + payload.length;
                EXPECT(out.bytes.data >= payload.data && out.bytes.data + out.bytes.length == end);
            }
        }
        payload.data[at] = was;
    }
    buffer_deinit(&payload);
}

static void test_unknown_layout_is_corrupt(void)
{
    struct quarantine out;
    EXPECT(quarantine_decode(SLICE_LITERAL("\x02\x00\x00\x00\x00\x00\x00"), &out) == ERR_CORRUPT);
    EXPECT(quarantine_decode(SLICE_NONE, &out) == ERR_CORRUPT);
}

static void test_end(void)
{
    char payload[QUARANTINE_END_BYTES];
    uint64_t sequence = 0;
    quarantine_end_encode(0x0102030405060708, payload);
    EXPECT(quarantine_end_decode(slice_of(payload, sizeof payload), &sequence) == ERR_OK);
    EXPECT(sequence == 0x0102030405060708);
    EXPECT(load_u64(payload) == sequence);
    EXPECT(quarantine_end_decode(slice_of(payload, 7), &sequence) == ERR_CORRUPT);
}

int main(void)
{
    RUN(test_round_trip);
    RUN(test_cut_payload_is_corrupt);
    RUN(test_any_byte_is_survived);
    RUN(test_unknown_layout_is_corrupt);
    RUN(test_end);
    return test_summary();
}
