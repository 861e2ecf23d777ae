/* cohort_entries.c: cohort definitions on their way into the log and out of it.
 *
 * Payload of ENTRY_COHORT_PUT and ENTRY_COHORT_DELETE: version of the shipped topics (0: a user's),
 * name, definition JSON. Explicit people stand in it as numbers, resolved before it was logged: no
 * definition in the log holds anybody's e-mail. */
#include "internal.h"

#include "base/bytes.h"
#include "ingest/json_reader.h"

enum { COHORT_EDITS_MAX = 256 };

void cohort_entry_encode(uint64_t shipped_version, struct slice name, struct slice json,
                         struct buffer *out)
{
    buffer_append_varint(out, shipped_version);
    buffer_append_varint(out, name.length);
    buffer_append_slice(out, name);
    buffer_append_slice(out, json);
}

static bool decode(struct slice payload, uint64_t *shipped_version, struct slice *name,
                   struct slice *json)
{
    struct byte_reader reader = byte_reader_of(payload);
    *shipped_version = byte_reader_varint(&reader);
    *name = byte_reader_string(&reader);
    *json = byte_reader_take(&reader, byte_reader_left(&reader));
    return !reader.failed;
}

/* What TABLE_COHORTS holds: sequence, time, definition JSON. */
void cohort_row_encode(uint64_t sequence, int64_t changed_at_us, struct slice json,
                       struct buffer *out)
{
    buffer_append_varint(out, sequence);
    buffer_append_varint(out, (uint64_t)changed_at_us);
    buffer_append_slice(out, json);
}

struct slice examples_key(struct slice cohort_name, char room[EXAMPLES_KEY_MAX])
{
    CHECK(cohort_name.length <= EXAMPLES_KEY_MAX - 9);
    memcpy(room, "examples/", 9);
    memcpy(room + 9, cohort_name.data, cohort_name.length);
    return slice_of(room, 9 + cohort_name.length);
}

static err remember_definition(struct engine *engine, const struct log_entry *entry,
                               struct slice name, struct slice json)
{
    uint32_t old = cohorts_find(engine->cohorts, name);
    if (old != COHORT_NONE) {
        const struct slice old_name =
            cohort_definition_name(cohorts_definition(engine->cohorts, old));
        char key[EXAMPLES_KEY_MAX];
        pending_delete(engine, TABLE_COHORTS, old_name);
        /* a checkpoint puts what the new one needs */
        pending_delete(engine, TABLE_META, examples_key(old_name, key));
    }
    if (entry->kind == ENTRY_COHORT_PUT) {
        struct buffer row;
        buffer_init(&row, LOG_PAYLOAD_MAX + 32);
        cohort_row_encode(entry->sequence, entry->received_at_us, json, &row);
        bool whole = !row.failed;
        if (whole) {
            pending_put(engine, TABLE_COHORTS, name, buffer_slice(&row));
        }
        buffer_deinit(&row);
        return whole ? ERR_OK : ERR_MEMORY;
    }
    return ERR_OK;
}

static err edit_of(struct engine *engine, const struct log_entry *entry, struct cohorts_edit *edit,
                   struct error *error)
{
    struct slice json;
    uint64_t version = 0;
    *edit =
        (struct cohorts_edit){.sequence = entry->sequence, .changed_at_us = entry->received_at_us};
    if (!decode(entry->payload, &version, &edit->name, &json)) {
        return error_set(error, ERR_CORRUPT, "log_cohort_unreadable", entry->sequence,
                         "entry %llu is no cohort", (unsigned long long)entry->sequence);
    }
    err e = ERR_OK;
    if (entry->kind == ENTRY_COHORT_PUT) {
        e = cohort_definition_parse(edit->name, json, &edit->definition, error);
    }
    if (e == ERR_OK && (e = remember_definition(engine, entry, edit->name, json)) != ERR_OK) {
        cohort_definition_destroy(edit->definition);
    }
    if (e == ERR_OK) {
        if (version > engine->shipped_version) {
            engine->shipped_version = version;
        }
    }
    return e;
}

err apply_cohort_entries(struct engine *engine, const struct log_entry *entries, size_t count,
                         struct error *error)
{
    CHECK(count <= COHORT_EDITS_MAX);
    struct cohorts_edit *edits = arena_zalloc(&engine->arena, count * sizeof *edits);
    err e = edits != NULL ? ERR_OK : ERR_MEMORY;
    size_t parsed = 0;
    while (e == ERR_OK && parsed < count) {
        e = edit_of(engine, &entries[parsed], &edits[parsed], error);
        parsed += e == ERR_OK;
    }
    struct cohorts_change *change = NULL;
    if (e == ERR_OK) {
        e = cohorts_prepare(engine->cohorts, edits, count, &change, error);
    } else {
        for (size_t i = 0; i < parsed; i++) {
            cohort_definition_destroy(edits[i].definition);
        }
    }
    if (e != ERR_OK) {
        return e;
    }
    engine_gate_close(engine);
    cohorts_commit(engine->cohorts, change);
    engine_gate_open(engine);
    cohorts_change_destroy(change);
    return ERR_OK;
}

