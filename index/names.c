#include "index/names.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "ingest/record.h"

/*    text ──hash64──▶ table of ids (linear probing, at most 3/4 full) ──▶ entry of the id
 *
 *    pages of 1,024 entries:  [ text | users | length | hash | next_free | next_changed ]
 *
 * Entries never move and are found by id in two steps. An id without a text is free: those that a
 * release freed form a list through next_free. Ids touched since the last drain form a list through
 * next_changed, so that noting a change needs no memory and a release cannot fail.
 *
 * Invariants (names_validate):
 *   1. every id with a text is in the table once, reachable from its home without a gap
 *   2. the free list holds ids without text, each once; after a sweep all of them below `limit` whose page exists
 *   3. no text has two ids */
enum { PAGE_BITS = 10, PAGE_ENTRIES = 1 << PAGE_BITS, BUCKETS_FIRST = 64 };

struct entry {
    char *text; /* with a NUL behind it; NULL: the id is free */
    uint64_t users;
    uint32_t length;
    uint32_t hash;
    uint32_t next_free; /* NAME_NONE ends the list */
    uint32_t
        /* NAME_NONE ends the list, 0: not in it (0 is a built-in, which never changes) */
        next_changed;
    bool stored; /* the checkpoint has something under this id as of the last drain */
};

struct names {
    uint64_t seed;
    struct entry **pages;
    size_t page_count;
    uint32_t limit;        /* one more than the highest id ever in use */
    uint32_t count;        /* ids with a text */
    uint32_t *buckets;     /* id + 1; 0 is empty */
    uint32_t bucket_count; /* a power of two */
    uint32_t free_head;
    uint32_t changed_head;
    uint64_t memory_bytes;
};

static inline struct entry *entry_of(const struct names *names, uint32_t id)
{
    size_t page = id >> PAGE_BITS;
    if (page >= names->page_count || names->pages[page] == NULL) {
        return NULL;
    }
    return &names->pages[page][id & (PAGE_ENTRIES - 1)];
}

static inline struct entry *used_entry(const struct names *names, uint32_t id)
{
    struct entry *entry = entry_of(names, id);
    CHECK(entry != NULL && entry->text != NULL);
    return entry;
}

static inline bool is_builtin(uint32_t id)
{
    return id < FIELD_BUILTIN_COUNT;
}

static inline uint32_t text_hash(const struct names *names, struct slice text)
{
    return (uint32_t)hash64(text, names->seed);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* The bucket of the text, or the empty one where it would go. */
static uint32_t bucket_of(const struct names *names, struct slice text, uint32_t hash)
{
    uint32_t mask = names->bucket_count - 1;
    uint32_t bucket = hash & mask;
    for (; names->buckets[bucket] != 0; bucket = (bucket + 1) & mask) {
        const struct entry *entry = used_entry(names, names->buckets[bucket] - 1);
        if (entry->hash == hash && slice_equal(slice_of(entry->text, entry->length), text)) {
            break;
        }
    }
    return bucket;
}

static err make_bucket_room(struct names *names)
{
    uint64_t old_count = names->bucket_count;
    if (((uint64_t)names->count + 1) * 4 <= old_count * 3) {
        return ERR_OK;
    }
    uint64_t bucket_count = old_count > 0 ? old_count * 2 : BUCKETS_FIRST;
    uint32_t *buckets = memory_zalloc(bucket_count * sizeof *buckets);
    if (buckets == NULL) {
        return ERR_MEMORY;
    }
    uint32_t mask = (uint32_t)(bucket_count - 1);
    for (uint64_t i = 0; i < old_count; i++) {
        if (names->buckets[i] != 0) {
            uint32_t to = used_entry(names, names->buckets[i] - 1)->hash & mask;
            while (buckets[to] != 0) {
                to = (to + 1) & mask;
            }
            buckets[to] = names->buckets[i];
        }
    }
    memory_free(names->buckets);
    names->buckets = buckets;
    names->bucket_count = (uint32_t)bucket_count;
    names->memory_bytes += (bucket_count - old_count) * sizeof *buckets;
    return ERR_OK;
}

/* Empties the bucket and moves those behind it up, as far as that does not put one before its
 * home. */
static void remove_bucket(struct names *names, uint32_t hole)
{
    uint32_t mask = names->bucket_count - 1;
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & mask;
        if (names->buckets[at] == 0) {
            break;
        }
        uint32_t home = used_entry(names, names->buckets[at] - 1)->hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            names->buckets[hole] = names->buckets[at];
            hole = at;
        }
    }
    names->buckets[hole] = 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

