/* resolve.c: who is it?
 *
 * The record's identifiers, most telling first (e-mail, user id, phone, cookie, device by default):
 *
 *   the first one that is known names the person, unless the more telling ones before it, which are new,
 *     cannot be that person's (an e-mail beside another e-mail, limit 1): then it is somebody else on a shared
 *     device, and the identifier moves to them
 *   every further one that is known to be somebody else's merges the two, unless the union would break a limit:
 *     then it moves to the newer one, and nothing merges
 *
 * So: the same e-mail on two cookies is one person; a second e-mail on one cookie is two people. */
#include "internal.h"

struct owner_match {
    const struct engine *engine;
    uint8_t type;
    struct slice value;
};

static bool holds_identifier(void *context, uint32_t number)
{
    const struct owner_match *match = context;
    uint32_t root = people_find_shared(match->engine->people, number);
    const void *blob = people_blob(match->engine->people, root);
    return blob != NULL && profile_has_identifier(blob, match->type, match->value);
}

uint32_t find_owner(const struct engine *engine, uint8_t type, struct slice value)
{
    return find_owner_by_hash(engine, identifier_hash(engine->identifiers, type, value), type,
                              value);
}

uint32_t find_owner_by_hash(const struct engine *engine, uint64_t hash, uint8_t type,
                            struct slice value)
{
    struct owner_match match = {engine, type, value};
    uint32_t number = identifier_table_find(engine->identifiers, hash, holds_identifier, &match);
    return number == PERSON_NONE ? PERSON_NONE : people_find_shared(engine->people, number);
}

/* Identifiers that a merge would put together; beyond this many it is no merge anybody wants. */
enum { UNION_MAX = 4096 };

struct identifier_union {
    struct record_identifier items[UNION_MAX];
    size_t count;
};

static bool union_add(struct identifier_union *all, uint8_t type, struct slice value)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].type == type && slice_equal(all->items[i].value, value)) {
            return true;
        }
    }
    if (all->count == UNION_MAX) {
        return false;
    }
    all->items[all->count++] = (struct record_identifier){type, value};
    return true;
}

static bool union_add_person(struct engine *engine, struct identifier_union *all, uint32_t root)
{
    struct profile_view view;
    profile_view_open(people_blob(engine->people, root), &view);
    struct profile_cursor cursor = profile_identifiers(&view);
    for (struct profile_identifier item; profile_identifier_next(&cursor, &item);) {
        if (!item.moved && !union_add(all, item.type, item.value)) {
            return false;
        }
    }
    return true;
}

static bool within_limits(const struct engine *engine, const struct identifier_union *all)
{
    uint32_t counts[IDENTIFIER_TYPE_MAX] = {0};
    const struct settings *settings = current_settings(engine);
    for (size_t i = 0; i < all->count; i++) {
        uint8_t type = all->items[i].type;
        if (++counts[type] > settings->identifiers[type].limit_count) {
            return false;
        }
    }
    return true;
}

/* May `other` become one with the person found so far and the record's first `upto` identifiers? */
static bool may_merge(struct engine *engine, const struct resolution *so_far, uint32_t other,
                      const struct record *record, size_t upto, struct identifier_union *all)
{
    all->count = 0;
    bool fits =
        union_add_person(engine, all, so_far->number) && union_add_person(engine, all, other);
    for (size_t i = 0; fits && i < so_far->merge_count; i++) {
        fits = union_add_person(engine, all, so_far->merges[i]);
    }
    /* Those that are somebody else's, too: they may move to this person. */
    for (size_t i = 0; fits && i < upto; i++) {
        fits = union_add(all, record->identifiers[i].type, record->identifiers[i].value);
    }
    return fits && within_limits(engine, all);
}

static bool has_another(const void *blob, uint8_t type, struct slice value)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_identifiers(&view);
    for (struct profile_identifier item; profile_identifier_next(&cursor, &item);) {
        if (item.type == type && !item.moved && !slice_equal(item.value, value)) {
            return true;
        }
    }
    return false;
}

/* Only types of which a person has exactly one can speak against: of the others the oldest gives
 * way. */
static bool may_adopt(struct engine *engine, uint32_t root, const struct record *record,
                      size_t upto)
{
    const struct settings *settings = current_settings(engine);
    for (size_t i = 0; i < upto; i++) {
        const struct record_identifier *item = &record->identifiers[i];
        if (settings->identifiers[item->type].limit_count == 1 &&
            has_another(people_blob(engine->people, root), item->type, item->value)) {
            return false;
        }
    }
    return true;
}

static bool already_merging(const struct resolution *resolution, uint32_t root)
{
    for (size_t i = 0; i < resolution->merge_count; i++) {
        if (resolution->merges[i] == root) {
            return true;
        }
    }
    return root == resolution->number;
}

err resolve_record(struct engine *engine, const struct record *record, struct resolution *out)
{
    struct identifier_union *all = NULL; /* made when somebody may have to be merged */
    CHECK(record->identifier_count <= IDENTIFIER_COUNT_MAX);
    out->number = PERSON_NONE; /* not all of it: most of the arrays stays unused */
    out->merge_count = 0;
    for (size_t i = 0; i < record->identifier_count; i++) {
        const struct record_identifier *item = &record->identifiers[i];
        out->hashes[i] = identifier_hash(engine->identifiers, item->type, item->value);
        uint32_t owner = find_owner_by_hash(engine, out->hashes[i], item->type, item->value);
        out->owners[i] = owner;
        if (owner == PERSON_NONE) {
            continue;
        }
        if (out->number == PERSON_NONE) {
            if (may_adopt(engine, owner, record, i)) {
                out->number = owner;
            }
        } else if (!already_merging(out, owner)) {
            all = all != NULL ? all : arena_alloc(&engine->arena, sizeof *all);
            if (all == NULL) {
                return ERR_MEMORY; /* deciding without would decide otherwise than a replay */
            }
            if (may_merge(engine, out, owner, record, i, all)) {
                out->merges[out->merge_count++] = owner;
            }
        }
    }
    return ERR_OK;
}
