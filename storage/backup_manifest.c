#include "backup_manifest.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/memory.h"
#include "rawlog_internal.h"

enum { HEX_OF_CHAIN = 2 * DIGEST_BYTES, HEX_OF_LOG_ID = 2 * LOG_ID_BYTES };
static const uint64_t WHOLE_FILE_MAX = 1024ull * 1024 * 1024;

/* ---- small files ----------------------------------------------------------------------------- */

err file_read_whole(const struct file_system *files, const char *path, char **out, size_t *length,
                    struct error *error)
{
    struct file *file;
    uint64_t size = 0;
    char *data = NULL;
    err e = files->open(files->context, path, FILE_READ, &file, error);
    if (e != ERR_OK) {
        return e;
    }
    e = files->size(files->context, file, &size, error);
    if (e == ERR_OK && size > WHOLE_FILE_MAX) {
        e = error_set(error, ERR_CORRUPT, "file_too_large", 0, "%s has %" PRIu64 " bytes", path,
                      size);
    }
    if (e == ERR_OK && (data = memory_alloc((size_t)size + 1)) == NULL) {
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to read %s", path);
    }
    if (e == ERR_OK) {
        e = files->read_at(files->context, file, data, (size_t)size, 0, length, error);
    }
    files->close(files->context, file);
    if (e != ERR_OK) {
        memory_free(data);
        return e;
    }
    data[*length] = '\0';
    *out = data;
    return ERR_OK;
}

err file_replace(const struct file_system *files, const char *path, struct slice content,
                 struct error *error)
{
    char temporary[1200];
    struct file *file;
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) >= sizeof temporary) {
        return error_set(error, ERR_INVALID, "path_too_long", 0, "the path %.100s… is too long",
                         path);
    }
    err e = files->open(files->context, temporary, FILE_CREATE, &file, error);
    if (e != ERR_OK) {
        return e;
    }
    e = files->truncate(files->context, file, 0, error);
    if (e == ERR_OK && content.length > 0) {
        e = files->write_at(files->context, file, content.data, content.length, 0, error);
    }
    if (e == ERR_OK) {
        e = files->sync(files->context, file, error);
    }
    files->close(files->context, file);
    if (e == ERR_OK) {
        e = files->rename(files->context, temporary, path, error);
    }
    if (e != ERR_OK) {
        struct error ignored; /* a file of this name is never read, and the next run replaces it */
        (void)!files->remove(files->context, temporary, &ignored);
    }
    return e;
}

err file_copy(const struct file_system *files, struct file *from, struct file *to, uint64_t bytes,
              void *piece, void (*copied)(void *context, size_t bytes), void *context,
              uint64_t *ends_at, struct error *error)
{
    err e = files->truncate(files->context, to, 0, error);
    for (uint64_t at = 0; at < bytes && e == ERR_OK;) {
        size_t want = bytes - at < COPY_PIECE_BYTES ? (size_t)(bytes - at) : COPY_PIECE_BYTES;
        size_t got = 0;
        e = files->read_at(files->context, from, piece, want, at, &got, error);
        if (e == ERR_OK && got < want) {
            *ends_at = at + got;
            return ERR_END;
        }
        if (e == ERR_OK) {
            e = files->write_at(files->context, to, piece, want, at, error);
        }
        at += want;
        copied(context, want);
    }
    return e == ERR_OK ? files->sync(files->context, to, error) : e;
}

/* ---- segments -------------------------------------------------------------------------------- */

void manifest_deinit(struct backup_manifest *manifest)
{
    memory_free(manifest->segments);
    *manifest = (struct backup_manifest){0};
}

err manifest_add(struct backup_manifest *manifest, const struct backup_segment *segment,
                 struct error *error)
{
    if (manifest->segment_count == manifest->segment_capacity) {
        size_t capacity = manifest->segment_capacity ? manifest->segment_capacity * 2 : 64;
        struct backup_segment *grown = memory_realloc(manifest->segments, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                             "no memory for the backup's list of segments");
        }
        manifest->segments = grown;
        manifest->segment_capacity = capacity;
    }
    manifest->segments[manifest->segment_count++] = *segment;
    return ERR_OK;
}

