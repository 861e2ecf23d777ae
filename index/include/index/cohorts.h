/* cohorts.h: the cohorts, who is in them, and how both change.
 *
 * Four ways a membership changes, each by exactly what changed:
 *   a person changes        cohorts_person_changed: compares the old and the new blob; only cohorts that read what
 *                           differs are evaluated
 *   a phrase is new         cohorts_classify_phrase: asked once per distinct phrase
 *   a verdict arrives       cohorts_answer_phrase: the holders enter and leave what the phrase now leads to; or, for phrases
 *                           with many holders, cohorts_prepare_verdicts and cohorts_commit
 *   a definition changes    cohorts_prepare computes the new matcher, every phrase's new cohorts and the new bitmaps beside
 *                           the old ones (reading only); cohorts_commit swaps them in, in microseconds, so that a page is
 *                           all before or all after
 *
 * A cohort without condition and without include/exclude is the union of its phrases' holders. With
 * a condition it is that union and the condition's bitmap (attributes.h), scanning only candidates
 * where a condition reads what is not indexed.
 *
 * Invariant, between any two calls of the writer: cohorts_members says what the definition says
 * about everybody who has a profile, and cohorts_of_person says the same (cohorts_validate).
 *
 * Threading: reads share; person_changed, classify and commit exclude; prepare runs on the writer
 * beside readers, and nothing that cohorts read may change between prepare and commit. Failure:
 * ERR_MEMORY where an err is returned, nothing changed; a bitmap that cannot grow ends the process
 * (bitmap.h). */
#ifndef KINDRED_INDEX_COHORTS_H
#define KINDRED_INDEX_COHORTS_H

#include "index/attributes.h"
#include "index/cohort_definition.h"
#include "index/names.h"
#include "index/people.h"
#include "index/phrases.h"

/* As many as a phrase can have hits, so that none is lost. */
enum { COHORTS_MAX = RULE_HITS_MAX };

/* How a phrase came to a cohort, in place of a rule_hit's rule_method. What speaks first
 * decides. */
enum hit_method {
    HIT_EXACT = RULE_EXACT,
    HIT_WILDCARD = RULE_WILDCARD,
    HIT_TYPO = RULE_TYPO,
    HIT_EXAMPLE = 4, /* it is one of the cohort's examples */
    HIT_SIMILAR = 5, /* the classifier finds it like the examples */
    HIT_TOPIC = 6,   /* the classifier gives it the cohort's topic */
};
const char *hit_method_name(uint8_t method); /* "exact", …, "example", "similar", "topic" */
const char *hit_decided_by(uint8_t method);  /* "rule", "example" or "model" */

struct cohorts;

/* What cohorts read; borrowed for the cohorts' life. */
struct cohort_world {
    struct people *people;
    struct phrases *phrases;
    struct attributes *attributes;
    struct names *names;
    const struct classifier *classifier; /* NULL: no topics, and examples are only themselves */
    /* A verdict of the classifier's version that somebody has already; NULL: nobody has any. Called
     * by prepare. */
    bool (*find_verdict)(void *context, struct slice phrase, struct verdict *out);
    void *find_context;
};

/* The classifier's topic of this name, without case; -1: there is none. */
int cohorts_topic(const struct classifier *classifier, struct slice name);

struct cohorts *cohorts_create(const struct cohort_world *world) MUST_USE;
void cohorts_destroy(struct cohorts *cohorts);

/* ---- definitions ---- */

struct cohorts_change;
/* Puts (the name is the definition's own; its people are numbers already) or, with definition NULL,
 * deletes `name`. Names compare without case: a put replaces the cohort of that name. Several in
 * one go make one atomic change, a later edit of a name over an earlier one (start-up loads all
 * shipped topics at once). The definitions are transferred, whatever comes out. ERR_NOT_FOUND when
 * a deleted name is not there, ERR_TOO_LARGE over COHORTS_MAX, ERR_INVALID for an include or
 * exclude that is no number. */
