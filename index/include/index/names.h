/* names.h: texts that repeat from person to person (field names, categories, sources), each stored once.
 *
 * An id is counted by its users; the last release frees the text, so that nothing of an erased person stays behind. Ids
 * are reused; they mean nothing outside this process and its checkpoint.
 * Ids below FIELD_BUILTIN_COUNT are the built-in fields' paths and are never freed.
 *
 * Threading: text and find share; the rest excludes. */
#ifndef KINDRED_INDEX_NAMES_H
#define KINDRED_INDEX_NAMES_H

#include "base/err.h"
#include "base/slice.h"

enum { NAME_NONE = 0xFFFFFFFFu };

struct names;

struct names *names_create(void) MUST_USE;
void names_destroy(struct names *names);

/* The id of the text, made when new; counted once more. */
err names_acquire(struct names *names, struct slice text, uint32_t *id) MUST_USE;
void names_retain(struct names *names, uint32_t id);
void names_release(struct names *names, uint32_t id);
uint32_t names_find(const struct names *names, struct slice text); /* NAME_NONE */
/* Borrowed until the id's last release. */
struct slice names_text(const struct names *names, uint32_t id);

/* Loading a checkpoint: this id with no users yet (profiles retain as they load); names_sweep then frees those
 * that nobody claimed. */
err names_load(struct names *names, uint32_t id, struct slice text) MUST_USE;
void names_sweep(struct names *names);

/* Ids made or freed since the last call, for the checkpoint: visit(id, text) with SLICE_NONE for freed ones. */
void names_drain_changes(struct names *names, void (*visit)(void *context, uint32_t id, struct slice text),
                         void *context);
uint64_t names_count(const struct names *names);
uint64_t names_memory_bytes(const struct names *names);

#endif
