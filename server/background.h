/* background.h: a thread that does one long thing at a time for the writer: writes a checkpoint, or
 * scrubs an erasure.
 *
 * Threading: all calls by the writer. When the work is done the writer's queue is woken. */
#ifndef KINDRED_SERVER_BACKGROUND_H
#define KINDRED_SERVER_BACKGROUND_H

#include "base/queue.h"
#include "engine/engine.h"

struct background;

/* Starts the thread. The queue is borrowed. NULL when memory or threads are out. */
struct background *background_create(struct queue *wake) MUST_USE;
/* Nothing may be under way. NULL is fine. */
void background_destroy(struct background *background);

void background_checkpoint(struct background *background, struct engine_snapshot *snapshot);
void background_scrub(struct background *background, struct engine *engine, uint64_t erasure);

/* True once for each thing begun, when it is done. */
bool background_finished(struct background *background, err *outcome, struct error *error);
/* Sleeps until background_finished will say so. */
void background_wait(struct background *background);

#endif
