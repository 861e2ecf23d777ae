#include "commands/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/memory.h"

static err read_all(int fd, const char *path, char *to, size_t room, size_t *length,
                    struct error *error)
{
    *length = 0;
    while (*length < room) {
        ssize_t got = read(fd, to + *length, room - *length);
        if (got < 0 && errno != EINTR) {
            return error_set_errno(error, errno, "read", path);
        }
        if (got == 0) {
            return ERR_OK;
        }
        *length += got > 0 ? (size_t)got : 0;
    }
    return error_set(error, ERR_TOO_LARGE, "file_too_large", 0, "%s has more than %zu bytes.", path,
                     room - 1);
}

err file_text_read(const char *path, size_t max_bytes, struct slice *out, struct error *error)
{
    *out = SLICE_NONE;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? error_set(error, ERR_NOT_FOUND, "file_not_found", 0,
                                           "%s: there is no such file.", path)
                               : error_set_errno(error, errno, "open", path);
    }
    /* One byte more than allowed, to see that there is more. */
    char *text = memory_alloc(max_bytes + 1);
    size_t length = 0;
    err e = text ? read_all(fd, path, text, max_bytes + 1, &length, error)
                 : error_set(error, ERR_MEMORY, "memory", 0, "Out of memory.");
    close(fd);
    if (e != ERR_OK) {
        memory_free(text);
        return e;
    }
    *out = slice_of(text, length);
    return ERR_OK;
}

void file_text_free(struct slice text)
{
    union {
        const char *borrowed;
        char *owned;
    } data = {text.data};
    memory_free(data.owned);
}
