/* import_state.h: the note that lets an interrupted import go on.
 *
 * A small file says which input it was (a fingerprint of its size, its ends, and where it was
 * going), a random run id, and how many parts are known to be durable. The run id is the
 * idempotency key of the parts ("<run>#<n>"): what was taken after the note was last written is
 * recognised by its key, so nothing is taken twice and nothing is left out. The file is removed
 * when the import is complete; importing the same file again after that is a new run.
 *
 * Threading: main thread. */
#ifndef KINDRED_COMMANDS_IMPORT_STATE_H
#define KINDRED_COMMANDS_IMPORT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct import_state {
    char path[1100]; /* "": input that cannot be read twice, nothing is noted */
    char fingerprint[20];
    char run[20];
    uint64_t parts;        /* durable ones */
    uint64_t skip_parts;   /* of them, done by the interrupted run */
    uint64_t reject_bytes; /* of the file of rejects, for these parts */
    bool resumed;
    bool warned;
    int64_t written_us;
};

/* path: of the note; ending in "/" it is a folder, and the note's name comes from the fingerprint;
 * NULL: none. fd is left at its start. target: what else must be the same (destination, mapping,
 * source). */
void import_state_open(struct import_state *state, const char *path, int fd, const char *target);
/* Writes at most once a second, unless `now`. */
void import_state_note(struct import_state *state, uint64_t parts, bool now);
void import_state_finish(struct import_state *state);

#endif
