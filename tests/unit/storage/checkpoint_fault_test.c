/* Tries to get a crash, a leak, half a commit or a silent success out of the checkpoint when LMDB,
 * the system or memory fails, at each call there is; and to get a file past it whose own rows are
 * not what a checkpoint writes. */
#include <dlfcn.h>
#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "storage/checkpoint.h"
#include "support.h"
#include "unit/failing_memory.h"
#include "unit/test.h"

/* ---- LMDB's calls: these definitions come before the library's ------------------------------- */

static struct {
    unsigned calls;
    unsigned at; /* 0: never */
    int with;
    bool hit;
} lmdb_fault;

static bool lmdb_fails(void)
{
    lmdb_fault.calls++;
    if (lmdb_fault.at == 0 || lmdb_fault.calls != lmdb_fault.at) {
        return false;
    }
    lmdb_fault.hit = true;
    return true;
}

/* The library's own, by name. */
#define REAL(name)     ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))
#define FAILS_OR(call) return lmdb_fails() ? lmdb_fault.with : (call)

int mdb_env_create(MDB_env **env)
{
    FAILS_OR(REAL(mdb_env_create)(env));
}
int mdb_env_set_maxdbs(MDB_env *env, MDB_dbi dbs)
{
    FAILS_OR(REAL(mdb_env_set_maxdbs)(env, dbs));
}
int mdb_env_set_mapsize(MDB_env *env, size_t size)
{
    FAILS_OR(REAL(mdb_env_set_mapsize)(env, size));
}
int mdb_env_open(MDB_env *env, const char *path, unsigned int flags, mdb_mode_t mode)
{
    FAILS_OR(REAL(mdb_env_open)(env, path, flags, mode));
}
int mdb_env_sync(MDB_env *env, int force)
{
    FAILS_OR(REAL(mdb_env_sync)(env, force));
}
int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned int flags, MDB_txn **txn)
{
    FAILS_OR(REAL(mdb_txn_begin)(env, parent, flags, txn));
}
int mdb_txn_commit(MDB_txn *txn)
{
    if (lmdb_fails()) { /* a failed commit has freed the transaction */
        REAL(mdb_txn_abort)(txn);
        return lmdb_fault.with;
    }
    return REAL(mdb_txn_commit)(txn);
}
int mdb_dbi_open(MDB_txn *txn, const char *name, unsigned int flags, MDB_dbi *dbi)
{
    FAILS_OR(REAL(mdb_dbi_open)(txn, name, flags, dbi));
}
int mdb_stat(MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat)
{
    FAILS_OR(REAL(mdb_stat)(txn, dbi, stat));
}
int mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
    FAILS_OR(REAL(mdb_get)(txn, dbi, key, data));
}
int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags)
{
    FAILS_OR(REAL(mdb_put)(txn, dbi, key, data, flags));
}
int mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned int flags)
{
    FAILS_OR(REAL(mdb_cursor_put)(cursor, key, data, flags));
}
int mdb_cursor_del(MDB_cursor *cursor, unsigned int flags)
{
    FAILS_OR(REAL(mdb_cursor_del)(cursor, flags));
}
int mdb_drop(MDB_txn *txn, MDB_dbi dbi, int del)
{
    FAILS_OR(REAL(mdb_drop)(txn, dbi, del));
}
int mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor)
{
    FAILS_OR(REAL(mdb_cursor_open)(txn, dbi, cursor));
}
int mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
{
    FAILS_OR(REAL(mdb_cursor_get)(cursor, key, data, op));
}

/* ---- one life of a checkpoint ---------------------------------------------------------------- */

static struct checkpoint *open_at(const char *folder, bool read_only, struct error *error)
{
    struct checkpoint_options options = {
        .directory = folder, .map_bytes = 1024 * 1024, .read_only = read_only};
    struct checkpoint *checkpoint = NULL;
    return checkpoint_open(&options, &checkpoint, error) == ERR_OK ? checkpoint : NULL;
}

static err put(struct checkpoint_txn *txn, const char *key, const char *value, struct error *error)
{
    return checkpoint_put(txn, TABLE_NAMES, slice_from_cstr(key), slice_from_cstr(value), error);
}

