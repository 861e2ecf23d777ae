#include "typing.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

char *type_text(char *to, const char *text)
{
    size_t length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

char *type_number(char *to, uint64_t value, int digits_min)
{
    char digits[20];
    int at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || (int)sizeof digits - at < digits_min);
    size_t length = sizeof digits - (size_t)at;
    memcpy(to, digits + at, length);
    return to + length;
}

/* ---- interests ------------------------------------------------------------------------------- */

/* The keys beside each letter, QWERTY. */
static const char *const neighbours[26] = {"qsz", "vn", "xv", "sf", "wr", "dg", "fh", "gj", "uo",
                                           "hk",  "jl", "k",  "n",  "bm", "ip", "o",  "wa", "et",
                                           "ad",  "ry", "yi", "cb", "qe", "zc", "tu", "x"};

/* `length` bytes of which at least one is a letter with another letter behind it, not at the
 * front. */
static size_t slip(struct prng *prng, char *text, size_t length)
{
    size_t at = 1 + below(prng, (uint32_t)length - 2);
    if (!is_letter(text[at]) || !is_letter(text[at + 1])) {
        return length;
    }
    switch (below(prng, 4)) {
    case 0: /* drop */ memmove(text + at, text + at + 1, length - at - 1); return length - 1;
    case 1: /* double */ memmove(text + at + 1, text + at, length - at); return length + 1;
    case 2: { /* swap */
        char c = text[at];
        text[at] = text[at + 1];
        text[at + 1] = c;
        return length;
    }
    default: {
        const char *beside = neighbours[lower(text[at]) - 'a'];
        text[at] = beside[below(prng, (uint32_t)strlen(beside))];
        return length;
    }
    }
}

char *type_interest(struct prng *prng, char *to, const char *phrase)
{
    size_t length = strlen(phrase);
    memcpy(to, phrase, length);
    if (length >= 6 && chance(prng, 60)) {
        length = slip(prng, to, length);
    }
    uint32_t manner = below(prng, 100);
    if (manner < 40) {
        for (size_t i = 0; i < length; i++) {
            to[i] = lower(to[i]);
        }
    } else if (manner < 44) {
        for (size_t i = 0; i < length; i++) {
            to[i] = upper(to[i]);
        }
    } else if (manner == 44) { /* a hashtag */
        size_t kept = 1;
        memmove(to + 1, to, length);
        for (size_t i = 1; i <= length; i++) {
            if (to[i] != ' ') {
                to[kept++] = to[i];
            }
        }
        to[0] = '#';
        length = kept;
    } else if (manner == 45) {
        to[length++] = ' ';
    }
    return to + length;
}

/* ---- e-mail ---------------------------------------------------------------------------------- */

/* The letters of a name without accents, lower case. Two-byte UTF-8 covers all names of the
 * tables. */
static size_t plain_letters(const char *name, char *to)
{
    /* U+00C0 to U+00FF */
    static const char latin[] = "aaaaaaaceeeeiiiidnooooo-ouuuuypsaaaaaaaceeeeiiiidnooooo-ouuuuypy";
    size_t length = 0;
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
        if (is_letter((char)*c)) {
            to[length++] = lower((char)*c);
        } else if (*c == 0xC3) {
            to[length++] = latin[*++c & 0x3F];
        } else if (*c == 0xC4 || *c == 0xC5) {
            /* Polish: ą ć ę ł ń ś ź ż */
            unsigned code = (unsigned)(*c & 0x1F) << 6 | (c[1] & 0x3Fu);
            to[length++] = code <= 0x105   ? 'a'
                           : code <= 0x10D ? 'c'
                           : code <= 0x11B ? 'e'
                           : code <= 0x142 ? 'l'
                           : code <= 0x148 ? 'n'
                           : code <= 0x161 ? 's'
                                           : 'z';
            c++;
        }
    }
    return length;
}

