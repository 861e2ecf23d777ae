/* profile_sample.h: profiles to test with: the sample record of the README, and random ones that go
 * to the edges of every type. Shared by the unit test of the packed profile and whoever wants seeds
 * for its fuzzer. */
#ifndef KINDRED_TESTS_UNIT_PROFILE_SAMPLE_H
#define KINDRED_TESTS_UNIT_PROFILE_SAMPLE_H

#include <stdlib.h>

#include "base/clock.h"
#include "storage/profile.h"

enum {
    SAMPLE_CITY = 30000,
    SAMPLE_STATE = 40,
    SAMPLE_COUNTRY = 17,
    SAMPLE_GENDER = 18,
    SAMPLE_EDUCATION = 23
};

/* One cookie, e-mail and phone; three location and four demographics fields; three interests; one
 * entry, in a base of some millions of people. Borrowed until the next call. */
__attribute__((unused)) static const struct profile *sample_profile(void)
{
    static const int64_t created_at_us = INT64_C(1763776800123456);
    static struct profile_origin origins[1];
    static struct profile_identifier identifiers[3];
    static struct profile_field fields[7];
    static struct profile_interest interests[3];
    static uint64_t sequences[1];
    static struct profile profile;
    origins[0] = (struct profile_origin){
        .sequence = 5123456, .event_time_us = created_at_us, .source_id = 16};
    identifiers[0] = (struct profile_identifier){.type = IDENTIFIER_EMAIL,
                                                 .value = SLICE_LITERAL("john.smith@example.com")};
    identifiers[1] = (struct profile_identifier){.type = IDENTIFIER_PHONE,
                                                 .value = SLICE_LITERAL("+14155550123")};
    identifiers[2] = (struct profile_identifier){.type = IDENTIFIER_COOKIE,
                                                 .value = SLICE_LITERAL("dk5h2p9s7f3j8m1n4v0x")};
    const struct profile_field sample_fields[7] = {
        {.name_id = FIELD_CITY, .value = {.kind = PROFILE_CATEGORY, .category_id = SAMPLE_CITY}},
        {.name_id = FIELD_STATE, .value = {.kind = PROFILE_CATEGORY, .category_id = SAMPLE_STATE}},
        {.name_id = FIELD_COUNTRY,
         .value = {.kind = PROFILE_CATEGORY, .category_id = SAMPLE_COUNTRY}},
        {.name_id = FIELD_AGE, .value = {.kind = PROFILE_INTEGER, .integer = 34}},
        {.name_id = FIELD_GENDER,
         .value = {.kind = PROFILE_CATEGORY, .category_id = SAMPLE_GENDER}},
        {.name_id = FIELD_INCOME, .value = {.kind = PROFILE_INTEGER, .integer = 75000}},
        {.name_id = FIELD_EDUCATION,
         .value = {.kind = PROFILE_CATEGORY, .category_id = SAMPLE_EDUCATION}},
    };
    memcpy(fields, sample_fields, sizeof fields);
    interests[0] = (struct profile_interest){.phrase_id = 12};
    interests[1] = (struct profile_interest){.phrase_id = 340};
    interests[2] = (struct profile_interest){.phrase_id = 20500};
    sequences[0] = 5123456;
    profile = (struct profile){
        .number = 4000123,
        .created_at_us = created_at_us,
        .updated_at_us = created_at_us,
        .created_sequence = 5123456,
        .origins = origins,
        .origin_count = 1,
        .identifiers = identifiers,
        .identifier_count = 3,
        .fields = fields,
        .field_count = 7,
        .interests = interests,
        .interest_count = 3,
        .sequences = sequences,
        .sequence_count = 1,
    };
    return &profile;
}

/* Small numbers mostly, and every magnitude and both ends now and then. */
static uint64_t random_u64(struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0: return prng_below(prng, 2) ? UINT64_MAX : 0;
    case 1: return UINT64_C(1) << prng_below(prng, 64);
    case 2: return prng_next(prng) >> prng_below(prng, 64);
    default: return prng_below(prng, 300);
    }
}
static uint32_t random_u32(struct prng *prng)
{
    return (uint32_t)random_u64(prng);
}

static struct slice random_text(struct prng *prng, struct arena *arena)
{
    static const char *const characters[] = {
        "a", "Z", "0", " ", "@", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    size_t count = prng_below(prng, prng_below(prng, 20) == 0 ? 300 : 24);
    char *text = arena_alloc(arena, count * 4 + 1);
    if (text == NULL) {
        abort();
    }
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        const char *character = characters[prng_below(prng, 8)];
        memcpy(text + length, character, strlen(character));
        length += strlen(character);
    }
    return slice_of(text, length);
}

