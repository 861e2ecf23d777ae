/* A backup beside a running server. What it is and why a copy is consistent opens storage/backup.h.
 *
 * ---- One instant --------------------------------------------------------------------------------
 *
 *   pass   (1) look at the source: its segments, and L, the end of its last whole frame; sync that
 *          (2) copy every segment that is not in `known` as it is (name, scrub id, bytes, chain)
 *          (3) read every source segment's scrub id again
 *          (4) look at what came behind L: has an erasure begun?
 *
 *   When (3) finds what was copied, all copies were current when (2) ended: from a scrub only
 *   before that instant, none between. When (4) finds no new erasure, no scrub of one that is not
 *   in the backup can have begun by then, either: an erasure is in the log before its first entry is scrubbed.
 *   Otherwise another pass copies what changed. So an erased person is in a backup whole, or not
 *   at all, or (an erasure that is under way at L) its ENTRY_ERASE_KEYS is there in clear, from
 *   which a restore and the server after it finish the job.
 *
 * ---- Order of writes ----------------------------------------------------------------------------
 *
 *   copies under temporary names, synced, renamed; their folder synced; ledger and keys; then the
 *   manifest, renamed over the old one: from here on this is the backup. Then files that it does
 *   not name are removed (they hold people who have been erased), and the folder is synced. */
#include <inttypes.h>
#include <stdio.h>

#include "backup_manifest.h"
#include "base/hash.h"
#include "base/memory.h"
#include "rawlog_internal.h"
#include "segment_walk.h"

enum { PASSES_MAX = 40 };
static const size_t LEDGER_BYTES_MAX = (size_t)1 << 30;
static const size_t MANIFEST_BYTES_MAX = (size_t)64 << 20;

struct backing_up {
    const struct backup_options *options;
    const struct file_system *files;
    struct backup_report *report;
    struct file *lock;
    struct digest *digest;
    uint8_t *piece;
    char *log_from; /* DATA/log */
    char *log_to;   /* BACKUP/log */
    /* What is copied already: first the backup that was there, then the last pass. */
    struct backup_manifest known;
    struct erasure_ledger known_ledger;
    /* This pass. */
    struct log *source;
    struct backup_manifest next;
    struct erasure_ledger ledger;
    uint64_t total_bytes, done_bytes;
};

static err no_memory(struct error *error)
{
    return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for the backup");
}

static err other_history(const struct backing_up *work, uint64_t sequence, struct error *error)
{
    return error_set(error, ERR_CONFLICT, "backup_of_another_log", sequence,
                     "%.100s holds a backup of another log, or of what this one was before it was "
                     "restored to an earlier point (they part before entry %" PRIu64
                     "): name a new folder",
                     work->options->backup, sequence);
}

static void tell(struct backing_up *work, const char *what)
{
    if (work->options->progress != NULL) {
        work->options->progress(work->options->context, what, work->done_bytes, work->total_bytes);
    }
}

/* ---- one segment ----------------------------------------------------------------------------- */

struct checking {
    struct backing_up *work;
    const struct backup_segment *former; /* the copy it replaces; NULL: none */
    uint64_t offset;
    bool met; /* the former one's end */
};

static err check_frame(void *context, const struct frame_header *header, const uint8_t *body,
                       struct error *error)
{
    struct checking *checking = context;
    struct backing_up *work = checking->work;
    checking->offset += FRAME_HEADER_BYTES + (uint64_t)header->body_bytes;
    if (checking->former != NULL && checking->offset == checking->former->bytes) {
        if (memcmp(header->chain, checking->former->chain, DIGEST_BYTES) != 0) {
            return other_history(work, header->first_sequence + header->count, error);
        }
        checking->met = true;
    }
    work->report->entries_checked += header->count;
    work->done_bytes += FRAME_HEADER_BYTES + (uint64_t)header->body_bytes;
    tell(work, "check");
    return ledger_add_frame(&work->ledger, header, body, error);
}

/* Reads the copy back: every byte must be what a log consists of, and its end must be the
 * source's. */
