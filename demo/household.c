#include "household.h"

#include <stdio.h>
#include <string.h>

#include "typing.h"

static uint16_t count_words(const char *const *words)
{
    uint16_t count = 0;
    while (words[count] != NULL) {
        count++;
    }
    return count;
}

static void measure_tables(struct table_sizes *sizes)
{
    CHECK(demo_country_count <= ARRAY_COUNT(sizes->streets) &&
          demo_topic_count <= ARRAY_COUNT(sizes->phrases));
    CHECK(demo_city_count <= CITIES_MAX);
    for (int i = 0; i < CULTURE_COUNT; i++) {
        sizes->women[i] = count_words(demo_women[i]);
        sizes->men[i] = count_words(demo_men[i]);
        sizes->surnames[i] = count_words(demo_surnames[i]);
    }
    for (uint32_t i = 0; i < demo_topic_count; i++) {
        sizes->phrases[i] = count_words(demo_topics[i].phrases);
    }
    uint16_t city = 0;
    for (uint32_t i = 0; i < demo_country_count; i++) {
        sizes->streets[i] = count_words(demo_countries[i].streets);
        sizes->first_city[i] = city;
        for (; city < demo_city_count && demo_cities[city].country == i; city++) {
            sizes->city_weight[i] = (uint16_t)(sizes->city_weight[i] + demo_cities[city].weight);
        }
    }
    CHECK(city == demo_city_count);
    sizes->first_city[demo_country_count] = city;
    sizes->non_interests = count_words(demo_non_interests);
}

void household_maker_init(struct household_maker *maker, uint64_t seed, uint32_t people)
{
    *maker = (struct household_maker){.seed = seed, .people = people, .scramble_modulus = 100};
    while (maker->scramble_modulus < people) {
        maker->scramble_modulus *= 10;
    }
    measure_tables(&maker->sizes);
}

static uint16_t pick_city(const struct table_sizes *sizes, struct prng *prng)
{
    uint32_t country = 0;
    uint32_t roll = below(prng, 1000);
    while (roll >= demo_countries[country].weight) {
        roll -= demo_countries[country].weight;
        country++;
    }
    uint16_t city = sizes->first_city[country];
    roll = below(prng, sizes->city_weight[country]);
    while (roll >= demo_cities[city].weight) {
        roll -= demo_cities[city].weight;
        city++;
    }
    return city;
}

static int pick_culture(const struct demo_country *country, struct prng *prng)
{
    int culture = 0;
    uint32_t roll = below(prng, 100);
    while (roll >= country->share[culture]) {
        roll -= country->share[culture];
        culture++;
    }
    return culture;
}

static struct phone give_phone(struct household_maker *maker, uint16_t city)
{
    return (struct phone){city, demo_cities[city].first + maker->phones_given[city]++};
}

static void make_address(const struct table_sizes *sizes, struct household *household,
                         struct prng *prng)
{
    const struct demo_city *city = &demo_cities[household->city];
    const struct demo_country *country = &demo_countries[city->country];
    household->street = country->streets[skewed(prng, sizes->streets[city->country])];
    household->house_number =
        (uint16_t)(1 + skewed(prng, country->calling_code[0] == '1' ? 9800 : 180));
    household->apartment = chance(prng, 250) ? (uint16_t)(1 + skewed(prng, 60)) : 0;
    type_postal_code(prng, country->postal_style, city->postal, household->postal_code);
}

static void make_cookie(struct prng *prng, char cookie[COOKIE_LENGTH])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    __extension__ typedef unsigned __int128 u128;
    for (int i = 0; i < COOKIE_LENGTH; i += 10) {
        uint64_t left = prng_next(prng);
        for (int j = i; j < i + 10; j++) {
            u128 wide = (u128)left * 36;
            cookie[j] = alphabet[(size_t)(wide >> 64)];
            left = (uint64_t)wide;
        }
    }
}

/* A version 4 UUID (RFC 9562). */
static void make_device_id(struct prng *prng, char id[DEVICE_ID_LENGTH])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t words[2] = {prng_next(prng), prng_next(prng)};
    words[0] = (words[0] & ~UINT64_C(0xF000)) | 0x4000;
    words[1] = (words[1] & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62);
    size_t at = 0;
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            id[at++] = '-';
        }
        id[at++] = hex[(words[i / 16] >> (60 - i % 16 * 4)) & 15];
    }
}

static void make_devices(struct person *person, struct prng *prng)
{
    static const uint8_t counts[] = {1, 1, 1, 2, 2, 2, 2, 3, 3, 4};
    person->device_count = counts[below(prng, ARRAY_COUNT(counts))];
    for (int i = 0; i < person->device_count; i++) {
        struct device *device = &person->devices[i];
        *device =
            (struct device){.mobile = chance(prng, 500), .anonymous = i > 0 && chance(prng, 80)};
        make_cookie(prng, device->cookie);
        if (device->mobile) {
            make_device_id(prng, device->device_id);
        }
    }
}

