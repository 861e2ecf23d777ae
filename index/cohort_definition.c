#include "index/cohort_definition.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "classifier/rules.h"
#include "cohort_condition.h"

enum { DEFINITION_BYTES_MAX = 64 * 1024 * 1024 };

struct slices {
    struct slice *items;
    size_t count;
};

struct persons {
    struct cohort_person *items;
    size_t count;
};

struct cohort_definition {
    struct arena arena; /* everything below */
    struct slice name;
    struct slice description;
    struct slices phrases;
    struct slices not_phrases;
    struct condition condition;
    struct persons include;
    struct persons exclude;
};

static err no_memory(struct error *error)
{
    return error_set(error, ERR_MEMORY, "out_of_memory", 0, "out of memory");
}

/* ---- parsing ---- */

static err parse_name(struct cohort_definition *definition, struct slice name, struct error *error)
{
    name = slice_trim(name);
    size_t characters = 0;
    for (size_t i = 0; i < name.length; characters++) {
        size_t length = utf8_sequence_length(name, i);
        unsigned char c = (unsigned char)name.data[i];
        /* C1 controls are C2 80 .. C2 9F. */
        bool is_control = c < 0x20 || c == 0x7F || (c == 0xC2 && length == 2 && (unsigned char)name.data[i + 1] < 0xA0);
        if (length == 0 || is_control || c == '/') {
            return error_set(error, ERR_INVALID, "cohort_name_invalid", i,
                             "a cohort's name is valid UTF-8 without '/' and control characters");
        }
        i += length;
    }
    if (characters == 0 || characters > COHORT_NAME_MAX) {
        return error_set(error, ERR_INVALID, "cohort_name_invalid", 0, "a cohort's name has 1 to %d characters",
                         COHORT_NAME_MAX);
    }
    if (slice_equal_cstr(name, ".") || slice_equal_cstr(name, "..")) {
        return error_set(error, ERR_INVALID, "cohort_name_invalid", 0, "\".\" and \"..\" mean something else in a URL");
    }
    definition->name = arena_copy(&definition->arena, name);
    return definition->name.data != NULL ? ERR_OK : no_memory(error);
}

static err parse_description(struct cohort_definition *definition, json_value value, struct error *error)
{
    if (value == NULL) {
        return ERR_OK;
    }
    if (json_type(value) != JSON_STRING || json_text(value).length > COHORT_DESCRIPTION_MAX) {
        return error_set(error, ERR_INVALID, "cohort_invalid", 0, "\"description\" is to be a text of at most %d bytes",
                         COHORT_DESCRIPTION_MAX);
    }
    definition->description = arena_copy(&definition->arena, json_text(value));
    return definition->description.data != NULL ? ERR_OK : no_memory(error);
}

static err check_list(json_value value, const char *member, size_t max, struct error *error)
{
    if (json_type(value) != JSON_ARRAY) {
        return error_set(error, ERR_INVALID, "cohort_invalid", 0, "\"%s\" is to be a list, not %s", member,
                         json_type_name(value));
    }
    if (json_count(value) > max) {
        return error_set(error, ERR_TOO_LARGE, "cohort_too_large", 0, "\"%s\" has more than %zu entries", member, max);
    }
    return ERR_OK;
}

static err parse_phrase(struct arena *arena, json_value value, const char *member, size_t index, struct slice *out,
                        struct error *error)
{
    struct error why = {0};
    if (json_type(value) != JSON_STRING) {
        return error_set(error, ERR_INVALID, "cohort_invalid", index, "%s[%zu] is to be a text, not %s", member, index,
                         json_type_name(value));
    }
    err e = rules_pattern_check(json_text(value), &why);
    if (e != ERR_OK) {
        return error_set(error, e, why.code, index, "%s[%zu]: %s", member, index, why.message);
    }
    *out = arena_copy(arena, json_text(value));
    return out->data != NULL ? ERR_OK : no_memory(error);
}