static err count_row(void *context, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(size_t *)context;
    return ERR_OK;
}

/* Writes "a" = value at a sequence, among other things. */
static err commit(struct checkpoint *checkpoint, const char *value, uint64_t sequence,
                  struct error *error)
{
    struct checkpoint_txn *txn = NULL;
    err e = checkpoint_begin(checkpoint, &txn, error);
    if (e != ERR_OK) {
        return e;
    }
    e = checkpoint_clear(txn, TABLE_PROFILES, error);
    if (e == ERR_OK) {
        e = put(txn, "a", value, error);
    }
    if (e == ERR_OK) {
        e = put(txn, "b", "gone", error);
    }
    if (e == ERR_OK) {
        e = checkpoint_delete(txn, TABLE_NAMES, SLICE_LITERAL("b"), error);
    }
    if (e != ERR_OK) {
        checkpoint_abort(txn);
        return e;
    }
    return checkpoint_commit(txn, sequence, error);
}

static err look(struct checkpoint *checkpoint, struct error *error)
{
    struct checkpoint_snapshot *snapshot = NULL;
    struct slice value;
    size_t rows = 0;
    err e = checkpoint_snapshot_begin(checkpoint, &snapshot, error);
    if (e != ERR_OK) {
        return e;
    }
    e = checkpoint_scan(snapshot, TABLE_NAMES, count_row, &rows, error);
    if (e == ERR_OK) {
        EXPECT(rows == 1, " %zu rows", rows);
        e = checkpoint_get(snapshot, TABLE_NAMES, SLICE_LITERAL("a"), &value, error);
    }
    (void)checkpoint_count(snapshot, TABLE_NAMES); /* 0 when it cannot be known */
    checkpoint_snapshot_end(snapshot);
    return e;
}

struct life {
    uint64_t acknowledged; /* 1 before it */
    err err;               /* the first one */
    struct error error;
};

/* Opens, commits 2, looks, scrubs, commits 3, looks, closes; ends at the first failure. */
static void live(const char *folder, struct life *life)
{
    *life = (struct life){.acknowledged = 1};
    struct checkpoint *checkpoint = open_at(folder, false, &life->error);
    if (checkpoint == NULL) {
        life->err = life->error.err;
        return;
    }
    err e = commit(checkpoint, "two", 2, &life->error);
    life->acknowledged = e == ERR_OK ? 2 : life->acknowledged;
    if (e == ERR_OK) {
        e = look(checkpoint, &life->error);
    }
    if (e == ERR_OK) {
        e = checkpoint_scrub(checkpoint, &life->error);
    }
    if (e == ERR_OK) {
        e = commit(checkpoint, "three", 3, &life->error);
        life->acknowledged = e == ERR_OK ? 3 : life->acknowledged;
    }
    if (e == ERR_OK) {
        e = look(checkpoint, &life->error);
    }
    life->err = e;
    if (e != ERR_OK) { /* whatever happened, asking again gives an answer */
        struct error again = {0};
        if (look(checkpoint, &again) == ERR_OK && commit(checkpoint, "four", 4, &again) == ERR_OK) {
            life->acknowledged = 4;
        }
    }
    checkpoint_close(checkpoint);
}

/* All that was acknowledged, or (a commit whose answer was lost) the one after it, and nothing
 * between. */
static void expect_whole(const char *folder, const struct life *life, const char *what, unsigned n)
{
    static const char *const values[] = {"", "one", "two", "three", "four"};
    struct error error = {0};
    struct checkpoint_snapshot *snapshot = NULL;
    struct slice value = SLICE_NONE;
    struct checkpoint *checkpoint = open_at(folder, true, &error);
    REQUIRE(checkpoint != NULL, " %s %u: %s", what, n, error.message);
    const uint64_t sequence = checkpoint_applied_sequence(checkpoint);
    EXPECT(sequence >= life->acknowledged && sequence <= 4, " %s %u: at %u, acknowledged %u", what,
           n, (unsigned)sequence, (unsigned)life->acknowledged);
    if (checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK) {
        EXPECT(checkpoint_get(snapshot, TABLE_NAMES, SLICE_LITERAL("a"), &value, &error) ==
                       ERR_OK &&
                   slice_equal_cstr(value, values[sequence]),
               " %s %u: %.*s at %u", what, n, SLICE_ARGS(value), (unsigned)sequence);
        checkpoint_snapshot_end(snapshot);
    }
    checkpoint_close(checkpoint);
}

