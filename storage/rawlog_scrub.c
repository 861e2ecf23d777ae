/* Erasing entries: the segment is written anew with their salt, source and payload overwritten,
 * then put in the place of the old one. Why this is safe at any moment is in the comment that opens
 * rawlog.c.
 *
 * Most of the copying happens beside the writer. Only a segment that is still being appended to
 * needs the write lock, for the frames that came during the copy, and for the change of files. */
#include <stdio.h>

#include "base/memory.h"
#include "rawlog_internal.h"

struct scrubbing {
    struct rawlog *log;
    struct segment *segment;
    char *path;
    char *temporary;
    struct file *from; /* borrowed */
    struct file *to;
    uint64_t copied;
    bool changed;
};

/* A failed write or sync is fail-stop, wherever it happens; a full disk is not, the log itself is
 * untouched. */
static err written(struct scrubbing *work, err e, struct error *error)
{
    if (e == ERR_OK || e == ERR_NO_SPACE || e == ERR_MEMORY) {
        return e;
    }
    return rawlog_poison(work->log, error);
}

static uint64_t committed_bytes(struct scrubbing *work)
{
    pthread_mutex_lock(&work->log->state_lock);
    uint64_t bytes = work->segment->bytes;
    pthread_mutex_unlock(&work->log->state_lock);
    return bytes;
}

/* Copies what the segment has beyond work->copied. */
static err copy_rest(struct scrubbing *work, struct error *error)
{
    const struct file_system *files = work->log->files;
    uint64_t end = committed_bytes(work);
    struct frame_cursor cursor;
    cursor_init(&cursor, files, work->from, work->copied, end);
    err e = ERR_OK;
    while (e == ERR_OK && cursor.offset < end) {
        uint64_t left = end - cursor.offset;
        size_t piece = left < cursor.read_ahead_bytes ? (size_t)left : cursor.read_ahead_bytes;
        const uint8_t *at;
        e = cursor_peek(&cursor, piece, &at, error);
        if (e == ERR_END) {
            e = rawlog_corrupt(work->segment, cursor.offset, 0, "the file ends too early", error);
        }
        if (e == ERR_OK) {
            e = written(work,
                        files->write_at(files->context, work->to, at, piece, cursor.offset, error),
                        error);
        }
        cursor.offset += piece;
    }
    cursor_deinit(&cursor);
    work->copied = end;
    return e;
}

/* Scrubs those of `items` that are in the frame at `offset` and writes it to the new file. *used
 * gets how many. A frame that fails a check is left alone: new checksums over damaged bytes would
 * hide the damage. */
static err scrub_frame(struct scrubbing *work, uint64_t offset, const struct log_scrub *items,
                       size_t count, size_t *used, struct error *error)
{
    const struct file_system *files = work->log->files;
    const uint8_t *at;
    struct frame_header header;
    size_t bad_index;
    struct frame_cursor cursor;
    cursor_init(&cursor, files, work->from, offset, committed_bytes(work));
    err e = cursor_peek(&cursor, FRAME_HEADER_BYTES, &at, error);
    if (e == ERR_OK && !frame_header_decode(at, work->segment->nonce, &header)) {
        e = rawlog_corrupt(work->segment, offset, items->sequence,
                           "a batch's header fails its checksum", error);
    }
    if (e == ERR_OK) {
        e = cursor_peek(&cursor, FRAME_HEADER_BYTES + (size_t)header.body_bytes, &at, error);
    }
    if (e == ERR_END) {
        e = rawlog_corrupt(work->segment, offset, items->sequence, "the file ends too early",
                           error);
    }
    if (e == ERR_OK && !frame_body_check(&header, at + FRAME_HEADER_BYTES, &bad_index)) {
        e = rawlog_corrupt(work->segment, offset, header.first_sequence + bad_index,
                           "an entry fails its checksum", error);
    }
    if (e == ERR_OK) {
        uint8_t *frame = cursor.window + (cursor.offset - cursor.window_offset);
        bool changed = false;
        size_t done = 0;
        for (; done < count && items[done].sequence - header.first_sequence < header.count;
             done++) {
            uint32_t index = (uint32_t)(items[done].sequence - header.first_sequence);
            changed |= frame_scrub_entry(&header, frame + FRAME_HEADER_BYTES, index,
                                         items[done].created_person);
        }
        *used = done;
        if (changed) {
            work->changed = true;
            frame_reseal(frame);
            e = written(work,
                        files->write_at(files->context, work->to, frame,
                                        FRAME_HEADER_BYTES + (size_t)header.body_bytes, offset,
                                        error),
                        error);
        }
    }
    cursor_deinit(&cursor);
    return e;
}

