/* Writing the tables anew, so that no deleted byte is left.
 *
 * LMDB's own compacting copy promises to leave out free pages. A used page, too, keeps bytes of
 * deleted entries, in the gap between its pointers and its data; that the copy of 0.9.24 drops them
 * is not promised. So the entries are read and appended to a new file, which never held anything
 * else. Then: sync it, rename it over, sync the folder, open it. A crash leaves the old file or the
 * new one, both whole; new.mdb is removed at open.
 *
 * A new file counts its transactions from 1 again, which the lock file of another process would not
 * know: the data folder's lock keeps other processes out. */
#include <errno.h>

#include "checkpoint_guard.h"
#include "checkpoint_internal.h"

enum { TXN_BYTES_MAX = 64 * 1024 * 1024 };

struct copying {
    struct checkpoint *checkpoint;
    MDB_env *to;
    MDB_txn *txn;
    MDB_dbi table;
    size_t txn_bytes;
};

/* One table; values are copied as they are stored, checksum included. */
static int copy_table(struct copying *copying, MDB_txn *from, enum checkpoint_table table)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int code =
        mdb_dbi_open(copying->txn, checkpoint_table_name(table), MDB_CREATE, &copying->table);
    if (code == 0) {
        code = mdb_cursor_open(from, copying->checkpoint->tables[table], &cursor);
    }
    if (code != 0) {
        return code;
    }
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (copying->txn_bytes > TXN_BYTES_MAX) {
            code = mdb_txn_commit(copying->txn);
            copying->txn = NULL;
            copying->txn_bytes = 0;
            if (code != 0 || (code = mdb_txn_begin(copying->to, NULL, 0, &copying->txn)) != 0) {
                break;
            }
        }
        copying->txn_bytes += key.mv_size + value.mv_size;
        code = mdb_put(copying->txn, copying->table, &key, &value, MDB_APPEND);
        if (code != 0) {
            break;
        }
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int copy_tables(struct copying *copying)
{
    MDB_txn *from;
    int code = mdb_txn_begin(copying->checkpoint->env, NULL, MDB_RDONLY, &from);
    if (code != 0) {
        return code;
    }
    code = mdb_txn_begin(copying->to, NULL, 0, &copying->txn);
    for (size_t i = 0; i < TABLE_COUNT && code == 0; i++) {
        code = copy_table(copying, from, (enum checkpoint_table)i);
    }
    if (code == 0) {
        code = mdb_txn_commit(copying->txn);
    } else if (copying->txn != NULL) {
        mdb_txn_abort(copying->txn);
    }
    mdb_txn_abort(from);
    return code;
}

/* Nobody reads the new file before it is whole and synced, so its commits need not sync one by
 * one. */
static int write_copy(struct checkpoint *checkpoint)
{
    struct copying copying = {.checkpoint = checkpoint};
    MDB_envinfo info;
    (void)mdb_env_info(checkpoint->env, &info);
    int code = mdb_env_create(&copying.to);
    if (code != 0) {
        return code;
    }
    const char *outer = checkpoint_guard_enter(checkpoint->data_path);
    if ((code = mdb_env_set_maxdbs(copying.to, TABLE_COUNT)) == 0 &&
        (code = mdb_env_set_mapsize(copying.to, info.me_mapsize)) == 0 &&
        (code = mdb_env_open(copying.to, checkpoint->new_path,
                             MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_NOSYNC, 0600)) == 0) {
        code = copy_tables(&copying);
    }
    if (code == 0) {
        code = mdb_env_sync(copying.to, 1);
    }
    checkpoint_guard_leave(outer);
    mdb_env_close(copying.to);
    return code;
}

/* From the rename on there is no way back: a failure is final. */
static err put_in_place(struct checkpoint *checkpoint, struct error *error)
{
    const struct file_system *files = &file_system_posix;
    mdb_env_close(checkpoint->env);
    checkpoint->env = NULL;
    err e = files->rename(files->context, checkpoint->new_path, checkpoint->data_path, error);
    if (e == ERR_OK) {
        e = files->sync_directory(files->context, checkpoint->directory, error);
    }
    if (e == ERR_OK) {
        e = checkpoint_open_env(checkpoint, error);
    }
    return e == ERR_OK ? ERR_OK : checkpoint_poison(checkpoint, error);
}

err checkpoint_scrub(struct checkpoint *checkpoint, struct error *error)
{
    struct error local;
    error = error != NULL ? error : &local;
    pthread_mutex_lock(&checkpoint->lock);
    CHECK(checkpoint->snapshots == 0 && !checkpoint->writing);
    err e = checkpoint_writable(checkpoint, error);
    if (e == ERR_OK) {
        /* One left by a scrub that failed would be added to. */
        e = file_system_posix.remove(NULL, checkpoint->new_path, error);
        e = e == ERR_NOT_FOUND ? ERR_OK : e;
    }
    if (e == ERR_OK) {
        int code = write_copy(checkpoint);
        if (code != 0) {
            struct error ignored; /* what stays is removed at open */
            (void)!file_system_posix.remove(NULL, checkpoint->new_path, &ignored);
            e = checkpoint_fail(error, code, "scrub", checkpoint->data_path);
            e = code == EIO ? checkpoint_poison(checkpoint, error) : e;
        } else {
            e = put_in_place(checkpoint, error);
        }
    }
    pthread_mutex_unlock(&checkpoint->lock);
    return e;
}
