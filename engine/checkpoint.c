/* checkpoint.c: the fold so far, into LMDB, while the fold goes on.
 *
 * Two kinds of change wait for the next checkpoint:
 *   profiles   as a bitmap of person numbers; the blob is whatever it is when the snapshot is taken
 *   the rest   as a list of (table, key, value or delete), in the order they happened
 *
 * engine_checkpoint_begin (writer) takes both and the pointers of the dirty blobs. Blobs are
 * immutable, so nothing is copied; those replaced while the snapshot is being written are kept
 * until it is done. */
#include "internal.h"

#include "base/bytes.h"

static const size_t PENDING_MAX_BYTES = (size_t)4 << 30;

struct snapshot_blob {
    uint32_t number;
    const void *blob; /* NULL: delete */
};

struct engine_snapshot {
    struct checkpoint *checkpoint;
    uint64_t sequence;
    uint64_t lag; /* entries it covers */
    struct bitmap *dirty;
    struct snapshot_blob *blobs; /* ascending by number */
    size_t blob_count;
    struct buffer pending;
    struct buffer members; /* (name, bitmap) of every cohort */
    void **kept;           /* blobs replaced meanwhile; owned */
    size_t kept_count, kept_capacity;
};

/* ---- what has changed ---- */

enum { OP_PUT = 1, OP_DELETE = 2 };

static void pending_append(struct buffer *pending, uint8_t op, enum checkpoint_table table,
                           struct slice key, struct slice value)
{
    buffer_append_char(pending, (char)op);
    buffer_append_char(pending, (char)table);
    buffer_append_varint(pending, key.length);
    buffer_append_slice(pending, key);
    if (op == OP_PUT) {
        buffer_append_varint(pending, value.length);
        buffer_append_slice(pending, value);
    }
}

void pending_put(struct engine *engine, enum checkpoint_table table, struct slice key,
                 struct slice value)
{
    if (engine->options.checkpoint != NULL) {
        pending_append(&engine->pending, OP_PUT, table, key, value);
    }
}

void pending_delete(struct engine *engine, enum checkpoint_table table, struct slice key)
{
    if (engine->options.checkpoint != NULL) {
        pending_append(&engine->pending, OP_DELETE, table, key, SLICE_NONE);
    }
}

static void history_key(uint8_t key[8], uint32_t person, uint32_t index)
{
    u32_key(key, person);
    u32_key(key + 4, index);
}

void pending_put_history(struct engine *engine, uint32_t person, uint32_t index, struct slice chunk)
{
    uint8_t key[8];
    history_key(key, person, index);
    pending_put(engine, TABLE_HISTORY, slice_of(key, sizeof key), chunk);
}

/* Before the chunks themselves move. */
void pending_move_history(struct engine *engine, uint32_t from, uint32_t to)
{
    uint32_t at = history_count(engine->history, to);
    uint32_t count = history_count(engine->history, from);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[8];
        pending_put_history(engine, to, at + i, history_chunk(engine->history, from, i));
        history_key(key, from, i);
        pending_delete(engine, TABLE_HISTORY, slice_of(key, sizeof key));
    }
}

void pending_remove_history(struct engine *engine, uint32_t person)
{
    uint32_t count = history_count(engine->history, person);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[8];
        history_key(key, person, i);
        pending_delete(engine, TABLE_HISTORY, slice_of(key, sizeof key));
    }
}

struct drain {
    struct engine *engine;
    enum checkpoint_table table;
};

static void drain_text(void *context, uint32_t id, struct slice text)
{
    const struct drain *drain = context;
    uint8_t key[4];
    u32_key(key, id);
    if (text.data == NULL) {
        pending_delete(drain->engine, drain->table, slice_of(key, 4));
    } else {
        pending_put(drain->engine, drain->table, slice_of(key, 4), text);
    }
}

static void drain_phrase(void *context, uint32_t id, struct slice text)
{
    struct engine *engine = ((const struct drain *)context)->engine;
    if (text.data == NULL || engine->options.checkpoint == NULL) {
        drain_text(context, id, text);
        return;
    }
    struct buffer row;
    uint8_t key[4];
    buffer_init(&row, LOG_PAYLOAD_MAX);
    phrase_row_encode(engine, id, &row);
    pending_put(engine, TABLE_PHRASES, slice_of(u32_key(key, id), 4), buffer_slice(&row));
    engine->pending.failed = engine->pending.failed || row.failed;
    buffer_deinit(&row);
}

/* Of the cohorts that were defined since the last checkpoint; after a change of the classifier of
 * all. */
