#include "history.h"

#include "base/bytes.h"
#include "base/memory.h"

struct chunk {
    char *data;
    size_t length;
};

struct person_chunks {
    uint32_t person; /* ascending in the array */
    uint32_t count;
    uint32_t capacity;
    struct chunk *chunks;
};

/* A sorted array: few people have chunks, and they are looked up only when somebody asks for raw
 * entries. */
struct history {
    struct person_chunks *people;
    size_t count;
    size_t capacity;
};

struct history *history_create(void)
{
    return memory_zalloc(sizeof(struct history));
}

static void free_chunks(struct person_chunks *entry)
{
    for (uint32_t i = 0; i < entry->count; i++) {
        memory_free(entry->chunks[i].data);
    }
    memory_free(entry->chunks);
}

void history_destroy(struct history *history)
{
    if (history == NULL) {
        return;
    }
    for (size_t i = 0; i < history->count; i++) {
        free_chunks(&history->people[i]);
    }
    memory_free(history->people);
    memory_free(history);
}

static size_t position_of(const struct history *history, uint32_t person)
{
    size_t low = 0;
    size_t high = history->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (history->people[middle].person < person) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct person_chunks *find(const struct history *history, uint32_t person)
{
    size_t at = position_of(history, person);
    return at < history->count && history->people[at].person == person ? &history->people[at]
                                                                       : NULL;
}

static struct person_chunks *find_or_add(struct history *history, uint32_t person)
{
    struct person_chunks *found = find(history, person);
    if (found != NULL) {
        return found;
    }
    if (history->count == history->capacity) {
        size_t capacity = history->capacity ? history->capacity * 2 : 16;
        struct person_chunks *people = memory_realloc(history->people, capacity * sizeof *people);
        if (people == NULL) {
            return NULL;
        }
        history->people = people;
        history->capacity = capacity;
    }
    size_t at = position_of(history, person);
    memmove(&history->people[at + 1], &history->people[at],
            (history->count - at) * sizeof *history->people);
    history->people[at] = (struct person_chunks){.person = person};
    history->count++;
    return &history->people[at];
}

static err push(struct person_chunks *entry, struct chunk chunk)
{
    if (entry->count == entry->capacity) {
        uint32_t capacity = entry->capacity ? entry->capacity * 2 : 4;
        struct chunk *chunks = memory_realloc(entry->chunks, capacity * sizeof *chunks);
        if (chunks == NULL) {
            return ERR_MEMORY;
        }
        entry->chunks = chunks;
        entry->capacity = capacity;
    }
    entry->chunks[entry->count++] = chunk;
    return ERR_OK;
}

err history_add(struct history *history, uint32_t person, struct slice bytes)
{
    struct person_chunks *entry = find_or_add(history, person);
    struct chunk chunk = {memory_alloc(bytes.length), bytes.length};
    if (entry == NULL || chunk.data == NULL || push(entry, chunk) != ERR_OK) {
        memory_free(chunk.data);
        return ERR_MEMORY;
    }
    memcpy(chunk.data, bytes.data, bytes.length);
    return ERR_OK;
}

uint32_t history_count(const struct history *history, uint32_t person)
{
    const struct person_chunks *entry = find(history, person);
    return entry ? entry->count : 0;
}

struct slice history_chunk(const struct history *history, uint32_t person, uint32_t index)
{
    const struct person_chunks *entry = find(history, person);
    CHECK(entry != NULL && index < entry->count);
    return slice_of(entry->chunks[index].data, entry->chunks[index].length);
}

err history_move(struct history *history, uint32_t from, uint32_t to)
{
    if (find(history, from) == NULL) {
        return ERR_OK;
    }
    if (find_or_add(history, to) == NULL) {
        return ERR_MEMORY;
    }
    struct person_chunks *source = find(history, from);
    struct person_chunks *target = find(history, to);
    for (uint32_t i = 0; i < source->count; i++) {
        if (push(target, source->chunks[i]) != ERR_OK) {
            return ERR_MEMORY;
        }
    }
    source->count = 0;
    history_remove(history, from);
    return ERR_OK;
}

void history_remove(struct history *history, uint32_t person)
{
    struct person_chunks *entry = find(history, person);
    if (entry == NULL) {
        return;
    }
    free_chunks(entry);
    size_t at = (size_t)(entry - history->people);
    history->count--;
    memmove(entry, entry + 1, (history->count - at) * sizeof *entry);
}

void history_encode(const uint64_t *sequences, size_t count, struct buffer *out)
{
    uint64_t previous = 0;
    buffer_append_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        buffer_append_varint(out, sequences[i] - previous);
        previous = sequences[i];
    }
}

size_t history_decode(struct slice chunk, uint64_t *out, size_t room)
{
    struct byte_reader reader = byte_reader_of(chunk);
    size_t count = (size_t)byte_reader_varint(&reader);
    uint64_t previous = 0;
    for (size_t i = 0; i < count && !reader.failed; i++) {
        previous += byte_reader_varint(&reader);
        if (i < room) {
            out[i] = previous;
        }
    }
    return reader.failed ? 0 : count;
}
