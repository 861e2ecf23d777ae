#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "ingest/splitter.h"
#include "unit/classifier/table_classifier.h"
#include "world.h"

/* Small limits, so that they are met all the time. */
const char *const input_settings =
    "{\"default_country\": \"US\","
    " \"identifiers\": [{\"type\": \"email\", \"limit\": 1}, {\"type\": \"user_id\", \"limit\": 1},"
    "                   {\"type\": \"phone\", \"limit\": 2}, {\"type\": \"cookie\", \"limit\": 4},"
    "                   {\"type\": \"device_id\", \"limit\": 3}],"
    " \"blocked\": {\"*\": [\"null\"]}, \"sources\": {\"crm\": 100, \"web\": 10}}";

/* ---- pools ----------------------------------------------------------------------------------- */

static const struct {
    const char *key, *format;
    uint32_t count;
    unsigned percent; /* of the records that have one */
    size_t most;      /* in one record */
} pools[IDENTIFIER_BUILTIN_COUNT] = {
    [IDENTIFIER_EMAIL] = {"email", "e%02u@example.org", 24, 45, 1},
    [IDENTIFIER_USER_ID] = {"user_id", "user-%02u", 14, 20, 1},
    [IDENTIFIER_PHONE] = {"phone", "+120255501%02u", 14, 20, 2},
    [IDENTIFIER_COOKIE] = {"cookie", "cookie-%02u-abcdef", 40, 60, 3},
    [IDENTIFIER_DEVICE_ID] = {"device_id", "device-%02u", 16, 15, 2},
};

/* People who share nothing with anybody: an e-mail, a user id and two cookies each. */
enum { ISLANDS = 12, ISLAND_IDENTIFIERS = 4 };
static const struct {
    uint8_t type;
    const char *format;
} island_pools[ISLAND_IDENTIFIERS] = {{IDENTIFIER_EMAIL, "island%02u@example.net"},
                                      {IDENTIFIER_USER_ID, "island-user-%02u"},
                                      {IDENTIFIER_COOKIE, "island-%02u-first"},
                                      {IDENTIFIER_COOKIE, "island-%02u-second"}};

static void island_identifier(size_t at, uint8_t *type, char out[REF_TEXT])
{
    *type = island_pools[at % ISLAND_IDENTIFIERS].type;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, REF_TEXT, island_pools[at % ISLAND_IDENTIFIERS].format,
             (unsigned)(at / ISLAND_IDENTIFIERS));
#pragma GCC diagnostic pop
}

enum { SHARED_IDENTIFIERS = 24 + 14 + 14 + 40 + 16 };

bool input_identifier(size_t at, uint8_t *type, char out[REF_TEXT])
{
    if (at >= SHARED_IDENTIFIERS) {
        island_identifier(at - SHARED_IDENTIFIERS, type, out);
        return at < SHARED_IDENTIFIERS + ISLANDS * ISLAND_IDENTIFIERS;
    }
    for (uint8_t t = 0; t < IDENTIFIER_BUILTIN_COUNT; at -= pools[t].count, t++) {
        if (at < pools[t].count) {
            *type = t;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(out, REF_TEXT, pools[t].format, (unsigned)at);
#pragma GCC diagnostic pop
            return true;
        }
    }
    return false;
}

static void identifier_text(uint8_t type, uint32_t number, char out[REF_TEXT])
{
    size_t at = number;
    for (uint8_t t = 0; t < type; t++) {
        at += pools[t].count;
    }
    CHECK(input_identifier(at, &type, out));
}

