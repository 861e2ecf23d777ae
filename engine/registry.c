/* registry.c: the small things that the fold keeps besides people: settings, mappings, receipts,
 * message ids, quarantine. */
#include "internal.h"

#include "base/bytes.h"

/* ---- settings ---- */

enum { SETTINGS_KEY_BYTES = 17 };

static char *copy_text(struct slice text)
{
    char *copy = memory_alloc(text.length + 1);
    if (copy != NULL) {
        memcpy(copy, text.data, text.length);
        copy[text.length] = '\0';
    }
    return copy;
}

err registry_add_settings(struct engine *engine, uint64_t sequence, struct slice json,
                          struct error *error)
{
    struct settings *settings = NULL;
    err e = settings_parse(json, &settings, error);
    if (e != ERR_OK) {
        return e;
    }
    char *copy = copy_text(json);
    if (copy == NULL || !VECTOR_RESERVE(engine, settings)) {
        memory_free(copy);
        settings_destroy(settings);
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for settings");
    }
    engine->settings[engine->settings_count++] = (struct settings_version){sequence, settings};
    union {
        const char *in;
        char *out;
    } old = {.in = engine->settings_json.data};
    memory_free(old.out);
    engine->settings_json = slice_of(copy, json.length);
    char stored[8];
    store_u64(stored, sequence);
    char key[SETTINGS_KEY_BYTES] = {'s', 'e', 't', 't', 'i', 'n', 'g', 's', '/'};
    store_u64_be(key + 9, sequence);
    pending_put(engine, TABLE_META, slice_of(key, sizeof key), json);
    pending_put(engine, TABLE_META, SLICE_LITERAL("settings"), json);
    pending_put(engine, TABLE_META, SLICE_LITERAL("settings_sequence"),
                slice_of(stored, sizeof stored));
    return ERR_OK;
}

const struct settings *engine_settings(const struct engine *engine)
{
    return current_settings(engine);
}

/* ---- mappings ---- */

enum { MAPPING_KEY_BYTES = 16 };

err registry_add_mapping(struct engine *engine, uint64_t sequence, struct slice json,
                         struct error *error)
{
    struct mapping_version version = {.sequence = sequence};
    err e = mapping_parse(json, &version.mapping, error);
    if (e != ERR_OK) {
        return e;
    }
    version.json = copy_text(json);
    version.json_length = json.length;
    if (version.json == NULL || !VECTOR_RESERVE(engine, mappings)) {
        memory_free(version.json);
        mapping_destroy(version.mapping);
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for a mapping");
    }
    engine->mappings[engine->mappings_count++] = version;
    char key[MAPPING_KEY_BYTES] = {'m', 'a', 'p', 'p', 'i', 'n', 'g', '/'};
    store_u64_be(key + 8, sequence);
    pending_put(engine, TABLE_META, slice_of(key, sizeof key), json);
    return ERR_OK;
}

const struct mapping *engine_mapping(const struct engine *engine, struct slice name,
                                     uint64_t *sequence)
{
    for (size_t i = engine->mappings_count; i > 0; i--) {
        const struct mapping_version *version = &engine->mappings[i - 1];
        if (slice_equal(mapping_name(version->mapping), name)) {
            *sequence = version->sequence;
            return version->mapping;
        }
    }
    *sequence = 0;
    return NULL;
}

const struct mapping *engine_mapping_at(const struct engine *engine, uint64_t sequence)
{
    for (size_t i = engine->mappings_count; sequence != 0 && i > 0; i--) {
        if (engine->mappings[i - 1].sequence == sequence) {
            return engine->mappings[i - 1].mapping;
        }
    }
    return NULL;
}

