#include "segment_walk.h"

#include <inttypes.h>

#include "rawlog_internal.h"

err segment_corrupt(const char *path, uint64_t offset, uint64_t sequence, const char *what,
                    struct error *error)
{
    /* The end of a path tells more than its beginning when there is no room for both. */
    size_t length = strlen(path);
    const char *shown = length > 120 ? path + length - 120 : path;
    return error_set(error, ERR_CORRUPT, "log_corrupt", offset,
                     "%s is damaged at byte %" PRIu64 " (entry %" PRIu64 "): %s", shown, offset,
                     sequence, what);
}

err segment_header_load(const struct file_system *files, struct file *file, const char *path,
                        struct segment_header *out, struct error *error)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    size_t got = 0;
    err e = files->read_at(files->context, file, bytes, sizeof bytes, 0, &got, error);
    if (e != ERR_OK) {
        return e;
    }
    if (got != sizeof bytes || !segment_header_decode(bytes, out)) {
        return segment_corrupt(path, 0, 0, "its header fails its checksum", error);
    }
    if (out->version != SEGMENT_VERSION || out->flags != 0) {
        return error_set(error, ERR_UNSUPPORTED, "log_version", 0,
                         "the log is of version %" PRIu32 " (flags %" PRIu32
                         "), this build reads version %d: use a newer kindred",
                         out->version, out->flags, SEGMENT_VERSION);
    }
    return ERR_OK;
}

struct newest {
    uint64_t first_sequence;
};

static void visit_name(void *visitor, const char *name)
{
    struct newest *newest = visitor;
    uint64_t first;
    if (strlen(name) == 24 && strcmp(name + 20, ".seg") == 0 &&
        slice_to_u64(slice_of(name, 20), &first)) {
        newest->first_sequence = first; /* names come in order */
    }
}

err log_open_source(const struct file_system *files, const char *directory, struct log **out,
                    struct error *error)
{
    /* A write that found the disk full is cut off again, and what is written next takes its place:
     * for a moment the end does not look like one. */
    enum { TRIES = 5 };
    err e = ERR_CORRUPT;
    for (int i = 0; i < TRIES && e == ERR_CORRUPT; i++) {
        struct newest newest = {0};
        struct rawlog_report report;
        e = files->list(files->context, directory, visit_name, &newest, error);
        if (e != ERR_OK) {
            return e;
        }
        struct rawlog_options options = {
            .files = files,
            .random = &system_random,
            .directory = directory,
            .trusted_sequence = newest.first_sequence > 0 ? newest.first_sequence - 1 : 0,
            .read_only = true};
        e = rawlog_open(&options, out, &report, error);
    }
    return e;
}

/* Where the walk stands must be what the segment says of itself. */
static err check_start(const struct segment_walk *walk, const char *path, struct error *error)
{
    if (walk->header.first_sequence != walk->next_sequence) {
        return segment_corrupt(path, 16, walk->next_sequence, "its header belongs to another file",
                               error);
    }
    if (memcmp(walk->header.chain, walk->chain, DIGEST_BYTES) != 0) {
        return segment_corrupt(path, 40, walk->next_sequence,
                               "the chain to the segment before it does not hold", error);
    }
    return ERR_OK;
}

static err check_frame(const struct segment_walk *walk, const char *path, uint64_t offset,
                       const struct frame_header *header, const uint8_t *body, struct error *error)
{
    size_t bad = 0;
    if (header->flags != 0) {
        return error_set(error, ERR_UNSUPPORTED, "log_version", offset,
                         "a batch of the log has flags %" PRIu32
                         " this build does not know: use a newer kindred",
                         header->flags);
    }
    if (header->first_sequence != walk->next_sequence) {
        return segment_corrupt(path, offset, walk->next_sequence,
                               "a batch is not the one that belongs here", error);
    }
    if (!frame_body_check(header, body, &bad)) {
        return segment_corrupt(path, offset, header->first_sequence + bad % header->count,
                               "a batch fails its checksum", error);
    }
    if (!frame_chain_check(walk->digest, header, body, walk->chain, &bad)) {
        return segment_corrupt(path, offset, header->first_sequence + bad % header->count,
                               bad == header->count
                                   ? "the chain to the batch before it does not hold"
                                   : "an entry does not match its digest",
                               error);
    }
    return ERR_OK;
}

/* The frame at the cursor; moves behind it unless the visitor stops. */
static err walk_frame(struct segment_walk *walk, struct frame_cursor *cursor, const char *path,
                      struct error *error)
{
    const uint8_t *at;
    struct frame_header header;
    err e = cursor_peek(cursor, FRAME_HEADER_BYTES, &at, error);
    if (e == ERR_OK && !frame_header_decode(at, walk->header.nonce, &header)) {
        return segment_corrupt(path, cursor->offset, walk->next_sequence,
                               "a batch's header fails its checksum", error);
    }
    if (e == ERR_OK && walk->wants != NULL && !walk->wants(walk->context, &header)) {
        walk->stopped = true;
        return ERR_OK;
    }
    if (e == ERR_OK) {
        e = cursor_peek(cursor, FRAME_HEADER_BYTES + (size_t)header.body_bytes, &at, error);
    }
    if (e == ERR_END) {
        return segment_corrupt(path, cursor->offset, walk->next_sequence, "the file ends too early",
                               error);
    }
    if (e == ERR_OK) {
        e = check_frame(walk, path, cursor->offset, &header, at + FRAME_HEADER_BYTES, error);
    }
    if (e == ERR_OK && walk->visit != NULL) {
        e = walk->visit(walk->context, &header, at + FRAME_HEADER_BYTES, error);
    }
    if (e == ERR_END) {
        walk->stopped = true;
        return ERR_OK;
    }
    if (e == ERR_OK) {
        walk->next_sequence += header.count;
        memcpy(walk->chain, header.chain, DIGEST_BYTES);
        cursor->offset += FRAME_HEADER_BYTES + (uint64_t)header.body_bytes;
        walk->end_offset = cursor->offset;
    }
    return e;
}

err segment_walk_file(struct segment_walk *walk, const char *path, uint64_t limit_bytes,
                      struct error *error)
{
    struct file *file;
    err e = walk->files->open(walk->files->context, path, FILE_READ, &file, error);
    if (e != ERR_OK) {
        return e;
    }
    walk->stopped = false;
    walk->end_offset = SEGMENT_HEADER_BYTES;
    e = segment_header_load(walk->files, file, path, &walk->header, error);
    if (e == ERR_OK) {
        e = check_start(walk, path, error);
    }
    struct frame_cursor cursor;
    cursor_init(&cursor, walk->files, file, SEGMENT_HEADER_BYTES, limit_bytes);
    while (e == ERR_OK && !walk->stopped && cursor.offset < limit_bytes) {
        e = walk_frame(walk, &cursor, path, error);
    }
    cursor_deinit(&cursor);
    walk->files->close(walk->files->context, file);
    return e;
}
