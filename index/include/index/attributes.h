/* attributes.h: who has which value, as bitmaps, so that a condition over everybody is algebra and not a scan.
 *
 *   categories (country, state, city, gender, …): one bitmap per (field, value)
 *   whole numbers (age, integer attributes):      bit-sliced, one bitmap per binary digit plus "has a value"
 *                                                 (O'Neil & Quass, SIGMOD 1997); <, <=, =, … in one pass of the digits
 *   booleans: a bitmap for true and one for false
 * Free texts (names, streets) are not indexed: conditions on them scan the candidates the rest has left.
 *
 * Threading: queries share; set and clear exclude. */
#ifndef KINDRED_INDEX_ATTRIBUTES_H
#define KINDRED_INDEX_ATTRIBUTES_H

#include "index/bitmap.h"
#include "storage/profile.h"

struct attributes;

struct attributes *attributes_create(void) MUST_USE;
void attributes_destroy(struct attributes *attributes);

/* Is a value of this field and kind indexed? A function of name_id < FIELD_BUILTIN_COUNT and kind only. */
bool attributes_indexes(uint32_t name_id, enum profile_value_kind kind);

void attributes_set(struct attributes *attributes, uint32_t name_id, const struct profile_value *value, uint32_t person);
void attributes_clear(struct attributes *attributes, uint32_t name_id, const struct profile_value *value,
                      uint32_t person);

enum comparison { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LTE, COMPARE_GT, COMPARE_GTE };
/* People whose indexed whole number compares so; owned by caller. Those without a value are in none of them. */
struct bitmap *attributes_compare(const struct attributes *attributes, uint32_t name_id, enum comparison comparison,
                                  int64_t value);
/* People in the category; NULL when nobody is. Borrowed. */
const struct bitmap *attributes_category(const struct attributes *attributes, uint32_t name_id, uint32_t category_id);
const struct bitmap *attributes_bool(const struct attributes *attributes, uint32_t name_id, bool value);
/* People with any indexed value in the field; owned by caller. */
struct bitmap *attributes_present(const struct attributes *attributes, uint32_t name_id);
uint64_t attributes_memory_bytes(const struct attributes *attributes);

#endif
