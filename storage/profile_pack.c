#include "base/bytes.h"
#include "base/memory.h"
#include "profile_format.h"
#include "storage/profile.h"

#include <stdlib.h>

/* ---- which origins stay, and their new numbers ----------------------------------------------- */

/* Nearly every profile has fewer origins than this, and then packing allocates nothing but the
 * blob. */
enum { ORIGINS_ON_STACK = 64 };

struct origin_plan {
    uint32_t *map;   /* old index to new; while marking: is it referred to? */
    uint32_t *order; /* new index to old */
    uint32_t count;
    uint32_t map_on_stack[ORIGINS_ON_STACK];
    uint32_t order_on_stack[ORIGINS_ON_STACK];
};

static void plan_mark(const struct profile *profile, uint32_t *map)
{
    size_t count = profile->origin_count;
    for (size_t i = 0; i < profile->identifier_count; i++) {
        CHECK(profile->identifiers[i].origin < count);
        map[profile->identifiers[i].origin] = 1;
    }
    for (size_t i = 0; i < profile->field_count; i++) {
        CHECK(profile->fields[i].origin < count);
        map[profile->fields[i].origin] = 1;
    }
    for (size_t i = 0; i < profile->item_count; i++) {
        CHECK(profile->items[i].origin < count);
        map[profile->items[i].origin] = 1;
    }
    for (size_t i = 0; i < profile->interest_count; i++) {
        CHECK(profile->interests[i].origin < count);
        map[profile->interests[i].origin] = 1;
    }
}

static int compare_by_origin(const void *a, const void *b, void *context)
{
    const struct profile_origin *origins = context;
    return profile_origin_order(&origins[*(const uint32_t *)a], &origins[*(const uint32_t *)b]);
}

static void plan_sort(const struct profile_origin *origins, uint32_t *order, uint32_t count)
{
    bool sorted = true;
    for (uint32_t i = 1; i < count && sorted; i++) {
        sorted = profile_origin_order(&origins[order[i - 1]], &origins[order[i]]) <= 0;
    }
    if (sorted) {
        return;
    }
    if (count > ORIGINS_ON_STACK) {
        struct profile_origin *context;
        memcpy(&context, &origins, sizeof context); /* qsort_r's context is not const */
        qsort_r(order, count, sizeof *order, compare_by_origin, context);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint32_t moving = order[i];
        uint32_t to = i;
        while (to > 0 && profile_origin_order(&origins[order[to - 1]], &origins[moving]) > 0) {
            order[to] = order[to - 1];
            to--;
        }
        order[to] = moving;
    }
}

/* False when memory is out. */
static bool plan_make(const struct profile *profile, struct origin_plan *plan)
{
    size_t all = profile->origin_count;
    CHECK(all <= UINT32_MAX);
    plan->map = plan->map_on_stack;
    plan->order = plan->order_on_stack;
    if (all > ORIGINS_ON_STACK) {
        plan->map = memory_alloc(all * 2 * sizeof *plan->map);
        if (plan->map == NULL) {
            return false;
        }
        plan->order = plan->map + all;
    }
    for (size_t i = 0; i < all; i++) {
        plan->map[i] = 0;
    }
    plan_mark(profile, plan->map);
    uint32_t used = 0;
    for (uint32_t i = 0; i < all; i++) {
        if (plan->map[i]) {
            plan->order[used++] = i;
        }
    }
    plan_sort(profile->origins, plan->order, used);
    plan->count = 0;
    for (uint32_t i = 0; i < used; i++) {
        uint32_t old = plan->order[i];
        if (i > 0 && profile_origin_order(&profile->origins[plan->order[plan->count - 1]],
                                          &profile->origins[old]) == 0) {
            plan->map[old] = plan->count - 1;
            continue;
        }
        plan->map[old] = plan->count;
        plan->order[plan->count++] = old;
    }
    return true;
}

