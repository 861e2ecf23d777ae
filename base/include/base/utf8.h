/* utf8.h: is this UTF-8? (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
 *
 * Threading: any. */
#ifndef KINDRED_BASE_UTF8_H
#define KINDRED_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Bytes of the well-formed sequence at text.data[at] (1 to 4), or 0 when there is none. */
size_t utf8_sequence_length(struct slice text, size_t at);

/* True when all of it is well-formed; otherwise *bad_at (may be NULL) is the first offending
 * byte. */
bool utf8_valid(struct slice text, size_t *bad_at);

#endif
