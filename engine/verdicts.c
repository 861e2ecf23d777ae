/* verdicts.c: what the classifier said meets the phrases.
 *
 * A verdict is not part of the log: it follows from the phrase and the model. So a new phrase takes
 * it from the cache, where whoever parsed the record has put it; a phrase without one waits, and is
 * answered by SUBMIT_VERDICTS later. Either way its holders enter and leave cohorts at once.
 *
 * The checkpoint's row of a phrase is its text alone, or, with a verdict:
 *
 *   0xFF (never in UTF-8), 1, text (string), version (u64), topics (u8): confidence (u16) and name (string) each,
 *   then the embedding, or nothing when it is all zeros
 *
 * Topics stand by name, so that a verdict of an older model still means something to a newer
 * one. */
#include "internal.h"

#include "base/bytes.h"
#include "engine/interests.h"

enum {
    ROW_MARK = 0xFF,
    ROW_FORMAT = 1,
    SCRATCH_ALIGNMENT = 64,
    /* Following a verdict for one holder costs about a microsecond; with more they are prepared
     * beside the readers. */
    HOLDERS_INLINE_MAX = 64,
};

/* ---- the checkpoint's rows ---- */

void phrase_row_encode(const struct engine *engine, uint32_t id, struct buffer *out)
{
    const struct classifier *classifier = engine->options.classifier;
    const struct slice text = phrases_text(engine->phrases, id);
    uint64_t version = 0;
    const struct verdict *verdict = phrases_verdict(engine->phrases, id, &version);
    if (verdict == NULL) {
        buffer_append_slice(out, text);
        return;
    }
    char bytes[8];
    buffer_append_char(out, (char)ROW_MARK);
    buffer_append_char(out, ROW_FORMAT);
    buffer_append_varint(out, text.length);
    buffer_append_slice(out, text);
    store_u64(bytes, version);
    buffer_append(out, bytes, 8);
    buffer_append_char(out, (char)verdict->topic_count);
    for (size_t i = 0; i < verdict->topic_count; i++) {
        const struct slice name = classifier->topics[verdict->topics[i].topic];
        store_u16(bytes, verdict->topics[i].confidence);
        buffer_append(out, bytes, 2);
        buffer_append_varint(out, name.length);
        buffer_append_slice(out, name);
    }
    static const int8_t nothing[EMBEDDING_SIZE];
    if (memcmp(verdict->embedding, nothing, EMBEDDING_SIZE) != 0) {
        buffer_append(out, verdict->embedding, EMBEDDING_SIZE);
    }
}

static bool decode_verdict(struct engine *engine, struct byte_reader *reader, uint64_t *version,
                           struct verdict *out)
{
    *out = (struct verdict){0};
    *version = byte_reader_u64(reader);
    const uint8_t topics = byte_reader_u8(reader);
    for (uint8_t i = 0; i < topics && !reader->failed; i++) {
        const struct slice confidence = byte_reader_take(reader, 2);
        const int topic = cohorts_topic(engine->options.classifier, byte_reader_string(reader));
        if (!reader->failed && topic >= 0 && out->topic_count < VERDICT_TOPICS_MAX) {
            out->topics[out->topic_count++] =
                (struct verdict_topic){load_u16(confidence.data), (uint8_t)topic};
        }
    }
    if (byte_reader_left(reader) > 0) {
        const struct slice embedding = byte_reader_take(reader, EMBEDDING_SIZE);
        if (embedding.data != NULL) {
            memcpy(out->embedding, embedding.data, EMBEDDING_SIZE);
        }
    }
    return !reader->failed && byte_reader_left(reader) == 0;
}

err phrase_row_load(struct engine *engine, uint32_t id, struct slice row)
{
    if (row.length == 0 || (uint8_t)row.data[0] != ROW_MARK) {
        return phrases_load(engine->phrases, id, row);
    }
    struct byte_reader reader = byte_reader_of(slice_of(row.data + 1, row.length - 1));
    const bool known = byte_reader_u8(&reader) == ROW_FORMAT;
    const struct slice text = byte_reader_string(&reader);
    struct verdict verdict;
    uint64_t version = 0;
    if (!known || !decode_verdict(engine, &reader, &version, &verdict)) {
        return ERR_CORRUPT;
    }
    err e = phrases_load(engine->phrases, id, text);
    /* Without a classifier nobody could say what the topics are: the row stays as it is for the
     * next one. */
    return e == ERR_OK && engine->options.classifier != NULL
               ? phrases_set_verdict(engine->phrases, id, version, &verdict)
               : e;
}

/* ---- a phrase that a record brings ---- */

static bool may_be_offered(const struct engine *engine)
{
    return engine->options.classifier != NULL && !engine->replaying;
}

/* Known, but waiting: it may have been offered by another thread after it was met. Answered behind
 * the entry, when every person is whole again. */