/* The new file says that it is another one than the old: see rawlog.c. */
static err write_scrub_id(struct scrubbing *work, struct error *error)
{
    struct rawlog *log = work->log;
    const struct file_system *files = log->files;
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_header header;
    size_t got = 0;
    err e = files->read_at(files->context, work->from, bytes, sizeof bytes, 0, &got, error);
    if (e != ERR_OK) {
        return e;
    }
    if (got != sizeof bytes || !segment_header_decode(bytes, &header)) {
        return rawlog_corrupt(work->segment, 0, work->segment->first_sequence,
                              "its header fails its checksum", error);
    }
    uint8_t random[8];
    pthread_mutex_lock(&log->write_lock); /* the source of randomness is the writer's, too */
    random_fill(log->random, random, sizeof random);
    pthread_mutex_unlock(&log->write_lock);
    header.scrub_id = load_u64(random) | 1; /* never 0 */
    segment_header_encode(&header, bytes);
    return written(work, files->write_at(files->context, work->to, bytes, sizeof bytes, 0, error),
                   error);
}

static err write_scrubbed(struct scrubbing *work, const struct log_scrub *items, size_t count,
                          struct error *error)
{
    const struct file_system *files = work->log->files;
    err e = written(work, files->truncate(files->context, work->to, 0, error), error);
    if (e == ERR_OK) {
        e = copy_rest(work, error);
    }
    for (size_t i = 0; i < count && e == ERR_OK;) {
        uint64_t offset;
        size_t used = 0;
        e = segment_locate(work->log, work->segment, items[i].sequence, &offset, error);
        if (e == ERR_OK) {
            e = scrub_frame(work, offset, items + i, count - i, &used, error);
        }
        CHECK(e != ERR_OK || used > 0);
        i += used;
    }
    if (e == ERR_OK && work->changed) {
        e = write_scrub_id(work, error);
    }
    if (e == ERR_OK && work->changed) {
        e = written(work, files->sync(files->context, work->to, error), error);
    }
    return e;
}

/* The new file takes the old one's name and, in an open log, its place. Under the write lock when
 * the segment is still being appended to (`active`). */
static err put_in_place(struct scrubbing *work, bool active, struct error *error)
{
    struct rawlog *log = work->log;
    const struct file_system *files = log->files;
    uint64_t copied = work->copied;
    err e = copy_rest(work, error);
    if (e == ERR_OK && work->copied > copied) {
        e = written(work, files->sync(files->context, work->to, error), error);
    }
    struct handle *handle = memory_zalloc(sizeof *handle);
    if (e == ERR_OK && handle == NULL) {
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to scrub a log segment");
    }
    if (e == ERR_OK) {
        e = files->rename(files->context, work->temporary, work->path, error);
        if (e != ERR_OK) {
            e = rawlog_poison(log, error);
        }
    }
    if (e != ERR_OK) {
        memory_free(handle);
        return e;
    }
    *handle = (struct handle){.file = work->to, .references = 1};
    work->to = NULL; /* the segment's now */
    pthread_mutex_lock(&log->state_lock);
    struct file *old = handle_replace_locked(log, work->segment, handle);
    pthread_mutex_unlock(&log->state_lock);
    files->close(files->context, old);
    e = files->sync_directory(files->context, log->directory, error);
    if (e != ERR_OK) {
        return rawlog_poison(log, error);
    }
    if (active) {
        pthread_mutex_lock(&log->state_lock);
        log->durable_sequence = log->last_sequence; /* the copy was synced whole */
        pthread_mutex_unlock(&log->state_lock);
    }
    return ERR_OK;
}

/* Leaves no half-written copy behind: it holds other people's data, too. */
static void discard_copy(struct scrubbing *work)
{
    if (work->to != NULL) {
        struct error ignored; /* what stays is removed when the log is opened */
        const struct file_system *files = work->log->files;
        files->close(files->context, work->to);
        (void)!files->remove(files->context, work->temporary, &ignored);
        work->to = NULL;
    }
}

