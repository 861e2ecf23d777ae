/* What a record says (fill_*), and how it is written down as JSON (RFC 8259) or CSV (RFC 4180). */
#include <string.h>

#include "household.h"
#include "typing.h"

enum { RECORD_INTERESTS_MAX = PERSON_INTERESTS_MAX + 1, SCRATCH_BYTES = 2048 };

/* Absent texts are SLICE_NONE. Texts point into the tables, the person or the scratch. */
struct draft {
    struct slice message_id;
    struct slice timestamp;
    struct slice cookie;
    struct slice email;
    struct slice phone;
    struct slice user_id;
    struct slice device_id;
    struct slice first_name;
    struct slice last_name;
    struct slice street;
    struct slice city;
    struct slice state;
    struct slice country;
    struct slice postal_code;
    int age; /* 0: absent */
    struct slice gender;
    struct slice income;
    struct slice education;
    struct slice interests[RECORD_INTERESTS_MAX];
    size_t interest_count;
    struct slice plan;
    struct slice newsletter; /* true or false */
    struct slice lifetime_value;
    struct slice channel;
    char *scratch_at;
    char scratch[SCRATCH_BYTES];
};

/* A slice of what was just typed at the scratch. */
static struct slice typed(struct draft *draft, char *end)
{
    struct slice text = slice_of(draft->scratch_at, (size_t)(end - draft->scratch_at));
    draft->scratch_at = end;
    CHECK(end + TYPED_MAX <= draft->scratch + SCRATCH_BYTES);
    return text;
}

/* Numbers that look random, are different for different n, and other ones for another seed:
 * multiplying by an odd number and adding permute the numbers below 2^64, and those below 2^36. */
