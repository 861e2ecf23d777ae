#include "transform.h"

#include <stdio.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "datetime.h"
#include "ingest/limits.h"
#include "number.h"
#include "text.h"

/* ERR_END: the text is dropped. */
typedef err (*step)(struct builder *b, const struct transform *t, const struct path *path,
                    struct slice in, struct slice *out);

static err join(struct builder *b, struct slice first, struct slice second, struct slice *out)
{
    char *to = arena_alloc(b->arena, first.length + second.length);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    if (first.length > 0) {
        memcpy(to, first.data, first.length);
    }
    if (second.length > 0) {
        memcpy(to + first.length, second.data, second.length);
    }
    *out = slice_of(to, first.length + second.length);
    return ERR_OK;
}

static err run_trim(struct builder *b, const struct transform *t, const struct path *path,
                    struct slice in, struct slice *out)
{
    (void)t;
    (void)path;
    return text_clean(b->arena, in, TEXT_COLLAPSE, out);
}

static err run_case(struct builder *b, const struct transform *t, const struct path *path,
                    struct slice in, struct slice *out)
{
    (void)path;
    switch (t->kind) {
    case TRANSFORM_LOWER: return text_lower(b->arena, in, out);
    case TRANSFORM_UPPER: return text_upper(b->arena, in, out);
    default: return text_title(b->arena, in, out);
    }
}

static err run_affix(struct builder *b, const struct transform *t, const struct path *path,
                     struct slice in, struct slice *out)
{
    (void)path;
    if (slice_trim(in).length == 0) {
        *out = in; /* a prefix alone would be an identifier of nobody */
        return ERR_OK;
    }
    return t->kind == TRANSFORM_PREFIX ? join(b, t->text, slice_trim(in), out)
                                       : join(b, slice_trim(in), t->text, out);
}

static err run_replace(struct builder *b, const struct transform *t, const struct path *path,
                       struct slice in, struct slice *out)
{
    (void)path;
    size_t hits = 0;
    for (size_t i = 0; i + t->text.length <= in.length;) {
        bool hit = memcmp(in.data + i, t->text.data, t->text.length) == 0;
        hits += hit;
        i += hit ? t->text.length : 1;
    }
    *out = in;
    if (hits == 0) {
        return ERR_OK;
    }
    char *to = arena_alloc(b->arena, in.length + hits * t->with.length);
    if (to == NULL) {
        return ERR_MEMORY;
    }
    size_t length = 0;
    for (size_t i = 0; i < in.length;) {
        if (i + t->text.length <= in.length &&
            memcmp(in.data + i, t->text.data, t->text.length) == 0) {
            if (t->with.length > 0) {
                memcpy(to + length, t->with.data, t->with.length);
            }
            length += t->with.length;
            i += t->text.length;
        } else {
            to[length++] = in.data[i++];
        }
    }
    *out = slice_of(to, length);
    return ERR_OK;
}

