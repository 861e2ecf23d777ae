/* rawlog_internal.h: what the rawlog_*.c files share. Start with the comment that opens rawlog.c.
 *
 * Locks, always taken in this order:
 *   scrub_lock  one scrub at a time
 *   write_lock  append, sync, and scrub while it swaps the segment that is being appended to
 *   index_lock  building the index of a segment that was trusted at open
 *   state_lock  everything marked (s) below; held for a few instructions, never across I/O but
 *               opening a file */
#ifndef KINDRED_STORAGE_RAWLOG_INTERNAL_H
#define KINDRED_STORAGE_RAWLOG_INTERNAL_H

#include <pthread.h>

#include "rawlog_frame.h"
#include "storage/rawlog.h"

enum {
    SEGMENT_NAME_MAX = 32,     /* "00000000000000000001.seg" */
    MARK_SPACING_BYTES = 4096, /* one mark at most per so many bytes of log */
    OPEN_HANDLES_MAX = 128,    /* of segments nobody reads at the moment */
    SALT_POOL_BYTES = 256,     /* getrandom gives as much whole, whatever signals arrive */
};

/* An open file shared by those who read it; closed when the last one lets go. A scrub puts a new
 * file in a segment's place while readers are still inside the old one. */
struct handle {
    struct file *file;
    unsigned references; /* (s) */
};

/* Where a frame starts. From the mark before it, any frame is at most MARK_SPACING_BYTES of hops
 * away. */
struct mark {
    uint32_t offset;
    uint32_t sequence_delta; /* to the segment's first */
};

struct segment {
    uint64_t first_sequence;
    uint64_t nonce;
    uint64_t bytes;              /* (s) that hold whole frames; what lies behind is not the log's */
    uint8_t chain[DIGEST_BYTES]; /* at its start */
    struct handle *handle;       /* (s) NULL: not open */
    struct mark *marks;          /* (s) */
    size_t mark_count;           /* (s) */
    size_t mark_capacity;        /* (s) */
    bool indexed;                /* (s) marks are complete */
};

struct rawlog {
    struct log log;
    const struct file_system *files;
    const struct random_source *random;
    char *directory;
    uint64_t segment_bytes;
    bool read_only;

    pthread_mutex_t scrub_lock;
    pthread_mutex_t write_lock;
    pthread_mutex_t index_lock;
    pthread_mutex_t state_lock;

    struct segment **segments; /* (s) the last one is appended to */
    size_t segment_count;      /* (s) */
    size_t segment_capacity;   /* (s) */
    size_t open_handles;       /* (s) */
    size_t evict_hand;         /* (s) where the search for a handle to close goes on */
    uint64_t last_sequence;    /* (s) */
    uint64_t durable_sequence; /* (s) */
    uint64_t sealed_bytes;     /* (s) of all segments but the last */

    /* Writer's, under write_lock. */
    struct digest *digest;
    uint8_t chain[DIGEST_BYTES]; /* behind last_sequence */
    int64_t last_received_at_us;
    uint8_t *frame; /* the batch being written */
    size_t frame_capacity;
    /* A system call for each salt would cost more than its entry's digest. */
    uint8_t salt_pool[SALT_POOL_BYTES];
    size_t salts_left;   /* bytes at the pool's end */
    struct error poison; /* (s) the first failure; err is ERR_OK until then */
};

struct rawlog *rawlog_of(struct log *log);

/* ---- rawlog.c -------------------------------------------------------------------------------- */

/* directory/name; freed with memory_free. NULL when memory is out. */
char *rawlog_path(const char *directory, const char *name) MUST_USE;
void segment_name(uint64_t first_sequence, char out[SEGMENT_NAME_MAX]);
char *segment_path(const char *directory, uint64_t first_sequence) MUST_USE;

struct segment *segment_create(const struct segment_header *header) MUST_USE; /* NULL: memory */
void segment_destroy(struct rawlog *log, struct segment *segment);
/* Room for one more, so that what follows cannot fail. */
err segments_reserve(struct rawlog *log, struct error *error) MUST_USE;
err marks_reserve(struct segment *segment, struct error *error) MUST_USE;
/* A frame starts here; kept as a mark when the last one is far enough away. Needs marks_reserve. */
void segment_mark(struct segment *segment, uint64_t offset, uint64_t first_sequence);

