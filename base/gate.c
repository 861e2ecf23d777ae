#include "base/gate.h"

#include <pthread.h>
#include <stdalign.h>

#include "base/memory.h"

enum { CACHE_LINE_BYTES = 64 };

struct gate_slot {
    alignas(CACHE_LINE_BYTES) pthread_mutex_t lock;
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
    CHECK(pthread_mutex_lock(&gate->slots[slot].lock) == 0);
}

void gate_leave(struct gate *gate, size_t slot)
{
    CHECK(pthread_mutex_unlock(&gate->slots[slot].lock) == 0);
}

void gate_close(struct gate *gate)
{
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
