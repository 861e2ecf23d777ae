/* Tries to break the identifier table: against a plain list, with hashes spread well and with
 * thousands that fall on the same few slots, at the very first and the very last home of a shard;
 * adding, replacing and removing in any order. Nothing may get lost, nothing may be found that is
 * not there, memory may not run away on equal hashes, and a failed growth may change nothing. */
#include "unit/test.h"

#include "base/memory.h"
#include "index/identifier_table.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

/* ---- against a list -------------------------------------------------------------------------- */

enum { MODEL_KEYS = 4000, MODEL_NUMBERS = 200000 };

/* Numbers are given out once each, so a number says which hash it was stored under. */
struct model {
    uint64_t hash_of_key[MODEL_KEYS];
    uint32_t number_of_key[MODEL_KEYS]; /* 0: not in the table */
    uint64_t hash_of_number[MODEL_NUMBERS];
    uint32_t next_number;
    uint64_t count;
};

struct question {
    const struct model *model;
    uint64_t hash;
    uint32_t wanted;
};

static bool match_number(void *context, uint32_t number)
{
    const struct question *question = context;
    if (number >= MODEL_NUMBERS) {
        EXPECT(number < MODEL_NUMBERS);
        return false;
    }
    uint64_t stored = question->model->hash_of_number[number];
    EXPECT(stored >> 32 == question->hash >> 32, ": asked about other hash bits");
    EXPECT((stored & 1023) == (question->hash & 1023), ": asked about another shard");
    return number == question->wanted;
}

static uint32_t find_key(const struct identifier_table *table, const struct model *model,
                         size_t key)
{
    struct question question = {model, model->hash_of_key[key], model->number_of_key[key]};
    return identifier_table_find(table, question.hash, match_number, &question);
}

enum spread { SPREAD_EVENLY, ONE_SHARD, FEW_HASHES, LAST_HASH };

static uint64_t random_hash(struct prng *prng, enum spread spread)
{
    static const uint64_t few[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};
    uint64_t bits = prng_next(prng);
    switch (spread) {
    case SPREAD_EVENLY: return bits;
    case ONE_SHARD: return (bits & ~UINT64_C(1023)) | 1023;
    case FEW_HASHES: return few[prng_below(prng, ARRAY_COUNT(few))] << 32 | prng_below(prng, 2);
    case LAST_HASH: return UINT64_C(0xFFFFFFFF) << 32;
    }
    return 0;
}

static void one_step(struct identifier_table *table, struct model *model, struct prng *prng,
                     bool filling)
{
    size_t key = prng_below(prng, MODEL_KEYS);
    uint64_t hash = model->hash_of_key[key];
    uint32_t number = model->number_of_key[key];
    EXPECT(find_key(table, model, key) == number);
    if (number == 0) {
        if (!filling && prng_below(prng, 3) > 0) {
            EXPECT(!identifier_table_remove(table, hash, MODEL_NUMBERS));
            EXPECT(!identifier_table_replace(table, hash, MODEL_NUMBERS, 5));
            return;
        }
        number = model->next_number++;
        model->hash_of_number[number] = hash;
        model->number_of_key[key] = number;
        REQUIRE(identifier_table_add(table, hash, number) == ERR_OK);
        model->count++;
    } else if (prng_below(prng, 2)) {
        uint32_t other = model->next_number++;
        model->hash_of_number[other] = hash;
        EXPECT(identifier_table_replace(table, hash, number, other));
        model->number_of_key[key] = other;
    } else if (!filling || prng_below(prng, 4) == 0) {
        EXPECT(identifier_table_remove(table, hash, number));
        EXPECT(!identifier_table_remove(table, hash, number));
        model->number_of_key[key] = 0;
        model->count--;
    }
    EXPECT(find_key(table, model, key) == model->number_of_key[key]);
}

static void against_a_list(enum spread spread)
{
    struct prng prng;
    prng_seed(&prng, seed + (uint64_t)spread);
    struct model *model = calloc(1, sizeof *model);
    struct identifier_table *table = identifier_table_create(7);
    REQUIRE(model != NULL && table != NULL);
    model->next_number = 1;
    for (size_t key = 0; key < MODEL_KEYS; key++) {
        model->hash_of_key[key] = random_hash(&prng, spread);
    }
    const char *reason = NULL;
    int steps = spread == LAST_HASH || spread == FEW_HASHES ? 16000 : 60000;
    for (int step = 0; step < steps; step++) {
        /* Fill, empty, fill again. */
        one_step(table, model, &prng, step % (steps / 2) < steps / 4);
        if (step % 1000 == 0) {
            REQUIRE(identifier_table_validate(table, &reason), ": %s", reason ? reason : "");
            EXPECT(identifier_table_count(table) == model->count);
        }
    }
    for (size_t key = 0; key < MODEL_KEYS; key++) {
        EXPECT(find_key(table, model, key) == model->number_of_key[key]);
    }
    EXPECT(identifier_table_memory_bytes(table) < 400000 + 64 * MODEL_KEYS, ": %llu",
           (unsigned long long)identifier_table_memory_bytes(table));
    for (size_t key = 0; key < MODEL_KEYS; key++) {
        if (model->number_of_key[key] != 0) {
            EXPECT(
                identifier_table_remove(table, model->hash_of_key[key], model->number_of_key[key]));
        }
    }
    EXPECT(identifier_table_count(table) == 0);
    EXPECT(identifier_table_validate(table, &reason), ": %s", reason ? reason : "");
    identifier_table_destroy(table);
    free(model);
}

