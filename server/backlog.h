/* backlog.h: a thread that classifies what nobody has classified yet: what a flood left behind
 * (phrases_in.h), what was imported, and everything after a change of the model.
 *
 *   gate: engine_pending_phrases ─▶ classify ─▶ writer: SUBMIT_VERDICTS ─▶ done ─▶ again, until none is pending
 *
 * One batch at a time is with the writer, so that records pass between two batches, and the thread
 * runs at a lower priority than the workers. When nothing is pending it looks again after
 * BACKLOG_WAIT_MIN_MS, then after twice that, up to BACKLOG_WAIT_MAX_MS; backlog_kick makes it look
 * soon.
 *
 * Threading: backlog_kick and the counters from any thread, the rest by the owner. */
#ifndef KINDRED_SERVER_BACKLOG_H
#define KINDRED_SERVER_BACKLOG_H

#include "commands/model_choice.h"
#include "engine/engine.h"
#include "metrics.h"
#include "writer.h"

struct backlog;

enum { BACKLOG_WAIT_MIN_MS = 5, BACKLOG_WAIT_MAX_MS = 320 };

struct backlog_metrics {
    struct counter classified, batches;
    struct histogram classify_us;
};

/* All borrowed; the slot of the gate is this thread's. Owned by caller; NULL when memory is out. */
struct backlog *backlog_create(const struct classifier *classifier, struct gate *gate, size_t slot,
                               struct writer *writer) MUST_USE;
/* The engine is open. Once; false: no thread could be made. */
bool backlog_start(struct backlog *backlog, struct engine *engine) MUST_USE;
/* Ends the thread, if it was started. The writer must still be running, or have ended everything
 * that was queued. */
void backlog_stop(struct backlog *backlog);
/* NULL is fine. */
void backlog_destroy(struct backlog *backlog);

/* There will be something soon. NULL is fine. */
void backlog_kick(struct backlog *backlog);
const struct backlog_metrics *backlog_metrics(const struct backlog *backlog);

#endif
