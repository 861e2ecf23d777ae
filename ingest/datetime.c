#include "datetime.h"

#include "text.h"

static const int64_t us_per_second = 1000000;
static const int64_t seconds_per_day = 86400;
static const int64_t latest_us = INT64_C(253402300799999999); /* 9999-12-31T23:59:59.999999Z */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool is_valid(const struct datetime *when)
{
    return when->year >= 1 && when->year <= 9999 && when->month >= 1 && when->month <= 12 &&
           when->day >= 1 && when->day <= days_in_month(when->year, when->month) &&
           when->hour <= 23 && when->minute <= 59 && when->second <= 60 &&
           when->offset_seconds > -seconds_per_day && when->offset_seconds < seconds_per_day;
}

bool datetime_to_us(const struct datetime *when, int64_t *us)
{
    int64_t seconds = days_from_civil(when->year, when->month, when->day) * seconds_per_day +
                      when->hour * 3600 + when->minute * 60 + when->second - when->offset_seconds;
    *us = seconds * us_per_second + when->microsecond;
    return *us >= 0 && *us <= latest_us;
}

static void two_digits(char *to, int value)
{
    to[0] = (char)('0' + value / 10 % 10);
    to[1] = (char)('0' + value % 10);
}

void datetime_date_text(const struct datetime *when, char out[DATE_TEXT_LENGTH])
{
    two_digits(out, when->year / 100);
    two_digits(out + 2, when->year % 100);
    out[4] = out[7] = '-';
    two_digits(out + 5, when->month);
    two_digits(out + 8, when->day);
}

/* ---- pieces of text -------------------------------------------------------------------------- */

/* Trimmed, and never without an address, so that it can be advanced. */
static struct slice readable(struct slice text)
{
    return text.data == NULL ? SLICE_LITERAL("") : slice_trim(text);
}

/* Between `least` and `most` digits; advances. */
static bool take_number(struct slice *text, size_t least, size_t most, int *out)
{
    size_t count = 0;
    int value = 0;
    while (count < most && count < text->length && ascii_is_digit(text->data[count])) {
        value = value * 10 + (text->data[count++] - '0');
    }
    if (count < least) {
        return false;
    }
    text->data += count;
    text->length -= count;
    *out = value;
    return true;
}

static bool take_char(struct slice *text, char c)
{
    if (text->length == 0 || text->data[0] != c) {
        return false;
    }
    text->data++;
    text->length--;
    return true;
}

/* Digits of a fraction of a second; those beyond microseconds are cut. */
static bool take_fraction(struct slice *text, int *microsecond)
{
    int value = 0;
    size_t count = 0;
    for (; count < text->length && ascii_is_digit(text->data[count]); count++) {
        if (count < 6) {
            value = value * 10 + (text->data[count] - '0');
        }
    }
    for (size_t i = count; i < 6; i++) {
        value *= 10;
    }
    text->data += count;
    text->length -= count;
    *microsecond = value;
    return count > 0;
}

