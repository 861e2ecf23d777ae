/* Opening: from a folder to a log, by the rules that open rawlog.c. */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "rawlog_internal.h"

enum { PROGRESS_EVERY_BYTES = 16 * 1024 * 1024 };

struct recovery {
    struct rawlog *log;
    const struct rawlog_options *options;
    const struct recover_progress *progress;
    struct rawlog_report *report;
    uint64_t known_durable;
    uint64_t *names; /* first sequences, from the file names, ascending */
    size_t name_count;
    size_t name_capacity;
    char **leftovers; /* temporary files */
    size_t leftover_count;
    size_t leftover_capacity;
    bool out_of_memory;
    bool stray_name;        /* a .seg file that is not named like one */
    bool torn_creation;     /* the newest file has no valid header and held nothing */
    uint64_t torn_sequence; /* of that file's name */
    uint64_t sequence;      /* expected next */
    uint8_t chain[DIGEST_BYTES];
    uint64_t recorded_durable; /* highest in a valid frame */
    uint64_t total_bytes;
    uint64_t done_bytes;
    uint64_t told_bytes;
};

/* ---- what is in the folder ------------------------------------------------------------------- */

static bool grow(void **items, size_t *capacity, size_t count, size_t item_bytes)
{
    if (count < *capacity) {
        return true;
    }
    size_t wider = *capacity ? *capacity * 2 : 64;
    void *grown = memory_realloc(*items, wider * item_bytes);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = wider;
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void visit_name(void *visitor, const char *name)
{
    struct recovery *recovery = visitor;
    if (ends_with(name, ".seg.tmp")) {
        char *copy = memory_alloc(strlen(name) + 1);
        if (copy == NULL || !grow((void **)&recovery->leftovers, &recovery->leftover_capacity,
                                  recovery->leftover_count, sizeof *recovery->leftovers)) {
            memory_free(copy);
            recovery->out_of_memory = true;
            return;
        }
        memcpy(copy, name, strlen(name) + 1);
        recovery->leftovers[recovery->leftover_count++] = copy;
        return;
    }
    if (!ends_with(name, ".seg")) {
        return;
    }
    uint64_t first;
    char expected[SEGMENT_NAME_MAX];
    if (strlen(name) != 24 || !slice_to_u64(slice_of(name, 20), &first) || first == 0) {
        recovery->stray_name = true;
        return;
    }
    segment_name(first, expected);
    CHECK(strcmp(expected, name) == 0);
    if (!grow((void **)&recovery->names, &recovery->name_capacity, recovery->name_count,
              sizeof *recovery->names)) {
        recovery->out_of_memory = true;
        return;
    }
    recovery->names[recovery->name_count++] =
        first; /* list gives byte order, which is number order */
}

static err list_folder(struct recovery *recovery, struct error *error)
{
    const struct file_system *files = recovery->log->files;
    const char *directory = recovery->log->directory;
    if (!recovery->log->read_only) {
        err e = files->make_directory(files->context, directory, error);
        if (e != ERR_OK) {
            return e;
        }
    }
    err e = files->list(files->context, directory, visit_name, recovery, error);
    if (e != ERR_OK) {
        return e;
    }
    if (recovery->out_of_memory) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to list %s", directory);
    }
    if (recovery->stray_name) {
        return error_set(
            error, ERR_CORRUPT, "log_corrupt", 0,
            "%s holds a .seg file whose name is not 20 digits: move what is not the log's elsewhere",
            directory);
    }
    return ERR_OK;
}

/* ---- segment headers ------------------------------------------------------------------------- */

static err corrupt_name(uint64_t first_sequence, uint64_t offset, const char *what,
                        struct error *error)
{
    struct segment named = {.first_sequence = first_sequence};
    return rawlog_corrupt(&named, offset, first_sequence, what, error);
}

