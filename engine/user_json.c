/* user_json.c: a profile as the JSON that people read.
 *
 * The default is the shape of the mission and nothing more, written straight from the packed blob.
 * What `expand` asks for is added behind it, from the unpacked profile, in an order that does not
 * depend on ids of this process. */
#include "internal.h"

#include <stdlib.h>

#include "base/json_text.h"
#include "engine/interests.h"

_Static_assert(FIELD_STATE == FIELD_CITY + 1 && FIELD_COUNTRY == FIELD_CITY + 2,
               "a location is read as three fields in a row");

bool engine_expand_parse(struct slice words, unsigned *expand)
{
    static const struct {
        const char *word;
        unsigned bit;
    } known[] = {{"identifiers", EXPAND_IDENTIFIERS}, {"timestamps", EXPAND_TIMESTAMPS},
                 {"sources", EXPAND_SOURCES},         {"attributes", EXPAND_ATTRIBUTES},
                 {"cohorts", EXPAND_COHORTS},         {"all", EXPAND_ALL}};
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

/* ---- the default shape ----
 *
 * Answers by the million are written here, so the pieces follow one pointer through the room that
 * the buffer already has. A piece for which there may be no room goes through the buffer, which
 * grows, or fails and stays as it is. */

struct pen {
    struct buffer *out;
    char *at;
    char *end;
};

/* A failed buffer has no room. */
static inline void pen_take_up(struct pen *pen)
{
    pen->at = pen->out->data + pen->out->length;
    pen->end = pen->out->failed ? pen->at : pen->out->data + pen->out->capacity;
}

static inline void pen_put_down(struct pen *pen)
{
    buffer_commit(pen->out, (size_t)(pen->at - (pen->out->data + pen->out->length)));
}

static inline bool pen_has_room(const struct pen *pen, size_t bytes)
{
    return __builtin_expect((size_t)(pen->end - pen->at) >= bytes, 1);
}

static inline void pen_bytes(struct pen *pen, const char *bytes, size_t length)
{
    if (pen_has_room(pen, length)) {
        memcpy(pen->at, bytes, length);
        pen->at += length;
        return;
    }
    pen_put_down(pen);
    buffer_append(pen->out, bytes, length);
    pen_take_up(pen);
}
#define PEN_LITERAL(pen, text) pen_bytes(pen, text, sizeof(text) - 1)

static inline void pen_string(struct pen *pen, struct slice text)
{
    if (pen_has_room(pen, JSON_ESCAPED_MAX(text.length) + 2)) {
        *pen->at = '"';
        pen->at = json_escape(pen->at + 1, text);
        *pen->at++ = '"';
        return;
    }
    pen_put_down(pen);
    struct json_writer json = json_writer_of(pen->out);
    json_string(&json, text);
    pen_take_up(pen);
}

static inline void pen_text_or_null(struct pen *pen, struct slice text)
{
    if (text.data == NULL) {
        PEN_LITERAL(pen, "null");
    } else {
        pen_string(pen, text);
    }
}

static inline struct slice category_text(const struct engine *engine,
                                         const struct profile_value *value)
{
    if (value->kind == PROFILE_CATEGORY) {
        return names_text(engine->names, value->category_id);
    }
    return value->kind == PROFILE_TEXT ? value->text : SLICE_NONE;
}

static void write_value(const struct engine *engine, const struct profile_value *value,
                        struct json_writer *json)
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

/* Numbers and what is seldom: as the generic writer does it. */
static void pen_value(struct pen *pen, const struct engine *engine,
                      const struct profile_value *value)
{
    if (value->kind == PROFILE_CATEGORY || value->kind == PROFILE_TEXT) {
        pen_string(pen, category_text(engine, value));
        return;
    }
    if (value->kind == PROFILE_INTEGER && value->integer >= 0 && pen_has_room(pen, JSON_U64_MAX)) {
        pen->at = json_digits(pen->at, (uint64_t)value->integer);
        return;
    }
    pen_put_down(pen);
    struct json_writer json = json_writer_of(pen->out);
    write_value(engine, value, &json);
    pen_take_up(pen);
}

enum { LOCATION_MAX = 1024, LOCATION_PARTS = 3 };

static char *write_parts(char *to, const struct slice *parts, size_t count)
{
    *to++ = '"';
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            memcpy(to, ", ", 2);
            to += 2;
        }
        to = json_escape(to, parts[i]);
    }
    *to++ = '"';
    return to;
}

/* "Brooklyn, New York, USA": the parts there are. */
static void pen_location(struct pen *pen, const struct engine *engine,
                         const struct profile_value *city_state_country)
{
    struct slice parts[LOCATION_PARTS];
    size_t count = 0;
    size_t length = 0;
    for (size_t i = 0; i < LOCATION_PARTS; i++) {
        struct slice part = category_text(engine, &city_state_country[i]);
        if (part.length > 0 && part.length + 2 <= LOCATION_MAX - length) {
            length += part.length + (count > 0 ? 2 : 0);
            parts[count++] = part;
        }
    }
    if (count == 0) {
        PEN_LITERAL(pen, "null");
    } else if (pen_has_room(pen, JSON_ESCAPED_MAX(length) + 2)) {
        pen->at = write_parts(pen->at, parts, count);
    } else {
        char text[JSON_ESCAPED_MAX(LOCATION_MAX) + 2];
        pen_bytes(pen, text, (size_t)(write_parts(text, parts, count) - text));
    }
}

