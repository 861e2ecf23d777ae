/* memory.h: the allocator seam.
 *
 * Everything on Kindred's heap goes through these calls, so that a test can fail the Nth allocation
 * and see that the caller comes out clean, and so that the memory cap has one place to count.
 * In production they are malloc and friends (jemalloc is linked into the binary).
 *
 * Threading: any. memory_install is for the main thread, before others start.
 * Failure: NULL; the caller answers ERR_MEMORY. A size of 0 is a bug. */
#ifndef KINDRED_BASE_MEMORY_H
#define KINDRED_BASE_MEMORY_H

#include <stddef.h>

#include "base/check.h"

struct memory_hooks {
    void *(*allocate)(void *context, size_t size_bytes);
    void *(*reallocate)(void *context, void *old, size_t size_bytes);
    void (*release)(void *context, void *block);
    void *context;
};

/* NULL puts the default back. The hooks are borrowed until the next install. */
void memory_install(const struct memory_hooks *hooks);

/* Owned by caller; freed with memory_free. */
void *memory_alloc(size_t size_bytes) MUST_USE;
void *memory_zalloc(size_t size_bytes) MUST_USE;
/* On NULL the old block is still there and still the caller's. */
void *memory_realloc(void *old, size_t size_bytes) MUST_USE;
/* NULL is fine. */
void memory_free(void *block);

#endif
