#include "base/hash.h"

#include <xxhash.h>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

uint64_t hash64(struct slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.length, seed);
}

/* Bit by bit: only machines without SSE 4.2 come here, and then correctness is all that is asked.
 * Polynomial 0x1EDC6F41, reflected. */
static uint32_t crc32c_portable(uint32_t state, const uint8_t *at, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        state ^= at[i];
        for (int bit = 0; bit < 8; bit++) {
            state = (state >> 1) ^ (0x82F63B78u & (0u - (state & 1u)));
        }
    }
    return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t state, const uint8_t *at,
                                                               size_t length)
{
    uint64_t wide = state;
    for (; length >= 8; at += 8, length -= 8) {
        wide = _mm_crc32_u64(wide, load_u64(at));
    }
    uint32_t narrow = (uint32_t)wide;
    for (; length > 0; at++, length--) {
        narrow = _mm_crc32_u8(narrow, *at);
    }
    return narrow;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
    uint32_t state = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return ~crc32c_sse42(state, data, length);
    }
#endif
    return ~crc32c_portable(state, data, length);
}