static const char *const cities[] = {"Brooklyn", "Austin", "Boston"};
static const char *const countries[] = {"USA", "Canada", "France"};
static const char *const tiers[] = {"gold", "silver", "bronze"};
static const char *const tags[] = {"vip", "beta", "early", "late"};
static const char *const interests[] = {"Cricket",
                                        "cricket",
                                        "CRICKET",
                                        "Cr\xc3\xad"
                                        "cket",
                                        "Football",
                                        "fantasy football",
                                        "Fantasy-Football",
                                        "flag football",
                                        "Opera",
                                        "opera",
                                        "cooking",
                                        "Cooking",
                                        "nike",
                                        "nike shoes",
                                        "nike socks",
                                        "violin"};
static const char *const sources[] = {"crm", "web", "app", ""};

#define PICK(world, list) ((list)[prng_below(&(world)->prng, ARRAY_COUNT(list))])

static bool percent(struct world *world, unsigned chance)
{
    return prng_below(&world->prng, 100) < chance;
}

struct slice input_source(struct world *world)
{
    return slice_from_cstr(PICK(world, sources));
}

/* ---- JSON ------------------------------------------------------------------------------------ */

struct text {
    char *data;
    size_t length, room;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int more = vsnprintf(text->data + text->length, text->room - text->length, format, args);
    va_end(args);
    CHECK(more >= 0 && (size_t)more < text->room - text->length);
    text->length += (size_t)more;
}

/* `count` different ones of a type, as a JSON value. */
static void add_identifiers(struct world *world, struct text *text, uint8_t type, size_t count)
{
    uint32_t first = (uint32_t)prng_below(&world->prng, pools[type].count);
    add(text, count > 1 ? "[" : "%s", "");
    for (size_t i = 0; i < count; i++) {
        char value[REF_TEXT];
        identifier_text(type, (first + (uint32_t)(i * 7)) % pools[type].count, value);
        add(text, "%s\"%s\"", i > 0 ? "," : "", value);
    }
    add(text, count > 1 ? "]" : "%s", "");
}

static void add_list(struct world *world, struct text *text, const char *const *words,
                     size_t word_count)
{
    size_t count = 1 + prng_below(&world->prng, 3);
    add(text, "[");
    for (size_t i = 0; i < count; i++) {
        add(text, "%s\"%s\"", i > 0 ? "," : "", words[prng_below(&world->prng, word_count)]);
    }
    add(text, "]");
}

/* Two of the four that one of these people has. */
static void add_island(struct world *world, struct text *text)
{
    size_t island = prng_below(&world->prng, ISLANDS);
    size_t first = prng_below(&world->prng, ISLAND_IDENTIFIERS - 1);
    const size_t both[2] = {first == 2 ? 0 : first, first + 1};
    for (size_t i = 0; i < 2; i++) {
        uint8_t type;
        char value[REF_TEXT];
        island_identifier(island * ISLAND_IDENTIFIERS + both[i], &type, value);
        add(text, ",\"%s\":\"%s\"", pools[type].key, value);
    }
}

static void add_fields(struct world *world, struct text *text)
{
    if (percent(world, 30)) {
        add(text, ",\"location\":{\"city\":\"%s\",\"country\":\"%s\"}", PICK(world, cities),
            PICK(world, countries));
    } else if (percent(world, 6)) {
        add(text, ",\"location\":null");
    }
    if (percent(world, 25)) {
        add(text, ",\"demographics\":{\"age\":%u,\"gender\":\"%s\"}",
            10 + (unsigned)prng_below(&world->prng, 40), percent(world, 50) ? "Male" : "Female");
    } else if (percent(world, 10)) {
        add(text, ",\"age\":null");
    }
    if (percent(world, 20)) {
        add(text, ",\"first_name\":\"%s\"", percent(world, 50) ? "Ann" : "Bob");
    }
    if (percent(world, 25)) {
        add(text, ",\"plan\":{\"tier\":\"%s\"}", PICK(world, tiers));
    } else if (percent(world, 8)) {
        add(text, ",\"plan\":{\"tier\":null}");
    }
    if (percent(world, 15)) {
        add(text, ",\"score\":%s", percent(world, 50) ? "2.5" : percent(world, 50) ? "7" : "true");
    }
    if (percent(world, 30)) {
        add(text, ",\"tags\":");
        unsigned kind = (unsigned)prng_below(&world->prng, 10);
        if (kind < 6) {
            add_list(world, text, tags, ARRAY_COUNT(tags));
        } else {
            add(text, kind < 8 ? "\"plain\"" : "null%s", "");
        }
    }
    if (percent(world, 45)) {
        add(text, ",\"interests\":");
        if (percent(world, 85)) {
            add_list(world, text, interests, ARRAY_COUNT(interests));
        } else {
            add(text, "null");
        }
    }
}

