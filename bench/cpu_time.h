/* cpu_time.h: the CPU time a server has used, from its own accounting.
 *
 * A server is a process and its children (nginx's workers, PostgreSQL's backends), those that have
 * ended included.
 *
 * Threading: any. */
#ifndef KINDRED_BENCH_CPU_TIME_H
#define KINDRED_BENCH_CPU_TIME_H

#include <stdint.h>
#include <sys/types.h>

/* User and system time in ns, nanosecond clocks where the kernel has them; 0 when there is no such
 * process. */
uint64_t cpu_time_ns(pid_t server);
uint64_t cpu_time_own_ns(void);

#endif