static err check_copy(struct backing_up *work, const struct backup_segment *segment,
                      const struct segment_header *header, const char *path, struct error *error)
{
    struct checking checking = {.work = work,
                                .former = manifest_find(&work->known, segment->first_sequence),
                                .offset = SEGMENT_HEADER_BYTES};
    checking.met = checking.former == NULL || checking.former->bytes == SEGMENT_HEADER_BYTES;
    struct segment_walk walk = {.files = work->files,
                                .digest = work->digest,
                                .next_sequence = segment->first_sequence,
                                .visit = check_frame,
                                .context = &checking};
    memcpy(walk.chain, header->chain, DIGEST_BYTES);
    err e = segment_walk_file(&walk, path, segment->bytes, error);
    if (e == ERR_OK && memcmp(walk.chain, segment->chain, DIGEST_BYTES) != 0) {
        e = segment_corrupt(path, walk.end_offset, walk.next_sequence,
                            "its end is not where the next segment goes on", error);
    }
    return e == ERR_OK && !checking.met ? other_history(work, walk.next_sequence, error) : e;
}

/* A copy that is not sound: is it the source's fault, or the target's? *error becomes the source's
 * when it is damaged, too. */
static err blame(struct backing_up *work, const struct backup_segment *segment,
                 const struct segment_header *header, struct error *error)
{
    struct error of_source;
    struct segment_walk walk = {
        .files = work->files, .digest = work->digest, .next_sequence = segment->first_sequence};
    memcpy(walk.chain, header->chain, DIGEST_BYTES);
    char *path = segment_path(work->log_from, segment->first_sequence);
    if (path != NULL && segment_walk_file(&walk, path, segment->bytes, &of_source) == ERR_CORRUPT) {
        *error = of_source;
    }
    memory_free(path);
    return ERR_CORRUPT;
}

static void tell_copied(void *context, size_t bytes)
{
    struct backing_up *work = context;
    work->done_bytes += bytes;
    tell(work, "copy");
}

static err copy_bytes(struct backing_up *work, struct file *from, struct file *to,
                      const struct backup_segment *segment, struct error *error)
{
    uint64_t end = 0;
    err e = file_copy(work->files, from, to, segment->bytes, work->piece, tell_copied, work, &end,
                      error);
    if (e == ERR_END) {
        char name[SEGMENT_NAME_MAX];
        segment_name(segment->first_sequence, name);
        e = segment_corrupt(name, end, segment->first_sequence, "the file ends too early", error);
    }
    return e;
}

/* Under a temporary name, checked, then under its own. */
static err write_copy(struct backing_up *work, struct file *from,
                      const struct backup_segment *segment, const struct segment_header *header,
                      struct error *error)
{
    const struct file_system *files = work->files;
    char name[BACKUP_NAME_MAX];
    struct file *to = NULL;
    backup_segment_name(segment, name);
    char *path = rawlog_path(work->log_to, name);
    char *temporary = rawlog_path(work->log_to, "copying.tmp");
    err e = path != NULL && temporary != NULL ? ERR_OK : no_memory(error);
    if (e == ERR_OK) {
        e = files->open(files->context, temporary, FILE_CREATE, &to, error);
    }
    if (e == ERR_OK) {
        e = copy_bytes(work, from, to, segment, error);
        files->close(files->context, to);
    }
    if (e == ERR_OK) {
        e = check_copy(work, segment, header, temporary, error);
        e = e == ERR_CORRUPT ? blame(work, segment, header, error) : e;
    }
    if (e == ERR_OK) {
        e = files->rename(files->context, temporary, path, error);
    }
    if (e != ERR_OK && to != NULL) {
        struct error ignored; /* it is removed by the next backup */
        (void)!files->remove(files->context, temporary, &ignored);
    }
    memory_free(path);
    memory_free(temporary);
    return e;
}

