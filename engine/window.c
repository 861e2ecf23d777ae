#include "window.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/memory.h"

/* Stands in the ring for an item that was removed: skipped, and gone when it is the oldest. */
static const int64_t REMOVED = INT64_MIN;

/* A ring in order of arrival (oldest at `head`) and an open-addressing table of ring positions, at
 * most half full. */
struct window {
    uint64_t count_max;
    uint64_t bytes_max;
    uint64_t bytes; /* of `more`, in all items */
    int64_t age_max_us;
    struct window_item *ring;
    uint64_t ring_capacity; /* a power of two */
    uint64_t head;          /* counts up for ever; position is head & (capacity - 1) */
    uint64_t tail;
    uint64_t *slots; /* ring counter + 1; 0: empty */
    uint64_t slot_count;
};

enum { WINDOW_FIRST_CAPACITY = 1024 };

struct window *window_create(uint64_t count_max, uint64_t bytes_max, int64_t age_max_us)
{
    struct window *window = memory_zalloc(sizeof *window);
    if (window == NULL) {
        return NULL;
    }
    window->count_max = count_max;
    window->bytes_max = bytes_max;
    window->age_max_us = age_max_us;
    window->ring_capacity = WINDOW_FIRST_CAPACITY;
    window->slot_count = WINDOW_FIRST_CAPACITY * 2;
    window->ring = memory_zalloc(window->ring_capacity * sizeof *window->ring);
    window->slots = memory_zalloc(window->slot_count * sizeof *window->slots);
    if (window->ring == NULL || window->slots == NULL) {
        window_destroy(window);
        return NULL;
    }
    return window;
}

static struct window_item *item_at(const struct window *window, uint64_t counter)
{
    return &window->ring[counter & (window->ring_capacity - 1)];
}

void window_destroy(struct window *window)
{
    if (window == NULL) {
        return;
    }
    for (uint64_t i = window->head; i < window->tail; i++) {
        memory_free(item_at(window, i)->more);
    }
    memory_free(window->ring);
    memory_free(window->slots);
    memory_free(window);
}

/* Two XXH3 of one text with fixed seeds: stored, so it must not depend on the process. A client can
 * only collide with keys it could as well repeat. */
struct window_key window_key_of(struct slice text)
{
    struct window_key key;
    store_u64(key.bytes, hash64(text, 0x6B696E6472656431u));
    store_u64(key.bytes + 8, hash64(text, 0x6B696E6472656432u));
    return key;
}

static uint64_t first_slot(const struct window *window, const struct window_key *key)
{
    return load_u64(key->bytes) & (window->slot_count - 1);
}

static uint64_t next_slot(const struct window *window, uint64_t slot)
{
    return (slot + 1) & (window->slot_count - 1);
}

/* The slot that has the key, or an empty one. */
static uint64_t find_slot(const struct window *window, const struct window_key *key)
{
    uint64_t slot = first_slot(window, key);
    while (window->slots[slot] != 0 && memcmp(item_at(window, window->slots[slot] - 1)->key.bytes,
                                              key->bytes, WINDOW_KEY_BYTES) != 0) {
        slot = next_slot(window, slot);
    }
    return slot;
}

const struct window_item *window_find(const struct window *window, const struct window_key *key,
                                      int64_t now_us)
{
    uint64_t counter = window->slots[find_slot(window, key)];
    const struct window_item *item = counter != 0 ? item_at(window, counter - 1) : NULL;
    return item != NULL && item->at_us >= now_us - window->age_max_us ? item : NULL;
}

static void put_slot(struct window *window, uint64_t counter)
{
    uint64_t slot = first_slot(window, &item_at(window, counter)->key);
    while (window->slots[slot] != 0) {
        slot = next_slot(window, slot);
    }
    window->slots[slot] = counter + 1;
}

/* Backward-shift deletion (Knuth 6.4, algorithm R): no tombstones. */
static void take_slot(struct window *window, uint64_t counter)
{
    uint64_t hole = first_slot(window, &item_at(window, counter)->key);
    while (window->slots[hole] != counter + 1) {
        hole = next_slot(window, hole);
    }
    for (uint64_t at = next_slot(window, hole); window->slots[at] != 0;
         at = next_slot(window, at)) {
        uint64_t home = first_slot(window, &item_at(window, window->slots[at] - 1)->key);
        uint64_t mask = window->slot_count - 1;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            window->slots[hole] = window->slots[at];
            hole = at;
        }
    }
    window->slots[hole] = 0;
}

static void put_slots(struct window *window)
{
    for (uint64_t i = window->head; i < window->tail; i++) {
        if (item_at(window, i)->at_us != REMOVED) {
            put_slot(window, i);
        }
    }
}

static err grow(struct window *window)
{
    uint64_t capacity = window->ring_capacity * 2;
    struct window_item *ring = memory_zalloc(capacity * sizeof *ring);
    uint64_t *slots = memory_zalloc(capacity * 2 * sizeof *slots);
    if (ring == NULL || slots == NULL) {
        memory_free(ring);
        memory_free(slots);
        return ERR_MEMORY;
    }
    for (uint64_t i = window->head; i < window->tail; i++) {
        ring[i & (capacity - 1)] = *item_at(window, i);
    }
    memory_free(window->ring);
    memory_free(window->slots);
    window->ring = ring;
    window->ring_capacity = capacity;
    window->slots = slots;
    window->slot_count = capacity * 2;
    put_slots(window);
    return ERR_OK;
}

static void drop_more(struct window *window, struct window_item *item)
{
    memory_free(item->more);
    window->bytes -= item->more_bytes;
    item->more = NULL;
    item->more_bytes = 0;
}

static bool must_forget_oldest(const struct window *window, const struct window_item *coming)
{
    if (window->head == window->tail) {
        return false;
    }
    return window->tail - window->head >= window->count_max ||
           window->bytes + coming->more_bytes > window->bytes_max ||
           item_at(window, window->head)->at_us < coming->at_us - window->age_max_us;
}

err window_add(struct window *window, const struct window_item *item,
               void (*forgotten)(void *context, const struct window_key *key), void *context)
{
    while (must_forget_oldest(window, item)) {
        struct window_item *oldest = item_at(window, window->head);
        if (oldest->at_us != REMOVED) {
            take_slot(window, window->head);
            forgotten(context, &oldest->key);
        }
        drop_more(window, oldest);
        window->head++;
    }
    if (window->tail - window->head == window->ring_capacity && grow(window) != ERR_OK) {
        return ERR_MEMORY;
    }
    *item_at(window, window->tail) = *item;
    put_slot(window, window->tail);
    window->tail++;
    window->bytes += item->more_bytes;
    return ERR_OK;
}

void window_remove(struct window *window, const struct window_key *key)
{
    uint64_t counter = window->slots[find_slot(window, key)];
    if (counter == 0) {
        return;
    }
    struct window_item *item = item_at(window, counter - 1);
    take_slot(window, counter - 1);
    drop_more(window, item);
    item->at_us = REMOVED;
}

static int compare_items(const void *a, const void *b)
{
    const struct window_item *x = a;
    const struct window_item *y = b;
    return x->at_us != y->at_us    ? (x->at_us < y->at_us ? -1 : 1)
           : x->number < y->number ? -1
                                   : x->number > y->number;
}

void window_sort(struct window *window)
{
    CHECK(window->head == 0);
    qsort(window->ring, window->tail, sizeof *window->ring, compare_items);
    memset(window->slots, 0, window->slot_count * sizeof *window->slots);
    put_slots(window);
}
