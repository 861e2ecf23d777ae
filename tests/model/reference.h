/* reference.h: what Kindred should answer, by the rules alone: arrays, linear scans, nothing shared
 * with the engine.
 *
 * Input is what the ETL made of the bytes (struct record), so that only the fold is compared. The
 * rules stand in reference.c and reference_cohorts.c, each above the function that follows it.
 *
 * Threading: one thread. Memory that is missing aborts: this is test code. */
#ifndef KINDRED_TESTS_MODEL_REFERENCE_H
#define KINDRED_TESTS_MODEL_REFERENCE_H

#include "classifier/examples.h"
#include "ingest/record.h"
#include "ingest/settings.h"

enum { REF_TEXT = 96, REF_COHORTS_MAX = 16 };

/* When something was said: newest wins by time, then priority of the source, then sequence. */
struct ref_origin {
    int64_t at_us;
    int64_t priority;
    uint64_t sequence;
};

struct ref_identifier {
    uint8_t type;
    bool current; /* false: was the person's once */
    struct ref_origin seen;
    char value[REF_TEXT];
};

/* A field, a member of a list (name and text) or an interest (text and its fold). */
struct ref_fact {
    char name[REF_TEXT];
    char text[REF_TEXT]; /* as JSON for fields; "" is a clear */
    struct ref_origin origin;
};

struct ref_facts {
    struct ref_fact *at;
    size_t count, room;
};

struct ref_person {
    uint32_t number, parent, tree;
    bool alive;
    int64_t created_at_us, updated_at_us;
    struct ref_identifier *ids;
    size_t id_count, id_room;
    struct ref_facts fields, items, interests;
    uint64_t *sequences;
    size_t sequence_count, sequence_room;
};

struct ref_message {
    char id[REF_TEXT];
    uint32_t number;
    int64_t at_us;
};

/* member = an interest that belongs (if phrases, topic or examples are given) and where (if any),
 * or included; and not excluded. Phrases and their wildcards are folded. */
struct ref_rules {
    const char *phrases[4], *not_phrases[4];
    bool (*where)(const struct ref_person *person);
    const char *json;
    int topic_plus_1; /* the classifier's; 0: none */
    double min_confidence;
    const char *examples[4]; /* texts */
};

enum { REF_EXAMPLES = 12 };
struct ref_cohort {
    char name[REF_TEXT];
    const struct ref_rules *rules;
    /* texts; as feedback left them */
    const char *examples[REF_EXAMPLES], *not_examples[REF_EXAMPLES];
    size_t example_count, not_example_count;
    struct examples_scorer scorer; /* once it was needed */
    bool has_scorer;
    uint32_t include[4], exclude[4]; /* person numbers; 0: none */
};

struct reference {
    const struct settings *settings; /* limits and source priorities; borrowed */
    struct ref_person *people;       /* people[n - 1] is number n */
    size_t person_count, person_room;
    struct ref_message *messages;
    size_t message_count, message_room;
    const struct classifier *classifier; /* borrowed; NULL: rules only */
    struct ref_cohort cohorts[REF_COHORTS_MAX];
    size_t cohort_count;
};

void ref_clear(struct reference *ref);

/* Returns the person the record was found to be about. */
uint32_t ref_record(struct reference *ref, const struct record *record, uint64_t sequence,
                    int64_t received_us, struct slice source);
void ref_patch(struct reference *ref, uint32_t number, const struct record *patch,
               uint64_t sequence, int64_t received_us, struct slice source);
void ref_erase(struct reference *ref, uint32_t number);

/* 0 when there is nobody. */
uint32_t ref_find(const struct reference *ref, uint8_t type, struct slice value);
/* Follows merges; 0 when the person was erased or never was. */
uint32_t ref_root(const struct reference *ref, uint32_t number);
struct ref_person *ref_person(const struct reference *ref, uint32_t number);
/* NULL: absent or cleared */
const struct ref_fact *ref_field(const struct ref_person *person, const char *name);

struct ref_cohort *ref_cohort(struct reference *ref, const char *name);
struct ref_cohort *ref_cohort_put(struct reference *ref, const char *name);
void ref_cohort_delete(struct reference *ref, const char *name);
/* An interest that belongs, or does not, whatever the model says. */
void ref_correct(struct ref_cohort *cohort, const char *text, bool belongs);
bool ref_member(const struct reference *ref, struct ref_cohort *cohort,
                const struct ref_person *person);

/* Lower case without accents, marks as spaces: enough for the phrases of the tests. */
void ref_fold(const char *text, size_t length, char out[REF_TEXT]);

#endif