static void make_first(const char *folder)
{
    struct error error = {0};
    struct checkpoint *checkpoint = open_at(folder, false, &error);
    CHECK(checkpoint != NULL && commit(checkpoint, "one", 1, &error) == ERR_OK);
    checkpoint_close(checkpoint);
}

static void test_lmdb_fails_at_every_call(void)
{
    static const int codes[] = {EIO,          ENOMEM,           ENOSPC,           EACCES,
                                MDB_PANIC,    MDB_CORRUPTED,    MDB_READERS_FULL, MDB_MAP_FULL,
                                MDB_TXN_FULL, MDB_PAGE_NOTFOUND};
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        for (unsigned n = 1;; n++) {
            char folder[256];
            struct life life;
            snprintf(folder, sizeof folder, "%s", folder_make());
            make_first(folder);
            lmdb_fault.calls = 0;
            lmdb_fault.at = n;
            lmdb_fault.with = codes[i];
            lmdb_fault.hit = false;
            live(folder, &life);
            const bool hit = lmdb_fault.hit;
            lmdb_fault.at = 0;
            if (life.err != ERR_OK) {
                EXPECT(hit && life.error.message[0] != '\0', " call %u, code %d: %s", n, codes[i],
                       err_name(life.err));
            }
            expect_whole(folder, &life, mdb_strerror(codes[i]), n);
            folder_remove(folder);
            if (!hit) {
                EXPECT(life.err == ERR_OK && life.acknowledged == 3 && n > 40, " %u calls", n);
                break;
            }
        }
    }
}

static void test_memory_fails_at_every_call(void)
{
    for (uint64_t n = 1;; n++) {
        char folder[256];
        struct life life;
        snprintf(folder, sizeof folder, "%s", folder_make());
        make_first(folder);
        failing_memory_begin_once(n);
        live(folder, &life);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0, " call %u", (unsigned)n);
        EXPECT(life.err == (end.failed ? ERR_MEMORY : ERR_OK), " call %u: %s", (unsigned)n,
               err_name(life.err));
        expect_whole(folder, &life, "memory", (unsigned)n);
        folder_remove(folder);
        if (!end.failed) {
            break;
        }
    }
}

/* ---- rows that no checkpoint writes ---------------------------------------------------------- */

/* Puts a row into a table behind its back, with a right checksum (or `short_by` bytes of it). value
 * NULL: takes it away. */
static void forge(const char *folder, enum checkpoint_table of, const char *key, const void *value,
                  size_t length, size_t short_by)
{
    char path[300];
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi dbi = 0;
    uint8_t row[256];
    const uint8_t table = (uint8_t)of;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    CHECK(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, TABLE_COUNT) == 0 &&
          mdb_env_open(env, path, MDB_NOSUBDIR, 0600) == 0 &&
          mdb_txn_begin(env, NULL, 0, &txn) == 0 &&
          mdb_dbi_open(txn, of == TABLE_META ? "meta" : "names", 0, &dbi) == 0);
    MDB_val k = {strlen(key), (void *)(uintptr_t)key};
    if (value == NULL) {
        CHECK(mdb_del(txn, dbi, &k, NULL) == 0);
    } else {
        memcpy(row, value, length);
        uint32_t crc = crc32c(crc32c(crc32c(0, &table, 1), key, strlen(key)), value, length);
        store_u32(row + length, crc);
        MDB_val v = {length + 4 - short_by, row};
        CHECK(mdb_put(txn, dbi, &k, &v, 0) == 0);
    }
    CHECK(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
    snprintf(path, sizeof path, "%s/data.mdb-lock", folder);
    (void)remove(path);
}

static const uint8_t zeros[8 * TABLE_COUNT];

