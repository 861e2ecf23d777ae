/* erasure.c: a person is removed for good, from all three stages.
 *
 *   1. ENTRY_ERASE      which number, which entries, and a ghost of each of them (ghosts.h)
 *      ENTRY_ERASE_KEYS what they were called: needed to search the quarantine, scrubbed with the rest
 *   2. applying it      RAM forgets the person at once; the next checkpoint takes the rows out of LMDB
 *   3. the job          scrubs the entries in the log and LMDB's free pages (engine_erasure_scrub); may be interrupted and repeated
 *   4. ENTRY_ERASE_DONE
 *
 * Why the ghosts: a replay of the scrubbed log must come to the same state of everybody else. Where
 * none can be written, two things are kept: scrubbed entries that had made a person still use up a
 * number; and a cookie that this person had taken over from another (a shared computer) must not
 * fall back to the other because the entry that moved it is gone.
 *
 *   varint 1 or 2 (with ghosts), varint number, salt[16], varint count,
 *   count × varint (sequence - the one before) << 1 | created_person,
 *   2: varint length, ghosts        1: for each moved identifier varint number, varint type, digest[16]
 *
 * What a restore has logged again (ERASE_AGAIN) has the number of another log: only its ghosts
 * count. */
#include "internal.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/bytes.h"

enum {
    HOLDER_DIGEST_BYTES = 16,
    ERASE_VERSION_PLAIN = 1,
    ERASE_VERSION_GHOSTS = 2,
    SALT_BYTES = 16
};

/* ---- what to write ---- */

