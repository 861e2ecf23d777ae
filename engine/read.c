/* read.c: answers from RAM: who is this, who is like this. */
#include "internal.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"

/* ---- finding ---- */

uint32_t engine_find(const struct engine *engine, uint8_t type, struct slice value)
{
    return find_owner(engine, type, value);
}

enum { FIND_BATCH = 64 };

/* Three dependent memory loads a key (slot, parent and blob pointer, blob): each round starts those
 * of the whole batch before the next round needs them. The first slot with the hash is nearly
 * always the one; where it is not, the key is looked up from the beginning. */
static void find_batch(const struct engine *engine, const struct engine_key *keys, size_t count,
                       uint32_t *numbers)
{
    uint64_t hashes[FIND_BATCH];
    for (size_t i = 0; i < count; i++) {
        hashes[i] = identifier_hash(engine->identifiers, keys[i].type, keys[i].value);
        identifier_table_prefetch(engine->identifiers, hashes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = identifier_table_find(engine->identifiers, hashes[i], NULL, NULL);
        people_prefetch(engine->people, numbers[i]);
    }
    for (size_t i = 0; i < count; i++) {
        numbers[i] = people_find_shared(engine->people, numbers[i]);
        people_prefetch_blob(engine->people, numbers[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const void *blob = people_blob(engine->people, numbers[i]);
        if (blob == NULL ? numbers[i] != PERSON_NONE
                         : !profile_has_identifier(blob, keys[i].type, keys[i].value)) {
            numbers[i] = find_owner(engine, keys[i].type, keys[i].value);
        }
    }
}

void engine_find_many(const struct engine *engine, const struct engine_key *keys, size_t count,
                      uint32_t *numbers)
{
    for (size_t at = 0; at < count; at += FIND_BATCH) {
        size_t part = count - at < FIND_BATCH ? count - at : FIND_BATCH;
        find_batch(engine, keys + at, part, numbers + at);
    }
}

uint32_t engine_find_id(const struct engine *engine, struct slice id)
{
    uint64_t number = 0;
    if (id.length < 2 || id.data[0] != 'p' ||
        !slice_to_u64(slice_of(id.data + 1, id.length - 1), &number) || number == 0 ||
        number > people_last(engine->people)) {
        return PERSON_NONE;
    }
    uint32_t root = people_find_shared(engine->people, (uint32_t)number);
    return people_blob(engine->people, root) != NULL ? root : PERSON_NONE;
}

/* Eight lower case digits at once: each half byte into a byte of its own, then '0' is added, and 39
 * more from ten on. */
static void write_hex_8(uint32_t value, char *out)
{
    uint64_t nibbles = value;
    nibbles = (nibbles << 16 | nibbles) & UINT64_C(0x0000FFFF0000FFFF);
    nibbles = (nibbles << 8 | nibbles) & UINT64_C(0x00FF00FF00FF00FF);
    nibbles = (nibbles << 4 | nibbles) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    uint64_t letters = (nibbles + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    /* The highest digit comes first. */
    uint64_t digits =
        __builtin_bswap64(nibbles + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10));
    store_u64(out, digits);
}

static void write_hex_16(uint64_t value, char *out)
{
    write_hex_8((uint32_t)(value >> 32), out);
    write_hex_8((uint32_t)value, out + 8);
}

/* Without leading zeros, but at least one digit. */
static size_t write_hex(uint64_t value, char *out)
{
    char all[16];
    size_t digits = value == 0 ? 1 : (size_t)(67 - __builtin_clzll(value)) / 4;
    write_hex_16(value, all);
    memcpy(out, all + sizeof all - digits, digits);
    return digits;
}

size_t engine_etag(const struct engine *engine, uint32_t number, char out[ENGINE_ETAG_MAX])
{
    const void *blob = people_blob(engine->people, number);
    uint64_t hash = hash64(slice_of(blob, profile_blob_bytes(blob)), 0);
    size_t length = 0;
    out[length++] = '"';
    write_hex_16(hash, out + length);
    length += 16;
    out[length++] = '-';
    length += write_hex(cohorts_generation(engine->cohorts), out + length);
    out[length++] = '"';
    out[length] = '\0';
    return length;
}

/* ---- pages ---- */

/* They are about to be written one after the other: two dependent loads each, started together. */
static void prefetch_people(const struct engine *engine, const uint32_t *numbers, size_t count)
{
    enum { PREFETCH_MAX = 256 };
    count = count < PREFETCH_MAX ? count : PREFETCH_MAX;
    for (size_t i = 0; i < count; i++) {
        people_prefetch(engine->people, numbers[i]);
    }
    for (size_t i = 0; i < count; i++) {
        people_prefetch_blob(engine->people, numbers[i]);
    }
}

size_t engine_page(const struct engine *engine, uint32_t cohort, bool by_cursor, uint64_t from,
                   size_t limit, uint32_t *numbers, uint64_t *total, uint32_t *next)
{
    const struct bitmap *members =
        cohort == COHORT_NONE ? engine->everybody : cohorts_members(engine->cohorts, cohort);
    *total = bitmap_count(members);
    *next = 0;
    size_t count =
        by_cursor
            ? (from > UINT32_MAX ? 0 : bitmap_page_from(members, (uint32_t)from, numbers, limit))
            : bitmap_page(members, from, numbers, limit);
    if (count == limit && count > 0 && numbers[count - 1] != UINT32_MAX) {
        uint32_t one = 0;
        if (bitmap_page_from(members, numbers[count - 1] + 1, &one, 1) == 1) {
            *next = one;
        }
    }
    prefetch_people(engine, numbers, count);
    return count;
}

const struct cohorts *engine_cohorts(const struct engine *engine)
{
    return engine->cohorts;
}

void engine_write_cohort(const struct engine *engine, uint32_t cohort, bool with_definition,
                         struct json_writer *json)
{
    const struct cohort_definition *definition = cohorts_definition(engine->cohorts, cohort);
    json_object_begin(json);
    json_member_string(json, "name", cohort_definition_name(definition));
    json_member_string(json, "description", cohort_definition_description(definition));
    json_member_u64(json, "size", bitmap_count(cohorts_members(engine->cohorts, cohort)));
    json_member_timestamp(json, "changed_at", cohorts_changed_at_us(engine->cohorts, cohort));
    if (with_definition) {
        struct buffer text;
        buffer_init(&text, LOG_PAYLOAD_MAX);
        cohort_definition_write(definition, NULL, 0, NULL, 0, &text);
        json_key(json, "definition");
        json_raw(json, buffer_slice(&text));
        buffer_deinit(&text);
    }
    json_object_end(json);
}

/* ---- raw entries ---- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

err engine_person_sequences(const struct engine *engine, uint32_t number, struct arena *arena,
                            uint64_t **out, size_t *count)
{
    struct profile profile;
    err e = profile_unpack(arena, people_blob(engine->people, number), 0, &profile);
    if (e != ERR_OK) {
        return e;
    }
    uint32_t chunks = history_count(engine->history, number);
    size_t total = profile.sequence_count;
    for (uint32_t i = 0; i < chunks; i++) {
        total += history_decode(history_chunk(engine->history, number, i), NULL, 0);
    }
    uint64_t *all = arena_alloc(arena, (total + 1) * sizeof *all);
    if (all == NULL) {
        return ERR_MEMORY;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < chunks; i++) {
        at += history_decode(history_chunk(engine->history, number, i), all + at, total - at);
    }
    if (profile.sequence_count > 0) {
        memcpy(all + at, profile.sequences, profile.sequence_count * sizeof *all);
    }
    qsort(all, total, sizeof *all, compare_u64);
    *out = all;
    *count = total;
    return ERR_OK;
}
