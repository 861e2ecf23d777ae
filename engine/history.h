/* history.h: the older entry sequences of people with very many entries.
 *
 * A profile carries its newest sequences itself; when they are more than HISTORY_INLINE_MAX the
 * oldest HISTORY_CHUNK of them leave for an immutable chunk here, so that one more entry never
 * rewrites a long list. Few people have any.
 *
 * Threading: reading shares; the rest excludes. */
#ifndef KINDRED_ENGINE_HISTORY_H
#define KINDRED_ENGINE_HISTORY_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/slice.h"

enum { HISTORY_INLINE_MAX = 512, HISTORY_CHUNK = 384 };

struct history;

struct history *history_create(void) MUST_USE;
void history_destroy(struct history *history);

/* Delta-coded ascending sequences; copied. Its chunk number is history_count before the call. */
err history_add(struct history *history, uint32_t person, struct slice chunk) MUST_USE;
uint32_t history_count(const struct history *history, uint32_t person);
struct slice history_chunk(const struct history *history, uint32_t person, uint32_t index);
/* All of `from`'s chunks go behind those of `to`. */
err history_move(struct history *history, uint32_t from, uint32_t to) MUST_USE;
void history_remove(struct history *history, uint32_t person);

void history_encode(const uint64_t *sequences, size_t count, struct buffer *out);
/* Appends up to `room` sequences to out; returns how many the chunk has. */
size_t history_decode(struct slice chunk, uint64_t *out, size_t room);

#endif