static void plan_free(struct origin_plan *plan)
{
    if (plan->map != plan->map_on_stack) {
        memory_free(plan->map);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* No element without its texts is longer. */
enum { ELEMENT_MAX_BYTES = 40 };

struct packer {
    struct buffer *out;
    uint8_t *at;
    uint8_t *limit;
    const uint32_t *origin_map;
    uint32_t previous_origin;
};

static bool packer_grow(struct packer *packer, size_t need)
{
    struct buffer *out = packer->out;
    out->length = (size_t)(packer->at - (uint8_t *)out->data);
    char *room = buffer_reserve(out, need);
    if (room == NULL) {
        return false;
    }
    packer->at = (uint8_t *)room;
    packer->limit = (uint8_t *)out->data + out->capacity;
    return true;
}

static inline bool packer_room(struct packer *packer, size_t text_bytes)
{
    /* Far above any blob, and far below where the sum could wrap. */
    if (text_bytes > PROFILE_BLOB_MAX) {
        return false;
    }
    size_t need = ELEMENT_MAX_BYTES + text_bytes;
    return (size_t)(packer->limit - packer->at) >= need || packer_grow(packer, need);
}

static inline void put_varint(struct packer *packer, uint64_t value)
{
    uint8_t *at = packer->at;
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    packer->at = at;
}

static inline void put_text(struct packer *packer, struct slice text)
{
    put_varint(packer, text.length);
    if (text.length > 0) {
        memcpy(packer->at, text.data, text.length);
        packer->at += text.length;
    }
}

/* The new number of an origin, and whether it has to be written because the element before had
 * another. */
static inline bool origin_changes(struct packer *packer, uint32_t old)
{
    uint32_t origin = packer->origin_map[old];
    bool other = origin != packer->previous_origin;
    packer->previous_origin = origin;
    return other;
}

static bool put_identifiers(struct packer *packer, const struct profile *profile)
{
    packer->previous_origin = 0;
    for (size_t i = 0; i < profile->identifier_count; i++) {
        const struct profile_identifier *identifier = &profile->identifiers[i];
        CHECK(identifier->type < IDENTIFIER_TYPE_MAX);
        if (!packer_room(packer, identifier->value.length)) {
            return false;
        }
        bool other = origin_changes(packer, identifier->origin);
        *packer->at++ = (uint8_t)(identifier->type | (identifier->moved ? IDENTIFIER_MOVED : 0) |
                                  (other ? IDENTIFIER_OTHER_ORIGIN : 0));
        if (other) {
            put_varint(packer, packer->previous_origin);
        }
        put_text(packer, identifier->value);
    }
    return true;
}

static inline void put_value(struct packer *packer, const struct profile_value *value)
{
    switch (value->kind) {
    case PROFILE_NULL: return;
    case PROFILE_BOOL: *packer->at++ = value->boolean ? 1 : 0; return;
    case PROFILE_INTEGER: put_varint(packer, zigzag_encode(value->integer)); return;
    case PROFILE_NUMBER: {
        CHECK(__builtin_isfinite(value->number));
        uint64_t bits;
        memcpy(&bits, &value->number, sizeof bits);
        store_u64(packer->at, bits);
        packer->at += sizeof bits;
        return;
    }
    case PROFILE_TEXT: put_text(packer, value->text); return;
    case PROFILE_CATEGORY: put_varint(packer, value->category_id); return;
    }
    CHECK(false); /* no kind of value */
}

static bool put_fields(struct packer *packer, const struct profile *profile)
{
    packer->previous_origin = 0;
    uint64_t next_name = 0;
    for (size_t i = 0; i < profile->field_count; i++) {
        const struct profile_field *field = &profile->fields[i];
        CHECK(field->name_id >= next_name);
        if (!packer_room(packer,
                         field->value.kind == PROFILE_TEXT ? field->value.text.length : 0)) {
            return false;
        }
        bool other = origin_changes(packer, field->origin);
        put_varint(packer, ((field->name_id - next_name) << FIELD_TAG_SHIFT) |
                               (other ? FIELD_OTHER_ORIGIN : 0u) | (unsigned)field->value.kind);
        if (other) {
            put_varint(packer, packer->previous_origin);
        }
        put_value(packer, &field->value);
        next_name = (uint64_t)field->name_id + 1;
    }
    return true;
}

static inline void put_member(struct packer *packer, uint32_t id, uint32_t origin)
{
    bool other = origin_changes(packer, origin);
    put_varint(packer, ((uint64_t)id << MEMBER_TAG_SHIFT) | (other ? MEMBER_OTHER_ORIGIN : 0u));
    if (other) {
        put_varint(packer, packer->previous_origin);
    }
}

static bool put_items(struct packer *packer, const struct profile *profile)
{
    packer->previous_origin = 0;
    for (size_t i = 0; i < profile->item_count; i++) {
        if (!packer_room(packer, profile->items[i].text.length)) {
            return false;
        }
        put_member(packer, profile->items[i].name_id, profile->items[i].origin);
        put_text(packer, profile->items[i].text);
    }
    return true;
}

static bool put_interests(struct packer *packer, const struct profile *profile)
{
    packer->previous_origin = 0;
    for (size_t i = 0; i < profile->interest_count; i++) {
        if (!packer_room(packer, 0)) {
            return false;
        }
        put_member(packer, profile->interests[i].phrase_id, profile->interests[i].origin);
    }
    return true;
}

static bool put_origins(struct packer *packer, const struct profile *profile,
                        const struct origin_plan *plan)
{
    uint64_t sequence = profile->created_sequence;
    uint64_t time = (uint64_t)profile->created_at_us;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct profile_origin *origin = &profile->origins[plan->order[i]];
        if (!packer_room(packer, 0)) {
            return false;
        }
        put_varint(packer, i == 0 ? profile_delta(origin->sequence, sequence)
                                  : origin->sequence - sequence);
        put_varint(packer, profile_delta((uint64_t)origin->event_time_us, time));
        put_varint(packer, origin->source_id);
        sequence = origin->sequence;
        time = (uint64_t)origin->event_time_us;
    }
    return true;
}

static bool put_sequences(struct packer *packer, const struct profile *profile)
{
    uint64_t sequence = profile->created_sequence;
    for (size_t i = 0; i < profile->sequence_count; i++) {
        uint64_t next = profile->sequences[i];
        CHECK(i == 0 || next > sequence);
        if (!packer_room(packer, 0)) {
            return false;
        }
        put_varint(packer, i == 0 ? profile_delta(next, sequence) : next - sequence);
        sequence = next;
    }
    return true;
}

static bool put_absorbed(struct packer *packer, const struct profile *profile)
{
    for (size_t i = 0; i < profile->absorbed_count; i++) {
        if (!packer_room(packer, 0)) {
            return false;
        }
        put_varint(packer, profile->absorbed[i].number);
        put_varint(packer,
                   profile_delta(profile->absorbed[i].created_sequence, profile->created_sequence));
    }
    return true;
}

/* ---- the head, when the sections' lengths are known ------------------------------------------ */

struct section_bytes {
    size_t identifiers, fields, items, interests, origins, sequences, absorbed;
};

static size_t write_head(const struct profile *profile, uint32_t origin_count,
                         const struct section_bytes *bytes, uint8_t head[PROFILE_HEAD_MAX_BYTES])
{
    struct packer packer = {.at = head + PROFILE_HEAD_FIXED_BYTES};
    put_varint(&packer, profile->identifier_count);
    put_varint(&packer, bytes->identifiers);
    put_varint(&packer,
               profile_delta((uint64_t)profile->updated_at_us, (uint64_t)profile->created_at_us));
    put_varint(&packer, profile->created_sequence);
    if (profile->history_chunks > 0) {
        put_varint(&packer, profile->history_chunks);
    }
    put_varint(&packer, profile->field_count);
    put_varint(&packer, bytes->fields);
    if (profile->item_count > 0) {
        put_varint(&packer, profile->item_count);
        put_varint(&packer, bytes->items);
    }
    put_varint(&packer, profile->interest_count);
    put_varint(&packer, bytes->interests);
    put_varint(&packer, origin_count);
    put_varint(&packer, bytes->origins);
    put_varint(&packer, profile->sequence_count);
    if (profile->absorbed_count > 0) {
        put_varint(&packer, bytes->sequences);
        put_varint(&packer, profile->absorbed_count);
    }
    size_t head_bytes = (size_t)(packer.at - head);
    size_t total = head_bytes + bytes->identifiers + bytes->fields + bytes->items +
                   bytes->interests + bytes->origins + bytes->sequences + bytes->absorbed;
    store_u32(head + PROFILE_AT_LENGTH, (uint32_t)total);
    store_u32(head + PROFILE_AT_NUMBER, profile->number);
    store_u64(head + PROFILE_AT_CREATED, (uint64_t)profile->created_at_us);
    head[PROFILE_AT_FORMAT] =
        (uint8_t)(PROFILE_FORMAT_VERSION | (profile->item_count > 0 ? PROFILE_HAS_ITEMS : 0) |
                  (profile->absorbed_count > 0 ? PROFILE_HAS_ABSORBED : 0) |
                  (profile->history_chunks > 0 ? PROFILE_HAS_HISTORY : 0));
    head[PROFILE_AT_HEAD_BYTES] = (uint8_t)head_bytes;
    return head_bytes;
}

/* Bytes since *from; *from moves on. The buffer may move between sections, so this counts
 * offsets. */
static inline size_t section_end(const struct packer *packer, size_t *from)
{
    size_t at = (size_t)(packer->at - (uint8_t *)packer->out->data);
    size_t length = at - *from;
    *from = at;
    return length;
}

static bool put_body(struct packer *packer, const struct profile *profile,
                     const struct origin_plan *plan, struct section_bytes *bytes)
{
    size_t from = (size_t)(packer->at - (uint8_t *)packer->out->data);
    if (!put_identifiers(packer, profile)) {
        return false;
    }
    bytes->identifiers = section_end(packer, &from);
    if (!put_fields(packer, profile)) {
        return false;
    }
    bytes->fields = section_end(packer, &from);
    if (!put_items(packer, profile)) {
        return false;
    }
    bytes->items = section_end(packer, &from);
    if (!put_interests(packer, profile)) {
        return false;
    }
    bytes->interests = section_end(packer, &from);
    if (!put_origins(packer, profile, plan)) {
        return false;
    }
    bytes->origins = section_end(packer, &from);
    if (!put_sequences(packer, profile)) {
        return false;
    }
    bytes->sequences = section_end(packer, &from);
    if (!put_absorbed(packer, profile)) {
        return false;
    }
    bytes->absorbed = section_end(packer, &from);
    return true;
}

/* The sections go behind a gap as long as the longest head, the head is made from their lengths,
 * and the sections move down to it: some hundred bytes in the cache, less than measuring them
 * first. */
static bool pack_at(const struct profile *profile, const struct origin_plan *plan,
                    struct buffer *out, size_t start)
{
    char *room = buffer_reserve(out, PROFILE_HEAD_MAX_BYTES + ELEMENT_MAX_BYTES);
    if (room == NULL) {
        return false;
    }
    struct packer packer = {
        .out = out,
        .at = (uint8_t *)room + PROFILE_HEAD_MAX_BYTES,
        .limit = (uint8_t *)out->data + out->capacity,
        .origin_map = plan->map,
    };
    struct section_bytes bytes;
    if (!put_body(&packer, profile, plan, &bytes)) {
        return false;
    }
    uint8_t *blob = (uint8_t *)out->data + start;
    size_t body_bytes = (size_t)(packer.at - blob) - PROFILE_HEAD_MAX_BYTES;
    if (body_bytes > PROFILE_BLOB_MAX) {
        return false;
    }
    uint8_t head[PROFILE_HEAD_MAX_BYTES];
    size_t head_bytes = write_head(profile, plan->count, &bytes, head);
    if (head_bytes + body_bytes > PROFILE_BLOB_MAX) {
        return false;
    }
    memmove(blob + head_bytes, blob + PROFILE_HEAD_MAX_BYTES, body_bytes);
    memcpy(blob, head, head_bytes);
    out->length = start + head_bytes + body_bytes;
    return true;
}

void profile_pack(const struct profile *profile, struct buffer *out)
{
    CHECK(profile->number > 0);
    if (out->failed) {
        return;
    }
    struct origin_plan plan;
    if (!plan_make(profile, &plan)) {
        out->failed = true;
        return;
    }
    size_t start = out->length;
    if (!pack_at(profile, &plan, out, start)) {
        out->length = start;
        out->failed = true;
    }
    plan_free(&plan);
}
