/* settings.h: the rules of intake and identity that a deployment may change.
 *
 * They shape what the fold of the log gives, so they are in the log: `serve` compares the file it
 * was started with to the newest settings entry and appends one when they differ. The JSON text is
 * the stored form; a struct settings is compiled from it and immutable.
 *
 *   {"default_country": "US",
 *    "identifiers": [{"type": "email", "limit": 1}, {"type": "user_id", "limit": 1}, {"type": "phone", "limit": 5},
 *                    {"type": "cookie", "limit": 200}, {"type": "device_id", "limit": 50},
 *                    {"type": "loyalty_id", "limit": 1}],            in order of priority
 *    "blocked": {"email": ["test@test.com", "noreply@*"], "*": ["null", "undefined", "0"]},
 *    "sources": {"crm": 100, "web": 10}}                             priority; unnamed sources have 0
 *
 * Threading: any (immutable). Owned by caller; settings_destroy. */
#ifndef KINDRED_INGEST_SETTINGS_H
#define KINDRED_INGEST_SETTINGS_H

#include "base/err.h"
#include "base/slice.h"
#include "ingest/record.h"

struct identifier_rule {
    char name[32];
    uint32_t limit_count; /* most a person may have; a merge that would exceed it does not happen */
};

struct settings {
    char default_country[3];                                 /* ISO 3166-1 alpha-2 */
    struct identifier_rule identifiers[IDENTIFIER_TYPE_MAX]; /* by type number */
    uint8_t priority[IDENTIFIER_TYPE_MAX];                   /* type numbers, most telling first */
    size_t identifier_type_count;
    struct settings_tables *tables; /* block list and source priorities */
};

/* An empty object gives the defaults. Unknown keys are errors (a typo must not be silent).
 * error->position is the byte in `json`. */
err settings_parse(struct slice json, struct settings **out, struct error *error) MUST_USE;
void settings_destroy(struct settings *settings);

/* Canonical value against the block list: test@test.com, null, zeros, one repeated character,
 * ... */
bool settings_identifier_blocked(const struct settings *settings, uint8_t type, struct slice value);
uint32_t settings_source_priority(const struct settings *settings, struct slice source);
/* False when there is no such type. */
bool settings_identifier_type(const struct settings *settings, struct slice name, uint8_t *type);

#endif
