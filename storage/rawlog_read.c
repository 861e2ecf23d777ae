/* Reading beside the writer: open files, the index of marks, single entries, and readers that walk
 * along.
 *
 * Everything below segment->bytes is written and never changes its place, so a read needs the lock
 * only to learn that number and to take hold of the file. */
#include <stdio.h>

#include "base/memory.h"
#include "rawlog_internal.h"

enum { READ_AHEAD_BYTES = 256 * 1024, GET_WINDOW_BYTES = 8192 };

err rawlog_corrupt(const struct segment *segment, uint64_t offset, uint64_t sequence,
                   const char *what, struct error *error)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(segment->first_sequence, name);
    return error_set(
        error, ERR_CORRUPT, "log_corrupt", offset,
        "log/%s is damaged at byte %llu (entry %llu): %s. Nothing was changed; restore this file from a backup",
        name, (unsigned long long)offset, (unsigned long long)sequence, what);
}

/* ---- open files ------------------------------------------------------------------------------ */

/* Closes one idle file when too many are open. The last segment's stays: the writer uses it. */
static struct file *evict_handle(struct rawlog *log)
{
    if (log->open_handles <= OPEN_HANDLES_MAX || log->segment_count < 2) {
        return NULL;
    }
    for (size_t tried = 0; tried + 1 < log->segment_count; tried++) {
        log->evict_hand = (log->evict_hand + 1) % (log->segment_count - 1);
        struct segment *segment = log->segments[log->evict_hand];
        if (segment->handle != NULL && segment->handle->references == 1) {
            return handle_replace_locked(log, segment, NULL);
        }
    }
    return NULL;
}

err handle_acquire_locked(struct rawlog *log, struct segment *segment, struct handle **out,
                          struct error *error)
{
    if (segment->handle == NULL) {
        char *path = segment_path(log->directory, segment->first_sequence);
        struct handle *handle = memory_zalloc(sizeof *handle);
        err e = ERR_OK;
        if (path == NULL || handle == NULL) {
            e = error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to open a log segment");
        } else {
            e = log->files->open(log->files->context, path, FILE_READ, &handle->file, error);
        }
        memory_free(path);
        if (e != ERR_OK) {
            memory_free(handle);
            return e;
        }
        handle->references = 1; /* the segment's own */
        segment->handle = handle;
        log->open_handles++;
    }
    segment->handle->references++;
    *out = segment->handle;
    return ERR_OK;
}

err handle_acquire(struct rawlog *log, struct segment *segment, struct handle **out,
                   struct error *error)
{
    pthread_mutex_lock(&log->state_lock);
    err e = handle_acquire_locked(log, segment, out, error);
    struct file *idle = e == ERR_OK ? evict_handle(log) : NULL;
    pthread_mutex_unlock(&log->state_lock);
    log->files->close(log->files->context, idle);
    return e;
}

/* Drops one reference; the file to close, when it was the last, is the caller's. */
static struct file *handle_drop_locked(struct handle *handle)
{
    CHECK(handle->references > 0);
    if (--handle->references > 0) {
        return NULL;
    }
    struct file *file = handle->file;
    memory_free(handle);
    return file;
}

void handle_release(struct rawlog *log, struct handle *handle)
{
    pthread_mutex_lock(&log->state_lock);
    struct file *file = handle_drop_locked(handle);
    pthread_mutex_unlock(&log->state_lock);
    log->files->close(log->files->context, file);
}

struct file *handle_replace_locked(struct rawlog *log, struct segment *segment,
                                   struct handle *handle)
{
    struct file *file = NULL;
    if (segment->handle != NULL) {
        log->open_handles--;
        file = handle_drop_locked(segment->handle);
    }
    segment->handle = handle;
    log->open_handles += handle != NULL;
    return file;
}

/* ---- the cursor ------------------------------------------------------------------------------ */

