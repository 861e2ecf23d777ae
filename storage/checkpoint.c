/* LMDB behind checkpoint.h.
 *
 *   directory/data.mdb   the tables        directory/lock.mdb   LMDB's own; holds no data
 *   directory/new.mdb    a first creation or a scrub under way; removed at open
 *
 * LMDB writes a new file's first pages without syncing them, so a crash could leave a data.mdb that
 * is neither new nor whole. Therefore it begins as new.mdb and gets its name when it is durable.
 *
 * LMDB has no checksums: checkpoint_rows.c has ours, for each value and over each table. Damage to
 * what is stored is found when it is read. Damage to LMDB's pages may lead LMDB astray;
 * checkpoint_guard.c sees to it that this has a name.
 *
 * ---- The map ----------------------------------------------------------------------------------
 *
 *   LMDB maps the file into a fixed piece of address space, which may only be changed while nobody
 *   is inside. Rule: it is changed in checkpoint_begin, while no snapshot is open, to at least
 *   twice the pages in use. A transaction that needs even more gets ERR_BUSY "map_full" from a put:
 *   abort, begin (which doubles the map), do it again.
 *
 * ---- Failure ----------------------------------------------------------------------------------
 *
 *   A commit that failed is fail-stop, because LMDB forgets that its sync failed and would go on. A
 *   full disk is not: the transaction is gone, the file is as before (LMDB never writes over pages
 *   that the last commit uses), and the log has everything; commit again later. LMDB says EIO when
 *   a write came back short, so then the disk's free space is looked at. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/memory.h"
#include "checkpoint_guard.h"
#include "checkpoint_internal.h"

enum { KEY_BYTES_MAX = 511 };
static const uint64_t MAP_BYTES_DEFAULT = 1024ull * 1024 * 1024;
static const uint64_t SPACE_LEFT_LEAST = 16ull * 1024 * 1024;

/* Stored. */
static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",         [TABLE_PROFILES] = "profiles",     [TABLE_PARENTS] = "parents",
    [TABLE_NAMES] = "names",       [TABLE_PHRASES] = "phrases",       [TABLE_HISTORY] = "history",
    [TABLE_COHORTS] = "cohorts",   [TABLE_MEMBERS] = "members",       [TABLE_RECEIPTS] = "receipts",
    [TABLE_MESSAGES] = "messages", [TABLE_QUARANTINE] = "quarantine", [TABLE_ERASURES] = "erasures",
};
struct checkpoint_snapshot {
    struct checkpoint *checkpoint;
    MDB_txn *txn;
    uint64_t sequence;
    uint64_t sums[TABLE_COUNT]; /* as the last commit wrote them down */
    bool sums_known;
};

const char *checkpoint_table_name(enum checkpoint_table table)
{
    return table_names[table];
}

/* ---- errors ---------------------------------------------------------------------------------- */

err checkpoint_fail(struct error *error, int code, const char *operation, const char *path)
{
    switch (code) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return error_set(error, ERR_BUSY, "map_full", 0,
                         "%s %s: the transaction outgrew the map: abort it and begin again",
                         operation, path);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_NOTFOUND:
    case MDB_INCOMPATIBLE:
        return error_set(
            error, ERR_CORRUPT, "checkpoint_corrupt", 0,
            "%s %s: %s. Stop, move this folder away and start again: it is rebuilt from the log",
            operation, path, mdb_strerror(code));
    case MDB_READERS_FULL:
        return error_set(error, ERR_BUSY, "busy", 0, "%s %s: too many snapshots are open",
                         operation, path);
    default:
        if (code > 0) {
            return error_set_errno(error, code, operation, path);
        }
        return error_set(error, ERR_IO, "io", 0, "%s %s: %s", operation, path, mdb_strerror(code));
    }
}

static err out_of_memory(struct error *error)
{
    return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for the checkpoint");
}

