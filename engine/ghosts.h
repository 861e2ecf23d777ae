/* ghosts.h: what is left of an erased person's records, so that a fold of the scrubbed log decides
 * about everybody else as before.
 *
 * Whoever was erased had taken part: a cookie was theirs from this entry to that one, so a record
 * of somebody else that named it was a new person's, or did not get it. Without their entries such
 * records would be resolved otherwise. So the erasure's own entry (ENTRY_ERASE) keeps a *ghost* of
 * each of the person's records: no attribute, no interest, no text, but
 *
 *   how long before its arrival it happened, and its source where the settings give that a priority   (who is newer?)
 *   which of the person's identifiers it named, by their position in a list   (was it the same one again?)
 *   which of their message ids   (was it a repeat?)
 *
 * The list says of each identifier its type, and nothing more when nobody else has it: it is
 * nobody's name any more, only the same as itself. One that somebody else has, too, points at their
 * entry: (sequence, position among the record's identifiers). While that entry is in clear the
 * value can be read there, as it always could; when its person is erased as well, the pointer leads
 * to *their* list, and if nobody else has it, to nothing. So there is no digest, no salt and no
 * key, and nothing against which a guessed e-mail could be tested, now or after later erasures.
 *
 * A fold from the first entry applies ghosts as records, by the very code that applied the
 * originals (apply_record), so person numbers, merges, moved and evicted identifiers and the window
 * of message ids come out as they did; the ENTRY_ERASE then removes the ghost as it removed the
 * person. The first pass over the log (ghosts_collect) finds them, because they come later in the
 * log than what they stand for. It makes no difference which of the entries are scrubbed already.
 *
 * A restore of an older copy, whose log ends before the erasure, logs the erasure again
 * (ERASE_AGAIN, see restore.c): it stands for scrubbed entries only and removes whom its ghosts
 * have made. That is why a pointer leads to the *first* entry of anybody that has the identifier: a
 * copy that ends before that one has nobody else who has it.
 *
 * Not covered: a person with more identifiers than a profile holds (4,096), and an erasure of more
 * entries than fit in 2 MiB with their ghosts (15 bytes an entry at most: 140,000); of those only
 * the numbers are kept, and what had been taken from whom (erasure.c).
 *
 * Threading: the writer, or the one thread that opens an engine. */
#ifndef KINDRED_ENGINE_GHOSTS_H
#define KINDRED_ENGINE_GHOSTS_H

#include "engine/engine.h"

struct ghosts;
struct settings_version;

/* ---- logged entries read again ---- */

/* Reads single entries as they were read when they came. Settings are those in force then:
 * ERR_NOT_FOUND when those are not known any more, when the entry is scrubbed, and when it is no
 * record. */
struct entry_source {
    struct engine *engine;
    const struct settings_version *settings; /* ascending; borrowed */
    size_t settings_count;
    struct arena arena; /* of the last entry read */
};
void entry_source_init(struct entry_source *source, struct engine *engine,
                       const struct settings_version *settings, size_t settings_count);
void entry_source_deinit(struct entry_source *source);
/* Valid until the next call. ERR_MEMORY, or what the log says. */
err entry_source_read(struct entry_source *source, uint64_t sequence, struct log_entry *entry,
                      struct record *record) MUST_USE;

/* ---- writing: ghosts_encode.c ---- */

/* The ghosts of a person who is about to be erased, one for each of `entries`. ERR_NOT_FOUND when
 * there can be none (an entry is unreadable), ERR_TOO_LARGE, ERR_MEMORY; `out` is then to be thrown
 * away. Takes from the engine's arena. */
err ghosts_encode(struct engine *engine, uint32_t number, const struct log_scrub *entries,
                  size_t count, struct buffer *out) MUST_USE;

/* Of a buffer of LOG_PAYLOAD_MAX, after `bytes` (at most) were appended: ERR_OK, ERR_TOO_LARGE,
 * ERR_MEMORY. */
err buffer_problem(const struct buffer *buffer, size_t bytes) MUST_USE;

/* ---- a fold from the first entry: ghosts_replay.c ---- */

/* *out is NULL when there are none. */
err ghosts_collect(struct engine *engine, struct ghosts **out, struct error *error) MUST_USE;
void ghosts_destroy(struct ghosts *ghosts);

enum ghost_kind {
    GHOST_NONE,   /* the entry is to be applied as it is */
    GHOST_SILENT, /* a correction of somebody erased: nothing */
    GHOST_RECORD,
};
struct ghost {
    enum ghost_kind kind;
    struct record record;
    struct slice source;
    uint32_t erasure; /* for ghosts_made_person */
};
/* For a record or a correction. `out` borrows from `arena` and from `ghosts`. ERR_MEMORY. */
err ghosts_find(const struct ghosts *ghosts, const struct log_entry *entry, struct arena *arena,
                struct ghost *out) MUST_USE;
err ghosts_made_person(struct ghosts *ghosts, uint32_t erasure, uint32_t number) MUST_USE;
/* The numbers that the ghosts of this ENTRY_ERASE have made. */
const uint32_t *ghosts_people(const struct ghosts *ghosts, uint64_t erase_sequence, size_t *count);
/* The order of bytes of two identifiers that one entry named, as in the original; `ghosts` may be
 * NULL. */
int ghosts_compare(const struct ghosts *ghosts, uint64_t sequence, struct slice a, struct slice b);

#endif
