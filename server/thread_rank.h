/* thread_rank.h: which of our threads goes first when there is more to do than there are cores.
 *
 *   answers   workers: somebody waits for each answer. They ask the kernel for short slices: a thread with a short one is given
 *             a core sooner after it has slept, and its share stays the same
 *   writes    the writer: as the kernel does by itself. Not behind the workers, although they answer first: while it applies,
 *             it holds the gate that they wait for
 *   behind    checkpoints, scrubs, the backlog: nobody waits for them
 *
 * Threading: called by the thread itself when it begins. Failure: none that anybody has to know of;
 * without any of it everything works, later. */
#ifndef KINDRED_SERVER_THREAD_RANK_H
#define KINDRED_SERVER_THREAD_RANK_H

enum thread_rank { RANK_ANSWERS, RANK_WRITES, RANK_BEHIND };

/* Its rank, and its name (at most 15 characters) for top, ps and perf. */
void thread_begin(const char *name, enum thread_rank rank);

#endif