void cursor_init(struct frame_cursor *cursor, const struct file_system *files, struct file *file,
                 uint64_t offset, uint64_t limit)
{
    *cursor = (struct frame_cursor){.files = files,
                                    .file = file,
                                    .offset = offset,
                                    .limit = limit,
                                    .read_ahead_bytes = READ_AHEAD_BYTES};
}

void cursor_deinit(struct frame_cursor *cursor)
{
    memory_free(cursor->window);
    cursor->window = NULL;
}

static bool cursor_holds(const struct frame_cursor *cursor, size_t length)
{
    return cursor->window != NULL && cursor->offset >= cursor->window_offset &&
           cursor->offset + length <= cursor->window_offset + cursor->window_length;
}

err cursor_peek(struct frame_cursor *cursor, size_t length, const uint8_t **at, struct error *error)
{
    if (!cursor_holds(cursor, length)) {
        uint64_t left = cursor->offset < cursor->limit ? cursor->limit - cursor->offset : 0;
        if (left < length) {
            return ERR_END;
        }
        size_t want = length > cursor->read_ahead_bytes ? length : cursor->read_ahead_bytes;
        if (want > left) {
            want = (size_t)left;
        }
        if (want > cursor->capacity) {
            memory_free(cursor->window);
            cursor->window = memory_alloc(want);
            cursor->capacity = cursor->window != NULL ? want : 0;
            cursor->window_length = 0;
            if (cursor->window == NULL) {
                return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                                 "no memory to read %zu bytes of the log", want);
            }
        }
        cursor->window_length = 0;
        err e = cursor->files->read_at(cursor->files->context, cursor->file, cursor->window, want,
                                       cursor->offset, &cursor->window_length, error);
        if (e != ERR_OK) {
            cursor->window_length = 0;
            return e;
        }
        cursor->window_offset = cursor->offset;
        if (cursor->window_length < length) {
            return ERR_END;
        }
    }
    *at = cursor->window + (cursor->offset - cursor->window_offset);
    return ERR_OK;
}

/* ---- the index ------------------------------------------------------------------------------- */

