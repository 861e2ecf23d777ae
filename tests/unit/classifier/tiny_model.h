/* tiny_model.h: a model file made up on the spot, for tests and fuzzers that want to damage one:
 * the encoder has its real shape (its weights are noise), everything else a handful of rows. */
#ifndef KINDRED_TESTS_UNIT_CLASSIFIER_TINY_MODEL_H
#define KINDRED_TESTS_UNIT_CLASSIFIER_TINY_MODEL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/slice.h"

enum {
    TINY_BYTES_MAX = 7 << 20,
    TINY_TENSORS = 73,
    TINY_HEADER = 24,
    TINY_DESCRIPTOR = 64,
    TINY_TOPICS = 3,
    TINY_WORDS = 12,
    TINY_FEATURES = 512 + 10 + 2 * TINY_TOPICS,
    TINY_HIDDEN = 32,
};

struct tiny_model {
    char *bytes; /* 64-byte aligned */
    size_t length;
    uint32_t tensors;
    uint32_t noise;
};

__attribute__((unused)) static void tiny_model_seal(char *bytes, size_t length)
{
    if (length >= TINY_HEADER) {
        store_u64(bytes + 16, hash64(slice_of(bytes + TINY_HEADER, length - TINY_HEADER), 0));
    }
}

static void *tiny_tensor(struct tiny_model *m, const char *name, uint8_t type, unsigned rank,
                         uint32_t a, uint32_t b, uint32_t c)
{
    const size_t count = (size_t)a * b * c;
    const size_t at = m->length;
    char *descriptor = m->bytes + TINY_HEADER + (size_t)m->tensors++ * TINY_DESCRIPTOR;
    CHECK(m->tensors <= TINY_TENSORS);
    memcpy(descriptor, name, strlen(name));
    descriptor[32] = (char)type;
    descriptor[33] = (char)rank;
    store_u32(descriptor + 40, a);
    store_u32(descriptor + 44, b);
    store_u32(descriptor + 48, c);
    store_u32(descriptor + 52, 1);
    store_u64(descriptor + 56, at);
    m->length = (at + count * (type <= 2 ? 1 : 4) + 63) / 64 * 64;
    CHECK(m->length <= TINY_BYTES_MAX);
    return m->bytes + at;
}

static void tiny_text(struct tiny_model *m, const char *name, const char *text, size_t length)
{
    memcpy(tiny_tensor(m, name, 1, 1, (uint32_t)length, 1, 1), text, length);
}

static uint32_t tiny_noise(struct tiny_model *m)
{
    m->noise = m->noise * 1664525 + 1013904223;
    return m->noise >> 8;
}

static void tiny_floats(struct tiny_model *m, const char *name, unsigned rank, uint32_t a,
                        uint32_t b, uint32_t c, float scale)
{
    float *to = tiny_tensor(m, name, 4, rank, a, b, c);
    for (size_t i = 0; i < (size_t)a * b * c; i++) {
        to[i] = scale * ((float)(tiny_noise(m) % 2001) / 1000 - 1);
    }
}

static void tiny_bytes(struct tiny_model *m, const char *name, uint8_t type, unsigned rank,
                       uint32_t a, uint32_t b)
{
    uint8_t *to = tiny_tensor(m, name, type, rank, a, b, 1);
    for (size_t i = 0; i < (size_t)a * b; i++) {
        to[i] = (uint8_t)tiny_noise(m);
        to[i] = to[i] == 0x80 ? 0 : to[i];
    }
}

static void tiny_matrix(struct tiny_model *m, const char *name, uint32_t rows, uint32_t columns)
{
    char full[40];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    tiny_bytes(m, full, 2, 2, rows, columns);
    (void)snprintf(full, sizeof full, "%s.scale", name);
    tiny_floats(m, full, 1, rows, 1, 1, 0.001f);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    tiny_floats(m, full, 1, rows, 1, 1, 0.1f);
}

/* A table of 16 buckets; order[row] is the text of that row. */
static void tiny_table(struct tiny_model *m, const char *prefix, const char *const *texts,
                       uint32_t *order)
{
    char name[40];
    uint64_t hashes[TINY_WORDS];
    for (uint32_t i = 0; i < TINY_WORDS; i++) {
        uint32_t at = i;
        const uint64_t hash = hash64(slice_from_cstr(texts[i]), 0);
        const uint64_t key = (hash & UINT64_C(0xF000000000000000)) | (hash & UINT32_MAX);
        for (; at > 0 && hashes[at - 1] > key; at--) {
            hashes[at] = hashes[at - 1];
            order[at] = order[at - 1];
        }
        hashes[at] = key;
        order[at] = i;
    }
    (void)snprintf(name, sizeof name, "%s.start", prefix);
    uint32_t *start = tiny_tensor(m, name, 3, 1, 17, 1, 1);
    (void)snprintf(name, sizeof name, "%s.tag", prefix);
    uint32_t *tag = tiny_tensor(m, name, 3, 1, TINY_WORDS, 1, 1);
    for (uint32_t row = 0; row < TINY_WORDS; row++) {
        tag[row] = (uint32_t)hashes[row];
        for (size_t bucket = (size_t)(hashes[row] >> 60) + 1; bucket <= 16; bucket++) {
            start[bucket] = row + 1;
        }
    }
}

