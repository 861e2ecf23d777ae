/* lookahead.h: memory loads that applying a record will wait for, started while the records before it are applied.
 *
 *   record at + 12: its identifiers' slots ─▶ at + 8: who they probably lead to ─▶ at + 4: those people's profiles ─▶ at: applied
 *
 * Each step needs what the one before it fetched, some microseconds earlier. A guess that is wrong (two identifiers with equal hash
 * bits, a merge in between) costs a load for nothing and changes nothing: applying looks everything up itself.
 *
 * Threading: the writer. */
#ifndef KINDRED_ENGINE_LOOKAHEAD_H
#define KINDRED_ENGINE_LOOKAHEAD_H

#include "engine/engine.h"

enum { LOOKAHEAD_RECORDS = 16, LOOKAHEAD_IDENTIFIERS = 4 };

struct lookahead {
    size_t slots, people, profiles; /* drafts each step has come to */
    struct {
        uint64_t hashes[LOOKAHEAD_IDENTIFIERS];
        uint32_t numbers[LOOKAHEAD_IDENTIFIERS];
        size_t count;
    } ring[LOOKAHEAD_RECORDS];
};

/* Zeros are the beginning. drafts[at] is applied next; drafts and count are the same in every call. */
void lookahead_move(struct lookahead *ahead, const struct engine *engine, const struct draft *drafts, size_t count, size_t at);

#endif
