/* Tries numbers that are none, that only look like one, and that change when they are written
 * again. */
#include "support.h"

#include "number.h"

static void test_integers(void)
{
    static const struct {
        const char *text;
        bool read;
        int64_t wanted;
    } cases[] = {{"0", true, 0},
                 {"-7", true, -7},
                 {"9223372036854775807", true, INT64_MAX},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775807", true, -INT64_MAX},
                 {"", false, 0},
                 {"-", false, 0},
                 {"+1", false, 0},
                 {"1.0", false, 0},
                 {"--1", false, 0},
                 {" 1", false, 0}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int64_t number = 0;
        bool read = number_parse_integer(slice_from_cstr(cases[i].text), &number);
        EXPECT(read == cases[i].read && number == cases[i].wanted, ": '%s' gave %d %lld",
               cases[i].text, read, (long long)number);
    }
}

static void test_decimals(void)
{
    static const struct {
        const char *text;
        bool read;
        double wanted;
    } cases[] = {{"0", true, 0},
                 {"-0.5", true, -0.5},
                 {"+3", true, 3},
                 {"007", true, 7},
                 {"00", true, 0},
                 {"1e3", true, 1000},
                 {"-00012.25", true, -12.25},
                 {"1e400", false, 0},
                 {"", false, 0},
                 {"+", false, 0},
                 {"-", false, 0},
                 {".5", false, 0},
                 {"5.", false, 0},
                 {"0x10", false, 0},
                 {"1,5", false, 0},
                 {"inf", false, 0},
                 {"nan", false, 0},
                 {"1 ", false, 0},
                 {"1111111111111111111111111111111111111111111111111111111111111111", false, 0}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        double number = 0;
        bool read = number_parse(slice_from_cstr(cases[i].text), &number);
        EXPECT(read == cases[i].read && (!read || number == cases[i].wanted),
               ": '%s' gave %d %.17g", cases[i].text, read, number);
    }
}

/* A cell becomes a number only when it can be written back letter for letter. */
static void test_cells(void)
{
    static const struct {
        const char *text;
        enum value_kind kind;
    } cases[] = {{"", VALUE_TEXT},
                 {"0", VALUE_INTEGER},
                 {"-1", VALUE_INTEGER},
                 {"-0", VALUE_TEXT},
                 {"-", VALUE_TEXT},
                 {"007", VALUE_TEXT},
                 {"1e5", VALUE_TEXT},
                 {"12.5", VALUE_NUMBER},
                 {"-0.5", VALUE_NUMBER},
                 {"00.5", VALUE_TEXT},
                 {".5", VALUE_TEXT},
                 {"5.", VALUE_TEXT},
                 {"1.2.3", VALUE_TEXT},
                 {"1.5x", VALUE_TEXT},
                 {"1234567890.123456", VALUE_TEXT},
                 {"9223372036854775807", VALUE_INTEGER},
                 {"9999999999999999999", VALUE_TEXT},
                 {"12345678901234567890", VALUE_TEXT},
                 {"true", VALUE_BOOL},
                 {"False", VALUE_BOOL},
                 {"truex", VALUE_TEXT},
                 {"f", VALUE_TEXT}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct value value = number_of_cell(slice_from_cstr(cases[i].text));
        EXPECT(value.kind == cases[i].kind, ": '%s' gave %d", cases[i].text, (int)value.kind);
    }
}

int main(void)
{
    RUN(test_integers);
    RUN(test_decimals);
    RUN(test_cells);
    return test_summary();
}
