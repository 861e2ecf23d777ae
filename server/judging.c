#include "judging.h"

#include <stdlib.h>

#include "classifier/fold.h"

const char *decider_name(enum decider decider)
{
    static const char *const names[] = {"none", "model", "example", "rule"};
    return names[decider];
}

enum decider decider_of(const struct rule_hit *hit)
{
    return hit->method <= HIT_TYPO      ? DECIDED_RULE
           : hit->method == HIT_EXAMPLE ? DECIDED_EXAMPLE
                                        : DECIDED_MODEL;
}

static void decided(struct judgement *judgement, enum decider decider)
{
    judgement->decider = decider > judgement->decider ? decider : judgement->decider;
}

/* The topic that this cohort is the cohort of; -1: it is another kind of cohort. */
static int topic_of(const struct classifier *classifier, const struct cohort_definition *definition)
{
    int topic = cohorts_topic(classifier, cohort_definition_topic(definition));
    return topic >= 0 && topic == cohorts_topic(classifier, cohort_definition_name(definition))
               ? topic
               : -1;
}

static void add_topic(struct judgement *judgement, int topic, float confidence, bool by_rule)
{
    struct topic_line *line = judgement->topics;
    while (line < judgement->topics + judgement->topic_count && line->topic != topic) {
        line++;
    }
    judgement->topic_count += line == judgement->topics + judgement->topic_count;
    *line = (struct topic_line){topic, confidence, by_rule};
}

static void judge_hits(const struct cohorts *cohorts, const struct classifier *classifier,
                       struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->hit_count; i++) {
        const struct rule_hit *hit = &judgement->hits[i];
        const struct cohort_definition *definition = cohorts_definition(cohorts, hit->cohort);
        int topic = topic_of(classifier, definition);
        bool by_rule = decider_of(hit) == DECIDED_RULE;
        if (topic >= 0) {
            add_topic(judgement, topic, hit->confidence, by_rule);
        }
        if (topic < 0 || by_rule) {
            judgement->cohorts[judgement->cohort_count++] = cohort_definition_name(definition);
        }
        decided(judgement, decider_of(hit));
    }
}

static bool is_hit(const struct judgement *judgement, uint32_t cohort)
{
    for (size_t i = 0; i < judgement->hit_count; i++) {
        if (judgement->hits[i].cohort == cohort) {
            return true;
        }
    }
    return false;
}

/* What the model says, unless the topic's own cohort takes it out. A topic below the cohort's
 * min_confidence stays. */
static void judge_verdict(const struct cohorts *cohorts, const struct classifier *classifier,
                          struct slice phrase, const struct verdict *verdict,
                          struct judgement *judgement)
{
    for (size_t i = 0; i < verdict->topic_count; i++) {
        int topic = verdict->topics[i].topic;
        float confidence = (float)verdict->topics[i].confidence / (float)VERDICT_CONFIDENCE_ONE;
        uint32_t cohort = cohorts_find(cohorts, classifier->topics[topic]);
        const struct cohort_definition *definition =
            cohort != COHORT_NONE ? cohorts_definition(cohorts, cohort) : NULL;
        if (definition != NULL && topic_of(classifier, definition) == topic &&
            confidence >= cohort_definition_min_confidence(definition) &&
            !is_hit(judgement, cohort)) {
            bool by_example = cohort_definition_is_not_example(definition, phrase_fold_key(phrase));
            decided(judgement, by_example ? DECIDED_EXAMPLE : DECIDED_RULE);
            continue;
        }
        add_topic(judgement, topic, confidence, false);
        decided(judgement, DECIDED_MODEL);
    }
}

int judgement_compare_topics(const void *a, const void *b)
{
    const struct topic_line *x = a;
    const struct topic_line *y = b;
    if (x->confidence != y->confidence) {
        return x->confidence > y->confidence ? -1 : 1;
    }
    return x->by_rule != y->by_rule ? (x->by_rule ? -1 : 1) : x->topic - y->topic;
}

static int compare_names(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

void judge_phrase(const struct engine *engine, const struct classifier *classifier,
                  struct slice phrase, const struct verdict *verdict, bool stored,
                  struct judgement *out)
{
    const struct cohorts *cohorts = engine_cohorts(engine);
    out->topic_count = out->cohort_count = 0;
    out->decider = DECIDED_NONE;
    out->hit_count = engine_explain_phrase(
        engine, phrase, classifier != NULL && !stored ? verdict : NULL, out->hits);
    if (classifier != NULL && verdict != NULL) {
        judge_verdict(cohorts, classifier, phrase, verdict, out);
    }
    judge_hits(cohorts, classifier, out);
    qsort(out->topics, out->topic_count, sizeof *out->topics, judgement_compare_topics);
    qsort(out->cohorts, out->cohort_count, sizeof *out->cohorts, compare_names);
}

/* ---- writing -------------------------------------------------------------------------------- */

void judgement_write_fraction(struct json_writer *json, const char *key, float value, int digits)
{
    float scale = digits == 2 ? 100.0F : 10000.0F;
    json_key(json, key);
    json_double(json, (double)(long)(value * scale + (value < 0 ? -0.5F : 0.5F)) / (double)scale);
}

void judgement_write_topic(struct json_writer *json, struct slice name, float confidence,
                           int digits)
{
    json_object_begin(json);
    json_member_string(json, "topic", name);
    judgement_write_fraction(json, "confidence", confidence, digits);
    json_object_end(json);
}

void judgement_write(const struct judgement *judgement, const struct classifier *classifier,
                     struct json_writer *json)
{
    json_key(json, "topics");
    json_array_begin(json);
    for (size_t i = 0; i < judgement->topic_count; i++) {
        const struct topic_line *line = &judgement->topics[i];
        judgement_write_topic(json, classifier->topics[line->topic], line->confidence, 2);
    }
    json_array_end(json);
    json_key(json, "cohorts");
    json_array_begin(json);
    for (size_t i = 0; i < judgement->cohort_count; i++) {
        json_string(json, judgement->cohorts[i]);
    }
    json_array_end(json);
}
