/* mapping_apply.h: a mapping at work: columns in, values to the builder out.
 *
 * Threading: any (the mapping is immutable). */
#ifndef KINDRED_INGEST_MAPPING_APPLY_H
#define KINDRED_INGEST_MAPPING_APPLY_H

#include "builder.h"
#include "ingest/mapping.h"

/* The text of a column of the record at hand; false when there is no such column or it holds
 * nothing. */
typedef bool (*column_reader)(void *context, struct slice column, struct slice *out);

err mapping_apply(const struct mapping *mapping, struct builder *builder, column_reader read,
                  void *context) MUST_USE;

/* "rest": "attributes" */
bool mapping_keeps_rest(const struct mapping *mapping);
/* The column is read by a field of the mapping, or ignored. */
bool mapping_uses_column(const struct mapping *mapping, struct slice column);

#endif