static void hashes_spread_evenly(void)
{
    against_a_list(SPREAD_EVENLY);
}
static void all_in_one_shard(void)
{
    against_a_list(ONE_SHARD);
}
static void a_few_hashes_only(void)
{
    against_a_list(FEW_HASHES);
}
static void the_last_hash_only(void)
{
    against_a_list(LAST_HASH);
}

/* ---- single properties ----------------------------------------------------------------------- */

static bool match_any(void *context, uint32_t number)
{
    (void)number;
    *(int *)context += 1;
    return true;
}

static void an_empty_table_knows_nobody(void)
{
    struct identifier_table *table = identifier_table_create(1);
    REQUIRE(table != NULL);
    int asked = 0;
    EXPECT(identifier_table_find(table, 0, match_any, &asked) == PERSON_NONE);
    EXPECT(identifier_table_find(table, UINT64_MAX, match_any, &asked) == PERSON_NONE &&
           asked == 0);
    identifier_table_prefetch(table, 12345);
    EXPECT(!identifier_table_remove(table, 3, 1) && !identifier_table_replace(table, 3, 1, 2));
    const char *reason;
    EXPECT(identifier_table_validate(table, &reason));
    /* Without a match function the first slot with the bits is the guess. */
    REQUIRE(identifier_table_add(table, UINT64_C(77) << 32, UINT32_MAX) == ERR_OK);
    EXPECT(identifier_table_find(table, UINT64_C(77) << 32, NULL, NULL) == UINT32_MAX);
    EXPECT(identifier_table_find(table, UINT64_C(76) << 32, NULL, NULL) == PERSON_NONE);
    identifier_table_prefetch(table, UINT64_C(77) << 32);
    identifier_table_destroy(table);
    identifier_table_destroy(NULL);
}

static void hashes_depend_on_type_value_and_seed(void)
{
    struct identifier_table *one = identifier_table_create(1);
    struct identifier_table *two = identifier_table_create(2);
    REQUIRE(one != NULL && two != NULL);
    struct slice ann = SLICE_LITERAL("ann@example.com");
    uint64_t hash = identifier_hash(one, 0, ann);
    EXPECT(hash == identifier_hash(one, 0, ann));
    EXPECT(hash != identifier_hash(one, 1, ann));
    EXPECT(hash != identifier_hash(two, 0, ann));
    EXPECT(hash != identifier_hash(one, 0, SLICE_LITERAL("ann@example.org")));
    identifier_table_destroy(one);
    identifier_table_destroy(two);
}

/* What the memory goal counts on: 8 bytes a slot, never less than 64 % full once it has grown. */
static void memory_per_identifier(void)
{
    struct prng prng;
    prng_seed(&prng, seed + 10);
    struct identifier_table *table = identifier_table_create(1);
    REQUIRE(table != NULL);
    double worst = 0, sum = 0;
    int samples = 0;
    for (uint32_t number = 1; number <= 600000; number++) {
        REQUIRE(identifier_table_add(table, prng_next(&prng), number) == ERR_OK);
        if (number >= 200000 && number % 20000 == 0) {
            double each = (double)identifier_table_memory_bytes(table) / number;
            worst = each > worst ? each : worst;
            sum += each;
            samples++;
        }
    }
    printf("     bytes an identifier: %.2f on average, %.2f at worst\n", sum / samples, worst);
    EXPECT(worst < 12.5);
    identifier_table_destroy(table);
}

static void reserved_room_is_enough(void)
{
    struct prng prng;
    prng_seed(
        &prng,
        4711); /* always the same hashes: five deviations are very likely enough, not surely */
    const uint64_t counts[] = {1, 1000, 50000, 400000};
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        failing_memory_begin(0);
        struct identifier_table *table = identifier_table_create(1);
        REQUIRE(table != NULL && identifier_table_reserve(table, counts[i]) == ERR_OK);
        for (size_t shard = 0; shard < 1024;
             shard++) { /* small shards come with their first entry */
            REQUIRE(identifier_table_add(table, shard, 1) == ERR_OK);
            EXPECT(identifier_table_remove(table, shard, 1));
        }
        uint64_t calls = failing_memory.calls;
        for (uint64_t n = 0; n < counts[i]; n++) {
            REQUIRE(identifier_table_add(table, prng_next(&prng), 1) == ERR_OK);
        }
        EXPECT(failing_memory.calls == calls);
        EXPECT(identifier_table_reserve(table, counts[i] / 2) == ERR_OK &&
               failing_memory.calls == calls);
        identifier_table_destroy(table);
        EXPECT(failing_memory_end().live_blocks == 0);
    }
}