void engine_write_mappings(const struct engine *engine, struct json_writer *json)
{
    json_array_begin(json);
    for (size_t i = 0; i < engine->mappings_count; i++) {
        const struct mapping_version *version = &engine->mappings[i];
        uint64_t newest = 0;
        engine_mapping(engine, mapping_name(version->mapping), &newest);
        if (newest != version->sequence) {
            continue;
        }
        json_object_begin(json);
        json_member_string(json, "name", mapping_name(version->mapping));
        json_member_u64(json, "sequence", version->sequence);
        json_key(json, "definition");
        json_raw(json, slice_of(version->json, version->json_length));
        json_object_end(json);
    }
    json_array_end(json);
}

/* ---- receipts and message ids ---- */

static void forget_receipt(void *context, const struct window_key *key)
{
    pending_delete(context, TABLE_RECEIPTS, slice_of(key->bytes, WINDOW_KEY_BYTES));
}

static void forget_message(void *context, const struct window_key *key)
{
    pending_delete(context, TABLE_MESSAGES, slice_of(key->bytes, WINDOW_KEY_BYTES));
}

/* An ENTRY_RECEIPT's payload: key digest, fingerprint of the request, status, the answer. */
void receipt_encode(const struct window_key *key, uint64_t fingerprint, uint16_t status,
                    struct slice answer, struct buffer *out)
{
    char head[10];
    store_u64(head, fingerprint);
    store_u16(head + 8, status);
    buffer_append(out, key->bytes, WINDOW_KEY_BYTES);
    buffer_append(out, head, sizeof head);
    buffer_append_slice(out, answer);
}

err registry_add_receipt(struct engine *engine, int64_t at_us, uint64_t sequence,
                         struct slice payload)
{
    struct byte_reader reader = byte_reader_of(payload);
    struct slice key = byte_reader_take(&reader, WINDOW_KEY_BYTES);
    uint64_t fingerprint = byte_reader_u64(&reader);
    struct slice status = byte_reader_take(&reader, 2);
    struct slice answer = byte_reader_take(&reader, byte_reader_left(&reader));
    if (reader.failed) {
        return ERR_CORRUPT;
    }
    struct window_item item = {.at_us = at_us, .number = sequence};
    memcpy(item.key.bytes, key.data, WINDOW_KEY_BYTES);
    if (window_find(engine->receipts, &item.key, at_us) != NULL) {
        /* forgotten between check and apply, and given again: the first answer stands */
        return ERR_OK;
    }
    struct receipt *receipt = memory_alloc(sizeof *receipt + answer.length + 1);
    if (receipt == NULL) {
        return ERR_MEMORY;
    }
    *receipt = (struct receipt){fingerprint, load_u16(status.data), (uint32_t)answer.length};
    memcpy(receipt->answer, answer.data, answer.length);
    item.more = receipt;
    item.more_bytes = (uint32_t)(sizeof *receipt + answer.length + 1);
    err e = window_add(engine->receipts, &item, forget_receipt, engine);
    if (e != ERR_OK) {
        memory_free(receipt);
        return e;
    }
    struct buffer stored;
    buffer_init(&stored, payload.length + 2 * VARINT_MAX_BYTES);
    buffer_append_varint(&stored, (uint64_t)at_us);
    buffer_append_varint(&stored, sequence);
    buffer_append_slice(&stored, payload);
    e = stored.failed ? ERR_MEMORY : ERR_OK; /* half a row would be refused at the next start */
    if (e == ERR_OK) {
        pending_put(engine, TABLE_RECEIPTS, key, buffer_slice(&stored));
    }
    buffer_deinit(&stored);
    return e;
}

uint32_t registry_find_message(const struct engine *engine, struct slice message_id, int64_t now_us)
{
    if (message_id.length == 0) {
        return PERSON_NONE;
    }
    struct window_key key = window_key_of(message_id);
    const struct window_item *item = window_find(engine->messages, &key, now_us);
    if (item == NULL) {
        return PERSON_NONE;
    }
    uint32_t root = people_find_shared(engine->people, (uint32_t)item->number);
    return people_blob(engine->people, root) != NULL ? root : PERSON_NONE;
}

