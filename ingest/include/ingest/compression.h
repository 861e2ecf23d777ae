/* compression.h: gzip and zstd input, found by its first bytes, inflated as a stream.
 *
 * Concatenated members (as `cat a.gz b.gz` makes them) are one stream. Output is bounded per call,
 * so a compression bomb costs time that the caller counts, never memory.
 *
 * Threading: one thread at a time. */
#ifndef KINDRED_INGEST_COMPRESSION_H
#define KINDRED_INGEST_COMPRESSION_H

#include "base/err.h"
#include "base/slice.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

/* Needs 4 bytes; fewer are COMPRESSION_NONE. */
enum compression compression_sniff(struct slice first_bytes);

struct inflater;

/* Owned by caller; NULL when memory is out. kind is not NONE. */
struct inflater *inflater_create(enum compression kind) MUST_USE;
void inflater_destroy(struct inflater *inflater);

/* Consumes from *input (advances it) and writes at most `room` bytes to `out`; *written says how
 * many. ERR_END when the stream is complete and *input is empty, ERR_INVALID with *error (position:
 * bytes consumed so far) on damage. Call again while *input is not empty or *written == room. */
err inflater_step(struct inflater *inflater, struct slice *input, char *out, size_t room,
                  size_t *written, struct error *error) MUST_USE;

/* Call after the last input: ERR_INVALID when the stream was cut in the middle. */
err inflater_finish(struct inflater *inflater, struct error *error) MUST_USE;

#endif
