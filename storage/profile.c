/* profile.c: the packed profile's layout, and the check of bytes that claim to be one.
 *
 * profile_pack.c writes blobs, profile_view.c reads them in place. The struct they stand for is in
 * storage/profile.h.
 *
 * LAYOUT
 *
 *   A blob is a head and seven sections, without padding. Integers of fixed width are little-endian;
 *   `varint` is LEB128 in as few bytes as possible; text is a varint length and that many bytes of
 *   UTF-8. delta(x, base) is x - base modulo 2^64, zigzag-coded, so that a small step in either
 *   direction is one byte.
 *
 *     offset  bytes   head
 *     0       4       length of the blob, these four bytes included
 *     4       4       person number, not 0
 *     8       8       created_at_us
 *     16      1       format: bits 0-3 version (1); bit 4 there are items; bit 5 there are absorbed
 *                     numbers; bit 6 there are history chunks; bit 7 is 0
 *     17      1       length of the head
 *     18      varint  identifier count
 *             varint  identifiers' bytes
 *             varint  delta(updated_at_us, created_at_us)
 *             varint  created_sequence
 *             varint  history chunks                           only with bit 6, and then not 0
 *             varint  field count,     varint  fields' bytes
 *             varint  item count,      varint  items' bytes    only with bit 4, and then not 0
 *             varint  interest count,  varint  interests' bytes
 *             varint  origin count,    varint  origins' bytes
 *             varint  sequence count
 *             varint  sequences' bytes, varint absorbed count  only with bit 5, and then not 0
 *
 *   The sections follow in this order; the last one that is there ends where the blob ends.
 *
 *     identifiers  byte   bits 0-3 type, bit 4 moved, bit 5 other origin, bits 6-7 are 0
 *                  varint origin                               only with "other origin"
 *                  text   value
 *     fields       varint tag: bits 0-2 kind (enum profile_value_kind), bit 3 other origin, the rest
 *                         name_id minus the smallest one possible here (0, or the last one + 1)
 *                  varint origin                               only with "other origin"
 *                  value  null nothing · bool one byte 0 or 1 · integer zigzag varint · number 8 bytes,
 *                         an IEEE 754 double, finite · text · category varint
 *     items        varint tag: bit 0 other origin, the rest name_id
 *                  varint origin                               only with "other origin"
 *                  text
 *     interests    varint tag: bit 0 other origin, the rest phrase_id
 *                  varint origin                               only with "other origin"
 *     origins      varint sequence: of the first one delta(sequence, created_sequence), of the others
 *                         what it is more than the one before
 *                  varint delta(event_time_us, the one before's, or created_at_us)
 *                  varint source_id
 *     sequences    varint of the first one delta(sequence, created_sequence), of the others what it
 *                         is more than the one before
 *     absorbed     varint number, not 0
 *                  varint delta(its created_sequence, ours)
 *
 *   "Other origin": an element's origin is that of the element before it in its section (of the first
 *   one: 0) unless the bit is set. Nearly all elements of a young profile come from one entry.
 *
 *   The head comes first because a lookup by identifier reads only that and the identifiers: byte 17
 *   leads straight to them, and one cache line or two hold both.
 *
 * A BLOB IS VALID IF AND ONLY IF
 *
 *   - every length and count fits what is there, and every section is used up by its elements
 *   - every flag, type and kind is one of those above, and texts are UTF-8
 *   - counts, ids and numbers fit 32 bits
 *   - fields ascend by name_id and sequences ascend, each without repetition
 *   - origins ascend by (sequence, event time, source) without repetition, sequences do not pass
 *     2^64 - 1, and every origin is referred to by an identifier, field, item or interest
 *   - it is canonical: varints are minimal, and an "other origin" bit is set only where the origin
 *     does change
 *   - it is not longer than PROFILE_BLOB_MAX
 *
 *   The last three make profile_pack(profile_unpack(blob)) the same bytes. */
#include "storage/profile.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "profile_format.h"

/* Bits for this many origins lie on the stack; more take an allocation. */
enum { REFERRED_ON_STACK = 1024 };

/* The first failure sticks: from then on readers give zeros and the loops end. */
struct checker {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end; /* of the section being read */
    struct error *error;
    err failed;
    uint64_t *referred; /* a bit per origin */
    uint32_t origin_count;
    uint32_t origin; /* of the element before */
};

