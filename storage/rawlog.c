/* The raw log in a folder of segment files: every change, in order, in its original bytes.
 *
 * ---- Files ------------------------------------------------------------------------------------
 *
 *   log/00000000000000000001.seg      named by the first sequence in it, 20 decimal digits
 *   log/00000000000000073211.seg      the last one is appended to, the others are sealed
 *   log/00000000000000000001.seg.tmp  a scrub under way; removed at open
 *
 * A segment is a header and frames without gaps. A frame is one appended batch. All integers are
 * little-endian.
 *
 *   segment header, 128 bytes                      frame header, 80 bytes
 *     0  magic "KNDRDLOG"                            0  nonce, the segment's
 *     8  u32 version (1)                             8  u64 first_sequence
 *    12  u32 flags (0)                              16  u64 durable_sequence when it was written
 *    16  u64 first_sequence                         24  u32 count, 1..65536
 *    24  u64 nonce, random                          28  u32 body_bytes
 *    32  u64 size of the previous segment           32  u32 flags (0; later: compressed, encrypted)
 *    40  chain[32] at its start                     36  u32 crc32c(slot table)
 *    72  u64 scrub id                               40  chain[32] behind this frame
 *    80  zeros                                      72  zeros; 76  u32 crc32c(bytes 0..75)
 *   124  u32 crc32c(bytes 0..123)
 *
 *   frame body:  count slots { u32 offset in the body, u32 entry_crc }, then the entries, in
 *   order, without gaps
 *
 *   entry, 80 bytes + source + payload
 *     0  u8 kind   1  u8 format   2  u16 etl_version   4  u32 header_back   8  i64 received_at_us
 *    16  u64 mapping_sequence    24  u32 payload_bytes  28  u8 source_bytes  29  u8 flags  30  zeros
 *    32  salt[16], random        48  digest[32] = SHA-256(salt ‖ source ‖ payload)
 *    80  source, payload
 *   flags: 1 scrubbed, 2 created_person. entry_crc = crc32c(u64 sequence ‖ entry).
 *
 *   chain' = SHA-256(chain ‖ u64 first_sequence ‖ u32 count ‖ for each entry: its bytes 0..31 with
 *   flags as 0 ‖ digest)
 *
 * A scrubbed entry keeps bytes 0..31 and its digest; salt, source and payload are overwritten. So
 * the chain stays whole, every offset stays where it was, and without the salt nobody can confirm a
 * guess of what stood there (the lengths remain). The nonce is never shown to anyone: a payload
 * cannot contain something that passes for a frame.
 *
 * ---- A frame is valid if and only if ----------------------------------------------------------
 *
 *   1. its header has the segment's nonce, its CRC holds, its counts are within limits and its
 *      flags are known
 *   2. first_sequence is one more than the last sequence before it (in the first frame: the
 *      segment's first_sequence)
 *   3. it ends within the file, the table's CRC holds, every entry's CRC holds, and lengths add up
 *   4. its chain follows from the chain before it, and the digest of each entry that is not
 *      scrubbed follows from its bytes
 *
 * Therefore a batch is there whole or not at all.
 *
 * ---- Order of writes (what makes rules out of hopes) ------------------------------------------
 *
 *   append   one write of one frame behind the last one. Nothing that was written before is
 *            touched.
 *   sync     fdatasync of the last segment, then durable_sequence := last_sequence. Later frames
 *            carry that number.
 *   roll     (1) sync the old segment, (2) create the new file, (3) write its header, (4) sync it,
 *            (5) sync the folder, (6) only then frames. So only the last segment can have a torn
 *            tail, and a last file without a valid header is at most 128 bytes long and held
 *            nothing.
 *   undo     of a write that found no space: truncate to the old end, sync. Then the disk shows
 *            zeros behind it again.
 *   scrub    write the whole segment anew under a temporary name, with another random scrub id in
 *            its header (0 at first: an incremental backup sees by it which segments it must take
 *            again), sync it, rename it over, sync the folder. The old and the new file are both valid, so it does not matter which one a
 *            crash leaves; the caller scrubs again.
 *
 * ---- Opening ----------------------------------------------------------------------------------
 *
 *   Segments that end at or before `trusted_sequence` are known by their headers and sizes only.
 *   From there on every frame is read and checked. Let X be the first place without a valid frame,
 *   s the sequence expected there. X is a torn tail, and is cut off, if all of this holds:
 *
 *     a. it is in the last segment (see roll)
 *     b. s is above everything known to be durable: options.durable_sequence,
 *        options.trusted_sequence, and the durable_sequence of every frame header that is valid
 *        anywhere behind X (found by its nonce; without a sync between them a later write may have
 *        reached the disk and an earlier one not)
 *     c. it looks like a write that did not reach the disk: the file ends inside the frame, or a
 *        whole sector of it (512 bytes aligned, cut to the frame's extent) is zeros. A disk writes
 *        whole sectors; where every sector was written and yet a checksum fails, bytes were changed
 *        afterwards.
 *
 *   Otherwise the log is corrupt: the file, offset and sequence are named, and nothing is changed.
 *
 *   What then is kept may stand in the page cache only (the process was killed before its sync, or
 *   a sync failed and the kernel dropped the pages' dirty marks). So frames behind the last
 *   recorded durable_sequence are written once more, then file and folder are synced; after that
 *   everything in the log is durable.
 *
 * ---- Failure ----------------------------------------------------------------------------------
 *
 *   The first failed write, sync, rename or truncate poisons the log: every later append, sync and
 *   scrub gives the same error. A sync is never tried again. Reads go on. Two failures leave the
 *   log as it was and usable: ERR_NO_SPACE (undone as above) and those found before anything was
 *   written (ERR_TOO_LARGE, ERR_MEMORY). */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "rawlog_internal.h"

