/* Rows with their checksums, and what each commit writes down about the tables.
 *
 * LMDB has no checksums. Three things stand in for them:
 *
 *   a row     ends in crc32c(table ‖ key ‖ value)
 *   .tables   how many rows each table has: a flipped bit in LMDB's own pages can make a table vanish or turn it into
 *             an empty one
 *   .tables   the sum of all its rows, too, in any order: a page that became an older copy of itself (a write that the
 *             disk lost, a page number with a flipped bit) holds rows whose own checksums are right
 *
 * And rows come in the strict order of their keys, or a table is damaged: LMDB finds a row by the
 * keys in its branch pages, and one of those that is damaged leads to the wrong leaf. A row written
 * there stands out of order, which the next scan notices; a row that is not found there has
 * neighbours on the wrong side, which is looked at before "not there" is believed.
 *
 * A row's part of the sum is its checksum, mixed: a checksum is linear, and rows that change in the
 * same bits (a counter in each) would too easily make up for each other. A transaction takes the
 * old row's part away and adds the new one's, so it costs a look at the row that is replaced; a
 * scan adds up what it reads anyway. The row .tables itself does not count. */
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "checkpoint_guard.h"
#include "checkpoint_internal.h"

enum {
    FORMAT_VERSION = 3, /* 1: without .tables; 2: .tables without sums */
    COUNTS_BYTES = 8 * TABLE_COUNT,
    TABLES_ROW_BYTES = 2 * COUNTS_BYTES,
    VALUE_CRC_BYTES = 4,
};

/* In TABLE_META; the leading dot is ours. */
static const struct slice format_key = {".format", 7};
static const struct slice applied_key = {".applied_sequence", 17};
static const struct slice tables_key = {".tables", 7};

/* ---- one row --------------------------------------------------------------------------------- */

static MDB_val val_of(struct slice bytes)
{
    /* LMDB does not write through it. */
    return (MDB_val){bytes.length, (void *)(uintptr_t)bytes.data};
}

static uint32_t value_crc(enum checkpoint_table table, struct slice key, struct slice value)
{
    uint8_t first = (uint8_t)table;
    uint32_t crc = crc32c(0, &first, 1);
    crc = crc32c(crc, key.data, key.length);
    return crc32c(crc, value.data, value.length);
}

/* The finisher of SplitMix64 (Steele, Lea, Flood 2014) over the stored checksum. */
static uint64_t part_of_crc(uint32_t crc)
{
    uint64_t x = crc + 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t row_part(const MDB_val *stored)
{
    return stored->mv_size < VALUE_CRC_BYTES
               ? 0
               : part_of_crc(
                     load_u32((const char *)stored->mv_data + stored->mv_size - VALUE_CRC_BYTES));
}

static bool take_row(enum checkpoint_table table, struct slice key, const MDB_val *stored,
                     struct slice *value)
{
    if (stored->mv_size < VALUE_CRC_BYTES) {
        return false;
    }
    *value = slice_of(stored->mv_data, stored->mv_size - VALUE_CRC_BYTES);
    return load_u32(value->data + value->length) == value_crc(table, key, *value);
}

static bool row_counts(enum checkpoint_table table, struct slice key)
{
    return table != TABLE_META || key.data[0] != '.' || !slice_equal(key, tables_key);
}

/* MDB_NOTFOUND when the neighbours say so, too; otherwise MDB_CORRUPTED, or what went wrong. */
static int confirm_absent(MDB_cursor *cursor, struct slice key)
{
    MDB_val k = val_of(key);
    MDB_val v;
    int code = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (code == 0 && slice_compare(slice_of(k.mv_data, k.mv_size), key) <= 0) {
        return MDB_CORRUPTED;
    }
    if (code == 0 || code == MDB_NOTFOUND) {
        code = mdb_cursor_get(cursor, &k, &v, code == 0 ? MDB_PREV : MDB_LAST);
    }
    if (code == 0 && slice_compare(slice_of(k.mv_data, k.mv_size), key) >= 0) {
        return MDB_CORRUPTED;
    }
    return code == 0 ? MDB_NOTFOUND : code;
}

/* One cursor for each table, kept for the transaction: rows come in the order of their keys, and it
 * stands near the next. */
static int find_row(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key,
                    MDB_val *stored)
{
    MDB_val k = val_of(key);
    int code =
        txn->cursors[table] != NULL
            ? 0
            : mdb_cursor_open(txn->txn, txn->checkpoint->tables[table], &txn->cursors[table]);
    return code != 0 ? code : mdb_cursor_get(txn->cursors[table], &k, stored, MDB_SET);
}

int checkpoint_row_put(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key,
                       struct slice value)
{
    MDB_val k = val_of(key);
    MDB_val old;
    MDB_val room = {value.length + VALUE_CRC_BYTES, NULL};
    uint64_t part = 0;
    int code = find_row(txn, table, key, &old);
    if (code == 0) {
        part = row_part(&old);
    }
    if (code == 0 || code == MDB_NOTFOUND) {
        code = mdb_cursor_put(txn->cursors[table], &k, &room, MDB_RESERVE);
    }
    if (code != 0) {
        return code;
    }
    uint8_t *at = room.mv_data;
    const uint32_t crc = value_crc(table, key, value);
    if (value.length > 0) {
        memcpy(at, value.data, value.length);
    }
    store_u32(at + value.length, crc);
    if (row_counts(table, key)) {
        txn->sums[table] += part_of_crc(crc) - part;
    }
    return 0;
}

int checkpoint_row_delete(struct checkpoint_txn *txn, enum checkpoint_table table, struct slice key)
{
    MDB_val old;
    int code = find_row(txn, table, key, &old);
    if (code == MDB_NOTFOUND) {
        code = confirm_absent(txn->cursors[table], key);
    }
    if (code != 0) {
        return code == MDB_NOTFOUND ? 0 : code;
    }
    const uint64_t part = row_part(&old);
    code = mdb_cursor_del(txn->cursors[table], 0);
    txn->sums[table] -= code == 0 ? part : 0;
    return code;
}

void checkpoint_cursors_close(struct checkpoint_txn *txn)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (txn->cursors[i] != NULL) {
            mdb_cursor_close(txn->cursors[i]);
            txn->cursors[i] = NULL;
        }
    }
}

