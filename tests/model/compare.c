/* The engine's answers against the reference. A person: both as sorted lines. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "engine/interests.h"
#include "ingest/json_reader.h"
#include "world.h"

enum { LINES_MAX = 1024, LINE_MAX_BYTES = 320 };

struct lines {
    char at[LINES_MAX][LINE_MAX_BYTES];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void line(struct lines *lines, const char *format, ...)
{
    CHECK(lines->count < LINES_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(lines->at[lines->count++], LINE_MAX_BYTES, format, args);
    va_end(args);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* ---- what the reference says ----------------------------------------------------------------- */

static const char *stamp(int64_t at_us)
{
    static char text[4][TIMESTAMP_TEXT_MAX];
    static unsigned turn;
    char *out = text[turn++ % 4];
    out[timestamp_format(at_us, out)] = '\0';
    return out;
}

static void expect_place(const struct ref_person *person, struct lines *out)
{
    static const char *const parts[] = {"location.city", "location.state", "location.country"};
    char joined[LINE_MAX_BYTES] = "";
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        const struct ref_fact *part = ref_field(person, parts[i]);
        if (part != NULL) {
            size_t length = strlen(joined);
            snprintf(joined + length, sizeof joined - length, "%s%.*s", length ? ", " : "",
                     (int)strlen(part->text) - 2, part->text + 1);
        }
    }
    line(out, "location %s", joined);
}

static void expected_lines(struct world *world, const struct ref_person *person, struct lines *out)
{
    out->count = 0;
    expect_place(person, out);
    line(out, "id p%u", person->number);
    line(out, "created_at %s", stamp(person->created_at_us));
    line(out, "updated_at %s", stamp(person->updated_at_us));
    for (size_t i = 0; i < person->id_count; i++) {
        const struct ref_identifier *id = &person->ids[i];
        line(out, "identifier %s %s %s at %s entry %" PRIu64,
             world->settings->identifiers[id->type].name, id->value,
             id->current ? "current" : "moved", stamp(id->seen.at_us), id->seen.sequence);
    }
    for (size_t i = 0; i < person->fields.count; i++) {
        const struct ref_fact *fact = &person->fields.at[i];
        if (ref_field(person, fact->name) != NULL) {
            line(out, "field %s %s", fact->name, fact->text);
        }
        line(out, "source %s at %s entry %" PRIu64, fact->name, stamp(fact->origin.at_us),
             fact->origin.sequence);
    }
    for (size_t i = 0; i < person->items.count; i++) {
        line(out, "item %s %s", person->items.at[i].name, person->items.at[i].text);
    }
    for (size_t i = 0; i < person->interests.count; i++) {
        const struct ref_fact *fact = &person->interests.at[i];
        line(out, "interest %s", fact->text);
        line(out, "source interests/%s at %s entry %" PRIu64, fact->text, stamp(fact->origin.at_us),
             fact->origin.sequence);
    }
    for (size_t i = 0; i < world->ref.cohort_count; i++) {
        if (ref_member(&world->ref, &world->ref.cohorts[i], person)) {
            line(out, "cohort %s", world->ref.cohorts[i].name);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        const struct ref_fact *field =
            ref_field(person, i == 0 ? "demographics.age" : "demographics.gender");
        if (field != NULL) {
            line(out, "%s %s", i == 0 ? "age" : "gender", field->text);
        }
    }
    qsort(out->at, out->count, sizeof out->at[0], compare_lines);
}

/* ---- what the engine says -------------------------------------------------------------------- */

static void value_text(json_value value, char out[LINE_MAX_BYTES])
{
    struct buffer buffer;
    buffer_init(&buffer, LINE_MAX_BYTES - 1);
    struct json_writer json = json_writer_of(&buffer);
    json_write(value, &json);
    snprintf(out, LINE_MAX_BYTES, "%.*s", SLICE_ARGS(buffer_slice(&buffer)));
    buffer_deinit(&buffer);
}

static void field_lines(struct slice name, json_value value, struct lines *out)
{
    char text[LINE_MAX_BYTES];
    if (json_type(value) == JSON_ARRAY) {
        for (struct json_iterator item = json_iterate(value); json_next(&item);) {
            line(out, "item %.*s %.*s", SLICE_ARGS(name), SLICE_ARGS(json_text(item.value)));
        }
        return;
    }
    value_text(value, text);
    line(out, "field %.*s %s", SLICE_ARGS(name), text);
}

static void identifier_line(json_value id, struct lines *out)
{
    line(out, "identifier %.*s %.*s %s at %.*s entry %" PRId64,
         SLICE_ARGS(json_text(json_get(id, "type"))), SLICE_ARGS(json_text(json_get(id, "value"))),
         json_true(json_get(id, "current")) ? "current" : "moved",
         SLICE_ARGS(json_text(json_get(id, "at"))), json_integer(json_get(id, "entry")));
}

static void engine_lines(json_value user, struct lines *out)
{
    static const char *const plain[] = {"id", "created_at", "updated_at", "location"};
    char text[LINE_MAX_BYTES];
    out->count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(plain); i++) {
        line(out, "%s %.*s", plain[i], SLICE_ARGS(json_text(json_get(user, plain[i]))));
    }
    for (struct json_iterator i = json_iterate(json_get(user, "identifiers")); json_next(&i);) {
        identifier_line(i.value, out);
    }
    for (struct json_iterator i = json_iterate(json_get(user, "attributes")); json_next(&i);) {
        field_lines(i.key, i.value, out);
    }
    for (struct json_iterator i = json_iterate(json_get(user, "sources")); json_next(&i);) {
        line(out, "source %.*s at %.*s entry %" PRId64, SLICE_ARGS(i.key),
             SLICE_ARGS(json_text(json_get(i.value, "at"))),
             json_integer(json_get(i.value, "entry")));
    }
    for (struct json_iterator i = json_iterate(json_get(user, "interests")); json_next(&i);) {
        line(out, "interest %.*s", SLICE_ARGS(json_text(i.value)));
    }
    for (struct json_iterator i = json_iterate(json_get(user, "cohorts")); json_next(&i);) {
        line(out, "cohort %.*s", SLICE_ARGS(json_text(i.value)));
    }
    for (struct json_iterator i = json_iterate(json_get(user, "demographics")); json_next(&i);) {
        value_text(i.value, text);
        line(out, "%.*s %s", SLICE_ARGS(i.key), text);
    }
    qsort(out->at, out->count, sizeof out->at[0], compare_lines);
}