static err make_page(struct names *names, uint32_t id)
{
    size_t page = id >> PAGE_BITS;
    if (page >= names->page_count) {
        size_t page_count = names->page_count > 0 ? names->page_count : 8;
        while (page_count <= page) {
            page_count *= 2;
        }
        struct entry **pages = memory_realloc(names->pages, page_count * sizeof *pages);
        if (pages == NULL) {
            return ERR_MEMORY;
        }
        memset(pages + names->page_count, 0, (page_count - names->page_count) * sizeof *pages);
        names->memory_bytes += (page_count - names->page_count) * sizeof *pages;
        names->pages = pages;
        names->page_count = page_count;
    }
    if (names->pages[page] == NULL) {
        names->pages[page] = memory_zalloc(PAGE_ENTRIES * sizeof(struct entry));
        if (names->pages[page] == NULL) {
            return ERR_MEMORY;
        }
        names->memory_bytes += PAGE_ENTRIES * sizeof(struct entry);
    }
    return ERR_OK;
}

static void note_change(struct names *names, uint32_t id)
{
    struct entry *entry = entry_of(names, id);
    if (entry->next_changed == 0) {
        entry->next_changed = names->changed_head;
        names->changed_head = id;
    }
}

/* The text is not there yet, the id is free and not in the free list. On failure nothing but spare
 * room was made. */
static err put_text(struct names *names, uint32_t id, struct slice text, uint32_t hash)
{
    err e = make_page(names, id);
    if (e == ERR_OK) {
        e = make_bucket_room(names);
    }
    if (e != ERR_OK) {
        return e;
    }
    char *copy = memory_alloc(text.length + 1);
    if (copy == NULL) {
        return ERR_MEMORY;
    }
    if (text.length > 0) {
        memcpy(copy, text.data, text.length);
    }
    copy[text.length] = '\0';
    struct entry *entry = entry_of(names, id);
    entry->text = copy;
    entry->length = (uint32_t)text.length;
    entry->hash = hash;
    entry->users = 0;
    names->buckets[bucket_of(names, text, hash)] = id + 1;
    names->memory_bytes += text.length + 1;
    names->count++;
    if (id >= names->limit) {
        names->limit = id + 1;
    }
    return ERR_OK;
}

/* Does not put the id into the free list. */
static void drop_text(struct names *names, uint32_t id)
{
    struct entry *entry = used_entry(names, id);
    remove_bucket(names, bucket_of(names, slice_of(entry->text, entry->length), entry->hash));
    names->memory_bytes -= (uint64_t)entry->length + 1;
    names->count--;
    memory_free(entry->text);
    entry->text = NULL;
    entry->length = 0;
    note_change(names, id);
}

