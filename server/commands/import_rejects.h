/* import_rejects.h: the file of rows that were not taken, made to be mended and imported again.
 *
 *   CSV     FILE.rejects.csv      the original header and rows, with _error, _field and _line behind them
 *   JSON    FILE.rejects.ndjson   {"_error": …, "_field": …, "_line": …, "record": {…}}; "raw": "…" instead of record when
 *                                 it is not even JSON
 *
 * Importing such a file takes the three columns (or the wrapping) off again: mending means changing
 * the cells that _error names, nothing else. A row whose cells cannot be told apart (a quote never
 * closed, too many cells) stands whole in the first cell.
 *
 * Threading: main thread. */
#ifndef KINDRED_COMMANDS_IMPORT_REJECTS_H
#define KINDRED_COMMANDS_IMPORT_REJECTS_H

#include <stdio.h>

#include "base/buffer.h"
#include "ingest/splitter.h"

/* ---- writing ---- */

struct rejects {
    char path[1100];     /* complete once there is a reject */
    bool path_complete;  /* false: the extension is added when the format is known */
    FILE *file;          /* NULL until the first reject */
    uint64_t count;      /* in this run */
    uint64_t kept_bytes; /* of a file that an interrupted run began */
    struct buffer line;
    bool failed;
};

/* path: where; complete_path false: ".rejects.csv" or ".rejects.ndjson" is added. An older file is
 * replaced at the first reject; with keep_bytes > 0 it is continued behind so many bytes. */
void rejects_open(struct rejects *rejects, const char *path, bool complete_path,
                  uint64_t keep_bytes);
void rejects_add(struct rejects *rejects, const struct split *split, struct slice header,
                 const struct record_error *reason);
/* Everything added is with the kernel; returns the file's length. */
uint64_t rejects_flush(struct rejects *rejects);
/* False when something could not be written. */
bool rejects_close(struct rejects *rejects);

/* ---- reading them again ---- */

struct mend {
    enum { MEND_NONE, MEND_CSV, MEND_JSON } kind;
    size_t columns; /* MEND_CSV: the original ones */
    char delimiter;
};

/* Is this the beginning of such a file? `bytes` may be compressed. */
struct mend mend_probe(struct slice bytes, bool last, enum content_hint hint);
/* Appends the original header line, row or record, and a line break. */
void mend_append(const struct mend *mend, const struct split *split, struct buffer *out);

#endif