static int compare_sequences(const void *a, const void *b)
{
    const struct log_scrub *x = a;
    const struct log_scrub *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void mark_created(struct log_scrub *items, size_t count, uint64_t sequence)
{
    struct log_scrub key = {.sequence = sequence};
    struct log_scrub *found = bsearch(&key, items, count, sizeof *items, compare_sequences);
    if (found != NULL) {
        found->created_person = true;
    }
}

/* Only ever compared with a handful of identifiers of one other person, who has the same value in
 * clear. */
static void holder_digest(const char salt[SALT_BYTES], uint8_t type, struct slice value,
                          char out[HOLDER_DIGEST_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
          EVP_DigestUpdate(context, salt, SALT_BYTES) == 1 &&
          EVP_DigestUpdate(context, &type, 1) == 1 &&
          EVP_DigestUpdate(context, value.data, value.length) == 1 &&
          EVP_DigestFinal_ex(context, digest, &length) == 1);
    EVP_MD_CTX_free(context);
    memcpy(out, digest, HOLDER_DIGEST_BYTES);
}

static bool holds_moved(const struct engine *engine, uint32_t root, uint8_t type,
                        struct slice value)
{
    const void *blob = people_blob(engine->people, root);
    if (blob == NULL) {
        return false;
    }
    struct profile_view view;
    profile_view_open(blob, &view);
    struct profile_cursor cursor = profile_identifiers(&view);
    for (struct profile_identifier item; profile_identifier_next(&cursor, &item);) {
        if (item.moved && item.type == type && slice_equal(item.value, value)) {
            return true;
        }
    }
    return false;
}

/* Former holders of the identifier: written as (number, type, digest). */
static void encode_holders(struct engine *engine, uint32_t self,
                           const struct profile_identifier *item, const char salt[SALT_BYTES],
                           struct buffer *out)
{
    uint64_t hash = identifier_hash(engine->identifiers, item->type, item->value);
    for (size_t i = 0; i < engine->moved_count; i++) {
        uint32_t root = engine->moved[i].hash == hash
                            ? people_find_shared(engine->people, engine->moved[i].number)
                            : PERSON_NONE;
        if (root != PERSON_NONE && root != self &&
            holds_moved(engine, root, item->type, item->value)) {
            char digest[HOLDER_DIGEST_BYTES];
            holder_digest(salt, item->type, item->value, digest);
            buffer_append_varint(out, root);
            buffer_append_varint(out, item->type);
            buffer_append(out, digest, sizeof digest);
        }
    }
}

static err collect_sequences(struct engine *engine, const struct profile *profile,
                             struct log_scrub **out, size_t *count)
{
    uint64_t *sequences = NULL;
    err e = engine_person_sequences(engine, profile->number, &engine->arena, &sequences, count);
    if (e != ERR_OK) {
        return e;
    }
    *out = arena_zalloc(&engine->arena, (*count + 1) * sizeof **out);
    if (*out == NULL) {
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < *count; i++) {
        (*out)[i].sequence = sequences[i];
    }
    mark_created(*out, *count, profile->created_sequence);
    for (size_t i = 0; i < profile->absorbed_count; i++) {
        mark_created(*out, *count, profile->absorbed[i].created_sequence);
    }
    return ERR_OK;
}

static void encode_entries(const struct log_scrub *items, size_t count, struct buffer *out)
{
    buffer_append_varint(out, count);
    uint64_t previous = 0;
    for (size_t i = 0; i < count; i++) {
        buffer_append_varint(out, (items[i].sequence - previous) << 1 |
                                      (items[i].created_person ? 1 : 0));
        previous = items[i].sequence;
    }
}

static void encode_plainly(struct engine *engine, const struct profile *profile,
                           const struct log_scrub *items, size_t count, const char salt[SALT_BYTES],
                           struct buffer *out)
{
    buffer_append_varint(out, ERASE_VERSION_PLAIN);
    buffer_append_varint(out, profile->number);
    buffer_append(out, salt, SALT_BYTES);
    encode_entries(items, count, out);
    for (size_t i = 0; i < profile->identifier_count; i++) {
        if (!profile->identifiers[i].moved) {
            encode_holders(engine, profile->number, &profile->identifiers[i], salt, out);
        }
    }
}

/* ERR_NOT_FOUND, ERR_TOO_LARGE: not this way. */
static err encode_with_ghosts(struct engine *engine, const struct profile *profile,
                              const struct log_scrub *items, size_t count,
                              const char salt[SALT_BYTES], struct buffer *out)
{
    struct buffer ghosts;
    buffer_init(&ghosts, LOG_PAYLOAD_MAX);
    err e = ghosts_encode(engine, profile->number, items, count, &ghosts);
    if (e == ERR_OK) {
        buffer_append_varint(out, ERASE_VERSION_GHOSTS);
        buffer_append_varint(out, profile->number);
        buffer_append(out, salt, SALT_BYTES);
        encode_entries(items, count, out);
        buffer_append_varint(out, ghosts.length);
        e = buffer_problem(out, 2 * VARINT_MAX_BYTES + SALT_BYTES);
    }
    if (e == ERR_OK) {
        buffer_append_slice(out, buffer_slice(&ghosts));
        e = buffer_problem(out, ghosts.length);
    }
    buffer_deinit(&ghosts);
    return e;
}

err erasure_encode(struct engine *engine, uint32_t number, struct buffer *erase,
                   struct buffer *keys, uint8_t *format)
{
    struct profile profile;
    struct log_scrub *items = NULL;
    size_t count = 0;
    err e = profile_unpack(&engine->arena, people_blob(engine->people, number), 0, &profile);
    if (e == ERR_OK) {
        e = collect_sequences(engine, &profile, &items, &count);
    }
    if (e != ERR_OK) {
        return e;
    }
    char salt[SALT_BYTES];
    random_fill(engine->options.random, salt, sizeof salt);
    e = encode_with_ghosts(engine, &profile, items, count, salt, erase);
    if (e == ERR_MEMORY) {
        return e;
    }
    *format = e == ERR_OK ? ERASE_GHOSTS : ERASE_PLAIN;
    if (e != ERR_OK) {
        buffer_clear(erase);
        encode_plainly(engine, &profile, items, count, salt, erase);
    }
    for (size_t i = 0; i < profile.identifier_count; i++) {
        const struct profile_identifier *item = &profile.identifiers[i];
        if (!item->moved) {
            buffer_append_varint(keys, item->type);
            buffer_append_varint(keys, item->value.length);
            buffer_append_slice(keys, item->value);
        }
    }
    return ERR_OK;
}

/* ---- applying it ---- */

struct erase {
    uint32_t number;
    struct slice salt;
    size_t count;
    struct byte_reader sequences;
    struct slice ghosts;
    struct byte_reader holders; /* empty with ghosts */
};

static bool erase_decode(struct slice payload, struct erase *out)
{
    struct byte_reader reader = byte_reader_of(payload);
    uint64_t version = byte_reader_varint(&reader);
    out->number = (uint32_t)byte_reader_varint(&reader);
    out->salt = byte_reader_take(&reader, SALT_BYTES);
    out->count = (size_t)byte_reader_varint(&reader);
    out->sequences = reader;
    for (size_t i = 0; i < out->count && !reader.failed; i++) {
        byte_reader_varint(&reader);
    }
    out->ghosts = version == ERASE_VERSION_GHOSTS ? byte_reader_string(&reader) : SLICE_NONE;
    out->holders = reader;
    return !reader.failed && (version == ERASE_VERSION_PLAIN || version == ERASE_VERSION_GHOSTS);
}

bool erasure_ghosts(struct slice payload, struct slice *out)
{
    struct erase erase;
    bool read = erase_decode(payload, &erase);
    *out = read ? erase.ghosts : SLICE_NONE;
    return read;
}

bool engine_erase_entries(struct slice payload,
                          void (*visit)(void *context, uint64_t sequence, bool created_person),
                          void *context)
{
    struct erase erase;
    if (!erase_decode(payload, &erase)) {
        return false;
    }
    uint64_t at = 0;
    for (size_t i = 0; i < erase.count; i++) {
        uint64_t coded = byte_reader_varint(&erase.sequences);
        at += coded >> 1;
        visit(context, at, (coded & 1) != 0);
    }
    return true;
}

/* In a replay the holder has got the identifier back; live it is marked already and nothing
 * happens. */
static err mark_moved(struct engine *engine, uint32_t holder, uint8_t type, struct slice salt,
                      struct slice digest)
{
    uint32_t root =
        holder <= people_last(engine->people) ? people_find(engine->people, holder) : PERSON_NONE;
    const void *blob = people_blob(engine->people, root);
    if (blob == NULL) {
        return ERR_OK;
    }
    struct change change;
    err e = change_begin(engine, &change, blob, 1);
    bool changed = false;
    for (size_t i = 0; e == ERR_OK && i < change.profile.identifier_count; i++) {
        struct profile_identifier *item = &change.profile.identifiers[i];
        char ours[HOLDER_DIGEST_BYTES];
        holder_digest(salt.data, item->type, item->value, ours);
        if (item->type == type && !item->moved && memcmp(ours, digest.data, sizeof ours) == 0) {
            forget_identifier(engine, identifier_hash(engine->identifiers, type, item->value),
                              root);
            item->moved = true;
            changed = true;
            e = remember_moved(engine, type, item->value, root);
        }
    }
    if (e == ERR_OK && changed) {
        change_sort_identifiers(&change);
        e = publish_profile(engine, &change.profile);
    }
    change_end(&change);
    return e;
}

static void forget_person(struct engine *engine, uint32_t root)
{
    struct profile_view view;
    profile_view_open(people_blob(engine->people, root), &view);
    struct profile_cursor cursor = profile_identifiers(&view);
    for (struct profile_identifier item; profile_identifier_next(&cursor, &item);) {
        if (!item.moved) {
            forget_identifier(engine, identifier_hash(engine->identifiers, item.type, item.value),
                              root);
        }
    }
    pending_remove_history(engine, root);
    history_remove(engine->history, root);
    retire_profile(engine, root);
}

/* In a log that ends before the person's last merge they are several. */
static void forget_ghosts(struct engine *engine, uint64_t sequence)
{
    size_t count = 0;
    const uint32_t *numbers = ghosts_people(engine->ghosts, sequence, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t root = people_find(engine->people, numbers[i]);
        if (people_blob(engine->people, root) != NULL) {
            forget_person(engine, root);
        }
    }
}

err erasure_add(struct engine *engine, const struct engine_erasure *erasure)
{
    if (!VECTOR_RESERVE(engine, erasures)) {
        return ERR_MEMORY;
    }
    engine->erasures[engine->erasures_count++] = *erasure;
    return ERR_OK;
}

static void store_erasure(struct engine *engine, const struct engine_erasure *erasure)
{
    char key[8];
    char value[24];
    store_u64_be(key, erasure->sequence);
    store_u64(value, (uint64_t)erasure->requested_at_us);
    store_u64(value + 8, (uint64_t)erasure->done_at_us);
    store_u64(value + 16, erasure->entries);
    pending_put(engine, TABLE_ERASURES, slice_of(key, sizeof key), slice_of(value, sizeof value));
}

err apply_erase(struct engine *engine, const struct log_entry *entry, struct error *error)
{
    struct erase erase;
    if (!erase_decode(entry->payload, &erase)) {
        return error_set(error, ERR_CORRUPT, "log_erase_unreadable", entry->sequence,
                         "entry %llu is no erasure", (unsigned long long)entry->sequence);
    }
    bool again = entry->format == ERASE_AGAIN;
    uint32_t root = !again && erase.number <= people_last(engine->people)
                        ? people_find(engine->people, erase.number)
                        : PERSON_NONE;
    if (people_blob(engine->people, root) != NULL) {
        forget_person(engine, root);
    }
    if (engine->ghosts != NULL) {
        forget_ghosts(engine, entry->sequence);
    }
    /* Somebody's words may wait there; whose they are is not known. What is under way is classified
     * shortly after. */
    verdict_cache_clear(engine->verdicts);
    err e = ERR_OK;
    while (e == ERR_OK && !again && byte_reader_left(&erase.holders) > 0 && !erase.holders.failed) {
        uint32_t holder = (uint32_t)byte_reader_varint(&erase.holders);
        uint8_t type = (uint8_t)byte_reader_varint(&erase.holders);
        struct slice digest = byte_reader_take(&erase.holders, HOLDER_DIGEST_BYTES);
        e = erase.holders.failed ? ERR_CORRUPT
                                 : mark_moved(engine, holder, type, erase.salt, digest);
    }
    struct engine_erasure erasure = {entry->sequence, entry->received_at_us, 0, erase.count};
    store_erasure(engine, &erasure);
    return e == ERR_OK ? erasure_add(engine, &erasure) : e;
}

struct engine_erasure *erasure_find(struct engine *engine, uint64_t sequence)
{
    for (size_t i = 0; i < engine->erasures_count; i++) {
        if (engine->erasures[i].sequence == sequence) {
            return &engine->erasures[i];
        }
    }
    return NULL;
}

/* Payload of ENTRY_ERASE_DONE: the erasure, and the quarantined entries that its job has
 * scrubbed. */
err erasure_encode_done(struct engine *engine, uint64_t sequence, struct buffer *out)
{
    buffer_append_varint(out, sequence);
    struct log *log = engine->options.log;
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < engine->quarantined_count; i++) {
        struct log_entry entry;
        arena_reset(&engine->arena);
        e = log->ops->get(log, engine->quarantined[i].sequence, &engine->arena, &entry, NULL);
        if (e == ERR_OK && entry.scrubbed) {
            buffer_append_varint(out, entry.sequence);
        }
    }
    return e;
}

