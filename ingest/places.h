/* places.h: countries and states to one spelling.
 *
 * Threading: any. Results are static. */
#ifndef KINDRED_INGEST_PLACES_H
#define KINDRED_INGEST_PLACES_H

#include "base/slice.h"

struct country;

/* "us", "U.S.A.", "United States" → the row of "USA"; NULL when unknown. */
const struct country *country_find(struct slice typed);
struct slice country_name(const struct country *country);
const char *country_alpha2(const struct country *country);

/* "NY" or "new york" → "New York", for the countries whose states we know (US, CA, AU); SLICE_NONE
 * otherwise. `alpha2`: of the country; "" (not said) is read as the United States. */
struct slice state_find(struct slice typed, const char *alpha2);

#endif