/* What the head says. */
struct outline {
    uint32_t identifiers, fields, items, interests, origins, sequences, absorbed;
    uint32_t identifier_bytes, field_bytes, item_bytes, interest_bytes, origin_bytes,
        sequence_bytes;
    uint64_t created_sequence;
    int64_t created_at_us;
    uint8_t flags;
};

__attribute__((cold)) static void fail(struct checker *checker, const char *what)
{
    if (checker->failed == ERR_OK) {
        uint64_t offset = (uint64_t)(checker->at - checker->start);
        checker->failed = error_set(checker->error, ERR_CORRUPT, "profile_corrupt", offset,
                                    "A packed profile is damaged at byte %llu: %s.",
                                    (unsigned long long)offset, what);
    }
    checker->at = checker->end;
}

static uint8_t check_byte(struct checker *checker)
{
    if (checker->at == checker->end) {
        fail(checker, "it ends inside an element");
        return 0;
    }
    return *checker->at++;
}

static uint64_t check_varint(struct checker *checker)
{
    struct byte_reader reader = {checker->at, checker->end, false};
    uint64_t value = byte_reader_varint(&reader);
    if (reader.failed) {
        fail(checker, "a varint is too long or cut off");
        return 0;
    }
    if (reader.at - checker->at > 1 && reader.at[-1] == 0) {
        fail(checker, "a varint is longer than it need be");
        return 0;
    }
    checker->at = reader.at;
    return value;
}

static uint32_t check_varint_u32(struct checker *checker)
{
    uint64_t value = check_varint(checker);
    if (value > UINT32_MAX) {
        fail(checker, "a count or id is over 32 bits");
        return 0;
    }
    return (uint32_t)value;
}

static void check_text(struct checker *checker)
{
    uint32_t length = check_varint_u32(checker);
    if (length > (size_t)(checker->end - checker->at)) {
        fail(checker, "a text is longer than its section");
        return;
    }
    size_t bad_at;
    if (!utf8_valid(slice_of(checker->at, length), &bad_at)) {
        checker->at += bad_at;
        fail(checker, "a text is not UTF-8");
        return;
    }
    checker->at += length;
}

static void check_origin(struct checker *checker, bool other)
{
    if (other) {
        uint32_t origin = check_varint_u32(checker);
        if (origin == checker->origin) {
            fail(checker, "an origin is repeated");
            return;
        }
        checker->origin = origin;
    }
    if (checker->origin >= checker->origin_count) {
        fail(checker, "an element refers to an origin that is not there");
        return;
    }
    checker->referred[checker->origin / 64] |= UINT64_C(1) << (checker->origin % 64);
}

static void check_identifier(struct checker *checker)
{
    uint8_t tag = check_byte(checker);
    if ((tag & IDENTIFIER_BITS_UNKNOWN)) {
        fail(checker, "an identifier has unknown bits");
        return;
    }
    check_origin(checker, (tag & IDENTIFIER_OTHER_ORIGIN) != 0);
    check_text(checker);
}

static void check_number(struct checker *checker)
{
    if (checker->end - checker->at < 8) {
        fail(checker, "a number is cut off");
        return;
    }
    uint64_t bits = load_u64(checker->at);
    double number;
    memcpy(&number, &bits, sizeof number);
    if (!__builtin_isfinite(number)) {
        fail(checker, "a number is not finite");
        return;
    }
    checker->at += 8;
}

static void check_value(struct checker *checker, unsigned kind)
{
    switch (kind) {
    case PROFILE_NULL: return;
    case PROFILE_BOOL:
        if (check_byte(checker) > 1) {
            fail(checker, "a boolean is neither 0 nor 1");
        }
        return;
    case PROFILE_INTEGER: (void)check_varint(checker); return;
    case PROFILE_NUMBER: check_number(checker); return;
    case PROFILE_TEXT: check_text(checker); return;
    case PROFILE_CATEGORY: (void)check_varint_u32(checker); return;
    default: fail(checker, "a value is of an unknown kind"); return;
    }
}

/* Returns the smallest name_id that may follow. */
static uint64_t check_field(struct checker *checker, uint64_t next_name)
{
    uint64_t tag = check_varint(checker);
    uint64_t step = tag >> FIELD_TAG_SHIFT;
    if (step > UINT32_MAX || next_name + step > UINT32_MAX) {
        fail(checker, "a field's name is over 32 bits");
        return 0;
    }
    check_origin(checker, (tag & FIELD_OTHER_ORIGIN) != 0);
    check_value(checker, (unsigned)(tag & FIELD_KIND_MASK));
    return next_name + step + 1;
}

