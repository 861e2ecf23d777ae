#include "people.h"

#include <stdio.h>
#include <string.h>

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuv";

static const char *const first_names[] = {
    "james", "mary", "robert", "patricia", "john", "jennifer", "michael", "linda", "david", "elizabeth", "william",
    "barbara", "richard", "susan", "joseph", "jessica", "thomas", "sarah", "charles", "karen", "wei", "fatima", "santiago",
    "ingrid", "kofi", "priya", "yuki", "oluwaseun", "mateo", "zofia", "ahmed", "chloe"};
static const char *const last_names[] = {
    "smith", "johnson", "williams", "brown", "jones", "garcia", "miller", "davis", "rodriguez", "martinez", "hernandez",
    "lopez", "gonzalez", "wilson", "anderson", "thomas", "taylor", "moore", "jackson", "martin", "lee", "perez", "thompson",
    "white", "harris", "sanchez", "clark", "ramirez", "lewis", "robinson", "walker", "young"};
static const struct {
    const char *city, *state, *country;
} places[] = {
    {"New York", "New York", "USA"},      {"Los Angeles", "California", "USA"}, {"Chicago", "Illinois", "USA"},
    {"Houston", "Texas", "USA"},          {"Phoenix", "Arizona", "USA"},        {"Philadelphia", "Pennsylvania", "USA"},
    {"San Antonio", "Texas", "USA"},      {"San Diego", "California", "USA"},   {"Dallas", "Texas", "USA"},
    {"Jacksonville", "Florida", "USA"},   {"Austin", "Texas", "USA"},           {"Columbus", "Ohio", "USA"},
    {"Charlotte", "North Carolina", "USA"}, {"Indianapolis", "Indiana", "USA"}, {"Seattle", "Washington", "USA"},
    {"Denver", "Colorado", "USA"},        {"Boston", "Massachusetts", "USA"},   {"Nashville", "Tennessee", "USA"},
    {"Detroit", "Michigan", "USA"},       {"Portland", "Oregon", "USA"},        {"Brooklyn", "New York", "USA"},
    {"Las Vegas", "Nevada", "USA"},       {"Baltimore", "Maryland", "USA"},     {"Milwaukee", "Wisconsin", "USA"}};
static const char *const genders[] = {"Male", "Female", "Non-binary"};
static const char *const incomes[] = {"$0-$24,999",       "$25,000-$49,999",   "$50,000-$74,999",
                                      "$75,000-$99,999",  "$100,000-$149,999", "$150,000-$199,999",
                                      "$200,000 and more"};
static const char *const educations[] = {"High School", "Associate Degree", "Bachelor's Degree", "Master's Degree",
                                         "Doctorate"};

/* Interests as typed. Those of a row lead to that row's cohort and to no other. */
enum { TOPIC_COUNT = 10, TOPIC_INTERESTS = 8 };
static const struct {
    const char *cohort;
    const char *interests[TOPIC_INTERESTS];
} topics[TOPIC_COUNT] = {
    {"Sports", {"cricket", "football", "basketball", "tennis", "rugby", "volleyball", "badminton", "ice hockey"}},
    {"Technology",
     {"web development", "programming", "software", "gadgets", "smartphones", "cybersecurity", "laptops",
      "cloud computing"}},
    {"Finance", {"investing", "stocks", "banking", "budgeting", "personal finance", "credit cards", "mutual funds", "taxes"}},
    {"Music", {"jazz", "guitar", "rock music", "hip hop", "orchestra", "concerts", "piano", "classical music"}},
    {"Travel", {"travel", "cruises", "hotels", "backpacking", "airlines", "vacations", "sightseeing", "beach holidays"}},
    {"Food & Drink", {"cooking", "baking", "cheese", "coffee", "recipes", "barbecue", "vegan food", "restaurants"}},
    {"Automotive", {"cars", "trucks", "motorcycles", "pickup trucks", "auto repair", "classic cars", "suvs", "car repair"}},
    {"Fashion", {"fashion", "shoes", "handbags", "streetwear", "jewelry", "dresses", "cardigans", "designer clothes"}},
    {"Pets & Animals", {"dogs", "cats", "aquariums", "dog training", "horses", "hamsters", "puppies", "pet care"}},
    {"Gaming",
     {"video games", "nintendo switch", "playstation", "xbox", "nintendo", "board games", "minecraft", "role playing games"}},
};