void type_email_address(struct prng *prng, const char *first_name, const char *last_name,
                        uint64_t unique, char to[EMAIL_MAX])
{
    static const char *const domains[] = {
        "example.com", "example.com",      "example.com",      "example.org",
        "example.net", "mail.example.com", "post.example.net", "inbox.example.org"};
    char first[32];
    char last[32];
    size_t first_length = plain_letters(first_name, first);
    size_t last_length = plain_letters(last_name, last);
    CHECK(first_length < sizeof first && last_length < sizeof last);
    char *at = to;
    uint32_t style = below(prng, 10);
    if (style == 6) { /* jsmith */
        first_length = 1;
    }
    if (style == 7) { /* smith.john */
        memcpy(at, last, last_length);
        at += last_length;
        *at++ = '.';
        memcpy(at, first, first_length);
        at += first_length;
    } else {
        memcpy(at, first, first_length);
        at += first_length;
        if (style < 4) {
            *at++ = '.';
        } else if (style == 5) {
            *at++ = '_';
        }
        if (style != 8 && style != 9) { /* just "emma" */
            memcpy(at, last, last_length);
            at += last_length;
        }
    }
    if (chance(prng, 60)) { /* a domain of their own, under a name that never exists */
        *at++ = '@';
        memcpy(at, last, last_length);
        at = type_number(at + last_length, unique, 1);
        at = type_text(at, ".example");
    } else {
        at = type_number(at, unique, 1);
        *at++ = '@';
        at = type_text(at, domains[below(prng, ARRAY_COUNT(domains))]);
    }
    *at = '\0';
    CHECK(at < to + EMAIL_MAX);
}

char *type_email(struct prng *prng, char *to, const char *email)
{
    uint32_t manner = below(prng, 100);
    char *from = to;
    if (manner == 0) {
        *to++ = ' ';
    }
    to = type_text(to, email);
    if (manner >= 1 && manner <= 6) { /* John.Smith42@example.com */
        for (char *c = from; *c != '@'; c++) {
            if (c == from || c[-1] == '.' || c[-1] == '_') {
                *c = upper(*c);
            }
        }
    } else if (manner == 7) {
        for (char *c = from; c < to; c++) {
            *c = upper(*c);
        }
    } else if (manner == 8) {
        *to++ = ' ';
    }
    return to;
}

/* ---- telephone ------------------------------------------------------------------------------- */

/* The digits in groups: 555-0123, 7946 0123, 555 012. */
static char *type_groups(char *to, uint32_t number, int digits, char between)
{
    char text[20];
    type_number(text, number, digits);
    int first = digits == 7 || digits == 6 ? 3 : digits == 9 ? 5 : digits / 2;
    memcpy(to, text, (size_t)first);
    to += first;
    if (between != '\0') {
        *to++ = between;
    }
    memcpy(to, text + first, (size_t)(digits - first));
    return to + (digits - first);
}

static char *type_phone_american(struct prng *prng, char *to, const struct demo_city *city,
                                 uint32_t number)
{
    static const struct {
        const char *before;
        const char *behind;
        char between;
    } manners[] = {{"(", ") ", '-'}, {"(", ") ", '-'}, {"", "-", '-'},    {"", "-", '-'},
                   {"", ".", '.'},   {"", "", '\0'},   {"", " ", ' '},    {"1-", "-", '-'},
                   {"+1", "", '\0'}, {"+1", "", '\0'}, {"+1 ", " ", ' '}, {"+1 (", ") ", '-'},
                   {"1 ", " ", ' '}};
    size_t manner = below(prng, ARRAY_COUNT(manners));
    to = type_text(to, manners[manner].before);
    to = type_text(to, city->area);
    to = type_text(to, manners[manner].behind);
    return type_groups(to, number, city->digits, manners[manner].between);
}

