#include "index/attributes.h"

#include "base/check.h"
#include "base/memory.h"

enum { DIGITS = 64 }; /* the magnitude of INT64_MIN is 2^63 */

struct category {
    uint32_t id;
    struct bitmap *people; /* NULL: the slot is free */
};

struct attribute {
    struct category *categories; /* open addressing by id */
    uint32_t category_mask;      /* 0: no table yet */
    uint32_t category_count;
    struct bitmap *booleans[2];
    struct bitmap *loose;
    struct bitmap *integers; /* everybody who has one */
    struct bitmap *negative;
    struct bitmap *digits[DIGITS];
    unsigned digit_count; /* digits[digit_count..] are NULL */
};

struct attributes {
    struct attribute **by_name;
    uint32_t capacity;
};

struct attributes *attributes_create(void)
{
    return memory_zalloc(sizeof(struct attributes));
}

static void destroy_attribute(struct attribute *attribute)
{
    if (attribute == NULL) {
        return;
    }
    for (uint32_t i = 0; attribute->category_mask > 0 && i <= attribute->category_mask; i++) {
        bitmap_destroy(attribute->categories[i].people);
    }
    memory_free(attribute->categories);
    bitmap_destroy(attribute->booleans[0]);
    bitmap_destroy(attribute->booleans[1]);
    bitmap_destroy(attribute->loose);
    bitmap_destroy(attribute->integers);
    bitmap_destroy(attribute->negative);
    for (unsigned i = 0; i < attribute->digit_count; i++) {
        bitmap_destroy(attribute->digits[i]);
    }
    memory_free(attribute);
}

void attributes_destroy(struct attributes *attributes)
{
    if (attributes != NULL) {
        for (uint32_t i = 0; i < attributes->capacity; i++) {
            destroy_attribute(attributes->by_name[i]);
        }
        memory_free(attributes->by_name);
        memory_free(attributes);
    }
}

bool attributes_indexes(uint32_t name_id, enum profile_value_kind kind)
{
    switch (name_id) {
    case FIELD_FIRST_NAME:
    case FIELD_LAST_NAME:
    case FIELD_NAME:
    case FIELD_STREET: return false;
    default: return kind != PROFILE_NULL;
    }
}

static const struct attribute *find(const struct attributes *attributes, uint32_t name_id)
{
    return name_id < attributes->capacity ? attributes->by_name[name_id] : NULL;
}

static struct attribute *find_or_make(struct attributes *attributes, uint32_t name_id)
{
    if (name_id >= attributes->capacity) {
        uint32_t capacity = attributes->capacity ? attributes->capacity : 64;
        while (capacity <= name_id) {
            CHECK(capacity < UINT32_MAX / 2);
            capacity *= 2;
        }
        struct attribute **grown =
            memory_realloc(attributes->by_name, capacity * sizeof(struct attribute *));
        CHECK(grown != NULL);
        memset(grown + attributes->capacity, 0,
               (capacity - attributes->capacity) * sizeof(struct attribute *));
        attributes->by_name = grown;
        attributes->capacity = capacity;
    }
    if (attributes->by_name[name_id] == NULL) {
        attributes->by_name[name_id] = memory_zalloc(sizeof(struct attribute));
        CHECK(attributes->by_name[name_id] != NULL);
    }
    return attributes->by_name[name_id];
}

/* ---- sets that come and go with their first and last member ---- */

static void add_to(struct bitmap **set, uint32_t person)
{
    if (*set == NULL) {
        *set = bitmap_create();
    }
    (void)bitmap_add(*set, person);
}

static void remove_from(struct bitmap **set, uint32_t person)
{
    if (*set != NULL && bitmap_remove(*set, person) && bitmap_empty(*set)) {
        bitmap_destroy(*set);
        *set = NULL;
    }
}