static err parse_phrases(struct arena *arena, json_value value, const char *member, struct slices *out,
                         struct error *error)
{
    if (value == NULL) {
        return ERR_OK;
    }
    err e = check_list(value, member, COHORT_PHRASES_MAX, error);
    if (e != ERR_OK || json_count(value) == 0) {
        return e;
    }
    out->items = arena_alloc(arena, json_count(value) * sizeof *out->items);
    if (out->items == NULL) {
        return no_memory(error);
    }
    for (struct json_iterator each = json_iterate(value); e == ERR_OK && json_next(&each);) {
        e = parse_phrase(arena, each.value, member, out->count, &out->items[out->count], error);
        out->count += e == ERR_OK;
    }
    return e;
}

/* "p17", or {"email": "ann@example.com"}. */
static err parse_person(struct arena *arena, json_value value, const char *member, size_t index,
                        struct cohort_person *out, struct error *error)
{
    const struct slice text = json_text(value);
    uint64_t number = 0;
    *out = (struct cohort_person){0};
    if (text.length > 1 && text.data[0] == 'p' && slice_to_u64(slice_of(text.data + 1, text.length - 1), &number) &&
        number > 0 && number < UINT32_MAX) {
        out->number = (uint32_t)number;
        return ERR_OK;
    }
    struct json_iterator only = json_iterate(value);
    if (json_type(value) != JSON_OBJECT || json_count(value) != 1 || !json_next(&only) ||
        json_text(only.value).length == 0 || only.key.length == 0) {
        return error_set(error, ERR_INVALID, "cohort_invalid", index,
                         "%s[%zu] is to be a person's id (\"p17\") or one identifier ({\"email\": \"…\"})", member, index);
    }
    out->type = arena_copy(arena, only.key);
    out->value = arena_copy(arena, json_text(only.value));
    return out->type.data != NULL && out->value.data != NULL ? ERR_OK : no_memory(error);
}

static err parse_persons(struct arena *arena, json_value value, const char *member, struct persons *out,
                         struct error *error)
{
    if (value == NULL) {
        return ERR_OK;
    }
    err e = check_list(value, member, COHORT_PERSONS_MAX, error);
    if (e != ERR_OK || json_count(value) == 0) {
        return e;
    }
    out->items = arena_alloc(arena, json_count(value) * sizeof *out->items);
    if (out->items == NULL) {
        return no_memory(error);
    }
    for (struct json_iterator each = json_iterate(value); e == ERR_OK && json_next(&each);) {
        e = parse_person(arena, each.value, member, out->count, &out->items[out->count], error);
        out->count += e == ERR_OK;
    }
    return e;
}

static err check_members(json_value root, struct error *error)
{
    static const char *const members[] = {"description", "phrases", "not_phrases", "where", "include", "exclude"};
    if (json_type(root) != JSON_OBJECT) {
        return error_set(error, ERR_INVALID, "cohort_invalid", 0, "a cohort's definition is an object, not %s",
                         json_type_name(root));
    }
    for (struct json_iterator each = json_iterate(root); json_next(&each);) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
            known = known || slice_equal_cstr(each.key, members[i]);
        }
        if (!known) {
            return error_set(error, ERR_INVALID, "cohort_invalid", 0,
                             "\"%.*s\" is not a member of a definition; there are description, phrases, not_phrases, "
                             "where, include, exclude",
                             (int)(each.key.length < 60 ? each.key.length : 60), each.key.data);
        }
    }
    return ERR_OK;
}

static err parse_root(struct cohort_definition *definition, json_value root, struct error *error)
{
    struct arena *arena = &definition->arena;
    err e = check_members(root, error);
    if (e == ERR_OK) {
        e = parse_description(definition, json_get(root, "description"), error);
    }
    if (e == ERR_OK) {
        e = parse_phrases(arena, json_get(root, "phrases"), "phrases", &definition->phrases, error);
    }
    if (e == ERR_OK) {
        e = parse_phrases(arena, json_get(root, "not_phrases"), "not_phrases", &definition->not_phrases, error);
    }
    if (e == ERR_OK && json_get(root, "where") != NULL) {
        e = condition_parse(arena, json_get(root, "where"), COHORT_CONDITIONS_MAX, &definition->condition, error);
    }
    if (e == ERR_OK) {
        e = parse_persons(arena, json_get(root, "include"), "include", &definition->include, error);
    }
    if (e == ERR_OK) {
        e = parse_persons(arena, json_get(root, "exclude"), "exclude", &definition->exclude, error);
    }
    return e;
}