static void check_member(struct checker *checker)
{
    uint64_t tag = check_varint(checker);
    if (tag >> MEMBER_TAG_SHIFT > UINT32_MAX) {
        fail(checker, "an id is over 32 bits");
        return;
    }
    check_origin(checker, (tag & MEMBER_OTHER_ORIGIN) != 0);
}

/* The next sequence; `step_min` is how much it must at least go up, after the first. */
static uint64_t check_sequence(struct checker *checker, uint64_t previous, bool first,
                               uint64_t step_min)
{
    uint64_t delta = check_varint(checker);
    if (first) {
        return profile_undelta(delta, previous);
    }
    if (delta < step_min || delta > UINT64_MAX - previous) {
        fail(checker, "sequences do not ascend");
        return 0;
    }
    return previous + delta;
}

static void check_origins(struct checker *checker, const struct outline *outline)
{
    struct profile_origin previous = {outline->created_sequence, outline->created_at_us, 0};
    for (uint32_t i = 0; i < outline->origins && checker->failed == ERR_OK; i++) {
        struct profile_origin origin;
        origin.sequence = check_sequence(checker, previous.sequence, i == 0, 0);
        origin.event_time_us =
            (int64_t)profile_undelta(check_varint(checker), (uint64_t)previous.event_time_us);
        origin.source_id = check_varint_u32(checker);
        if (i > 0 && profile_origin_order(&previous, &origin) >= 0) {
            fail(checker, "origins do not ascend");
        }
        if ((checker->referred[i / 64] >> (i % 64) & 1) == 0) {
            fail(checker, "nothing refers to an origin");
        }
        previous = origin;
    }
}

static void check_sequences(struct checker *checker, const struct outline *outline)
{
    uint64_t sequence = outline->created_sequence;
    for (uint32_t i = 0; i < outline->sequences && checker->failed == ERR_OK; i++) {
        sequence = check_sequence(checker, sequence, i == 0, 1);
    }
}

static void check_absorbed(struct checker *checker, const struct outline *outline)
{
    for (uint32_t i = 0; i < outline->absorbed && checker->failed == ERR_OK; i++) {
        if (check_varint_u32(checker) == 0) {
            fail(checker, "an absorbed number is 0");
        }
        (void)check_varint(checker);
    }
}

/* A count that a flag announces. */
static uint32_t check_announced(struct checker *checker, const struct outline *outline,
                                uint8_t flag)
{
    if ((outline->flags & flag) == 0) {
        return 0;
    }
    uint32_t count = check_varint_u32(checker);
    if (count == 0) {
        fail(checker, "a flag announces what is not there");
    }
    return count;
}

static void check_head(struct checker *checker, size_t length, struct outline *outline)
{
    const uint8_t *start = checker->start;
    if (length < PROFILE_HEAD_FIXED_BYTES || length > PROFILE_BLOB_MAX ||
        load_u32(start + PROFILE_AT_LENGTH) != length) {
        fail(checker, "its length is not what it says");
        return;
    }
    outline->flags = start[PROFILE_AT_FORMAT];
    size_t head_bytes = start[PROFILE_AT_HEAD_BYTES];
    if ((outline->flags & PROFILE_VERSION_MASK) != PROFILE_FORMAT_VERSION ||
        (outline->flags & PROFILE_FLAGS_UNKNOWN)) {
        checker->at = start + PROFILE_AT_FORMAT;
        fail(checker, "its version or flags are unknown");
        return;
    }
    if (head_bytes < PROFILE_HEAD_FIXED_BYTES || head_bytes > length) {
        checker->at = start + PROFILE_AT_HEAD_BYTES;
        fail(checker, "its head does not fit");
        return;
    }
    if (load_u32(start + PROFILE_AT_NUMBER) == 0) {
        checker->at = start + PROFILE_AT_NUMBER;
        fail(checker, "its person number is 0");
        return;
    }
    outline->created_at_us = (int64_t)load_u64(start + PROFILE_AT_CREATED);
    checker->at = start + PROFILE_HEAD_FIXED_BYTES;
    checker->end = start + head_bytes;
    outline->identifiers = check_varint_u32(checker);
    outline->identifier_bytes = check_varint_u32(checker);
    (void)check_varint(checker); /* updated_at_us: any time will do */
    outline->created_sequence = check_varint(checker);
    (void)check_announced(checker, outline, PROFILE_HAS_HISTORY);
    outline->fields = check_varint_u32(checker);
    outline->field_bytes = check_varint_u32(checker);
    outline->items = check_announced(checker, outline, PROFILE_HAS_ITEMS);
    outline->item_bytes = outline->items > 0 ? check_varint_u32(checker) : 0;
    outline->interests = check_varint_u32(checker);
    outline->interest_bytes = check_varint_u32(checker);
    outline->origins = check_varint_u32(checker);
    outline->origin_bytes = check_varint_u32(checker);
    outline->sequences = check_varint_u32(checker);
    if (outline->flags & PROFILE_HAS_ABSORBED) {
        outline->sequence_bytes = check_varint_u32(checker);
        outline->absorbed = check_announced(checker, outline, PROFILE_HAS_ABSORBED);
    }
    if (checker->at != checker->end) {
        fail(checker, "its head is longer than what is in it");
    }
}

