/* handlers_classify.c: what phrases are about (judging.h), and why. Many are classified off the
 * loop (asking.h) and written in slices. */
#include <stdlib.h>

#include "asking.h"
#include "engine/interests.h"
#include "handlers.h"
#include "ingest/json_reader.h"
#include "judging.h"
#include "problem.h"

enum {
    PHRASES_MAX = 1000,
    EXPLAINED_MAX = 100,
    PHRASE_BYTES_MAX = 1024,
    SLICE_US = 1000,
    IN_GATE = 8,
    ANSWER_BYTES_MAX = 128 * 1024 * 1024,
};

struct request {
    struct asking asking;
    bool explain;
    size_t written;
    struct buffer text; /* the answer, as far as it is written */
    struct json_writer json;
};

/* ---- writing -------------------------------------------------------------------------------- */

static void write_scores(struct json_writer *json, const struct classifier *classifier,
                         const struct model_explanation *explanation)
{
    struct topic_line all[CLASSIFIER_TOPICS_MAX];
    for (size_t i = 0; i < classifier->topic_count; i++) {
        all[i] = (struct topic_line){(int)i, explanation->scores[i], false};
    }
    qsort(all, classifier->topic_count, sizeof *all, judgement_compare_topics);
    json_key(json, "scores");
    json_array_begin(json);
    for (size_t i = 0; i < classifier->topic_count; i++) {
        judgement_write_topic(json, classifier->topics[all[i].topic], all[i].confidence, 4);
    }
    json_array_end(json);
}