/* What the ledger knew of a segment that is as it was. */
static err keep_ledger(struct backing_up *work, uint64_t from, uint64_t to, struct error *error)
{
    const struct erasure_ledger *known = &work->known_ledger;
    err e = ERR_OK;
    for (size_t i = erasure_ledger_find(known, from);
         i < known->count && known->entries[i].sequence < to && e == ERR_OK; i++) {
        e = erasure_ledger_add(&work->ledger, &known->entries[i], error);
    }
    for (size_t i = 0; i < known->unfinished_count && e == ERR_OK; i++) {
        if (known->unfinished[i] >= from && known->unfinished[i] < to) {
            e = erasure_ledger_add_unfinished(&work->ledger, known->unfinished[i], error);
        }
    }
    for (size_t i = 0; i < known->erasures_count && e == ERR_OK; i++) {
        const struct ledger_erasure *erasure = &known->erasures[i];
        if (erasure->sequence >= from && erasure->sequence < to) {
            e = erasure_ledger_add_erasure(&work->ledger, erasure->sequence, erasure->payload,
                                           error);
        }
    }
    return e;
}

/* Is the file that the manifest names there, with the right size? */
static bool is_present(struct backing_up *work, const struct backup_segment *segment)
{
    const struct file_system *files = work->files;
    char name[BACKUP_NAME_MAX];
    struct file *file;
    uint64_t size = 0;
    backup_segment_name(segment, name);
    char *path = rawlog_path(work->log_to, name);
    bool present =
        path != NULL && files->open(files->context, path, FILE_READ, &file, NULL) == ERR_OK;
    if (present) {
        present =
            files->size(files->context, file, &size, NULL) == ERR_OK && size == segment->bytes;
        files->close(files->context, file);
    }
    memory_free(path);
    return present;
}

/* One version of a segment: the file stays open, so it stays the same file. */
static err take_segment(struct backing_up *work, size_t index, struct error *error)
{
    const struct rawlog *log = rawlog_of(work->source);
    const struct segment *segment = log->segments[index];
    const struct segment *after = index + 1 < log->segment_count ? log->segments[index + 1] : NULL;
    struct backup_segment taken = {.first_sequence = segment->first_sequence,
                                   .bytes = segment->bytes};
    memcpy(taken.chain, after != NULL ? after->chain : log->chain, DIGEST_BYTES);
    struct segment_header header;
    struct file *from = NULL;
    char *path = segment_path(work->log_from, segment->first_sequence);
    err e = path != NULL ? work->files->open(work->files->context, path, FILE_READ, &from, error)
                         : no_memory(error);
    if (e == ERR_OK) {
        e = segment_header_load(work->files, from, path, &header, error);
    }
    if (e == ERR_OK) {
        taken.scrub_id = header.scrub_id;
        if (index == 0) {
            log_id_of(work->digest, &header, work->next.log_id);
        }
        const struct backup_segment *known = manifest_find(&work->known, taken.first_sequence);
        if (known != NULL && known->scrub_id == taken.scrub_id && known->bytes == taken.bytes &&
            memcmp(known->chain, taken.chain, DIGEST_BYTES) == 0 && is_present(work, known)) {
            uint64_t end = after != NULL ? after->first_sequence : UINT64_MAX;
            e = keep_ledger(work, taken.first_sequence, end, error);
        } else {
            work->report->segments_copied++;
            work->report->bytes_copied += taken.bytes;
            work->total_bytes += 2 * taken.bytes;
            e = write_copy(work, from, &taken, &header, error);
        }
    }
    if (e == ERR_OK) {
        e = manifest_add(&work->next, &taken, error);
    }
    if (from != NULL) {
        work->files->close(work->files->context, from);
    }
    memory_free(path);
    return e;
}

/* ---- a pass ---------------------------------------------------------------------------------- */

static void close_source(struct backing_up *work)
{
    if (work->source != NULL) {
        work->source->ops->close(work->source);
        work->source = NULL;
    }
}

/* Whatever the server's durability: what the backup holds, the log holds after a power failure. */
static err sync_source(struct backing_up *work, struct error *error)
{
    const struct rawlog *log = rawlog_of(work->source);
    const struct segment *last = log->segments[log->segment_count - 1];
    struct file *file;
    char *path = segment_path(work->log_from, last->first_sequence);
    err e = path != NULL ? work->files->open(work->files->context, path, FILE_READ, &file, error)
                         : no_memory(error);
    memory_free(path);
    if (e == ERR_OK) {
        e = work->files->sync(work->files->context, file, error);
        work->files->close(work->files->context, file);
    }
    return e;
}