static uint64_t scramble(uint64_t n, uint64_t seed)
{
    return n * UINT64_C(0x9E3779B97F4A7C15) + derive_seed(seed, 3, 5);
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void fill_location(struct draft *draft, const struct household *household, struct prng *prng)
{
    const struct demo_city *city = &demo_cities[household->city];
    const struct demo_country *country = &demo_countries[city->country];
    int spellings = 1;
    while (spellings < 4 && country->names[spellings] != NULL) {
        spellings++;
    }
    draft->country =
        slice_from_cstr(country->names[chance(prng, 700) ? 0 : below(prng, (uint32_t)spellings)]);
    if (chance(prng, 60)) {
        return; /* all that the address of the connection told */
    }
    draft->city = slice_from_cstr(city->name);
    draft->state = slice_from_cstr(city->state_code != NULL && chance(prng, 750) ? city->state_code
                                                                                 : city->state);
}

static void fill_address(struct draft *draft, const struct household *household)
{
    const struct demo_country *country = &demo_countries[demo_cities[household->city].country];
    char *at = draft->scratch_at;
    if (country->street_style == STREET_NUMBER_FIRST) {
        at = type_number(at, household->house_number, 1);
        *at++ = ' ';
        at = type_text(at, household->street);
    } else {
        at = type_text(at, household->street);
        *at++ = ' ';
        at = type_number(at, household->house_number, 1);
    }
    if (household->apartment != 0) {
        at = type_text(at, ", Apt ");
        at = type_number(at, household->apartment, 1);
    }
    draft->street = typed(draft, at);
    draft->postal_code = slice_from_cstr(household->postal_code);
}

static void fill_demographics(struct draft *draft, const struct person *person,
                              const struct event *event, struct prng *prng)
{
    static const char *const genders[] = {"Female", "Male", "Non-binary"};
    static const char *const short_genders[] = {"F", "m", "non-binary"};
    static const char *const incomes[] = {
        "Under $25,000",     "$25,000-$49,999",   "$50,000-$74,999", "$75,000-$99,999",
        "$100,000-$149,999", "$150,000-$199,999", "$200,000+"};
    static const char *const educations[] = {"High School",        "Some College",
                                             "Associate's Degree", "Bachelor's Degree",
                                             "Master's Degree",    "Doctorate"};
    uint32_t days_ago = LISTED_DAYS - event->at_seconds / 86400;
    draft->age =
        person->age - (days_ago > person->birthday_day) - (days_ago > person->birthday_day + 365u);
    draft->gender = slice_from_cstr((chance(prng, 900) ? genders : short_genders)[person->gender]);
    if (chance(prng, 750)) {
        draft->income = slice_from_cstr(incomes[person->income]);
    }
    if (chance(prng, 850)) {
        draft->education = slice_from_cstr(educations[person->education]);
    }
}

static void fill_name(struct draft *draft, const struct person *person, struct prng *prng)
{
    draft->first_name = slice_from_cstr(person->first_name);
    draft->last_name = slice_from_cstr(person->last_name);
    uint32_t manner = below(prng, 250);
    if (manner == 0) { /* a nickname in quotation marks, as in old address books */
        char *at = type_text(draft->scratch_at, person->first_name);
        at = type_text(at, " \"");
        char *nickname = at;
        at = type_text(at, person->first_name);
        at = at - nickname > 3 && (nickname[3] & 0x80) == 0 && (nickname[2] & 0x80) == 0
                 ? nickname + 3
                 : at;
        *at++ = '"';
        draft->first_name = typed(draft, at);
    } else if (manner < 8) { /* in capitals, where they are plain letters */
        char *at = type_text(draft->scratch_at, person->last_name);
        for (char *c = draft->scratch_at; c < at; c++) {
            *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
        }
        draft->last_name = typed(draft, at);
    }
}

static void fill_interests(struct draft *draft, const struct household_maker *maker,
                           const struct person *person, struct prng *prng)
{
    uint32_t wanted = 1 + skewed(prng, person->interest_count);
    uint32_t from = below(prng, person->interest_count);
    for (uint32_t i = 0; i < wanted; i++) {
        struct interest interest = person->interests[(from + i) % person->interest_count];
        const char *phrase = demo_topics[interest.topic].phrases[interest.phrase];
        draft->interests[draft->interest_count++] =
            typed(draft, type_interest(prng, draft->scratch_at, phrase));
    }
    if (chance(prng, 8)) {
        draft->interests[draft->interest_count++] =
            slice_from_cstr(demo_non_interests[below(prng, maker->sizes.non_interests)]);
    }
}

static void fill_account(struct draft *draft, const struct person *person, struct prng *prng)
{
    static const char *const plans[] = {"free", "plus", "premium"};
    draft->plan = slice_from_cstr(plans[person->plan]);
    if (chance(prng, 500)) {
        draft->newsletter = person->newsletter ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
    }
}

/* Grows as time goes by, so that the newest record has the truth. */
static void fill_value(struct draft *draft, const struct person *person, const struct event *event)
{
    uint64_t cents = (uint64_t)person->value_cents * (event->at_seconds / 86400 + 1) / LISTED_DAYS;
    char *at = type_number(draft->scratch_at, cents / 100, 1);
    *at++ = '.';
    draft->lifetime_value = typed(draft, type_number(at, cents % 100, 2));
}

/* Whoever signs in, or stands in the files, is known by e-mail; without one by their number with
 * us. */
static void fill_identity(struct draft *draft, const struct person *person, uint64_t seed,
                          struct prng *prng)
{
    if (person->email[0] != '\0') {
        draft->email = typed(draft, type_email(prng, draft->scratch_at, person->email));
    }
    if (person->has_user_id && (person->email[0] == '\0' || chance(prng, 700))) {
        char *at = type_text(draft->scratch_at, "U");
        draft->user_id = typed(
            draft, type_number(at, scramble(person->index, seed) & ((UINT64_C(1) << 36) - 1), 11));
    }
}

static void fill_phone(struct draft *draft, const struct household *household,
                       const struct person *person, struct prng *prng)
{
    /* The number of the household is told only together with an e-mail address, or it would make
     * one of two people. */
    struct phone phone = person->phone;
    if (household->phone.number != 0 && person->email[0] != '\0' &&
        (phone.number == 0 || chance(prng, 200))) {
        phone = household->phone;
    }
    if (phone.number != 0) {
        draft->phone = typed(draft, type_phone(prng, draft->scratch_at, phone));
    } else if (chance(prng, 20)) {
        draft->phone = SLICE_LITERAL("n/a");
    }
}

static void fill_web(struct draft *draft, const struct household_maker *maker,
                     const struct household *household, const struct person *person,
                     const struct event *event, struct prng *prng)
{
    const struct device *device = &person->devices[event->device];
    bool app = event->kind == EVENT_APP;
    draft->channel = app ? SLICE_LITERAL("app") : SLICE_LITERAL("web");
    if (!app || event->sign_in || device->anonymous || chance(prng, 500)) {
        draft->cookie = slice_of(device->cookie, COOKIE_LENGTH);
    }
    if (device->mobile && (app || event->sign_in)) {
        draft->device_id = slice_of(device->device_id, DEVICE_ID_LENGTH);
    }
    if (chance(prng, 650)) {
        fill_location(draft, household, prng);
    }
    if (chance(prng, event->sign_in ? 700 : 450)) {
        fill_interests(draft, maker, person, prng);
    }
    if (event->sign_in) {
        fill_identity(draft, person, maker->seed, prng);
        if (chance(prng, 400)) {
            fill_name(draft, person, prng);
        }
        if (chance(prng, 350)) {
            fill_demographics(draft, person, event, prng);
        }
        if (app || chance(prng, 250)) {
            fill_account(draft, person, prng);
        }
    }
}

static void fill_office(struct draft *draft, const struct household_maker *maker,
                        const struct household *household, const struct person *person,
                        const struct event *event, struct prng *prng)
{
    draft->channel = event->kind == EVENT_STORE ? SLICE_LITERAL("store") : SLICE_LITERAL("crm");
    fill_location(draft, household, prng);
    if (event->kind == EVENT_STORE) {
        draft->phone = typed(draft, type_phone(prng, draft->scratch_at, person->phone));
        fill_value(draft, person, event);
        return;
    }
    fill_identity(draft, person, maker->seed, prng);
    if (person->phone.number != 0 && event->own_phone) {
        draft->phone = typed(draft, type_phone(prng, draft->scratch_at, person->phone));
    } else {
        fill_phone(draft, household, person, prng);
    }
    fill_name(draft, person, prng);
    fill_address(draft, household);
    if (chance(prng, 800)) {
        fill_demographics(draft, person, event, prng);
    }
    fill_account(draft, person, prng);
    fill_value(draft, person, event);
    if (chance(prng, 350)) {
        fill_interests(draft, maker, person, prng);
    }
}

static void fill_message_id(struct draft *draft, uint64_t seed, uint64_t person, uint64_t number)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t id = scramble(person << 8 | number, seed);
    char *at = type_text(draft->scratch_at, "m-");
    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = hex[(id >> shift) & 15];
    }
    draft->message_id = typed(draft, at);
}

