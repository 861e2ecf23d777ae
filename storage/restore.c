/* A data folder from a backup, whole or up to a point.
 *
 *   1. NEW/LOCK is taken; NEW/RESTORING says that what is here is not whole (a server refuses it)
 *   2. each segment is copied, synced, and the copy is read back: every checksum, digest and link,
 *      and the chain at its end against the manifest. `until` stops in front of the first batch
 *      that goes beyond it
 *   3. the last segment is cut there
 *   4. the entries that have been erased since are scrubbed: those of the ledger with the same
 *      digest, and those that an unfinished erasure names
 *   5. erasures that lie behind the end, and of which entries are scrubbed here, are logged again: what
 *      they say of those entries is needed to fold this log (engine/ghosts.h). Each with its end,
 *      in one batch: there is nothing left to do for the server
 *   6. keys.json, folders synced, RESTORING removed
 *
 * A crash leaves RESTORING behind; the same command then begins again.
 *
 * Why an unfinished erasure ends in a refusal when `until` lies before it: its ENTRY_ERASE_KEYS, by
 * which the server searches the quarantine for the person, would be cut off, and the person would
 * be back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup_manifest.h"
#include "base/hash.h"
#include "base/memory.h"
#include "ingest/record.h"
#include "rawlog_internal.h"
#include "segment_walk.h"

struct restoring {
    const struct restore_options *options;
    const struct file_system *files;
    struct restore_report *report;
    struct digest *digest;
    uint8_t *piece;
    char *log_from; /* BACKUP/log */
    char *log_to;   /* NEW/log */
    struct file *backup_lock;
    struct file *lock;
    struct backup_manifest manifest;
    size_t ledger_at; /* entries of the ledger before this are below the walk */
    struct log_scrub *scrubs;
    size_t scrub_count, scrub_capacity;
    struct buffer erase;       /* payload of the last ENTRY_ERASE */
    struct erasure_ledger own; /* the backup's */
    bool touched;              /* see visit_touched */
    uint64_t total_bytes, done_bytes;
    err visit_error;
};

static err no_memory(struct error *error)
{
    return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for the restore");
}

static void tell(struct restoring *work, const char *what, uint64_t bytes)
{
    work->done_bytes += bytes;
    if (work->options->progress != NULL) {
        work->options->progress(work->options->context, what, work->done_bytes, work->total_bytes);
    }
}

/* ---- what has to go -------------------------------------------------------------------------- */

static err add_scrub(struct restoring *work, uint64_t sequence, bool created_person)
{
    if (work->scrub_count == work->scrub_capacity) {
        size_t capacity = work->scrub_capacity ? work->scrub_capacity * 2 : 256;
        struct log_scrub *grown = memory_realloc(work->scrubs, capacity * sizeof *grown);
        if (grown == NULL) {
            return ERR_MEMORY;
        }
        work->scrubs = grown;
        work->scrub_capacity = capacity;
    }
    work->scrubs[work->scrub_count++] = (struct log_scrub){sequence, created_person};
    return ERR_OK;
}

static void visit_unfinished(void *context, uint64_t sequence, bool created_person)
{
    struct restoring *work = context;
    if (work->visit_error == ERR_OK) {
        work->visit_error = add_scrub(work, sequence, created_person);
    }
}

/* The server will finish it; but a log of which a part of a person is scrubbed would be applied to
 * other numbers. */
static err take_unfinished(struct restoring *work, uint64_t sequence, struct error *error)
{
    work->report->unfinished++;
    work->visit_error = ERR_OK;
    if (work->options->erase_entries == NULL ||
        !work->options->erase_entries(buffer_slice(&work->erase), visit_unfinished, work)) {
        return error_set(error, ERR_CORRUPT, "log_erase_unreadable", sequence,
                         "entry %" PRIu64 " is no erasure", sequence - 1);
    }
    return work->visit_error == ERR_OK ? ERR_OK : no_memory(error);
}

