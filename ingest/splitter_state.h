/* splitter_state.h: what the parts of the splitter share. splitter.c feeds and hands out,
 * splitter_sniff.c looks what the bytes are, splitter_json.c and splitter_csv.c find where records
 * end.
 *
 *   window   data[0 .. length)    bytes not handed out yet: the piece just fed, or (when a record was cut by the
 *                                 end of the piece before) the rest of that piece with this one behind it
 *            data[start]          first byte of the record being looked for
 *            data[at]             the next byte to look at
 *
 * The scan state is kept with `at`, so a record that comes in a thousand pieces is still scanned
 * once. How the stream was cut into pieces never shows in what is handed out: every decision (a
 * limit, a bad line) is taken at a fixed byte of the stream. Private to ingest/. */
#ifndef KINDRED_INGEST_SPLITTER_STATE_H
#define KINDRED_INGEST_SPLITTER_STATE_H

#include "base/buffer.h"
#include "ingest/splitter.h"

enum splitter_mode {
    MODE_SNIFF,    /* nothing but white space so far, or a first line that has not ended */
    MODE_SEQUENCE, /* objects at top level, one or more, each perhaps an envelope */
    MODE_LINES,    /* NDJSON: a line is a record */
    MODE_ARRAY,    /* inside the top-level list, or the list of an envelope */
    MODE_TAIL,     /* behind the top-level list: white space only */
    MODE_CSV_HEADER,
    MODE_CSV,
    MODE_DONE, /* what comes is thrown away */
};

/* Inside one JSON value. */
struct json_scan {
    size_t depth;
    bool in_string;
    bool escaped;   /* the last byte was a backslash inside a string */
    bool in_scalar; /* a number, true, false, null, or anything that is none of JSON */
};

/* Inside one row. */
enum csv_state { CSV_CELL_START, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_SEEN };

struct splitter {
    enum splitter_mode mode;
    enum content_hint hint;
    size_t record_max;
    char delimiter; /* 0: find out */
    const char *data;
    size_t length, start, at;
    uint64_t window_offset; /* of data[0] in the stream */
    bool last;
    bool failed; /* none of the forms */
    struct buffer carry;
    uint64_t records;
    uint64_t line;       /* of data[at] */
    uint64_t start_line; /* of data[start] */
    uint64_t objects;    /* at top level */
    bool saw_list, saw_table;
    bool skipping; /* the record was too large; its bytes are thrown away until it ends */
    bool stray;    /* a byte that belongs nowhere was reported; those behind it are thrown away */
    struct json_scan scan;
    /* sequence */
    bool in_object;     /* between a top-level { and its } */
    bool envelope_seen; /* some object had data */
    bool in_data;       /* the record is the object behind "data" */
    bool after_data;    /* this envelope's data has been handed out */
    /* bytes of "data" that the string at depth 1 matched; KEY_OTHER when it is another */
    unsigned key_matched;
    bool key_is_data;     /* the last string at depth 1 was "data" */
    bool value_next;      /* and a colon followed */
    bool has_newline;     /* the object has a line break, */
    size_t first_newline; /* the first one here, from start */
    bool single_line;     /* the object before had none: a line break now means NDJSON */
    /* array */
    bool in_element, need_comma, after_comma, list_in_envelope;
    /* table */
    enum csv_state csv;
    bool row_has_newline;
    size_t row_newline; /* first line break inside the row, from start */
    char *header;       /* dialect byte and line; owned */
};

/* Each looks on from splitter->at. ERR_OK with *out, ERR_END when the window is used up. */
err split_sequence(struct splitter *s, struct split *out) MUST_USE;
err split_array(struct splitter *s, struct split *out) MUST_USE;
err split_lines(struct splitter *s, struct split *out) MUST_USE;
err split_csv(struct splitter *s, struct split *out) MUST_USE;

/* Decides the mode, or leaves MODE_SNIFF when more bytes are needed. ERR_INVALID when it is
 * none. */
err splitter_sniff(struct splitter *s, struct error *error) MUST_USE;

/* ---- handing out ---- */

/* data[start .. end) is the next record; looking goes on at s->at. */
err emit_record(struct splitter *s, size_t end, enum record_format format, struct split *out);
/* Something that cannot be cut out. `counts`: it takes a record number. */
err emit_bad(struct splitter *s, size_t end, bool counts, enum record_format format,
             const char *code, const char *message, uint64_t position, struct split *out);
/* The record being looked for is over the limit. */
err emit_too_large(struct splitter *s, enum record_format format, struct split *out);
/* The next record starts at data[s->at]. */
void begin_record(struct splitter *s);

#endif
