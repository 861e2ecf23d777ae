/* checkpoint_internal.h: what checkpoint.c and checkpoint_scrub.c share. */
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

/* *error gets err, code and words for what LMDB or the system said. */
err checkpoint_fail(struct error *error, int code, const char *operation, const char *path);
/* Remembers the first failure; error must not be NULL. Under the lock. */
err checkpoint_poison(struct checkpoint *checkpoint, struct error *error);
/* Under the lock. */
err checkpoint_writable(struct checkpoint *checkpoint, struct error *error) MUST_USE;
/* Sets checkpoint->env and the tables. */
err checkpoint_open_env(struct checkpoint *checkpoint, struct error *error) MUST_USE;
const char *checkpoint_table_name(enum checkpoint_table table);

#endif
