/* attributes.h: who has which value, as bitmaps, so that a condition over everybody is algebra and
 * not a scan.
 *
 *   categories (country, state, city, gender, …): one bitmap per (field, value)
 *   whole numbers (age, integer attributes):      bit-sliced, one bitmap per binary digit of the magnitude, one for the
 *                                                 sign, one for "has a value"
 *                                                 (O'Neil & Quass, SIGMOD 1997); <, <=, =, … in one pass of the digits
 *   booleans:                                     a bitmap for true and one for false
 *   anything else (texts, fractions):             only who has one ("loose"): conditions scan those candidates
 * The free texts of the schema (names, street) are not even that: everybody has one, so everybody
 * is a candidate.
 *
 * A person has at most one value per field. To change it, clear the old one first.
 *
 * Threading: queries share; set and clear exclude. Failure: as bitmap.h, no memory ends the process
 * in CHECK. */
#ifndef KINDRED_INDEX_ATTRIBUTES_H
#define KINDRED_INDEX_ATTRIBUTES_H

#include "index/bitmap.h"
#include "storage/profile.h"

struct attributes;

struct attributes *attributes_create(void) MUST_USE;
void attributes_destroy(struct attributes *attributes);

/* Must set and clear be called for a value of this field and kind? (Calling them anyway does
 * nothing.) A function of name_id < FIELD_BUILTIN_COUNT and kind only; false for PROFILE_NULL and
 * the schema's free texts. */
bool attributes_indexes(uint32_t name_id, enum profile_value_kind kind);

void attributes_set(struct attributes *attributes, uint32_t name_id,
                    const struct profile_value *value, uint32_t person);
void attributes_clear(struct attributes *attributes, uint32_t name_id,
                      const struct profile_value *value, uint32_t person);

enum comparison { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LTE, COMPARE_GT, COMPARE_GTE };
/* People whose indexed whole number compares so; owned by caller. Those without a value are in none
 * of them. */
struct bitmap *attributes_compare(const struct attributes *attributes, uint32_t name_id,
                                  enum comparison comparison, int64_t value);
/* People with any whole number in the field; NULL when nobody. Borrowed. */
const struct bitmap *attributes_integers(const struct attributes *attributes, uint32_t name_id);
/* People in the category; NULL when nobody is. Borrowed. */
const struct bitmap *attributes_category(const struct attributes *attributes, uint32_t name_id,
                                         uint32_t category_id);
/* Calls visit for each category that somebody is in, in no order. */
void attributes_each_category(const struct attributes *attributes, uint32_t name_id,
                              void (*visit)(void *context, uint32_t category_id,
                                            const struct bitmap *people),
                              void *context);
/* or NULL */
const struct bitmap *attributes_bool(const struct attributes *attributes, uint32_t name_id,
                                     bool value);
/* People with a value that only a look at the profile can compare; NULL when nobody. Borrowed. */
const struct bitmap *attributes_loose(const struct attributes *attributes, uint32_t name_id);
/* People with any value in the field, loose ones too (not for the schema's free texts); owned by
 * caller. */
struct bitmap *attributes_present(const struct attributes *attributes, uint32_t name_id);
uint64_t attributes_memory_bytes(const struct attributes *attributes);

#endif
