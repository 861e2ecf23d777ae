/* asking.h: texts that a handler wants classified, however many, without holding up the worker's
 * loop.
 *
 *   texts ─▶ what the engine knows already ─▶ few left: here and now, within the turn's time (phrases_in.h)
 *                                          └─▶ many, or explanations: libuv's thread pool ─▶ back on the worker ─▶ finish
 *
 * Threading: the worker's thread; the pool's thread sees only the texts and the results. */
#ifndef KINDRED_SERVER_ASKING_H
#define KINDRED_SERVER_ASKING_H

#include <uv.h>

#include "commands/model_choice.h"
#include "exchange.h"
#include "worker.h"

struct asking {
    /* ---- the handler's; in the exchange's arena, like this struct ---- */
    const struct slice *texts;
    size_t count;
    bool explain;
    void (*finish)(struct exchange *x, struct asking *asking);
    void *context;
    /* ---- the results, by finish; without a classifier all verdicts are empty ---- */
    struct verdict *verdicts;
    struct model_explanation *explanations; /* NULL: not asked for, or no model */
    uint32_t *asked;                        /* the places of those that nobody had classified */
    size_t asked_count;
    /* ---- its own ---- */
    struct exchange *x;
    uv_work_t work;
    struct completion *completion;
    struct model_scratch scratch;
    int64_t took_us;
    bool failed;
};

/* `finish` is called now or later, once, outside of the gate; it answers, submits, or goes on
 * (exchange_again). When memory is out, or the client is gone, it is not called, and the client was
 * answered. */
void asking_begin(struct exchange *x, struct asking *asking);
/* Gives the writer the verdicts of what was asked, before a submission that needs them. */
void asking_offer(struct exchange *x, const struct asking *asking);

#endif