enum { FRAME_BUFFER_KEEP_BYTES = 4 * 1024 * 1024 };
static const uint64_t SEGMENT_BYTES_DEFAULT = 64ull * 1024 * 1024;
static const uint64_t SEGMENT_BYTES_MAX = 1024ull * 1024 * 1024; /* marks hold 32-bit offsets */

struct rawlog *rawlog_of(struct log *log)
{
    return (struct rawlog *)log; /* its first member */
}

/* ---- names and segments ---------------------------------------------------------------------- */

char *rawlog_path(const char *directory, const char *name)
{
    size_t bytes = strlen(directory) + 1 + strlen(name) + 1;
    char *path = memory_alloc(bytes);
    if (path != NULL) {
        snprintf(path, bytes, "%s/%s", directory, name);
    }
    return path;
}

void segment_name(uint64_t first_sequence, char out[SEGMENT_NAME_MAX])
{
    snprintf(out, SEGMENT_NAME_MAX, "%020" PRIu64 ".seg", first_sequence);
}

char *segment_path(const char *directory, uint64_t first_sequence)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(first_sequence, name);
    return rawlog_path(directory, name);
}

struct segment *segment_create(const struct segment_header *header)
{
    struct segment *segment = memory_zalloc(sizeof *segment);
    if (segment != NULL) {
        segment->first_sequence = header->first_sequence;
        segment->nonce = header->nonce;
        segment->bytes = SEGMENT_HEADER_BYTES;
        memcpy(segment->chain, header->chain, DIGEST_BYTES);
    }
    return segment;
}

void segment_destroy(struct rawlog *log, struct segment *segment)
{
    if (segment != NULL) {
        CHECK(segment->handle == NULL || segment->handle->references == 1);
        log->files->close(log->files->context, handle_replace_locked(log, segment, NULL));
        memory_free(segment->marks);
        memory_free(segment);
    }
}

err segments_reserve(struct rawlog *log, struct error *error)
{
    if (log->segment_count < log->segment_capacity) {
        return ERR_OK;
    }
    size_t capacity = log->segment_capacity ? log->segment_capacity * 2 : 16;
    struct segment **grown = memory_alloc(capacity * sizeof *grown);
    if (grown == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "no memory for another log segment");
    }
    pthread_mutex_lock(&log->state_lock);
    struct segment **old = log->segments;
    if (old != NULL) {
        memcpy(grown, old, log->segment_count * sizeof(struct segment *));
    }
    log->segments = grown;
    log->segment_capacity = capacity;
    pthread_mutex_unlock(&log->state_lock);
    memory_free(old);
    return ERR_OK;
}

