#include "recorder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"

struct recorded_file {
    struct file *below;
    uint32_t file; /* 0: not below the root */
};

/* ---- names ----------------------------------------------------------------------------------- */

/* The path below the root; NULL when it lies elsewhere. "root/log/.." is not below: nothing is made
 * there. */
static const char *relative(const struct recorder *recorder, const char *path)
{
    size_t length = strlen(recorder->root);
    if (strncmp(path, recorder->root, length) != 0 ||
        (path[length] != '/' && path[length] != '\0')) {
        return NULL;
    }
    path += length;
    while (*path == '/') {
        path++;
    }
    return path;
}

/* A folder's name as the trace has it: without a trailing "x/..". */
static const char *relative_folder(const struct recorder *recorder, const char *path, char *out,
                                   size_t out_bytes)
{
    const char *found = relative(recorder, path);
    if (found == NULL) {
        return NULL;
    }
    snprintf(out, out_bytes, "%s", found);
    size_t length = strlen(out);
    if (strcmp(out, "..") == 0) {
        return NULL;
    }
    if (length > 3 && strcmp(out + length - 3, "/..") == 0) {
        out[length - 3] = '\0';
        char *slash = strrchr(out, '/');
        *(slash != NULL ? slash : out) = '\0';
    }
    return out;
}

static size_t find_name(const struct recorder *recorder, const char *path)
{
    size_t i = 0;
    while (i < recorder->name_count && strcmp(recorder->names[i].path, path) != 0) {
        i++;
    }
    return i;
}

static void set_name(struct recorder *recorder, const char *path, uint32_t file)
{
    size_t at = find_name(recorder, path);
    if (at == recorder->name_count) {
        if (recorder->name_count == recorder->name_capacity) {
            recorder->name_capacity = recorder->name_capacity ? recorder->name_capacity * 2 : 32;
            recorder->names =
                realloc(recorder->names, recorder->name_capacity * sizeof *recorder->names);
            CHECK(recorder->names != NULL);
        }
        recorder->names[at].path = strdup(path);
        recorder->name_count++;
    }
    recorder->names[at].file = file;
}

static void drop_name(struct recorder *recorder, const char *path)
{
    size_t at = find_name(recorder, path);
    if (at < recorder->name_count) {
        free(recorder->names[at].path);
        recorder->names[at] = recorder->names[--recorder->name_count];
    }
}

/* Is it this call that has to fail? Under the lock. */
static bool must_fail(struct recorder *recorder, bool is_write)
{
    if (recorder->count_writes_only && !is_write) {
        return false;
    }
    recorder->changes++;
    return recorder->fail_at != 0 && recorder->changes == recorder->fail_at;
}

