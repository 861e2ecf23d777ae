/* export.h: what export.c (options, where it goes), export_local.c (from a folder), export_remote.c
 * (from a server) and export_csv.c (flattening) share.
 *
 *   source ─▶ one JSON object per person or entry ─▶ sink: NDJSON as it is, or CSV
 *
 * The order is that of person numbers (or log sequences), which follow from the log alone: deleting
 * the LMDB files and letting Kindred build them again changes no byte of an export.
 *
 * Threading: main thread. */
#ifndef KINDRED_COMMANDS_EXPORT_H
#define KINDRED_COMMANDS_EXPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/err.h"
#include "commands/commands.h"
#include "commands/progress.h"

enum export_what { EXPORT_PROFILES, EXPORT_COHORT, EXPORT_RAW };

struct export_job {
    enum export_what what;
    const char *cohort; /* EXPORT_COHORT */
    const char *data;   /* or url */
    const char *url;
    const char *key;
    const char *output; /* NULL: standard output */
    const char *model;  /* with data: as model_choice_open */
    bool csv;
};

struct export_table; /* export_csv.c */

struct export_sink {
    FILE *out;
    struct export_table *table; /* NULL: NDJSON */
    uint64_t lines;
    struct progress progress;
};

/* One JSON object on one line, without its line break. ERR_IO, ERR_MEMORY. */
err export_line(struct export_sink *sink, struct slice json, struct error *error) MUST_USE;

/* Each prints what went wrong and returns an exit code. */
int export_from_folder(const struct export_job *job, struct export_sink *sink);
int export_from_server(const struct export_job *job, struct export_sink *sink);

/* ---- export_csv.c: columns are known only when all lines were seen, so the lines wait in a temporary file  */

/* NULL when it cannot be made. */
struct export_table *export_table_create(void) MUST_USE;
void export_table_destroy(struct export_table *table);
err export_table_add(struct export_table *table, struct slice json, struct error *error) MUST_USE;
/* Writes header and rows. */
err export_table_write(struct export_table *table, FILE *out, struct error *error) MUST_USE;

extern const struct command command_export;

#endif
