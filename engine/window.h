/* window.h: keys seen lately, each with a value, forgotten by age, by number and by size.
 *
 * Two of them make retries idempotent: receipts (Idempotency-Key ─▶ answer) and message ids (─▶ person). Keys are 128-bit digests,
 * so that what a client chose as a key is stored nowhere. Time is the log entry's, so forgetting is
 * part of the fold.
 *
 * Threading: the writer. Failure: ERR_MEMORY, nothing changed. */
#ifndef KINDRED_ENGINE_WINDOW_H
#define KINDRED_ENGINE_WINDOW_H

#include "base/err.h"
#include "base/slice.h"

enum { WINDOW_KEY_BYTES = 16 };

struct window_key {
    char bytes[WINDOW_KEY_BYTES];
};

struct window_item {
    struct window_key key;
    int64_t at_us;
    uint64_t number;     /* the value, or part of it */
    void *more;          /* owned by the window: memory_free */
    uint32_t more_bytes; /* counted towards the window's maximum */
};

struct window;

/* Remembers at most count_max items with bytes_max bytes of `more`, none older than age_max_us. */
struct window *window_create(uint64_t count_max, uint64_t bytes_max, int64_t age_max_us) MUST_USE;
void window_destroy(struct window *window);

struct window_key window_key_of(struct slice text);

/* NULL when unknown, or too old at `now_us`. Borrowed until the next add. */
const struct window_item *window_find(const struct window *window, const struct window_key *key,
                                      int64_t now_us);
/* Unknown already is fine. */
void window_remove(struct window *window, const struct window_key *key);
/* The key is not there, or too old by now; at_us never goes back (but see window_sort). `more` (may
 * be NULL) is transferred. Calls forgotten(key) for each item that had to go. */
err window_add(struct window *window, const struct window_item *item,
               void (*forgotten)(void *context, const struct window_key *key),
               void *context) MUST_USE;
/* After adding what a checkpoint held in any order, before anything else: oldest first again. */
void window_sort(struct window *window);

#endif
