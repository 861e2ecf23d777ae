/* quarantine.h: bytes that were not taken, kept with the reason, so that nothing is lost and a
 * mended rule or a mended record can still take them.
 *
 * An ENTRY_QUARANTINE's payload is the reason, the CSV header where there is one, and the original
 * bytes.
 *
 * Threading: any. */
#ifndef KINDRED_ENGINE_QUARANTINE_H
#define KINDRED_ENGINE_QUARANTINE_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/slice.h"
#include "ingest/record.h"

/* A longer header is not repeated with each row: a hostile file must not multiply in the log. */
enum { QUARANTINE_HEADER_BYTES_MAX = 4096 };

struct quarantine {
    struct slice code; /* "identifier_missing" */
    struct slice field;
    struct slice message;
    uint64_t record_number; /* within its request or file */
    uint64_t line;
    /* as splitter.h defines header bytes; SLICE_NONE for JSON, and when it is longer than
     * QUARANTINE_HEADER_BYTES_MAX: then the entry `header_back` before this one has it */
    struct slice header;
    struct slice bytes; /* original */
};

void quarantine_encode(const struct quarantine *quarantine, struct buffer *out);
/* Slices are borrowed from payload. ERR_CORRUPT. */
err quarantine_decode(struct slice payload, struct quarantine *out) MUST_USE;

/* An ENTRY_QUARANTINE_END's payload: which entry ended. */
enum { QUARANTINE_END_BYTES = 8 };
void quarantine_end_encode(uint64_t sequence, char out[QUARANTINE_END_BYTES]);
/* ERR_CORRUPT. */
err quarantine_end_decode(struct slice payload, uint64_t *sequence) MUST_USE;

#endif
