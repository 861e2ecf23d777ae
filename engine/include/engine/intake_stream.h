/* intake_stream.h: bytes as they arrive → records, inflating on the way.
 *
 *   bytes ─(gzip or zstd by the first four bytes)─▶ pieces of at most 64 KiB ─splitter─▶ HEADER | RECORD | BAD …
 *
 * Pulls: nothing happens until intake_stream_next is called, so the reader can stop in the middle
 * of a piece and go on later. Memory: one piece, the splitter's unfinished record, and what
 * intake_stream_keep had to copy.
 *
 * Threading: one thread at a time. */
#ifndef KINDRED_ENGINE_INTAKE_STREAM_H
#define KINDRED_ENGINE_INTAKE_STREAM_H

#include "base/err.h"
#include "ingest/splitter.h"

enum { INTAKE_PIECE_BYTES = 16 * 1024 };

struct intake_stream;

/* record_max_bytes: 0 is RECORD_BYTES_DEFAULT. body_max_bytes: after inflating; 0: unlimited. Owned
 * by caller; NULL when memory is out. */
struct intake_stream *intake_stream_create(enum content_hint hint, size_t record_max_bytes,
                                           uint64_t body_max_bytes) MUST_USE;
/* The delimiter of a table when a mapping says so ('\0': found by looking); before the first
 * feed. */
void intake_stream_set_delimiter(struct intake_stream *stream, char delimiter);
void intake_stream_destroy(struct intake_stream *stream);

/* Bytes are borrowed until intake_stream_next gave ERR_END, or intake_stream_keep. Only when
 * hungry; `last` once. */
void intake_stream_feed(struct intake_stream *stream, struct slice bytes, bool last);
/* Copies what is left of the bytes fed. ERR_MEMORY. */
err intake_stream_keep(struct intake_stream *stream) MUST_USE;
/* Everything fed was consumed, and more may come. */
bool intake_stream_hungry(const struct intake_stream *stream);

/* The next record; its bytes are borrowed until the next call. *budget_bytes goes down by what was
 * inflated or copied.
 *   ERR_END   all that was fed is consumed (after `last`: the stream is complete)
 *   ERR_BUSY  the budget is used up: call again with more
 *   otherwise the stream is damaged or too large: final, the same again on every call; *error has it */
err intake_stream_next(struct intake_stream *stream, int64_t *budget_bytes, struct split *out,
                       struct error *error) MUST_USE;

/* Bytes after inflating. */
uint64_t intake_stream_bytes(const struct intake_stream *stream);

#endif
