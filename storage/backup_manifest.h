/* backup_manifest.h: BACKUP/backup.manifest, a text of lines, so that a person can read it and
 * nothing but base/ is needed to:
 *
 *   kindred-backup 1
 *   log 6f1c…                                  32 hexadecimal digits: which log
 *   taken 1795323601000000                     microseconds since 1970, UTC
 *   last 73211 1795323600123456                last sequence, and when it was received
 *   erased 214 5e6f7a8b                        entries in erasures-5e6f7a8b.ledger, and its checksum
 *   keys 1a2b3c4d 512                          CRC-32C and size of keys-1a2b3c4d.json; absent: none
 *   segment 1 0000000000000000 67108912 8c0f…  first sequence, scrub id, bytes, chain at its end
 *   crc32c 1a2b3c4d                            of everything before this line
 *
 * Private to storage/. */
#ifndef KINDRED_STORAGE_BACKUP_MANIFEST_H
#define KINDRED_STORAGE_BACKUP_MANIFEST_H

#include "digest.h"
#include "rawlog_frame.h"
#include "storage/backup.h"

#define BACKUP_MANIFEST "backup.manifest"
#define BACKUP_LOCK     "backup.lock"

struct backup_segment {
    uint64_t first_sequence;
    uint64_t scrub_id;
    uint64_t bytes;
    uint8_t chain[DIGEST_BYTES]; /* at its end */
};

/* Zeroed is empty. */
struct backup_manifest {
    uint8_t log_id[LOG_ID_BYTES];
    int64_t taken_at_us;
    uint64_t last_sequence;
    int64_t last_received_at_us;
    uint64_t erased;
    uint32_t ledger_crc;
    bool has_keys;
    uint32_t keys_crc;
    uint64_t keys_bytes;
    struct backup_segment *segments;
    size_t segment_count, segment_capacity;
};

void manifest_deinit(struct backup_manifest *manifest);
err manifest_add(struct backup_manifest *manifest, const struct backup_segment *segment,
                 struct error *error) MUST_USE;
/* NULL when there is none. */
const struct backup_segment *manifest_find(const struct backup_manifest *manifest,
                                           uint64_t first_sequence);

void manifest_encode(const struct backup_manifest *manifest, struct buffer *out);
err manifest_decode(struct slice text, const char *name, struct backup_manifest *out,
                    struct error *error) MUST_USE;
/* ERR_NOT_FOUND: no backup there. */
err manifest_load(const struct file_system *files, const char *backup, struct backup_manifest *out,
                  struct error *error) MUST_USE;

enum { BACKUP_NAME_MAX = 96 };
void backup_segment_name(const struct backup_segment *segment, char out[BACKUP_NAME_MAX]);
void backup_ledger_name(const struct backup_manifest *manifest, char out[BACKUP_NAME_MAX]);
void backup_keys_name(const struct backup_manifest *manifest, char out[BACKUP_NAME_MAX]);

/* ---- whole small files (manifest, ledger, keys) ---------------------------------------------- */

/* *out is freed with memory_free; at most a gibibyte. ERR_NOT_FOUND when absent. */
err file_read_whole(const struct file_system *files, const char *path, char **out, size_t *length,
                    struct error *error) MUST_USE;
/* Under a temporary name (PATH.new), synced, renamed over. The folder is the caller's to sync. */
err file_replace(const struct file_system *files, const char *path, struct slice content,
                 struct error *error) MUST_USE;

enum { COPY_PIECE_BYTES = 1024 * 1024 };
/* The first `bytes` of one file, piece by piece into another, which is emptied before and synced
 * behind it. `piece` has COPY_PIECE_BYTES; `copied` is told of each. ERR_END: the file ends
 * earlier, at *ends_at; what that means is the caller's to say. */
err file_copy(const struct file_system *files, struct file *from, struct file *to, uint64_t bytes,
              void *piece, void (*copied)(void *context, size_t bytes), void *context,
              uint64_t *ends_at, struct error *error) MUST_USE;

/* Same log, other copy: the same. */
void log_id_of(struct digest *digest, const struct segment_header *first_segment,
               uint8_t out[LOG_ID_BYTES]);

/* The ledger that the manifest names. */
err backup_ledger_load(const struct file_system *files, const char *backup,
                       const struct backup_manifest *manifest, struct erasure_ledger *out,
                       struct error *error) MUST_USE;

/* Notes scrubbed entries and unfinished erasures of a frame. */
err ledger_add_frame(struct erasure_ledger *ledger, const struct frame_header *header,
                     const uint8_t *body, struct error *error) MUST_USE;

#endif
