/* What a cohort asks the classifier: its topic, and a scorer learnt from its examples.
 *
 * An example's embedding is looked for where it costs nothing, before the classifier is asked: in
 * the definition that this one replaces, among the phrases, in what the submitter has classified
 * already (world.find_verdict), and in the row that the checkpoint keeps. A verdict is a pure
 * function of phrase and version, so it does not matter which one it comes from.
 *
 * After a change of the classifier's version the old scorer stays for phrases whose verdict is
 * still the old one: embeddings of two versions cannot be compared. The row of the checkpoint:
 *
 *   version (u64), examples, not_examples (varints), an embedding each; then, or nothing:
 *   version of the older scorer (u64), its weights, threshold, slope (u32 each, IEEE 754 bits) */
#include <math.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "classifier/examples.h"
#include "cohorts_internal.h"

struct cohort_examples {
    uint64_t version;
    struct examples_scorer scorer;
    uint64_t older_version; /* 0: no older scorer */
    struct examples_scorer older;
    size_t positive_count;
    size_t negative_count;
    int8_t (*embeddings)[EMBEDDING_SIZE]; /* examples, then not_examples */
};

void cohort_examples_destroy(struct cohort_examples *examples)
{
    if (examples != NULL) {
        memory_free(examples->embeddings);
        memory_free(examples);
    }
}

static struct slice example_text(const struct cohort_definition *definition, size_t at)
{
    size_t positives = 0;
    size_t negatives = 0;
    const struct slice *positive = cohort_definition_examples(definition, &positives);
    const struct slice *negative = cohort_definition_not_examples(definition, &negatives);
    return at < positives ? positive[at] : negative[at - positives];
}

/* classifier NULL: of a version that is gone, and with it its background. */
static void fit(struct cohort_examples *examples, const struct classifier *classifier)
{
    const int8_t(*all)[EMBEDDING_SIZE] = (const int8_t(*)[EMBEDDING_SIZE])examples->embeddings;
    examples_fit(classifier, all, examples->positive_count, all + examples->positive_count,
                 examples->negative_count, &examples->scorer);
}

/* ---- the checkpoint's row ---- */

static void encode_float(struct buffer *out, float value)
{
    uint32_t bits = 0;
    char bytes[4];
    memcpy(&bits, &value, sizeof bits);
    store_u32(bytes, bits);
    buffer_append(out, bytes, sizeof bytes);
}

static float decode_float(struct byte_reader *reader)
{
    const uint32_t bits = byte_reader_u32(reader);
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void encode_u64(struct buffer *out, uint64_t value)
{
    char bytes[8];
    store_u64(bytes, value);
    buffer_append(out, bytes, sizeof bytes);
}

void cohorts_encode_examples(const struct cohorts *cohorts, uint32_t id, struct buffer *out)
{
    const struct cohort_examples *examples = cohorts->state->slots[id]->examples;
    if (examples == NULL) {
        return;
    }
    encode_u64(out, examples->version);
    buffer_append_varint(out, examples->positive_count);
    buffer_append_varint(out, examples->negative_count);
    buffer_append(out, examples->embeddings,
                  (examples->positive_count + examples->negative_count) * EMBEDDING_SIZE);
    if (examples->older_version != 0) {
        encode_u64(out, examples->older_version);
        for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
            encode_float(out, examples->older.weights[i]);
        }
        encode_float(out, examples->older.threshold);
        encode_float(out, examples->older.slope);
    }
}

struct stored {
    uint64_t version;
    size_t positive_count;
    size_t negative_count;
    struct slice embeddings;
    uint64_t older_version;
    struct examples_scorer older;
};

static bool decode(struct slice row, struct stored *out)
{
    struct byte_reader reader = byte_reader_of(row);
    *out = (struct stored){.version = byte_reader_u64(&reader)};
    out->positive_count = (size_t)byte_reader_varint(&reader);
    out->negative_count = (size_t)byte_reader_varint(&reader);
    if (reader.failed || out->positive_count > COHORT_EXAMPLES_MAX ||
        out->negative_count > COHORT_EXAMPLES_MAX) {
        return false;
    }
    out->embeddings =
        byte_reader_take(&reader, (out->positive_count + out->negative_count) * EMBEDDING_SIZE);
    if (!reader.failed && byte_reader_left(&reader) > 0) {
        out->older_version = byte_reader_u64(&reader);
        for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
            out->older.weights[i] = decode_float(&reader);
        }
        out->older.threshold = decode_float(&reader);
        out->older.slope = decode_float(&reader);
    }
    return !reader.failed && byte_reader_left(&reader) == 0;
}

