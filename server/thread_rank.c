#include "thread_rank.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest slice that Linux gives; its usual one is about 3 ms, and a thread that wakes may
 * have to wait for the end of somebody else's. */
enum { ANSWERS_SLICE_US = 100, BEHIND_NICER = 10, NICE_MOST = 19 };

/* The kernel's struct sched_attr, first version; libc has it since glibc 2.41 only. */
struct scheduling {
    uint32_t size_bytes;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    /* of a thread that is not real-time: its slice, since Linux 6.12; ignored before */
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};
_Static_assert(sizeof(struct scheduling) == 48, "SCHED_ATTR_SIZE_VER0");

/* May fail, in a container with a narrow filter of system calls for example: then the thread is as
 * every other. */
static void schedule_as(int policy, int nicer, uint64_t slice_us)
{
    /* Added to what the process was started with: to go below that takes privileges. */
    int nice = getpriority(PRIO_PROCESS, 0) + nicer;
    struct scheduling scheduling = {.size_bytes = sizeof scheduling,
                                    .policy = (uint32_t)policy,
                                    .nice = nice < NICE_MOST ? nice : NICE_MOST,
                                    .runtime_ns = slice_us * 1000};
    (void)syscall(SYS_sched_setattr, 0, &scheduling, 0u);
}

void thread_begin(const char *name, enum thread_rank rank)
{
    (void)pthread_setname_np(pthread_self(), name);
    switch (rank) {
    case RANK_ANSWERS: schedule_as(SCHED_OTHER, 0, ANSWERS_SLICE_US); break;
    case RANK_WRITES: break;
    case RANK_BEHIND: schedule_as(SCHED_BATCH, BEHIND_NICER, 0); break;
    }
}