const struct backup_segment *manifest_find(const struct backup_manifest *manifest,
                                           uint64_t first_sequence)
{
    size_t low = 0;
    size_t high = manifest->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (manifest->segments[middle].first_sequence < first_sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < manifest->segment_count && manifest->segments[low].first_sequence == first_sequence
               ? &manifest->segments[low]
               : NULL;
}

void backup_segment_name(const struct backup_segment *segment, char out[BACKUP_NAME_MAX])
{
    snprintf(out, BACKUP_NAME_MAX, "%020" PRIu64 "-%016" PRIx64 "-%" PRIu64 ".seg",
             segment->first_sequence, segment->scrub_id, segment->bytes);
}

void backup_ledger_name(const struct backup_manifest *manifest, char out[BACKUP_NAME_MAX])
{
    snprintf(out, BACKUP_NAME_MAX, "erasures-%08" PRIx32 ".ledger", manifest->ledger_crc);
}

void backup_keys_name(const struct backup_manifest *manifest, char out[BACKUP_NAME_MAX])
{
    snprintf(out, BACKUP_NAME_MAX, "keys-%08" PRIx32 ".json", manifest->keys_crc);
}

void log_id_of(struct digest *digest, const struct segment_header *first_segment,
               uint8_t out[LOG_ID_BYTES])
{
    static const char PURPOSE[] = "kindred log id";
    uint8_t nonce[8];
    uint8_t whole[DIGEST_BYTES];
    store_u64(nonce, first_segment->nonce);
    digest_begin(digest);
    digest_add(digest, PURPOSE, sizeof PURPOSE - 1);
    digest_add(digest, nonce, sizeof nonce);
    digest_end(digest, whole);
    memcpy(out, whole, LOG_ID_BYTES);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void append_hex(struct buffer *out, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(out, "%02x", bytes[i]);
    }
}

void manifest_encode(const struct backup_manifest *manifest, struct buffer *out)
{
    buffer_append_cstr(out, "kindred-backup 1\nlog ");
    append_hex(out, manifest->log_id, LOG_ID_BYTES);
    buffer_append_format(out,
                         "\ntaken %" PRId64 "\nlast %" PRIu64 " %" PRId64 "\nerased %" PRIu64
                         " %08" PRIx32 "\n",
                         manifest->taken_at_us, manifest->last_sequence,
                         manifest->last_received_at_us, manifest->erased, manifest->ledger_crc);
    if (manifest->has_keys) {
        buffer_append_format(out, "keys %08" PRIx32 " %" PRIu64 "\n", manifest->keys_crc,
                             manifest->keys_bytes);
    }
    for (size_t i = 0; i < manifest->segment_count; i++) {
        const struct backup_segment *segment = &manifest->segments[i];
        buffer_append_format(out, "segment %" PRIu64 " %016" PRIx64 " %" PRIu64 " ",
                             segment->first_sequence, segment->scrub_id, segment->bytes);
        append_hex(out, segment->chain, DIGEST_BYTES);
        buffer_append_char(out, '\n');
    }
    buffer_append_format(out, "crc32c %08" PRIx32 "\n", crc32c(0, out->data, out->length));
}

static bool read_hex(struct slice text, uint8_t *out, size_t count)
{
    static const char DIGITS[] = "0123456789abcdef";
    if (text.length != 2 * count) {
        return false;
    }
    for (size_t i = 0; i < text.length; i++) {
        const char *digit = memchr(DIGITS, text.data[i], sizeof DIGITS - 1);
        if (digit == NULL) {
            return false;
        }
        unsigned value = (unsigned)(digit - DIGITS);
        out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : out[i / 2] | value);
    }
    return true;
}

static bool read_hex_u64(struct slice text, size_t digits, uint64_t *out)
{
    uint8_t bytes[8];
    *out = 0;
    if (!read_hex(text, bytes, digits / 2)) {
        return false;
    }
    for (size_t i = 0; i < digits / 2; i++) {
        *out = *out << 8 | bytes[i];
    }
    return true;
}

