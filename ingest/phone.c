#include "phone.h"

#include <utf8proc.h>

#include "phone_pattern.h"
#include "tables/phone_table.h"
#include "text.h"

enum {
    DIGITS_TYPED_MAX = 24,
    DIGITS_E164_MAX = 15,
    NATIONAL_DIGITS_MIN = 2,
    EXTENSION_DIGITS_MAX = 9
};

struct digits {
    char at[DIGITS_TYPED_MAX];
    size_t count;
    bool plus;
};

/* ---- reading what was typed ------------------------------------------------------------------ */

static int digit_of(utf8proc_int32_t c)
{
    /* Arabic, Persian, Devanagari, wide */
    static const utf8proc_int32_t zeros[] = {0x660, 0x6F0, 0x966, 0xFF10};
    if (c < 0x80) {
        return c >= '0' && c <= '9' ? (int)(c - '0') : -1;
    }
    for (size_t i = 0; i < ARRAY_COUNT(zeros); i++) {
        if (c >= zeros[i] && c <= zeros[i] + 9) {
            return (int)(c - zeros[i]);
        }
    }
    return -1;
}

static bool is_separator(utf8proc_int32_t c)
{
    switch (c) {
    case ' ':
    case '-':
    case '.':
    case '/':
    case '(':
    case ')':
    case '[':
    case ']':
    case '~':
    case '\t':
    case 0xA0:
    case 0xAD:
    case 0x200B:
    case 0x2060:
    case 0x3000:
    case 0x2212:
    case 0x30FC:
    case 0xFF0D:
    case 0xFF0E:
    case 0xFF0F:
    case 0xFF08:
    case 0xFF09: return true;
    default:
        return (c >= 0x2010 && c <= 0x2015) || (c >= 0x2000 && c <= 0x200A) || c == 0x202A ||
               c == 0x202C;
    }
}

/* What stands behind the number: nothing, or an extension of 1 to 9 digits. */
static bool is_extension(struct slice rest)
{
    static const char *const words[] = {";ext=", "extension", "extn", "ext", "x", "#", ","};
    rest = slice_trim(rest);
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        size_t length = strlen(words[i]);
        if (rest.length <= length ||
            !slice_equal_ignoring_case(slice_of(rest.data, length), slice_from_cstr(words[i]))) {
            continue;
        }
        struct slice number = slice_of(rest.data + length, rest.length - length);
        while (number.length > 0 &&
               (number.data[0] == '.' || number.data[0] == ':' || number.data[0] == ' ')) {
            number.data++;
            number.length--;
        }
        uint64_t ignored;
        return number.length <= EXTENSION_DIGITS_MAX && slice_to_u64(number, &ignored);
    }
    return false;
}

static struct slice without_prefix(struct slice text, const char *prefix)
{
    size_t length = strlen(prefix);
    if (text.length > length &&
        slice_equal_ignoring_case(slice_of(text.data, length), slice_from_cstr(prefix))) {
        return slice_of(text.data + length, text.length - length);
    }
    return text;
}

/* Nothing but digits with or without a plus, as machines write numbers: what read_digits_typed
 * would find in them. */
static bool read_digits_alone(struct slice typed, struct digits *out)
{
    out->plus = typed.length > 0 && typed.data[0] == '+';
    size_t count = typed.length - out->plus;
    if (count == 0 || count > DIGITS_TYPED_MAX) {
        return false;
    }
    out->count = count;
    const char *from = typed.data + out->plus;
    for (size_t i = 0; i < count; i++) {
        if (!ascii_is_digit(from[i])) {
            return false;
        }
        out->at[i] = from[i];
    }
    return true;
}

static bool read_digits_typed(struct slice typed, struct digits *out)
{
    *out = (struct digits){0};
    typed = without_prefix(slice_trim(typed), "tel:");
    for (size_t at = 0; at < typed.length;) {
        utf8proc_int32_t c = (unsigned char)typed.data[at];
        utf8proc_ssize_t used = 1;
        if (c >= 0x80) {
            used = utf8proc_iterate((const utf8proc_uint8_t *)typed.data + at,
                                    (utf8proc_ssize_t)(typed.length - at), &c);
            if (used <= 0) {
                return false;
            }
        }
        int digit = digit_of(c);
        if (digit >= 0) {
            if (out->count == DIGITS_TYPED_MAX) {
                return false;
            }
            out->at[out->count++] = (char)('0' + digit);
        } else if ((c == '+' || c == 0xFF0B) && out->count == 0 && !out->plus) {
            out->plus = true;
        } else if (!is_separator(c)) {
            return out->count > 0 && is_extension(slice_of(typed.data + at, typed.length - at));
        }
        at += (size_t)used;
    }
    return true;
}

/* ---- plans ----------------------------------------------------------------------------------- */

static const struct phone_plan *plan_of_country(const char *country)
{
    for (size_t i = 0; country[0] != '\0' && i < phone_plan_count; i++) {
        if (phone_plans[i].country[0] == country[0] && phone_plans[i].country[1] == country[1]) {
            return &phone_plans[i];
        }
    }
    return NULL;
}

bool phone_country_known(const char *country)
{
    return plan_of_country(country) != NULL;
}

