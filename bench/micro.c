/* micro.c: the hot paths alone, without sockets, threads or a disk to wait for.
 *
 *   micro --topics FILE [--people N] [--only NAME] [--once] [--json FILE]
 *
 * Loads N made-up people into an engine in a temporary folder, then runs each path many times: the
 * median of seven runs, in CPU time of this thread. Runs take turns (A B C, A B C, …), so that
 * paths can be divided by each other, run by run; --json writes every run for that. --once runs
 * each path once over a fixed number of operations, for counting instructions: callgrind.py
 * collects inside the functions region_*, and prints operations so that both can be divided. Clock
 * and randomness are fixed, so the same build does the same work. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "engine/engine.h"
#include "engine/intake.h"
#include "people.h"
#include "storage/data_folder.h"

enum { RUNS = 7, BATCH = 16, BODY_RECORDS = 500, TOPICS_BYTES_MAX = 4 * 1024 * 1024 };

/* An engine with people, in a folder of its own. */
struct store {
    struct data_folder folder;
    struct engine *engine;
    uint64_t loaded; /* grows with each run of ingest */
    char path[64];
};

struct bench {
    uint64_t people;
    uint64_t operations;
    /* plain: nothing is prefetched while records are applied; opened when it is needed */
    struct store prefetching, plain;
    struct store *store; /* that of the path which runs */
    struct settings *settings;
    struct arena arena;
    struct buffer out, bodies;
    struct prng prng;
};

static struct bench bench;
static uint64_t sink; /* results go here, so that no work is optimised away */

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
    fprintf(stderr, "micro: %s: %s\n", what, why);
    exit(1);
}

static int64_t fixed_wall_us(void *context)
{
    (void)context;
    return 1767225600000000;
}

static int64_t ticking_us(void *context)
{
    static int64_t now;
    (void)context;
    return ++now;
}

/* ---- loading --------------------------------------------------------------------------------- */

static void nothing(struct submission *submission)
{
    (void)submission;
}

static void ingest(struct slice body)
{
    struct error error = {0};
    struct intake_options options = {.settings = engine_settings(bench.store->engine),
                                     .source = SLICE_LITERAL("web"),
                                     .durability = "os",
                                     .hint = HINT_NONE};
    struct intake *intake = intake_create(&options);
    if (intake == NULL || intake_feed(intake, body, true, &error) != ERR_OK) {
        die("intake", error.message);
    }
    while (intake_state(intake) != INTAKE_DONE) {
        struct submission *submission = intake_take(intake);
        if (submission != NULL) {
            submission->done = nothing;
            engine_commit(bench.store->engine, &submission, 1);
            intake_give_back(intake, submission);
        }
    }
    if (intake_failure(intake, &error) != ERR_OK) {
        die("ingest", error.message);
    }
    sink += intake_tally(intake).accepted;
    intake_destroy(intake);
}

static void append_body(uint64_t first, uint64_t count, struct buffer *out)
{
    for (uint64_t i = first; i < first + count; i++) {
        struct person person;
        person_make(i, &person);
        person_write_json(&person, out);
        buffer_append_char(out, '\n');
    }
}

static void load_people(uint64_t count)
{
    while (count > 0) {
        uint64_t part = count < BODY_RECORDS ? count : BODY_RECORDS;
        buffer_clear(&bench.out);
        append_body(bench.store->loaded, part, &bench.out);
        ingest(buffer_slice(&bench.out));
        bench.store->loaded += part;
        count -= part;
    }
}

static struct slice read_topics(const char *path)
{
    static char topics[TOPICS_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        die("cannot read", path);
    }
    size_t length = fread(topics, 1, sizeof(topics), file);
    fclose(file);
    return slice_of(topics, length);
}