/* Opens one segment and reads its header. *decoded is false when there is no valid one. */
static err open_segment(struct recovery *recovery, uint64_t first_sequence, struct file **file,
                        struct segment_header *header, bool *decoded, uint64_t *size_bytes,
                        struct error *error)
{
    const struct file_system *files = recovery->log->files;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    size_t got = 0;
    char *path = segment_path(recovery->log->directory, first_sequence);
    if (path == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to open a log segment");
    }
    err e = files->open(files->context, path, FILE_READ, file, error);
    memory_free(path);
    if (e != ERR_OK) {
        return e;
    }
    e = files->size(files->context, *file, size_bytes, error);
    if (e == ERR_OK) {
        e = files->read_at(files->context, *file, bytes, sizeof bytes, 0, &got, error);
    }
    *decoded = e == ERR_OK && got == sizeof bytes && segment_header_decode(bytes, header);
    if (e != ERR_OK) {
        files->close(files->context, *file);
    }
    return e;
}

static err check_segment_header(const struct recovery *recovery, size_t index,
                                const struct segment_header *header, struct error *error)
{
    static const uint8_t none[DIGEST_BYTES];
    const struct rawlog *log = recovery->log;
    uint64_t named = recovery->names[index];
    if (header->version != SEGMENT_VERSION || header->flags != 0) {
        return error_set(error, ERR_UNSUPPORTED, "log_version", 0,
                         "the log is of version %" PRIu32 " (flags %" PRIu32
                         "), this build reads version %d: use a newer kindred",
                         header->version, header->flags, SEGMENT_VERSION);
    }
    if (header->first_sequence != named) {
        return corrupt_name(named, 16, "its header belongs to another file", error);
    }
    if (index == 0) {
        if (header->first_sequence != 1 || memcmp(header->chain, none, DIGEST_BYTES) != 0) {
            return corrupt_name(named, 0, "the segments before it are missing", error);
        }
    } else if (log->segments[index - 1]->bytes != header->previous_bytes) {
        return corrupt_name(recovery->names[index - 1], log->segments[index - 1]->bytes,
                            "its size is not what it was when the next segment was begun", error);
    }
    return ERR_OK;
}

static err add_segment(struct recovery *recovery, size_t index, struct error *error)
{
    struct rawlog *log = recovery->log;
    bool last = index + 1 == recovery->name_count;
    struct segment_header header;
    struct file *file;
    bool decoded = false;
    uint64_t size_bytes;
    err e = open_segment(recovery, recovery->names[index], &file, &header, &decoded, &size_bytes,
                         error);
    if (e != ERR_OK) {
        return e;
    }
    struct segment *segment = NULL;
    struct handle *handle = NULL;
    if (!decoded && last && size_bytes <= SEGMENT_HEADER_BYTES) {
        recovery->torn_creation = true;
        recovery->torn_sequence = recovery->names[index];
        goto out;
    }
    e = decoded ? check_segment_header(recovery, index, &header, error)
                : corrupt_name(recovery->names[index], 0, "its header fails its checksum", error);
    if (e != ERR_OK || (e = segments_reserve(log, error)) != ERR_OK) {
        goto out;
    }
    segment = segment_create(&header);
    handle = memory_zalloc(sizeof *handle);
    if (segment == NULL || handle == NULL) {
        memory_free(segment);
        memory_free(handle);
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to open a log segment");
        goto out;
    }
    *handle = (struct handle){.file = file, .references = 1};
    segment->bytes = size_bytes;
    segment->handle = handle;
    log->open_handles++;
    log->segments[log->segment_count++] = segment;
    recovery->total_bytes += size_bytes;
    if (log->open_handles > OPEN_HANDLES_MAX && !last) {
        log->files->close(log->files->context, handle_replace_locked(log, segment, NULL));
    }
    return ERR_OK;
out:
    log->files->close(log->files->context, file);
    return e;
}

/* ---- torn or damaged? ------------------------------------------------------------------------ */

/* Is a whole sector of [from, to) zeros, sectors being cut to that range? */
static bool has_empty_sector(const uint8_t *bytes, uint64_t from, uint64_t to)
{
    uint64_t at = from;
    while (at < to) {
        uint64_t end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        end = end < to ? end : to;
        bool empty = true;
        for (uint64_t i = at; i < end && empty; i++) {
            empty = bytes[i - from] == 0;
        }
        if (empty) {
            return true;
        }
        at = end;
    }
    return false;
}

