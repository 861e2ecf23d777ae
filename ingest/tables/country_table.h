/* country_table.h: the countries of ISO 3166-1, the one spelling kept of each, and the spellings
 * that lead to it. country_table.c is generated; tables/README.md says from what. Threading: any
 * (constant). */
#ifndef KINDRED_INGEST_COUNTRY_TABLE_H
#define KINDRED_INGEST_COUNTRY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct country {
    char alpha2[3];
    char alpha3[4];
    const char *name;
};

/* Sorted by bytes; `folded` has lower-case ASCII letters, digits and bytes above 127 only. */
struct country_key {
    const char *folded;
    /* the first four bytes of folded as a number, big-endian, NUL behind its end: in the same
     * order */
    uint32_t first;
    uint16_t country; /* index into countries */
};

extern const struct country countries[];
extern const size_t country_count;
extern const struct country_key country_keys[];
extern const size_t country_key_count;

#endif
