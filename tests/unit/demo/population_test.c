/* Tries to break: the same bytes for the same seed; lines that are not JSON or not CSV; identifiers
 * that are malformed or that strangers have in common; a population without the households,
 * duplicates and late records that it promises. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "demo/population.h"
#include "json_check.h"
#include "unit/test.h"

static const int64_t EPOCH_US = INT64_C(1780000000000000); /* 2026-05-28 */

static uint64_t digest(uint64_t seed, uint32_t people, enum population_format format,
                       uint64_t *records)
{
    struct population *population = population_create(seed, people, EPOCH_US, format);
    struct buffer out;
    buffer_init(&out, 1 << 20);
    uint64_t hash = 0;
    *records = 0;
    while (population_next(population, &out) == ERR_OK) {
        hash = hash64(buffer_slice(&out), hash + population_last_person(population));
        buffer_clear(&out);
        ++*records;
    }
    buffer_deinit(&out);
    population_destroy(population);
    return hash;
}

static void test_same_seed_same_bytes(void)
{
    uint64_t first = 0;
    uint64_t second = 0;
    for (enum population_format format = POPULATION_NDJSON; format <= POPULATION_CSV; format++) {
        EXPECT(digest(7, 3000, format, &first) == digest(7, 3000, format, &second));
        EXPECT(first == second);
        EXPECT(digest(7, 3000, format, &first) != digest(8, 3000, format, &second));
    }
    EXPECT(digest(7, 1, POPULATION_NDJSON, &first) != 0);
    EXPECT(first >= 1);
}

/* ---- one look at every record of a population ---- */

struct seen {
    uint64_t hash; /* of an identifier or a record; 0 is free */
    uint32_t account;
    uint32_t household;
};

struct census {
    struct seen *table; /* open addressing */
    size_t mask;
    uint32_t records, emails, phones, user_ids, cookies, device_ids, interests, store_only;
    uint32_t duplicates, late, shared_by_accounts, shared_by_households;
    uint32_t household_max_people;
};

static struct seen *census_find(struct census *census, uint64_t hash)
{
    size_t at = hash & census->mask;
    while (census->table[at].hash != 0 && census->table[at].hash != hash) {
        at = (at + 1) & census->mask;
    }
    return &census->table[at];
}

/* Counts identifiers that different accounts, and different households, have in common. */
static void census_identifier(struct census *census, const struct population *population,
                              const char *type, struct slice value)
{
    uint64_t hash = hash64(value, hash64(slice_from_cstr(type), 1)) | 1;
    struct seen *seen = census_find(census, hash);
    uint32_t account = population_last_account(population);
    uint32_t household = population_last_household(population);
    if (seen->hash == 0) {
        *seen = (struct seen){hash, account, household};
    }
    census->shared_by_accounts += seen->account != account;
    census->shared_by_households += seen->household != household;
}

static bool is_cookie(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return text.length == 20;
}

