/* A library to preload (LD_PRELOAD) that writes down what a whole program does to the files of one
 * folder, LMDB included, in the form of trace.h. How to use it is in README.md.
 *
 *   KINDRED_TRACE_ROOT     the folder to watch; what is in it at the start goes into the trace as durable
 *   KINDRED_TRACE_FILE     the trace; made anew
 *   KINDRED_TRACE_COUNTER  optional: a file of 8 bytes that always holds the number of events so far (the machine's
 *                          byte order). Who reads it after an answer has arrived knows that
 *                          everything the answer stands for is among the first so many events.
 *
 * A lock around each call keeps the order in the trace the order on the disk. Not seen: stdio's own
 * writes, writes through a shared mapping (LMDB's lock.mdb, which holds no data and is left out),
 * fallocate, copy_file_range, sendfile, io_uring. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "trace.h"

enum { DESCRIPTORS_MAX = 65536, NAMES_MAX = 4096, PATH_BYTES = 512 };

struct known_name {
    char path[PATH_BYTES];
    uint32_t file; /* 0: free */
};

struct known_descriptor {
    uint32_t file; /* 0: not ours */
    bool folder;
    bool data_sync;        /* opened with O_DSYNC or O_SYNC */
    char path[PATH_BYTES]; /* of a folder */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char root[PATH_BYTES];
static int trace_descriptor = -1;
static uint64_t *counter;
static struct known_name names[NAMES_MAX];
static struct known_descriptor descriptors[DESCRIPTORS_MAX];
static uint32_t last_file;

/* ---- the trace ------------------------------------------------------------------------------- */

static void give_up(const char *what)
{
    static const char prefix[] = "syscall_recorder: ";
    (void)!write(2, prefix, sizeof prefix - 1);
    (void)!write(2, what, strlen(what));
    (void)!write(2, "\n", 1);
    _exit(99); /* a trace with holes would make tests pass that should not */
}

static void write_all(const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t n = syscall(SYS_write, trace_descriptor, at, length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            give_up("cannot write the trace");
        }
        at += n;
        length -= (size_t)n;
    }
}

static void add(enum trace_op op, uint32_t flags, uint32_t file, const char *path,
                const char *second, uint64_t offset, const void *data, size_t data_bytes)
{
    int saved = errno;
    struct trace_record record = {
        .op = (uint32_t)op,
        .flags = flags,
        .file = file,
        .path_bytes = (uint16_t)(path != NULL ? strlen(path) : 0),
        .second_bytes = (uint16_t)(second != NULL ? strlen(second) : 0),
        .offset = offset,
        .data_bytes = data_bytes,
    };
    write_all(&record, sizeof record);
    write_all(path != NULL ? path : "", record.path_bytes);
    write_all(second != NULL ? second : "", record.second_bytes);
    if (data_bytes > 0) {
        write_all(data, data_bytes);
    }
    if (counter != NULL) {
        __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
    }
    errno = saved;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Makes a path absolute and takes ".", ".." and doubled slashes out, without asking the disk.
 * False: not below the root. */
static bool relative(int folder, const char *path, char out[PATH_BYTES])
{
    char whole[PATH_BYTES * 2];
    char clean[PATH_BYTES * 2];
    size_t used = 0;
    if (path == NULL || root[0] == '\0') {
        return false;
    }
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else if (folder >= 0 && folder < DESCRIPTORS_MAX && descriptors[folder].folder) {
        snprintf(whole, sizeof whole, "%s/%s/%s", root, descriptors[folder].path, path);
    } else {
        char here[PATH_BYTES];
        if (getcwd(here, sizeof here) == NULL) {
            return false;
        }
        snprintf(whole, sizeof whole, "%s/%s", here, path);
    }
    char *rest = NULL;
    for (char *part = strtok_r(whole, "/", &rest); part != NULL;
         part = strtok_r(NULL, "/", &rest)) {
        if (strcmp(part, ".") == 0) {
            continue;
        }
        if (strcmp(part, "..") == 0) {
            while (used > 0 && clean[--used] != '/') {
            }
            continue;
        }
        used += (size_t)snprintf(clean + used, sizeof clean - used, "/%s", part);
    }
    clean[used] = '\0';
    size_t length = strlen(root);
    if (strncmp(clean, root, length) != 0 || (clean[length] != '/' && clean[length] != '\0')) {
        return false;
    }
    snprintf(out, PATH_BYTES, "%s", clean + length + (clean[length] == '/'));
    const char *base = strrchr(out, '/');
    return strcmp(base != NULL ? base + 1 : out, "lock.mdb") != 0;
}

static struct known_name *find_name(const char *path)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names[i].file != 0 && strcmp(names[i].path, path) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static void set_name(const char *path, uint32_t file)
{
    struct known_name *name = find_name(path);
    for (size_t i = 0; i < NAMES_MAX && name == NULL; i++) {
        name = names[i].file == 0 ? &names[i] : NULL;
    }
    if (name == NULL) {
        give_up("too many files");
        return;
    }
    snprintf(name->path, sizeof name->path, "%s", path);
    name->file = file;
}

/* ---- start ----------------------------------------------------------------------------------- */

static void adopt_file(const char *full, const char *path, size_t size)
{
    uint32_t file = ++last_file;
    char *data = malloc(size + 1);
    size_t done = 0;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, full, O_RDONLY | O_CLOEXEC);
    while (data != NULL && done < size) {
        ssize_t n = descriptor >= 0 ? syscall(SYS_read, descriptor, data + done, size - done) : -1;
        if (n <= 0) {
            give_up("cannot read what is in the folder");
        }
        done += (size_t)n;
    }
    syscall(SYS_close, descriptor);
    set_name(path, file);
    add(TRACE_CREATE, TRACE_DURABLE, file, path, NULL, 0, NULL, 0);
    add(TRACE_WRITE, TRACE_DURABLE, file, NULL, NULL, 0, data, size);
    free(data);
}

