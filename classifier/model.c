/* model.c: opening the model and the way of a phrase through it: read (reading.c), features
 * (pieces.c and encoder.c, words.c, known.c), trunk (trunk.c), verdict. */
#include "model_internal.h"

#include <math.h>
#include <stdio.h>

#include "base/memory.h"

/* Added to the file's digest for the classifier's version: to be raised whenever this code changes
 * a verdict. */
static const uint64_t CODE_VERSION = 0;

struct scratch {
    struct reading readings[CLASSIFIER_BATCH_MAX];
    struct trunk_result results[CLASSIFIER_BATCH_MAX];
    struct encoder_phrase phrases[CLASSIFIER_BATCH_MAX];
    struct encoder_scratch encoder;
    _Alignas(64) char trunk[]; /* trunk_scratch_bytes */
};

/* ---- opening ---- */

static err open_names(struct model *model, const struct model_file *file, struct error *error)
{
    struct tensor name = {0};
    struct tensor topics = {0};
    err e = model_file_tensor(file, "name", TENSOR_U8, 1, (uint32_t[]){0}, &name, error);
    if (e == ERR_OK) {
        e = model_file_tensor(file, "topics", TENSOR_U8, 1, (uint32_t[]){0}, &topics, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (name.count >= sizeof model->name || memchr(name.data, 0, name.count) != NULL) {
        return model_file_error(error, "name", "is too long or no text");
    }
    memcpy(model->name, name.data, name.count);
    for (struct slice rest = slice_of(topics.data, topics.count); rest.data != NULL;) {
        if (model->classifier.topic_count == CLASSIFIER_TOPICS_MAX) {
            return model_file_error(error, "topics", "are more than this version of Kindred reads");
        }
        const struct slice topic = slice_cut(&rest, '\n');
        if (topic.length == 0) {
            return model_file_error(error, "topics", "have one without a name");
        }
        model->topics[model->classifier.topic_count++] = topic;
    }
    return ERR_OK;
}

static err open_parts(struct model *model, const struct model_file *file, struct error *error)
{
    struct tensor background = {0};
    const size_t topics = model->classifier.topic_count;
    err e = pieces_open(&model->pieces, file, error);
    if (e == ERR_OK) {
        e = encoder_open(&model->encoder, file, model->kernel, error);
    }
    if (e == ERR_OK && model->pieces.count > model->encoder.piece_count) {
        e = model_file_error(error, "encoder.pieces", "has fewer vectors than there are pieces");
    }
    if (e == ERR_OK) {
        e = words_open(&model->words, file, error);
    }
    if (e == ERR_OK) {
        e = known_open(&model->known, file, topics, error);
    }
    if (e == ERR_OK) {
        const size_t features = ENCODER_WIDTH + model->words.width + 2 * topics;
        e = trunk_open(&model->trunk, file, model->kernel, topics, features, error);
    }
    if (e == ERR_OK) {
        e = model_file_floats(file, "scales", 0, 2, &model->scales, error);
    }
    if (e == ERR_OK) {
        e = model_file_floats(file, "calibration", CALIBRATIONS, 3, &model->calibration, error);
    }
    if (e == ERR_OK) {
        e = model_file_floats(file, "thresholds", 0, 2, &model->thresholds, error);
    }
    if (e == ERR_OK) {
        e = model_file_tensor(file, "background", TENSOR_I8, 2, (uint32_t[]){0, EMBEDDING_SIZE},
                              &background, error);
    }
    model->classifier.background = (const int8_t(*)[EMBEDDING_SIZE])(uintptr_t)background.data;
    model->classifier.background_count = background.shape[0];
    if (e == ERR_OK) {
        e = spelling_open(&model->spelling, &model->words, &model->known, error);
    }
    return e;
}

static void classify(const void *context, void *scratch, const struct slice *phrases, size_t count,
                     struct verdict *verdicts);

err model_open_with(struct slice bytes, const struct kernel *kernel, struct model **out,
                    struct error *error)
{
    struct model_file file;
    *out = NULL;
    err e = model_file_open(bytes, &file, error);
    if (e != ERR_OK) {
        return e;
    }
    struct model *model = memory_zalloc(sizeof *model);
    if (model == NULL) {
        return error_set(error, ERR_MEMORY, "memory", 0, "no memory for the model");
    }
    model->kernel = kernel;
    e = open_names(model, &file, error);
    if (e == ERR_OK) {
        e = open_parts(model, &file, error);
    }
    if (e != ERR_OK) {
        model_close(model);
        return e;
    }
    model->classifier.name = model->name;
    model->classifier.version = file.digest + CODE_VERSION;
    model->classifier.topics = model->topics;
    model->classifier.scratch_bytes = sizeof(struct scratch) + trunk_scratch_bytes(&model->trunk);
    model->classifier.context = model;
    model->classifier.classify = classify;
    *out = model;
    return ERR_OK;
}

err model_open(struct slice bytes, struct model **out, struct error *error)
{
    return model_open_with(bytes, kernel_choose(), out, error);
}

void model_close(struct model *model)
{
    if (model != NULL) {
        pieces_close(&model->pieces);
        encoder_close(&model->encoder);
        trunk_close(&model->trunk);
        spelling_close(&model->spelling);
        memory_free(model);
    }
}

const struct classifier *model_classifier(const struct model *model)
{
    return &model->classifier;
}

const char *model_kernel(const struct model *model)
{
    return model->kernel->name;
}

/* ---- running ---- */

/* The encoder knows names by their capitals: "tom brady" ─▶ "Tom Brady". */
static void cut_titled(const struct model *model, const struct reading *reading,
                       struct encoder_phrase *phrase)
{
    char titled[PHRASE_FOLD_MAX];
    for (size_t i = 0; i < reading->length; i++) {
        const char c = reading->text[i];
        const bool first = i == 0 || reading->text[i - 1] == ' ';
        titled[i] = (char)(first && c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
    }
    phrase->count =
        reading->length == 0
            ? 0
            : pieces_cut(&model->pieces, slice_of(titled, reading->length), phrase->tokens);
}

void model_run(const struct model *model, void *scratch, const struct reading *readings,
               size_t count, struct trunk_result *results, struct model_tokens *tokens)
{
    struct scratch *s = scratch;
    CHECK(count <= CLASSIFIER_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct slice text = slice_of(readings[i].text, readings[i].length);
        float *x = trunk_features(&model->trunk, s->trunk, i);
        float *words = x + ENCODER_WIDTH;
        float *votes = words + model->words.width;
        s->phrases[i].to = x;
        cut_titled(model, &readings[i], &s->phrases[i]);
        words_average(&model->words, model->kernel, text, model->scales[0], words);
        known_votes(&model->known, text, model->classifier.topic_count, votes);
        for (size_t topic = 0; topic < 2 * model->classifier.topic_count; topic++) {
            votes[topic] *= model->scales[1];
        }
        if (tokens != NULL) {
            memcpy(tokens[i].tokens, s->phrases[i].tokens, sizeof tokens[i].tokens);
            tokens[i].count = s->phrases[i].count;
        }
    }
    encoder_run(&model->encoder, &s->encoder, s->phrases, count);
    trunk_run(&model->trunk, s->trunk, count, results);
    for (size_t i = 0; i < count; i++) {
        /* Where there is none, the trunk's stays. */
        (void)!known_embedding(&model->known, slice_of(readings[i].text, readings[i].length),
                               results[i].embedding);
    }
}

/* ---- the verdict ---- */

/* exp is the kernel's own, so that a confidence is the same everywhere. */
static float sigmoid(const struct model *model, float x)
{
    return 1.0f / (1.0f + model->kernel->exp(-x));
}

static float probability(const struct model *model, const struct reading *reading,
                         const struct trunk_result *result, size_t topic)
{
    static const float INTEREST_CEILING = 6; /* as in train/train.py */
    const size_t row = reading->topics == 0                  ? CALIBRATION_UNKNOWN
                       : (reading->topics >> topic & 1) != 0 ? CALIBRATION_LISTED
                                                             : CALIBRATION_NOT_LISTED;
    const float *c = model->calibration + row * 3;
    const float interest = result->logits[model->classifier.topic_count];
    const float p = sigmoid(
        model, c[0] * result->logits[topic] +
                   c[1] * (interest < INTEREST_CEILING ? interest : INTEREST_CEILING) + c[2]);
    return p >= 0 ? p : 0; /* 0 for what is not a number */
}

static void put_topic(struct verdict *verdict, size_t topic, uint16_t confidence)
{
    size_t at = verdict->topic_count;
    while (at > 0 && verdict->topics[at - 1].confidence < confidence) {
        at--;
    }
    if (at == VERDICT_TOPICS_MAX) {
        return;
    }
    if (verdict->topic_count < VERDICT_TOPICS_MAX) {
        verdict->topic_count++;
    }
    for (size_t i = (size_t)verdict->topic_count - 1; i > at; i--) {
        verdict->topics[i] = verdict->topics[i - 1];
    }
    verdict->topics[at] = (struct verdict_topic){confidence, (uint8_t)topic};
}

static void put_verdict(const struct model *model, const struct reading *reading,
                        const struct trunk_result *result, struct verdict *verdict, float *scores)
{
    const size_t count = model->classifier.topic_count;
    size_t best = 0;
    memset(verdict, 0, sizeof *verdict);
    memset(scores, 0, CLASSIFIER_TOPICS_MAX * sizeof *scores);
    if (reading->length == 0) {
        return;
    }
    for (size_t topic = 0; topic < count; topic++) {
        scores[topic] = reading->trust * probability(model, reading, result, topic);
        best = scores[topic] > scores[best] ? topic : best;
    }
    for (size_t topic = 0; topic < count; topic++) {
        const float needed = model->thresholds[topic == best ? 0 : 1];
        if (scores[topic] >= needed || scores[topic] >= model->thresholds[1]) {
            put_topic(verdict, topic,
                      (uint16_t)(scores[topic] * (float)VERDICT_CONFIDENCE_ONE + 0.5f));
        }
    }
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        float value = result->embedding[i] * (float)EMBEDDING_SCALE;
        value = value < 127 ? value : 127; /* also what is not a number */
        value = value > -127 ? value : -127;
        verdict->embedding[i] = (int8_t)lrintf(value);
    }
}

/* A phrase that no list has and that the model is unsure about is looked at once more, as the known
 * phrase one edit away. A lone word is one edit from more words than several words are from known
 * phrases: there the model must be less sure, and so is the answer. What looks like no interest at
 * all is left alone. */
static const float UNSURE_LONE = 0.5f;
static const float UNSURE_SEVERAL = 0.85f;
static const float GUESSED_LONE = 0.6f; /* what is left of a confidence */
static const float GUESSED_SEVERAL = 0.85f;

static bool read_again(const struct model *model, const float *scores,
                       const struct trunk_result *result, struct reading *reading)
{
    char better[PHRASE_FOLD_MAX];
    if (reading->topics != 0 || reading->length == 0 ||
        sigmoid(model, result->logits[model->classifier.topic_count]) < 0.5f) {
        return false;
    }
    const bool several = memchr(reading->text, ' ', reading->length) != NULL;
    for (size_t topic = 0; topic < model->classifier.topic_count; topic++) {
        if (scores[topic] >= (several ? UNSURE_SEVERAL : UNSURE_LONE)) {
            return false;
        }
    }
    const size_t length = spelling_guess(&model->spelling, slice_of(reading->text, reading->length),
                                         SLICE_NONE, better);
    if (length == 0) {
        return false;
    }
    memcpy(reading->text, better, length);
    reading->length = length;
    reading->corrected = true;
    reading->topics = known_topics(&model->known, slice_of(better, length));
    reading->trust = several ? GUESSED_SEVERAL : GUESSED_LONE;
    return true;
}

/* The matrices are larger than the cache: one way through them for a whole batch costs little more
 * than for one phrase, so the second looks wait for each other, too. */
static void classify(const void *context, void *scratch, const struct slice *phrases, size_t count,
                     struct verdict *verdicts)
{
    const struct model *model = context;
    struct scratch *s = scratch;
    float scores[CLASSIFIER_TOPICS_MAX];
    size_t again[CLASSIFIER_BATCH_MAX];
    size_t again_count = 0;
    CHECK(count <= CLASSIFIER_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        model_read(model, phrases[i], &s->readings[i]);
    }
    model_run(model, s, s->readings, count, s->results, NULL);
    for (size_t i = 0; i < count; i++) {
        put_verdict(model, &s->readings[i], &s->results[i], &verdicts[i], scores);
        if (read_again(model, scores, &s->results[i], &s->readings[i])) {
            if (again_count < i) { /* else it is in its place already */
                s->readings[again_count] = s->readings[i];
            }
            again[again_count++] = i;
        }
    }
    model_run(model, s, s->readings, again_count, s->results, NULL);
    for (size_t k = 0; k < again_count; k++) {
        put_verdict(model, &s->readings[k], &s->results[k], &verdicts[again[k]], scores);
    }
}

/* ---- why ---- */

/* NUL-terminated, cut at a character. */
static void copy_text(char to[EXPLAIN_TEXT_MAX], struct slice text)
{
    size_t length = text.length < EXPLAIN_TEXT_MAX - 1 ? text.length : EXPLAIN_TEXT_MAX - 1;
    while (length > 0 && length < text.length && ((uint8_t)text.data[length] & 0xC0) == 0x80) {
        length--;
    }
    memcpy(to, text.data, length);
    to[length] = 0;
}

void model_explain(const struct model *model, void *scratch, struct slice phrase,
                   struct verdict *verdict, struct model_explanation *out)
{
    struct scratch *s = scratch;
    struct reading *reading = &s->readings[0];
    struct trunk_result *result = &s->results[0];
    memset(out, 0, sizeof *out);
    model_read(model, phrase, reading);
    model_run(model, s, reading, 1, result, NULL);
    put_verdict(model, reading, result, verdict, out->scores);
    if (read_again(model, out->scores, result, reading)) {
        model_run(model, s, reading, 1, result, NULL);
        put_verdict(model, reading, result, verdict, out->scores);
    }
    if (reading->length == 0) {
        return;
    }
    const struct slice text = slice_of(reading->text, reading->length);
    out->interest = sigmoid(model, result->logits[model->classifier.topic_count]);
    out->known = reading->topics != 0;
    out->corrected = reading->corrected;
    copy_text(out->read_as, text);
    struct known_near near[EXPLAIN_NEAREST_MAX];
    out->nearest_count =
        known_nearest(&model->known, result->embedding, text, near, EXPLAIN_NEAREST_MAX);
    for (size_t i = 0; i < out->nearest_count; i++) {
        copy_text(out->nearest[i].phrase, known_text(&model->known, near[i].row));
        out->nearest[i].similarity = near[i].similarity;
    }
}
