/* Every byte of a backup, in place, against its manifest. An incremental backup reads only what it
 * copies: this finds what a medium has lost since. */
#include <stdio.h>

#include "backup_manifest.h"
#include "base/hash.h"
#include "base/memory.h"
#include "rawlog_internal.h"
#include "segment_walk.h"

struct looking {
    const struct file_system *files;
    const char *backup;
    backup_progress progress;
    void *context;
    struct backup_report *report;
    struct digest *digest;
    struct backup_manifest manifest;
    struct erasure_ledger seen;
    uint64_t done_bytes;
};

static err look_at_frame(void *context, const struct frame_header *header, const uint8_t *body,
                         struct error *error)
{
    struct looking *looking = context;
    looking->report->entries_checked += header->count;
    looking->done_bytes += FRAME_HEADER_BYTES + (uint64_t)header->body_bytes;
    if (looking->progress != NULL) {
        looking->progress(looking->context, "check", looking->done_bytes, looking->report->bytes);
    }
    return ledger_add_frame(&looking->seen, header, body, error);
}

static err check_size(struct looking *looking, const char *path,
                      const struct backup_segment *segment, struct error *error)
{
    const struct file_system *files = looking->files;
    struct file *file;
    uint64_t size = 0;
    err e = files->open(files->context, path, FILE_READ, &file, error);
    if (e == ERR_NOT_FOUND) {
        return error_set(error, ERR_CORRUPT, "backup_incomplete", segment->first_sequence,
                         "the backup's file %.180s is missing", path);
    }
    if (e == ERR_OK) {
        e = files->size(files->context, file, &size, error);
        files->close(files->context, file);
    }
    return e == ERR_OK && size != segment->bytes
               ? segment_corrupt(path, size, segment->first_sequence,
                                 "its size is not the manifest's", error)
               : e;
}

static err check_segment(struct looking *looking, struct segment_walk *walk,
                         const struct backup_segment *segment, struct error *error)
{
    char name[BACKUP_NAME_MAX];
    char path[1200];
    backup_segment_name(segment, name);
    snprintf(path, sizeof path, "%s/log/%s", looking->backup, name);
    err e = check_size(looking, path, segment, error);
    if (e == ERR_OK) {
        e = segment_walk_file(walk, path, segment->bytes, error);
    }
    if (e == ERR_OK && (memcmp(walk->chain, segment->chain, DIGEST_BYTES) != 0 ||
                        walk->header.scrub_id != segment->scrub_id)) {
        e = segment_corrupt(path, walk->end_offset, walk->next_sequence,
                            "the chain at its end is not the manifest's", error);
    }
    if (e == ERR_OK && segment->first_sequence == 1) {
        log_id_of(looking->digest, &walk->header, looking->seen.log_id);
    }
    return e;
}

static bool same_erasures(const struct erasure_ledger *a, const struct erasure_ledger *b)
{
    if (a->count != b->count || a->unfinished_count != b->unfinished_count ||
        a->erasures_count != b->erasures_count || memcmp(a->log_id, b->log_id, LOG_ID_BYTES) != 0) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->entries[i].sequence != b->entries[i].sequence ||
            a->entries[i].created_person != b->entries[i].created_person ||
            memcmp(a->entries[i].digest, b->entries[i].digest, LEDGER_DIGEST_BYTES) != 0) {
            return false;
        }
    }
    for (size_t i = 0; i < a->erasures_count; i++) {
        if (a->erasures[i].sequence != b->erasures[i].sequence ||
            !slice_equal(a->erasures[i].payload, b->erasures[i].payload)) {
            return false;
        }
    }
    return true;
}

static err check_rest(struct looking *looking, struct error *error)
{
    struct erasure_ledger ledger;
    err e = backup_ledger_load(looking->files, looking->backup, &looking->manifest, &ledger, error);
    if (e != ERR_OK) {
        return e;
    }
    if (!same_erasures(&ledger, &looking->seen) ||
        ledger.last_sequence != looking->manifest.last_sequence) {
        e = error_set(error, ERR_CORRUPT, "ledger_corrupt", 0,
                      "the backup's ledger of erasures does not say what its log says");
    }
    erasure_ledger_deinit(&ledger);
    if (e == ERR_OK && looking->manifest.has_keys) {
        char name[BACKUP_NAME_MAX];
        char path[1200];
        char *bytes = NULL;
        size_t length = 0;
        backup_keys_name(&looking->manifest, name);
        snprintf(path, sizeof path, "%s/%s", looking->backup, name);
        e = file_read_whole(looking->files, path, &bytes, &length, error);
        if (e == ERR_NOT_FOUND ||
            (e == ERR_OK && crc32c(0, bytes, length) != looking->manifest.keys_crc)) {
            e = error_set(error, ERR_CORRUPT, "backup_incomplete", 0,
                          "the backup's %s is missing or damaged", name);
        }
        memory_free(bytes);
    }
    return e;
}

static err look(struct looking *looking, struct error *error)
{
    struct backup_report *report = looking->report;
    const struct backup_manifest *manifest = &looking->manifest;
    struct segment_walk walk = {.files = looking->files,
                                .digest = looking->digest,
                                .next_sequence = 1,
                                .visit = look_at_frame,
                                .context = looking};
    for (size_t i = 0; i < manifest->segment_count; i++) {
        report->bytes += manifest->segments[i].bytes;
    }
    err e = ERR_OK;
    for (size_t i = 0; i < manifest->segment_count && e == ERR_OK; i++) {
        e = check_segment(looking, &walk, &manifest->segments[i], error);
    }
    if (e == ERR_OK && walk.next_sequence - 1 != manifest->last_sequence) {
        e = error_set(error, ERR_CORRUPT, "backup_incomplete", walk.next_sequence - 1,
                      "the backup ends at entry %llu, its manifest says %llu",
                      (unsigned long long)walk.next_sequence - 1,
                      (unsigned long long)manifest->last_sequence);
    }
    if (e == ERR_OK) {
        e = check_rest(looking, error);
    }
    report->segments = manifest->segment_count;
    report->last_sequence = manifest->last_sequence;
    report->last_received_at_us = manifest->last_received_at_us;
    report->taken_at_us = manifest->taken_at_us;
    report->erased = looking->seen.count;
    report->unfinished = looking->seen.unfinished_count;
    report->keys = manifest->has_keys;
    return e;
}

err backup_check(const struct file_system *files, const char *backup, backup_progress progress,
                 void *context, struct backup_report *report, struct error *error)
{
    struct error local;
    error = error != NULL ? error : &local;
    *report = (struct backup_report){0};
    struct looking looking = {.files = files,
                              .backup = backup,
                              .progress = progress,
                              .context = context,
                              .report = report,
                              .digest = digest_create()};
    err e = looking.digest != NULL ? manifest_load(files, backup, &looking.manifest, error)
                                   : error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory");
    if (e == ERR_OK) {
        e = look(&looking, error);
    }
    manifest_deinit(&looking.manifest);
    erasure_ledger_deinit(&looking.seen);
    digest_destroy(looking.digest);
    return e;
}
