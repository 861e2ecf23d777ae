/* hash_table.h: a read-only hash table of texts that lies in the model file, without the texts.
 *
 *   XXH3-64 of the text ─▶ top bits: bucket b ─▶ rows start[b] .. start[b + 1], ascending by tag ─▶ low 32 bits: tag
 *
 * A text that is not in the table is taken for one that is about once in 2^46 / rows times.
 *
 * Threading: immutable, any thread. */
#ifndef KINDRED_CLASSIFIER_HASH_TABLE_H
#define KINDRED_CLASSIFIER_HASH_TABLE_H

#include "base/hash.h"
#include "model_file.h"

#define TABLE_NONE UINT32_MAX

struct hash_table {
    const uint32_t *start;
    const uint32_t *tag;
    unsigned shift;
    uint32_t rows;
};

/* From the tensors <prefix>.start and <prefix>.tag. */
err hash_table_open(struct hash_table *table, const struct model_file *file, const char *prefix,
                    struct error *error) MUST_USE;

/* The row, or TABLE_NONE. */
static inline uint32_t hash_table_find(const struct hash_table *table, struct slice text)
{
    const uint64_t hash = hash64(text, 0);
    const uint32_t *start = table->start + (hash >> table->shift);
    for (uint32_t row = start[0]; row < start[1]; row++) {
        if (table->tag[row] >= (uint32_t)hash) {
            return table->tag[row] == (uint32_t)hash ? row : TABLE_NONE;
        }
    }
    return TABLE_NONE;
}

#endif