err checkpoint_corrupt(const struct checkpoint *checkpoint, enum checkpoint_table table,
                       const char *what, struct error *error)
{
    return error_set(
        error, ERR_CORRUPT, "checkpoint_corrupt", 0,
        "%s, table %s: %s. Stop, move this folder away and start again: it is rebuilt from the log",
        checkpoint->data_path, table_names[table], what);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* A file without any table is new. In any other, all of them must be there: making the missing one
 * would hide that its rows are gone. */
static int find_tables(struct checkpoint *checkpoint, MDB_txn *txn, bool *is_new, size_t *missing)
{
    MDB_dbi names = 0;
    MDB_stat stat = {0};
    int code = mdb_dbi_open(txn, NULL, 0, &names);
    if (code == 0) {
        code = mdb_stat(txn, names, &stat);
    }
    *is_new = stat.ms_entries == 0 && !checkpoint->read_only;
    for (size_t i = 0; i < TABLE_COUNT && code == 0; i++) {
        *missing = i;
        code = mdb_dbi_open(txn, table_names[i], *is_new ? MDB_CREATE : 0, &checkpoint->tables[i]);
    }
    return code;
}

/* Makes or finds the tables and reads the state, in one transaction. */
static err open_tables(struct checkpoint *checkpoint, struct error *error)
{
    MDB_txn *txn;
    bool is_new = false;
    size_t missing = 0;
    err e = ERR_OK;
    int code = mdb_txn_begin(checkpoint->env, NULL, checkpoint->read_only ? MDB_RDONLY : 0, &txn);
    if (code != 0) {
        return checkpoint_fail(error, code, "open", checkpoint->data_path);
    }
    code = find_tables(checkpoint, txn, &is_new, &missing);
    if (code == MDB_NOTFOUND) {
        e = checkpoint_corrupt(checkpoint, (enum checkpoint_table)missing, "it is missing", error);
    } else if (code == 0 && is_new) {
        struct checkpoint_txn first = {.checkpoint = checkpoint, .txn = txn};
        code = checkpoint_state_write(&first, 0);
        checkpoint_cursors_close(&first);
    } else if (code == 0) {
        e = checkpoint_state_read(checkpoint, txn, error);
    }
    if (e != ERR_OK || code != 0) {
        mdb_txn_abort(txn);
        return e != ERR_OK ? e : checkpoint_fail(error, code, "open", checkpoint->data_path);
    }
    code = mdb_txn_commit(txn); /* of a read-only one: keeps the table handles */
    return code == 0 ? ERR_OK : checkpoint_fail(error, code, "open", checkpoint->data_path);
}

/* Are pages first to last all in LMDB's list of free pages (its table 0: transaction ─▶ count, page numbers)? */
static bool pages_are_free(struct checkpoint *checkpoint, uint64_t first, uint64_t last)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    uint64_t found = 0;
    if (mdb_txn_begin(checkpoint->env, NULL, MDB_RDONLY, &txn) != 0) {
        return false;
    }
    int code = mdb_cursor_open(txn, 0, &cursor);
    if (code == 0) {
        while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
            for (size_t at = sizeof(size_t); at + sizeof(size_t) <= value.mv_size;
                 at += sizeof(size_t)) {
                size_t page;
                memcpy(&page, (const char *)value.mv_data + at, sizeof page);
                found += page >= first && page <= last;
            }
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return code == MDB_NOTFOUND && found == last - first + 1;
}

static err set_size(const char *path, uint64_t bytes, struct error *error)
{
    const struct file_system *files = &file_system_posix;
    struct file *file = NULL;
    err e = files->open(files->context, path, FILE_WRITE, &file, error);
    if (e == ERR_OK) {
        e = files->truncate(files->context, file, bytes, error);
        files->close(files->context, file);
    }
    return e;
}

/* LMDB would run into SIGBUS on pages the file does not have. It may leave out pages at the end,
 * though, that it took and gave back within one transaction: those are free, and the file gets its
 * length. Any other short file was cut. */
static err check_size(struct checkpoint *checkpoint, struct error *error)
{
    MDB_envinfo info;
    MDB_stat stat_of_env;
    struct stat file;
    (void)mdb_env_info(checkpoint->env, &info);
    (void)mdb_env_stat(checkpoint->env, &stat_of_env);
    if (stat(checkpoint->data_path, &file) != 0) {
        return error_set_errno(error, errno, "look at", checkpoint->data_path);
    }
    /* The first two pages are there even when nothing was committed yet. */
    uint64_t size = (uint64_t)file.st_size;
    uint64_t needed = ((uint64_t)info.me_last_pgno + 1) * stat_of_env.ms_psize;
    if (size >= needed) {
        return ERR_OK;
    }
    err e = checkpoint->read_only ? ERR_OK : set_size(checkpoint->data_path, needed, error);
    if (e != ERR_OK ||
        (!checkpoint->read_only &&
         pages_are_free(checkpoint, size / stat_of_env.ms_psize, info.me_last_pgno))) {
        return e;
    }
    if (!checkpoint->read_only && (e = set_size(checkpoint->data_path, size, error)) != ERR_OK) {
        return e;
    }
    return checkpoint_corrupt(checkpoint, TABLE_META, "the file is shorter than its pages", error);
}

static uint64_t used_bytes(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat_of_env;
    (void)mdb_env_info(env, &info);
    (void)mdb_env_stat(env, &stat_of_env);
    return ((uint64_t)info.me_last_pgno + 1) * stat_of_env.ms_psize;
}

/* A map that holds so many bytes twice. */
static uint64_t map_for(const struct checkpoint *checkpoint, uint64_t used)
{
    uint64_t bytes = checkpoint->map_bytes_least;
    while (bytes < used * 2) {
        bytes *= 2;
    }
    return bytes;
}

/* Opens `path`, a folder or (MDB_NOSUBDIR) a file. */
static err open_env_at(struct checkpoint *checkpoint, const char *path, uint64_t map_bytes,
                       unsigned flags, struct error *error)
{
    MDB_env *env;
    int code = mdb_env_create(&env);
    if (code != 0) {
        return checkpoint_fail(error, code, "open", path);
    }
    checkpoint->env = env;
    checkpoint_guard_assertions(env);
    const char *outer = checkpoint_guard_enter(checkpoint->data_path);
    if ((code = mdb_env_set_maxdbs(env, TABLE_COUNT)) == 0 &&
        (code = mdb_env_set_mapsize(env, map_bytes)) == 0) {
        /* MDB_NOTLS: a snapshot belongs to whoever holds it, not to a thread. Read-ahead stays on:
         * what is read here is read from end to end. */
        code = mdb_env_open(env, path, MDB_NOTLS | flags, 0600);
    }
    err e = code == 0 ? ERR_OK : checkpoint_fail(error, code, "open", path);
    if (e == ERR_OK && (flags & MDB_NOSUBDIR) == 0) {
        e = check_size(checkpoint, error);
    }
    if (e == ERR_OK) {
        e = open_tables(checkpoint, error);
    }
    checkpoint_guard_leave(outer);
    if (e != ERR_OK) {
        mdb_env_close(env);
        checkpoint->env = NULL;
    }
    return e;
}

err checkpoint_open_env(struct checkpoint *checkpoint, struct error *error)
{
    struct stat file;
    uint64_t size = stat(checkpoint->data_path, &file) == 0 ? (uint64_t)file.st_size : 0;
    return open_env_at(checkpoint, checkpoint->directory, map_for(checkpoint, size),
                       checkpoint->read_only ? MDB_RDONLY : 0, error);
}

static err make_data_file(struct checkpoint *checkpoint, struct error *error)
{
    const struct file_system *files = &file_system_posix;
    err e = open_env_at(checkpoint, checkpoint->new_path, checkpoint->map_bytes_least,
                        MDB_NOSUBDIR | MDB_NOLOCK, error);
    if (e != ERR_OK) {
        return e;
    }
    mdb_env_close(checkpoint->env);
    checkpoint->env = NULL;
    return files->rename(files->context, checkpoint->new_path, checkpoint->data_path, error);
}

static char *join(const char *directory, const char *name)
{
    size_t bytes = strlen(directory) + strlen(name) + 2;
    char *path = memory_alloc(bytes);
    if (path != NULL) {
        snprintf(path, bytes, "%s/%s", directory, name);
    }
    return path;
}

/* The names in the folder and the folder's own. */
static err sync_names(struct checkpoint *checkpoint, struct error *error)
{
    const struct file_system *files = &file_system_posix;
    char *parent = join(checkpoint->directory, "..");
    if (parent == NULL) {
        return out_of_memory(error);
    }
    err e = files->sync_directory(files->context, checkpoint->directory, error);
    if (e == ERR_OK) {
        e = files->sync_directory(files->context, parent, error);
    }
    memory_free(parent);
    return e;
}

static err remove_leftover(struct checkpoint *checkpoint, struct error *error)
{
    err e = file_system_posix.remove(NULL, checkpoint->new_path, error);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err prepare_folder(struct checkpoint *checkpoint, const char *directory, struct error *error)
{
    struct stat file;
    err e = file_system_posix.make_directory(NULL, directory, error);
    if (e == ERR_OK) {
        e = remove_leftover(checkpoint, error);
    }
    if (e == ERR_OK && stat(checkpoint->data_path, &file) != 0) {
        e = errno == ENOENT ? make_data_file(checkpoint, error)
                            : error_set_errno(error, errno, "look at", checkpoint->data_path);
    }
    return e;
}

err checkpoint_open(const struct checkpoint_options *options, struct checkpoint **out,
                    struct error *error)
{
    struct checkpoint *checkpoint = memory_zalloc(sizeof *checkpoint);
    if (checkpoint == NULL) {
        return out_of_memory(error);
    }
    CHECK(pthread_mutex_init(&checkpoint->lock, NULL) == 0);
    checkpoint->read_only = options->read_only;
    checkpoint->map_bytes_least = options->map_bytes != 0 ? options->map_bytes : MAP_BYTES_DEFAULT;
    checkpoint->directory = join(options->directory, "");
    checkpoint->data_path = join(options->directory, "data.mdb");
    checkpoint->new_path = join(options->directory, "new.mdb");
    err e = ERR_OK;
    if (checkpoint->directory == NULL || checkpoint->data_path == NULL ||
        checkpoint->new_path == NULL) {
        e = out_of_memory(error);
    }
    if (e == ERR_OK && !options->read_only) {
        e = prepare_folder(checkpoint, options->directory, error);
    }
    if (e == ERR_OK) {
        e = checkpoint_open_env(checkpoint, error);
    }
    if (e == ERR_OK && !options->read_only) {
        e = sync_names(checkpoint, error);
    }
    if (e != ERR_OK) {
        checkpoint_close(checkpoint);
        return e;
    }
    *out = checkpoint;
    return ERR_OK;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (checkpoint == NULL) {
        return;
    }
    CHECK(checkpoint->snapshots == 0 && !checkpoint->writing);
    if (checkpoint->env != NULL) {
        mdb_env_close(checkpoint->env);
    }
    pthread_mutex_destroy(&checkpoint->lock);
    memory_free(checkpoint->directory);
    memory_free(checkpoint->data_path);
    memory_free(checkpoint->new_path);
    memory_free(checkpoint);
}

uint64_t checkpoint_applied_sequence(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->lock);
    uint64_t sequence = checkpoint->applied_sequence;
    pthread_mutex_unlock(&checkpoint->lock);
    return sequence;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The first failure stays, and is what everybody gets from then on. Under the lock. */
err checkpoint_poison(struct checkpoint *checkpoint, struct error *error)
{
    if (checkpoint->failure.err == ERR_OK) {
        checkpoint->failure = *error;
    }
    *error = checkpoint->failure;
    return error->err;
}

err checkpoint_writable(struct checkpoint *checkpoint, struct error *error)
{
    if (checkpoint->failure.err != ERR_OK) {
        if (error != NULL) {
            *error = checkpoint->failure;
        }
        return checkpoint->failure.err;
    }
    if (checkpoint->read_only) {
        return error_set(error, ERR_DENIED, "read_only", 0,
                         "the checkpoint was opened for reading only");
    }
    return ERR_OK;
}

/* Under the lock, with no transaction open. */
static err make_room(struct checkpoint *checkpoint, struct error *error)
{
    MDB_envinfo info;
    (void)mdb_env_info(checkpoint->env, &info);
    uint64_t want = map_for(checkpoint, used_bytes(checkpoint->env));
    if (checkpoint->map_was_full && want < info.me_mapsize * 2) {
        want = info.me_mapsize * 2;
    }
    if (want <= info.me_mapsize) {
        return ERR_OK;
    }
    if (checkpoint->snapshots > 0) {
        /* Half of the map is still free, unless a transaction has already run into its end. */
        return checkpoint->map_was_full
                   ? error_set(
                         error, ERR_BUSY, "busy", 0,
                         "the checkpoint's map must grow, which waits for its snapshots to end")
                   : ERR_OK;
    }
    int code = mdb_env_set_mapsize(checkpoint->env, want);
    if (code != 0) {
        return checkpoint_fail(error, code, "grow the map of", checkpoint->data_path);
    }
    checkpoint->map_was_full = false;
    return ERR_OK;
}

err checkpoint_begin(struct checkpoint *checkpoint, struct checkpoint_txn **out,
                     struct error *error)
{
    struct checkpoint_txn *txn = memory_zalloc(sizeof *txn);
    if (txn == NULL) {
        return out_of_memory(error);
    }
    txn->checkpoint = checkpoint;
    const char *outer = checkpoint_guard_enter(checkpoint->data_path);
    pthread_mutex_lock(&checkpoint->lock);
    CHECK(!checkpoint->writing);
    err e = checkpoint_writable(checkpoint, error);
    if (e == ERR_OK) {
        e = make_room(checkpoint, error);
    }
    checkpoint->writing = e == ERR_OK;
    pthread_mutex_unlock(&checkpoint->lock);
    /* Not under the lock: LMDB takes its writer's lock here and keeps it, and ours is taken while
     * it does. */
    if (e == ERR_OK) {
        int code = mdb_txn_begin(checkpoint->env, NULL, 0, &txn->txn);
        if (code != 0) {
            e = checkpoint_fail(error, code, "begin in", checkpoint->data_path);
            pthread_mutex_lock(&checkpoint->lock);
            checkpoint->writing = false;
            pthread_mutex_unlock(&checkpoint->lock);
        }
    }
    if (e != ERR_OK) {
        memory_free(txn);
    } else if ((e = checkpoint_sums_begin(txn, error)) != ERR_OK) {
        checkpoint_abort(txn);
    } else {
        *out = txn;
    }
    checkpoint_guard_leave(outer);
    return e;
}

/* What every change ends with. */
static err changed(struct checkpoint_txn *txn, int code, struct error *error)
{
    if (code == 0) {
        return ERR_OK;
    }
    struct checkpoint *checkpoint = txn->checkpoint;
    txn->failed = true;
    if (code == MDB_MAP_FULL || code == MDB_TXN_FULL) {
        pthread_mutex_lock(&checkpoint->lock);
        checkpoint->map_was_full = true;
        pthread_mutex_unlock(&checkpoint->lock);
    }
    return checkpoint_fail(error, code, "write", checkpoint->data_path);
}

err checkpoint_put(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key,
                   struct slice value, struct error *error)
{
    CHECK(table < TABLE_COUNT && key.length > 0 && key.length <= KEY_BYTES_MAX);
    CHECK(table != TABLE_META || key.data[0] != '.');
    const char *outer = checkpoint_guard_enter(txn->checkpoint->data_path);
    int code = checkpoint_row_put(txn, table, key, value);
    checkpoint_guard_leave(outer);
    return changed(txn, code, error);
}

err checkpoint_delete(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key,
                      struct error *error)
{
    CHECK(table < TABLE_COUNT && key.length > 0 && key.length <= KEY_BYTES_MAX);
    const char *outer = checkpoint_guard_enter(txn->checkpoint->data_path);
    int code = checkpoint_row_delete(txn, table, key);
    checkpoint_guard_leave(outer);
    return changed(txn, code, error);
}

err checkpoint_clear(struct checkpoint_txn *txn, enum checkpoint_table table, struct error *error)
{
    CHECK(table < TABLE_COUNT);
    CHECK(table != TABLE_META); /* ours would go, too */
    const char *outer = checkpoint_guard_enter(txn->checkpoint->data_path);
    int code = mdb_drop(txn->txn, txn->checkpoint->tables[table], 0);
    txn->sums[table] = 0;
    checkpoint_guard_leave(outer);
    return changed(txn, code, error);
}

/* LMDB reports a write that came back short as EIO, and a nearly full disk makes short writes. */
static bool disk_is_full(const struct checkpoint *checkpoint, int code)
{
    struct statvfs space;
    if (code == ENOSPC || code == EDQUOT) {
        return true;
    }
    return code == EIO && statvfs(checkpoint->directory, &space) == 0 &&
           (uint64_t)space.f_bavail * space.f_frsize < SPACE_LEFT_LEAST;
}

static err end_commit(struct checkpoint *checkpoint, int code, uint64_t applied_sequence,
                      struct error *error)
{
    struct error local;
    error = error != NULL ? error : &local;
    if (code == 0) {
        checkpoint->applied_sequence = applied_sequence;
        return ERR_OK;
    }
    if (disk_is_full(checkpoint, code)) {
        return checkpoint_fail(error, ENOSPC, "commit to", checkpoint->data_path);
    }
    err e = checkpoint_fail(error, code, "commit to", checkpoint->data_path);
    if (code == MDB_MAP_FULL) {
        checkpoint->map_was_full =
            true; /* the list of free pages did not fit: nothing was written */
        return e;
    }
    return checkpoint_poison(checkpoint, error);
}

err checkpoint_commit(struct checkpoint_txn *txn, uint64_t applied_sequence, struct error *error)
{
    struct checkpoint *checkpoint = txn->checkpoint;
    CHECK(!txn->failed);
    CHECK(applied_sequence >= checkpoint->applied_sequence);
    const char *outer = checkpoint_guard_enter(checkpoint->data_path);
    int code = checkpoint_state_write(txn, applied_sequence);
    if (code != 0) {
        err e = changed(txn, code, error);
        checkpoint_abort(txn);
        checkpoint_guard_leave(outer);
        return e;
    }
    /* Not under the lock: it takes a disk's time, and others only ask for numbers. */
    checkpoint_cursors_close(txn);
    code = mdb_txn_commit(txn->txn);
    checkpoint_guard_leave(outer);
    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->writing = false;
    err e = end_commit(checkpoint, code, applied_sequence, error);
    pthread_mutex_unlock(&checkpoint->lock);
    memory_free(txn);
    return e;
}

void checkpoint_abort(struct checkpoint_txn *txn)
{
    if (txn != NULL) {
        checkpoint_cursors_close(txn);
        mdb_txn_abort(txn->txn);
        pthread_mutex_lock(&txn->checkpoint->lock);
        txn->checkpoint->writing = false;
        pthread_mutex_unlock(&txn->checkpoint->lock);
        memory_free(txn);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

err checkpoint_snapshot_begin(struct checkpoint *checkpoint, struct checkpoint_snapshot **out,
                              struct error *error)
{
    struct checkpoint_snapshot *snapshot = memory_zalloc(sizeof *snapshot);
    if (snapshot == NULL) {
        return out_of_memory(error);
    }
    snapshot->checkpoint = checkpoint;
    pthread_mutex_lock(&checkpoint->lock);
    err e = ERR_OK;
    if (checkpoint->env == NULL) {
        e = checkpoint->failure.err;
        if (error != NULL) {
            *error = checkpoint->failure;
        }
    } else {
        const char *outer = checkpoint_guard_enter(checkpoint->data_path);
        int code = mdb_txn_begin(checkpoint->env, NULL, MDB_RDONLY, &snapshot->txn);
        checkpoint_guard_leave(outer);
        e = code == 0 ? ERR_OK : checkpoint_fail(error, code, "read", checkpoint->data_path);
    }
    checkpoint->snapshots += e == ERR_OK;
    pthread_mutex_unlock(&checkpoint->lock);
    if (e != ERR_OK) {
        memory_free(snapshot);
        return e;
    }
    e = checkpoint_applied_read(checkpoint, snapshot->txn, &snapshot->sequence, error);
    if (e == ERR_OK) {
        e = checkpoint_sums_read(checkpoint, snapshot->txn, snapshot->sums, &snapshot->sums_known,
                                 error);
    }
    if (e != ERR_OK) {
        checkpoint_snapshot_end(snapshot);
        return e;
    }
    *out = snapshot;
    return ERR_OK;
}

void checkpoint_snapshot_end(struct checkpoint_snapshot *snapshot)
{
    if (snapshot != NULL) {
        pthread_mutex_lock(&snapshot->checkpoint->lock);
        mdb_txn_abort(snapshot->txn);
        snapshot->checkpoint->snapshots--;
        pthread_mutex_unlock(&snapshot->checkpoint->lock);
        memory_free(snapshot);
    }
}

uint64_t checkpoint_snapshot_sequence(struct checkpoint_snapshot *snapshot)
{
    return snapshot->sequence;
}

/* At the end of a table: are these the rows that the last commit left there, and all of them? */
static err check_walk(const struct checkpoint_snapshot *snapshot,
                      const struct checkpoint_walk *walk, struct error *error)
{
    const struct checkpoint *checkpoint = snapshot->checkpoint;
    MDB_stat stat;
    int code = mdb_stat(snapshot->txn, checkpoint->tables[walk->table], &stat);
    if (code != 0) {
        return checkpoint_fail(error, code, "read", checkpoint->data_path);
    }
    if (walk->rows != stat.ms_entries) {
        return checkpoint_corrupt(checkpoint, walk->table, "entries are missing", error);
    }
    return !snapshot->sums_known || walk->sum == snapshot->sums[walk->table]
               ? ERR_OK
               : checkpoint_corrupt(checkpoint, walk->table, "some of its rows are older ones",
                                    error);
}

err checkpoint_scan(struct checkpoint_snapshot *snapshot, enum checkpoint_table table,
                    checkpoint_visit visit, void *context, struct error *error)
{
    struct checkpoint *checkpoint = snapshot->checkpoint;
    struct checkpoint_walk walk = {.checkpoint = checkpoint, .table = table};
    struct slice key;
    struct slice value;
    CHECK(table < TABLE_COUNT);
    int code = mdb_cursor_open(snapshot->txn, checkpoint->tables[table], &walk.cursor);
    if (code != 0) {
        return checkpoint_fail(error, code, "read", checkpoint->data_path);
    }
    err e = ERR_OK;
    while (e == ERR_OK && (e = checkpoint_walk_next(&walk, &key, &value, error)) == ERR_OK) {
        if (table != TABLE_META || key.data[0] != '.') { /* ours */
            e = visit(context, key, value);
        }
    }
    mdb_cursor_close(walk.cursor);
    return walk.ended ? check_walk(snapshot, &walk, error) : e;
}

err checkpoint_get(struct checkpoint_snapshot *snapshot, enum checkpoint_table table,
                   struct slice key, struct slice *value, struct error *error)
{
    CHECK(table < TABLE_COUNT && key.length > 0 && key.length <= KEY_BYTES_MAX);
    return checkpoint_row_get(snapshot->checkpoint, snapshot->txn, table, key, value, error);
}

uint64_t checkpoint_count(struct checkpoint_snapshot *snapshot, enum checkpoint_table table)
{
    MDB_stat stat;
    CHECK(table < TABLE_COUNT);
    if (mdb_stat(snapshot->txn, snapshot->checkpoint->tables[table], &stat) != 0) {
        return 0;
    }
    /* Ours do not count: version, sequence and (not in a file of version 1) sizes. */
    const uint64_t ours = stat.ms_entries < 3 ? stat.ms_entries : 3;
    return stat.ms_entries - (table == TABLE_META ? ours : 0);
}
