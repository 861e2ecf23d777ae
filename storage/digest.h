/* digest.h: SHA-256 with a context that is kept. Setting up OpenSSL's one-shot call costs as much
 * as hashing a whole record (457 ns against 259 ns for 426 bytes), so whoever hashes often owns one
 * of these.
 *
 * Threading: one thread at a time. Private to storage/. */
#ifndef KINDRED_STORAGE_DIGEST_H
#define KINDRED_STORAGE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

enum { DIGEST_BYTES = 32 };

struct digest;

/* Owned by caller; NULL when memory is out. */
struct digest *digest_create(void) MUST_USE;
void digest_destroy(struct digest *digest);

void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t length);
void digest_end(struct digest *digest, uint8_t out[DIGEST_BYTES]);

#endif
