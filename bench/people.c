#include "people.h"

#include <stdio.h>
#include <string.h>

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuv";

static const char *const first_names[] = {
    "james",  "mary",      "robert",  "patricia",  "john",    "jennifer", "michael",  "linda",
    "david",  "elizabeth", "william", "barbara",   "richard", "susan",    "joseph",   "jessica",
    "thomas", "sarah",     "charles", "karen",     "wei",     "fatima",   "santiago", "ingrid",
    "kofi",   "priya",     "yuki",    "oluwaseun", "mateo",   "zofia",    "ahmed",    "chloe"};
static const char *const last_names[] = {
    "smith",     "johnson",  "williams",  "brown",   "jones",    "garcia",   "miller",   "davis",
    "rodriguez", "martinez", "hernandez", "lopez",   "gonzalez", "wilson",   "anderson", "thomas",
    "taylor",    "moore",    "jackson",   "martin",  "lee",      "perez",    "thompson", "white",
    "harris",    "sanchez",  "clark",     "ramirez", "lewis",    "robinson", "walker",   "young"};
static const struct {
    const char *city, *state, *country;
} places[] = {{"New York", "New York", "USA"},
              {"Los Angeles", "California", "USA"},
              {"Chicago", "Illinois", "USA"},
              {"Houston", "Texas", "USA"},
              {"Phoenix", "Arizona", "USA"},
              {"Philadelphia", "Pennsylvania", "USA"},
              {"San Antonio", "Texas", "USA"},
              {"San Diego", "California", "USA"},
              {"Dallas", "Texas", "USA"},
              {"Jacksonville", "Florida", "USA"},
              {"Austin", "Texas", "USA"},
              {"Columbus", "Ohio", "USA"},
              {"Charlotte", "North Carolina", "USA"},
              {"Indianapolis", "Indiana", "USA"},
              {"Seattle", "Washington", "USA"},
              {"Denver", "Colorado", "USA"},
              {"Boston", "Massachusetts", "USA"},
              {"Nashville", "Tennessee", "USA"},
              {"Detroit", "Michigan", "USA"},
              {"Portland", "Oregon", "USA"},
              {"Brooklyn", "New York", "USA"},
              {"Las Vegas", "Nevada", "USA"},
              {"Baltimore", "Maryland", "USA"},
              {"Milwaukee", "Wisconsin", "USA"}};
static const char *const genders[] = {"Male", "Female", "Non-binary"};
static const char *const incomes[] = {"$0-$24,999",       "$25,000-$49,999",   "$50,000-$74,999",
                                      "$75,000-$99,999",  "$100,000-$149,999", "$150,000-$199,999",
                                      "$200,000 and more"};
static const char *const educations[] = {"High School", "Associate Degree", "Bachelor's Degree",
                                         "Master's Degree", "Doctorate"};

/* Interests as typed, the frequent ones: ten subjects with eight each. */
enum {
    SUBJECT_COUNT = 10,
    SUBJECT_INTERESTS = 8,
    FREQUENT_COUNT = SUBJECT_COUNT * SUBJECT_INTERESTS
};
static const char *const frequent[FREQUENT_COUNT] = {
    "cricket",
    "football",
    "basketball",
    "tennis",
    "rugby",
    "volleyball",
    "badminton",
    "ice hockey",
    "web development",
    "programming",
    "software",
    "gadgets",
    "smartphones",
    "cybersecurity",
    "laptops",
    "cloud computing",
    "investing",
    "stocks",
    "banking",
    "budgeting",
    "personal finance",
    "credit cards",
    "mutual funds",
    "taxes",
    "jazz",
    "guitar",
    "rock music",
    "hip hop",
    "orchestra",
    "concerts",
    "piano",
    "classical music",
    "travel",
    "cruises",
    "hotels",
    "backpacking",
    "airlines",
    "vacations",
    "sightseeing",
    "beach holidays",
    "cooking",
    "baking",
    "cheese",
    "coffee",
    "recipes",
    "barbecue",
    "vegan food",
    "restaurants",
    "cars",
    "trucks",
    "motorcycles",
    "pickup trucks",
    "auto repair",
    "classic cars",
    "suvs",
    "car repair",
    "fashion",
    "shoes",
    "handbags",
    "streetwear",
    "jewelry",
    "dresses",
    "cardigans",
    "designer clothes",
    "dogs",
    "cats",
    "aquariums",
    "dog training",
    "horses",
    "hamsters",
    "puppies",
    "pet care",
    "video games",
    "nintendo switch",
    "playstation",
    "xbox",
    "nintendo",
    "board games",
    "minecraft",
    "role playing games",
};

