#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/memory.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    size_t capacity;
    size_t head; /* next to pop */
    size_t length;
    bool closed;
    bool woken;
    void *items[];
};

struct queue *queue_create(size_t capacity)
{
    CHECK(capacity > 0);
    struct queue *queue = memory_zalloc(sizeof *queue + capacity * sizeof(void *));
    if (queue == NULL) {
        return NULL;
    }
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_mutex_init(&queue->lock, NULL) == 0);
    CHECK(pthread_cond_init(&queue->filled, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    queue->capacity = capacity;
    return queue;
}

void queue_destroy(struct queue *queue)
{
    if (queue == NULL) {
        return;
    }
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    memory_free(queue);
}

err queue_push(struct queue *queue, void *item)
{
    err e = ERR_OK;
    pthread_mutex_lock(&queue->lock);
    if (queue->closed) {
        e = ERR_STOPPING;
    } else if (queue->length == queue->capacity) {
        e = ERR_BUSY;
    } else {
        queue->items[(queue->head + queue->length) % queue->capacity] = item;
        queue->length++;
        if (queue->length == 1) {
            pthread_cond_signal(&queue->filled);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return e;
}

static void wait_for_items(struct queue *queue, int64_t wait_us)
{
    struct timespec until = {0};
    if (wait_us > 0) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t total_ns = until.tv_nsec + wait_us % 1000000 * 1000;
        until.tv_sec += wait_us / 1000000 + total_ns / 1000000000;
        until.tv_nsec = total_ns % 1000000000;
    }
    while (queue->length == 0 && !queue->closed && !queue->woken && wait_us != 0) {
        if (wait_us < 0) {
            pthread_cond_wait(&queue->filled, &queue->lock);
        } else if (pthread_cond_timedwait(&queue->filled, &queue->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    queue->woken = false;
}

size_t queue_pop_many(struct queue *queue, void **items, size_t max, int64_t wait_us)
{
    pthread_mutex_lock(&queue->lock);
    wait_for_items(queue, wait_us);
    size_t count = queue->length < max ? queue->length : max;
    for (size_t i = 0; i < count; i++) {
        items[i] = queue->items[queue->head];
        queue->head = (queue->head + 1) % queue->capacity;
    }
    queue->length -= count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

void queue_wake(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->woken = true;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

/* The lock is not part of what a reader of a const queue may see change. */
static struct queue *unconst(const struct queue *queue)
{
    union {
        const struct queue *in;
        struct queue *out;
    } cast = {.in = queue};
    return cast.out;
}

bool queue_closed(const struct queue *queue)
{
    struct queue *q = unconst(queue);
    pthread_mutex_lock(&q->lock);
    bool closed = q->closed;
    pthread_mutex_unlock(&q->lock);
    return closed;
}

size_t queue_length(const struct queue *queue)
{
    struct queue *q = unconst(queue);
    pthread_mutex_lock(&q->lock);
    size_t length = q->length;
    pthread_mutex_unlock(&q->lock);
    return length;
}