struct cohorts_edit {
    struct slice name;
    struct cohort_definition *definition;
    uint64_t sequence; /* the log entry */
    int64_t changed_at_us;
    /* loading a checkpoint: what cohorts_encode_examples wrote; SLICE_NONE otherwise */
    struct slice examples;
};
err cohorts_prepare(struct cohorts *cohorts, struct cohorts_edit *edits, size_t count,
                    struct cohorts_change **out, struct error *error) MUST_USE;
/* The same for verdicts (of the classifier's version) that arrived for these phrases, each once. */
struct cohorts_answer {
    uint32_t phrase_id;
    const struct verdict *verdict;
};
err cohorts_prepare_verdicts(struct cohorts *cohorts, const struct cohorts_answer *answers,
                             size_t count, struct cohorts_change **out,
                             struct error *error) MUST_USE;
/* Fast, to be called with readers excluded. The old state is kept in the change ... */
void cohorts_commit(struct cohorts *cohorts, struct cohorts_change *change);
/* ... and freed here, with readers back in. Also frees a change that is not to be committed. */
void cohorts_change_destroy(struct cohorts_change *change);

/* What the classifier said about the cohort's examples, for the checkpoint; nothing when there are
 * none. */
void cohorts_encode_examples(const struct cohorts *cohorts, uint32_t id, struct buffer *out);

/* ---- people ---- */

/* The classifier's verdict (of its version) for a phrase that has none yet or another: kept, and
 * what its holders belong to follows, one by one: not for a phrase that a million hold. Not while a
 * person is being changed. ERR_MEMORY: nothing changed. */
err cohorts_answer_phrase(struct cohorts *cohorts, uint32_t phrase_id,
                          const struct verdict *verdict) MUST_USE;
/* A phrase that phrases.h has just interned, or any other again (what its holders belong to
 * follows). */
err cohorts_classify_phrase(struct cohorts *cohorts, uint32_t phrase_id) MUST_USE;
/* old or new may be NULL (new person, erased or absorbed one). The order around it:
 *   1. phrases of the new blob are interned and classified, their holders and the new attributes set
 *   2. people_replace, cohorts_person_changed
 *   3. phrases_remove_holder for what only the old blob has (it may free the phrase, and with it what the phrase led to) */
void cohorts_person_changed(struct cohorts *cohorts, uint32_t number, const void *old_blob,
                            const void *new_blob);
/* include/exclude lists follow a merge. Before person_changed of both. */
void cohorts_person_merged(struct cohorts *cohorts, uint32_t loser, uint32_t winner);
/* Loading: memberships of everybody computed anew from phrases, attributes and people, with include
 * and exclude lists followed through all merges (also after a merge was taken back). */
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
/* Goes up with every commit and whenever a verdict has moved somebody. */
uint64_t cohorts_generation(const struct cohorts *cohorts);
/* Cohort ids of one person in the order of names; the lookup path, so it goes by the interests and
 * asks bitmaps only for cohorts with conditions or explicit people. Returns how many (never more
 * than max). */
size_t cohorts_of_person(const struct cohorts *cohorts, const struct profile_view *view,
                         uint32_t *out, size_t max);
/* Where any phrase, known or not, falls with this verdict of the classifier's version (NULL: the
 * one it has; or none): hits with cohort ids, ascending. */
size_t cohorts_explain_phrase(const struct cohorts *cohorts, struct slice phrase,
                              const struct verdict *verdict, struct rule_hit hits[RULE_HITS_MAX]);
/* The same with the verdict it has. */
size_t cohorts_match_phrase(const struct cohorts *cohorts, struct slice phrase,
                            struct rule_hit hits[RULE_HITS_MAX]);
/* What decided, here and in phrases_hits: the pattern, the example, or the topic; SLICE_NONE for
 * likeness. */
struct slice cohorts_hit_text(const struct cohorts *cohorts, const struct rule_hit *hit);
struct slice cohorts_pattern_text(const struct cohorts *cohorts, uint32_t id, uint32_t pattern);

/* The invariant, by computing everything anew (slow). */
bool cohorts_validate(const struct cohorts *cohorts, const char **reason);

#endif