/* The next `bytes` bytes are the section. False when they are not there. */
static bool section_begin(struct checker *checker, const uint8_t *blob_end, size_t bytes)
{
    if (checker->failed != ERR_OK) {
        return false;
    }
    if (bytes > (size_t)(blob_end - checker->at)) {
        fail(checker, "a section is longer than the blob");
        return false;
    }
    checker->end = checker->at + bytes;
    checker->origin = 0;
    return true;
}

static void section_end(struct checker *checker)
{
    if (checker->failed == ERR_OK && checker->at != checker->end) {
        fail(checker, "a section is longer than its elements");
    }
}

static void check_body(struct checker *checker, const uint8_t *blob_end,
                       const struct outline *outline)
{
    if (section_begin(checker, blob_end, outline->identifier_bytes)) {
        for (uint32_t i = 0; i < outline->identifiers && checker->failed == ERR_OK; i++) {
            check_identifier(checker);
        }
        section_end(checker);
    }
    if (section_begin(checker, blob_end, outline->field_bytes)) {
        uint64_t next_name = 0;
        for (uint32_t i = 0; i < outline->fields && checker->failed == ERR_OK; i++) {
            next_name = check_field(checker, next_name);
        }
        section_end(checker);
    }
    if (section_begin(checker, blob_end, outline->item_bytes)) {
        for (uint32_t i = 0; i < outline->items && checker->failed == ERR_OK; i++) {
            check_member(checker);
            check_text(checker);
        }
        section_end(checker);
    }
    if (section_begin(checker, blob_end, outline->interest_bytes)) {
        for (uint32_t i = 0; i < outline->interests && checker->failed == ERR_OK; i++) {
            check_member(checker);
        }
        section_end(checker);
    }
    if (section_begin(checker, blob_end, outline->origin_bytes)) {
        check_origins(checker, outline);
        section_end(checker);
    }
    bool absorbed = (outline->flags & PROFILE_HAS_ABSORBED) != 0;
    size_t left = checker->failed == ERR_OK ? (size_t)(blob_end - checker->at) : 0;
    if (section_begin(checker, blob_end, absorbed ? outline->sequence_bytes : left)) {
        check_sequences(checker, outline);
        section_end(checker);
    }
    left = checker->failed == ERR_OK ? (size_t)(blob_end - checker->at) : 0;
    if (section_begin(checker, blob_end, left)) {
        check_absorbed(checker, outline);
        section_end(checker);
    }
}

err profile_validate(struct slice bytes, struct error *error)
{
    const uint8_t *start = (const uint8_t *)bytes.data;
    struct checker checker = {.start = start, .at = start, .end = start, .error = error};
    struct outline outline = {0};
    check_head(&checker, bytes.length, &outline);
    /* An origin has three bytes at least, so a count beyond that is refused before memory is asked
     * for. */
    if (checker.failed == ERR_OK &&
        (outline.origins > outline.origin_bytes / 3 || outline.origin_bytes > bytes.length)) {
        fail(&checker, "it has fewer origins than it says");
    }
    if (checker.failed != ERR_OK) {
        return checker.failed;
    }
    uint64_t on_stack[REFERRED_ON_STACK / 64] = {0};
    checker.referred = on_stack;
    checker.origin_count = outline.origins;
    if (outline.origins > REFERRED_ON_STACK) {
        checker.referred = memory_zalloc(((size_t)outline.origins + 63) / 64 * sizeof(uint64_t));
        if (checker.referred == NULL) {
            return error_set(error, ERR_MEMORY, "memory", 0,
                             "Memory is out while a packed profile is being checked.");
        }
    }
    check_body(&checker, start + bytes.length, &outline);
    if (checker.referred != on_stack) {
        memory_free(checker.referred);
    }
    return checker.failed;
}
