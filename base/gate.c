#include "base/gate.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/memory.h"

enum { CACHE_LINE_BYTES = 64 };

struct gate_slot {
    alignas(CACHE_LINE_BYTES) pthread_mutex_t lock;
    atomic_bool waiting; /* the reader found the gate closed and has not come in since */
};

struct gate {
    void *allocation; /* the block as the allocator gave it, before alignment */
    size_t readers;
    struct gate_slot *slots;
};

struct gate *gate_create(size_t readers)
{
    CHECK(readers > 0);
    struct gate *gate = memory_zalloc(sizeof *gate);
    if (gate == NULL) {
        return NULL;
    }
    gate->allocation = memory_zalloc(readers * sizeof(struct gate_slot) + CACHE_LINE_BYTES);
    if (gate->allocation == NULL) {
        memory_free(gate);
        return NULL;
    }
    size_t misaligned = (size_t)gate->allocation % CACHE_LINE_BYTES;
    char *aligned = (char *)gate->allocation + (misaligned ? CACHE_LINE_BYTES - misaligned : 0);
    gate->slots = (struct gate_slot *)(void *)aligned;
    gate->readers = readers;
    for (size_t i = 0; i < readers; i++) {
        CHECK(pthread_mutex_init(&gate->slots[i].lock, NULL) == 0);
    }
    return gate;
}

void gate_destroy(struct gate *gate)
{
    if (gate == NULL) {
        return;
    }
    for (size_t i = 0; i < gate->readers; i++) {
        pthread_mutex_destroy(&gate->slots[i].lock);
    }
    memory_free(gate->allocation);
    memory_free(gate);
}

void gate_enter(struct gate *gate, size_t slot)
{
    CHECK(slot < gate->readers);
    struct gate_slot *own = &gate->slots[slot];
    if (pthread_mutex_trylock(&own->lock) == 0) {
        return;
    }
    atomic_store(&own->waiting, true);
    CHECK(pthread_mutex_lock(&own->lock) == 0);
    atomic_store(&own->waiting, false);
}

void gate_leave(struct gate *gate, size_t slot)
{
    CHECK(pthread_mutex_unlock(&gate->slots[slot].lock) == 0);
}

/* A mutex is not fair: a writer that opens and closes again at once would take it before the reader
 * it has woken gets a processor, slice after slice. So whoever has waited goes first; bounded,
 * should that thread not be run at all. */
static void let_in(struct gate_slot *slot)
{
    enum { YIELDS_MAX = 1000 };
    for (int i = 0; i < YIELDS_MAX && atomic_load(&slot->waiting); i++) {
        sched_yield();
    }
}

void gate_close(struct gate *gate)
{
    for (size_t i = 0; i < gate->readers; i++) {
        let_in(&gate->slots[i]);
    }
    for (size_t i = 0; i < gate->readers; i++) {
        CHECK(pthread_mutex_lock(&gate->slots[i].lock) == 0);
    }
}

void gate_open(struct gate *gate)
{
    for (size_t i = gate->readers; i > 0; i--) {
        CHECK(pthread_mutex_unlock(&gate->slots[i - 1].lock) == 0);
    }
}
