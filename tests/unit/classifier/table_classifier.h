/* table_classifier.h: a classifier for tests: what it says stands in a table, or follows from a
 * hash of the phrase, so that every phrase has a verdict and another version has others. Counts the
 * phrases it is asked about.
 *
 *     static struct table_classifier table;
 *     table_classifier_init(&table, 1, (const struct table_entry[]){{"padel", 0, 0.9, 3}}, 1);
 *     options.classifier = &table.door;
 *
 * A phrase's embedding points along one of TABLE_AXES axes; phrases of one axis are alike. */
#ifndef KINDRED_TESTS_UNIT_TABLE_CLASSIFIER_H
#define KINDRED_TESTS_UNIT_TABLE_CLASSIFIER_H

#include <string.h>

#include "base/hash.h"
#include "classifier/classifier.h"

enum { TABLE_AXES = 6, TABLE_TOPICS = 4, TABLE_SCRATCH = 192 };

struct table_entry {
    const char *phrase;
    int topic; /* -1: none */
    double confidence;
    int axis; /* -1: the phrase says nothing */
};

struct table_classifier {
    struct classifier door;
    const struct table_entry *entries;
    size_t entry_count;
    uint64_t *asked; /* phrases */
    uint64_t asked_here;
};

static const struct slice table_topics[TABLE_TOPICS] = {
    {"Sports", 6}, {"Food & Drink", 12}, {"Technology", 10}, {"Music", 5}};
/* Another model's: other names, in another order. */
static const struct slice table_topics_later[TABLE_TOPICS] = {
    {"Music", 5}, {"Sports", 6}, {"Travel", 6}, {"Food & Drink", 12}};

static void table_point(struct verdict *verdict, int axis, uint64_t noise)
{
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        noise = noise * 6364136223846793005u + 1442695040888963407u;
        verdict->embedding[i] = (int8_t)((int)(noise >> 60) - 8);
    }
    verdict->embedding[axis] = 120;
}

static void table_verdict(const struct table_classifier *table, struct slice phrase,
                          struct verdict *out)
{
    uint64_t hash = hash64(phrase, table->door.version);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < table->entry_count; i++) {
        const struct table_entry *entry = &table->entries[i];
        if (slice_equal_cstr(phrase, entry->phrase)) {
            if (entry->topic >= 0) {
                out->topics[out->topic_count++] = (struct verdict_topic){
                    (uint16_t)(entry->confidence * VERDICT_CONFIDENCE_ONE), (uint8_t)entry->topic};
            }
            if (entry->axis >= 0) {
                table_point(out, entry->axis, hash);
            }
            return;
        }
    }
    if (hash % 8 == 0) {
        return;
    }
    out->topic_count = (uint8_t)((hash >> 8) % 3);
    for (size_t i = 0; i < out->topic_count; i++) {
        out->topics[i].topic = (uint8_t)(((hash >> 16) + i) % TABLE_TOPICS);
        out->topics[i].confidence = (uint16_t)(60000 - i * 30000 - (hash >> 24) % 30000);
    }
    table_point(out, (int)((hash >> 32) % TABLE_AXES), hash);
}

static void table_classify(const void *context, void *scratch, const struct slice *phrases,
                           size_t count, struct verdict *verdicts)
{
    const struct table_classifier *table = context;
    CHECK(count <= CLASSIFIER_BATCH_MAX && (uintptr_t)scratch % 64 == 0);
    memset(scratch, 0xAA, TABLE_SCRATCH); /* it is ours to write */
    for (size_t i = 0; i < count; i++) {
        table_verdict(table, phrases[i], &verdicts[i]);
    }
    *table->asked += count;
}

__attribute__((unused)) static void table_classifier_init(struct table_classifier *table,
                                                          uint64_t version,
                                                          const struct table_entry *entries,
                                                          size_t entry_count)
{
    *table = (struct table_classifier){.entries = entries, .entry_count = entry_count};
    table->asked = &table->asked_here;
    table->door = (struct classifier){.name = "table",
                                      .version = version,
                                      .topics = version == 1 ? table_topics : table_topics_later,
                                      .topic_count = TABLE_TOPICS,
                                      .scratch_bytes = TABLE_SCRATCH,
                                      .context = table,
                                      .classify = table_classify};
}

#endif