char *type_phone(struct prng *prng, char *to, struct phone phone)
{
    const struct demo_city *city = &demo_cities[phone.city];
    const struct demo_country *country = &demo_countries[city->country];
    if (country->calling_code[0] == '1') {
        return type_phone_american(prng, to, city, phone.number);
    }
    uint32_t manner = below(prng, 100);
    char space = manner < 60 ? ' ' : '\0';
    if (manner % 10 == 9) { /* as one dials it at home */
        to = type_text(to, country->trunk);
    } else {
        to = type_text(to, manner % 10 == 8 ? "00" : "+");
        to = type_text(to, country->calling_code);
        if (space != '\0') {
            *to++ = space;
        }
        if (manner % 10 == 7 && country->trunk[0] == '0' && city->area[0] != '0') {
            to = type_text(to, "(0)");
        }
    }
    to = type_text(to, city->area);
    if (space != '\0') {
        *to++ = space;
    }
    return type_groups(to, phone.number, city->digits, space);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static char *type_letter(struct prng *prng, char *to)
{
    static const char letters[] = "ABCEGHJKLMNPRSTVWXYZ";
    *to = letters[below(prng, sizeof letters - 1)];
    return to + 1;
}

static char *type_digits(struct prng *prng, char *to, int count)
{
    for (int i = 0; i < count; i++) {
        *to++ = (char)('0' + below(prng, 10));
    }
    return to;
}

void type_postal_code(struct prng *prng, int style, const char *begins, char to[12])
{
    char *at = type_text(to, begins);
    switch (style) {
    case POSTAL_CANADA: /* begins "M5" */
        at = type_letter(prng, at);
        *at++ = ' ';
        at = type_digits(prng, at, 1);
        at = type_letter(prng, at);
        at = type_digits(prng, at, 1);
        break;
    case POSTAL_BRITAIN: /* begins "SW1" */
        *at++ = ' ';
        at = type_digits(prng, at, 1);
        at = type_letter(prng, at);
        at = type_letter(prng, at);
        break;
    case POSTAL_IRELAND: /* begins "D0" */
        at = type_digits(prng, at, 1);
        *at++ = ' ';
        at = type_letter(prng, at);
        at = type_digits(prng, at, 3);
        break;
    case POSTAL_NETHERLANDS: /* begins "10" */
        at = type_digits(prng, at, 2);
        *at++ = ' ';
        at = type_letter(prng, at);
        at = type_letter(prng, at);
        break;
    case POSTAL_BRAZIL: /* begins "01" */
        at = type_digits(prng, at, 3);
        *at++ = '-';
        at = type_digits(prng, at, 3);
        break;
    case POSTAL_JAPAN: /* begins "100" */
        *at++ = '-';
        at = type_digits(prng, at, 4);
        break;
    case POSTAL_POLAND: /* begins "00" */
        *at++ = '-';
        at = type_digits(prng, at, 3);
        break;
    default: {
        int length = style == POSTAL_FOUR ? 4 : style == POSTAL_FIVE ? 5 : 6;
        at = type_digits(prng, at, length - (int)strlen(begins));
        break;
    }
    }
    *at = '\0';
}

/* Days to year, month, day: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
char *type_timestamp(char *to, int64_t at_us)
{
    int64_t ms = at_us / 1000;
    int64_t days = ms / 86400000;
    uint32_t in_day = (uint32_t)(ms % 86400000);
    CHECK(at_us >= 0);
    uint64_t shifted = (uint64_t)days + 719468;
    uint64_t era = shifted / 146097;
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted_month = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    uint64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    uint64_t year = year_of_era + era * 400 + (month <= 2);
    to = type_number(to, year, 4);
    *to++ = '-';
    to = type_number(to, month, 2);
    *to++ = '-';
    to = type_number(to, day, 2);
    *to++ = 'T';
    to = type_number(to, in_day / 3600000, 2);
    *to++ = ':';
    to = type_number(to, in_day / 60000 % 60, 2);
    *to++ = ':';
    to = type_number(to, in_day / 1000 % 60, 2);
    if (in_day % 1000 != 0) {
        *to++ = '.';
        to = type_number(to, in_day % 1000, 3);
    }
    *to++ = 'Z';
    return to;
}
