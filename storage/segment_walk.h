/* segment_walk.h: one pass over a segment file that proves every byte of it, without opening a log:
 * each frame's checksums, each entry's digest, each link of the chain. Backups, restores and the
 * ledger of erasures are made of it. What makes a frame valid is in the comment that opens
 * rawlog.c.
 *
 * Nothing is ever taken for a torn tail here: below `limit_bytes` everything must be valid.
 *
 * Threading: one thread at a time. Failure: ERR_CORRUPT names the file, the byte and the entry.
 * Private to storage/. */
#ifndef KINDRED_STORAGE_SEGMENT_WALK_H
#define KINDRED_STORAGE_SEGMENT_WALK_H

#include "rawlog_frame.h"
#include "storage/file.h"

/* A frame that passed every check. ERR_OK goes on, ERR_END stops in front of it, anything else is
 * the walk's failure. */
typedef err (*segment_visit)(void *context, const struct frame_header *header, const uint8_t *body,
                             struct error *error);

struct segment_walk {
    const struct file_system *files; /* borrowed */
    struct digest *digest;           /* borrowed */
    uint64_t next_sequence;          /* in: of the first frame; out: behind the last one taken */
    /* in: at the segment's start; out: behind the last frame taken */
    uint8_t chain[DIGEST_BYTES];
    segment_visit visit; /* may be NULL */
    /* Asked with a frame's header (its checksum held), before its body is read: false stops in
     * front of it. May be NULL. */
    bool (*wants)(void *context, const struct frame_header *header);
    void *context;
    /* out: */
    struct segment_header header;
    uint64_t end_offset; /* behind the last frame taken */
    bool stopped;        /* the visitor said so */
};

/* `limit_bytes`: where the segment ends; the file may be longer. */
err segment_walk_file(struct segment_walk *walk, const char *path, uint64_t limit_bytes,
                      struct error *error) MUST_USE;

/* A log's folder for reading, whether a server writes to it or not: *out knows its segments and
 * where its last whole frame ends. Only the last segment is read; everything before it was durable
 * when it was begun. Closed by the caller. */
err log_open_source(const struct file_system *files, const char *directory, struct log **out,
                    struct error *error) MUST_USE;

/* The 128 bytes at the file's start; ERR_CORRUPT when they are no header, ERR_UNSUPPORTED of
 * another version. */
err segment_header_load(const struct file_system *files, struct file *file, const char *path,
                        struct segment_header *out, struct error *error) MUST_USE;

/* ERR_CORRUPT with everything a person needs to know. */
err segment_corrupt(const char *path, uint64_t offset, uint64_t sequence, const char *what,
                    struct error *error);

#endif