static void put_examples(struct engine *engine)
{
    struct buffer row;
    buffer_init(&row, LOG_PAYLOAD_MAX);
    for (uint32_t rank = 0; rank < cohorts_count(engine->cohorts); rank++) {
        const uint32_t id = cohorts_at(engine->cohorts, rank);
        char key[EXAMPLES_KEY_MAX];
        if (engine->examples_unsaved ||
            cohorts_sequence(engine->cohorts, id) > engine->checkpoint_sequence) {
            buffer_clear(&row);
            cohorts_encode_examples(engine->cohorts, id, &row);
            if (row.length > 0) {
                pending_put(
                    engine, TABLE_META,
                    examples_key(cohort_definition_name(cohorts_definition(engine->cohorts, id)),
                                 key),
                    buffer_slice(&row));
            }
            engine->pending.failed = engine->pending.failed || row.failed;
        }
    }
    buffer_deinit(&row);
}

/* ---- taking a snapshot ---- */

static bool collect_number(void *context, uint32_t number)
{
    struct engine *engine = ((struct drain *)context)->engine;
    struct engine_snapshot *snapshot = engine->snapshot;
    snapshot->blobs[snapshot->blob_count++] =
        (struct snapshot_blob){number, people_blob(engine->people, number)};
    return true;
}

static void encode_members(struct engine *engine, struct buffer *out)
{
    struct buffer bits;
    buffer_init(&bits, PENDING_MAX_BYTES);
    uint32_t count = cohorts_count(engine->cohorts);
    for (uint32_t rank = 0; rank < count; rank++) {
        uint32_t id = cohorts_at(engine->cohorts, rank);
        buffer_clear(&bits);
        bitmap_encode(cohorts_members(engine->cohorts, id), &bits);
        pending_append(out, OP_PUT, TABLE_MEMBERS,
                       cohort_definition_name(cohorts_definition(engine->cohorts, id)),
                       buffer_slice(&bits));
        out->failed = out->failed || bits.failed;
    }
    buffer_deinit(&bits);
}

static void put_meta_u64(struct engine *engine, const char *key, uint64_t value)
{
    char bytes[8];
    store_u64(bytes, value);
    pending_put(engine, TABLE_META, slice_from_cstr(key), slice_of(bytes, sizeof bytes));
}

static void drain_changes(struct engine *engine)
{
    struct drain names = {engine, TABLE_NAMES};
    struct drain phrases = {engine, TABLE_PHRASES};
    names_drain_changes(engine->names, drain_text, &names);
    phrases_drain_changes(engine->phrases, drain_phrase, &phrases);
    put_examples(engine);
    put_meta_u64(engine, "last_person", people_last(engine->people));
    put_meta_u64(engine, "last_received_at_us", (uint64_t)engine->last_received_at_us);
    put_meta_u64(engine, "shipped_version", engine->shipped_version);
    put_meta_u64(engine, "classifier_version",
                 engine->options.classifier != NULL ? engine->options.classifier->version : 0);
}

static void snapshot_destroy(struct engine_snapshot *snapshot)
{
    bitmap_destroy(snapshot->dirty);
    memory_free(snapshot->blobs);
    memory_free(snapshot->kept);
    buffer_deinit(&snapshot->pending);
    buffer_deinit(&snapshot->members);
    memory_free(snapshot);
}

err engine_checkpoint_begin(struct engine *engine, struct engine_snapshot **out,
                            struct error *error)
{
    CHECK(engine->snapshot == NULL && engine->options.checkpoint != NULL);
    err failed = engine_failed(engine);
    if (failed != ERR_OK) {
        /* An entry may be applied by half: what is in RAM must not become the truth. */
        return error_set(error, failed, "storage_failed", 0,
                         "an earlier write or change failed; the next start goes on from the log");
    }
    /* A checkpoint must never be ahead of its log: after a power failure nothing could explain
     * it. */
    err synced =
        engine->options.durability == DURABILITY_FSYNC ? ERR_OK : engine_sync(engine, error);
    if (synced != ERR_OK) {
        return synced;
    }
    struct engine_snapshot *snapshot = memory_zalloc(sizeof *snapshot);
    uint64_t count = bitmap_count(engine->dirty);
    struct snapshot_blob *blobs = memory_alloc((count + 1) * sizeof *blobs);
    if (snapshot == NULL || blobs == NULL) {
        memory_free(snapshot);
        memory_free(blobs);
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "no memory for a checkpoint of %llu profiles", (unsigned long long)count);
    }
    drain_changes(engine);
    snapshot->checkpoint = engine->options.checkpoint;
    snapshot->sequence = engine->applied_sequence;
    snapshot->lag = atomic_load(&engine->lag);
    snapshot->blobs = blobs;
    snapshot->dirty = engine->dirty;
    snapshot->pending = engine->pending;
    buffer_init(&snapshot->members, PENDING_MAX_BYTES);
    encode_members(engine, &snapshot->members);
    engine->dirty = bitmap_create();
    buffer_init(&engine->pending, PENDING_MAX_BYTES);
    engine->snapshot = snapshot;
    struct drain context = {engine, TABLE_PROFILES};
    bitmap_each(snapshot->dirty, collect_number, &context);
    *out = snapshot;
    return ERR_OK;
}

