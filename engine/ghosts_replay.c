/* ghosts_replay.c: ghosts in a fold from the first entry (ghosts.h says what they are). */
#include "internal.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "ghosts.h"
#include "ghosts_format.h"

struct ghost_name {
    uint8_t type;
    uint64_t number; /* no other name of the log has it */
    uint64_t first;  /* somebody else's entry; 0: nobody else's */
    uint32_t position;
    /* what stands for the identifier: the true one, or a word that nobody can bring */
    struct slice value;
};

struct ghost_erasure {
    uint64_t sequence;
    bool again; /* logged by a restore */
    struct ghost_name *names;
    size_t name_count;
    struct slice *sources;
    size_t source_count;
    uint32_t *people; /* the numbers its ghosts have made */
    size_t people_count, people_capacity;
};

struct ghost_entry {
    uint64_t sequence;
    uint32_t erasure;
    uint8_t flags;
    const uint8_t *names; /* from their count on */
    const uint8_t *rest;  /* behind the names */
    const uint8_t *end;   /* of the payload */
};

struct ghosts {
    struct arena arena; /* payloads, lists, values */
    struct ghost_erasure *erasures;
    size_t erasures_count, erasures_capacity;
    struct ghost_entry *entries; /* ascending */
    size_t entries_count, entries_capacity;
    uint64_t name_count;               /* of all erasures */
    struct settings_version *settings; /* all of the log's; while collecting */
    size_t settings_count, settings_capacity;
};

void ghosts_destroy(struct ghosts *ghosts)
{
    if (ghosts == NULL) {
        return;
    }
    for (size_t i = 0; i < ghosts->erasures_count; i++) {
        memory_free(ghosts->erasures[i].people);
    }
    for (size_t i = 0; i < ghosts->settings_count; i++) {
        settings_destroy(ghosts->settings[i].settings);
    }
    memory_free(ghosts->erasures);
    memory_free(ghosts->entries);
    memory_free(ghosts->settings);
    arena_deinit(&ghosts->arena);
    memory_free(ghosts);
}

/* ---- reading an erasure ---- */

static struct byte_reader reader_between(const uint8_t *from, const uint8_t *end)
{
    return byte_reader_of(slice_of(from, (size_t)(end - from)));
}

static err read_names(struct ghosts *ghosts, struct ghost_erasure *erasure,
                      struct byte_reader *reader)
{
    uint64_t count = byte_reader_varint(reader);
    if (reader->failed || count > byte_reader_left(reader)) {
        return ERR_CORRUPT;
    }
    erasure->names = arena_zalloc(&ghosts->arena, (size_t)(count + 1) * sizeof *erasure->names);
    if (erasure->names == NULL) {
        return ERR_MEMORY;
    }
    erasure->name_count = (size_t)count;
    for (size_t i = 0; i < erasure->name_count; i++) {
        struct ghost_name *name = &erasure->names[i];
        uint64_t type = byte_reader_varint(reader);
        name->type = (uint8_t)type;
        name->number = ghosts->name_count++;
        name->first = byte_reader_varint(reader);
        name->position = name->first != 0 ? (uint32_t)byte_reader_varint(reader) : 0;
        if (type >= IDENTIFIER_TYPE_MAX) {
            return ERR_CORRUPT;
        }
    }
    return reader->failed ? ERR_CORRUPT : ERR_OK;
}

static err read_sources(struct ghosts *ghosts, struct ghost_erasure *erasure,
                        struct byte_reader *reader)
{
    uint64_t count = byte_reader_varint(reader);
    if (reader->failed || count > byte_reader_left(reader)) {
        return ERR_CORRUPT;
    }
    erasure->sources = arena_zalloc(&ghosts->arena, (size_t)(count + 1) * sizeof *erasure->sources);
    if (erasure->sources == NULL) {
        return ERR_MEMORY;
    }
    erasure->source_count = (size_t)count;
    for (size_t i = 0; i < erasure->source_count; i++) {
        erasure->sources[i] = byte_reader_string(reader);
    }
    return reader->failed ? ERR_CORRUPT : ERR_OK;
}

