/* record.h: what one line of input says about one person, checked, cleansed and normalised.
 *
 *   bytes ─splitter─▶ one record's bytes ─record_read─▶ struct record ─engine─▶ profile
 *                                           │
 *                                           └─▶ struct record_error: quarantine, with the reason
 *
 * record_read is a pure function of (bytes, form, settings): the same bytes give the same record on
 * every machine and every replay. It asks no clock and no locale. Its rules have a version, stored
 * with each raw entry.
 *
 * What it promises about a record it accepts:
 *   - at least one identifier is usable (not blocked, well-formed)
 *   - every text is valid UTF-8 in NFC, trimmed, without control characters, within its limit
 *   - e-mails, phones, countries, states and genders are in their one canonical form
 *   - no two identifiers of different people collide through rounding or encoding: numbers that do not
 *     fit exactly are rejected, NUL and lone surrogates are errors, duplicate keys are errors
 *   - an invalid optional field was dropped and left a warning; the record lives
 *
 * Threading: any. Everything in a record is borrowed from the arena or from the input bytes. */
#ifndef KINDRED_INGEST_RECORD_H
#define KINDRED_INGEST_RECORD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct settings;
struct mapping;

enum { ETL_RULES_VERSION = 1 };

/* ---- identifiers ----------------------------------------------------------------------------- */

/* In the order of the default priority: the first known one names the person. Numbers are
 * stored. */
enum identifier_type {
    IDENTIFIER_EMAIL = 0,
    IDENTIFIER_USER_ID = 1,
    IDENTIFIER_PHONE = 2,
    IDENTIFIER_COOKIE = 3,
    IDENTIFIER_DEVICE_ID = 4,
    IDENTIFIER_BUILTIN_COUNT = 5,
    IDENTIFIER_TYPE_MAX = 16, /* further types come from settings */
};

struct record_identifier {
    uint8_t type;       /* enum identifier_type, or one that settings define */
    struct slice value; /* canonical */
};

/* ---- fields ---------------------------------------------------------------------------------- */

/* The schema's own fields. Numbers are stored (log and profiles): append only. */
enum field {
    FIELD_CITY = 0,
    FIELD_STATE = 1,
    FIELD_COUNTRY = 2,
    FIELD_AGE = 3,    /* VALUE_INTEGER 0..130 */
    FIELD_GENDER = 4, /* "Male", "Female", "Non-binary", or as given in title case */
    FIELD_INCOME = 5,
    FIELD_EDUCATION = 6,
    FIELD_FIRST_NAME = 7,
    FIELD_LAST_NAME = 8,
    FIELD_POSTAL_CODE = 9,
    FIELD_STREET = 10,
    FIELD_BIRTH_DATE = 11, /* "YYYY-MM-DD" */
    FIELD_OCCUPATION = 12,
    FIELD_LANGUAGE = 13,
    /* a set: its items are in record.interests; here only as VALUE_NULL, a clear */
    FIELD_INTERESTS = 14,
    FIELD_NAME = 15, /* a full name when it was not given in parts */
    FIELD_BUILTIN_COUNT = 16,
    FIELD_ATTRIBUTE = 255, /* beyond the schema: its dotted path is in `name` */
};

/* "location.city", "demographics.age", "first_name", ...: the path a client sends and reads.
 * Static. */
const char *field_path(enum field field);

enum value_kind {
    VALUE_NULL = 0, /* the client sent null: clear */
    VALUE_BOOL = 1,
    VALUE_INTEGER = 2,
    VALUE_NUMBER = 3, /* finite */
    VALUE_TEXT = 4,
};

struct value {
    enum value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct slice text;
    };
};

struct record_field {
    enum field field;
    struct slice name; /* dotted path; for FIELD_ATTRIBUTE, otherwise SLICE_NONE */
    struct value value;
};

/* One member of a set-valued attribute ("tags": ["vip", "beta"] gives two). */
struct record_item {
    struct slice name;
    struct slice text;
};

/* ---- the record ------------------------------------------------------------------------------ */

struct record_warning {
    struct slice field;   /* dotted path as the client wrote it */
    const char *code;     /* static: "phone_invalid" */
    struct slice message; /* a sentence without the value */
};

struct record {
    struct record_identifier *identifiers; /* distinct, in order of priority, at least one */
    size_t identifier_count;
    struct record_field *fields; /* distinct */
    size_t field_count;
    /* as typed, NFC, trimmed, inner white space single; distinct without case */
    struct slice *interests;
    size_t interest_count;
    struct record_item *items;
    size_t item_count;
    int64_t event_time_us;   /* from `timestamp`; 0: the record did not say, received-at counts */
    struct slice message_id; /* SLICE_NONE when absent */
    struct record_warning *warnings;
    size_t warning_count;
    bool replace_lists; /* a merge patch: a list given replaces the one there */
};

/* Why a record was not taken. */
struct record_error {
    err err;
    /* "identifier_missing", "json_syntax", ... docs/ingestion.md lists all */
    char code[ERROR_CODE_MAX];
    char field[96];                  /* dotted path; "" when it is about the whole record */
    char message[ERROR_MESSAGE_MAX]; /* what and why and what to do, without the value */
    uint64_t position;               /* byte within the record's bytes */
};

/* ---- reading --------------------------------------------------------------------------------- */

/* Numbers are stored. */
enum record_format {
    FORMAT_JSON = 1, /* one object */
    FORMAT_CSV = 2,  /* one row; needs its header */
};

/* How to read the bytes. For CSV `header` is the header entry's bytes as splitter.h defines
 * them. */
struct record_form {
    enum record_format format;
    uint16_t etl_version;
    const struct csv_header *header; /* parsed; NULL for JSON */
    const struct mapping *mapping;   /* NULL: the fields carry our own names */
};

/* On success *out is filled from `arena` (and points into `bytes`). On failure *error says why:
 * ERR_INVALID, ERR_TOO_LARGE, ERR_UNSUPPORTED (an ETL version newer than this build),
 * ERR_MEMORY. */
err record_read(struct arena *arena, struct slice bytes, const struct record_form *form,
                const struct settings *settings, struct record *out,
                struct record_error *error) MUST_USE;

/* A JSON merge patch (RFC 7396) of a profile, in the shape of a record without identifiers being
 * required: null clears, a list replaces. Identifiers in a patch are ERR_INVALID: they are linked
 * by records. */
err record_read_patch(struct arena *arena, struct slice bytes, const struct settings *settings,
                      struct record *out, struct record_error *error) MUST_USE;

/* Canonical form of an identifier as typed in a query (?email=…, ?phone=…). ERR_INVALID when no
 * record could ever hold it. */
err identifier_normalise(struct arena *arena, uint8_t type, struct slice typed,
                         const struct settings *settings, struct slice *out) MUST_USE;

#endif
