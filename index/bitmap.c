#include "index/bitmap.h"

#include <roaring/containers/array.h>
#include <roaring/containers/container_defs.h>
#include <roaring/roaring.h>

#include "base/check.h"
#include "base/memory.h"

/* A struct bitmap is CRoaring's own object under a name of ours. */
static roaring_bitmap_t *inner(struct bitmap *bitmap)
{
    return (roaring_bitmap_t *)(void *)bitmap;
}

static const roaring_bitmap_t *inner_const(const struct bitmap *bitmap)
{
    return (const roaring_bitmap_t *)(const void *)bitmap;
}

static struct bitmap *outer(roaring_bitmap_t *roaring)
{
    CHECK(roaring != NULL);
    return (struct bitmap *)(void *)roaring;
}

struct bitmap *bitmap_create(void)
{
    return outer(roaring_bitmap_create());
}

struct bitmap *bitmap_copy(const struct bitmap *from)
{
    return outer(roaring_bitmap_copy(inner_const(from)));
}

void bitmap_destroy(struct bitmap *bitmap)
{
    if (bitmap != NULL) {
        roaring_bitmap_free(inner(bitmap));
    }
}

bool bitmap_add(struct bitmap *bitmap, uint32_t number)
{
    return roaring_bitmap_add_checked(inner(bitmap), number);
}

bool bitmap_remove(struct bitmap *bitmap, uint32_t number)
{
    return roaring_bitmap_remove_checked(inner(bitmap), number);
}

bool bitmap_contains(const struct bitmap *bitmap, uint32_t number)
{
    return roaring_bitmap_contains(inner_const(bitmap), number);
}

uint64_t bitmap_count(const struct bitmap *bitmap)
{
    return roaring_bitmap_get_cardinality(inner_const(bitmap));
}

bool bitmap_empty(const struct bitmap *bitmap)
{
    return roaring_bitmap_is_empty(inner_const(bitmap));
}

bool bitmap_equal(const struct bitmap *a, const struct bitmap *b)
{
    return roaring_bitmap_equals(inner_const(a), inner_const(b));
}

void bitmap_or(struct bitmap *a, const struct bitmap *b)
{
    roaring_bitmap_or_inplace(inner(a), inner_const(b));
}

void bitmap_and(struct bitmap *a, const struct bitmap *b)
{
    roaring_bitmap_and_inplace(inner(a), inner_const(b));
}

void bitmap_and_not(struct bitmap *a, const struct bitmap *b)
{
    roaring_bitmap_andnot_inplace(inner(a), inner_const(b));
}

/* A bitmap that grew over months has its containers all over the heap: going through it waits for
 * memory twice per container, which is most of a union's time. So the loads are started one and two
 * bitmaps ahead. */
static void prefetch_containers(const roaring_bitmap_t *roaring)
{
    const roaring_array_t *all = &roaring->high_low_container;
    for (int32_t i = 0; i < all->size; i++) {
        __builtin_prefetch(all->containers[i]);
    }
}

static void prefetch_arrays(const roaring_bitmap_t *roaring)
{
    enum { LINE = 64, LINES_MAX = 4 }; /* the processor sees a longer row coming by itself */
    const roaring_array_t *all = &roaring->high_low_container;
    for (int32_t i = 0; i < all->size; i++) {
        if (all->typecodes[i] == ARRAY_CONTAINER_TYPE) {
            const array_container_t *array = all->containers[i];
            const char *at = (const char *)array->array;
            const int32_t bytes = array->cardinality * (int32_t)sizeof *array->array;
            for (int32_t line = 0; line < LINES_MAX && line * LINE < bytes; line++) {
                __builtin_prefetch(at + line * LINE);
            }
        }
    }
}

struct bitmap *bitmap_or_many(const struct bitmap *const *bitmaps, size_t count)
{
    /* Lazy: counts are put right once, at the end. */
    roaring_bitmap_t *sum = roaring_bitmap_create();
    CHECK(sum != NULL);
    for (size_t i = 0; i < count; i++) {
        if (i + 2 < count) {
            prefetch_containers(inner_const(bitmaps[i + 2]));
        }
        if (i + 1 < count) {
            prefetch_arrays(inner_const(bitmaps[i + 1]));
        }
        roaring_bitmap_lazy_or_inplace(sum, inner_const(bitmaps[i]), true);
    }
    roaring_bitmap_repair_after_lazy(sum);
    return outer(sum);
}

