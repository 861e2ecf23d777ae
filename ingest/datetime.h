/* datetime.h: dates and times as text, to microseconds since 1970-01-01 UTC or to "YYYY-MM-DD".
 *
 * Proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms"), no time
 * zone data base, no locale, no clock: what says no offset is UTC.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_DATETIME_H
#define KINDRED_INGEST_DATETIME_H

#include "base/slice.h"

struct datetime {
    int year; /* 1 to 9999 */
    int month, day, hour, minute, second, microsecond;
    int offset_seconds; /* east of UTC */
    bool has_time;
};

enum { DATE_TEXT_LENGTH = 10 };

/* ISO 8601 and RFC 3339: 2024-05-01, 2024-05-01T12:30:00.5+02:00, 20240501T123000Z, a blank instead
 * of T, slashes instead of hyphens. */
bool datetime_parse(struct slice text, struct datetime *out);

/* The conversions of strptime: %Y %y %m %d %e %j %b %B %H %I %p %M %S %f %z %s %T %F %D %%; a blank
 * matches any white space. English month names. %y: 69 to 99 are 19xx. */
bool datetime_parse_format(struct slice text, struct slice format, struct datetime *out);
/* Whether a format can be read at all: only conversions from the list. */
bool datetime_format_valid(struct slice format);

/* False outside 1970-01-01..9999-12-31. */
bool datetime_to_us(const struct datetime *when, int64_t *us);
void datetime_date_text(const struct datetime *when, char out[DATE_TEXT_LENGTH]);

/* A text: ISO 8601, or digits: seconds (9 to 11 digits), milliseconds (12, 13) or microseconds (15
 * to 17). */
bool timestamp_parse(struct slice text, int64_t *us);
/* A number: seconds, milliseconds or microseconds by its size. */
bool timestamp_of_number(double number, int64_t *us);
bool timestamp_of_integer(int64_t number, int64_t *us);

#endif
