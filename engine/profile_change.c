/* profile_change.c: what a record, a merge or a correction does to one profile.
 *
 * Newest wins, field by field: by event time, then source priority, then sequence. A clear is a
 * value like any other (it is newest or it is not), so a record that comes late never brings back
 * what was cleared or overwritten after it. Lists are united; each member remembers the newest
 * entry that named it, so that a clear takes exactly the members older than itself. */
#include "internal.h"

#include "base/bytes.h"

enum {
    PROFILE_FIELDS_MAX = 2048,
    PROFILE_ITEMS_MAX = 4096,
    PROFILE_INTERESTS_MAX = 2048,
    PROFILE_IDENTIFIERS_MAX = 4096
};

int origin_compare(const struct engine *engine, const struct profile_origin *a,
                   const struct profile_origin *b)
{
    if (a->event_time_us != b->event_time_us) {
        return a->event_time_us < b->event_time_us ? -1 : 1;
    }
    if (a->source_id != b->source_id) {
        const struct settings *settings = current_settings(engine);
        uint32_t pa = settings_source_priority(settings, names_text(engine->names, a->source_id));
        uint32_t pb = settings_source_priority(settings, names_text(engine->names, b->source_id));
        if (pa != pb) {
            return pa < pb ? -1 : 1;
        }
    }
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static bool is_newer(const struct change *change, uint32_t a, uint32_t b)
{
    return origin_compare(change->engine, &change->profile.origins[a],
                          &change->profile.origins[b]) > 0;
}

static bool is_older(const struct change *change, uint32_t a, uint32_t b)
{
    return is_newer(change, b, a);
}

/* Arrays come from profile_unpack with `spare` free places; merging two people needs more. */
static err grow_array(struct arena *arena, void **items, size_t count, size_t more,
                      size_t item_bytes)
{
    void *bigger = arena_alloc(arena, (count + more) * item_bytes);
    if (bigger == NULL) {
        return ERR_MEMORY;
    }
    if (count > 0) {
        memcpy(bigger, *items, count * item_bytes);
    }
    *items = bigger;
    return ERR_OK;
}

#define GROW(arena, profile, items, count, more)                                                   \
    grow_array(arena, (void **)&(profile)->items, (profile)->count, more, sizeof *(profile)->items)

err change_begin(struct engine *engine, struct change *change, const void *blob, size_t spare)
{
    *change = (struct change){.engine = engine};
    return profile_unpack(&engine->arena, blob, spare, &change->profile);
}

err change_begin_new(struct engine *engine, struct change *change, uint32_t number,
                     const struct log_entry *entry, size_t spare)
{
    *change = (struct change){.engine = engine};
    struct profile *profile = &change->profile;
    profile->number = number;
    profile->created_at_us = entry->received_at_us;
    profile->updated_at_us = entry->received_at_us;
    profile->created_sequence = entry->sequence;
    struct arena *arena = &engine->arena;
    if (GROW(arena, profile, origins, origin_count, spare) != ERR_OK ||
        GROW(arena, profile, identifiers, identifier_count, spare) != ERR_OK ||
        GROW(arena, profile, fields, field_count, spare) != ERR_OK ||
        GROW(arena, profile, items, item_count, spare) != ERR_OK ||
        GROW(arena, profile, interests, interest_count, spare) != ERR_OK ||
        GROW(arena, profile, sequences, sequence_count, spare) != ERR_OK) {
        return ERR_MEMORY;
    }
    return ERR_OK;
}

/* ---- fields ---- */

static size_t field_position(const struct profile *profile, uint32_t name_id)
{
    size_t at = 0;
    while (at < profile->field_count && profile->fields[at].name_id < name_id) {
        at++;
    }
    return at;
}

static struct profile_field *field_find(struct profile *profile, uint32_t name_id)
{
    size_t at = field_position(profile, name_id);
    return at < profile->field_count && profile->fields[at].name_id == name_id
               ? &profile->fields[at]
               : NULL;
}

static void field_insert(struct profile *profile, const struct profile_field *field)
{
    size_t at = field_position(profile, field->name_id);
    memmove(&profile->fields[at + 1], &profile->fields[at],
            (profile->field_count - at) * sizeof *field);
    profile->fields[at] = *field;
    profile->field_count++;
}

static void drop_items_older_than(struct change *change, uint32_t name_id, uint32_t origin)
{
    struct profile *profile = &change->profile;
    size_t kept = 0;
    for (size_t i = 0; i < profile->item_count; i++) {
        struct profile_item *item = &profile->items[i];
        if (item->name_id != name_id || !is_older(change, item->origin, origin)) {
            profile->items[kept++] = *item;
        }
    }
    profile->item_count = kept;
}

static void drop_interests_older_than(struct change *change, uint32_t origin)
{
    struct profile *profile = &change->profile;
    size_t kept = 0;
    for (size_t i = 0; i < profile->interest_count; i++) {
        if (!is_older(change, profile->interests[i].origin, origin)) {
            profile->interests[kept++] = profile->interests[i];
        }
    }
    profile->interest_count = kept;
}

static bool has_newer_item(const struct change *change, uint32_t name_id, uint32_t origin)
{
    for (size_t i = 0; i < change->profile.item_count; i++) {
        const struct profile_item *item = &change->profile.items[i];
        if (item->name_id == name_id && is_newer(change, item->origin, origin)) {
            return true;
        }
    }
    return false;
}

/* A plain value or a clear: takes the list members older than itself. Where newer members stay it
 * is remembered as a clear only, so that the order in which entries come makes no difference. */
static void set_field(struct change *change, const struct profile_field *field)
{
    struct profile *profile = &change->profile;
    struct profile_field *old = field_find(profile, field->name_id);
    if (old != NULL && !is_newer(change, field->origin, old->origin)) {
        return;
    }
    struct profile_field said = *field;
    if (has_newer_item(change, field->name_id, field->origin)) {
        said.value = (struct profile_value){.kind = PROFILE_NULL};
    }
    drop_items_older_than(change, field->name_id, field->origin);
    if (field->name_id == FIELD_INTERESTS) {
        drop_interests_older_than(change, field->origin);
    }
    if (old != NULL) {
        *old = said;
    } else if (profile->field_count < PROFILE_FIELDS_MAX) {
        field_insert(profile, &said);
    }
}

static void add_item(struct change *change, const struct profile_item *item)
{
    struct profile *profile = &change->profile;
    struct profile_field *field = field_find(profile, item->name_id);
    if (field != NULL && is_older(change, item->origin, field->origin)) {
        return; /* cleared, or made a plain value, after this was said */
    }
    if (field != NULL && field->value.kind != PROFILE_NULL &&
        is_newer(change, item->origin, field->origin)) {
        /* a list now; older members stay away */
        field->value = (struct profile_value){.kind = PROFILE_NULL};
    }
    for (size_t i = 0; i < profile->item_count; i++) {
        struct profile_item *known = &profile->items[i];
        if (known->name_id == item->name_id && slice_equal(known->text, item->text)) {
            if (is_newer(change, item->origin, known->origin)) {
                known->origin = item->origin;
            }
            return;
        }
    }
    if (profile->item_count < PROFILE_ITEMS_MAX) {
        profile->items[profile->item_count++] = *item;
    }
}

/* "Cricket" and "cricket" are one interest of a person; the spelling of the newest entry stays. */
static void add_interest(struct change *change, const struct profile_interest *interest)
{
    struct profile *profile = &change->profile;
    const struct phrases *phrases = change->engine->phrases;
    struct profile_field *clear = field_find(profile, FIELD_INTERESTS);
    if (clear != NULL && is_older(change, interest->origin, clear->origin)) {
        return;
    }
    uint64_t key = phrases_fold_key(phrases, interest->phrase_id);
    for (size_t i = 0; i < profile->interest_count; i++) {
        struct profile_interest *known = &profile->interests[i];
        if (known->phrase_id == interest->phrase_id ||
            phrases_fold_key(phrases, known->phrase_id) == key) {
            if (is_newer(change, interest->origin, known->origin)) {
                *known = *interest;
            }
            return;
        }
    }
    if (profile->interest_count < PROFILE_INTERESTS_MAX) {
        profile->interests[profile->interest_count++] = *interest;
    }
}

/* ---- identifiers ---- */

static struct profile_identifier *identifier_find(struct profile *profile, uint8_t type,
                                                  struct slice value)
{
    for (size_t i = 0; i < profile->identifier_count; i++) {
        struct profile_identifier *item = &profile->identifiers[i];
        if (item->type == type && slice_equal(item->value, value)) {
            return item;
        }
    }
    return NULL;
}

bool change_holds(const struct change *change, uint8_t type, struct slice value)
{
    for (size_t i = 0; i < change->profile.identifier_count; i++) {
        const struct profile_identifier *item = &change->profile.identifiers[i];
        if (item->type == type && !item->moved && slice_equal(item->value, value)) {
            return true;
        }
    }
    return false;
}

void change_link(struct change *change, uint8_t type, struct slice value, uint32_t origin,
                 bool moved)
{
    struct profile *profile = &change->profile;
    struct profile_identifier *known = identifier_find(profile, type, value);
    if (known == NULL) {
        if (profile->identifier_count < PROFILE_IDENTIFIERS_MAX) {
            profile->identifiers[profile->identifier_count++] = (struct profile_identifier){
                .type = type, .moved = moved, .origin = origin, .value = value};
        }
        return;
    }
    if (is_newer(change, origin, known->origin)) {
        known->origin = origin;
    }
    known->moved = known->moved && moved;
}

/* ---- merging two people ---- */

static size_t u64_sorted_union(uint64_t *into, size_t count, const uint64_t *more,
                               size_t more_count)
{
    size_t a = count;
    size_t b = more_count;
    size_t at = count + more_count;
    while (b > 0) {
        if (a > 0 && into[a - 1] > more[b - 1]) {
            into[--at] = into[--a];
        } else {
            into[--at] = more[--b];
        }
    }
    return count + more_count;
}

static err make_room_for(struct change *change, const struct profile *other)
{
    struct arena *arena = &change->engine->arena;
    struct profile *profile = &change->profile;
    enum { SPARE = 64 }; /* the record that caused the merge still comes */
    if (GROW(arena, profile, origins, origin_count, other->origin_count + SPARE) != ERR_OK ||
        GROW(arena, profile, identifiers, identifier_count, other->identifier_count + SPARE) !=
            ERR_OK ||
        GROW(arena, profile, fields, field_count, other->field_count + SPARE) != ERR_OK ||
        GROW(arena, profile, items, item_count, other->item_count + SPARE) != ERR_OK ||
        GROW(arena, profile, interests, interest_count, other->interest_count + SPARE) != ERR_OK ||
        GROW(arena, profile, sequences, sequence_count, other->sequence_count + SPARE) != ERR_OK ||
        GROW(arena, profile, absorbed, absorbed_count, other->absorbed_count + 1) != ERR_OK) {
        return ERR_MEMORY;
    }
    return ERR_OK;
}

/* Everything the other profile says, weighed against ours by the same rules as a record. The caller
 * decides about the number. */
err change_absorb(struct change *change, const void *other_blob)
{
    struct profile other;
    err e = profile_unpack(&change->engine->arena, other_blob, 0, &other);
    if (e != ERR_OK || (e = make_room_for(change, &other)) != ERR_OK) {
        return e;
    }
    struct profile *profile = &change->profile;
    uint32_t base = (uint32_t)profile->origin_count;
    memcpy(&profile->origins[base], other.origins, other.origin_count * sizeof *other.origins);
    profile->origin_count += other.origin_count;
    for (size_t i = 0; i < other.identifier_count; i++) {
        struct profile_identifier *item = &other.identifiers[i];
        change_link(change, item->type, item->value, item->origin + base, item->moved);
    }
    for (size_t i = 0; i < other.field_count; i++) {
        struct profile_field field = other.fields[i];
        field.origin += base;
        set_field(change, &field);
    }
    for (size_t i = 0; i < other.item_count; i++) {
        struct profile_item item = other.items[i];
        item.origin += base;
        add_item(change, &item);
    }
    for (size_t i = 0; i < other.interest_count; i++) {
        struct profile_interest interest = other.interests[i];
        interest.origin += base;
        add_interest(change, &interest);
    }
    profile->sequence_count = u64_sorted_union(profile->sequences, profile->sequence_count,
                                               other.sequences, other.sequence_count);
    if (other.absorbed_count > 0) {
        memcpy(&profile->absorbed[profile->absorbed_count], other.absorbed,
               other.absorbed_count * sizeof *other.absorbed);
        profile->absorbed_count += other.absorbed_count;
    }
    if (other.created_at_us < profile->created_at_us) {
        profile->created_at_us = other.created_at_us;
    }
    if (other.updated_at_us > profile->updated_at_us) {
        profile->updated_at_us = other.updated_at_us;
    }
    return ERR_OK;
}

/* ---- a record ---- */

/* Texts whose values repeat from person to person are kept as categories and can be asked for by
 * algebra. */
static bool is_category(enum field field)
{
    switch (field) {
    case FIELD_CITY:
    case FIELD_STATE:
    case FIELD_COUNTRY:
    case FIELD_GENDER:
    case FIELD_INCOME:
    case FIELD_EDUCATION:
    case FIELD_OCCUPATION:
    case FIELD_LANGUAGE: return true;
    default: return false;
    }
}

static err value_convert(struct change *change, const struct record_field *from,
                         struct profile_value *to)
{
    to->kind = (enum profile_value_kind)from->value.kind;
    switch (from->value.kind) {
    case VALUE_NULL: return ERR_OK;
    case VALUE_BOOL: to->boolean = from->value.boolean; return ERR_OK;
    case VALUE_INTEGER: to->integer = from->value.integer; return ERR_OK;
    case VALUE_NUMBER: to->number = from->value.number; return ERR_OK;
    case VALUE_TEXT: break;
    }
    if (from->field != FIELD_ATTRIBUTE && is_category(from->field)) {
        to->kind = PROFILE_CATEGORY;
        return change_acquire_name(change, from->value.text, &to->category_id);
    }
    to->text = from->value.text;
    return ERR_OK;
}

err change_acquire_name(struct change *change, struct slice text, uint32_t *id)
{
    struct engine *engine = change->engine;
    err e = names_acquire(engine->names, text, id);
    if (e != ERR_OK) {
        return e;
    }
    if (change->acquired_count == change->acquired_capacity) {
        size_t more = change->acquired_capacity > 0 ? change->acquired_capacity : 32;
        e = grow_array(&engine->arena, (void **)&change->acquired, change->acquired_count, more,
                       sizeof *change->acquired);
        if (e != ERR_OK) {
            names_release(engine->names, *id);
            return e;
        }
        change->acquired_capacity += more;
    }
    change->acquired[change->acquired_count++] = *id;
    return ERR_OK;
}

void change_end(struct change *change)
{
    for (size_t i = 0; i < change->acquired_count; i++) {
        names_release(change->engine->names, change->acquired[i]);
    }
    change->acquired_count = 0;
}

err change_add_origin(struct change *change, const struct log_entry *entry, int64_t event_time_us)
{
    /* A device whose clock runs ahead must not win for years: nothing happens after it was
     * received. */
    if (event_time_us == 0 || event_time_us > entry->received_at_us) {
        event_time_us = entry->received_at_us;
    }
    struct profile_origin origin = {.sequence = entry->sequence, .event_time_us = event_time_us};
    err e = change_acquire_name(change, entry->source, &origin.source_id);
    if (e == ERR_OK) {
        change->origin = (uint32_t)change->profile.origin_count;
        change->profile.origins[change->profile.origin_count++] = origin;
    }
    return e;
}

static err field_name_id(struct change *change, enum field field, struct slice name, uint32_t *id)
{
    if (field != FIELD_ATTRIBUTE) {
        *id = (uint32_t)field;
        return ERR_OK;
    }
    return change_acquire_name(change, name, id);
}

static err apply_interests(struct change *change, const struct record *record)
{
    if (record->replace_lists && record->interest_count > 0) {
        struct profile_field clear = {.name_id = FIELD_INTERESTS, .origin = change->origin};
        set_field(change, &clear);
    }
    for (size_t i = 0; i < record->interest_count; i++) {
        struct profile_interest interest = {.origin = change->origin};
        err e = intern_phrase(change->engine, record->interests[i], &interest.phrase_id);
        if (e != ERR_OK) {
            return e;
        }
        add_interest(change, &interest);
    }
    return ERR_OK;
}

static err apply_items(struct change *change, const struct record *record)
{
    for (size_t i = 0; i < record->item_count; i++) {
        struct profile_item item = {.origin = change->origin, .text = record->items[i].text};
        err e = change_acquire_name(change, record->items[i].name, &item.name_id);
        if (e != ERR_OK) {
            return e;
        }
        if (record->replace_lists) {
            struct profile_field clear = {.name_id = item.name_id, .origin = change->origin};
            set_field(change, &clear);
        }
        add_item(change, &item);
    }
    return ERR_OK;
}

err change_apply_record(struct change *change, const struct log_entry *entry,
                        const struct record *record)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const struct record_field *from = &record->fields[i];
        struct profile_field field = {.origin = change->origin};
        err e = field_name_id(change, from->field, from->name, &field.name_id);
        if (e != ERR_OK || (e = value_convert(change, from, &field.value)) != ERR_OK) {
            return e;
        }
        set_field(change, &field);
    }
    err e = apply_items(change, record);
    if (e == ERR_OK) {
        e = apply_interests(change, record);
    }
    change->profile.updated_at_us = entry->received_at_us;
    return e;
}

