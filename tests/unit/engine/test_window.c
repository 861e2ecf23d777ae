/* Tries to make a window remember too long, forget too early, or find the wrong key. */
#include "window.h"

#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "unit/test.h"

enum { AGE = 100, KEYS = 600 };

static struct window_key key_of(unsigned number)
{
    char text[16];
    int length = snprintf(text, sizeof text, "key-%u", number);
    return window_key_of(slice_of(text, (size_t)length));
}

static void count_forgotten(void *context, const struct window_key *key)
{
    (void)key;
    ++*(unsigned *)context;
}

static void add(struct window *window, unsigned number, int64_t at_us, unsigned *forgotten)
{
    struct window_item item = {.key = key_of(number), .at_us = at_us, .number = number};
    EXPECT(window_add(window, &item, count_forgotten, forgotten) == ERR_OK);
}

static void test_age_and_number(void)
{
    unsigned forgotten = 0;
    struct window *window = window_create(3, 1000, AGE);
    REQUIRE(window != NULL);
    struct window_key key = key_of(1);
    add(window, 1, 0, &forgotten);
    EXPECT(window_find(window, &key, AGE) != NULL && window_find(window, &key, AGE + 1) == NULL);
    add(window, 2, 10, &forgotten);
    add(window, 3, 20, &forgotten);
    add(window, 4, 30, &forgotten); /* the fourth of three */
    EXPECT(forgotten == 1 && window_find(window, &key, 30) == NULL);
    add(window, 1, 20 + AGE, &forgotten); /* the second is too old, the third just not */
    EXPECT(forgotten == 2 && window_find(window, &key, 20 + AGE)->number == 1);
    window_destroy(window);
}

static void test_removed_ones_are_new(void)
{
    unsigned forgotten = 0;
    struct window *window = window_create(KEYS, 1000, AGE);
    REQUIRE(window != NULL);
    for (unsigned i = 0; i < KEYS; i++) {
        add(window, i, i / 10, &forgotten);
    }
    for (unsigned i = 0; i < KEYS; i += 2) {
        struct window_key key = key_of(i);
        window_remove(window, &key);
        window_remove(window, &key);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        struct window_key key = key_of(i);
        EXPECT((window_find(window, &key, 60) != NULL) == (i % 2 == 1));
    }
    add(window, 0, 60, &forgotten);
    add(window, KEYS, 61 + 2 * AGE, &forgotten);
    EXPECT(forgotten == KEYS / 2 + 1, ": %u", forgotten);
    window_destroy(window);
}

/* A checkpoint gives them back in the order of keys. */
static void test_sorting_after_loading(void)
{
    unsigned forgotten = 0;
    struct prng prng;
    unsigned order[KEYS];
    prng_seed(&prng, 1);
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned k = (unsigned)prng_below(&prng, i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    struct window *window = window_create(KEYS, 1000, KEYS);
    REQUIRE(window != NULL);
    for (unsigned i = 0; i < KEYS; i++) {
        add(window, order[i], order[i], &forgotten);
    }
    window_sort(window);
    EXPECT(forgotten == 0);
    for (unsigned i = 0; i < KEYS; i++) {
        add(window, KEYS + i, KEYS + i, &forgotten);
        struct window_key oldest = key_of(i + 1);
        struct window_key gone = key_of(i);
        EXPECT(forgotten == i + 1 && window_find(window, &gone, 0) == NULL &&
               window_find(window, &oldest, 0) != NULL);
    }
    window_destroy(window);
}

int main(void)
{
    RUN(test_age_and_number);
    RUN(test_removed_ones_are_new);
    RUN(test_sorting_after_loading);
    return test_summary();
}
