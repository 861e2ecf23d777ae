/* Rows of a table. Quotes are read as csv.h says, so that both agree on where a row ends. */
#include <stdio.h>

#include "base/memory.h"
#include "csv.h"
#include "ingest/limits.h"
#include "splitter_state.h"

static void begin_row(struct splitter *s)
{
    begin_record(s);
    s->csv = CSV_CELL_START;
    s->row_has_newline = false;
}

static size_t row_limit(const struct splitter *s)
{
    return s->mode == MODE_CSV_HEADER ? CSV_HEADER_BYTES_MAX - 1 : s->record_max;
}

static void step(struct splitter *s, char c)
{
    switch (s->csv) {
    case CSV_CELL_START:
        if (c == '"') {
            s->csv = CSV_QUOTED;
        } else if (c != s->delimiter && c != ' ') {
            s->csv = CSV_PLAIN;
        }
        break;
    case CSV_PLAIN:
        if (c == s->delimiter) {
            s->csv = CSV_CELL_START;
        }
        break;
    case CSV_QUOTED:
        if (c == '"') {
            s->csv = CSV_QUOTE_SEEN;
        } else if (c == '\n') {
            s->line++;
            if (!s->row_has_newline) {
                s->row_has_newline = true;
                s->row_newline = s->at - s->start;
            }
        }
        break;
    case CSV_QUOTE_SEEN:
        s->csv = c == '"' ? CSV_QUOTED : c == s->delimiter ? CSV_CELL_START : CSV_PLAIN;
        break;
    }
}

enum found { FOUND_END, FOUND_LIMIT, FOUND_NOTHING };

/* The end of the row: the position of its line break. Never looks further than one byte over the
 * limit, so that what happens there does not depend on how much of the row is here. */
static enum found find_row_slowly(struct splitter *s, size_t *end)
{
    size_t limit = row_limit(s);
    size_t stop = s->length - s->start > limit ? s->start + limit + 1 : s->length;
    for (; s->at < stop; s->at++) {
        char c = s->data[s->at];
        if (c == '\n' && s->csv != CSV_QUOTED) {
            *end = s->at++;
            s->line++;
            return FOUND_END;
        }
        step(s, c);
    }
    return s->at - s->start > limit ? FOUND_LIMIT : FOUND_NOTHING;
}

/* True when every quoted cell of a line closes in it, so that its line break ends the row: `step`
 * over the line, by jumps. */
static bool quotes_close(struct slice line, char delimiter)
{
    const char *at = line.data;
    const char *end = line.data + line.length;
    for (;;) {
        while (at < end && *at == ' ') {
            at++;
        }
        if (at < end && *at == '"') {
            do { /* from an opening quote, or the second of two, to the next */
                at = memchr(at + 1, '"', (size_t)(end - at) - 1);
                if (at == NULL) {
                    return false;
                }
                at++;
            } while (at < end && *at == '"');
        }
        at = memchr(at, delimiter, (size_t)(end - at));
        if (at == NULL) {
            return true;
        }
        at++;
    }
}

/* Most rows are one line: two memchr and the row is there, with some more when it has quotes. */
static enum found find_row(struct splitter *s, size_t *end)
{
    if (s->at == s->start && s->csv == CSV_CELL_START) {
        size_t left = s->length - s->at;
        const char *newline = left == 0 ? NULL : memchr(s->data + s->at, '\n', left);
        size_t size = newline == NULL ? 0 : (size_t)(newline - s->data) - s->at;
        struct slice line = slice_of(s->data + s->at, size);
        if (newline != NULL && size <= row_limit(s) &&
            (size == 0 || memchr(line.data, '"', size) == NULL ||
             quotes_close(line, s->delimiter))) {
            *end = s->at + size;
            s->at += size + 1;
            s->line++;
            return FOUND_END;
        }
    }
    return find_row_slowly(s, end);
}

static bool is_blank(const struct splitter *s, size_t end)
{
    for (size_t i = s->start; i < end; i++) {
        if (s->data[i] != ' ' && s->data[i] != '\r') {
            return false;
        }
    }
    return true;
}

