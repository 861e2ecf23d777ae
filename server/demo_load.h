/* demo_load.h: the demo population, taken in by the way every record takes, before the server is
 * ready.
 *
 * Threading: the writer's thread. */
#ifndef KINDRED_SERVER_DEMO_LOAD_H
#define KINDRED_SERVER_DEMO_LOAD_H

#include "engine/engine.h"

err demo_load(struct engine *engine, uint64_t people, struct error *error) MUST_USE;

#endif
