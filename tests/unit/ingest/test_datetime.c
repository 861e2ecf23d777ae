/* Tries days that do not exist, offsets that cross midnight, and texts that only look like a
 * time. */
#include "support.h"

#include "base/clock.h"
#include "datetime.h"

static void test_timestamps(void)
{
    static const struct {
        const char *text;
        const char *wanted; /* UTC; "": refused */
    } cases[] = {
        {"2024-05-01T12:30:00Z", "2024-05-01T12:30:00Z"},
        {"2024-05-01T12:30:00+02:00", "2024-05-01T10:30:00Z"},
        {"2024-05-01T00:30:00+0200", "2024-04-30T22:30:00Z"},
        {"2024-12-31T23:30:00-01", "2025-01-01T00:30:00Z"},
        {"2024-05-01 12:30", "2024-05-01T12:30:00Z"},
        {"2024-05-01", "2024-05-01T00:00:00Z"},
        {"20240501", "2024-05-01T00:00:00Z"},
        {"20240501T123000Z", "2024-05-01T12:30:00Z"},
        {"20240501123000", "2024-05-01T12:30:00Z"},
        {"2024/5/1 12:30:05 UTC", "2024-05-01T12:30:05Z"},
        {" 2024-05-01T12:30:00.5Z ", "2024-05-01T12:30:00.500000Z"},
        {"2024-05-01T12:30:00,1234567Z", "2024-05-01T12:30:00.123456Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
        {"1714566600", "2024-05-01T12:30:00Z"},
        {"1714566600123", "2024-05-01T12:30:00.123000Z"},
        {"1714566600123456", "2024-05-01T12:30:00.123456Z"},
        {"1969-12-31T23:59:59Z", ""},
        {"2023-02-29T00:00:00Z", ""},
        {"2024-13-01", ""},
        {"2024-05-32", ""},
        {"2024-05-01T24:00:00Z", ""},
        {"2024-05-01T12:60:00Z", ""},
        {"2024-05-01T12:30:00X", ""},
        {"2024-05-01T12:30:00.Z", ""},
        {"2024-05-01T", ""},
        {"2024-5-1", ""},
        {"01.05.2024", ""},
        {"12345678", ""},
        {"", ""},
        {"now", ""},
        {"2024-05-01t12:30:00z", "2024-05-01T12:30:00Z"},
        {"2024-05-01T12:30:00utc", "2024-05-01T12:30:00Z"},
        {"2024-05-01T12:30:00 GMT", "2024-05-01T12:30:00Z"},
        {"20240501T1230", "2024-05-01T12:30:00Z"},
        {"20240501T12305", ""},
        {"2024-05-01T12:30:00+24:00", ""},
        {"2024-05-01T12:30:00+02:60", ""},
        {"2024-05-01T12:30:00+02:", ""},
        {"2024-05-01T12:30:00+2", ""},
        {"2024-05-01T12:30:00+23:59", "2024-04-30T12:31:00Z"},
        {"2024-05-01T12:3", ""},
        {"2024-05-01T12:30:5", ""},
        {"2024-05-01T12:30:61Z", ""},
        {"2024-05-01X12:30", ""},
        {"2024-00-01", ""},
        {"2024-05-00", ""},
        {"0000-05-01", ""},
        {"2024-05-01T12:30:00Zz", ""},
        {"20241301123000", ""},
        {"253402300799", "1978-01-11T21:31:40.799000Z"}, /* 12 digits: milliseconds */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int64_t us = 0;
        char text[TIMESTAMP_TEXT_MAX] = "";
        if (timestamp_parse(slice_from_cstr(cases[i].text), &us)) {
            text[timestamp_format(us, text)] = '\0';
        }
        EXPECT(strcmp(text, cases[i].wanted) == 0, ": %s gave '%s', wanted '%s'", cases[i].text,
               text, cases[i].wanted);
    }
}

static void test_formats(void)
{
    static const struct {
        const char *text, *format, *wanted; /* date, or "" */
    } cases[] = {
        {"19080229", "%Y%m%d", "1908-02-29"},
        {"31/12/1999", "%d/%m/%Y", "1999-12-31"},
        {"1/2/70", "%d/%m/%y", "1970-02-01"},
        {"1/2/68", "%d/%m/%y", "2068-02-01"},
        {"3 Sept 2001", "%d %b %Y", "2001-09-03"},
        {"March 3, 2001", "%B %d, %Y", "2001-03-03"},
        {"2024-060", "%Y-%j", "2024-02-29"},
        {"2023-366", "%Y-%j", ""},
        {"12/31/99", "%D", "1999-12-31"},
        {"30/02/2001", "%d/%m/%Y", ""},
        {"1/2/2001x", "%d/%m/%Y", ""},
        {"", "%Y", ""},
        {"0", "%s", "1970-01-01"},
        {"1714566600", "%s", "2024-05-01"},
        {"253402300799", "%s", "9999-12-31"},
        {"Maybe 3 2001", "%b %d %Y", ""},
        {"1980", "%Y", "1980-01-01"},
        {"2001-02-03", "%F", "2001-02-03"},
        {"2001-2", "%F", ""},
        {"2001-02-03 04:05:06", "%F %T", "2001-02-03"},
        {"2001-02-03 04:05", "%F %T", ""},
        {"100% 2001", "100%% %Y", "2001-01-01"},
        {"100 2001", "100%% %Y", ""},
        {"x", "%y", ""},
        {"0", "%j", ""},
        {"2001-000", "%Y-%j", ""},
        {"253402300800", "%s", ""},
        {"x", "%s", ""},
        {"2001\t 2", "%Y %m", "2001-02-01"},
        {"2001/2", "%Y-%m", ""},
        {"2001", "%Y%", ""},
        {"2001 +02:00", "%Y %z", "2001-01-01"},
        {"2001 +2", "%Y %z", ""},
        {"2001 .5", "%Y .%f", "2001-01-01"},
        {"Ja 2001", "%b %Y", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct datetime when;
        char text[DATE_TEXT_LENGTH + 1] = "";
        if (datetime_parse_format(slice_from_cstr(cases[i].text), slice_from_cstr(cases[i].format),
                                  &when)) {
            datetime_date_text(&when, text);
        }
        EXPECT(strcmp(text, cases[i].wanted) == 0, ": %s as %s gave '%s', wanted '%s'",
               cases[i].text, cases[i].format, text, cases[i].wanted);
    }
    static const struct {
        const char *text;
        int hour;
    } clocks[] = {{"1/2/2001 12:05 AM", 0},  {"1/2/2001 1:05 pm", 13}, {"1/2/2001 12:05 PM", 12},
                  {"1/2/2001 13:05 PM", -1}, {"1/2/2001 0:05 AM", -1}, {"1/2/2001 1:05 A", -1},
                  {"1/2/2001 1:05 xm", -1},  {"1/2/2001 1:05 ax", -1}};
    const struct slice format = SLICE_LITERAL("%m/%d/%Y %I:%M %p");
    for (size_t i = 0; i < ARRAY_COUNT(clocks); i++) {
        struct datetime when;
        bool read = datetime_parse_format(slice_from_cstr(clocks[i].text), format, &when);
        EXPECT((read ? when.hour : -1) == clocks[i].hour, ": %s", clocks[i].text);
    }
    static const char *const bad_formats[] = {"%Q", "%", "x", "", "%Y%"};
    for (size_t i = 0; i < ARRAY_COUNT(bad_formats); i++) {
        EXPECT(!datetime_format_valid(slice_from_cstr(bad_formats[i])), ": %s", bad_formats[i]);
    }
}

/* Numbers: what they count is told by their size, and outside of the calendar they are refused. */
static void test_numbers(void)
{
    static const struct {
        double number;
        const char *wanted;
    } cases[] = {{1714566600, "2024-05-01T12:30:00Z"},
                 {1714566600.5, "2024-05-01T12:30:00.500000Z"},
                 {1714566600123, "2024-05-01T12:30:00.123000Z"},
                 {1714566600123456, "2024-05-01T12:30:00.123456Z"},
                 {0, "1970-01-01T00:00:00Z"},
                 {-1, ""},
                 {1e18, ""},
                 {99999999999, "5138-11-16T09:46:39Z"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int64_t us = 0;
        int64_t same = 0;
        char text[TIMESTAMP_TEXT_MAX] = "";
        if (timestamp_of_number(cases[i].number, &us)) {
            text[timestamp_format(us, text)] = '\0';
        }
        EXPECT(strcmp(text, cases[i].wanted) == 0, ": %.17g gave '%s'", cases[i].number, text);
        bool whole = cases[i].number == (double)(int64_t)cases[i].number;
        EXPECT(!whole || timestamp_of_integer((int64_t)cases[i].number, &same) == (text[0] != '\0'),
               ": %.17g", cases[i].number);
        EXPECT(!whole || text[0] == '\0' || same == us, ": %.17g", cases[i].number);
    }
}

/* Every day from 1970 to 2400 comes back from its number. */
static void test_every_day(void)
{
    for (int64_t day = 0; day < 157054; day++) {
        char text[TIMESTAMP_TEXT_MAX];
        size_t length = timestamp_format(day * INT64_C(86400000000), text);
        int64_t us = -1;
        REQUIRE(timestamp_parse(slice_of(text, length), &us) && us == day * INT64_C(86400000000),
                ": %.*s", (int)length, text);
        char seconds[24];
        snprintf(seconds, sizeof seconds, "%lld", (long long)(day * 86400));
        struct datetime when;
        char date[DATE_TEXT_LENGTH];
        bool read = datetime_parse_format(slice_from_cstr(seconds), SLICE_LITERAL("%s"), &when);
        REQUIRE(read, ": %s", seconds);
        datetime_date_text(&when, date);
        REQUIRE(memcmp(date, text, DATE_TEXT_LENGTH) == 0, ": day %lld", (long long)day);
    }
}

int main(void)
{
    RUN(test_timestamps);
    RUN(test_formats);
    RUN(test_numbers);
    RUN(test_every_day);
    return test_summary();
}
