#include "storage/erasure_ledger.h"

#include <inttypes.h>
#include <stdio.h>

#include "backup_manifest.h"
#include "base/hash.h"
#include "base/memory.h"
#include "rawlog_internal.h"
#include "segment_walk.h"

enum {
    LEDGER_VERSION = 1,
    LEDGER_VERSION_ERASURES = 2,
    HEADER_BYTES = 48,
    ENTRY_BYTES = 32,
    CRC_BYTES = 4
};
static const char LEDGER_MAGIC[8] = {'K', 'N', 'D', 'R', 'D', 'E', 'R', 'A'};

void erasure_ledger_deinit(struct erasure_ledger *ledger)
{
    for (size_t i = 0; i < ledger->erasures_count; i++) {
        union {
            const char *in;
            char *out;
        } payload = {.in = ledger->erasures[i].payload.data};
        memory_free(payload.out);
    }
    memory_free(ledger->erasures);
    memory_free(ledger->entries);
    memory_free(ledger->unfinished);
    *ledger = (struct erasure_ledger){0};
}

static err reserve(void **items, size_t *capacity, size_t count, size_t item_bytes,
                   struct error *error)
{
    if (count < *capacity) {
        return ERR_OK;
    }
    size_t wider = *capacity ? *capacity * 2 : 64;
    void *grown = memory_realloc(*items, wider * item_bytes);
    if (grown == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "no memory for the ledger of erasures");
    }
    *items = grown;
    *capacity = wider;
    return ERR_OK;
}

size_t erasure_ledger_find(const struct erasure_ledger *ledger, uint64_t sequence)
{
    size_t low = 0;
    size_t high = ledger->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ledger->entries[middle].sequence < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

err erasure_ledger_add(struct erasure_ledger *ledger, const struct erased_entry *entry,
                       struct error *error)
{
    CHECK(ledger->count == 0 || ledger->entries[ledger->count - 1].sequence < entry->sequence);
    err e =
        reserve((void **)&ledger->entries, &ledger->capacity, ledger->count, sizeof *entry, error);
    if (e == ERR_OK) {
        ledger->entries[ledger->count++] = *entry;
    }
    return e;
}

err erasure_ledger_add_unfinished(struct erasure_ledger *ledger, uint64_t sequence,
                                  struct error *error)
{
    err e = reserve((void **)&ledger->unfinished, &ledger->unfinished_capacity,
                    ledger->unfinished_count, sizeof sequence, error);
    if (e == ERR_OK) {
        ledger->unfinished[ledger->unfinished_count++] = sequence;
    }
    return e;
}

err erasure_ledger_add_erasure(struct erasure_ledger *ledger, uint64_t sequence,
                               struct slice payload, struct error *error)
{
    CHECK(ledger->erasures_count == 0 ||
          ledger->erasures[ledger->erasures_count - 1].sequence < sequence);
    err e = reserve((void **)&ledger->erasures, &ledger->erasures_capacity, ledger->erasures_count,
                    sizeof *ledger->erasures, error);
    char *copy = e == ERR_OK ? memory_alloc(payload.length + 1) : NULL;
    if (e == ERR_OK && copy == NULL) {
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0,
                      "no memory for the ledger of erasures");
    }
    if (e == ERR_OK) {
        if (payload.length > 0) {
            memcpy(copy, payload.data, payload.length);
        }
        ledger->erasures[ledger->erasures_count++] =
            (struct ledger_erasure){sequence, slice_of(copy, payload.length)};
    }
    return e;
}