/* Z, +HH, +HHMM, +HH:MM, and "UTC"/"GMT". */
static bool take_offset(struct slice *text, int *seconds)
{
    *seconds = 0;
    if (take_char(text, 'Z') || take_char(text, 'z')) {
        return true;
    }
    if (text->length >= 3 &&
        (slice_equal_ignoring_case(slice_of(text->data, 3), SLICE_LITERAL("UTC")) ||
         slice_equal_ignoring_case(slice_of(text->data, 3), SLICE_LITERAL("GMT")))) {
        text->data += 3;
        text->length -= 3;
        return true;
    }
    int sign = take_char(text, '+') ? 1 : take_char(text, '-') ? -1 : 0;
    int hours = 0;
    int minutes = 0;
    if (sign == 0 || !take_number(text, 2, 2, &hours)) {
        return false;
    }
    bool colon = take_char(text, ':');
    bool has_minutes = take_number(text, 2, 2, &minutes);
    if ((colon && !has_minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* ---- ISO 8601 -------------------------------------------------------------------------------- */

static bool take_time(struct slice *text, struct datetime *out)
{
    if (!take_number(text, 2, 2, &out->hour)) {
        return false;
    }
    bool extended = take_char(text, ':');
    if (!take_number(text, 2, 2, &out->minute)) {
        return false;
    }
    bool more = extended ? take_char(text, ':') : text->length > 0 && ascii_is_digit(text->data[0]);
    if (more && !take_number(text, 2, 2, &out->second)) {
        return false;
    }
    if (more && (take_char(text, '.') || take_char(text, ',')) &&
        !take_fraction(text, &out->microsecond)) {
        return false;
    }
    out->has_time = true;
    return true;
}

bool datetime_parse(struct slice text, struct datetime *out)
{
    *out = (struct datetime){0};
    text = readable(text);
    if (!take_number(&text, 4, 4, &out->year)) {
        return false;
    }
    char separator = take_char(&text, '-') ? '-' : take_char(&text, '/') ? '/' : '\0';
    size_t least = separator == '/' ? 1 : 2; /* 2024/5/1, as spreadsheets write it */
    if (!take_number(&text, least, 2, &out->month) ||
        (separator != '\0' && !take_char(&text, separator)) ||
        !take_number(&text, least, 2, &out->day)) {
        return false;
    }
    if (text.length > 0) {
        if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' ')) {
            return false;
        }
        if (!take_time(&text, out)) {
            return false;
        }
        take_char(&text, ' ');
        if (text.length > 0 && !take_offset(&text, &out->offset_seconds)) {
            return false;
        }
    }
    return text.length == 0 && is_valid(out);
}

/* ---- strptime-like formats ------------------------------------------------------------------- */

struct format_state {
    struct datetime *out;
    int hour12;      /* -1: not given */
    int is_pm;       /* -1: not given */
    int day_of_year; /* 0: not given */
};

static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};

/* "Sep", "Sept" or "September". */
static bool take_month_name(struct slice *text, int *month)
{
    size_t length = 0;
    while (length < text->length && ascii_is_letter(text->data[length])) {
        length++;
    }
    for (int i = 0; length >= 3 && i < 12; i++) {
        struct slice name = slice_from_cstr(months[i]);
        if (length <= name.length &&
            slice_equal_ignoring_case(slice_of(text->data, length), slice_of(name.data, length))) {
            text->data += length;
            text->length -= length;
            *month = i + 1;
            return true;
        }
    }
    return false;
}

static bool take_am_pm(struct slice *text, int *is_pm)
{
    if (text->length < 2 || ascii_to_lower(text->data[1]) != 'm') {
        return false;
    }
    char c = ascii_to_lower(text->data[0]);
    *is_pm = c == 'p';
    text->data += 2;
    text->length -= 2;
    return c == 'a' || c == 'p';
}

static bool take_year2(struct slice *text, int *year)
{
    if (!take_number(text, 2, 2, year)) {
        return false;
    }
    *year += *year >= 69 ? 1900 : 2000;
    return true;
}

static bool take_by_format(struct slice *text, struct slice format, struct format_state *state);

static bool take_conversion(struct slice *text, char conversion, struct format_state *state)
{
    struct datetime *out = state->out;
    switch (conversion) {
    case 'Y': return take_number(text, 4, 4, &out->year);
    case 'y': return take_year2(text, &out->year);
    case 'm': return take_number(text, 1, 2, &out->month);
    case 'e':
    case 'd': take_char(text, ' '); return take_number(text, 1, 2, &out->day);
    case 'j': return take_number(text, 1, 3, &state->day_of_year) && state->day_of_year > 0;
    case 'b':
    case 'B': return take_month_name(text, &out->month);
    case 'H': out->has_time = true; return take_number(text, 1, 2, &out->hour);
    case 'I': out->has_time = true; return take_number(text, 1, 2, &state->hour12);
    case 'p': return take_am_pm(text, &state->is_pm);
    case 'M': return take_number(text, 1, 2, &out->minute);
    case 'S': return take_number(text, 1, 2, &out->second);
    case 'f': return take_fraction(text, &out->microsecond);
    case 'z': return take_offset(text, &out->offset_seconds);
    case 'F': return take_by_format(text, SLICE_LITERAL("%Y-%m-%d"), state);
    case 'D': return take_by_format(text, SLICE_LITERAL("%m/%d/%y"), state);
    case 'T': return take_by_format(text, SLICE_LITERAL("%H:%M:%S"), state);
    case '%': return take_char(text, '%');
    default: return false;
    }
}