static void adopt_folder(const char *path)
{
    char full[PATH_BYTES * 2 + 2];
    snprintf(full, sizeof full, "%s/%s", root, path);
    DIR *folder = opendir(full);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char inner[PATH_BYTES];
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            strcmp(entry->d_name, "lock.mdb") == 0) {
            continue;
        }
        if ((size_t)snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "/" : "",
                             entry->d_name) >= sizeof inner ||
            (size_t)snprintf(full, sizeof full, "%s/%s", root, inner) >= sizeof full ||
            stat(full, &info) != 0) {
            continue;
        }
        if (S_ISDIR(info.st_mode)) {
            add(TRACE_MAKE_FOLDER, TRACE_DURABLE, 0, inner, NULL, 0, NULL, 0);
            adopt_folder(inner);
        } else if (S_ISREG(info.st_mode)) {
            adopt_file(full, inner, (size_t)info.st_size);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static void start(void)
{
    const char *folder = getenv("KINDRED_TRACE_ROOT");
    const char *file = getenv("KINDRED_TRACE_FILE");
    const char *count = getenv("KINDRED_TRACE_COUNTER");
    char *real = folder != NULL && file != NULL ? realpath(folder, NULL) : NULL;
    if (real == NULL) {
        return; /* nothing to watch */
    }
    snprintf(root, sizeof root, "%s", real);
    free(real);
    trace_descriptor =
        (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (trace_descriptor < 0) {
        give_up("cannot make the trace file");
    }
    if (count != NULL) {
        int descriptor =
            (int)syscall(SYS_openat, AT_FDCWD, count, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (descriptor < 0 || syscall(SYS_ftruncate, descriptor, sizeof *counter) != 0) {
            give_up("cannot make the counter file");
        }
        counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        if (counter == MAP_FAILED) {
            give_up("cannot map the counter file");
        }
        *counter = 0;
        syscall(SYS_close, descriptor);
    }
    adopt_folder("");
}

static void enter(void)
{
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
}

static void leave(void)
{
    pthread_mutex_unlock(&lock);
}

/* A program that touches nothing still leaves a trace of what was there. */
__attribute__((constructor)) static void start_early(void)
{
    pthread_once(&once, start);
}

/* NULL: not a file below the root. A descriptor is looked at by the thread that uses it, so no lock
 * is needed, and a socket's write never holds one. */
static const struct known_descriptor *ours(int descriptor)
{
    bool known =
        descriptor >= 0 && descriptor < DESCRIPTORS_MAX && descriptors[descriptor].file != 0;
    return known ? &descriptors[descriptor] : NULL;
}

/* ---- open and close -------------------------------------------------------------------------- */

static int open_recorded(int folder, const char *path, int flags, mode_t mode)
{
    char name[PATH_BYTES];
    enter();
    bool ours = relative(folder, path, name);
    struct stat before;
    bool is_new = ours && (flags & O_CREAT) != 0 && fstatat(folder, path, &before, 0) != 0;
    int descriptor = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (descriptor >= DESCRIPTORS_MAX) {
        give_up("too many descriptors");
    }
    if (descriptor >= 0) {
        struct known_descriptor *known = &descriptors[descriptor];
        struct stat info;
        *known = (struct known_descriptor){0};
        if (ours && fstat(descriptor, &info) == 0) {
            if (is_new) {
                set_name(name, ++last_file);
                add(TRACE_CREATE, 0, last_file, name, NULL, 0, NULL, 0);
            }
            const struct known_name *found = find_name(name);
            known->folder = S_ISDIR(info.st_mode);
            known->file = found != NULL ? found->file : 0;
            known->data_sync = (flags & O_DSYNC) != 0;
            snprintf(known->path, sizeof known->path, "%s", name);
            if (!is_new && known->file != 0 && (flags & O_TRUNC) != 0) {
                add(TRACE_TRUNCATE, 0, known->file, NULL, NULL, 0, NULL, 0);
            }
        }
    }
    leave();
    return descriptor;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(args, int) : 0;
}

#define DEFINE_OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = mode_of(flags, args);                                                        \
        va_end(args);                                                                              \
        return open_recorded(AT_FDCWD, path, flags, mode);                                         \
    }
#define DEFINE_OPENAT(name)                                                                        \
    int name(int folder, const char *path, int flags, ...)                                         \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = mode_of(flags, args);                                                        \
        va_end(args);                                                                              \
        return open_recorded(folder, path, flags, mode);                                           \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* What calls without a mode become under _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_recorded(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags)
{
    return open_recorded(AT_FDCWD, path, flags, 0);
}
int __openat_2(int folder, const char *path, int flags)
{
    return open_recorded(folder, path, flags, 0);
}
int __openat64_2(int folder, const char *path, int flags)
{
    return open_recorded(folder, path, flags, 0);
}

int close(int descriptor)
{
    if (descriptor >= 0 && descriptor < DESCRIPTORS_MAX) {
        descriptors[descriptor].file = 0;
        descriptors[descriptor].folder = false;
    }
    return (int)syscall(SYS_close, descriptor);
}

#define DEFINE_DUPLICATE(name)                                                                     \
    int name(int descriptor, int command, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, command);                                                                   \
        void *argument = va_arg(args, void *);                                                     \
        va_end(args);                                                                              \
        int result = (int)syscall(SYS_fcntl, descriptor, command, argument);                       \
        if (result >= 0 && result < DESCRIPTORS_MAX &&                                             \
            (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) {                                  \
            descriptors[result] = descriptors[descriptor];                                         \
        }                                                                                          \
        return result;                                                                             \
    }
DEFINE_DUPLICATE(fcntl)
DEFINE_DUPLICATE(fcntl64)

/* ---- writes ---------------------------------------------------------------------------------- */

static void wrote(int descriptor, const void *data, ssize_t length, off_t offset)
{
    const struct known_descriptor *known = ours(descriptor);
    if (known != NULL && length > 0) {
        add(TRACE_WRITE, known->data_sync ? TRACE_DURABLE : 0, known->file, NULL, NULL,
            (uint64_t)offset, data, (size_t)length);
    }
}

static void wrote_pieces(int descriptor, const struct iovec *pieces, int count, ssize_t length,
                         off_t offset)
{
    for (int i = 0; i < count && length > 0; i++) {
        ssize_t piece = (ssize_t)pieces[i].iov_len < length ? (ssize_t)pieces[i].iov_len : length;
        wrote(descriptor, pieces[i].iov_base, piece, offset);
        offset += piece;
        length -= piece;
    }
}

ssize_t write(int descriptor, const void *data, size_t length)
{
    if (ours(descriptor) == NULL) {
        return syscall(SYS_write, descriptor, data, length);
    }
    enter();
    ssize_t result = syscall(SYS_write, descriptor, data, length);
    if (result > 0) {
        wrote(descriptor, data, result,
              (off_t)syscall(SYS_lseek, descriptor, 0, SEEK_CUR) - result);
    }
    leave();
    return result;
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    if (ours(descriptor) == NULL) {
        return syscall(SYS_writev, descriptor, pieces, count);
    }
    enter();
    ssize_t result = syscall(SYS_writev, descriptor, pieces, count);
    if (result > 0) {
        wrote_pieces(descriptor, pieces, count, result,
                     (off_t)syscall(SYS_lseek, descriptor, 0, SEEK_CUR) - result);
    }
    leave();
    return result;
}

static ssize_t pwrite_recorded(int descriptor, const void *data, size_t length, off_t offset)
{
    enter();
    ssize_t result = syscall(SYS_pwrite64, descriptor, data, length, offset);
    wrote(descriptor, data, result, offset);
    leave();
    return result;
}
ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset)
{
    return pwrite_recorded(descriptor, data, length, offset);
}
ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset)
{
    return pwrite_recorded(descriptor, data, length, offset);
}

