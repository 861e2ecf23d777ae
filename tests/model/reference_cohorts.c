/* Who is in a cohort, by its rules, person by person. */
#include <stdlib.h>
#include <string.h>

#include "reference.h"

struct ref_cohort *ref_cohort(struct reference *ref, const char *name)
{
    for (size_t i = 0; i < ref->cohort_count; i++) {
        if (strcmp(ref->cohorts[i].name, name) == 0) {
            return &ref->cohorts[i];
        }
    }
    return NULL;
}

struct ref_cohort *ref_cohort_put(struct reference *ref, const char *name)
{
    struct ref_cohort cohort = {0};
    ref_cohort_delete(ref, name);
    if (ref->cohort_count == REF_COHORTS_MAX || strlen(name) >= REF_TEXT) {
        abort();
    }
    strcpy(cohort.name, name);
    ref->cohorts[ref->cohort_count++] = cohort;
    return &ref->cohorts[ref->cohort_count - 1];
}

void ref_cohort_delete(struct reference *ref, const char *name)
{
    struct ref_cohort *cohort = ref_cohort(ref, name);
    if (cohort != NULL) {
        *cohort = ref->cohorts[--ref->cohort_count];
    }
}

/* 2: the very phrase; 1: by a wildcard, where "* x" is "x" too; 0: not. */
static int matches(const char *pattern, const char *fold)
{
    size_t length = strlen(pattern);
    size_t fold_length = strlen(fold);
    if (length > 2 && strncmp(pattern, "* ", 2) == 0) {
        const char *word = pattern + 1; /* with its space */
        return strcmp(word + 1, fold) == 0 ||
               (fold_length > length - 1 && strcmp(fold + fold_length - (length - 1), word) == 0);
    }
    if (length > 2 && strcmp(pattern + length - 2, " *") == 0) {
        return strncmp(pattern, fold, length - 2) == 0 && (fold[length - 2] == ' ' || fold[length - 2] == '\0');
    }
    return strcmp(pattern, fold) == 0 ? 2 : 0;
}

/* The more telling match decides; "not" wins where they are equal. */
static bool has_phrase(const struct ref_rules *rules, const struct ref_person *person)
{
    for (size_t i = 0; i < person->interests.count; i++) {
        int with = 0;
        int without = 0;
        for (size_t k = 0; k < 4; k++) {
            int hit = rules->phrases[k] ? matches(rules->phrases[k], person->interests.at[i].name) : 0;
            int not_hit = rules->not_phrases[k] ? matches(rules->not_phrases[k], person->interests.at[i].name) : 0;
            with = hit > with ? hit : with;
            without = not_hit > without ? not_hit : without;
        }
        if (with > without) {
            return true;
        }
    }
    return false;
}

static bool listed(const struct reference *ref, const uint32_t list[4], const struct ref_person *person)
{
    for (size_t i = 0; i < 4; i++) {
        if (list[i] != 0 && ref_root(ref, list[i]) == person->number) {
            return true;
        }
    }
    return false;
}

bool ref_member(const struct reference *ref, const struct ref_cohort *cohort, const struct ref_person *person)
{
    const struct ref_rules *rules = cohort->rules;
    bool ruled = rules->phrases[0] != NULL || rules->where != NULL;
    bool in = ruled && (rules->phrases[0] == NULL || has_phrase(rules, person)) &&
              (rules->where == NULL || rules->where(person));
    return (in || listed(ref, cohort->include, person)) && !listed(ref, cohort->exclude, person);
}