/* Often none, often late, sometimes ahead, and often on a coarse grid, so that times are equal. */
static int64_t event_time(struct world *world)
{
    static const int64_t minute = 60ll * 1000000;
    switch (prng_below(&world->prng, 10)) {
    case 0:
    case 1:
    case 2: return 0;
    case 3: return world->now_us + (int64_t)prng_below(&world->prng, 600) * minute;
    case 4:
    case 5:
    case 6:
        return (world->now_us / (60 * minute) - (int64_t)prng_below(&world->prng, 3)) * 60 * minute;
    default: return world->now_us - (int64_t)prng_below(&world->prng, 2 * 24 * 60 * 60) * 1000000;
    }
}

static bool message_id(struct world *world, char out[32])
{
    out[0] = '\0';
    if (!percent(world, 25)) {
        return false;
    }
    bool old = world->next_message > 0 && percent(world, 35);
    uint64_t back =
        old ? 1 + prng_below(&world->prng, world->next_message < 200 ? world->next_message : 200)
            : 0;
    snprintf(out, 32, "m-%llu",
             (unsigned long long)(old ? world->next_message - back : world->next_message++));
    return true;
}

static void read_back(struct world *world, struct input *input, const struct csv_header *header)
{
    struct record_form form = {.format = header ? FORMAT_CSV : FORMAT_JSON,
                               .etl_version = ETL_RULES_VERSION,
                               .header = header};
    struct record_error reason;
    err e = record_read(&world->arena, slice_of(input->text, input->length), &form, world->settings,
                        &input->record, &reason);
    if (e != ERR_OK) {
        world_fail(world, 0, "the ETL refused %.*s: %s", (int)input->length, input->text,
                   reason.message);
    }
    input->draft = (struct draft){.entry = {.kind = ENTRY_RECORD,
                                            .format = (uint8_t)form.format,
                                            .etl_version = ETL_RULES_VERSION,
                                            .payload = slice_of(input->text, input->length)},
                                  .record = &input->record};
}