void person_cookie(uint64_t i, char out[COOKIE_LENGTH])
{
    /* 13 characters carry the 64 bits of a bijection, so no two are equal. */
    uint64_t bits = mix64(i ^ UINT64_C(0x6b696e64726564));
    uint64_t more = mix64(bits);
    for (unsigned k = 0; k < 13; k++) {
        out[k] = alphabet[bits & 31];
        bits >>= 5;
    }
    for (unsigned k = 13; k < COOKIE_LENGTH; k++) {
        out[k] = alphabet[more & 31];
        more >>= 5;
    }
}

/* Squares make the first of a list the most frequent, as in life. */
static unsigned skewed(uint64_t random, unsigned count)
{
    uint64_t unit = random & 0xFFFF;
    return (unsigned)((unit * unit >> 16) * count >> 16);
}

static void add_cohort(struct person *person, const char *cohort)
{
    for (unsigned k = 0; k < person->cohort_count; k++) {
        if (person->cohorts[k] == cohort) {
            return;
        }
    }
    person->cohorts[person->cohort_count++] = cohort;
}

static void add_interests(uint64_t i, struct person *person)
{
    unsigned wanted = 1 + (unsigned)(mix64(i * 7 + 5) % 4);
    for (unsigned k = 0; k < wanted; k++) {
        uint64_t random = mix64(i * 7 + 6 + ((uint64_t)k << 40));
        unsigned topic = skewed(random, TOPIC_COUNT);
        const char *interest = topics[topic].interests[skewed(random >> 16, TOPIC_INTERESTS)];
        bool known = false;
        for (unsigned n = 0; n < person->interest_count; n++) {
            known = known || person->interests[n] == interest;
        }
        if (!known) {
            person->interests[person->interest_count++] = interest;
            add_cohort(person, topics[topic].cohort);
        }
    }
    /* A long tail: one in 32 names something that hardly anybody else does, and that is in no cohort. */
    uint64_t random = mix64(i * 7 + 11);
    if (random % 32 == 0) {
        snprintf(person->rare_interest, sizeof(person->rare_interest), "qx%05u", (unsigned)((random >> 8) % 20000));
        person->interests[person->interest_count++] = person->rare_interest;
    }
}

#define PICK(list, random) (list)[(random) % (sizeof(list) / sizeof((list)[0]))]

void person_make(uint64_t i, struct person *out)
{
    uint64_t random = mix64(i * 7 + 1);
    person_cookie(i, out->cookie);
    out->cookie[COOKIE_LENGTH] = '\0';
    snprintf(out->email, sizeof(out->email), "%s.%s%llu@example.com", PICK(first_names, random),
             PICK(last_names, random >> 8), (unsigned long long)i);
    /* A bijection of i below 2^27 to (area code, exchange 200 to 999, line): all distinct. */
    static const unsigned area_codes[] = {212, 213, 312, 713, 602, 215, 210, 619, 214, 904, 512, 614, 704, 317, 206, 303, 617};
    uint64_t mixed = (i * UINT64_C(0x5851f42d)) & ((UINT64_C(1) << 27) - 1);
    snprintf(out->phone, sizeof(out->phone), "+1%u%07llu", area_codes[mixed / 8000000],
             (unsigned long long)(2000000 + mixed % 8000000));
    unsigned place = skewed(random >> 16, sizeof(places) / sizeof(places[0]));
    out->city = places[place].city;
    out->state = places[place].state;
    out->country = places[place].country;
    out->age = 18 + (unsigned)((random >> 32) % 70);
    out->gender = (random >> 40) % 50 == 0 ? genders[2] : genders[(random >> 48) & 1];
    out->income = PICK(incomes, random >> 49);
    out->education = PICK(educations, random >> 53);
    out->interest_count = 0;
    out->cohort_count = 0;
    add_interests(i, out);
}