static size_t without_return(const struct splitter *s, size_t end)
{
    return end > s->start && s->data[end - 1] == '\r' ? end - 1 : end;
}

static err emit_header(struct splitter *s, size_t end, struct split *out)
{
    size_t size = without_return(s, end) - s->start;
    s->header = memory_alloc(size + 1);
    if (s->header == NULL) {
        return ERR_MEMORY;
    }
    s->header[0] = s->delimiter;
    memcpy(s->header + 1, s->data + s->start, size);
    *out = (struct split){.kind = SPLIT_HEADER,
                          .format = FORMAT_CSV,
                          .bytes = slice_of(s->header, size + 1),
                          .line = s->start_line,
                          .offset = s->window_offset + s->start};
    s->mode = MODE_CSV;
    begin_row(s);
    return ERR_OK;
}

/* Without its header no row can be read. */
static err refuse_header(struct splitter *s, struct split *out)
{
    s->mode = MODE_DONE;
    return emit_bad(
        s, s->at, false, FORMAT_CSV, "csv_header_invalid",
        "The header line has more than 256 KiB or a quote that never closes; mend it and send all again.",
        0, out);
}

/* A quote was opened and never closed: only the first line of what it swallowed is bad. Every other
 * quote would have closed it, so what was looked at for nothing is looked at once more, not again
 * and again. */
static err give_up_row(struct splitter *s, struct split *out)
{
    size_t end = s->start + s->row_newline;
    s->at = end + 1;
    s->line = s->start_line + 1;
    err e = emit_bad(
        s, without_return(s, end), true, FORMAT_CSV, "csv_quote",
        "A quote opens a cell and never closes; write a quote inside a cell as two, or close it.",
        0, out);
    begin_row(s);
    return e;
}

static err over_limit(struct splitter *s, struct split *out)
{
    if (s->mode == MODE_CSV_HEADER) {
        return refuse_header(s, out);
    }
    if (s->row_has_newline && s->csv == CSV_QUOTED) {
        return give_up_row(s, out);
    }
    s->skipping = true;
    return emit_too_large(s, FORMAT_CSV, out);
}

/* The rest of a row over the limit, up to the next line break whatever the quotes say. */
static bool skip_row(struct splitter *s)
{
    size_t left = s->length - s->at;
    const char *newline = left == 0 ? NULL : memchr(s->data + s->at, '\n', left);
    s->at = newline == NULL ? s->length : (size_t)(newline - s->data) + 1;
    s->line += newline != NULL;
    s->skipping = newline == NULL;
    begin_row(s);
    return !s->skipping;
}

/* The stream ends inside a row. */
static err last_row(struct splitter *s, struct split *out)
{
    size_t end = without_return(s, s->length);
    if (s->csv == CSV_QUOTED && s->row_has_newline) {
        return s->mode == MODE_CSV_HEADER ? refuse_header(s, out) : give_up_row(s, out);
    }
    if (is_blank(s, end)) {
        s->at = s->length;
        begin_row(s);
        return ERR_END;
    }
    return s->mode == MODE_CSV_HEADER ? emit_header(s, end, out)
                                      : emit_record(s, end, FORMAT_CSV, out);
}

err split_csv(struct splitter *s, struct split *out)
{
    for (;;) {
        if (s->skipping && !skip_row(s)) {
            return ERR_END;
        }
        size_t end;
        switch (find_row(s, &end)) {
        case FOUND_LIMIT: return over_limit(s, out);
        case FOUND_NOTHING: return s->last && s->start < s->length ? last_row(s, out) : ERR_END;
        case FOUND_END: break;
        }
        size_t stop = without_return(s, end);
        if (!is_blank(s, stop)) {
            err e = s->mode == MODE_CSV_HEADER ? emit_header(s, end, out)
                                               : emit_record(s, stop, FORMAT_CSV, out);
            s->csv = CSV_CELL_START;
            s->row_has_newline = false;
            return e;
        }
        begin_row(s);
    }
}
