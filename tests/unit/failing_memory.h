/* failing_memory.h: lets the Nth allocation fail, through the seam of base/memory.h, and counts
 * what is still allocated at the end.
 *
 *     for (uint64_t n = 1; ; n++) {
 *         failing_memory_begin(n);
 *         err e = the_thing(…); … tear it down …
 *         struct failing_memory_end end = failing_memory_end();
 *         EXPECT(end.live_blocks == 0);
 *         if (!end.failed) { break; }           the Nth was never reached: all were tried
 *         EXPECT(e == ERR_MEMORY);
 *     }
 *
 * From the Nth on every allocation fails, as it does when memory is really out;
 * failing_memory_begin_once fails only the Nth. Blocks made before begin must not be freed or grown
 * before end. */
#ifndef KINDRED_TESTS_UNIT_FAILING_MEMORY_H
#define KINDRED_TESTS_UNIT_FAILING_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"

static struct {
    uint64_t calls;
    uint64_t fail_at; /* 0: never */
    bool once;
    bool failed;
    int64_t live_blocks;
} failing_memory;

static bool failing_memory_refuses(void)
{
    failing_memory.calls++;
    if (failing_memory.fail_at == 0 || failing_memory.calls < failing_memory.fail_at ||
        (failing_memory.once && failing_memory.calls > failing_memory.fail_at)) {
        return false;
    }
    failing_memory.failed = true;
    return true;
}
static void *failing_memory_allocate(void *context, size_t size_bytes)
{
    (void)context;
    if (failing_memory_refuses()) {
        return NULL;
    }
    failing_memory.live_blocks++;
    return malloc(size_bytes);
}
static void *failing_memory_reallocate(void *context, void *old, size_t size_bytes)
{
    (void)context;
    if (failing_memory_refuses()) {
        return NULL;
    }
    failing_memory.live_blocks += old == NULL;
    return realloc(old, size_bytes);
}
static void failing_memory_release(void *context, void *block)
{
    (void)context;
    failing_memory.live_blocks -= block != NULL;
    free(block);
}

static const struct memory_hooks failing_memory_hooks = {
    failing_memory_allocate, failing_memory_reallocate, failing_memory_release, NULL};

__attribute__((unused)) static void failing_memory_begin(uint64_t fail_at)
{
    failing_memory.calls = 0;
    failing_memory.fail_at = fail_at;
    failing_memory.once = false;
    failing_memory.failed = false;
    failing_memory.live_blocks = 0;
    memory_install(&failing_memory_hooks);
}
__attribute__((unused)) static void failing_memory_begin_once(uint64_t fail_at)
{
    failing_memory_begin(fail_at);
    failing_memory.once = true;
}

struct failing_memory_end {
    bool failed; /* an allocation was refused */
    int64_t live_blocks;
};
__attribute__((unused)) static struct failing_memory_end failing_memory_end(void)
{
    memory_install(NULL);
    return (struct failing_memory_end){failing_memory.failed, failing_memory.live_blocks};
}

#endif
