/* apply.c: the fold. One entry changes the state, and nothing else does.
 *
 * No clock, no randomness, no file: an entry's time and sequence are all there is, so that applying
 * the same log gives the same state on every machine. */
#include "internal.h"

#include "base/bytes.h"
#include "engine/quarantine.h"
#include "ingest/splitter.h"

bool vector_reserve(void **items, size_t *capacity, size_t count, size_t item_bytes)
{
    if (count < *capacity) {
        return true;
    }
    size_t bigger = *capacity ? *capacity * 2 : 16;
    void *moved = memory_realloc(*items, bigger * item_bytes);
    if (moved == NULL) {
        return false;
    }
    *items = moved;
    *capacity = bigger;
    return true;
}

/* beyond the record's own counts: identifiers, interests, items, fields, one origin, one
 * sequence */
enum { RECORD_SPARE = 32 };

static size_t spare_for(const struct record *record)
{
    size_t most = record->field_count;
    most = record->interest_count > most ? record->interest_count : most;
    most = record->item_count > most ? record->item_count : most;
    most = record->identifier_count > most ? record->identifier_count : most;
    /* Each item may also need the clear of its list. */
    return most + record->item_count + RECORD_SPARE;
}

/* ---- merging ---- */

/* The larger tree stays root. Our profile takes that number. The other number's blob stays until
 * ours is published: its texts, names and phrases are still needed. */
static err merge_into(struct engine *engine, struct change *change, uint32_t other,
                      uint32_t *absorbed)
{
    struct profile *profile = &change->profile;
    const void *other_blob = people_blob(engine->people, other);
    struct profile_view view;
    profile_view_open(other_blob, &view);
    uint64_t other_created = view.created_sequence;
    err e = change_absorb(change, other_blob);
    if (e != ERR_OK) {
        return e;
    }
    uint32_t winner = people_union(engine->people, profile->number, other);
    uint32_t loser = winner == other ? profile->number : other;
    uint64_t loser_created = winner == other ? profile->created_sequence : other_created;
    if (winner == other) {
        profile->created_sequence = other_created;
    }
    profile->number = winner;
    profile->absorbed[profile->absorbed_count++] = (struct profile_absorbed){loser, loser_created};
    pending_move_history(engine, loser, winner);
    e = history_move(engine->history, loser, winner);
    profile->history_chunks = history_count(engine->history, winner);
    cohorts_person_merged(engine->cohorts, loser, winner);
    *absorbed = loser;
    uint8_t key[4];
    uint8_t value[4];
    pending_put(engine, TABLE_PARENTS, slice_of(u32_key(key, loser), 4),
                slice_of(u32_key(value, winner), 4));
    engine->counters.merges++;
    return e;
}

/* ---- identifiers ---- */

/* Another person had it: they keep it in their history, marked as moved. */
static err take_from(struct engine *engine, uint32_t owner, uint8_t type, struct slice value)
{
    struct change change;
    err e = change_begin(engine, &change, people_blob(engine->people, owner), 1);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; i < change.profile.identifier_count; i++) {
        struct profile_identifier *item = &change.profile.identifiers[i];
        if (item->type == type && slice_equal(item->value, value)) {
            item->moved = true;
        }
    }
    change_sort_identifiers(&change);
    e = remember_moved(engine, type, value, owner);
    if (e == ERR_OK) {
        e = publish_profile(engine, &change.profile);
    }
    change_end(&change);
    return e;
}

/* Is the record newer than the link that the present owner has? A late record does not pull a
 * device back. */
static err record_is_newer(struct engine *engine, const struct change *change, uint32_t owner,
                           uint8_t type, struct slice value, bool *newer)
{
    struct profile theirs;
    *newer = true;
    err e = profile_unpack(&engine->arena, people_blob(engine->people, owner), 0, &theirs);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; i < theirs.identifier_count; i++) {
        const struct profile_identifier *item = &theirs.identifiers[i];
        if (item->type == type && slice_equal(item->value, value)) {
            *newer = origin_compare(engine, &change->profile.origins[change->origin],
                                    &theirs.origins[item->origin]) > 0;
        }
    }
    return ERR_OK;
}

