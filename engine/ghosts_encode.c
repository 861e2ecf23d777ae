/* ghosts_encode.c: the ghosts of a person who is about to be erased (ghosts.h says what they are).
 *
 *   varint identifiers; each: varint type, varint sequence of somebody else's first entry that names it (0: nobody else's),
 *                             then, if not 0, varint position in that record's identifiers
 *   varint sources;     each: varint length, bytes
 *   for each of the erasure's entries: u8 flags (0: no ghost, a correction), then in this order, if flagged
 *     GHOST_NAMES    varint count × 2 + ranked; count × varint identifier; if ranked count × u8 rank in order of bytes.
 *                    Without the flag: the same as the ghost before
 *     GHOST_MESSAGE  varint message id
 *     GHOST_SOURCE   varint source
 *     GHOST_EARLIER  varint µs from the event to its arrival
 *
 * Identifiers and message ids are counted in order of their first appearance. Ranks are there only
 * for entries that name two of one type: of those last seen in one entry the first in order of
 * bytes gives way (apply.c). */
#include "internal.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "ghosts.h"
#include "ghosts_format.h"
#include "ingest/splitter.h"

/* Beyond this many entries of others that were looked at, any entry that names the identifier will
 * do: only a restore of a copy that ends between the two can tell the difference. */
enum { LOOKS_MAX = 20000 };
/* No single append is larger: a varint, a source's name. */
enum { GHOST_BYTES_MAX = 16, LIST_ITEM_BYTES_MAX = LOG_SOURCE_MAX };

/* ---- logged entries read again ---- */

void entry_source_init(struct entry_source *source, struct engine *engine,
                       const struct settings_version *settings, size_t settings_count)
{
    *source = (struct entry_source){
        .engine = engine, .settings = settings, .settings_count = settings_count};
    arena_init(&source->arena, (size_t)64 << 20);
}

void entry_source_deinit(struct entry_source *source)
{
    arena_deinit(&source->arena);
}

