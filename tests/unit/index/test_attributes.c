/* Tries to break the attribute bitmaps against a plain array of values: comparisons with every
 * operator around zero, at both ends of 64 bits, among values that come, change and go; categories
 * whose table grows and shrinks; kinds mixed in one field; fields that are not indexed. */
#include "unit/test.h"

#include "index/attributes.h"
#include "unit/seed.h"

static uint64_t seed;

enum { PEOPLE = 300, FIELDS = 4, CATEGORIES = 150 };
static const uint32_t names[FIELDS] = {FIELD_AGE, FIELD_CITY, 40, 3000};

static struct profile_value values[FIELDS][PEOPLE]; /* PROFILE_NULL: none */

static int64_t random_integer(struct prng *prng)
{
    static const int64_t special[] = {
        0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, 18, -18, 1LL << 40};
    switch (prng_below(prng, 3)) {
    case 0: return special[prng_below(prng, ARRAY_COUNT(special))];
    case 1: return (int64_t)prng_below(prng, 20) - 10;
    default: return (int64_t)prng_next(prng) >> prng_below(prng, 63);
    }
}

static struct profile_value random_value(struct prng *prng)
{
    struct profile_value value = {.kind = PROFILE_NULL};
    switch (prng_below(prng, 8)) {
    case 0: break;
    case 1:
        value = (struct profile_value){.kind = PROFILE_BOOL, .boolean = prng_below(prng, 2) == 0};
        break;
    case 2:
        value = (struct profile_value){.kind = PROFILE_CATEGORY,
                                       .category_id = (uint32_t)prng_below(prng, CATEGORIES)};
        break;
    case 3:
        value = (struct profile_value){.kind = PROFILE_TEXT, .text = SLICE_LITERAL("text")};
        break;
    case 4: value = (struct profile_value){.kind = PROFILE_NUMBER, .number = 0.5}; break;
    default:
        value = (struct profile_value){.kind = PROFILE_INTEGER, .integer = random_integer(prng)};
        break;
    }
    return value;
}

static bool compares(enum comparison comparison, int64_t a, int64_t b)
{
    switch (comparison) {
    case COMPARE_EQ: return a == b;
    case COMPARE_NE: return a != b;
    case COMPARE_LT: return a < b;
    case COMPARE_LTE: return a <= b;
    case COMPARE_GT: return a > b;
    case COMPARE_GTE: return a >= b;
    }
    return false;
}

static bool has(const struct bitmap *set, uint32_t person)
{
    return set != NULL && bitmap_contains(set, person);
}

static void expect_comparison(const struct attributes *attributes, size_t field,
                              enum comparison comparison, int64_t with)
{
    struct bitmap *got = attributes_compare(attributes, names[field], comparison, with);
    uint64_t count = 0;
    for (uint32_t person = 0; person < PEOPLE; person++) {
        const struct profile_value *value = &values[field][person];
        bool wanted = value->kind == PROFILE_INTEGER && compares(comparison, value->integer, with);
        count += wanted;
        EXPECT(bitmap_contains(got, person) == wanted, ": %lld op %d %lld",
               (long long)value->integer, comparison, (long long)with);
    }
    EXPECT(bitmap_count(got) == count);
    bitmap_destroy(got);
}

static size_t visited;

static void visit(void *context, uint32_t category_id, const struct bitmap *people)
{
    const size_t field = *(const size_t *)context;
    visited++;
    EXPECT(people == NULL || !bitmap_empty(people));
    for (uint32_t person = 0; person < PEOPLE; person++) {
        const struct profile_value *value = &values[field][person];
        EXPECT(has(people, person) ==
               (value->kind == PROFILE_CATEGORY && value->category_id == category_id));
    }
}