/* The first (main) plan of a calling code. The table is ordered by the code. */
static const struct phone_plan *plan_of_code(unsigned code)
{
    size_t low = 0;
    size_t high = phone_plan_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (phone_plans[middle].calling_code < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < phone_plan_count && phone_plans[low].calling_code == code ? &phone_plans[low]
                                                                           : NULL;
}

static bool matches_plan(const struct phone_plan *plan, struct slice number)
{
    struct phone_match match;
    return number.length < 32 && (plan->lengths >> number.length & 1u) != 0 &&
           phone_pattern_match(plan->national_number, number, true, &match);
}

/* By any of the countries that share the calling code; `plan` is the first of them. */
static bool is_valid(const struct phone_plan *plan, struct slice number)
{
    for (unsigned code = plan->calling_code;
         plan < phone_plans + phone_plan_count && plan->calling_code == code; plan++) {
        if (matches_plan(plan, number)) {
            return true;
        }
    }
    return false;
}

/* Strips (or rewrites) the national prefix into `to`. A number that is valid with its first digits
 * and would not be without them keeps them: "8" is a prefix in Russia and the start of numbers
 * too. */
static struct slice strip_national_prefix(const struct phone_plan *plan, struct slice number,
                                          char to[DIGITS_TYPED_MAX * 2])
{
    struct phone_match match;
    if (plan->prefix_parsing == NULL ||
        !phone_pattern_match(plan->prefix_parsing, number, false, &match) || match.length == 0) {
        return number;
    }
    size_t length = 0;
    const char *transform = plan->prefix_transform;
    if (transform != NULL && match.groups[1].length > 0) {
        for (; *transform != '\0'; transform++) {
            if (*transform != '$') {
                to[length++] = *transform;
                continue;
            }
            struct slice group = match.groups[*++transform - '0'];
            if (group.length > 0) {
                memcpy(to + length, group.data, group.length);
                length += group.length;
            }
        }
    }
    memcpy(to + length, number.data + match.length, number.length - match.length);
    struct slice stripped = slice_of(to, length + number.length - match.length);
    return matches_plan(plan, number) && !matches_plan(plan, stripped) ? number : stripped;
}

/* `number` is valid under `code`. */
static size_t write_e164(unsigned code, struct slice number, char out[PHONE_TEXT_MAX])
{
    char digits[4];
    size_t code_length = 0;
    for (unsigned rest = code; rest > 0; rest /= 10) {
        digits[code_length++] = (char)('0' + rest % 10);
    }
    if (number.length < NATIONAL_DIGITS_MIN || code_length + number.length > DIGITS_E164_MAX) {
        return 0;
    }
    size_t length = 0;
    out[length++] = '+';
    while (code_length > 0) {
        out[length++] = digits[--code_length];
    }
    memcpy(out + length, number.data, number.length);
    length += number.length;
    out[length] = '\0';
    return length;
}

static size_t finish(const struct phone_plan *plan, struct slice number, char out[PHONE_TEXT_MAX])
{
    char rewritten[DIGITS_TYPED_MAX * 2];
    struct slice stripped = strip_national_prefix(plan, number, rewritten);
    return is_valid(plan_of_code(plan->calling_code), stripped)
               ? write_e164(plan->calling_code, stripped, out)
               : 0;
}

/* Digits that begin with a calling code. No code is the start of another. `home` is the caller's
 * country. */
static size_t normalise_international(struct slice digits, const char *home,
                                      char out[PHONE_TEXT_MAX])
{
    unsigned code = 0;
    for (size_t i = 0; i < 3 && i < digits.length; i++) {
        code = code * 10 + (unsigned)(digits.data[i] - '0');
        const struct phone_plan *plan = code == 0 ? NULL : plan_of_code(code);
        if (plan != NULL) {
            /* "+44 (0)20 …" has a prefix too many. What is valid as it stands is left so: then
             * E.164 stays E.164. */
            struct slice number = slice_of(digits.data + i + 1, digits.length - i - 1);
            if (is_valid(plan, number)) {
                return write_e164(code, number, out);
            }
            const struct phone_plan *own = plan_of_country(home);
            return finish(own != NULL && own->calling_code == code ? own : plan, number, out);
        }
        if (code == 0) {
            break; /* no calling code begins with 0 */
        }
    }
    return 0;
}

static bool starts_with_code(struct slice digits, unsigned code, struct slice *rest)
{
    char text[4];
    size_t length = 0;
    unsigned divisor = code >= 100 ? 100 : code >= 10 ? 10 : 1;
    for (; divisor > 0; divisor /= 10) {
        text[length++] = (char)('0' + code / divisor % 10);
    }
    *rest = SLICE_NONE;
    if (!slice_starts_with(digits, slice_of(text, length))) {
        return false;
    }
    *rest = slice_of(digits.data + length, digits.length - length);
    return true;
}

static size_t normalise_national(struct slice digits, const struct phone_plan *home,
                                 char out[PHONE_TEXT_MAX])
{
    struct phone_match match;
    if (home->international != NULL &&
        phone_pattern_match(home->international, digits, false, &match) && match.length > 0 &&
        match.length < digits.length && digits.data[match.length] != '0') {
        struct slice rest = slice_of(digits.data + match.length, digits.length - match.length);
        size_t length = normalise_international(rest, home->country, out);
        if (length > 0) {
            return length;
        }
    }
    /* "44 20 7031 3000" typed in Britain: the calling code without its plus. */
    struct slice rest;
    if (!matches_plan(home, digits) && starts_with_code(digits, home->calling_code, &rest)) {
        size_t length = finish(home, rest, out);
        if (length > 0) {
            return length;
        }
    }
    return finish(home, digits, out);
}

size_t phone_normalise(struct slice typed, const char *country, char out[PHONE_TEXT_MAX])
{
    struct digits digits;
    if (!read_digits_alone(typed, &digits) &&
        (!read_digits_typed(typed, &digits) || digits.count == 0)) {
        return 0;
    }
    struct slice number = slice_of(digits.at, digits.count);
    if (digits.plus) {
        return normalise_international(number, country, out);
    }
    const struct phone_plan *home = plan_of_country(country);
    return home == NULL ? 0 : normalise_national(number, home, out);
}
