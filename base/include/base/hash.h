/* hash.h: the two hashes of the project and what each is for.
 *
 *   hash64   XXH3 (Collet, xxHash 0.8): tables in RAM. Fast, keyed by a per-process seed where
 *            outsiders choose the keys (hash flooding). Never stored.
 *   crc32c   Castagnoli CRC (RFC 3720): detects damage in stored bytes. SSE 4.2 where there is one.
 * Digests that must resist people (chain, keys) are SHA-256 from OpenSSL, in storage/ and server/.
 *
 * Threading: any. */
#ifndef KINDRED_BASE_HASH_H
#define KINDRED_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

uint64_t hash64(struct slice bytes, uint64_t seed);

/* `crc` is 0 at first, then the previous result, so that pieces add up to the whole. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

#endif
