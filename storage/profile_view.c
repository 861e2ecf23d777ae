#include "base/bytes.h"
#include "profile_format.h"
#include "storage/profile.h"

enum section {
    SECTION_IDENTIFIERS,
    SECTION_FIELDS,
    SECTION_ITEMS,
    SECTION_INTERESTS,
    SECTION_ORIGINS,
    SECTION_SEQUENCES,
    SECTION_ABSORBED,
    SECTION_END,
};

/* Of bytes that profile_pack wrote or profile_validate accepted: no bounds here. The cursors CHECK
 * after each element that they are still inside their section. Nearly all varints are one byte. */
static inline uint64_t read_varint(const uint8_t **at)
{
    const uint8_t *from = *at;
    uint64_t value = *from++;
    if (__builtin_expect(value >= 0x80, 0)) {
        uint8_t byte = *from++;
        value = (value & 0x7F) | (uint64_t)(byte & 0x7F) << 7;
        if (byte < 0x80) {
            *at = from; /* two bytes: phrases and names mostly */
            return value;
        }
        unsigned shift = 14;
        do {
            byte = *from++;
            value |= (uint64_t)(byte & 0x7F) << (shift & 63);
            shift += 7;
        } while (byte >= 0x80 && shift < 70);
    }
    *at = from;
    return value;
}

static inline uint32_t read_varint_u32(const uint8_t **at)
{
    return (uint32_t)read_varint(at);
}

static inline struct slice read_text(const uint8_t **at)
{
    uint32_t length = read_varint_u32(at);
    struct slice text = slice_of(*at, length);
    *at += length;
    return text;
}

size_t profile_blob_bytes(const void *blob)
{
    return load_u32((const uint8_t *)blob + PROFILE_AT_LENGTH);
}

uint32_t profile_blob_number(const void *blob)
{
    return load_u32((const uint8_t *)blob + PROFILE_AT_NUMBER);
}

bool profile_has_identifier(const void *blob, uint8_t type, struct slice value)
{
    const uint8_t *head = blob;
    CHECK((head[PROFILE_AT_FORMAT] & PROFILE_VERSION_MASK) == PROFILE_FORMAT_VERSION);
    const uint8_t *at = head + PROFILE_HEAD_FIXED_BYTES;
    uint64_t count = read_varint(&at);
    at = head + head[PROFILE_AT_HEAD_BYTES];
    for (; count > 0; count--) {
        uint8_t tag = *at++;
        if (tag & IDENTIFIER_OTHER_ORIGIN) {
            (void)read_varint(&at);
        }
        struct slice text = read_text(&at);
        if ((tag & (IDENTIFIER_TYPE_MASK | IDENTIFIER_MOVED)) == type && slice_equal(text, value)) {
            return true;
        }
    }
    return false;
}

void profile_view_open(const void *blob, struct profile_view *view)
{
    const uint8_t *head = blob;
    uint8_t flags = head[PROFILE_AT_FORMAT];
    CHECK((flags & PROFILE_VERSION_MASK) == PROFILE_FORMAT_VERSION);
    view->blob = blob;
    view->number = load_u32(head + PROFILE_AT_NUMBER);
    uint64_t created_at = load_u64(head + PROFILE_AT_CREATED);
    view->created_at_us = (int64_t)created_at;

    const uint8_t *at = head + PROFILE_HEAD_FIXED_BYTES;
    const uint8_t *body = head + head[PROFILE_AT_HEAD_BYTES];
    const uint8_t *end = head + load_u32(head + PROFILE_AT_LENGTH);
    view->section[SECTION_IDENTIFIERS] = body;
    view->identifier_count = read_varint_u32(&at);
    body += read_varint_u32(&at);
    view->updated_at_us = (int64_t)profile_undelta(read_varint(&at), created_at);
    view->created_sequence = read_varint(&at);
    view->history_chunks = flags & PROFILE_HAS_HISTORY ? read_varint_u32(&at) : 0;

    view->section[SECTION_FIELDS] = body;
    view->field_count = read_varint_u32(&at);
    body += read_varint_u32(&at);
    view->section[SECTION_ITEMS] = body;
    view->item_count = 0;
    if (flags & PROFILE_HAS_ITEMS) {
        view->item_count = read_varint_u32(&at);
        body += read_varint_u32(&at);
    }
    view->section[SECTION_INTERESTS] = body;
    view->interest_count = read_varint_u32(&at);
    body += read_varint_u32(&at);
    view->section[SECTION_ORIGINS] = body;
    view->origin_count = read_varint_u32(&at);
    body += read_varint_u32(&at);
    view->section[SECTION_SEQUENCES] = body;
    view->sequence_count = read_varint_u32(&at);
    view->absorbed_count = 0;
    if (flags & PROFILE_HAS_ABSORBED) {
        body += read_varint_u32(&at);
        view->absorbed_count = read_varint_u32(&at);
    } else {
        body = end;
    }
    view->section[SECTION_ABSORBED] = body;
    view->section[SECTION_END] = end;
    CHECK(at == head + head[PROFILE_AT_HEAD_BYTES] && body <= end);
}