/* A person has at most so many of a type; the one not seen for longest gives way (of those last
 * seen in one entry the first in order of bytes). */
static err evict_beyond_limit(struct engine *engine, struct change *change, uint8_t type)
{
    struct profile *profile = &change->profile;
    uint32_t limit = current_settings(engine)->identifiers[type].limit_count;
    uint32_t count = 0;
    struct profile_identifier *oldest = NULL;
    for (size_t i = 0; i < profile->identifier_count; i++) {
        struct profile_identifier *item = &profile->identifiers[i];
        if (item->type != type || item->moved) {
            continue;
        }
        count++;
        int order = oldest == NULL ? -1
                                   : origin_compare(engine, &profile->origins[item->origin],
                                                    &profile->origins[oldest->origin]);
        if (order == 0) {
            order = ghosts_compare(engine->ghosts, profile->origins[item->origin].sequence,
                                   item->value, oldest->value);
        }
        if (order < 0) {
            oldest = item;
        }
    }
    if (count > limit && oldest != NULL) {
        /* Not by find_owner: the profile being worked on is not published yet. */
        forget_identifier(engine, identifier_hash(engine->identifiers, type, oldest->value),
                          profile->number);
        oldest->moved = true;
        return remember_moved(engine, type, oldest->value, profile->number);
    }
    return ERR_OK;
}

/* Slots may still carry a number that was merged away: look for the one that leads to `root`. */
struct root_match {
    struct engine *engine;
    uint32_t root;
    uint32_t found;
};

static bool leads_to_root(void *context, uint32_t number)
{
    struct root_match *match = context;
    if (people_find_shared(match->engine->people, number) != match->root) {
        return false;
    }
    match->found = number;
    return true;
}

void forget_identifier(struct engine *engine, uint64_t hash, uint32_t root)
{
    struct root_match match = {engine, root, PERSON_NONE};
    if (identifier_table_find(engine->identifiers, hash, leads_to_root, &match) != PERSON_NONE) {
        identifier_table_remove(engine->identifiers, hash, match.found);
    }
}

/* Is the owner that resolve_record found still the owner? Linking the record's other identifiers
 * changes nothing about this one (the same one twice is held already); a merge does. */
static err link_identifier(struct engine *engine, struct change *change,
                           const struct resolution *who, size_t at,
                           const struct record_identifier *item)
{
    uint64_t hash = who->hashes[at];
    uint32_t number = change->profile.number;
    uint32_t owner = who->merge_count == 0
                         ? who->owners[at]
                         : find_owner_by_hash(engine, hash, item->type, item->value);
    /* The profile being worked on is not published yet, so a merge's identifiers are still found
     * under the numbers they came with; people_find_shared has led them to `number` when it has a
     * blob. */
    if (owner == number || change_holds(change, item->type, item->value)) {
        change_link(change, item->type, item->value, change->origin, false);
        return ERR_OK;
    }
    err e = ERR_OK;
    if (owner != PERSON_NONE) {
        bool newer = true;
        e = record_is_newer(engine, change, owner, item->type, item->value, &newer);
        if (e == ERR_OK && !newer) {
            size_t before = change->profile.identifier_count;
            change_link(change, item->type, item->value, change->origin, true);
            bool known = change->profile.identifier_count == before; /* and so remembered already */
            return known ? ERR_OK : remember_moved(engine, item->type, item->value, number);
        }
        if (e == ERR_OK) {
            e = take_from(engine, owner, item->type, item->value);
        }
        if (e == ERR_OK) {
            forget_identifier(engine, hash, owner);
        }
    }
    if (e == ERR_OK) {
        e = identifier_table_add(engine->identifiers, hash, number);
    }
    change_link(change, item->type, item->value, change->origin, false);
    return e;
}

