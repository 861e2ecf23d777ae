/* Tries to find two orders of the same records that leave different people or different values.
 *
 * The rules promise none as long as the records agree about who is who: one e-mail a person, each
 * cookie with one e-mail only, no limit reached, no two times the same. Values, clears, lists and
 * interests may come in any order.
 *
 *   test_order [--sets N] [--seed S]      N sets of records, each in eight orders */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "engine/engine.h"
#include "ingest/json_reader.h"
#include "storage/rawlog.h"
#include "unit/storage/support.h"

enum { PEOPLE = 6, RECORDS = 60, ORDERS = 8, TEXT_MAX = 600, LINES_MAX = 64 * PEOPLE };

struct set {
    char records[RECORDS][TEXT_MAX];
    size_t order[RECORDS];
};

/* ---- the records ----------------------------------------------------------------------------- */

static const char *word(struct prng *prng, const char *const *words, size_t count)
{
    return words[prng_below(prng, count)];
}

static void make_record(struct prng *prng, size_t at, char out[TEXT_MAX])
{
    static const char *const tiers[] = {"\"gold\"", "\"silver\"", "null", "[\"a\",\"b\"]",
                                        "[\"b\",\"c\"]"};
    static const char *const interests[] = {"[\"Chess\"]", "[\"chess\",\"opera\"]", "[\"CHESS\"]",
                                            "[\"Opera\"]", "null"};
    unsigned who = (unsigned)prng_below(prng, PEOPLE);
    unsigned ids = 1 + (unsigned)prng_below(prng, 15);
    size_t length = 0;
    length += (size_t)snprintf(out + length, TEXT_MAX - length, "{\"age\":%u",
                               (unsigned)prng_below(prng, 90));
    if (ids & 1) {
        length += (size_t)snprintf(out + length, TEXT_MAX - length,
                                   ",\"email\":\"p%u@example.org\"", who);
    }
    if (ids & 2) {
        length +=
            (size_t)snprintf(out + length, TEXT_MAX - length, ",\"user_id\":\"user-%u\"", who);
    }
    if (ids & 4) {
        length += (size_t)snprintf(out + length, TEXT_MAX - length, ",\"phone\":\"+12025550%u0%u\"",
                                   1 + who % 2, who);
    }
    if (ids & 8) {
        length += (size_t)snprintf(
            out + length, TEXT_MAX - length, ",\"cookie\":[\"c%u-%u\",\"c%u-%u\"]", who,
            (unsigned)prng_below(prng, 4), who, (unsigned)prng_below(prng, 4));
    }
    if (prng_below(prng, 2) == 0) {
        length +=
            (size_t)snprintf(out + length, TEXT_MAX - length, ",\"tier\":%s", word(prng, tiers, 5));
    }
    if (prng_below(prng, 2) == 0) {
        length += (size_t)snprintf(out + length, TEXT_MAX - length, ",\"interests\":%s",
                                   word(prng, interests, 5));
    }
    /* Distinct times in no relation to the order of making. */
    snprintf(out + length, TEXT_MAX - length, ",\"timestamp\":\"2025-06-%02uT%02u:00:%02uZ\"}",
             1 + (unsigned)prng_below(prng, 28), (unsigned)prng_below(prng, 24), (unsigned)at);
}

static void shuffle(struct prng *prng, struct set *set)
{
    for (size_t i = RECORDS; i > 1; i--) {
        size_t k = prng_below(prng, i);
        size_t held = set->order[i - 1];
        set->order[i - 1] = set->order[k];
        set->order[k] = held;
    }
}

/* ---- what they leave ------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

struct lines {
    char at[LINES_MAX][200];
    size_t count;
};

static void sorted(struct lines *lines)
{
    qsort(lines->at, lines->count, sizeof lines->at[0], compare_lines);
}

static void add_members(struct lines *lines, const char *name, json_value list)
{
    for (struct json_iterator i = json_iterate(list); json_next(&i);) {
        snprintf(lines->at[lines->count++], sizeof lines->at[0], "%s %.*s", name,
                 SLICE_ARGS(json_text(i.value)));
    }
}

/* One person as a text: identifiers with their times, values, members, interests; no numbers, no
 * entries. */
static void add_person(const struct engine *engine, uint32_t number, struct buffer *out)
{
    static struct lines lines;
    struct buffer text;
    struct error error;
    struct json_document *document;
    buffer_init(&text, 1 << 20);
    struct json_writer json = json_writer_of(&text);
    engine_write_user(engine, number, EXPAND_ALL, &json);
    CHECK(json_read(buffer_slice(&text), &document, &error) == ERR_OK);
    json_value user = json_root(document);
    lines.count = 0;
    add_members(&lines, "interest", json_get(user, "interests"));
    for (struct json_iterator i = json_iterate(json_get(user, "attributes")); json_next(&i);) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", SLICE_ARGS(i.key));
        if (json_type(i.value) == JSON_ARRAY) {
            add_members(&lines, name, i.value);
        } else {
            snprintf(lines.at[lines.count++], sizeof lines.at[0], "%s=%.*s%" PRId64, name,
                     SLICE_ARGS(json_text(i.value)), json_integer(i.value));
        }
    }
    for (struct json_iterator i = json_iterate(json_get(user, "identifiers")); json_next(&i);) {
        snprintf(lines.at[lines.count++], sizeof lines.at[0], "id %.*s %d %.*s",
                 SLICE_ARGS(json_text(json_get(i.value, "value"))),
                 json_true(json_get(i.value, "current")),
                 SLICE_ARGS(json_text(json_get(i.value, "at"))));
    }
    sorted(&lines);
    for (size_t i = 0; i < lines.count; i++) {
        buffer_append_format(out, "%s; ", lines.at[i]);
    }
    json_document_destroy(document);
    buffer_deinit(&text);
}

