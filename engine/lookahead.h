/* lookahead.h: memory loads that applying a record will wait for, started while the records before
 * it are applied.
 *
 *   at + 20 the record ─▶ + 18 its arrays ─▶ + 15 their texts ─▶ + 12 its identifiers' slots
 *           ─▶ + 8 whom they probably lead to ─▶ + 4 those people's profiles ─▶ + 0 applied
 *
 * Each step needs what the one before it fetched, some microseconds earlier. A batch as it was read
 * is as large as the second-level cache, and the thread that read it may have been another core's:
 * so the record itself is looked ahead for, too. A guess that is wrong (two identifiers with equal
 * hash bits, a merge in between) costs a load for nothing and changes nothing: applying looks
 * everything up itself.
 *
 * Threading: the writer. */
#ifndef KINDRED_ENGINE_LOOKAHEAD_H
#define KINDRED_ENGINE_LOOKAHEAD_H

#include "engine/engine.h"

enum { LOOKAHEAD_STEPS = 6, LOOKAHEAD_RECORDS = 16, LOOKAHEAD_IDENTIFIERS = 4 };

struct lookahead {
    size_t reached[LOOKAHEAD_STEPS]; /* the draft each step takes next */
    /* Of the drafts between the fourth step and the last one. */
    struct lookahead_place {
        uint64_t hashes[LOOKAHEAD_IDENTIFIERS];
        uint32_t numbers[LOOKAHEAD_IDENTIFIERS];
        size_t count;
    } places[LOOKAHEAD_RECORDS];
};

/* Zeros are the beginning. drafts[at] is applied next; drafts and count are the same in every
 * call. */
void lookahead_move(struct lookahead *ahead, const struct engine *engine,
                    const struct draft *drafts, size_t count, size_t at);

#endif