static const struct settings *settings_at(const struct entry_source *source, uint64_t sequence)
{
    size_t low = 0;
    size_t high = source->settings_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (source->settings[middle].sequence <= sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? source->settings[low - 1].settings : NULL;
}

static err read_with_form(struct entry_source *source, const struct log_entry *entry,
                          struct record_form *form, const struct settings *settings,
                          struct record *record)
{
    struct log *log = source->engine->options.log;
    struct csv_header *header = NULL;
    struct record_error reason;
    if (entry->format == FORMAT_CSV) {
        struct log_entry first;
        err e = entry->header_back > 0 && entry->header_back < entry->sequence
                    ? log->ops->get(log, entry->sequence - entry->header_back, &source->arena,
                                    &first, NULL)
                    : ERR_NOT_FOUND;
        if (e == ERR_OK) {
            e = first.kind == ENTRY_CSV_HEADER ? csv_header_parse(first.payload, &header, NULL)
                                               : ERR_NOT_FOUND;
        }
        if (e != ERR_OK) {
            return e;
        }
        form->header = header;
    }
    err e = record_read(&source->arena, entry->payload, form, settings, record, &reason);
    csv_header_destroy(header);
    return e == ERR_OK || e == ERR_MEMORY ? e : ERR_NOT_FOUND;
}

err entry_source_read(struct entry_source *source, uint64_t sequence, struct log_entry *entry,
                      struct record *record)
{
    struct log *log = source->engine->options.log;
    struct mapping *parsed = NULL;
    arena_reset(&source->arena);
    *record = (struct record){0};
    err e = log->ops->get(log, sequence, &source->arena, entry, NULL);
    if (e != ERR_OK) {
        return e;
    }
    const struct settings *settings = settings_at(source, sequence);
    if (entry->kind != ENTRY_RECORD || entry->scrubbed || settings == NULL) {
        return ERR_NOT_FOUND;
    }
    struct record_form form = {.format = (enum record_format)entry->format,
                               .etl_version = entry->etl_version,
                               .mapping =
                                   engine_mapping_at(source->engine, entry->mapping_sequence)};
    if (entry->mapping_sequence != 0 &&
        form.mapping == NULL) { /* a fold that has not come to it yet */
        struct log_entry mapping;
        e = log->ops->get(log, entry->mapping_sequence, &source->arena, &mapping, NULL);
        if (e == ERR_OK) {
            e = mapping.kind == ENTRY_MAPPING ? mapping_parse(mapping.payload, &parsed, NULL)
                                              : ERR_NOT_FOUND;
        }
        form.mapping = parsed;
    }
    if (e == ERR_OK) {
        e = read_with_form(source, entry, &form, settings, record);
    }
    mapping_destroy(parsed);
    return e;
}

/* ---- the person's lists ---- */

struct named {
    uint8_t type;
    struct slice value; /* in the engine's arena */
    uint64_t hash;      /* identifier_hash */
    uint64_t first;     /* somebody else's first entry that names it; 0: nobody else's */
    uint32_t position;  /* in that one */
};

struct message {
    uint64_t hash;
    uint32_t index_plus_1; /* 0: the slot is free */
};

struct encoding {
    struct engine *engine;
    struct entry_source source;
    struct named *named;
    size_t named_count, named_capacity;
    struct message *messages; /* by hash, open addressing; a power of two of slots */
    size_t message_count, message_slots;
    struct slice *sources;
    size_t source_count, source_capacity;
    uint32_t before[IDENTIFIER_COUNT_MAX]; /* the identifiers of the ghost before */
    size_t before_count;
    bool begun;
    size_t looks;
};

static err name_index(struct encoding *work, const struct record_identifier *item, uint32_t *index)
{
    uint64_t hash = identifier_hash(work->engine->identifiers, item->type, item->value);
    for (size_t i = 0; i < work->named_count; i++) {
        const struct named *known = &work->named[i];
        if (known->hash == hash && known->type == item->type &&
            slice_equal(known->value, item->value)) {
            *index = (uint32_t)i;
            return ERR_OK;
        }
    }
    struct named fresh = {
        .type = item->type, .hash = hash, .value = arena_copy(&work->engine->arena, item->value)};
    if (fresh.value.data == NULL || !vector_reserve((void **)&work->named, &work->named_capacity,
                                                    work->named_count, sizeof fresh)) {
        return ERR_MEMORY;
    }
    *index = (uint32_t)work->named_count;
    work->named[work->named_count++] = fresh;
    return ERR_OK;
}

static struct message *message_slot(struct message *slots, size_t count, uint64_t hash)
{
    size_t at = (size_t)hash & (count - 1);
    while (slots[at].index_plus_1 != 0 && slots[at].hash != hash) {
        at = (at + 1) & (count - 1);
    }
    return &slots[at];
}

static err grow_messages(struct encoding *work)
{
    size_t count = work->message_slots > 0 ? 2 * work->message_slots : 64;
    struct message *slots = memory_zalloc(count * sizeof *slots);
    if (slots == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < work->message_slots; i++) {
        if (work->messages[i].index_plus_1 != 0) {
            *message_slot(slots, count, work->messages[i].hash) = work->messages[i];
        }
    }
    memory_free(work->messages);
    work->messages = slots;
    work->message_slots = count;
    return ERR_OK;
}

/* By digest as in the window of message ids; half of that one is enough among one person's. */
static err message_index(struct encoding *work, struct slice id, uint32_t *index)
{
    if (2 * work->message_count >= work->message_slots && grow_messages(work) != ERR_OK) {
        return ERR_MEMORY;
    }
    uint64_t hash = hash64(id, 0);
    struct message *slot = message_slot(work->messages, work->message_slots, hash);
    if (slot->index_plus_1 == 0) {
        *slot = (struct message){hash, (uint32_t)++work->message_count};
    }
    *index = slot->index_plus_1 - 1;
    return ERR_OK;
}

/* Only names that the operator's settings know: the others all have the same priority. */
static bool has_priority(const struct engine *engine, struct slice source)
{
    for (size_t i = 0; i < engine->settings_count; i++) {
        if (settings_source_priority(engine->settings[i].settings, source) != 0) {
            return true;
        }
    }
    return false;
}

static err source_index(struct encoding *work, struct slice text, uint32_t *index)
{
    for (size_t i = 0; i < work->source_count; i++) {
        if (slice_equal(work->sources[i], text)) {
            *index = (uint32_t)i;
            return ERR_OK;
        }
    }
    struct slice copy = arena_copy(&work->engine->arena, text);
    if (copy.data == NULL || !vector_reserve((void **)&work->sources, &work->source_capacity,
                                             work->source_count, sizeof *work->sources)) {
        return ERR_MEMORY;
    }
    *index = (uint32_t)work->source_count;
    work->sources[work->source_count++] = copy;
    return ERR_OK;
}

/* ---- one ghost ---- */

static bool names_two_of_a_type(const struct record *record)
{
    for (size_t i = 1; i < record->identifier_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (record->identifiers[i].type == record->identifiers[k].type) {
                return true;
            }
        }
    }
    return false;
}

