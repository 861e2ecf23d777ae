#include "demo/population.h"

#include "base/memory.h"
#include "household.h"

/* This many households are under way at a time: one of them, by chance, sends its next record. */
enum { UNDER_WAY = 64 };

struct population {
    int64_t start_us;
    enum population_format format;
    struct prng prng;
    struct household_maker maker;
    uint32_t last_person;
    uint32_t last_account;
    uint32_t last_household;
    uint32_t under_way;
    struct household *slots[UNDER_WAY]; /* the first `under_way` have records left */
    struct household households[UNDER_WAY];
};

struct population *population_create(uint64_t seed, uint32_t people, int64_t epoch_us,
                                     enum population_format format)
{
    CHECK(people >= 1 && people <= POPULATION_PEOPLE_MAX);
    CHECK(epoch_us >= LISTED_DAYS * INT64_C(86400000000));
    struct population *population = memory_zalloc(sizeof *population);
    if (population == NULL) {
        return NULL;
    }
    population->start_us = epoch_us - LISTED_DAYS * INT64_C(86400000000);
    population->format = format;
    prng_seed(&population->prng, derive_seed(seed, UINT64_MAX, 0));
    household_maker_init(&population->maker, seed, people);
    for (uint32_t i = 0; i < UNDER_WAY; i++) {
        population->slots[i] = &population->households[i];
        if (household_make(&population->maker, population->slots[i])) {
            population->under_way++;
        }
    }
    return population;
}

void population_destroy(struct population *population)
{
    memory_free(population);
}

void population_csv_header(struct buffer *out)
{
    char *to = buffer_reserve(out, POPULATION_RECORD_MAX_BYTES);
    if (to != NULL) {
        buffer_commit(out, record_csv_header(to));
    }
}

err population_next(struct population *population, struct buffer *out)
{
    if (population->under_way == 0) {
        return ERR_END;
    }
    char *to = buffer_reserve(out, POPULATION_RECORD_MAX_BYTES);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    uint32_t slot = below(&population->prng, population->under_way);
    struct household *household = population->slots[slot];
    const struct event *event = &household->events[household->next_event++];
    const struct person *person = &household->persons[event->person];
    buffer_commit(out, record_write(&population->maker, household, event, population->start_us,
                                    population->format, to));
    population->last_person = person->index;
    population->last_account = person->account;
    population->last_household = household->index;

    if (household->next_event == household->event_count &&
        !household_make(&population->maker, household)) {
        population->under_way--;
        population->slots[slot] = population->slots[population->under_way];
    }
    return ERR_OK;
}

uint32_t population_last_person(const struct population *population)
{
    return population->last_person;
}

uint32_t population_last_account(const struct population *population)
{
    return population->last_account;
}

uint32_t population_last_household(const struct population *population)
{
    return population->last_household;
}