static err take_entry(struct restoring *work, const struct log_entry *entry, const uint8_t *digest,
                      struct error *error)
{
    const struct erasure_ledger *ledger = work->options->ledger;
    if (ledger != NULL) {
        while (work->ledger_at < ledger->count &&
               ledger->entries[work->ledger_at].sequence < entry->sequence) {
            work->ledger_at++;
        }
        const struct erased_entry *erased =
            work->ledger_at < ledger->count ? &ledger->entries[work->ledger_at] : NULL;
        if (erased != NULL && erased->sequence == entry->sequence && !entry->scrubbed &&
            memcmp(erased->digest, digest, LEDGER_DIGEST_BYTES) == 0) {
            err e = add_scrub(work, entry->sequence, erased->created_person);
            return e == ERR_OK ? ERR_OK : no_memory(error);
        }
    }
    if (entry->kind == ENTRY_ERASE && !entry->scrubbed) {
        buffer_clear(&work->erase);
        buffer_append_slice(&work->erase, entry->payload);
        return work->erase.failed ? no_memory(error) : ERR_OK;
    }
    return entry->kind == ENTRY_ERASE_KEYS && !entry->scrubbed
               ? take_unfinished(work, entry->sequence, error)
               : ERR_OK;
}

/* A batch is whole or absent. This one need not even be sound. */
static bool wants_frame(void *context, const struct frame_header *header)
{
    const struct restoring *work = context;
    uint64_t until = work->options->until_sequence;
    return until == 0 || header->first_sequence + header->count - 1 <= until;
}