/* The entry belongs to the person from now on: it is listed, replayed and scrubbed with them. */
err change_add_sequence(struct change *change, uint64_t sequence)
{
    struct profile *profile = &change->profile;
    profile->sequences[profile->sequence_count++] = sequence;
    if (profile->sequence_count <= HISTORY_INLINE_MAX) {
        return ERR_OK;
    }
    struct engine *engine = change->engine;
    struct buffer chunk;
    buffer_init(&chunk, HISTORY_CHUNK * VARINT_MAX_BYTES + VARINT_MAX_BYTES);
    history_encode(profile->sequences, HISTORY_CHUNK, &chunk);
    err e = chunk.failed ? ERR_MEMORY
                         : history_add(engine->history, profile->number, buffer_slice(&chunk));
    if (e == ERR_OK) {
        pending_put_history(engine, profile->number, profile->history_chunks, buffer_slice(&chunk));
        profile->history_chunks++;
        profile->sequence_count -= HISTORY_CHUNK;
        memmove(profile->sequences, profile->sequences + HISTORY_CHUNK,
                profile->sequence_count * sizeof *profile->sequences);
    }
    buffer_deinit(&chunk);
    return e;
}

/* So that a reader finds the identifier to show first: by type, current before moved, newest
 * first. */
void change_sort_identifiers(struct change *change)
{
    struct profile *profile = &change->profile;
    for (size_t i = 1; i < profile->identifier_count; i++) {
        struct profile_identifier item = profile->identifiers[i];
        size_t at = i;
        for (; at > 0; at--) {
            const struct profile_identifier *left = &profile->identifiers[at - 1];
            bool in_order = left->type != item.type ? left->type < item.type
                            : left->moved != item.moved
                                ? !left->moved
                                : !is_newer(change, item.origin, left->origin);
            if (in_order) {
                break;
            }
            profile->identifiers[at] = *left;
        }
        profile->identifiers[at] = item;
    }
}
