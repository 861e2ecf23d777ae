/* Objects at top level: one record, an envelope {"data": …} (other members may stand around data),
 * or the first of many, one a line.
 *
 * Until "data" shows up, an object may be either, so it is kept whole (up to the limit). When the
 * first object fits its line and a line break follows, the rest is NDJSON (MODE_LINES). A first
 * line that is broken is told from an object over several lines by what cannot be in JSON:
 *   - a line break inside a string
 *   - a line that begins with { although the line before did not end with ':', '[', ',' or '{'
 * when that line break is the object's first. Then the line is handed out as it is (record_read
 * says what is wrong with it), and the next line starts afresh. */
#include "splitter_json.h"

static const char data_key[4] = {'d', 'a', 't', 'a'};
enum { KEY_OTHER = 255 };

enum outer_event {
    OUTER_NOTHING,
    OUTER_LIMIT,
    OUTER_END,  /* behind the closing brace */
    OUTER_DATA, /* at the { or [ of data */
    OUTER_DATA_TWICE,
    OUTER_BAD_LINE
};

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- inside the object, outside of data ------------------------------------------------------ */

/* True when a line break inside a string shows a broken line. */
static bool take_newline(struct splitter *s, bool in_string)
{
    s->line++;
    if (s->has_newline || s->skipping || s->after_data) {
        return false;
    }
    s->has_newline = true;
    s->first_newline = s->at - s->start;
    return in_string;
}

/* At a {: does a new record begin here because the line before is broken? */
static bool starts_new_line(const struct splitter *s)
{
    if (!s->has_newline || s->skipping || s->after_data || s->scan.depth == 0) {
        return false;
    }
    size_t newline = s->start + s->first_newline;
    for (size_t i = newline; i < s->at; i++) {
        if (!is_white(s->data[i])) {
            return false;
        }
    }
    size_t before = newline;
    while (before > s->start && is_white(s->data[before - 1])) {
        before--;
    }
    char c = s->data[before - 1];
    return c != ':' && c != '[' && c != ',' && c != '{';
}

static void match_key(struct splitter *s, char c)
{
    if (s->key_matched < sizeof data_key && data_key[s->key_matched] == c) {
        s->key_matched++;
    } else {
        s->key_matched = KEY_OTHER;
    }
}

/* One byte of a string, or many when they cannot matter. */
static enum outer_event in_string(struct splitter *s, size_t stop)
{
    if (s->scan.escaped) {
        s->scan.escaped = false;
        s->at++;
        return OUTER_NOTHING;
    }
    if (s->scan.depth > 1 || s->key_matched == KEY_OTHER) {
        s->at = scan_string(s->data, s->at, stop, true);
        if (s->at == stop) {
            return OUTER_NOTHING;
        }
    }
    char c = s->data[s->at];
    if (c == '\n' && take_newline(s, true)) {
        return OUTER_BAD_LINE;
    }
    if (c == '"') {
        s->scan.in_string = false;
        s->key_is_data = s->scan.depth == 1 && s->key_matched == sizeof data_key;
    } else if (c == '\\') {
        s->scan.escaped = true;
        s->key_matched = KEY_OTHER;
    } else {
        match_key(s, c);
    }
    s->at++;
    return OUTER_NOTHING;
}

static enum outer_event open_bracket(struct splitter *s, char c)
{
    if (s->value_next) {
        s->value_next = false;
        if (!s->after_data) {
            return OUTER_DATA;
        }
        s->scan.depth++;
        s->at++;
        return OUTER_DATA_TWICE;
    }
    if (c == '{' && starts_new_line(s)) {
        return OUTER_BAD_LINE;
    }
    s->scan.depth++;
    s->at++;
    return OUTER_NOTHING;
}

static enum outer_event outside_string(struct splitter *s)
{
    char c = s->data[s->at];
    switch (c) {
    case '"':
        s->scan.in_string = true;
        s->key_matched = s->value_next ? KEY_OTHER : 0;
        s->key_is_data = s->value_next = false;
        break;
    case ':':
        s->value_next = s->key_is_data && s->scan.depth == 1;
        s->key_is_data = false;
        break;
    case '{':
    case '[': return open_bracket(s, c);
    case '}':
    case ']':
        s->at++;
        s->key_is_data = s->value_next = false;
        return --s->scan.depth == 0 ? OUTER_END : OUTER_NOTHING;
    case '\n': take_newline(s, false); break;
    case ' ':
    case '\t':
    case '\r': break;
    default: s->key_is_data = s->value_next = false; break;
    }
    s->at++;
    return OUTER_NOTHING;
}

static enum outer_event scan_outer(struct splitter *s)
{
    size_t stop = scan_stop(s);
    while (s->at < stop) {
        enum outer_event event = s->scan.in_string ? in_string(s, stop) : outside_string(s);
        if (event != OUTER_NOTHING) {
            return event;
        }
    }
    return scan_stopped(s) == SCAN_LIMIT ? OUTER_LIMIT : OUTER_NOTHING;
}

