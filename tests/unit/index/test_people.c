/* Tries to break the numbers, the union-find and the blobs: against an array that names everybody's
 * group outright, with merges, un-merges, paths halved or not, and blobs coming and going.
 * Rebuilding from the parents alone, in any order, must lead to the same roots, and to the same
 * choices from then on: otherwise a restart would answer differently from a replay. */
#include "unit/test.h"

#include "base/memory.h"
#include "index/people.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

/* ---- against an array of groups -------------------------------------------------------------- */

enum { MODEL_PEOPLE = 1500 };

struct model {
    uint32_t last;
    uint32_t root[MODEL_PEOPLE + 1];
    void *blob[MODEL_PEOPLE + 1];
};

static uint32_t model_size(const struct model *model, uint32_t root)
{
    uint32_t size = 0;
    for (uint32_t number = 1; number <= model->last; number++) {
        size += model->root[number] == root;
    }
    return size;
}

static uint32_t model_union(struct model *model, uint32_t a, uint32_t b)
{
    uint32_t size_a = model_size(model, a), size_b = model_size(model, b);
    uint32_t winner = size_a > size_b || (size_a == size_b && a < b) ? a : b;
    uint32_t loser = winner == a ? b : a;
    for (uint32_t number = 1; number <= model->last; number++) {
        if (model->root[number] == loser) {
            model->root[number] = winner;
        }
    }
    return winner;
}

static size_t model_members(const struct model *model, uint32_t root,
                            uint32_t members[MODEL_PEOPLE])
{
    size_t count = 0;
    for (uint32_t number = 1; number <= model->last; number++) {
        if (model->root[number] == root) {
            members[count++] = number;
        }
    }
    return count;
}

static void expect_same(const struct people *people, const struct model *model)
{
    uint64_t with_blob = 0;
    REQUIRE(people_last(people) == model->last);
    for (uint32_t number = 1; number <= model->last; number++) {
        bool root = model->root[number] == number;
        with_blob += root && model->blob[number] != NULL;
        EXPECT(people_find_shared(people, number) == model->root[number]);
        EXPECT((people_parent(people, number) == 0) == root);
        EXPECT(people_blob(people, number) == (root ? model->blob[number] : NULL));
        EXPECT(!root || people_tree_size(people, number) == model_size(model, number));
    }
    EXPECT(people_count(people) == with_blob);
    const char *reason = NULL;
    EXPECT(people_validate(people, &reason), ": %s", reason ? reason : "");
}

static uint32_t some_root(const struct model *model, struct prng *prng)
{
    return model->root[1 + prng_below(prng, model->last)];
}

static void shuffle(uint32_t *numbers, size_t count, struct prng *prng)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = prng_below(prng, i);
        uint32_t kept = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = kept;
    }
}

static void one_step(struct people *people, struct model *model, struct prng *prng)
{
    uint64_t choice = prng_below(prng, 100);
    if (model->last < 2 || (choice < 25 && model->last < MODEL_PEOPLE)) {
        uint32_t number = 0;
        REQUIRE(people_add(people, &number) == ERR_OK);
        REQUIRE(number == ++model->last);
        model->root[number] = number;
    } else if (choice < 50) {
        uint32_t a = some_root(model, prng), b = some_root(model, prng);
        if (a != b) {
            EXPECT(people_union(people, a, b) == model_union(model, a, b));
        }
    } else if (choice < 75) {
        uint32_t number = 1 + (uint32_t)prng_below(prng, model->last);
        EXPECT(people_find(people, number) == model->root[number]);
    } else if (choice < 98) {
        uint32_t number = 1 + (uint32_t)prng_below(prng, model->last);
        bool root = model->root[number] == number;
        /* Any distinct pointer will do: nobody looks into it. */
        void *blob =
            root && prng_below(prng, 3) ? (char *)model + prng_below(prng, sizeof *model) : NULL;
        EXPECT(people_replace(people, number, blob) == model->blob[number]);
        model->blob[number] = blob;
    } else {
        uint32_t members[MODEL_PEOPLE];
        size_t count = model_members(model, some_root(model, prng), members);
        shuffle(members, count, prng);
        people_split(people, members, count);
        for (size_t i = 0; i < count; i++) {
            model->root[members[i]] = members[i];
        }
    }
}

