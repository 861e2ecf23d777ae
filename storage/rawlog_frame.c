#include "rawlog_frame.h"

#include "base/hash.h"

/* Offsets; the picture is in rawlog.c. */
enum {
    SEGMENT_VERSION_AT = 8,
    SEGMENT_FLAGS_AT = 12,
    SEGMENT_FIRST_AT = 16,
    SEGMENT_NONCE_AT = 24,
    SEGMENT_PREVIOUS_AT = 32,
    SEGMENT_CHAIN_AT = 40,
    SEGMENT_SCRUB_ID_AT = 72,
    SEGMENT_CRC_AT = SEGMENT_HEADER_BYTES - 4,

    FRAME_NONCE_AT = 0,
    FRAME_FIRST_AT = 8,
    FRAME_DURABLE_AT = 16,
    FRAME_COUNT_AT = 24,
    FRAME_BODY_AT = 28,
    FRAME_FLAGS_AT = 32,
    FRAME_TABLE_CRC_AT = 36,
    FRAME_CHAIN_AT = 40,
    FRAME_CRC_AT = FRAME_HEADER_BYTES - 4,

    ENTRY_KIND_AT = 0,
    ENTRY_FORMAT_AT = 1,
    ENTRY_ETL_AT = 2,
    ENTRY_HEADER_BACK_AT = 4,
    ENTRY_RECEIVED_AT = 8,
    ENTRY_MAPPING_AT = 16,
    ENTRY_PAYLOAD_BYTES_AT = 24,
    ENTRY_SOURCE_BYTES_AT = 28,
    ENTRY_FLAGS_AT = 29, /* the one byte of the first 32 that the chain reads as 0 */
    ENTRY_SALT_AT = 32,
    ENTRY_DIGEST_AT = 48,

    ENTRY_SCRUBBED = 1,
    ENTRY_CREATED_PERSON = 2,
};

static const char segment_magic[8] = {'K', 'N', 'D', 'R', 'D', 'L', 'O', 'G'};

void segment_header_encode(const struct segment_header *header, uint8_t to[SEGMENT_HEADER_BYTES])
{
    memset(to, 0, SEGMENT_HEADER_BYTES);
    memcpy(to, segment_magic, sizeof segment_magic);
    store_u32(to + SEGMENT_VERSION_AT, header->version);
    store_u32(to + SEGMENT_FLAGS_AT, header->flags);
    store_u64(to + SEGMENT_FIRST_AT, header->first_sequence);
    store_u64(to + SEGMENT_NONCE_AT, header->nonce);
    store_u64(to + SEGMENT_PREVIOUS_AT, header->previous_bytes);
    memcpy(to + SEGMENT_CHAIN_AT, header->chain, DIGEST_BYTES);
    store_u64(to + SEGMENT_SCRUB_ID_AT, header->scrub_id);
    store_u32(to + SEGMENT_CRC_AT, crc32c(0, to, SEGMENT_CRC_AT));
}

bool segment_header_decode(const uint8_t from[SEGMENT_HEADER_BYTES], struct segment_header *out)
{
    if (memcmp(from, segment_magic, sizeof segment_magic) != 0 ||
        load_u32(from + SEGMENT_CRC_AT) != crc32c(0, from, SEGMENT_CRC_AT)) {
        return false;
    }
    out->version = load_u32(from + SEGMENT_VERSION_AT);
    out->flags = load_u32(from + SEGMENT_FLAGS_AT);
    out->first_sequence = load_u64(from + SEGMENT_FIRST_AT);
    out->nonce = load_u64(from + SEGMENT_NONCE_AT);
    out->previous_bytes = load_u64(from + SEGMENT_PREVIOUS_AT);
    memcpy(out->chain, from + SEGMENT_CHAIN_AT, DIGEST_BYTES);
    out->scrub_id = load_u64(from + SEGMENT_SCRUB_ID_AT);
    return true;
}

static void frame_header_encode(const struct frame_header *header, uint8_t *to)
{
    memset(to, 0, FRAME_HEADER_BYTES);
    store_u64(to + FRAME_NONCE_AT, header->nonce);
    store_u64(to + FRAME_FIRST_AT, header->first_sequence);
    store_u64(to + FRAME_DURABLE_AT, header->durable_sequence);
    store_u32(to + FRAME_COUNT_AT, header->count);
    store_u32(to + FRAME_BODY_AT, header->body_bytes);
    store_u32(to + FRAME_FLAGS_AT, header->flags);
    store_u32(to + FRAME_TABLE_CRC_AT, header->table_crc);
    memcpy(to + FRAME_CHAIN_AT, header->chain, DIGEST_BYTES);
    store_u32(to + FRAME_CRC_AT, crc32c(0, to, FRAME_CRC_AT));
}