static void tiny_encoder(struct tiny_model *m)
{
    static const char pieces[] =
        "<pad>\0<unk>\0<a>\0<b>\0<c>\0<d>\0\xE2\x96\x81\0a\0b\0c\0e\0i\0n\0o\0r\0s\0t\0l\0"
        "\xE2\x96\x81T\0om\0\xE2\x96\x81"
        "ball\0ing";
    const uint32_t count = 22;
    tiny_text(m, "pieces.text", pieces, sizeof pieces);
    tiny_floats(m, "pieces.score", 1, count, 1, 1, 5);
    tiny_bytes(m, "encoder.pieces", 2, 2, count + 2, 256);
    tiny_floats(m, "encoder.pieces.scale", 1, count + 2, 1, 1, 0.001f);
    tiny_floats(m, "encoder.timing", 2, 32, 256, 1, 1);
    for (unsigned layer = 0; layer < 2; layer++) {
        const uint32_t in = layer == 0 ? 256 : 512;
        char name[40];
        static const char *const vectors[] = {"norm1", "norm1_bias", "norm2", "norm2_bias"};
        for (size_t i = 0; i < 4; i++) {
            (void)snprintf(name, sizeof name, "encoder.%u.%s", layer, vectors[i]);
            tiny_floats(m, name, 1, i < 2 ? in : 512, 1, 1, 1);
        }
        const struct {
            const char *name;
            uint32_t rows, columns;
        } matrices[] = {{"qkv", 3 * in, in},
                        {"out", 512, in},
                        {"up", 1536, 512},
                        {"down", 512, 1536},
                        {"widen", 512, in}};
        for (size_t i = 0; i < 5 - (size_t)layer; i++) {
            (void)snprintf(name, sizeof name, "encoder.%u.%s", layer, matrices[i].name);
            tiny_matrix(m, name, matrices[i].rows, matrices[i].columns);
        }
    }
    tiny_matrix(m, "encoder.tanh", 512, 512);
}

static void tiny_words(struct tiny_model *m)
{
    static const char *const words[TINY_WORDS] = {"tom",     "brady", "swift",  "taylor",
                                                  "ball",    "foot",  "basket", "guitar",
                                                  "lessons", "a",     "the",    "machine"};
    static const char *const phrases[TINY_WORDS] = {
        "tom brady",   "taylor swift",   "football",         "basketball",
        "guitar",      "guitar lessons", "machine learning", "tom",
        "c plus plus", "nike shoes",     "iphone 14",        "crickets"};
    uint32_t order[TINY_WORDS];
    tiny_table(m, "words", words, order);
    tiny_bytes(m, "words.code", 1, 2, TINY_WORDS, 2);
    tiny_bytes(m, "words.step", 1, 1, TINY_WORDS, 1);
    tiny_floats(m, "words.book", 3, 2, 256, 5, 1);
    tiny_floats(m, "words.weight", 1, 256, 1, 1, 1);
    tiny_table(m, "known", phrases, order);
    uint32_t *topics = tiny_tensor(m, "known.topics", 3, 1, TINY_WORDS, 1, 1);
    uint32_t *rows = tiny_tensor(m, "known.row", 3, 1, TINY_WORDS, 1, 1);
    uint32_t ends[TINY_WORDS - 2];
    char text[200];
    size_t length = 0;
    for (uint32_t i = 0; i < TINY_WORDS; i++) {
        topics[i] = 1 + tiny_noise(m) % 7;
        rows[i] = order[i] < TINY_WORDS - 2 ? order[i] : UINT32_MAX;
    }
    for (size_t i = 0; i < TINY_WORDS - 2; i++) {
        memcpy(text + length, phrases[i], strlen(phrases[i]));
        length += strlen(phrases[i]);
        ends[i] = (uint32_t)length;
    }
    tiny_text(m, "known.text", text, length);
    memcpy(tiny_tensor(m, "known.text.end", 3, 1, TINY_WORDS - 2, 1, 1), ends, sizeof ends);
    tiny_bytes(m, "known.code", 1, 2, TINY_WORDS - 2, 32);
    tiny_floats(m, "known.book", 3, 32, 256, 4, 1);
}

/* free() the bytes. */
__attribute__((unused)) static struct tiny_model tiny_model_make(void)
{
    struct tiny_model m = {.bytes = aligned_alloc(64, TINY_BYTES_MAX), .noise = 1};
    CHECK(m.bytes != NULL);
    memset(m.bytes, 0, TINY_BYTES_MAX);
    m.length = (TINY_HEADER + TINY_TENSORS * TINY_DESCRIPTOR + 63) / 64 * 64;
    tiny_text(&m, "name", "tiny", 4);
    tiny_text(&m, "topics", "Sports\nMusic\nOther", 18);
    tiny_encoder(&m);
    tiny_words(&m);
    tiny_bytes(&m, "background", 2, 2, 16, 128);
    tiny_floats(&m, "scales", 1, 2, 1, 1, 1);
    tiny_matrix(&m, "trunk.up", TINY_HIDDEN, TINY_FEATURES);
    tiny_floats(&m, "trunk.out", 2, TINY_TOPICS + 1, TINY_HIDDEN, 1, 1);
    tiny_floats(&m, "trunk.direct", 2, TINY_TOPICS + 1, TINY_FEATURES, 1, 1);
    tiny_floats(&m, "trunk.bias", 1, TINY_TOPICS + 1, 1, 1, 1);
    tiny_floats(&m, "trunk.near", 2, 128, TINY_HIDDEN, 1, 1);
    tiny_floats(&m, "trunk.near_direct", 2, 128, TINY_FEATURES, 1, 1);
    tiny_floats(&m, "embedding.mean", 1, 128, 1, 1, 0.1f);
    tiny_floats(&m, "embedding.matrix", 2, 128, 128, 1, 1);
    tiny_floats(&m, "calibration", 2, 3, 3, 1, 1);
    tiny_floats(&m, "thresholds", 1, 2, 1, 1, 0.5f);
    CHECK(m.tensors == TINY_TENSORS);
    memcpy(m.bytes, "KNDRMDL1", 8);
    store_u32(m.bytes + 8, m.tensors);
    tiny_model_seal(m.bytes, m.length);
    return m;
}

#endif
