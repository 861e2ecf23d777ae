#include "erased_entries.h"

#include <stdlib.h>

#include "internal.h"

struct collecting {
    struct erased_entries *erased;
    struct log *log;
    struct error *error;
    struct arena arena; /* of the first entry */
    size_t seen;        /* of the erasure at hand */
    bool begun;
    err err;
};

static void add_entry(void *context, uint64_t sequence, bool created_person)
{
    struct collecting *work = context;
    struct erased_entries *erased = work->erased;
    if (work->seen++ == 0 && work->err == ERR_OK) {
        struct log_entry first;
        arena_reset(&work->arena);
        work->err = work->log->ops->get(work->log, sequence, &work->arena, &first, work->error);
        work->begun = work->err == ERR_OK && first.scrubbed;
    }
    if (!work->begun || work->err != ERR_OK) {
        return;
    }
    if (!vector_reserve((void **)&erased->items, &erased->capacity, erased->count,
                        sizeof *erased->items)) {
        work->err = ERR_MEMORY;
        return;
    }
    erased->items[erased->count++] = (struct log_scrub){sequence, created_person};
}

static int compare_items(const void *a, const void *b)
{
    const struct log_scrub *x = a;
    const struct log_scrub *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* From the erasures behind `sequence`. */
static err collect(struct erased_entries *erased, struct log *log, uint64_t sequence,
                   struct error *error)
{
    struct collecting work = {.erased = erased, .log = log, .error = error};
    struct log_reader *reader = NULL;
    struct log_entry entry;
    err e = log->ops->reader_create(log, sequence + 1, &reader, error);
    if (e != ERR_OK) {
        return e;
    }
    arena_init(&work.arena, 2 * (size_t)LOG_PAYLOAD_MAX);
    while (e == ERR_OK && (e = log->ops->reader_next(reader, &entry, NULL, error)) == ERR_OK) {
        /* One that a restore logged again names entries by the numbers of another log, too. */
        if (entry.kind == ENTRY_ERASE && !entry.scrubbed && entry.format != ERASE_AGAIN) {
            work.seen = 0;
            work.begun = false;
            /* an unreadable one is told when it is applied */
            (void)engine_erase_entries(entry.payload, add_entry, &work);
            e = work.err;
        }
    }
    arena_deinit(&work.arena);
    log->ops->reader_destroy(reader);
    if (erased->count > 0) {
        qsort(erased->items, erased->count, sizeof *erased->items, compare_items);
    }
    return e == ERR_END ? ERR_OK : e;
}

err erased_entries_hide(struct erased_entries *erased, struct log *log, struct log_entry *entry,
                        struct error *error)
{
    if (entry->kind != ENTRY_RECORD && entry->kind != ENTRY_PATCH) {
        return ERR_OK;
    }
    if (!erased->collected && entry->scrubbed) {
        erased->collected = true;
        err e = collect(erased, log, entry->sequence, error);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (erased->count > 0 && !entry->scrubbed) {
        struct log_scrub key = {.sequence = entry->sequence};
        const struct log_scrub *found =
            bsearch(&key, erased->items, erased->count, sizeof key, compare_items);
        if (found != NULL) {
            entry->scrubbed = true;
            entry->created_person = found->created_person;
            entry->payload = SLICE_NONE;
            entry->source = SLICE_NONE;
        }
    }
    return ERR_OK;
}

void erased_entries_deinit(struct erased_entries *erased)
{
    memory_free(erased->items);
    *erased = (struct erased_entries){0};
}