/* What a checkpoint holds: absorbed number and parent, read back in any order. */
static struct people *reload(const struct people *people, struct prng *prng)
{
    uint32_t order[MODEL_PEOPLE];
    uint32_t last = people_last(people);
    struct people *again = people_create();
    if (again == NULL || people_extend(again, last) != ERR_OK) {
        return again;
    }
    for (uint32_t i = 0; i < last; i++) {
        order[i] = i + 1;
    }
    shuffle(order, last, prng);
    for (uint32_t i = 0; i < last; i++) {
        uint32_t parent = people_parent(people, order[i]);
        if (parent != 0) {
            EXPECT(people_set_parent(again, order[i], parent) == ERR_OK);
        }
    }
    for (uint32_t number = 1; number <= last; number++) {
        if (people_blob(people, number) != NULL) {
            char *blob;
            const void *borrowed = people_blob(people, number);
            memcpy(&blob, &borrowed, sizeof blob);
            EXPECT(people_replace(again, number, blob) == NULL);
        }
    }
    return again;
}

static void against_an_array(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    struct model *model = calloc(1, sizeof *model);
    struct people *people = people_create();
    REQUIRE(model != NULL && people != NULL);
    for (int step = 0; step < 12000; step++) {
        one_step(people, model, &prng);
        if (step % 400 == 399) {
            expect_same(people, model);
        }
        if (step % 3000 == 2999) {
            struct people *again = reload(people, &prng);
            REQUIRE(again != NULL);
            for (uint32_t number = 1; number <= model->last; number++) {
                if (model->root[number] != number) {
                    model->blob[number] =
                        NULL; /* what an absorbed number still had is not loaded */
                }
            }
            people_destroy(people, NULL);
            people = again;
            expect_same(people, model);
        }
    }
    people_destroy(people, NULL);
    free(model);
}

/* ---- single properties ----------------------------------------------------------------------- */

static void numbers_that_were_never_given_out(void)
{
    struct people *people = people_create();
    REQUIRE(people != NULL);
    const uint32_t strangers[] = {0, 1, 65536, PERSON_MAX, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(strangers); i++) {
        EXPECT(people_find_shared(people, strangers[i]) == PERSON_NONE);
        EXPECT(people_find(people, strangers[i]) == PERSON_NONE);
        EXPECT(people_parent(people, strangers[i]) == PERSON_NONE);
        EXPECT(people_blob(people, strangers[i]) == NULL);
        people_prefetch(people, strangers[i]);
        people_prefetch_blob(people, strangers[i]);
    }
    EXPECT(people_extend(people, (uint32_t)PERSON_MAX + 1) == ERR_TOO_LARGE);
    EXPECT(people_last(people) == 0 && people_count(people) == 0);
    people_destroy(people, NULL);
    people_destroy(NULL, NULL);
}

static void damaged_parents_are_refused(void)
{
    struct people *people = people_create();
    REQUIRE(people != NULL && people_extend(people, 5) == ERR_OK);
    EXPECT(people_set_parent(people, 0, 1) == ERR_CORRUPT);
    EXPECT(people_set_parent(people, 1, 0) == ERR_CORRUPT);
    EXPECT(people_set_parent(people, 6, 1) == ERR_CORRUPT);
    EXPECT(people_set_parent(people, 1, 6) == ERR_CORRUPT);
    EXPECT(people_set_parent(people, 2, 2) == ERR_CORRUPT);
    EXPECT(people_set_parent(people, 1, 2) == ERR_OK);
    EXPECT(people_set_parent(people, 1, 3) == ERR_CORRUPT); /* has a parent */
    EXPECT(people_set_parent(people, 2, 3) == ERR_OK);
    EXPECT(people_set_parent(people, 3, 1) == ERR_CORRUPT); /* a circle */
    EXPECT(people_find(people, 1) == 3 && people_tree_size(people, 3) == 3);
    const char *reason = NULL;
    EXPECT(people_validate(people, &reason), ": %s", reason ? reason : "");
    people_destroy(people, NULL);
}

/* The longest path union by size can make, halved while others look on, stays one tree. */
static void long_paths_shorten(void)
{
    enum { LEVELS = 12 };
    struct people *people = people_create();
    REQUIRE(people != NULL && people_extend(people, 1 << LEVELS) == ERR_OK);
    for (uint32_t half = 1; half < 1u << LEVELS; half *= 2) {
        for (uint32_t number = 1; number + half <= 1u << LEVELS; number += 2 * half) {
            EXPECT(people_union(people, number + half, number) == number);
        }
    }
    uint32_t deepest = 1u << LEVELS, steps = 0;
    for (uint32_t at = deepest; people_parent(people, at) != 0; at = people_parent(people, at)) {
        steps++;
    }
    EXPECT(steps == LEVELS, ": %u", steps);
    EXPECT(people_find(people, deepest) == 1);
    uint32_t after = 0;
    for (uint32_t at = deepest; people_parent(people, at) != 0; at = people_parent(people, at)) {
        after++;
    }
    EXPECT(after <= LEVELS / 2, ": %u", after);
    EXPECT(people_tree_size(people, 1) == 1u << LEVELS);
    people_destroy(people, NULL);
}

