/* user_json.c: a profile as the JSON that people read.
 *
 * The default is the shape of the mission and nothing more, written straight from the packed blob. What `expand` asks for is
 * added behind it, from the unpacked profile, in an order that does not depend on ids of this process. */
#include "internal.h"

#include <stdlib.h>

#include "engine/interests.h"

bool engine_expand_parse(struct slice words, unsigned *expand)
{
    static const struct {
        const char *word;
        unsigned bit;
    } known[] = {{"identifiers", EXPAND_IDENTIFIERS}, {"timestamps", EXPAND_TIMESTAMPS}, {"sources", EXPAND_SOURCES},
                 {"attributes", EXPAND_ATTRIBUTES},   {"cohorts", EXPAND_COHORTS},       {"all", EXPAND_ALL}};
    *expand = 0;
    while (words.data != NULL) {
        struct slice word = slice_trim(slice_cut(&words, ','));
        unsigned bit = 0;
        for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
            if (slice_equal_cstr(word, known[i].word)) {
                bit = known[i].bit;
            }
        }
        if (bit == 0) {
            return false;
        }
        *expand |= bit;
    }
    return true;
}

/* ---- the default shape ---- */

struct glance {
    struct slice cookie, email;
    struct profile_value place[3]; /* city, state, country */
    struct profile_value age, gender;
};

static struct slice category_text(const struct engine *engine, const struct profile_value *value)
{
    if (value->kind == PROFILE_CATEGORY) {
        return names_text(engine->names, value->category_id);
    }
    return value->kind == PROFILE_TEXT ? value->text : SLICE_NONE;
}

/* Identifiers are sorted: the first of a type is the one to show. */
static void glance_identifiers(const struct profile_view *view, struct glance *out)
{
    struct profile_cursor cursor = profile_identifiers(view);
    for (struct profile_identifier item; profile_identifier_next(&cursor, &item);) {
        if (item.moved) {
            continue;
        }
        if (item.type == IDENTIFIER_COOKIE && out->cookie.data == NULL) {
            out->cookie = item.value;
        } else if (item.type == IDENTIFIER_EMAIL && out->email.data == NULL) {
            out->email = item.value;
        }
    }
}

static void glance_fields(const struct profile_view *view, struct glance *out)
{
    struct profile_cursor cursor = profile_fields(view);
    for (struct profile_field field; profile_field_next(&cursor, &field);) {
        switch (field.name_id) {
        case FIELD_CITY: out->place[0] = field.value; break;
        case FIELD_STATE: out->place[1] = field.value; break;
        case FIELD_COUNTRY: out->place[2] = field.value; break;
        case FIELD_AGE: out->age = field.value; break;
        case FIELD_GENDER: out->gender = field.value; break;
        default:
            if (field.name_id > FIELD_GENDER) {
                return; /* ascending: nothing more to see */
            }
        }
    }
}

static void write_text_or_null(struct json_writer *json, const char *key, struct slice text)
{
    json_key(json, key);
    if (text.data == NULL) {
        json_null(json);
    } else {
        json_string(json, text);
    }
}

/* "Brooklyn, New York, USA": the parts there are. */
static void write_location(const struct engine *engine, const struct glance *glance, struct json_writer *json)
{
    char joined[1024];
    size_t length = 0;
    for (size_t i = 0; i < ARRAY_COUNT(glance->place); i++) {
        struct slice part = category_text(engine, &glance->place[i]);
        if (part.length == 0 || part.length + 2 > sizeof joined - length) {
            continue;
        }
        if (length > 0) {
            memcpy(joined + length, ", ", 2);
            length += 2;
        }
        memcpy(joined + length, part.data, part.length);
        length += part.length;
    }
    write_text_or_null(json, "location", length > 0 ? slice_of(joined, length) : SLICE_NONE);
}

static void write_value(const struct engine *engine, const struct profile_value *value, struct json_writer *json)
{
    switch (value->kind) {
    case PROFILE_NULL: json_null(json); break;
    case PROFILE_BOOL: json_bool(json, value->boolean); break;
    case PROFILE_INTEGER: json_i64(json, value->integer); break;
    case PROFILE_NUMBER: json_double(json, value->number); break;
    case PROFILE_TEXT:
    case PROFILE_CATEGORY: json_string(json, category_text(engine, value)); break;
    }
}

static void write_interests(const struct engine *engine, const struct profile_view *view, struct json_writer *json)
{
    json_key(json, "interests");
    json_array_begin(json);
    struct profile_cursor cursor = profile_interests(view);
    for (struct profile_interest item; profile_interest_next(&cursor, &item);) {
        json_string(json, phrases_text(engine->phrases, item.phrase_id));
    }
    json_array_end(json);
}

