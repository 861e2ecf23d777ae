/* Feeding and handing out. The states are described in splitter_state.h. */
#include "ingest/splitter.h"

#include <stdio.h>

#include "base/memory.h"
#include "ingest/limits.h"
#include "splitter_state.h"
#include "text.h"

struct splitter *splitter_create(enum content_hint hint, size_t record_max_bytes)
{
    struct splitter *s = memory_zalloc(sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->hint = hint;
    s->record_max = record_max_bytes;
    s->line = s->start_line = 1;
    buffer_init(&s->carry, SIZE_MAX / 4); /* bounded by record_max and the piece: see keep_rest */
    return s;
}

void splitter_destroy(struct splitter *s)
{
    if (s != NULL) {
        buffer_deinit(&s->carry);
        memory_free(s->header);
        memory_free(s);
    }
}

void splitter_set_delimiter(struct splitter *s, char delimiter)
{
    s->delimiter = delimiter;
}

bool splitter_was_single(const struct splitter *s)
{
    return s->objects == 1 && !s->saw_list && !s->saw_table;
}

enum content_hint content_hint_of(struct slice content_type)
{
    struct slice rest = content_type;
    struct slice type = slice_trim(slice_cut(&rest, ';'));
    static const struct {
        const char *type;
        enum content_hint hint;
    } hints[] = {
        {"application/json", HINT_JSON},         {"text/json", HINT_JSON},
        {"application/x-ndjson", HINT_NDJSON},   {"application/ndjson", HINT_NDJSON},
        {"application/jsonl", HINT_NDJSON},      {"application/x-jsonlines", HINT_NDJSON},
        {"application/json-lines", HINT_NDJSON}, {"text/csv", HINT_CSV},
        {"application/csv", HINT_CSV},           {"text/tab-separated-values", HINT_TSV},
    };
    for (size_t i = 0; i < ARRAY_COUNT(hints); i++) {
        if (slice_equal_ignoring_case(type, slice_from_cstr(hints[i].type))) {
            return hints[i].hint;
        }
    }
    return HINT_NONE;
}

/* ---- the window ------------------------------------------------------------------------------ */

/* What was not handed out moves to the front of the carry. */
static err keep_rest(struct splitter *s)
{
    size_t rest = s->length - s->start;
    if (rest > 0 && s->data != s->carry.data) {
        buffer_clear(&s->carry);
        buffer_append(&s->carry, s->data + s->start, rest);
        if (s->carry.failed) {
            return ERR_MEMORY;
        }
    } else if (rest > 0) {
        buffer_consume(&s->carry, s->start);
    } else {
        buffer_clear(&s->carry);
    }
    s->window_offset += s->start;
    s->at -= s->start;
    s->start = 0;
    s->data = s->carry.data;
    s->length = rest;
    return ERR_OK;
}

err splitter_feed(struct splitter *s, struct slice bytes, bool last, struct error *error)
{
    if (s->length > s->start || s->start > 0) {
        if (keep_rest(s) != ERR_OK) {
            goto no_memory;
        }
    }
    if (s->length == 0) {
        s->data = bytes.data;
        s->length = bytes.length;
    } else {
        buffer_append(&s->carry, bytes.data, bytes.length);
        if (s->carry.failed) {
            goto no_memory;
        }
        s->data = s->carry.data;
        s->length = s->carry.length;
    }
    s->last = last;
    if (s->failed) {
        return error_set(error, ERR_INVALID, "format_unknown", 0,
                         "The input was refused before; start a new one.");
    }
    err e = s->mode == MODE_SNIFF ? splitter_sniff(s, error) : ERR_OK;
    s->failed = e != ERR_OK;
    return e;
no_memory:
    return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                     "There was no memory to hold a record; send it again later.");
}

/* ---- handing out ----------------------------------------------------------------------------- */

void begin_record(struct splitter *s)
{
    s->start = s->at;
    s->start_line = s->line;
}

static void fill(struct splitter *s, size_t end, enum split_kind kind, enum record_format format,
                 struct split *out)
{
    /* Not its error, which is long and only for BAD: clearing it would take longer than finding the
     * record. */
    out->kind = kind;
    out->format = format;
    out->bytes = slice_of(s->data + s->start, end - s->start);
    out->record_number = s->records;
    out->line = s->start_line;
    out->offset = s->window_offset + s->start;
}

err emit_record(struct splitter *s, size_t end, enum record_format format, struct split *out)
{
    s->records++;
    fill(s, end, SPLIT_RECORD, format, out);
    begin_record(s);
    return ERR_OK;
}

err emit_bad(struct splitter *s, size_t end, bool counts, enum record_format format,
             const char *code, const char *message, uint64_t position, struct split *out)
{
    s->records += counts;
    fill(s, end, SPLIT_BAD, format, out);
    if (out->bytes.length > BAD_BYTES_MAX) {
        out->bytes.length = BAD_BYTES_MAX;
    }
    out->error = (struct record_error){.err = ERR_INVALID, .position = position};
    snprintf(out->error.code, sizeof out->error.code, "%s", code);
    snprintf(out->error.message, sizeof out->error.message, "%s", message);
    begin_record(s);
    return ERR_OK;
}

err emit_too_large(struct splitter *s, enum record_format format, struct split *out)
{
    size_t shown = s->record_max < BAD_BYTES_MAX ? s->record_max : BAD_BYTES_MAX;
    char message[ERROR_MESSAGE_MAX];
    snprintf(message, sizeof message,
             "The record has more than %zu bytes; split it or leave some of it away.",
             s->record_max);
    err e = emit_bad(s, s->start + shown, true, format, "record_too_large", message, s->record_max,
                     out);
    out->error.err = ERR_TOO_LARGE;
    return e;
}

static err kept(err e)
{
    return e == ERR_OK ? ERR_END : e;
}

err splitter_next(struct splitter *s, struct split *out)
{
    if (s->failed) {
        return ERR_END;
    }
    for (;;) {
        enum splitter_mode mode = s->mode;
        err e = ERR_END;
        switch (mode) {
        case MODE_SNIFF: break;
        case MODE_SEQUENCE: e = split_sequence(s, out); break;
        case MODE_ARRAY:
        case MODE_TAIL: e = split_array(s, out); break;
        case MODE_LINES: e = split_lines(s, out); break;
        case MODE_CSV_HEADER:
        case MODE_CSV: e = split_csv(s, out); break;
        case MODE_DONE:
            s->at = s->length;
            begin_record(s);
            return ERR_END;
        }
        if (e != ERR_END || s->mode == mode) {
            /* The caller's bytes end with this call: what is not complete yet is copied now, not at
             * the next feed. */
            return e == ERR_END && s->data != s->carry.data ? kept(keep_rest(s)) : e;
        }
    }
}
