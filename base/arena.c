#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "base/memory.h"

struct arena_block {
    struct arena_block *next;
    size_t capacity_bytes;
    alignas(max_align_t) char data[];
};

enum { ARENA_ALIGNMENT = alignof(max_align_t), ARENA_FIRST_BLOCK_BYTES = 4096 };
static const size_t ARENA_KEEP_BYTES = 64 * 1024;

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){.max_bytes = max_bytes, .keep_bytes = ARENA_KEEP_BYTES};
}

static void free_chain(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        memory_free(block);
        block = next;
    }
}

void arena_deinit(struct arena *arena)
{
    free_chain(arena->head);
    arena->head = NULL;
    arena->used_bytes = 0;
    arena->total_bytes = 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->head;
    if (kept == NULL) {
        return;
    }
    free_chain(kept->next);
    kept->next = NULL;
    arena->used_bytes = 0;
    arena->total_bytes = kept->capacity_bytes;
    if (kept->capacity_bytes > arena->keep_bytes) {
        arena_deinit(arena);
    }
}

/* Blocks double, so that a large request costs a handful of mallocs. */
static bool add_block(struct arena *arena, size_t need_bytes)
{
    size_t capacity = arena->head ? arena->head->capacity_bytes * 2 : ARENA_FIRST_BLOCK_BYTES;
    size_t room = arena->max_bytes - arena->total_bytes;
    if (capacity < need_bytes) {
        capacity = need_bytes;
    }
    if (capacity > room) {
        capacity = room;
    }
    if (capacity < need_bytes) {
        return false;
    }
    struct arena_block *block = memory_alloc(sizeof *block + capacity);
    if (block == NULL) {
        return false;
    }
    block->next = arena->head;
    block->capacity_bytes = capacity;
    arena->head = block;
    arena->used_bytes = 0;
    arena->total_bytes += capacity;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX / 2) {
        return NULL;
    }
    size_t rounded = (size_bytes + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (rounded == 0) {
        rounded = ARENA_ALIGNMENT;
    }
    if (arena->head == NULL || arena->head->capacity_bytes - arena->used_bytes < rounded) {
        if (!add_block(arena, rounded)) {
            return NULL;
        }
    }
    void *result = arena->head->data + arena->used_bytes;
    arena->used_bytes += rounded;
    return result;
}

void *arena_zalloc(struct arena *arena, size_t size_bytes)
{
    void *block = arena_alloc(arena, size_bytes);
    if (block != NULL && size_bytes > 0) {
        memset(block, 0, size_bytes);
    }
    return block;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    char *copy = arena_alloc(arena, bytes.length + 1);
    if (copy == NULL) {
        return SLICE_NONE;
    }
    if (bytes.length > 0) {
        memcpy(copy, bytes.data, bytes.length);
    }
    copy[bytes.length] = '\0';
    return slice_of(copy, bytes.length);
}