static size_t canonical_email(struct slice text, char out[128])
{
    size_t length = 0;
    for (size_t i = 0; i < text.length && length < 127; i++) {
        char c = text.data[i];
        if (c != ' ') {
            out[length++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
    }
    out[length] = '\0';
    return length;
}

static bool is_reserved_address(const char *email)
{
    static const char *const ends[] = {"example.com", "example.org", "example.net", ".example"};
    const char *at = strchr(email, '@');
    size_t length = strlen(email);
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        size_t end = strlen(ends[i]);
        if (at != NULL && at > email && length > end &&
            strcmp(email + length - end, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* American numbers can be told without knowing dial plans: the last ten digits, of ten, or of
 * eleven that begin with 1. */
static bool american_number(struct slice text, char out[16])
{
    char digits[32] = {0};
    size_t length = 0;
    for (size_t i = 0; i < text.length && length < sizeof digits - 1; i++) {
        if (text.data[i] >= '0' && text.data[i] <= '9') {
            digits[length++] = text.data[i];
        }
    }
    bool foreign = text.data[0] == '+' && digits[0] != '1';
    if (foreign || !(length == 10 || (length == 11 && digits[0] == '1'))) {
        return false;
    }
    memcpy(out, digits + length - 10, 10);
    out[10] = '\0';
    return true;
}

static void census_take_identifiers(struct census *census, const struct population *population,
                                    struct slice line)
{
    struct slice cookie = json_check_member(line, "cookie");
    struct slice email = json_check_member(line, "email");
    struct slice phone = json_check_member(line, "phone");
    struct slice user_id = json_check_member(line, "user_id");
    struct slice device_id = json_check_member(line, "device_id");
    if (cookie.data != NULL) {
        EXPECT(is_cookie(cookie));
        census->cookies++;
    }
    if (email.data != NULL) {
        char canonical[128];
        size_t length = canonical_email(email, canonical);
        EXPECT(is_reserved_address(canonical), ": %s", canonical);
        census_identifier(census, population, "email", slice_of(canonical, length));
        census->emails++;
    }
    char american[16];
    struct slice country = json_check_member(line, "country");
    bool in_america = country.length >= 2 && country.data[0] == 'U' && country.data[1] == 'S';
    if (phone.data != NULL && in_america && american_number(phone, american)) {
        struct seen *seen = census_find(census, hash64(slice_from_cstr(american), 2) | 1);
        if (seen->hash == 0) {
            *seen = (struct seen){hash64(slice_from_cstr(american), 2) | 1, 0,
                                  population_last_household(population)};
        }
        census->shared_by_households += seen->household != population_last_household(population);
        EXPECT(strncmp(american + 3, "555", 3) == 0, ": %s", american);
    }
    if (user_id.data != NULL) {
        census_identifier(census, population, "user_id", user_id);
    }
    if (device_id.data != NULL) {
        EXPECT(device_id.length == 36 && device_id.data[14] == '4' &&
               strchr("89ab", device_id.data[19]) != NULL);
        census_identifier(census, population, "device_id", device_id);
    }
    census->phones += phone.data != NULL;
    census->user_ids += user_id.data != NULL;
    census->device_ids += device_id.data != NULL;
    EXPECT(cookie.data != NULL || email.data != NULL || user_id.data != NULL ||
           device_id.data != NULL || (phone.data != NULL && phone.data[0] != 'n'));
}

static void test_census(void)
{
    enum { PEOPLE = 20000 };
    struct census census = {.mask = (1 << 20) - 1};
    census.table = calloc(census.mask + 1, sizeof *census.table);
    char(*newest)[32] = calloc(PEOPLE, sizeof *newest);
    uint8_t *records_of = calloc(PEOPLE, 1);
    REQUIRE(census.table != NULL && newest != NULL && records_of != NULL);
    struct population *population = population_create(42, PEOPLE, EPOCH_US, POPULATION_NDJSON);
    struct buffer out;
    buffer_init(&out, 1 << 16);
    char first_day[TIMESTAMP_TEXT_MAX];
    char last_day[TIMESTAMP_TEXT_MAX];
    timestamp_format(EPOCH_US - 548 * INT64_C(86400000000), first_day);
    timestamp_format(EPOCH_US, last_day);
    while (population_next(population, &out) == ERR_OK) {
        struct slice line = buffer_slice(&out);
        REQUIRE(line.length > 1 && line.data[line.length - 1] == '\n');
        line.length--;
        EXPECT(json_check_object(line), ": %.*s", SLICE_ARGS(line));
        EXPECT(memchr(line.data, '\n', line.length) == NULL);
        census_take_identifiers(&census, population, line);
        census.records++;

        struct slice interests = json_check_member(line, "interests");
        census.interests += interests.data != NULL;
        struct slice time = json_check_member(line, "timestamp");
        EXPECT(time.length >= 20 && memcmp(time.data, first_day, 10) >= 0 &&
               memcmp(time.data, last_day, 10) <= 0);
        uint32_t person = population_last_person(population);
        REQUIRE(person < PEOPLE);
        records_of[person] |= 1;
        struct seen *same = census_find(&census, hash64(line, 3) | 1);
        bool again = same->hash != 0;
        same->hash = hash64(line, 3) | 1;
        census.duplicates += again;
        census.late += !again && memcmp(newest[person], time.data, 19) > 0;
        if (memcmp(newest[person], time.data, 19) < 0) {
            memcpy(newest[person], time.data, 19);
        }
        buffer_clear(&out);
    }
    uint32_t heard_of = 0;
    for (uint32_t i = 0; i < PEOPLE; i++) {
        heard_of += records_of[i];
    }
    EXPECT(heard_of == PEOPLE);
    EXPECT(census.shared_by_accounts == 0);
    EXPECT(census.shared_by_households == 0);
    EXPECT(census.records > 3 * PEOPLE && census.records < 10 * PEOPLE);
    EXPECT(census.emails > census.records / 3 && census.emails < census.records * 9 / 10);
    EXPECT(census.phones > census.records / 20 && census.user_ids > census.records / 20);
    EXPECT(census.cookies > census.records / 2 && census.device_ids > census.records / 10);
    EXPECT(census.interests > census.records / 3);
    EXPECT(census.duplicates > census.records / 200 && census.duplicates < census.records / 20);
    EXPECT(census.late > census.records / 500 && census.late < census.records / 20);
    buffer_deinit(&out);
    population_destroy(population);
    free(census.table);
    free(newest);
    free(records_of);
}

/* What a household has in common: a computer (one cookie, two e-mails), one e-mail (two people),
 * one telephone. */
static void test_households_share(void)
{
    enum { PEOPLE = 20000 };
    struct census cookies = {.mask = (1 << 20) - 1};
    cookies.table = calloc(cookies.mask + 1, sizeof *cookies.table);
    uint32_t *household_of = calloc(PEOPLE, sizeof *household_of);
    REQUIRE(cookies.table != NULL && household_of != NULL);
    struct population *population = population_create(3, PEOPLE, EPOCH_US, POPULATION_NDJSON);
    struct buffer out;
    buffer_init(&out, 1 << 16);
    uint32_t one_email = 0;
    uint32_t households = 0;
    while (population_next(population, &out) == ERR_OK) {
        struct slice cookie = json_check_member(buffer_slice(&out), "cookie");
        if (cookie.data != NULL) {
            census_identifier(&cookies, population, "cookie", cookie);
        }
        one_email += population_last_account(population) != population_last_person(population);
        household_of[population_last_person(population)] =
            population_last_household(population) + 1;
        buffer_clear(&out);
    }
    for (uint32_t i = 1; i < PEOPLE; i++) {
        EXPECT(household_of[i] == household_of[i - 1] ||
               household_of[i] == household_of[i - 1] + 1);
        households += household_of[i] != household_of[i - 1];
    }
    EXPECT(cookies.shared_by_accounts > 500);
    EXPECT(cookies.shared_by_households == 0);
    EXPECT(one_email > 200);
    EXPECT(households > PEOPLE / 3 && households < PEOPLE * 2 / 3);
    buffer_deinit(&out);
    population_destroy(population);
    free(cookies.table);
    free(household_of);
}

/* Reads a CSV line by RFC 4180; returns how many fields, or 0 when it is malformed. Field `want`
 * goes to `out`. */
static size_t csv_fields(struct slice line, size_t want, char *out, size_t out_max)
{
    size_t count = 0;
    size_t at = 0;
    for (;;) {
        size_t length = 0;
        bool quoted = at < line.length && line.data[at] == '"';
        at += quoted;
        for (;; at++) {
            if (at == line.length) {
                if (quoted) {
                    return 0;
                }
                break;
            }
            char c = line.data[at];
            if (quoted && c == '"') {
                if (at + 1 < line.length && line.data[at + 1] == '"') {
                    at++;
                } else {
                    at++;
                    break;
                }
            } else if (!quoted && c == ',') {
                break;
            } else if (!quoted && c == '"') {
                return 0;
            }
            if (count == want && length + 1 < out_max) {
                out[length++] = c;
            }
        }
        if (count == want) {
            out[length] = '\0';
        }
        count++;
        if (at == line.length) {
            return count;
        }
        if (line.data[at++] != ',') {
            return 0;
        }
    }
}

static void test_csv(void)
{
    struct buffer out;
    buffer_init(&out, 1 << 16);
    population_csv_header(&out);
    char text[512];
    size_t columns = csv_fields(slice_of(out.data, out.length - 1), 0, text, sizeof text);
    EXPECT(columns == 23);
    EXPECT(strcmp(text, "cookie") == 0);
    EXPECT(out.data[out.length - 1] == '\n');
    struct population *population = population_create(42, 20000, EPOCH_US, POPULATION_CSV);
    uint32_t commas = 0;
    uint32_t quotes = 0;
    for (buffer_clear(&out); population_next(population, &out) == ERR_OK; buffer_clear(&out)) {
        struct slice line = slice_of(out.data, out.length - 1);
        EXPECT(out.data[out.length - 1] == '\n');
        EXPECT(csv_fields(line, 14, text, sizeof text) == columns, ": %.*s", SLICE_ARGS(line));
        commas += strchr(text, ',') != NULL;
        csv_fields(line, 5, text, sizeof text);
        quotes += strchr(text, '"') != NULL;
        csv_fields(line, 22, text, sizeof text);
        EXPECT(strlen(text) == 18 && strncmp(text, "m-", 2) == 0);
    }
    EXPECT(commas > 1000);
    EXPECT(quotes > 10);
    population_destroy(population);
    buffer_deinit(&out);
}

static void test_full_buffer_loses_nothing(void)
{
    uint64_t records = 0;
    digest(5, 200, POPULATION_NDJSON, &records);
    struct population *population = population_create(5, 200, EPOCH_US, POPULATION_NDJSON);
    struct buffer out;
    buffer_init(&out, 2 * POPULATION_RECORD_MAX_BYTES);
    uint64_t got = 0;
    uint64_t refused = 0;
    for (err e = ERR_OK; e != ERR_END;) {
        e = population_next(population, &out);
        if (e == ERR_MEMORY) {
            refused++;
            buffer_clear(&out);
        }
        got += e == ERR_OK;
    }
    EXPECT(got == records);
    EXPECT(refused > 10);
    buffer_deinit(&out);
    population_destroy(population);
}

int main(void)
{
    RUN(test_same_seed_same_bytes);
    RUN(test_census);
    RUN(test_households_share);
    RUN(test_csv);
    RUN(test_full_buffer_loses_nothing);
    return test_summary();
}
