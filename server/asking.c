#include "asking.h"

#include "base/memory.h"
#include "engine/interests.h"
#include "problem.h"

enum { TEXTS_IN_GATE = 64 };

static void out_of_memory(struct exchange *x)
{
    problem_reply(x, 507, "out_of_memory", "There was no memory for this request.");
}

/* ---- what is known -------------------------------------------------------------------------- */

static void look_up(struct exchange *x, struct asking *asking, size_t at)
{
    uint64_t version = 0;
    bool known =
        !asking->explain &&
        engine_phrase_verdict(x->engine, asking->texts[at], &asking->verdicts[at], &version) &&
        version == x->worker->phrases.classifier->version;
    if (!known) {
        asking->asked[asking->asked_count++] = (uint32_t)at;
    }
}

static void look_up_all(struct exchange *x, struct asking *asking)
{
    for (size_t at = 0; at < asking->count;) {
        exchange_enter(x);
        for (size_t n = 0; n < TEXTS_IN_GATE && at < asking->count; n++) {
            look_up(x, asking, at++);
        }
        exchange_leave(x);
    }
}

/* ---- asking the model ----------------------------------------------------------------------- */

static void classify_part(struct asking *asking, const struct classifier *classifier, void *scratch,
                          size_t from, size_t count)
{
    struct slice texts[CLASSIFIER_BATCH_MAX] = {SLICE_NONE};
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        texts[i] = asking->texts[asking->asked[from + i]];
    }
    classifier->classify(classifier->context, scratch, texts, count, verdicts);
    for (size_t i = 0; i < count; i++) {
        asking->verdicts[asking->asked[from + i]] = verdicts[i];
    }
}

static void classify_all(struct asking *asking, void *scratch)
{
    const struct model_choice *model = &asking->x->worker->server->options.model;
    int64_t began_us = clock_monotonic_us(&system_clock);
    for (size_t at = 0; at < asking->asked_count;) {
        size_t left = asking->asked_count - at;
        size_t count = left < CLASSIFIER_BATCH_MAX ? left : CLASSIFIER_BATCH_MAX;
        if (asking->explanations != NULL) {
            uint32_t text = asking->asked[at];
            count = 1;
            model_explain(model->model, scratch, asking->texts[text], &asking->verdicts[text],
                          &asking->explanations[text]);
        } else {
            classify_part(asking, model->classifier, scratch, at, count);
        }
        at += count;
    }
    asking->took_us = clock_monotonic_us(&system_clock) - began_us;
}

static void count(struct asking *asking)
{
    struct asked_metrics *metrics = &asking->x->worker->asked;
    counter_add(&metrics->classified, asking->asked_count);
    histogram_add(&metrics->classify_us, histogram_bounds_us, (uint64_t)asking->took_us, 1);
}

/* ---- on the pool, and back ------------------------------------------------------------------ */

static void work(uv_work_t *request)
{
    struct asking *asking = request->data;
    asking->failed =
        !model_scratch_make(asking->x->worker->server->options.model.classifier, &asking->scratch);
    if (!asking->failed) {
        classify_all(asking, asking->scratch.at);
        memory_free(asking->scratch.block);
    }
}

static void after_work(uv_work_t *request, int status)
{
    struct asking *asking = request->data;
    asking->failed |= status != 0;
    count(asking);
    completion_push(asking->completion);
}

static void answered(struct exchange *x, void *context)
{
    struct asking *asking = context;
    if (asking->failed) {
        out_of_memory(x);
    } else {
        asking->finish(x, asking);
    }
}

/* ---- the beginning -------------------------------------------------------------------------- */

static bool make_room(struct exchange *x, struct asking *asking)
{
    const struct model_choice *model = &x->worker->server->options.model;
    asking->x = x;
    asking->asked_count = 0;
    asking->verdicts = arena_zalloc(x->arena, (asking->count + 1) * sizeof *asking->verdicts);
    asking->asked = arena_alloc(x->arena, (asking->count + 1) * sizeof *asking->asked);
    asking->explain = asking->explain && model->model != NULL;
    asking->explanations =
        asking->explain ? arena_zalloc(x->arena, (asking->count + 1) * sizeof *asking->explanations)
                        : NULL;
    return asking->verdicts != NULL && asking->asked != NULL &&
           asking->explain == (asking->explanations != NULL);
}

void asking_begin(struct exchange *x, struct asking *asking)
{
    struct phrases_in *phrases = &x->worker->phrases;
    if (!make_room(x, asking)) {
        out_of_memory(x);
        return;
    }
    if (phrases->classifier != NULL) {
        look_up_all(x, asking);
    }
    if (asking->asked_count == 0) {
        asking->finish(x, asking);
        return;
    }
    if (!asking->explain &&
        asking->asked_count <= phrases_in_allowance(phrases, PHRASES_IN_TURN_US)) {
        classify_all(asking, phrases->scratch.at);
        phrases->spent_us += asking->took_us;
        count(asking);
        asking->finish(x, asking);
        return;
    }
    asking->completion = exchange_wait(x, answered, NULL, asking);
    if (asking->completion == NULL) {
        return;
    }
    asking->work.data = asking;
    CHECK(uv_queue_work(&x->worker->loop, &asking->work, work, after_work) == 0);
}

void asking_offer(struct exchange *x, const struct asking *asking)
{
    for (size_t i = 0; i < asking->asked_count; i++) {
        uint32_t at = asking->asked[i];
        struct phrase_verdict one = {asking->texts[at], asking->verdicts[at]};
        engine_offer_verdicts(x->engine, &one, 1);
    }
}