static inline struct profile_cursor cursor_of(const struct profile_view *view, enum section section,
                                              uint32_t count)
{
    return (struct profile_cursor){
        .at = view->section[section], .end = view->section[section + 1], .left = count};
}

/* The elements' end: false when there are no more. The section must then be used up. */
static inline bool cursor_more(struct profile_cursor *cursor)
{
    if (cursor->left == 0) {
        CHECK(cursor->at == cursor->end);
        return false;
    }
    cursor->left--;
    return true;
}

static inline bool cursor_moved(struct profile_cursor *cursor, const uint8_t *at)
{
    CHECK(at <= cursor->end);
    cursor->at = at;
    return true;
}

static inline uint32_t cursor_origin(struct profile_cursor *cursor, const uint8_t **at, bool other)
{
    if (other) {
        cursor->origin = read_varint_u32(at);
    }
    return cursor->origin;
}

struct profile_cursor profile_identifiers(const struct profile_view *view)
{
    return cursor_of(view, SECTION_IDENTIFIERS, view->identifier_count);
}

bool profile_identifier_next(struct profile_cursor *cursor, struct profile_identifier *out)
{
    if (!cursor_more(cursor)) {
        return false;
    }
    const uint8_t *at = cursor->at;
    uint8_t tag = *at++;
    out->type = tag & IDENTIFIER_TYPE_MASK;
    out->moved = (tag & IDENTIFIER_MOVED) != 0;
    out->origin = cursor_origin(cursor, &at, (tag & IDENTIFIER_OTHER_ORIGIN) != 0);
    out->value = read_text(&at);
    return cursor_moved(cursor, at);
}

struct profile_cursor profile_fields(const struct profile_view *view)
{
    return cursor_of(view, SECTION_FIELDS, view->field_count);
}

static inline void read_value(const uint8_t **at, struct profile_value *value)
{
    switch (value->kind) {
    case PROFILE_NULL: value->integer = 0; return;
    case PROFILE_BOOL: value->boolean = *(*at)++ != 0; return;
    case PROFILE_INTEGER: value->integer = zigzag_decode(read_varint(at)); return;
    case PROFILE_NUMBER: {
        uint64_t bits = load_u64(*at);
        memcpy(&value->number, &bits, sizeof bits);
        *at += sizeof bits;
        return;
    }
    case PROFILE_TEXT: value->text = read_text(at); return;
    case PROFILE_CATEGORY: value->category_id = read_varint_u32(at); return;
    }
    CHECK(false); /* no kind of value */
}

bool profile_field_next(struct profile_cursor *cursor, struct profile_field *out)
{
    if (!cursor_more(cursor)) {
        return false;
    }
    const uint8_t *at = cursor->at;
    uint64_t tag = read_varint(&at);
    out->name_id = (uint32_t)(cursor->previous + (tag >> FIELD_TAG_SHIFT));
    cursor->previous = (uint64_t)out->name_id + 1;
    out->origin = cursor_origin(cursor, &at, (tag & FIELD_OTHER_ORIGIN) != 0);
    out->value.kind = (enum profile_value_kind)(tag & FIELD_KIND_MASK);
    read_value(&at, &out->value);
    return cursor_moved(cursor, at);
}

struct profile_cursor profile_items(const struct profile_view *view)
{
    return cursor_of(view, SECTION_ITEMS, view->item_count);
}

bool profile_item_next(struct profile_cursor *cursor, struct profile_item *out)
{
    if (!cursor_more(cursor)) {
        return false;
    }
    const uint8_t *at = cursor->at;
    uint64_t tag = read_varint(&at);
    out->name_id = (uint32_t)(tag >> MEMBER_TAG_SHIFT);
    out->origin = cursor_origin(cursor, &at, (tag & MEMBER_OTHER_ORIGIN) != 0);
    out->text = read_text(&at);
    return cursor_moved(cursor, at);
}

struct profile_cursor profile_interests(const struct profile_view *view)
{
    return cursor_of(view, SECTION_INTERESTS, view->interest_count);
}

bool profile_interest_next(struct profile_cursor *cursor, struct profile_interest *out)
{
    if (!cursor_more(cursor)) {
        return false;
    }
    const uint8_t *at = cursor->at;
    uint64_t tag = read_varint(&at);
    out->phrase_id = (uint32_t)(tag >> MEMBER_TAG_SHIFT);
    out->origin = cursor_origin(cursor, &at, (tag & MEMBER_OTHER_ORIGIN) != 0);
    return cursor_moved(cursor, at);
}

/* Entries' sequences: the first against created_sequence, either way; the others only go up. */
static inline uint64_t next_sequence(struct profile_cursor *cursor, const uint8_t **at, bool first)
{
    uint64_t delta = read_varint(at);
    cursor->previous = first ? profile_undelta(delta, cursor->previous) : cursor->previous + delta;
    return cursor->previous;
}