err cohort_definition_parse(struct slice name, struct slice json, struct cohort_definition **out, struct error *error)
{
    struct json_document *document = NULL;
    struct cohort_definition *definition = memory_zalloc(sizeof *definition);
    if (definition == NULL) {
        return no_memory(error);
    }
    arena_init(&definition->arena, DEFINITION_BYTES_MAX);
    err e = parse_name(definition, name, error);
    if (e == ERR_OK) {
        e = json_read(json, &document, error);
    }
    if (e == ERR_OK) {
        e = parse_root(definition, json_root(document), error);
    }
    json_document_destroy(document);
    if (e != ERR_OK) {
        cohort_definition_destroy(definition);
        return e;
    }
    *out = definition;
    return ERR_OK;
}

void cohort_definition_destroy(struct cohort_definition *definition)
{
    if (definition != NULL) {
        arena_deinit(&definition->arena);
        memory_free(definition);
    }
}

/* ---- reading ---- */

struct slice cohort_definition_name(const struct cohort_definition *definition)
{
    return definition->name;
}

struct slice cohort_definition_description(const struct cohort_definition *definition)
{
    return definition->description;
}

const struct slice *cohort_definition_phrases(const struct cohort_definition *definition, size_t *count)
{
    *count = definition->phrases.count;
    return definition->phrases.items;
}

const struct slice *cohort_definition_not_phrases(const struct cohort_definition *definition, size_t *count)
{
    *count = definition->not_phrases.count;
    return definition->not_phrases.items;
}

bool cohort_definition_has_condition(const struct cohort_definition *definition)
{
    return definition->condition.count > 0;
}

const struct condition *cohort_definition_condition(const struct cohort_definition *definition)
{
    return &definition->condition;
}

const struct cohort_person *cohort_definition_include(const struct cohort_definition *definition, size_t *count)
{
    *count = definition->include.count;
    return definition->include.items;
}

const struct cohort_person *cohort_definition_exclude(const struct cohort_definition *definition, size_t *count)
{
    *count = definition->exclude.count;
    return definition->exclude.items;
}

bool cohort_definition_matches(const struct cohort_definition *definition, const struct profile_view *view,
                               const struct names *names)
{
    return condition_matches(&definition->condition, view, names);
}

/* ---- writing ---- */

static void write_phrases(struct json_writer *json, const char *member, const struct slices *phrases)
{
    if (phrases->count == 0) {
        return;
    }
    json_key(json, member);
    json_array_begin(json);
    for (size_t i = 0; i < phrases->count; i++) {
        json_string(json, phrases->items[i]);
    }
    json_array_end(json);
}

static void write_number(struct json_writer *json, uint32_t number)
{
    char text[16];
    int length = snprintf(text, sizeof text, "p%u", number);
    json_string(json, slice_of(text, (size_t)length));
}

static void write_persons(struct json_writer *json, const char *member, const struct persons *persons,
                          const uint32_t *numbers, size_t number_count)
{
    if ((numbers != NULL ? number_count : persons->count) == 0) {
        return;
    }
    json_key(json, member);
    json_array_begin(json);
    for (size_t i = 0; numbers != NULL && i < number_count; i++) {
        write_number(json, numbers[i]);
    }
    for (size_t i = 0; numbers == NULL && i < persons->count; i++) {
        if (persons->items[i].number != 0) {
            write_number(json, persons->items[i].number);
        } else {
            json_object_begin(json);
            json_key_slice(json, persons->items[i].type);
            json_string(json, persons->items[i].value);
            json_object_end(json);
        }
    }
    json_array_end(json);
}

void cohort_definition_write(const struct cohort_definition *definition, const uint32_t *include, size_t include_count,
                             const uint32_t *exclude, size_t exclude_count, struct buffer *out)
{
    struct json_writer json = json_writer_of(out);
    json_object_begin(&json);
    if (definition->description.length > 0) {
        json_member_string(&json, "description", definition->description);
    }
    write_phrases(&json, "phrases", &definition->phrases);
    write_phrases(&json, "not_phrases", &definition->not_phrases);
    if (definition->condition.count > 0) {
        json_key(&json, "where");
        condition_write(&definition->condition, &json);
    }
    write_persons(&json, "include", &definition->include, include, include_count);
    write_persons(&json, "exclude", &definition->exclude, exclude, exclude_count);
    json_object_end(&json);
}