static void note_late(struct engine *engine, uint32_t id)
{
    if (engine->late_count < ARRAY_COUNT(engine->late)) {
        engine->late[engine->late_count++] = id;
    }
}

err intern_phrase(struct engine *engine, struct slice text, uint32_t *id)
{
    err e = phrases_intern(engine->phrases, text, id);
    if (e != ERR_OK) {
        return e;
    }
    if (phrases_classified(engine->phrases, *id)) {
        if (may_be_offered(engine) && verdict_cache_count(engine->verdicts) > 0 &&
            phrases_is_pending(engine->phrases, *id)) {
            note_late(engine, *id);
        }
        return ERR_OK;
    }
    struct verdict verdict;
    if (may_be_offered(engine) && verdict_cache_take(engine->verdicts, text, &verdict)) {
        engine->counters.verdict_hits++;
        return cohorts_answer_phrase(engine->cohorts, *id, &verdict);
    }
    engine->counters.verdict_misses += may_be_offered(engine);
    return cohorts_classify_phrase(engine->cohorts, *id);
}

static bool has_few_holders(const struct engine *engine, uint32_t id)
{
    return bitmap_count(phrases_holders(engine->phrases, id)) <= HOLDERS_INLINE_MAX;
}

void answer_late_phrases(struct engine *engine)
{
    for (size_t i = 0; i < engine->late_count; i++) {
        const uint32_t id = engine->late[i];
        struct verdict verdict;
        if (phrases_text(engine->phrases, id).data != NULL &&
            phrases_is_pending(engine->phrases, id) && has_few_holders(engine, id) &&
            verdict_cache_take(engine->verdicts, phrases_text(engine->phrases, id), &verdict) &&
            cohorts_answer_phrase(engine->cohorts, id, &verdict) == ERR_OK) {
            engine->counters.verdict_hits++;
        }
    }
    engine->late_count = 0;
}

/* ---- verdicts that come by themselves ---- */

struct applying {
    struct engine *engine;
    struct cohorts_answer *many; /* for phrases with many holders */
    size_t many_count;
    struct bitmap *seen;
    uint64_t changed;
};

static err apply_verdict(struct applying *applying, const struct phrase_verdict *item)
{
    struct engine *engine = applying->engine;
    const uint32_t id = phrases_find(engine->phrases, item->phrase);
    if (id == PHRASE_NONE || !phrases_is_pending(engine->phrases, id) ||
        !bitmap_add(applying->seen, id)) {
        return ERR_OK; /* gone, or answered meanwhile */
    }
    if (!has_few_holders(engine, id)) {
        applying->many[applying->many_count++] = (struct cohorts_answer){id, &item->verdict};
        return ERR_OK;
    }
    err e = cohorts_answer_phrase(engine->cohorts, id, &item->verdict);
    applying->changed += e == ERR_OK;
    return e;
}

static err apply_few(struct applying *applying, const struct phrase_verdict *verdicts, size_t count)
{
    struct engine *engine = applying->engine;
    err e = ERR_OK;
    size_t at = 0;
    while (e == ERR_OK && at < count) {
        engine_gate_close(engine);
        const int64_t until = clock_monotonic_us(engine->options.clock) + SLICE_MAX_US;
        do {
            e = apply_verdict(applying, &verdicts[at++]);
        } while (e == ERR_OK && at < count && clock_monotonic_us(engine->options.clock) < until);
        engine_gate_open(engine);
    }
    return e;
}

static err apply_many(struct applying *applying, struct error *error)
{
    struct engine *engine = applying->engine;
    struct cohorts_change *change = NULL;
    err e = cohorts_prepare_verdicts(engine->cohorts, applying->many, applying->many_count, &change,
                                     error);
    if (e == ERR_OK) {
        engine_gate_close(engine);
        cohorts_commit(engine->cohorts, change);
        engine_gate_open(engine);
        cohorts_change_destroy(change);
        applying->changed += applying->many_count;
    }
    return e;
}

static err apply_verdicts(struct engine *engine, const struct phrase_verdict *verdicts,
                          size_t count, struct error *error)
{
    struct applying applying = {.engine = engine,
                                .many = memory_alloc((count + 1) * sizeof *applying.many)};
    if (applying.many == NULL) {
        return error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for %zu verdicts",
                         count);
    }
    applying.seen = bitmap_create();
    err e = apply_few(&applying, verdicts, count);
    if (e != ERR_OK) {
        error_set(error, e, "out_of_memory", 0, "no memory for a verdict");
    } else if (applying.many_count > 0) {
        e = apply_many(&applying, error);
    }
    atomic_fetch_add(&engine->lag, applying.changed); /* something for a checkpoint to write */
    bitmap_destroy(applying.seen);
    memory_free(applying.many);
    return e;
}

