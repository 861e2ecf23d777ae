/* number.h: numbers as text, without a locale.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_NUMBER_H
#define KINDRED_INGEST_NUMBER_H

#include "ingest/record.h"

/* Optional minus, digits; false on anything else or beyond 64 bits. */
bool number_parse_integer(struct slice text, int64_t *out);

/* A decimal number as JSON writes it (RFC 8259), but leading zeros and a plus are read too. False
 * when it is none or not finite. */
bool number_parse(struct slice text, double *out);

/* What a table's cell is: an integer or decimal number when writing it again gives the same text
 * (so "007" and "1e5" stay texts), true or false in any case, else VALUE_TEXT with `text`. */
struct value number_of_cell(struct slice text);

#endif