bool frame_header_decode(const uint8_t from[FRAME_HEADER_BYTES], uint64_t nonce,
                         struct frame_header *out)
{
    out->nonce = load_u64(from + FRAME_NONCE_AT);
    if (out->nonce != nonce || load_u32(from + FRAME_CRC_AT) != crc32c(0, from, FRAME_CRC_AT)) {
        return false;
    }
    out->first_sequence = load_u64(from + FRAME_FIRST_AT);
    out->durable_sequence = load_u64(from + FRAME_DURABLE_AT);
    out->count = load_u32(from + FRAME_COUNT_AT);
    out->body_bytes = load_u32(from + FRAME_BODY_AT);
    out->flags = load_u32(from + FRAME_FLAGS_AT);
    out->table_crc = load_u32(from + FRAME_TABLE_CRC_AT);
    memcpy(out->chain, from + FRAME_CHAIN_AT, DIGEST_BYTES);
    uint64_t least = (uint64_t)out->count * (FRAME_SLOT_BYTES + ENTRY_HEADER_BYTES);
    return out->count > 0 && out->count <= LOG_BATCH_COUNT_MAX && out->body_bytes >= least &&
           out->body_bytes <= FRAME_BODY_MAX && out->first_sequence > 0 &&
           out->first_sequence <= UINT64_MAX - LOG_BATCH_COUNT_MAX &&
           out->durable_sequence < out->first_sequence;
}

err frame_measure(const struct log_entry *entries, size_t count, size_t *frame_bytes,
                  struct error *error)
{
    if (count > LOG_BATCH_COUNT_MAX) {
        return error_set(error, ERR_TOO_LARGE, "batch_too_large", 0,
                         "a batch holds at most %d entries, not %zu", LOG_BATCH_COUNT_MAX, count);
    }
    uint64_t content = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].payload.length > LOG_PAYLOAD_MAX ||
            entries[i].source.length > LOG_SOURCE_MAX) {
            return error_set(
                error, ERR_TOO_LARGE, "entry_too_large", i,
                "an entry holds at most %d payload bytes and %d source bytes, not %zu and %zu",
                LOG_PAYLOAD_MAX, LOG_SOURCE_MAX, entries[i].payload.length,
                entries[i].source.length);
        }
        content += entries[i].payload.length + entries[i].source.length;
    }
    if (content > LOG_BATCH_BYTES_MAX) {
        return error_set(error, ERR_TOO_LARGE, "batch_too_large", 0,
                         "a batch holds at most %llu bytes, not %llu",
                         (unsigned long long)LOG_BATCH_BYTES_MAX, (unsigned long long)content);
    }
    *frame_bytes =
        FRAME_HEADER_BYTES + count * (FRAME_SLOT_BYTES + ENTRY_HEADER_BYTES) + (size_t)content;
    return ERR_OK;
}

/* ---- entries --------------------------------------------------------------------------------- */

/* The sequence is not stored with an entry, but its checksum starts from it: an entry read at the
 * wrong place does not pass for another one. */
static uint32_t entry_crc(uint64_t sequence, const uint8_t *bytes, size_t length)
{
    uint8_t prefix[8];
    store_u64(prefix, sequence);
    return crc32c(crc32c(0, prefix, sizeof prefix), bytes, length);
}

static void entry_digest(struct digest *digest, const uint8_t *entry, size_t length,
                         uint8_t out[DIGEST_BYTES])
{
    digest_begin(digest);
    digest_add(digest, entry + ENTRY_SALT_AT, ENTRY_SALT_BYTES);
    digest_add(digest, entry + ENTRY_HEADER_BYTES, length - ENTRY_HEADER_BYTES);
    digest_end(digest, out);
}

/* Returns the entry's length. */
static size_t entry_encode(struct digest *digest, const struct log_entry *entry,
                           const uint8_t *salt, uint8_t *to)
{
    memset(to, 0, ENTRY_SALT_AT);
    to[ENTRY_KIND_AT] = entry->kind;
    to[ENTRY_FORMAT_AT] = entry->format;
    store_u16(to + ENTRY_ETL_AT, entry->etl_version);
    store_u32(to + ENTRY_HEADER_BACK_AT, entry->header_back);
    store_u64(to + ENTRY_RECEIVED_AT, (uint64_t)entry->received_at_us);
    store_u64(to + ENTRY_MAPPING_AT, entry->mapping_sequence);
    store_u32(to + ENTRY_PAYLOAD_BYTES_AT, (uint32_t)entry->payload.length);
    to[ENTRY_SOURCE_BYTES_AT] = (uint8_t)entry->source.length;
    memcpy(to + ENTRY_SALT_AT, salt, ENTRY_SALT_BYTES);
    uint8_t *at = to + ENTRY_HEADER_BYTES;
    if (entry->source.length > 0) {
        memcpy(at, entry->source.data, entry->source.length);
        at += entry->source.length;
    }
    if (entry->payload.length > 0) {
        memcpy(at, entry->payload.data, entry->payload.length);
        at += entry->payload.length;
    }
    size_t length = (size_t)(at - to);
    entry_digest(digest, to, length, to + ENTRY_DIGEST_AT);
    return length;
}

