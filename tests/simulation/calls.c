/* The C library's file calls, once more: what lies below /sim goes to the disk in use, all else to
 * the system.
 *
 * A program's own definition comes before the library's, for the program and for the shared
 * libraries that it is linked with; so LMDB calls these, too. mmap, lseek, fcntl and flock work on
 * the memfds as they are. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "disk.h"

struct listing {
    size_t at, count;
    struct dirent *entries;
};

static bool ours(int descriptor)
{
    return disk_in_use != NULL && descriptor >= 0 && descriptor < DISK_DESCRIPTORS &&
           disk_in_use->open[descriptor].inode != NULL;
}

static bool our_path(const char *path, char plain[DISK_PATH_MAX])
{
    return disk_in_use != NULL && disk_plain_path(path, plain);
}

int open(const char *path, int flags, ...)
{
    char plain[DISK_PATH_MAX];
    unsigned mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, unsigned);
        va_end(args);
    }
    return our_path(path, plain) ? disk_open(disk_in_use, plain, flags)
                                 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int close(int descriptor)
{
    return ours(descriptor) ? disk_close(disk_in_use, descriptor)
                            : (int)syscall(SYS_close, descriptor);
}

ssize_t pread(int descriptor, void *to, size_t length, off_t offset)
{
    return ours(descriptor) ? disk_read(disk_in_use, descriptor, to, length, offset)
                            : syscall(SYS_pread64, descriptor, to, length, offset);
}

ssize_t pwrite(int descriptor, const void *from, size_t length, off_t offset)
{
    return ours(descriptor) ? disk_write(disk_in_use, descriptor, from, length, offset)
                            : syscall(SYS_pwrite64, descriptor, from, length, offset);
}

/* LMDB's way to write neighbouring pages: at the descriptor's own offset, which moves on. */
ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    if (!ours(descriptor)) {
        return syscall(SYS_writev, descriptor, parts, count);
    }
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        length += parts[i].iov_len;
    }
    char *all = malloc(length + 1);
    CHECK(all != NULL);
    length = 0;
    for (int i = 0; i < count; i++) {
        memcpy(all + length, parts[i].iov_base, parts[i].iov_len);
        length += parts[i].iov_len;
    }
    ssize_t written =
        disk_write(disk_in_use, descriptor, all, length, lseek(descriptor, 0, SEEK_CUR));
    if (written > 0) {
        lseek(descriptor, written, SEEK_CUR);
    }
    free(all);
    return written;
}

int fdatasync(int descriptor)
{
    return ours(descriptor) ? disk_sync(disk_in_use, descriptor)
                            : (int)syscall(SYS_fdatasync, descriptor);
}

int fsync(int descriptor)
{
    return ours(descriptor) ? disk_sync(disk_in_use, descriptor)
                            : (int)syscall(SYS_fsync, descriptor);
}

int ftruncate(int descriptor, off_t size)
{
    return ours(descriptor) ? disk_truncate(disk_in_use, descriptor, size)
                            : (int)syscall(SYS_ftruncate, descriptor, size);
}

int rename(const char *from, const char *to)
{
    char a[DISK_PATH_MAX];
    char b[DISK_PATH_MAX];
    return our_path(from, a) && our_path(to, b)
               ? disk_rename(disk_in_use, a, b)
               : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    char plain[DISK_PATH_MAX];
    return our_path(path, plain) ? disk_remove(disk_in_use, plain)
                                 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int mkdir(const char *path, mode_t mode)
{
    char plain[DISK_PATH_MAX];
    return our_path(path, plain) ? disk_make_folder(disk_in_use, plain)
                                 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

static int fill_stat(const struct inode *inode, struct stat *info)
{
    *info = (struct stat){0};
    info->st_ino = inode->number;
    info->st_mode = inode->memory < 0 ? S_IFDIR | 0700 : S_IFREG | 0600;
    info->st_size = (off_t)inode->size;
    info->st_blksize = 4096;
    return 0;
}

int stat(const char *restrict path, struct stat *restrict info)
{
    char plain[DISK_PATH_MAX];
    if (!our_path(path, plain)) {
        return (int)syscall(SYS_newfstatat, AT_FDCWD, path, info, 0);
    }
    if (disk_look(disk_in_use, 's', 0) != 0) {
        return -1;
    }
    const struct inode *inode = disk_find(disk_in_use, plain);
    if (inode == NULL) {
        errno = ENOENT;
        return -1;
    }
    return fill_stat(inode, info);
}

int fstat(int descriptor, struct stat *info)
{
    if (!ours(descriptor)) {
        return (int)syscall(SYS_fstat, descriptor, info);
    }
    const struct inode *inode = disk_in_use->open[descriptor].inode;
    return disk_look(disk_in_use, 'f', inode->number) != 0 ? -1 : fill_stat(inode, info);
}

/* ---- folders: the list is taken at once ---- */

DIR *opendir(const char *path)
{
    char plain[DISK_PATH_MAX];
    if (!our_path(path, plain)) {
        errno = ENOTSUP; /* nobody here lists another folder */
        return NULL;
    }
    if (disk_look(disk_in_use, 'l', 0) != 0) {
        return NULL;
    }
    const struct disk *disk = disk_in_use;
    size_t length = strlen(plain);
    struct listing *listing = calloc(1, sizeof *listing);
    CHECK(listing != NULL);
    listing->entries = calloc(disk->names.count + 1, sizeof *listing->entries);
    CHECK(listing->entries != NULL);
    for (size_t i = 0; i < disk->names.count; i++) {
        const struct disk_name *name = &disk->names.at[i];
        if (strncmp(name->path, plain, length) == 0 && name->path[length] == '/' &&
            strchr(name->path + length + 1, '/') == NULL) {
            struct dirent *entry = &listing->entries[listing->count++];
            entry->d_type = name->inode->memory < 0 ? DT_DIR : DT_REG;
            memcpy(entry->d_name, name->path + length + 1, strlen(name->path + length));
        }
    }
    return (DIR *)listing;
}

struct dirent *readdir(DIR *folder)
{
    struct listing *listing = (struct listing *)folder;
    return listing->at < listing->count ? &listing->entries[listing->at++] : NULL;
}

int closedir(DIR *folder)
{
    free(((struct listing *)folder)->entries);
    free(folder);
    return 0;
}
