/* cohorts_world.h: the people of test_cohorts.c as plain structs, and how one of them is published
 * to what is under test. */
#ifndef KINDRED_TESTS_UNIT_COHORTS_WORLD_H
#define KINDRED_TESTS_UNIT_COHORTS_WORLD_H

#include "unit/test.h"

#include <stdlib.h>
#include <strings.h>

#include "base/memory.h"
#include "classifier/examples.h"
#include "index/cohorts.h"
#include "ingest/json_reader.h"
#include "unit/classifier/table_classifier.h"

/* ---- the reference's people ------------------------------------------------------------------ */

enum { PEOPLE_MAX = 160, PHRASES = 24, FIELDS = 9, TAGS = 4, COHORTS = 14, DEFINITION_MAX = 3000 };

static const char *const phrase_texts[PHRASES] = {
    "cricket",     "Crickets",         "crcket",           "#Cricket", "football",
    "footbal",     "fantasy football", "college football", "golf",     "golf course",
    "gulf course", "Tom Brady",        "tom bradi",        "tennis",   "12345",
    "C++",         "Nike shoes",       "running shoes",    "shoe",     "baseball",
    "basebal",     "rugby union",      "rugby unoin",      "???",
};
static const char *const pattern_texts[] = {
    "cricket",     "crockets", "football",  "fantasy football", "* football",  "golf *",
    "tom brady",   "tennis",   "c++",       "* shoes",          "shoes",       "baseball",
    "rugby union", "*ball",    "fantasy *", "basebell",         "gulf course", "nike",
    "*o*",         "crickets",
};
static const char *const field_names[FIELDS] = {"location.country",
                                                "demographics.age",
                                                "first_name",
                                                "birth_date",
                                                "plan.tier",
                                                "score",
                                                "vip",
                                                "tags",
                                                "location.city"};
static const enum field fields_builtin[FIELDS] = {
    FIELD_COUNTRY,   FIELD_AGE,       FIELD_FIRST_NAME, FIELD_BIRTH_DATE, FIELD_ATTRIBUTE,
    FIELD_ATTRIBUTE, FIELD_ATTRIBUTE, FIELD_ATTRIBUTE,  FIELD_CITY};
static const char *const value_texts[] = {"USA", "usa", "India",      "Gold", "gold plus",
                                          "12",  "Ann", "1990-01-01", "beta", "Beta two"};

struct ref_value {
    enum profile_value_kind kind; /* texts are TEXT or CATEGORY */
    int64_t integer;
    double number;
    bool boolean;
    const char *text;
};

struct ref_person {
    bool alive;
    uint32_t root; /* who this number leads to */
    struct ref_value values[FIELDS];
    const char *tags[TAGS]; /* members of the list attribute "tags"; NULL: none */
    bool interests[PHRASES];
    void *blob;
};

static struct ref_person people[PEOPLE_MAX + 1];

struct ref_cohort {
    bool used;
    char name[32];
    char json[DEFINITION_MAX];
    struct json_document *document;
    uint64_t sequence;
};

static struct ref_cohort ref_cohorts[COHORTS];

/* ---- the world under test -------------------------------------------------------------------- */

static struct table_classifier table;
static bool answered[PHRASES]; /* the phrase has a verdict */
static struct cohort_world world;
static struct cohorts *cohorts;
static uint64_t sequence;

static uint32_t acquire(const char *text)
{
    uint32_t id = 0;
    EXPECT(names_acquire(world.names, slice_from_cstr(text), &id) == ERR_OK);
    return id;
}

static int by_name(const void *a, const void *b)
{
    const struct profile_field *left = a;
    const struct profile_field *right = b;
    return left->name_id < right->name_id ? -1 : left->name_id > right->name_id;
}

