#include "number.h"

#include <yyjson.h>

#include "text.h"

enum { NUMBER_TEXT_MAX = 64 };

bool number_parse_integer(struct slice text, int64_t *out)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    if (negative) {
        text.data++;
        text.length--;
    }
    uint64_t magnitude;
    if (!slice_to_u64(text, &magnitude) || magnitude > (uint64_t)INT64_MAX) {
        return false;
    }
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

/* yyjson's reader rounds correctly and knows no locale. It wants the strict form and a NUL
 * behind. */
bool number_parse(struct slice text, double *out)
{
    char copy[NUMBER_TEXT_MAX + 2];
    size_t length = 0;
    if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        if (text.data[0] == '-') {
            copy[length++] = '-';
        }
        text.data++;
        text.length--;
    }
    while (text.length > 1 && text.data[0] == '0' && ascii_is_digit(text.data[1])) {
        text.data++;
        text.length--;
    }
    if (text.length == 0 || text.length > NUMBER_TEXT_MAX - 1 || !ascii_is_digit(text.data[0])) {
        return false;
    }
    memcpy(copy + length, text.data, text.length);
    length += text.length;
    copy[length] = '\0';
    yyjson_val value;
    const char *end = yyjson_read_number(copy, &value, YYJSON_READ_NOFLAG, NULL, NULL);
    if (end != copy + length) {
        return false;
    }
    *out = yyjson_is_real(&value) ? unsafe_yyjson_get_real(&value) : yyjson_get_num(&value);
    return true;
}

static bool is_plain_integer(struct slice text)
{
    size_t i = text.length > 0 && text.data[0] == '-';
    if (i == text.length || text.length > 19 ||
        (text.data[i] == '0' && (i + 1 < text.length || i == 1))) {
        return false;
    }
    for (; i < text.length; i++) {
        if (!ascii_is_digit(text.data[i])) {
            return false;
        }
    }
    return true;
}

/* -12.34: digits on both sides, no leading zero but the one, at most 15 digits (more do not fit a
 * double). */
static bool is_plain_decimal(struct slice text)
{
    size_t i = text.length > 0 && text.data[0] == '-';
    size_t digits = 0;
    size_t dot = 0;
    if (i + 1 < text.length && text.data[i] == '0' && text.data[i + 1] != '.') {
        return false;
    }
    for (size_t at = i; at < text.length; at++) {
        if (text.data[at] == '.' && dot == 0 && at > i && at + 1 < text.length) {
            dot = at;
        } else if (ascii_is_digit(text.data[at])) {
            digits++;
        } else {
            return false;
        }
    }
    return dot > 0 && digits <= 15;
}

struct value number_of_cell(struct slice text)
{
    struct value value = {.kind = VALUE_TEXT, .text = text};
    if (text.length == 0) {
        return value;
    }
    char first = ascii_to_lower(text.data[0]);
    if (first == 't' || first == 'f') {
        bool is_true = slice_equal_ignoring_case(text, SLICE_LITERAL("true"));
        if (is_true || slice_equal_ignoring_case(text, SLICE_LITERAL("false"))) {
            value = (struct value){.kind = VALUE_BOOL, .boolean = is_true};
        }
        return value;
    }
    int64_t integer;
    double number;
    if (is_plain_integer(text) && number_parse_integer(text, &integer)) {
        value = (struct value){.kind = VALUE_INTEGER, .integer = integer};
    } else if (is_plain_decimal(text) && number_parse(text, &number)) {
        value = (struct value){.kind = VALUE_NUMBER, .number = number};
    }
    return value;
}