void check_verdict(const struct engine *engine, const struct verdict *verdict)
{
    CHECK(verdict->topic_count <= VERDICT_TOPICS_MAX);
    for (size_t i = 0; i < verdict->topic_count; i++) {
        CHECK(verdict->topics[i].topic < engine->options.classifier->topic_count);
    }
}

err commit_verdicts(struct engine *engine, struct submission *submission)
{
    const err failed = engine_failed(engine);
    if (failed != ERR_OK) {
        return error_set(
            &submission->error, failed, "storage_failed", 0,
            "an earlier write to the data folder failed; nothing is changed until the server is started again");
    }
    if (engine->options.classifier == NULL) {
        return error_set(&submission->error, ERR_UNSUPPORTED, "no_classifier", 0,
                         "there is no classifier");
    }
    for (size_t i = 0; i < submission->verdict_count; i++) {
        check_verdict(engine, &submission->verdicts[i].verdict);
    }
    return apply_verdicts(engine, submission->verdicts, submission->verdict_count,
                          &submission->error);
}

/* ---- here and now ---- */

static void classify_all(const struct classifier *classifier, void *block,
                         struct phrase_verdict *items, size_t count)
{
    void *scratch = (void *)(((uintptr_t)block + SCRATCH_ALIGNMENT - 1) / SCRATCH_ALIGNMENT *
                             SCRATCH_ALIGNMENT);
    for (size_t at = 0; at < count; at += CLASSIFIER_BATCH_MAX) {
        struct slice texts[CLASSIFIER_BATCH_MAX];
        struct verdict verdicts[CLASSIFIER_BATCH_MAX];
        const size_t part = count - at < CLASSIFIER_BATCH_MAX ? count - at : CLASSIFIER_BATCH_MAX;
        for (size_t i = 0; i < part; i++) {
            texts[i] = items[at + i].phrase;
        }
        classifier->classify(classifier->context, scratch, texts, part, verdicts);
        for (size_t i = 0; i < part; i++) {
            items[at + i].verdict = verdicts[i];
        }
    }
}

err engine_classify_pending(struct engine *engine, struct error *error)
{
    const struct classifier *classifier = engine->options.classifier;
    if (classifier == NULL) {
        return ERR_OK;
    }
    struct phrase_verdict *items = memory_alloc(VERDICT_BATCH * sizeof *items);
    void *block = memory_alloc(classifier->scratch_bytes + SCRATCH_ALIGNMENT);
    uint32_t ids[VERDICT_BATCH];
    size_t count = 0;
    err e = items != NULL && block != NULL
                ? ERR_OK
                : error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory to classify");
    /* Each round answers what it took. */
    while (e == ERR_OK && (count = bitmap_page_from(phrases_pending(engine->phrases), 0, ids,
                                                    VERDICT_BATCH)) > 0) {
        for (size_t i = 0; i < count; i++) {
            items[i].phrase = phrases_text(engine->phrases, ids[i]);
        }
        classify_all(classifier, block, items, count);
        e = apply_verdicts(engine, items, count, error);
    }
    memory_free(items);
    memory_free(block);
    return e;
}

err adopt_verdicts(struct engine *engine, const struct engine *from, struct error *error)
{
    const uint64_t version =
        engine->options.classifier != NULL ? engine->options.classifier->version : 0;
    struct phrase_verdict *items = memory_alloc(VERDICT_BATCH * sizeof *items);
    uint32_t ids[VERDICT_BATCH];
    uint64_t cursor = 0;
    err e = items != NULL
                ? ERR_OK
                : error_set(error, ERR_MEMORY, "out_of_memory", 0, "no memory for verdicts");
    while (e == ERR_OK && cursor <= UINT32_MAX) {
        const size_t count = bitmap_page_from(phrases_pending(engine->phrases), (uint32_t)cursor,
                                              ids, VERDICT_BATCH);
        size_t found = 0;
        for (size_t i = 0; i < count; i++) {
            const struct slice text = phrases_text(engine->phrases, ids[i]);
            const uint32_t theirs = phrases_find(from->phrases, text);
            uint64_t said_by = 0;
            const struct verdict *verdict =
                theirs != PHRASE_NONE ? phrases_verdict(from->phrases, theirs, &said_by) : NULL;
            if (verdict != NULL && said_by == version) {
                items[found++] = (struct phrase_verdict){text, *verdict};
            }
        }
        e = apply_verdicts(engine, items, found, error);
        if (count < VERDICT_BATCH) {
            break;
        }
        cursor = (uint64_t)ids[count - 1] + 1;
    }
    memory_free(items);
    return e;
}

bool find_offered(void *context, struct slice phrase, struct verdict *out)
{
    struct engine *engine = context;
    return verdict_cache_find(engine->verdicts, phrase, out);
}