static bool entry_parse(const uint8_t *bytes, size_t length, uint64_t sequence,
                        struct log_entry *out)
{
    uint32_t payload_bytes = load_u32(bytes + ENTRY_PAYLOAD_BYTES_AT);
    uint8_t source_bytes = bytes[ENTRY_SOURCE_BYTES_AT];
    if (payload_bytes > LOG_PAYLOAD_MAX || source_bytes > LOG_SOURCE_MAX ||
        length != (size_t)ENTRY_HEADER_BYTES + source_bytes + payload_bytes) {
        return false;
    }
    uint8_t flags = bytes[ENTRY_FLAGS_AT];
    *out = (struct log_entry){
        .sequence = sequence,
        .received_at_us = (int64_t)load_u64(bytes + ENTRY_RECEIVED_AT),
        .mapping_sequence = load_u64(bytes + ENTRY_MAPPING_AT),
        .etl_version = load_u16(bytes + ENTRY_ETL_AT),
        .kind = bytes[ENTRY_KIND_AT],
        .format = bytes[ENTRY_FORMAT_AT],
        .header_back = load_u32(bytes + ENTRY_HEADER_BACK_AT),
        .scrubbed = (flags & ENTRY_SCRUBBED) != 0,
        .created_person = (flags & ENTRY_CREATED_PERSON) != 0,
    };
    if (!out->scrubbed) {
        out->source = slice_of(bytes + ENTRY_HEADER_BYTES, source_bytes);
        out->payload = slice_of(bytes + ENTRY_HEADER_BYTES + source_bytes, payload_bytes);
    }
    return true;
}

bool entry_decode(const uint8_t *bytes, size_t length, uint64_t sequence, uint32_t crc,
                  struct log_entry *out)
{
    return length >= ENTRY_HEADER_BYTES && entry_crc(sequence, bytes, length) == crc &&
           entry_parse(bytes, length, sequence, out);
}

bool frame_slot_decode(const struct frame_header *header, const uint8_t *slots, uint32_t index,
                       uint32_t *offset, uint32_t *length, uint32_t *crc)
{
    uint32_t start = load_u32(slots);
    uint32_t end =
        index + 1 == header->count ? header->body_bytes : load_u32(slots + FRAME_SLOT_BYTES);
    if (start < header->count * FRAME_SLOT_BYTES || end < start || end > header->body_bytes ||
        end - start < ENTRY_HEADER_BYTES) {
        return false;
    }
    *offset = start;
    *length = end - start;
    *crc = load_u32(slots + 4);
    return true;
}

void frame_entry(const struct frame_header *header, const uint8_t *body, uint32_t index,
                 struct log_entry *out)
{
    uint32_t offset;
    uint32_t length;
    uint32_t crc;
    CHECK(index < header->count);
    CHECK(frame_slot_decode(header, body + (size_t)index * FRAME_SLOT_BYTES, index, &offset,
                            &length, &crc));
    CHECK(entry_parse(body + offset, length, header->first_sequence + index, out));
}

