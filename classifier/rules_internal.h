/* rules_internal.h: what rules.c builds and rules_match.c reads.
 *
 *   exact texts ─ hash table ─▶ text ─▶ its patterns (several cohorts may have the same)
 *        └────── typo index
 *   wildcard patterns ─ gram index
 *
 * Threading: immutable once built. */
#ifndef KINDRED_CLASSIFIER_RULES_INTERNAL_H
#define KINDRED_CLASSIFIER_RULES_INTERNAL_H

#include "classifier/rules.h"
#include "typo.h"
#include "wildcard.h"

struct rules_pattern {
    uint32_t cohort;
    uint32_t typed_at; /* in the bytes; the folded form follows */
    uint16_t typed_length;
    uint16_t folded_length;
    bool is_not;
    bool is_wildcard;
};

struct rules {
    struct rules_pattern *patterns;
    uint32_t pattern_count;
    char *bytes;

    struct slice *texts; /* distinct folded exact patterns, in order of first appearance */
    uint32_t text_count;
    uint32_t *owner_starts; /* text t: owners[owner_starts[t]] .. owners[owner_starts[t + 1]] */
    uint32_t *owners;       /* patterns, ascending */
    struct rules_slot {
        uint32_t hash;
        uint32_t text_plus_1; /* 0: free */
    } * slots;
    uint32_t slot_mask;

    struct slice *wildcards;
    uint32_t *wildcard_patterns;
    uint32_t wildcard_count;
    struct wildcard_index wildcard_index;
    struct typo_index typo_index;
};

#define TEXT_NONE UINT32_C(0xFFFFFFFF)

uint32_t rules_text_hash(struct slice folded);
/* The exact text, or TEXT_NONE. */
uint32_t rules_find_text(const struct rules *rules, struct slice folded);

#endif
