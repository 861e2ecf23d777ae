#include "index/phrases.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "classifier/fold.h"

enum { PAGE_ENTRIES = 1024, PHRASES_MAX = 0x7FFFFFFF };

struct entry {
    char *text; /* NULL: the id is free */
    uint32_t length;
    bool dirty; /* in `changed` */
    uint64_t fold_key;
    struct bitmap *holders;
    struct stored_verdict *verdict; /* NULL: none */
};

/* Apart, so that a phrase without one stays small. */
struct stored_verdict {
    uint64_t version;
    struct verdict verdict;
};

struct phrase_hits {
    size_t count;
    struct rule_hit hits[];
};

struct slot {
    uint32_t hash;
    uint32_t id_plus_1; /* 0: free */
};

struct phrases {
    uint64_t seed;
    struct entry **pages;
    const struct phrase_hits **hits; /* by id; NULL: not classified */
    uint32_t *free_ids;
    uint32_t *changed;
    uint32_t capacity; /* ids that all four have room for */
    uint32_t limit;
    uint32_t free_count;
    uint32_t changed_count;
    uint32_t count;
    struct slot *slots;
    uint32_t slot_mask;
    uint64_t text_bytes;
    uint64_t mutations; /* guards reclassification */
    uint64_t version;   /* of the classifier; 0: there is none */
    struct bitmap *pending;
    struct bitmap *unclassified;
};

/* Shared by all phrases that lead nowhere; never freed. */
static const struct phrase_hits no_hits = {0};

static void free_hits(const struct phrase_hits *hits)
{
    if (hits != NULL && hits != &no_hits) {
        union {
            const struct phrase_hits *in;
            void *out;
        } block = {.in = hits};
        memory_free(block.out);
    }
}

static const struct phrase_hits *make_hits(const struct rule_hit *hits, size_t count)
{
    if (count == 0) {
        return &no_hits;
    }
    struct phrase_hits *made = memory_alloc(sizeof *made + count * sizeof *hits);
    if (made != NULL) {
        made->count = count;
        memcpy(made->hits, hits, count * sizeof *hits);
    }
    return made;
}

static struct stored_verdict *make_verdict(uint64_t version, const struct verdict *verdict)
{
    struct stored_verdict *made = memory_alloc(sizeof *made);
    if (made != NULL) {
        made->version = version;
        made->verdict = *verdict;
    }
    return made;
}

/* What was said about an erased person's words goes with them. */
static void free_verdict(struct stored_verdict *verdict)
{
    if (verdict != NULL) {
        explicit_bzero(verdict, sizeof *verdict);
        memory_free(verdict);
    }
}

static struct entry *entry_at(const struct phrases *phrases, uint32_t id)
{
    return &phrases->pages[id / PAGE_ENTRIES][id % PAGE_ENTRIES];
}

static struct entry *entry_in_use(const struct phrases *phrases, uint32_t id)
{
    CHECK(id < phrases->limit);
    struct entry *entry = entry_at(phrases, id);
    CHECK(entry->text != NULL);
    return entry;
}

struct phrases *phrases_create(uint64_t seed)
{
    struct phrases *phrases = memory_zalloc(sizeof *phrases);
    if (phrases == NULL) {
        return NULL;
    }
    phrases->seed = seed;
    phrases->slot_mask = 63;
    phrases->slots = memory_zalloc(64 * sizeof *phrases->slots);
    if (phrases->slots == NULL) {
        memory_free(phrases);
        return NULL;
    }
    phrases->pending = bitmap_create();
    phrases->unclassified = bitmap_create();
    return phrases;
}

void phrases_destroy(struct phrases *phrases)
{
    if (phrases == NULL) {
        return;
    }
    for (uint32_t id = 0; id < phrases->limit; id++) {
        struct entry *entry = entry_at(phrases, id);
        if (entry->text != NULL) {
            memory_free(entry->text);
            bitmap_destroy(entry->holders);
            free_verdict(entry->verdict);
            free_hits(phrases->hits[id]);
        }
    }
    for (uint32_t page = 0; page < phrases->capacity / PAGE_ENTRIES; page++) {
        memory_free(phrases->pages[page]);
    }
    memory_free(phrases->pages);
    memory_free(phrases->hits);
    memory_free(phrases->free_ids);
    memory_free(phrases->changed);
    memory_free(phrases->slots);
    bitmap_destroy(phrases->pending);
    bitmap_destroy(phrases->unclassified);
    memory_free(phrases);
}

