/* Tries to break bitmap_decode: what it accepts must work like a bitmap and encode to something it
 * accepts again. */
#include <stdint.h>

#include "base/check.h"
#include "index/bitmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bitmap *bitmap = NULL;
    struct bitmap *again = NULL;
    struct error error;
    if (bitmap_decode(slice_of(data, size), &bitmap, &error) != ERR_OK) {
        CHECK(error.err == ERR_CORRUPT);
        return 0;
    }
    uint32_t page[64];
    const uint64_t count = bitmap_count(bitmap);
    const size_t read = bitmap_page(bitmap, count / 2, page, 64);
    CHECK(read == (count - count / 2 < 64 ? count - count / 2 : 64));
    for (size_t i = 0; i < read; i++) {
        CHECK(bitmap_contains(bitmap, page[i]) && (i == 0 || page[i - 1] < page[i]));
    }
    struct bitmap *copy = bitmap_copy(bitmap);
    (void)bitmap_add(copy, 70000);
    bitmap_and(copy, bitmap);
    CHECK(bitmap_equal(copy, bitmap) && bitmap_and_count(copy, bitmap) == count);
    bitmap_optimise(copy);
    struct buffer out;
    buffer_init(&out, 64 << 20);
    bitmap_encode(copy, &out);
    CHECK(!out.failed && bitmap_decode(buffer_slice(&out), &again, NULL) == ERR_OK &&
          bitmap_equal(again, bitmap));
    bitmap_and_not(copy, bitmap);
    CHECK(bitmap_empty(copy));
    buffer_deinit(&out);
    bitmap_destroy(again);
    bitmap_destroy(copy);
    bitmap_destroy(bitmap);
    return 0;
}