static err run_lookup(struct builder *b, const struct transform *t, const struct path *path,
                      struct slice in, struct slice *out)
{
    (void)b;
    (void)path;
    struct slice key = slice_trim(in);
    size_t low = 0;
    size_t high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(t->table[middle].from, key);
        if (order == 0) {
            *out = t->table[middle].to;
            return ERR_OK;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    for (size_t i = 0; i < t->count; i++) {
        if (slice_equal_ignoring_case(t->table[i].from, key)) {
            *out = t->table[i].to;
            return ERR_OK;
        }
    }
    *out = in;
    return t->drop_others ? ERR_END : ERR_OK;
}

static err run_date(struct builder *b, const struct transform *t, const struct path *path,
                    struct slice in, struct slice *out)
{
    struct datetime when;
    size_t i = 0;
    if (slice_trim(in).length == 0) {
        return ERR_END;
    }
    while (i < t->count && !datetime_parse_format(in, t->formats[i], &when)) {
        i++;
    }
    if (i == t->count) {
        builder_warn(b, path, "date_invalid",
                     "The text does not have the date format of the mapping; it was left away.");
        return ERR_END;
    }
    char text[TIMESTAMP_TEXT_MAX];
    size_t length = DATE_TEXT_LENGTH;
    int64_t us;
    if (when.has_time && datetime_to_us(&when, &us)) {
        length = timestamp_format(us, text);
    } else {
        datetime_date_text(&when, text);
    }
    *out = arena_copy(b->arena, slice_of(text, length));
    return out->data == NULL ? ERR_MEMORY : ERR_OK;
}

/* The number as JSON writes it, whatever marks it came with. */
static err write_number(struct builder *b, double number, struct slice *out)
{
    struct buffer buffer;
    buffer_init(&buffer, 64);
    struct json_writer json = json_writer_of(&buffer);
    json_double(&json, number);
    *out = buffer.failed ? SLICE_NONE : arena_copy(b->arena, buffer_slice(&buffer));
    buffer_deinit(&buffer);
    return out->data == NULL ? ERR_MEMORY : ERR_OK;
}

static err run_number(struct builder *b, const struct transform *t, const struct path *path,
                      struct slice in, struct slice *out)
{
    char plain[64];
    size_t length = 0;
    in = slice_trim(in);
    if (in.length == 0) {
        return ERR_END;
    }
    for (size_t i = 0; i < in.length && length < sizeof plain; i++) {
        char c = in.data[i];
        if (c != t->thousands || c == '\0') {
            plain[length++] = c == t->decimal ? '.' : c;
        }
    }
    int64_t integer;
    double number;
    struct slice text = slice_of(plain, length);
    if (length < sizeof plain && number_parse_integer(text, &integer)) {
        char digits[24];
        int written = snprintf(digits, sizeof digits, "%lld", (long long)integer);
        *out = arena_copy(b->arena, slice_of(digits, (size_t)written));
        return out->data == NULL ? ERR_MEMORY : ERR_OK;
    }
    if (length < sizeof plain && number_parse(text, &number)) {
        return write_number(b, number, out);
    }
    builder_warn(b, path, "number_invalid",
                 "The text is not a number as the mapping writes them; it was left away.");
    return ERR_END;
}

static const step steps_by_kind[] = {
    [TRANSFORM_TRIM] = run_trim,     [TRANSFORM_LOWER] = run_case,
    [TRANSFORM_UPPER] = run_case,    [TRANSFORM_TITLE] = run_case,
    [TRANSFORM_DATE] = run_date,     [TRANSFORM_NUMBER] = run_number,
    [TRANSFORM_LOOKUP] = run_lookup, [TRANSFORM_PREFIX] = run_affix,
    [TRANSFORM_SUFFIX] = run_affix,  [TRANSFORM_REPLACE] = run_replace,
};

static err run_split(struct builder *b, const struct transform *t, struct mapped_value *value)
{
    struct slice *parts = arena_alloc(b->arena, VALUE_COUNT_MAX * sizeof *parts);
    if (parts == NULL) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    for (size_t v = 0; v < value->count; v++) {
        struct slice rest = value->texts[v];
        while (rest.data != NULL && count < VALUE_COUNT_MAX) {
            const char *found = rest.length == 0
                                    ? NULL
                                    : memmem(rest.data, rest.length, t->text.data, t->text.length);
            size_t length = found == NULL ? rest.length : (size_t)(found - rest.data);
            struct slice part = slice_trim(slice_of(rest.data, length));
            if (part.length > 0) {
                parts[count++] = part;
            }
            size_t used = length + t->text.length;
            rest = found == NULL ? SLICE_NONE : slice_of(rest.data + used, rest.length - used);
        }
    }
    value->texts = parts;
    value->count = count;
    value->was_split = true;
    return ERR_OK;
}

static err run_default(struct builder *b, const struct transform *t, struct mapped_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        if (slice_trim(value->texts[i]).length > 0) {
            return ERR_OK;
        }
    }
    value->texts = arena_alloc(b->arena, sizeof *value->texts);
    if (value->texts == NULL) {
        return ERR_MEMORY;
    }
    value->texts[0] = t->text;
    value->count = 1;
    return ERR_OK;
}

static err run_each(struct builder *b, const struct transform *t, const struct path *path,
                    struct mapped_value *value)
{
    size_t kept = 0;
    for (size_t i = 0; i < value->count; i++) {
        struct slice changed = SLICE_NONE;
        err e = steps_by_kind[t->kind](b, t, path, value->texts[i], &changed);
        if (e == ERR_OK) {
            value->texts[kept++] = changed;
        } else if (e != ERR_END) {
            return e;
        }
    }
    value->count = kept;
    return ERR_OK;
}

err transform_run(struct builder *b, const struct transform *steps, size_t count,
                  const struct path *path, struct mapped_value *value)
{
    err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        const struct transform *t = &steps[i];
        switch (t->kind) {
        case TRANSFORM_SPLIT: e = run_split(b, t, value); break;
        case TRANSFORM_DEFAULT: e = run_default(b, t, value); break;
        case TRANSFORM_TEXT: value->keep_text = true; break;
        case TRANSFORM_PHONE_COUNTRY: value->phone_country = t->country; break;
        case TRANSFORM_TRIM:
        case TRANSFORM_LOWER:
        case TRANSFORM_UPPER:
        case TRANSFORM_TITLE:
        case TRANSFORM_DATE:
        case TRANSFORM_NUMBER:
        case TRANSFORM_LOOKUP:
        case TRANSFORM_PREFIX:
        case TRANSFORM_SUFFIX:
        case TRANSFORM_REPLACE: e = run_each(b, t, path, value); break;
        }
    }
    return e;
}