/* Condition c, for the bytes of [cursor->offset, + extent). */
static err looks_unwritten(struct frame_cursor *cursor, size_t extent, bool *unwritten,
                           struct error *error)
{
    const uint8_t *at;
    err e = cursor_peek(cursor, extent, &at, error);
    if (e == ERR_END) {
        *unwritten = true; /* the file ends inside */
        return ERR_OK;
    }
    if (e == ERR_OK) {
        *unwritten = has_empty_sector(at, cursor->offset, cursor->offset + extent);
    }
    return e;
}

/* Condition b: the highest durable_sequence in any frame header behind the bad place. */
static err durable_behind(const struct frame_cursor *bad, const struct segment *segment,
                          uint64_t *durable, struct error *error)
{
    uint8_t nonce[8];
    store_u64(nonce, segment->nonce);
    struct frame_cursor cursor;
    cursor_init(&cursor, bad->files, bad->file, bad->offset + 1, bad->limit);
    err e = ERR_OK;
    *durable = 0;
    while (cursor.limit >= FRAME_HEADER_BYTES &&
           cursor.offset <= cursor.limit - FRAME_HEADER_BYTES) {
        const uint8_t *at;
        e = cursor_peek(&cursor, FRAME_HEADER_BYTES, &at, error);
        if (e != ERR_OK) {
            break;
        }
        size_t length = cursor.window_length - (size_t)(cursor.offset - cursor.window_offset);
        const uint8_t *found = memmem(at, length, nonce, sizeof nonce);
        if (found == NULL) {
            cursor.offset += length - (sizeof nonce - 1);
            continue;
        }
        cursor.offset += (uint64_t)(found - at);
        struct frame_header header;
        e = cursor_peek(&cursor, FRAME_HEADER_BYTES, &at, error);
        if (e != ERR_OK) {
            break;
        }
        if (frame_header_decode(at, segment->nonce, &header) &&
            header.durable_sequence > *durable) {
            *durable = header.durable_sequence;
        }
        cursor.offset++;
    }
    cursor_deinit(&cursor);
    return e == ERR_END ? ERR_OK : e;
}

/* No valid frame at the cursor: `what` says why, `extent` is how far the frame goes as far as is
 * known. Either notes the cut, or ERR_CORRUPT. */