/* ---- the table of texts ---- */

static uint32_t hash_of(const struct phrases *phrases, struct slice text)
{
    return (uint32_t)hash64(text, phrases->seed);
}

static struct slice text_of(const struct entry *entry)
{
    return slice_of(entry->text, entry->length);
}

static uint32_t probe(const struct phrases *phrases, struct slice text, uint32_t hash)
{
    uint32_t at = hash & phrases->slot_mask;
    for (;; at = (at + 1) & phrases->slot_mask) {
        const struct slot *slot = &phrases->slots[at];
        if (slot->id_plus_1 == 0 ||
            (slot->hash == hash &&
             slice_equal(text_of(entry_at(phrases, slot->id_plus_1 - 1)), text))) {
            return at;
        }
    }
}

uint32_t phrases_find(const struct phrases *phrases, struct slice text)
{
    return phrases->slots[probe(phrases, text, hash_of(phrases, text))].id_plus_1 - 1;
}

/* Backward-shift deletion (Knuth 6.4, algorithm R): no tombstones. */
static void remove_slot(struct phrases *phrases, uint32_t hole)
{
    const uint32_t mask = phrases->slot_mask;
    for (uint32_t at = (hole + 1) & mask; phrases->slots[at].id_plus_1 != 0; at = (at + 1) & mask) {
        uint32_t home = phrases->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            phrases->slots[hole] = phrases->slots[at];
            hole = at;
        }
    }
    phrases->slots[hole] = (struct slot){0};
}

static err grow_slots(struct phrases *phrases)
{
    if (phrases->count < phrases->slot_mask / 4 * 3) {
        return ERR_OK;
    }
    const uint32_t mask = phrases->slot_mask * 2 + 1;
    struct slot *slots = memory_zalloc(((size_t)mask + 1) * sizeof *slots);
    if (slots == NULL) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i <= phrases->slot_mask; i++) {
        if (phrases->slots[i].id_plus_1 != 0) {
            uint32_t at = phrases->slots[i].hash & mask;
            while (slots[at].id_plus_1 != 0) {
                at = (at + 1) & mask;
            }
            slots[at] = phrases->slots[i];
        }
    }
    memory_free(phrases->slots);
    phrases->slots = slots;
    phrases->slot_mask = mask;
    return ERR_OK;
}

/* ---- ids ---- */

static bool grow_array(void *array_at, size_t count, size_t size_bytes)
{
    void *old = NULL;
    memcpy(&old, array_at, sizeof old);
    void *grown = memory_realloc(old, count * size_bytes);
    if (grown == NULL) {
        return false;
    }
    memcpy(array_at, &grown, sizeof grown);
    return true;
}

/* Room for the id in every array. What grew before a failure stays grown; nothing else changes. */
static err reserve_id(struct phrases *phrases, uint32_t id)
{
    if (id >= PHRASES_MAX) {
        return ERR_TOO_LARGE;
    }
    if (id < phrases->capacity) {
        return ERR_OK;
    }
    uint32_t capacity = phrases->capacity ? phrases->capacity * 2 : PAGE_ENTRIES;
    while (capacity <= id) {
        capacity *= 2;
    }
    const uint32_t old_pages = phrases->capacity / PAGE_ENTRIES;
    const uint32_t new_pages = capacity / PAGE_ENTRIES;
    if (!grow_array(&phrases->pages, new_pages, sizeof *phrases->pages) ||
        !grow_array(&phrases->hits, capacity, sizeof *phrases->hits) ||
        !grow_array(&phrases->free_ids, capacity, sizeof *phrases->free_ids) ||
        !grow_array(&phrases->changed, capacity, sizeof *phrases->changed)) {
        return ERR_MEMORY;
    }
    for (uint32_t page = old_pages; page < new_pages; page++) {
        phrases->pages[page] = memory_zalloc(PAGE_ENTRIES * sizeof **phrases->pages);
        if (phrases->pages[page] == NULL) {
            while (page > old_pages) {
                memory_free(phrases->pages[--page]);
            }
            return ERR_MEMORY;
        }
    }
    for (uint32_t i = phrases->capacity; i < capacity; i++) {
        phrases->hits[i] = NULL;
    }
    phrases->capacity = capacity;
    return ERR_OK;
}

