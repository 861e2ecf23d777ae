/* rawlog_frame.h: bytes of a segment ↔ structs. The layout and what makes a frame valid are in the
 * comment that opens rawlog.c; this is the one place that knows the offsets.
 *
 * Nothing here does I/O, keeps state or trusts a length. Private to storage/ (and its tests and
 * fuzzer). Threading: any. */
#ifndef KINDRED_STORAGE_RAWLOG_FRAME_H
#define KINDRED_STORAGE_RAWLOG_FRAME_H

#include "base/bytes.h"
#include "base/clock.h"
#include "digest.h"
#include "storage/log.h"

enum {
    SEGMENT_HEADER_BYTES = 128,
    SEGMENT_VERSION = 1,
    FRAME_HEADER_BYTES = 80,
    FRAME_SLOT_BYTES = 8,
    ENTRY_HEADER_BYTES = 80,
    ENTRY_CHAINED_BYTES = 32, /* the part of an entry's header that the chain covers */
    ENTRY_SALT_BYTES = 16,
    SECTOR_BYTES = 512,
    /* What scrubbed bytes are overwritten with. Not 0: zeros are what a write that never reached
     * the disk leaves behind, and recovery tells the two apart. */
    SCRUB_FILL = 0xE5,
};
/* A batch's payloads and sources (LOG_BATCH_BYTES_MAX) and, for each entry, its slot and header. */
static const uint64_t FRAME_BODY_MAX =
    64ull * 1024 * 1024 + 65536ull * (FRAME_SLOT_BYTES + ENTRY_HEADER_BYTES);

struct segment_header {
    uint32_t version;
    uint32_t flags;
    uint64_t first_sequence;
    uint64_t nonce;
    uint64_t previous_bytes; /* size of the segment before this one; 0 in the first */
    uint8_t chain[DIGEST_BYTES];
    uint64_t scrub_id; /* another random number after each scrub; 0: never scrubbed */
};

struct frame_header {
    uint64_t nonce;
    uint64_t first_sequence;
    uint64_t durable_sequence; /* what had been synced when it was written */
    uint32_t count;
    uint32_t body_bytes;
    uint32_t flags;
    uint32_t table_crc;
    uint8_t chain[DIGEST_BYTES]; /* after this frame */
};

void segment_header_encode(const struct segment_header *header, uint8_t to[SEGMENT_HEADER_BYTES]);
/* False when magic or checksum do not hold. Version and flags are the caller's to look at. */
bool segment_header_decode(const uint8_t from[SEGMENT_HEADER_BYTES],
                           struct segment_header *out) MUST_USE;

/* False when the nonce, the checksum or a limit does not hold. Flags are the caller's to look
 * at. */
bool frame_header_decode(const uint8_t from[FRAME_HEADER_BYTES], uint64_t nonce,
                         struct frame_header *out) MUST_USE;

/* Size of the frame that holds these entries; ERR_TOO_LARGE over a limit of log.h. */
err frame_measure(const struct log_entry *entries, size_t count, size_t *frame_bytes,
                  struct error *error) MUST_USE;

/* Writes the whole frame (frame_measure bytes) and moves `chain` on. Of `header`, nonce,
 * first_sequence and durable_sequence are given; the rest is filled in. `salts` holds
 * ENTRY_SALT_BYTES for each entry. */
void frame_encode(struct digest *digest, struct frame_header *header,
                  const struct log_entry *entries, size_t count, const uint8_t *salts,
                  uint8_t chain[DIGEST_BYTES], uint8_t *to);

/* Every checksum of a body. False: *bad_index is the entry at fault, or header->count when it is
 * the table. */
bool frame_body_check(const struct frame_header *header, const uint8_t *body,
                      size_t *bad_index) MUST_USE;

/* Of a body that passed frame_body_check: recomputes every digest (where the payload is still
 * there) and the chain from `chain_before`. False: *bad_index as above (header->count: the
 * chain). */
bool frame_chain_check(struct digest *digest, const struct frame_header *header,
                       const uint8_t *body, const uint8_t chain_before[DIGEST_BYTES],
                       size_t *bad_index) MUST_USE;

/* Where entry `index` lies in the body. False when the slot cannot be right. `slots` are the slot's
 * own 8 bytes and, unless it is the last entry, the following slot's. */
bool frame_slot_decode(const struct frame_header *header, const uint8_t *slots, uint32_t index,
                       uint32_t *offset, uint32_t *length, uint32_t *crc) MUST_USE;

/* Fills *out with slices into `bytes`. False when the checksum does not hold or a length does not
 * fit. */
bool entry_decode(const uint8_t *bytes, size_t length, uint64_t sequence, uint32_t crc,
                  struct log_entry *out) MUST_USE;

/* One entry of a body that passed frame_body_check. */
void frame_entry(const struct frame_header *header, const uint8_t *body, uint32_t index,
                 struct log_entry *out);

/* DIGEST_BYTES of one entry of a body that passed frame_body_check; a scrub does not change them.
 * Borrowed from the body. */
const uint8_t *frame_entry_digest(const struct frame_header *header, const uint8_t *body,
                                  uint32_t index);

/* Overwrites salt, source and payload of one entry of a body that passed frame_body_check, and
 * mends its checksum. False when that was done before (with the same created_person). frame_reseal
 * mends the header afterwards. */
bool frame_scrub_entry(const struct frame_header *header, uint8_t *body, uint32_t index,
                       bool created_person);
void frame_reseal(uint8_t *frame);

#endif