static struct profile_value random_value(struct prng *prng, struct arena *arena)
{
    struct profile_value value = {
        .kind = (enum profile_value_kind)prng_below(prng, PROFILE_CATEGORY + 1)};
    switch (value.kind) {
    case PROFILE_NULL: break;
    case PROFILE_BOOL: value.boolean = prng_below(prng, 2) != 0; break;
    case PROFILE_INTEGER: value.integer = (int64_t)random_u64(prng); break;
    case PROFILE_NUMBER:
        value.number = prng_below(prng, 4) == 0 ? -0.0 : (prng_unit(prng) - 0.5) * 1e300;
        break;
    case PROFILE_TEXT: value.text = random_text(prng, arena); break;
    case PROFILE_CATEGORY: value.category_id = random_u32(prng); break;
    }
    return value;
}

static uint32_t random_origin(struct prng *prng, size_t origin_count)
{
    return (uint32_t)(prng_below(prng, 3) == 0 ? prng_below(prng, origin_count) : 0);
}

/* A plausible size: none of it, a few, or many. */
static size_t random_count(struct prng *prng)
{
    switch (prng_below(prng, 12)) {
    case 0:
    case 1:
    case 2: return 0;
    case 3: return prng_below(prng, 300);
    default: return prng_below(prng, 9);
    }
}

static void *random_array(struct arena *arena, size_t count, size_t size_bytes)
{
    void *array = arena_zalloc(arena, count * size_bytes + 1);
    if (array == NULL) {
        abort();
    }
    return array;
}

/* Origins in no order, some equal, some that nothing refers to; everything else as profile.h
 * asks. */
__attribute__((unused)) static struct profile random_profile(struct prng *prng, struct arena *arena)
{
    struct profile profile = {
        .number = random_u32(prng) | 1,
        .created_at_us =
            prng_below(prng, 4) ? INT64_C(1763776800000000) : (int64_t)random_u64(prng),
        .updated_at_us =
            prng_below(prng, 4) ? INT64_C(1763776800000000) : (int64_t)random_u64(prng),
        .created_sequence = random_u64(prng),
        .history_chunks = prng_below(prng, 4) ? 0 : random_u32(prng),
        .origin_count = random_count(prng) + 1,
        .identifier_count = random_count(prng),
        .field_count = random_count(prng),
        .item_count = random_count(prng),
        .interest_count = random_count(prng),
        .sequence_count = random_count(prng),
        .absorbed_count = prng_below(prng, 2) ? 0 : random_count(prng),
    };
    profile.origins = random_array(arena, profile.origin_count, sizeof *profile.origins);
    for (size_t i = 0; i < profile.origin_count; i++) {
        profile.origins[i] =
            i > 0 && prng_below(prng, 4) == 0
                ? profile.origins[prng_below(prng, i)]
                : (struct profile_origin){random_u64(prng), (int64_t)random_u64(prng),
                                          random_u32(prng)};
    }
    profile.identifiers =
        random_array(arena, profile.identifier_count, sizeof *profile.identifiers);
    for (size_t i = 0; i < profile.identifier_count; i++) {
        profile.identifiers[i] = (struct profile_identifier){
            .type = (uint8_t)prng_below(prng, IDENTIFIER_TYPE_MAX),
            .moved = prng_below(prng, 4) == 0,
            .origin = random_origin(prng, profile.origin_count),
            .value = random_text(prng, arena),
        };
    }
    profile.fields = random_array(arena, profile.field_count, sizeof *profile.fields);
    uint32_t name_id = 0;
    for (size_t i = 0; i < profile.field_count; i++) {
        /* The last few may go up to the very end of the ids. */
        name_id += prng_below(prng, 4)
                       ? (uint32_t)prng_below(prng, 3)
                       : (uint32_t)prng_below(prng, (UINT32_MAX - name_id) / 512 + 1);
        profile.fields[i] = (struct profile_field){
            .name_id = name_id++,
            .origin = random_origin(prng, profile.origin_count),
            .value = random_value(prng, arena),
        };
    }
    profile.items = random_array(arena, profile.item_count, sizeof *profile.items);
    for (size_t i = 0; i < profile.item_count; i++) {
        profile.items[i] = (struct profile_item){
            random_u32(prng), random_origin(prng, profile.origin_count), random_text(prng, arena)};
    }
    profile.interests = random_array(arena, profile.interest_count, sizeof *profile.interests);
    for (size_t i = 0; i < profile.interest_count; i++) {
        profile.interests[i] =
            (struct profile_interest){random_u32(prng), random_origin(prng, profile.origin_count)};
    }
    profile.sequences = random_array(arena, profile.sequence_count, sizeof *profile.sequences);
    uint64_t sequence = prng_below(prng, 3) ? profile.created_sequence / 2 : random_u64(prng) / 2;
    for (size_t i = 0; i < profile.sequence_count; i++) {
        profile.sequences[i] = sequence;
        sequence += 1 + (prng_below(prng, 4) ? prng_below(prng, 200) : prng_next(prng) >> 12);
    }
    profile.absorbed = random_array(arena, profile.absorbed_count, sizeof *profile.absorbed);
    for (size_t i = 0; i < profile.absorbed_count; i++) {
        profile.absorbed[i] = (struct profile_absorbed){random_u32(prng) | 1, random_u64(prng)};
    }
    return profile;
}

#endif