static bool read_i64(struct slice text, int64_t *out)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    uint64_t value;
    if (!slice_to_u64(negative ? slice_of(text.data + 1, text.length - 1) : text, &value) ||
        value > INT64_MAX) {
        return false;
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool read_segment(struct slice line, struct backup_segment *out)
{
    struct slice first = slice_cut(&line, ' ');
    struct slice scrub_id = slice_cut(&line, ' ');
    struct slice bytes = slice_cut(&line, ' ');
    return slice_to_u64(first, &out->first_sequence) &&
           read_hex_u64(scrub_id, 16, &out->scrub_id) && slice_to_u64(bytes, &out->bytes) &&
           out->bytes >= SEGMENT_HEADER_BYTES && read_hex(line, out->chain, DIGEST_BYTES);
}

/* One line; its checksum was good, so a word that is not known comes from a newer kindred. */
static bool read_line(struct slice line, struct backup_manifest *out, err *e, struct error *error)
{
    struct slice word = slice_cut(&line, ' ');
    struct backup_segment segment;
    uint64_t crc = 0;
    if (slice_equal_cstr(word, "kindred-backup")) {
        return slice_equal_cstr(line, "1");
    }
    if (slice_equal_cstr(word, "log")) {
        return read_hex(line, out->log_id, LOG_ID_BYTES);
    }
    if (slice_equal_cstr(word, "taken")) {
        return read_i64(line, &out->taken_at_us);
    }
    if (slice_equal_cstr(word, "last")) {
        word = slice_cut(&line, ' ');
        return slice_to_u64(word, &out->last_sequence) && read_i64(line, &out->last_received_at_us);
    }
    if (slice_equal_cstr(word, "erased")) {
        word = slice_cut(&line, ' ');
        bool read = slice_to_u64(word, &out->erased) && read_hex_u64(line, 8, &crc);
        out->ledger_crc = (uint32_t)crc;
        return read;
    }
    if (slice_equal_cstr(word, "keys")) {
        word = slice_cut(&line, ' ');
        out->has_keys = true;
        bool read = read_hex_u64(word, 8, &crc) && slice_to_u64(line, &out->keys_bytes);
        out->keys_crc = (uint32_t)crc;
        return read;
    }
    if (slice_equal_cstr(word, "segment") && read_segment(line, &segment)) {
        *e = manifest_add(out, &segment, error);
        return true;
    }
    return false;
}

static err manifest_damaged(const char *name, struct error *error)
{
    return error_set(error, ERR_CORRUPT, "manifest_corrupt", 0,
                     "%.200s is damaged: its checksum does not hold", name);
}

/* The last line's checksum covers what is before it. */
static bool manifest_checksum(struct slice text, struct slice *content)
{
    enum { LINE = 7 + 8 + 1 }; /* "crc32c 01234567\n" */
    uint64_t crc = 0;
    if (text.length < LINE || text.data[text.length - 1] != '\n' ||
        memcmp(text.data + text.length - LINE, "crc32c ", 7) != 0 ||
        !read_hex_u64(slice_of(text.data + text.length - 9, 8), 8, &crc)) {
        return false;
    }
    *content = slice_of(text.data, text.length - LINE);
    return crc == crc32c(0, content->data, content->length);
}

err manifest_decode(struct slice text, const char *name, struct backup_manifest *out,
                    struct error *error)
{
    struct slice rest;
    err e = ERR_OK;
    if (!manifest_checksum(text, &rest)) {
        return manifest_damaged(name, error);
    }
    while (rest.length > 0 && e == ERR_OK) {
        struct slice line = slice_cut(&rest, '\n');
        if (!read_line(line, out, &e, error)) {
            e = error_set(error, ERR_UNSUPPORTED, "manifest_version", 0,
                          "%.160s has a line this build does not know: use a newer kindred", name);
        }
    }
    if (e == ERR_OK && out->segment_count == 0) {
        e = manifest_damaged(name, error);
    }
    for (size_t i = 0; i < out->segment_count && e == ERR_OK; i++) {
        if (out->segments[i].first_sequence <= (i > 0 ? out->segments[i - 1].first_sequence : 0)) {
            e = manifest_damaged(name, error);
        }
    }
    return e;
}

err manifest_load(const struct file_system *files, const char *backup, struct backup_manifest *out,
                  struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    *out = (struct backup_manifest){0};
    char *path = rawlog_path(backup, BACKUP_MANIFEST);
    err e = path != NULL ? file_read_whole(files, path, &text, &length, error)
                         : error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory");
    if (e == ERR_OK) {
        e = manifest_decode(slice_of(text, length), path, out, error);
    }
    if (e == ERR_NOT_FOUND) {
        e = error_set(error, e, "backup_not_found", 0,
                      "%.120s is not a backup: it has no " BACKUP_MANIFEST
                      " (`kindred backup %.60s --data DIR` makes one)",
                      backup, backup);
    }
    if (e != ERR_OK) {
        manifest_deinit(out);
    }
    memory_free(text);
    memory_free(path);
    return e;
}
