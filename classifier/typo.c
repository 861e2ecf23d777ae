#include "typo.h"

#include "base/memory.h"
#include "fold_internal.h"

/* ---- deletions of a prefix ---- */

struct deletions {
    uint64_t hash[1 + TYPO_PREFIX + TYPO_PREFIX * (TYPO_PREFIX - 1) / 2];
    size_t count;
};

static uint64_t mix(uint64_t hash, uint32_t character)
{
    hash = (hash ^ character) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

/* The hash of the text without the characters at `first` and `second` (SIZE_MAX: none). `head` is
 * the hash up to `first`. */
static uint64_t hash_without(uint64_t head, const uint32_t *text, size_t from, size_t count,
                             size_t second)
{
    for (size_t i = from; i < count; i++) {
        if (i != second) {
            head = mix(head, text[i]);
        }
    }
    return head;
}

static void make_deletions(const uint32_t *text, size_t count, unsigned edits,
                           struct deletions *out)
{
    const uint64_t start = UINT64_C(0x2545F4914F6CDD1D);
    count = count < TYPO_PREFIX ? count : TYPO_PREFIX;
    out->count = 0;
    out->hash[out->count++] = hash_without(start, text, 0, count, SIZE_MAX);
    uint64_t head = start;
    for (size_t i = 0; edits >= 1 && i < count; i++) {
        out->hash[out->count++] = hash_without(head, text, i + 1, count, SIZE_MAX);
        uint64_t between = head;
        for (size_t j = i + 1; edits >= 2 && j < count; j++) {
            out->hash[out->count++] = hash_without(between, text, j + 1, count, SIZE_MAX);
            between = mix(between, text[j]);
        }
        head = mix(head, text[i]);
    }
}

/* How far a phrase that is allowed to be corrected can be from a text of this length. */
static unsigned edits_to_reach(size_t characters)
{
    return typo_edits_allowed(characters + 2) == 2 ? 2 : typo_edits_allowed(characters + 1);
}

/* ---- building ---- */

static size_t count_deletions(const struct slice *texts, uint32_t count)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t characters[PHRASE_FOLD_MAX];
        size_t length = fold_characters(texts[i], characters, TYPO_PREFIX + 1);
        unsigned edits = edits_to_reach(length);
        size_t n = length < TYPO_PREFIX ? length : TYPO_PREFIX;
        total += edits == 0 ? 0 : 1 + n + (edits == 2 ? n * (n - 1) / 2 : 0);
    }
    return total;
}

static uint32_t power_of_two_from(size_t at_least)
{
    uint32_t power = 64;
    while (power < at_least && power < (UINT32_C(1) << 30)) {
        power *= 2;
    }
    return power;
}

static uint32_t filter_bit(const struct typo_index *index, uint64_t hash)
{
    return (uint32_t)(hash >> 32) & index->filter_mask;
}

err typo_index_build(struct typo_index *index, const struct slice *texts, uint32_t count)
{
    *index = (struct typo_index){0};
    const size_t total = count_deletions(texts, count);
    const uint32_t buckets = power_of_two_from(total);
    const uint32_t bits = power_of_two_from(total * 8);
    struct typo_entry *unsorted = memory_alloc((total + 1) * sizeof *unsorted);
    index->entries = memory_alloc((total + 1) * sizeof *index->entries);
    index->starts = memory_zalloc(((size_t)buckets + 2) * sizeof *index->starts);
    index->filter = memory_zalloc(bits / 8);
    if (unsorted == NULL || index->entries == NULL || index->starts == NULL ||
        index->filter == NULL) {
        memory_free(unsorted);
        typo_index_deinit(index);
        return ERR_MEMORY;
    }
    index->bucket_mask = buckets - 1;
    index->filter_mask = bits - 1;

    /* A counting sort by bucket. starts[b + 2] counts first, so that filling leaves starts[b]
     * right. */
    size_t filled = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t characters[PHRASE_FOLD_MAX];
        struct deletions deletions;
        size_t length = fold_characters(texts[i], characters, TYPO_PREFIX + 1);
        unsigned edits = edits_to_reach(length);
        if (edits == 0) {
            continue;
        }
        make_deletions(characters, length, edits, &deletions);
        for (size_t d = 0; d < deletions.count; d++) {
            uint32_t bit = filter_bit(index, deletions.hash[d]);
            index->filter[bit / 64] |= UINT64_C(1) << (bit % 64);
            unsorted[filled++] = (struct typo_entry){(uint32_t)deletions.hash[d], i};
            index->starts[((uint32_t)deletions.hash[d] & index->bucket_mask) + 2]++;
        }
    }
    CHECK(filled == total);
    for (uint32_t b = 2; b < buckets + 2; b++) {
        index->starts[b] += index->starts[b - 1];
    }
    for (size_t i = 0; i < filled; i++) {
        index->entries[index->starts[(unsorted[i].hash & index->bucket_mask) + 1]++] = unsorted[i];
    }
    memory_free(unsorted);
    return ERR_OK;
}

