/* The rules for the schema's own fields: what makes a value valid, and its one spelling. */
#include "builder.h"
#include "datetime.h"
#include "ingest/limits.h"
#include "number.h"
#include "places.h"
#include "text.h"

static const struct text_rule name_rule = {TEXT_COLLAPSE, NAME_BYTES_MAX};
static const struct text_rule street_rule = {TEXT_COLLAPSE, STREET_BYTES_MAX};

static struct value text_value(struct slice text)
{
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static struct value integer_value(int64_t integer)
{
    return (struct value){.kind = VALUE_INTEGER, .integer = integer};
}

/* ---- age, income, gender, birth date --------------------------------------------------------- */

err cleanse_integer(struct builder *b, enum field field, const struct path *path, int64_t integer)
{
    if (field == FIELD_AGE && (integer < 0 || integer > AGE_MAX)) {
        builder_warn(b, path, "age_invalid",
                     "An age is a whole number from 0 to 130; it was left away.");
        return ERR_OK;
    }
    return builder_field(b, field, integer_value(integer));
}

OUTLINED static err cleanse_age(struct builder *b, const struct path *path, struct slice text)
{
    int64_t age;
    return cleanse_integer(b, FIELD_AGE, path, number_parse_integer(text, &age) ? age : -1);
}

#define GENDER(typed, name)                                                                        \
    {                                                                                              \
        {typed, sizeof typed - 1},                                                                 \
        {                                                                                          \
            name, sizeof name - 1                                                                  \
        }                                                                                          \
    }

static struct slice gender_name(struct slice text)
{
    static const struct {
        struct slice typed;
        struct slice name;
    } genders[] = {
        GENDER("male", "Male"),
        GENDER("female", "Female"),
        GENDER("m", "Male"),
        GENDER("f", "Female"),
        GENDER("man", "Male"),
        GENDER("woman", "Female"),
        GENDER("men", "Male"),
        GENDER("women", "Female"),
        GENDER("boy", "Male"),
        GENDER("girl", "Female"),
        GENDER("w", "Female"),
        GENDER("non-binary", "Non-binary"),
        GENDER("nonbinary", "Non-binary"),
        GENDER("non binary", "Non-binary"),
        GENDER("enby", "Non-binary"),
        GENDER("nb", "Non-binary"),
        GENDER("x", "Non-binary"),
        GENDER("diverse", "Non-binary"),
        GENDER("other", "Other"),
        GENDER("o", "Other"),
        GENDER("unknown", "Unknown"),
        GENDER("u", "Unknown"),
    };
    for (size_t i = 0; i < ARRAY_COUNT(genders); i++) {
        if (slice_equal_ignoring_case(text, genders[i].typed)) {
            return genders[i].name;
        }
    }
    return SLICE_NONE;
}

OUTLINED static err cleanse_gender(struct builder *b, struct slice text)
{
    struct slice name = gender_name(text);
    if (name.data != NULL) {
        return builder_field_text(b, FIELD_GENDER, name);
    }
    struct slice title;
    err e = text_title(b->arena, text, &title);
    return e != ERR_OK ? e : builder_field_text(b, FIELD_GENDER, title);
}

OUTLINED static err cleanse_income(struct builder *b, struct slice text)
{
    struct value income = number_of_cell(text);
    return builder_field(b, FIELD_INCOME, income.kind == VALUE_BOOL ? text_value(text) : income);
}

OUTLINED static err cleanse_birth_date(struct builder *b, const struct path *path,
                                       struct slice text)
{
    struct datetime when;
    if (!datetime_parse(text, &when)) {
        builder_warn(
            b, path, "birth_date_invalid",
            "A birth date is YYYY-MM-DD or YYYYMMDD; it was left away. A mapping reads other forms.");
        return ERR_OK;
    }
    char date[DATE_TEXT_LENGTH];
    datetime_date_text(&when, date);
    struct slice copy = arena_copy(b->arena, slice_of(date, sizeof date));
    return copy.data == NULL ? ERR_MEMORY : builder_field_text(b, FIELD_BIRTH_DATE, copy);
}

/* ---- places ---------------------------------------------------------------------------------- */

OUTLINED static err cleanse_country(struct builder *b, const struct path *path, struct slice text)
{
    const struct country *country = country_find(text);
    if (country == NULL) {
        builder_warn(b, path, "country_unknown",
                     "No country has this name or code; it was kept as written.");
    }
    b->country = country;
    return builder_field_text(b, FIELD_COUNTRY, country == NULL ? text : country_name(country));
}

/* At the end of the record: what "WA" means depends on the country, which may come after it. */
err cleanse_state(struct builder *b)
{
    const struct value *state = builder_field_value(b, FIELD_STATE);
    if (state == NULL || state->kind != VALUE_TEXT) {
        return ERR_OK;
    }
    const struct value *country = builder_field_value(b, FIELD_COUNTRY);
    const char *alpha2 = "";
    if (country != NULL && country->kind == VALUE_TEXT) {
        alpha2 = b->country == NULL ? "??" : country_alpha2(b->country);
    }
    struct slice name = state_find(state->text, alpha2);
    return name.data == NULL ? ERR_OK : builder_field_text(b, FIELD_STATE, name);
}

static err take_place(struct builder *b, enum field field, const struct path *path,
                      struct slice text)
{
    text = slice_trim(text);
    if (text.length == 0) {
        return ERR_OK;
    }
    return field == FIELD_COUNTRY ? cleanse_country(b, path, text)
                                  : builder_field_text(b, field, text);
}

/* "Brooklyn, New York, USA"; "Paris, France"; "Austin, TX"; "Germany". What stands before a city is
 * a street. */
err cleanse_location(struct builder *b, const struct path *path, struct slice text)
{
    struct slice clean = builder_text(b, path, text, &street_rule);
    if (clean.length == 0) {
        return ERR_OK;
    }
    struct slice parts[3];
    size_t count = 0;
    struct slice rest = clean;
    while (count < 3 && rest.data != NULL) { /* from the end */
        size_t comma = rest.length;
        while (comma > 0 && rest.data[comma - 1] != ',') {
            comma--;
        }
        parts[count++] = slice_of(rest.data + comma, rest.length - comma);
        rest = comma == 0 ? SLICE_NONE : slice_of(rest.data, comma - 1);
    }
    if (count == 1) {
        bool is_country = country_find(parts[0]) != NULL && parts[0].length > 3;
        return take_place(b, is_country ? FIELD_COUNTRY : FIELD_CITY, path, parts[0]);
    }
    if (count == 2) {
        bool is_state = state_find(slice_trim(parts[0]), "").data != NULL;
        enum field last = is_state || country_find(parts[0]) == NULL ? FIELD_STATE : FIELD_COUNTRY;
        err e = take_place(b, last, path, parts[0]);
        return e != ERR_OK ? e : take_place(b, FIELD_CITY, path, parts[1]);
    }
    err e = take_place(b, FIELD_COUNTRY, path, parts[0]);
    e = e != ERR_OK ? e : take_place(b, FIELD_STATE, path, parts[1]);
    e = e != ERR_OK ? e : take_place(b, FIELD_CITY, path, parts[2]);
    return e != ERR_OK || rest.data == NULL ? e : take_place(b, FIELD_STREET, path, rest);
}

/* ---- by field -------------------------------------------------------------------------------- */

/* A list in one text: split on ';' or '|'. */
OUTLINED static err cleanse_interests(struct builder *b, const struct path *path, struct slice text)
{
    size_t start = 0;
    for (size_t i = 0; i <= text.length; i++) {
        if (i == text.length || text.data[i] == ';' || text.data[i] == '|') {
            err e = builder_interest(b, path, slice_of(text.data + start, i - start));
            if (e != ERR_OK) {
                return e;
            }
            start = i + 1;
        }
    }
    return ERR_OK;
}

err cleanse_text(struct builder *b, enum field field, const struct path *path, struct slice text)
{
    if (field == FIELD_INTERESTS) {
        return cleanse_interests(b, path, text);
    }
    struct slice clean =
        builder_text(b, path, text, field == FIELD_STREET ? &street_rule : &name_rule);
    if (clean.length == 0) {
        return ERR_OK;
    }
    switch (field) {
    case FIELD_AGE: return cleanse_age(b, path, clean);
    case FIELD_GENDER: return cleanse_gender(b, clean);
    case FIELD_BIRTH_DATE: return cleanse_birth_date(b, path, clean);
    case FIELD_COUNTRY: return cleanse_country(b, path, clean);
    case FIELD_INCOME: return cleanse_income(b, clean);
    case FIELD_CITY:
    case FIELD_STATE:
    case FIELD_EDUCATION:
    case FIELD_FIRST_NAME:
    case FIELD_LAST_NAME:
    case FIELD_POSTAL_CODE:
    case FIELD_STREET:
    case FIELD_OCCUPATION:
    case FIELD_LANGUAGE:
    case FIELD_INTERESTS:
    case FIELD_NAME:
    case FIELD_BUILTIN_COUNT:
    case FIELD_ATTRIBUTE: break;
    }
    return builder_field_text(b, field, clean);
}
