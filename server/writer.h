/* writer.h: the one thread that changes anything.
 *
 *   workers ─writer_submit─▶ [bounded queue] ─▶ engine_commit (all that is queued: one append, one sync) ─▶ done, each
 *                                               engine_sync each second (durability "interval")
 *                                               checkpoints, erasures: begun here, written by the
 *                                               background thread
 *
 * Groups: whatever is queued when the last group is done, up to WRITER_GROUP_*. So the group grows
 * with the load, and a lone write waits for one sync only.
 *
 * An erasure ends when a checkpoint behind it is on disk (the person is gone from LMDB), its raw
 * bytes are scrubbed (background), and an ERASE_DONE entry is in the log.
 *
 * Threading: writer_submit and the reading calls from any thread; writer_run on one.
 * Failure: after the first failed write or sync every submission gets that error and writer_run
 * returns it. */
#ifndef KINDRED_SERVER_WRITER_H
#define KINDRED_SERVER_WRITER_H

#include "engine/engine.h"
#include "metrics.h"

struct writer;

enum {
    WRITER_GROUP_SUBMISSIONS = 1024,
    WRITER_GROUP_DRAFTS = 16384,
    WRITER_GROUP_BYTES = 32 * 1024 * 1024
};

struct writer_options {
    size_t queue_max;
    enum engine_durability durability;
    uint64_t checkpoint_entries; /* lag that starts a checkpoint */
    uint64_t checkpoint_seconds; /* ... or age of the oldest change */
};

/* Owned by caller; NULL when memory is out. */
struct writer *writer_create(const struct writer_options *options) MUST_USE;
void writer_destroy(struct writer *writer);

/* Until writer_close and everything queued is done, or storage failed. With writing over, waits for
 * the background work, and makes a last checkpoint unless storage failed. */
err writer_run(struct writer *writer, struct engine *engine, struct error *error) MUST_USE;

/* ERR_BUSY when the queue is full, ERR_STOPPING after writer_close. On success the submission is
 * borrowed until its `done`. */
err writer_submit(struct writer *writer, struct submission *submission) MUST_USE;
void writer_close(struct writer *writer);

size_t writer_queue_length(const struct writer *writer);
size_t writer_queue_max(const struct writer *writer);

/* Owned by the writer thread; anybody may read. */
struct writer_metrics {
    struct counter groups, submissions, failed, syncs, checkpoints, checkpoint_failures, erasures;
    struct histogram group_size; /* submissions */
    struct histogram commit_us;  /* append, sync and apply of a group */
    struct histogram sync_us;    /* durability "interval" */
    struct histogram checkpoint_us;
};
const struct writer_metrics *writer_metrics(const struct writer *writer);

#endif