/* Makes the file for entries from log->last_sequence + 1 on and puts it at the end of
 * log->segments. The file and its name are durable when it returns ERR_OK. ERR_NO_SPACE and
 * ERR_MEMORY leave nothing behind. Under write_lock. */
err segment_begin(struct rawlog *log, struct error *error) MUST_USE;

/* Remembers the first failure: from now on every append, sync and scrub gets it. Returns
 * error->err. */
err rawlog_poison(struct rawlog *log, struct error *error);
/* The error it is poisoned with, or ERR_DENIED when it was opened for reading. */
err rawlog_writable(struct rawlog *log, struct error *error) MUST_USE;

/* ---- rawlog_read.c --------------------------------------------------------------------------- */

/* Frames of one file, one after the other. */
struct frame_cursor {
    const struct file_system *files;
    struct file *file;
    uint64_t offset; /* of the frame it stands at; moved by the user */
    uint64_t limit;  /* reads end here */
    size_t read_ahead_bytes;
    uint8_t *window;
    size_t capacity;
    uint64_t window_offset;
    size_t window_length;
};
void cursor_init(struct frame_cursor *cursor, const struct file_system *files, struct file *file,
                 uint64_t offset, uint64_t limit);
void cursor_deinit(struct frame_cursor *cursor);
/* *at gets `length` bytes from cursor->offset on, borrowed until the next call. ERR_END when the
 * limit comes first. */
err cursor_peek(struct frame_cursor *cursor, size_t length, const uint8_t **at,
                struct error *error) MUST_USE;

err handle_acquire(struct rawlog *log, struct segment *segment, struct handle **out,
                   struct error *error) MUST_USE;
void handle_release(struct rawlog *log, struct handle *handle);
/* Both under state_lock. `replace`: the segment lets go of its file (closed by the last reader) and
 * gets this one, or NULL. */
err handle_acquire_locked(struct rawlog *log, struct segment *segment, struct handle **out,
                          struct error *error) MUST_USE;
struct file *handle_replace_locked(struct rawlog *log, struct segment *segment,
                                   struct handle *handle) MUST_USE;

/* Offset of the frame that holds `sequence`, which must be in this segment. Builds the index when
 * there is none yet. */
err segment_locate(struct rawlog *log, struct segment *segment, uint64_t sequence, uint64_t *offset,
                   struct error *error) MUST_USE;
/* The segment that holds `sequence`, 1 ≤ sequence ≤ last. Under state_lock. */
size_t segment_find_locked(const struct rawlog *log, uint64_t sequence);

/* ERR_CORRUPT with everything a person needs to know. */
err rawlog_corrupt(const struct segment *segment, uint64_t offset, uint64_t sequence,
                   const char *what, struct error *error);

err rawlog_get(struct log *log, uint64_t sequence, struct arena *arena, struct log_entry *out,
               struct error *error) MUST_USE;
err rawlog_reader_create(struct log *log, uint64_t from_sequence, struct log_reader **out,
                         struct error *error) MUST_USE;
err rawlog_reader_next(struct log_reader *reader, struct log_entry *out, bool *batch_end,
                       struct error *error) MUST_USE;
void rawlog_reader_destroy(struct log_reader *reader);

/* ---- rawlog_recover.c ------------------------------------------------------------------------ */

struct recover_progress {
    void (*call)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    void *context;
};

/* Fills segments, last_sequence, durable_sequence and chain from the folder, and mends what a crash
 * left. */
err rawlog_recover(struct rawlog *log, const struct rawlog_options *options,
                   const struct recover_progress *progress, struct rawlog_report *report,
                   struct error *error) MUST_USE;

/* ---- rawlog_scrub.c -------------------------------------------------------------------------- */

err rawlog_scrub(struct log *log, const struct log_scrub *items, size_t count,
                 struct error *error) MUST_USE;

#endif
