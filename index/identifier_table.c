#include "index/identifier_table.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

/* A shard is one array of slots in the order of their hash bits. A slot's home is where its bits
 * would lie if hashes were spread evenly over the first `range` slots, so homes ascend as well,
 * every range will do (not only powers of two), and growing copies from front to back.
 *
 *     home        h        h+1                           range
 *     slots  ...[ h ][ h ][ h ][ h+2 ][ h+2 ][ empty ]...  |tail: what the last homes push out| 0
 *
 * Invariants (identifier_table_validate):
 *   1. from a slot's home to the slot there is no empty one
 *   2. hash bits ascend from slot to slot within a run of used ones (and homes with them)
 *   3. the last slot is empty: it ends every search without a bound being looked at
 *
 * Shards grow by a quarter instead of doubling: between 64 and 80 % full, 11 bytes an identifier on
 * average. Their first ranges differ, so that they do not all grow at the same number of people.
 * A shard of 30,000 slots (10 M people with three identifiers each) takes about 0.1 ms to grow. */
enum {
    SHARD_BITS = 10,
    SHARD_COUNT = 1 << SHARD_BITS,
    RANGE_FIRST = 32,
    TAIL_FIRST = 16,
};

/* Full: used > range * FILL_NUMERATOR / FILL_DENOMINATOR. */
enum { FILL_NUMERATOR = 4, FILL_DENOMINATOR = 5 };

struct shard {
    uint64_t *slots; /* NULL while nothing was ever in it */
    uint32_t range;
    uint32_t tail; /* slots behind the range, the always empty last one included */
    uint32_t used;
    bool
        /* the last slot but one is used; kept here because looking there is a cache miss */
        tail_full;
};

struct identifier_table {
    uint64_t seed;
    uint64_t count;
    uint64_t memory_bytes;
    struct shard shards[SHARD_COUNT];
};

static inline uint32_t hash_bits(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}
static inline uint64_t slot_of(uint32_t bits, uint32_t number)
{
    return (uint64_t)bits << 32 | number;
}
static inline uint32_t slot_bits(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}
static inline uint32_t slot_number(uint64_t slot)
{
    return (uint32_t)slot;
}
/* Lemire's multiply-shift in place of a remainder; it keeps the order. */
static inline uint64_t home_of(uint32_t bits, uint32_t range)
{
    return ((uint64_t)bits * range) >> 32;
}
static inline uint64_t slot_total(const struct shard *shard)
{
    return (uint64_t)shard->range + shard->tail;
}
static inline bool is_tail_full(const struct shard *shard)
{
    return shard->slots[slot_total(shard) - 2] != 0;
}
static inline struct shard *shard_of(struct identifier_table *table, uint64_t hash)
{
    return &table->shards[hash & (SHARD_COUNT - 1)];
}
static inline const struct shard *shard_of_const(const struct identifier_table *table,
                                                 uint64_t hash)
{
    return &table->shards[hash & (SHARD_COUNT - 1)];
}

struct identifier_table *identifier_table_create(uint64_t seed)
{
    struct identifier_table *table = memory_zalloc(sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    table->seed = seed;
    table->memory_bytes = sizeof *table;
    return table;
}

void identifier_table_destroy(struct identifier_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        memory_free(table->shards[i].slots);
    }
    memory_free(table);
}

uint64_t identifier_hash(const struct identifier_table *table, uint8_t type, struct slice value)
{
    /* An odd multiplier: types get different seeds, and none of them cancels the secret one. */
    return hash64(value, table->seed + (uint64_t)type * UINT64_C(0x9E3779B97F4A7C15));
}

/* ---- growing --------------------------------------------------------------------------------- */

/* Ranges 32 to 39 for shards 0 to 1023: evenly spaced over one growth step of a quarter. */
static uint32_t first_range(size_t index)
{
    return RANGE_FIRST + (uint32_t)(index * (RANGE_FIRST / 4) / SHARD_COUNT);
}

static bool is_full(uint64_t used, uint64_t range)
{
    return used * FILL_DENOMINATOR > range * FILL_NUMERATOR;
}

/* Moves everything to a new array. Neither range nor tail may shrink. Then the old tail is long
 * enough: with a larger range every home is at least as far from the range's end as before, so
 * nothing is pushed further beyond it than it was. The loop has no branch that depends on which
 * slots are used: that would be mispredicted a quarter of the time. */