static size_t freed;
static void count_free(void *blob)
{
    freed++;
    free(blob);
}

static void blobs_have_one_owner(void)
{
    struct people *people = people_create();
    REQUIRE(people != NULL && people_extend(people, 70000) == ERR_OK); /* two pages */
    for (uint32_t number = 1; number <= 70000; number += 1000) {
        REQUIRE(people_replace(people, number, malloc(8)) == NULL);
    }
    free(people_replace(people, 1, NULL));
    free(people_replace(people, 1001, malloc(8)));
    EXPECT(people_count(people) == 69);
    EXPECT(people_union(people, 1001, 2001) ==
           1001); /* the loser's blob is still there to be freed */
    EXPECT(people_count(people) == 68 && people_blob(people, 2001) == NULL);
    people_prefetch(people, 1001);
    people_prefetch_blob(people, 1001);
    freed = 0;
    people_destroy(people, count_free);
    EXPECT(freed == 69, ": %zu", freed);
}

static void memory_runs_out(void)
{
    bool more = true;
    for (uint64_t n = 1; more; n++) {
        failing_memory_begin_once(n);
        struct people *people = people_create();
        if (people != NULL) {
            uint32_t number = 0;
            for (uint32_t i = 1; i < 66000; i++) { /* a second page */
                err e = people_add(people, &number);
                if (e != ERR_OK) {
                    EXPECT(e == ERR_MEMORY && people_last(people) == i - 1);
                    e = people_add(people, &number);
                }
                EXPECT(e == ERR_OK && number == i);
            }
            err e = people_extend(people, 300000);
            EXPECT(people_last(people) == (e == ERR_OK ? 300000 : 65999));
            if (e != ERR_OK) {
                EXPECT(e == ERR_MEMORY && people_extend(people, 300000) == ERR_OK);
            }
            const char *reason = NULL;
            EXPECT(people_validate(people, &reason) || strcmp(reason, "memory is out") == 0);
        }
        people_destroy(people, NULL);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0);
        more = end.failed;
    }
}

/* ---- times (KINDRED_TEST_TIMES=1) ------------------------------------------------------------ */

static void times(void)
{
    enum { PEOPLE = 10000000, FINDS = 2000000 };
    struct prng prng;
    prng_seed(&prng, seed);
    struct people *people = people_create();
    REQUIRE(people != NULL);
    int64_t start = test_cpu_ns();
    uint32_t number = 0;
    for (uint32_t i = 0; i < PEOPLE; i++) {
        REQUIRE(people_add(people, &number) == ERR_OK);
        (void)people_replace(people, number, people);
    }
    int64_t added = test_cpu_ns();
    for (uint32_t i = 0; i < PEOPLE / 4; i++) {
        uint32_t a = people_find(people, 1 + (uint32_t)prng_below(&prng, PEOPLE));
        uint32_t b = people_find(people, 1 + (uint32_t)prng_below(&prng, PEOPLE));
        if (a != b) {
            (void)people_union(people, a, b);
        }
    }
    int64_t merged = test_cpu_ns();
    uint64_t sum = 0;
    for (uint32_t i = 0; i < FINDS; i++) {
        uint32_t root = people_find_shared(people, 1 + (uint32_t)prng_below(&prng, PEOPLE));
        sum += people_blob(people, root) != NULL;
    }
    int64_t found = test_cpu_ns();
    EXPECT(sum == FINDS);
    printf(
        "     add and set a blob %.1f ns, two finds and a union %.1f ns, find and blob %.1f ns, %.2f bytes a number\n",
        (double)(added - start) / PEOPLE, (double)(merged - added) / (PEOPLE / 4.0),
        (double)(found - merged) / FINDS, (double)people_memory_bytes(people) / PEOPLE);
    people_destroy(people, NULL);
}

int main(void)
{
    seed = test_seed();
    RUN(numbers_that_were_never_given_out);
    RUN(damaged_parents_are_refused);
    RUN(long_paths_shorten);
    RUN(blobs_have_one_owner);
    RUN(against_an_array);
    RUN(memory_runs_out);
    if (test_times_wanted()) {
        RUN(times);
    }
    return test_summary();
}
