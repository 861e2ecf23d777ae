/* limits.h: the most that intake accepts, in one place. docs/operations.md has this table for
 * users.
 *
 * Every limit is part of the ETL rules: raising one changes what a replay of an old entry gives, so
 * it comes with a new ETL_RULES_VERSION. Texts are counted in bytes of UTF-8 after
 * normalisation. */
#ifndef KINDRED_INGEST_LIMITS_H
#define KINDRED_INGEST_LIMITS_H

enum {
    RECORD_BYTES_DEFAULT = 1024 * 1024,  /* one record, unless the deployment says otherwise */
    RECORD_BYTES_MAX = 16 * 1024 * 1024, /* and never more than this */
    /* objects and arrays inside each other; 1 is the record itself */
    RECORD_DEPTH_MAX = 32,
    RECORD_KEYS_MAX = 512,     /* members of all its objects together */
    KEY_BYTES_MAX = 128,       /* one key, and one dotted path */
    TEXT_BYTES_MAX = 8 * 1024, /* an attribute's text */
    /* names, city, state, country, postal code, occupation, ... */
    NAME_BYTES_MAX = 256,
    STREET_BYTES_MAX = 512,
    IDENTIFIER_BYTES_MAX = 256,
    EMAIL_BYTES_MAX = 254, /* RFC 5321, 4.5.3.1.3 less the angle brackets */
    IDENTIFIER_COUNT_MAX = 64,
    MESSAGE_ID_BYTES_MAX = 256,
    INTEREST_BYTES_MAX = 120,
    INTEREST_COUNT_MAX = 200,
    ITEM_BYTES_MAX = 256,
    ITEM_COUNT_MAX = 1000,   /* members of all set-valued attributes together */
    WARNING_COUNT_MAX = 100, /* later ones are not listed */
    AGE_MAX = 130,
    CSV_COLUMN_COUNT_MAX = 1024,
    CSV_HEADER_BYTES_MAX = 256 * 1024,
    MAPPING_BYTES_MAX = 1024 * 1024,
    SETTINGS_BYTES_MAX = 2 * 1024 * 1024, /* what one entry of the log holds */
    BAD_BYTES_MAX = 4 * 1024,             /* shown of a record that could not be cut out */
};

#endif