static void mark_changed(struct phrases *phrases, uint32_t id)
{
    struct entry *entry = entry_at(phrases, id);
    phrases->mutations++;
    if (!entry->dirty) {
        entry->dirty = true;
        phrases->changed[phrases->changed_count++] = id;
    }
}

/* ---- the two sets ---- */

static void set_has(struct bitmap *set, uint32_t id, bool has)
{
    if (has) {
        (void)bitmap_add(set, id);
    } else {
        (void)bitmap_remove(set, id);
    }
}

static bool is_pending(const struct phrases *phrases, const struct stored_verdict *verdict)
{
    return phrases->version != 0 && (verdict == NULL || verdict->version != phrases->version);
}

static bool is_unclassified(const struct stored_verdict *verdict, const struct phrase_hits *hits)
{
    return verdict != NULL && verdict->verdict.topic_count == 0 && hits != NULL && hits->count == 0;
}

static void note_answer(struct phrases *phrases, uint32_t id)
{
    const struct entry *entry = entry_at(phrases, id);
    set_has(phrases->pending, id, entry->text != NULL && is_pending(phrases, entry->verdict));
    set_has(phrases->unclassified, id, is_unclassified(entry->verdict, phrases->hits[id]));
}

static err put_entry(struct phrases *phrases, uint32_t id, struct slice text)
{
    err e = text.length > UINT32_MAX ? ERR_TOO_LARGE : reserve_id(phrases, id);
    if (e == ERR_OK) {
        e = grow_slots(phrases);
    }
    char *copy = e == ERR_OK ? memory_alloc(text.length + 1) : NULL;
    if (copy == NULL) {
        return e != ERR_OK ? e : ERR_MEMORY;
    }
    if (text.length > 0) {
        memcpy(copy, text.data, text.length);
    }
    copy[text.length] = '\0';
    struct entry *entry = entry_at(phrases, id);
    entry->text = copy;
    entry->length = (uint32_t)text.length;
    entry->fold_key = phrase_fold_key(text);
    entry->holders = bitmap_create();
    const uint32_t hash = hash_of(phrases, text);
    phrases->slots[probe(phrases, text, hash)] = (struct slot){hash, id + 1};
    phrases->limit = id >= phrases->limit ? id + 1 : phrases->limit;
    phrases->count++;
    phrases->text_bytes += text.length + 1;
    phrases->mutations++;
    note_answer(phrases, id);
    return ERR_OK;
}

static void free_entry(struct phrases *phrases, uint32_t id)
{
    struct entry *entry = entry_in_use(phrases, id);
    const struct slice text = text_of(entry);
    remove_slot(phrases, probe(phrases, text, hash_of(phrases, text)));
    phrases->text_bytes -= text.length + 1;
    phrases->count--;
    /* An erased person's words must not stay in freed memory. */
    explicit_bzero(entry->text, entry->length);
    memory_free(entry->text);
    bitmap_destroy(entry->holders);
    free_verdict(entry->verdict);
    free_hits(phrases->hits[id]);
    phrases->hits[id] = NULL;
    *entry = (struct entry){.dirty = entry->dirty};
    note_answer(phrases, id);
    mark_changed(phrases, id);
}

err phrases_intern(struct phrases *phrases, struct slice text, uint32_t *id)
{
    *id = phrases_find(phrases, text);
    if (*id != PHRASE_NONE) {
        return ERR_OK;
    }
    const bool reuse = phrases->free_count > 0;
    const uint32_t fresh = reuse ? phrases->free_ids[phrases->free_count - 1] : phrases->limit;
    err e = put_entry(phrases, fresh, text);
    if (e != ERR_OK) {
        return e;
    }
    phrases->free_count -= reuse;
    mark_changed(phrases, fresh);
    *id = fresh;
    return ERR_OK;
}