/* Decodes the header at the cursor; ERR_CORRUPT when there is none. */
static err cursor_header(struct frame_cursor *cursor, const struct segment *segment,
                         uint64_t sequence, struct frame_header *header, struct error *error)
{
    const uint8_t *at;
    err e = cursor_peek(cursor, FRAME_HEADER_BYTES, &at, error);
    if (e == ERR_END) {
        return rawlog_corrupt(segment, cursor->offset, sequence, "the file ends too early", error);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (!frame_header_decode(at, segment->nonce, header)) {
        return rawlog_corrupt(segment, cursor->offset, sequence,
                              "a batch's header fails its checksum", error);
    }
    return ERR_OK;
}

/* Marks of a sealed segment, by hopping from header to header. The marks are gathered aside and
 * handed over whole. */
static err build_index(struct rawlog *log, struct segment *segment, struct file *file,
                       uint64_t end_sequence, struct error *error)
{
    struct segment gathered = {.first_sequence = segment->first_sequence, .nonce = segment->nonce};
    struct frame_cursor cursor;
    cursor_init(&cursor, log->files, file, SEGMENT_HEADER_BYTES, segment->bytes);
    uint64_t sequence = segment->first_sequence;
    err e = ERR_OK;
    while (e == ERR_OK && sequence < end_sequence) {
        struct frame_header header;
        e = cursor_header(&cursor, segment, sequence, &header, error);
        if (e == ERR_OK && header.first_sequence != sequence) {
            e = rawlog_corrupt(segment, cursor.offset, sequence,
                               "a batch is not the one that belongs here", error);
        }
        if (e == ERR_OK) {
            e = marks_reserve(&gathered, error);
        }
        if (e == ERR_OK) {
            segment_mark(&gathered, cursor.offset, sequence);
            sequence += header.count;
            cursor.offset += FRAME_HEADER_BYTES + header.body_bytes;
        }
    }
    cursor_deinit(&cursor);
    if (e != ERR_OK) {
        memory_free(gathered.marks);
        return e;
    }
    pthread_mutex_lock(&log->state_lock);
    segment->marks = gathered.marks;
    segment->mark_count = gathered.mark_count;
    segment->mark_capacity = gathered.mark_capacity;
    segment->indexed = true;
    pthread_mutex_unlock(&log->state_lock);
    return ERR_OK;
}

static bool is_indexed(struct rawlog *log, const struct segment *segment, uint64_t *end_sequence)
{
    pthread_mutex_lock(&log->state_lock);
    bool indexed = segment->indexed;
    *end_sequence = log->last_sequence + 1;
    for (size_t i = 0; i + 1 < log->segment_count; i++) {
        if (log->segments[i] == segment) {
            *end_sequence = log->segments[i + 1]->first_sequence;
        }
    }
    pthread_mutex_unlock(&log->state_lock);
    return indexed;
}

static err ensure_index(struct rawlog *log, struct segment *segment, struct file *file,
                        struct error *error)
{
    pthread_mutex_lock(&log->state_lock);
    bool indexed = segment->indexed;
    pthread_mutex_unlock(&log->state_lock);
    if (indexed) {
        return ERR_OK;
    }
    err e = ERR_OK;
    uint64_t end_sequence;
    pthread_mutex_lock(&log->index_lock);
    if (!is_indexed(log, segment, &end_sequence)) {
        e = build_index(log, segment, file, end_sequence, error);
    }
    pthread_mutex_unlock(&log->index_lock);
    return e;
}

/* The last mark at or before the sequence. */
static uint64_t nearest_mark(struct rawlog *log, const struct segment *segment, uint64_t sequence,
                             uint64_t *limit)
{
    pthread_mutex_lock(&log->state_lock);
    CHECK(segment->mark_count > 0);
    size_t low = 0;
    size_t high = segment->mark_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (segment->first_sequence + segment->marks[middle].sequence_delta <= sequence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    uint64_t offset = segment->marks[low].offset;
    *limit = segment->bytes;
    pthread_mutex_unlock(&log->state_lock);
    return offset;
}

size_t segment_find_locked(const struct rawlog *log, uint64_t sequence)
{
    size_t low = 0;
    size_t high = log->segment_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (log->segments[middle]->first_sequence <= sequence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Moves the cursor from the nearest mark to the frame that holds the sequence. */
static err seek_frame(struct rawlog *log, struct segment *segment, struct file *file,
                      uint64_t sequence, struct frame_cursor *cursor, struct frame_header *header,
                      struct error *error)
{
    err e = ensure_index(log, segment, file, error);
    if (e != ERR_OK) {
        return e;
    }
    cursor->offset = nearest_mark(log, segment, sequence, &cursor->limit);
    cursor->file = file;
    for (;;) {
        e = cursor_header(cursor, segment, sequence, header, error);
        if (e != ERR_OK) {
            return e;
        }
        if (header->first_sequence > sequence) {
            return rawlog_corrupt(segment, cursor->offset, sequence,
                                  "the batch before this one is missing", error);
        }
        if (sequence - header->first_sequence < header->count) {
            return ERR_OK;
        }
        cursor->offset += FRAME_HEADER_BYTES + header->body_bytes;
    }
}

err segment_locate(struct rawlog *log, struct segment *segment, uint64_t sequence, uint64_t *offset,
                   struct error *error)
{
    struct handle *handle;
    err e = handle_acquire(log, segment, &handle, error);
    if (e != ERR_OK) {
        return e;
    }
    struct frame_cursor cursor;
    struct frame_header header;
    cursor_init(&cursor, log->files, handle->file, 0, 0);
    cursor.read_ahead_bytes = GET_WINDOW_BYTES;
    e = seek_frame(log, segment, handle->file, sequence, &cursor, &header, error);
    *offset = cursor.offset;
    cursor_deinit(&cursor);
    handle_release(log, handle);
    return e;
}

/* ---- one entry ------------------------------------------------------------------------------- */

/* Reads the entry's slot, then its bytes into the arena; both mostly come out of the window the
 * header was found in. */
static err read_entry(struct frame_cursor *cursor, const struct segment *segment,
                      const struct frame_header *header, uint64_t sequence, struct arena *arena,
                      struct log_entry *out, struct error *error)
{
    uint64_t body = cursor->offset + FRAME_HEADER_BYTES;
    uint32_t index = (uint32_t)(sequence - header->first_sequence);
    size_t slot_bytes = index + 1 == header->count ? FRAME_SLOT_BYTES : 2 * FRAME_SLOT_BYTES;
    const uint8_t *at;
    uint32_t offset;
    uint32_t length;
    uint32_t crc;
    cursor->offset = body + (uint64_t)index * FRAME_SLOT_BYTES;
    err e = cursor_peek(cursor, slot_bytes, &at, error);
    if (e == ERR_OK && !frame_slot_decode(header, at, index, &offset, &length, &crc)) {
        return rawlog_corrupt(segment, cursor->offset, sequence,
                              "the entry's place in its batch is impossible", error);
    }
    if (e == ERR_OK) {
        cursor->offset = body + offset;
        e = cursor_peek(cursor, length, &at, error);
    }
    if (e == ERR_END) {
        return rawlog_corrupt(segment, cursor->offset, sequence, "the file ends too early", error);
    }
    if (e != ERR_OK) {
        return e;
    }
    struct slice copy = arena_copy(arena, slice_of(at, length));
    if (copy.data == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", sequence,
                         "no memory to read entry %llu of the log", (unsigned long long)sequence);
    }
    if (!entry_decode((const uint8_t *)copy.data, length, sequence, crc, out)) {
        return rawlog_corrupt(segment, cursor->offset, sequence, "the entry fails its checksum",
                              error);
    }
    return ERR_OK;
}

err rawlog_get(struct log *base, uint64_t sequence, struct arena *arena, struct log_entry *out,
               struct error *error)
{
    struct rawlog *log = rawlog_of(base);
    struct segment *segment = NULL;
    pthread_mutex_lock(&log->state_lock);
    if (sequence > 0 && sequence <= log->last_sequence) {
        segment = log->segments[segment_find_locked(log, sequence)];
    }
    pthread_mutex_unlock(&log->state_lock);
    if (segment == NULL) {
        return error_set(error, ERR_NOT_FOUND, "not_found", sequence, "the log has no entry %llu",
                         (unsigned long long)sequence);
    }
    struct handle *handle;
    err e = handle_acquire(log, segment, &handle, error);
    if (e != ERR_OK) {
        return e;
    }
    struct frame_cursor cursor;
    struct frame_header header;
    cursor_init(&cursor, log->files, handle->file, 0, 0);
    cursor.read_ahead_bytes = GET_WINDOW_BYTES;
    e = seek_frame(log, segment, handle->file, sequence, &cursor, &header, error);
    if (e == ERR_OK) {
        e = read_entry(&cursor, segment, &header, sequence, arena, out, error);
    }
    cursor_deinit(&cursor);
    handle_release(log, handle);
    return e;
}

/* ---- readers --------------------------------------------------------------------------------- */

struct log_reader {
    struct rawlog *log;
    uint64_t next;           /* sequence it gives next */
    struct segment *segment; /* of the frame it is in; segments live as long as the log */
    struct frame_cursor cursor;
    struct frame_header header; /* count 0: in no frame */
    const uint8_t *body;        /* in the cursor's window */
};

err rawlog_reader_create(struct log *log, uint64_t from_sequence, struct log_reader **out,
                         struct error *error)
{
    struct log_reader *reader = memory_zalloc(sizeof *reader);
    if (reader == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for a log reader");
    }
    reader->log = rawlog_of(log);
    reader->next = from_sequence > 0 ? from_sequence : 1;
    cursor_init(&reader->cursor, reader->log->files, NULL, 0, 0);
    *out = reader;
    return ERR_OK;
}

void rawlog_reader_destroy(struct log_reader *reader)
{
    if (reader != NULL) {
        cursor_deinit(&reader->cursor);
        memory_free(reader);
    }
}

/* Stands the cursor at the frame that holds reader->next, in whichever segment that is. */
static err reader_seek(struct log_reader *reader, struct file *file, struct segment *segment,
                       struct error *error)
{
    if (reader->segment != segment) {
        reader->segment = segment;
        reader->cursor.window_length = 0;
        reader->cursor.file = file;
        if (reader->next == segment->first_sequence) {
            reader->cursor.offset = SEGMENT_HEADER_BYTES;
            return ERR_OK;
        }
        /* The only time the index is asked; from here on the reader hops by itself. */
        return seek_frame(reader->log, segment, file, reader->next, &reader->cursor,
                          &reader->header, error);
    }
    reader->cursor.file = file;
    return ERR_OK;
}

static err reader_load_frame(struct log_reader *reader, struct error *error)
{
    struct frame_cursor *cursor = &reader->cursor;
    struct frame_header *header = &reader->header;
    const uint8_t *at = NULL;
    size_t bad_index;
    err e = cursor_header(cursor, reader->segment, reader->next, header, error);
    if (e != ERR_OK) {
        return e;
    }
    e = cursor_peek(cursor, FRAME_HEADER_BYTES + (size_t)header->body_bytes, &at, error);
    if (e != ERR_OK && e != ERR_END) {
        return e;
    }
    if (e == ERR_END || reader->next < header->first_sequence ||
        reader->next - header->first_sequence >= header->count) {
        return rawlog_corrupt(reader->segment, cursor->offset, reader->next,
                              "a batch is not the one that belongs here", error);
    }
    reader->body = at + FRAME_HEADER_BYTES;
    if (!frame_body_check(header, reader->body, &bad_index)) {
        return rawlog_corrupt(reader->segment, cursor->offset, header->first_sequence + bad_index,
                              "an entry fails its checksum", error);
    }
    return ERR_OK;
}

/* Finds and checks the frame that holds reader->next. */
static err reader_enter_frame(struct log_reader *reader, struct error *error)
{
    struct rawlog *log = reader->log;
    struct segment *segment = NULL;
    struct handle *handle = NULL;
    err e = ERR_END;
    pthread_mutex_lock(&log->state_lock);
    if (reader->next <= log->last_sequence) {
        segment = log->segments[segment_find_locked(log, reader->next)];
        e = handle_acquire_locked(log, segment, &handle, error);
        reader->cursor.limit = segment->bytes;
    }
    pthread_mutex_unlock(&log->state_lock);
    if (e != ERR_OK) {
        return e;
    }
    e = reader_seek(reader, handle->file, segment, error);
    if (e == ERR_OK) {
        e = reader_load_frame(reader, error);
    }
    if (e != ERR_OK) {
        reader->header.count = 0;
        reader->segment = NULL; /* the next call finds its place anew */
    }
    handle_release(log, handle);
    return e;
}

err rawlog_reader_next(struct log_reader *reader, struct log_entry *out, bool *batch_end,
                       struct error *error)
{
    if (reader->header.count == 0) {
        err e = reader_enter_frame(reader, error);
        if (e != ERR_OK) {
            return e;
        }
    }
    uint32_t index = (uint32_t)(reader->next - reader->header.first_sequence);
    bool last = index + 1 == reader->header.count;
    frame_entry(&reader->header, reader->body, index, out);
    reader->next++;
    if (batch_end != NULL) {
        *batch_end = last;
    }
    if (last) {
        reader->cursor.offset += FRAME_HEADER_BYTES + reader->header.body_bytes;
        reader->header.count = 0;
    }
    return ERR_OK;
}