void snapshot_keep_or_free(struct engine *engine, void *blob)
{
    struct engine_snapshot *snapshot = engine->snapshot;
    if (snapshot == NULL) {
        memory_free(blob);
        return;
    }
    CHECK(vector_reserve((void **)&snapshot->kept, &snapshot->kept_capacity, snapshot->kept_count,
                         sizeof *snapshot->kept));
    snapshot->kept[snapshot->kept_count++] = blob;
}

/* ---- writing it ---- */

static err write_pending(struct checkpoint_txn *txn, struct slice pending, struct error *error)
{
    struct byte_reader reader = byte_reader_of(pending);
    err e = ERR_OK;
    while (e == ERR_OK && byte_reader_left(&reader) > 0) {
        uint8_t op = byte_reader_u8(&reader);
        enum checkpoint_table table = (enum checkpoint_table)byte_reader_u8(&reader);
        struct slice key = byte_reader_string(&reader);
        if (op == OP_PUT) {
            struct slice value = byte_reader_string(&reader);
            e = checkpoint_put(txn, table, key, value, error);
        } else {
            e = checkpoint_delete(txn, table, key, error);
        }
        CHECK(!reader.failed);
    }
    return e;
}

static err write_blobs(const struct engine_snapshot *snapshot, struct checkpoint_txn *txn,
                       struct error *error)
{
    for (size_t i = 0; i < snapshot->blob_count; i++) {
        const struct snapshot_blob *item = &snapshot->blobs[i];
        uint8_t bytes[4];
        struct slice key = slice_of(u32_key(bytes, item->number), 4);
        err e = item->blob == NULL
                    ? checkpoint_delete(txn, TABLE_PROFILES, key, error)
                    : checkpoint_put(txn, TABLE_PROFILES, key,
                                     slice_of(item->blob, profile_blob_bytes(item->blob)), error);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static err write_once(struct engine_snapshot *snapshot, struct error *error)
{
    struct checkpoint_txn *txn = NULL;
    err e = checkpoint_begin(snapshot->checkpoint, &txn, error);
    if (e != ERR_OK) {
        return e;
    }
    e = write_blobs(snapshot, txn, error);
    if (e == ERR_OK) {
        e = write_pending(txn, buffer_slice(&snapshot->pending), error);
    }
    if (e == ERR_OK) {
        e = checkpoint_clear(txn, TABLE_MEMBERS, error);
    }
    if (e == ERR_OK) {
        e = write_pending(txn, buffer_slice(&snapshot->members), error);
    }
    if (e != ERR_OK) {
        checkpoint_abort(txn);
        return e;
    }
    return checkpoint_commit(txn, snapshot->sequence, error);
}

err engine_checkpoint_write(struct engine_snapshot *snapshot, struct error *error)
{
    enum { MAP_DOUBLINGS_MAX = 20 };
    if (snapshot->pending.failed || snapshot->members.failed) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "no memory for the changes of a checkpoint");
    }
    /* ERR_BUSY: LMDB's map was too small for this transaction; the next begin doubles it. */
    err e = ERR_BUSY;
    for (int attempt = 0; e == ERR_BUSY && attempt < MAP_DOUBLINGS_MAX; attempt++) {
        e = write_once(snapshot, error);
    }
    return e;
}

/* A failed one leaves everything to the next: its changes come before those made since. */
static void put_back(struct engine *engine, struct engine_snapshot *snapshot)
{
    bitmap_or(engine->dirty, snapshot->dirty);
    buffer_append_slice(&snapshot->pending, buffer_slice(&engine->pending));
    buffer_deinit(&engine->pending);
    engine->pending = snapshot->pending;
    buffer_init(&snapshot->pending, 0);
}

void engine_checkpoint_end(struct engine *engine, struct engine_snapshot *snapshot, bool written)
{
    CHECK(engine->snapshot == snapshot);
    engine->snapshot = NULL;
    for (size_t i = 0; i < snapshot->kept_count; i++) {
        memory_free(snapshot->kept[i]);
    }
    if (written) {
        engine->checkpoint_sequence = snapshot->sequence;
        engine->checkpoint_classifier =
            engine->options.classifier != NULL ? engine->options.classifier->version : 0;
        engine->examples_unsaved = false;
        atomic_fetch_sub(&engine->lag, snapshot->lag);
    } else {
        put_back(engine, snapshot);
    }
    snapshot_destroy(snapshot);
}

uint64_t engine_checkpoint_lag(const struct engine *engine)
{
    return atomic_load(&engine->lag);
}

err engine_checkpoint(struct engine *engine, struct error *error)
{
    struct engine_snapshot *snapshot = NULL;
    if (engine->options.checkpoint == NULL ||
        (engine->applied_sequence == engine->checkpoint_sequence &&
         atomic_load(&engine->lag) == 0)) {
        return ERR_OK;
    }
    err e = engine_checkpoint_begin(engine, &snapshot, error);
    if (e != ERR_OK) {
        return e;
    }
    e = engine_checkpoint_write(snapshot, error);
    engine_checkpoint_end(engine, snapshot, e == ERR_OK);
    return e;
}
