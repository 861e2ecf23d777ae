/* csv.h: rows of RFC 4180 and its dialects, cut into cells.
 *
 * A quote opens a quoted cell only at its start (blanks before it are let through); inside, "" is a
 * quote. Elsewhere a quote is a character like any other. splitter_csv.c finds the ends of rows by
 * the same rule.
 *
 * Threading: any (a header is immutable). */
#ifndef KINDRED_INGEST_CSV_H
#define KINDRED_INGEST_CSV_H

#include "base/arena.h"
#include "ingest/record.h"
#include "ingest/splitter.h"
#include "names.h"

struct csv_header {
    char delimiter;
    size_t count;
    struct slice *names;    /* trimmed */
    struct target *targets; /* by built-in name or alias */
    uint16_t *slots;        /* open addressing over the names: column + 1; 0 is free */
    size_t slot_mask;
    char *text; /* what the names point into */
};

struct csv_row {
    /* as typed, quotes taken off; borrowed from the row's bytes or the arena */
    struct slice *cells;
    size_t count;
};

/* Cuts one row. At most `room` cells are wanted: more are ERR_TOO_LARGE. ERR_INVALID with *bad_at
 * when a quoted cell does not end, or text follows its closing quote. */
err csv_cut(struct arena *arena, struct slice row, char delimiter, size_t room, struct csv_row *out,
            size_t *bad_at) MUST_USE;

/* False when there is no such column. Names compare exactly, then without case. */
bool csv_column(const struct csv_header *header, struct slice name, size_t *column);

#endif