void input_record(struct world *world, struct input *out)
{
    struct text text = {out->text, 0, sizeof out->text};
    bool some = percent(world, 15);
    if (some) {
        add(&text, "{\"n\":%u", (unsigned)prng_below(&world->prng, 3));
        add_island(world, &text);
    }
    while (!some) {
        text.length = 0;
        add(&text, "{\"n\":%u", (unsigned)prng_below(&world->prng, 3));
        for (uint8_t type = 0; type < IDENTIFIER_BUILTIN_COUNT; type++) {
            if (percent(world, pools[type].percent)) {
                add(&text, ",\"%s\":", pools[type].key);
                add_identifiers(world, &text, type,
                                percent(world, 15) ? 1 + prng_below(&world->prng, pools[type].most)
                                                   : 1);
                some = true;
            }
        }
    }
    add_fields(world, &text);
    int64_t at_us = event_time(world);
    if (at_us != 0) {
        char stamp[TIMESTAMP_TEXT_MAX];
        timestamp_format(at_us, stamp);
        add(&text, ",\"timestamp\":\"%s\"", stamp);
    }
    char message[32];
    if (message_id(world, message)) {
        add(&text, ",\"message_id\":\"%s\"", message);
    }
    add(&text, "}");
    out->length = text.length;
    read_back(world, out, NULL);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

struct csv_header *input_header;
static const char header_bytes[] =
    ",email,user_id,cookie,location.city,age,interests,plan.tier,timestamp,message_id";

void input_table(struct world *world, struct input *out, size_t count)
{
    struct error error;
    if (input_header == NULL) {
        CHECK(csv_header_parse(slice_from_cstr(header_bytes), &input_header, &error) == ERR_OK);
    }
    out[0].length = (size_t)snprintf(out[0].text, sizeof out[0].text, "%s", header_bytes);
    out[0].draft = (struct draft){.entry = {.kind = ENTRY_CSV_HEADER,
                                            .format = FORMAT_CSV,
                                            .etl_version = ETL_RULES_VERSION,
                                            .payload = slice_of(out[0].text, out[0].length)}};
    for (size_t i = 1; i <= count; i++) {
        char email[REF_TEXT] = "", user[REF_TEXT] = "", cookie[REF_TEXT] = "",
             stamp[TIMESTAMP_TEXT_MAX] = "", message[32];
        if (percent(world, 50)) {
            identifier_text(IDENTIFIER_EMAIL, (uint32_t)prng_below(&world->prng, 24), email);
        }
        if (percent(world, 20)) {
            identifier_text(IDENTIFIER_USER_ID, (uint32_t)prng_below(&world->prng, 14), user);
        }
        if (email[0] == '\0' || percent(world, 50)) {
            identifier_text(IDENTIFIER_COOKIE, (uint32_t)prng_below(&world->prng, 40), cookie);
        }
        int64_t at_us = event_time(world);
        if (at_us != 0) {
            timestamp_format(at_us, stamp);
        }
        message_id(world, message);
        struct text text = {out[i].text, 0, sizeof out[i].text};
        add(&text, "%s,%s,%s,%s,", email, user, cookie,
            percent(world, 50) ? PICK(world, cities) : "");
        if (percent(world, 40)) {
            add(&text, "%u", 10 + (unsigned)prng_below(&world->prng, 40));
        }
        add(&text, ",");
        if (percent(world, 40)) {
            add(&text, "%s;%s", PICK(world, interests), PICK(world, interests));
        }
        add(&text, ",%s,%s,%s", percent(world, 30) ? PICK(world, tiers) : "", stamp, message);
        out[i].length = text.length;
        read_back(world, &out[i], input_header);
        out[i].draft.entry.header_back = (uint32_t)i;
    }
}

/* ---- corrections and cohorts ----------------------------------------------------------------- */

size_t input_patch(struct world *world, char *out, size_t room)
{
    struct text text = {out, 0, room};
    add(&text, "{\"note\":%u", (unsigned)prng_below(&world->prng, 1000));
    add_fields(world, &text);
    add(&text, "}");
    return text.length;
}

static bool in_usa(const struct ref_person *person)
{
    const struct ref_fact *field = ref_field(person, "location.country");
    return field != NULL && strcmp(field->text, "\"USA\"") == 0;
}
static int age_of(const struct ref_person *person)
{
    const struct ref_fact *field = ref_field(person, "demographics.age");
    int age = -1;
    return field != NULL && sscanf(field->text, "%d", &age) == 1 ? age : -1;
}
static bool is_adult(const struct ref_person *person)
{
    return age_of(person) >= 18;
}
static bool no_tier_or_young_american(const struct ref_person *person)
{
    return ref_field(person, "plan.tier") == NULL ||
           (in_usa(person) && age_of(person) >= 0 && age_of(person) < 30);
}
static bool is_vip(const struct ref_person *person)
{
    for (size_t i = 0; i < person->items.count; i++) {
        if (strcmp(person->items.at[i].name, "tags") == 0 &&
            strcmp(person->items.at[i].text, "vip") == 0) {
            return true;
        }
    }
    return false;
}

static const struct ref_rules templates[] = {
    {.phrases = {"cricket"}, .json = "\"phrases\":[\"cricket\"]"},
    {.phrases = {"* football"},
     .not_phrases = {"fantasy football"},
     .json = "\"phrases\":[\"* football\"],\"not_phrases\":[\"fantasy football\"]"},
    {.phrases = {"* football", "fantasy football"},
     .not_phrases = {"fantasy *"},
     .json = "\"phrases\":[\"* football\",\"fantasy football\"],\"not_phrases\":[\"fantasy *\"]"},
    {.phrases = {"nike *", "opera"}, .json = "\"phrases\":[\"nike *\",\"opera\"]"},
    {.where = in_usa,
     .json = "\"where\":{\"field\":\"location.country\",\"op\":\"eq\",\"value\":\"usa\"}"},
    {.where = is_adult, .json = "\"where\":{\"field\":\"age\",\"op\":\"gte\",\"value\":18}"},
    {.where = no_tier_or_young_american,
     .json =
         "\"where\":{\"any\":[{\"not\":{\"field\":\"plan.tier\",\"op\":\"exists\"}},{\"all\":[{\"field\":\"country\","
         "\"op\":\"eq\",\"value\":\"USA\"},{\"field\":\"demographics.age\",\"op\":\"lt\",\"value\":30}]}]}"},
    {.where = is_vip, .json = "\"where\":{\"field\":\"tags\",\"op\":\"eq\",\"value\":\"VIP\"}"},
    {.phrases = {"violin", "cooking"},
     .where = is_adult,
     .json =
         "\"phrases\":[\"violin\",\"cooking\"],\"where\":{\"field\":\"age\",\"op\":\"gte\",\"value\":18}"},
    {.json = "\"description\":\"only people\""},
    {.json = "\"topic\":\"sports\"", .topic_plus_1 = 1},
    {.json = "\"topic\":\"Music\",\"min_confidence\":0.75",
     .topic_plus_1 = 4,
     .min_confidence = 0.75},
    {.phrases = {"nike *"},
     .not_phrases = {"* football"},
     .json = "\"phrases\":[\"nike *\"],\"not_phrases\":[\"* football\"],"
             "\"topic\":\"Sports\"",
     .topic_plus_1 = 1},
    {.json = "\"examples\":[\"nike shoes\"]", .examples = {"nike shoes"}},
    {.where = is_adult,
     .json = "\"where\":{\"field\":\"age\",\"op\":\"gte\",\"value\":18},\"topic\":\"Food & Drink\","
             "\"examples\":[\"violin\",\"Cooking\"]",
     .topic_plus_1 = 2,
     .examples = {"violin", "Cooking"}},
};

static const struct table_entry table_entries[] = {
    {"Opera", 3, 0.9, 0},
    {"opera", 3, 0.9, 0},
    {"violin", 3, 0.7, 0},
    {"cooking", 1, 0.8, 1},
    {"Cooking", 1, 0.8, 1},
    {"nike", -1, 0, 2},
    {"nike shoes", -1, 0, 2},
    {"nike socks", -1, 0, 2},
    {"Football", 0, 0.9, 3},
    {"flag football", 0, 0.8, 3},
    {"fantasy football", 0, 0.6, 4},
    {"Fantasy-Football", -1, 0, 4},
    {"Cricket", 0, 0.9, 5},
    {"cricket", 0, 0.95, 5},
    {"CRICKET", -1, 0, 5},
    {"Cr\xc3\xad"
     "cket",
     -1, 0, -1},
};

const struct classifier *input_classifier(void)
{
    static struct table_classifier table;
    table_classifier_init(&table, 1, table_entries, ARRAY_COUNT(table_entries));
    return &table.door;
}

const char *input_interest(struct world *world)
{
    return PICK(world, interests);
}

const struct ref_rules *input_rules(struct world *world)
{
    return &PICK(world, templates);
}