static void encode_names(const struct encoding *work, const struct record *record,
                         struct buffer *out)
{
    bool ranked = names_two_of_a_type(record);
    buffer_append_varint(out, record->identifier_count << 1 | (ranked ? 1 : 0));
    for (size_t i = 0; i < record->identifier_count; i++) {
        buffer_append_varint(out, work->before[i]);
    }
    for (size_t i = 0; ranked && i < record->identifier_count; i++) {
        uint8_t rank = 0;
        for (size_t k = 0; k < record->identifier_count; k++) {
            rank = (uint8_t)(rank + (record->identifiers[k].type == record->identifiers[i].type &&
                                     slice_compare(record->identifiers[k].value,
                                                   record->identifiers[i].value) < 0));
        }
        buffer_append(out, &rank, 1);
    }
}

static err encode_ghost(struct encoding *work, const struct log_entry *entry,
                        const struct record *record, struct buffer *out)
{
    uint8_t flags = GHOST_THERE;
    uint32_t message = 0;
    uint32_t source = 0;
    bool same = work->begun && work->before_count == record->identifier_count;
    CHECK(record->identifier_count <= IDENTIFIER_COUNT_MAX);
    for (size_t i = 0; i < record->identifier_count; i++) {
        uint32_t index = 0;
        err e = name_index(work, &record->identifiers[i], &index);
        if (e != ERR_OK) {
            return e;
        }
        same = same && work->before[i] == index;
        work->before[i] = index;
    }
    work->before_count = record->identifier_count;
    work->begun = true;
    flags |= same ? 0 : GHOST_NAMES;
    err e = ERR_OK;
    if (record->message_id.length > 0) {
        flags |= GHOST_MESSAGE;
        e = message_index(work, record->message_id, &message);
    }
    if (e == ERR_OK && has_priority(work->engine, entry->source)) {
        flags |= GHOST_SOURCE;
        e = source_index(work, entry->source, &source);
    }
    bool earlier = record->event_time_us != 0 && record->event_time_us < entry->received_at_us;
    flags |= earlier ? GHOST_EARLIER : 0;
    buffer_append(out, &flags, 1);
    if (!same) {
        encode_names(work, record, out);
    }
    if ((flags & GHOST_MESSAGE) != 0) {
        buffer_append_varint(out, message);
    }
    if ((flags & GHOST_SOURCE) != 0) {
        buffer_append_varint(out, source);
    }
    if (earlier) {
        buffer_append_varint(out,
                             (uint64_t)entry->received_at_us - (uint64_t)record->event_time_us);
    }
    return e;
}

static err encode_entries(struct encoding *work, const struct log_scrub *entries, size_t count,
                          struct buffer *out)
{
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count && !out->failed; i++) {
        struct log_entry entry = {0};
        struct record record;
        e = entry_source_read(&work->source, entries[i].sequence, &entry, &record);
        if (e == ERR_OK) {
            e = encode_ghost(work, &entry, &record, out);
        } else if (e == ERR_NOT_FOUND && entry.kind == ENTRY_PATCH) {
            buffer_append_char(out, 0);
            e = ERR_OK;
        }
    }
    return e;
}

/* ---- who else has it ---- */

static bool blob_names(const void *blob, const struct named *item, uint64_t *sequence)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_identifiers(&view);
    for (struct profile_identifier known; profile_identifier_next(&cursor, &known);) {
        if (known.type == item->type && slice_equal(known.value, item->value)) {
            struct profile_cursor origins = profile_origins(&view);
            struct profile_origin origin = {0};
            for (uint32_t i = 0; i <= known.origin && profile_origin_next(&origins, &origin); i++) {
            }
            *sequence = origin.sequence;
            return true;
        }
    }
    return false;
}

static bool record_names(const struct record *record, const struct named *item, uint32_t *position)
{
    for (size_t i = 0; i < record->identifier_count; i++) {
        if (record->identifiers[i].type == item->type &&
            slice_equal(record->identifiers[i].value, item->value)) {
            *position = (uint32_t)i;
            return true;
        }
    }
    return false;
}