err apply_erase_done(struct engine *engine, const struct log_entry *entry)
{
    struct byte_reader reader = byte_reader_of(entry->payload);
    struct engine_erasure *erasure = erasure_find(engine, byte_reader_varint(&reader));
    if (erasure != NULL) {
        erasure->done_at_us = entry->received_at_us;
        store_erasure(engine, erasure);
    }
    err e = ERR_OK;
    while (e == ERR_OK && !reader.failed && byte_reader_left(&reader) > 0) {
        e = registry_end_quarantined(engine, byte_reader_varint(&reader));
    }
    return e;
}

bool engine_erasure_next(const struct engine *engine, uint64_t *sequence)
{
    for (size_t i = 0; i < engine->erasures_count; i++) {
        if (engine->erasures[i].done_at_us == 0) {
            *sequence = engine->erasures[i].sequence;
            return true;
        }
    }
    return false;
}

bool engine_erasure_status(const struct engine *engine, uint64_t sequence,
                           struct engine_erasure *out)
{
    for (size_t i = 0; i < engine->erasures_count; i++) {
        if (engine->erasures[i].sequence == sequence) {
            *out = engine->erasures[i];
            return true;
        }
    }
    return false;
}

/* ---- the job ---- */

struct scrub_list {
    struct log_scrub *items;
    size_t count, capacity;
};

