/* queue.h: a bounded queue of pointers between threads.
 *
 *   producers ──queue_push──▶ [ ring, at most capacity ] ──queue_pop_many──▶ one consumer
 *
 * Order is the order of pushes. A full queue refuses (the caller answers 429/503); it never grows
 * and never blocks a producer. The consumer sleeps when there is nothing.
 *
 * Threading: any number of producers, one consumer. */
#ifndef KINDRED_BASE_QUEUE_H
#define KINDRED_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct queue;

/* Owned by caller; NULL when memory is out. */
struct queue *queue_create(size_t capacity) MUST_USE;
/* The items still inside are the caller's to free: pop them first. */
void queue_destroy(struct queue *queue);

/* ERR_BUSY when full, ERR_STOPPING after queue_close. On success the item is transferred. */
err queue_push(struct queue *queue, void *item) MUST_USE;

/* Takes up to `max` items. Waits until there is one, `wait_us` passed (< 0: for ever), somebody
 * called queue_wake, or the queue was closed. Returns how many; 0 means nothing came. */
size_t queue_pop_many(struct queue *queue, void **items, size_t max, int64_t wait_us);

/* No more pushes; the consumer drains what is there and is woken. */
void queue_close(struct queue *queue);
bool queue_closed(const struct queue *queue);
/* Wakes the consumer although nothing was pushed. */
void queue_wake(struct queue *queue);
size_t queue_length(const struct queue *queue);

#endif
