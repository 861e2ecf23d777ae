/* backup.h: copies of a deployment, made beside a running server, and a data folder made from one.
 *
 *   BACKUP/backup.manifest                what belongs to the backup, replaced whole: the commit point
 *   BACKUP/erasures-CRC.ledger            erasure_ledger.h
 *   BACKUP/log/FIRST-SCRUBID-BYTES.seg    copies of segments; a changed one is a new file, so that the former backup stays whole
 *                                         until the manifest names the new one. Files it does not name are removed then
 *   BACKUP/keys-CRC.json                  keys.json, if there is one
 *   BACKUP/backup.lock                    held while a backup is made or read
 *
 * The raw log is the truth, so a backup is the log up to one sequence, and a restored folder makes
 * its profiles from it. It is read at the level of files, without the server's help: what is below
 * the end of a whole frame never changes in place, a scrub puts a new file in a segment's place,
 * and a file once open stays what it was. The last segment is synced before it is copied, so a
 * backup holds nothing that its log might lose.
 *
 * Incremental: a segment is copied when it is new, has grown, or was scrubbed (its header's scrub
 * id). Everything copied is read back and every checksum, digest and link of the chain is checked
 * on the copy. The copies of one backup were all current at one instant: when a scrub came in
 * between, the segments it changed are copied again.
 *
 * Threading: one thread. Failure: the backup that was there stays usable; errors name file and
 * offset. Storage errors of the source and of the target read alike, the path in the message tells
 * them apart. */
#ifndef KINDRED_STORAGE_BACKUP_H
#define KINDRED_STORAGE_BACKUP_H

#include "base/clock.h"
#include "storage/erasure_ledger.h"

/* `what`: "copy", "check". */
typedef void (*backup_progress)(void *context, const char *what, uint64_t done_bytes,
                                uint64_t total_bytes);

struct backup_options {
    const struct file_system *files; /* borrowed */
    const char *data;                /* the data folder; only read */
    const char *backup;              /* made when absent */
    int64_t taken_at_us;             /* now */
    backup_progress progress;        /* may be NULL */
    /* Called when `count` erasures are under way in the log (their people are still in it): true
     * looks again (wait a little), false takes the backup as it is. May be NULL. */
    bool (*wait)(void *context, size_t count);
    void *context;
};

struct backup_report {
    uint64_t last_sequence; /* what it holds: everything up to here */
    int64_t last_received_at_us;
    int64_t taken_at_us;
    uint64_t segments, bytes;
    uint64_t segments_copied, bytes_copied; /* copied and verified now */
    uint64_t entries_checked;
    uint64_t erased;     /* entries whose bytes are gone */
    uint64_t unfinished; /* erasures that were still under way */
    bool incremental;    /* there was a backup before */
    bool keys;           /* keys.json is in it */
};

/* ERR_NOT_FOUND: no data folder. ERR_CONFLICT: the target holds something else, or a backup of
 * another log or of another course of this one. ERR_LOCKED: another backup is being made there. */
err backup_run(const struct backup_options *options, struct backup_report *report,
               struct error *error) MUST_USE;

/* Every byte of a backup against its manifest. Changes nothing. */
err backup_check(const struct file_system *files, const char *backup, backup_progress progress,
                 void *context, struct backup_report *report, struct error *error) MUST_USE;

/* ---- restore --------------------------------------------------------------------------------- */

struct restore_options {
    const struct file_system *files;    /* borrowed */
    const struct random_source *random; /* borrowed */
    const char *backup;
    /* must be absent or empty, or hold an unfinished restore, which is begun again */
    const char *data;
    uint64_t until_sequence; /* 0: all. The last whole batch that ends at or before it */
    int64_t until_us;        /* 0: all. The last whole batch received at or before it */
    const struct erasure_ledger *ledger; /* of a newer copy of the same log; NULL: none */
    /* The entries an erasure names, from its ENTRY_ERASE's payload; false when it is none. The
     * engine's format. */
    bool (*erase_entries)(struct slice payload,
                          void (*visit)(void *context, uint64_t sequence, bool created_person),
                          void *context);
    backup_progress progress; /* may be NULL */
    void *context;
};

struct restore_report {
    uint64_t last_sequence;
    int64_t last_received_at_us;
    uint64_t segments, bytes;
    uint64_t scrubbed; /* entries scrubbed now */
    /* erasures behind last_sequence that were logged again, in two entries each */
    uint64_t again;
    uint64_t unfinished; /* erasures the server will finish when it starts */
    bool cut;            /* the backup holds more */
    bool keys;
    int64_t taken_at_us; /* of the backup */
};

/* ERR_CONFLICT: the folder is not empty, the ledger is of another log, or an erasure in the way is
 * unfinished (the message says which and what to do). ERR_INVALID: `until` is outside of what the
 * backup holds. A server refuses a folder whose restore did not end. */
err backup_restore(const struct restore_options *options, struct restore_report *report,
                   struct error *error) MUST_USE;

/* "DIR/RESTORING" is there while a restore is under way. */
#define RESTORE_MARKER "RESTORING"

#endif
