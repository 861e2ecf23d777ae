/* json_text.h: what stands between JSON's quotes, and numbers, written where the caller has made
 * room.
 *
 * For answers that are written by the million: room is made once, and the pieces follow one
 * pointer. json_writer.h is the way for everything else, and writes the same bytes.
 *
 * Threading: any. */
#ifndef KINDRED_BASE_JSON_TEXT_H
#define KINDRED_BASE_JSON_TEXT_H

#include <stdint.h>

#include "base/slice.h"

/* What a text of that length takes at most: a control character becomes \u001f. */
#define JSON_ESCAPED_MAX(length) ((length)*6)
enum { JSON_U64_MAX = 20 };

/* Writes the text, escaped where JSON (RFC 8259) demands it; bytes that are not UTF-8 come out as
 * U+FFFD. The room may be used up to JSON_ESCAPED_MAX. Returns the end of what was written. */
char *json_escape(char *to, struct slice text);
/* At most JSON_U64_MAX decimal digits; returns their end. */
char *json_digits(char *to, uint64_t value);

#endif
