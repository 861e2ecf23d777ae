/* splitter.h: a stream of bytes cut into records, in bounded memory.
 *
 * What the bytes are is found by looking at them (the content type only breaks ties):
 *
 *   {"data": {...}}  {"data": [...]}  {...}  [...]  {...}\n{...}\n   a,b,c\n1,2,3\n   (also ; tab |)
 *
 * The splitter never parses a record; it finds where it ends. JSON: one state machine over depth
 * and strings, so that an array of 2 GB goes through element by element. NDJSON and CSV: memchr for
 * the line end, quotes counted (RFC 4180, a quoted field may hold line breaks). A UTF-8 byte order
 * mark is skipped.
 *
 *   splitter_feed(bytes) ─▶ splitter_next() ─▶ split {HEADER | RECORD | BAD} … ERR_END: feed more
 *
 * A record over the limit, or one that cannot be cut out (a stray byte between elements, a quote
 * never closed), comes out as BAD with a reason; where the cut can go on behind it, it goes on.
 *
 * Threading: one thread at a time. Memory: at most one record (limit) plus one fed piece. */
#ifndef KINDRED_INGEST_SPLITTER_H
#define KINDRED_INGEST_SPLITTER_H

#include "base/err.h"
#include "base/slice.h"
#include "ingest/record.h"

struct splitter;

enum split_kind { SPLIT_HEADER, SPLIT_RECORD, SPLIT_BAD };

struct split {
    enum split_kind kind;
    enum record_format format;
    struct slice bytes;     /* borrowed until the next splitter_feed; for BAD at most 4 KiB of it */
    uint64_t record_number; /* 1 is the first record; the header is not counted */
    uint64_t line;          /* 1 is the first line of the stream; the line the record starts on */
    uint64_t offset;        /* bytes from the start of the stream */
    struct record_error error; /* for BAD */
};

enum content_hint { HINT_NONE, HINT_JSON, HINT_NDJSON, HINT_CSV, HINT_TSV };

/* `text/csv; charset=utf-8` → HINT_CSV and so on. */
enum content_hint content_hint_of(struct slice content_type);

/* record_max_bytes: the most one record may have. Owned by caller; NULL when memory is out. */
struct splitter *splitter_create(enum content_hint hint, size_t record_max_bytes) MUST_USE;
void splitter_destroy(struct splitter *splitter);

/* The delimiter of a table when it is known (a mapping says so); before the first feed. */
void splitter_set_delimiter(struct splitter *splitter, char delimiter);

/* The bytes are looked at in place and must stay until splitter_next has answered ERR_END; what is
 * left of an unfinished record is copied then, so the caller may reuse its buffer for the next
 * feed. `last`: no more will come. ERR_MEMORY, or ERR_INVALID with *error when the stream as a
 * whole is none of the forms. */
err splitter_feed(struct splitter *splitter, struct slice bytes, bool last,
                  struct error *error) MUST_USE;

/* ERR_END when more bytes are needed (or all is done, after last). */
err splitter_next(struct splitter *splitter, struct split *out) MUST_USE;

/* True when the input was one bare record ({"data": {…}} or {…}), which an empty stream is not. */
bool splitter_was_single(const struct splitter *splitter);

/* ---- a CSV header ---- */

/* A header entry's bytes are the dialect byte (',', ';', '\t' or '|') and the header line as it
 * came. */
struct csv_header;

/* Checks the names (valid UTF-8, not empty, distinct, at most 1,024). Owned by caller. */
err csv_header_parse(struct slice header_bytes, struct csv_header **out,
                     struct error *error) MUST_USE;
void csv_header_destroy(struct csv_header *header);

#endif
