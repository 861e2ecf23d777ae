/* household.h: the people behind the records. Private to demo/. Threading: one thread at a time. */
#ifndef KINDRED_DEMO_HOUSEHOLD_H
#define KINDRED_DEMO_HOUSEHOLD_H

#include <stdbool.h>

#include "base/clock.h"
#include "demo/population.h"
#include "tables.h"

enum {
    PERSONS_MAX = 5,
    DEVICES_MAX = 4,
    PERSON_INTERESTS_MAX = 10,
    PERSON_RECORDS_MAX = 20,
    EVENTS_MAX = PERSONS_MAX * PERSON_RECORDS_MAX * 2, /* everything twice, at worst */
    COOKIE_LENGTH = 20,
    DEVICE_ID_LENGTH = 36,
    EMAIL_MAX = 96,
    CITIES_MAX = 256,
    LISTED_DAYS = 547 /* 18 months */
};

enum gender { GENDER_FEMALE, GENDER_MALE, GENDER_NON_BINARY };

struct phone {
    uint16_t city;
    uint32_t number; /* 0: none */
};

struct device {
    char cookie[COOKIE_LENGTH];
    char device_id[DEVICE_ID_LENGTH];
    bool mobile;    /* has a device_id, and the app */
    bool shared;    /* the family computer */
    bool anonymous; /* nobody ever signs in on it */
};

struct interest {
    uint8_t topic;
    uint8_t phrase;
};

struct person {
    uint32_t index;
    uint32_t account;
    const char *first_name;
    const char *last_name;
    uint8_t gender;
    uint8_t age;           /* at the epoch */
    uint16_t birthday_day; /* this many days before the epoch they were a year younger */
    uint8_t income;
    uint8_t education;
    uint8_t plan;
    bool newsletter;
    uint32_t value_cents;
    char email[EMAIL_MAX]; /* "": has none */
    bool has_user_id;
    struct phone phone;
    uint8_t interest_count;
    struct interest interests[PERSON_INTERESTS_MAX];
    uint8_t device_count;
    struct device devices[DEVICES_MAX];
};

enum event_kind { EVENT_WEB, EVENT_APP, EVENT_CRM, EVENT_STORE };

/* One record to come. What it says follows from this, the person and the population's seed alone,
 * so that the same event twice is the same record twice. */
struct event {
    uint32_t at_seconds; /* since the start of the 18 months */
    uint8_t person;      /* in the household */
    uint8_t number;      /* of this person's records */
    uint8_t kind;
    uint8_t device;
    bool sign_in;
    bool own_phone; /* not the one on the wall */
};

struct household {
    uint32_t index;
    uint16_t city;
    const char *street;
    uint16_t house_number;
    uint16_t apartment; /* 0: none */
    char postal_code[12];
    struct phone phone; /* on the wall, for everybody */
    uint8_t person_count;
    uint16_t event_count;
    uint16_t next_event;
    struct person persons[PERSONS_MAX];
    struct event events[EVENTS_MAX];
};

/* How long the tables are; filled once. */
struct table_sizes {
    uint16_t women[CULTURE_COUNT];
    uint16_t men[CULTURE_COUNT];
    uint16_t surnames[CULTURE_COUNT];
    uint16_t phrases[32];
    uint16_t streets[32];
    uint16_t first_city[33]; /* of each country; the last is the end */
    uint16_t city_weight[32];
    uint16_t non_interests;
};

/* What makes household after household; phones count up per city so that no number is given
 * twice. */
struct household_maker {
    uint64_t seed;
    uint32_t people;
    uint32_t next_person;
    uint32_t next_household;
    uint64_t scramble_modulus; /* a power of ten, at least `people` */
    uint32_t phones_given[CITIES_MAX];
    struct table_sizes sizes;
};

void household_maker_init(struct household_maker *maker, uint64_t seed, uint32_t people);

/* False when everybody is made. */
bool household_make(struct household_maker *maker, struct household *household) MUST_USE;

/* The events of everybody, in the order they are sent (household_schedule.c). */
void household_schedule(struct household *household, struct prng *prng);

/* One record with its line end at `to`, which has POPULATION_RECORD_MAX_BYTES; returns its length
 * (record.c). */
size_t record_write(const struct household_maker *maker, const struct household *household,
                    const struct event *event, int64_t start_us, enum population_format format,
                    char *to) MUST_USE;
size_t record_csv_header(char *to);

/* ---- small dice ---- */

static inline bool chance(struct prng *prng, uint32_t per_thousand)
{
    return prng_below(prng, 1000) < per_thousand;
}
static inline uint32_t below(struct prng *prng, uint32_t bound)
{
    return (uint32_t)prng_below(prng, bound);
}
/* The front of a list is taken more often than its end. */
static inline uint32_t skewed(struct prng *prng, uint32_t count)
{
    uint32_t a = below(prng, count);
    uint32_t b = below(prng, count);
    return a < b ? a : b;
}
/* Different for each (seed, a, b): the state of an independent generator. */
static inline uint64_t derive_seed(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t z = seed ^ (a * 0x9E3779B97F4A7C15u) ^ (b * 0xC2B2AE3D27D4EB4Fu);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return z ^ (z >> 31);
}

#endif
