/* Tries to break the parser of cohort definitions: the first line is the name, the rest the JSON.
 * What is accepted must write JSON that is accepted again and writes the same; its condition must
 * be answerable for a profile. */
#include <stdint.h>

#include "base/check.h"
#include "index/cohort_definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One person, made once. */
static const void *profile_blob(struct names *names)
{
    static struct buffer packed;
    static bool made;
    if (!made) {
        struct profile_origin origin = {.sequence = 1};
        struct profile_field fields[] = {
            {FIELD_CITY, 0, {.kind = PROFILE_CATEGORY}},
            {FIELD_AGE, 0, {.kind = PROFILE_INTEGER, .integer = 30}},
            {FIELD_FIRST_NAME, 0, {.kind = PROFILE_TEXT, .text = SLICE_LITERAL("Zoë")}},
            {0, 0, {.kind = PROFILE_NUMBER, .number = 1.5}},
        };
        struct profile_item item = {0, 0, SLICE_LITERAL("beta")};
        CHECK(names_acquire(names, SLICE_LITERAL("Paris"), &fields[0].value.category_id) == ERR_OK);
        CHECK(names_acquire(names, SLICE_LITERAL("score"), &fields[3].name_id) == ERR_OK);
        CHECK(names_acquire(names, SLICE_LITERAL("tags"), &item.name_id) == ERR_OK);
        struct profile profile = {.number = 1,
                                  .origins = &origin,
                                  .origin_count = 1,
                                  .fields = fields,
                                  .field_count = 4,
                                  .items = &item,
                                  .item_count = 1};
        buffer_init(&packed, 1 << 20);
        profile_pack(&profile, &packed);
        CHECK(!packed.failed);
        made = true;
    }
    return packed.data;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct names *names;
    names = names != NULL ? names : names_create(1);
    struct cohort_definition *definition = NULL;
    struct cohort_definition *again = NULL;
    struct error error = {0};
    struct slice json = slice_of(data, size);
    const struct slice name = slice_cut(&json, '\n');
    if (cohort_definition_parse(name, json, &definition, &error) != ERR_OK) {
        CHECK(error.err != ERR_OK && error.code[0] != '\0' && error.message[0] != '\0');
        return 0;
    }
    struct profile_view view;
    profile_view_open(profile_blob(names), &view);
    const bool matches = cohort_definition_matches(definition, &view, names);
    struct buffer first;
    struct buffer second;
    buffer_init(&first, 64 << 20);
    buffer_init(&second, 64 << 20);
    cohort_definition_write(definition, NULL, 0, NULL, 0, &first);
    CHECK(cohort_definition_parse(cohort_definition_name(definition), buffer_slice(&first), &again,
                                  &error) == ERR_OK);
    cohort_definition_write(again, NULL, 0, NULL, 0, &second);
    CHECK(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    CHECK(slice_equal(cohort_definition_name(definition), cohort_definition_name(again)));
    CHECK(cohort_definition_matches(again, &view, names) == matches);
    buffer_deinit(&first);
    buffer_deinit(&second);
    cohort_definition_destroy(definition);
    cohort_definition_destroy(again);
    return 0;
}