static bool newer_seen(const struct ref_origin *a, const struct ref_origin *b)
{
    return a->at_us != b->at_us         ? a->at_us > b->at_us
           : a->priority != b->priority ? a->priority > b->priority
                                        : a->sequence > b->sequence;
}

/* The cookie and e-mail shown are current ones, and none of the type was seen later. */
static bool may_show(const struct ref_person *person, uint8_t type, json_value shown)
{
    const struct ref_identifier *newest = NULL;
    const struct ref_identifier *found = NULL;
    for (size_t i = 0; i < person->id_count; i++) {
        const struct ref_identifier *id = &person->ids[i];
        if (id->type != type || !id->current) {
            continue;
        }
        if (newest == NULL || newer_seen(&id->seen, &newest->seen)) {
            newest = id;
        }
        if (json_type(shown) == JSON_STRING && slice_equal_cstr(json_text(shown), id->value)) {
            found = id;
        }
    }
    return newest == NULL ? json_type(shown) == JSON_NULL
                          : found != NULL && !newer_seen(&newest->seen, &found->seen);
}

static void print_difference(const struct lines *ours, const struct lines *engines)
{
    size_t a = 0;
    size_t b = 0;
    while (a < ours->count || b < engines->count) {
        int order = a == ours->count      ? 1
                    : b == engines->count ? -1
                                          : strcmp(ours->at[a], engines->at[b]);
        if (order < 0) {
            fprintf(stderr, "  reference only: %s\n", ours->at[a]);
        } else if (order > 0) {
            fprintf(stderr, "  engine only:    %s\n", engines->at[b]);
        }
        a += order <= 0;
        b += order >= 0;
    }
}

static void compare_person(struct world *world, const struct ref_person *person)
{
    static struct lines ours;
    static struct lines engines;
    struct buffer text;
    struct error error;
    struct json_document *document = NULL;
    buffer_init(&text, 1 << 20);
    struct json_writer json = json_writer_of(&text);
    engine_write_user(world->engine, person->number, EXPAND_ALL, &json);
    if (text.failed || json_read(buffer_slice(&text), &document, &error) != ERR_OK) {
        world_fail(world, person->number, "the answer is no JSON: %s\n%.*s", error.message,
                   SLICE_ARGS(buffer_slice(&text)));
    }
    json_value user = json_root(document);
    expected_lines(world, person, &ours);
    engine_lines(user, &engines);
    bool same = ours.count == engines.count;
    for (size_t i = 0; same && i < ours.count; i++) {
        same = strcmp(ours.at[i], engines.at[i]) == 0;
    }
    if (!same) {
        print_difference(&ours, &engines);
        world_fail(world, person->number, "p%u differs", person->number);
    }
    if (!may_show(person, IDENTIFIER_COOKIE, json_get(user, "cookie")) ||
        !may_show(person, IDENTIFIER_EMAIL, json_get(user, "email"))) {
        world_fail(world, person->number,
                   "p%u shows another cookie or e-mail than the newest:\n%.*s", person->number,
                   SLICE_ARGS(buffer_slice(&text)));
    }
    json_document_destroy(document);
    buffer_deinit(&text);
}