err marks_reserve(struct segment *segment, struct error *error)
{
    if (segment->mark_count == segment->mark_capacity) {
        size_t capacity = segment->mark_capacity ? segment->mark_capacity * 2 : 64;
        struct mark *grown = memory_realloc(segment->marks, capacity * sizeof *grown);
        if (grown == NULL) {
            return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                             "no memory for the log's index");
        }
        segment->marks = grown;
        segment->mark_capacity = capacity;
    }
    return ERR_OK;
}

void segment_mark(struct segment *segment, uint64_t offset, uint64_t first_sequence)
{
    if (segment->mark_count > 0 &&
        offset - segment->marks[segment->mark_count - 1].offset < MARK_SPACING_BYTES) {
        return;
    }
    CHECK(segment->mark_count < segment->mark_capacity && offset <= UINT32_MAX);
    segment->marks[segment->mark_count++] = (struct mark){
        .offset = (uint32_t)offset,
        .sequence_delta = (uint32_t)(first_sequence - segment->first_sequence),
    };
}

/* ---- failure --------------------------------------------------------------------------------- */

/* The caller may pass no error struct, but the log has to remember one. */
static struct error *error_or(struct error *error, struct error *local)
{
    return error != NULL ? error : local;
}

err rawlog_poison(struct rawlog *log, struct error *error)
{
    pthread_mutex_lock(&log->state_lock);
    if (log->poison.err == ERR_OK) {
        log->poison = *error;
        if (error->err == ERR_NO_SPACE || error->err == ERR_MEMORY) {
            /* It came where there is no way back, so it must not read as something to try again. */
            log->poison.err = ERR_IO;
            snprintf(log->poison.code, sizeof log->poison.code, "%s", err_name(ERR_IO));
        }
    }
    *error = log->poison;
    pthread_mutex_unlock(&log->state_lock);
    return error->err;
}

err rawlog_writable(struct rawlog *log, struct error *error)
{
    pthread_mutex_lock(&log->state_lock);
    struct error poison = log->poison;
    pthread_mutex_unlock(&log->state_lock);
    if (poison.err != ERR_OK) {
        *error = poison;
        return error->err;
    }
    if (log->read_only) {
        return error_set(error, ERR_DENIED, "read_only", 0, "the log was opened for reading only");
    }
    return ERR_OK;
}

static struct segment *last_segment(const struct rawlog *log)
{
    return log->segments[log->segment_count - 1];
}

/* ---- a new segment --------------------------------------------------------------------------- */

/* Header, sync, folder sync. Before the first sync a full disk can be undone by removing the
 * file. */
static err write_new_segment(struct rawlog *log, const char *path,
                             const struct segment_header *header, struct file **out,
                             struct error *error)
{
    const struct file_system *files = log->files;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct file *file;
    err e = files->open(files->context, path, FILE_CREATE_NEW, &file, error);
    if (e != ERR_OK) {
        return e == ERR_NO_SPACE || e == ERR_MEMORY ? e : rawlog_poison(log, error);
    }
    segment_header_encode(header, bytes);
    e = files->write_at(files->context, file, bytes, sizeof bytes, 0, error);
    if (e == ERR_NO_SPACE) {
        files->close(files->context, file);
        struct error removal;
        if (files->remove(files->context, path, &removal) != ERR_OK) {
            *error = removal;
            return rawlog_poison(log, error);
        }
        return e;
    }
    if (e == ERR_OK) {
        e = files->sync(files->context, file, error);
    }
    if (e == ERR_OK) {
        e = files->sync_directory(files->context, log->directory, error);
    }
    if (e != ERR_OK) {
        files->close(files->context, file);
        return rawlog_poison(log, error);
    }
    *out = file;
    return ERR_OK;
}

