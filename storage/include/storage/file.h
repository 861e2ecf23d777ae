/* file.h: the file seam. Every byte Kindred itself writes to a disk goes through here.
 *
 * A file_system is a table of calls plus a context. The real one is `file_system_posix`. Tests put
 * another one in between: one that records every write and sync so that crash images can be
 * rebuilt, one that fails the Nth call with EIO, ENOSPC or a short write. (LMDB does its own system
 * calls; tests watch those from outside, see tests/crash.)
 *
 * What is promised to callers:
 *   - write_at and append-like use write everything or fail; EINTR and short writes are handled inside
 *   - sync is fdatasync; after one failure the file must not be written or synced again (its pages may
 *     already be marked clean): callers fail-stop
 *   - a created, renamed or removed name is durable after sync_directory of its folder
 *
 * Threading: any; one handle by one thread at a time, except read_at. Failure: err plus *error that
 * names the operation and the path. */
#ifndef KINDRED_STORAGE_FILE_H
#define KINDRED_STORAGE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct file; /* made by the file_system that opened it */

enum file_mode {
    FILE_READ,       /* must exist */
    FILE_WRITE,      /* must exist; read and write */
    FILE_CREATE,     /* read and write; created when absent */
    FILE_CREATE_NEW, /* ERR_CONFLICT when it exists */
};

struct file_system {
    void *context;
    /* ERR_NOT_FOUND when it must exist and does not (remove: likewise). */
    err (*open)(void *context, const char *path, enum file_mode mode, struct file **out,
                struct error *error);
    void (*close)(void *context, struct file *file); /* NULL is fine */
    /* *got < length only at the end of the file. */
    err (*read_at)(void *context, struct file *file, void *to, size_t length, uint64_t offset,
                   size_t *got, struct error *error);
    err (*write_at)(void *context, struct file *file, const void *from, size_t length,
                    uint64_t offset, struct error *error);
    err (*sync)(void *context, struct file *file, struct error *error);
    err (*truncate)(void *context, struct file *file, uint64_t size_bytes, struct error *error);
    err (*size)(void *context, struct file *file, uint64_t *size_bytes, struct error *error);
    err (*rename)(void *context, const char *from, const char *to, struct error *error);
    err (*remove)(void *context, const char *path, struct error *error);
    /* fine when there */
    err (*make_directory)(void *context, const char *path, struct error *error);
    err (*sync_directory)(void *context, const char *path, struct error *error);
    /* Calls visit(name) for each plain file in the folder, in byte order of the names. */
    err (*list)(void *context, const char *path, void (*visit)(void *visitor, const char *name),
                void *visitor, struct error *error);
    /* An exclusive advisory lock on the file, held until it is closed. ERR_LOCKED when another has
     * it. */
    err (*lock)(void *context, struct file *file, struct error *error);
};

extern const struct file_system file_system_posix;

#endif