static ssize_t pwritev_recorded(int descriptor, const struct iovec *pieces, int count, off_t offset)
{
    enter();
    ssize_t result = syscall(SYS_pwritev, descriptor, pieces, count, offset, 0);
    wrote_pieces(descriptor, pieces, count, result, offset);
    leave();
    return result;
}
ssize_t pwritev(int descriptor, const struct iovec *pieces, int count, off_t offset)
{
    return pwritev_recorded(descriptor, pieces, count, offset);
}
ssize_t pwritev64(int descriptor, const struct iovec *pieces, int count, off64_t offset)
{
    return pwritev_recorded(descriptor, pieces, count, offset);
}

static int ftruncate_recorded(int descriptor, off_t size)
{
    enter();
    int result = (int)syscall(SYS_ftruncate, descriptor, size);
    const struct known_descriptor *known = ours(descriptor);
    if (result == 0 && known != NULL) {
        add(TRACE_TRUNCATE, 0, known->file, NULL, NULL, (uint64_t)size, NULL, 0);
    }
    leave();
    return result;
}
int ftruncate(int descriptor, off_t size)
{
    return ftruncate_recorded(descriptor, size);
}
int ftruncate64(int descriptor, off64_t size)
{
    return ftruncate_recorded(descriptor, size);
}

