/* Tries to break: order and bounds of the queue under many producers, a reader seeing half of a
 * writer's change through the gate. */
#include <pthread.h>
#include <sched.h>

#include "base/gate.h"
#include "base/queue.h"
#include "unit/test.h"

enum { PRODUCERS = 4, ITEMS_EACH = 20000, READERS = 3, CHANGES = 2000 };

struct producer {
    struct queue *queue;
    uintptr_t id;
};

static void *produce(void *context)
{
    struct producer *producer = context;
    for (uintptr_t i = 1; i <= ITEMS_EACH; i++) {
        while (queue_push(producer->queue, (void *)(producer->id << 32 | i)) == ERR_BUSY) {
            sched_yield();
        }
    }
    return NULL;
}

static void test_queue_keeps_each_producers_order_and_loses_nothing(void)
{
    struct queue *queue = queue_create(64);
    pthread_t threads[PRODUCERS];
    struct producer producers[PRODUCERS];
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){queue, i};
        pthread_create(&threads[i], NULL, produce, &producers[i]);
    }
    uintptr_t last[PRODUCERS] = {0};
    size_t total = 0;
    while (total < (size_t)PRODUCERS * ITEMS_EACH) {
        void *items[32];
        size_t count = queue_pop_many(queue, items, 32, -1);
        for (size_t i = 0; i < count; i++) {
            uintptr_t item = (uintptr_t)items[i];
            EXPECT((item & 0xFFFFFFFFu) == last[item >> 32] + 1);
            last[item >> 32] = item & 0xFFFFFFFFu;
        }
        total += count;
    }
    for (size_t i = 0; i < PRODUCERS; i++) {
        pthread_join(threads[i], NULL);
    }
    EXPECT(queue_length(queue) == 0);
    queue_destroy(queue);
}

static void test_queue_refuses_when_full_and_after_close(void)
{
    struct queue *queue = queue_create(2);
    int item = 0;
    EXPECT(queue_push(queue, &item) == ERR_OK && queue_push(queue, &item) == ERR_OK);
    EXPECT(queue_push(queue, &item) == ERR_BUSY);
    queue_close(queue);
    void *items[4];
    EXPECT(queue_pop_many(queue, items, 4, -1) == 2, " what was accepted is drained");
    EXPECT(queue_pop_many(queue, items, 4, -1) == 0, " and then nobody waits");
    EXPECT(queue_push(queue, &item) == ERR_STOPPING);
    queue_destroy(queue);
}

static void test_queue_wait_ends_in_time(void)
{
    struct queue *queue = queue_create(2);
    void *items[1];
    EXPECT(queue_pop_many(queue, items, 1, 0) == 0);
    EXPECT(queue_pop_many(queue, items, 1, 2000) == 0);
    queue_wake(queue);
    EXPECT(queue_pop_many(queue, items, 1, -1) == 0, " woken without an item");
    queue_destroy(queue);
}

struct pair {
    struct gate *gate;
    size_t slot;
    volatile int *a, *b;
    int *stop;
    int torn;
};

static void *read_pairs(void *context)
{
    struct pair *pair = context;
    for (bool more = true; more;) {
        gate_enter(pair->gate, pair->slot);
        pair->torn += *pair->a != *pair->b;
        more = !*pair->stop;
        gate_leave(pair->gate, pair->slot);
    }
    return NULL;
}

static void test_gate_shows_no_half_change(void)
{
    struct gate *gate = gate_create(READERS);
    volatile int a = 0;
    volatile int b = 0;
    int stop = 0;
    pthread_t threads[READERS];
    struct pair pairs[READERS];
    for (size_t i = 0; i < READERS; i++) {
        pairs[i] = (struct pair){gate, i, &a, &b, &stop, 0};
        pthread_create(&threads[i], NULL, read_pairs, &pairs[i]);
    }
    for (int i = 0; i < CHANGES; i++) {
        gate_close(gate);
        a++;
        if (i % 16 == 0) {
            sched_yield(); /* a reader that is not kept out comes now */
        }
        b++;
        stop = i == CHANGES - 1;
        gate_open(gate);
    }
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        EXPECT(pairs[i].torn == 0);
    }
    gate_destroy(gate);
}

int main(void)
{
    RUN(test_queue_keeps_each_producers_order_and_loses_nothing);
    RUN(test_queue_refuses_when_full_and_after_close);
    RUN(test_queue_wait_ends_in_time);
    RUN(test_gate_shows_no_half_change);
    return test_summary();
}
