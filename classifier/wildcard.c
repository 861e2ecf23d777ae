#include "wildcard.h"

#include "base/memory.h"

/* A folded text or pattern with a space at both ends; behind and before a '*' at an end there is
 * none to add. */
struct padded {
    char bytes[PHRASE_FOLD_MAX + 2];
    size_t length;
};

static void pad(struct padded *out, struct slice text, bool is_pattern)
{
    CHECK(text.length > 0 && text.length <= PHRASE_FOLD_MAX);
    out->length = 0;
    if (!is_pattern || text.data[0] != '*') {
        out->bytes[out->length++] = ' ';
    }
    memcpy(out->bytes + out->length, text.data, text.length);
    out->length += text.length;
    if (!is_pattern || text.data[text.length - 1] != '*') {
        out->bytes[out->length++] = ' ';
    }
}

/* Literal parts from left to right, the leftmost place for each: right for '*' (Kernighan & Pike
 * would do the same). */
static bool glob(const struct padded *pattern, const struct padded *text)
{
    struct slice rest = slice_of(pattern->bytes, pattern->length);
    const char *at = text->bytes;
    const char *end = text->bytes + text->length;
    for (bool first = true; rest.data != NULL; first = false) {
        struct slice part = slice_cut(&rest, '*');
        const bool last = rest.data == NULL;
        const size_t room = (size_t)(end - at);
        if (part.length > room) {
            return false;
        }
        if (first && last) {
            return part.length == room && memcmp(at, part.data, part.length) == 0;
        }
        if (first) {
            if (memcmp(at, part.data, part.length) != 0) {
                return false;
            }
            at += part.length;
        } else if (last) {
            return part.length == 0 || memcmp(end - part.length, part.data, part.length) == 0;
        } else if (part.length > 0) {
            const char *found = memmem(at, room, part.data, part.length);
            if (found == NULL) {
                return false;
            }
            at = found + part.length;
        }
    }
    return true;
}

bool wildcard_matches(struct slice pattern, struct slice text)
{
    struct padded p;
    struct padded t;
    if (text.length == 0 || pattern.length == 0) {
        return false;
    }
    pad(&p, pattern, true);
    pad(&t, text, false);
    return glob(&p, &t);
}

static uint32_t gram_hash(const char *at, size_t length)
{
    uint32_t value = 0;
    memcpy(&value, at, length);
    uint64_t mixed = (value + ((uint64_t)length << 32)) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32);
}

static struct slice longest_part(const struct padded *pattern)
{
    struct slice rest = slice_of(pattern->bytes, pattern->length);
    struct slice longest = SLICE_NONE;
    while (rest.data != NULL) {
        struct slice part = slice_cut(&rest, '*');
        if (part.length > longest.length) {
            longest = part;
        }
    }
    return longest;
}

/* The gram of the pattern's longest part whose bucket holds least so far. */
static uint32_t choose_gram(const struct wildcard_index *index, const uint32_t *load,
                            struct slice part, size_t length)
{
    uint32_t best = gram_hash(part.data, length);
    for (size_t i = 1; i + length <= part.length; i++) {
        uint32_t hash = gram_hash(part.data + i, length);
        if (load[hash & index->bucket_mask] < load[best & index->bucket_mask]) {
            best = hash;
        }
    }
    return best;
}

err wildcard_index_build(struct wildcard_index *index, const struct slice *patterns, uint32_t count)
{
    *index = (struct wildcard_index){.patterns = patterns, .count = count};
    if (count == 0) {
        return ERR_OK;
    }
    uint32_t buckets = 64;
    while (buckets < 8 * (uint64_t)count) {
        buckets *= 2;
    }
    index->bucket_mask = buckets - 1;
    index->filter_mask = 8 * buckets - 1;
    uint32_t *load = memory_zalloc(buckets * sizeof *load);
    struct wildcard_entry *unsorted = memory_alloc(count * sizeof *unsorted);
    index->entries = memory_alloc(count * sizeof *index->entries);
    index->starts = memory_zalloc(((size_t)buckets + 1) * sizeof *index->starts);
    index->filter = memory_zalloc(buckets); /* 8 bits a bucket */
    err e = ERR_OK;
    if (load == NULL || unsorted == NULL || index->entries == NULL || index->starts == NULL ||
        index->filter == NULL) {
        e = ERR_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct padded pattern;
        pad(&pattern, patterns[i], true);
        struct slice part = longest_part(&pattern);
        CHECK(part.length > 0);
        size_t length = part.length < WILDCARD_GRAM_MAX ? part.length : WILDCARD_GRAM_MAX;
        uint32_t hash = choose_gram(index, load, part, length);
        uint32_t bucket = hash & index->bucket_mask;
        load[bucket]++;
        index->gram_lengths[length] = true;
        const uint32_t bit = hash & index->filter_mask;
        index->filter[bit / 64] |= UINT64_C(1) << (bit % 64);
        unsorted[i] = (struct wildcard_entry){hash, i};
    }
    uint32_t sum = 0;
    for (uint32_t b = 0; b < buckets; b++) {
        index->starts[b] = sum;
        sum += load[b];
        load[b] = index->starts[b];
    }
    index->starts[buckets] = sum;
    for (uint32_t i = 0; i < count; i++) {
        index->entries[load[unsorted[i].hash & index->bucket_mask]++] = unsorted[i];
    }
out:
    memory_free(load);
    memory_free(unsorted);
    if (e != ERR_OK) {
        wildcard_index_deinit(index);
    }
    return e;
}

void wildcard_index_deinit(struct wildcard_index *index)
{
    memory_free(index->entries);
    memory_free(index->starts);
    memory_free(index->filter);
    *index = (struct wildcard_index){0};
}

void wildcard_index_match(const struct wildcard_index *index, struct slice text,
                          void (*visit)(void *context, uint32_t pattern), void *context)
{
    if (index->count == 0 || text.length == 0) {
        return;
    }
    struct padded padded;
    pad(&padded, text, false);
    for (size_t length = 1; length <= WILDCARD_GRAM_MAX; length++) {
        for (size_t i = 0; index->gram_lengths[length] && i + length <= padded.length; i++) {
            const uint32_t hash = length == WILDCARD_GRAM_MAX
                                      ? gram_hash(padded.bytes + i, WILDCARD_GRAM_MAX)
                                      : gram_hash(padded.bytes + i, length);
            const uint32_t bit = hash & index->filter_mask;
            if ((index->filter[bit / 64] >> (bit % 64) & 1) == 0) {
                continue;
            }
            const uint32_t bucket = hash & index->bucket_mask;
            for (uint32_t e = index->starts[bucket]; e < index->starts[bucket + 1]; e++) {
                struct padded pattern;
                if (index->entries[e].hash == hash) {
                    pad(&pattern, index->patterns[index->entries[e].pattern], true);
                    if (glob(&pattern, &padded)) {
                        visit(context, index->entries[e].pattern);
                    }
                }
            }
        }
    }
}
