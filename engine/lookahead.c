#include "lookahead.h"

#include "internal.h"

enum { LINE_BYTES = 64 };

static void start_lines(const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += LINE_BYTES) {
        __builtin_prefetch((const char *)from + at);
    }
}

static void start_record(const struct engine *engine, const struct record *record,
                         struct lookahead_place *place)
{
    (void)engine;
    (void)place;
    start_lines(record, sizeof *record);
}

static void start_arrays(const struct engine *engine, const struct record *record,
                         struct lookahead_place *place)
{
    (void)engine;
    (void)place;
    start_lines(record->identifiers, record->identifier_count * sizeof *record->identifiers);
    start_lines(record->fields, record->field_count * sizeof *record->fields);
    start_lines(record->interests, record->interest_count * sizeof *record->interests);
}

static void start_texts(const struct engine *engine, const struct record *record,
                        struct lookahead_place *place)
{
    (void)engine;
    (void)place;
    for (size_t i = 0; i < record->identifier_count; i++) {
        __builtin_prefetch(record->identifiers[i].value.data);
    }
    for (size_t i = 0; i < record->field_count; i++) {
        const struct value *value = &record->fields[i].value;
        if (value->kind == VALUE_TEXT) {
            __builtin_prefetch(value->text.data);
        }
    }
    for (size_t i = 0; i < record->interest_count; i++) {
        __builtin_prefetch(record->interests[i].data);
    }
}

static void start_slots(const struct engine *engine, const struct record *record,
                        struct lookahead_place *place)
{
    size_t most = LOOKAHEAD_IDENTIFIERS;
    place->count = record->identifier_count < most ? record->identifier_count : most;
    for (size_t i = 0; i < place->count; i++) {
        const struct record_identifier *item = &record->identifiers[i];
        place->hashes[i] = identifier_hash(engine->identifiers, item->type, item->value);
        identifier_table_prefetch(engine->identifiers, place->hashes[i]);
    }
}

static void start_people(const struct engine *engine, const struct record *record,
                         struct lookahead_place *place)
{
    (void)record;
    for (size_t i = 0; i < place->count; i++) {
        place->numbers[i] =
            identifier_table_find(engine->identifiers, place->hashes[i], NULL, NULL);
        people_prefetch(engine->people, place->numbers[i]);
    }
}

static void start_profiles(const struct engine *engine, const struct record *record,
                           struct lookahead_place *place)
{
    (void)record;
    for (size_t i = 0; i < place->count; i++) {
        uint32_t root = people_find_shared(engine->people, place->numbers[i]);
        people_prefetch_blob(engine->people, root);
    }
}

static const struct step {
    size_t distance;
    void (*start)(const struct engine *engine, const struct record *record,
                  struct lookahead_place *place);
} steps[LOOKAHEAD_STEPS] = {
    {20, start_record}, {18, start_arrays}, {15, start_texts},
    {12, start_slots},  {8, start_people},  {4, start_profiles},
};

void lookahead_move(struct lookahead *ahead, const struct engine *engine,
                    const struct draft *drafts, size_t count, size_t at)
{
    for (size_t k = 0; k < LOOKAHEAD_STEPS; k++) {
        size_t until = at + steps[k].distance + 1;
        until = until < count ? until : count;
        for (; ahead->reached[k] < until; ahead->reached[k]++) {
            const struct record *record = drafts[ahead->reached[k]].record;
            if (record != NULL) {
                steps[k].start(engine, record,
                               &ahead->places[ahead->reached[k] % LOOKAHEAD_RECORDS]);
            }
        }
    }
}