enum { USER_COHORTS_MAX = 4096 };

static void write_cohorts(const struct engine *engine, const struct profile_view *view, struct json_writer *json)
{
    uint32_t ids[USER_COHORTS_MAX];
    size_t count = cohorts_of_person(engine->cohorts, view, ids, USER_COHORTS_MAX);
    json_key(json, "cohorts");
    json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        json_string(json, cohort_definition_name(cohorts_definition(engine->cohorts, ids[i])));
    }
    json_array_end(json);
}

/* ---- what expand adds ---- */

static const char *type_name(const struct engine *engine, uint8_t type)
{
    return current_settings(engine)->identifiers[type].name;
}

static void write_origin(const struct engine *engine, const struct profile *profile, uint32_t index,
                         struct json_writer *json)
{
    const struct profile_origin *origin = &profile->origins[index];
    json_member_string(json, "source", names_text(engine->names, origin->source_id));
    json_member_timestamp(json, "at", origin->event_time_us);
    json_member_u64(json, "entry", origin->sequence);
}

static void write_identifiers(const struct engine *engine, const struct profile *profile, struct json_writer *json)
{
    json_key(json, "identifiers");
    json_array_begin(json);
    for (size_t i = 0; i < profile->identifier_count; i++) {
        const struct profile_identifier *item = &profile->identifiers[i];
        json_object_begin(json);
        json_member_cstr(json, "type", type_name(engine, item->type));
        json_member_string(json, "value", item->value);
        json_member_bool(json, "current", !item->moved);
        json_member_cstr(json, "method", "exact");
        write_origin(engine, profile, item->origin, json);
        json_object_end(json);
    }
    json_array_end(json);
}

static struct slice field_text(const struct engine *engine, uint32_t name_id)
{
    return name_id < FIELD_BUILTIN_COUNT ? slice_from_cstr(field_path((enum field)name_id))
                                         : names_text(engine->names, name_id);
}

/* Ids of this process must not show in the order: by name. */
struct named {
    struct slice name;
    size_t index;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    int order = slice_compare(x->name, y->name);
    return order != 0 ? order : (x->index < y->index ? -1 : 1);
}

static void write_items(const struct profile *profile, uint32_t name_id, struct json_writer *json)
{
    json_array_begin(json);
    for (size_t i = 0; i < profile->item_count; i++) {
        if (profile->items[i].name_id == name_id) {
            json_string(json, profile->items[i].text);
        }
    }
    json_array_end(json);
}

/* Every field there is, by its path; a cleared one is not there. */
static void write_attributes(const struct engine *engine, const struct profile *profile, struct arena *arena,
                             struct json_writer *json)
{
    size_t count = 0;
    struct named *named = arena_alloc(arena, (profile->field_count + profile->item_count + 1) * sizeof *named);
    if (named == NULL) {
        json->out->failed = true;
        return;
    }
    for (size_t i = 0; i < profile->field_count; i++) {
        if (profile->fields[i].value.kind != PROFILE_NULL) {
            named[count++] = (struct named){field_text(engine, profile->fields[i].name_id), i};
        }
    }
    for (size_t i = 0; i < profile->item_count; i++) {
        named[count++] = (struct named){field_text(engine, profile->items[i].name_id), profile->field_count + i};
    }
    qsort(named, count, sizeof *named, compare_named);
    json_key(json, "attributes");
    json_object_begin(json);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && slice_equal(named[i].name, named[i - 1].name)) {
            continue; /* further members of one list */
        }
        json_key_slice(json, named[i].name);
        if (named[i].index < profile->field_count) {
            write_value(engine, &profile->fields[named[i].index].value, json);
        } else {
            write_items(profile, profile->items[named[i].index - profile->field_count].name_id, json);
        }
    }
    json_object_end(json);
}