err segment_begin(struct rawlog *log, struct error *error)
{
    struct segment_header header = {
        .version = SEGMENT_VERSION,
        .first_sequence = log->last_sequence + 1,
        .previous_bytes = log->segment_count > 0 ? last_segment(log)->bytes : 0,
    };
    uint8_t nonce[8];
    random_fill(log->random, nonce, sizeof nonce);
    header.nonce = load_u64(nonce);
    memcpy(header.chain, log->chain, DIGEST_BYTES);

    char *path = segment_path(log->directory, header.first_sequence);
    struct segment *segment = segment_create(&header);
    struct handle *handle = memory_zalloc(sizeof *handle);
    err e = segments_reserve(log, error);
    if (e == ERR_OK && (path == NULL || segment == NULL || handle == NULL)) {
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for another log segment");
    }
    if (e == ERR_OK) {
        e = write_new_segment(log, path, &header, &handle->file, error);
    }
    memory_free(path);
    if (e != ERR_OK) {
        memory_free(segment);
        memory_free(handle);
        return e;
    }
    handle->references = 1;
    pthread_mutex_lock(&log->state_lock);
    segment->indexed = true; /* empty, and every append adds to it */
    segment->handle = handle;
    log->open_handles++;
    if (log->segment_count > 0) {
        log->sealed_bytes += last_segment(log)->bytes;
    }
    log->segments[log->segment_count++] = segment;
    pthread_mutex_unlock(&log->state_lock);
    return ERR_OK;
}

/* ---- sync ------------------------------------------------------------------------------------ */

static err sync_last(struct rawlog *log, struct error *error)
{
    pthread_mutex_lock(&log->state_lock);
    uint64_t last = log->last_sequence;
    bool clean = log->durable_sequence == last;
    struct file *file = last_segment(log)->handle->file; /* the last one's is never evicted */
    pthread_mutex_unlock(&log->state_lock);
    if (clean) {
        return ERR_OK;
    }
    if (log->files->sync(log->files->context, file, error) != ERR_OK) {
        return rawlog_poison(log, error);
    }
    pthread_mutex_lock(&log->state_lock);
    log->durable_sequence = last;
    pthread_mutex_unlock(&log->state_lock);
    return ERR_OK;
}

static err rawlog_sync(struct log *base, struct error *error)
{
    struct rawlog *log = rawlog_of(base);
    struct error local;
    error = error_or(error, &local);
    pthread_mutex_lock(&log->write_lock);
    err e = rawlog_writable(log, error);
    if (e == ERR_OK) {
        e = sync_last(log, error);
    }
    pthread_mutex_unlock(&log->write_lock);
    return e;
}

/* ---- append ---------------------------------------------------------------------------------- */

static err roll_when_full(struct rawlog *log, struct error *error)
{
    if (last_segment(log)->bytes < log->segment_bytes) {
        return ERR_OK;
    }
    err e = sync_last(log, error);
    return e == ERR_OK ? segment_begin(log, error) : e;
}

static err reserve_frame(struct rawlog *log, size_t frame_bytes, struct error *error)
{
    if (frame_bytes <= log->frame_capacity) {
        return ERR_OK;
    }
    memory_free(log->frame);
    log->frame = memory_alloc(frame_bytes);
    log->frame_capacity = log->frame != NULL ? frame_bytes : 0;
    if (log->frame == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "no memory for a batch of %zu bytes", frame_bytes);
    }
    return ERR_OK;
}

/* One salt for each entry, into `salts`. */
static void fill_salts(struct rawlog *log, uint8_t *salts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (log->salts_left == 0) {
            random_fill(log->random, log->salt_pool, sizeof log->salt_pool);
            log->salts_left = sizeof log->salt_pool;
        }
        log->salts_left -= ENTRY_SALT_BYTES;
        memcpy(salts + i * ENTRY_SALT_BYTES, log->salt_pool + log->salts_left, ENTRY_SALT_BYTES);
    }
}

static void check_batch(const struct rawlog *log, const struct log_entry *entries, size_t count)
{
    int64_t received_at_us = log->last_received_at_us;
    CHECK(count > 0);
    for (size_t i = 0; i < count; i++) {
        CHECK(entries[i].kind > 0 && entries[i].kind < ENTRY_KIND_MAX);
        CHECK(entries[i].received_at_us >= received_at_us);
        CHECK(entries[i].header_back <= i);
        CHECK(entries[i].mapping_sequence <= log->last_sequence + i);
        received_at_us = entries[i].received_at_us;
    }
}

/* A write that failed for want of space may have left a part of the frame. Afterwards the disk is
 * as if it had not been tried; the sync makes sure that a later frame does not meet remains of this
 * one. */