void typo_index_deinit(struct typo_index *index)
{
    memory_free(index->entries);
    memory_free(index->starts);
    memory_free(index->filter);
    *index = (struct typo_index){0};
}

/* ---- asking ---- */

void typo_index_candidates(const struct typo_index *index, const uint32_t *characters, size_t count,
                           unsigned edits, bool (*visit)(void *context, uint32_t text),
                           void *context)
{
    struct deletions deletions;
    make_deletions(characters, count, edits, &deletions);
    for (size_t d = 0; d < deletions.count; d++) {
        uint32_t bit = filter_bit(index, deletions.hash[d]);
        if ((index->filter[bit / 64] >> (bit % 64) & 1) == 0) {
            continue;
        }
        const uint32_t hash = (uint32_t)deletions.hash[d];
        const uint32_t bucket = hash & index->bucket_mask;
        for (uint32_t i = index->starts[bucket]; i < index->starts[bucket + 1]; i++) {
            if (index->entries[i].hash == hash && !visit(context, index->entries[i].text)) {
                return;
            }
        }
    }
}

/* The restricted edit distance ("optimal string alignment"), in a band of width 2 * max + 1. */
static unsigned banded_distance(const uint32_t *a, size_t a_count, const uint32_t *b,
                                size_t b_count, unsigned max)
{
    enum { BAND = 2 * TYPO_EDITS_MAX + 1, FAR = 100 };
    /* rows[r][k]: distance of a[0..i) and b[0..i + k - max) */
    unsigned rows[3][BAND + 2];
    for (size_t r = 0; r < 3; r++) {
        for (size_t k = 0; k < BAND + 2; k++) {
            rows[r][k] = FAR;
        }
    }
    for (size_t i = 0; i <= a_count; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *above2 = rows[(i + 1) % 3];
        unsigned best = FAR;
        for (size_t k = 0; k <= 2 * (size_t)max; k++) {
            /* Column j = i + k - max; cell k of a row is stored at k + 1. */
            unsigned value = FAR;
            if (i + k >= max && i + k - max <= b_count) {
                const size_t j = i + k - max;
                if (i == 0 && j == 0) {
                    value = 0;
                }
                if (i > 0 && j > 0) {
                    value = above[k + 1] + (a[i - 1] != b[j - 1]);
                }
                if (i > 0 && k + 1 <= 2 * (size_t)max && above[k + 2] + 1 < value) {
                    value = above[k + 2] + 1;
                }
                if (j > 0 && k > 0 && row[k] + 1 < value) {
                    value = row[k] + 1;
                }
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                    above2[k + 1] + 1 < value) {
                    value = above2[k + 1] + 1;
                }
            }
            row[k + 1] = value;
            best = value < best ? value : best;
        }
        /* The row before was at least max then, so that a swap over this row comes to more than max
         * too. */
        if (best > max) {
            return max + 1;
        }
    }
    unsigned distance = rows[a_count % 3][b_count + max - a_count + 1];
    return distance <= max ? distance : max + 1;
}

unsigned typo_distance(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count,
                       unsigned max)
{
    CHECK(max <= TYPO_EDITS_MAX);
    while (a_count > 0 && b_count > 0 && *a == *b) {
        a++, b++, a_count--, b_count--;
    }
    while (a_count > 0 && b_count > 0 && a[a_count - 1] == b[b_count - 1]) {
        a_count--, b_count--;
    }
    if ((a_count > b_count ? a_count - b_count : b_count - a_count) > max) {
        return max + 1;
    }
    return banded_distance(a, a_count, b, b_count, max);
}