err ledger_add_frame(struct erasure_ledger *ledger, const struct frame_header *header,
                     const uint8_t *body, struct error *error)
{
    err e = ERR_OK;
    for (uint32_t i = 0; i < header->count && e == ERR_OK; i++) {
        struct log_entry entry;
        frame_entry(header, body, i, &entry);
        if (entry.scrubbed) {
            struct erased_entry erased = {.sequence = entry.sequence,
                                          .created_person = entry.created_person};
            memcpy(erased.digest, frame_entry_digest(header, body, i), LEDGER_DIGEST_BYTES);
            e = erasure_ledger_add(ledger, &erased, error);
        } else if (entry.kind == ENTRY_ERASE_KEYS) {
            e = erasure_ledger_add_unfinished(ledger, entry.sequence, error);
        } else if (entry.kind == ENTRY_ERASE && entry.format != ERASE_PLAIN) {
            e = erasure_ledger_add_erasure(ledger, entry.sequence, entry.payload, error);
        }
    }
    return e;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static void append_u64(struct buffer *out, uint64_t value)
{
    uint8_t bytes[8];
    store_u64(bytes, value);
    buffer_append(out, bytes, sizeof bytes);
}

void erasure_ledger_encode(const struct erasure_ledger *ledger, struct buffer *out)
{
    uint8_t words[8];
    buffer_append(out, LEDGER_MAGIC, sizeof LEDGER_MAGIC);
    store_u32(words, ledger->erasures_count > 0 ? LEDGER_VERSION_ERASURES : LEDGER_VERSION);
    store_u32(words + 4, (uint32_t)ledger->unfinished_count);
    buffer_append(out, words, sizeof words);
    buffer_append(out, ledger->log_id, LOG_ID_BYTES);
    append_u64(out, ledger->last_sequence);
    append_u64(out, ledger->count);
    for (size_t i = 0; i < ledger->unfinished_count; i++) {
        append_u64(out, ledger->unfinished[i]);
    }
    for (size_t i = 0; i < ledger->count; i++) {
        append_u64(out, ledger->entries[i].sequence);
        append_u64(out, ledger->entries[i].created_person);
        buffer_append(out, ledger->entries[i].digest, LEDGER_DIGEST_BYTES);
    }
    if (ledger->erasures_count > 0) {
        store_u32(words, (uint32_t)ledger->erasures_count);
        buffer_append(out, words, 4);
    }
    for (size_t i = 0; i < ledger->erasures_count; i++) {
        const struct ledger_erasure *erasure = &ledger->erasures[i];
        append_u64(out, erasure->sequence);
        store_u32(words, (uint32_t)erasure->payload.length);
        buffer_append(out, words, 4);
        buffer_append_slice(out, erasure->payload);
    }
    store_u32(words, crc32c(0, out->data, out->length));
    buffer_append(out, words, CRC_BYTES);
}

static err ledger_damaged(const char *name, struct error *error)
{
    return error_set(
        error, ERR_CORRUPT, "ledger_corrupt", 0,
        "%.160s is no undamaged ledger of erasures: its checksum or length does not hold", name);
}

static err decode_entries(struct byte_reader *reader, uint64_t unfinished, uint64_t count,
                          const char *name, struct erasure_ledger *out, struct error *error)
{
    err e = ERR_OK;
    for (uint64_t i = 0; i < unfinished && e == ERR_OK; i++) {
        e = erasure_ledger_add_unfinished(out, byte_reader_u64(reader), error);
    }
    for (uint64_t i = 0; i < count && e == ERR_OK; i++) {
        struct erased_entry entry = {.sequence = byte_reader_u64(reader)};
        entry.created_person = (byte_reader_u64(reader) & 1) != 0;
        memcpy(entry.digest, byte_reader_take(reader, LEDGER_DIGEST_BYTES).data,
               LEDGER_DIGEST_BYTES);
        if (out->count > 0 && entry.sequence <= out->entries[out->count - 1].sequence) {
            return ledger_damaged(name, error);
        }
        e = erasure_ledger_add(out, &entry, error);
    }
    return e;
}

static err decode_erasures(struct byte_reader *reader, const char *name, struct erasure_ledger *out,
                           struct error *error)
{
    uint32_t count = byte_reader_u32(reader);
    err e = ERR_OK;
    for (uint32_t i = 0; i < count && e == ERR_OK; i++) {
        uint64_t sequence = byte_reader_u64(reader);
        struct slice payload = byte_reader_take(reader, byte_reader_u32(reader));
        if (reader->failed ||
            (i > 0 && sequence <= out->erasures[out->erasures_count - 1].sequence)) {
            return ledger_damaged(name, error);
        }
        e = erasure_ledger_add_erasure(out, sequence, payload, error);
    }
    return e == ERR_OK && (reader->failed || byte_reader_left(reader) > 0)
               ? ledger_damaged(name, error)
               : e;
}

err erasure_ledger_decode(struct slice bytes, const char *name, struct erasure_ledger *out,
                          struct error *error)
{
    *out = (struct erasure_ledger){0};
    if (bytes.length < HEADER_BYTES + CRC_BYTES ||
        memcmp(bytes.data, LEDGER_MAGIC, sizeof LEDGER_MAGIC) != 0 ||
        load_u32(bytes.data + bytes.length - CRC_BYTES) !=
            crc32c(0, bytes.data, bytes.length - CRC_BYTES)) {
        return ledger_damaged(name, error);
    }
    struct byte_reader reader =
        byte_reader_of(slice_of(bytes.data + 8, bytes.length - 8 - CRC_BYTES));
    uint32_t version = byte_reader_u32(&reader);
    uint64_t unfinished = byte_reader_u32(&reader);
    memcpy(out->log_id, byte_reader_take(&reader, LOG_ID_BYTES).data, LOG_ID_BYTES);
    out->last_sequence = byte_reader_u64(&reader);
    uint64_t count = byte_reader_u64(&reader);
    if (version != LEDGER_VERSION && version != LEDGER_VERSION_ERASURES) {
        return error_set(error, ERR_UNSUPPORTED, "ledger_version", 0,
                         "%.160s is a ledger of version %" PRIu32
                         ", this build reads version %d: use a newer kindred",
                         name, version, LEDGER_VERSION_ERASURES);
    }
    uint64_t left = byte_reader_left(&reader);
    bool erasures = version == LEDGER_VERSION_ERASURES;
    if (count > left / ENTRY_BYTES || left < unfinished * 8 + count * ENTRY_BYTES ||
        (!erasures && left > unfinished * 8 + count * ENTRY_BYTES)) {
        return ledger_damaged(name, error);
    }
    err e = decode_entries(&reader, unfinished, count, name, out, error);
    if (e == ERR_OK && erasures) {
        e = decode_erasures(&reader, name, out, error);
    }
    if (e != ERR_OK) {
        erasure_ledger_deinit(out);
    }
    return e;
}

/* ---- from a folder --------------------------------------------------------------------------- */

struct gathering {
    struct erasure_ledger *ledger;
    void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *context;
    uint64_t done_bytes, total_bytes;
};

static err gather_frame(void *context, const struct frame_header *header, const uint8_t *body,
                        struct error *error)
{
    struct gathering *gathering = context;
    gathering->done_bytes += FRAME_HEADER_BYTES + (uint64_t)header->body_bytes;
    if (gathering->progress != NULL) {
        gathering->progress(gathering->context, gathering->done_bytes, gathering->total_bytes);
    }
    return ledger_add_frame(gathering->ledger, header, body, error);
}

static err gather_segments(const struct rawlog *log, struct digest *digest,
                           struct gathering *gathering, struct error *error)
{
    struct segment_walk walk = {.files = log->files,
                                .digest = digest,
                                .next_sequence = 1,
                                .visit = gather_frame,
                                .context = gathering};
    err e = ERR_OK;
    for (size_t i = 0; i < log->segment_count && e == ERR_OK; i++) {
        char *path = segment_path(log->directory, log->segments[i]->first_sequence);
        e = path != NULL ? segment_walk_file(&walk, path, log->segments[i]->bytes, error)
                         : error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory");
        memory_free(path);
        if (e == ERR_OK && i == 0) {
            log_id_of(digest, &walk.header, gathering->ledger->log_id);
        }
    }
    gathering->ledger->last_sequence = walk.next_sequence - 1;
    return e;
}

static err gather_folder(const struct file_system *files, const char *path,
                         struct gathering *gathering, struct error *error)
{
    struct log *log = NULL;
    struct digest *digest = digest_create();
    char *directory = rawlog_path(path, "log");
    err e = digest != NULL && directory != NULL
                ? ERR_OK
                : error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory");
    if (e == ERR_OK) {
        e = log_open_source(files, directory, &log, error);
    }
    if (e == ERR_OK) {
        gathering->total_bytes = log->ops->position(log).bytes;
        e = gather_segments(rawlog_of(log), digest, gathering, error);
        log->ops->close(log);
    }
    memory_free(directory);
    digest_destroy(digest);
    return e;
}

/* ERR_NOT_FOUND when there is no such file. */
static err load_file(const struct file_system *files, const char *path, struct erasure_ledger *out,
                     struct error *error)
{
    char *bytes = NULL;
    size_t length = 0;
    err e = file_read_whole(files, path, &bytes, &length, error);
    if (e == ERR_OK) {
        e = erasure_ledger_decode(slice_of(bytes, length), path, out, error);
    }
    memory_free(bytes);
    return e;
}

err backup_ledger_load(const struct file_system *files, const char *backup,
                       const struct backup_manifest *manifest, struct erasure_ledger *out,
                       struct error *error)
{
    char name[BACKUP_NAME_MAX];
    *out = (struct erasure_ledger){0};
    backup_ledger_name(manifest, name);
    char *path = rawlog_path(backup, name);
    if (path == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory");
    }
    err e = load_file(files, path, out, error);
    if (e == ERR_NOT_FOUND) {
        e = error_set(error, ERR_CORRUPT, "backup_incomplete", 0, "the backup's %s is missing",
                      name);
    }
    if (e == ERR_OK && (out->count != manifest->erased ||
                        memcmp(out->log_id, manifest->log_id, LOG_ID_BYTES) != 0)) {
        erasure_ledger_deinit(out);
        e = ledger_damaged(path, error);
    }
    memory_free(path);
    return e;
}

err erasure_ledger_load(const struct file_system *files, const char *path,
                        void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                        void *context, struct erasure_ledger *out, struct error *error)
{
    struct error local;
    error = error != NULL ? error : &local;
    *out = (struct erasure_ledger){0};
    struct backup_manifest manifest;
    err e = manifest_load(files, path, &manifest, error);
    if (e == ERR_OK) {
        e = backup_ledger_load(files, path, &manifest, out, error);
        manifest_deinit(&manifest);
        return e;
    }
    if (e == ERR_CORRUPT || e == ERR_UNSUPPORTED || e == ERR_MEMORY) {
        return e;
    }
    struct file *lock = NULL;
    char *lock_path = rawlog_path(path, "LOCK");
    if (lock_path == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory");
    }
    e = files->open(files->context, lock_path, FILE_WRITE, &lock, error);
    memory_free(lock_path);
    if (e != ERR_OK) {
        e = load_file(files, path, out, error);
        return e == ERR_CORRUPT || e == ERR_UNSUPPORTED || e == ERR_OK || e == ERR_MEMORY
                   ? e
                   : error_set(
                         error, ERR_NOT_FOUND, "erasures_not_found", 0,
                         "%.160s is neither a backup, nor a data folder, nor a ledger of erasures",
                         path);
    }
    e = files->lock(files->context, lock, error);
    if (e == ERR_LOCKED) {
        e = error_set(error, e, "locked", 0,
                      "%.120s is in use by a server: make a backup of it and name that", path);
    }
    if (e == ERR_OK) {
        struct gathering gathering = {.ledger = out, .progress = progress, .context = context};
        e = gather_folder(files, path, &gathering, error);
    }
    files->close(files->context, lock);
    if (e != ERR_OK) {
        erasure_ledger_deinit(out);
    }
    return e;
}