/* The names from their count on. Steps over them and checks them. */
static bool skip_names(const struct ghost_erasure *erasure, struct byte_reader *reader)
{
    uint64_t head = byte_reader_varint(reader);
    uint64_t count = head >> 1;
    bool sound = count > 0 && count <= IDENTIFIER_COUNT_MAX;
    for (uint64_t i = 0; sound && i < count; i++) {
        sound = byte_reader_varint(reader) < erasure->name_count && !reader->failed;
    }
    if (sound && (head & 1) != 0) {
        (void)byte_reader_take(reader, (size_t)count);
    }
    return sound && !reader->failed;
}

static bool skip_rest(const struct ghost_erasure *erasure, uint8_t flags,
                      struct byte_reader *reader)
{
    bool sound = true;
    if ((flags & GHOST_MESSAGE) != 0) {
        (void)byte_reader_varint(reader);
    }
    if ((flags & GHOST_SOURCE) != 0) {
        sound = byte_reader_varint(reader) < erasure->source_count;
    }
    if ((flags & GHOST_EARLIER) != 0) {
        (void)byte_reader_varint(reader);
    }
    return sound && !reader->failed;
}

struct reading {
    struct ghosts *ghosts;
    uint32_t erasure;
    struct byte_reader reader;
    const uint8_t *names; /* of the ghost before */
    err err;
};

/* One of the erasure's entries; what an erasure logged again says about later numbers is about
 * another log's entries. */
static void read_entry(void *context, uint64_t sequence, bool created_person)
{
    struct reading *work = context;
    struct ghosts *ghosts = work->ghosts;
    const struct ghost_erasure *erasure = &ghosts->erasures[work->erasure];
    (void)created_person;
    if (work->err != ERR_OK) {
        return;
    }
    struct ghost_entry entry = {.sequence = sequence,
                                .erasure = work->erasure,
                                .flags = byte_reader_u8(&work->reader),
                                .end = work->reader.end};
    if ((entry.flags & GHOST_NAMES) != 0) {
        work->names = work->reader.at;
        work->err = skip_names(erasure, &work->reader) ? ERR_OK : ERR_CORRUPT;
    }
    entry.names = work->names;
    entry.rest = work->reader.at;
    if (work->reader.failed || (entry.flags != 0 && entry.names == NULL) ||
        !skip_rest(erasure, entry.flags, &work->reader)) {
        work->err = ERR_CORRUPT;
    }
    if (work->err != ERR_OK || sequence >= erasure->sequence) {
        return;
    }
    if (!VECTOR_RESERVE(ghosts, entries)) {
        work->err = ERR_MEMORY;
        return;
    }
    ghosts->entries[ghosts->entries_count++] = entry;
}

static err read_erasure(struct ghosts *ghosts, const struct log_entry *entry)
{
    struct slice payload = arena_copy(&ghosts->arena, entry->payload);
    struct slice section = SLICE_NONE;
    if (payload.data == NULL || !VECTOR_RESERVE(ghosts, erasures)) {
        return ERR_MEMORY;
    }
    if (!erasure_ghosts(payload, &section)) {
        return ERR_CORRUPT;
    }
    if (section.length == 0) {
        return ERR_OK;
    }
    struct reading work = {.ghosts = ghosts,
                           .erasure = (uint32_t)ghosts->erasures_count,
                           .reader = byte_reader_of(section)};
    struct ghost_erasure *erasure = &ghosts->erasures[ghosts->erasures_count++];
    *erasure =
        (struct ghost_erasure){.sequence = entry->sequence, .again = entry->format == ERASE_AGAIN};
    err e = read_names(ghosts, erasure, &work.reader);
    if (e == ERR_OK) {
        e = read_sources(ghosts, erasure, &work.reader);
    }
    if (e == ERR_OK) {
        bool read = engine_erase_entries(payload, read_entry, &work);
        e = read ? work.err : ERR_CORRUPT;
    }
    return e == ERR_OK && byte_reader_left(&work.reader) > 0 ? ERR_CORRUPT : e;
}

