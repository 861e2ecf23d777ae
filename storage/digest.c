#include "digest.h"

#include <openssl/evp.h>

#include "base/memory.h"

struct digest {
    EVP_MD *method; /* fetched once: the fetch is what makes the one-shot call slow */
    EVP_MD_CTX *state;
};

struct digest *digest_create(void)
{
    struct digest *digest = memory_zalloc(sizeof *digest);
    if (digest == NULL) {
        return NULL;
    }
    digest->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    digest->state = EVP_MD_CTX_new();
    if (digest->method == NULL || digest->state == NULL ||
        EVP_DigestInit_ex2(digest->state, digest->method, NULL) != 1) {
        digest_destroy(digest);
        return NULL;
    }
    return digest;
}

void digest_destroy(struct digest *digest)
{
    if (digest != NULL) {
        EVP_MD_CTX_free(digest->state);
        EVP_MD_free(digest->method);
        memory_free(digest);
    }
}

/* With a context that was set up once, these cannot fail: they allocate nothing. */
void digest_begin(struct digest *digest)
{
    CHECK(EVP_DigestInit_ex2(digest->state, NULL, NULL) == 1);
}

void digest_add(struct digest *digest, const void *data, size_t length)
{
    CHECK(EVP_DigestUpdate(digest->state, data, length) == 1);
}

void digest_end(struct digest *digest, uint8_t out[DIGEST_BYTES])
{
    CHECK(EVP_DigestFinal_ex(digest->state, out, NULL) == 1);
}
