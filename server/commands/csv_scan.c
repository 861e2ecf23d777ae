#include "commands/csv_scan.h"

#include <string.h>

/* Behind the closing quote; the row's end when there is none. `at` is behind the opening one. */
static size_t skip_quoted(struct slice row, size_t at)
{
    while (at < row.length) {
        const char *quote = memchr(row.data + at, '"', row.length - at);
        if (quote == NULL) {
            return row.length;
        }
        at = (size_t)(quote - row.data) + 1;
        if (at == row.length || row.data[at] != '"') {
            return at;
        }
        at++;
    }
    return row.length;
}

bool csv_scan_next(struct slice row, char delimiter, size_t *at, struct slice *cell)
{
    if (*at > row.length) {
        return false;
    }
    size_t start = *at;
    size_t end = start;
    while (end < row.length && row.data[end] == ' ') {
        end++;
    }
    if (end < row.length && row.data[end] == '"') {
        end = skip_quoted(row, end + 1);
    }
    const char *stop =
        end < row.length ? memchr(row.data + end, delimiter, row.length - end) : NULL;
    end = stop != NULL ? (size_t)(stop - row.data) : row.length;
    *cell = slice_of(row.data + start, end - start);
    *at = end + 1;
    return true;
}

size_t csv_scan_count(struct slice row, char delimiter)
{
    size_t count = 0;
    size_t at = 0;
    struct slice cell;
    while (csv_scan_next(row, delimiter, &at, &cell)) {
        count++;
    }
    return count;
}

struct slice csv_scan_first(struct slice row, char delimiter, size_t count)
{
    size_t at = 0;
    struct slice cell = SLICE_NONE;
    size_t seen = 0;
    while (seen < count && csv_scan_next(row, delimiter, &at, &cell)) {
        seen++;
    }
    return seen == 0 ? slice_of(row.data, 0)
                     : slice_of(row.data, (size_t)(cell.data - row.data) + cell.length);
}

struct slice csv_scan_text(struct slice cell)
{
    cell = slice_trim(cell);
    if (cell.length >= 2 && cell.data[0] == '"' && cell.data[cell.length - 1] == '"') {
        return slice_of(cell.data + 1, cell.length - 2);
    }
    return cell;
}

void csv_append_cell(struct buffer *out, struct slice text, char delimiter)
{
    bool plain = text.length == 0 || (text.data[0] != ' ' && text.data[text.length - 1] != ' ');
    for (size_t i = 0; i < text.length && plain; i++) {
        char c = text.data[i];
        plain = c != '"' && c != '\n' && c != '\r' && c != delimiter;
    }
    if (plain) {
        buffer_append_slice(out, text);
        return;
    }
    buffer_append_char(out, '"');
    while (text.length > 0) {
        const char *quote = memchr(text.data, '"', text.length);
        size_t length = quote ? (size_t)(quote - text.data) + 1 : text.length;
        buffer_append(out, text.data, length);
        if (quote != NULL) {
            buffer_append_char(out, '"');
        }
        text = slice_of(text.data + length, text.length - length);
    }
    buffer_append_char(out, '"');
}