/* What an older row or definition leaves behind for phrases that still have an older verdict. */
static void take_stored(struct cohort_examples *examples, const struct stored *stored, bool *known)
{
    const size_t count = examples->positive_count + examples->negative_count;
    if (stored->positive_count != examples->positive_count ||
        stored->negative_count != examples->negative_count) {
        return;
    }
    if (stored->version == examples->version) {
        memcpy(examples->embeddings, stored->embeddings.data, stored->embeddings.length);
        memset(known, true, count);
        examples->older_version = stored->older_version;
        examples->older = stored->older;
        return;
    }
    struct cohort_examples old = *examples;
    memcpy(old.embeddings, stored->embeddings.data, stored->embeddings.length);
    fit(&old, NULL); /* into the array that is about to be filled anew */
    examples->older_version = stored->version;
    examples->older = old.scorer;
}

/* ---- learning ---- */

struct unknown_examples {
    size_t at[CLASSIFIER_BATCH_MAX];
    struct slice texts[CLASSIFIER_BATCH_MAX];
    size_t count;
};

static void ask(const struct cohort_world *world, void *scratch, struct unknown_examples *unknown,
                struct cohort_examples *examples)
{
    struct verdict verdicts[CLASSIFIER_BATCH_MAX];
    if (unknown->count == 0) {
        return;
    }
    world->classifier->classify(world->classifier->context, scratch, unknown->texts, unknown->count,
                                verdicts);
    for (size_t i = 0; i < unknown->count; i++) {
        memcpy(examples->embeddings[unknown->at[i]], verdicts[i].embedding, EMBEDDING_SIZE);
    }
    unknown->count = 0;
}

