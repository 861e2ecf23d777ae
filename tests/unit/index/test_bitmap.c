/* Tries to break the bitmap against an array of truths: all operations at container borders
 * (65,536) and in arrays, bitsets and runs; pages at any offset; encoded bytes cut, flipped and
 * with bytes behind, which must be refused or give a bitmap that works. */
#include "unit/test.h"

#include "index/bitmap.h"
#include "unit/seed.h"

static uint64_t seed;

enum { LIMIT = 200000 };

struct model {
    struct bitmap *bitmap;
    bool has[LIMIT];
};

static struct model *model_create(struct prng *prng)
{
    struct model *model = calloc(1, sizeof *model);
    model->bitmap = bitmap_create();
    for (size_t n = prng_below(prng, 6); n > 0; n--) {
        uint32_t from = (uint32_t)prng_below(prng, LIMIT);
        uint32_t to = from + (uint32_t)prng_below(prng, LIMIT - from);
        if (prng_below(prng, 2) == 0) {
            bitmap_add_range(model->bitmap, from, to);
            memset(model->has + from, 1, to - from);
            continue;
        }
        for (uint32_t step = 1 + (uint32_t)prng_below(prng, 50), i = from; i < to; i += step) {
            bitmap_add(model->bitmap, i);
            model->has[i] = true;
        }
    }
    if (prng_below(prng, 2) == 0) {
        bitmap_optimise(model->bitmap);
    }
    return model;
}

static void model_destroy(struct model *model)
{
    bitmap_destroy(model->bitmap);
    free(model);
}

static bool collect(void *context, uint32_t number)
{
    uint32_t **at = context;
    *(*at)++ = number;
    return true;
}

static void expect_same(const struct model *model, struct prng *prng)
{
    static uint32_t wanted[LIMIT];
    static uint32_t got[LIMIT];
    size_t count = 0;
    for (uint32_t i = 0; i < LIMIT; i++) {
        if (model->has[i]) {
            wanted[count++] = i;
        }
    }
    REQUIRE(bitmap_count(model->bitmap) == count && bitmap_empty(model->bitmap) == (count == 0));
    REQUIRE(bitmap_page(model->bitmap, 0, got, LIMIT) == count &&
            memcmp(got, wanted, count * sizeof *got) == 0);
    uint32_t *at = got;
    bitmap_each(model->bitmap, collect, &at);
    REQUIRE((size_t)(at - got) == count && memcmp(got, wanted, count * sizeof *got) == 0);
    for (int i = 0; i < 20; i++) {
        const uint64_t offset = prng_below(prng, count + 3);
        const size_t limit = prng_below(prng, 500);
        size_t expected = offset < count ? count - offset : 0;
        expected = expected < limit ? expected : limit;
        REQUIRE(bitmap_page(model->bitmap, offset, got, limit) == expected &&
                memcmp(got, wanted + (offset < count ? offset : 0), expected * sizeof *got) == 0);
        const uint32_t from = (uint32_t)prng_below(prng, LIMIT + 10);
        size_t first = 0;
        while (first < count && wanted[first] < from) {
            first++;
        }
        expected = count - first < limit ? count - first : limit;
        REQUIRE(bitmap_page_from(model->bitmap, from, got, limit) == expected &&
                memcmp(got, wanted + first, expected * sizeof *got) == 0);
        REQUIRE(bitmap_contains(model->bitmap, from) == (from < LIMIT && model->has[from]));
    }
}

