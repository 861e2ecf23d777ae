/* cohorts.h: the cohorts, who is in them, and how both change.
 *
 * Three ways a membership changes, each by exactly what changed:
 *   a person changes        cohorts_person_changed: compares the old and the new blob; only cohorts that read what
 *                           differs are evaluated
 *   a phrase is new         cohorts_classify_phrase: asked once per distinct phrase
 *   a definition changes    cohorts_prepare computes the new matcher, every phrase's new cohorts and the new bitmaps beside
 *                           the old ones (reading only); cohorts_commit swaps them in, in microseconds, so that a page is
 *                           all before or all after
 *
 * A cohort without condition and without include/exclude is the union of its phrases' holders. With a condition it is
 * that union and the condition's bitmap (attributes.h), scanning only candidates where a condition reads what is not
 * indexed.
 *
 * Threading: reads share; person_changed, classify and commit exclude; prepare runs on the writer beside readers. */
#ifndef KINDRED_INDEX_COHORTS_H
#define KINDRED_INDEX_COHORTS_H

#include "index/attributes.h"
#include "index/cohort_definition.h"
#include "index/names.h"
#include "index/people.h"
#include "index/phrases.h"

struct cohorts;

/* What cohorts read; borrowed for the cohorts' life. */
struct cohort_world {
    struct people *people;
    struct phrases *phrases;
    struct attributes *attributes;
    struct names *names;
};

struct cohorts *cohorts_create(const struct cohort_world *world) MUST_USE;
void cohorts_destroy(struct cohorts *cohorts);

/* ---- definitions ---- */

struct cohorts_change;
/* Puts (definition: transferred, its people already numbers) or, with definition NULL, deletes `name`; several in one go make one
 * atomic change (start-up loads all shipped topics at once). ERR_NOT_FOUND when a deleted name is not there. */
struct cohorts_edit {
    struct slice name;
    struct cohort_definition *definition;
    uint64_t sequence; /* the log entry */
    int64_t changed_at_us;
};
err cohorts_prepare(struct cohorts *cohorts, struct cohorts_edit *edits, size_t count, struct cohorts_change **out,
                    struct error *error) MUST_USE;
/* Fast, to be called with readers excluded. The old state is kept in the change ... */
void cohorts_commit(struct cohorts *cohorts, struct cohorts_change *change);
/* ... and freed here, with readers back in. Also frees a change that is not to be committed. */
void cohorts_change_destroy(struct cohorts_change *change);

/* ---- people ---- */

/* A phrase that phrases.h has just interned. */
err cohorts_classify_phrase(struct cohorts *cohorts, uint32_t phrase_id) MUST_USE;
/* old or new may be NULL (new person, erased or absorbed one). Phrase holders and attributes of the new blob must be set
 * already. */
void cohorts_person_changed(struct cohorts *cohorts, uint32_t number, const void *old_blob, const void *new_blob);
/* include/exclude lists follow a merge. Before person_changed of both. */
void cohorts_person_merged(struct cohorts *cohorts, uint32_t loser, uint32_t winner);
/* Loading: memberships of everybody computed anew from phrases, attributes and people. */
err cohorts_rebuild(struct cohorts *cohorts) MUST_USE;

/* ---- reading ---- */

#define COHORT_NONE UINT32_C(0xFFFFFFFF)
uint32_t cohorts_count(const struct cohorts *cohorts);
/* Without case. COHORT_NONE when unknown. Ids hold until the next commit. */
uint32_t cohorts_find(const struct cohorts *cohorts, struct slice name);
/* The known name nearest to this one, for "did you mean"; SLICE_NONE when nothing is near. */
struct slice cohorts_nearest(const struct cohorts *cohorts, struct slice name);
/* Ids in the order of names (without case): rank 0 .. count-1. */
uint32_t cohorts_at(const struct cohorts *cohorts, uint32_t rank);
const struct cohort_definition *cohorts_definition(const struct cohorts *cohorts, uint32_t id);
uint64_t cohorts_sequence(const struct cohorts *cohorts, uint32_t id);
int64_t cohorts_changed_at_us(const struct cohorts *cohorts, uint32_t id);
const struct bitmap *cohorts_members(const struct cohorts *cohorts, uint32_t id);
/* Goes up with every commit. */
uint64_t cohorts_generation(const struct cohorts *cohorts);
/* Cohort ids of one person in the order of names; the lookup path, so it goes by the interests and asks bitmaps only for
 * cohorts with conditions or explicit people. Returns how many (never more than max). */
size_t cohorts_of_person(const struct cohorts *cohorts, const struct profile_view *view, uint32_t *out, size_t max);
/* What the rules make of any phrase, known or not. */
size_t cohorts_match_phrase(const struct cohorts *cohorts, struct slice phrase, struct rule_hit hits[RULE_HITS_MAX]);
struct slice cohorts_pattern_text(const struct cohorts *cohorts, uint32_t pattern);

#endif
