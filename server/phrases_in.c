#include "phrases_in.h"

#include "backlog.h"
#include "base/hash.h"
#include "base/memory.h"
#include "engine/interests.h"
#include "ingest/record.h"
#include "worker.h"

enum { ASK_MAX = 64, EACH_NS_FIRST = 300000, EACH_NS_SHARE = 8 };

err phrases_in_init(struct phrases_in *in, const struct classifier *classifier, struct error *error)
{
    *in = (struct phrases_in){.classifier = classifier, .each_ns = EACH_NS_FIRST};
    if (classifier == NULL) {
        return ERR_OK;
    }
    random_fill(&system_random, &in->seed, sizeof in->seed);
    in->known = memory_zalloc(PHRASES_IN_KNOWN_SLOTS * sizeof *in->known);
    if (in->known == NULL || !model_scratch_make(classifier, &in->scratch)) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0,
                         "No memory for a worker's classifier.");
    }
    return ERR_OK;
}

void phrases_in_deinit(struct phrases_in *in)
{
    memory_free(in->known);
    memory_free(in->scratch.block);
}

void phrases_in_turn(struct phrases_in *in)
{
    int64_t now_us = clock_monotonic_us(&system_clock);
    if (now_us - in->window_began_us >= PHRASES_IN_WINDOW_US) {
        in->window_began_us = now_us;
        in->spent_us = 0;
    }
}

/* ---- what is known here --------------------------------------------------------------------- */

static uint64_t *known_slot(const struct phrases_in *in, struct slice text, uint64_t *hash)
{
    *hash = hash64(text, in->seed);
    return &in->known[*hash % PHRASES_IN_KNOWN_SLOTS];
}

static bool is_known(const struct phrases_in *in, struct slice text)
{
    uint64_t hash = 0;
    return *known_slot(in, text, &hash) == hash;
}

static void remember(struct phrases_in *in, struct slice text)
{
    uint64_t hash = 0;
    uint64_t *slot = known_slot(in, text, &hash);
    *slot = hash;
}

/* ---- classifying, within the turn's time ---------------------------------------------------- */

/* At least one as long as there is any time. */
size_t phrases_in_allowance(const struct phrases_in *in, int64_t turn_us)
{
    int64_t left_ns = (turn_us - in->spent_us) * 1000;
    int64_t count = left_ns <= 0 ? 0 : left_ns <= in->each_ns ? 1 : left_ns / in->each_ns;
    return count > CLASSIFIER_BATCH_MAX ? CLASSIFIER_BATCH_MAX : (size_t)count;
}

static void classify(struct phrases_in *in, struct engine *engine, const struct slice *texts,
                     size_t count)
{
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    struct phrase_verdict offers[CLASSIFIER_BATCH_MAX];
    int64_t began_us = clock_monotonic_us(&system_clock);
    in->classifier->classify(in->classifier->context, in->scratch.at, texts, count, verdicts);
    int64_t took_us = clock_monotonic_us(&system_clock) - began_us;
    for (size_t i = 0; i < count; i++) {
        offers[i] = (struct phrase_verdict){texts[i], verdicts[i]};
        remember(in, texts[i]);
    }
    engine_offer_verdicts(engine, offers, count);
    in->spent_us += took_us;
    in->each_ns += (took_us * 1000 / (int64_t)count - in->each_ns) / EACH_NS_SHARE;
    counter_add(&in->classified, count);
    histogram_add(&in->classify_us, histogram_bounds_us, (uint64_t)took_us, 1);
}

/* At most ASK_MAX texts. */
static void ask(struct worker *worker, struct engine *engine, const struct slice *texts,
                size_t count, int64_t turn_us)
{
    struct phrases_in *in = &worker->phrases;
    uint32_t at[ASK_MAX];
    struct slice unknown[ASK_MAX];
    bool is_new[ASK_MAX] = {false};
    size_t from = 0;
    gate_enter(worker->server->gate, worker->index);
    size_t found = engine_phrases_to_classify(engine, texts, count, false, &from, at, ASK_MAX);
    gate_leave(worker->server->gate, worker->index);
    for (size_t i = 0; i < found; i++) {
        unknown[i] = texts[at[i]];
        is_new[at[i]] = true;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_new[i]) {
            remember(in, texts[i]);
        }
    }
    size_t done = 0;
    for (size_t part = 0; done < found && (part = phrases_in_allowance(in, turn_us)) > 0;
         done += part) {
        part = part < found - done ? part : found - done;
        classify(in, engine, unknown + done, part);
    }
    if (done < found) {
        counter_add(&in->left, found - done);
        backlog_kick(worker->server->backlog);
    }
}

void phrases_in_offer(struct worker *worker, struct engine *engine, const struct slice *texts,
                      size_t count)
{
    for (size_t at = 0; worker->phrases.classifier != NULL && at < count; at += ASK_MAX) {
        ask(worker, engine, texts + at, count - at < ASK_MAX ? count - at : ASK_MAX,
            PHRASES_IN_TURN_US);
    }
}

static bool lookups_go_on(const struct worker *worker)
{
    return clock_monotonic_us(&system_clock) - worker->looked_up_us < PHRASES_IN_CALM_US;
}

void phrases_in_offer_records(struct worker *worker, struct engine *engine,
                              const struct submission *submission)
{
    struct phrases_in *in = &worker->phrases;
    struct slice texts[ASK_MAX];
    size_t count = 0;
    bool few = submission->draft_count <= PHRASES_IN_FEW_RECORDS;
    int64_t turn_us = few ? PHRASES_IN_TURN_US : lookups_go_on(worker) ? 0 : PHRASES_IN_BULK_US;
    for (size_t i = 0; in->classifier != NULL && i < submission->draft_count; i++) {
        const struct record *record = submission->drafts[i].record;
        for (size_t k = 0; record != NULL && k < record->interest_count; k++) {
            if (!few && is_known(in, record->interests[k])) {
                continue;
            }
            texts[count++] = record->interests[k];
            if (count == ASK_MAX) {
                ask(worker, engine, texts, count, turn_us);
                count = 0;
            }
        }
    }
    if (count > 0) {
        ask(worker, engine, texts, count, turn_us);
    }
}
