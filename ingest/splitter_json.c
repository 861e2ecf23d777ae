#include "splitter_json.h"

#include <stdio.h>

#include "base/bytes.h"

/* ---- values ---------------------------------------------------------------------------------- */

static const uint64_t ones = UINT64_C(0x0101010101010101);
static const uint64_t highs = UINT64_C(0x8080808080808080);

/* The high bit of each byte of `word` that is c; above the lowest such byte there may be false
 * ones. (Mycroft) */
static uint64_t bytes_equal(uint64_t word, unsigned char c)
{
    uint64_t x = word ^ ones * c;
    return (x - ones) & ~x & highs;
}

size_t scan_string(const char *data, size_t at, size_t stop, bool newline)
{
    for (; at + 8 <= stop; at += 8) {
        uint64_t word = load_u64(data + at);
        uint64_t found = bytes_equal(word, '"') | bytes_equal(word, '\\') |
                         (newline ? bytes_equal(word, '\n') : 0);
        if (found != 0) {
            return at + (size_t)__builtin_ctzll(found) / 8;
        }
    }
    while (at < stop && data[at] != '"' && data[at] != '\\' && !(newline && data[at] == '\n')) {
        at++;
    }
    return at;
}

size_t scan_stop(const struct splitter *s)
{
    bool kept = !s->skipping && !s->after_data;
    return kept && s->length - s->start > s->record_max ? s->start + s->record_max : s->length;
}

enum scan_result scan_stopped(const struct splitter *s)
{
    return s->at < s->length ? SCAN_LIMIT : SCAN_NOTHING;
}

void scan_begin(struct splitter *s)
{
    char c = s->data[s->at];
    s->scan = (struct json_scan){0};
    s->scan.in_scalar = c != '{' && c != '[' && c != '"';
}

/* A string's bytes up to its quote; false when the window ends first. */
static bool finish_string(struct splitter *s, size_t stop)
{
    while (s->at < stop) {
        if (s->scan.escaped) {
            s->scan.escaped = false;
            s->at++;
            continue;
        }
        s->at = scan_string(s->data, s->at, stop, false);
        if (s->at == stop) {
            break;
        }
        if (s->data[s->at++] == '"') {
            s->scan.in_string = false;
            return true;
        }
        s->scan.escaped = true;
    }
    return false;
}