/* ---- what stands for an identifier ---- */

static const struct ghost_entry *entry_find(const struct ghosts *ghosts, uint64_t sequence)
{
    size_t low = 0;
    size_t high = ghosts->entries_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ghosts->entries[middle].sequence < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ghosts->entries_count && ghosts->entries[low].sequence == sequence
               ? &ghosts->entries[low]
               : NULL;
}

/* An erasure that a restore logged again stands for what that restore scrubbed, nothing else. */
static bool stands_for(const struct ghosts *ghosts, const struct ghost_entry *ghost,
                       const struct log_entry *entry)
{
    return !ghosts->erasures[ghost->erasure].again || entry->scrubbed;
}

static const struct ghost_name *name_at(const struct ghosts *ghosts,
                                        const struct ghost_entry *ghost, uint32_t position)
{
    const struct ghost_erasure *erasure = &ghosts->erasures[ghost->erasure];
    if (ghost->flags == 0) {
        return NULL;
    }
    struct byte_reader reader = reader_between(ghost->names, ghost->end);
    uint64_t count = byte_reader_varint(&reader) >> 1;
    uint64_t index = 0;
    for (uint32_t i = 0; i <= position && position < count; i++) {
        index = byte_reader_varint(&reader);
    }
    return position < count ? &erasure->names[index] : NULL;
}

/* No identifier holds a NUL, so nobody can bring this one. */
static err make_word(struct ghosts *ghosts, char kind, uint64_t a, uint64_t b, struct slice *out)
{
    char word[18] = {0, kind};
    store_u64_be(word + 2, a);
    store_u64_be(word + 10, b);
    *out = arena_copy(&ghosts->arena, slice_of(word, sizeof word));
    return out->data != NULL ? ERR_OK : ERR_MEMORY;
}

/* Follows the pointers of those who were erased one after the other; they lead to later erasures,
 * so this ends. An erasure logged again may point behind itself, where its own log went on and this
 * one has other entries. */
static err resolve_name(struct ghosts *ghosts, struct entry_source *source,
                        const struct ghost_erasure *erasure, struct ghost_name *out)
{
    const struct ghost_name *name = out;
    for (size_t step = 0; name->first != 0 && step <= ghosts->erasures_count; step++) {
        struct log_entry entry = {0};
        struct record record;
        const struct ghost_entry *ghost = entry_find(ghosts, name->first);
        err e = name->first < erasure->sequence
                    ? entry_source_read(source, name->first, &entry, &record)
                    : ERR_NOT_FOUND;
        const struct ghost_name *next =
            name->first < erasure->sequence && ghost != NULL && stands_for(ghosts, ghost, &entry)
                ? name_at(ghosts, ghost, name->position)
                : NULL;
        if (next != NULL) {
            erasure = &ghosts->erasures[ghost->erasure];
            name = next;
            continue;
        }
        if (e == ERR_OK && name->position < record.identifier_count &&
            record.identifiers[name->position].type == name->type) {
            out->value = arena_copy(&ghosts->arena, record.identifiers[name->position].value);
            return out->value.data != NULL ? ERR_OK : ERR_MEMORY;
        }
        /* Nobody's any more, or not in this log: those who point there still mean the same. */
        return e == ERR_OK || e == ERR_NOT_FOUND || e == ERR_CORRUPT
                   ? make_word(ghosts, 'e', name->first, name->position, &out->value)
                   : e;
    }
    return make_word(ghosts, 'n', name->number, 0, &out->value);
}

static err resolve_names(struct engine *engine, struct ghosts *ghosts)
{
    struct entry_source source;
    err e = ERR_OK;
    entry_source_init(&source, engine, ghosts->settings, ghosts->settings_count);
    for (size_t i = 0; i < ghosts->erasures_count; i++) {
        for (size_t k = 0; e == ERR_OK && k < ghosts->erasures[i].name_count; k++) {
            e = resolve_name(ghosts, &source, &ghosts->erasures[i], &ghosts->erasures[i].names[k]);
        }
    }
    entry_source_deinit(&source);
    return e;
}

