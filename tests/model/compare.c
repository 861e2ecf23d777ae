/* One person: the engine's JSON against the reference, both as sorted lines. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- what the reference says -------------------------------------------------------------------- */

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
            snprintf(joined + length, sizeof joined - length, "%s%.*s", length ? ", " : "", (int)strlen(part->text) - 2,
                     part->text + 1);
        }
    }
    line(out, "location %s", joined);
}

static void expected_lines(const struct world *world, const struct ref_person *person, struct lines *out)
{
    out->count = 0;
    expect_place(person, out);
    line(out, "id p%u", person->number);
    line(out, "created_at %s", stamp(person->created_at_us));
    line(out, "updated_at %s", stamp(person->updated_at_us));
    for (size_t i = 0; i < person->id_count; i++) {
        const struct ref_identifier *id = &person->ids[i];
        line(out, "identifier %s %s %s at %s entry %" PRIu64, world->settings->identifiers[id->type].name, id->value,
             id->current ? "current" : "moved", stamp(id->seen.at_us), id->seen.sequence);
    }
    for (size_t i = 0; i < person->fields.count; i++) {
        const struct ref_fact *fact = &person->fields.at[i];
        if (ref_field(person, fact->name) != NULL) {
            line(out, "field %s %s", fact->name, fact->text);
        }
        line(out, "source %s at %s entry %" PRIu64, fact->name, stamp(fact->origin.at_us), fact->origin.sequence);
    }
    for (size_t i = 0; i < person->items.count; i++) {
        line(out, "item %s %s", person->items.at[i].name, person->items.at[i].text);
    }
    for (size_t i = 0; i < person->interests.count; i++) {
        const struct ref_fact *fact = &person->interests.at[i];
        line(out, "interest %s", fact->text);
        line(out, "source interests/%s at %s entry %" PRIu64, fact->text, stamp(fact->origin.at_us), fact->origin.sequence);
    }
    for (size_t i = 0; i < world->ref.cohort_count; i++) {
        if (ref_member(&world->ref, &world->ref.cohorts[i], person)) {
            line(out, "cohort %s", world->ref.cohorts[i].name);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        const struct ref_fact *field = ref_field(person, i == 0 ? "demographics.age" : "demographics.gender");
        if (field != NULL) {
            line(out, "%s %s", i == 0 ? "age" : "gender", field->text);
        }
    }
    qsort(out->at, out->count, sizeof out->at[0], compare_lines);
}

/* ---- what the engine says ------------------------------------------------------------------------ */

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
    line(out, "identifier %.*s %.*s %s at %.*s entry %" PRId64, SLICE_ARGS(json_text(json_get(id, "type"))),
         SLICE_ARGS(json_text(json_get(id, "value"))), json_true(json_get(id, "current")) ? "current" : "moved",
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
        line(out, "source %.*s at %.*s entry %" PRId64, SLICE_ARGS(i.key), SLICE_ARGS(json_text(json_get(i.value, "at"))),
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
    return newest == NULL ? json_type(shown) == JSON_NULL : found != NULL && !newer_seen(&newest->seen, &found->seen);
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

void compare_person(struct world *world, const struct ref_person *person)
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
        world_fail(world, person->number, "the answer is no JSON: %s\n%.*s", error.message, SLICE_ARGS(buffer_slice(&text)));
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
        world_fail(world, person->number, "p%u shows another cookie or e-mail than the newest:\n%.*s", person->number,
                   SLICE_ARGS(buffer_slice(&text)));
    }
    json_document_destroy(document);
    buffer_deinit(&text);
}