/* ---- everything ------------------------------------------------------------------------------ */

static void compare_finding(struct world *world)
{
    enum { MOST = 256 };
    struct engine_key keys[MOST];
    char values[MOST][REF_TEXT];
    uint32_t found[MOST];
    size_t count = 0;
    while (count < MOST && input_identifier(count, &keys[count].type, values[count])) {
        keys[count].value = slice_from_cstr(values[count]);
        count++;
    }
    engine_find_many(world->engine, keys, count, found);
    for (size_t i = 0; i < count; i++) {
        uint32_t expected = ref_find(&world->ref, keys[i].type, keys[i].value);
        uint32_t alone = engine_find(world->engine, keys[i].type, keys[i].value);
        if (found[i] != expected || alone != expected) {
            world_fail(world, expected ? expected : alone, "%s is p%u, the engine says p%u and p%u",
                       values[i], expected, alone, found[i]);
        }
    }
    for (uint32_t number = 1; number <= world->ref.person_count + 1; number++) {
        char id[16];
        snprintf(id, sizeof id, "p%u", number);
        if (engine_find_id(world->engine, slice_from_cstr(id)) != ref_root(&world->ref, number)) {
            world_fail(world, number, "p%u is p%u, the engine says p%u", number,
                       ref_root(&world->ref, number),
                       engine_find_id(world->engine, slice_from_cstr(id)));
        }
    }
}

static void compare_page(struct world *world, uint32_t id, struct ref_cohort *cohort)
{
    static uint32_t expected[1 << 16];
    static uint32_t page[1 << 16];
    size_t count = 0;
    for (size_t i = 0; i < world->ref.person_count && count < ARRAY_COUNT(expected); i++) {
        const struct ref_person *person = &world->ref.people[i];
        if (person->alive && (cohort == NULL || ref_member(&world->ref, cohort, person))) {
            expected[count++] = person->number;
        }
    }
    size_t limit = 1 + prng_below(&world->prng, 40);
    uint64_t from = 0;
    uint64_t total = 0;
    uint32_t next = 0;
    size_t got = 0;
    do { /* a cursor walk */
        got += engine_page(world->engine, id, true, from, limit, page + got, &total, &next);
        from = next;
    } while (next != 0 && got + limit < ARRAY_COUNT(page));
    if (got != count || total != count || memcmp(page, expected, count * sizeof *page) != 0) {
        for (size_t i = 0, k = 0; i < count || k < got;) {
            bool ours = k == got || (i < count && expected[i] < page[k]);
            bool theirs = i == count || (k < got && page[k] < expected[i]);
            if (ours || theirs) {
                world_note(world, "p%u is only in the %s's", ours ? expected[i] : page[k],
                           ours ? "reference" : "engine");
            }
            i += !theirs;
            k += !ours;
        }
        world_fail(
            world, 0, "cohort %s (rules %s) has %zu members, the engine says %zu of %" PRIu64,
            cohort ? cohort->name : "*", cohort ? cohort->rules->json : "", count, got, total);
    }
    from = prng_below(&world->prng, count + 2);
    got = engine_page(world->engine, id, false, from, limit, page, &total, &next);
    size_t left = from < count ? count - from : 0;
    if (got != (left < limit ? left : limit) ||
        (got > 0 && memcmp(page, expected + from, got * sizeof *page) != 0)) {
        world_fail(world, 0, "cohort %s: page at %" PRIu64 " differs", cohort ? cohort->name : "*",
                   from);
    }
}

static void compare_cohorts(struct world *world)
{
    const struct cohorts *cohorts = engine_cohorts(world->engine);
    if (cohorts_count(cohorts) != world->ref.cohort_count) {
        world_fail(world, 0, "%zu cohorts, the engine has %u", world->ref.cohort_count,
                   cohorts_count(cohorts));
    }
    for (size_t i = 0; i < world->ref.cohort_count; i++) {
        struct ref_cohort *cohort = &world->ref.cohorts[i];
        uint32_t id = cohorts_find(cohorts, slice_from_cstr(cohort->name));
        if (id == COHORT_NONE) {
            world_fail(world, 0, "cohort %s is not there", cohort->name);
        }
        compare_page(world, id, cohort);
    }
    compare_page(world, COHORT_NONE, NULL);
}