static bool ends_scalar(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static enum scan_result scan_scalar(struct splitter *s, size_t stop)
{
    while (s->at < stop && !ends_scalar(s->data[s->at])) {
        s->at++;
    }
    if (s->at < s->length && ends_scalar(s->data[s->at])) {
        return SCAN_END;
    }
    return scan_stopped(s);
}

static const bool structural[256] = {
    ['"'] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true, ['\n'] = true};

enum scan_result scan_value(struct splitter *s)
{
    size_t stop = scan_stop(s);
    if (s->scan.in_scalar) {
        return scan_scalar(s, stop);
    }
    while (s->at < stop) {
        if (s->scan.in_string) {
            if (!finish_string(s, stop)) {
                break;
            }
            if (s->scan.depth == 0) {
                return SCAN_END;
            }
        }
        const char *data = s->data;
        size_t at = s->at;
        while (at < stop && !structural[(unsigned char)data[at]]) {
            at++;
        }
        s->at = at;
        if (at == stop) {
            break;
        }
        char c = data[s->at++];
        if (c == '"') {
            s->scan.in_string = true;
        } else if (c == '\n') {
            s->line++;
        } else if (c == '{' || c == '[') {
            s->scan.depth++;
        } else if (--s->scan.depth == 0) {
            return SCAN_END;
        }
    }
    return scan_stopped(s);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool line_is_blank(const struct splitter *s, size_t end)
{
    for (size_t i = s->start; i < end; i++) {
        if (!is_white(s->data[i])) {
            return false;
        }
    }
    return true;
}

static err emit_line(struct splitter *s, size_t end, struct split *out)
{
    if (s->data[end - 1] == '\r') {
        end--;
    }
    s->objects++;
    return emit_record(s, end, FORMAT_JSON, out);
}

err split_lines(struct splitter *s, struct split *out)
{
    while (s->at < s->length || s->start < s->length) {
        size_t left = s->length - s->at;
        const char *newline = left == 0 ? NULL : memchr(s->data + s->at, '\n', left);
        size_t end = newline == NULL ? s->length : (size_t)(newline - s->data);
        if (!s->skipping && end - s->start > s->record_max) {
            s->at = s->start + s->record_max;
            s->skipping = true;
            s->objects++;
            return emit_too_large(s, FORMAT_JSON, out);
        }
        s->at = newline == NULL ? end : end + 1;
        s->line += newline != NULL;
        if (newline == NULL && !s->last && !s->skipping) {
            return ERR_END;
        }
        if (s->skipping) {
            s->skipping = newline == NULL;
            begin_record(s);
        } else if (line_is_blank(s, end)) {
            begin_record(s);
        } else {
            return emit_line(s, end, out);
        }
    }
    return ERR_END;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void skip_white(struct splitter *s)
{
    while (s->at < s->length && is_white(s->data[s->at])) {
        s->line += s->data[s->at++] == '\n';
    }
}

/* The stream ended too early: what is there is bad, and nothing follows. */
static err unclosed(struct splitter *s, bool counts, struct split *out)
{
    char message[ERROR_MESSAGE_MAX];
    snprintf(message, sizeof message,
             "The input ends before its brackets close (at byte %llu); send it whole.",
             (unsigned long long)(s->window_offset + s->length));
    s->mode = MODE_DONE;
    s->at = s->length;
    if (!counts) {
        begin_record(s); /* nothing of it is a record: show none of it */
    }
    return emit_bad(s, s->length, counts, FORMAT_JSON, "json_unclosed", message,
                    s->length - s->start, out);
}

static err bad_byte(struct splitter *s, const char *code, const char *message, struct split *out)
{
    begin_record(s);
    s->at++;
    return emit_bad(s, s->at, false, FORMAT_JSON, code, message, 0, out);
}

static err split_element(struct splitter *s, struct split *out)
{
    enum scan_result result = scan_value(s);
    if (result == SCAN_LIMIT) {
        s->skipping = true;
        return emit_too_large(s, FORMAT_JSON, out);
    }
    if (result == SCAN_NOTHING) {
        if (s->skipping) {
            begin_record(s);
        }
        return s->last ? unclosed(s, !s->skipping, out) : ERR_END;
    }
    s->in_element = false;
    s->need_comma = true;
    if (!s->skipping) {
        return emit_record(s, s->at, FORMAT_JSON, out);
    }
    s->skipping = false;
    begin_record(s);
    return split_array(s, out);
}

static void leave_list(struct splitter *s)
{
    s->at++;
    s->mode = MODE_TAIL;
    if (s->list_in_envelope) {
        s->mode = MODE_SEQUENCE;
        s->after_data = true;
        s->scan = (struct json_scan){.depth = 1};
    }
    begin_record(s);
}

/* A closing brace, a colon: they belong nowhere. What follows is skipped up to where an element may
 * begin. */
static err split_stray(struct splitter *s, struct split *out)
{
    s->stray = true;
    return bad_byte(
        s, "json_stray",
        "Between the elements of a list there may only be commas; this byte was skipped.", out);
}

static bool skip_stray(struct splitter *s)
{
    while (s->stray && s->at < s->length) {
        char c = s->data[s->at];
        if (c == ',' || c == ']' || c == '{' || c == '[') {
            s->stray = false;
            s->need_comma = s->need_comma && c != '{' && c != '[';
        } else {
            s->line += c == '\n';
            s->at++;
        }
    }
    return !s->stray;
}

static err split_tail(struct splitter *s, struct split *out)
{
    skip_white(s);
    begin_record(s);
    if (s->at == s->length) {
        return ERR_END;
    }
    s->mode = MODE_DONE;
    return bad_byte(s, "json_trailing", "Something follows the end of the list; it was not read.",
                    out);
}

/* One byte between elements. ERR_END: go on. */
static err between_elements(struct splitter *s, struct split *out)
{
    char c = s->data[s->at];
    if (c == ',' && s->need_comma) {
        s->need_comma = false;
        s->after_comma = true;
        s->at++;
        return ERR_END;
    }
    if (c == ',' || (c == ']' && s->after_comma)) {
        s->after_comma = false;
        if (c == ',') {
            return bad_byte(s, "json_comma", "A comma stands where an element should; remove it.",
                            out);
        }
        begin_record(s);
        return emit_bad(s, s->at, false, FORMAT_JSON, "json_comma",
                        "A comma stands behind the last element; remove it.", 0, out);
    }
    if (c == ']') {
        leave_list(s);
        return ERR_END;
    }
    if (c == '}' || c == ':') {
        return split_stray(s, out);
    }
    begin_record(s);
    if (s->need_comma) {
        s->need_comma = false;
        return emit_bad(s, s->at, false, FORMAT_JSON, "json_comma",
                        "A comma is missing between two elements; add it.", 0, out);
    }
    s->after_comma = false;
    s->in_element = true;
    scan_begin(s);
    return ERR_END;
}

err split_array(struct splitter *s, struct split *out)
{
    if (s->mode == MODE_TAIL) {
        return split_tail(s, out);
    }
    while (s->mode == MODE_ARRAY) {
        if (s->in_element) {
            return split_element(s, out);
        }
        if (skip_stray(s)) {
            skip_white(s);
        }
        if (s->at == s->length) {
            begin_record(s);
            return s->last ? unclosed(s, false, out) : ERR_END;
        }
        err e = between_elements(s, out);
        if (e != ERR_END) {
            return e;
        }
    }
    return ERR_END; /* the mode changed: splitter_next goes on */
}
