/* erased_entries.h: while replaying, entries of people whose scrubbing has begun count as scrubbed,
 * all of them.
 *
 * A job that was cut short has scrubbed some of a person's entries and not yet the others. A person
 * whose first record is gone and whose second is not would be made a second time, and every number
 * behind would be another one. What an erasure covers stands in its ENTRY_ERASE, which comes later
 * in the log: it is looked for when the first scrubbed entry is met.
 *
 * A job scrubs in order of sequences, so one that has begun has scrubbed the first of its entries
 * (quarantined ones aside).
 *
 * Threading: the one thread that replays. */
#ifndef KINDRED_ENGINE_ERASED_ENTRIES_H
#define KINDRED_ENGINE_ERASED_ENTRIES_H

#include "engine/engine.h"

struct erased_entries {
    struct log_scrub *items; /* ascending */
    size_t count, capacity;
    bool collected;
};

/* Zeros are an empty one. Entries must come in order. ERR_MEMORY, or what reading the log says. */
err erased_entries_hide(struct erased_entries *erased, struct log *log, struct log_entry *entry,
                        struct error *error) MUST_USE;
void erased_entries_deinit(struct erased_entries *erased);

#endif