/* ---- syncs ----------------------------------------------------------------------------------- */

static int sync_recorded(long call, int descriptor)
{
    enter();
    int result = (int)syscall(call, descriptor);
    if (result == 0 && descriptor >= 0 && descriptor < DESCRIPTORS_MAX) {
        const struct known_descriptor *known = &descriptors[descriptor];
        if (known->folder) {
            add(TRACE_SYNC_FOLDER, 0, 0, known->path, NULL, 0, NULL, 0);
        } else if (known->file != 0) {
            add(TRACE_SYNC, 0, known->file, NULL, NULL, 0, NULL, 0);
        }
    }
    leave();
    return result;
}
int fsync(int descriptor)
{
    return sync_recorded(SYS_fsync, descriptor);
}
int fdatasync(int descriptor)
{
    return sync_recorded(SYS_fdatasync, descriptor);
}

/* ---- names change ---------------------------------------------------------------------------- */

int rename(const char *from, const char *to)
{
    char name[PATH_BYTES];
    char second[PATH_BYTES];
    enter();
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0 && relative(AT_FDCWD, from, name) && relative(AT_FDCWD, to, second)) {
        struct known_name *known = find_name(name);
        uint32_t file = known != NULL ? known->file : 0;
        if (known != NULL) {
            known->file = 0;
            set_name(second, file);
        }
        add(TRACE_RENAME, 0, file, name, second, 0, NULL, 0);
    }
    leave();
    return result;
}

static int unlink_recorded(int folder, const char *path, int flags)
{
    char name[PATH_BYTES];
    enter();
    int result = (int)syscall(SYS_unlinkat, folder, path, flags);
    if (result == 0 && relative(folder, path, name)) {
        struct known_name *known = find_name(name);
        if (known != NULL) {
            known->file = 0;
        }
        add(TRACE_REMOVE, 0, 0, name, NULL, 0, NULL, 0);
    }
    leave();
    return result;
}
int unlink(const char *path)
{
    return unlink_recorded(AT_FDCWD, path, 0);
}
int unlinkat(int folder, const char *path, int flags)
{
    return unlink_recorded(folder, path, flags);
}
int rmdir(const char *path)
{
    return unlink_recorded(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    char name[PATH_BYTES];
    enter();
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (result == 0 && relative(AT_FDCWD, path, name)) {
        add(TRACE_MAKE_FOLDER, 0, 0, name, NULL, 0, NULL, 0);
    }
    leave();
    return result;
}
