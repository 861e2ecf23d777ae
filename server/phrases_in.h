/* phrases_in.h: a worker classifies the phrases of records before it submits them, so that a new
 * phrase's cohort is there when the 2xx is (engine/interests.h says how the verdicts get to the
 * writer).
 *
 *   texts ─known here?─▶ (dropped) ─gate: engine_phrases_to_classify─▶ (dropped) ─budget─▶ classify ─▶ engine_offer_verdicts
 *                                                                            └─ spent: left to the backlog (backlog.h)
 *
 * In PHRASES_IN_WINDOW_US (a turn of the loop, when that is longer) PHRASES_IN_TURN_US is spent on
 * classifying and not more, whatever is sent: other clients wait no more than that. A bulk body
 * gets PHRASES_IN_BULK_US of it, so that it is not slowed down, and nothing while lookups go on,
 * the last one less than PHRASES_IN_CALM_US ago: one phrase takes as long as ten lookups. What was
 * found to be known is remembered by hash, so that the gate is seldom entered; for a few records it
 * is always asked, because a phrase that nobody holds any more is forgotten.
 *
 * Threading: the worker's own; counters are read by anybody. */
#ifndef KINDRED_SERVER_PHRASES_IN_H
#define KINDRED_SERVER_PHRASES_IN_H

#include "commands/model_choice.h"
#include "engine/engine.h"
#include "metrics.h"

enum {
    PHRASES_IN_WINDOW_US = 1000,
    PHRASES_IN_TURN_US = 2000,
    PHRASES_IN_BULK_US = 200,
    PHRASES_IN_CALM_US = 10000,
    PHRASES_IN_KNOWN_SLOTS = 16384,
    PHRASES_IN_FEW_RECORDS = 32,
};

struct phrases_in {
    const struct classifier *classifier; /* NULL: nothing happens here */
    struct model_scratch scratch;
    uint64_t seed;
    uint64_t *known; /* direct-mapped: hashes of phrases that have a verdict */
    int64_t window_began_us;
    int64_t spent_us; /* by classifying, since then */
    int64_t each_ns;  /* what a phrase costs, a moving average */
    struct counter classified;
    struct counter left; /* to the backlog, for want of time */
    struct histogram classify_us;
};

struct worker;

err phrases_in_init(struct phrases_in *in, const struct classifier *classifier,
                    struct error *error) MUST_USE;
void phrases_in_deinit(struct phrases_in *in);
/* A turn of the loop is over. */
void phrases_in_turn(struct phrases_in *in);

/* How many phrases a turn of turn_us still has time for, at most CLASSIFIER_BATCH_MAX. Whoever
 * classifies adds to spent_us. */
size_t phrases_in_allowance(const struct phrases_in *in, int64_t turn_us);

/* Before these are submitted. Outside of the gate. */
void phrases_in_offer(struct worker *worker, struct engine *engine, const struct slice *texts,
                      size_t count);
void phrases_in_offer_records(struct worker *worker, struct engine *engine,
                              const struct submission *submission);

#endif