uint64_t bitmap_and_count(const struct bitmap *a, const struct bitmap *b)
{
    return roaring_bitmap_and_cardinality(inner_const(a), inner_const(b));
}

void bitmap_add_range(struct bitmap *bitmap, uint32_t from, uint32_t to)
{
    if (from < to) {
        roaring_bitmap_add_range(inner(bitmap), from, to);
    }
}

size_t bitmap_page(const struct bitmap *bitmap, uint64_t offset, uint32_t *out, size_t limit)
{
    uint32_t first = 0;
    if (offset > UINT32_MAX ||
        !roaring_bitmap_select(inner_const(bitmap), (uint32_t)offset, &first)) {
        return 0;
    }
    return bitmap_page_from(bitmap, first, out, limit);
}

size_t bitmap_page_from(const struct bitmap *bitmap, uint32_t from, uint32_t *out, size_t limit)
{
    roaring_uint32_iterator_t iterator;
    roaring_iterator_init(inner_const(bitmap), &iterator);
    if (from > 0 && !roaring_uint32_iterator_move_equalorlarger(&iterator, from)) {
        return 0;
    }
    size_t count = 0;
    while (count < limit) {
        uint32_t room = limit - count < UINT32_MAX ? (uint32_t)(limit - count) : UINT32_MAX;
        uint32_t read = roaring_uint32_iterator_read(&iterator, out + count, room);
        if (read == 0) {
            break;
        }
        count += read;
    }
    return count;
}

void bitmap_each(const struct bitmap *bitmap, bool (*visit)(void *context, uint32_t number),
                 void *context)
{
    roaring_uint32_iterator_t iterator;
    roaring_iterator_init(inner_const(bitmap), &iterator);
    uint32_t numbers[256];
    for (;;) {
        uint32_t read =
            roaring_uint32_iterator_read(&iterator, numbers, (uint32_t)ARRAY_COUNT(numbers));
        for (uint32_t i = 0; i < read; i++) {
            if (!visit(context, numbers[i])) {
                return;
            }
        }
        if (read < ARRAY_COUNT(numbers)) {
            return;
        }
    }
}

void bitmap_optimise(struct bitmap *bitmap)
{
    roaring_bitmap_run_optimize(inner(bitmap));
    roaring_bitmap_shrink_to_fit(inner(bitmap));
}

uint64_t bitmap_memory_bytes(const struct bitmap *bitmap)
{
    /* The containers as they would be stored, and what CRoaring keeps around each. */
    const roaring_bitmap_t *roaring = inner_const(bitmap);
    const uint64_t around = sizeof *roaring +
                            (uint64_t)roaring->high_low_container.allocation_size * 11 +
                            (uint64_t)roaring->high_low_container.size * 16;
    return around + roaring_bitmap_portable_size_in_bytes(roaring);
}

void bitmap_encode(const struct bitmap *bitmap, struct buffer *out)
{
    const size_t length = roaring_bitmap_portable_size_in_bytes(inner_const(bitmap));
    char *room = buffer_reserve(out, length);
    if (room != NULL) {
        CHECK(roaring_bitmap_portable_serialize(inner_const(bitmap), room) == length);
        buffer_commit(out, length);
    }
}

err bitmap_decode(struct slice bytes, struct bitmap **out, struct error *error)
{
    const size_t length =
        bytes.length == 0 ? 0 : roaring_bitmap_portable_deserialize_size(bytes.data, bytes.length);
    if (length == 0 || length != bytes.length) {
        return error_set(error, ERR_CORRUPT, "bitmap_corrupt", 0,
                         "a stored bitmap is cut short or has bytes behind its end");
    }
    roaring_bitmap_t *roaring = roaring_bitmap_portable_deserialize_safe(bytes.data, bytes.length);
    if (roaring == NULL) {
        return error_set(error, ERR_CORRUPT, "bitmap_corrupt", 0, "a stored bitmap cannot be read");
    }
    const char *reason = NULL;
    if (!roaring_bitmap_internal_validate(roaring, &reason)) {
        roaring_bitmap_free(roaring);
        return error_set(error, ERR_CORRUPT, "bitmap_corrupt", 0,
                         "a stored bitmap is not valid: %s", reason != NULL ? reason : "unknown");
    }
    *out = outer(roaring);
    return ERR_OK;
}