/* Three favourite topics, which give most of the interests; then a few of anything. */
static void make_interests(const struct table_sizes *sizes, struct person *person,
                           struct prng *prng)
{
    uint32_t weights[32];
    uint32_t total = 0;
    int older = person->age >= 35;
    for (uint32_t i = 0; i < demo_topic_count; i++) {
        const struct demo_topic *topic = &demo_topics[i];
        weights[i] = person->gender == GENDER_FEMALE ? topic->women[older]
                     : person->gender == GENDER_MALE
                         ? topic->men[older]
                         : (uint32_t)(topic->women[older] + topic->men[older]) / 2;
        total += weights[i];
    }
    uint8_t favourites[3];
    for (size_t i = 0; i < ARRAY_COUNT(favourites); i++) {
        uint32_t roll = below(prng, total);
        uint8_t topic = 0;
        while (roll >= weights[topic]) {
            roll -= weights[topic++];
        }
        favourites[i] = topic;
    }
    uint32_t wanted = 2 + skewed(prng, PERSON_INTERESTS_MAX - 1);
    person->interest_count = 0;
    for (uint32_t tries = 0; tries < wanted + 4 && person->interest_count < wanted; tries++) {
        uint8_t topic = chance(prng, 800) ? favourites[skewed(prng, 3)]
                                          : (uint8_t)below(prng, demo_topic_count);
        struct interest interest = {topic, (uint8_t)skewed(prng, sizes->phrases[topic])};
        bool known = false;
        for (int i = 0; i < person->interest_count; i++) {
            known |= person->interests[i].topic == topic &&
                     person->interests[i].phrase == interest.phrase;
        }
        if (!known) {
            person->interests[person->interest_count++] = interest;
        }
    }
}

static void make_demographics(struct person *person, struct prng *prng, int place)
{
    uint32_t roll = below(prng, 1000);
    person->gender = roll < 503 ? GENDER_FEMALE : roll < 990 ? GENDER_MALE : GENDER_NON_BINARY;
    /* The first two are grown up, the others may be children who are old enough to have an
     * account. */
    person->age =
        (uint8_t)(place < 2 ? 18 + (below(prng, 35) + below(prng, 40)) : 14 + skewed(prng, 25));
    person->birthday_day = (uint16_t)below(prng, 365);
    uint32_t schooling = below(prng, 100);
    person->education = (uint8_t)(person->age < 19 || schooling < 26   ? 0
                                  : schooling < 42                     ? 1
                                  : schooling < 52                     ? 2
                                  : schooling < 83 || person->age < 24 ? 3
                                  : schooling < 96                     ? 4
                                                                       : 5);
    uint32_t income = below(prng, 4) + below(prng, 3) + (person->education >= 3 ? 1 : 0);
    person->income = (uint8_t)(person->age < 22 ? income / 3 : income);
    person->plan = (uint8_t)(below(prng, 10) < 6 ? 0 : below(prng, 10) < 7 ? 1 : 2);
    person->newsletter = chance(prng, 400);
    person->value_cents = (1 + skewed(prng, 400)) * (1 + skewed(prng, 600)) * (person->plan + 1u);
}

static void make_person(struct household_maker *maker, struct household *household,
                        struct prng *prng, int culture, const char *last_name)
{
    int place = household->person_count++;
    struct person *person = &household->persons[place];
    memset(person, 0, offsetof(struct person, interests));
    person->index = person->account = maker->next_person++;
    make_demographics(person, prng, place);
    bool womans_name = person->gender == GENDER_FEMALE ||
                       (person->gender == GENDER_NON_BINARY && chance(prng, 500));
    person->first_name = womans_name
                             ? demo_women[culture][skewed(prng, maker->sizes.women[culture])]
                             : demo_men[culture][skewed(prng, maker->sizes.men[culture])];
    person->last_name = chance(prng, 780)
                            ? last_name
                            : demo_surnames[culture][skewed(prng, maker->sizes.surnames[culture])];

    /* No two people get the same number behind their name: an odd multiplier without the factor
     * five permutes it. */
    uint64_t unique = (person->index * UINT64_C(7368787) + 42) % maker->scramble_modulus;
    if (chance(prng, 920)) {
        type_email_address(prng, person->first_name, person->last_name, unique, person->email);
    }
    person->has_user_id = person->email[0] == '\0' || chance(prng, 350);
    if (chance(prng, 650)) {
        person->phone = give_phone(maker, household->city);
    }
    make_interests(&maker->sizes, person, prng);
    make_devices(person, prng);
}

/* A computer, an e-mail address and a telephone that more than one person uses. */
static void share_things(struct household_maker *maker, struct household *household,
                         struct prng *prng)
{
    struct person *first = &household->persons[0];
    struct person *second = &household->persons[1];
    if (chance(prng, 300)) {
        household->phone = give_phone(maker, household->city);
    }
    bool both_write = first->email[0] != '\0' && second->email[0] != '\0';
    if (both_write && chance(prng, 40)) {
        memcpy(second->email, first->email, sizeof second->email);
        second->account = first->account;
        first->has_user_id = second->has_user_id = false;
    } else if (both_write && chance(prng, 200)) {
        struct device *theirs = &first->devices[0];
        theirs->mobile = false;
        theirs->shared = true;
        second->devices[0] = *theirs;
    }
}

bool household_make(struct household_maker *maker, struct household *household)
{
    static const uint8_t sizes[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 4, 4, 5};
    uint32_t left = maker->people - maker->next_person;
    if (left == 0) {
        return false;
    }
    struct prng prng;
    prng_seed(&prng, derive_seed(maker->seed, maker->next_household, 1));
    household->index = maker->next_household++;
    household->city = pick_city(&maker->sizes, &prng);
    household->phone = (struct phone){0};
    household->person_count = 0;
    make_address(&maker->sizes, household, &prng);

    const struct demo_country *country = &demo_countries[demo_cities[household->city].country];
    int culture = pick_culture(country, &prng);
    const char *last_name = demo_surnames[culture][skewed(&prng, maker->sizes.surnames[culture])];
    uint32_t size = sizes[below(&prng, ARRAY_COUNT(sizes))];
    for (uint32_t i = 0; i < size && i < left; i++) {
        make_person(maker, household, &prng, culture, last_name);
    }
    if (household->person_count > 1) {
        share_things(maker, household, &prng);
    }
    household_schedule(household, &prng);
    return true;
}
