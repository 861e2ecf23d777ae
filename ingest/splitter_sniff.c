/* What are these bytes? The first that is not white space says: { or [ is JSON, anything else a
 * table whose header is looked at. Whether objects are NDJSON shows when the first one has ended
 * (splitter_json.c). */
#include <stdio.h>

#include "ingest/limits.h"
#include "names.h"
#include "splitter_state.h"

static const char delimiters[4] = {',', ';', '\t', '|'};

static void start_mode(struct splitter *s, enum splitter_mode mode)
{
    s->mode = mode;
    begin_record(s);
}

/* Skips a byte order mark and white space. False when there is nothing else yet. */
static bool skip_lead(struct splitter *s)
{
    static const char mark[3] = {'\xEF', '\xBB', '\xBF'};
    if (s->window_offset == 0 && s->at == 0) {
        size_t seen = s->length < 3 ? s->length : 3;
        if (seen > 0 && memcmp(s->data, mark, seen) == 0) {
            if (seen < 3) {
                return false;
            }
            s->at = 3;
        }
    }
    for (; s->at < s->length; s->at++) {
        char c = s->data[s->at];
        if (c == '\n') {
            s->line++;
        } else if (c != ' ' && c != '\r' && c != '\t') {
            break;
        } else if (c == '\t' && (s->hint == HINT_TSV || s->delimiter == '\t')) {
            break;
        }
    }
    begin_record(s);
    return s->at < s->length;
}

/* Length of the header line: up to a line break outside quotes; all of it when there is none. */
static size_t header_length(struct slice seen, bool *found)
{
    bool quoted = false;
    for (size_t i = 0; i < seen.length; i++) {
        quoted = quoted != (seen.data[i] == '"');
        if (seen.data[i] == '\n' && !quoted) {
            *found = true;
            return i;
        }
    }
    *found = false;
    return seen.length;
}

/* The delimiter that stands most often outside quotes; '\0' for none. */
static char find_delimiter(struct slice line)
{
    size_t counts[4] = {0};
    bool quoted = false;
    for (size_t i = 0; i < line.length; i++) {
        char c = line.data[i];
        quoted = quoted != (c == '"');
        for (size_t d = 0; d < sizeof delimiters && !quoted; d++) {
            counts[d] += c == delimiters[d];
        }
    }
    size_t best = 0;
    for (size_t d = 1; d < sizeof delimiters; d++) {
        best = counts[d] > counts[best] ? d : best;
    }
    return counts[best] > 0 ? delimiters[best] : '\0';
}

static err refuse(struct splitter *s, struct error *error, const char *what)
{
    return error_set(
        error, ERR_INVALID, "format_unknown", s->window_offset + s->at,
        "The input is neither JSON, NDJSON nor a table with a header line%s. See docs/ingestion.md.",
        what);
}

static err sniff_table(struct splitter *s, struct error *error)
{
    struct slice seen = slice_of(s->data + s->start, s->length - s->start);
    bool found_end;
    struct slice line = slice_of(
        seen.data, seen.length < CSV_HEADER_BYTES_MAX ? seen.length : CSV_HEADER_BYTES_MAX);
    line.length = header_length(line, &found_end);
    if (!found_end && !s->last && seen.length < CSV_HEADER_BYTES_MAX) {
        s->at = s->start; /* wait for the whole line */
        return ERR_OK;
    }
    if (!found_end && memchr(line.data, '\n', line.length) != NULL) {
        /* a quote that never closes */
        line.length = (size_t)((const char *)memchr(line.data, '\n', line.length) - line.data);
    }
    if (slice_starts_with(seen, SLICE_LITERAL("\x1F\x8B")) ||
        slice_starts_with(seen, SLICE_LITERAL("PK\x03\x04")) ||
        slice_starts_with(seen, SLICE_LITERAL("\x28\xB5\x2F\xFD"))) {
        return refuse(
            s, error,
            "; it looks compressed, and it was not unpacked: gzip and zstd are, zip is not");
    }
    if (line.length > 0 && memchr(line.data, '\0', line.length) != NULL) {
        return refuse(s, error, "; it looks binary");
    }
    if (!found_end && memchr(line.data, '"', line.length) != NULL && find_delimiter(line) == '\0') {
        return refuse(s, error, "; a quote in its first line never closes");
    }
    bool said = s->hint == HINT_CSV || s->hint == HINT_TSV || s->delimiter != '\0';
    char found = s->hint == HINT_TSV && memchr(line.data, '\t', line.length) != NULL
                     ? '\t'
                     : find_delimiter(line);
    if (found == '\0' && !said && name_lookup(slice_trim(line)).kind == TARGET_ATTRIBUTE) {
        return refuse(s, error, "; a table of one column needs the name of a field, such as email");
    }
    if (s->delimiter == '\0') {
        s->delimiter = found != '\0' ? found : s->hint == HINT_TSV ? '\t' : ',';
    }
    s->saw_table = true;
    start_mode(s, MODE_CSV_HEADER);
    return ERR_OK;
}

err splitter_sniff(struct splitter *s, struct error *error)
{
    if (!skip_lead(s)) {
        return ERR_OK;
    }
    if (s->data[s->at] == '{') {
        start_mode(s, s->hint == HINT_NDJSON ? MODE_LINES : MODE_SEQUENCE);
        return ERR_OK;
    }
    if (s->data[s->at] == '[') {
        s->at++;
        s->saw_list = true;
        start_mode(s, MODE_ARRAY);
        return ERR_OK;
    }
    return sniff_table(s, error);
}
