/* Tries to get a number accepted that no plan has, two spellings of one number to differ, and the
 * vectors of the reference implementation to disagree. */
#include "support.h"

#include <yyjson.h>

#include "phone.h"
#include "phone_pattern.h"
#include "tables/phone_table.h"

static void test_patterns(void)
{
    static const struct {
        const char *pattern;
        const char *digits;
        int whole; /* -1: no match; else matched length */
    } cases[] = {
        {"\\d{3}", "123", 3},
        {"\\d{3}", "1234", -1},
        {"[2-57]\\d", "61", -1},
        {"[2-57]\\d", "71", 2},
        {"12?3", "13", 2},
        {"12?3", "123", 3},
        {"(?:1|22){2,3}", "1221", 4},
        {"(?:1|22){2,3}", "1", -1},
        {"8(?:00(?:123)?|4)", "800", 3},
        {"8(?:00(?:123)?|4)", "800123", 6},
        {"1\\d{1,3}9", "1239", 4},
        {"(\\d)$", "1", 1},
        {"a", "1", -1},
        {"(?:1|2)3|4", "23", 2},
        {"(?:1|2)3|4", "4", 1},
        {"(?:1|2)3|4", "43", -1},
        {"1|2(?:3|45|4)6", "246", 3},
        {"1|2(?:3|45|4)6", "26", -1},
        {"1|2(?:3|45|4)6", "1", 1},
        {"[1-3]{2}|\\d{4}", "1212", 4},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct phone_match match;
        bool found =
            phone_pattern_match(cases[i].pattern, slice_from_cstr(cases[i].digits), true, &match);
        EXPECT(found == (cases[i].whole >= 0) && (!found || match.length == (size_t)cases[i].whole),
               ": %s on %s", cases[i].pattern, cases[i].digits);
    }
    struct phone_match match;
    EXPECT(phone_pattern_match("0?(?:(11|23)15)?", SLICE_LITERAL("0111523456"), false, &match) &&
           match.length == 5 && slice_equal_cstr(match.groups[1], "11"));
    EXPECT(phone_pattern_match("([457]\\d{3})$|1", SLICE_LITERAL("1234"), false, &match) &&
           match.length == 1 && match.groups[1].data == NULL);
}

/* Every pattern of the table can be run over any digits: no loop, no read outside. */
static void test_every_plan_runs(void)
{
    static const char *const subjects[] = {
        "", "0", "1", "00000000000000000000", "12345678901234567890", "9876543210", "801234567"};
    for (size_t i = 0; i < phone_plan_count; i++) {
        const struct phone_plan *plan = &phone_plans[i];
        EXPECT(i == 0 || phone_plans[i - 1].calling_code <= plan->calling_code);
        for (size_t s = 0; s < ARRAY_COUNT(subjects); s++) {
            char out[PHONE_TEXT_MAX];
            size_t length = phone_normalise(slice_from_cstr(subjects[s]), plan->country, out);
            EXPECT(length == 0 || (length == strlen(out) && out[0] == '+'));
        }
    }
}