static int64_t clock_now(void *context)
{
    (void)context;
    return 1767225600ll * 1000000;
}
static const struct clock test_clock = {clock_now, clock_now, NULL};

static void ignore(struct submission *submission)
{
    CHECK(submission->err == ERR_OK);
}

static void ingest(struct engine *engine, const struct set *set)
{
    static struct record records[RECORDS];
    static struct draft drafts[RECORDS];
    struct arena arena;
    arena_init(&arena, (size_t)64 << 20);
    for (size_t i = 0; i < RECORDS; i++) {
        struct slice text = slice_from_cstr(set->records[set->order[i]]);
        struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
        struct record_error reason;
        CHECK(record_read(&arena, text, &form, engine_settings(engine), &records[i], &reason) ==
              ERR_OK);
        drafts[i] = (struct draft){.entry = {.kind = ENTRY_RECORD,
                                             .format = FORMAT_JSON,
                                             .etl_version = ETL_RULES_VERSION,
                                             .payload = text},
                                   .record = &records[i]};
    }
    struct submission submission = {
        .kind = SUBMIT_RECORDS, .drafts = drafts, .draft_count = RECORDS, .done = ignore};
    struct submission *one = &submission;
    engine_commit(engine, &one, 1);
    arena_deinit(&arena);
}

/* The people as sorted texts in `out`. */
static void fold(const struct set *set, struct buffer *out)
{
    static char people[PEOPLE * 8][4096];
    char path[300];
    struct prng prng;
    struct log *log;
    struct engine *engine;
    struct rawlog_report report;
    struct error error;
    prng_seed(&prng, 1);
    struct random_source random = prng_source(&prng);
    const char *folder = folder_make();
    snprintf(path, sizeof path, "%s/log", folder);
    struct rawlog_options options = {
        .files = &file_system_posix, .random = &random, .directory = path};
    CHECK(rawlog_open(&options, &log, &report, &error) == ERR_OK);
    struct engine_options engine_options = {.log = log, .clock = &test_clock, .random = &random};
    CHECK(engine_open(&engine_options, &engine, &error) == ERR_OK);
    ingest(engine, set);
    uint32_t numbers[PEOPLE * 8];
    uint32_t next;
    uint64_t total;
    size_t count = engine_page(engine, COHORT_NONE, false, 0, PEOPLE * 8, numbers, &total, &next);
    CHECK(count == total);
    for (size_t i = 0; i < count; i++) {
        struct buffer person;
        buffer_init(&person, sizeof people[0] - 1);
        add_person(engine, numbers[i], &person);
        CHECK(!person.failed);
        snprintf(people[i], sizeof people[0], "%.*s", SLICE_ARGS(buffer_slice(&person)));
        buffer_deinit(&person);
    }
    qsort(people, count, sizeof people[0], compare_lines);
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(out, "%s\n", people[i]);
    }
    engine_close(engine);
    log->ops->close(log);
    folder_remove(folder);
}

int main(int argc, char **argv)
{
    uint64_t sets = 150;
    uint64_t seed = 0;
    random_fill(&system_random, &seed, sizeof seed);
    seed >>= 16;
    for (int i = 1; i + 1 < argc; i += 2) {
        sets = strcmp(argv[i], "--sets") == 0 ? strtoull(argv[i + 1], NULL, 10) : sets;
        seed = strcmp(argv[i], "--seed") == 0 ? strtoull(argv[i + 1], NULL, 10) : seed;
    }
    struct stat memory;
    if (getenv("TMPDIR") == NULL && stat("/dev/shm", &memory) == 0) {
        setenv("TMPDIR", "/dev/shm", 0);
    }
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    for (uint64_t s = 0; s < sets; s++) {
        static struct set set;
        struct prng prng;
        struct buffer first;
        struct buffer other;
        buffer_init(&first, 1 << 20);
        buffer_init(&other, 1 << 20);
        prng_seed(&prng, seed + s);
        for (size_t i = 0; i < RECORDS; i++) {
            make_record(&prng, i, set.records[i]);
            set.order[i] = i;
        }
        fold(&set, &first);
        for (int order = 1; order < ORDERS; order++) {
            shuffle(&prng, &set);
            buffer_clear(&other);
            fold(&set, &other);
            if (!slice_equal(buffer_slice(&first), buffer_slice(&other))) {
                fprintf(stderr,
                        "DIFFERENCE: order %d of set %" PRIu64 ", seed %" PRIu64 "\n%.*s---\n%.*s",
                        order, s, seed, SLICE_ARGS(buffer_slice(&first)),
                        SLICE_ARGS(buffer_slice(&other)));
                return 1;
            }
        }
        buffer_deinit(&first);
        buffer_deinit(&other);
    }
    printf("%" PRIu64 " sets in %d orders, 0 differences\n", sets, ORDERS);
    return 0;
}