static err ask_about_unknown(const struct cohort_world *world,
                             const struct cohort_definition *definition,
                             struct cohort_examples *examples, const bool *known)
{
    enum { ALIGNMENT = 64 };
    struct unknown_examples unknown = {.count = 0};
    void *block = NULL;
    void *scratch = NULL;
    for (size_t at = 0; at < examples->positive_count + examples->negative_count; at++) {
        if (known[at]) {
            continue;
        }
        if (block == NULL) {
            block = memory_alloc(world->classifier->scratch_bytes + ALIGNMENT);
            if (block == NULL) {
                return ERR_MEMORY;
            }
            scratch = (void *)(((uintptr_t)block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        }
        unknown.at[unknown.count] = at;
        unknown.texts[unknown.count++] = example_text(definition, at);
        if (unknown.count == CLASSIFIER_BATCH_MAX) {
            ask(world, scratch, &unknown, examples);
        }
    }
    ask(world, scratch, &unknown, examples);
    memory_free(block);
    return ERR_OK;
}

/* The text's embedding in the definition that is replaced. Both lists are short enough to be gone
 * through; examples that are kept mostly stand where they stood. */
static bool find_before(const struct cohort *before, struct slice text, size_t hint,
                        int8_t out[EMBEDDING_SIZE])
{
    const struct cohort_examples *examples = before != NULL ? before->examples : NULL;
    const size_t count = examples != NULL ? examples->positive_count + examples->negative_count : 0;
    for (size_t i = 0; i < count; i++) {
        const size_t at = (hint + i) % count;
        if (slice_equal(example_text(before->definition, at), text)) {
            memcpy(out, examples->embeddings[at], EMBEDDING_SIZE);
            return true;
        }
    }
    return false;
}

static bool find_embedding(const struct cohort_world *world, const struct cohort *before,
                           struct slice text, size_t hint, int8_t out[EMBEDDING_SIZE])
{
    if (find_before(before, text, hint, out)) {
        return true;
    }
    const uint32_t id = phrases_find(world->phrases, text);
    uint64_t version = 0;
    const struct verdict *verdict =
        id != PHRASE_NONE ? phrases_verdict(world->phrases, id, &version) : NULL;
    struct verdict found;
    if (verdict != NULL && version == world->classifier->version) {
        memcpy(out, verdict->embedding, EMBEDDING_SIZE);
        return true;
    }
    if (world->find_verdict != NULL && world->find_verdict(world->find_context, text, &found)) {
        memcpy(out, found.embedding, EMBEDDING_SIZE);
        return true;
    }
    return false;
}

err cohort_learn(const struct cohort_world *world, struct cohort *cohort,
                 const struct cohort *before, struct slice row)
{
    size_t positives = 0;
    size_t negatives = 0;
    (void)cohort_definition_examples(cohort->definition, &positives);
    (void)cohort_definition_not_examples(cohort->definition, &negatives);
    if (world->classifier == NULL || positives == 0) {
        return ERR_OK;
    }
    struct cohort_examples *examples = memory_zalloc(sizeof *examples);
    bool *known = memory_zalloc(positives + negatives);
    cohort->examples = examples;
    if (examples != NULL) {
        examples->embeddings =
            memory_zalloc((positives + negatives) * sizeof *examples->embeddings);
    }
    if (examples == NULL || known == NULL || examples->embeddings == NULL) {
        memory_free(known);
        return ERR_MEMORY;
    }
    examples->version = world->classifier->version;
    examples->positive_count = positives;
    examples->negative_count = negatives;
    struct stored stored;
    if (before != NULL && before->examples != NULL) {
        examples->older_version = before->examples->older_version;
        examples->older = before->examples->older;
    }
    if (row.data != NULL && decode(row, &stored)) {
        take_stored(examples, &stored, known);
    }
    for (size_t at = 0; at < positives + negatives; at++) {
        known[at] = known[at] || find_embedding(world, before, example_text(cohort->definition, at),
                                                at, examples->embeddings[at]);
    }
    err e = ask_about_unknown(world, cohort->definition, examples, known);
    memory_free(known);
    fit(examples, world->classifier);
    return e;
}

/* ---- asking ---- */

static int topic_index(const struct classifier *classifier, struct slice name)
{
    char ours[TEXT_FOLD_MAX];
    char theirs[TEXT_FOLD_MAX];
    const struct slice wanted = slice_of(ours, text_fold(slice_trim(name), ours));
    for (size_t i = 0; classifier != NULL && i < classifier->topic_count; i++) {
        if (slice_equal(slice_of(theirs, text_fold(classifier->topics[i], theirs)), wanted)) {
            return (int)i;
        }
    }
    return -1;
}

int cohorts_topic(const struct classifier *classifier, struct slice name)
{
    return name.data != NULL ? topic_index(classifier, name) : -1;
}

static float similarity(const struct cohort *cohort, uint64_t version,
                        const struct verdict *verdict)
{
    const struct cohort_examples *examples = cohort->examples;
    if (examples != NULL && version == examples->version) {
        return examples_score(&examples->scorer, verdict->embedding);
    }
    return examples != NULL && version == examples->older_version
               ? examples_score(&examples->older, verdict->embedding)
               : 0;
}

static bool says_something(const struct verdict *verdict)
{
    int8_t any = 0;
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        any |= verdict->embedding[i];
    }
    return any != 0;
}

bool cohort_model_hit(const struct cohort *cohort, uint32_t slot,
                      const struct cohort_question *question, struct rule_hit *hit)
{
    *hit = (struct rule_hit){.cohort = slot};
    if (cohort_definition_example_at(cohort->definition, question->fold_key, &hit->pattern)) {
        hit->method = HIT_EXAMPLE;
        hit->confidence = 1.0F;
        return true;
    }
    if (question->verdict == NULL ||
        cohort_definition_is_not_example(cohort->definition, question->fold_key)) {
        return false;
    }
    for (size_t i = 0; i < question->verdict->topic_count; i++) {
        const struct verdict_topic *topic = &question->verdict->topics[i];
        const float confidence = (float)topic->confidence / (float)VERDICT_CONFIDENCE_ONE;
        if (topic->topic == cohort->topic &&
            confidence >= cohort_definition_min_confidence(cohort->definition)) {
            hit->method = HIT_TOPIC;
            hit->confidence = confidence;
        }
    }
    if (cohort->examples != NULL && says_something(question->verdict)) {
        const float score = similarity(cohort, question->version, question->verdict);
        if (score >= 0.5F && score > hit->confidence) {
            hit->method = HIT_SIMILAR;
            hit->confidence = score;
        }
    }
    return hit->method != 0;
}
