/* Bytes that claim to be a packed profile, as a damaged or doctored checkpoint might hold them.
 * What profile_validate accepts must read the same through every door, inside its bounds, and must
 * be exactly what packing it again gives; what it refuses must come with a reason. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/check.h"
#include "storage/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_slice_inside(struct slice text, const uint8_t *data, size_t size_bytes)
{
    const uint8_t *at = (const uint8_t *)text.data;
    CHECK(at >= data && at + text.length <= data + size_bytes);
}

static void check_members(const struct profile_view *view, const struct profile *profile)
{
    struct profile_cursor cursor = profile_items(view);
    struct profile_item item;
    size_t count = 0;
    for (; profile_item_next(&cursor, &item); count++) {
        const struct profile_item *other = &profile->items[count];
        CHECK(item.name_id == other->name_id && item.origin == other->origin);
        CHECK(item.origin < profile->origin_count && slice_equal(item.text, other->text));
    }
    CHECK(count == profile->item_count && count == view->item_count);

    cursor = profile_interests(view);
    struct profile_interest interest;
    for (count = 0; profile_interest_next(&cursor, &interest); count++) {
        CHECK(interest.phrase_id == profile->interests[count].phrase_id);
        CHECK(interest.origin == profile->interests[count].origin);
        CHECK(interest.origin < profile->origin_count);
    }
    CHECK(count == profile->interest_count && count == view->interest_count);
}

static void check_entries(const struct profile_view *view, const struct profile *profile)
{
    struct profile_cursor cursor = profile_origins(view);
    struct profile_origin origin;
    size_t count = 0;
    for (; profile_origin_next(&cursor, &origin); count++) {
        const struct profile_origin *other = &profile->origins[count];
        CHECK(origin.sequence == other->sequence && origin.event_time_us == other->event_time_us);
        CHECK(origin.source_id == other->source_id);
        CHECK(count == 0 || origin.sequence >= profile->origins[count - 1].sequence);
    }
    CHECK(count == profile->origin_count && count == view->origin_count);

    cursor = profile_sequences(view);
    uint64_t sequence;
    for (count = 0; profile_sequence_next(&cursor, &sequence); count++) {
        CHECK(sequence == profile->sequences[count]);
        CHECK(count == 0 || sequence > profile->sequences[count - 1]);
    }
    CHECK(count == profile->sequence_count && count == view->sequence_count);

    cursor = profile_absorptions(view);
    struct profile_absorbed absorbed;
    for (count = 0; profile_absorbed_next(&cursor, &absorbed); count++) {
        CHECK(absorbed.number == profile->absorbed[count].number && absorbed.number > 0);
        CHECK(absorbed.created_sequence == profile->absorbed[count].created_sequence);
    }
    CHECK(count == profile->absorbed_count && count == view->absorbed_count);
}

static void check_identifiers_and_fields(const struct profile_view *view,
                                         const struct profile *profile, const uint8_t *data,
                                         size_t size_bytes)
{
    struct profile_cursor cursor = profile_identifiers(view);
    struct profile_identifier identifier;
    size_t count = 0;
    for (; profile_identifier_next(&cursor, &identifier); count++) {
        const struct profile_identifier *other = &profile->identifiers[count];
        CHECK(identifier.type == other->type && identifier.moved == other->moved);
        CHECK(identifier.origin == other->origin && identifier.origin < profile->origin_count);
        CHECK(slice_equal(identifier.value, other->value));
        check_slice_inside(identifier.value, data, size_bytes);
        if (!identifier.moved) {
            CHECK(profile_has_identifier(data, identifier.type, identifier.value));
        }
    }
    CHECK(count == profile->identifier_count && count == view->identifier_count);

    cursor = profile_fields(view);
    struct profile_field field;
    for (count = 0; profile_field_next(&cursor, &field); count++) {
        const struct profile_field *other = &profile->fields[count];
        CHECK(field.name_id == other->name_id && field.origin == other->origin);
        CHECK(field.origin < profile->origin_count && field.value.kind == other->value.kind);
        CHECK(count == 0 || field.name_id > profile->fields[count - 1].name_id);
        if (field.value.kind == PROFILE_TEXT) {
            check_slice_inside(field.value.text, data, size_bytes);
        }
    }
    CHECK(count == profile->field_count && count == view->field_count);
}

/* The shortcuts of the lookup path. */
static void check_glance(const struct profile_view *view, const struct profile *profile,
                         const uint8_t *data, size_t size_bytes)
{
    struct profile_glance glance;
    profile_glance(view, &glance);
    const struct slice shown[] = {glance.cookie, glance.email};
    const uint8_t types[] = {IDENTIFIER_COOKIE, IDENTIFIER_EMAIL};
    for (size_t i = 0; i < ARRAY_COUNT(shown); i++) {
        if (shown[i].data != NULL) {
            check_slice_inside(shown[i], data, size_bytes);
            CHECK(profile_has_identifier(data, types[i], shown[i]));
        }
    }
    for (size_t i = 0; i < profile->field_count; i++) {
        const struct profile_field *field = &profile->fields[i];
        CHECK(field->name_id >= PROFILE_GLANCE_FIELDS ||
              glance.fields[field->name_id].kind == field->value.kind);
    }
    struct profile_cursor cursor = profile_interests(view);
    uint32_t ids[5];
    size_t seen = 0;
    for (uint32_t some; (some = profile_interest_ids(&cursor, ids, 5)) > 0; seen += some) {
        for (uint32_t i = 0; i < some; i++) {
            CHECK(seen + i < profile->interest_count &&
                  ids[i] == profile->interests[seen + i].phrase_id);
        }
    }
    CHECK(seen == profile->interest_count);
}

static void check_blob(const uint8_t *data, size_t size_bytes)
{
    struct error error = {0};
    err e = profile_validate(slice_of(data, size_bytes), &error);
    if (e != ERR_OK) {
        CHECK(e == ERR_CORRUPT && error.message[0] != '\0' && error.position <= size_bytes);
        return;
    }
    struct arena arena;
    arena_init(&arena, SIZE_MAX / 2);
    struct profile profile;
    CHECK(profile_unpack(&arena, data, 1, &profile) == ERR_OK);

    struct profile_view view;
    profile_view_open(data, &view);
    CHECK(profile_blob_bytes(data) == size_bytes && profile_blob_number(data) == view.number);
    CHECK(view.number == profile.number && view.created_at_us == profile.created_at_us);
    CHECK(view.updated_at_us == profile.updated_at_us);
    CHECK(view.created_sequence == profile.created_sequence);
    CHECK(view.history_chunks == profile.history_chunks);
    check_identifiers_and_fields(&view, &profile, data, size_bytes);
    check_glance(&view, &profile, data, size_bytes);
    check_members(&view, &profile);
    check_entries(&view, &profile);

    struct buffer again;
    buffer_init(&again, SIZE_MAX / 2);
    profile_pack(&profile, &again);
    CHECK(!again.failed && slice_equal(buffer_slice(&again), slice_of(data, size_bytes)));
    buffer_deinit(&again);
    arena_deinit(&arena);
}

/* A blob begins with its length; nearly every mutation would fail on that alone, so it is put
 * right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    uint8_t *copy = malloc(size_bytes > 0 ? size_bytes : 1);
    CHECK(copy != NULL);
    if (size_bytes > 0) {
        memcpy(copy, data, size_bytes);
    }
    if (size_bytes >= 4) {
        store_u32(copy, (uint32_t)size_bytes);
    }
    check_blob(copy, size_bytes);
    free(copy);
    return 0;
}
