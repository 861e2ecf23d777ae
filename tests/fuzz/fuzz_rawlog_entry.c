/* Any bytes as a frame of the raw log: the decoder may refuse, but must not read past them, and
 * what it accepts must be consistent.
 *
 * Random bytes never have the right checksums, so the checks would hide everything behind them.
 * Therefore the input's first byte chooses how much is mended before decoding: bit 0 the header's
 * checksum, bit 1 the table's, bit 2 each entry's. */
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "rawlog_frame.h"

enum { MEND_HEADER = 1, MEND_TABLE = 2, MEND_ENTRIES = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend_entries(uint8_t *frame, size_t size, uint64_t first_sequence, uint32_t count)
{
    uint8_t *body = frame + FRAME_HEADER_BYTES;
    size_t body_bytes = size - FRAME_HEADER_BYTES;
    for (uint32_t i = 0; i < count && ((size_t)i + 1) * FRAME_SLOT_BYTES <= body_bytes; i++) {
        uint8_t *slot = body + (size_t)i * FRAME_SLOT_BYTES;
        size_t start = load_u32(slot);
        size_t end = i + 1 < count && ((size_t)i + 2) * FRAME_SLOT_BYTES <= body_bytes
                         ? load_u32(slot + FRAME_SLOT_BYTES)
                         : body_bytes;
        if (start <= end && end <= body_bytes) {
            uint8_t prefix[8];
            store_u64(prefix, first_sequence + i);
            store_u32(slot + 4,
                      crc32c(crc32c(0, prefix, sizeof prefix), body + start, end - start));
        }
    }
}

static void mend(uint8_t *frame, size_t size, uint8_t how)
{
    uint32_t count = load_u32(frame + 24);
    if ((how & MEND_ENTRIES) != 0) {
        mend_entries(frame, size, load_u64(frame + 8), count);
    }
    if ((how & MEND_TABLE) != 0 &&
        (uint64_t)count * FRAME_SLOT_BYTES <= size - FRAME_HEADER_BYTES) {
        store_u32(frame + 28, (uint32_t)(size - FRAME_HEADER_BYTES));
        store_u32(frame + 36,
                  crc32c(0, frame + FRAME_HEADER_BYTES, (size_t)count * FRAME_SLOT_BYTES));
    }
    if ((how & MEND_HEADER) != 0) {
        store_u32(frame + FRAME_HEADER_BYTES - 4, crc32c(0, frame, FRAME_HEADER_BYTES - 4));
    }
}

/* Everything that is done with an accepted frame. */
static void use_frame(const struct frame_header *header, uint8_t *frame)
{
    static const uint8_t chain[DIGEST_BYTES];
    uint8_t *body = frame + FRAME_HEADER_BYTES;
    size_t bad_index;
    struct digest *digest = digest_create();
    CHECK(digest != NULL);
    (void)!frame_chain_check(digest, header, body, chain, &bad_index);
    digest_destroy(digest);
    size_t bytes = 0;
    for (uint32_t i = 0; i < header->count; i++) {
        struct log_entry entry;
        frame_entry(header, body, i, &entry);
        CHECK(entry.sequence == header->first_sequence + i);
        CHECK(entry.payload.length <= LOG_PAYLOAD_MAX && entry.source.length <= LOG_SOURCE_MAX);
        bytes += entry.payload.length + entry.source.length;
    }
    CHECK(bytes <= header->body_bytes);
    /* A scrub of it leaves a valid frame with nothing in it. */
    for (uint32_t i = 0; i < header->count; i++) {
        struct log_entry entry;
        (void)!frame_scrub_entry(header, body, i, true);
        frame_entry(header, body, i, &entry);
        CHECK(entry.scrubbed && entry.payload.length == 0 && entry.source.length == 0);
    }
    frame_reseal(frame);
    struct frame_header sealed;
    CHECK(frame_header_decode(frame, header->nonce, &sealed));
    CHECK(frame_body_check(&sealed, body, &bad_index));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_header header;
    struct segment_header segment;
    struct log_entry entry;
    size_t bad_index;
    if (size < 1) {
        return 0;
    }
    uint8_t how = data[0];
    data++;
    size--;
    if (size >= SEGMENT_HEADER_BYTES) {
        (void)!segment_header_decode(data, &segment);
    }
    (void)!entry_decode(data, size, 1, load_u32(size >= 4 ? (const char *)data : "\0\0\0"), &entry);
    if (size < FRAME_HEADER_BYTES) {
        return 0;
    }
    uint8_t *frame = malloc(size);
    CHECK(frame != NULL);
    memcpy(frame, data, size);
    mend(frame, size, how);
    if (frame_header_decode(frame, load_u64(frame), &header) &&
        header.body_bytes <= size - FRAME_HEADER_BYTES &&
        frame_body_check(&header, frame + FRAME_HEADER_BYTES, &bad_index)) {
        use_frame(&header, frame);
    }
    free(frame);
    return 0;
}
