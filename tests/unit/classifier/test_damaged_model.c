/* Tries to break opening with files that are damaged, or made by somebody who knows the digest:
 * each is refused with an error that says where, or can be asked without harm (the sanitizer builds
 * watch). */
#include "unit/test.h"

#include "classifier/model.h"
#include "model_internal.h"
#include "tiny_model.h"
#include "unit/seed.h"

static uint64_t state;
static struct tiny_model sound;
static char *work; /* a copy of it to damage */

static size_t below(size_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)((state >> 11) % limit);
}

static void ask(const struct model *model)
{
    static const char *const phrases[] = {
        "Tom Brady",
        "guitarlessons",
        "#TaylorSwift",
        "tom bradx",
        "日本 ing",
        "x",
        "",
        "foot ball",
        "a ball swings in the tom tom bar, and so on and on until nobody knows any more what it is"};
    const struct classifier *classifier = model_classifier(model);
    void *scratch = aligned_alloc(64, (classifier->scratch_bytes + 63) / 64 * 64);
    struct slice slices[ARRAY_COUNT(phrases)];
    struct verdict verdicts[ARRAY_COUNT(phrases)];
    struct model_explanation why;
    CHECK(scratch != NULL);
    for (size_t i = 0; i < ARRAY_COUNT(phrases); i++) {
        slices[i] = slice_from_cstr(phrases[i]);
    }
    classifier->classify(classifier->context, scratch, slices, ARRAY_COUNT(phrases), verdicts);
    for (size_t i = 0; i < ARRAY_COUNT(phrases); i++) {
        EXPECT(verdicts[i].topic_count <= VERDICT_TOPICS_MAX);
        for (size_t t = 0; t < verdicts[i].topic_count; t++) {
            EXPECT(verdicts[i].topics[t].topic < classifier->topic_count);
        }
    }
    model_explain(model, scratch, slices[0], &verdicts[0], &why);
    free(scratch);
}

/* Opens `length` bytes of work, in an allocation of their own so that reading past them is seen;
 * true when it was refused. */
static bool refused(size_t length, bool seal, const struct kernel *kernel)
{
    char *bytes = aligned_alloc(64, (length + 63) / 64 * 64 + 64);
    struct model *model = NULL;
    struct error error = {0};
    CHECK(bytes != NULL);
    /* The file's end lies at the end of the allocation, as nearly as its alignment lets it. */
    memcpy(bytes, work, length);
    if (seal) {
        tiny_model_seal(bytes, length);
    }
    const err e = model_open_with(slice_of(bytes, length), kernel, &model, &error);
    EXPECT(e == ERR_OK || (e == ERR_CORRUPT && error.message[0] != 0 && model == NULL));
    if (e == ERR_OK) {
        ask(model);
    }
    model_close(model);
    free(bytes);
    return e != ERR_OK;
}

static void restore(void)
{
    memcpy(work, sound.bytes, sound.length);
}

static void test_sound(void)
{
    static const char *const names[] = {"portable", "avx2", "avx512vnni"};
    restore();
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct kernel *kernel = kernel_named(names[i]);
        EXPECT(kernel == NULL || !refused(sound.length, false, kernel), ": %s", names[i]);
    }
}

static void test_truncated(void)
{
    restore();
    for (size_t round = 0; round < 40; round++) {
        const size_t length = round < 25 ? round * 24 : below(sound.length);
        EXPECT(refused(length, false, kernel_choose()), ": %zu bytes", length);
        EXPECT(refused(length, true, kernel_choose()), ": %zu bytes, digest made good", length);
    }
    EXPECT(refused(sound.length - 1, false, kernel_choose()));
}

/* Without a good digest every flipped bit is noticed. */
static void test_flipped(void)
{
    restore();
    for (size_t round = 0; round < 50; round++) {
        const size_t at = below(round < 25 ? 5000 : sound.length);
        const char bit = (char)(1 << below(8));
        work[at] ^= bit;
        EXPECT(refused(sound.length, false, kernel_choose()), ": byte %zu", at);
        work[at] ^= bit;
    }
}

/* Every field of every descriptor, with a good digest. What is left of the file must not be
 * misread. */
static void test_descriptors(void)
{
    static const size_t fields[] = {0, 31, 32, 33, 34, 39, 40, 44, 48, 52, 56};
    static const char values[] = {0, 1, 2, 5, 64, 127, -1};
    restore();
    size_t taken = 0;
    for (size_t d = 0; d < sound.tensors; d++) {
        char *descriptor = work + TINY_HEADER + d * TINY_DESCRIPTOR;
        for (size_t f = below(3); f < ARRAY_COUNT(fields); f += 1 + below(3)) {
            const char was = descriptor[fields[f]];
            descriptor[fields[f]] = values[below(ARRAY_COUNT(values))];
            const bool changed = descriptor[fields[f]] != was;
            /* Two shapes are free: topics, names and the like may be of another length. */
            taken += !refused(sound.length, true, kernel_choose()) && changed;
            descriptor[fields[f]] = was;
        }
    }
    EXPECT(taken < 40, ": %zu damaged descriptors were taken", taken);
}

static void test_header(void)
{
    for (size_t at = 0; at < 16; at++) {
        restore();
        work[at] ^= 0x55;
        EXPECT(refused(sound.length, true, kernel_choose()), ": byte %zu", at);
    }
}

/* Anything in the small tensors, with a good digest: refused, or harmless. */
static void test_contents(void)
{
    restore();
    for (size_t round = 0; round < 150; round++) {
        const char *descriptor = work + TINY_HEADER + below(sound.tensors) * TINY_DESCRIPTOR;
        const size_t at = (size_t)load_u64(descriptor + 56) + below(256);
        char was[8];
        memcpy(was, work + at, sizeof was);
        if (below(2) == 0) {
            work[at] = (char)below(256);
        } else {
            store_u32(work + at / 4 * 4,
                      (uint32_t)(below(3) == 0 ? 0x7F7FFFFF : below(UINT32_MAX)));
        }
        (void)refused(sound.length, true, round % 8 == 0 ? &kernel_portable : kernel_choose());
        if (at / 4 * 4 == at || below(4) != 0) {
            restore();
        } else {
            memcpy(work + at, was, sizeof was);
        }
    }
}

int main(void)
{
    state = test_seed() | 1;
    sound = tiny_model_make();
    work = aligned_alloc(64, TINY_BYTES_MAX);
    CHECK(work != NULL);
    RUN(test_sound);
    RUN(test_truncated);
    RUN(test_flipped);
    RUN(test_descriptors);
    RUN(test_header);
    RUN(test_contents);
    free(work);
    free(sound.bytes);
    return test_summary();
}
