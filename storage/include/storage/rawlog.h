/* rawlog.h: the log in a local folder of segment files. Layout and validity rules open rawlog.c.
 *
 * Opening reads the frames behind `trusted_sequence` (what a checkpoint already holds) with all
 * their checksums; the ones before only by their headers (kindred verify reads everything).
 *   - a torn tail (nothing valid behind it, and nothing that was ever durable) is cut off, the cut is made durable
 *     before the first append, and the report says how many bytes and from where
 *   - any other bad byte: ERR_CORRUPT, the message names file and offset and what to do; nothing is changed
 *
 * Threading: see log.h. */
#ifndef KINDRED_STORAGE_RAWLOG_H
#define KINDRED_STORAGE_RAWLOG_H

#include "base/clock.h"
#include "storage/file.h"
#include "storage/log.h"

struct rawlog_options {
    const struct file_system *files;    /* borrowed for the log's life */
    const struct random_source *random; /* salts */
    const char *directory;              /* made when absent; copied */
    uint64_t segment_bytes;             /* a new file is begun when one has this much; 0: 64 MiB */
    uint64_t trusted_sequence;          /* see above; 0: check everything */
    /* known to have been durable (from the checkpoint); a log that ends before it is corrupt */
    uint64_t durable_sequence;
    /* export, verify: never writes; a torn tail is only reported */
    bool read_only;
};

struct rawlog_report {
    uint64_t cut_bytes; /* of a torn tail */
    uint64_t cut_offset;
    char cut_file[64];
    uint64_t segments;
    uint64_t checked_entries;
};

err rawlog_open(const struct rawlog_options *options, struct log **out,
                struct rawlog_report *report, struct error *error) MUST_USE;

/* Every checksum, digest and chain link of the whole folder. `progress` (may be NULL) is called now
 * and then with bytes done and total. ERR_CORRUPT names file, offset, sequence. *checked gets the
 * number of entries found good. */
err rawlog_verify(const struct file_system *files, const char *directory,
                  void (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                  void *context, uint64_t *checked, struct error *error) MUST_USE;

#endif