static err rebuild(struct identifier_table *table, struct shard *shard, uint64_t range,
                   uint64_t tail)
{
    if (range > UINT32_MAX || tail > UINT32_MAX) {
        return ERR_MEMORY;
    }
    uint64_t *slots = memory_zalloc((range + tail) * sizeof *slots);
    if (slots == NULL) {
        return ERR_MEMORY;
    }
    uint64_t old_total = shard->slots != NULL ? slot_total(shard) : 0;
    uint64_t next = 0;
    for (uint64_t i = 0; i < old_total; i++) {
        uint64_t slot = shard->slots[i];
        uint64_t home = home_of(slot_bits(slot), (uint32_t)range); /* 0 for an empty slot */
        uint64_t at = home > next ? home : next;
        slots[at] = slot;
        next = at + (slot != 0);
    }
    CHECK(next < range + tail);
    table->memory_bytes += (range + tail - old_total) * sizeof *slots;
    memory_free(shard->slots);
    shard->slots = slots;
    shard->range = (uint32_t)range;
    shard->tail = (uint32_t)tail;
    shard->tail_full = is_tail_full(shard);
    return ERR_OK;
}

/* Room for one more: afterwards the last slot but one is empty, and a fifth of the range. */
static err make_room(struct identifier_table *table, struct shard *shard)
{
    if (shard->slots == NULL) {
        return rebuild(table, shard, first_range((size_t)(shard - table->shards)), TAIL_FIRST);
    }
    uint64_t range = shard->range;
    uint64_t tail = shard->tail;
    if (is_full((uint64_t)shard->used + 1, range)) {
        range += range / 4;
    }
    /* Many equal hash bits at the very end. A larger range would not part them, a longer tail takes
     * them. */
    if (shard->tail_full) {
        tail *= 2;
    }
    return range > shard->range || tail > shard->tail ? rebuild(table, shard, range, tail) : ERR_OK;
}

err identifier_table_reserve(struct identifier_table *table, uint64_t count)
{
    uint64_t mean = count / SHARD_COUNT + 1;
    /* Shards differ by the square root of their mean: five of those are enough for all 1,024. */
    uint64_t spread = 1;
    while (spread * spread < mean) {
        spread++;
    }
    uint64_t range = (mean + 5 * spread) * FILL_DENOMINATOR / FILL_NUMERATOR + 1;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        struct shard *shard = &table->shards[i];
        if (range > shard->range && range > first_range(i)) {
            err e = rebuild(table, shard, range, shard->slots != NULL ? shard->tail : TAIL_FIRST);
            if (e != ERR_OK) {
                return e;
            }
        }
    }
    return ERR_OK;
}

/* ---- searching ------------------------------------------------------------------------------- */

/* The first slot from the home on that is empty or not below these bits. */
static inline uint64_t *lower_slot(const struct shard *shard, uint32_t bits)
{
    uint64_t *slot = shard->slots + home_of(bits, shard->range);
    while (*slot != 0 && slot_bits(*slot) < bits) {
        slot++;
    }
    return slot;
}

uint32_t identifier_table_find(const struct identifier_table *table, uint64_t hash,
                               bool (*match)(void *context, uint32_t number), void *context)
{
    const struct shard *shard = shard_of_const(table, hash);
    if (shard->slots == NULL) {
        return PERSON_NONE;
    }
    uint32_t bits = hash_bits(hash);
    for (const uint64_t *slot = lower_slot(shard, bits); *slot != 0 && slot_bits(*slot) == bits;
         slot++) {
        uint32_t number = slot_number(*slot);
        if (match == NULL || match(context, number)) {
            return number;
        }
    }
    return PERSON_NONE;
}

void identifier_table_prefetch(const struct identifier_table *table, uint64_t hash)
{
    const struct shard *shard = shard_of_const(table, hash);
    if (shard->slots != NULL) {
        __builtin_prefetch(shard->slots + home_of(hash_bits(hash), shard->range));
    }
}

static uint64_t *exact_slot(const struct shard *shard, uint64_t hash, uint32_t number)
{
    if (shard->slots == NULL) {
        return NULL;
    }
    uint32_t bits = hash_bits(hash);
    for (uint64_t *slot = lower_slot(shard, bits); *slot != 0 && slot_bits(*slot) == bits; slot++) {
        if (slot_number(*slot) == number) {
            return slot;
        }
    }
    return NULL;
}