static void *make_blob(uint32_t number, const struct ref_person *person,
                       const uint32_t phrase_ids[PHRASES])
{
    struct profile_origin origin = {.sequence = 1};
    struct profile_field fields[FIELDS];
    struct profile_item items[TAGS];
    struct profile_interest interests[PHRASES];
    struct profile profile = {.number = number,
                              .origins = &origin,
                              .origin_count = 1,
                              .fields = fields,
                              .items = items,
                              .interests = interests};
    for (size_t f = 0; f < FIELDS; f++) {
        const struct ref_value *value = &person->values[f];
        if (value->kind == PROFILE_NULL && f % 2 == 0) {
            continue; /* a cleared field may also be there as a null */
        }
        struct profile_field *field = &fields[profile.field_count++];
        *field = (struct profile_field){.value = {.kind = value->kind}};
        field->name_id = fields_builtin[f] == FIELD_ATTRIBUTE ? acquire(field_names[f])
                                                              : (uint32_t)fields_builtin[f];
        switch (value->kind) {
        case PROFILE_NULL: break;
        case PROFILE_BOOL: field->value.boolean = value->boolean; break;
        case PROFILE_INTEGER: field->value.integer = value->integer; break;
        case PROFILE_NUMBER: field->value.number = value->number; break;
        case PROFILE_TEXT: field->value.text = slice_from_cstr(value->text); break;
        case PROFILE_CATEGORY: field->value.category_id = acquire(value->text); break;
        }
    }
    qsort(fields, profile.field_count, sizeof *fields, by_name);
    for (size_t t = 0; t < TAGS; t++) {
        if (person->tags[t] != NULL) {
            items[profile.item_count++] = (struct profile_item){
                .name_id = acquire("tags"), .text = slice_from_cstr(person->tags[t])};
        }
    }
    for (size_t p = 0; p < PHRASES; p++) {
        if (person->interests[p]) {
            interests[profile.interest_count++] =
                (struct profile_interest){.phrase_id = phrase_ids[p]};
        }
    }
    struct buffer out;
    buffer_init(&out, 1 << 20);
    profile_pack(&profile, &out);
    void *blob = malloc(out.length);
    memcpy(blob, out.data, out.length);
    buffer_deinit(&out);
    return blob;
}

static void release_names(const void *blob)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_fields(&view);
    for (struct profile_field field; profile_field_next(&cursor, &field);) {
        if (field.name_id >= FIELD_BUILTIN_COUNT) {
            names_release(world.names, field.name_id);
        }
        if (field.value.kind == PROFILE_CATEGORY) {
            names_release(world.names, field.value.category_id);
        }
    }
    cursor = profile_items(&view);
    for (struct profile_item item; profile_item_next(&cursor, &item);) {
        names_release(world.names, item.name_id);
    }
}

static void index_attributes(uint32_t number, const void *blob, bool set)
{
    if (blob == NULL) {
        return;
    }
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_fields(&view);
    for (struct profile_field field; profile_field_next(&cursor, &field);) {
        if (set) {
            attributes_set(world.attributes, field.name_id, &field.value, number);
        } else {
            attributes_clear(world.attributes, field.name_id, &field.value, number);
        }
    }
}

/* The order that cohorts.h asks for. */
static void publish(uint32_t number)
{
    struct ref_person *person = &people[number];
    void *old = person->blob;
    uint32_t ids[PHRASES];
    bool held[PHRASES] = {false};
    for (uint32_t p = 0; p < PHRASES; p++) {
        ids[p] = phrases_find(world.phrases, slice_from_cstr(phrase_texts[p]));
        held[p] = ids[p] != PHRASE_NONE &&
                  bitmap_contains(phrases_holders(world.phrases, ids[p]), number);
        if (person->alive && person->interests[p]) {
            if (ids[p] == PHRASE_NONE) {
                REQUIRE(phrases_intern(world.phrases, slice_from_cstr(phrase_texts[p]), &ids[p]) ==
                        ERR_OK);
                answered[p] = (number + p) % 2 == 0;
                struct verdict verdict;
                table_verdict(&table, slice_from_cstr(phrase_texts[p]), &verdict);
                REQUIRE((answered[p] ? cohorts_answer_phrase(cohorts, ids[p], &verdict)
                                     : cohorts_classify_phrase(cohorts, ids[p])) == ERR_OK);
            }
            phrases_add_holder(world.phrases, ids[p], number);
        }
    }
    void *blob = person->alive ? make_blob(number, person, ids) : NULL;
    index_attributes(number, old, false);
    index_attributes(number, blob, true);
    REQUIRE(people_replace(world.people, number, blob) == old);
    cohorts_person_changed(cohorts, number, old, blob);
    for (uint32_t p = 0; p < PHRASES; p++) {
        if (held[p] && !(person->alive && person->interests[p])) {
            phrases_remove_holder(world.phrases, ids[p], number);
        }
    }
    if (old != NULL) {
        release_names(old);
        free(old);
    }
    person->blob = blob;
}

#endif
