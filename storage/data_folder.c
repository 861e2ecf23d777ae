#include "storage/data_folder.h"

#include <stdio.h>
#include <string.h>

#include "storage/backup.h"

static err join(const char *folder, const char *name, char *out, size_t out_bytes,
                struct error *error)
{
    int length = snprintf(out, out_bytes, "%s%s%s", folder, name[0] ? "/" : "", name);
    if (length < 0 || (size_t)length >= out_bytes) {
        return error_set(error, ERR_INVALID, "path_too_long", 0,
                         "the data folder's path is longer than %zu bytes", out_bytes - 16);
    }
    return ERR_OK;
}

/* The lock comes first: nobody else may be in the folder while it is opened. */
static err open_lock(const struct data_folder_options *options, struct data_folder *out,
                     struct error *error)
{
    const struct file_system *files = options->files;
    char path[sizeof out->path];
    err e = join(options->path, "LOCK", path, sizeof path, error);
    if (e == ERR_OK && !options->must_exist) {
        e = files->make_directory(files->context, options->path, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    e = files->open(files->context, path, options->must_exist ? FILE_WRITE : FILE_CREATE,
                    &out->lock, error);
    if (e == ERR_NOT_FOUND) {
        return error_set(error, e, "not_found", 0,
                         "%s is not a Kindred data folder: `kindred serve --data %s` makes one",
                         options->path, options->path);
    }
    if (e != ERR_OK) {
        return e;
    }
    e = files->lock(files->context, out->lock, error);
    if (e == ERR_LOCKED) {
        return error_set(
            error, e, "locked", 0,
            "%s is in use by another kindred process: stop it, or name another folder with --data",
            options->path);
    }
    return e;
}

/* A new folder's own name must outlive a power failure as well as what is in it. */
static err make_durable(const struct data_folder_options *options, struct error *error)
{
    const struct file_system *files = options->files;
    char parent[sizeof((struct data_folder *)0)->path];
    err e = files->sync_directory(files->context, options->path, error);
    if (e == ERR_OK) {
        e = join(options->path, "..", parent, sizeof parent, error);
    }
    return e == ERR_OK ? files->sync_directory(files->context, parent, error) : e;
}

/* A log that ends in the middle would be taken for a shorter one. */
static err refuse_unfinished_restore(const struct data_folder_options *options, struct error *error)
{
    const struct file_system *files = options->files;
    char path[sizeof((struct data_folder *)0)->path];
    struct file *file = NULL;
    err e = join(options->path, RESTORE_MARKER, path, sizeof path, error);
    if (e == ERR_OK) {
        e = files->open(files->context, path, FILE_READ, &file, error);
    }
    if (e == ERR_OK) {
        files->close(files->context, file);
        return error_set(error, ERR_CONFLICT, "restore_unfinished", 0,
                         "a restore into %s did not come to its end: give the same `kindred "
                         "restore` once more",
                         options->path);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err open_parts(const struct data_folder_options *options, struct data_folder *out,
                      struct error *error)
{
    char path[sizeof out->path];
    err e = join(options->path, "profiles", path, sizeof path, error);
    if (e == ERR_OK) {
        struct checkpoint_options checkpoint = {.directory = path};
        e = checkpoint_open(&checkpoint, &out->checkpoint, error);
    }
    if (e == ERR_OK) {
        e = join(options->path, "log", path, sizeof path, error);
    }
    if (e == ERR_OK) {
        uint64_t applied = checkpoint_applied_sequence(out->checkpoint);
        struct rawlog_options log = {
            .files = options->files,
            .random = options->random,
            .directory = path,
            .segment_bytes = options->segment_bytes,
            .trusted_sequence = applied,
            .durable_sequence = applied,
        };
        e = rawlog_open(&log, &out->log, &out->report, error);
    }
    return e == ERR_OK ? make_durable(options, error) : e;
}

err data_folder_open(const struct data_folder_options *options, struct data_folder *out,
                     struct error *error)
{
    memset(out, 0, sizeof *out);
    out->files = options->files;
    err e = join(options->path, "", out->path, sizeof out->path, error);
    if (e == ERR_OK) {
        e = open_lock(options, out, error);
    }
    if (e == ERR_OK) {
        e = refuse_unfinished_restore(options, error);
    }
    if (e == ERR_OK) {
        e = open_parts(options, out, error);
    }
    if (e != ERR_OK) {
        data_folder_close(out);
    }
    return e;
}

void data_folder_close(struct data_folder *folder)
{
    if (folder->log != NULL) {
        folder->log->ops->close(folder->log);
    }
    checkpoint_close(folder->checkpoint);
    if (folder->lock != NULL) {
        folder->files->close(folder->files->context, folder->lock);
    }
    folder->log = NULL;
    folder->checkpoint = NULL;
    folder->lock = NULL;
}
