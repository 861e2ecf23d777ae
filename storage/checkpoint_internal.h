/* checkpoint_internal.h: what checkpoint.c, checkpoint_rows.c and checkpoint_scrub.c share. */
#ifndef KINDRED_STORAGE_CHECKPOINT_INTERNAL_H
#define KINDRED_STORAGE_CHECKPOINT_INTERNAL_H

#include <lmdb.h>
#include <pthread.h>

#include "storage/checkpoint.h"
#include "storage/file.h"

struct checkpoint {
    char *directory;
    char *data_path;
    char *new_path;
    bool read_only;
    uint64_t map_bytes_least;
    pthread_mutex_t lock; /* guards what follows */
    MDB_env *env;         /* NULL only after a scrub that could not open what it had put in place */
    MDB_dbi tables[TABLE_COUNT];
    uint64_t applied_sequence;
    unsigned snapshots;   /* open */
    bool map_was_full;    /* the next begin must make room */
    bool writing;         /* a transaction is open */
    struct error failure; /* the first; err is ERR_OK until then */
};

struct checkpoint_txn {
    struct checkpoint *checkpoint;
    MDB_txn *txn;
    MDB_cursor *cursors[TABLE_COUNT]; /* NULL until a row of the table changes */
    uint64_t sums[TABLE_COUNT];       /* of all rows, as they are in this transaction */
    bool failed;                      /* a put did not succeed: it must not be committed */
};

/* A way through one table. The cursor is the caller's. */
struct checkpoint_walk {
    const struct checkpoint *checkpoint;
    enum checkpoint_table table;
    MDB_cursor *cursor;
    uint64_t rows, sum; /* so far */
    struct slice last;  /* the key of the row before, when there is one */
    bool ended;         /* behind the last row */
};

/* *error gets err, code and words for what LMDB or the system said. */
err checkpoint_fail(struct error *error, int code, const char *operation, const char *path);
err checkpoint_corrupt(const struct checkpoint *checkpoint, enum checkpoint_table table,
                       const char *what, struct error *error);
/* Remembers the first failure; error must not be NULL. Under the lock. */
err checkpoint_poison(struct checkpoint *checkpoint, struct error *error);
/* Under the lock. */
err checkpoint_writable(struct checkpoint *checkpoint, struct error *error) MUST_USE;
/* Sets checkpoint->env and the tables. */
err checkpoint_open_env(struct checkpoint *checkpoint, struct error *error) MUST_USE;
const char *checkpoint_table_name(enum checkpoint_table table);

/* ---- checkpoint_rows.c; those that return int give LMDB's code ------------------------------- */

/* Replaces. */
int checkpoint_row_put(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key,
                       struct slice value);
/* Fine when absent. */
int checkpoint_row_delete(struct checkpoint_txn *txn, enum checkpoint_table table,
                          struct slice key);
/* Before every end of a transaction. */
void checkpoint_cursors_close(struct checkpoint_txn *txn);
/* ERR_NOT_FOUND when absent, error untouched. */
err checkpoint_row_get(const struct checkpoint *checkpoint, MDB_txn *txn,
                       enum checkpoint_table table, struct slice key, struct slice *value,
                       struct error *error) MUST_USE;
/* The next row and what it adds to the sum; ERR_END behind the last. */
err checkpoint_walk_next(struct checkpoint_walk *walk, struct slice *key, struct slice *value,
                         struct error *error) MUST_USE;

/* Sets applied_sequence; every table must have as many rows as were written. */
err checkpoint_state_read(struct checkpoint *checkpoint, MDB_txn *txn,
                          struct error *error) MUST_USE;
err checkpoint_applied_read(const struct checkpoint *checkpoint, MDB_txn *txn, uint64_t *sequence,
                            struct error *error) MUST_USE;
/* Last in a transaction: what it writes counts, too. */
int checkpoint_state_write(struct checkpoint_txn *txn, uint64_t applied_sequence);
/* What the tables add up to, as it was written down; *known is false in a file of an older
 * version. */
err checkpoint_sums_read(const struct checkpoint *checkpoint, MDB_txn *txn,
                         uint64_t sums[TABLE_COUNT], bool *known, struct error *error) MUST_USE;
/* The same for a transaction that is going to change them; an older version's are added up here. */
err checkpoint_sums_begin(struct checkpoint_txn *txn, struct error *error) MUST_USE;

#endif