static void expect_same(const struct attributes *attributes, struct prng *prng)
{
    for (size_t field = 0; field < FIELDS; field++) {
        struct bitmap *present = attributes_present(attributes, names[field]);
        bool seen[CATEGORIES] = {false};
        size_t categories = 0;
        for (uint32_t person = 0; person < PEOPLE; person++) {
            const struct profile_value *value = &values[field][person];
            EXPECT(bitmap_contains(present, person) == (value->kind != PROFILE_NULL));
            EXPECT(has(attributes_integers(attributes, names[field]), person) ==
                   (value->kind == PROFILE_INTEGER));
            EXPECT(has(attributes_loose(attributes, names[field]), person) ==
                   (value->kind == PROFILE_TEXT || value->kind == PROFILE_NUMBER));
            for (int truth = 0; truth < 2; truth++) {
                EXPECT(has(attributes_bool(attributes, names[field], truth != 0), person) ==
                       (value->kind == PROFILE_BOOL && value->boolean == (truth != 0)));
            }
            if (value->kind == PROFILE_CATEGORY && !seen[value->category_id]) {
                seen[value->category_id] = true;
                categories++;
                size_t at = field;
                visit(&at, value->category_id,
                      attributes_category(attributes, names[field], value->category_id));
            }
        }
        bitmap_destroy(present);
        visited = 0;
        attributes_each_category(attributes, names[field], visit, &field);
        EXPECT(visited == categories);
        EXPECT(attributes_category(attributes, names[field], CATEGORIES + 5) == NULL);
        for (int i = 0; i < 12; i++) {
            const struct profile_value *some = &values[field][prng_below(prng, PEOPLE)];
            expect_comparison(attributes, field, (enum comparison)(i % 6),
                              some->kind == PROFILE_INTEGER && i < 6 ? some->integer
                                                                     : random_integer(prng));
        }
    }
}

static void test_random(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    struct attributes *attributes = attributes_create();
    memset(values, 0, sizeof values);
    for (int step = 1; step <= 40000; step++) {
        const size_t field = prng_below(&prng, FIELDS);
        const uint32_t person = (uint32_t)prng_below(&prng, PEOPLE);
        attributes_clear(attributes, names[field], &values[field][person], person);
        values[field][person] = random_value(&prng);
        attributes_set(attributes, names[field], &values[field][person], person);
        if (step % 1000 == 0) {
            expect_same(attributes, &prng);
        }
    }
    EXPECT(attributes_memory_bytes(attributes) > 0);
    for (size_t field = 0; field < FIELDS; field++) {
        for (uint32_t person = 0; person < PEOPLE; person++) {
            attributes_clear(attributes, names[field], &values[field][person], person);
            values[field][person].kind = PROFILE_NULL;
        }
    }
    expect_same(attributes, &prng);
    attributes_destroy(attributes);
}

static void test_not_indexed(void)
{
    struct attributes *attributes = attributes_create();
    const struct profile_value name = {.kind = PROFILE_TEXT, .text = SLICE_LITERAL("Ann")};
    EXPECT(!attributes_indexes(FIELD_FIRST_NAME, PROFILE_TEXT) &&
           !attributes_indexes(FIELD_AGE, PROFILE_NULL));
    EXPECT(attributes_indexes(FIELD_AGE, PROFILE_INTEGER) && attributes_indexes(77, PROFILE_TEXT));
    attributes_set(attributes, FIELD_FIRST_NAME, &name, 3);
    attributes_clear(attributes, FIELD_FIRST_NAME, &name, 3);
    attributes_clear(attributes, 5000, &name, 3);
    EXPECT(attributes_loose(attributes, FIELD_FIRST_NAME) == NULL);
    struct bitmap *none = attributes_compare(attributes, 9999, COMPARE_NE, 3);
    EXPECT(bitmap_empty(none));
    bitmap_destroy(none);
    attributes_destroy(attributes);
    attributes_destroy(NULL);
}

int main(void)
{
    seed = test_seed();
    RUN(test_random);
    RUN(test_not_indexed);
    return test_summary();
}