static err open_source(struct backing_up *work, struct error *error)
{
    close_source(work);
    err e = log_open_source(work->files, work->log_from, &work->source, error);
    if (e == ERR_NOT_FOUND) {
        return error_set(error, e, "not_found", 0, "%.160s is not a Kindred data folder",
                         work->options->data);
    }
    if (e == ERR_OK && rawlog_of(work->source)->segment_count == 0) {
        close_source(work);
        return error_set(error, ERR_NOT_FOUND, "log_empty", 0,
                         "the log in %.160s has no segment yet: start the server once",
                         work->options->data);
    }
    return e;
}

/* Nothing of what the former backup holds may be missing in the source. */
static err check_history(struct backing_up *work, struct error *error)
{
    const struct backup_manifest *known = &work->known;
    const struct rawlog *log = rawlog_of(work->source);
    if (known->segment_count == 0) {
        return ERR_OK;
    }
    bool shorter = known->last_sequence > log->last_sequence;
    for (size_t i = 0; i < known->segment_count && !shorter; i++) {
        shorter = i >= log->segment_count ||
                  log->segments[i]->first_sequence != known->segments[i].first_sequence ||
                  log->segments[i]->bytes < known->segments[i].bytes;
    }
    return shorter ? other_history(work, known->last_sequence, error) : ERR_OK;
}

static err run_pass(struct backing_up *work, struct error *error)
{
    manifest_deinit(&work->next);
    erasure_ledger_deinit(&work->ledger);
    err e = open_source(work, error);
    if (e == ERR_OK) {
        e = check_history(work, error);
    }
    if (e == ERR_OK) {
        e = sync_source(work, error);
    }
    const struct rawlog *log = e == ERR_OK ? rawlog_of(work->source) : NULL;
    for (size_t i = 0; e == ERR_OK && i < log->segment_count; i++) {
        e = take_segment(work, i, error);
        if (e == ERR_OK && i == 0 && work->known.segment_count > 0 &&
            memcmp(work->known.log_id, work->next.log_id, LOG_ID_BYTES) != 0) {
            e = other_history(work, 1, error);
        }
    }
    if (e == ERR_OK) {
        work->next.last_sequence = log->last_sequence;
        work->next.last_received_at_us = log->last_sequence > 0 ? log->last_received_at_us : 0;
        work->next.taken_at_us = work->options->taken_at_us;
        work->next.erased = work->ledger.count;
        work->ledger.last_sequence = log->last_sequence;
        memcpy(work->ledger.log_id, work->next.log_id, LOG_ID_BYTES);
    }
    return e;
}

/* (3): are the copies still what the source has? */
static err look_for_scrubs(struct backing_up *work, bool *changed, struct error *error)
{
    err e = ERR_OK;
    for (size_t i = 0; i < work->next.segment_count && e == ERR_OK; i++) {
        struct segment_header header;
        struct file *file;
        char *path = segment_path(work->log_from, work->next.segments[i].first_sequence);
        e = path != NULL ? work->files->open(work->files->context, path, FILE_READ, &file, error)
                         : no_memory(error);
        if (e == ERR_OK) {
            e = segment_header_load(work->files, file, path, &header, error);
            work->files->close(work->files->context, file);
        }
        if (e == ERR_OK && header.scrub_id != work->next.segments[i].scrub_id) {
            *changed = true;
        }
        memory_free(path);
    }
    return e;
}

/* (4): has an erasure come behind what was copied? */
static err look_for_erasures(struct backing_up *work, bool *changed, struct error *error)
{
    struct log_reader *reader = NULL;
    err e = open_source(work, error);
    if (e == ERR_OK) {
        e = work->source->ops->reader_create(work->source, work->next.last_sequence + 1, &reader,
                                             error);
    }
    while (e == ERR_OK) {
        struct log_entry entry;
        e = work->source->ops->reader_next(reader, &entry, NULL, error);
        if (e == ERR_OK && entry.kind == ENTRY_ERASE) {
            *changed = true;
        }
    }
    if (reader != NULL) {
        work->source->ops->reader_destroy(reader);
    }
    return e == ERR_END ? ERR_OK : e;
}