/* ---- changing -------------------------------------------------------------------------------- */

err identifier_table_add(struct identifier_table *table, uint64_t hash, uint32_t number)
{
    CHECK(number != PERSON_NONE);
    struct shard *shard = shard_of(table, hash);
    err e = make_room(table, shard);
    if (e != ERR_OK) {
        return e;
    }
    uint64_t *slot = lower_slot(shard, hash_bits(hash));
    uint64_t *empty = slot;
    while (*empty != 0) {
        empty++;
    }
    const uint64_t *last = shard->slots + slot_total(shard) - 1;
    CHECK(empty < last);
    shard->tail_full |= empty + 1 == last;
    memmove(slot + 1, slot, (size_t)(empty - slot) * sizeof *slot);
    *slot = slot_of(hash_bits(hash), number);
    shard->used++;
    table->count++;
    return ERR_OK;
}

err identifier_table_add_many(struct identifier_table *table, const struct identifier_link *links,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        identifier_table_prefetch(table, links[i].hash);
    }
    for (size_t i = 0; i < count; i++) {
        err e = identifier_table_add(table, links[i].hash, links[i].number);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

bool identifier_table_replace(struct identifier_table *table, uint64_t hash, uint32_t old,
                              uint32_t number)
{
    CHECK(number != PERSON_NONE);
    uint64_t *slot = exact_slot(shard_of(table, hash), hash, old);
    if (slot == NULL) {
        return false;
    }
    *slot = slot_of(hash_bits(hash), number);
    return true;
}

bool identifier_table_remove(struct identifier_table *table, uint64_t hash, uint32_t number)
{
    struct shard *shard = shard_of(table, hash);
    uint64_t *slot = exact_slot(shard, hash, number);
    if (slot == NULL) {
        return false;
    }
    /* Those behind it that are not at home move up by one. */
    uint64_t *last = slot;
    while (last[1] != 0 &&
           home_of(slot_bits(last[1]), shard->range) <= (uint64_t)(last - shard->slots)) {
        last++;
    }
    memmove(slot, slot + 1, (size_t)(last - slot) * sizeof *slot);
    *last = 0;
    shard->tail_full = is_tail_full(shard);
    shard->used--;
    table->count--;
    return true;
}

uint64_t identifier_table_count(const struct identifier_table *table)
{
    return table->count;
}

uint64_t identifier_table_memory_bytes(const struct identifier_table *table)
{
    return table->memory_bytes;
}

/* ---- validating ------------------------------------------------------------------------------ */

static const char *shard_fault(const struct shard *shard)
{
    if (shard->slots == NULL) {
        return shard->used == 0 ? NULL : "a shard without slots counts some";
    }
    uint64_t total = slot_total(shard);
    uint64_t used = 0;
    if (shard->slots[total - 1] != 0) {
        return "the last slot of a shard is used";
    }
    if (shard->tail_full != is_tail_full(shard)) {
        return "a shard is wrong about its tail";
    }
    for (uint64_t i = 0; i < total; i++) {
        uint64_t slot = shard->slots[i];
        if (slot == 0) {
            continue;
        }
        used++;
        uint64_t home = home_of(slot_bits(slot), shard->range);
        if (slot_number(slot) == PERSON_NONE) {
            return "a slot leads to nobody";
        }
        if (home > i) {
            return "a slot lies before its home";
        }
        if (home < i && shard->slots[i - 1] == 0) {
            return "there is a gap between a slot and its home";
        }
        if (i > 0 && shard->slots[i - 1] != 0 && slot_bits(shard->slots[i - 1]) > slot_bits(slot)) {
            return "slots are not in the order of their hash bits";
        }
    }
    return used == shard->used ? NULL : "a shard counts its slots wrongly";
}

bool identifier_table_validate(const struct identifier_table *table, const char **reason)
{
    uint64_t count = 0;
    for (size_t i = 0; i < SHARD_COUNT; i++) {
        *reason = shard_fault(&table->shards[i]);
        if (*reason != NULL) {
            return false;
        }
        count += table->shards[i].used;
    }
    *reason = count == table->count ? NULL : "the shards do not add up to the table";
    return *reason == NULL;
}
