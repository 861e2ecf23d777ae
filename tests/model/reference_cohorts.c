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
        return strncmp(pattern, fold, length - 2) == 0 &&
               (fold[length - 2] == ' ' || fold[length - 2] == '\0');
    }
    return strcmp(pattern, fold) == 0 ? 2 : 0;
}

/* The more telling match decides; "not" wins where they are equal. 1: in, -1: out, 0: no rule
 * speaks. */
static int ruled(const struct ref_rules *rules, const char *fold)
{
    int with = 0;
    int without = 0;
    for (size_t k = 0; k < 4; k++) {
        int hit = rules->phrases[k] ? matches(rules->phrases[k], fold) : 0;
        int not_hit = rules->not_phrases[k] ? matches(rules->not_phrases[k], fold) : 0;
        with = hit > with ? hit : with;
        without = not_hit > without ? not_hit : without;
    }
    return with > without ? 1 : without > 0 ? -1 : 0;
}

static size_t place_of(const char *const *texts, size_t count, const char *fold)
{
    for (size_t i = 0; i < count; i++) {
        char other[REF_TEXT];
        ref_fold(texts[i], strlen(texts[i]), other);
        if (strcmp(other, fold) == 0) {
            return i;
        }
    }
    return count;
}

void ref_correct(struct ref_cohort *cohort, const char *text, bool belongs)
{
    const char **lists[2] = {cohort->examples, cohort->not_examples};
    size_t *counts[2] = {&cohort->example_count, &cohort->not_example_count};
    char fold[REF_TEXT];
    ref_fold(text, strlen(text), fold);
    for (size_t list = 0; list < 2; list++) {
        size_t at = place_of(lists[list], *counts[list], fold);
        if (at < *counts[list]) {
            memmove(&lists[list][at], &lists[list][at + 1],
                    (*counts[list] - at - 1) * sizeof *lists[list]);
            --*counts[list];
        }
    }
    size_t list = belongs ? 0 : 1;
    if (*counts[list] == REF_EXAMPLES) {
        abort();
    }
    lists[list][(*counts[list])++] = text;
    cohort->has_scorer = false;
}

static void ask(const struct classifier *classifier, const char *text, struct verdict *out)
{
    static _Alignas(64) char scratch[1024];
    struct slice phrase = slice_from_cstr(text);
    classifier->classify(classifier->context, scratch, &phrase, 1, out);
}

/* The classifier and the scorer are pure functions, which have their own tests: here it is who they
 * are asked about. */
static void learn(const struct classifier *classifier, struct ref_cohort *cohort)
{
    int8_t positives[REF_EXAMPLES][EMBEDDING_SIZE];
    int8_t negatives[REF_EXAMPLES][EMBEDDING_SIZE];
    struct verdict example;
    for (size_t i = 0; i < cohort->example_count; i++) {
        ask(classifier, cohort->examples[i], &example);
        memcpy(positives[i], example.embedding, EMBEDDING_SIZE);
    }
    for (size_t i = 0; i < cohort->not_example_count; i++) {
        ask(classifier, cohort->not_examples[i], &example);
        memcpy(negatives[i], example.embedding, EMBEDDING_SIZE);
    }
    examples_fit(classifier, (const int8_t(*)[EMBEDDING_SIZE])positives, cohort->example_count,
                 (const int8_t(*)[EMBEDDING_SIZE])negatives, cohort->not_example_count,
                 &cohort->scorer);
    cohort->has_scorer = true;
}

static bool is_like_examples(const struct classifier *classifier, struct ref_cohort *cohort,
                             const struct verdict *verdict)
{
    static const int8_t nothing[EMBEDDING_SIZE];
    if (cohort->example_count == 0 || memcmp(verdict->embedding, nothing, sizeof nothing) == 0) {
        return false;
    }
    if (!cohort->has_scorer) {
        learn(classifier, cohort);
    }
    return examples_score(&cohort->scorer, verdict->embedding) >= 0.5f;
}

/* Rules first, then examples, then the model. */
static bool belongs(const struct classifier *classifier, struct ref_cohort *cohort,
                    const struct ref_fact *interest)
{
    const struct ref_rules *rules = cohort->rules;
    const int rule = ruled(rules, interest->name);
    if (rule != 0) {
        return rule > 0;
    }
    if (place_of(cohort->examples, cohort->example_count, interest->name) < cohort->example_count) {
        return true;
    }
    if (classifier == NULL || place_of(cohort->not_examples, cohort->not_example_count,
                                       interest->name) < cohort->not_example_count) {
        return false;
    }
    struct verdict verdict;
    ask(classifier, interest->text, &verdict);
    for (size_t i = 0; i < verdict.topic_count; i++) {
        if (verdict.topics[i].topic + 1 == rules->topic_plus_1 &&
            verdict.topics[i].confidence / 65535.0 >= rules->min_confidence) {
            return true;
        }
    }
    return is_like_examples(classifier, cohort, &verdict);
}

static bool has_phrase(const struct classifier *classifier, struct ref_cohort *cohort,
                       const struct ref_person *person)
{
    for (size_t i = 0; i < person->interests.count; i++) {
        if (belongs(classifier, cohort, &person->interests.at[i])) {
            return true;
        }
    }
    return false;
}

static bool listed(const struct reference *ref, const uint32_t list[4],
                   const struct ref_person *person)
{
    for (size_t i = 0; i < 4; i++) {
        if (list[i] != 0 && ref_root(ref, list[i]) == person->number) {
            return true;
        }
    }
    return false;
}

bool ref_member(const struct reference *ref, struct ref_cohort *cohort,
                const struct ref_person *person)
{
    const struct ref_rules *rules = cohort->rules;
    bool asks = rules->phrases[0] != NULL || rules->topic_plus_1 != 0 || cohort->example_count > 0;
    bool in = (asks || rules->where != NULL) &&
              (!asks || has_phrase(ref->classifier, cohort, person)) &&
              (rules->where == NULL || rules->where(person));
    return (in || listed(ref, cohort->include, person)) && !listed(ref, cohort->exclude, person);
}
