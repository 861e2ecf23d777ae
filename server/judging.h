/* judging.h: what one phrase is about: the model's verdict and the cohorts' rules and examples in
 * one answer.
 *
 *   topics        what the model says; the cohort that is named like a topic and defined by it ("Sports": {"topic":
 *                 "Sports"}) has the last word about it: its rules and examples put a phrase in or take it out
 *   cohorts       all other cohorts the phrase falls in, and such a topic cohort when a business rule put it in
 *   decided_by    the strongest that had a part in the answer: rule, then example, then model; none
 *
 * Threading: any; inside the gate. */
#ifndef KINDRED_SERVER_JUDGING_H
#define KINDRED_SERVER_JUDGING_H

#include "engine/interests.h"

enum decider { DECIDED_NONE, DECIDED_MODEL, DECIDED_EXAMPLE, DECIDED_RULE };
const char *decider_name(enum decider decider);
/* Of one of engine_explain_phrase's hits. */
enum decider decider_of(const struct rule_hit *hit);

struct topic_line {
    int topic; /* of the classifier */
    float confidence;
    bool by_rule;
};

/* About 130 KB: one per thread or on its stack, used again. */
struct judgement {
    struct topic_line topics[CLASSIFIER_TOPICS_MAX]; /* surest first */
    size_t topic_count;
    /* in the order of names; borrowed until the gate is left */
    struct slice cohorts[RULE_HITS_MAX];
    size_t cohort_count;
    enum decider decider;
    struct rule_hit hits[RULE_HITS_MAX];
    size_t hit_count;
};

/* classifier NULL: rules and examples alone. verdict: of its version; with `stored` the one the
 * engine has of this phrase, of whatever version, or NULL when it has none. */
void judge_phrase(const struct engine *engine, const struct classifier *classifier,
                  struct slice phrase, const struct verdict *verdict, bool stored,
                  struct judgement *out);
/* The members "topics" and "cohorts" into an open object. */
void judgement_write(const struct judgement *judgement, const struct classifier *classifier,
                     struct json_writer *json);
int judgement_compare_topics(const void *a, const void *b);
/* {"topic": …, "confidence": …} */
void judgement_write_topic(struct json_writer *json, struct slice name, float confidence,
                           int digits);
/* A number with a few digits, and not those of the double that a float becomes. */
void judgement_write_fraction(struct json_writer *json, const char *key, float value, int digits);

#endif
