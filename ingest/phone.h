/* phone.h: telephone numbers as people type them → E.164 (ITU-T E.164: "+", calling code, national
 * number, at most 15 digits).
 *
 * Our own code and a table (tables/) instead of the libphonenumber library: what a number becomes
 * is part of the fold of the log, so it must not change with the version of a library that happens
 * to be installed; and that library is C++ and about twenty times slower. The rules are the same
 * ones: international prefix, calling code, national prefix and its rewriting, possible lengths,
 * the general pattern of the national plan.
 *
 * Not followed: the pattern per kind of line (mobile, toll-free, ...). New ranges are opened all
 * the time, and a real customer's number must not be refused because a table is a year old.
 *
 * An extension ("ext. 5", "x5", ";ext=5") is read and left away: it is not part of E.164.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_PHONE_H
#define KINDRED_INGEST_PHONE_H

#include "base/slice.h"

enum { PHONE_TEXT_MAX = 17 }; /* "+" and 15 digits and NUL */

/* `country`: ISO 3166-1 alpha-2 in capitals, for numbers without a calling code; "" for none.
 * Returns the length of `out`, or 0 when this cannot be anybody's number. */
size_t phone_normalise(struct slice typed, const char *country, char out[PHONE_TEXT_MAX]);

/* False when the country has no numbering plan of its own in the table. */
bool phone_country_known(const char *country);

#endif