static void write_model_part(struct json_writer *json, const struct classifier *classifier,
                             const struct model_explanation *explanation)
{
    json_member_cstr(json, "read_as", explanation->read_as);
    json_member_bool(json, "corrected", explanation->corrected);
    json_member_bool(json, "known", explanation->known);
    judgement_write_fraction(json, "interest", explanation->interest, 4);
    write_scores(json, classifier, explanation);
    json_key(json, "nearest");
    json_array_begin(json);
    for (size_t i = 0; i < explanation->nearest_count; i++) {
        json_object_begin(json);
        json_member_cstr(json, "phrase", explanation->nearest[i].phrase);
        judgement_write_fraction(json, "similarity", explanation->nearest[i].similarity, 4);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_rules(const struct engine *engine, struct json_writer *json,
                        const struct judgement *judgement)
{
    const struct cohorts *cohorts = engine_cohorts(engine);
    json_key(json, "rules");
    json_array_begin(json);
    for (size_t i = 0; i < judgement->hit_count; i++) {
        const struct rule_hit *hit = &judgement->hits[i];
        if (decider_of(hit) != DECIDED_RULE) {
            continue;
        }
        json_object_begin(json);
        json_member_string(json, "cohort",
                           cohort_definition_name(cohorts_definition(cohorts, hit->cohort)));
        json_member_cstr(json, "method", hit_method_name(hit->method));
        json_member_string(json, "pattern", cohorts_hit_text(cohorts, hit));
        judgement_write_fraction(json, "confidence", hit->confidence, 4);
        json_object_end(json);
    }
    json_array_end(json);
}

/* Inside the gate. */
static void write_result(struct exchange *x, struct request *request, size_t at,
                         struct judgement *judgement)
{
    const struct classifier *classifier = x->worker->server->options.model.classifier;
    struct json_writer *json = &request->json;
    struct slice phrase = request->asking.texts[at];
    judge_phrase(x->engine, classifier, phrase, &request->asking.verdicts[at], false, judgement);
    json_object_begin(json);
    json_member_string(json, "phrase", phrase);
    judgement_write(judgement, classifier, json);
    json_member_cstr(json, "decided_by", decider_name(judgement->decider));
    if (request->explain) {
        if (request->asking.explanations != NULL) {
            write_model_part(json, classifier, &request->asking.explanations[at]);
        }
        write_rules(x->engine, json, judgement);
        json_key(json, "matches");
        engine_write_phrase_cohorts(
            x->engine, phrase, classifier != NULL ? &request->asking.verdicts[at] : NULL, json);
    }
    json_object_end(json);
}

static void free_text(void *context)
{
    struct request *request = context;
    buffer_deinit(&request->text);
}

static void write_all(struct exchange *x, void *context)
{
    struct request *request = context;
    struct judgement judgement;
    int64_t until_us = clock_monotonic_us(&system_clock) + SLICE_US;
    while (request->written < request->asking.count) {
        if (clock_monotonic_us(&system_clock) >= until_us) {
            exchange_again(x, write_all, free_text, request);
            return;
        }
        exchange_enter(x);
        for (size_t n = 0; n < IN_GATE && request->written < request->asking.count; n++) {
            write_result(x, request, request->written++, &judgement);
        }
        exchange_leave(x);
    }
    json_array_end(&request->json);
    json_object_end(&request->json);
    if (request->text.failed) {
        problem_reply(x, 507, "out_of_memory",
                      "There was no memory for the answer. Ask for less at once.");
    } else {
        json_raw(reply_json(x, 200), buffer_slice(&request->text));
        reply_end(x);
    }
    free_text(request);
}

static void classified(struct exchange *x, struct asking *asking)
{
    struct request *request = asking->context;
    const struct classifier *classifier = x->worker->server->options.model.classifier;
    buffer_init(&request->text, ANSWER_BYTES_MAX);
    request->json = json_writer_of(&request->text);
    json_object_begin(&request->json);
    json_key(&request->json, "model");
    if (classifier != NULL) {
        json_cstr(&request->json, classifier->name);
    } else {
        json_null(&request->json);
    }
    json_key(&request->json, "results");
    json_array_begin(&request->json);
    write_all(x, request);
}

/* ---- the requests --------------------------------------------------------------------------- */

static void begin(struct exchange *x, const struct slice *phrases, size_t count, bool explain)
{
    struct request *request = arena_zalloc(x->arena, sizeof *request);
    if (request == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return;
    }
    request->explain = explain;
    request->asking = (struct asking){.texts = phrases,
                                      .count = count,
                                      .explain = explain,
                                      .finish = classified,
                                      .context = request};
    asking_begin(x, &request->asking);
}

void handle_classify(struct exchange *x)
{
    bool explain = false;
    struct slice phrase = query_get(&x->query, "phrase");
    if (phrase.data == NULL || phrase.length == 0 || phrase.length > PHRASE_BYTES_MAX) {
        problem_reply(x, 400, "phrase_missing", "Say what: ?phrase=, 1 to 1,024 bytes.");
        return;
    }
    if (!read_flag(x, "explain", &explain)) {
        return;
    }
    struct slice *kept = arena_alloc(x->arena, sizeof *kept);
    if (kept == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return;
    }
    *kept = phrase;
    begin(x, kept, 1, explain);
}

/* Copies the phrases. False when it has been answered. */
static bool read_list(struct exchange *x, json_value list, struct slice *out, size_t *count)
{
    for (struct json_iterator i = json_iterate(list); json_next(&i);) {
        struct slice text = json_text(i.value);
        if (text.data == NULL || text.length == 0 || text.length > PHRASE_BYTES_MAX) {
            problem_reply(x, 400, "phrase_invalid", "phrases[%zu] is no text of 1 to 1,024 bytes.",
                          *count);
            return false;
        }
        out[*count] = arena_copy(x->arena, text);
        if (out[*count].data == NULL) {
            problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
            return false;
        }
        (*count)++;
    }
    return true;
}

static bool read_phrases(struct exchange *x, json_value root, bool explain, struct slice **out,
                         size_t *count)
{
    json_value list = json_get(root, "phrases");
    size_t most = explain ? EXPLAINED_MAX : PHRASES_MAX;
    if (json_type(root) != JSON_OBJECT || json_type(list) != JSON_ARRAY || json_count(root) != 1) {
        problem_reply(x, 400, "phrases_missing",
                      "The body is {\"phrases\": [\"tom brady\", …]} and nothing else.");
        return false;
    }
    if (json_count(list) > most) {
        problem_reply(x, 413, "phrases_too_many", "At most %zu phrases at once%s; these are %zu.",
                      most, explain ? " with explain=true" : "", json_count(list));
        return false;
    }
    *out = arena_alloc(x->arena, (json_count(list) + 1) * sizeof **out);
    if (*out == NULL) {
        problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
        return false;
    }
    return read_list(x, list, *out, count);
}

void handle_classify_many(struct exchange *x)
{
    bool explain = false;
    struct json_document *document = NULL;
    struct error error = {0};
    if (!read_flag(x, "explain", &explain)) {
        return;
    }
    error.err = json_read(x->body, &document, &error);
    if (error.err != ERR_OK) {
        problem_from_error(x, &error);
        return;
    }
    struct slice *phrases = NULL;
    size_t count = 0;
    bool good = read_phrases(x, json_root(document), explain, &phrases, &count);
    json_document_destroy(document);
    if (good) {
        begin(x, phrases, count, explain);
    }
}