static bool take_by_format(struct slice *text, struct slice format, struct format_state *state)
{
    for (size_t i = 0; i < format.length; i++) {
        char c = format.data[i];
        if (c == '%' && i + 1 < format.length) {
            if (!take_conversion(text, format.data[++i], state)) {
                return false;
            }
        } else if (c == ' ') {
            while (text->length > 0 && (text->data[0] == ' ' || text->data[0] == '\t')) {
                text->data++;
                text->length--;
            }
        } else if (!take_char(text, c)) {
            return false;
        }
    }
    return true;
}

bool datetime_format_valid(struct slice format)
{
    bool any = false;
    for (size_t i = 0; i < format.length; i++) {
        if (format.data[i] == '%') {
            if (++i == format.length || format.data[i] == '\0' ||
                strchr("YymdejbBHIpMSfzFDTs%", format.data[i]) == NULL) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

static bool settle(struct format_state *state)
{
    struct datetime *out = state->out;
    if (state->hour12 >= 0) {
        if (state->hour12 < 1 || state->hour12 > 12) {
            return false;
        }
        out->hour = state->hour12 % 12;
    }
    if (state->is_pm == 1 && out->hour < 12) {
        out->hour += 12;
    }
    if (state->day_of_year > 0) {
        int left = state->day_of_year;
        if (out->year < 1 || left > (is_leap(out->year) ? 366 : 365)) {
            return false;
        }
        for (out->month = 1; left > days_in_month(out->year, out->month); out->month++) {
            left -= days_in_month(out->year, out->month);
        }
        out->day = left;
    }
    return is_valid(out);
}

static void from_seconds(uint64_t seconds, struct datetime *out)
{
    int64_t days = (int64_t)seconds / seconds_per_day;
    int rest = (int)((int64_t)seconds % seconds_per_day);
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(year_of_era + era * 400) + (out->month <= 2);
    out->hour = rest / 3600;
    out->minute = rest / 60 % 60;
    out->second = rest % 60;
    out->has_time = true;
}

bool datetime_parse_format(struct slice text, struct slice format, struct datetime *out)
{
    *out = (struct datetime){.month = 1, .day = 1};
    text = readable(text);
    if (slice_equal_cstr(format, "%s")) { /* seconds since 1970, alone */
        uint64_t seconds;
        if (!slice_to_u64(text, &seconds) || seconds > (uint64_t)(latest_us / us_per_second)) {
            return false;
        }
        from_seconds(seconds, out);
        return true;
    }
    struct format_state state = {out, -1, -1, 0};
    return take_by_format(&text, format, &state) && text.length == 0 && settle(&state);
}

/* ---- timestamps ------------------------------------------------------------------------------ */

bool timestamp_of_integer(int64_t number, int64_t *us)
{
    if (number < 0) {
        return false;
    }
    if (number < INT64_C(100000000000)) {
        *us = number * us_per_second;
    } else if (number < INT64_C(100000000000000)) {
        *us = number * 1000;
    } else {
        *us = number;
    }
    return *us <= latest_us;
}

bool timestamp_of_number(double number, int64_t *us)
{
    if (!(number >= 0) || number > 1e17) {
        return false;
    }
    double scale = number < 1e11 ? 1e6 : number < 1e14 ? 1e3 : 1;
    double scaled = number * scale + 0.5;
    if (scaled > 2.5e17) {
        return false;
    }
    *us = (int64_t)scaled;
    return *us <= latest_us;
}

bool timestamp_parse(struct slice text, int64_t *us)
{
    text = readable(text);
    uint64_t number;
    if (text.length >= 9 && text.length <= 17 && text.length != 14 && slice_to_u64(text, &number)) {
        return timestamp_of_integer((int64_t)number, us);
    }
    if (text.length == 14 && slice_to_u64(text, &number)) { /* 20240501123000 */
        struct datetime packed;
        return datetime_parse_format(text, SLICE_LITERAL("%Y%m%d%H%M%S"), &packed) &&
               datetime_to_us(&packed, us);
    }
    struct datetime when;
    return datetime_parse(text, &when) && datetime_to_us(&when, us);
}