/* Opens an engine in a temporary folder and brings everybody. */
static void open_store(struct store *store, struct slice topics, bool prefetch_off)
{
    static struct random_source random;
    static const struct clock clock = {fixed_wall_us, ticking_us, NULL};
    struct error error = {0};
    prng_seed(&bench.prng, 7);
    random = prng_source(&bench.prng);
    const char *folder = getenv("TMPDIR");
    snprintf(store->path, sizeof(store->path), "%s/kindred-micro-XXXXXX",
             folder != NULL ? folder : "/tmp");
    if (mkdtemp(store->path) == NULL) {
        die("no temporary folder", store->path);
    }
    struct data_folder_options options = {
        .files = &file_system_posix, .random = &random, .path = store->path};
    if (data_folder_open(&options, &store->folder, &error) != ERR_OK) {
        die("data folder", error.message);
    }
    struct engine_options engine = {.log = store->folder.log,
                                    .checkpoint = store->folder.checkpoint,
                                    .clock = &clock,
                                    .random = &random,
                                    .durability = DURABILITY_OS,
                                    .shipped_cohorts = topics,
                                    .prefetch_off = prefetch_off};
    if (engine_open(&engine, &store->engine, &error) != ERR_OK) {
        die("engine", error.message);
    }
    bench.store = store;
    load_people(bench.people);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void close_store(struct store *store)
{
    if (store->engine != NULL) {
        engine_close(store->engine);
        data_folder_close(&store->folder);
        nftw(store->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

/* ---- the paths ------------------------------------------------------------------------------- */

/* One record's bytes → checked, cleansed, normalised. */
__attribute__((noinline)) static void region_record_read(void)
{
    struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
    const char *line = NULL;
    for (uint64_t k = 0; k < bench.operations; k++) {
        struct record record;
        struct record_error error;
        /* One a line, made before the clock started; over and over. */
        line = k % BODY_RECORDS == 0 ? bench.bodies.data : line;
        const char *end =
            memchr(line, '\n', (size_t)(bench.bodies.data + bench.bodies.length - line));
        arena_reset(&bench.arena);
        if (record_read(&bench.arena, slice_of(line, (size_t)(end - line)), &form, bench.settings,
                        &record, &error) != ERR_OK) {
            die("record_read", error.message);
        }
        sink += record.field_count;
        line = end + 1;
    }
}

/* A cookie → the person → their JSON, 16 pipelined. */
__attribute__((noinline)) static void region_lookup(void)
{
    for (uint64_t k = 0; k < bench.operations; k += BATCH) {
        char cookies[BATCH][COOKIE_LENGTH];
        struct engine_key keys[BATCH];
        uint32_t numbers[BATCH];
        for (unsigned b = 0; b < BATCH; b++) {
            person_cookie(prng_below(&bench.prng, bench.store->loaded), cookies[b]);
            keys[b] = (struct engine_key){IDENTIFIER_COOKIE, slice_of(cookies[b], COOKIE_LENGTH)};
        }
        engine_find_many(bench.store->engine, keys, BATCH, numbers);
        buffer_clear(&bench.out);
        for (unsigned b = 0; b < BATCH; b++) {
            struct json_writer json = json_writer_of(&bench.out);
            engine_write_user(bench.store->engine, numbers[b], 0, &json);
        }
        sink += bench.out.length;
    }
}

/* The same, each waiting for its own loads. */
__attribute__((noinline)) static void region_lookup_one(void)
{
    for (uint64_t k = 0; k < bench.operations; k++) {
        char cookie[COOKIE_LENGTH];
        uint32_t number;
        person_cookie(prng_below(&bench.prng, bench.store->loaded), cookie);
        struct engine_key key = {IDENTIFIER_COOKIE, slice_of(cookie, COOKIE_LENGTH)};
        engine_find_many(bench.store->engine, &key, 1, &number);
        buffer_clear(&bench.out);
        struct json_writer json = json_writer_of(&bench.out);
        engine_write_user(bench.store->engine, number, 0, &json);
        sink += bench.out.length;
    }
}

/* One hundred people of a cohort as JSON, from a random offset. */
__attribute__((noinline)) static void region_cohort_page(void)
{
    uint32_t numbers[100], next = 0;
    uint64_t total = 1;
    uint32_t sports = cohorts_find(engine_cohorts(bench.store->engine), SLICE_LITERAL("sports"));
    for (uint64_t k = 0; k < bench.operations; k++) {
        size_t count = engine_page(bench.store->engine, sports, false,
                                   prng_below(&bench.prng, total), 100, numbers, &total, &next);
        buffer_clear(&bench.out);
        for (size_t i = 0; i < count; i++) {
            struct json_writer json = json_writer_of(&bench.out);
            engine_write_user(bench.store->engine, numbers[i], 0, &json);
        }
        sink += bench.out.length;
    }
}

/* A packed profile → struct → packed again. */
__attribute__((noinline)) static void region_profile_repack(void)
{
    static struct profile_identifier identifiers[3];
    static struct profile_field fields[7];
    static struct profile_interest interests[3];
    static struct profile_origin origin = {123456, 1767225600000000, 1};
    static uint64_t sequence = 123456;
    for (uint32_t k = 0; k < 7; k++) {
        fields[k] = (struct profile_field){k, 0, {.kind = PROFILE_CATEGORY, .category_id = 40 + k}};
    }
    fields[3].value = (struct profile_value){.kind = PROFILE_INTEGER, .integer = 42};
    for (uint32_t k = 0; k < 3; k++) {
        interests[k] = (struct profile_interest){100 + k, 0};
    }
    identifiers[0] = (struct profile_identifier){IDENTIFIER_EMAIL, false, 0,
                                                 SLICE_LITERAL("john.smith@example.com")};
    identifiers[1] =
        (struct profile_identifier){IDENTIFIER_PHONE, false, 0, SLICE_LITERAL("+17325559876")};
    identifiers[2] = (struct profile_identifier){IDENTIFIER_COOKIE, false, 0,
                                                 SLICE_LITERAL("dk5h2p9s7f3j8m1n4v0x")};
    struct profile profile = {.number = 4000123,
                              .created_at_us = 1767225600000000,
                              .updated_at_us = 1767225600000000,
                              .created_sequence = 123456,
                              .origins = &origin,
                              .origin_count = 1,
                              .identifiers = identifiers,
                              .identifier_count = 3,
                              .fields = fields,
                              .field_count = 7,
                              .interests = interests,
                              .interest_count = 3,
                              .sequences = &sequence,
                              .sequence_count = 1};
    buffer_clear(&bench.bodies);
    profile_pack(&profile, &bench.bodies);
    for (uint64_t k = 0; k < bench.operations; k++) {
        struct profile again;
        arena_reset(&bench.arena);
        if (profile_unpack(&bench.arena, bench.bodies.data, 4, &again) != ERR_OK) {
            die("profile_unpack", "memory");
        }
        buffer_clear(&bench.out);
        profile_pack(&again, &bench.out);
        sink += bench.out.length;
    }
}

/* What the rules make of phrases, a misspelt one among them. */
__attribute__((noinline)) static void region_rules_match(void)
{
    static const char *const phrases[] = {
        "football", "crcket", "machine learning", "vegan food", "electric vehicles", "qx12345"};
    static struct rule_hit hits[RULE_HITS_MAX];
    for (uint64_t k = 0; k < bench.operations; k++) {
        struct slice phrase = slice_from_cstr(phrases[k % ARRAY_COUNT(phrases)]);
        sink += cohorts_match_phrase(engine_cohorts(bench.store->engine), phrase, hits);
    }
}

/* Bytes of NDJSON → log, identity, profile, cohorts. New people every time. */
__attribute__((noinline)) static void region_ingest(void)
{
    ingest(buffer_slice(&bench.bodies));
}

/* Everybody sorted again because "Sports" means something else. */
__attribute__((noinline)) static void region_resort(void)
{
    static const char *const definitions[] = {
        "{\"phrases\": [\"cricket\", \"football\", \"tennis\"]}",
        "{\"phrases\": [\"cricket\", \"football\", \"* hockey\"]}"};
    for (uint64_t k = 0; k < bench.operations; k++) {
        struct submission submission = {.kind = SUBMIT_COHORT_PUT,
                                        .name = SLICE_LITERAL("Sports"),
                                        .body = slice_from_cstr(definitions[k % 2]),
                                        .done = nothing};
        struct submission *one = &submission;
        engine_commit(bench.store->engine, &one, 1);
        if (submission.err != ERR_OK) {
            die("cohort", submission.error.message);
        }
    }
}

static void prepare_records(void)
{
    buffer_clear(&bench.bodies);
    append_body(bench.store->loaded, BODY_RECORDS, &bench.bodies);
}

static void prepare_new_people(void)
{
    buffer_clear(&bench.bodies);
    append_body(bench.store->loaded, bench.operations, &bench.bodies);
    bench.store->loaded += bench.operations;
}

static void prepare_nothing(void) {}

static const struct path {
    const char *name;
    const char *what;
    void (*prepare)(void);
    void (*run)(void);
    /* once 0: it is no path that instructions say anything about */
    uint64_t operations, operations_once;
    struct store *store;
} paths[] = {
    {"record_read", "a record's JSON read, checked, normalised", prepare_records,
     region_record_read, 100000, 500, &bench.prefetching},
    {"profile_repack", "a packed profile unpacked and packed again", prepare_nothing,
     region_profile_repack, 100000, 500, &bench.prefetching},
    {"rules_match", "an interest phrase matched against all topics", prepare_nothing,
     region_rules_match, 20000, 120, &bench.prefetching},
    {"lookup", "a cookie looked up and written as JSON, 16 at a time", prepare_nothing,
     region_lookup, 160000, 1600, &bench.prefetching},
    {"lookup_one", "the same one by one", prepare_nothing, region_lookup_one, 160000, 0,
     &bench.prefetching},
    {"cohort_page", "a page of 100 people of a cohort", prepare_nothing, region_cohort_page, 1000,
     10, &bench.prefetching},
    {"ingest", "a record from JSON to log, identity, profile, cohorts", prepare_new_people,
     region_ingest, 20000, 500, &bench.prefetching},
    {"ingest_unfetched", "the same without prefetching for the next records", prepare_new_people,
     region_ingest, 20000, 0, &bench.plain},
    {"resort", "everybody sorted again after a topic change", prepare_nothing, region_resort, 20, 2,
     &bench.prefetching},
};

/* ---- running --------------------------------------------------------------------------------- */

static double thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* CPU time of each operation of one run. */
static double run_path(const struct path *path, uint64_t operations)
{
    bench.store = path->store;
    bench.operations = operations;
    path->prepare();
    double begin = thread_ns();
    path->run();
    return (thread_ns() - begin) / (double)operations;
}

static void print_path(const struct path *path, const double *times)
{
    double sorted[RUNS];
    memcpy(sorted, times, sizeof(sorted));
    qsort(sorted, RUNS, sizeof(sorted[0]), by_value);
    bool large = sorted[RUNS / 2] > 1e5;
    double unit = large ? 1e6 : 1;
    printf("%-16s %10.1f %s  (%.1f to %.1f)  %s\n", path->name, sorted[RUNS / 2] / unit,
           large ? "ms" : "ns", sorted[0] / unit, sorted[RUNS - 1] / unit, path->what);
}

static void write_json(const char *path, double (*times)[RUNS], const bool *chosen)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        die("cannot write", path);
    }
    const char *before = "{";
    for (size_t k = 0; k < ARRAY_COUNT(paths); k++) {
        if (chosen[k]) {
            fprintf(file, "%s\"%s\": [", before, paths[k].name);
            for (unsigned run = 0; run < RUNS; run++) {
                fprintf(file, "%s%.1f", run == 0 ? "" : ", ", times[k][run]);
            }
            fputs("]", file);
            before = ",\n ";
        }
    }
    fputs("}\n", file);
    fclose(file);
}

/* All runs of the chosen paths, taking turns. */
static void run_all(const bool *chosen, const char *json)
{
    static double times[ARRAY_COUNT(paths)][RUNS];
    for (unsigned run = 0; run < RUNS; run++) {
        for (size_t k = 0; k < ARRAY_COUNT(paths); k++) {
            if (chosen[k]) {
                times[k][run] = run_path(&paths[k], paths[k].operations);
            }
        }
    }
    for (size_t k = 0; k < ARRAY_COUNT(paths); k++) {
        if (chosen[k]) {
            print_path(&paths[k], times[k]);
        }
    }
    if (json != NULL) {
        write_json(json, times, chosen);
    }
}

static void run_once(const bool *chosen)
{
    for (size_t k = 0; k < ARRAY_COUNT(paths); k++) {
        if (chosen[k]) {
            run_path(&paths[k], paths[k].operations_once);
            printf("%s %llu\n", paths[k].name, (unsigned long long)paths[k].operations_once);
        }
    }
}

struct words {
    const char *topics, *only, *json;
    bool once;
};

static bool read_words(int argc, char **argv, struct words *words)
{
    for (int k = 1; k < argc; k++) {
        const char *value = k + 1 < argc ? argv[k + 1] : NULL;
        if (strcmp(argv[k], "--once") == 0) {
            words->once = true;
            continue;
        }
        if (value == NULL) {
            return false;
        }
        if (strcmp(argv[k], "--topics") == 0) {
            words->topics = value;
        } else if (strcmp(argv[k], "--people") == 0) {
            bench.people = strtoull(value, NULL, 10);
        } else if (strcmp(argv[k], "--only") == 0) {
            words->only = value;
        } else if (strcmp(argv[k], "--json") == 0) {
            words->json = value;
        } else {
            return false;
        }
        k++;
    }
    return words->topics != NULL;
}

int main(int argc, char **argv)
{
    struct words words = {0};
    struct error error = {0};
    bool chosen[ARRAY_COUNT(paths)], plain = false;
    bench.people = 1000000;
    if (!read_words(argc, argv, &words)) {
        fputs("usage: micro --topics FILE [--people N] [--only NAME] [--once] [--json FILE]\n",
              stderr);
        return 2;
    }
    for (size_t k = 0; k < ARRAY_COUNT(paths); k++) {
        chosen[k] = (words.only == NULL || strcmp(words.only, paths[k].name) == 0) &&
                    (!words.once || paths[k].operations_once > 0);
        plain = plain || (chosen[k] && paths[k].store == &bench.plain);
    }
    arena_init(&bench.arena, 64 * 1024 * 1024);
    buffer_init(&bench.out, 64 * 1024 * 1024);
    buffer_init(&bench.bodies, 64 * 1024 * 1024);
    if (settings_parse(SLICE_LITERAL("{}"), &bench.settings, &error) != ERR_OK) {
        die("settings", error.message);
    }
    struct slice topics = read_topics(words.topics);
    open_store(&bench.prefetching, topics, false);
    if (plain) {
        open_store(&bench.plain, topics, true);
    }
    if (words.once) {
        run_once(chosen);
    } else {
        run_all(chosen, words.json);
    }
    close_store(&bench.prefetching);
    close_store(&bench.plain);
    return 0;
}
