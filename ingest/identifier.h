/* identifier.h: the canonical form of an identifier. One form per identifier, one identifier per
 * form: only the rules below make two spellings the same.
 *
 *   e-mail   trimmed, "mailto:" left away, local part and domain lower-case, NFC. A domain in punycode stays so.
 *   phone    E.164 (phone.h)
 *   others   trimmed, NFC; case counts; no control or invisible characters inside
 *
 * Threading: any. */
#ifndef KINDRED_INGEST_IDENTIFIER_H
#define KINDRED_INGEST_IDENTIFIER_H

#include "base/arena.h"
#include "base/err.h"
#include "ingest/settings.h"

struct identifier_problem {
    const char *code;    /* static: "email_invalid" */
    const char *message; /* static sentence */
};

/* `country` for phones without a calling code; "" takes the settings' default. ERR_INVALID with
 * *problem, or ERR_MEMORY. An empty text is ERR_END: it says nothing. One with U+0000 is
 * ERR_UNSUPPORTED with *problem: a record that brings it is refused as a whole, whatever else it
 * holds. */
err identifier_canonical(struct arena *arena, uint8_t type, struct slice typed, const char *country,
                         const struct settings *settings, struct slice *out,
                         struct identifier_problem *problem) MUST_USE;

#endif