static err link_identifiers(struct engine *engine, struct change *change,
                            const struct resolution *who, const struct record *record)
{
    for (size_t i = 0; i < record->identifier_count; i++) {
        err e = link_identifier(engine, change, who, i, &record->identifiers[i]);
        if (e != ERR_OK) {
            return e;
        }
    }
    for (size_t i = 0; i < record->identifier_count; i++) {
        err e = evict_beyond_limit(engine, change, record->identifiers[i].type);
        if (e != ERR_OK) {
            return e;
        }
    }
    change_sort_identifiers(change);
    return ERR_OK;
}

/* ---- a record ---- */

static err begin_person(struct engine *engine, struct change *change, const struct resolution *who,
                        const struct log_entry *entry, const struct record *record)
{
    size_t spare = spare_for(record);
    if (who->number != PERSON_NONE) {
        return change_begin(engine, change, people_blob(engine->people, who->number), spare);
    }
    uint32_t number = PERSON_NONE;
    err e = people_add(engine->people, &number);
    return e != ERR_OK ? e : change_begin_new(engine, change, number, entry, spare);
}

/* Taken before under the same message id: the entry is the person's, and says nothing new. */
static err apply_duplicate(struct engine *engine, const struct log_entry *entry, uint32_t number)
{
    struct change change;
    err e = change_begin(engine, &change, people_blob(engine->people, number), 2);
    if (e == ERR_OK) {
        e = change_add_sequence(&change, entry->sequence);
    }
    if (e == ERR_OK) {
        e = publish_profile(engine, &change.profile);
    }
    change_end(&change);
    engine->counters.duplicates++;
    return e;
}

/* The way of a record, step by step. */
err apply_record(struct engine *engine, const struct log_entry *entry, const struct record *record,
                 struct error *error)
{
    uint32_t known = registry_find_message(engine, record->message_id, entry->received_at_us);
    if (known != PERSON_NONE) {
        return apply_duplicate(engine, entry, known);
    }
    struct resolution who;
    struct change change = {.engine = engine};
    uint32_t absorbed[ARRAY_COUNT(who.merges)];
    size_t absorbed_count = 0;
    err e = resolve_record(engine, record, &who);
    if (e == ERR_OK) {
        e = begin_person(engine, &change, &who, entry, record);
    }
    for (; e == ERR_OK && absorbed_count < who.merge_count; absorbed_count++) {
        e = merge_into(engine, &change, who.merges[absorbed_count], &absorbed[absorbed_count]);
    }
    if (e == ERR_OK) {
        e = change_add_origin(&change, entry, record->event_time_us);
    }
    if (e == ERR_OK) {
        e = link_identifiers(engine, &change, &who, record);
    }
    if (e == ERR_OK) {
        e = change_apply_record(&change, entry, record);
    }
    if (e == ERR_OK) {
        e = change_add_sequence(&change, entry->sequence);
    }
    if (e == ERR_OK) {
        e = publish_profile(engine, &change.profile);
    }
    for (size_t i = 0; e == ERR_OK && i < absorbed_count; i++) {
        retire_profile(engine, absorbed[i]);
    }
    if (e == ERR_OK) {
        e = registry_add_message(engine, entry->received_at_us, record->message_id,
                                 change.profile.number);
    }
    change_end(&change);
    engine->counters.records_applied++;
    return e == ERR_OK ? e
                       : error_set(error, e, err_name(e), entry->sequence,
                                   "entry %llu could not be applied: %s",
                                   (unsigned long long)entry->sequence, err_name(e));
}

/* ---- reading a logged record again ---- */

