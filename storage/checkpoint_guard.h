/* checkpoint_guard.h: a fault while LMDB's pages are read is damage, and is said as damage.
 *
 * LMDB follows the numbers that stand in its pages. In a damaged one they may lead outside of the
 * file, and the system ends the process (SIGSEGV, SIGBUS; the latter, too, when the disk does not
 * give a page back). Around each call that reads pages stands an enter/leave, and once
 * checkpoint_guard_install (checkpoint.h) was called, a fault between the two on the same thread is
 * reported by the name of the file, and the process ends with the exit code of damage.
 *
 * Enter gives back what leave has to restore, so they nest.
 *
 * Threading: any; each thread has its own. */
#ifndef KINDRED_STORAGE_CHECKPOINT_GUARD_H
#define KINDRED_STORAGE_CHECKPOINT_GUARD_H

#include <lmdb.h>

/* The guard's own: what this thread is inside of, or NULL. Read by the handler on the thread that
 * faulted. */
extern _Thread_local const char *volatile checkpoint_guard_inside;

/* path: borrowed until leave. Inline, because they stand around each row that a start reads. */
static inline const char *checkpoint_guard_enter(const char *path)
{
    const char *outer = checkpoint_guard_inside;
    checkpoint_guard_inside = path;
    return outer;
}

static inline void checkpoint_guard_leave(const char *outer)
{
    checkpoint_guard_inside = outer;
}

/* LMDB's own assertions are named as well; nothing when the guard is not installed. */
void checkpoint_guard_assertions(MDB_env *env);

#endif