static bool scrub_add(struct scrub_list *list, uint64_t sequence, bool created_person)
{
    if (!vector_reserve((void **)&list->items, &list->capacity, list->count, sizeof *list->items)) {
        return false;
    }
    list->items[list->count++] = (struct log_scrub){sequence, created_person};
    return true;
}

/* E-mails and cookies as they stand, without ASCII case. */
static bool contains_text(struct slice bytes, struct slice text)
{
    for (size_t i = 0; text.length > 0 && i + text.length <= bytes.length; i++) {
        if (slice_equal_ignoring_case(slice_of(bytes.data + i, text.length), text)) {
            return true;
        }
    }
    return false;
}

static bool is_phone_punctuation(char c)
{
    return c == ' ' || c == '-' || c == '(' || c == ')' || c == '.' || c == '/';
}

static bool digits_match(struct slice bytes, const char *digits, size_t count)
{
    size_t matched = 0;
    for (size_t i = 0; i < bytes.length && matched < count; i++) {
        if (bytes.data[i] == digits[matched]) {
            matched++;
        } else if (!is_phone_punctuation(bytes.data[i])) {
            return false;
        }
    }
    return matched == count;
}

/* Phones are typed in many ways: the last nine digits of the number, whatever punctuation is
 * between them. */
static bool contains_phone(struct slice bytes, struct slice phone)
{
    enum { TELLING_DIGITS = 9 };
    if (phone.length <= TELLING_DIGITS) {
        return contains_text(bytes, phone);
    }
    const char *digits = phone.data + phone.length - TELLING_DIGITS;
    for (size_t i = 0; i < bytes.length; i++) {
        if (bytes.data[i] == digits[0] &&
            digits_match(slice_of(bytes.data + i, bytes.length - i), digits, TELLING_DIGITS)) {
            return true;
        }
    }
    return false;
}