static err undo_write(struct rawlog *log, struct segment *segment, struct error *error)
{
    struct error undo;
    struct file *file = segment->handle->file;
    if (log->files->truncate(log->files->context, file, segment->bytes, &undo) != ERR_OK ||
        log->files->sync(log->files->context, file, &undo) != ERR_OK) {
        *error = undo;
        return rawlog_poison(log, error);
    }
    pthread_mutex_lock(&log->state_lock);
    log->durable_sequence = log->last_sequence;
    pthread_mutex_unlock(&log->state_lock);
    return ERR_NO_SPACE;
}

/* Writes log->frame behind the last frame. */
static err write_frame(struct rawlog *log, size_t frame_bytes, struct error *error)
{
    struct segment *segment = last_segment(log);
    err e = log->files->write_at(log->files->context, segment->handle->file, log->frame,
                                 frame_bytes, segment->bytes, error);
    if (e == ERR_NO_SPACE) {
        return undo_write(log, segment, error);
    }
    return e == ERR_OK ? ERR_OK : rawlog_poison(log, error);
}

static err append_batch(struct rawlog *log, struct log_entry *entries, size_t count,
                        uint64_t *first_sequence, struct error *error)
{
    size_t frame_bytes;
    err e = frame_measure(entries, count, &frame_bytes, error);
    if (e != ERR_OK) {
        return e;
    }
    check_batch(log, entries, count);
    e = roll_when_full(log, error);
    if (e == ERR_OK) {
        /* The salts stand behind the frame for a moment: one buffer to grow, one way to fail. */
        e = reserve_frame(log, frame_bytes + count * ENTRY_SALT_BYTES, error);
    }
    struct segment *segment = last_segment(log);
    if (e == ERR_OK) {
        pthread_mutex_lock(&log->state_lock);
        e = marks_reserve(segment, error);
        pthread_mutex_unlock(&log->state_lock);
    }
    if (e != ERR_OK) {
        return e;
    }
    struct frame_header header = {
        .nonce = segment->nonce,
        .first_sequence = log->last_sequence + 1,
        .durable_sequence = log->durable_sequence,
    };
    uint8_t chain[DIGEST_BYTES];
    memcpy(chain, log->chain, DIGEST_BYTES);
    uint8_t *salts = log->frame + frame_bytes;
    fill_salts(log, salts, count);
    frame_encode(log->digest, &header, entries, count, salts, chain, log->frame);
    CHECK(FRAME_HEADER_BYTES + (size_t)header.body_bytes == frame_bytes);
    e = write_frame(log, frame_bytes, error);
    if (e != ERR_OK) {
        return e;
    }

    memcpy(log->chain, chain, DIGEST_BYTES);
    log->last_received_at_us = entries[count - 1].received_at_us;
    for (size_t i = 0; i < count; i++) {
        entries[i].sequence = header.first_sequence + i;
    }
    *first_sequence = header.first_sequence;
    pthread_mutex_lock(&log->state_lock);
    segment_mark(segment, segment->bytes, header.first_sequence);
    segment->bytes += frame_bytes;
    log->last_sequence += count;
    pthread_mutex_unlock(&log->state_lock);
    return ERR_OK;
}

static err rawlog_append(struct log *base, struct log_entry *entries, size_t count,
                         uint64_t *first_sequence, struct error *error)
{
    struct rawlog *log = rawlog_of(base);
    struct error local;
    error = error_or(error, &local);
    pthread_mutex_lock(&log->write_lock);
    err e = rawlog_writable(log, error);
    if (e == ERR_OK) {
        e = append_batch(log, entries, count, first_sequence, error);
    }
    if (log->frame_capacity > FRAME_BUFFER_KEEP_BYTES) {
        memory_free(log->frame);
        log->frame = NULL;
        log->frame_capacity = 0;
    }
    pthread_mutex_unlock(&log->write_lock);
    return e;
}

/* ---- open, position, close ------------------------------------------------------------------- */

static struct log_position rawlog_position(struct log *base)
{
    struct rawlog *log = rawlog_of(base);
    pthread_mutex_lock(&log->state_lock);
    struct log_position position = {
        .last_sequence = log->last_sequence,
        .durable_sequence = log->durable_sequence,
        .bytes = log->sealed_bytes + (log->segment_count > 0 ? last_segment(log)->bytes : 0),
    };
    pthread_mutex_unlock(&log->state_lock);
    return position;
}

