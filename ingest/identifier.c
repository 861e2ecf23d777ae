#include "identifier.h"

#include "ingest/limits.h"
#include "phone.h"
#include "text.h"

/* ---- e-mail ---------------------------------------------------------------------------------- */

enum { EMAIL_LOCAL_MAX = 64, DOMAIN_LABEL_MAX = 63 }; /* RFC 5321, 4.5.3.1 */

/* Sets of bytes: a bit each. Every byte of a non-ASCII character (RFC 6531) is in both. */
struct byte_set {
    uint64_t bits[4];
};

#define BYTE(c) (UINT64_C(1) << ((c)&63))
#define DIGITS  (UINT64_C(0x3FF) << '0')
#define LETTERS (UINT64_C(0x3FFFFFF) << ('A' & 63) | UINT64_C(0x3FFFFFF) << ('a' & 63))

/* atext of RFC 5322: letters, digits and !#$%&'*+-/=?^_`{|}~ */
static const struct byte_set atext = {
    {DIGITS | BYTE('!') | BYTE('#') | BYTE('$') | BYTE('%') | BYTE('&') | BYTE('\'') | BYTE('*') |
         BYTE('+') | BYTE('-') | BYTE('/') | BYTE('=') | BYTE('?'),
     LETTERS | BYTE('^') | BYTE('_') | BYTE('`') | BYTE('{') | BYTE('|') | BYTE('}') | BYTE('~'),
     UINT64_MAX, UINT64_MAX}};
static const struct byte_set label_text = {{DIGITS | BYTE('-'), LETTERS, UINT64_MAX, UINT64_MAX}};

static inline bool has_byte(const struct byte_set *set, unsigned char c)
{
    return (set->bits[c >> 6] >> (c & 63) & 1) != 0;
}

/* Dots only between other characters. */
static bool local_valid(struct slice local)
{
    if (local.length == 0 || local.length > EMAIL_LOCAL_MAX) {
        return false;
    }
    unsigned char before = '.';
    for (size_t i = 0; i < local.length; i++) {
        unsigned char c = (unsigned char)local.data[i];
        if (!has_byte(&atext, c) && (c != '.' || before == '.')) {
            return false;
        }
        before = c;
    }
    return before != '.';
}

/* Of a label whose characters are valid. */
static bool label_valid(struct slice label)
{
    return label.length > 0 && label.length <= DOMAIN_LABEL_MAX && label.data[0] != '-' &&
           label.data[label.length - 1] != '-';
}

/* At least two labels; the last is not a number (that would be an address, not a name). */
static bool domain_valid(struct slice domain)
{
    size_t labels = 0;
    struct slice label = slice_of(domain.data, 0);
    for (size_t i = 0; i <= domain.length; i++) {
        if (i < domain.length && has_byte(&label_text, (unsigned char)domain.data[i])) {
            label.length++;
            continue;
        }
        if ((i < domain.length && domain.data[i] != '.') || !label_valid(label)) {
            return false;
        }
        labels++;
        if (i < domain.length) {
            label = slice_of(domain.data + i + 1, 0);
        }
    }
    uint64_t number;
    return labels >= 2 && label.length >= 2 && !slice_to_u64(label, &number);
}

static bool email_valid(struct slice email)
{
    const char *at = email.length == 0 ? NULL : memchr(email.data, '@', email.length);
    if (at == NULL || email.length > EMAIL_BYTES_MAX) {
        return false;
    }
    size_t local = (size_t)(at - email.data);
    return local_valid(slice_of(email.data, local)) &&
           domain_valid(slice_of(at + 1, email.length - local - 1));
}

static err canonical_email(struct arena *arena, struct slice typed, struct slice *out,
                           struct identifier_problem *problem)
{
    struct slice prefix = SLICE_LITERAL("mailto:");
    if (typed.length > prefix.length &&
        slice_equal_ignoring_case(slice_of(typed.data, prefix.length), prefix)) {
        typed = slice_trim(slice_of(typed.data + prefix.length, typed.length - prefix.length));
    }
    err e = text_lower(arena, typed, out);
    if (e == ERR_OK && !email_valid(*out)) {
        *problem = (struct identifier_problem){
            "email_invalid",
            "This is not an e-mail address; write it as local@domain.tld, at most 254 bytes."};
        return ERR_INVALID;
    }
    return e;
}

/* ---- the others ------------------------------------------------------------------------------ */

static err canonical_phone(struct arena *arena, struct slice typed, const char *country,
                           const struct settings *settings, struct slice *out,
                           struct identifier_problem *problem)
{
    char text[PHONE_TEXT_MAX];
    size_t length =
        phone_normalise(typed, country[0] != '\0' ? country : settings->default_country, text);
    if (length == 0) {
        *problem = (struct identifier_problem){
            "phone_invalid",
            "This is not a number of any known numbering plan; write it with + and its calling code."};
        return ERR_INVALID;
    }
    *out = arena_copy(arena, slice_of(text, length));
    return out->data == NULL ? ERR_MEMORY : ERR_OK;
}

static err clean_unplain(struct arena *arena, struct slice typed, struct slice *clean,
                         struct identifier_problem *problem)
{
    if (memchr(typed.data, '\0', typed.length) != NULL) {
        *problem = (struct identifier_problem){"nul_character",
                                               "The identifier holds U+0000; send it without."};
        return ERR_UNSUPPORTED;
    }
    return text_clean(arena, typed, TEXT_PLAIN, clean);
}

err identifier_canonical(struct arena *arena, uint8_t type, struct slice typed, const char *country,
                         const struct settings *settings, struct slice *out,
                         struct identifier_problem *problem)
{
    struct slice clean;
    /* then there is nothing to clean but the ends, and nothing invisible */
    bool plain = text_is_plain(typed);
    if (plain) {
        clean = text_trim_blanks(typed);
    } else {
        err e = clean_unplain(arena, typed, &clean, problem);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (clean.length == 0) {
        return ERR_END;
    }
    if (type == IDENTIFIER_PHONE) {
        return canonical_phone(arena, typed, country, settings, out, problem);
    }
    /* Dropping an invisible character inside would make two identifiers one. */
    if (!plain && text_has_invisible(slice_trim(typed))) {
        *problem = (struct identifier_problem){
            "identifier_invalid",
            "The identifier has a control or invisible character inside; send it without."};
        return ERR_INVALID;
    }
    if (type == IDENTIFIER_EMAIL) {
        return canonical_email(arena, clean, out, problem);
    }
    if (clean.length > IDENTIFIER_BYTES_MAX) {
        *problem = (struct identifier_problem){
            "identifier_too_long",
            "The identifier has more than 256 bytes; send a shorter one, such as its hash."};
        return ERR_INVALID;
    }
    *out = clean;
    return ERR_OK;
}

err identifier_normalise(struct arena *arena, uint8_t type, struct slice typed,
                         const struct settings *settings, struct slice *out)
{
    struct identifier_problem problem;
    err e = identifier_canonical(arena, type, typed, "", settings, out, &problem);
    return e == ERR_END || e == ERR_UNSUPPORTED ? ERR_INVALID : e;
}