static err header_for(struct engine *engine, const struct log_entry *entry, struct csv_header **out,
                      struct error *error)
{
    uint64_t sequence = entry->sequence - entry->header_back;
    if (entry->header_back == 0 || engine->header == NULL || engine->header_sequence != sequence) {
        return error_set(error, ERR_CORRUPT, "log_header_missing", entry->sequence,
                         "entry %llu is a CSV row whose header entry is not in its batch",
                         (unsigned long long)entry->sequence);
    }
    *out = engine->header;
    return ERR_OK;
}

static err replay_record(struct engine *engine, const struct log_entry *entry, struct error *error)
{
    struct record_form form = {.format = (enum record_format)entry->format,
                               .etl_version = entry->etl_version,
                               .mapping = engine_mapping_at(engine, entry->mapping_sequence)};
    struct csv_header *header = NULL;
    if (entry->format == FORMAT_CSV) {
        err e = header_for(engine, entry, &header, error);
        if (e != ERR_OK) {
            return e;
        }
        form.header = header;
    }
    struct record record;
    struct record_error reason;
    err e = record_read(&engine->arena, entry->payload, &form, current_settings(engine), &record,
                        &reason);
    if (e != ERR_OK) {
        return error_set(
            error, e == ERR_MEMORY ? e : ERR_CORRUPT, "log_record_unreadable", entry->sequence,
            "entry %llu was taken once and is refused now (%s): was it written by a newer version?",
            (unsigned long long)entry->sequence, reason.code);
    }
    return apply_record(engine, entry, &record, error);
}

/* A scrubbed record: nothing to say any more, but the number it had made stays used. A quarantined
 * entry stays listed until the erasure's end takes it from the list, as it was when that end was
 * logged. */
static err apply_scrubbed(struct engine *engine, const struct log_entry *entry)
{
    uint32_t number = PERSON_NONE;
    if (entry->kind == ENTRY_QUARANTINE) {
        return registry_add_quarantined(engine, entry->sequence, entry->received_at_us);
    }
    return entry->created_person ? people_add(engine->people, &number) : ERR_OK;
}

/* What is left of somebody who was erased, in place of what they said. *applied: that was it. */
static err apply_ghost(struct engine *engine, const struct log_entry *entry, bool *applied,
                       struct error *error)
{
    struct ghost ghost;
    err e = ghosts_find(engine->ghosts, entry, &engine->arena, &ghost);
    *applied = e != ERR_OK || ghost.kind != GHOST_NONE;
    if (e != ERR_OK || ghost.kind != GHOST_RECORD) {
        return e;
    }
    struct log_entry shade = *entry;
    shade.source = ghost.source;
    shade.payload = SLICE_NONE;
    uint32_t last = people_last(engine->people);
    e = apply_record(engine, &shade, &ghost.record, error);
    return e == ERR_OK && people_last(engine->people) > last
               ? ghosts_made_person(engine->ghosts, ghost.erasure, people_last(engine->people))
               : e;
}

/* ---- a correction ---- */

void patch_encode(uint32_t number, struct slice json, struct buffer *out)
{
    buffer_append_varint(out, number);
    buffer_append_slice(out, json);
}

static err apply_patch(struct engine *engine, const struct log_entry *entry, struct error *error)
{
    struct byte_reader reader = byte_reader_of(entry->payload);
    uint32_t number = (uint32_t)byte_reader_varint(&reader);
    struct slice json = byte_reader_take(&reader, byte_reader_left(&reader));
    uint32_t root =
        number <= people_last(engine->people) ? people_find(engine->people, number) : PERSON_NONE;
    const void *blob = people_blob(engine->people, root);
    if (reader.failed || blob == NULL) {
        return ERR_OK; /* erased between the correction and now */
    }
    struct record patch;
    struct record_error reason;
    err e = record_read_patch(&engine->arena, json, current_settings(engine), &patch, &reason);
    if (e != ERR_OK) {
        return error_set(error, ERR_CORRUPT, "log_patch_unreadable", entry->sequence,
                         "entry %llu: %s", (unsigned long long)entry->sequence, reason.message);
    }
    struct change change;
    e = change_begin(engine, &change, blob, spare_for(&patch));
    if (e == ERR_OK) {
        e = change_add_origin(&change, entry, 0);
    }
    if (e == ERR_OK) {
        e = change_apply_record(&change, entry, &patch);
    }
    if (e == ERR_OK) {
        e = change_add_sequence(&change, entry->sequence);
    }
    if (e == ERR_OK) {
        e = publish_profile(engine, &change.profile);
    }
    change_end(&change);
    return e;
}