static void write_sources(const struct engine *engine, const struct profile *profile, struct arena *arena,
                          struct json_writer *json)
{
    struct named *named = arena_alloc(arena, (profile->field_count + 1) * sizeof *named);
    if (named == NULL) {
        json->out->failed = true;
        return;
    }
    for (size_t i = 0; i < profile->field_count; i++) {
        named[i] = (struct named){field_text(engine, profile->fields[i].name_id), i};
    }
    qsort(named, profile->field_count, sizeof *named, compare_named);
    json_key(json, "sources");
    json_object_begin(json);
    for (size_t i = 0; i < profile->field_count; i++) {
        json_key_slice(json, named[i].name);
        json_object_begin(json);
        write_origin(engine, profile, profile->fields[named[i].index].origin, json);
        json_object_end(json);
    }
    for (size_t i = 0; i < profile->interest_count; i++) {
        const struct profile_interest *item = &profile->interests[i];
        char key[PHRASE_FOLD_MAX + 16] = "interests/";
        struct slice text = phrases_text(engine->phrases, item->phrase_id);
        size_t length = text.length < PHRASE_FOLD_MAX ? text.length : PHRASE_FOLD_MAX;
        memcpy(key + 10, text.data, length);
        json_key_slice(json, slice_of(key, 10 + length));
        json_object_begin(json);
        write_origin(engine, profile, item->origin, json);
        json_object_end(json);
    }
    json_object_end(json);
}

static void write_reason(const struct engine *engine, uint32_t phrase, const struct rule_hit *hit,
                         struct json_writer *json)
{
    json_object_begin(json);
    json_member_string(json, "cohort", cohort_definition_name(cohorts_definition(engine->cohorts, hit->cohort)));
    json_member_string(json, "interest", phrases_text(engine->phrases, phrase));
    engine_write_hit(engine, hit, json);
    json_object_end(json);
}

/* By interest, then by the cohort's name: ids of cohorts are this process's own. */
static void write_reasons(const struct engine *engine, const struct profile *profile, struct arena *arena,
                          struct json_writer *json)
{
    json_key(json, "cohort_reasons");
    json_array_begin(json);
    for (size_t i = 0; i < profile->interest_count; i++) {
        uint32_t phrase = profile->interests[i].phrase_id;
        size_t count = 0;
        const struct rule_hit *hits = phrases_hits(engine->phrases, phrase, &count);
        struct named *named = arena_alloc(arena, (count + 1) * sizeof *named);
        if (named == NULL) {
            json->out->failed = true;
            return;
        }
        for (size_t h = 0; h < count; h++) {
            named[h] = (struct named){
                cohort_definition_name(cohorts_definition(engine->cohorts, hits[h].cohort)), h};
        }
        qsort(named, count, sizeof *named, compare_named);
        for (size_t h = 0; h < count; h++) {
            write_reason(engine, phrase, &hits[named[h].index], json);
        }
    }
    json_array_end(json);
}

static void write_expanded(const struct engine *engine, const void *blob, unsigned expand, struct json_writer *json)
{
    struct arena arena;
    struct profile profile;
    arena_init(&arena, (size_t)64 << 20);
    if (profile_unpack(&arena, blob, 0, &profile) != ERR_OK) {
        json->out->failed = true;
    } else {
        if (expand & EXPAND_ATTRIBUTES) {
            write_attributes(engine, &profile, &arena, json);
        }
        if (expand & EXPAND_IDENTIFIERS) {
            write_identifiers(engine, &profile, json);
        }
        if (expand & EXPAND_COHORTS) {
            write_reasons(engine, &profile, &arena, json);
        }
        if (expand & EXPAND_SOURCES) {
            write_sources(engine, &profile, &arena, json);
        }
        if (expand & EXPAND_TIMESTAMPS) {
            json_member_timestamp(json, "created_at", profile.created_at_us);
            json_member_timestamp(json, "updated_at", profile.updated_at_us);
        }
    }
    arena_deinit(&arena);
}

void engine_write_user(const struct engine *engine, uint32_t number, unsigned expand, struct json_writer *json)
{
    const void *blob = people_blob(engine->people, number);
    CHECK(blob != NULL);
    struct profile_view view;
    struct glance glance = {0};
    profile_view_open(blob, &view);
    glance_identifiers(&view, &glance);
    glance_fields(&view, &glance);
    json_object_begin(json);
    if (expand != 0) {
        buffer_append_format(json->out, "\"id\":\"p%u\"", number);
        json->need_comma = true;
    }
    write_text_or_null(json, "cookie", glance.cookie);
    write_text_or_null(json, "email", glance.email);
    write_location(engine, &glance, json);
    json_key(json, "demographics");
    json_object_begin(json);
    if (glance.age.kind != PROFILE_NULL) {
        json_key(json, "age");
        write_value(engine, &glance.age, json);
    }
    if (glance.gender.kind != PROFILE_NULL) {
        json_key(json, "gender");
        write_value(engine, &glance.gender, json);
    }
    json_object_end(json);
    write_interests(engine, &view, json);
    write_cohorts(engine, &view, json);
    if (expand != 0) {
        write_expanded(engine, blob, expand, json);
    }
    json_object_end(json);
}
