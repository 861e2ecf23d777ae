#include "text.h"

#include <utf8proc.h>

#include "base/utf8.h"

/* ---- what the bytes are like ----------------------------------------------------------------- */

enum shape {
    /* printable ASCII and letters below U+0300, single blanks: nothing to do but trim */
    SHAPE_CLEAN,
    SHAPE_SIMPLE, /* ASCII with control characters or runs of blanks */
    SHAPE_UNICODE /* needs the tables */
};

static enum shape shape_of(struct slice text, enum text_style style)
{
    enum shape shape = SHAPE_CLEAN;
    bool after_blank = false;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c > ' ' && c < 0x7F) {
            after_blank = false;
        } else if (c >= 0xC3 &&
                   c <= 0xCB) { /* lead byte of U+00C0 to U+02FF: letters that are their own NFC */
            i++;                /* its continuation byte: the input is valid UTF-8 */
            after_blank = false;
        } else if (c > 0x7F) {
            return SHAPE_UNICODE;
        } else if (c != ' ' || (after_blank && style == TEXT_COLLAPSE)) {
            shape = SHAPE_SIMPLE;
        } else {
            after_blank = true;
        }
    }
    return shape;
}

/* ASCII without a capital letter: its own lower case and its own case folding. */
static bool is_lower_ascii(struct slice text)
{
    if (text.length < 8) {
        return text.length == 0 || word_not_lower(word_of_few(text.data, text.length)) == 0;
    }
    uint64_t found = word_not_lower(load_u64(text.data + text.length - 8));
    for (size_t i = 0; i + 8 < text.length; i += 8) {
        found |= word_not_lower(load_u64(text.data + i));
    }
    return found == 0;
}

bool text_is_ascii(struct slice text)
{
    size_t i = 0;
    for (; i + 8 <= text.length; i += 8) {
        if ((load_u64(text.data + i) & WORD_HIGHS) != 0) {
            return false;
        }
    }
    for (; i < text.length; i++) {
        if ((unsigned char)text.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static bool is_blank_point(utf8proc_int32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/* Cannot be seen and carries no meaning in a name or an id. The joiners U+200C and U+200D do: they
 * shape words of many scripts and emoji. */
static bool is_invisible_point(utf8proc_int32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x200B || c == 0x200E ||
           c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) ||
           c == 0xFEFF;
}

static utf8proc_int32_t point_at(struct slice text, size_t *at)
{
    utf8proc_int32_t point = 0;
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text.data + *at,
                                             (utf8proc_ssize_t)(text.length - *at), &point);
    *at += used > 0 ? (size_t)used : 1;
    return used > 0 ? point : 0xFFFD;
}

bool text_has_invisible(struct slice text)
{
    for (size_t at = 0; at < text.length;) {
        unsigned char c = (unsigned char)text.data[at];
        if (c >= 0x20 && c < 0x7F) {
            at++;
        } else if (is_invisible_point(point_at(text, &at))) {
            return true;
        }
    }
    return false;
}

struct slice text_cut(struct slice text, size_t max)
{
    if (text.length <= max) {
        return text;
    }
    while (max > 0 && ((unsigned char)text.data[max] & 0xC0u) == 0x80u) {
        max--;
    }
    return slice_of(text.data, max);
}

/* ---- cleaning -------------------------------------------------------------------------------- */

static err clean_simple(struct arena *arena, struct slice in, enum text_style style,
                        struct slice *out)
{
    char *to = arena_alloc(arena, in.length);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    size_t length = 0;
    for (size_t i = 0; i < in.length; i++) {
        char c = in.data[i];
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            if (style == TEXT_COLLAPSE && length > 0 && to[length - 1] == ' ') {
                continue;
            }
            c = ' ';
        } else if ((unsigned char)c < 0x20 || c == 0x7F) {
            continue;
        }
        to[length++] = c;
    }
    *out = text_trim_blanks(slice_of(to, length));
    return ERR_OK;
}

/* Code points of `in`, decomposed and canonically ordered, ready for utf8proc_normalize_utf32. */
static err decompose(struct arena *arena, struct slice in, utf8proc_option_t options,
                     utf8proc_int32_t **points, utf8proc_ssize_t *count)
{
    const utf8proc_uint8_t *data = (const utf8proc_uint8_t *)in.data;
    utf8proc_ssize_t need = utf8proc_decompose(data, (utf8proc_ssize_t)in.length, NULL, 0, options);
    if (need < 0) {
        need = 0; /* not UTF-8: cannot be, the parsers looked; nothing is left then */
    }
    *points = arena_alloc(arena, ((size_t)need + 1) * sizeof **points);
    if (*points == NULL) {
        return ERR_MEMORY;
    }
    *count = need == 0
                 ? 0
                 : utf8proc_decompose(data, (utf8proc_ssize_t)in.length, *points, need, options);
    return ERR_OK;
}

static err encode(struct arena *arena, const utf8proc_int32_t *points, size_t count,
                  struct slice *out)
{
    char *to = arena_alloc(arena, count * 4);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += (size_t)utf8proc_encode_char(points[i], (utf8proc_uint8_t *)to + length);
    }
    *out = slice_of(to, length);
    return ERR_OK;
}

