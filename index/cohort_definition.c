#include "index/cohort_definition.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "classifier/rules.h"
#include "cohort_condition.h"

enum { DEFINITION_BYTES_MAX = 64 * 1024 * 1024 };

struct slices {
    struct slice *items;
    size_t count;
};

/* Examples by fold key, ascending, for looking an interest up. */
struct keyed {
    uint64_t key;
    uint32_t at;
};

struct examples {
    struct slices texts;
    struct keyed *keys; /* as many */
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
    struct slice topic;
    double min_confidence; /* 0: none given */
    struct examples examples;
    struct examples not_examples;
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
        bool is_control = c < 0x20 || c == 0x7F ||
                          (c == 0xC2 && length == 2 && (unsigned char)name.data[i + 1] < 0xA0);
        if (length == 0 || is_control || c == '/') {
            return error_set(error, ERR_INVALID, "cohort_name_invalid", i,
                             "a cohort's name is valid UTF-8 without '/' and control characters");
        }
        i += length;
    }
    if (characters == 0 || characters > COHORT_NAME_MAX) {
        return error_set(error, ERR_INVALID, "cohort_name_invalid", 0,
                         "a cohort's name has 1 to %d characters", COHORT_NAME_MAX);
    }
    if (slice_equal_cstr(name, ".") || slice_equal_cstr(name, "..")) {
        return error_set(error, ERR_INVALID, "cohort_name_invalid", 0,
                         "\".\" and \"..\" mean something else in a URL");
    }
    definition->name = arena_copy(&definition->arena, name);
    return definition->name.data != NULL ? ERR_OK : no_memory(error);
}

static err parse_description(struct cohort_definition *definition, json_value value,
                             struct error *error)
{
    if (value == NULL) {
        return ERR_OK;
    }
    if (json_type(value) != JSON_STRING || json_text(value).length > COHORT_DESCRIPTION_MAX) {
        return error_set(error, ERR_INVALID, "cohort_invalid", 0,
                         "\"description\" is to be a text of at most %d bytes",
                         COHORT_DESCRIPTION_MAX);
    }
    definition->description = arena_copy(&definition->arena, json_text(value));
    return definition->description.data != NULL ? ERR_OK : no_memory(error);
}

static err check_list(json_value value, const char *member, size_t max, struct error *error)
{
    if (json_type(value) != JSON_ARRAY) {
        return error_set(error, ERR_INVALID, "cohort_invalid", 0, "\"%s\" is to be a list, not %s",
                         member, json_type_name(value));
    }
    if (json_count(value) > max) {
        return error_set(error, ERR_TOO_LARGE, "cohort_too_large", 0,
                         "\"%s\" has more than %zu entries", member, max);
    }
    return ERR_OK;
}

static err parse_phrase(struct arena *arena, json_value value, const char *member, size_t index,
                        struct slice *out, struct error *error)
{
    struct error why = {0};
    if (json_type(value) != JSON_STRING) {
        return error_set(error, ERR_INVALID, "cohort_invalid", index,
                         "%s[%zu] is to be a text, not %s", member, index, json_type_name(value));
    }
    err e = rules_pattern_check(json_text(value), &why);
    if (e != ERR_OK) {
        return error_set(error, e, why.code, index, "%s[%zu]: %s", member, index, why.message);
    }
    *out = arena_copy(arena, json_text(value));
    return out->data != NULL ? ERR_OK : no_memory(error);
}

static err parse_phrases(struct arena *arena, json_value value, const char *member,
                         struct slices *out, struct error *error)
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

static err parse_topic(struct cohort_definition *definition, json_value topic,
                       json_value confidence, struct error *error)
{
    if (topic != NULL &&
        (json_type(topic) != JSON_STRING || slice_trim(json_text(topic)).length == 0 ||
         json_text(topic).length > COHORT_TOPIC_MAX)) {
        return error_set(error, ERR_INVALID, "cohort_invalid", 0,
                         "\"topic\" is to be a text of 1 to %d bytes", COHORT_TOPIC_MAX);
    }
    if (confidence != NULL) {
        const bool whole = json_type(confidence) == JSON_INTEGER;
        const double value = whole ? (double)json_integer(confidence) : json_double_of(confidence);
        if ((!whole && json_type(confidence) != JSON_NUMBER) || !(value >= 0 && value <= 1)) {
            return error_set(error, ERR_INVALID, "cohort_invalid", 0,
                             "\"min_confidence\" is to be a number from 0 to 1");
        }
        if (topic == NULL) {
            return error_set(error, ERR_INVALID, "cohort_invalid", 0,
                             "\"min_confidence\" goes with a \"topic\"");
        }
        definition->min_confidence = value;
    }
    if (topic != NULL) {
        definition->topic = arena_copy(&definition->arena, slice_trim(json_text(topic)));
        return definition->topic.data != NULL ? ERR_OK : no_memory(error);
    }
    return ERR_OK;
}