/* The rare ones are a word of the first list and one of the second: things that a person here and
 * there is fond of. */
static const char *const rare_first[] = {
    "antique",   "norwegian", "miniature", "wooden",   "victorian", "handmade",  "forgotten",
    "bavarian",  "medieval",  "japanese",  "painted",  "rural",     "abandoned", "giant",
    "edwardian", "copper",    "porcelain", "baltic",   "celtic",    "tropical",  "alpine",
    "urban",     "ottoman",   "desert",    "coastal",  "woven",     "enamel",    "lunar",
    "arctic",    "brass",     "soviet",    "folding",  "scottish",  "marble",    "roman",
    "silent",    "glowing",   "hanging",   "peruvian", "floating"};
static const char *const rare_second[] = {
    "lanterns",    "lighthouses", "teapots",     "bridges",    "clocks",      "fountains",
    "kites",       "puppets",     "windmills",   "stamps",     "carvings",    "chandeliers",
    "locks",       "maps",        "mirrors",     "mosaics",    "umbrellas",   "quilts",
    "barometers",  "typewriters", "fossils",     "orchids",    "mosses",      "ferns",
    "beetles",     "moths",       "owls",        "herons",     "tortoises",   "salamanders",
    "volcanoes",   "glaciers",    "caves",       "meteorites", "comets",      "sundials",
    "telescopes",  "microscopes", "balloons",    "gliders",    "railways",    "trams",
    "funiculars",  "canals",      "ferries",     "tugboats",   "submarines",  "anchors",
    "harbours",    "castles",     "ruins",       "cathedrals", "monasteries", "gargoyles",
    "gardens",     "hedges",      "greenhouses", "orchards",   "vineyards",   "beehives",
    "recipes",     "breads",      "cheeses",     "pickles",    "teas",        "spices",
    "pastries",    "liqueurs",    "soups",       "noodles",    "ballads",     "flutes",
    "accordions",  "organs",      "drums",       "operas",     "choirs",      "dances",
    "festivals",   "carnivals",   "poems",       "legends",    "proverbs",    "manuscripts",
    "bookbinding", "calligraphy", "posters",     "postcards",  "photographs", "films",
    "comics",      "puzzles",     "chess sets",  "card games", "marbles",     "dolls",
    "trains",      "boats",       "rockets",     "robots",     "coins",       "medals",
    "buttons",     "ribbons",     "hats",        "boots",      "scarves",     "gloves",
    "kilts",       "kimonos",     "rings",       "brooches",   "beads",       "perfumes",
    "soaps",       "candles",     "baskets",     "barrels",    "bottles",     "spoons",
    "knives",      "swords",      "shields",     "armour",     "flags",       "uniforms",
    "badges",      "tattoos",     "masks",       "statues",    "radios",      "gramophones",
    "cameras",     "calculators", "batteries",   "engines",    "tractors",    "bicycles",
    "scooters",    "caravans",    "tents",       "saddles",    "sledges",     "canoes",
    "snowshoes",   "compasses",   "ropes",       "hammocks",   "campfires",   "waterfalls",
    "springs",     "marshes",     "dunes",       "reefs",      "islands",     "forests",
    "meadows",     "trails",      "passes",      "summits",    "alphabets",   "dialects",
    "grammars",    "ciphers",     "calendars",   "paradoxes",  "theorems",    "fractals",
    "tilings",     "polyhedra",   "furniture",   "cabinets",   "cupboards",   "carpets",
    "curtains",    "wallpapers",  "tiles",       "bricks",     "roofs",       "doors",
    "chimneys",    "stoves",      "kettles",     "jugs",       "bowls",       "plates",
    "vases",       "pipes",       "pens",        "inks",       "pigments",    "dyes",
    "textiles",    "laces",       "looms",       "threads",    "needles",     "thimbles",
    "scissors",    "whistles"};