static err compose(struct arena *arena, utf8proc_int32_t *points, size_t count, struct slice *out)
{
    utf8proc_ssize_t composed = utf8proc_normalize_utf32(points, (utf8proc_ssize_t)count,
                                                         UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return encode(arena, points, composed < 0 ? 0 : (size_t)composed, out);
}

static size_t drop_and_collapse(utf8proc_int32_t *points, size_t count, enum text_style style)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        utf8proc_int32_t c = points[i];
        if (is_blank_point(c)) {
            if (kept == 0 || (style == TEXT_COLLAPSE && points[kept - 1] == ' ')) {
                continue;
            }
            c = ' ';
        } else if (is_invisible_point(c)) {
            continue;
        }
        points[kept++] = c;
    }
    while (kept > 0 && points[kept - 1] == ' ') {
        kept--;
    }
    return kept;
}

static err clean_unicode(struct arena *arena, struct slice in, enum text_style style,
                         struct slice *out)
{
    utf8proc_int32_t *points = NULL;
    utf8proc_ssize_t count = 0;
    /* What is dropped is dropped first: marks on both sides of it may then compose, and a second
     * cleaning finds nothing to do. Decomposing again orders the marks that met. */
    err e = decompose(arena, in, UTF8PROC_STABLE, &points, &count);
    if (e != ERR_OK) {
        return e;
    }
    struct slice dropped;
    e = encode(arena, points, drop_and_collapse(points, (size_t)count, style), &dropped);
    if (e == ERR_OK) {
        e = decompose(arena, dropped, UTF8PROC_STABLE | UTF8PROC_COMPOSE, &points, &count);
    }
    return e != ERR_OK ? e : compose(arena, points, (size_t)count, out);
}

static err clean_by_shape(struct arena *arena, struct slice in, enum text_style style,
                          struct slice *out)
{
    switch (shape_of(in, style)) {
    case SHAPE_CLEAN: *out = text_trim_blanks(in); return ERR_OK;
    case SHAPE_SIMPLE:
        if (text_is_ascii(in)) {
            return clean_simple(arena, in, style, out);
        }
        break;
    case SHAPE_UNICODE: break;
    }
    return clean_unicode(arena, in, style, out);
}

err text_clean(struct arena *arena, struct slice in, enum text_style style, struct slice *out)
{
    if (text_is_plain(in)) { /* SHAPE_CLEAN in either style, seen sooner */
        *out = text_trim_blanks(in);
        return ERR_OK;
    }
    return clean_by_shape(arena, in, style, out);
}

/* ---- case ------------------------------------------------------------------------------------ */

enum case_wanted { CASE_LOWER, CASE_UPPER, CASE_TITLE };

static bool starts_word(char before)
{
    return before == ' ' || before == '-' || before == '\'';
}

static char ascii_case(char c, enum case_wanted wanted, bool at_start)
{
    bool upper = wanted == CASE_UPPER || (wanted == CASE_TITLE && at_start);
    if (upper) {
        return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
    }
    return ascii_to_lower(c);
}

static err change_ascii(struct arena *arena, struct slice in, enum case_wanted wanted,
                        struct slice *out)
{
    char *to = NULL;
    for (size_t i = 0; i < in.length; i++) {
        char c = ascii_case(in.data[i], wanted, i == 0 || starts_word(in.data[i - 1]));
        if (c != in.data[i] && to == NULL) {
            to = arena_alloc(arena, in.length);
            if (to == NULL) {
                return ERR_MEMORY;
            }
            memcpy(to, in.data, in.length);
        }
        if (to != NULL) {
            to[i] = c;
        }
    }
    *out = to == NULL ? in : slice_of(to, in.length);
    return ERR_OK;
}

static err change_case(struct arena *arena, struct slice in, enum case_wanted wanted,
                       struct slice *out)
{
    if (text_is_ascii(in)) {
        return change_ascii(arena, in, wanted, out);
    }
    utf8proc_int32_t *points = NULL;
    utf8proc_ssize_t count = 0;
    err e = decompose(arena, in, UTF8PROC_STABLE | UTF8PROC_COMPOSE, &points, &count);
    if (e != ERR_OK) {
        return e;
    }
    count = utf8proc_normalize_utf32(points, count, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    utf8proc_int32_t before = ' ';
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        utf8proc_int32_t c = points[i];
        bool at_start =
            is_blank_point(before) || before == '-' || before == '\'' || before == 0x2019;
        bool upper = wanted == CASE_UPPER || (wanted == CASE_TITLE && at_start);
        before = c;
        points[i] = upper ? utf8proc_toupper(c) : utf8proc_tolower(c);
    }
    struct slice changed;
    e = encode(arena, points, count < 0 ? 0 : (size_t)count, &changed);
    if (e == ERR_OK) {
        e = decompose(arena, changed, UTF8PROC_STABLE | UTF8PROC_COMPOSE, &points, &count);
    }
    return e != ERR_OK ? e : compose(arena, points, (size_t)count, out);
}

err text_lower(struct arena *arena, struct slice in, struct slice *out)
{
    if (is_lower_ascii(in)) {
        *out = in;
        return ERR_OK;
    }
    return change_case(arena, in, CASE_LOWER, out);
}

err text_upper(struct arena *arena, struct slice in, struct slice *out)
{
    return change_case(arena, in, CASE_UPPER, out);
}

err text_title(struct arena *arena, struct slice in, struct slice *out)
{
    return change_case(arena, in, CASE_TITLE, out);
}

err text_case_fold(struct arena *arena, struct slice in, struct slice *out)
{
    if (is_lower_ascii(in)) {
        *out = in;
        return ERR_OK;
    }
    if (text_is_ascii(in)) {
        return change_ascii(arena, in, CASE_LOWER, out);
    }
    utf8proc_int32_t *points = NULL;
    utf8proc_ssize_t count = 0;
    err e = decompose(arena, in, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD, &points,
                      &count);
    return e != ERR_OK ? e : compose(arena, points, (size_t)count, out);
}