err phrases_load(struct phrases *phrases, uint32_t id, struct slice text)
{
    if ((id < phrases->limit && entry_at(phrases, id)->text != NULL) ||
        phrases_find(phrases, text) != PHRASE_NONE) {
        return ERR_CORRUPT;
    }
    return put_entry(phrases, id, text);
}

struct slice phrases_text(const struct phrases *phrases, uint32_t id)
{
    if (id >= phrases->limit || entry_at(phrases, id)->text == NULL) {
        return SLICE_NONE;
    }
    return text_of(entry_at(phrases, id));
}

uint64_t phrases_fold_key(const struct phrases *phrases, uint32_t id)
{
    return entry_in_use(phrases, id)->fold_key;
}

/* ---- holders ---- */

void phrases_add_holder(struct phrases *phrases, uint32_t id, uint32_t person)
{
    (void)bitmap_add(entry_in_use(phrases, id)->holders, person);
    phrases->mutations++;
}

void phrases_remove_holder(struct phrases *phrases, uint32_t id, uint32_t person)
{
    struct entry *entry = entry_in_use(phrases, id);
    phrases->mutations++;
    if (bitmap_remove(entry->holders, person) && bitmap_empty(entry->holders)) {
        free_entry(phrases, id);
        phrases->free_ids[phrases->free_count++] = id;
    }
}

const struct bitmap *phrases_holders(const struct phrases *phrases, uint32_t id)
{
    return entry_in_use(phrases, id)->holders;
}

/* ---- verdicts ---- */

void phrases_expect_version(struct phrases *phrases, uint64_t version)
{
    CHECK(phrases->limit == 0 || phrases->version == version);
    phrases->version = version;
}

const struct verdict *phrases_verdict(const struct phrases *phrases, uint32_t id, uint64_t *version)
{
    const struct stored_verdict *verdict = entry_in_use(phrases, id)->verdict;
    if (version != NULL) {
        *version = verdict != NULL ? verdict->version : 0;
    }
    return verdict != NULL ? &verdict->verdict : NULL;
}

static void swap_verdict(struct phrases *phrases, uint32_t id, struct stored_verdict **verdict)
{
    struct entry *entry = entry_in_use(phrases, id);
    struct stored_verdict *old = entry->verdict;
    entry->verdict = *verdict;
    *verdict = old;
    mark_changed(phrases, id);
}

err phrases_set_verdict(struct phrases *phrases, uint32_t id, uint64_t version,
                        const struct verdict *verdict)
{
    struct stored_verdict *made = make_verdict(version, verdict);
    if (made == NULL) {
        return ERR_MEMORY;
    }
    swap_verdict(phrases, id, &made);
    free_verdict(made);
    note_answer(phrases, id);
    return ERR_OK;
}

bool phrases_is_pending(const struct phrases *phrases, uint32_t id)
{
    return is_pending(phrases, entry_in_use(phrases, id)->verdict);
}

const struct bitmap *phrases_pending(const struct phrases *phrases)
{
    return phrases->pending;
}

const struct bitmap *phrases_unclassified(const struct phrases *phrases)
{
    return phrases->unclassified;
}

/* ---- hits ---- */

err phrases_classify(struct phrases *phrases, uint32_t id, const struct rule_hit *hits,
                     size_t count)
{
    (void)entry_in_use(phrases, id);
    const struct phrase_hits *made = make_hits(hits, count);
    if (made == NULL) {
        return ERR_MEMORY;
    }
    free_hits(phrases->hits[id]);
    phrases->hits[id] = made;
    phrases->mutations++;
    note_answer(phrases, id);
    return ERR_OK;
}

err phrases_answer(struct phrases *phrases, uint32_t id, uint64_t version,
                   const struct verdict *verdict, const struct rule_hit *hits, size_t count)
{
    struct stored_verdict *made = make_verdict(version, verdict);
    err e = made != NULL ? phrases_classify(phrases, id, hits, count) : ERR_MEMORY;
    if (e == ERR_OK) {
        swap_verdict(phrases, id, &made);
        note_answer(phrases, id);
    }
    free_verdict(made);
    return e;
}