/* Nothing in these texts needs escaping. */
static void json_text(struct buffer *out, const char *before, const char *text)
{
    buffer_append_cstr(out, before);
    buffer_append_cstr(out, text);
}

void person_write_json(const struct person *person, struct buffer *out)
{
    json_text(out, "{\"cookie\": \"", person->cookie);
    json_text(out, "\", \"email\": \"", person->email);
    json_text(out, "\", \"phone_number\": \"", person->phone);
    json_text(out, "\", \"location\": {\"state\": \"", person->state);
    json_text(out, "\", \"country\": \"", person->country);
    json_text(out, "\", \"city\": \"", person->city);
    buffer_append_cstr(out, "\"}, \"demographics\": {\"age\": ");
    buffer_append_u64(out, person->age);
    json_text(out, ", \"gender\": \"", person->gender);
    json_text(out, "\", \"income\": \"", person->income);
    json_text(out, "\", \"education\": \"", person->education);
    buffer_append_cstr(out, "\"}, \"interests\": [");
    for (unsigned k = 0; k < person->interest_count; k++) {
        json_text(out, k == 0 ? "\"" : ", \"", person->interests[k]);
        buffer_append_char(out, '"');
    }
    buffer_append_cstr(out, "]}");
}

/* ---- Redis ------------------------------------------------------------------------------------ */

static void bulk(struct buffer *out, const char *text, size_t length)
{
    buffer_append_char(out, '$');
    buffer_append_u64(out, length);
    buffer_append(out, "\r\n", 2);
    buffer_append(out, text, length);
    buffer_append(out, "\r\n", 2);
}

static void bulk_text(struct buffer *out, const char *text)
{
    bulk(out, text, strlen(text));
}

static void bulk_pair(struct buffer *out, const char *prefix, const char *text)
{
    char joined[128];
    int length = snprintf(joined, sizeof(joined), "%s%s", prefix, text);
    bulk(out, joined, (size_t)length);
}

static size_t join(const char *const *texts, unsigned count, const char *separator, char *out, size_t size)
{
    size_t length = 0;
    for (unsigned k = 0; k < count; k++) {
        length += (size_t)snprintf(out + length, size - length, "%s%s", k == 0 ? "" : separator, texts[k]);
    }
    out[length] = '\0';
    return length;
}

static void hash_field(struct buffer *out, const char *name, const char *value)
{
    bulk_text(out, name);
    bulk_text(out, value);
}

unsigned person_write_redis(const struct person *person, struct buffer *out)
{
    char age[8], interests[256], cohorts[256];
    snprintf(age, sizeof(age), "%u", person->age);
    join(person->interests, person->interest_count, ";", interests, sizeof(interests));
    join(person->cohorts, person->cohort_count, ";", cohorts, sizeof(cohorts));

    buffer_append_cstr(out, "*26\r\n$4\r\nHSET\r\n");
    bulk_pair(out, "u:", person->cookie);
    hash_field(out, "cookie", person->cookie);
    hash_field(out, "email", person->email);
    hash_field(out, "phone_number", person->phone);
    hash_field(out, "city", person->city);
    hash_field(out, "state", person->state);
    hash_field(out, "country", person->country);
    hash_field(out, "age", age);
    hash_field(out, "gender", person->gender);
    hash_field(out, "income", person->income);
    hash_field(out, "education", person->education);
    hash_field(out, "interests", interests);
    hash_field(out, "cohorts", cohorts);
    for (unsigned k = 0; k < person->cohort_count; k++) {
        buffer_append_cstr(out, "*3\r\n$4\r\nSADD\r\n");
        bulk_pair(out, "c:", person->cohorts[k]);
        bulk(out, person->cookie, COOKIE_LENGTH);
    }
    buffer_append_cstr(out, "*3\r\n$3\r\nSET\r\n");
    bulk_pair(out, "e:", person->email);
    bulk(out, person->cookie, COOKIE_LENGTH);
    buffer_append_cstr(out, "*3\r\n$3\r\nSET\r\n");
    bulk_pair(out, "p:", person->phone);
    bulk(out, person->cookie, COOKIE_LENGTH);
    return 3 + person->cohort_count;
}