/* Looks at one entry of somebody else. */
static err look_at(struct encoding *work, uint64_t sequence, struct named *item, bool *found)
{
    struct log_entry entry = {0};
    struct record record;
    uint32_t position = 0;
    err e = entry_source_read(&work->source, sequence, &entry, &record);
    work->looks++;
    *found = e == ERR_OK && record_names(&record, item, &position);
    if (*found && (item->first == 0 || sequence < item->first)) {
        item->first = sequence;
        item->position = position;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e; /* a correction */
}

/* `newest` is an entry of theirs that names it: a profile remembers the newest. */
static err look_through(struct encoding *work, uint32_t root, uint64_t newest, struct named *item)
{
    struct arena arena;
    uint64_t *sequences = NULL;
    size_t count = 0;
    bool found = false;
    arena_init(&arena, (size_t)64 << 20);
    err e = engine_person_sequences(work->engine, root, &arena, &sequences, &count);
    for (size_t i = 0; e == ERR_OK && !found && i < count && work->looks < LOOKS_MAX &&
                       (item->first == 0 || sequences[i] < item->first);
         i++) {
        e = look_at(work, sequences[i], item, &found);
    }
    if (e == ERR_OK && item->first == 0) {
        e = look_at(work, newest, item, &found);
        e = e == ERR_OK && !found ? ERR_NOT_FOUND : e;
    }
    arena_deinit(&arena);
    return e;
}

static err look_at_person(struct encoding *work, uint32_t self, uint32_t root, struct named *item)
{
    uint64_t newest = 0;
    const void *blob = root != self ? people_blob(work->engine->people, root) : NULL;
    return blob != NULL && blob_names(blob, item, &newest) ? look_through(work, root, newest, item)
                                                           : ERR_OK;
}

struct hash_index {
    uint64_t hash;
    size_t index;
};

static int compare_hashes(const void *a, const void *b)
{
    const struct hash_index *x = a;
    const struct hash_index *y = b;
    return x->hash != y->hash    ? (x->hash < y->hash ? -1 : 1)
           : x->index < y->index ? -1
                                 : x->index > y->index;
}

/* First of the sorted items whose hash is not below. */
static size_t hash_position(const struct hash_index *items, size_t count, uint64_t hash)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Everybody who has one of the person's identifiers, or had it until it moved on. */
static err find_others(struct encoding *work, uint32_t self)
{
    struct engine *engine = work->engine;
    struct hash_index *hashes =
        arena_alloc(&engine->arena, (work->named_count + 1) * sizeof *hashes);
    if (hashes == NULL) {
        return ERR_MEMORY;
    }
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < work->named_count; i++) {
        struct named *item = &work->named[i];
        hashes[i] = (struct hash_index){item->hash, i};
        uint32_t owner = find_owner(engine, item->type, item->value);
        e = owner != PERSON_NONE ? look_at_person(work, self, owner, item) : ERR_OK;
    }
    if (e != ERR_OK) {
        return e; /* not all of them are filled in */
    }
    qsort(hashes, work->named_count, sizeof *hashes, compare_hashes);
    for (size_t m = 0; e == ERR_OK && m < engine->moved_count; m++) {
        uint64_t hash = engine->moved[m].hash;
        size_t at = hash_position(hashes, work->named_count, hash);
        for (; e == ERR_OK && at < work->named_count && hashes[at].hash == hash; at++) {
            uint32_t root = people_find_shared(engine->people, engine->moved[m].number);
            e = look_at_person(work, self, root, &work->named[hashes[at].index]);
        }
    }
    return e;
}

static void encode_lists(const struct encoding *work, struct buffer *out)
{
    buffer_append_varint(out, work->named_count);
    for (size_t i = 0; i < work->named_count; i++) {
        buffer_append_varint(out, work->named[i].type);
        buffer_append_varint(out, work->named[i].first);
        if (work->named[i].first != 0) {
            buffer_append_varint(out, work->named[i].position);
        }
    }
    buffer_append_varint(out, work->source_count);
    for (size_t i = 0; i < work->source_count; i++) {
        buffer_append_varint(out, work->sources[i].length);
        buffer_append_slice(out, work->sources[i]);
    }
}

/* A buffer does not say why it could not take the bytes: beyond its maximum they can never be had,
 * otherwise they may be another time. */
err buffer_problem(const struct buffer *buffer, size_t bytes)
{
    return !buffer->failed                            ? ERR_OK
           : bytes > LOG_PAYLOAD_MAX - buffer->length ? ERR_TOO_LARGE
                                                      : ERR_MEMORY;
}

err ghosts_encode(struct engine *engine, uint32_t number, const struct log_scrub *entries,
                  size_t count, struct buffer *out)
{
    struct encoding work = {.engine = engine};
    struct buffer body;
    buffer_init(&body, LOG_PAYLOAD_MAX);
    entry_source_init(&work.source, engine, engine->settings, engine->settings_count);
    err e = encode_entries(&work, entries, count, &body);
    if (e == ERR_OK) {
        e = find_others(&work, number);
    }
    if (e == ERR_OK) {
        e = buffer_problem(&body, GHOST_BYTES_MAX);
    }
    if (e == ERR_OK) {
        encode_lists(&work, out);
        e = buffer_problem(out, LIST_ITEM_BYTES_MAX);
    }
    if (e == ERR_OK) {
        buffer_append_slice(out, buffer_slice(&body));
        e = buffer_problem(out, body.length);
    }
    entry_source_deinit(&work.source);
    buffer_deinit(&body);
    memory_free(work.named);
    memory_free(work.messages);
    memory_free(work.sources);
    return e;
}