static uint32_t category_home(uint32_t id, uint32_t mask)
{
    return (uint32_t)((id * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & mask;
}

static struct category *category_slot(const struct attribute *attribute, uint32_t id)
{
    uint32_t at = category_home(id, attribute->category_mask);
    while (attribute->categories[at].people != NULL && attribute->categories[at].id != id) {
        at = (at + 1) & attribute->category_mask;
    }
    return &attribute->categories[at];
}

static void grow_categories(struct attribute *attribute)
{
    if (attribute->category_mask > 0 &&
        attribute->category_count < attribute->category_mask / 4 * 3) {
        return;
    }
    struct attribute grown = *attribute;
    grown.category_mask = attribute->category_mask > 0 ? attribute->category_mask * 2 + 1 : 15;
    grown.categories = memory_zalloc(((size_t)grown.category_mask + 1) * sizeof *grown.categories);
    CHECK(grown.categories != NULL);
    for (uint32_t i = 0; attribute->category_mask > 0 && i <= attribute->category_mask; i++) {
        if (attribute->categories[i].people != NULL) {
            *category_slot(&grown, attribute->categories[i].id) = attribute->categories[i];
        }
    }
    memory_free(attribute->categories);
    *attribute = grown;
}

static void set_category(struct attribute *attribute, uint32_t id, uint32_t person)
{
    grow_categories(attribute);
    struct category *category = category_slot(attribute, id);
    attribute->category_count += category->people == NULL;
    category->id = id;
    add_to(&category->people, person);
}

static void clear_category(struct attribute *attribute, uint32_t id, uint32_t person)
{
    if (attribute->category_mask == 0) {
        return;
    }
    struct category *hole = category_slot(attribute, id);
    if (hole->people == NULL) {
        return;
    }
    remove_from(&hole->people, person);
    if (hole->people != NULL) {
        return;
    }
    attribute->category_count--;
    /* Backward-shift deletion (Knuth 6.4, algorithm R). */
    const uint32_t mask = attribute->category_mask;
    uint32_t empty = (uint32_t)(hole - attribute->categories);
    for (uint32_t at = (empty + 1) & mask; attribute->categories[at].people != NULL;
         at = (at + 1) & mask) {
        uint32_t home = category_home(attribute->categories[at].id, mask);
        if (((at - home) & mask) >= ((at - empty) & mask)) {
            attribute->categories[empty] = attribute->categories[at];
            attribute->categories[at].people = NULL;
            empty = at;
        }
    }
}

/* ---- whole numbers ---- */

static uint64_t magnitude_of(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static void set_integer(struct attribute *attribute, int64_t value, uint32_t person)
{
    add_to(&attribute->integers, person);
    if (value < 0) {
        add_to(&attribute->negative, person);
    }
    for (uint64_t rest = magnitude_of(value); rest != 0; rest &= rest - 1) {
        unsigned digit = (unsigned)__builtin_ctzll(rest);
        attribute->digit_count =
            digit >= attribute->digit_count ? digit + 1 : attribute->digit_count;
        add_to(&attribute->digits[digit], person);
    }
}

static void clear_integer(struct attribute *attribute, int64_t value, uint32_t person)
{
    remove_from(&attribute->integers, person);
    remove_from(&attribute->negative, person);
    for (uint64_t rest = magnitude_of(value); rest != 0; rest &= rest - 1) {
        remove_from(&attribute->digits[__builtin_ctzll(rest)], person);
    }
}

void attributes_set(struct attributes *attributes, uint32_t name_id,
                    const struct profile_value *value, uint32_t person)
{
    if (!attributes_indexes(name_id, value->kind)) {
        return;
    }
    struct attribute *attribute = find_or_make(attributes, name_id);
    switch (value->kind) {
    case PROFILE_BOOL: add_to(&attribute->booleans[value->boolean], person); break;
    case PROFILE_INTEGER: set_integer(attribute, value->integer, person); break;
    case PROFILE_CATEGORY: set_category(attribute, value->category_id, person); break;
    default: add_to(&attribute->loose, person); break;
    }
}

void attributes_clear(struct attributes *attributes, uint32_t name_id,
                      const struct profile_value *value, uint32_t person)
{
    if (!attributes_indexes(name_id, value->kind) || find(attributes, name_id) == NULL) {
        return;
    }
    struct attribute *attribute = attributes->by_name[name_id];
    switch (value->kind) {
    case PROFILE_BOOL: remove_from(&attribute->booleans[value->boolean], person); break;
    case PROFILE_INTEGER: clear_integer(attribute, value->integer, person); break;
    case PROFILE_CATEGORY: clear_category(attribute, value->category_id, person); break;
    default: remove_from(&attribute->loose, person); break;
    }
}

/* ---- comparing ---- */

/* Of `among`, those whose magnitude is less than, equal to and greater than the given one. */
struct split {
    struct bitmap *less;
    struct bitmap *equal;
    struct bitmap *greater;
};

static struct split split_by_magnitude(const struct attribute *attribute,
                                       const struct bitmap *among, uint64_t magnitude)
{
    struct split split = {bitmap_create(), bitmap_copy(among), bitmap_create()};
    /* From the highest digit: `equal` are those who agree so far. */
    for (unsigned i = DIGITS; i-- > 0;) {
        const struct bitmap *digit = attribute->digits[i];
        if (magnitude >> i & 1) {
            if (digit == NULL) {
                bitmap_or(split.less, split.equal);
                bitmap_destroy(split.equal);
                split.equal = bitmap_create();
                break;
            }
            struct bitmap *zero = bitmap_copy(split.equal);
            bitmap_and_not(zero, digit);
            bitmap_or(split.less, zero);
            bitmap_destroy(zero);
            bitmap_and(split.equal, digit);
        } else if (digit != NULL) {
            struct bitmap *one = bitmap_copy(split.equal);
            bitmap_and(one, digit);
            bitmap_or(split.greater, one);
            bitmap_destroy(one);
            bitmap_and_not(split.equal, digit);
        }
    }
    return split;
}

/* Among all with a number: less than, equal to and greater than value. */
static struct split split_by_value(const struct attribute *attribute, int64_t value)
{
    struct bitmap *same_sign = bitmap_copy(attribute->integers);
    struct bitmap *other_sign = bitmap_copy(attribute->integers);
    struct bitmap *none = attribute->negative == NULL ? bitmap_create() : NULL;
    const struct bitmap *negative = none != NULL ? none : attribute->negative;
    if (value < 0) {
        bitmap_and(same_sign, negative);
        bitmap_and_not(other_sign, negative);
    } else {
        bitmap_and_not(same_sign, negative);
        bitmap_and(other_sign, negative);
    }
    struct split split = split_by_magnitude(attribute, same_sign, magnitude_of(value));
    if (value < 0) {
        struct bitmap *nearer = split.less; /* a smaller magnitude is a greater number */
        split.less = split.greater;
        split.greater = nearer;
        bitmap_or(split.greater, other_sign);
    } else {
        bitmap_or(split.less, other_sign);
    }
    bitmap_destroy(same_sign);
    bitmap_destroy(other_sign);
    bitmap_destroy(none);
    return split;
}

struct bitmap *attributes_compare(const struct attributes *attributes, uint32_t name_id,
                                  enum comparison comparison, int64_t value)
{
    const struct attribute *attribute = find(attributes, name_id);
    if (attribute == NULL || attribute->integers == NULL) {
        return bitmap_create();
    }
    struct split split = split_by_value(attribute, value);
    struct bitmap *result = NULL;
    switch (comparison) {
    case COMPARE_EQ: result = split.equal; break;
    case COMPARE_LT: result = split.less; break;
    case COMPARE_GT: result = split.greater; break;
    case COMPARE_LTE:
        bitmap_or(split.less, split.equal);
        result = split.less;
        break;
    case COMPARE_GTE:
        bitmap_or(split.greater, split.equal);
        result = split.greater;
        break;
    case COMPARE_NE:
        bitmap_or(split.less, split.greater);
        result = split.less;
        break;
    }
    if (split.less != result) {
        bitmap_destroy(split.less);
    }
    if (split.equal != result) {
        bitmap_destroy(split.equal);
    }
    if (split.greater != result) {
        bitmap_destroy(split.greater);
    }
    CHECK(result != NULL);
    return result;
}

/* ---- asking ---- */

const struct bitmap *attributes_integers(const struct attributes *attributes, uint32_t name_id)
{
    const struct attribute *attribute = find(attributes, name_id);
    return attribute != NULL ? attribute->integers : NULL;
}

const struct bitmap *attributes_category(const struct attributes *attributes, uint32_t name_id,
                                         uint32_t category_id)
{
    const struct attribute *attribute = find(attributes, name_id);
    if (attribute == NULL || attribute->category_mask == 0) {
        return NULL;
    }
    return category_slot(attribute, category_id)->people;
}

void attributes_each_category(const struct attributes *attributes, uint32_t name_id,
                              void (*visit)(void *context, uint32_t category_id,
                                            const struct bitmap *people),
                              void *context)
{
    const struct attribute *attribute = find(attributes, name_id);
    if (attribute == NULL || attribute->category_mask == 0) {
        return;
    }
    for (uint32_t i = 0; i <= attribute->category_mask; i++) {
        if (attribute->categories[i].people != NULL) {
            visit(context, attribute->categories[i].id, attribute->categories[i].people);
        }
    }
}

const struct bitmap *attributes_bool(const struct attributes *attributes, uint32_t name_id,
                                     bool value)
{
    const struct attribute *attribute = find(attributes, name_id);
    return attribute != NULL ? attribute->booleans[value] : NULL;
}

const struct bitmap *attributes_loose(const struct attributes *attributes, uint32_t name_id)
{
    const struct attribute *attribute = find(attributes, name_id);
    return attribute != NULL ? attribute->loose : NULL;
}

static void or_into(void *context, uint32_t category_id, const struct bitmap *people)
{
    (void)category_id;
    bitmap_or(context, people);
}

struct bitmap *attributes_present(const struct attributes *attributes, uint32_t name_id)
{
    struct bitmap *present = bitmap_create();
    const struct attribute *attribute = find(attributes, name_id);
    if (attribute != NULL) {
        const struct bitmap *sets[] = {attribute->booleans[0], attribute->booleans[1],
                                       attribute->integers, attribute->loose};
        for (size_t i = 0; i < ARRAY_COUNT(sets); i++) {
            if (sets[i] != NULL) {
                bitmap_or(present, sets[i]);
            }
        }
        attributes_each_category(attributes, name_id, or_into, present);
    }
    return present;
}

static uint64_t bytes_of(const struct bitmap *set)
{
    return set != NULL ? bitmap_memory_bytes(set) : 0;
}

uint64_t attributes_memory_bytes(const struct attributes *attributes)
{
    uint64_t sum = sizeof *attributes + (uint64_t)attributes->capacity * sizeof(struct attribute *);
    for (uint32_t name = 0; name < attributes->capacity; name++) {
        const struct attribute *attribute = attributes->by_name[name];
        if (attribute == NULL) {
            continue;
        }
        sum += sizeof *attribute + bytes_of(attribute->booleans[0]) +
               bytes_of(attribute->booleans[1]) + bytes_of(attribute->loose) +
               bytes_of(attribute->integers) + bytes_of(attribute->negative);
        for (unsigned i = 0; i < attribute->digit_count; i++) {
            sum += bytes_of(attribute->digits[i]);
        }
        for (uint32_t i = 0; attribute->category_mask > 0 && i <= attribute->category_mask; i++) {
            sum += sizeof(struct category) + bytes_of(attribute->categories[i].people);
        }
    }
    return sum;
}
