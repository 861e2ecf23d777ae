/* calls.h: system calls, and some of libuv's, LMDB's and the threads', that fail when told to. The
 * linker puts them in front of the real ones for everything of ours (--wrap in CMakeLists.txt);
 * nothing else in the process notices.
 *
 *     calls_break(CALL_BIND, 2, 1, EADDRINUSE);      the second bind from now on fails, once
 *     … use it …
 *     EXPECT(calls_mend() == 1);                     how many failed; all is well again
 *
 * Threading: any; one test tells at a time. */
#ifndef KINDRED_TESTS_SERVER_CALLS_H
#define KINDRED_TESTS_SERVER_CALLS_H

#include <stdint.h>

enum call {
    CALL_NONE,
    CALL_SOCKET,
    CALL_SETSOCKOPT,
    CALL_BIND,
    CALL_GETADDRINFO, /* `with` is an EAI_ code */
    CALL_GETRLIMIT,
    CALL_FCNTL,
    CALL_PTHREAD_CREATE,
    CALL_OPEN,
    CALL_READ,
    CALL_WRITE,
    CALL_FSYNC,
    CALL_FCHMOD,
    CALL_RENAME,
    CALL_MKDIR,
    CALL_FLOCK,
    CALL_FDATASYNC,
    CALL_UV_LOOP_INIT, /* `with` of libuv's is one of its codes */
    CALL_UV_TCP_OPEN,
    CALL_UV_LISTEN,
    CALL_UV_TRY_WRITE,
    CALL_UV_WRITE,
    CALL_UV_SHUTDOWN,
    CALL_MDB_TXN_BEGIN, /* `with` is errno's or LMDB's */
    CALL_MDB_TXN_COMMIT
};

/* The at-th such call from now on fails, and those behind it, `times` in all. */
void calls_break(enum call call, unsigned at, unsigned times, int with);
/* Nothing fails any more. How many calls did. */
unsigned calls_mend(void);
/* How many fell since the break; while it is on. */
unsigned calls_failed(void);

/* What getrlimit says of descriptors; 0: the truth. What setrlimit was told last (it does nothing
 * while this is on). */
void calls_descriptor_limit(uint64_t soft, uint64_t hard);
uint64_t calls_descriptor_limit_set(void);

/* fopen finds this text under this path (NULL: nothing is there), until calls_forget_files. Both
 * are borrowed; at most eight. */
void calls_pretend_file(const char *path, const char *text);
void calls_forget_files(void);

/* While held, whoever comes to fdatasync waits in it. */
void calls_hold_syncs(void);
unsigned calls_syncs_held(void);
void calls_release_syncs(void);

#endif