/* ---- any entry ---- */

static err apply_header(struct engine *engine, const struct log_entry *entry, struct error *error)
{
    csv_header_destroy(engine->header);
    engine->header = NULL;
    engine->header_sequence = entry->sequence;
    return entry->scrubbed ? ERR_OK : csv_header_parse(entry->payload, &engine->header, error);
}

static err apply_quarantine_end(struct engine *engine, const struct log_entry *entry)
{
    uint64_t sequence = 0;
    err e = quarantine_end_decode(entry->payload, &sequence);
    return e == ERR_OK ? registry_end_quarantined(engine, sequence) : e;
}

static err apply_kind(struct engine *engine, const struct log_entry *entry,
                      const struct record *record, struct error *error)
{
    if (engine->ghosts != NULL && (entry->kind == ENTRY_RECORD || entry->kind == ENTRY_PATCH)) {
        bool applied = false;
        err e = apply_ghost(engine, entry, &applied, error);
        if (applied) {
            return e;
        }
    }
    if (entry->scrubbed) {
        return apply_scrubbed(engine, entry);
    }
    switch ((enum entry_kind)entry->kind) {
    case ENTRY_RECORD:
        return record != NULL ? apply_record(engine, entry, record, error)
                              : replay_record(engine, entry, error);
    case ENTRY_CSV_HEADER: return engine->replaying ? apply_header(engine, entry, error) : ERR_OK;
    case ENTRY_MAPPING: return registry_add_mapping(engine, entry->sequence, entry->payload, error);
    case ENTRY_SETTINGS:
        return registry_add_settings(engine, entry->sequence, entry->payload, error);
    case ENTRY_QUARANTINE:
        return registry_add_quarantined(engine, entry->sequence, entry->received_at_us);
    case ENTRY_QUARANTINE_END: return apply_quarantine_end(engine, entry);
    case ENTRY_PATCH: return apply_patch(engine, entry, error);
    case ENTRY_ERASE: return apply_erase(engine, entry, error);
    case ENTRY_ERASE_KEYS: return ERR_OK; /* for the scrubbing job only */
    case ENTRY_ERASE_DONE: return apply_erase_done(engine, entry);
    case ENTRY_RECEIPT:
        return registry_add_receipt(engine, entry->received_at_us, entry->sequence, entry->payload);
    case ENTRY_COHORT_PUT:
    case ENTRY_COHORT_DELETE: return apply_cohort_entries(engine, entry, 1, error);
    case ENTRY_KIND_MAX: break;
    }
    return error_set(
        error, ERR_UNSUPPORTED, "log_kind_unknown", entry->sequence,
        "entry %llu is of kind %u, which this version does not know: use the version that wrote it",
        (unsigned long long)entry->sequence, (unsigned)entry->kind);
}

err apply_entry(struct engine *engine, const struct log_entry *entry, const struct record *record,
                struct error *error)
{
    CHECK(entry->sequence == engine->applied_sequence + 1);
    arena_reset(&engine->arena);
    err e = apply_kind(engine, entry, record, error);
    if (e == ERR_OK) {
        answer_late_phrases(engine);
        engine->applied_sequence = entry->sequence;
        engine->last_received_at_us = entry->received_at_us;
        atomic_fetch_add(&engine->lag, 1);
    }
    return e;
}