/* ---- how it is written ----------------------------------------------------------------------- */

static char *put_json_string(char *to, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    *to++ = '"';
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\') {
            *to++ = '\\';
        } else if ((unsigned char)c < 0x20) {
            to = type_text(to, "\\u00");
            *to++ = hex[c >> 4];
            c = hex[c & 15];
        }
        *to++ = c;
    }
    *to++ = '"';
    return to;
}

/* `key` has its quotation marks, its colon, and the comma that may come before it. */
static char *put_json_member(char *to, struct slice key, struct slice text)
{
    if (text.data == NULL) {
        return to;
    }
    memcpy(to, key.data, key.length);
    return put_json_string(to + key.length, text);
}

static char *put_json_raw(char *to, struct slice key, struct slice text)
{
    if (text.data == NULL) {
        return to;
    }
    memcpy(to, key.data, key.length);
    memcpy(to + key.length, text.data, text.length);
    return to + key.length + text.length;
}

#define MEMBER(key, text)     to = put_json_member(to, SLICE_LITERAL(",\"" key "\":"), text)
#define RAW_MEMBER(key, text) to = put_json_raw(to, SLICE_LITERAL(",\"" key "\":"), text)

/* Members were written with a comma before each: the first one's becomes the brace. */
static char *close_object(char *begin, char *to)
{
    *begin = '{';
    *to = '}';
    return to + 1;
}

static char *put_json_location(char *to, const struct draft *draft)
{
    to = put_json_raw(to, SLICE_LITERAL(","), SLICE_LITERAL("\"location\":"));
    char *begin = to;
    MEMBER("street", draft->street);
    MEMBER("city", draft->city);
    MEMBER("state", draft->state);
    MEMBER("country", draft->country);
    MEMBER("postal_code", draft->postal_code);
    return close_object(begin, to);
}

static char *put_json_demographics(char *to, const struct draft *draft)
{
    to = put_json_raw(to, SLICE_LITERAL(","), SLICE_LITERAL("\"demographics\":"));
    char *begin = to;
    to = type_text(to, ",\"age\":");
    to = type_number(to, (uint64_t)draft->age, 1);
    MEMBER("gender", draft->gender);
    MEMBER("income", draft->income);
    MEMBER("education", draft->education);
    return close_object(begin, to);
}