static err injected(const struct recorder *recorder, const char *operation, struct error *error)
{
    return error_set(error, recorder->fail_with, err_name(recorder->fail_with), 0,
                     "injected failure of %s", operation);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static err record_open(void *context, const char *path, enum file_mode mode, struct file **out,
                       struct error *error)
{
    struct recorder *recorder = context;
    const char *name = relative(recorder, path);
    struct recorded_file *opened = calloc(1, sizeof *opened);
    CHECK(opened != NULL);
    pthread_mutex_lock(&recorder->lock);
    bool creates = name != NULL && (mode == FILE_CREATE || mode == FILE_CREATE_NEW) &&
                   find_name(recorder, name) == recorder->name_count;
    err e =
        creates && must_fail(recorder, false)
            ? injected(recorder, "create", error)
            : recorder->below->open(recorder->below->context, path, mode, &opened->below, error);
    if (e == ERR_OK && creates) {
        set_name(recorder, name, ++recorder->last_file);
        trace_add(&recorder->trace, (struct trace_event){.op = TRACE_CREATE,
                                                         .file = recorder->last_file,
                                                         .path = (char *)(uintptr_t)name});
    }
    if (e == ERR_OK && name != NULL) {
        size_t at = find_name(recorder, name);
        opened->file = at < recorder->name_count ? recorder->names[at].file : 0;
    }
    pthread_mutex_unlock(&recorder->lock);
    if (e != ERR_OK) {
        free(opened);
        return e;
    }
    *out = (struct file *)opened;
    return ERR_OK;
}

static void record_close(void *context, struct file *file)
{
    struct recorder *recorder = context;
    struct recorded_file *opened = (struct recorded_file *)file;
    if (opened != NULL) {
        recorder->below->close(recorder->below->context, opened->below);
        free(opened);
    }
}

static err record_read_at(void *context, struct file *file, void *to, size_t length,
                          uint64_t offset, size_t *got, struct error *error)
{
    struct recorder *recorder = context;
    return recorder->below->read_at(recorder->below->context, ((struct recorded_file *)file)->below,
                                    to, length, offset, got, error);
}

static err record_write_at(void *context, struct file *file, const void *from, size_t length,
                           uint64_t offset, struct error *error)
{
    struct recorder *recorder = context;
    struct recorded_file *opened = (struct recorded_file *)file;
    pthread_mutex_lock(&recorder->lock);
    bool fails = must_fail(recorder, true);
    size_t done = fails ? length / 2 : length;
    err e = recorder->below->write_at(recorder->below->context, opened->below, from, done, offset,
                                      error);
    if (e == ERR_OK && done > 0) {
        trace_add(&recorder->trace, (struct trace_event){.op = TRACE_WRITE,
                                                         .file = opened->file,
                                                         .offset = offset,
                                                         .data = (uint8_t *)(uintptr_t)from,
                                                         .data_bytes = done});
    }
    pthread_mutex_unlock(&recorder->lock);
    return e == ERR_OK && fails ? injected(recorder, "write", error) : e;
}

static err record_sync(void *context, struct file *file, struct error *error)
{
    struct recorder *recorder = context;
    struct recorded_file *opened = (struct recorded_file *)file;
    if (recorder->before_sync != NULL) {
        void (*call)(void *context) = recorder->before_sync;
        recorder->before_sync = NULL;
        call(recorder->before_sync_context);
    }
    pthread_mutex_lock(&recorder->lock);
    err e = ERR_OK;
    if (must_fail(recorder, false)) {
        e = injected(recorder, "sync", error);
    } else if (recorder->pass_syncs) {
        e = recorder->below->sync(recorder->below->context, opened->below, error);
    }
    if (e == ERR_OK) {
        trace_add(&recorder->trace, (struct trace_event){.op = TRACE_SYNC, .file = opened->file});
    }
    pthread_mutex_unlock(&recorder->lock);
    return e;
}

static err record_truncate(void *context, struct file *file, uint64_t size_bytes,
                           struct error *error)
{
    struct recorder *recorder = context;
    struct recorded_file *opened = (struct recorded_file *)file;
    pthread_mutex_lock(&recorder->lock);
    err e =
        must_fail(recorder, false)
            ? injected(recorder, "truncate", error)
            : recorder->below->truncate(recorder->below->context, opened->below, size_bytes, error);
    if (e == ERR_OK) {
        trace_add(
            &recorder->trace,
            (struct trace_event){.op = TRACE_TRUNCATE, .file = opened->file, .offset = size_bytes});
    }
    pthread_mutex_unlock(&recorder->lock);
    return e;
}

static err record_size(void *context, struct file *file, uint64_t *size_bytes, struct error *error)
{
    struct recorder *recorder = context;
    return recorder->below->size(recorder->below->context, ((struct recorded_file *)file)->below,
                                 size_bytes, error);
}

static err record_rename(void *context, const char *from, const char *to, struct error *error)
{
    struct recorder *recorder = context;
    const char *name = relative(recorder, from);
    const char *second = relative(recorder, to);
    CHECK(name != NULL && second != NULL);
    pthread_mutex_lock(&recorder->lock);
    err e = must_fail(recorder, false)
                ? injected(recorder, "rename", error)
                : recorder->below->rename(recorder->below->context, from, to, error);
    if (e == ERR_OK) {
        size_t at = find_name(recorder, name);
        CHECK(at < recorder->name_count);
        uint32_t file = recorder->names[at].file;
        drop_name(recorder, name);
        set_name(recorder, second, file);
        trace_add(&recorder->trace, (struct trace_event){.op = TRACE_RENAME,
                                                         .path = (char *)(uintptr_t)name,
                                                         .second = (char *)(uintptr_t)second});
    }
    pthread_mutex_unlock(&recorder->lock);
    return e;
}

static err record_remove(void *context, const char *path, struct error *error)
{
    struct recorder *recorder = context;
    const char *name = relative(recorder, path);
    CHECK(name != NULL);
    pthread_mutex_lock(&recorder->lock);
    err e = must_fail(recorder, false)
                ? injected(recorder, "remove", error)
                : recorder->below->remove(recorder->below->context, path, error);
    if (e == ERR_OK) {
        drop_name(recorder, name);
        trace_add(&recorder->trace,
                  (struct trace_event){.op = TRACE_REMOVE, .path = (char *)(uintptr_t)name});
    }
    pthread_mutex_unlock(&recorder->lock);
    return e;
}

static err record_make_directory(void *context, const char *path, struct error *error)
{
    struct recorder *recorder = context;
    const char *name = relative(recorder, path);
    struct stat info;
    pthread_mutex_lock(&recorder->lock);
    bool is_new = stat(path, &info) != 0;
    err e = is_new && must_fail(recorder, false)
                ? injected(recorder, "make folder", error)
                : recorder->below->make_directory(recorder->below->context, path, error);
    if (e == ERR_OK && is_new && name != NULL) {
        trace_add(&recorder->trace,
                  (struct trace_event){.op = TRACE_MAKE_FOLDER, .path = (char *)(uintptr_t)name});
    }
    pthread_mutex_unlock(&recorder->lock);
    return e;
}

static err record_sync_directory(void *context, const char *path, struct error *error)
{
    struct recorder *recorder = context;
    char folder[512];
    const char *name = relative_folder(recorder, path, folder, sizeof folder);
    pthread_mutex_lock(&recorder->lock);
    err e = ERR_OK;
    if (must_fail(recorder, false)) {
        e = injected(recorder, "sync folder", error);
    } else if (recorder->pass_syncs) {
        e = recorder->below->sync_directory(recorder->below->context, path, error);
    }
    if (e == ERR_OK && name != NULL) {
        trace_add(&recorder->trace, (struct trace_event){.op = TRACE_SYNC_FOLDER, .path = folder});
    }
    pthread_mutex_unlock(&recorder->lock);
    return e;
}

static err record_list(void *context, const char *path,
                       void (*visit)(void *visitor, const char *name), void *visitor,
                       struct error *error)
{
    struct recorder *recorder = context;
    return recorder->below->list(recorder->below->context, path, visit, visitor, error);
}

static err record_lock(void *context, struct file *file, struct error *error)
{
    struct recorder *recorder = context;
    return recorder->below->lock(recorder->below->context, ((struct recorded_file *)file)->below,
                                 error);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What is there already: durable, name and content. */
static void adopt_folder(struct recorder *recorder, const char *path, const char *name)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char full[1024];
        char inner[1024];
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        CHECK((size_t)snprintf(full, sizeof full, "%s/%s", path, entry->d_name) < sizeof full);
        CHECK((size_t)snprintf(inner, sizeof inner, "%s%s%s", name, name[0] ? "/" : "",
                               entry->d_name) < sizeof inner);
        CHECK(stat(full, &info) == 0);
        if (S_ISDIR(info.st_mode)) {
            trace_add(&recorder->trace, (struct trace_event){.op = TRACE_MAKE_FOLDER,
                                                             .flags = TRACE_DURABLE,
                                                             .path = inner});
            adopt_folder(recorder, full, inner);
            continue;
        }
        uint32_t file = ++recorder->last_file;
        set_name(recorder, inner, file);
        trace_add(&recorder->trace,
                  (struct trace_event){
                      .op = TRACE_CREATE, .flags = TRACE_DURABLE, .file = file, .path = inner});
        size_t size = (size_t)info.st_size;
        uint8_t *data = malloc(size + 1);
        FILE *stream = fopen(full, "rb");
        CHECK(data != NULL && stream != NULL && fread(data, 1, size, stream) == size);
        fclose(stream);
        trace_add(&recorder->trace, (struct trace_event){.op = TRACE_WRITE,
                                                         .flags = TRACE_DURABLE,
                                                         .file = file,
                                                         .data = data,
                                                         .data_bytes = size});
        free(data);
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

void recorder_init(struct recorder *recorder, const char *root, const struct file_system *below)
{
    *recorder = (struct recorder){.below = below};
    CHECK((size_t)snprintf(recorder->root, sizeof recorder->root, "%s", root) <
          sizeof recorder->root);
    CHECK(pthread_mutex_init(&recorder->lock, NULL) == 0);
    recorder->files = (struct file_system){
        .context = recorder,
        .open = record_open,
        .close = record_close,
        .read_at = record_read_at,
        .write_at = record_write_at,
        .sync = record_sync,
        .truncate = record_truncate,
        .size = record_size,
        .rename = record_rename,
        .remove = record_remove,
        .make_directory = record_make_directory,
        .sync_directory = record_sync_directory,
        .list = record_list,
        .lock = record_lock,
    };
    adopt_folder(recorder, root, "");
    recorder->adopted = recorder->trace.count;
}

void recorder_deinit(struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->name_count; i++) {
        free(recorder->names[i].path);
    }
    free(recorder->names);
    trace_clear(&recorder->trace);
    pthread_mutex_destroy(&recorder->lock);
}

void recorder_note(struct recorder *recorder, uint64_t number)
{
    pthread_mutex_lock(&recorder->lock);
    trace_add(&recorder->trace, (struct trace_event){.op = TRACE_NOTE, .offset = number});
    pthread_mutex_unlock(&recorder->lock);
}
