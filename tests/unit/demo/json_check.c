#include "json_check.h"

#include <stdio.h>

#include "base/utf8.h"

struct scan {
    const char *at;
    const char *end;
};

static bool scan_value(struct scan *scan, int depth);

static bool take(struct scan *scan, char c)
{
    if (scan->at < scan->end && *scan->at == c) {
        scan->at++;
        return true;
    }
    return false;
}

static bool take_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0) {
        return false;
    }
    scan->at += length;
    return true;
}

static bool scan_string(struct scan *scan)
{
    if (!take(scan, '"')) {
        return false;
    }
    while (scan->at < scan->end && *scan->at != '"') {
        unsigned char c = (unsigned char)*scan->at++;
        if (c < 0x20) {
            return false;
        }
        if (c == '\\' && (scan->at == scan->end || strchr("\"\\/bfnrtu", *scan->at++) == NULL)) {
            return false;
        }
    }
    return take(scan, '"');
}

static bool scan_digits(struct scan *scan)
{
    const char *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        scan->at++;
    }
    return scan->at > from;
}

static bool scan_number(struct scan *scan)
{
    take(scan, '-');
    const char *from = scan->at;
    if (!scan_digits(scan) || (*from == '0' && scan->at > from + 1)) {
        return false;
    }
    return !take(scan, '.') || scan_digits(scan);
}

static bool scan_list(struct scan *scan, char close, bool names, int depth)
{
    scan->at++;
    if (take(scan, close)) {
        return true;
    }
    do {
        if (names && (!scan_string(scan) || !take(scan, ':'))) {
            return false;
        }
        if (!scan_value(scan, depth + 1)) {
            return false;
        }
    } while (take(scan, ','));
    return take(scan, close);
}

static bool scan_value(struct scan *scan, int depth)
{
    if (scan->at == scan->end || depth > 4) {
        return false;
    }
    switch (*scan->at) {
    case '{': return scan_list(scan, '}', true, depth);
    case '[': return scan_list(scan, ']', false, depth);
    case '"': return scan_string(scan);
    case 't': return take_word(scan, "true");
    case 'f': return take_word(scan, "false");
    case 'n': return take_word(scan, "null");
    default: return scan_number(scan);
    }
}

bool json_check_object(struct slice text)
{
    struct scan scan = {text.data, text.data + text.length};
    return text.length > 0 && text.data[0] == '{' && utf8_valid(text, NULL) &&
           scan_value(&scan, 0) && scan.at == scan.end;
}

struct slice json_check_member(struct slice text, const char *name)
{
    char key[64];
    int length = snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = memmem(text.data, text.length, key, (size_t)length);
    if (found == NULL) {
        return SLICE_NONE;
    }
    struct scan scan = {found + length, text.data + text.length};
    bool is_string = *scan.at == '"';
    if (!scan_value(&scan, 0)) {
        return SLICE_NONE;
    }
    const char *from = found + length;
    return is_string ? slice_of(from + 1, (size_t)(scan.at - from) - 2)
                     : slice_of(from, (size_t)(scan.at - from));
}
