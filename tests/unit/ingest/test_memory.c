/* Lets the Nth allocation fail, for every N, in everything that allocates: nothing may leak, crash,
 * or give a record that lacks what there was no memory for. */
#include "support.h"

#include "ingest/compression.h"
#include "unit/failing_memory.h"

static const char rich[] =
    "{\"email\":[\"J\xC3\x89@x.org\",\"B@x.org\"],\"phone\":\"6502530000\",\"location\":{\"city\":\"S\xC3\xA3o  Paulo\",\"country\":\"br\",\"z\":[1,\"a\"]},"
    "\"interests\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"],\"x\":{\"y\":{\"z\":\"q\\tr\"}},\"age\":\"x\",\"n\":18446744073709551615,\"birth_date\":\"19800101\"}";

static err read_json(struct settings *settings, char *text, size_t room)
{
    struct arena arena;
    arena_init(&arena, 1u << 20);
    struct record record;
    struct record_error error;
    const struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
    err e = record_read(&arena, SLICE_LITERAL(rich), &form, settings, &record, &error);
    if (e == ERR_OK) {
        size_t counts[] = {record.identifier_count, record.field_count, record.interest_count,
                           record.item_count, record.warning_count};
        snprintf(text, room, "%zu %zu %zu %zu %zu", counts[0], counts[1], counts[2], counts[3],
                 counts[4]);
    }
    arena_deinit(&arena);
    return e;
}

static void test_record(void)
{
    struct settings *settings = settings_of("{}");
    char whole[64] = "";
    EXPECT(read_json(settings, whole, sizeof whole) == ERR_OK);
    for (uint64_t n = 1;; n++) {
        char text[64] = "";
        failing_memory_begin(n);
        err e = read_json(settings, text, sizeof text);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0);
        EXPECT(e == (end.failed ? ERR_MEMORY : ERR_OK), ": n = %llu gave %d", (unsigned long long)n,
               (int)e);
        EXPECT(e != ERR_OK || strcmp(text, whole) == 0);
        if (!end.failed) {
            break;
        }
    }
    settings_destroy(settings);
}

/* The arena's own maximum is a way to run out, too. */
static void test_small_arenas(void)
{
    struct settings *settings = settings_of("{}");
    const struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
    size_t refused = 0;
    for (size_t max = 0; max < 16384; max += 48) {
        struct arena arena;
        arena_init(&arena, max);
        struct record record;
        struct record_error error = {0};
        err e = record_read(&arena, SLICE_LITERAL(rich), &form, settings, &record, &error);
        EXPECT(e == ERR_OK || (e == ERR_MEMORY && strcmp(error.code, "out_of_memory") == 0),
               ": max %zu gave %d %s", max, (int)e, error.code);
        EXPECT(e != ERR_OK || (record.identifier_count == 3 && record.interest_count == 9 &&
                               record.item_count == 2));
        refused += e != ERR_OK;
        arena_deinit(&arena);
    }
    EXPECT(refused > 0);
    settings_destroy(settings);
}

static err use_settings_and_mapping(void)
{
    struct settings *settings = NULL;
    struct mapping *mapping = NULL;
    struct csv_header *header = NULL;
    struct error error;
    err e = settings_parse(
        SLICE_LITERAL(
            "{\"identifiers\":[{\"type\":\"x_id\"}],\"blocked\":{\"x_id\":[\"a\",\"b*\"]},\"sources\":{\"s\":1}}"),
        &settings, &error);
    if (e == ERR_OK) {
        e = mapping_parse(
            SLICE_LITERAL(
                "{\"fields\":{\"x_id\":{\"from\":\"a\",\"transforms\":[\"trim\",{\"lookup\":{\"q\":\"r\"}},{\"split\":\";\"}]},"
                "\"s\":{\"concat\":[\"a\",\"-\",\"b\"]}},\"ignore\":[\"c\"]}"),
            &mapping, &error);
    }
    if (e == ERR_OK) {
        e = csv_header_parse(SLICE_LITERAL(",a,b,c"), &header, &error);
    }
    if (e == ERR_OK) {
        struct arena arena;
        arena_init(&arena, 1u << 20);
        struct record record;
        struct record_error problem;
        const struct record_form form = {FORMAT_CSV, ETL_RULES_VERSION, header, mapping};
        e = record_read(&arena, SLICE_LITERAL("x;y,\"1\"\"2\",z"), &form, settings, &record,
                        &problem);
        EXPECT(e != ERR_OK || (record.identifier_count == 2 && record.field_count == 1));
        arena_deinit(&arena);
    }
    csv_header_destroy(header);
    mapping_destroy(mapping);
    settings_destroy(settings);
    return e;
}

static err use_splitter(void)
{
    struct splitter *s = splitter_create(HINT_NONE, 1024);
    if (s == NULL) {
        return ERR_MEMORY;
    }
    static const char *const pieces[] = {"a,b\n1,", "2\n3", ",4\n5,6"};
    struct error error;
    err e = ERR_OK;
    size_t seen = 0;
    for (size_t i = 0; e == ERR_OK && i < 3; i++) {
        e = splitter_feed(s, slice_from_cstr(pieces[i]), i == 2, &error);
        struct split split;
        while (e == ERR_OK && (e = splitter_next(s, &split)) == ERR_OK) {
            seen++;
        }
        e = e == ERR_END ? ERR_OK : e;
    }
    EXPECT(e != ERR_OK || seen == 4);
    splitter_destroy(s);
    return e;
}

static err use_inflater(void)
{
    struct inflater *inflater = inflater_create(COMPRESSION_GZIP);
    if (inflater == NULL) {
        return ERR_MEMORY;
    }
    /* printf hello | gzip -n */
    struct slice input = slice_of(
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00",
        25);
    char out[16];
    size_t written = 0;
    struct error error;
    err e = inflater_step(inflater, &input, out, sizeof out, &written, &error);
    EXPECT(e != ERR_OK || (written == 5 && memcmp(out, "hello", 5) == 0));
    inflater_destroy(inflater);
    return e;
}

static void fail_every(err (*use)(void))
{
    for (uint64_t n = 1; n < 1000; n++) {
        failing_memory_begin(n);
        err e = use();
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, ": %lld blocks left, n = %llu", (long long)end.live_blocks,
               (unsigned long long)n);
        EXPECT(e == (end.failed ? ERR_MEMORY : ERR_OK), ": n = %llu gave %d", (unsigned long long)n,
               (int)e);
        if (!end.failed) {
            return;
        }
    }
}

static void test_settings_and_mapping(void)
{
    fail_every(use_settings_and_mapping);
}
static void test_splitter(void)
{
    fail_every(use_splitter);
}
static void test_inflater(void)
{
    fail_every(use_inflater);
}

int main(void)
{
    RUN(test_record);
    RUN(test_small_arenas);
    RUN(test_settings_and_mapping);
    RUN(test_splitter);
    RUN(test_inflater);
    return test_summary();
}
