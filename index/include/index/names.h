/* names.h: texts that repeat from person to person (field names, categories, sources), each stored
 * once.
 *
 * An id is counted by its users; the last release frees the text, so that nothing of an erased
 * person stays behind. Ids are reused; they mean nothing outside this process and its checkpoint.
 * Ids below FIELD_BUILTIN_COUNT are the built-in fields' paths and are never freed.
 *
 * Threading: text and find share; the rest excludes. */
#ifndef KINDRED_INDEX_NAMES_H
#define KINDRED_INDEX_NAMES_H

#include "base/err.h"
#include "base/slice.h"

#define NAME_NONE UINT32_C(0xFFFFFFFF)

struct names;

/* Higher ids are refused, so that a damaged checkpoint cannot ask for the whole memory. */
enum { NAME_ID_MAX = (1 << 28) - 1 };

/* seed: per process, random (outsiders choose the texts). NULL when memory is out. Owned by
 * caller. */
struct names *names_create(uint64_t seed) MUST_USE;
void names_destroy(struct names *names);

/* The id of the text, made when new; counted once more. ERR_MEMORY, ERR_TOO_LARGE (more than
 * NAME_ID_MAX ids, or a text of 2 GiB); then nothing changed. */
err names_acquire(struct names *names, struct slice text, uint32_t *id) MUST_USE;
void names_retain(struct names *names, uint32_t id);
void names_release(struct names *names, uint32_t id);
uint32_t names_find(const struct names *names, struct slice text); /* NAME_NONE */
/* Borrowed until the id's last release. SLICE_NONE for an id that is not in use. */
struct slice names_text(const struct names *names, uint32_t id);

/* Loading a checkpoint: this id with no users yet (profiles retain as they load); names_sweep then
 * frees those that nobody claimed, and makes the gaps between ids free for reuse. A loaded id is
 * not a change. ERR_CORRUPT: the id is a built-in's or in use, over NAME_ID_MAX, or the text has an
 * id already. */
err names_load(struct names *names, uint32_t id, struct slice text) MUST_USE;
void names_sweep(struct names *names);

/* Ids made or freed since the last call, for the checkpoint: visit(id, text) with SLICE_NONE for
 * freed ones. An id that came and went in between is not visited; one that was freed and means
 * another text now is visited with that. No order. The ids of built-ins are never visited. */
void names_drain_changes(struct names *names,
                         void (*visit)(void *context, uint32_t id, struct slice text),
                         void *context);
uint64_t names_count(const struct names *names); /* with the built-ins */
uint64_t names_memory_bytes(const struct names *names);
/* Every text found under its id, counts and lists right. */
bool names_validate(const struct names *names, const char **reason);

#endif