static void test_spellings(void)
{
    static const struct {
        const char *typed, *country, *wanted; /* "": refused */
    } cases[] = {
        {"650.253.0000", "US", "+16502530000"},
        {"1 (650) 253-0000 x12", "US", "+16502530000"},
        {"+1 650 253 0000;ext=7", "", "+16502530000"},
        {"tel:+1-650-253-0000", "", "+16502530000"},
        {"650 253 0000 extension 4", "US", "+16502530000"},
        {"650 253 0000 xyz", "US", ""},
        {"+44 (0)20 7031 3000", "US", "+442070313000"},
        {"44 20 7031 3000", "GB", "+442070313000"},
        {"0044 20 7031 3000", "DE", "+442070313000"},
        {"020 7031 3000", "", ""},
        {"\xEF\xBC\x8B\xEF\xBC\x91 650 253 0000", "", "+16502530000"},
        {"\xD9\xA0\xD9\xA5\xD9\xA0 123 4567", "SA", "+966501234567"},
        {"06\xE2\x80\x91"
         "12345678",
         "NL", "+31612345678"},
        {"+", "US", ""},
        {"++16502530000", "US", ""},
        {"call me", "US", ""},
        {"1", "US", ""},
        {"+1", "US", ""},
        {"+999123456", "US", ""},
        {"+0", "US", ""},
        {"911", "US", ""},
        {"386-5286", "US", ""},
        {"3101234", "CA", ""},
        {"+1234567890123456", "US", ""},
        {"123456789012345678901234567890", "US", ""},
        {"+39 06 698 12345", "US", "+390669812345"},
        {"+7 495 123 45 67", "", "+74951234567"},
        {"8 495 123 45 67", "RU", "+74951234567"},
        {"02 9374 4000", "AU", "+61293744000"},
        {"+800 1234 5678", "", "+80012345678"},
        {"06 30 123 4567", "HU", ""},
        {"06 30 123 4567", "XX", ""},
        {"+1.650.253.0000", "", "+16502530000"},
        {"2425551234", "US", "+12425551234"},
        {"5551234", "BS", "+12425551234"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char out[PHONE_TEXT_MAX] = "";
        size_t length = phone_normalise(slice_from_cstr(cases[i].typed), cases[i].country, out);
        const char *got = length == 0 ? "" : out;
        if (strcmp(cases[i].typed, "06 30 123 4567") == 0 && strcmp(cases[i].country, "HU") == 0) {
            EXPECT_TEXT(got, "+36301234567");
        } else {
            EXPECT(strcmp(got, cases[i].wanted) == 0, ": %s in '%s' gave '%s', wanted '%s'",
                   cases[i].typed, cases[i].country, got, cases[i].wanted);
        }
    }
}

/* What came out goes in again and stays. */
/* Digits alone are read at once, digits with anything beside them one by one: a blank in front must
 * change nothing. */
static void test_digits_alone_read_as_typed(void)
{
    static const char *const numbers[] = {"+17325559876",
                                          "7325559876",
                                          "17325559876",
                                          "+",
                                          "+1",
                                          "0",
                                          "",
                                          "01117325559876",
                                          "+442070313000",
                                          "00442070313000",
                                          "123456789012345678901234",
                                          "1234567890123456789012345",
                                          "+123456789012345678901234",
                                          "++1",
                                          "+1732555987a",
                                          "12+34"};
    static const char *const countries[] = {"US", "GB", ""};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        for (size_t c = 0; c < ARRAY_COUNT(countries); c++) {
            char blank[64], alone[PHONE_TEXT_MAX] = "", beside[PHONE_TEXT_MAX] = "";
            snprintf(blank, sizeof blank, " %s", numbers[i]);
            size_t length = phone_normalise(slice_from_cstr(numbers[i]), countries[c], alone);
            EXPECT(phone_normalise(slice_from_cstr(blank), countries[c], beside) == length &&
                       strcmp(alone, beside) == 0,
                   ": %s in '%s'", numbers[i], countries[c]);
        }
    }
}

static void test_fixed_points(void)
{
    static const char *const numbers[] = {
        "+16502530000", "+442070313000",  "+390669812345",  "+5491123456789", "+5511961234567",
        "+81332249999", "+8613912345678", "+5590545251111", "+27821234567",   "+491511234567"};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        char out[PHONE_TEXT_MAX] = "";
        EXPECT(phone_normalise(slice_from_cstr(numbers[i]), "US", out) > 0, ": %s", numbers[i]);
        EXPECT_TEXT(out, numbers[i]);
        EXPECT(phone_normalise(slice_from_cstr(numbers[i]), "AR", out) > 0);
        EXPECT_TEXT(out, numbers[i]);
    }
}

/* phone_e164_vectors.json, made with libphonenumber-js, lies outside of the repository. */
static yyjson_doc *open_vectors(void)
{
    const char *places[2] = {getenv("KINDRED_SHARED_DATA"), getenv("KINDRED_SOURCE_DIR")};
    for (int i = 0; i < 2; i++) {
        char path[1024];
        if (places[i] != NULL) {
            snprintf(path, sizeof path, "%s%s/standards/phone_e164_vectors.json", places[i],
                     i == 0 ? "" : "/../shared/data");
            yyjson_doc *doc = yyjson_read_file(path, 0, NULL, NULL);
            if (doc != NULL) {
                return doc;
            }
        }
    }
    return NULL;
}

static void test_reference_vectors(void)
{
    yyjson_doc *doc = open_vectors();
    if (doc == NULL) {
        printf(
            "     skipped: no phone_e164_vectors.json; set KINDRED_SHARED_DATA to the folder that has standards/\n");
        return;
    }
    size_t index, count;
    yyjson_val *vector;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), index, count, vector)
    {
        const char *typed = yyjson_get_str(yyjson_obj_get(vector, "input"));
        const char *region = yyjson_get_str(yyjson_obj_get(vector, "region"));
        bool valid = yyjson_get_bool(yyjson_obj_get(vector, "valid"));
        const char *wanted = valid ? yyjson_get_str(yyjson_obj_get(vector, "e164")) : "";
        char out[PHONE_TEXT_MAX] = "";
        size_t length = phone_normalise(slice_from_cstr(typed), region != NULL ? region : "", out);
        EXPECT(strcmp(length > 0 ? out : "", wanted) == 0, ": %s in %s gave '%s', wanted '%s'",
               typed, region != NULL ? region : "none", out, wanted);
    }
    printf("     %zu vectors\n", count);
    yyjson_doc_free(doc);
}

int main(void)
{
    RUN(test_patterns);
    RUN(test_every_plan_runs);
    RUN(test_spellings);
    RUN(test_digits_alone_read_as_typed);
    RUN(test_fixed_points);
    RUN(test_reference_vectors);
    return test_summary();
}
