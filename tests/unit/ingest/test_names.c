/* Tries names in every spelling: the lists of names.c know our own spelling as it stands, and every
 * other by folding. Both must say the same. */
#include "names.h"
#include "support.h"

static const char *const names[] = {
    "age",
    "sex",
    "zip",
    "dob",
    "city",
    "name",
    "town",
    "lang",
    "mail",
    "email",
    "phone",
    "state",
    "cookie",
    "user_id",
    "mobile",
    "gender",
    "income",
    "street",
    "region",
    "country",
    "zip_code",
    "surname",
    "location",
    "device_id",
    "cookie_id",
    "last_name",
    "full_name",
    "post_code",
    "language",
    "interest",
    "province",
    "birthday",
    "job_title",
    "timestamp",
    "event_time",
    "message_id",
    "interests",
    "first_name",
    "given_name",
    "birth_date",
    "birthdate",
    "education",
    "telephone",
    "occupation",
    "profession",
    "postal_code",
    "family_name",
    "phone_number",
    "mobile_phone",
    "identifiers",
    "date_of_birth",
    "email_address",
    "demographics",
    "location_city",
    "location_state",
    "street_address",
    "location_street",
    "location_country",
    "demographics_age",
    "demographics_gender",
    "demographics_income",
    "location_postal_code",
    "demographics_education",
    "demographics_occupation",
    "location.city",
    "demographics.age",
};

static bool same(struct target a, struct target b)
{
    return a.kind == b.kind && a.number == b.number;
}

/* Without its underscores, in capitals, with a blank between all letters. No list has a name with a
 * blank, so the last is always folded. */
static void test_every_spelling_means_the_same(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char bare[32] = "", capitals[32] = "", spaced[64] = "";
        size_t bare_length = 0, length = 0;
        for (const char *c = names[i]; *c != '\0'; c++) {
            capitals[length] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
            spaced[2 * length] = *c;
            spaced[2 * length + 1] = ' ';
            length++;
            if (*c != '_' && *c != '.') {
                bare[bare_length++] = *c;
            }
        }
        struct target target = name_lookup(slice_from_cstr(names[i]));
        EXPECT(target.kind != TARGET_ATTRIBUTE, "for %s", names[i]);
        EXPECT(same(name_lookup(slice_from_cstr(bare)), target), "for %s", bare);
        EXPECT(same(name_lookup(slice_from_cstr(capitals)), target), "for %s", capitals);
        EXPECT(same(name_lookup(slice_from_cstr(spaced)), target), "for %s", spaced);
    }
}

static void test_others_are_attributes(void)
{
    static const char *const others[] = {"",
                                         "_",
                                         "ages",
                                         "ag",
                                         "emai1",
                                         "phone_numbers",
                                         "userid2",
                                         "caf\xC3\xA9",
                                         "location/city",
                                         "demographics_occupations",
                                         "a very long name that none of ours comes near"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        EXPECT(name_lookup(slice_from_cstr(others[i])).kind == TARGET_ATTRIBUTE, "for %s",
               others[i]);
    }
    EXPECT(name_lookup(slice_of("age\0", 4)).kind == TARGET_ATTRIBUTE);
    EXPECT(name_lookup(slice_of("cit\0", 4)).kind == TARGET_ATTRIBUTE);
}

int main(void)
{
    RUN(test_every_spelling_means_the_same);
    RUN(test_others_are_attributes);
    return test_summary();
}