static char *put_json(char *to, const struct draft *draft)
{
    char *begin = to;
    MEMBER("cookie", draft->cookie);
    MEMBER("email", draft->email);
    MEMBER("phone", draft->phone);
    MEMBER("user_id", draft->user_id);
    MEMBER("device_id", draft->device_id);
    MEMBER("first_name", draft->first_name);
    MEMBER("last_name", draft->last_name);
    if (draft->country.data != NULL) {
        to = put_json_location(to, draft);
    }
    if (draft->age != 0) {
        to = put_json_demographics(to, draft);
    }
    if (draft->interest_count > 0) {
        to = type_text(to, ",\"interests\":");
        char separator = '[';
        for (size_t i = 0; i < draft->interest_count; i++) {
            *to++ = separator;
            to = put_json_string(to, draft->interests[i]);
            separator = ',';
        }
        *to++ = ']';
    }
    MEMBER("plan", draft->plan);
    RAW_MEMBER("newsletter", draft->newsletter);
    RAW_MEMBER("lifetime_value", draft->lifetime_value);
    MEMBER("channel", draft->channel);
    MEMBER("timestamp", draft->timestamp);
    MEMBER("message_id", draft->message_id);
    to = close_object(begin, to);
    *to++ = '\n';
    return to;
}

static const char csv_header[] =
    "cookie,email,phone,user_id,device_id,first_name,last_name,street,city,state,country,"
    "postal_code,age,gender,income,education,interests,plan,newsletter,lifetime_value,channel,"
    "timestamp,message_id\n";

size_t record_csv_header(char *to)
{
    memcpy(to, csv_header, sizeof csv_header - 1);
    return sizeof csv_header - 1;
}

static char *put_csv_field(char *to, struct slice text)
{
    bool quote = text.length > 0 && (text.data[0] == ' ' || text.data[text.length - 1] == ' ');
    for (size_t i = 0; i < text.length && !quote; i++) {
        char c = text.data[i];
        quote = c == ',' || c == '"' || c == '\n' || c == '\r';
    }
    if (!quote) {
        if (text.length > 0) {
            memcpy(to, text.data, text.length);
        }
        to += text.length;
    } else {
        *to++ = '"';
        for (size_t i = 0; i < text.length; i++) {
            if (text.data[i] == '"') {
                *to++ = '"';
            }
            *to++ = text.data[i];
        }
        *to++ = '"';
    }
    *to++ = ',';
    return to;
}

static char *put_csv(char *to, const struct draft *draft)
{
    char age[8];
    char interests[SCRATCH_BYTES];
    char *end = interests;
    for (size_t i = 0; i < draft->interest_count; i++) {
        if (i > 0) {
            *end++ = ';';
        }
        memcpy(end, draft->interests[i].data, draft->interests[i].length);
        end += draft->interests[i].length;
    }
    struct slice age_text =
        draft->age != 0 ? slice_of(age, (size_t)(type_number(age, (uint64_t)draft->age, 1) - age))
                        : SLICE_NONE;
    const struct slice fields[] = {draft->cookie,
                                   draft->email,
                                   draft->phone,
                                   draft->user_id,
                                   draft->device_id,
                                   draft->first_name,
                                   draft->last_name,
                                   draft->street,
                                   draft->city,
                                   draft->state,
                                   draft->country,
                                   draft->postal_code,
                                   age_text,
                                   draft->gender,
                                   draft->income,
                                   draft->education,
                                   slice_of(interests, (size_t)(end - interests)),
                                   draft->plan,
                                   draft->newsletter,
                                   draft->lifetime_value,
                                   draft->channel,
                                   draft->timestamp,
                                   draft->message_id};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        to = put_csv_field(to, fields[i]);
    }
    to[-1] = '\n';
    return to;
}

size_t record_write(const struct household_maker *maker, const struct household *household,
                    const struct event *event, int64_t start_us, enum population_format format,
                    char *to)
{
    const struct person *person = &household->persons[event->person];
    struct prng prng;
    prng_seed(&prng, derive_seed(maker->seed, person->index, 2u + event->number));
    struct draft draft;
    memset(&draft, 0, offsetof(struct draft, scratch_at));
    draft.scratch_at = draft.scratch;

    int64_t at_us =
        start_us + event->at_seconds * INT64_C(1000000) + below(&prng, 1000) * INT64_C(1000);
    draft.timestamp = typed(&draft, type_timestamp(draft.scratch_at, at_us));
    fill_message_id(&draft, maker->seed, person->index, event->number);
    if (event->kind <= EVENT_APP) {
        fill_web(&draft, maker, household, person, event, &prng);
    } else {
        fill_office(&draft, maker, household, person, event, &prng);
    }
    char *end = format == POPULATION_CSV ? put_csv(to, &draft) : put_json(to, &draft);
    CHECK(end - to <= POPULATION_RECORD_MAX_BYTES);
    return (size_t)(end - to);
}
