/* record_read.h: the readers behind record_read, one per format. They fill a builder.
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_RECORD_READ_H
#define KINDRED_INGEST_RECORD_READ_H

#include "builder.h"

/* One JSON object (RFC 8259). */
err read_json(struct builder *builder, struct slice bytes) MUST_USE;

/* One row under its header, through a mapping or (NULL) by column names. */
err read_csv(struct builder *builder, struct slice bytes, const struct csv_header *header,
             const struct mapping *mapping) MUST_USE;

/* A JSON object read through a mapping: its top-level members are the columns. */
err read_json_mapped(struct builder *builder, struct slice bytes,
                     const struct mapping *mapping) MUST_USE;

#endif
