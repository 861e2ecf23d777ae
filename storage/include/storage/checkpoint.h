/* checkpoint.h: the structured stage on disk: tables of small keys and values in LMDB, each commit
 * one consistent fold of the log up to `applied_sequence`.
 *
 *   begin ─▶ put/delete … ─▶ commit(applied_sequence)     one transaction, or nothing of it
 *
 * LMDB's own commit is the commit point (fdatasync of the data, then the O_DSYNC meta page). With
 * MDB_NOMETASYNC off and MDB_NOSYNC off it survives power loss. After the first failed commit
 * nothing is written again (LMDB would happily go on after a failed data sync).
 *
 * A full disk is ERR_NO_SPACE and may be tried again: the transaction is gone, the file is as it
 * was.
 *
 * Deleted bytes stay in LMDB's pages until they happen to be overwritten: checkpoint_scrub writes
 * the tables anew into a fresh file (synced, renamed over), which is what an erasure needs.
 *
 * Every value is stored with a checksum of table, key and value: ERR_CORRUPT from a scan or get,
 * never a wrong value. A scan that comes to its end has seen all rows of the last commit and none
 * that is older. The map grows in checkpoint_begin, so a put may answer ERR_BUSY "map_full": abort,
 * begin, do it again.
 *
 * The log must be synced up to `applied_sequence` before checkpoint_commit: a checkpoint ahead of
 * its log is refused at the next start.
 *
 * Threading: one writing transaction at a time, begun and ended on one thread; readers on any
 * thread. */
#ifndef KINDRED_STORAGE_CHECKPOINT_H
#define KINDRED_STORAGE_CHECKPOINT_H

#include "base/err.h"
#include "base/slice.h"

/* Stored by name; see table_names in checkpoint.c. */
enum checkpoint_table {
    TABLE_META,     /* small named values */
    TABLE_PROFILES, /* u32 person number, big-endian ─▶ packed profile */
    TABLE_PARENTS,  /* u32 absorbed number, big-endian ─▶ u32 number it went into */
    TABLE_NAMES,    /* u32 id, big-endian ─▶ interned text (field names, categories, sources) */
    TABLE_PHRASES,  /* u32 id, big-endian ─▶ interest phrase and what the classifier said */
    /* u32 person, u32 chunk, big-endian ─▶ older entry sequences of heavy profiles */
    TABLE_HISTORY,
    TABLE_COHORTS,    /* name ─▶ definition */
    TABLE_MEMBERS,    /* name ─▶ membership bitmap, portable Roaring format */
    TABLE_RECEIPTS,   /* idempotency key digest ─▶ answer */
    TABLE_MESSAGES,   /* message ids seen in the window */
    TABLE_QUARANTINE, /* u64 sequence, big-endian ─▶ reason */
    TABLE_ERASURES,   /* u64 sequence, big-endian ─▶ state of an erasure job */
    TABLE_COUNT,
};

struct checkpoint;
struct checkpoint_txn;

struct checkpoint_options {
    const char *directory; /* made when absent; holds data.mdb and lock.mdb */
    uint64_t map_bytes;    /* address space to start with, it grows by itself; 0: 1 GiB */
    bool read_only;
};

/* ERR_CORRUPT when the file is damaged or of another version. No other process may have it open
 * (the data folder's lock). */
err checkpoint_open(const struct checkpoint_options *options, struct checkpoint **out,
                    struct error *error) MUST_USE;
void checkpoint_close(struct checkpoint *checkpoint);

/* 0 for a new one. */
uint64_t checkpoint_applied_sequence(struct checkpoint *checkpoint);

/* ERR_BUSY when the map must grow and a snapshot is open. */
err checkpoint_begin(struct checkpoint *checkpoint, struct checkpoint_txn **out,
                     struct error *error) MUST_USE;
/* Keys of 1 to 511 bytes; in TABLE_META they do not begin with a dot. Fastest in key order.
 * Replaces. After a failure the transaction can only be aborted. */
err checkpoint_put(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key,
                   struct slice value, struct error *error) MUST_USE;
/* Fine when absent. */
err checkpoint_delete(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key,
                      struct error *error) MUST_USE;
/* Empties the table. */
err checkpoint_clear(struct checkpoint_txn *txn, enum checkpoint_table table,
                     struct error *error) MUST_USE;
/* Durable when it returns ERR_OK; the txn is gone either way. */
err checkpoint_commit(struct checkpoint_txn *txn, uint64_t applied_sequence,
                      struct error *error) MUST_USE;
void checkpoint_abort(struct checkpoint_txn *txn);

/* Visits in key order; key and value are borrowed for the call. The visitor's first error ends it
 * and is returned. All tables visited between two commits are of one snapshot when done inside one
 * checkpoint_read_begin/end. */
typedef err (*checkpoint_visit)(void *context, struct slice key, struct slice value);
struct checkpoint_snapshot;
err checkpoint_snapshot_begin(struct checkpoint *checkpoint, struct checkpoint_snapshot **out,
                              struct error *error) MUST_USE;
void checkpoint_snapshot_end(struct checkpoint_snapshot *snapshot);
uint64_t checkpoint_snapshot_sequence(struct checkpoint_snapshot *snapshot);
err checkpoint_scan(struct checkpoint_snapshot *snapshot, enum checkpoint_table table,
                    checkpoint_visit visit, void *context, struct error *error) MUST_USE;
/* Borrowed until the snapshot ends. ERR_NOT_FOUND when absent (error untouched). */
err checkpoint_get(struct checkpoint_snapshot *snapshot, enum checkpoint_table table,
                   struct slice key, struct slice *value, struct error *error) MUST_USE;
uint64_t checkpoint_count(struct checkpoint_snapshot *snapshot, enum checkpoint_table table);

/* Rewrites the file so that no deleted byte is left in a free page, crash-safe. No snapshot may be
 * open; the writer must not be in a transaction. */
err checkpoint_scrub(struct checkpoint *checkpoint, struct error *error) MUST_USE;

/* For a program, once, before any checkpoint is opened: from then on a fault (SIGSEGV, SIGBUS)
 * while damaged pages are followed ends the process with this exit code and the file's name on
 * standard error. Any other fault is what it was. Not in a library's place. */
void checkpoint_guard_install(int exit_code);

#endif