err checkpoint_row_get(const struct checkpoint *checkpoint, MDB_txn *txn,
                       enum checkpoint_table table, struct slice key, struct slice *value,
                       struct error *error)
{
    MDB_val k = val_of(key);
    MDB_val stored;
    MDB_cursor *cursor = NULL;
    const char *outer = checkpoint_guard_enter(checkpoint->data_path);
    int code = mdb_get(txn, checkpoint->tables[table], &k, &stored);
    if (code == MDB_NOTFOUND &&
        (code = mdb_cursor_open(txn, checkpoint->tables[table], &cursor)) == 0) {
        code = confirm_absent(cursor, key);
        mdb_cursor_close(cursor);
    }
    const bool sound = code == 0 && take_row(table, key, &stored, value);
    checkpoint_guard_leave(outer);
    if (code == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (code != 0) {
        return checkpoint_fail(error, code, "read", checkpoint->data_path);
    }
    return sound ? ERR_OK
                 : checkpoint_corrupt(checkpoint, table, "a value fails its checksum", error);
}

/* ---- what a commit writes down --------------------------------------------------------------- */

/* How many rows each table has, as LMDB sees it in this transaction. */
static int count_tables(const struct checkpoint *checkpoint, MDB_txn *txn,
                        uint8_t out[COUNTS_BYTES])
{
    int code = 0;
    for (size_t i = 0; i < TABLE_COUNT && code == 0; i++) {
        MDB_stat stat = {0};
        code = mdb_stat(txn, checkpoint->tables[i], &stat);
        store_u64(out + 8 * i, stat.ms_entries);
    }
    return code;
}

static err check_tables(const struct checkpoint *checkpoint, MDB_txn *txn, size_t row_bytes,
                        struct error *error)
{
    uint8_t counted[COUNTS_BYTES];
    struct slice noted;
    err e = checkpoint_row_get(checkpoint, txn, TABLE_META, tables_key, &noted, error);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && noted.length != row_bytes)) {
        return checkpoint_corrupt(checkpoint, TABLE_META, "the tables' sizes are missing", error);
    }
    int code = e == ERR_OK ? count_tables(checkpoint, txn, counted) : 0;
    if (code != 0) {
        return checkpoint_fail(error, code, "read", checkpoint->data_path);
    }
    for (size_t i = 0; i < TABLE_COUNT && e == ERR_OK; i++) {
        if (load_u64(counted + 8 * i) != load_u64(noted.data + 8 * i)) {
            e = checkpoint_corrupt(checkpoint, (enum checkpoint_table)i,
                                   "it has not as many rows as were written", error);
        }
    }
    return e;
}

err checkpoint_state_read(struct checkpoint *checkpoint, MDB_txn *txn, struct error *error)
{
    struct slice value;
    err e = checkpoint_row_get(checkpoint, txn, TABLE_META, format_key, &value, error);
    if (e == ERR_NOT_FOUND) {
        return checkpoint_corrupt(checkpoint, TABLE_META, "its version is missing", error);
    }
    if (e != ERR_OK) {
        return e;
    }
    const uint32_t version = value.length == 4 ? load_u32(value.data) : 0;
    if (version == 0 || version > FORMAT_VERSION) {
        return checkpoint_corrupt(checkpoint, TABLE_META, "it is of another version", error);
    }
    e = checkpoint_applied_read(checkpoint, txn, &checkpoint->applied_sequence, error);
    return e == ERR_OK && version > 1
               ? check_tables(checkpoint, txn, version == 2 ? COUNTS_BYTES : TABLES_ROW_BYTES,
                              error)
               : e;
}