static err judge_bad_frame(struct recovery *recovery, struct segment *segment,
                           struct frame_cursor *cursor, size_t extent, const char *what,
                           struct error *error)
{
    struct rawlog *log = recovery->log;
    bool last = segment == log->segments[log->segment_count - 1] && !recovery->torn_creation;
    bool unwritten = false;
    uint64_t durable = 0;
    if (last && recovery->sequence > recovery->known_durable) {
        err e = looks_unwritten(cursor, extent, &unwritten, error);
        if (e == ERR_OK) {
            e = durable_behind(cursor, segment, &durable, error);
        }
        if (e != ERR_OK) {
            return e;
        }
    }
    if (!unwritten || durable >= recovery->sequence) {
        return rawlog_corrupt(segment, cursor->offset, recovery->sequence, what, error);
    }
    segment_name(segment->first_sequence, recovery->report->cut_file);
    recovery->report->cut_offset = cursor->offset;
    recovery->report->cut_bytes = segment->bytes - cursor->offset;
    segment->bytes = cursor->offset;
    return ERR_OK;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* What a frame's header can tell. *what is NULL when it is fine, otherwise says why it is bad. */
static err check_header(const struct recovery *recovery, const struct segment *segment,
                        const struct frame_cursor *cursor, const struct frame_header *header,
                        struct error *error)
{
    if (header->flags != 0) {
        return error_set(error, ERR_UNSUPPORTED, "log_version", cursor->offset,
                         "a batch of the log has flags %" PRIu32
                         " this build does not know: use a newer kindred",
                         header->flags);
    }
    /* A header with the right nonce and checksum was written by us: what it says is no torn
     * write. */
    if (header->first_sequence != recovery->sequence) {
        return rawlog_corrupt(segment, cursor->offset, recovery->sequence,
                              "a batch is not the one that belongs here", error);
    }
    return ERR_OK;
}

/* The body of the frame at the cursor: *bad says why it is not valid, or stays NULL. */
static err check_body(struct recovery *recovery, struct segment *segment,
                      struct frame_cursor *cursor, const struct frame_header *header,
                      const char **bad, struct error *error)
{
    const uint8_t *at;
    size_t bad_index;
    err e = cursor_peek(cursor, FRAME_HEADER_BYTES + (size_t)header->body_bytes, &at, error);
    if (e == ERR_END) {
        *bad = "the file ends inside a batch";
        return ERR_OK;
    }
    if (e != ERR_OK) {
        return e;
    }
    const uint8_t *body = at + FRAME_HEADER_BYTES;
    if (!frame_body_check(header, body, &bad_index)) {
        *bad = "a batch fails its checksum";
        return ERR_OK;
    }
    if (!frame_chain_check(recovery->log->digest, header, body, recovery->chain, &bad_index)) {
        /* All bytes are as they were written, so somebody wrote them: never torn. */
        return rawlog_corrupt(
            segment, cursor->offset, header->first_sequence + (bad_index % header->count),
            bad_index == header->count ? "the chain to the batch before it does not hold"
                                       : "an entry does not match its digest",
            error);
    }
    recovery->report->checked_entries += header->count;
    return ERR_OK;
}

/* Checks the frame at the cursor and moves behind it; at a torn tail segment->bytes is cut to where
 * it begins. */
static err scan_frame(struct recovery *recovery, struct segment *segment,
                      struct frame_cursor *cursor, struct error *error)
{
    const uint8_t *at;
    struct frame_header header;
    const char *bad = NULL;
    err e = cursor_peek(cursor, FRAME_HEADER_BYTES, &at, error);
    if (e != ERR_OK && e != ERR_END) {
        return e;
    }
    if (e == ERR_END || !frame_header_decode(at, segment->nonce, &header)) {
        return judge_bad_frame(recovery, segment, cursor, FRAME_HEADER_BYTES,
                               e == ERR_END ? "the file ends inside a batch"
                                            : "a batch's header fails its checksum",
                               error);
    }
    e = check_header(recovery, segment, cursor, &header, error);
    size_t frame_bytes = FRAME_HEADER_BYTES + (size_t)header.body_bytes;
    if (e == ERR_OK &&
        recovery->sequence + header.count - 1 > recovery->options->trusted_sequence) {
        e = check_body(recovery, segment, cursor, &header, &bad, error);
    } else if (e == ERR_OK && cursor->limit - cursor->offset < frame_bytes) {
        bad = "the file ends inside a batch";
    }
    if (e == ERR_OK && bad != NULL) {
        return judge_bad_frame(recovery, segment, cursor, frame_bytes, bad, error);
    }
    if (e != ERR_OK || (e = marks_reserve(segment, error)) != ERR_OK) {
        return e;
    }
    segment_mark(segment, cursor->offset, header.first_sequence);
    memcpy(recovery->chain, header.chain, DIGEST_BYTES);
    recovery->sequence += header.count;
    recovery->recorded_durable = header.durable_sequence;
    cursor->offset += frame_bytes;
    return ERR_OK;
}

static void tell_progress(struct recovery *recovery, uint64_t done_bytes, bool always)
{
    if (recovery->progress != NULL &&
        (always || done_bytes - recovery->told_bytes >= PROGRESS_EVERY_BYTES)) {
        recovery->told_bytes = done_bytes;
        recovery->progress->call(recovery->progress->context, done_bytes, recovery->total_bytes);
    }
}

static err scan_segment(struct recovery *recovery, struct segment *segment, struct error *error)
{
    struct handle *handle;
    err e = handle_acquire(recovery->log, segment, &handle, error);
    if (e != ERR_OK) {
        return e;
    }
    struct frame_cursor cursor;
    cursor_init(&cursor, recovery->log->files, handle->file, SEGMENT_HEADER_BYTES, segment->bytes);
    while (e == ERR_OK && cursor.offset < segment->bytes) {
        e = scan_frame(recovery, segment, &cursor, error);
        tell_progress(recovery, recovery->done_bytes + cursor.offset, false);
    }
    segment->indexed = true;
    cursor_deinit(&cursor);
    handle_release(recovery->log, handle);
    return e;
}

/* What one segment says about the next must be what the next one says. */
static err check_link(const struct recovery *recovery, const struct segment *segment,
                      struct error *error)
{
    if (segment->first_sequence != recovery->sequence) {
        return rawlog_corrupt(segment, 0, recovery->sequence,
                              "entries between it and the segment before it are missing", error);
    }
    if (memcmp(segment->chain, recovery->chain, DIGEST_BYTES) != 0) {
        return rawlog_corrupt(segment, 0, recovery->sequence,
                              "the chain to the segment before it does not hold", error);
    }
    return ERR_OK;
}

static err scan_segments(struct recovery *recovery, struct error *error)
{
    struct rawlog *log = recovery->log;
    recovery->sequence = 1;
    for (size_t i = 0; i < log->segment_count; i++) {
        struct segment *segment = log->segments[i];
        err e = check_link(recovery, segment, error);
        if (e != ERR_OK) {
            return e;
        }
        const struct segment *next = i + 1 < log->segment_count ? log->segments[i + 1] : NULL;
        if (next != NULL && next->first_sequence > segment->first_sequence &&
            next->first_sequence - 1 <= recovery->options->trusted_sequence) {
            recovery->sequence = next->first_sequence;
            memcpy(recovery->chain, next->chain, DIGEST_BYTES);
        } else {
            e = scan_segment(recovery, segment, error);
            if (e != ERR_OK) {
                return e;
            }
        }
        recovery->done_bytes += segment->bytes;
        tell_progress(recovery, recovery->done_bytes, next == NULL);
        log->sealed_bytes += next != NULL ? segment->bytes : 0;
    }
    if (recovery->torn_creation && recovery->torn_sequence != recovery->sequence) {
        return corrupt_name(recovery->torn_sequence, 0,
                            "it is empty, and entries before it are missing", error);
    }
    if (recovery->sequence - 1 < recovery->known_durable) {
        return error_set(
            error, ERR_CORRUPT, "log_corrupt", recovery->sequence - 1,
            "%s ends at entry %" PRIu64 ", but entry %" PRIu64
            " had been made durable: segment files are missing or were cut; restore them from a backup",
            log->directory, recovery->sequence - 1, recovery->known_durable);
    }
    return ERR_OK;
}

/* ---- mending --------------------------------------------------------------------------------- */

static err remove_named(struct rawlog *log, char *path, struct error *error)
{
    if (path == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "no memory to remove a file of the log");
    }
    err e = log->files->remove(log->files->context, path, error);
    memory_free(path);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Writes [from, to) of the file once more, in pieces, so that its pages are dirty again and the
 * next sync means something. */
static err write_again(struct rawlog *log, struct file *file, uint64_t from, uint64_t to,
                       struct error *error)
{
    struct frame_cursor cursor;
    cursor_init(&cursor, log->files, file, from, to);
    err e = ERR_OK;
    while (e == ERR_OK && cursor.offset < to) {
        uint64_t left = to - cursor.offset;
        size_t piece = left < cursor.read_ahead_bytes ? (size_t)left : cursor.read_ahead_bytes;
        const uint8_t *at;
        e = cursor_peek(&cursor, piece, &at, error);
        if (e == ERR_END) {
            e = error_set(error, ERR_IO, "io", cursor.offset,
                          "%s: a segment became shorter while it was opened", log->directory);
        }
        if (e == ERR_OK) {
            e = log->files->write_at(log->files->context, file, at, piece, cursor.offset, error);
        }
        cursor.offset += piece;
    }
    cursor_deinit(&cursor);
    return e;
}

/* Until here every segment was open for reading only; which one is the last is known by now. */
static err open_for_writing(struct rawlog *log, struct segment *segment, struct error *error)
{
    char *path = segment_path(log->directory, segment->first_sequence);
    struct handle *handle = memory_zalloc(sizeof *handle);
    err e = ERR_OK;
    if (path == NULL || handle == NULL) {
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to open a log segment");
    } else {
        e = log->files->open(log->files->context, path, FILE_WRITE, &handle->file, error);
    }
    memory_free(path);
    if (e != ERR_OK) {
        memory_free(handle);
        return e;
    }
    handle->references = 1;
    log->files->close(log->files->context, handle_replace_locked(log, segment, handle));
    return ERR_OK;
}

/* Cuts the torn tail and makes the rest of the last segment durable.
 *
 * A sync that failed before this start may have left pages that readers see and nobody will ever
 * write, so what is not known to be durable is written again. The header belongs to that until a
 * frame behind it is known to be: the first sync of a new segment fails as well as any other. */
static err mend_last_segment(struct recovery *recovery, struct error *error)
{
    struct rawlog *log = recovery->log;
    const struct file_system *files = log->files;
    struct segment *segment = log->segments[log->segment_count - 1];
    err opened = open_for_writing(log, segment, error);
    if (opened != ERR_OK) {
        return opened;
    }
    struct file *file = segment->handle->file;
    if (recovery->report->cut_bytes > 0) {
        err e = files->truncate(files->context, file, segment->bytes, error);
        if (e != ERR_OK) {
            return e;
        }
    }
    uint64_t durable = recovery->recorded_durable > recovery->known_durable
                           ? recovery->recorded_durable
                           : recovery->known_durable;
    uint64_t from = segment->bytes;
    err e = ERR_OK;
    if (durable < segment->first_sequence) {
        from = 0;
    } else if (durable < log->last_sequence) {
        e = segment_locate(log, segment, durable + 1, &from, error);
    }
    if (e == ERR_OK) {
        e = write_again(log, file, from, segment->bytes, error);
    }
    return e == ERR_OK ? files->sync(files->context, file, error) : e;
}

/* The folder's own name must be durable, too. */
static err sync_parent(struct rawlog *log, struct error *error)
{
    size_t bytes = strlen(log->directory) + 4;
    char *parent = memory_alloc(bytes);
    if (parent == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to open the log");
    }
    snprintf(parent, bytes, "%s/..", log->directory);
    err e = log->files->sync_directory(log->files->context, parent, error);
    memory_free(parent);
    return e;
}

static err mend(struct recovery *recovery, struct error *error)
{
    struct rawlog *log = recovery->log;
    err e = ERR_OK;
    for (size_t i = 0; i < recovery->leftover_count && e == ERR_OK; i++) {
        e = remove_named(log, rawlog_path(log->directory, recovery->leftovers[i]), error);
    }
    if (e == ERR_OK && recovery->torn_creation) {
        e = remove_named(log, segment_path(log->directory, recovery->torn_sequence), error);
    }
    if (e == ERR_OK && log->segment_count > 0) {
        e = mend_last_segment(recovery, error);
    }
    if (e == ERR_OK) {
        e = log->files->sync_directory(log->files->context, log->directory, error);
    }
    if (e == ERR_OK && log->segment_count == 0) {
        e = sync_parent(log, error);
        if (e == ERR_OK) {
            e = segment_begin(log, error);
        }
    }
    if (e == ERR_OK) {
        log->durable_sequence = log->last_sequence;
    }
    return e;
}

err rawlog_recover(struct rawlog *log, const struct rawlog_options *options,
                   const struct recover_progress *progress, struct rawlog_report *report,
                   struct error *error)
{
    struct recovery recovery = {
        .log = log, .options = options, .progress = progress, .report = report};
    recovery.known_durable = options->durable_sequence > options->trusted_sequence
                                 ? options->durable_sequence
                                 : options->trusted_sequence;
    err e = list_folder(&recovery, error);
    for (size_t i = 0; i < recovery.name_count && e == ERR_OK; i++) {
        e = add_segment(&recovery, i, error);
    }
    if (e == ERR_OK) {
        e = scan_segments(&recovery, error);
    }
    if (e == ERR_OK) {
        log->last_sequence = recovery.sequence - 1;
        log->durable_sequence = recovery.known_durable > recovery.recorded_durable
                                    ? recovery.known_durable
                                    : recovery.recorded_durable;
        memcpy(log->chain, recovery.chain, DIGEST_BYTES);
        report->segments = log->segment_count;
        if (!log->read_only) {
            e = mend(&recovery, error);
            report->segments = log->segment_count;
        }
    }
    memory_free(recovery.names);
    for (size_t i = 0; i < recovery.leftover_count; i++) {
        memory_free(recovery.leftovers[i]);
    }
    memory_free(recovery.leftovers);
    return e;
}
