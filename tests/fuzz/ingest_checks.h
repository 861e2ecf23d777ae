/* ingest_checks.h: what must hold of any record that record_read accepted, whatever went in. For
 * the ingest fuzzers. */
#ifndef KINDRED_TESTS_FUZZ_INGEST_CHECKS_H
#define KINDRED_TESTS_FUZZ_INGEST_CHECKS_H

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/utf8.h"
#include "ingest/limits.h"
#include "ingest/record.h"
#include "ingest/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static struct settings *fuzz_settings(void)
{
    static struct settings *settings;
    struct error error;
    if (settings == NULL) {
        CHECK(
            settings_parse(
                SLICE_LITERAL(
                    "{\"identifiers\":[{\"type\":\"email\"},{\"type\":\"loyalty_id\"}],\"blocked\":{\"*\":[\"x*\"]}}"),
                &settings, &error) == ERR_OK);
    }
    return settings;
}

static void check_text(struct slice text, size_t max)
{
    CHECK(text.data != NULL && text.length > 0 && text.length <= max && utf8_valid(text, NULL));
    CHECK(memchr(text.data, '\0', text.length) == NULL && text.data[0] != ' ' &&
          text.data[text.length - 1] != ' ');
}

/* The canonical form of the canonical form is itself. */
static void check_identifier(const struct record_identifier *id)
{
    struct arena arena;
    struct slice again;
    arena_init(&arena, 1u << 20);
    check_text(id->value, IDENTIFIER_BYTES_MAX);
    CHECK(!settings_identifier_blocked(fuzz_settings(), id->type, id->value));
    CHECK(identifier_normalise(&arena, id->type, id->value, fuzz_settings(), &again) == ERR_OK);
    CHECK(slice_equal(again, id->value));
    arena_deinit(&arena);
}

static void check_fields(const struct record *record)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < record->field_count; i++) {
        const struct record_field *field = &record->fields[i];
        if (field->field == FIELD_ATTRIBUTE) {
            check_text(field->name, KEY_BYTES_MAX);
        } else {
            CHECK(field->field < FIELD_BUILTIN_COUNT && (seen >> field->field & 1u) == 0 &&
                  field->name.data == NULL);
            seen |= UINT32_C(1) << field->field;
        }
        if (field->value.kind == VALUE_TEXT) {
            check_text(field->value.text, TEXT_BYTES_MAX);
        } else if (field->value.kind == VALUE_NUMBER) {
            CHECK(isfinite(field->value.number));
        }
    }
}

static void check_record(const struct record *record, bool patch)
{
    CHECK(patch ? record->identifier_count == 0 : record->identifier_count > 0);
    CHECK(record->identifier_count <= IDENTIFIER_COUNT_MAX &&
          record->interest_count <= INTEREST_COUNT_MAX && record->item_count <= ITEM_COUNT_MAX &&
          record->warning_count <= WARNING_COUNT_MAX && record->event_time_us >= 0);
    for (size_t i = 0; i < record->identifier_count; i++) {
        check_identifier(&record->identifiers[i]);
    }
    check_fields(record);
    for (size_t i = 0; i < record->interest_count; i++) {
        check_text(record->interests[i], INTEREST_BYTES_MAX);
    }
    for (size_t i = 0; i < record->item_count; i++) {
        check_text(record->items[i].name, KEY_BYTES_MAX);
        check_text(record->items[i].text, ITEM_BYTES_MAX);
    }
}

static void check_refusal(err e, const struct record_error *error)
{
    CHECK(e == error->err && error->code[0] != '\0' && error->message[0] != '\0');
    CHECK(e == ERR_INVALID || e == ERR_TOO_LARGE);
    CHECK(utf8_valid(slice_from_cstr(error->field), NULL) ||
          strcmp(error->code, "duplicate_key") != 0);
}

__attribute__((unused)) static void read_and_check(struct slice bytes,
                                                   const struct record_form *form)
{
    struct arena arena;
    struct record record;
    struct record_error error = {0};
    arena_init(&arena, 64u << 20);
    err e = record_read(&arena, bytes, form, fuzz_settings(), &record, &error);
    if (e == ERR_OK) {
        check_record(&record, false);
    } else {
        check_refusal(e, &error);
    }
    arena_deinit(&arena);
}

#endif
