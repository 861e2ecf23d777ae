#include "places.h"

#include "base/bytes.h"
#include "base/check.h"
#include "tables/country_table.h"
#include "text.h"

enum { FOLDED_MAX = 64 };

/* Lower-case ASCII letters and digits and the bytes of other characters; blanks and punctuation go.
 * generate_country_table.py folds in the same way. */
static size_t fold_place(struct slice typed, char out[FOLDED_MAX])
{
    size_t length = 0;
    for (size_t i = 0; i < typed.length; i++) {
        char c = typed.data[i];
        if (ascii_is_letter(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80) {
            if (length == FOLDED_MAX) {
                return 0;
            }
            out[length++] = ascii_to_lower(c);
        }
    }
    return length;
}

/* Order of bytes, like slice_compare. */
static int compare_key(const char *key, struct slice folded)
{
    for (size_t i = 0; i < folded.length; i++) {
        int order = (unsigned char)key[i] - (unsigned char)folded.data[i];
        if (order != 0) {
            return order; /* also when the key ends here: `folded` has no NUL */
        }
    }
    return (unsigned char)key[folded.length];
}

static const struct country *find_folded(struct slice folded)
{
    char four[4] = {0};
    memcpy(four, folded.data, folded.length < sizeof four ? folded.length : sizeof four);
    uint32_t first = (uint32_t)(unsigned char)four[0] << 24 |
                     (uint32_t)(unsigned char)four[1] << 16 |
                     (uint32_t)(unsigned char)four[2] << 8 | (unsigned char)four[3];
    size_t low = 0;
    size_t high = country_key_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct country_key *key = &country_keys[middle];
        int order =
            key->first != first ? (key->first < first ? -1 : 1) : compare_key(key->folded, folded);
        if (order == 0) {
            return &countries[country_keys[middle].country];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct country *country_find(struct slice typed)
{
    if (slice_equal_cstr(typed, "USA")) { /* by far the commonest: spare it the search */
        typed = SLICE_LITERAL("US");
    }
    char folded[FOLDED_MAX];
    struct slice key = slice_of(folded, fold_place(typed, folded));
    const struct country *found = key.length == 0 ? NULL : find_folded(key);
    if (found == NULL && key.length > 3 && slice_starts_with(key, SLICE_LITERAL("the"))) {
        found = find_folded(slice_of(key.data + 3, key.length - 3));
    }
    return found;
}

struct slice country_name(const struct country *country)
{
    return slice_from_cstr(country->name);
}

const char *country_alpha2(const struct country *country)
{
    return country->alpha2;
}

/* ---- states ---------------------------------------------------------------------------------- */

struct state {
    char code[4];
    const char *name;
};

static const struct state states_us[] = {
    {"AL", "Alabama"},
    {"AK", "Alaska"},
    {"AZ", "Arizona"},
    {"AR", "Arkansas"},
    {"CA", "California"},
    {"CO", "Colorado"},
    {"CT", "Connecticut"},
    {"DE", "Delaware"},
    {"DC", "District of Columbia"},
    {"FL", "Florida"},
    {"GA", "Georgia"},
    {"HI", "Hawaii"},
    {"ID", "Idaho"},
    {"IL", "Illinois"},
    {"IN", "Indiana"},
    {"IA", "Iowa"},
    {"KS", "Kansas"},
    {"KY", "Kentucky"},
    {"LA", "Louisiana"},
    {"ME", "Maine"},
    {"MD", "Maryland"},
    {"MA", "Massachusetts"},
    {"MI", "Michigan"},
    {"MN", "Minnesota"},
    {"MS", "Mississippi"},
    {"MO", "Missouri"},
    {"MT", "Montana"},
    {"NE", "Nebraska"},
    {"NV", "Nevada"},
    {"NH", "New Hampshire"},
    {"NJ", "New Jersey"},
    {"NM", "New Mexico"},
    {"NY", "New York"},
    {"NC", "North Carolina"},
    {"ND", "North Dakota"},
    {"OH", "Ohio"},
    {"OK", "Oklahoma"},
    {"OR", "Oregon"},
    {"PA", "Pennsylvania"},
    {"RI", "Rhode Island"},
    {"SC", "South Carolina"},
    {"SD", "South Dakota"},
    {"TN", "Tennessee"},
    {"TX", "Texas"},
    {"UT", "Utah"},
    {"VT", "Vermont"},
    {"VA", "Virginia"},
    {"WA", "Washington"},
    {"WV", "West Virginia"},
    {"WI", "Wisconsin"},
    {"WY", "Wyoming"},
    {"AS", "American Samoa"},
    {"GU", "Guam"},
    {"MP", "Northern Mariana Islands"},
    {"PR", "Puerto Rico"},
    {"VI", "US Virgin Islands"},
    {"AA", "Armed Forces Americas"},
    {"AE", "Armed Forces Europe"},
    {"AP", "Armed Forces Pacific"},
};

static const struct state states_ca[] = {
    {"AB", "Alberta"},
    {"BC", "British Columbia"},
    {"MB", "Manitoba"},
    {"NB", "New Brunswick"},
    {"NL", "Newfoundland and Labrador"},
    {"NF", "Newfoundland and Labrador"},
    {"NS", "Nova Scotia"},
    {"NT", "Northwest Territories"},
    {"NU", "Nunavut"},
    {"ON", "Ontario"},
    {"PE", "Prince Edward Island"},
    {"QC", "Quebec"},
    {"PQ", "Quebec"},
    {"SK", "Saskatchewan"},
    {"YT", "Yukon"},
};

static const struct state states_au[] = {
    {"ACT", "Australian Capital Territory"},
    {"NSW", "New South Wales"},
    {"NT", "Northern Territory"},
    {"QLD", "Queensland"},
    {"SA", "South Australia"},
    {"TAS", "Tasmania"},
    {"VIC", "Victoria"},
    {"WA", "Western Australia"},
};

static struct slice find_state(const struct state *states, size_t count, struct slice folded)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_ignoring_case(slice_from_cstr(states[i].code), folded)) {
            return slice_from_cstr(states[i].name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        char name[FOLDED_MAX];
        struct slice full = slice_from_cstr(states[i].name);
        if (slice_equal(slice_of(name, fold_place(full, name)), folded)) {
            return full;
        }
    }
    return SLICE_NONE;
}

/* Already one of our spellings, as most clients send it: no folding of sixty names. */
static struct slice find_exact(const struct state *states, size_t count, struct slice typed)
{
    uint16_t first_two = load_u16(typed.data);
    for (size_t i = 0; i < count; i++) {
        const char *name = states[i].name;
        if (load_u16(name) == first_two && slice_equal_cstr(typed, name)) {
            return slice_of(name, typed.length);
        }
    }
    return SLICE_NONE;
}

struct slice state_find(struct slice typed, const char *alpha2)
{
    const struct state *states = NULL;
    size_t count = 0;
    if (alpha2[0] == '\0' || strcmp(alpha2, "US") == 0) {
        states = states_us;
        count = ARRAY_COUNT(states_us);
    } else if (strcmp(alpha2, "CA") == 0) {
        states = states_ca;
        count = ARRAY_COUNT(states_ca);
    } else if (strcmp(alpha2, "AU") == 0) {
        states = states_au;
        count = ARRAY_COUNT(states_au);
    }
    char folded[FOLDED_MAX];
    if (count == 0 || typed.length < 2) {
        return SLICE_NONE;
    }
    struct slice exact = find_exact(states, count, typed);
    size_t length = exact.data != NULL ? 0 : fold_place(typed, folded);
    return length == 0 ? exact : find_state(states, count, slice_of(folded, length));
}
