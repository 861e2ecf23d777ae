/* csv_scan.h: where the cells of a CSV row begin and end, without taking the quotes off.
 *
 * The rule is the splitter's: a quote opens a quoted cell only at its start (blanks before it are
 * let through); inside, "" is a quote; elsewhere a quote is a character like any other.
 *
 * Threading: any. */
#ifndef KINDRED_COMMANDS_CSV_SCAN_H
#define KINDRED_COMMANDS_CSV_SCAN_H

#include <stdbool.h>

#include "base/buffer.h"

/* The next cell as it stands in the row, quotes included. *at is 0 at first; false when there are
 * no more. */
bool csv_scan_next(struct slice row, char delimiter, size_t *at, struct slice *cell);
size_t csv_scan_count(struct slice row, char delimiter);
/* The row up to and without the delimiter behind its first `count` cells; all of it when there are
 * fewer. */
struct slice csv_scan_first(struct slice row, char delimiter, size_t count);
/* The cell's text without the quotes around it (not unescaping doubled ones inside). */
struct slice csv_scan_text(struct slice cell);
/* Quoted when it must be. */
void csv_append_cell(struct buffer *out, struct slice text, char delimiter);

#endif
