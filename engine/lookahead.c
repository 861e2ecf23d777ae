#include "lookahead.h"

#include "internal.h"

enum { SLOTS_AHEAD = 12, PEOPLE_AHEAD = 8, PROFILES_AHEAD = 4 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void start_slots(struct lookahead *ahead, const struct engine *engine, const struct draft *draft)
{
    size_t place = ahead->slots % LOOKAHEAD_RECORDS;
    const struct record *record = draft->record;
    size_t count = record != NULL ? least(record->identifier_count, LOOKAHEAD_IDENTIFIERS) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct record_identifier *item = &record->identifiers[i];
        uint64_t hash = identifier_hash(engine->identifiers, item->type, item->value);
        identifier_table_prefetch(engine->identifiers, hash);
        ahead->ring[place].hashes[i] = hash;
    }
    ahead->ring[place].count = count;
}

static void start_people(struct lookahead *ahead, const struct engine *engine)
{
    size_t place = ahead->people % LOOKAHEAD_RECORDS;
    for (size_t i = 0; i < ahead->ring[place].count; i++) {
        uint32_t number = identifier_table_find(engine->identifiers, ahead->ring[place].hashes[i], NULL, NULL);
        people_prefetch(engine->people, number);
        ahead->ring[place].numbers[i] = number;
    }
}

static void start_profiles(struct lookahead *ahead, const struct engine *engine)
{
    size_t place = ahead->profiles % LOOKAHEAD_RECORDS;
    for (size_t i = 0; i < ahead->ring[place].count; i++) {
        people_prefetch_blob(engine->people, people_find_shared(engine->people, ahead->ring[place].numbers[i]));
    }
}

void lookahead_move(struct lookahead *ahead, const struct engine *engine, const struct draft *drafts, size_t count, size_t at)
{
    for (size_t upto = least(count, at + SLOTS_AHEAD + 1); ahead->slots < upto; ahead->slots++) {
        start_slots(ahead, engine, &drafts[ahead->slots]);
    }
    for (size_t upto = least(count, at + PEOPLE_AHEAD + 1); ahead->people < upto; ahead->people++) {
        start_people(ahead, engine);
    }
    for (size_t upto = least(count, at + PROFILES_AHEAD + 1); ahead->profiles < upto; ahead->profiles++) {
        start_profiles(ahead, engine);
    }
}