static void test_rows_that_no_checkpoint_writes(void)
{
    static const struct {
        const char *key;
        const void *value;
        size_t length, short_by;
        const char *says;
    } cases[] = {
        {".format", NULL, 0, 0, "version is missing"},
        {".format", "\4\0\0\0", 4, 0, "another version"},
        {".format", "\0\0\0\0", 4, 0, "another version"},
        {".format", "\1\0", 2, 0, "another version"},
        {".format", "", 0, 1, "checksum"},
        {".applied_sequence", NULL, 0, 0, "applied sequence is missing"},
        {".applied_sequence", "\1\0\0\0", 4, 0, "applied sequence is missing"},
        {".applied_sequence", "\1\0\0\0\0\0\0\0", 8, 2, "checksum"},
        {".tables", NULL, 0, 0, "sizes are missing"},
        {".tables", "\1\0\0\0\0\0\0\0", 8, 0, "sizes are missing"},
        {".tables", zeros, 8 * TABLE_COUNT, 0, "sizes are missing"}, /* of the version before */
        {"another", "row", 3, 0, "table meta: it has not as many rows"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (int read_only = 0; read_only < 2; read_only++) {
            char folder[256];
            struct error error = {0};
            snprintf(folder, sizeof folder, "%s", folder_make());
            make_first(folder);
            forge(folder, TABLE_META, cases[i].key, cases[i].value, cases[i].length,
                  cases[i].short_by);
            struct checkpoint *checkpoint = open_at(folder, read_only != 0, &error);
            EXPECT(checkpoint == NULL && error.err == ERR_CORRUPT &&
                       strstr(error.message, cases[i].says) != NULL &&
                       strstr(error.message, "data.mdb") != NULL,
                   " case %zu: %s", i, error.message);
            checkpoint_close(checkpoint);
            folder_remove(folder);
        }
    }
}

/* Files of versions 1 (no sizes) and 2 (sizes, no sums) are read, and the next commit makes them
 * version 3: from then on a row that is exchanged for another good one is noticed. */
static void test_older_versions_get_sums(void)
{
    for (uint32_t version = 1; version < 3; version++) {
        char folder[256];
        uint8_t format[4];
        uint8_t sizes[8 * TABLE_COUNT] = {0};
        struct error error = {0};
        snprintf(folder, sizeof folder, "%s", folder_make());
        make_first(folder);
        store_u32(format, version);
        store_u64(sizes + 8 * TABLE_META, 3);
        store_u64(sizes + 8 * TABLE_NAMES, 1);
        forge(folder, TABLE_META, ".format", format, sizeof format, 0);
        forge(folder, TABLE_META, ".tables", version == 1 ? NULL : sizes, sizeof sizes, 0);
        forge(folder, TABLE_NAMES, "a", "other", 5, 0);
        struct checkpoint *checkpoint = open_at(folder, false, &error);
        REQUIRE(checkpoint != NULL, " version %u: %s", version, error.message);
        EXPECT(look(checkpoint, &error) == ERR_OK, " version %u: %s", version, error.message);
        EXPECT(commit(checkpoint, "two", 2, &error) == ERR_OK && look(checkpoint, &error) == ERR_OK,
               " %s", error.message);
        checkpoint_close(checkpoint);
        forge(folder, TABLE_NAMES, "a", "one", 3, 0);
        checkpoint = open_at(folder, false, &error);
        REQUIRE(checkpoint != NULL, " version %u: %s", version, error.message);
        EXPECT(look(checkpoint, &error) == ERR_CORRUPT &&
                   strstr(error.message, "table names: some of its rows are older") != NULL,
               " version %u: %s", version, error.message);
        checkpoint_close(checkpoint);
        folder_remove(folder);
    }
}

/* What a flipped bit in LMDB's own pages does: a table's name is another one, or the table is
 * empty. */
static void test_a_table_that_is_gone(void)
{
    for (int del = 0; del < 2; del++) {
        for (int read_only = 0; read_only < 2; read_only++) {
            char folder[256];
            char path[300];
            MDB_env *env = NULL;
            MDB_txn *txn = NULL;
            MDB_dbi dbi = 0;
            struct error error = {0};
            snprintf(folder, sizeof folder, "%s", folder_make());
            make_first(folder);
            snprintf(path, sizeof path, "%s/data.mdb", folder);
            CHECK(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, TABLE_COUNT) == 0 &&
                  mdb_env_open(env, path, MDB_NOSUBDIR, 0600) == 0 &&
                  mdb_txn_begin(env, NULL, 0, &txn) == 0 &&
                  mdb_dbi_open(txn, "names", 0, &dbi) == 0 && mdb_drop(txn, dbi, del) == 0 &&
                  mdb_txn_commit(txn) == 0);
            mdb_env_close(env);
            snprintf(path, sizeof path, "%s/data.mdb-lock", folder);
            (void)remove(path);
            struct checkpoint *checkpoint = open_at(folder, read_only != 0, &error);
            EXPECT(checkpoint == NULL && error.err == ERR_CORRUPT &&
                       strstr(error.message, "table names") != NULL,
                   " %s", error.message);
            checkpoint_close(checkpoint);
            folder_remove(folder);
        }
    }
}