struct profile_cursor profile_origins(const struct profile_view *view)
{
    struct profile_cursor cursor = cursor_of(view, SECTION_ORIGINS, view->origin_count);
    cursor.previous = view->created_sequence;
    cursor.previous_time_us = view->created_at_us;
    return cursor;
}

bool profile_origin_next(struct profile_cursor *cursor, struct profile_origin *out)
{
    /* In these three sections nothing else uses `origin`: it tells the first element. */
    bool first = cursor->origin == 0;
    if (!cursor_more(cursor)) {
        return false;
    }
    const uint8_t *at = cursor->at;
    out->sequence = next_sequence(cursor, &at, first);
    out->event_time_us =
        (int64_t)profile_undelta(read_varint(&at), (uint64_t)cursor->previous_time_us);
    out->source_id = read_varint_u32(&at);
    cursor->previous_time_us = out->event_time_us;
    cursor->origin = 1;
    return cursor_moved(cursor, at);
}

struct profile_cursor profile_sequences(const struct profile_view *view)
{
    struct profile_cursor cursor = cursor_of(view, SECTION_SEQUENCES, view->sequence_count);
    cursor.previous = view->created_sequence;
    return cursor;
}

bool profile_sequence_next(struct profile_cursor *cursor, uint64_t *out)
{
    bool first = cursor->origin == 0;
    if (!cursor_more(cursor)) {
        return false;
    }
    const uint8_t *at = cursor->at;
    *out = next_sequence(cursor, &at, first);
    cursor->origin = 1;
    return cursor_moved(cursor, at);
}

struct profile_cursor profile_absorptions(const struct profile_view *view)
{
    struct profile_cursor cursor = cursor_of(view, SECTION_ABSORBED, view->absorbed_count);
    cursor.previous = view->created_sequence;
    return cursor;
}

bool profile_absorbed_next(struct profile_cursor *cursor, struct profile_absorbed *out)
{
    if (!cursor_more(cursor)) {
        return false;
    }
    const uint8_t *at = cursor->at;
    out->number = read_varint_u32(&at);
    out->created_sequence = profile_undelta(read_varint(&at), cursor->previous);
    return cursor_moved(cursor, at);
}

/* Without cursors: every instruction counts here. */
static void glance_identifiers(const struct profile_view *view, struct profile_glance *out)
{
    const uint8_t *at = view->section[SECTION_IDENTIFIERS];
    out->cookie = out->email = SLICE_NONE;
    for (uint32_t left = view->identifier_count; left > 0; left--) {
        uint8_t tag = *at++;
        if (__builtin_expect(tag & IDENTIFIER_OTHER_ORIGIN, 0)) {
            (void)read_varint(&at);
        }
        struct slice text = read_text(&at);
        uint8_t type = tag & (IDENTIFIER_TYPE_MASK | IDENTIFIER_MOVED);
        if (type == IDENTIFIER_COOKIE && out->cookie.data == NULL) {
            out->cookie = text;
        } else if (type == IDENTIFIER_EMAIL && out->email.data == NULL) {
            out->email = text;
        }
    }
    CHECK(at == view->section[SECTION_IDENTIFIERS + 1]);
}

void profile_glance(const struct profile_view *view, struct profile_glance *out)
{
    glance_identifiers(view, out);
    for (size_t i = 0; i < PROFILE_GLANCE_FIELDS; i++) {
        out->fields[i].kind = PROFILE_NULL;
    }
    const uint8_t *at = view->section[SECTION_FIELDS];
    uint64_t next_id = 0;
    for (uint32_t left = view->field_count; left > 0; left--) {
        uint64_t tag = read_varint(&at);
        uint64_t name_id = next_id + (tag >> FIELD_TAG_SHIFT);
        next_id = name_id + 1;
        if (name_id >= PROFILE_GLANCE_FIELDS) {
            break; /* ascending: nothing more to see */
        }
        if (__builtin_expect(tag & FIELD_OTHER_ORIGIN, 0)) {
            (void)read_varint(&at);
        }
        struct profile_value *value = &out->fields[name_id];
        value->kind = (enum profile_value_kind)(tag & FIELD_KIND_MASK);
        if (__builtin_expect(value->kind == PROFILE_CATEGORY, 1)) {
            value->category_id = read_varint_u32(&at);
        } else {
            read_value(&at, value);
        }
    }
    CHECK(at <= view->section[SECTION_FIELDS + 1]);
}

uint32_t profile_interest_ids(struct profile_cursor *cursor, uint32_t *ids, uint32_t max)
{
    const uint8_t *at = cursor->at;
    uint32_t count = cursor->left < max ? cursor->left : max;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t tag = read_varint(&at);
        if (__builtin_expect(tag & MEMBER_OTHER_ORIGIN, 0)) {
            cursor->origin = read_varint_u32(&at);
        }
        ids[i] = (uint32_t)(tag >> MEMBER_TAG_SHIFT);
    }
    cursor->left -= count;
    CHECK(at <= cursor->end);
    cursor->at = at;
    return count;
}
