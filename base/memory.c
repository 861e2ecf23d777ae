#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct memory_hooks *installed;

void memory_install(const struct memory_hooks *hooks)
{
    installed = hooks;
}

void *memory_alloc(size_t size_bytes)
{
    CHECK(size_bytes > 0);
    return installed ? installed->allocate(installed->context, size_bytes) : malloc(size_bytes);
}

void *memory_zalloc(size_t size_bytes)
{
    CHECK(size_bytes > 0);
    if (installed == NULL) {
        return calloc(1, size_bytes);
    }
    void *block = memory_alloc(size_bytes);
    if (block != NULL) {
        memset(block, 0, size_bytes);
    }
    return block;
}

void *memory_realloc(void *old, size_t size_bytes)
{
    CHECK(size_bytes > 0);
    return installed ? installed->reallocate(installed->context, old, size_bytes)
                     : realloc(old, size_bytes);
}

void memory_free(void *block)
{
    if (installed != NULL) {
        installed->release(installed->context, block);
    } else {
        free(block);
    }
}
