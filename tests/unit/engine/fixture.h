/* fixture.h: an engine on a folder of its own, a clock that the test sets, and calls short enough
 * to read a test by.
 *
 *   fixture_begin(); ingest("{\"email\": …}"); EXPECT(shows(person("email", "…"), "\"age\":30")); reopen(FROM_LOG); fixture_end(); */
#ifndef KINDRED_TESTS_UNIT_ENGINE_FIXTURE_H
#define KINDRED_TESTS_UNIT_ENGINE_FIXTURE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "engine/engine.h"
#include "engine/quarantine.h"
#include "storage/data_folder.h"
#include "unit/storage/support.h"
#include "unit/test.h"

static struct {
    char path[256];
    struct data_folder folder;
    struct engine *engine;
    struct file_system files; /* posix, with calls a test may replace */
    enum engine_durability durability;
    const char *settings;
    const struct classifier *classifier; /* NULL: rules only */
    unsigned load_threads;
    int64_t now_us;
    int64_t ticks;
    struct prng prng;
    struct random_source random;
    struct arena arena;
    struct submission last; /* as the engine left it */
} fixture;

enum reopen { AS_IT_IS, BEHIND_A_CHECKPOINT, FROM_LOG };

static int64_t fixture_now(void *context)
{
    (void)context;
    return fixture.now_us += 1000000;
}
static int64_t fixture_ticks(void *context)
{
    (void)context;
    return fixture.ticks += 10;
}
static const struct clock fixture_clock = {fixture_now, fixture_ticks, NULL};

__attribute__((unused)) static err fixture_open(struct error *error)
{
    struct data_folder_options folder = {
        .files = &fixture.files, .random = &fixture.random, .path = fixture.path};
    err e = data_folder_open(&folder, &fixture.folder, error);
    if (e != ERR_OK) {
        return e;
    }
    struct engine_options options = {
        .log = fixture.folder.log,
        .checkpoint = fixture.folder.checkpoint,
        .clock = &fixture_clock,
        .random = &fixture.random,
        .durability = fixture.durability,
        .classifier = fixture.classifier,
        .load_threads = fixture.load_threads,
        .settings_json = fixture.settings ? slice_from_cstr(fixture.settings) : SLICE_NONE};
    return engine_open(&options, &fixture.engine, error);
}

static void fixture_must_open(void)
{
    struct error error = {0};
    if (fixture_open(&error) != ERR_OK) {
        fprintf(stderr, "does not open: %s\n", error.message);
        abort();
    }
}

static void fixture_close(void)
{
    engine_close(fixture.engine);
    data_folder_close(&fixture.folder);
}

__attribute__((unused)) static void fixture_begin(void)
{
    memset(&fixture, 0, sizeof fixture);
    fixture.files = file_system_posix;
    fixture.now_us = 1767225600ll * 1000000;
    prng_seed(&fixture.prng, 7);
    fixture.random = prng_source(&fixture.prng);
    arena_init(&fixture.arena, (size_t)64 << 20);
    snprintf(fixture.path, sizeof fixture.path, "%s", folder_make());
    fixture_must_open();
}

__attribute__((unused)) static void fixture_end(void)
{
    memory_free(fixture.last.stored_answer);
    fixture_close();
    arena_deinit(&fixture.arena);
    folder_remove(fixture.path);
}

__attribute__((unused)) static void reopen(enum reopen how)
{
    struct error error = {0};
    if (how == BEHIND_A_CHECKPOINT) {
        EXPECT(engine_checkpoint(fixture.engine, &error) == ERR_OK, ": %s", error.message);
    }
    fixture_close();
    if (how == FROM_LOG) {
        char path[320];
        snprintf(path, sizeof path, "%s/profiles", fixture.path);
        folder_remove(path);
    }
    fixture_must_open();
}

/* ---- writing --------------------------------------------------------------------------------- */

static void fixture_done(struct submission *submission)
{
    fixture.last = *submission;
}

/* fixture.last has what became of it. */
static err submit(struct submission *submission)
{
    struct submission *one = submission;
    memory_free(fixture.last.stored_answer);
    fixture.last = (struct submission){0};
    submission->done = fixture_done;
    engine_commit(fixture.engine, &one, 1);
    return submission->err;
}

static struct draft record_draft(const char *json, const char *source)
{
    struct record *record = arena_zalloc(&fixture.arena, sizeof *record);
    struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
    struct record_error reason = {0};
    err e = record_read(&fixture.arena, slice_from_cstr(json), &form,
                        engine_settings(fixture.engine), record, &reason);
    if (e != ERR_OK) {
        fprintf(stderr, "%s: %s\n", json, reason.message);
        abort();
    }
    return (struct draft){.entry = {.kind = ENTRY_RECORD,
                                    .format = FORMAT_JSON,
                                    .etl_version = ETL_RULES_VERSION,
                                    .source = slice_from_cstr(source),
                                    .payload = slice_from_cstr(json)},
                          .record = record};
}