static bool names_person(struct slice bytes, struct slice keys)
{
    struct byte_reader reader = byte_reader_of(keys);
    while (byte_reader_left(&reader) > 0 && !reader.failed) {
        uint64_t type = byte_reader_varint(&reader);
        struct slice value = byte_reader_string(&reader);
        if (type == IDENTIFIER_PHONE ? contains_phone(bytes, value) : contains_text(bytes, value)) {
            return true;
        }
    }
    return false;
}

/* Those waiting and those retried or dropped. */
static uint64_t *copy_quarantined(struct engine *engine, size_t *count)
{
    pthread_mutex_lock(&engine->quarantine_lock);
    size_t ended = engine->ended_count;
    *count = engine->quarantined_count + ended;
    uint64_t *copy = memory_alloc((*count + 1) * sizeof *copy);
    if (copy != NULL && ended > 0) {
        memcpy(copy, engine->ended, ended * sizeof *copy);
    }
    for (size_t i = ended; copy != NULL && i < *count; i++) {
        copy[i] = engine->quarantined[i - ended].sequence;
    }
    pthread_mutex_unlock(&engine->quarantine_lock);
    return copy;
}

static err add_quarantined(struct engine *engine, struct slice keys, struct scrub_list *list,
                           struct error *error)
{
    size_t count = 0;
    uint64_t *sequences = copy_quarantined(engine, &count);
    struct log *log = engine->options.log;
    struct arena arena;
    arena_init(&arena, (size_t)16 << 20);
    err e = sequences != NULL ? ERR_OK : ERR_MEMORY;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct log_entry entry;
        arena_reset(&arena);
        e = log->ops->get(log, sequences[i], &arena, &entry, error);
        if (e == ERR_OK && !entry.scrubbed && names_person(entry.payload, keys) &&
            !scrub_add(list, sequences[i], false)) {
            e = ERR_MEMORY;
        }
    }
    arena_deinit(&arena);
    memory_free(sequences);
    return e;
}