static err scrub_into_copy(struct scrubbing *work, const struct log_scrub *items, size_t count,
                           struct error *error)
{
    struct rawlog *log = work->log;
    err e = write_scrubbed(work, items, count, error);
    if (e != ERR_OK) {
        return e;
    }
    if (!work->changed) {
        /* Scrubbed before, but perhaps the process was killed before the folder was synced. */
        e = log->files->sync_directory(log->files->context, log->directory, error);
        return e == ERR_OK ? ERR_OK : rawlog_poison(log, error);
    }
    pthread_mutex_lock(&log->write_lock);
    bool active = log->segments[log->segment_count - 1] == work->segment;
    if (!active) {
        pthread_mutex_unlock(&log->write_lock);
        return put_in_place(work, false, error);
    }
    e = rawlog_writable(log, error);
    if (e == ERR_OK) {
        e = put_in_place(work, true, error);
    }
    pthread_mutex_unlock(&log->write_lock);
    return e;
}

static err scrub_segment(struct rawlog *log, struct segment *segment, const struct log_scrub *items,
                         size_t count, struct error *error)
{
    struct scrubbing work = {.log = log, .segment = segment};
    struct handle *handle;
    err e = handle_acquire(log, segment, &handle, error);
    if (e != ERR_OK) {
        return e;
    }
    work.from = handle->file;
    char name[SEGMENT_NAME_MAX + 8];
    segment_name(segment->first_sequence, name);
    work.path = rawlog_path(log->directory, name);
    memcpy(name + strlen(name), ".tmp", sizeof ".tmp");
    work.temporary = rawlog_path(log->directory, name);
    if (work.path == NULL || work.temporary == NULL) {
        e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to scrub a log segment");
    }
    if (e == ERR_OK) {
        e = log->files->open(log->files->context, work.temporary, FILE_CREATE, &work.to, error);
        e = written(&work, e, error);
    }
    if (e == ERR_OK) {
        e = scrub_into_copy(&work, items, count, error);
    }
    discard_copy(&work);
    memory_free(work.path);
    memory_free(work.temporary);
    handle_release(log, handle);
    return e;
}

/* The segment of items[0], and how many of the items are in it. */
static err next_segment(struct rawlog *log, const struct log_scrub *items, size_t count,
                        struct segment **segment, size_t *inside, struct error *error)
{
    err e = ERR_OK;
    pthread_mutex_lock(&log->state_lock);
    if (items[0].sequence == 0 || items[count - 1].sequence > log->last_sequence) {
        e = ERR_NOT_FOUND;
    } else {
        size_t index = segment_find_locked(log, items[0].sequence);
        uint64_t end =
            index + 1 < log->segment_count ? log->segments[index + 1]->first_sequence : UINT64_MAX;
        *segment = log->segments[index];
        *inside = 1;
        while (*inside < count && items[*inside].sequence < end) {
            (*inside)++;
        }
    }
    pthread_mutex_unlock(&log->state_lock);
    if (e != ERR_OK) {
        return error_set(error, e, err_name(e), items[count - 1].sequence,
                         "the log has no entry %llu to scrub",
                         (unsigned long long)items[count - 1].sequence);
    }
    return ERR_OK;
}

err rawlog_scrub(struct log *base, const struct log_scrub *items, size_t count, struct error *error)
{
    struct rawlog *log = rawlog_of(base);
    struct error local;
    error = error != NULL ? error : &local;
    for (size_t i = 1; i < count; i++) {
        CHECK(items[i - 1].sequence < items[i].sequence);
    }
    pthread_mutex_lock(&log->scrub_lock);
    err e = rawlog_writable(log, error);
    for (size_t i = 0; i < count && e == ERR_OK;) {
        struct segment *segment = NULL;
        size_t inside = 0;
        e = next_segment(log, items + i, count - i, &segment, &inside, error);
        if (e == ERR_OK) {
            e = scrub_segment(log, segment, items + i, inside, error);
        }
        i += inside;
    }
    pthread_mutex_unlock(&log->scrub_lock);
    return e;
}