static err parse_example(struct arena *arena, json_value value, const char *member, size_t index,
                         struct slice *out, struct error *error)
{
    char folded[PHRASE_FOLD_MAX];
    if (json_type(value) != JSON_STRING) {
        return error_set(error, ERR_INVALID, "cohort_invalid", index,
                         "%s[%zu] is to be a text, not %s", member, index, json_type_name(value));
    }
    const struct slice text = slice_trim(json_text(value));
    if (text.length > RULE_PATTERN_MAX || phrase_fold(text, folded) == 0) {
        return error_set(
            error, ERR_INVALID, "cohort_invalid", index,
            "%s[%zu] is to be a phrase of at most %d bytes with a letter, a digit or an emoji",
            member, index, RULE_PATTERN_MAX);
    }
    *out = arena_copy(arena, text);
    return out->data != NULL ? ERR_OK : no_memory(error);
}

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *left = a;
    const struct keyed *right = b;
    return left->key != right->key ? (left->key < right->key ? -1 : 1)
                                   : (left->at > right->at) - (left->at < right->at);
}

static err parse_examples(struct arena *arena, json_value value, const char *member,
                          struct examples *out, struct error *error)
{
    if (value == NULL) {
        return ERR_OK;
    }
    err e = check_list(value, member, COHORT_EXAMPLES_MAX, error);
    if (e != ERR_OK || json_count(value) == 0) {
        return e;
    }
    out->texts.items = arena_alloc(arena, json_count(value) * sizeof *out->texts.items);
    out->keys = arena_alloc(arena, json_count(value) * sizeof *out->keys);
    if (out->texts.items == NULL || out->keys == NULL) {
        return no_memory(error);
    }
    for (struct json_iterator each = json_iterate(value); e == ERR_OK && json_next(&each);) {
        const size_t at = out->texts.count;
        e = parse_example(arena, each.value, member, at, &out->texts.items[at], error);
        if (e == ERR_OK) {
            out->keys[at] = (struct keyed){phrase_fold_key(out->texts.items[at]), (uint32_t)at};
            out->texts.count++;
        }
    }
    qsort(out->keys, out->texts.count, sizeof *out->keys, compare_keyed);
    return e;
}

/* The first place of the key; false when it is not there. */
static bool find_keyed(const struct examples *examples, uint64_t key, uint32_t *at)
{
    size_t low = 0;
    size_t high = examples->texts.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (examples->keys[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == examples->texts.count || examples->keys[low].key != key) {
        return false;
    }
    *at = examples->keys[low].at;
    return true;
}

static err check_opposites(const struct cohort_definition *definition, struct error *error)
{
    uint32_t at = 0;
    for (size_t i = 0; i < definition->not_examples.texts.count; i++) {
        if (find_keyed(&definition->examples, definition->not_examples.keys[i].key, &at)) {
            return error_set(error, ERR_INVALID, "cohort_invalid", at,
                             "examples[%u] is in \"not_examples\", too", at);
        }
    }
    return ERR_OK;
}

/* "p17", or {"email": "ann@example.com"}. */
static err parse_person(struct arena *arena, json_value value, const char *member, size_t index,
                        struct cohort_person *out, struct error *error)
{
    const struct slice text = json_text(value);
    uint64_t number = 0;
    *out = (struct cohort_person){0};
    if (text.length > 1 && text.data[0] == 'p' &&
        slice_to_u64(slice_of(text.data + 1, text.length - 1), &number) && number > 0 &&
        number < UINT32_MAX) {
        out->number = (uint32_t)number;
        return ERR_OK;
    }
    struct json_iterator only = json_iterate(value);
    if (json_type(value) != JSON_OBJECT || json_count(value) != 1 || !json_next(&only) ||
        json_text(only.value).length == 0 || only.key.length == 0) {
        return error_set(
            error, ERR_INVALID, "cohort_invalid", index,
            "%s[%zu] is to be a person's id (\"p17\") or one identifier ({\"email\": \"…\"})",
            member, index);
    }
    out->type = arena_copy(arena, only.key);
    out->value = arena_copy(arena, json_text(only.value));
    return out->type.data != NULL && out->value.data != NULL ? ERR_OK : no_memory(error);
}

static err parse_persons(struct arena *arena, json_value value, const char *member,
                         struct persons *out, struct error *error)
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
    static const char *const members[] = {"description",    "phrases",  "not_phrases",  "topic",
                                          "min_confidence", "examples", "not_examples", "where",
                                          "include",        "exclude"};
    if (json_type(root) != JSON_OBJECT) {
        return error_set(error, ERR_INVALID, "cohort_invalid", 0,
                         "a cohort's definition is an object, not %s", json_type_name(root));
    }
    for (struct json_iterator each = json_iterate(root); json_next(&each);) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
            known = known || slice_equal_cstr(each.key, members[i]);
        }
        if (!known) {
            return error_set(
                error, ERR_INVALID, "cohort_invalid", 0,
                "\"%.*s\" is not a member of a definition; there are description, phrases, not_phrases, "
                "topic, min_confidence, examples, not_examples, where, include, exclude",
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
        e = parse_phrases(arena, json_get(root, "not_phrases"), "not_phrases",
                          &definition->not_phrases, error);
    }
    if (e == ERR_OK) {
        e = parse_topic(definition, json_get(root, "topic"), json_get(root, "min_confidence"),
                        error);
    }
    if (e == ERR_OK) {
        e = parse_examples(arena, json_get(root, "examples"), "examples", &definition->examples,
                           error);
    }
    if (e == ERR_OK) {
        e = parse_examples(arena, json_get(root, "not_examples"), "not_examples",
                           &definition->not_examples, error);
    }
    if (e == ERR_OK) {
        e = check_opposites(definition, error);
    }
    if (e == ERR_OK && json_get(root, "where") != NULL) {
        e = condition_parse(arena, json_get(root, "where"), COHORT_CONDITIONS_MAX,
                            &definition->condition, error);
    }
    if (e == ERR_OK) {
        e = parse_persons(arena, json_get(root, "include"), "include", &definition->include, error);
    }
    if (e == ERR_OK) {
        e = parse_persons(arena, json_get(root, "exclude"), "exclude", &definition->exclude, error);
    }
    return e;
}

