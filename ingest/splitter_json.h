/* splitter_json.h: finding the end of a JSON value without parsing it. Private to the splitter.
 *
 * Only strings and brackets are looked at, so a value with other faults still ends where it should
 * and is refused alone, by record_read. Brackets are counted, not paired: [} ends like [], and is
 * refused as well. */
#ifndef KINDRED_INGEST_SPLITTER_JSON_H
#define KINDRED_INGEST_SPLITTER_JSON_H

#include "splitter_state.h"

enum scan_result {
    SCAN_END,     /* s->at is behind the value */
    SCAN_LIMIT,   /* the value is over record_max */
    SCAN_NOTHING, /* the window is used up */
};

/* data[at] is the first byte of a value. */
void scan_begin(struct splitter *s);
enum scan_result scan_value(struct splitter *s);

/* Where scanning has to stop in this window: its end, or (when a record is being kept) the
 * limit. */
size_t scan_stop(const struct splitter *s);
/* What it means that scanning came to scan_stop(). */
enum scan_result scan_stopped(const struct splitter *s);

/* First of '"' and '\\' (and '\n' if wanted) in data[at .. stop), or stop. */
size_t scan_string(const char *data, size_t at, size_t stop, bool newline);

#endif
