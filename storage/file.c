/* The real file system: POSIX calls, with EINTR, short reads and short writes dealt with here so
 * that nobody above has to. Files are for their owner only: they hold personal data. */
#include "storage/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

struct file {
    int descriptor;
    char path[]; /* for messages */
};

/* error_set_errno, with the two outcomes that callers tell apart. */
static err fail(struct error *error, int system_errno, const char *operation, const char *path)
{
    err e = error_set_errno(error, system_errno, operation, path);
    if (system_errno == ENOENT) {
        e = ERR_NOT_FOUND;
    } else if (system_errno == EEXIST) {
        e = ERR_CONFLICT;
    }
    if (error != NULL && error->err != e) {
        error->err = e;
        snprintf(error->code, sizeof error->code, "%s", err_name(e));
    }
    return e;
}

static err posix_open(void *context, const char *path, enum file_mode mode, struct file **out,
                      struct error *error)
{
    (void)context;
    int flags = O_CLOEXEC | (mode == FILE_READ ? O_RDONLY : O_RDWR);
    if (mode == FILE_CREATE || mode == FILE_CREATE_NEW) {
        flags |= O_CREAT | (mode == FILE_CREATE_NEW ? O_EXCL : 0);
    }
    size_t path_bytes = strlen(path) + 1;
    struct file *file = memory_alloc(sizeof *file + path_bytes);
    if (file == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "open %s: no memory", path);
    }
    memcpy(file->path, path, path_bytes);
    do {
        file->descriptor = open(path, flags, S_IRUSR | S_IWUSR);
    } while (file->descriptor < 0 && errno == EINTR);
    if (file->descriptor < 0) {
        int system_errno = errno;
        memory_free(file);
        return fail(error, system_errno, mode >= FILE_CREATE ? "create" : "open", path);
    }
    *out = file;
    return ERR_OK;
}

static void posix_close(void *context, struct file *file)
{
    (void)context;
    if (file != NULL) {
        /* Nothing to learn here: what had to be durable was synced before. Linux frees the
         * descriptor even on EINTR. */
        (void)close(file->descriptor);
        memory_free(file);
    }
}

static err posix_read_at(void *context, struct file *file, void *to, size_t length, uint64_t offset,
                         size_t *got, struct error *error)
{
    (void)context;
    char *at = to;
    size_t done = 0;
    while (done < length) {
        ssize_t n = pread(file->descriptor, at + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(error, errno, "read", file->path);
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    *got = done;
    return ERR_OK;
}

static err posix_write_at(void *context, struct file *file, const void *from, size_t length,
                          uint64_t offset, struct error *error)
{
    (void)context;
    const char *at = from;
    size_t done = 0;
    while (done < length) {
        ssize_t n = pwrite(file->descriptor, at + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            /* 0 for a non-empty write is not in POSIX; looping on it would be for ever. */
            return fail(error, n < 0 ? errno : EIO, "write", file->path);
        }
        done += (size_t)n;
    }
    return ERR_OK;
}

static err posix_sync(void *context, struct file *file, struct error *error)
{
    (void)context;
    int result;
    do {
        /* Interrupted is not failed: no page was given up. Any other outcome is final. */
        result = fdatasync(file->descriptor);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? ERR_OK : fail(error, errno, "sync", file->path);
}

static err posix_truncate(void *context, struct file *file, uint64_t size_bytes,
                          struct error *error)
{
    (void)context;
    int result;
    do {
        result = ftruncate(file->descriptor, (off_t)size_bytes);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? ERR_OK : fail(error, errno, "truncate", file->path);
}

static err posix_size(void *context, struct file *file, uint64_t *size_bytes, struct error *error)
{
    (void)context;
    struct stat info;
    if (fstat(file->descriptor, &info) != 0) {
        return fail(error, errno, "look at", file->path);
    }
    *size_bytes = (uint64_t)info.st_size;
    return ERR_OK;
}

static err posix_rename(void *context, const char *from, const char *to, struct error *error)
{
    (void)context;
    return rename(from, to) == 0 ? ERR_OK : fail(error, errno, "rename", from);
}

static err posix_remove(void *context, const char *path, struct error *error)
{
    (void)context;
    return unlink(path) == 0 ? ERR_OK : fail(error, errno, "remove", path);
}

static err posix_make_directory(void *context, const char *path, struct error *error)
{
    (void)context;
    if (mkdir(path, S_IRWXU) == 0) {
        return ERR_OK;
    }
    int system_errno = errno;
    struct stat info;
    if (system_errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return ERR_OK;
    }
    return fail(error, system_errno, "make folder", path);
}

static err posix_sync_directory(void *context, const char *path, struct error *error)
{
    (void)context;
    int descriptor;
    do {
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        return fail(error, errno, "open folder", path);
    }
    int result;
    do {
        result = fsync(descriptor);
    } while (result != 0 && errno == EINTR);
    int system_errno = errno;
    (void)close(descriptor);
    return result == 0 ? ERR_OK : fail(error, system_errno, "sync folder", path);
}

/* ---- list ------------------------------------------------------------------------------------ */

struct names {
    char **items;
    size_t count;
    size_t capacity;
};

static bool names_add(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 64;
        char **items = memory_realloc(names->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        names->items = items;
        names->capacity = capacity;
    }
    size_t bytes = strlen(name) + 1;
    char *copy = memory_alloc(bytes);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, name, bytes);
    names->items[names->count++] = copy;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Some file systems do not fill d_type. */
static bool is_plain_file(DIR *folder, const struct dirent *entry)
{
    struct stat info;
    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_REG;
    }
    return fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(info.st_mode);
}

static err collect_names(DIR *folder, const char *path, struct names *names, struct error *error)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            return errno == 0 ? ERR_OK : fail(error, errno, "list", path);
        }
        if (is_plain_file(folder, entry) && !names_add(names, entry->d_name)) {
            return error_set(error, ERR_MEMORY, "out_of_memory", 0, "list %s: no memory", path);
        }
    }
}

static err posix_list(void *context, const char *path,
                      void (*visit)(void *visitor, const char *name), void *visitor,
                      struct error *error)
{
    (void)context;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return fail(error, errno, "list", path);
    }
    struct names names = {0};
    err e = collect_names(folder, path, &names, error);
    (void)closedir(folder);
    if (e == ERR_OK && names.count > 0) {
        qsort(names.items, names.count, sizeof *names.items, compare_names);
        for (size_t i = 0; i < names.count; i++) {
            visit(visitor, names.items[i]);
        }
    }
    for (size_t i = 0; i < names.count; i++) {
        memory_free(names.items[i]);
    }
    memory_free(names.items);
    return e;
}

static err posix_lock(void *context, struct file *file, struct error *error)
{
    (void)context;
    int result;
    do {
        result = flock(file->descriptor, LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        return ERR_OK;
    }
    if (errno == EWOULDBLOCK) {
        return error_set(error, ERR_LOCKED, "locked", 0,
                         "%s is held by another process: stop it, or use another folder",
                         file->path);
    }
    return fail(error, errno, "lock", file->path);
}

const struct file_system file_system_posix = {
    .context = NULL,
    .open = posix_open,
    .close = posix_close,
    .read_at = posix_read_at,
    .write_at = posix_write_at,
    .sync = posix_sync,
    .truncate = posix_truncate,
    .size = posix_size,
    .rename = posix_rename,
    .remove = posix_remove,
    .make_directory = posix_make_directory,
    .sync_directory = posix_sync_directory,
    .list = posix_list,
    .lock = posix_lock,
};
