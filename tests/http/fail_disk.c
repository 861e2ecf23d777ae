/* fail_disk.c: preloaded into a server by test_storage.py: writes or syncs fail while a file says
 * so.
 *
 * $KINDRED_FAIL names the file: "sync" fails fdatasync with EIO, "space" fails pwrite with ENOSPC,
 * "slow" makes each fdatasync take half a second. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int fdatasync(int fd);
ssize_t pwrite(int fd, const void *from, size_t length, off_t offset);
ssize_t pwrite64(int fd, const void *from, size_t length, off_t offset);

static int told(const char *word)
{
    const char *path = getenv("KINDRED_FAIL");
    char text[16] = "";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return 0;
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    return got > 0 && strncmp(text, word, strlen(word)) == 0;
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    }
    if (told("slow")) {
        usleep(500000);
    }
    if (told("sync")) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

ssize_t pwrite64(int fd, const void *from, size_t length, off_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    }
    if (told("space")) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, from, length, offset);
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset)
{
    return pwrite64(fd, from, length, offset);
}