/* What this pass copied need not be copied by the next. */
static void keep_pass(struct backing_up *work)
{
    manifest_deinit(&work->known);
    erasure_ledger_deinit(&work->known_ledger);
    work->known = work->next;
    work->known_ledger = work->ledger;
    work->next = (struct backup_manifest){0};
    work->ledger = (struct erasure_ledger){0};
}

static err run_passes(struct backing_up *work, struct error *error)
{
    bool waiting = work->options->wait != NULL;
    for (int pass = 0; pass < PASSES_MAX;) {
        bool changed = false;
        err e = run_pass(work, error);
        if (e == ERR_OK) {
            e = look_for_scrubs(work, &changed, error);
        }
        if (e == ERR_OK) {
            e = look_for_erasures(work, &changed, error);
        }
        if (e != ERR_OK) {
            return e;
        }
        size_t unfinished = work->ledger.unfinished_count;
        if (!changed && unfinished > 0 && waiting) {
            waiting = work->options->wait(work->options->context, unfinished);
            changed = waiting;
        } else {
            pass++;
        }
        if (!changed) {
            return ERR_OK;
        }
        keep_pass(work);
    }
    return error_set(error, ERR_BUSY, "erasures_busy", 0,
                     "erasures kept coming in while the log was copied: try again later");
}

/* ---- the folder ------------------------------------------------------------------------------ */

static void count_name(void *visitor, const char *name)
{
    size_t *count = visitor;
    *count += strcmp(name, BACKUP_LOCK) != 0;
}

/* A folder with anything else in it was meant for something else. */
static err begin_folder(struct backing_up *work, bool is_backup, struct error *error)
{
    const struct file_system *files = work->files;
    const char *backup = work->options->backup;
    size_t others = 0;
    char *path = rawlog_path(backup, BACKUP_LOCK);
    char *parent = rawlog_path(backup, "..");
    err e = path != NULL && parent != NULL ? ERR_OK : no_memory(error);
    if (e == ERR_OK) {
        e = files->make_directory(files->context, backup, error);
    }
    if (e == ERR_OK) {
        e = files->list(files->context, backup, count_name, &others, error);
    }
    if (e == ERR_OK &&
        files->list(files->context, work->log_to, count_name, &others, NULL) == ERR_OK) {
        others++; /* a folder of this name is something, too */
    }
    /* An interrupted first backup may have left its ledger. */
    struct file *begun = NULL;
    if (e == ERR_OK && others > 0 && !is_backup &&
        files->open(files->context, path, FILE_READ, &begun, NULL) != ERR_OK) {
        e = error_set(error, ERR_CONFLICT, "not_empty", 0,
                      "%.160s is not empty and no backup: name a new folder", backup);
    }
    files->close(files->context, begun);
    if (e == ERR_OK) {
        e = files->open(files->context, path, FILE_CREATE, &work->lock, error);
    }
    if (e == ERR_OK) {
        e = files->lock(files->context, work->lock, error);
        if (e == ERR_LOCKED) {
            e = error_set(error, e, "locked", 0, "%.160s is in use by another backup or restore",
                          backup);
        }
    }
    if (e == ERR_OK && !is_backup) {
        /* By its lock the folder is known as a backup's: it must be there before anything else. */
        e = files->sync_directory(files->context, backup, error);
    }
    if (e == ERR_OK) {
        e = files->make_directory(files->context, work->log_to, error);
    }
    if (e == ERR_OK) {
        e = files->sync_directory(files->context, parent, error);
    }
    memory_free(path);
    memory_free(parent);
    return e;
}

/* keys.json holds digests, no keys. Without it a restored server would answer everybody on its
 * machine. */