static void test_read_only_takes_nothing(void)
{
    char folder[256];
    struct error error = {0};
    struct checkpoint_txn *txn = NULL;
    snprintf(folder, sizeof folder, "%s", folder_make());
    EXPECT(open_at(folder, true, &error) == NULL && strstr(error.message, folder) != NULL, " %s",
           error.message);
    make_first(folder);
    struct checkpoint *checkpoint = open_at(folder, true, &error);
    REQUIRE(checkpoint != NULL, " %s", error.message);
    EXPECT(checkpoint_begin(checkpoint, &txn, &error) == ERR_DENIED &&
           strcmp(error.code, "read_only") == 0);
    EXPECT(checkpoint_scrub(checkpoint, &error) != ERR_OK);
    checkpoint_close(checkpoint);
    checkpoint_close(NULL);
    checkpoint_abort(NULL);
    checkpoint_snapshot_end(NULL);
    folder_remove(folder);
}

/* The map cannot grow while somebody reads: begin and put say so, and all goes on when the reader
 * is gone. */
static void test_a_reader_keeps_the_map_from_growing(void)
{
    char folder[256];
    struct error error = {0};
    struct checkpoint_txn *txn = NULL;
    struct checkpoint_snapshot *snapshot = NULL;
    static char large[8192];
    memset(large, 'x', sizeof large);
    snprintf(folder, sizeof folder, "%s", folder_make());
    make_first(folder);
    struct checkpoint *checkpoint = open_at(folder, false, &error);
    REQUIRE(checkpoint != NULL &&
            checkpoint_snapshot_begin(checkpoint, &snapshot, &error) == ERR_OK);
    REQUIRE(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK);
    err e = ERR_OK;
    for (uint32_t n = 0; e == ERR_OK && n < 4096; n++) {
        uint8_t key[4];
        store_u32(key, n);
        e = checkpoint_put(txn, TABLE_PROFILES, slice_of(key, 4), slice_of(large, sizeof large),
                           &error);
    }
    EXPECT(e == ERR_BUSY && strcmp(error.code, "map_full") == 0, " %s", error.message);
    checkpoint_abort(txn);
    txn = NULL;
    EXPECT(checkpoint_begin(checkpoint, &txn, &error) == ERR_BUSY && txn == NULL, " %s",
           error.message);
    checkpoint_snapshot_end(snapshot);
    EXPECT(checkpoint_begin(checkpoint, &txn, &error) == ERR_OK, " %s", error.message);
    checkpoint_abort(txn);
    EXPECT(commit(checkpoint, "two", 2, &error) == ERR_OK);
    checkpoint_close(checkpoint);
    folder_remove(folder);
}

int main(void)
{
    RUN(test_lmdb_fails_at_every_call);
    RUN(test_memory_fails_at_every_call);
    RUN(test_rows_that_no_checkpoint_writes);
    RUN(test_older_versions_get_sums);
    RUN(test_a_table_that_is_gone);
    RUN(test_read_only_takes_nothing);
    RUN(test_a_reader_keeps_the_map_from_growing);
    return test_summary();
}