enum {
    RARE_SECOND_COUNT = sizeof(rare_second) / sizeof(rare_second[0]),
    RARE_COUNT = sizeof(rare_first) / sizeof(rare_first[0]) * RARE_SECOND_COUNT,
    INTEREST_COUNT = FREQUENT_COUNT + RARE_COUNT,
    /* One person in so many has a rare one; they have 2.4 others on average, so 1.3 % of all
     * interests are rare. */
    RARE_EVERY = 32,
    COHORTS_EACH_MAX = 6,
};

/* ---- what the interests lead to, as the server under test says ------------------------------- */

static struct {
    char names[COHORT_NAMES_MAX][64];
    unsigned count;
    struct {
        uint8_t count;
        uint8_t cohorts[COHORTS_EACH_MAX];
    } of[INTEREST_COUNT];
} told;

static void interest_text(unsigned interest, char out[INTEREST_BYTES_MAX])
{
    if (interest < FREQUENT_COUNT) {
        snprintf(out, INTEREST_BYTES_MAX, "%s", frequent[interest]);
    } else {
        unsigned rare = interest - FREQUENT_COUNT;
        snprintf(out, INTEREST_BYTES_MAX, "%s %s", rare_first[rare / RARE_SECOND_COUNT],
                 rare_second[rare % RARE_SECOND_COUNT]);
    }
}

void people_write_interests(FILE *out)
{
    for (unsigned k = 0; k < INTEREST_COUNT; k++) {
        char text[INTEREST_BYTES_MAX];
        interest_text(k, text);
        fprintf(out, "%s\n", text);
    }
}

/* The number of a cohort's name; -1 when there are too many. */
static int cohort_number(const char *name)
{
    for (unsigned k = 0; k < told.count; k++) {
        if (strcmp(told.names[k], name) == 0) {
            return (int)k;
        }
    }
    if (told.count == COHORT_NAMES_MAX || strlen(name) >= sizeof(told.names[0])) {
        return -1;
    }
    memcpy(told.names[told.count], name, strlen(name) + 1);
    return (int)told.count++;
}

bool people_read_cohorts(FILE *in)
{
    char line[1024];
    for (unsigned k = 0; k < INTEREST_COUNT; k++) {
        char text[INTEREST_BYTES_MAX], *rest = line;
        interest_text(k, text);
        if (fgets(line, sizeof(line), in) == NULL) {
            return false;
        }
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(strsep(&rest, "\t"), text) != 0) {
            return false;
        }
        while (rest != NULL) {
            int cohort = cohort_number(strsep(&rest, "\t"));
            if (cohort < 0 || told.of[k].count == COHORTS_EACH_MAX) {
                return false;
            }
            told.of[k].cohorts[told.of[k].count++] = (uint8_t)cohort;
        }
    }
    return fgetc(in) == EOF;
}

/* ---- people ---------------------------------------------------------------------------------- */

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

static void add_interest(struct person *person, unsigned interest, const char *text)
{
    for (unsigned k = 0; k < person->interest_count; k++) {
        if (person->interests[k] == text) {
            return;
        }
    }
    person->interests[person->interest_count++] = text;
    for (unsigned k = 0; k < told.of[interest].count; k++) {
        add_cohort(person, told.names[told.of[interest].cohorts[k]]);
    }
}

