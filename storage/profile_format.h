/* profile_format.h: what profile.c, profile_pack.c and profile_view.c agree on. The layout these
 * numbers belong to is drawn at the top of profile.c. Private to storage/. */
#ifndef KINDRED_STORAGE_PROFILE_FORMAT_H
#define KINDRED_STORAGE_PROFILE_FORMAT_H

#include <stdint.h>

#include "storage/profile.h"

enum {
    PROFILE_AT_LENGTH = 0,
    PROFILE_AT_NUMBER = 4,
    PROFILE_AT_CREATED = 8,
    PROFILE_AT_FORMAT = 16, /* version in the low 4 bits, flags above */
    PROFILE_AT_HEAD_BYTES = 17,
    PROFILE_HEAD_FIXED_BYTES = 18,
    PROFILE_HEAD_MAX_BYTES = 128,

    PROFILE_VERSION_MASK = 0x0F,
    PROFILE_HAS_ITEMS = 0x10,
    PROFILE_HAS_ABSORBED = 0x20,
    PROFILE_HAS_HISTORY = 0x40,
    PROFILE_FLAGS_UNKNOWN = 0x80,

    /* An identifier's first byte. */
    IDENTIFIER_TYPE_MASK = 0x0F,
    IDENTIFIER_MOVED = 0x10,
    IDENTIFIER_OTHER_ORIGIN = 0x20,
    IDENTIFIER_BITS_UNKNOWN = 0xC0,

    /* A field's tag: name delta, then these. */
    FIELD_KIND_MASK = 0x07,
    FIELD_OTHER_ORIGIN = 0x08,
    FIELD_TAG_SHIFT = 4,

    /* An item's or an interest's tag: id, then this. */
    MEMBER_OTHER_ORIGIN = 0x01,
    MEMBER_TAG_SHIFT = 1,
};

_Static_assert((int)IDENTIFIER_TYPE_MAX == (int)IDENTIFIER_TYPE_MASK + 1,
               "every value of the bits is a type");
_Static_assert((int)PROFILE_CATEGORY <= (int)FIELD_KIND_MASK, "a kind fits its bits");
_Static_assert((int)PROFILE_FORMAT_VERSION <= (int)PROFILE_VERSION_MASK,
               "the version fits its bits");
_Static_assert(sizeof(size_t) == 8, "counts are u32 and are added without overflow");

/* The order of origins in a blob. */
static inline int profile_origin_order(const struct profile_origin *a,
                                       const struct profile_origin *b)
{
    if (a->sequence != b->sequence) {
        return a->sequence < b->sequence ? -1 : 1;
    }
    if (a->event_time_us != b->event_time_us) {
        return a->event_time_us < b->event_time_us ? -1 : 1;
    }
    if (a->source_id != b->source_id) {
        return a->source_id < b->source_id ? -1 : 1;
    }
    return 0;
}

/* Differences wrap, so that every pair of times or sequences has one and is found again from it. */
static inline uint64_t profile_delta(uint64_t value, uint64_t base)
{
    uint64_t difference = value - base;
    return (difference << 1) ^ (0 - (difference >> 63));
}
static inline uint64_t profile_undelta(uint64_t delta, uint64_t base)
{
    return base + ((delta >> 1) ^ (0 - (delta & 1)));
}

#endif