/* ---- the first pass ---- */

static err add_settings(struct ghosts *ghosts, uint64_t sequence, struct slice json,
                        struct error *error)
{
    struct settings *settings = NULL;
    err e = settings_parse(json, &settings, error);
    if (e == ERR_OK && !VECTOR_RESERVE(ghosts, settings)) {
        settings_destroy(settings);
        e = ERR_MEMORY;
    }
    if (e == ERR_OK) {
        ghosts->settings[ghosts->settings_count++] = (struct settings_version){sequence, settings};
    }
    return e;
}

static err look_at_entry(struct ghosts *ghosts, const struct log_entry *entry, struct error *error)
{
    err e = ERR_OK;
    if (entry->kind == ENTRY_SETTINGS && !entry->scrubbed) {
        e = add_settings(ghosts, entry->sequence, entry->payload, error);
    } else if (entry->kind == ENTRY_ERASE && entry->format != ERASE_PLAIN && !entry->scrubbed) {
        e = read_erasure(ghosts, entry);
        if (e == ERR_CORRUPT) {
            e = error_set(error, e, "log_erase_unreadable", entry->sequence,
                          "entry %llu is no erasure", (unsigned long long)entry->sequence);
        }
    }
    return e;
}

static err read_log(struct engine *engine, struct ghosts *ghosts, struct error *error)
{
    struct log *log = engine->options.log;
    struct log_reader *reader = NULL;
    struct log_entry entry;
    err e = add_settings(ghosts, 0, SLICE_LITERAL("{}"), error);
    if (e == ERR_OK) {
        e = log->ops->reader_create(log, 1, &reader, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    while (e == ERR_OK && (e = log->ops->reader_next(reader, &entry, NULL, error)) == ERR_OK) {
        e = look_at_entry(ghosts, &entry, error);
    }
    log->ops->reader_destroy(reader);
    return e == ERR_END ? ERR_OK : e;
}

static int compare_entries(const void *a, const void *b)
{
    const struct ghost_entry *x = a;
    const struct ghost_entry *y = b;
    if (x->sequence != y->sequence) {
        return x->sequence < y->sequence ? -1 : 1;
    }
    return x->erasure < y->erasure ? -1 : x->erasure > y->erasure;
}

/* One entry is one person's; only erasures that were logged twice name one twice. */
static void sort_entries(struct ghosts *ghosts)
{
    size_t kept = 0;
    if (ghosts->entries_count > 0) {
        qsort(ghosts->entries, ghosts->entries_count, sizeof *ghosts->entries, compare_entries);
    }
    for (size_t i = 0; i < ghosts->entries_count; i++) {
        if (kept == 0 || ghosts->entries[kept - 1].sequence != ghosts->entries[i].sequence) {
            ghosts->entries[kept++] = ghosts->entries[i];
        }
    }
    ghosts->entries_count = kept;
}

err ghosts_collect(struct engine *engine, struct ghosts **out, struct error *error)
{
    struct ghosts *ghosts = memory_zalloc(sizeof *ghosts);
    *out = NULL;
    if (ghosts == NULL) {
        return ERR_MEMORY;
    }
    arena_init(&ghosts->arena, SIZE_MAX / 2);
    err e = read_log(engine, ghosts, error);
    if (e == ERR_OK && ghosts->entries_count > 0) {
        sort_entries(ghosts);
        e = resolve_names(engine, ghosts);
    }
    if (e != ERR_OK || ghosts->erasures_count == 0) {
        ghosts_destroy(ghosts);
        ghosts = NULL;
    }
    *out = ghosts;
    return e;
}

/* ---- in the fold ---- */

static err fill_record(const struct ghosts *ghosts, const struct ghost_entry *ghost,
                       const struct log_entry *entry, struct arena *arena, struct ghost *out)
{
    const struct ghost_erasure *erasure = &ghosts->erasures[ghost->erasure];
    struct byte_reader reader = reader_between(ghost->names, ghost->end);
    struct record *record = &out->record;
    record->identifier_count = (size_t)(byte_reader_varint(&reader) >> 1);
    record->identifiers =
        arena_alloc(arena, record->identifier_count * sizeof *record->identifiers);
    if (record->identifiers == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < record->identifier_count; i++) {
        const struct ghost_name *name = &erasure->names[byte_reader_varint(&reader)];
        record->identifiers[i] = (struct record_identifier){name->type, name->value};
    }
    reader = reader_between(ghost->rest, ghost->end);
    if ((ghost->flags & GHOST_MESSAGE) != 0) {
        char word[18] = {0, 'm'};
        store_u64_be(word + 2, erasure->sequence);
        store_u64_be(word + 10, byte_reader_varint(&reader));
        record->message_id = arena_copy(arena, slice_of(word, sizeof word));
        if (record->message_id.data == NULL) {
            return ERR_MEMORY;
        }
    }
    if ((ghost->flags & GHOST_SOURCE) != 0) {
        out->source = erasure->sources[byte_reader_varint(&reader)];
    }
    if ((ghost->flags & GHOST_EARLIER) != 0) {
        record->event_time_us =
            (int64_t)((uint64_t)entry->received_at_us - byte_reader_varint(&reader));
    }
    return ERR_OK;
}

err ghosts_find(const struct ghosts *ghosts, const struct log_entry *entry, struct arena *arena,
                struct ghost *out)
{
    const struct ghost_entry *ghost = entry_find(ghosts, entry->sequence);
    *out = (struct ghost){.kind = GHOST_NONE};
    if (ghost == NULL || !stands_for(ghosts, ghost, entry)) {
        return ERR_OK;
    }
    out->erasure = ghost->erasure;
    out->kind = ghost->flags != 0 ? GHOST_RECORD : GHOST_SILENT;
    return out->kind == GHOST_RECORD ? fill_record(ghosts, ghost, entry, arena, out) : ERR_OK;
}

err ghosts_made_person(struct ghosts *ghosts, uint32_t erasure, uint32_t number)
{
    struct ghost_erasure *of = &ghosts->erasures[erasure];
    if (!VECTOR_RESERVE(of, people)) {
        return ERR_MEMORY;
    }
    of->people[of->people_count++] = number;
    return ERR_OK;
}

const uint32_t *ghosts_people(const struct ghosts *ghosts, uint64_t erase_sequence, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < ghosts->erasures_count; i++) {
        if (ghosts->erasures[i].sequence == erase_sequence) {
            *count = ghosts->erasures[i].people_count;
            return ghosts->erasures[i].people;
        }
    }
    return NULL;
}

/* -1 when the ghost does not name it. */
static int rank_of(const struct ghosts *ghosts, const struct ghost_entry *ghost, struct slice value)
{
    const struct ghost_erasure *erasure = &ghosts->erasures[ghost->erasure];
    struct byte_reader reader = reader_between(ghost->names, ghost->end);
    uint64_t head = byte_reader_varint(&reader);
    size_t count = (size_t)(head >> 1);
    int found = -1;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(erasure->names[byte_reader_varint(&reader)].value, value)) {
            found = (int)i;
        }
    }
    struct slice ranks = (head & 1) != 0 ? byte_reader_take(&reader, count) : SLICE_NONE;
    return found >= 0 && ranks.data != NULL ? (uint8_t)ranks.data[found] : found;
}

int ghosts_compare(const struct ghosts *ghosts, uint64_t sequence, struct slice a, struct slice b)
{
    const struct ghost_entry *ghost = ghosts != NULL ? entry_find(ghosts, sequence) : NULL;
    if (ghost != NULL && ghost->flags != 0) {
        int x = rank_of(ghosts, ghost, a);
        int y = rank_of(ghosts, ghost, b);
        if (x >= 0 && y >= 0) {
            return x - y;
        }
    }
    return slice_compare(a, b);
}
