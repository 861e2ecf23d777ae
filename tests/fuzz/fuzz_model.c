/* Tries to break opening a model file that was made up by somebody who knows the digest, and asking
 * it. Input: how many patches (a byte, modulo 16); per patch 8 bytes: tensor (behind the last: the
 * descriptors, the header), offset u16, 1 or 4 bytes are written, value u32; then a phrase. */
#include <stdlib.h>

#include "classifier/model.h"
#include "model_internal.h"
#include "unit/classifier/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATCHES_MAX = 16 };

struct patch {
    size_t at;
    uint32_t was;
};

static size_t place_of(const struct tiny_model *file, const char *pristine_descriptors,
                       const uint8_t *record)
{
    const size_t offset = (size_t)record[1] | (size_t)record[2] << 8;
    if (record[0] >= file->tensors) {
        return offset % (TINY_HEADER + TINY_TENSORS * TINY_DESCRIPTOR);
    }
    return (size_t)load_u64(pristine_descriptors + (size_t)record[0] * TINY_DESCRIPTOR + 56) +
           offset;
}

static void ask(const struct model *model, struct slice phrase)
{
    const struct classifier *classifier = model_classifier(model);
    void *scratch = aligned_alloc(64, (classifier->scratch_bytes + 63) / 64 * 64);
    struct verdict verdict;
    struct verdict again;
    struct model_explanation why;
    CHECK(scratch != NULL);
    classifier->classify(classifier->context, scratch, &phrase, 1, &verdict);
    model_explain(model, scratch, phrase, &again, &why);
    CHECK(verdict.topic_count <= VERDICT_TOPICS_MAX && verdict.topic_count == again.topic_count);
    for (size_t i = 0; i < verdict.topic_count; i++) {
        CHECK(verdict.topics[i].topic < classifier->topic_count);
    }
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tiny_model file;
    static char descriptors[TINY_TENSORS * TINY_DESCRIPTOR];
    struct patch patches[PATCHES_MAX];
    size_t count = size > 0 ? data[0] % PATCHES_MAX : 0;
    size_t at = 1;
    if (file.bytes == NULL) {
        file = tiny_model_make();
        memcpy(descriptors, file.bytes + TINY_HEADER, sizeof descriptors);
    }
    for (size_t i = 0; i < count; i++, at += 8) {
        if (at + 8 > size) {
            count = i;
            break;
        }
        const uint8_t *record = data + at;
        size_t place = place_of(&file, descriptors, record);
        place = place + 4 <= file.length ? place : file.length - 4;
        patches[i] = (struct patch){place, load_u32(file.bytes + place)};
        if (record[3] % 2 == 0) {
            file.bytes[place] = (char)record[4];
        } else {
            store_u32(file.bytes + place, load_u32(record + 4));
        }
    }
    tiny_model_seal(file.bytes, file.length);
    struct model *model = NULL;
    struct error error = {0};
    const err e = model_open(slice_of(file.bytes, file.length), &model, &error);
    CHECK(e == ERR_OK || (e == ERR_CORRUPT && model == NULL && error.message[0] != 0));
    if (e == ERR_OK) {
        ask(model, at < size ? slice_of(data + at, size - at) : SLICE_LITERAL("tom brady"));
    }
    model_close(model);
    while (count > 0) {
        count--;
        store_u32(file.bytes + patches[count].at, patches[count].was);
    }
    return 0;
}
