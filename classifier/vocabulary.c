/* vocabulary.c: see vocabulary.h. */
#include "vocabulary.h"

#include "base/memory.h"

static struct slice word_of(const struct vocabulary *vocabulary, const struct vocabulary_word *slot)
{
    return slice_of(vocabulary->text + slot->at, slot->length);
}

/* Where the word is, or the free slot where it would be. */
static struct vocabulary_word *find(const struct vocabulary *vocabulary, struct slice word)
{
    const uint64_t hash = hash64(word, 0);
    for (uint32_t at = (uint32_t)(hash >> 32);; at++) {
        struct vocabulary_word *slot = &vocabulary->slots[at & vocabulary->mask];
        if (slot->length == 0 ||
            (slot->tag == (uint32_t)hash && slice_equal(word_of(vocabulary, slot), word))) {
            return slot;
        }
    }
}

/* The group of the word in by_letter, or -1. */
static int group_of(struct slice word)
{
    if (word.length >= VOCABULARY_LENGTH_MAX) {
        return -1;
    }
    for (size_t i = 0; i < word.length; i++) {
        if (word.data[i] < 'a' || word.data[i] > 'z') {
            return -1;
        }
    }
    return (word.data[0] - 'a') * VOCABULARY_LENGTH_MAX + (int)word.length;
}

static void sort_by_letter(struct vocabulary *vocabulary)
{
    for (uint32_t i = 0; i <= vocabulary->mask; i++) {
        const int group = vocabulary->slots[i].length == 0
                              ? -1
                              : group_of(word_of(vocabulary, &vocabulary->slots[i]));
        if (group >= 0) {
            vocabulary->starts[group + 1]++;
        }
    }
    for (size_t g = 1; g < ARRAY_COUNT(vocabulary->starts); g++) {
        vocabulary->starts[g] += vocabulary->starts[g - 1];
    }
    uint32_t filled[ARRAY_COUNT(vocabulary->starts)] = {0};
    for (uint32_t i = 0; i <= vocabulary->mask; i++) {
        const int group = vocabulary->slots[i].length == 0
                              ? -1
                              : group_of(word_of(vocabulary, &vocabulary->slots[i]));
        if (group >= 0) {
            vocabulary->by_letter[vocabulary->starts[group] + filled[group]++] = i;
        }
    }
}

err vocabulary_open(struct vocabulary *vocabulary, const struct known *known, struct error *error)
{
    size_t words = 0;
    for (uint32_t row = 0; row < known->text_count; row++) {
        for (struct slice rest = known_text(known, row); rest.data != NULL; words++) {
            (void)slice_cut(&rest, ' ');
        }
    }
    uint32_t slots = 64;
    while (slots < words + words / 2 && slots < (UINT32_C(1) << 28)) {
        slots *= 2;
    }
    vocabulary->mask = slots - 1;
    vocabulary->text = known->text;
    vocabulary->slots = memory_zalloc(slots * sizeof *vocabulary->slots);
    vocabulary->by_letter = memory_alloc((words + 1) * sizeof *vocabulary->by_letter);
    if (vocabulary->slots == NULL || vocabulary->by_letter == NULL) {
        return error_set(error, ERR_MEMORY, "memory", 0, "no memory for the model's words");
    }
    for (uint32_t row = 0; row < known->text_count; row++) {
        for (struct slice rest = known_text(known, row); rest.data != NULL;) {
            const struct slice word = slice_cut(&rest, ' ');
            if (word.length == 0) {
                continue;
            }
            struct vocabulary_word *slot = find(vocabulary, word);
            if (slot->length == 0) {
                *slot = (struct vocabulary_word){.tag = (uint32_t)hash64(word, 0),
                                                 .at = (uint32_t)(word.data - known->text),
                                                 .length = (uint32_t)word.length};
            }
            slot->count++;
        }
    }
    sort_by_letter(vocabulary);
    return ERR_OK;
}

void vocabulary_close(struct vocabulary *vocabulary)
{
    memory_free(vocabulary->slots);
    memory_free(vocabulary->by_letter);
}

uint32_t vocabulary_count(const struct vocabulary *vocabulary, struct slice word)
{
    return word.length == 0 ? 0 : find(vocabulary, word)->count;
}

void vocabulary_each(const struct vocabulary *vocabulary, char letter, size_t length,
                     void (*visit)(void *context, struct slice word, uint32_t count), void *context)
{
    if (letter < 'a' || letter > 'z' || length >= VOCABULARY_LENGTH_MAX) {
        return;
    }
    const size_t group = (size_t)(letter - 'a') * VOCABULARY_LENGTH_MAX + length;
    for (uint32_t i = vocabulary->starts[group]; i < vocabulary->starts[group + 1]; i++) {
        const struct vocabulary_word *slot = &vocabulary->slots[vocabulary->by_letter[i]];
        visit(context, word_of(vocabulary, slot), slot->count);
    }
}