unsigned person_write_redis_sorted(uint64_t i, const struct person *person, struct buffer *out)
{
    char score[24];
    snprintf(score, sizeof(score), "%llu", (unsigned long long)i);
    for (unsigned k = 0; k < person->cohort_count; k++) {
        buffer_append_cstr(out, "*4\r\n$4\r\nZADD\r\n");
        bulk_pair(out, "z:", person->cohorts[k]);
        bulk_text(out, score);
        bulk(out, person->cookie, COOKIE_LENGTH);
    }
    return person->cohort_count;
}

/* ---- PostgreSQL ------------------------------------------------------------------------------- */

enum { COLUMN_COUNT = 12 };

static void array_literal(const char *const *texts, unsigned count, char *out, size_t size)
{
    size_t length = (size_t)snprintf(out, size, "{");
    for (unsigned k = 0; k < count; k++) {
        length += (size_t)snprintf(out + length, size - length, "%s\"%s\"", k == 0 ? "" : ",", texts[k]);
    }
    snprintf(out + length, size - length, "}");
}

struct columns {
    const char *values[COLUMN_COUNT];
    size_t lengths[COLUMN_COUNT];
    char age[8], interests[256], cohorts[256];
};

static void fill_columns(const struct person *person, struct columns *columns)
{
    snprintf(columns->age, sizeof(columns->age), "%u", person->age);
    array_literal(person->interests, person->interest_count, columns->interests, sizeof(columns->interests));
    array_literal(person->cohorts, person->cohort_count, columns->cohorts, sizeof(columns->cohorts));
    const char *values[COLUMN_COUNT] = {person->cookie, person->email,  person->phone,      person->city,
                                        person->state,  person->country, columns->age,       person->gender,
                                        person->income, person->education, columns->interests, columns->cohorts};
    for (unsigned k = 0; k < COLUMN_COUNT; k++) {
        columns->values[k] = values[k];
        columns->lengths[k] = strlen(values[k]);
    }
}

void person_write_copy(const struct person *person, struct buffer *out)
{
    struct columns columns;
    fill_columns(person, &columns);
    for (unsigned k = 0; k < COLUMN_COUNT; k++) {
        buffer_append(out, columns.values[k], columns.lengths[k]);
        buffer_append_char(out, k + 1 < COLUMN_COUNT ? '\t' : '\n');
    }
}

static void big_endian(struct buffer *out, uint32_t value, unsigned bytes)
{
    for (unsigned k = bytes; k-- > 0;) {
        buffer_append_char(out, (char)(value >> (8 * k)));
    }
}

void pg_append_u32(struct buffer *out, uint32_t value)
{
    big_endian(out, value, 4);
}

void pg_bind_execute_sync(const char *const *values, const size_t *lengths, unsigned count, struct buffer *out)
{
    /* Bind: portal "", statement "s", all parameters and results as text. */
    size_t size = 4 + 1 + 2 + 2 + 2 + 2;
    for (unsigned k = 0; k < count; k++) {
        size += 4 + lengths[k];
    }
    buffer_append_char(out, 'B');
    big_endian(out, (uint32_t)size, 4);
    buffer_append(out, "\0s\0\0\0", 5);
    big_endian(out, count, 2);
    for (unsigned k = 0; k < count; k++) {
        big_endian(out, (uint32_t)lengths[k], 4);
        buffer_append(out, values[k], lengths[k]);
    }
    big_endian(out, 0, 2);
    buffer_append(out, "E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04", 15);
}

void person_write_upsert(const struct person *person, struct buffer *out)
{
    struct columns columns;
    fill_columns(person, &columns);
    pg_bind_execute_sync(columns.values, columns.lengths, COLUMN_COUNT, out);
}