/* ---- include and exclude: from identifiers to numbers ---- */

static err resolve_person(struct engine *engine, const struct cohort_person *person,
                          uint32_t *number, struct error *error)
{
    const struct settings *settings = current_settings(engine);
    uint8_t type = 0;
    struct slice value;
    *number = PERSON_NONE;
    if (person->number != PERSON_NONE) {
        uint32_t root = person->number <= people_last(engine->people)
                            ? people_find_shared(engine->people, person->number)
                            : PERSON_NONE;
        *number = people_blob(engine->people, root) != NULL ? root : PERSON_NONE;
    } else if (!settings_identifier_type(settings, person->type, &type)) {
        return error_set(error, ERR_INVALID, "identifier_type_unknown", 0,
                         "there is no identifier type \"%.*s\"", SLICE_ARGS(person->type));
    } else if (identifier_normalise(&engine->arena, type, person->value, settings, &value) ==
               ERR_OK) {
        *number = find_owner(engine, type, value);
    }
    return *number != PERSON_NONE
               ? ERR_OK
               : error_set(error, ERR_INVALID, "cohort_person_unknown", 0,
                           "include or exclude names somebody who is not known (by %.*s); "
                           "ingest them first",
                           SLICE_ARGS(person->number ? SLICE_LITERAL("id") : person->type));
}

static err resolve_people(struct engine *engine, const struct cohort_person *people, size_t count,
                          uint32_t **out, struct error *error)
{
    *out = arena_alloc(&engine->arena, (count + 1) * sizeof **out);
    err e = *out != NULL ? ERR_OK : ERR_MEMORY;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        e = resolve_person(engine, &people[i], &(*out)[i], error);
    }
    return e;
}

/* A topic that the model does not have is a mistake now; in the log it is one that the model had
 * once. */
static err check_topic(const struct engine *engine, struct slice topic, struct error *error)
{
    const struct classifier *classifier = engine->options.classifier;
    if (topic.data == NULL || cohorts_topic(classifier, topic) >= 0) {
        return ERR_OK;
    }
    if (classifier == NULL) {
        return error_set(error, ERR_INVALID, "topic_unknown", 0,
                         "\"topic\" needs a trained model, and this server runs without one");
    }
    struct buffer names;
    buffer_init(&names, 16 * 1024);
    for (size_t i = 0; i < classifier->topic_count; i++) {
        buffer_append_cstr(&names, i > 0 ? ", " : "");
        buffer_append_slice(&names, classifier->topics[i]);
    }
    err e = error_set(error, ERR_INVALID, "topic_unknown", 0, "\"topic\" is to be one of %.*s",
                      SLICE_ARGS(buffer_slice(&names)));
    buffer_deinit(&names);
    return e;
}

err cohort_entry_correct(struct engine *engine, struct slice name, struct slice feedback,
                         struct buffer *payload, struct error *error)
{
    const uint32_t id = cohorts_find(engine->cohorts, name);
    if (id == COHORT_NONE) {
        return error_set(error, ERR_NOT_FOUND, "cohort_not_found", 0,
                         "there is no cohort of this name");
    }
    const struct cohort_definition *definition = cohorts_definition(engine->cohorts, id);
    struct buffer corrected;
    buffer_init(&corrected, LOG_PAYLOAD_MAX);
    err e = cohort_definition_correct(definition, feedback, &corrected, error);
    if (e == ERR_OK) {
        cohort_entry_encode(0, cohort_definition_name(definition), buffer_slice(&corrected),
                            payload);
        if (corrected.failed || payload->failed) {
            e = error_set(error, ERR_TOO_LARGE, "cohort_too_large", 0,
                          "the definition is over %d bytes", LOG_PAYLOAD_MAX);
        }
    }
    buffer_deinit(&corrected);
    return e;
}