/* Every allocation fails once; what was in stays in, and the next try goes well. */
static void memory_runs_out(void)
{
    bool more = true;
    for (uint64_t n = 1; more; n++) {
        struct prng prng;
        prng_seed(&prng, seed);
        failing_memory_begin_once(n);
        struct identifier_table *table = identifier_table_create(1);
        uint32_t added = 0;
        for (uint32_t number = 1; table != NULL && number <= 300; number++) {
            uint64_t hash = prng_next(&prng) & ~UINT64_C(1022); /* two shards */
            err e = identifier_table_add(table, hash, number);
            if (e != ERR_OK) {
                EXPECT(e == ERR_MEMORY && identifier_table_count(table) == added);
                EXPECT(identifier_table_find(table, hash, NULL, NULL) == PERSON_NONE);
                e = identifier_table_add(table, hash, number);
            }
            EXPECT(e == ERR_OK);
            added++;
        }
        const char *reason = NULL;
        EXPECT(table == NULL ||
               (identifier_table_validate(table, &reason) && identifier_table_count(table) == 300));
        if (table != NULL) {
            err e = identifier_table_reserve(table, 100000);
            EXPECT(e == ERR_OK || e == ERR_MEMORY);
            EXPECT(identifier_table_validate(table, &reason) &&
                   identifier_table_count(table) == 300);
        }
        identifier_table_destroy(table);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0);
        more = end.failed && n < 60; /* reserve goes on for a thousand shards */
    }
}

/* ---- times (KINDRED_TEST_TIMES=1) ------------------------------------------------------------ */

enum { TIMED_IDENTIFIERS = 10000000, TIMED_FINDS = 2000000, BATCH = 64 };

static uint64_t nth_hash(uint64_t n)
{
    uint64_t x = (n + 1) * UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static void times(void)
{
    struct identifier_table *table = identifier_table_create(1);
    REQUIRE(table != NULL);
    int64_t start = test_cpu_ns();
    for (uint32_t n = 0; n < TIMED_IDENTIFIERS; n++) {
        REQUIRE(identifier_table_add(table, nth_hash(n), n + 1) == ERR_OK);
    }
    printf("     add %.1f ns\n", (double)(test_cpu_ns() - start) / TIMED_IDENTIFIERS);
    printf("     bytes an identifier %.2f\n",
           (double)identifier_table_memory_bytes(table) / TIMED_IDENTIFIERS);
    for (int round = 0; round < 3; round++) {
        struct prng prng;
        prng_seed(&prng, seed + (uint64_t)round);
        uint64_t found = 0;
        start = test_cpu_ns();
        for (int i = 0; i < TIMED_FINDS; i++) {
            found += identifier_table_find(table, nth_hash(prng_below(&prng, TIMED_IDENTIFIERS)),
                                           NULL, NULL) != 0;
        }
        int64_t present = test_cpu_ns();
        for (int i = 0; i < TIMED_FINDS; i++) {
            found += identifier_table_find(table, nth_hash(prng_next(&prng) | UINT64_C(1) << 60),
                                           NULL, NULL) != 0;
        }
        int64_t absent = test_cpu_ns();
        for (int i = 0; i < TIMED_FINDS; i += BATCH) {
            uint64_t hashes[BATCH];
            for (int j = 0; j < BATCH; j++) {
                hashes[j] = nth_hash(prng_below(&prng, TIMED_IDENTIFIERS));
                identifier_table_prefetch(table, hashes[j]);
            }
            for (int j = 0; j < BATCH; j++) {
                found += identifier_table_find(table, hashes[j], NULL, NULL) != 0;
            }
        }
        int64_t batched = test_cpu_ns();
        EXPECT(found >= 2 * (uint64_t)TIMED_FINDS - BATCH);
        printf("     find %6.1f ns, absent %6.1f ns, in batches of 64 %6.1f ns\n",
               (double)(present - start) / TIMED_FINDS, (double)(absent - present) / TIMED_FINDS,
               (double)(batched - absent) / TIMED_FINDS);
    }
    identifier_table_destroy(table);
}

int main(void)
{
    seed = test_seed();
    RUN(an_empty_table_knows_nobody);
    RUN(hashes_depend_on_type_value_and_seed);
    RUN(hashes_spread_evenly);
    RUN(all_in_one_shard);
    RUN(a_few_hashes_only);
    RUN(the_last_hash_only);
    RUN(memory_per_identifier);
    RUN(reserved_room_is_enough);
    RUN(memory_runs_out);
    if (test_times_wanted()) {
        RUN(times);
    }
    return test_summary();
}
