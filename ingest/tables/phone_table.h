/* phone_table.h: the numbering plans of the ITU countries, one row each.
 *
 * Patterns are regular expressions in the small language of phone_pattern.h. phone_table.c is
 * generated; tables/README.md says from what. Threading: any (constant). */
#ifndef KINDRED_INGEST_PHONE_TABLE_H
#define KINDRED_INGEST_PHONE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct phone_plan {
    /* ISO 3166-1 alpha-2; "" for a code no country owns (satellite, toll-free) */
    char country[3];
    uint16_t calling_code; /* 1 to 999 */
    uint32_t lengths;      /* bit n: a significant number may have n digits */
    /* what is dialled before a calling code ("00"); NULL: none known */
    const char *international;
    const char *national_number; /* a significant number of this plan, whole */
    /* what is dialled before a national number ("0"); NULL: nothing */
    const char *national_prefix;
    /* pattern of that prefix as found in the wild; NULL: nothing to strip */
    const char *prefix_parsing;
    const char *prefix_transform; /* what the matched prefix becomes ("9$1"); NULL: it goes away */
};

extern const struct phone_plan phone_plans[];
extern const size_t phone_plan_count;

#endif