static void pen_demographics(struct pen *pen, const struct engine *engine,
                             const struct profile_value *age, const struct profile_value *gender)
{
    PEN_LITERAL(pen, ",\"demographics\":{");
    if (age->kind != PROFILE_NULL) {
        PEN_LITERAL(pen, "\"age\":");
        pen_value(pen, engine, age);
        if (gender->kind != PROFILE_NULL) {
            PEN_LITERAL(pen, ",");
        }
    }
    if (gender->kind != PROFILE_NULL) {
        PEN_LITERAL(pen, "\"gender\":");
        pen_value(pen, engine, gender);
    }
}

static void pen_interests(struct pen *pen, const struct engine *engine,
                          const struct profile_view *view)
{
    enum { AT_A_TIME = 16 };
    uint32_t ids[AT_A_TIME];
    PEN_LITERAL(pen, "},\"interests\":[");
    struct profile_cursor cursor = profile_interests(view);
    for (uint32_t done = 0; done < view->interest_count;) {
        uint32_t count = profile_interest_ids(&cursor, ids, AT_A_TIME);
        for (uint32_t i = 0; i < count; i++, done++) {
            if (done > 0) {
                PEN_LITERAL(pen, ",");
            }
            pen_string(pen, phrases_text(engine->phrases, ids[i]));
        }
    }
}

/* Nearly everybody is in a few cohorts: a large array on the stack would be several cache lines to
 * touch. */
enum { USER_COHORTS_FEW = 48, USER_COHORTS_MAX = 4096 };

static void pen_names(struct pen *pen, const struct engine *engine, const uint32_t *ids,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            PEN_LITERAL(pen, ",");
        }
        pen_string(pen, cohort_definition_name(cohorts_definition(engine->cohorts, ids[i])));
    }
}

__attribute__((noinline)) static void pen_many_names(struct pen *pen, const struct engine *engine,
                                                     const struct profile_view *view)
{
    uint32_t ids[USER_COHORTS_MAX];
    pen_names(pen, engine, ids, cohorts_of_person(engine->cohorts, view, ids, USER_COHORTS_MAX));
}

static void pen_cohorts(struct pen *pen, const struct engine *engine,
                        const struct profile_view *view)
{
    uint32_t ids[USER_COHORTS_FEW];
    size_t count = cohorts_of_person(engine->cohorts, view, ids, USER_COHORTS_FEW);
    PEN_LITERAL(pen, "],\"cohorts\":[");
    if (count < USER_COHORTS_FEW) {
        pen_names(pen, engine, ids, count);
    } else {
        pen_many_names(pen, engine, view);
    }
    PEN_LITERAL(pen, "]");
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

static void write_identifiers(const struct engine *engine, const struct profile *profile,
                              struct json_writer *json)
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
static void write_attributes(const struct engine *engine, const struct profile *profile,
                             struct arena *arena, struct json_writer *json)
{
    size_t count = 0;
    struct named *named =
        arena_alloc(arena, (profile->field_count + profile->item_count + 1) * sizeof *named);
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
        named[count++] =
            (struct named){field_text(engine, profile->items[i].name_id), profile->field_count + i};
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
            write_items(profile, profile->items[named[i].index - profile->field_count].name_id,
                        json);
        }
    }
    json_object_end(json);
}

static void write_sources(const struct engine *engine, const struct profile *profile,
                          struct arena *arena, struct json_writer *json)
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
    json_member_string(json, "cohort",
                       cohort_definition_name(cohorts_definition(engine->cohorts, hit->cohort)));
    json_member_string(json, "interest", phrases_text(engine->phrases, phrase));
    engine_write_hit(engine, hit, json);
    json_object_end(json);
}

/* By interest, then by the cohort's name: ids of cohorts are this process's own. */
static void write_reasons(const struct engine *engine, const struct profile *profile,
                          struct arena *arena, struct json_writer *json)
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

static void write_expanded(const struct engine *engine, const void *blob, unsigned expand,
                           struct json_writer *json)
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

static void write_default(const struct engine *engine, const struct profile_view *view,
                          struct buffer *out)
{
    struct profile_glance glance;
    struct pen pen = {.out = out};
    profile_glance(view, &glance);
    pen_take_up(&pen);
    PEN_LITERAL(&pen, "\"cookie\":");
    pen_text_or_null(&pen, glance.cookie);
    PEN_LITERAL(&pen, ",\"email\":");
    pen_text_or_null(&pen, glance.email);
    PEN_LITERAL(&pen, ",\"location\":");
    pen_location(&pen, engine, &glance.fields[FIELD_CITY]);
    pen_demographics(&pen, engine, &glance.fields[FIELD_AGE], &glance.fields[FIELD_GENDER]);
    pen_interests(&pen, engine, view);
    pen_cohorts(&pen, engine, view);
    pen_put_down(&pen);
}

void engine_write_user(const struct engine *engine, uint32_t number, unsigned expand,
                       struct json_writer *json)
{
    const void *blob = people_blob(engine->people, number);
    CHECK(blob != NULL);
    struct profile_view view;
    profile_view_open(blob, &view);
    json_object_begin(json);
    if (expand != 0) {
        buffer_append_format(json->out, "\"id\":\"p%u\",", number);
    }
    if (!json->out->failed) {
        write_default(engine, &view, json->out);
    }
    json->need_comma = true;
    if (expand != 0) {
        write_expanded(engine, blob, expand, json);
    }
    json_object_end(json);
}