err cohort_entry_prepare(struct engine *engine, uint64_t shipped_version, struct slice name,
                         struct slice json, struct buffer *payload, struct error *error)
{
    struct cohort_definition *definition = NULL;
    err e = cohort_definition_parse(name, json, &definition, error);
    if (e != ERR_OK) {
        return e;
    }
    /* Here, not when it is applied: what is logged must apply. */
    if (cohorts_find(engine->cohorts, cohort_definition_name(definition)) == COHORT_NONE &&
        cohorts_count(engine->cohorts) >= COHORTS_MAX) {
        cohort_definition_destroy(definition);
        return error_set(error, ERR_TOO_LARGE, "cohorts_too_many", 0,
                         "there are already %d cohorts, which is the most: remove one first",
                         COHORTS_MAX);
    }
    if (shipped_version == 0 &&
        (e = check_topic(engine, cohort_definition_topic(definition), error)) != ERR_OK) {
        cohort_definition_destroy(definition);
        return e;
    }
    size_t include_count = 0;
    size_t exclude_count = 0;
    const struct cohort_person *include = cohort_definition_include(definition, &include_count);
    const struct cohort_person *exclude = cohort_definition_exclude(definition, &exclude_count);
    uint32_t *include_numbers = NULL;
    uint32_t *exclude_numbers = NULL;
    e = resolve_people(engine, include, include_count, &include_numbers, error);
    if (e == ERR_OK) {
        e = resolve_people(engine, exclude, exclude_count, &exclude_numbers, error);
    }
    if (e == ERR_OK) {
        struct buffer canonical;
        buffer_init(&canonical, LOG_PAYLOAD_MAX);
        cohort_definition_write(definition, include_numbers, include_count, exclude_numbers,
                                exclude_count, &canonical);
        cohort_entry_encode(shipped_version, cohort_definition_name(definition),
                            buffer_slice(&canonical), payload);
        if (canonical.failed || payload->failed) {
            e = error_set(error, ERR_TOO_LARGE, "cohort_too_large", 0,
                          "the definition is over %d bytes", LOG_PAYLOAD_MAX);
        }
        buffer_deinit(&canonical);
    }
    cohort_definition_destroy(definition);
    return e;
}

/* ---- the shipped topics ---- */

/* A cohort that a user has edited stays the user's. */
static bool may_replace(struct engine *engine, struct slice name)
{
    uint32_t id = cohorts_find(engine->cohorts, name);
    if (id == COHORT_NONE) {
        return true;
    }
    struct log_entry entry;
    struct log *log = engine->options.log;
    err e = log->ops->get(log, cohorts_sequence(engine->cohorts, id), &engine->arena, &entry, NULL);
    return e == ERR_OK && slice_equal_cstr(entry.source, "shipped");
}

static err add_shipped(struct engine *engine, uint64_t version, json_value cohort,
                       struct log_entry *entry, struct buffer *payload, struct error *error)
{
    struct buffer text;
    buffer_init(&text, LOG_PAYLOAD_MAX);
    struct json_writer writer = json_writer_of(&text);
    json_object_begin(&writer);
    struct json_iterator members = json_iterate(cohort);
    while (json_next(&members)) {
        if (!slice_equal_cstr(members.key, "name")) {
            json_key_slice(&writer, members.key);
            json_write(members.value, &writer);
        }
    }
    json_object_end(&writer);
    err e = text.failed ? ERR_MEMORY
                        : cohort_entry_prepare(engine, version, json_text(json_get(cohort, "name")),
                                               buffer_slice(&text), payload, error);
    buffer_deinit(&text);
    *entry = (struct log_entry){.kind = ENTRY_COHORT_PUT, .source = SLICE_LITERAL("shipped")};
    return e;
}

/* Logs them once per version, in one batch: a new data folder begins with them, an upgrade brings
 * the new ones. */
err log_shipped_cohorts(struct engine *engine, struct error *error)
{
    struct json_document *document = NULL;
    err e = json_read(engine->options.shipped_cohorts, &document, error);
    if (e != ERR_OK) {
        return e;
    }
    json_value root = json_root(document);
    uint64_t version = (uint64_t)json_integer(json_get(root, "version"));
    struct log_entry entries[COHORT_EDITS_MAX];
    struct buffer payloads[COHORT_EDITS_MAX];
    size_t count = 0;
    struct json_iterator cohorts = json_iterate(json_get(root, "cohorts"));
    while (e == ERR_OK && version > engine->shipped_version && json_next(&cohorts) &&
           count < COHORT_EDITS_MAX) {
        if (may_replace(engine, json_text(json_get(cohorts.value, "name")))) {
            buffer_init(&payloads[count], LOG_PAYLOAD_MAX);
            e = add_shipped(engine, version, cohorts.value, &entries[count], &payloads[count],
                            error);
            entries[count].payload = buffer_slice(&payloads[count]);
            count++;
        }
    }
    if (e == ERR_OK && count > 0) {
        e = commit_entries(engine, entries, count, NULL, error);
    }
    for (size_t i = 0; i < count; i++) {
        buffer_deinit(&payloads[i]);
    }
    json_document_destroy(document);
    return e;
}
