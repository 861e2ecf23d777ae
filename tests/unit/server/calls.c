#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <uv.h>

#include "base/check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
    enum call call;
    unsigned at, times, seen, failed;
    int with;
    uint64_t soft, hard, set;
    bool held;
    unsigned waiting;
} state;

void calls_break(enum call call, unsigned at, unsigned times, int with)
{
    pthread_mutex_lock(&mutex);
    state.call = call;
    state.at = at;
    state.times = times;
    state.seen = state.failed = 0;
    state.with = with;
    pthread_mutex_unlock(&mutex);
}

unsigned calls_failed(void)
{
    pthread_mutex_lock(&mutex);
    unsigned failed = state.failed;
    pthread_mutex_unlock(&mutex);
    return failed;
}

unsigned calls_mend(void)
{
    pthread_mutex_lock(&mutex);
    unsigned failed = state.failed;
    state.call = CALL_NONE;
    pthread_mutex_unlock(&mutex);
    return failed;
}

void calls_descriptor_limit(uint64_t soft, uint64_t hard)
{
    pthread_mutex_lock(&mutex);
    state.soft = soft;
    state.hard = hard;
    state.set = 0;
    pthread_mutex_unlock(&mutex);
}

uint64_t calls_descriptor_limit_set(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t set = state.set;
    pthread_mutex_unlock(&mutex);
    return set;
}

void calls_hold_syncs(void)
{
    pthread_mutex_lock(&mutex);
    state.held = true;
    pthread_mutex_unlock(&mutex);
}

unsigned calls_syncs_held(void)
{
    pthread_mutex_lock(&mutex);
    unsigned waiting = state.waiting;
    pthread_mutex_unlock(&mutex);
    return waiting;
}

void calls_release_syncs(void)
{
    pthread_mutex_lock(&mutex);
    state.held = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* Sets *with when this call is to fail. */
static bool breaks(enum call call, int *with)
{
    pthread_mutex_lock(&mutex);
    bool fails = false;
    if (state.call == call) {
        state.seen++;
        fails = state.seen >= state.at && state.seen - state.at < state.times;
        state.failed += fails;
        *with = state.with;
    }
    pthread_mutex_unlock(&mutex);
    return fails;
}

/* ---- the calls: -1 and errno ----------------------------------------------------------------- */

#define WRAP(type, name, call, parameters, arguments)                                              \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        int with = 0;                                                                              \
        if (breaks(call, &with)) {                                                                 \
            errno = with;                                                                          \
            return -1;                                                                             \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

WRAP(int, socket, CALL_SOCKET, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, setsockopt, CALL_SETSOCKOPT,
     (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length))
WRAP(int, bind, CALL_BIND, (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length))
WRAP(ssize_t, read, CALL_READ, (int fd, void *to, size_t length), (fd, to, length))
WRAP(ssize_t, write, CALL_WRITE, (int fd, const void *from, size_t length), (fd, from, length))
WRAP(int, fsync, CALL_FSYNC, (int fd), (fd))
WRAP(int, fchmod, CALL_FCHMOD, (int fd, mode_t mode), (fd, mode))
WRAP(int, rename, CALL_RENAME, (const char *from, const char *to), (from, to))
WRAP(int, mkdir, CALL_MKDIR, (const char *path, mode_t mode), (path, mode))
WRAP(int, flock, CALL_FLOCK, (int fd, int operation), (fd, operation))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    int with = 0;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (breaks(CALL_OPEN, &with)) {
        errno = with;
        return -1;
    }
    return __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    int with = 0;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    if (breaks(CALL_FCNTL, &with)) {
        errno = with;
        return -1;
    }
    return __real_fcntl(fd, command, argument);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    int with = 0;
    pthread_mutex_lock(&mutex);
    state.waiting++;
    while (state.held) {
        pthread_cond_wait(&changed, &mutex);
    }
    state.waiting--;
    pthread_mutex_unlock(&mutex);
    if (breaks(CALL_FDATASYNC, &with)) {
        errno = with;
        return -1;
    }
    return __real_fdatasync(fd);
}

int __real_getrlimit(int resource, struct rlimit *out);
int __wrap_getrlimit(int resource, struct rlimit *out);
int __wrap_getrlimit(int resource, struct rlimit *out)
{
    int with = 0;
    if (breaks(CALL_GETRLIMIT, &with)) {
        errno = with;
        return -1;
    }
    pthread_mutex_lock(&mutex);
    const bool invented = state.soft != 0;
    if (invented) {
        *out = (struct rlimit){.rlim_cur = state.set != 0 ? state.set : state.soft,
                               .rlim_max = state.hard};
    }
    pthread_mutex_unlock(&mutex);
    return invented ? 0 : __real_getrlimit(resource, out);
}

int __real_setrlimit(int resource, const struct rlimit *limit);
int __wrap_setrlimit(int resource, const struct rlimit *limit);
int __wrap_setrlimit(int resource, const struct rlimit *limit)
{
    pthread_mutex_lock(&mutex);
    const bool invented = state.soft != 0;
    state.set = limit->rlim_cur;
    pthread_mutex_unlock(&mutex);
    return invented ? 0 : __real_setrlimit(resource, limit);
}

static struct {
    const char *path, *text;
} pretended[8];
static size_t pretended_count;

void calls_pretend_file(const char *path, const char *text)
{
    CHECK(pretended_count < ARRAY_COUNT(pretended));
    pretended[pretended_count].path = path;
    pretended[pretended_count++].text = text;
}

void calls_forget_files(void)
{
    pretended_count = 0;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    for (size_t i = 0; i < pretended_count; i++) {
        if (strcmp(pretended[i].path, path) == 0) {
            errno = ENOENT;
            /* Only read. */
            return pretended[i].text == NULL ? NULL
                                             : fmemopen((void *)(uintptr_t)pretended[i].text,
                                                        strlen(pretended[i].text), "r");
        }
    }
    return __real_fopen(path, mode);
}

/* ---- those that answer with a code ----------------------------------------------------------- */

#define WRAP_CODE(name, call, parameters, arguments)                                               \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        int with = 0;                                                                              \
        return breaks(call, &with) ? with : __real_##name arguments;                               \
    }