static void compare_sequences(struct world *world, const struct ref_person *person)
{
    uint64_t *sequences = NULL;
    size_t count = 0;
    CHECK(engine_person_sequences(world->engine, person->number, &world->arena, &sequences,
                                  &count) == ERR_OK);
    if (count != person->sequence_count ||
        memcmp(sequences, person->sequences, count * sizeof *sequences) != 0) {
        world_fail(world, person->number, "p%u has %zu entries, the engine says %zu, or others",
                   person->number, person->sequence_count, count);
    }
}

static void compare_rest(struct world *world)
{
    struct engine_quarantined page[WORLD_QUARANTINE_MAX];
    size_t count = engine_quarantine_page(world->engine, 0, page, WORLD_QUARANTINE_MAX);
    bool same =
        count == world->quarantined_count && engine_quarantine_count(world->engine) == count;
    for (size_t i = 0; same && i < count; i++) {
        same = page[i].sequence == world->quarantined[count - 1 - i].sequence;
    }
    if (!same) {
        world_fail(world, 0, "%zu records in quarantine, the engine says %zu, or others",
                   world->quarantined_count, count);
    }
    for (size_t i = 0; i < world->erasure_count; i++) {
        struct engine_erasure status;
        const struct world_erasure *erasure = &world->erasures[i];
        if (!engine_erasure_status(world->engine, erasure->sequence, &status) ||
            status.entries != erasure->entries || (status.done_at_us != 0) != erasure->done) {
            world_fail(world, 0, "erasure %" PRIu64 " has another state", erasure->sequence);
        }
    }
}

static void compare_counts(struct world *world)
{
    struct engine_stats stats;
    engine_stats(world->engine, &stats);
    uint64_t people = 0;
    uint64_t identifiers = 0;
    for (size_t i = 0; i < world->ref.person_count; i++) {
        const struct ref_person *person = &world->ref.people[i];
        people += person->alive;
        for (size_t k = 0; person->alive && k < person->id_count; k++) {
            identifiers += person->ids[k].current;
        }
    }
    if (stats.people != people || stats.identifiers != identifiers ||
        stats.applied_sequence != world->last_sequence) {
        world_fail(world, 0,
                   "%" PRIu64 " people, %" PRIu64 " identifiers, entry %" PRIu64
                   "; the engine says %" PRIu64 ", %" PRIu64 ", %" PRIu64,
                   people, identifiers, world->last_sequence, stats.people, stats.identifiers,
                   stats.applied_sequence);
    }
}

void world_compare(struct world *world)
{
    struct error error = {0};
    if (engine_classify_pending(world->engine, &error) != ERR_OK) {
        world_fail(world, 0, "classifying what waits: %s", error.message);
    }
    arena_reset(&world->arena);
    compare_finding(world);
    for (size_t i = 0; i < world->ref.person_count; i++) {
        const struct ref_person *person = &world->ref.people[i];
        if (person->alive) {
            compare_person(world, person);
            compare_sequences(world, person);
        }
    }
    compare_cohorts(world);
    compare_rest(world);
    compare_counts(world);
}

uint64_t world_digest(const struct engine *engine)
{
    uint32_t numbers[256];
    uint32_t next = 0;
    uint64_t total;
    uint64_t from = 0;
    struct buffer text;
    buffer_init(&text, (size_t)256 << 20);
    do {
        size_t count = engine_page(engine, COHORT_NONE, true, from, ARRAY_COUNT(numbers), numbers,
                                   &total, &next);
        for (size_t i = 0; i < count; i++) {
            struct json_writer json = json_writer_of(&text);
            engine_write_user(engine, numbers[i], EXPAND_ALL, &json);
        }
        from = next;
    } while (next != 0);
    struct engine_quarantined page[WORLD_QUARANTINE_MAX];
    size_t count = engine_quarantine_page(engine, 0, page, WORLD_QUARANTINE_MAX);
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(&text, "q%llu", (unsigned long long)page[i].sequence);
    }
    for (uint32_t rank = 0; rank < cohorts_count(engine_cohorts(engine)); rank++) {
        struct json_writer json = json_writer_of(&text);
        engine_write_cohort(engine, cohorts_at(engine_cohorts(engine), rank), true, &json);
    }
    CHECK(!text.failed);
    uint64_t digest = hash64(buffer_slice(&text), 0);
    buffer_deinit(&text);
    return digest;
}