const uint8_t *frame_entry_digest(const struct frame_header *header, const uint8_t *body,
                                  uint32_t index)
{
    uint32_t offset;
    uint32_t length;
    uint32_t crc;
    CHECK(index < header->count);
    CHECK(frame_slot_decode(header, body + (size_t)index * FRAME_SLOT_BYTES, index, &offset,
                            &length, &crc));
    return body + offset + ENTRY_DIGEST_AT;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* The chain covers who stands where with which digest, and nothing that a scrub changes. */
static void chain_frame(struct digest *digest, const struct frame_header *header,
                        const uint8_t *body, const uint8_t before[DIGEST_BYTES],
                        uint8_t after[DIGEST_BYTES])
{
    uint8_t fixed[12];
    store_u64(fixed, header->first_sequence);
    store_u32(fixed + 8, header->count);
    digest_begin(digest);
    digest_add(digest, before, DIGEST_BYTES);
    digest_add(digest, fixed, sizeof fixed);
    for (uint32_t i = 0; i < header->count; i++) {
        const uint8_t *entry = body + load_u32(body + (size_t)i * FRAME_SLOT_BYTES);
        uint8_t link[ENTRY_CHAINED_BYTES + DIGEST_BYTES];
        memcpy(link, entry, ENTRY_CHAINED_BYTES);
        link[ENTRY_FLAGS_AT] = 0;
        memcpy(link + ENTRY_CHAINED_BYTES, entry + ENTRY_DIGEST_AT, DIGEST_BYTES);
        digest_add(digest, link, sizeof link);
    }
    digest_end(digest, after);
}

void frame_encode(struct digest *digest, struct frame_header *header,
                  const struct log_entry *entries, size_t count, const uint8_t *salts,
                  uint8_t chain[DIGEST_BYTES], uint8_t *to)
{
    uint8_t *body = to + FRAME_HEADER_BYTES;
    size_t offset = count * FRAME_SLOT_BYTES;
    for (size_t i = 0; i < count; i++) {
        size_t length =
            entry_encode(digest, &entries[i], salts + i * ENTRY_SALT_BYTES, body + offset);
        store_u32(body + i * FRAME_SLOT_BYTES, (uint32_t)offset);
        store_u32(body + i * FRAME_SLOT_BYTES + 4,
                  entry_crc(header->first_sequence + i, body + offset, length));
        offset += length;
    }
    header->count = (uint32_t)count;
    header->body_bytes = (uint32_t)offset;
    header->flags = 0;
    header->table_crc = crc32c(0, body, count * FRAME_SLOT_BYTES);
    chain_frame(digest, header, body, chain, header->chain);
    memcpy(chain, header->chain, DIGEST_BYTES);
    frame_header_encode(header, to);
}

bool frame_body_check(const struct frame_header *header, const uint8_t *body, size_t *bad_index)
{
    size_t table_bytes = (size_t)header->count * FRAME_SLOT_BYTES;
    *bad_index = header->count;
    if (crc32c(0, body, table_bytes) != header->table_crc || load_u32(body) != table_bytes) {
        return false;
    }
    for (uint32_t i = 0; i < header->count; i++) {
        uint32_t offset;
        uint32_t length;
        uint32_t crc;
        struct log_entry entry;
        if (!frame_slot_decode(header, body + (size_t)i * FRAME_SLOT_BYTES, i, &offset, &length,
                               &crc) ||
            !entry_decode(body + offset, length, header->first_sequence + i, crc, &entry)) {
            *bad_index = i;
            return false;
        }
    }
    return true;
}

bool frame_chain_check(struct digest *digest, const struct frame_header *header,
                       const uint8_t *body, const uint8_t chain_before[DIGEST_BYTES],
                       size_t *bad_index)
{
    uint8_t computed[DIGEST_BYTES];
    for (uint32_t i = 0; i < header->count; i++) {
        uint32_t offset;
        uint32_t length;
        uint32_t crc;
        CHECK(frame_slot_decode(header, body + (size_t)i * FRAME_SLOT_BYTES, i, &offset, &length,
                                &crc));
        const uint8_t *entry = body + offset;
        if (entry[ENTRY_FLAGS_AT] & ENTRY_SCRUBBED) {
            continue;
        }
        entry_digest(digest, entry, length, computed);
        if (memcmp(computed, entry + ENTRY_DIGEST_AT, DIGEST_BYTES) != 0) {
            *bad_index = i;
            return false;
        }
    }
    chain_frame(digest, header, body, chain_before, computed);
    *bad_index = header->count;
    return memcmp(computed, header->chain, DIGEST_BYTES) == 0;
}

bool frame_scrub_entry(const struct frame_header *header, uint8_t *body, uint32_t index,
                       bool created_person)
{
    uint32_t offset;
    uint32_t length;
    uint32_t crc;
    uint8_t *slot = body + (size_t)index * FRAME_SLOT_BYTES;
    CHECK(index < header->count);
    CHECK(frame_slot_decode(header, slot, index, &offset, &length, &crc));
    uint8_t *entry = body + offset;
    uint8_t flags = (uint8_t)(ENTRY_SCRUBBED | (created_person ? ENTRY_CREATED_PERSON : 0));
    if (entry[ENTRY_FLAGS_AT] == flags) {
        return false;
    }
    entry[ENTRY_FLAGS_AT] = flags;
    memset(entry + ENTRY_SALT_AT, SCRUB_FILL, ENTRY_SALT_BYTES);
    memset(entry + ENTRY_HEADER_BYTES, SCRUB_FILL, length - ENTRY_HEADER_BYTES);
    store_u32(slot + 4, entry_crc(header->first_sequence + index, entry, length));
    return true;
}

void frame_reseal(uint8_t *frame)
{
    uint32_t count = load_u32(frame + FRAME_COUNT_AT);
    store_u32(frame + FRAME_TABLE_CRC_AT,
              crc32c(0, frame + FRAME_HEADER_BYTES, (size_t)count * FRAME_SLOT_BYTES));
    store_u32(frame + FRAME_CRC_AT, crc32c(0, frame, FRAME_CRC_AT));
}
