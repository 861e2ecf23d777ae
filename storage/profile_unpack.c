#include "storage/profile.h"

/* The next array out of one allocation: all element types are multiples of 8 bytes long. */
static inline void *carve(char **at, size_t count, size_t size_bytes)
{
    void *array = *at;
    *at += count * size_bytes;
    return array;
}

_Static_assert(sizeof(struct profile_origin) % 8 == 0 &&
                   sizeof(struct profile_identifier) % 8 == 0 &&
                   sizeof(struct profile_field) % 8 == 0 && sizeof(struct profile_item) % 8 == 0 &&
                   sizeof(struct profile_interest) % 8 == 0 &&
                   sizeof(struct profile_absorbed) % 8 == 0,
               "arrays carved from one block stay aligned");

static err unpack_arrays(struct arena *arena, const struct profile_view *view, size_t spare,
                         struct profile *out)
{
    CHECK(spare <= UINT32_MAX);
    size_t size_bytes = (view->origin_count + spare) * sizeof *out->origins +
                        (view->identifier_count + spare) * sizeof *out->identifiers +
                        (view->field_count + spare) * sizeof *out->fields +
                        (view->item_count + spare) * sizeof *out->items +
                        (view->interest_count + spare) * sizeof *out->interests +
                        (view->sequence_count + spare) * sizeof *out->sequences +
                        (view->absorbed_count + spare) * sizeof *out->absorbed;
    char *at = arena_alloc(arena, size_bytes);
    if (at == NULL) {
        return ERR_MEMORY;
    }
    out->origins = carve(&at, view->origin_count + spare, sizeof *out->origins);
    out->identifiers = carve(&at, view->identifier_count + spare, sizeof *out->identifiers);
    out->fields = carve(&at, view->field_count + spare, sizeof *out->fields);
    out->items = carve(&at, view->item_count + spare, sizeof *out->items);
    out->interests = carve(&at, view->interest_count + spare, sizeof *out->interests);
    out->sequences = carve(&at, view->sequence_count + spare, sizeof *out->sequences);
    out->absorbed = carve(&at, view->absorbed_count + spare, sizeof *out->absorbed);
    return ERR_OK;
}

err profile_unpack(struct arena *arena, const void *blob, size_t spare, struct profile *out)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    *out = (struct profile){
        .number = view.number,
        .created_at_us = view.created_at_us,
        .updated_at_us = view.updated_at_us,
        .created_sequence = view.created_sequence,
        .history_chunks = view.history_chunks,
    };
    err e = unpack_arrays(arena, &view, spare, out);
    if (e != ERR_OK) {
        return e;
    }
    struct profile_cursor cursor = profile_identifiers(&view);
    while (profile_identifier_next(&cursor, &out->identifiers[out->identifier_count])) {
        out->identifier_count++;
    }
    cursor = profile_fields(&view);
    while (profile_field_next(&cursor, &out->fields[out->field_count])) {
        out->field_count++;
    }
    cursor = profile_items(&view);
    while (profile_item_next(&cursor, &out->items[out->item_count])) {
        out->item_count++;
    }
    cursor = profile_interests(&view);
    while (profile_interest_next(&cursor, &out->interests[out->interest_count])) {
        out->interest_count++;
    }
    cursor = profile_origins(&view);
    while (profile_origin_next(&cursor, &out->origins[out->origin_count])) {
        out->origin_count++;
    }
    cursor = profile_sequences(&view);
    while (profile_sequence_next(&cursor, &out->sequences[out->sequence_count])) {
        out->sequence_count++;
    }
    cursor = profile_absorptions(&view);
    while (profile_absorbed_next(&cursor, &out->absorbed[out->absorbed_count])) {
        out->absorbed_count++;
    }
    return ERR_OK;
}
