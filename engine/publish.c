/* publish.c: a profile is swapped in, and everything that is kept about it elsewhere follows: names
 * and phrases are counted, attribute and cohort bitmaps changed by exactly what differs between the
 * old blob and the new. */
#include "internal.h"

#include "base/bytes.h"

/* ---- counting names ---- */

static void count_names(struct engine *engine, const void *blob,
                        void (*count)(struct names *names, uint32_t id))
{
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_origins(&view);
    for (struct profile_origin origin; profile_origin_next(&cursor, &origin);) {
        count(engine->names, origin.source_id);
    }
    cursor = profile_fields(&view);
    for (struct profile_field field; profile_field_next(&cursor, &field);) {
        if (field.name_id >= FIELD_BUILTIN_COUNT) {
            count(engine->names, field.name_id);
        }
        if (field.value.kind == PROFILE_CATEGORY) {
            count(engine->names, field.value.category_id);
        }
    }
    cursor = profile_items(&view);
    for (struct profile_item item; profile_item_next(&cursor, &item);) {
        count(engine->names, item.name_id);
    }
}

/* ---- attributes ---- */

static bool same_value(const struct profile_value *a, const struct profile_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case PROFILE_NULL: return true;
    case PROFILE_BOOL: return a->boolean == b->boolean;
    case PROFILE_INTEGER: return a->integer == b->integer;
    case PROFILE_CATEGORY: return a->category_id == b->category_id;
    case PROFILE_NUMBER:
    case PROFILE_TEXT:
        return false; /* not indexed; telling them apart would cost more than it saves */
    }
    return false;
}

static void index_field(struct engine *engine, const struct profile_field *field, uint32_t number,
                        bool set)
{
    if (!attributes_indexes(field->name_id, field->value.kind)) {
        return;
    }
    if (set) {
        attributes_set(engine->attributes, field->name_id, &field->value, number);
    } else {
        attributes_clear(engine->attributes, field->name_id, &field->value, number);
    }
}

struct field_walk {
    struct profile_cursor cursor;
    struct profile_field field;
    bool some;
};

static void walk_next(struct field_walk *walk)
{
    walk->some = profile_field_next(&walk->cursor, &walk->field);
}

static void walk_begin(struct field_walk *walk, const void *blob)
{
    *walk = (struct field_walk){0};
    if (blob != NULL) {
        struct profile_view view;
        profile_view_open(blob, &view);
        walk->cursor = profile_fields(&view);
        walk_next(walk);
    }
}

/* Both blobs have their fields ascending by name: one pass tells what came, went and changed. */
static void update_attributes(struct engine *engine, uint32_t number, const void *old_blob,
                              const void *new_blob)
{
    struct field_walk old_walk;
    struct field_walk new_walk;
    walk_begin(&old_walk, old_blob);
    walk_begin(&new_walk, new_blob);
    while (old_walk.some || new_walk.some) {
        bool take_old =
            old_walk.some && (!new_walk.some || old_walk.field.name_id <= new_walk.field.name_id);
        bool take_new =
            new_walk.some && (!old_walk.some || new_walk.field.name_id <= old_walk.field.name_id);
        if (!(take_old && take_new && same_value(&old_walk.field.value, &new_walk.field.value))) {
            if (take_old) {
                index_field(engine, &old_walk.field, number, false);
            }
            if (take_new) {
                index_field(engine, &new_walk.field, number, true);
            }
        }
        if (take_old) {
            walk_next(&old_walk);
        }
        if (take_new) {
            walk_next(&new_walk);
        }
    }
}

/* ---- interests ---- */

static bool blob_has_interest(const void *blob, uint32_t phrase_id)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_interests(&view);
    for (struct profile_interest item; profile_interest_next(&cursor, &item);) {
        if (item.phrase_id == phrase_id) {
            return true;
        }
    }
    return false;
}

/* Calls act for each interest of `blob` that `other` (may be NULL) lacks. */
static void each_interest_not_in(struct engine *engine, uint32_t number, const void *blob,
                                 const void *other,
                                 void (*act)(struct phrases *phrases, uint32_t id, uint32_t person))
{
    if (blob == NULL) {
        return;
    }
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_interests(&view);
    for (struct profile_interest item; profile_interest_next(&cursor, &item);) {
        if (other == NULL || !blob_has_interest(other, item.phrase_id)) {
            act(engine->phrases, item.phrase_id, number);
        }
    }
}

/* ---- the swap ---- */

/* A snapshot being written may still hold the old blob. */
void retire_blob(struct engine *engine, void *blob)
{
    if (blob == NULL) {
        return;
    }
    engine->counters.profile_bytes -= profile_blob_bytes(blob);
    snapshot_keep_or_free(engine, blob);
}

static void swap_blob(struct engine *engine, uint32_t number, void *blob)
{
    /* Not people_blob: an absorbed number still has one to take away. */
    void *previous = people_replace(engine->people, number, blob);
    if (blob != NULL) {
        count_names(engine, blob, names_retain);
    }
    each_interest_not_in(engine, number, blob, previous, phrases_add_holder);
    update_attributes(engine, number, previous, blob);
    /* The cohorts look at what the old interests led to: their phrases go only after that. */
    cohorts_person_changed(engine->cohorts, number, previous, blob);
    each_interest_not_in(engine, number, previous, blob, phrases_remove_holder);
    if (previous != NULL) {
        count_names(engine, previous, names_release);
    }
    retire_blob(engine, previous);
    bitmap_add(engine->dirty, number);
}

err publish_profile(struct engine *engine, const struct profile *profile)
{
    buffer_clear(&engine->packed);
    profile_pack(profile, &engine->packed);
    void *blob = engine->packed.failed ? NULL : memory_alloc(engine->packed.length);
    if (blob == NULL) {
        return ERR_MEMORY;
    }
    memcpy(blob, engine->packed.data, engine->packed.length);
    engine->counters.profile_bytes += engine->packed.length;
    bitmap_add(engine->everybody, profile->number);
    swap_blob(engine, profile->number, blob);
    return ERR_OK;
}

void retire_profile(struct engine *engine, uint32_t number)
{
    bitmap_remove(engine->everybody, number);
    swap_blob(engine, number, NULL);
}

/* ---- loading ---- */

err remember_moved(struct engine *engine, uint8_t type, struct slice value, uint32_t number)
{
    if (!VECTOR_RESERVE(engine, moved)) {
        return ERR_MEMORY;
    }
    engine->moved[engine->moved_count++] =
        (struct moved_holder){identifier_hash(engine->identifiers, type, value), number};
    return ERR_OK;
}

void index_loaded_values(struct engine *engine, const void *blob)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    count_names(engine, blob, names_retain);
    each_interest_not_in(engine, view.number, blob, NULL, phrases_add_holder);
    update_attributes(engine, view.number, NULL, blob);
    bitmap_add(engine->everybody, view.number);
    engine->counters.profile_bytes += profile_blob_bytes(blob);
}
