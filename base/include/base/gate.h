/* gate.h: many readers share, one writer excludes, and a reader pays 20 ns.
 *
 * Each reader has a mutex of its own on its own cache line, which nobody else touches while the
 * writer is away. The writer takes all of them, in order, for one short slice. ("Big-reader lock";
 * see Corbet, "Big reader locks", LWN 2010.) Slices are bounded by the writer, not here.
 *
 *   rules  1. a reader holds its slot for one answer (or one pipelined batch), never across I/O
 *          2. the writer holds the gate for at most a few hundred records
 *          3. pointers into the state seen through the gate die when it is left
 *          4. a reader that found the gate closed comes in before the writer's next slice
 *
 * Threading: gate_enter(slot) by the one thread that owns the slot; gate_close by the one
 * writer. */
#ifndef KINDRED_BASE_GATE_H
#define KINDRED_BASE_GATE_H

#include <stddef.h>

#include "base/check.h"

struct gate;

/* Owned by caller; NULL when memory is out. */
struct gate *gate_create(size_t readers) MUST_USE;
void gate_destroy(struct gate *gate);

void gate_enter(struct gate *gate, size_t slot);
void gate_leave(struct gate *gate, size_t slot);

/* The writer's side: after gate_close no reader is inside, until gate_open. */
void gate_close(struct gate *gate);
void gate_open(struct gate *gate);

#endif