WRAP_CODE(getaddrinfo, CALL_GETADDRINFO,
          (const char *host, const char *service, const struct addrinfo *hints,
           struct addrinfo **out),
          (host, service, hints, out))
WRAP_CODE(pthread_create, CALL_PTHREAD_CREATE,
          (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *),
           void *argument),
          (thread, attributes, run, argument))
WRAP_CODE(uv_loop_init, CALL_UV_LOOP_INIT, (uv_loop_t * loop), (loop))
WRAP_CODE(uv_tcp_open, CALL_UV_TCP_OPEN, (uv_tcp_t * tcp, uv_os_sock_t fd), (tcp, fd))
WRAP_CODE(uv_listen, CALL_UV_LISTEN, (uv_stream_t * stream, int backlog, uv_connection_cb then),
          (stream, backlog, then))
WRAP_CODE(uv_try_write, CALL_UV_TRY_WRITE,
          (uv_stream_t * stream, const uv_buf_t *pieces, unsigned count), (stream, pieces, count))
WRAP_CODE(uv_write, CALL_UV_WRITE,
          (uv_write_t * request, uv_stream_t *stream, const uv_buf_t *pieces, unsigned count,
           uv_write_cb then),
          (request, stream, pieces, count, then))
WRAP_CODE(uv_shutdown, CALL_UV_SHUTDOWN,
          (uv_shutdown_t * request, uv_stream_t *stream, uv_shutdown_cb then),
          (request, stream, then))
WRAP_CODE(mdb_txn_begin, CALL_MDB_TXN_BEGIN,
          (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **out),
          (env, parent, flags, out))

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    int with = 0;
    if (breaks(CALL_MDB_TXN_COMMIT, &with)) {
        /* A failed commit has freed the transaction. */
        mdb_txn_abort(txn);
        return with;
    }
    return __real_mdb_txn_commit(txn);
}