static void add_interests(uint64_t i, struct person *person)
{
    unsigned wanted = 1 + (unsigned)(mix64(i * 7 + 5) % 4);
    for (unsigned k = 0; k < wanted; k++) {
        uint64_t random = mix64(i * 7 + 6 + ((uint64_t)k << 40));
        unsigned interest = skewed(random, SUBJECT_COUNT) * SUBJECT_INTERESTS +
                            skewed(random >> 16, SUBJECT_INTERESTS);
        add_interest(person, interest, frequent[interest]);
    }
    uint64_t random = mix64(i * 7 + 11);
    if (random % RARE_EVERY == 0) {
        unsigned interest = FREQUENT_COUNT + (unsigned)((random >> 8) % RARE_COUNT);
        interest_text(interest, person->rare_interest);
        add_interest(person, interest, person->rare_interest);
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
    static const unsigned area_codes[] = {212, 213, 312, 713, 602, 215, 210, 619, 214,
                                          904, 512, 614, 704, 317, 206, 303, 617};
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

/* ---- a wide table ---------------------------------------------------------------------------- */

enum { TABLE_DATES = 10, TABLE_AMOUNTS = 10, TABLE_NAMES = 10 };

void person_write_table_head(struct buffer *out)
{
    buffer_append_cstr(out, "row,customer,mail,phone,town,region,land,age,sex,income,school");
    for (unsigned k = 0; k < TABLE_DATES; k++) {
        buffer_append_format(out, ",date_%u", k);
    }
    for (unsigned k = 0; k < TABLE_AMOUNTS; k++) {
        buffer_append_format(out, ",amount_%u", k);
    }
    for (unsigned k = 0; k < TABLE_NAMES; k++) {
        buffer_append_format(out, ",name_%u", k);
    }
    buffer_append_char(out, '\n');
}

void person_write_table_row(uint64_t i, const struct person *person, struct buffer *out)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    buffer_append_format(out, "r%llu,%s, %s ,%s,%s,%s,%s,%u,%s,\"%s\",\"%s\"",
                         (unsigned long long)i, person->cookie, person->email, person->phone,
                         person->city, person->state, person->country, person->age, person->gender,
                         person->income, person->education);
    uint64_t random = i;
    for (unsigned k = 0; k < TABLE_DATES; k++) {
        random = mix64(random);
        buffer_append_format(out, ",%u %s %u", 1 + (unsigned)(random % 28),
                             PICK(months, random >> 8), 1990 + (unsigned)((random >> 16) % 35));
    }
    for (unsigned k = 0; k < TABLE_AMOUNTS; k++) {
        random = mix64(random);
        buffer_append_format(out, ",\"%u.%03u,%02u\"", 1 + (unsigned)(random % 9),
                             (unsigned)((random >> 8) % 1000), (unsigned)((random >> 24) % 100));
    }
    for (unsigned k = 0; k < TABLE_NAMES; k++) {
        random = mix64(random);
        buffer_append_format(out, ", %s  %s ", PICK(rare_first, random),
                             PICK(rare_second, random >> 20));
    }
    buffer_append_char(out, '\n');
}

/* ---- Redis ----------------------------------------------------------------------------------- */

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

static size_t join(const char *const *texts, unsigned count, const char *separator, char *out,
                   size_t size)
{
    size_t length = 0;
    for (unsigned k = 0; k < count; k++) {
        length += (size_t)snprintf(out + length, size - length, "%s%s", k == 0 ? "" : separator,
                                   texts[k]);
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
    char age[8], interests[256], cohorts[1024];
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
    if (person->age < GROWN_UP_AGE) {
        return 0;
    }
    buffer_append_cstr(out, "*4\r\n$4\r\nZADD\r\n");
    bulk_text(out, "z:Grown-ups");
    bulk_text(out, score);
    bulk(out, person->cookie, COOKIE_LENGTH);
    return 1;
}

/* ---- PostgreSQL ------------------------------------------------------------------------------ */

enum { COLUMN_COUNT = 12 };

static void array_literal(const char *const *texts, unsigned count, char *out, size_t size)
{
    size_t length = (size_t)snprintf(out, size, "{");
    for (unsigned k = 0; k < count; k++) {
        length +=
            (size_t)snprintf(out + length, size - length, "%s\"%s\"", k == 0 ? "" : ",", texts[k]);
    }
    snprintf(out + length, size - length, "}");
}

struct columns {
    const char *values[COLUMN_COUNT];
    size_t lengths[COLUMN_COUNT];
    char age[8], interests[256], cohorts[1024];
};

static void fill_columns(const struct person *person, struct columns *columns)
{
    snprintf(columns->age, sizeof(columns->age), "%u", person->age);
    array_literal(person->interests, person->interest_count, columns->interests,
                  sizeof(columns->interests));
    array_literal(person->cohorts, person->cohort_count, columns->cohorts,
                  sizeof(columns->cohorts));
    const char *values[COLUMN_COUNT] = {person->cookie,    person->email,      person->phone,
                                        person->city,      person->state,      person->country,
                                        columns->age,      person->gender,     person->income,
                                        person->education, columns->interests, columns->cohorts};
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

void pg_bind_execute_sync(const char *const *values, const size_t *lengths, unsigned count,
                          struct buffer *out)
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
