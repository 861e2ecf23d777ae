/* json_check.h: a second opinion on JSON, small enough to be read at once: is this text one object
 * (RFC 8259)? */
#ifndef KINDRED_TESTS_UNIT_DEMO_JSON_CHECK_H
#define KINDRED_TESTS_UNIT_DEMO_JSON_CHECK_H

#include <stdbool.h>

#include "base/slice.h"

bool json_check_object(struct slice text);

/* The value of a member whose name stands in the text once, as written: strings without their
 * quotation marks, with their escapes. SLICE_NONE when there is none. */
struct slice json_check_member(struct slice text, const char *name);

#endif