static err take_frame(void *context, const struct frame_header *header, const uint8_t *body,
                      struct error *error)
{
    struct restoring *work = context;
    const struct restore_options *options = work->options;
    struct log_entry entry;
    frame_entry(header, body, header->count - 1, &entry);
    if (options->until_us > 0 && entry.received_at_us > options->until_us) {
        return ERR_END;
    }
    work->report->last_received_at_us = entry.received_at_us;
    tell(work, "check", FRAME_HEADER_BYTES + (uint64_t)header->body_bytes);
    err e = ERR_OK;
    for (uint32_t i = 0; i < header->count && e == ERR_OK; i++) {
        frame_entry(header, body, i, &entry);
        e = take_entry(work, &entry, frame_entry_digest(header, body, i), error);
    }
    return e;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* The file that the manifest names, with the size it says. */
static err open_copy(struct restoring *work, const struct backup_segment *segment,
                     struct file **out, struct error *error)
{
    const struct file_system *files = work->files;
    char name[BACKUP_NAME_MAX];
    uint64_t size = 0;
    backup_segment_name(segment, name);
    char *path = rawlog_path(work->log_from, name);
    err e =
        path != NULL ? files->open(files->context, path, FILE_READ, out, error) : no_memory(error);
    if (e == ERR_NOT_FOUND) {
        e = error_set(error, ERR_CORRUPT, "backup_incomplete", segment->first_sequence,
                      "the backup's file %.180s is missing", path);
    }
    memory_free(path);
    if (e != ERR_OK) {
        return e;
    }
    e = files->size(files->context, *out, &size, error);
    if (e == ERR_OK && size != segment->bytes) {
        e = error_set(error, ERR_CORRUPT, "backup_incomplete", segment->first_sequence,
                      "the backup's file log/%s has %" PRIu64 " bytes instead of %" PRIu64, name,
                      size, segment->bytes);
    }
    if (e != ERR_OK) {
        files->close(files->context, *out);
    }
    return e;
}

static void tell_copied(void *context, size_t bytes)
{
    tell(context, "copy", bytes);
}

static err copy_bytes(struct restoring *work, struct file *from, struct file *to,
                      const struct backup_segment *segment, struct error *error)
{
    uint64_t end = 0;
    err e = file_copy(work->files, from, to, segment->bytes, work->piece, tell_copied, work, &end,
                      error);
    return e != ERR_END ? e
                        : error_set(error, ERR_CORRUPT, "backup_incomplete", end,
                                    "a file of the backup became shorter while it was read");
}

static err copy_segment(struct restoring *work, const struct backup_segment *segment,
                        const char *path, struct error *error)
{
    const struct file_system *files = work->files;
    struct file *from;
    struct file *to;
    err e = open_copy(work, segment, &from, error);
    if (e != ERR_OK) {
        return e;
    }
    e = files->open(files->context, path, FILE_CREATE, &to, error);
    if (e == ERR_OK) {
        e = copy_bytes(work, from, to, segment, error);
        files->close(files->context, to);
    }
    files->close(files->context, from);
    return e;
}

/* Is the walk where the manifest says that this segment ends? */
static err check_end(struct restoring *work, const struct segment_walk *walk,
                     const struct backup_segment *segment, const char *path, struct error *error)
{
    uint8_t log_id[LOG_ID_BYTES];
    if (walk->header.scrub_id != segment->scrub_id) {
        return segment_corrupt(path, 72, segment->first_sequence,
                               "it is not the version that the manifest names", error);
    }
    if (segment->first_sequence == 1) {
        log_id_of(work->digest, &walk->header, log_id);
        if (memcmp(log_id, work->manifest.log_id, LOG_ID_BYTES) != 0) {
            return segment_corrupt(path, 24, 1, "it is of another log than the manifest", error);
        }
    }
    if (!walk->stopped && memcmp(walk->chain, segment->chain, DIGEST_BYTES) != 0) {
        return segment_corrupt(path, walk->end_offset, walk->next_sequence,
                               "the chain at its end is not the manifest's", error);
    }
    return ERR_OK;
}

static err cut_segment(struct restoring *work, const char *path, uint64_t bytes,
                       struct error *error)
{
    const struct file_system *files = work->files;
    struct file *file;
    err e = files->open(files->context, path, FILE_WRITE, &file, error);
    if (e == ERR_OK) {
        e = files->truncate(files->context, file, bytes, error);
        if (e == ERR_OK) {
            e = files->sync(files->context, file, error);
        }
        files->close(files->context, file);
    }
    return e;
}

static err restore_segments(struct restoring *work, struct error *error)
{
    struct restore_report *report = work->report;
    struct segment_walk walk = {.files = work->files,
                                .digest = work->digest,
                                .next_sequence = 1,
                                .visit = take_frame,
                                .wants = wants_frame,
                                .context = work};
    err e = ERR_OK;
    for (size_t i = 0; i < work->manifest.segment_count && e == ERR_OK && !walk.stopped; i++) {
        const struct backup_segment *segment = &work->manifest.segments[i];
        char *path = segment_path(work->log_to, segment->first_sequence);
        e = path != NULL ? copy_segment(work, segment, path, error) : no_memory(error);
        if (e == ERR_OK) {
            e = segment_walk_file(&walk, path, segment->bytes, error);
        }
        if (e == ERR_OK) {
            e = check_end(work, &walk, segment, path, error);
        }
        if (e == ERR_OK && walk.stopped) {
            e = cut_segment(work, path, walk.end_offset, error);
        }
        report->segments++;
        report->bytes += e == ERR_OK ? walk.end_offset : 0;
        memory_free(path);
    }
    report->last_sequence = walk.next_sequence - 1;
    report->cut = walk.stopped;
    if (e == ERR_OK && !walk.stopped && report->last_sequence != work->manifest.last_sequence) {
        e = error_set(error, ERR_CORRUPT, "backup_incomplete", report->last_sequence,
                      "the backup ends at entry %" PRIu64 ", its manifest says %" PRIu64,
                      report->last_sequence, work->manifest.last_sequence);
    }
    return e;
}

/* ---- may it be? ------------------------------------------------------------------------------ */

static err check_until(const struct restoring *work, struct error *error)
{
    const struct restore_options *options = work->options;
    const struct backup_manifest *manifest = &work->manifest;
    char last[TIMESTAMP_TEXT_MAX];
    char taken[TIMESTAMP_TEXT_MAX];
    timestamp_format(manifest->last_received_at_us, last);
    timestamp_format(manifest->taken_at_us, taken);
    if (options->until_sequence > manifest->last_sequence ||
        options->until_us > manifest->taken_at_us) {
        return error_set(error, ERR_INVALID, "until_beyond_backup", manifest->last_sequence,
                         "the backup does not reach that far: it was taken at %s and ends with "
                         "entry %" PRIu64 ", received at %s",
                         taken, manifest->last_sequence, last);
    }
    return ERR_OK;
}

/* Must come before anything is cut: see the top. */
static err check_unfinished(const struct erasure_ledger *ledger, uint64_t last_sequence,
                            const char *whose, struct error *error)
{
    for (size_t i = 0; i < ledger->unfinished_count; i++) {
        if (ledger->unfinished[i] > last_sequence) {
            return error_set(
                error, ERR_CONFLICT, "erasure_unfinished", ledger->unfinished[i] - 1,
                "erasure %" PRIu64 " was still under way in %s, so its person would come back. "
                "Restore that one whole, start a server on it until the erasure is done, "
                "back that up, and name it with --erasures",
                ledger->unfinished[i] - 1, whose);
        }
    }
    return ERR_OK;
}

static err check_ledger(const struct restoring *work, struct error *error)
{
    const struct erasure_ledger *ledger = work->options->ledger;
    if (ledger == NULL) {
        return ERR_OK;
    }
    if (memcmp(ledger->log_id, work->manifest.log_id, LOG_ID_BYTES) != 0) {
        return error_set(error, ERR_CONFLICT, "erasures_of_another_log", 0,
                         "the erasures named are of another log than the backup");
    }
    return ERR_OK;
}

static err check_erasures(struct restoring *work, struct error *error)
{
    /* The backup's own: what lies in front of the cut is scrubbed in it, unless it was under
     * way. */
    uint64_t last = work->report->last_sequence;
    err e =
        backup_ledger_load(work->files, work->options->backup, &work->manifest, &work->own, error);
    if (e != ERR_OK) {
        return e;
    }
    const struct erasure_ledger *given = work->options->ledger;
    /* Whichever reaches further knows how they ended. */
    return given != NULL && given->last_sequence > work->own.last_sequence
               ? check_unfinished(given, last, "what --erasures names", error)
               : check_unfinished(&work->own, last, "the backup", error);
}

/* ---- the folder ------------------------------------------------------------------------------ */

static err path_of(const char *folder, const char *name, char *out, size_t out_bytes,
                   struct error *error)
{
    int length = snprintf(out, out_bytes, "%s/%s", folder, name);
    return length > 0 && (size_t)length < out_bytes
               ? ERR_OK
               : error_set(error, ERR_INVALID, "path_too_long", 0, "the path is too long");
}

static void count_name(void *visitor, const char *name)
{
    (void)name;
    ++*(size_t *)visitor;
}

static bool is_there(const struct file_system *files, const char *path)
{
    struct file *file = NULL;
    bool there = files->open(files->context, path, FILE_READ, &file, NULL) == ERR_OK;
    files->close(files->context, there ? file : NULL);
    return there;
}

/* Empty, or an unfinished restore's. */
static err check_target(struct restoring *work, const char *marker, struct error *error)
{
    const struct file_system *files = work->files;
    const char *data = work->options->data;
    size_t names = 0;
    err e = files->make_directory(files->context, data, error);
    if (e != ERR_OK || is_there(files, marker)) {
        return e;
    }
    e = files->list(files->context, data, count_name, &names, error);
    if (e == ERR_OK && (names > 0 || files->list(files->context, work->log_to, count_name, &names,
                                                 NULL) == ERR_OK)) {
        e = error_set(error, ERR_CONFLICT, "not_empty", 0,
                      "%.160s is not empty: name a folder that does not exist yet", data);
    }
    return e;
}

static void gather_name(void *visitor, const char *name)
{
    buffer_append(visitor, name, strlen(name) + 1);
}

/* What an unfinished restore left. */
static err clear_log(struct restoring *work, struct error *error)
{
    const struct file_system *files = work->files;
    struct buffer old;
    buffer_init(&old, (size_t)16 << 20);
    err e = files->list(files->context, work->log_to, gather_name, &old, error);
    for (size_t at = 0; e == ERR_OK && at < old.length;) {
        const char *name = old.data + at;
        at += strlen(name) + 1;
        char *path = rawlog_path(work->log_to, name);
        e = path != NULL ? files->remove(files->context, path, error) : no_memory(error);
        memory_free(path);
    }
    e = e == ERR_OK && old.failed ? no_memory(error) : e;
    buffer_deinit(&old);
    return e;
}

/* From here on nobody takes the folder for a deployment. */
static err begin_target(struct restoring *work, struct error *error)
{
    const struct file_system *files = work->files;
    const char *data = work->options->data;
    char marker[1200];
    char path[1200];
    struct file *file = NULL;
    err e = path_of(data, RESTORE_MARKER, marker, sizeof marker, error);
    if (e == ERR_OK) {
        e = check_target(work, marker, error);
    }
    if (e == ERR_OK) {
        e = files->open(files->context, marker, FILE_CREATE, &file, error);
    }
    if (e == ERR_OK) {
        files->close(files->context, file);
        e = files->sync_directory(files->context, data, error);
    }
    if (e == ERR_OK) {
        e = path_of(data, "LOCK", path, sizeof path, error);
    }
    if (e == ERR_OK) {
        e = files->open(files->context, path, FILE_CREATE, &work->lock, error);
    }
    if (e == ERR_OK) {
        e = files->lock(files->context, work->lock, error);
    }
    if (e == ERR_OK) {
        e = files->make_directory(files->context, work->log_to, error);
    }
    if (e == ERR_OK) {
        e = clear_log(work, error);
    }
    if (e == ERR_OK) {
        e = path_of(data, "..", path, sizeof path, error);
    }
    return e == ERR_OK ? files->sync_directory(files->context, path, error) : e;
}

static err read_keys(struct restoring *work, char **out, size_t *length, struct error *error)
{
    char name[BACKUP_NAME_MAX];
    char path[1200];
    backup_keys_name(&work->manifest, name);
    err e = path_of(work->options->backup, name, path, sizeof path, error);
    if (e == ERR_OK) {
        e = file_read_whole(work->files, path, out, length, error);
    }
    if (e == ERR_NOT_FOUND ||
        (e == ERR_OK && (*length != work->manifest.keys_bytes ||
                         crc32c(0, *out, *length) != work->manifest.keys_crc))) {
        e = error_set(error, ERR_CORRUPT, "backup_incomplete", 0,
                      "the backup's %s is missing or damaged", name);
    }
    return e;
}

static err restore_keys(struct restoring *work, struct error *error)
{
    char *bytes = NULL;
    size_t length = 0;
    char path[1200];
    if (!work->manifest.has_keys) {
        return ERR_OK;
    }
    err e = read_keys(work, &bytes, &length, error);
    if (e == ERR_OK) {
        e = path_of(work->options->data, "keys.json", path, sizeof path, error);
    }
    if (e == ERR_OK) {
        e = file_replace(work->files, path, slice_of(bytes, length), error);
    }
    memory_free(bytes);
    work->report->keys = e == ERR_OK;
    return e;
}

static err end_target(struct restoring *work, struct error *error)
{
    const struct file_system *files = work->files;
    char marker[1200];
    err e = files->sync_directory(files->context, work->log_to, error);
    if (e == ERR_OK) {
        e = restore_keys(work, error);
    }
    if (e == ERR_OK) {
        e = files->sync_directory(files->context, work->options->data, error);
    }
    if (e == ERR_OK) {
        e = path_of(work->options->data, RESTORE_MARKER, marker, sizeof marker, error);
    }
    if (e == ERR_OK) {
        e = files->remove(files->context, marker, error);
    }
    return e == ERR_OK ? files->sync_directory(files->context, work->options->data, error) : e;
}

/* ---- scrubbing ------------------------------------------------------------------------------- */

static int compare_scrubs(const void *a, const void *b)
{
    const struct log_scrub *x = a;
    const struct log_scrub *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* An entry may be in the ledger and in an unfinished erasure. */
static void sort_scrubs(struct restoring *work)
{
    size_t kept = 0;
    if (work->scrub_count > 0) {
        qsort(work->scrubs, work->scrub_count, sizeof *work->scrubs, compare_scrubs);
    }
    for (size_t i = 0; i < work->scrub_count; i++) {
        if (kept > 0 && work->scrubs[kept - 1].sequence == work->scrubs[i].sequence) {
            work->scrubs[kept - 1].created_person |= work->scrubs[i].created_person;
        } else if (work->scrubs[i].sequence <= work->report->last_sequence) {
            work->scrubs[kept++] = work->scrubs[i];
        }
    }
    work->scrub_count = kept;
}

/* Does the erasure name an entry that is scrubbed here? */
static void visit_touched(void *context, uint64_t sequence, bool created_person)
{
    struct restoring *work = context;
    const struct log_scrub key = {sequence, created_person};
    if (work->touched || sequence > work->report->last_sequence) {
        return;
    }
    size_t at = erasure_ledger_find(&work->own, sequence);
    work->touched = (at < work->own.count && work->own.entries[at].sequence == sequence) ||
                    (work->scrub_count > 0 && bsearch(&key, work->scrubs, work->scrub_count,
                                                      sizeof key, compare_scrubs) != NULL);
}

/* The same one, in what was restored or among the first `count` of a ledger. */
static bool is_logged(const struct restoring *work, struct slice payload,
                      const struct erasure_ledger *before, size_t count)
{
    for (size_t i = 0; i < work->own.erasures_count; i++) {
        const struct ledger_erasure *own = &work->own.erasures[i];
        if ((own->sequence <= work->report->last_sequence || before == work->options->ledger) &&
            slice_equal(own->payload, payload)) {
            return true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(before->erasures[i].payload, payload)) {
            return true;
        }
    }
    return false;
}

static err log_again(struct restoring *work, struct log *log, struct slice payload,
                     struct error *error)
{
    struct buffer done;
    buffer_init(&done, 64);
    buffer_append_varint(&done, log->ops->position(log).last_sequence + 1);
    struct log_entry entries[] = {{.kind = ENTRY_ERASE,
                                   .format = ERASE_AGAIN,
                                   .etl_version = ETL_RULES_VERSION,
                                   .received_at_us = work->report->last_received_at_us,
                                   .payload = payload},
                                  {.kind = ENTRY_ERASE_DONE,
                                   .etl_version = ETL_RULES_VERSION,
                                   .received_at_us = work->report->last_received_at_us,
                                   .payload = buffer_slice(&done)}};
    uint64_t first;
    err e = done.failed ? no_memory(error) : log->ops->append(log, entries, 2, &first, error);
    buffer_deinit(&done);
    work->report->again += e == ERR_OK;
    return e;
}

static err log_erasures_again(struct restoring *work, struct log *log,
                              const struct erasure_ledger *ledger, struct error *error)
{
    err e = ERR_OK;
    for (size_t i = 0; ledger != NULL && i < ledger->erasures_count && e == ERR_OK; i++) {
        const struct ledger_erasure *erasure = &ledger->erasures[i];
        work->touched = false;
        if (work->options->erase_entries == NULL || is_logged(work, erasure->payload, ledger, i)) {
            continue;
        }
        if (!work->options->erase_entries(erasure->payload, visit_touched, work)) {
            return error_set(error, ERR_CORRUPT, "log_erase_unreadable", erasure->sequence,
                             "entry %" PRIu64 " is no erasure", erasure->sequence);
        }
        e = work->touched ? log_again(work, log, erasure->payload, error) : ERR_OK;
    }
    return e;
}

static err scrub_restored(struct restoring *work, struct error *error)
{
    struct log *log = NULL;
    struct rawlog_report report;
    sort_scrubs(work);
    if (work->scrub_count == 0 && work->own.erasures_count == 0 &&
        (work->options->ledger == NULL || work->options->ledger->erasures_count == 0)) {
        return ERR_OK;
    }
    struct rawlog_options options = {.files = work->files,
                                     .random = work->options->random,
                                     .directory = work->log_to,
                                     .trusted_sequence = work->report->last_sequence};
    err e = rawlog_open(&options, &log, &report, error);
    if (e == ERR_OK) {
        e = log->ops->scrub(log, work->scrubs, work->scrub_count, error);
        if (e == ERR_OK) {
            e = log_erasures_again(work, log, &work->own, error);
        }
        if (e == ERR_OK) {
            e = log_erasures_again(work, log, work->options->ledger, error);
        }
        if (e == ERR_OK && work->report->again > 0) {
            e = log->ops->sync(log, error);
        }
        log->ops->close(log);
    }
    work->report->scrubbed = work->scrub_count;
    return e;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* No backup into the folder while it is read. */
static err lock_backup(const struct file_system *files, const char *backup, struct file **lock,
                       struct error *error)
{
    char path[1200];
    err e = path_of(backup, BACKUP_LOCK, path, sizeof path, error);
    if (e == ERR_OK) {
        e = files->open(files->context, path, FILE_READ, lock, error);
        if (e == ERR_NOT_FOUND) { /* a copy of a backup without it is one, too */
            *lock = NULL;
            return ERR_OK;
        }
    }
    if (e == ERR_OK) {
        e = files->lock(files->context, *lock, error);
    }
    return e == ERR_LOCKED ? error_set(error, e, "locked", 0,
                                       "%.160s is in use by another backup or restore", backup)
                           : e;
}

static err nothing_before(const struct restoring *work, struct error *error)
{
    return work->report->cut && work->report->last_sequence == 0
               ? error_set(error, ERR_INVALID, "until_before_log", 0,
                           "nothing was in the log that early: there is nothing to restore")
               : ERR_OK;
}

static err restore(struct restoring *work, struct error *error)
{
    err e = manifest_load(work->files, work->options->backup, &work->manifest, error);
    if (e == ERR_OK) {
        e = lock_backup(work->files, work->options->backup, &work->backup_lock, error);
    }
    if (e == ERR_OK) {
        e = check_until(work, error);
    }
    if (e == ERR_OK) {
        e = check_ledger(work, error);
    }
    if (e == ERR_OK) {
        e = begin_target(work, error);
    }
    if (e == ERR_OK) {
        for (size_t i = 0; i < work->manifest.segment_count; i++) {
            work->total_bytes += 2 * work->manifest.segments[i].bytes;
        }
        work->report->taken_at_us = work->manifest.taken_at_us;
        e = restore_segments(work, error);
    }
    if (e == ERR_OK) {
        e = nothing_before(work, error);
    }
    if (e == ERR_OK) {
        e = check_erasures(work, error);
    }
    if (e == ERR_OK) {
        e = scrub_restored(work, error);
    }
    return e == ERR_OK ? end_target(work, error) : e;
}

err backup_restore(const struct restore_options *options, struct restore_report *report,
                   struct error *error)
{
    struct error local;
    error = error != NULL ? error : &local;
    *report = (struct restore_report){0};
    struct restoring work = {.options = options, .files = options->files, .report = report};
    buffer_init(&work.erase, LOG_PAYLOAD_MAX);
    work.digest = digest_create();
    work.piece = memory_alloc(COPY_PIECE_BYTES);
    work.log_from = rawlog_path(options->backup, "log");
    work.log_to = rawlog_path(options->data, "log");
    err e =
        work.digest != NULL && work.piece != NULL && work.log_from != NULL && work.log_to != NULL
            ? restore(&work, error)
            : no_memory(error);
    work.files->close(work.files->context, work.lock);
    work.files->close(work.files->context, work.backup_lock);
    manifest_deinit(&work.manifest);
    erasure_ledger_deinit(&work.own);
    buffer_deinit(&work.erase);
    memory_free(work.scrubs);
    digest_destroy(work.digest);
    memory_free(work.piece);
    memory_free(work.log_from);
    memory_free(work.log_to);
    return e;
}
