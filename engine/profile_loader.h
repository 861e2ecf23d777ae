/* profile_loader.h: at start, profiles are indexed beside the reading of them.
 *
 *   checkpoint_scan ─▶ batch of blobs ─┬─▶ identifiers: their table, and who moved
 *   (calling thread)   (ring of a few) └─▶ values: names, phrases, attributes, everybody
 *
 * The two kinds of index have nothing in common, so each may have a thread of its own; each takes
 * the batches in the order of the reading, so that what comes of it does not depend on threads.
 * With 0 threads all of it happens on the calling one, in the same order: what simulations and
 * tests that count allocations need.
 *
 * Failure: the first error of an index ends the loading, at the next batch. When a thread cannot be
 * had its work is done on the calling one. */
#ifndef KINDRED_ENGINE_PROFILE_LOADER_H
#define KINDRED_ENGINE_PROFILE_LOADER_H

#include "base/err.h"

struct engine;
struct profile_loader;

/* Owned by caller until profile_loader_finish. ERR_MEMORY. */
err profile_loader_create(struct engine *engine, unsigned threads,
                          struct profile_loader **out) MUST_USE;
/* The blob is the engine's people's already and stays where it is. One thread. */
err profile_loader_add(struct profile_loader *loader, const void *blob) MUST_USE;
/* Waits until everything added is indexed, and frees the loader (NULL is fine). */
err profile_loader_finish(struct profile_loader *loader) MUST_USE;

#endif