static err take_keys(struct backing_up *work, struct error *error)
{
    char *bytes = NULL;
    size_t length = 0;
    char name[BACKUP_NAME_MAX];
    char *from = rawlog_path(work->options->data, "keys.json");
    char *to = NULL;
    err e = from != NULL ? file_read_whole(work->files, from, &bytes, &length, error)
                         : no_memory(error);
    if (e == ERR_NOT_FOUND) {
        memory_free(from);
        return ERR_OK;
    }
    if (e == ERR_OK) {
        work->next.has_keys = true;
        work->next.keys_crc = crc32c(0, bytes, length);
        work->next.keys_bytes = length;
        backup_keys_name(&work->next, name);
        to = rawlog_path(work->options->backup, name);
        e = to != NULL ? file_replace(work->files, to, slice_of(bytes, length), error)
                       : no_memory(error);
    }
    memory_free(bytes);
    memory_free(from);
    memory_free(to);
    return e;
}

static err replace(struct backing_up *work, const char *name, const struct buffer *content,
                   struct error *error)
{
    char *path = rawlog_path(work->options->backup, name);
    if (path == NULL || content->failed) {
        memory_free(path);
        return no_memory(error);
    }
    err e = file_replace(work->files, path, buffer_slice(content), error);
    memory_free(path);
    return e;
}

static err commit(struct backing_up *work, struct error *error)
{
    const struct file_system *files = work->files;
    struct buffer out;
    buffer_init(&out, LEDGER_BYTES_MAX);
    err e = files->sync_directory(files->context, work->log_to, error);
    if (e == ERR_OK) {
        char name[BACKUP_NAME_MAX];
        erasure_ledger_encode(&work->ledger, &out);
        /* Its own last word: the checksum of content and checksum is the same for every content. */
        work->next.ledger_crc = out.failed ? 0 : load_u32(out.data + out.length - 4);
        backup_ledger_name(&work->next, name);
        e = replace(work, name, &out, error);
    }
    if (e == ERR_OK) {
        e = take_keys(work, error);
    }
    if (e == ERR_OK) {
        e = files->sync_directory(files->context, work->options->backup, error);
    }
    if (e == ERR_OK) {
        buffer_deinit(&out);
        buffer_init(&out, MANIFEST_BYTES_MAX);
        manifest_encode(&work->next, &out);
        e = replace(work, BACKUP_MANIFEST, &out, error);
    }
    buffer_deinit(&out);
    return e == ERR_OK ? files->sync_directory(files->context, work->options->backup, error) : e;
}

/* ---- what is not named any more -------------------------------------------------------------- */

struct leftovers {
    const struct backup_manifest *manifest;
    struct buffer names; /* each with its NUL */
};

static void visit_segment_file(void *visitor, const char *name)
{
    struct leftovers *leftovers = visitor;
    char expected[BACKUP_NAME_MAX] = "";
    uint64_t first;
    bool ours = strcmp(name, "copying.tmp") == 0;
    if (strlen(name) > 21 && slice_to_u64(slice_of(name, 20), &first) && name[20] == '-') {
        const struct backup_segment *segment = manifest_find(leftovers->manifest, first);
        ours = true;
        if (segment != NULL) {
            backup_segment_name(segment, expected);
        }
    }
    if (ours && strcmp(name, expected) != 0) {
        buffer_append(&leftovers->names, name, strlen(name) + 1);
    }
}

static void visit_other_file(void *visitor, const char *name)
{
    struct leftovers *leftovers = visitor;
    char keys[BACKUP_NAME_MAX];
    char ledger[BACKUP_NAME_MAX];
    size_t length = strlen(name);
    backup_keys_name(leftovers->manifest, keys);
    backup_ledger_name(leftovers->manifest, ledger);
    bool is_old = (strncmp(name, "keys-", 5) == 0 &&
                   !(leftovers->manifest->has_keys && strcmp(name, keys) == 0)) ||
                  (strncmp(name, "erasures-", 9) == 0 && strcmp(name, ledger) != 0);
    if (is_old || (length > 4 && strcmp(name + length - 4, ".new") == 0)) {
        buffer_append(&leftovers->names, name, length + 1);
    }
}

