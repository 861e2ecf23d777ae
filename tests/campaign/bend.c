/* bend.c: preloaded into a server by the campaigns: a disk whose syncs take as long as wanted, and
 * a wall clock that steps.
 *
 * $KINDRED_BEND names a file of two 64-bit numbers, shared with who changes them: milliseconds each
 * sync takes longer, and seconds the wall clock is off. The monotonic clock is left alone, as it is
 * when an administrator sets the time.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *how;
static int64_t nothing[2];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("KINDRED_BEND");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    how = nothing;
    if (fd >= 0) {
        void *shared = mmap(NULL, sizeof nothing, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (shared != MAP_FAILED) {
            how = shared;
        }
    }
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void linger(void)
{
    /* In short naps: ending the stall ends it. */
    for (int64_t slept_ms = 0; slept_ms < how[0]; slept_ms += 5) {
        struct timespec nap = {.tv_nsec = 5000000};
        nanosleep(&nap, NULL);
    }
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL) {
        *(void **)&real = next("fdatasync");
    }
    linger();
    return real(fd);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) {
        *(void **)&real = next("clock_gettime");
    }
    int result = real(clock, out);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && how != NULL) {
        out->tv_sec += how[1];
    }
    return result;
}

time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