static int compare_scrubs(const void *a, const void *b)
{
    const struct log_scrub *x = a;
    const struct log_scrub *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static err list_entries(struct engine *engine, uint64_t sequence, struct arena *arena,
                        struct scrub_list *list, struct error *error)
{
    struct log *log = engine->options.log;
    struct log_entry entry;
    struct log_entry keys;
    struct erase erase;
    err e = log->ops->get(log, sequence, arena, &entry, error);
    if (e == ERR_OK) {
        e = log->ops->get(log, sequence + 1, arena, &keys, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (entry.kind != ENTRY_ERASE || keys.kind != ENTRY_ERASE_KEYS ||
        !erase_decode(entry.payload, &erase)) {
        return error_set(error, ERR_CORRUPT, "log_erase_unreadable", sequence,
                         "entry %llu is no erasure", (unsigned long long)sequence);
    }
    uint64_t at = 0;
    for (size_t i = 0; i < erase.count; i++) {
        uint64_t coded = byte_reader_varint(&erase.sequences);
        at += coded >> 1;
        if (!scrub_add(list, at, (coded & 1) != 0)) {
            return ERR_MEMORY;
        }
    }
    if (keys.scrubbed) {
        return ERR_OK; /* an interrupted job had come this far */
    }
    return scrub_add(list, sequence + 1, false) ? add_quarantined(engine, keys.payload, list, error)
                                                : ERR_MEMORY;
}

/* The keys go last, also before quarantined entries that came after them: while they are in clear
 * the job can be repeated, and once they are gone nothing of the person is left (backups rest on
 * that). */
static err scrub_keys_last(struct log *log, const struct scrub_list *list, uint64_t keys,
                           struct error *error)
{
    size_t behind = list->count;
    while (behind > 0 && list->items[behind - 1].sequence > keys) {
        behind--;
    }
    err e = behind < list->count
                ? log->ops->scrub(log, list->items + behind, list->count - behind, error)
                : ERR_OK;
    return e == ERR_OK ? log->ops->scrub(log, list->items, behind, error) : e;
}

err engine_erasure_scrub(struct engine *engine, uint64_t sequence, struct error *error)
{
    struct scrub_list list = {0};
    struct arena arena;
    struct log *log = engine->options.log;
    arena_init(&arena, (size_t)64 << 20);
    err e = list_entries(engine, sequence, &arena, &list, error);
    if (e == ERR_OK && engine->options.checkpoint != NULL) {
        e = checkpoint_scrub(engine->options.checkpoint, error);
    }
    if (e == ERR_OK) {
        qsort(list.items, list.count, sizeof *list.items, compare_scrubs);
        e = scrub_keys_last(log, &list, sequence + 1, error);
    }
    memory_free(list.items);
    arena_deinit(&arena);
    return e;
}
