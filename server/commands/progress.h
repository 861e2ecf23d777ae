/* progress.h: how far a long command is, on standard error.
 *
 * On a terminal one line that is drawn again ten times a second; otherwise a plain line every five
 * seconds, so that a log file stays readable.
 *
 *   people.csv  [=========>          ]  47 %   1,204,000 records   312,000/s   4 s left
 *
 * Threading: main thread. */
#ifndef KINDRED_COMMANDS_PROGRESS_H
#define KINDRED_COMMANDS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *label;
    const char *unit;     /* "records" */
    uint64_t total_bytes; /* 0: unknown, no bar and no time left */
    int64_t started_us;
    int64_t shown_us;
    bool terminal;
    bool drawn; /* the terminal's line is not empty */
};

void progress_begin(struct progress *progress, const char *label, const char *unit,
                    uint64_t total_bytes);
/* Cheap when it is not time yet. */
void progress_update(struct progress *progress, uint64_t done_bytes, uint64_t done_units);
/* Leaves the terminal's line empty. */
void progress_end(struct progress *progress);
double progress_seconds(const struct progress *progress);

/* 1204000 → "1,204,000". */
enum { COUNT_TEXT_MAX = 32 };
const char *count_text(uint64_t value, char out[COUNT_TEXT_MAX]);

#endif
