/* A date format, a line break, a text. What can be read has a day that exists and a time that
 * fits. */
#include "ingest_checks.h"

#include "base/clock.h"
#include "datetime.h"

static void check_datetime(const struct datetime *when)
{
    int64_t us;
    char date[DATE_TEXT_LENGTH];
    struct datetime again;
    datetime_date_text(when, date);
    CHECK(datetime_parse(slice_of(date, sizeof date), &again));
    CHECK(again.year == when->year && again.month == when->month && again.day == when->day);
    if (datetime_to_us(when, &us)) {
        char text[TIMESTAMP_TEXT_MAX];
        int64_t back = -1;
        CHECK(timestamp_parse(slice_of(text, timestamp_format(us, text)), &back) && back == us);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct slice text = slice_of(data, size_bytes);
    struct slice format = slice_cut(&text, '\n');
    struct datetime when;
    int64_t us;
    if (datetime_format_valid(format) && datetime_parse_format(text, format, &when)) {
        check_datetime(&when);
    }
    if (datetime_parse(text, &when)) {
        check_datetime(&when);
    }
    if (timestamp_parse(text, &us)) {
        CHECK(us >= 0);
    }
    return 0;
}