static err remove_unnamed(struct backing_up *work, const char *folder,
                          void (*visit)(void *visitor, const char *name), struct error *error)
{
    const struct file_system *files = work->files;
    struct leftovers leftovers = {.manifest = &work->next};
    buffer_init(&leftovers.names, (size_t)16 << 20);
    err e = files->list(files->context, folder, visit, &leftovers, error);
    for (size_t at = 0; e == ERR_OK && at < leftovers.names.length;) {
        const char *name = leftovers.names.data + at;
        at += strlen(name) + 1;
        char *path = rawlog_path(folder, name);
        e = path != NULL ? files->remove(files->context, path, error) : no_memory(error);
        memory_free(path);
    }
    if (e == ERR_OK && leftovers.names.length > 0) {
        e = files->sync_directory(files->context, folder, error);
    }
    if (e == ERR_OK && leftovers.names.failed) {
        e = no_memory(error);
    }
    buffer_deinit(&leftovers.names);
    return e;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static err load_known(struct backing_up *work, bool *is_backup, struct error *error)
{
    err e = manifest_load(work->files, work->options->backup, &work->known, error);
    *is_backup = e != ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (e == ERR_OK) {
        e = erasure_ledger_load(work->files, work->options->backup, NULL, NULL, &work->known_ledger,
                                error);
    }
    return e;
}

static void fill_report(struct backing_up *work)
{
    struct backup_report *report = work->report;
    report->last_sequence = work->next.last_sequence;
    report->last_received_at_us = work->next.last_received_at_us;
    report->taken_at_us = work->next.taken_at_us;
    report->segments = work->next.segment_count;
    for (size_t i = 0; i < work->next.segment_count; i++) {
        report->bytes += work->next.segments[i].bytes;
    }
    if (report->segments_copied > report->segments) {
        report->segments_copied = report->segments; /* some were copied again in a further pass */
    }
    report->erased = work->ledger.count;
    report->unfinished = work->ledger.unfinished_count;
    report->keys = work->next.has_keys;
}

static err back_up(struct backing_up *work, struct error *error)
{
    bool is_backup = false;
    err e = load_known(work, &is_backup, error);
    if (e == ERR_OK) {
        work->report->incremental = is_backup;
        e = open_source(work, error); /* before anything is made: is there something to back up? */
    }
    if (e == ERR_OK) {
        e = begin_folder(work, is_backup, error);
    }
    if (e == ERR_OK && is_backup) {
        /* Nobody else changes it from here on. */
        manifest_deinit(&work->known);
        erasure_ledger_deinit(&work->known_ledger);
        e = load_known(work, &is_backup, error);
    }
    if (e == ERR_OK) {
        e = run_passes(work, error);
    }
    if (e == ERR_OK) {
        e = commit(work, error);
    }
    if (e == ERR_OK) {
        fill_report(work);
        e = remove_unnamed(work, work->log_to, visit_segment_file, error);
    }
    return e == ERR_OK ? remove_unnamed(work, work->options->backup, visit_other_file, error) : e;
}

err backup_run(const struct backup_options *options, struct backup_report *report,
               struct error *error)
{
    struct error local;
    error = error != NULL ? error : &local;
    *report = (struct backup_report){0};
    struct backing_up work = {.options = options, .files = options->files, .report = report};
    work.digest = digest_create();
    work.piece = memory_alloc(COPY_PIECE_BYTES);
    work.log_from = rawlog_path(options->data, "log");
    work.log_to = rawlog_path(options->backup, "log");
    err e =
        work.digest != NULL && work.piece != NULL && work.log_from != NULL && work.log_to != NULL
            ? back_up(&work, error)
            : no_memory(error);
    close_source(&work);
    work.files->close(work.files->context, work.lock);
    manifest_deinit(&work.known);
    manifest_deinit(&work.next);
    erasure_ledger_deinit(&work.known_ledger);
    erasure_ledger_deinit(&work.ledger);
    digest_destroy(work.digest);
    memory_free(work.piece);
    memory_free(work.log_from);
    memory_free(work.log_to);
    return e;
}
