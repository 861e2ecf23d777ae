/* Tries to break the classifier with any bytes as phrases, one a line: a verdict must be
 * well-formed, the same alone and in a batch, and the same from the explanation. With the trained
 * model if the build has one, with a made-up one otherwise. */
#include <stdlib.h>

#include "base/utf8.h"
#include "classifier/model.h"
#include "unit/classifier/model_fixture.h"
#include "unit/classifier/tiny_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model *model;
static void *scratch;

static void open_model(void)
{
    struct error error = {0};
    struct slice bytes = model_fixture_load(KINDRED_MODEL_FILE);
    if (bytes.data == NULL) {
        const struct tiny_model tiny = tiny_model_make();
        bytes = slice_of(tiny.bytes, tiny.length);
    }
    CHECK(model_open(bytes, &model, &error) == ERR_OK);
    scratch = aligned_alloc(64, (model_classifier(model)->scratch_bytes + 63) / 64 * 64);
    CHECK(scratch != NULL);
}

static void check_verdict(const struct verdict *verdict)
{
    CHECK(verdict->topic_count <= VERDICT_TOPICS_MAX);
    for (size_t i = 0; i < verdict->topic_count; i++) {
        CHECK(verdict->topics[i].topic < model_classifier(model)->topic_count);
        CHECK(i == 0 || verdict->topics[i - 1].confidence >= verdict->topics[i].confidence);
    }
}

static void check_alone(struct slice phrase, const struct verdict *wanted)
{
    struct verdict verdict;
    struct model_explanation why;
    model_explain(model, scratch, phrase, &verdict, &why);
    CHECK(verdict.topic_count == wanted->topic_count);
    CHECK(memcmp(verdict.topics, wanted->topics, sizeof verdict.topics) == 0);
    CHECK(memcmp(verdict.embedding, wanted->embedding, sizeof verdict.embedding) == 0);
    CHECK(strnlen(why.read_as, EXPLAIN_TEXT_MAX) < EXPLAIN_TEXT_MAX &&
          utf8_valid(slice_from_cstr(why.read_as), NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice phrases[CLASSIFIER_BATCH_MAX];
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    size_t count = 0;
    if (model == NULL) {
        open_model();
    }
    const struct classifier *classifier = model_classifier(model);
    for (struct slice rest = slice_of(data, size);
         rest.data != NULL && count < CLASSIFIER_BATCH_MAX;) {
        phrases[count++] = slice_cut(&rest, '\n');
    }
    classifier->classify(classifier->context, scratch, phrases, count, verdicts);
    for (size_t i = 0; i < count; i++) {
        check_verdict(&verdicts[i]);
    }
    if (count > 0) {
        check_alone(phrases[size % count], &verdicts[size % count]);
    }
    return 0;
}