err cohort_definition_parse(struct slice name, struct slice json, struct cohort_definition **out,
                            struct error *error)
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

const struct slice *cohort_definition_phrases(const struct cohort_definition *definition,
                                              size_t *count)
{
    *count = definition->phrases.count;
    return definition->phrases.items;
}

const struct slice *cohort_definition_not_phrases(const struct cohort_definition *definition,
                                                  size_t *count)
{
    *count = definition->not_phrases.count;
    return definition->not_phrases.items;
}

struct slice cohort_definition_topic(const struct cohort_definition *definition)
{
    return definition->topic;
}

float cohort_definition_min_confidence(const struct cohort_definition *definition)
{
    return (float)definition->min_confidence;
}

const struct slice *cohort_definition_examples(const struct cohort_definition *definition,
                                               size_t *count)
{
    *count = definition->examples.texts.count;
    return definition->examples.texts.items;
}

const struct slice *cohort_definition_not_examples(const struct cohort_definition *definition,
                                                   size_t *count)
{
    *count = definition->not_examples.texts.count;
    return definition->not_examples.texts.items;
}

bool cohort_definition_example_at(const struct cohort_definition *definition, uint64_t fold_key,
                                  uint32_t *at)
{
    return find_keyed(&definition->examples, fold_key, at);
}

bool cohort_definition_is_not_example(const struct cohort_definition *definition, uint64_t fold_key)
{
    uint32_t at = 0;
    return find_keyed(&definition->not_examples, fold_key, &at);
}

bool cohort_definition_has_condition(const struct cohort_definition *definition)
{
    return definition->condition.count > 0;
}

const struct condition *cohort_definition_condition(const struct cohort_definition *definition)
{
    return &definition->condition;
}

const struct cohort_person *cohort_definition_include(const struct cohort_definition *definition,
                                                      size_t *count)
{
    *count = definition->include.count;
    return definition->include.items;
}

const struct cohort_person *cohort_definition_exclude(const struct cohort_definition *definition,
                                                      size_t *count)
{
    *count = definition->exclude.count;
    return definition->exclude.items;
}

bool cohort_definition_matches(const struct cohort_definition *definition,
                               const struct profile_view *view, const struct names *names)
{
    return condition_matches(&definition->condition, view, names);
}

/* ---- writing ---- */

static void write_phrases(struct json_writer *json, const char *member,
                          const struct slices *phrases)
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

static void write_persons(struct json_writer *json, const char *member,
                          const struct persons *persons, const uint32_t *numbers,
                          size_t number_count)
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