err registry_add_message(struct engine *engine, int64_t at_us, struct slice message_id,
                         uint32_t number)
{
    if (message_id.length == 0) {
        return ERR_OK;
    }
    struct window_item item = {.key = window_key_of(message_id), .at_us = at_us, .number = number};
    window_remove(engine->messages, &item.key); /* of a person erased since, or too old */
    return registry_load_message(engine, &item);
}

err registry_load_message(struct engine *engine, const struct window_item *item)
{
    err e = window_add(engine->messages, item, forget_message, engine);
    char stored[16];
    store_u64(stored, (uint64_t)item->at_us);
    store_u64(stored + 8, item->number);
    pending_put(engine, TABLE_MESSAGES, slice_of(item->key.bytes, WINDOW_KEY_BYTES),
                slice_of(stored, sizeof stored));
    return e;
}

/* ---- quarantine ---- */

static size_t quarantine_position(const struct engine *engine, uint64_t sequence)
{
    size_t low = 0;
    size_t high = engine->quarantined_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (engine->quarantined[middle].sequence < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool engine_quarantine_has(const struct engine *engine, uint64_t sequence)
{
    size_t at = quarantine_position(engine, sequence);
    return at < engine->quarantined_count && engine->quarantined[at].sequence == sequence;
}

err registry_add_quarantined(struct engine *engine, uint64_t sequence, int64_t at_us)
{
    pthread_mutex_lock(&engine->quarantine_lock);
    bool room = VECTOR_RESERVE(engine, quarantined);
    if (room) {
        engine->quarantined[engine->quarantined_count++] = (struct sequence_time){sequence, at_us};
    }
    pthread_mutex_unlock(&engine->quarantine_lock);
    char key[8];
    char value[8];
    store_u64_be(key, sequence);
    store_u64(value, (uint64_t)at_us);
    pending_put(engine, TABLE_QUARANTINE, slice_of(key, 8), slice_of(value, 8));
    return room ? ERR_OK : ERR_MEMORY;
}

/* It is not offered any more, but its bytes stay in the log: an erasure has to look at them,
 * too. */
err registry_end_quarantined(struct engine *engine, uint64_t sequence)
{
    if (!engine_quarantine_has(engine, sequence)) {
        return ERR_OK;
    }
    size_t at = quarantine_position(engine, sequence);
    pthread_mutex_lock(&engine->quarantine_lock);
    engine->quarantined_count--;
    memmove(&engine->quarantined[at], &engine->quarantined[at + 1],
            (engine->quarantined_count - at) * sizeof *engine->quarantined);
    pthread_mutex_unlock(&engine->quarantine_lock);
    char key[8];
    store_u64_be(key, sequence);
    pending_put(engine, TABLE_QUARANTINE, slice_of(key, 8), SLICE_LITERAL("ended"));
    return registry_add_ended(engine, sequence);
}

err registry_add_ended(struct engine *engine, uint64_t sequence)
{
    pthread_mutex_lock(&engine->quarantine_lock);
    bool room = VECTOR_RESERVE(engine, ended);
    if (room) {
        engine->ended[engine->ended_count++] = sequence;
    }
    pthread_mutex_unlock(&engine->quarantine_lock);
    return room ? ERR_OK : ERR_MEMORY;
}

uint64_t engine_quarantine_count(const struct engine *engine)
{
    return engine->quarantined_count;
}

size_t engine_quarantine_page(const struct engine *engine, uint64_t before,
                              struct engine_quarantined *out, size_t limit)
{
    size_t at = before == 0 ? engine->quarantined_count : quarantine_position(engine, before);
    size_t count = 0;
    for (; at > 0 && count < limit; at--, count++) {
        out[count] = (struct engine_quarantined){engine->quarantined[at - 1].sequence,
                                                 engine->quarantined[at - 1].at_us};
    }
    return count;
}