err checkpoint_applied_read(const struct checkpoint *checkpoint, MDB_txn *txn, uint64_t *sequence,
                            struct error *error)
{
    struct slice value;
    err e = checkpoint_row_get(checkpoint, txn, TABLE_META, applied_key, &value, error);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && value.length != 8)) {
        return checkpoint_corrupt(checkpoint, TABLE_META, "the applied sequence is missing", error);
    }
    if (e == ERR_OK) {
        *sequence = load_u64(value.data);
    }
    return e;
}

int checkpoint_state_write(struct checkpoint_txn *txn, uint64_t applied_sequence)
{
    uint8_t format[4];
    uint8_t applied[8];
    uint8_t tables[TABLES_ROW_BYTES] = {0};
    store_u32(format, FORMAT_VERSION);
    store_u64(applied, applied_sequence);
    int code = checkpoint_row_put(txn, TABLE_META, format_key, slice_of(format, sizeof format));
    if (code == 0) {
        code = checkpoint_row_put(txn, TABLE_META, applied_key, slice_of(applied, sizeof applied));
    }
    if (code == 0) { /* the row must be there to be counted */
        code = checkpoint_row_put(txn, TABLE_META, tables_key, slice_of(tables, sizeof tables));
    }
    if (code == 0) {
        code = count_tables(txn->checkpoint, txn->txn, tables);
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        store_u64(tables + COUNTS_BYTES + 8 * i, txn->sums[i]);
    }
    return code != 0
               ? code
               : checkpoint_row_put(txn, TABLE_META, tables_key, slice_of(tables, sizeof tables));
}

/* ---- sums ------------------------------------------------------------------------------------ */

err checkpoint_sums_read(const struct checkpoint *checkpoint, MDB_txn *txn,
                         uint64_t sums[TABLE_COUNT], bool *known, struct error *error)
{
    struct slice noted;
    err e = checkpoint_row_get(checkpoint, txn, TABLE_META, tables_key, &noted, error);
    *known = e == ERR_OK && noted.length == TABLES_ROW_BYTES;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        sums[i] = *known ? load_u64(noted.data + COUNTS_BYTES + 8 * i) : 0;
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Most keys are numbers of four bytes. */
static bool is_below(struct slice a, struct slice b)
{
    uint32_t x;
    uint32_t y;
    if (a.length != sizeof x || b.length != sizeof y) {
        return slice_compare(a, b) < 0;
    }
    memcpy(&x, a.data, sizeof x);
    memcpy(&y, b.data, sizeof y);
    return be32toh(x) < be32toh(y);
}

err checkpoint_walk_next(struct checkpoint_walk *walk, struct slice *key, struct slice *value,
                         struct error *error)
{
    const struct checkpoint *checkpoint = walk->checkpoint;
    MDB_val k;
    MDB_val v;
    const char *outer = checkpoint_guard_enter(checkpoint->data_path);
    int code = mdb_cursor_get(walk->cursor, &k, &v, MDB_NEXT);
    bool sound = false;
    bool in_order = true;
    if (code == 0) {
        *key = slice_of(k.mv_data, k.mv_size);
        sound = take_row(walk->table, *key, &v, value);
        in_order = walk->rows == 0 || is_below(walk->last, *key);
        walk->last = *key;
        walk->rows++;
        walk->sum += row_counts(walk->table, *key) ? row_part(&v) : 0;
    }
    checkpoint_guard_leave(outer);
    if (code == MDB_NOTFOUND) {
        walk->ended = true;
        return ERR_END;
    }
    if (code != 0) {
        return checkpoint_fail(error, code, "read", checkpoint->data_path);
    }
    if (!in_order) {
        return checkpoint_corrupt(checkpoint, walk->table, "its keys are not in order", error);
    }
    return sound ? ERR_OK
                 : checkpoint_corrupt(checkpoint, walk->table, "a value fails its checksum", error);
}

/* A file of an older version has none: its first transaction reads all rows once. */
static err add_up(const struct checkpoint *checkpoint, MDB_txn *txn, enum checkpoint_table table,
                  uint64_t *sum, struct error *error)
{
    struct checkpoint_walk walk = {.checkpoint = checkpoint, .table = table};
    struct slice key;
    struct slice value;
    int code = mdb_cursor_open(txn, checkpoint->tables[table], &walk.cursor);
    if (code != 0) {
        return checkpoint_fail(error, code, "read", checkpoint->data_path);
    }
    err e = ERR_OK;
    while ((e = checkpoint_walk_next(&walk, &key, &value, error)) == ERR_OK) {
    }
    mdb_cursor_close(walk.cursor);
    *sum = walk.sum;
    return walk.ended ? ERR_OK : e;
}

err checkpoint_sums_begin(struct checkpoint_txn *txn, struct error *error)
{
    bool known = false;
    err e = checkpoint_sums_read(txn->checkpoint, txn->txn, txn->sums, &known, error);
    for (size_t i = 0; i < TABLE_COUNT && e == ERR_OK && !known; i++) {
        e = add_up(txn->checkpoint, txn->txn, (enum checkpoint_table)i, &txn->sums[i], error);
    }
    return e;
}
