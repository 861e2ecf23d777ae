/* support.h: reading a record in a test, and writing a record down as text to compare it in one
 * line. */
#ifndef KINDRED_TESTS_INGEST_SUPPORT_H
#define KINDRED_TESTS_INGEST_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "ingest/mapping.h"
#include "ingest/record.h"
#include "ingest/settings.h"
#include "ingest/splitter.h"
#include "unit/test.h"

struct reading {
    struct arena arena;
    struct settings *settings;
    struct record record;
    struct record_error error;
    err result;
    char text[65536]; /* the record, see record_text */
};

__attribute__((unused)) static struct settings *settings_of(const char *json)
{
    struct settings *settings = NULL;
    struct error error;
    err e = settings_parse(slice_from_cstr(json), &settings, &error);
    if (e != ERR_OK) {
        fprintf(stderr, "settings: %s\n", error.message);
        abort();
    }
    return settings;
}

__attribute__((unused)) static void write_value(struct buffer *to, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL: buffer_append_cstr(to, "null"); break;
    case VALUE_BOOL: buffer_append_cstr(to, value->boolean ? "true" : "false"); break;
    case VALUE_INTEGER: buffer_append_format(to, "%lld", (long long)value->integer); break;
    case VALUE_NUMBER: buffer_append_format(to, "%.17g", value->number); break;
    case VALUE_TEXT: buffer_append_format(to, "'%.*s'", SLICE_ARGS(value->text)); break;
    }
}

/* "email=a@b.cd city='Paris' x.y=3 +chess tags+vip @1000 !phone_invalid": identifiers, fields,
 * interests, items, time, warnings, in the order they come. */
__attribute__((unused)) static void record_text(const struct record *record,
                                                const struct settings *settings, char *out,
                                                size_t room)
{
    struct buffer to;
    buffer_init(&to, room - 1);
    for (size_t i = 0; i < record->identifier_count; i++) {
        const struct record_identifier *id = &record->identifiers[i];
        buffer_append_format(&to, "%s=%.*s ", settings->identifiers[id->type].name,
                             SLICE_ARGS(id->value));
    }
    for (size_t i = 0; i < record->field_count; i++) {
        const struct record_field *field = &record->fields[i];
        const char *path = field_path(field->field);
        const char *dot = strrchr(path, '.');
        buffer_append_format(&to, "%s%.*s=", dot != NULL ? dot + 1 : path, SLICE_ARGS(field->name));
        write_value(&to, &field->value);
        buffer_append_char(&to, ' ');
    }
    for (size_t i = 0; i < record->interest_count; i++) {
        buffer_append_format(&to, "+%.*s ", SLICE_ARGS(record->interests[i]));
    }
    for (size_t i = 0; i < record->item_count; i++) {
        buffer_append_format(&to, "%.*s+%.*s ", SLICE_ARGS(record->items[i].name),
                             SLICE_ARGS(record->items[i].text));
    }
    if (record->event_time_us != 0) {
        buffer_append_format(&to, "@%lld ", (long long)record->event_time_us);
    }
    if (record->message_id.data != NULL) {
        buffer_append_format(&to, "#%.*s ", SLICE_ARGS(record->message_id));
    }
    for (size_t i = 0; i < record->warning_count; i++) {
        buffer_append_format(&to, "!%s ", record->warnings[i].code);
    }
    size_t length = to.length > 0 ? to.length - 1 : 0; /* the last blank */
    if (length > 0) {
        memcpy(out, to.data, length);
    }
    out[length] = '\0';
    buffer_deinit(&to);
}

__attribute__((unused)) static void reading_begin(struct reading *r, const char *settings_json)
{
    memset(r, 0, sizeof *r);
    arena_init(&r->arena, 64u << 20);
    r->settings = settings_of(settings_json);
}

__attribute__((unused)) static void reading_end(struct reading *r)
{
    arena_deinit(&r->arena);
    settings_destroy(r->settings);
}

/* r->text becomes the record, or "code" or "code:field" of the error. The bytes lie in an
 * allocation of exactly their size, so that a read past the end is seen. */
__attribute__((unused)) static void reading_read(struct reading *r, struct slice bytes,
                                                 const struct record_form *form)
{
    arena_reset(&r->arena);
    char *exact = malloc(bytes.length > 0 ? bytes.length : 1);
    if (exact == NULL) {
        abort();
    }
    if (bytes.length > 0) {
        memcpy(exact, bytes.data, bytes.length);
    }
    r->result = record_read(&r->arena, slice_of(exact, bytes.length), form, r->settings, &r->record,
                            &r->error);
    if (r->result == ERR_OK) {
        record_text(&r->record, r->settings, r->text, sizeof r->text);
    } else if (r->error.field[0] == '\0') {
        snprintf(r->text, sizeof r->text, "%s", r->error.code);
    } else {
        snprintf(r->text, sizeof r->text, "%s:%s", r->error.code, r->error.field);
    }
    free(exact);
}

__attribute__((unused)) static void reading_json(struct reading *r, const char *json)
{
    const struct record_form form = {.format = FORMAT_JSON, .etl_version = ETL_RULES_VERSION};
    reading_read(r, slice_from_cstr(json), &form);
}

#define EXPECT_TEXT(got, wanted)                                                                   \
    EXPECT(strcmp((got), (wanted)) == 0, "\n   got    %s\n   wanted %s", (got), (wanted))

#endif