static void rawlog_close(struct log *base)
{
    struct rawlog *log = rawlog_of(base);
    for (size_t i = 0; i < log->segment_count; i++) {
        segment_destroy(log, log->segments[i]);
    }
    memory_free(log->segments);
    memory_free(log->frame);
    memory_free(log->directory);
    digest_destroy(log->digest);
    pthread_mutex_destroy(&log->scrub_lock);
    pthread_mutex_destroy(&log->write_lock);
    pthread_mutex_destroy(&log->index_lock);
    pthread_mutex_destroy(&log->state_lock);
    memory_free(log);
}

static const struct log_ops rawlog_ops = {
    .append = rawlog_append,
    .sync = rawlog_sync,
    .position = rawlog_position,
    .get = rawlog_get,
    .reader_create = rawlog_reader_create,
    .reader_next = rawlog_reader_next,
    .reader_destroy = rawlog_reader_destroy,
    .scrub = rawlog_scrub,
    .close = rawlog_close,
};

static struct rawlog *rawlog_create(const struct rawlog_options *options)
{
    struct rawlog *log = memory_zalloc(sizeof *log);
    if (log == NULL) {
        return NULL;
    }
    uint64_t segment_bytes =
        options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
    log->log.ops = &rawlog_ops;
    log->files = options->files;
    log->random = options->random;
    log->segment_bytes = segment_bytes < SEGMENT_BYTES_MAX ? segment_bytes : SEGMENT_BYTES_MAX;
    log->read_only = options->read_only;
    log->last_received_at_us = INT64_MIN;
    CHECK(pthread_mutex_init(&log->scrub_lock, NULL) == 0);
    CHECK(pthread_mutex_init(&log->write_lock, NULL) == 0);
    CHECK(pthread_mutex_init(&log->index_lock, NULL) == 0);
    CHECK(pthread_mutex_init(&log->state_lock, NULL) == 0);
    size_t bytes = strlen(options->directory) + 1;
    log->digest = digest_create();
    log->directory = memory_alloc(bytes);
    if (log->digest == NULL || log->directory == NULL) {
        rawlog_close(&log->log);
        return NULL;
    }
    memcpy(log->directory, options->directory, bytes);
    return log;
}

/* The rule about received_at_us holds across restarts, too. */
static err recall_received_at(struct rawlog *log, struct error *error)
{
    struct arena arena;
    struct log_entry entry;
    if (log->last_sequence == 0) {
        return ERR_OK;
    }
    arena_init(&arena, 2 * (size_t)LOG_PAYLOAD_MAX);
    err e = rawlog_get(&log->log, log->last_sequence, &arena, &entry, error);
    if (e == ERR_OK) {
        log->last_received_at_us = entry.received_at_us;
    }
    arena_deinit(&arena);
    return e;
}

static err open_log(const struct rawlog_options *options, const struct recover_progress *progress,
                    struct log **out, struct rawlog_report *report, struct error *error)
{
    struct rawlog_report unused;
    struct error local;
    report = report != NULL ? report : &unused;
    error = error_or(error, &local);
    *report = (struct rawlog_report){0};
    struct rawlog *log = rawlog_create(options);
    if (log == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to open the log");
    }
    err e = rawlog_recover(log, options, progress, report, error);
    if (e == ERR_OK) {
        e = recall_received_at(log, error);
    }
    if (e != ERR_OK) {
        rawlog_close(&log->log);
        return e;
    }
    *out = &log->log;
    return ERR_OK;
}

err rawlog_open(const struct rawlog_options *options, struct log **out,
                struct rawlog_report *report, struct error *error)
{
    return open_log(options, NULL, out, report, error);
}

err rawlog_verify(const struct file_system *files, const char *directory,
                  void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                  void *context, uint64_t *checked, struct error *error)
{
    /* Opening with nothing trusted is the check. */
    struct rawlog_options options = {
        .files = files, .random = &system_random, .directory = directory, .read_only = true};
    struct recover_progress report_to = {progress, context};
    struct rawlog_report report;
    struct log *log;
    err e = open_log(&options, progress != NULL ? &report_to : NULL, &log, &report, error);
    if (e == ERR_OK) {
        log->ops->close(log);
    }
    *checked = report.checked_entries;
    return e;
}
