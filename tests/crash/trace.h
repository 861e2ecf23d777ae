/* trace.h: what a program did to a folder, event by event.
 *
 * Written by recorder.c (a struct file_system, inside a test) or by syscall_recorder.c (a preloaded
 * library, for whole programs and LMDB); read by image.c. A trace file is one trace_record after
 * the other, each followed by its path, its second path and its data; numbers are the machine's
 * own.
 *
 * Paths are relative to the recorded folder, "" is the folder itself. A file's number is its
 * identity: it stays through a rename, and a name that is removed and created again is another
 * file. */
#ifndef KINDRED_TESTS_CRASH_TRACE_H
#define KINDRED_TESTS_CRASH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trace_op {
    TRACE_CREATE = 1,  /* path, file: a name for a new, empty file */
    TRACE_WRITE,       /* file, offset, data */
    TRACE_TRUNCATE,    /* file, offset: the new size */
    TRACE_SYNC,        /* file: what was done to its content before is durable */
    TRACE_RENAME,      /* path to second */
    TRACE_REMOVE,      /* path */
    TRACE_MAKE_FOLDER, /* path */
    TRACE_SYNC_FOLDER, /* path: names made, changed and removed in it before are durable */
    TRACE_NOTE,        /* offset: any number the test wants to find at this place */
};

enum {
    TRACE_DURABLE = 1
}; /* durable at once: O_DSYNC writes (that range only), and what was there at the start */

struct trace_record {
    uint32_t op;
    uint32_t flags;
    uint32_t file;
    uint16_t path_bytes;
    uint16_t second_bytes;
    uint64_t offset;
    uint64_t data_bytes;
};

struct trace_event {
    enum trace_op op;
    uint32_t flags;
    uint32_t file;
    char *path;
    char *second;
    uint64_t offset;
    uint8_t *data;
    size_t data_bytes;
};

struct trace {
    struct trace_event *events;
    size_t count;
    size_t capacity;
};

/* Copies path, second (may be NULL) and data. Aborts when memory is out: this is test code. */
void trace_add(struct trace *trace, struct trace_event event);
void trace_clear(struct trace *trace);
/* False when the file cannot be read. A last record that is cut off is left out. */
bool trace_load(struct trace *trace, const char *path);

#endif