__attribute__((unused)) static err ingest_from(const char *json, const char *source)
{
    struct draft draft = record_draft(json, source);
    struct submission submission = {.kind = SUBMIT_RECORDS, .drafts = &draft, .draft_count = 1};
    return submit(&submission);
}
__attribute__((unused)) static void ingest(const char *json)
{
    EXPECT(ingest_from(json, "test") == ERR_OK, " %s: %s", json, fixture.last.error.message);
}
__attribute__((unused)) static err erase(uint32_t number)
{
    struct submission submission = {.kind = SUBMIT_ERASE, .number = number};
    return submit(&submission);
}
__attribute__((unused)) static err patch(uint32_t number, const char *json, const char *if_match)
{
    struct submission submission = {.kind = SUBMIT_PATCH,
                                    .number = number,
                                    .body = slice_from_cstr(json),
                                    .if_match = if_match ? slice_from_cstr(if_match) : SLICE_NONE};
    return submit(&submission);
}
__attribute__((unused)) static err put_cohort(const char *name, const char *json)
{
    struct submission submission = {
        .kind = SUBMIT_COHORT_PUT, .name = slice_from_cstr(name), .body = slice_from_cstr(json)};
    return submit(&submission);
}

/* Checkpoint, scrub, and the entry that says so. */
__attribute__((unused)) static void scrub(void)
{
    struct error error = {0};
    uint64_t sequence = 0;
    REQUIRE(engine_erasure_next(fixture.engine, &sequence));
    REQUIRE(engine_checkpoint(fixture.engine, &error) == ERR_OK, ": %s", error.message);
    REQUIRE(engine_erasure_scrub(fixture.engine, sequence, &error) == ERR_OK, ": %s",
            error.message);
    struct submission submission = {.kind = SUBMIT_ERASE_DONE, .sequence = sequence};
    EXPECT(submit(&submission) == ERR_OK);
}

/* ---- asking ---------------------------------------------------------------------------------- */

__attribute__((unused)) static uint32_t person(const char *type, const char *value)
{
    uint8_t number = 0;
    EXPECT(
        settings_identifier_type(engine_settings(fixture.engine), slice_from_cstr(type), &number));
    return engine_find(fixture.engine, number, slice_from_cstr(value));
}

/* In the arena; "" for nobody. */
static const char *user(uint32_t number)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    struct json_writer json = json_writer_of(&text);
    if (number == PERSON_NONE) {
        return "";
    }
    engine_write_user(fixture.engine, number, EXPAND_ALL, &json);
    struct slice copy = arena_copy(&fixture.arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy.data;
}
__attribute__((unused)) static bool shows(uint32_t number, const char *part)
{
    return strstr(user(number), part) != NULL;
}
__attribute__((unused)) static bool verified(void)
{
    struct error error = {0};
    err e = engine_verify(fixture.engine, true, &error);
    if (e != ERR_OK) {
        fprintf(stderr, "verify: %s\n", error.message);
    }
    return e == ERR_OK;
}

/* What every person and cohort looks like. */
__attribute__((unused)) static const char *everything(void)
{
    struct buffer text;
    buffer_init(&text, 64 << 20);
    uint32_t next = 0;
    uint64_t total;
    do {
        uint32_t one;
        if (engine_page(fixture.engine, COHORT_NONE, true, next, 1, &one, &total, &next) == 1) {
            buffer_append_cstr(&text, user(one));
        }
    } while (next != 0);
    for (uint32_t rank = 0; rank < cohorts_count(engine_cohorts(fixture.engine)); rank++) {
        struct json_writer json = json_writer_of(&text);
        engine_write_cohort(fixture.engine, cohorts_at(engine_cohorts(fixture.engine), rank), true,
                            &json);
    }
    struct slice copy = arena_copy(&fixture.arena, buffer_slice(&text));
    buffer_deinit(&text);
    return copy.data;
}
/* The same answers after a start behind a checkpoint, from checkpoint and log, and from the log
 * alone. */
__attribute__((unused)) static void expect_same_after_starts(void)
{
    const char *before = everything();
    static const enum reopen ways[] = {AS_IT_IS, BEHIND_A_CHECKPOINT, FROM_LOG};
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        reopen(ways[i]);
        EXPECT(strcmp(before, everything()) == 0, " after start %zu\n%s\n%s", i, before,
               everything());
        EXPECT(verified());
    }
}

#endif