bool phrases_classified(const struct phrases *phrases, uint32_t id)
{
    return id < phrases->limit && phrases->hits[id] != NULL;
}

const struct rule_hit *phrases_hits(const struct phrases *phrases, uint32_t id, size_t *count)
{
    const struct phrase_hits *hits = id < phrases->limit ? phrases->hits[id] : NULL;
    *count = hits != NULL ? hits->count : 0;
    return hits != NULL ? hits->hits : NULL;
}

struct verdict_swap {
    uint32_t id;
    struct stored_verdict *verdict;
};

/* Before the commit `hits`, `verdicts` and the two sets are those to come, after it those that
 * were; either way the blocks of `changed` in `hits`, and the verdicts, belong to nobody else. */
struct phrases_reclassification {
    const struct phrases *phrases;
    struct verdict_swap *verdicts;
    size_t verdict_count;
    size_t verdict_capacity;
    struct bitmap *pending;
    struct bitmap *unclassified;
    const struct phrase_hits **hits;
    uint32_t capacity;
    uint32_t limit;
    uint32_t *changed;
    size_t changed_count;
    size_t changed_capacity;
    uint64_t mutations;
};

struct phrases_reclassification *phrases_reclassify_begin(const struct phrases *phrases)
{
    struct phrases_reclassification *made = memory_zalloc(sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->capacity = phrases->capacity;
    made->limit = phrases->limit;
    made->mutations = phrases->mutations;
    made->hits = memory_alloc(((size_t)phrases->capacity + 1) * sizeof *made->hits);
    if (made->hits == NULL) {
        memory_free(made);
        return NULL;
    }
    if (phrases->capacity > 0) {
        memcpy(made->hits, phrases->hits, phrases->capacity * sizeof *made->hits);
    }
    made->phrases = phrases;
    made->pending = bitmap_copy(phrases->pending);
    made->unclassified = bitmap_copy(phrases->unclassified);
    return made;
}

err phrases_reclassify_verdict(struct phrases_reclassification *reclassification, uint32_t id,
                               uint64_t version, const struct verdict *verdict)
{
    CHECK(id < reclassification->limit);
    if (reclassification->verdict_count == reclassification->verdict_capacity) {
        size_t capacity =
            reclassification->verdict_capacity ? reclassification->verdict_capacity * 2 : 64;
        if (!grow_array(&reclassification->verdicts, capacity,
                        sizeof *reclassification->verdicts)) {
            return ERR_MEMORY;
        }
        reclassification->verdict_capacity = capacity;
    }
    struct stored_verdict *made = make_verdict(version, verdict);
    if (made == NULL) {
        return ERR_MEMORY;
    }
    reclassification->verdicts[reclassification->verdict_count++] = (struct verdict_swap){id, made};
    set_has(reclassification->pending, id, is_pending(reclassification->phrases, made));
    set_has(reclassification->unclassified, id, is_unclassified(made, reclassification->hits[id]));
    return ERR_OK;
}

/* The phrase's verdict as it will be. The newest is looked for first: it is the one just given. */
static const struct stored_verdict *verdict_to_come(
    const struct phrases_reclassification *reclassification, uint32_t id)
{
    size_t count = reclassification->verdict_count;
    if (count > 0 && reclassification->verdicts[count - 1].id == id) {
        return reclassification->verdicts[count - 1].verdict;
    }
    return entry_at(reclassification->phrases, id)->verdict;
}

err phrases_reclassify_put(struct phrases_reclassification *reclassification, uint32_t id,
                           const struct rule_hit *hits, size_t count)
{
    CHECK(id < reclassification->limit);
    if (reclassification->changed_count == reclassification->changed_capacity) {
        size_t capacity =
            reclassification->changed_capacity ? reclassification->changed_capacity * 2 : 256;
        if (!grow_array(&reclassification->changed, capacity, sizeof *reclassification->changed)) {
            return ERR_MEMORY;
        }
        reclassification->changed_capacity = capacity;
    }
    const struct phrase_hits *made = make_hits(hits, count);
    if (made == NULL) {
        return ERR_MEMORY;
    }
    reclassification->changed[reclassification->changed_count++] = id;
    reclassification->hits[id] = made;
    set_has(reclassification->unclassified, id,
            is_unclassified(verdict_to_come(reclassification, id), made));
    return ERR_OK;
}

const struct rule_hit *phrases_reclassify_hits(
    const struct phrases_reclassification *reclassification, uint32_t id, size_t *count)
{
    const struct phrase_hits *hits =
        id < reclassification->limit ? reclassification->hits[id] : NULL;
    *count = hits != NULL ? hits->count : 0;
    return hits != NULL ? hits->hits : NULL;
}

void phrases_reclassify_commit(struct phrases *phrases,
                               struct phrases_reclassification *reclassification)
{
    CHECK(reclassification->mutations == phrases->mutations);
    if (phrases->capacity > 0) {
        const struct phrase_hits **old = phrases->hits;
        phrases->hits = reclassification->hits;
        reclassification->hits = old;
    }
    for (size_t i = 0; i < reclassification->verdict_count; i++) {
        swap_verdict(phrases, reclassification->verdicts[i].id,
                     &reclassification->verdicts[i].verdict);
    }
    struct bitmap *sets[2] = {phrases->pending, phrases->unclassified};
    phrases->pending = reclassification->pending;
    phrases->unclassified = reclassification->unclassified;
    reclassification->pending = sets[0];
    reclassification->unclassified = sets[1];
    phrases->mutations++;
}

void phrases_reclassify_destroy(struct phrases_reclassification *reclassification)
{
    if (reclassification == NULL) {
        return;
    }
    for (size_t i = 0; i < reclassification->changed_count; i++) {
        free_hits(reclassification->hits[reclassification->changed[i]]);
    }
    for (size_t i = 0; i < reclassification->verdict_count; i++) {
        free_verdict(reclassification->verdicts[i].verdict);
    }
    bitmap_destroy(reclassification->pending);
    bitmap_destroy(reclassification->unclassified);
    memory_free(reclassification->verdicts);
    memory_free(reclassification->hits);
    memory_free(reclassification->changed);
    memory_free(reclassification);
}

/* ---- everything ---- */

uint32_t phrases_limit(const struct phrases *phrases)
{
    return phrases->limit;
}

uint64_t phrases_count(const struct phrases *phrases)
{
    return phrases->count;
}

void phrases_drain_changes(struct phrases *phrases,
                           void (*visit)(void *context, uint32_t id, struct slice text),
                           void *context)
{
    for (uint32_t i = 0; i < phrases->changed_count; i++) {
        entry_at(phrases, phrases->changed[i])->dirty = false;
        visit(context, phrases->changed[i], phrases_text(phrases, phrases->changed[i]));
    }
    phrases->changed_count = 0;
}

void phrases_sweep(struct phrases *phrases)
{
    phrases->free_count = 0;
    /* From the top, so that low ids are given out first. */
    for (uint32_t id = phrases->limit; id-- > 0;) {
        struct entry *entry = entry_at(phrases, id);
        if (entry->text != NULL && bitmap_empty(entry->holders)) {
            free_entry(phrases, id);
        }
        if (entry->text == NULL) {
            phrases->free_ids[phrases->free_count++] = id;
        }
    }
    phrases->mutations++;
}

uint64_t phrases_memory_bytes(const struct phrases *phrases)
{
    uint64_t sum = sizeof *phrases + phrases->text_bytes +
                   ((uint64_t)phrases->slot_mask + 1) * sizeof(struct slot) +
                   (uint64_t)phrases->capacity *
                       (sizeof(struct entry) + sizeof(void *) + 2 * sizeof(uint32_t));
    for (uint32_t id = 0; id < phrases->limit; id++) {
        const struct entry *entry = entry_at(phrases, id);
        const struct phrase_hits *hits = phrases->hits[id];
        sum += entry->holders != NULL ? bitmap_memory_bytes(entry->holders) : 0;
        sum += entry->verdict != NULL ? sizeof *entry->verdict : 0;
        sum += hits != NULL && hits != &no_hits
                   ? sizeof *hits + hits->count * sizeof(struct rule_hit)
                   : 0;
    }
    return sum;
}