static void free_id(struct names *names, uint32_t id)
{
    entry_of(names, id)->next_free = names->free_head;
    names->free_head = id;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct names *names_create(uint64_t seed)
{
    struct names *names = memory_zalloc(sizeof *names);
    if (names == NULL) {
        return NULL;
    }
    names->seed = seed;
    names->free_head = NAME_NONE;
    names->changed_head = NAME_NONE;
    names->memory_bytes = sizeof *names;
    for (uint32_t id = 0; id < FIELD_BUILTIN_COUNT; id++) {
        struct slice path = slice_from_cstr(field_path((enum field)id));
        if (put_text(names, id, path, text_hash(names, path)) != ERR_OK) {
            names_destroy(names);
            return NULL;
        }
    }
    return names;
}

void names_destroy(struct names *names)
{
    if (names == NULL) {
        return;
    }
    for (size_t page = 0; page < names->page_count; page++) {
        for (size_t i = 0; names->pages[page] != NULL && i < PAGE_ENTRIES; i++) {
            memory_free(names->pages[page][i].text);
        }
        memory_free(names->pages[page]);
    }
    memory_free(names->pages);
    memory_free(names->buckets);
    memory_free(names);
}

/* ---- use ------------------------------------------------------------------------------------- */

err names_acquire(struct names *names, struct slice text, uint32_t *id)
{
    if (text.length >= INT32_MAX) {
        return ERR_TOO_LARGE;
    }
    uint32_t hash = text_hash(names, text);
    uint32_t found = names->buckets[bucket_of(names, text, hash)];
    if (found != 0) {
        *id = found - 1;
        names_retain(names, *id);
        return ERR_OK;
    }
    uint32_t made = names->free_head != NAME_NONE ? names->free_head : names->limit;
    if (made > NAME_ID_MAX) {
        return ERR_TOO_LARGE;
    }
    err e = put_text(names, made, text, hash);
    if (e != ERR_OK) {
        return e;
    }
    struct entry *entry = entry_of(names, made);
    if (made == names->free_head) {
        names->free_head = entry->next_free;
    }
    entry->users = 1;
    note_change(names, made);
    *id = made;
    return ERR_OK;
}

void names_retain(struct names *names, uint32_t id)
{
    used_entry(names, id)->users++;
}

void names_release(struct names *names, uint32_t id)
{
    struct entry *entry = used_entry(names, id);
    CHECK(entry->users > 0);
    entry->users--;
    if (entry->users == 0 && !is_builtin(id)) {
        drop_text(names, id);
        free_id(names, id);
    }
}

uint32_t names_find(const struct names *names, struct slice text)
{
    uint32_t found = names->buckets[bucket_of(names, text, text_hash(names, text))];
    return found != 0 ? found - 1 : NAME_NONE;
}

struct slice names_text(const struct names *names, uint32_t id)
{
    const struct entry *entry = entry_of(names, id);
    return entry != NULL && entry->text != NULL ? slice_of(entry->text, entry->length) : SLICE_NONE;
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

err names_load(struct names *names, uint32_t id, struct slice text)
{
    const struct entry *entry = entry_of(names, id);
    if (is_builtin(id) || id > NAME_ID_MAX || text.length >= INT32_MAX ||
        (entry != NULL && entry->text != NULL) || names_find(names, text) != NAME_NONE) {
        return ERR_CORRUPT;
    }
    err e = put_text(names, id, text, text_hash(names, text));
    if (e == ERR_OK) {
        entry_of(names, id)->stored = true;
    }
    return e;
}

void names_sweep(struct names *names)
{
    names->free_head = NAME_NONE;
    /* Downwards, so that the lowest free id is the first to be given out again. */
    for (uint32_t id = names->limit; id-- > FIELD_BUILTIN_COUNT;) {
        const struct entry *entry = entry_of(names, id);
        if (entry == NULL) {
            id &= ~(uint32_t)(PAGE_ENTRIES - 1); /* no page: its ids are left out */
            continue;
        }
        if (entry->text != NULL && entry->users == 0) {
            drop_text(names, id);
        }
        if (entry->text == NULL) {
            free_id(names, id);
        }
    }
}

void names_drain_changes(struct names *names,
                         void (*visit)(void *context, uint32_t id, struct slice text),
                         void *context)
{
    uint32_t id = names->changed_head;
    names->changed_head = NAME_NONE;
    while (id != NAME_NONE) {
        struct entry *entry = entry_of(names, id);
        uint32_t next = entry->next_changed;
        entry->next_changed = 0;
        bool was_stored = entry->stored;
        entry->stored = entry->text != NULL;
        if (was_stored || entry->stored) {
            visit(context, id, names_text(names, id));
        }
        id = next;
    }
}

uint64_t names_count(const struct names *names)
{
    return names->count;
}

uint64_t names_memory_bytes(const struct names *names)
{
    return names->memory_bytes;
}

/* ---- validating ------------------------------------------------------------------------------ */

bool names_validate(const struct names *names, const char **reason)
{
    uint64_t used = 0, buckets_used = 0, free_ids = 0;
    *reason = NULL;
    for (uint32_t id = 0; id < names->limit; id++) {
        const struct entry *entry = entry_of(names, id);
        if (entry == NULL || entry->text == NULL) {
            continue;
        }
        used++;
        struct slice text = slice_of(entry->text, entry->length);
        if (entry->hash != text_hash(names, text)) {
            *reason = "a text has another hash";
        } else if (names->buckets[bucket_of(names, text, entry->hash)] != id + 1) {
            *reason = "a text does not lead to its id";
        }
    }
    for (uint32_t i = 0; i < names->bucket_count; i++) {
        buckets_used += names->buckets[i] != 0;
    }
    for (uint32_t id = names->free_head; id != NAME_NONE && *reason == NULL;) {
        const struct entry *entry = entry_of(names, id);
        if (entry == NULL || entry->text != NULL || ++free_ids > names->limit) {
            *reason = "the free list is damaged";
            break;
        }
        id = entry->next_free;
    }
    if (*reason == NULL && (used != names->count || buckets_used != used)) {
        *reason = "texts are counted wrongly";
    }
    return *reason == NULL;
}