/* ---- what the events mean -------------------------------------------------------------------- */

static void close_object(struct splitter *s)
{
    s->in_object = s->after_data = s->skipping = false;
    s->single_line = !s->has_newline && !s->envelope_seen;
    begin_record(s);
}

static err unclosed_object(struct splitter *s, struct split *out)
{
    bool counts = !s->skipping && !s->after_data;
    s->mode = MODE_DONE;
    s->at = s->length;
    if (!counts) {
        begin_record(s); /* nothing of it is a record: show none of it */
    }
    return emit_bad(s, s->length, counts, FORMAT_JSON, "json_unclosed",
                    "The input ends before the object's brackets close; send it whole.",
                    s->length - s->start, out);
}

static err bad_line(struct splitter *s, struct split *out)
{
    size_t end = s->start + s->first_newline;
    s->at = end + 1;
    s->line = s->start_line + 1;
    s->in_object = false;
    if (!s->envelope_seen) {
        s->mode = MODE_LINES;
    }
    return emit_record(s, s->data[end - 1] == '\r' ? end - 1 : end, FORMAT_JSON, out);
}

static void enter_data(struct splitter *s)
{
    s->envelope_seen = true;
    s->skipping = false;
    if (s->data[s->at] == '{') {
        begin_record(s);
        s->in_data = true;
        scan_begin(s);
        return;
    }
    s->at++;
    s->saw_list = s->list_in_envelope = true;
    s->need_comma = s->after_comma = s->in_element = false;
    s->mode = MODE_ARRAY;
    begin_record(s);
}

/* ERR_END with the mode unchanged and bytes left: go on. */
static err split_outer(struct splitter *s, struct split *out)
{
    switch (scan_outer(s)) {
    case OUTER_LIMIT: s->skipping = true; return emit_too_large(s, FORMAT_JSON, out);
    case OUTER_BAD_LINE: return bad_line(s, out);
    case OUTER_DATA: enter_data(s); return ERR_END;
    case OUTER_DATA_TWICE:
        begin_record(s);
        return emit_bad(s, s->at, false, FORMAT_JSON, "duplicate_key",
                        "The envelope has data twice; only the first was read.", 0, out);
    case OUTER_END:
        if (s->skipping || s->after_data) {
            close_object(s);
            return ERR_END;
        } else {
            err e = emit_record(s, s->at, FORMAT_JSON, out);
            close_object(s);
            return e;
        }
    case OUTER_NOTHING: break;
    }
    if (s->last) {
        return unclosed_object(s, out);
    }
    if (s->skipping || s->after_data) {
        begin_record(s);
    }
    return ERR_END;
}

static err split_data(struct splitter *s, struct split *out)
{
    enum scan_result result = scan_value(s);
    if (result == SCAN_LIMIT) {
        s->skipping = true;
        return emit_too_large(s, FORMAT_JSON, out);
    }
    if (result == SCAN_NOTHING) {
        if (s->last) {
            return unclosed_object(s, out);
        }
        if (s->skipping) {
            begin_record(s);
        }
        return ERR_END;
    }
    err e = s->skipping ? ERR_END : emit_record(s, s->at, FORMAT_JSON, out);
    s->in_data = s->skipping = false;
    s->after_data = true;
    s->scan = (struct json_scan){.depth = 1};
    begin_record(s);
    return e;
}

/* ---- between objects ------------------------------------------------------------------------- */

static void open_object(struct splitter *s)
{
    begin_record(s);
    s->objects++;
    s->in_object = true;
    s->in_data = s->after_data = s->has_newline = s->key_is_data = s->value_next = s->stray = false;
    s->scan = (struct json_scan){0};
}

static err split_between(struct splitter *s, struct split *out)
{
    while (s->at < s->length) {
        char c = s->data[s->at];
        if (c == '{') {
            open_object(s);
            return ERR_END;
        }
        if (!is_white(c) && !s->stray) {
            s->stray = true;
            begin_record(s);
            s->at++;
            return emit_bad(
                s, s->at, false, FORMAT_JSON, "json_stray",
                "Between objects there may only be white space; what stands here was skipped.", 0,
                out);
        }
        s->at++;
        if (c == '\n') {
            s->line++;
            s->stray = false;
            if (s->single_line) {
                s->mode = MODE_LINES;
                break;
            }
        }
    }
    begin_record(s);
    return ERR_END;
}

err split_sequence(struct splitter *s, struct split *out)
{
    while (s->mode == MODE_SEQUENCE && (s->at < s->length || (s->last && s->in_object))) {
        err e = !s->in_object ? split_between(s, out)
                : s->in_data  ? split_data(s, out)
                              : split_outer(s, out);
        if (e != ERR_END) {
            return e;
        }
    }
    return ERR_END;
}