static void test_operations(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    for (int round = 0; round < 150; round++) {
        struct model *a = model_create(&prng);
        struct model *b = model_create(&prng);
        uint64_t both = 0;
        for (uint32_t i = 0; i < LIMIT; i++) {
            both += a->has[i] && b->has[i];
        }
        EXPECT(bitmap_and_count(a->bitmap, b->bitmap) == both);
        const uint64_t operation = prng_below(&prng, 5);
        struct bitmap *copy = bitmap_copy(a->bitmap);
        EXPECT(bitmap_equal(copy, a->bitmap));
        if (operation == 3) {
            const struct bitmap *many[] = {a->bitmap, b->bitmap, a->bitmap};
            bitmap_destroy(copy);
            copy = bitmap_or_many(many, prng_below(&prng, 2) == 0 ? 3 : 2);
        }
        for (uint32_t i = 0; i < LIMIT; i++) {
            switch (operation) {
            case 1: a->has[i] = a->has[i] && b->has[i]; break;
            case 2: a->has[i] = a->has[i] && !b->has[i]; break;
            case 4: break;
            default: a->has[i] = a->has[i] || b->has[i]; break;
            }
        }
        switch (operation) {
        case 0: bitmap_or(copy, b->bitmap); break;
        case 1: bitmap_and(copy, b->bitmap); break;
        case 2: bitmap_and_not(copy, b->bitmap); break;
        default: break;
        }
        bitmap_destroy(a->bitmap);
        a->bitmap = copy;
        for (int i = 0; i < 1000; i++) {
            const uint32_t number = (uint32_t)prng_below(&prng, LIMIT);
            if (prng_below(&prng, 2) == 0) {
                EXPECT(bitmap_add(a->bitmap, number) == !a->has[number]);
                a->has[number] = true;
            } else {
                EXPECT(bitmap_remove(a->bitmap, number) == a->has[number]);
                a->has[number] = false;
            }
        }
        expect_same(a, &prng);
        EXPECT(bitmap_memory_bytes(a->bitmap) > 0);
        model_destroy(a);
        model_destroy(b);
    }
}

static void test_ends(void)
{
    uint32_t out[4];
    struct bitmap *bitmap = bitmap_create();
    EXPECT(bitmap_page(bitmap, 0, out, 4) == 0 && bitmap_page_from(bitmap, 0, out, 4) == 0);
    bitmap_add(bitmap, UINT32_MAX);
    bitmap_add(bitmap, 0);
    EXPECT(bitmap_page(bitmap, 1, out, 4) == 1 && out[0] == UINT32_MAX);
    EXPECT(bitmap_page_from(bitmap, UINT32_MAX, out, 4) == 1);
    EXPECT(bitmap_page(bitmap, UINT64_MAX, out, 4) == 0);
    EXPECT(bitmap_page(bitmap, 0, out, 0) == 0);
    bitmap_add_range(bitmap, 7, 7);
    EXPECT(bitmap_count(bitmap) == 2);
    bitmap_destroy(bitmap);
    bitmap_destroy(NULL);
}

static void test_codec(void)
{
    struct prng prng;
    prng_seed(&prng, seed + 1);
    for (int round = 0; round < 100; round++) {
        struct model *model = model_create(&prng);
        struct buffer bytes;
        struct bitmap *decoded = NULL;
        struct error error;
        buffer_init(&bytes, 1 << 24);
        bitmap_encode(model->bitmap, &bytes);
        REQUIRE(!bytes.failed && bitmap_decode(buffer_slice(&bytes), &decoded, &error) == ERR_OK);
        EXPECT(bitmap_equal(decoded, model->bitmap));
        bitmap_destroy(decoded);
        /* Cut, or with a byte too many. */
        for (int i = 0; i < 20; i++) {
            char *exact = malloc(bytes.length + 1);
            memcpy(exact, bytes.data, bytes.length);
            exact[bytes.length] = 0;
            size_t length = prng_below(&prng, bytes.length + 2);
            if (length != bytes.length) {
                EXPECT(bitmap_decode(slice_of(exact, length), &decoded, &error) == ERR_CORRUPT);
                EXPECT(error.err == ERR_CORRUPT);
            }
            free(exact);
        }
        for (int i = 0; i < 200; i++) {
            size_t at = prng_below(&prng, bytes.length);
            char flipped = (char)(1U << prng_below(&prng, 8));
            bytes.data[at] ^= flipped;
            if (bitmap_decode(buffer_slice(&bytes), &decoded, NULL) == ERR_OK) {
                (void)bitmap_count(decoded);
                bitmap_add(decoded, 1);
                bitmap_destroy(decoded);
            }
            bytes.data[at] ^= flipped;
        }
        buffer_deinit(&bytes);
        model_destroy(model);
    }
}

static void test_no_room(void)
{
    struct buffer bytes;
    struct bitmap *bitmap = bitmap_create();
    bitmap_add_range(bitmap, 0, 100000);
    buffer_init(&bytes, 4);
    bitmap_encode(bitmap, &bytes);
    EXPECT(bytes.failed && bytes.length == 0);
    buffer_deinit(&bytes);
    bitmap_destroy(bitmap);
}

int main(void)
{
    seed = test_seed();
    RUN(test_operations);
    RUN(test_ends);
    RUN(test_codec);
    RUN(test_no_room);
    return test_summary();
}
