#include "query.h"

#include "base/bytes.h"
#include "base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Most values of a lookup are plain: then nothing is copied. */
static bool needs_decoding(struct slice text, bool plus_is_space)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '%' || (c == '+' && plus_is_space) || (c & 0x80)) {
            return true;
        }
    }
    return false;
}

static err bad_text(size_t at, size_t *bad_at)
{
    if (bad_at != NULL) {
        *bad_at = at;
    }
    return ERR_INVALID;
}

err percent_decode(struct arena *arena, struct slice text, bool plus_is_space, struct slice *out,
                   size_t *bad_at)
{
    if (!needs_decoding(text, plus_is_space)) {
        *out = text.data != NULL ? text : SLICE_LITERAL("");
        return ERR_OK;
    }
    char *to = arena_alloc(arena, text.length);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            bool complete = text.length - i > 2;
            int high = complete ? hex_digit(text.data[i + 1]) : -1;
            int low = complete ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return bad_text(i, bad_at);
            }
            c = (char)(high * 16 + low);
            if (c == '\0') {
                return bad_text(i, bad_at);
            }
            i += 2;
        }
        to[length++] = c;
    }
    *out = slice_of(to, length);
    size_t at = 0;
    if (!utf8_valid(*out, &at)) {
        return bad_text(at, bad_at);
    }
    return ERR_OK;
}

static bool name_in_list(struct slice name, const char *list)
{
    if (list == NULL) {
        return false;
    }
    struct slice rest = slice_from_cstr(list);
    while (rest.data != NULL) {
        if (slice_equal(slice_cut(&rest, ','), name)) {
            return true;
        }
    }
    return false;
}

static err decode_part(struct arena *arena, struct slice text, struct slice whole,
                       bool plus_is_space, struct slice *out, struct error *error)
{
    size_t bad_at = 0;
    err e = percent_decode(arena, text, plus_is_space, out, &bad_at);
    if (e == ERR_INVALID) {
        return error_set(
            error, e, "query_encoding", (uint64_t)(text.data - whole.data) + bad_at,
            "The query holds a '%%' without two hexadecimal digits behind it, a NUL, or bytes that "
            "are not UTF-8.");
    }
    if (e != ERR_OK) {
        return error_set(error, e, "out_of_memory", 0, "No memory for the query.");
    }
    return ERR_OK;
}

/* "name=value" of a query, and whether anything in them is not what it stands for. */
struct part {
    struct slice name;
    struct slice value; /* SLICE_NONE without a '=' */
    bool name_coded;
    bool value_coded;
};

enum { CODED = 1, EQUALS = 2, AMPERSAND = 4 };

static inline unsigned kind_of(char c)
{
    static const unsigned char kinds[128] = {
        ['%'] = CODED, ['+'] = CODED, ['='] = EQUALS, ['&'] = AMPERSAND};
    unsigned char byte = (unsigned char)c;
    return byte < 128 ? kinds[byte] : CODED;
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Nonzero when one of the eight bytes is 0 (Warren, Hacker's Delight, 6-1). */
static inline uint64_t any_zero(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* Neither the end of a value among them nor anything coded. It may say no in vain, not yes. */
static inline bool eight_plain(const char *text)
{
    uint64_t word = load_u64(text);
    return (any_zero(word ^ EACH_BYTE('&')) | any_zero(word ^ EACH_BYTE('%')) |
            any_zero(word ^ EACH_BYTE('+')) | (word & EACH_BYTE(0x80))) == 0;
}

/* Every byte is looked at once. Returns where the part ends. */
static size_t scan_part(struct slice text, size_t from, struct part *out)
{
    unsigned seen = 0;
    size_t at = from;
    for (; at < text.length && (seen & (EQUALS | AMPERSAND)) == 0; at++) {
        seen |= kind_of(text.data[at]);
    }
    bool has_value = (seen & EQUALS) != 0;
    size_t name_end = seen & (EQUALS | AMPERSAND) ? at - 1 : at;
    out->name = slice_of(text.data + from, name_end - from);
    out->name_coded = (seen & CODED) != 0;
    out->value = SLICE_NONE;
    out->value_coded = false;
    if (!has_value) {
        return name_end;
    }
    size_t value_from = at;
    while (text.length - at >= 8 && eight_plain(text.data + at)) {
        at += 8;
    }
    for (seen = 0; at < text.length && text.data[at] != '&'; at++) {
        seen |= kind_of(text.data[at]);
    }
    out->value = slice_of(text.data + value_from, at - value_from);
    out->value_coded = (seen & CODED) != 0;
    return at;
}

static err decode_parameter(struct arena *arena, struct slice text, const struct part *part,
                            const char *space_names, struct query_parameter *out,
                            struct error *error)
{
    err e = ERR_OK;
    out->name = part->name;
    out->value = part->value.data != NULL ? part->value : SLICE_LITERAL("");
    if (part->name_coded) {
        e = decode_part(arena, part->name, text, true, &out->name, error);
    }
    if (e == ERR_OK && part->value_coded) {
        bool spaces = name_in_list(out->name, space_names);
        e = decode_part(arena, part->value, text, spaces, &out->value, error);
    }
    return e;
}

err query_parse(struct arena *arena, struct slice text, const char *space_names, struct query *out,
                struct error *error)
{
    out->count = 0;
    for (size_t at = 0, end; at < text.length; at = end + 1) {
        struct part part;
        end = scan_part(text, at, &part);
        if (end == at) {
            continue;
        }
        if (out->count == QUERY_PARAMETERS_MAX) {
            return error_set(error, ERR_INVALID, "query_too_many", at,
                             "The query has more than %d parameters.", QUERY_PARAMETERS_MAX);
        }
        struct query_parameter *parameter = &out->parameters[out->count];
        err e = decode_parameter(arena, text, &part, space_names, parameter, error);
        if (e != ERR_OK) {
            return e;
        }
        for (size_t i = 0; i < out->count; i++) {
            if (slice_equal(out->parameters[i].name, parameter->name)) {
                return error_set(error, ERR_INVALID, "parameter_doubled", at,
                                 "The parameter '%.*s' is given twice.",
                                 SLICE_ARGS(parameter->name));
            }
        }
        out->count++;
    }
    return ERR_OK;
}

struct slice query_get(const struct query *query, const char *name)
{
    struct slice wanted = slice_from_cstr(name);
    for (size_t i = 0; i < query->count; i++) {
        if (slice_equal(query->parameters[i].name, wanted)) {
            return query->parameters[i].value;
        }
    }
    return SLICE_NONE;
}

err query_get_u64(const struct query *query, const char *name, uint64_t least, uint64_t most,
                  uint64_t otherwise, uint64_t *out, struct error *error)
{
    struct slice value = query_get(query, name);
    if (value.data == NULL) {
        *out = otherwise;
        return ERR_OK;
    }
    if (!slice_to_u64(value, out) || *out < least || *out > most) {
        return error_set(error, ERR_INVALID, "parameter_invalid", 0,
                         "The parameter '%s' must be a whole number from %llu to %llu.", name,
                         (unsigned long long)least, (unsigned long long)most);
    }
    return ERR_OK;
}