void cohort_definition_write(const struct cohort_definition *definition, const uint32_t *include,
                             size_t include_count, const uint32_t *exclude, size_t exclude_count,
                             struct buffer *out)
{
    struct json_writer json = json_writer_of(out);
    json_object_begin(&json);
    if (definition->description.length > 0) {
        json_member_string(&json, "description", definition->description);
    }
    write_phrases(&json, "phrases", &definition->phrases);
    write_phrases(&json, "not_phrases", &definition->not_phrases);
    if (definition->topic.data != NULL) {
        json_member_string(&json, "topic", definition->topic);
    }
    if (definition->min_confidence > 0) {
        json_key(&json, "min_confidence");
        json_double(&json, definition->min_confidence);
    }
    write_phrases(&json, "examples", &definition->examples.texts);
    write_phrases(&json, "not_examples", &definition->not_examples.texts);
    if (definition->condition.count > 0) {
        json_key(&json, "where");
        condition_write(&definition->condition, &json);
    }
    write_persons(&json, "include", &definition->include, include, include_count);
    write_persons(&json, "exclude", &definition->exclude, exclude, exclude_count);
    json_object_end(&json);
}

/* ---- feedback ---- */

struct feedback {
    struct arena arena;
    struct examples positive;
    struct examples negative;
};

static err parse_feedback(struct feedback *feedback, json_value root, struct error *error)
{
    if (json_type(root) != JSON_OBJECT) {
        return error_set(error, ERR_INVALID, "feedback_invalid", 0, "feedback is an object, not %s",
                         json_type_name(root));
    }
    for (struct json_iterator each = json_iterate(root); json_next(&each);) {
        if (!slice_equal_cstr(each.key, "positive") && !slice_equal_cstr(each.key, "negative")) {
            return error_set(
                error, ERR_INVALID, "feedback_invalid", 0,
                "\"%.*s\" is not a member of feedback; there are positive and negative",
                (int)(each.key.length < 60 ? each.key.length : 60), each.key.data);
        }
    }
    err e = parse_examples(&feedback->arena, json_get(root, "positive"), "positive",
                           &feedback->positive, error);
    if (e == ERR_OK) {
        e = parse_examples(&feedback->arena, json_get(root, "negative"), "negative",
                           &feedback->negative, error);
    }
    if (e == ERR_OK && feedback->positive.texts.count + feedback->negative.texts.count == 0) {
        e = error_set(error, ERR_INVALID, "feedback_invalid", 0,
                      "feedback has at least one phrase in \"positive\" or \"negative\"");
    }
    for (size_t i = 0; e == ERR_OK && i < feedback->negative.texts.count; i++) {
        uint32_t at = 0;
        if (find_keyed(&feedback->positive, feedback->negative.keys[i].key, &at)) {
            e = error_set(error, ERR_INVALID, "feedback_invalid", at,
                          "positive[%u] is in \"negative\", too", at);
        }
    }
    return e;
}

/* Those of `old` that no correction names, then the corrected ones, each fold once. */
static err correct_list(struct feedback *feedback, const struct examples *old,
                        const struct examples *more, const struct examples *less,
                        const char *member, struct slices *out, struct error *error)
{
    uint32_t at = 0;
    out->items = arena_alloc(&feedback->arena,
                             (old->texts.count + more->texts.count + 1) * sizeof *out->items);
    if (out->items == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < old->texts.count; i++) {
        const uint64_t key = phrase_fold_key(old->texts.items[i]);
        if (!find_keyed(more, key, &at) && !find_keyed(less, key, &at)) {
            out->items[out->count++] = old->texts.items[i];
        }
    }
    for (size_t i = 0; i < more->texts.count; i++) {
        if (find_keyed(more, phrase_fold_key(more->texts.items[i]), &at) && at == i) {
            out->items[out->count++] = more->texts.items[i];
        }
    }
    return out->count <= COHORT_EXAMPLES_MAX
               ? ERR_OK
               : error_set(error, ERR_TOO_LARGE, "cohort_too_large", 0,
                           "\"%s\" would have more than %d entries", member, COHORT_EXAMPLES_MAX);
}

err cohort_definition_correct(const struct cohort_definition *definition, struct slice json,
                              struct buffer *out, struct error *error)
{
    struct feedback feedback = {.positive = {.texts = {0}}};
    struct json_document *document = NULL;
    struct cohort_definition corrected = *definition;
    corrected.examples.texts = corrected.not_examples.texts = (struct slices){0};
    arena_init(&feedback.arena, DEFINITION_BYTES_MAX);
    err e = json_read(json, &document, error);
    if (e == ERR_OK) {
        e = parse_feedback(&feedback, json_root(document), error);
    }
    if (e == ERR_OK) {
        e = correct_list(&feedback, &definition->examples, &feedback.positive, &feedback.negative,
                         "examples", &corrected.examples.texts, error);
    }
    if (e == ERR_OK) {
        e = correct_list(&feedback, &definition->not_examples, &feedback.negative,
                         &feedback.positive, "not_examples", &corrected.not_examples.texts, error);
    }
    if (e == ERR_OK) {
        cohort_definition_write(&corrected, NULL, 0, NULL, 0, out);
    }
    json_document_destroy(document);
    arena_deinit(&feedback.arena);
    return e;
}
